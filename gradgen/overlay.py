"""Runs a function of a spec with other globals: what carries a trace, or another array library for NumPy."""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import CellType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

from gradgen.arrays import Array
from gradgen.carried import Carried
from gradgen.dimension import Dimension
from gradgen.places import lies_in
from gradgen.sympy_words import Word
from gradgen.tape import Call

# ---- other array libraries


class _Proxy(ModuleType):
    """A module whose contents are replaced, by name and value, as they are asked for."""

    def __init__(self, module: ModuleType, replace: Callable[[str, Any], Any]) -> None:
        super().__init__(module.__name__)
        self.__dict__["_read"] = lambda name: replace(name, getattr(module, name))

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["_read"](name)


# Functions whose argument is a list of arrays; all others take a list as the array that it would become.
JOINING = "concatenate concat stack vstack hstack column_stack block multi_dot".split()


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(hasattr(v, "shape") or _holds_arrays(v) for v in value)


def _of_lists(function: Any, library: Any) -> Any:
    """The function of a library that takes no lists of arrays, taking them as NumPy's does."""

    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*(library.asarray(a) if _holds_arrays(a) else a for a in args), **kwargs)

    return Carried(function, called, _holds_arrays)


def listed(name: str, value: Any, library: Any) -> Any:
    """What a library has: functions that take lists of arrays as NumPy's do, and modules of such."""
    if isinstance(value, ModuleType):
        return _Proxy(value, lambda name, inner: listed(name, inner, library))
    plain = not callable(value) or isinstance(value, type) or name in JOINING
    return value if plain else _of_lists(value, library)


def twins(modules: Mapping[ModuleType, ModuleType]) -> dict[Any, Any]:
    """Each module's twin, and for each function of the module, and of its linalg, the twin's function of that name."""
    inner = {m.linalg: t.linalg for m, t in modules.items() if hasattr(m, "linalg") and hasattr(t, "linalg")}
    library = modules.get(np, np)
    replaced: dict[Any, Any] = {}
    for module, twin in {**inner, **modules}.items():
        replaced[module] = listed(module.__name__, twin, library)
        for name, value in vars(module).items():
            if callable(value) and not isinstance(value, type) and hasattr(twin, name):
                replaced[value] = getattr(replaced[module], name)
    return replaced


# ---- functions with other globals


class Overlay:
    """Copies functions of the spec's folder, and of ``modules``, with their globals replaced by identity, and arrays
    among them by what ``array`` makes of each."""

    def __init__(
        self,
        replacements: Callable[[], Mapping[Any, Any]],
        folder: str,
        modules: tuple[str, ...] = (),
        array: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._replacements = replacements
        self._array = array
        self._folder = folder
        self._modules = modules
        # The originals are kept, so that no identity is used twice.
        self._done: dict[int, tuple[Any, Any]] = {}
        self._learn()
        self._builtins = {k: self._known(v) for k, v in vars(builtins).items()}
        self._builtins["__import__"] = self._import

    def _learn(self) -> None:
        self._done.update({id(k): (k, v) for k, v in self._replacements().items()})

    def _known(self, value: Any) -> Any:
        found = self._done.get(id(value))
        return found[1] if found else value

    def _keep(self, value: Any, new: Any) -> Any:
        self._done[id(value)] = (value, new)
        return new

    def _import(self, name: str, *args: Any, **kwargs: Any) -> Any:
        module = builtins.__import__(name, *args, **kwargs)
        self._learn()  # the module may be one of which something is replaced
        return self.replace(module)

    def _ours(self, name: str | None, file: str | None) -> bool:
        return name in self._modules or (file is not None and lies_in(file, self._folder))

    def replace(self, value: Any) -> Any:
        """What stands for a value in the overlay: itself, unless it leads to something that is replaced."""
        if id(value) in self._done:
            return self._done[id(value)][1]
        if isinstance(value, Dimension):
            return value.known()
        if isinstance(value, Word):
            return value.over(self._known(value.library))
        if isinstance(value, FunctionType):
            return self.function(value)
        if isinstance(value, ModuleType):
            return self._module(value)
        if isinstance(value, partial):
            return partial(self.replace(value.func), *map(self.replace, value.args), **self._values(value.keywords))
        if type(value) in (list, tuple, dict):
            return self._container(value)
        return self._keep(value, self._array(value)) if type(value) is np.ndarray else value

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self.replace(v) for k, v in values.items()}

    def _container(self, value: Any) -> Any:
        """A list, tuple or dict of functions and the like, such as a table of activations."""
        self._keep(value, value)
        old = list(value.values()) if isinstance(value, dict) else value
        new = [self.replace(v) for v in old]
        if all(a is b for a, b in zip(old, new, strict=True)):
            return value
        return self._keep(value, dict(zip(value, new, strict=True)) if isinstance(value, dict) else type(value)(new))

    def _module(self, module: ModuleType) -> ModuleType:
        ours = self._ours(module.__name__, getattr(module, "__file__", None))
        proxied = ours or module.__name__ in ("numpy", "numpy.linalg", "scipy", "scipy.special", "gradgen")
        return self._keep(module, _Proxy(module, lambda _, value: self.replace(value)) if proxied else module)  # type: ignore[no-any-return]

    def function(self, value: FunctionType) -> Callable[..., Any]:
        """The function with its globals, defaults and closure replaced, if it is the spec's own."""
        if id(value) in self._done:
            return self._done[id(value)][1]  # type: ignore[no-any-return]
        if not self._ours(value.__module__, value.__code__.co_filename):
            return value
        cells = tuple(CellType() for _ in value.__closure__ or ())
        new = FunctionType(value.__code__, self._globals(value.__globals__), value.__name__, value.__defaults__, cells)
        self._keep(value, new)
        new.__kwdefaults__ = value.__kwdefaults__ and self._values(value.__kwdefaults__)
        new.__defaults__ = value.__defaults__ and tuple(map(self.replace, value.__defaults__))
        for cell, old in zip(cells, value.__closure__ or (), strict=True):
            self._fill(cell, old)
        return new

    def _fill(self, cell: CellType, old: CellType) -> None:
        try:
            cell.cell_contents = self.replace(old.cell_contents)
        except ValueError:  # an empty cell stays empty
            return

    def _globals(self, values: dict[str, Any]) -> dict[str, Any]:
        if id(values) in self._done:
            return self._done[id(values)][1]  # type: ignore[no-any-return]
        # A function takes its builtins from its globals when it is made, so these stand there first.
        new: dict[str, Any] = self._keep(values, {"__builtins__": self._builtins})
        new.update({k: self.replace(v) for k, v in values.items() if k != "__builtins__"})
        return new


def rebind(
    function: Any, replacements: Mapping[Any, Any], folder: str, modules: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """A copy of a function of a folder, and of the helpers that it reaches there, with globals replaced by identity.

    ``replacements`` maps an object (a module, a function, a builtin) to what stands for it. Functions of the named
    ``modules`` are copied too. Dimensions become what they are in the current scope.
    """
    return Overlay(lambda: replacements, folder, modules).function(function)


# ---- the names of locals


def _stored(code: CodeType) -> dict[int, tuple[str, ...]]:
    """The locals that each line assigns."""
    lines: dict[int, tuple[str, ...]] = {}
    for step in dis.get_instructions(code):
        line = step.positions.lineno if step.positions else None
        if line is not None and step.opname.startswith(("STORE_FAST", "STORE_DEREF")):
            names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
            lines[line] = (*lines.get(line, ()), *names)
    return lines


class Names:
    """Watches one function while it runs: what its locals name, first name wins, and where it returned."""

    def __init__(self, code: CodeType, skip: Mapping[str, Call]) -> None:
        self.names: dict[Call, str] = {}
        self.returned = -1
        self._code = code
        self._skip = skip
        self._arguments = set(skip.values())
        self._stored = _stored(code)

    def _note(self, frame: FrameType, line: int) -> None:
        for name in self._stored.get(line, ()):
            value = frame.f_locals.get(name)
            if isinstance(value, Array) and name not in self._skip and value.call not in self._arguments:
                self.names.setdefault(value.call, name)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code is not self._code:
            return None
        line = frame.f_lineno

        def step(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal line
            self._note(frame, line)
            line = frame.f_lineno
            if event == "return":
                self.returned = frame.f_lasti
            return step

        return step

    @contextmanager
    def watching(self) -> Iterator[Names]:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield self
        finally:
            sys.settrace(before)
