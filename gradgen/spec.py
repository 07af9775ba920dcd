"""Losses and functions: what ``@loss`` and ``@function`` make of a Python function, how a spec file is loaded, and how
what it declares runs on other arrays."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any, ClassVar, TypeVar

import numpy as np

from gradgen import eager, overlay, places, tracing
from gradgen.arrays import Array
from gradgen.declared import dims
from gradgen.definition import Definition
from gradgen.dims import Size, is_one
from gradgen.errors import Errors, Place, SpecError
from gradgen.loading import Folder, read
from gradgen.places import folder_of
from gradgen.positions import Positions
from gradgen.registry import call
from gradgen.scope import CURRENT, Run, Trace, entered, said
from gradgen.shapes import Shape, spell
from gradgen.signature import arguments_of, variables
from gradgen.tape import Argument, Tape
from gradgen.unknown import Unknown

__all__ = ["Declaration", "Function", "Loss", "dims", "function", "load_spec", "loss", "run_with"]


class _Session:
    """One load: the folder that it runs in, what it declares, with the file that declares each, and what is wrong with
    declarations."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.declared: list[tuple[str, Declaration]] = []
        self.errors = Errors()


_SESSION: ContextVar[_Session | None] = ContextVar("gradgen_session", default=None)


class Declaration:
    """A loss or function of a spec. Called with real arrays it runs its Python function; `tape` is its trace."""

    word: ClassVar[str]

    def __init__(
        self,
        function: FunctionType,
        wrt: Any,
        options: Mapping[str, Any],
        frame: FrameType | None = None,
        folder: Folder | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        inner = inspect.unwrap(function)
        self.function = function
        self.name = function.__name__
        self.place = Definition(inner).function()
        self.arguments, self.dims = arguments_of(inner, frame)
        self.wrt = variables(wrt, self.arguments, Definition(inner).option("wrt"))
        self.several = not isinstance(wrt, str) or len(self.wrt) > 1
        self.options = dict(options)
        self.doc = inspect.getdoc(function) or ""
        self.path = folder_of(inner.__code__.co_filename)
        self._folder = folder

    def __repr__(self) -> str:
        return f"<{self.word} {self.name}({', '.join(a.name for a in self.arguments)})>"

    @cached_property
    def tape(self) -> Tape:
        """What the function does, call by call; traced once."""
        with self._folder.importable() if self._folder else nullcontext():
            traced = tracing.trace(self.name, self.function, self.arguments, self.dims, self.path, self.place)
        self._check(traced.result.shape, traced.returned)
        return Tape(
            name=self.name,
            doc=self.doc,
            arguments=self.arguments,
            wrt=self.wrt,
            several=self.several,
            result=traced.result,
            names=traced.names,
            constraints=traced.constraints,
            options=self.options,
            place=self.place,
            function=isinstance(self, Function),
        )

    def _check(self, shape: Shape, place: Place) -> None:
        """Refuse a result of a wrong shape."""

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        return [bound.arguments[a.name] for a in self.arguments]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bound(args, kwargs)
        current = CURRENT.get()
        if isinstance(current, Trace) and any(isinstance(v, (Array, Unknown, Positions)) for v in values):
            return current.inline(self.function)(*self._inlined(current, values))
        if isinstance(current, Run) and current.inline:
            return current.inline(self.function)(*values)
        return self._run(values)

    def _inlined(self, trace: Trace, values: list[Any]) -> list[Any]:
        """The arguments within another loss: arrays of exactly the shapes that it declares, functions and indices where
        it says so."""
        spelled = {local: dim for dim, local in self.dims.items()}
        result = []
        for argument, value in zip(self.arguments, values, strict=True):
            if argument.callable:
                if not callable(value):
                    text = f"{self.name} declares {argument.name} as a function, but gets {said(value)}"
                    raise SpecError(text, "give it a function of an array, such as np.tanh")
                result.append(value)
                continue
            if isinstance(value, Positions) != (argument.kind == "Indices") and isinstance(value, (Array, Positions)):
                what = "an array" if isinstance(value, Array) else "indices"
                text = f"{self.name} declares {argument.name} as {argument.kind}, but gets {what}"
                raise SpecError(text, "indices are an argument of their own: rows: Indices[m, n]")
            wanted = tuple(trace.resolve(s.substitute(spelled)) for s in argument.shape)
            given = _shape_of(value)
            if argument.kind == "Diagonal" and given == wanted[:1]:
                value, given = call("diag", (value,), {}), wanted
            if wanted != given:
                text = f"{self.name} declares {argument.name} of shape {spell(wanted)}, but gets {spell(given)}"
                raise SpecError(text, "move its body to a helper function, which takes any shape")
            if argument.kind == "LowerTriangular" and isinstance(value, Array) and value.call.op != "argument":
                value = call("tril", (value,), {})
            result.append(value)
        return result

    def _run(self, values: list[Any]) -> Any:
        arrays, sizes = eager.enter(self.arguments, values)
        eager.hold(self.tape.constraints, sizes)
        with entered(Run({local: sizes[local.name] for local in self.dims.values()})):
            return self._value(self._result(arrays))

    def _result(self, arrays: eager.Arrays) -> Any:
        try:
            return self.function(*arrays.values())
        except ImportError:
            if self._folder is None:
                raise
        with self._folder.importable():  # the function imports a neighbour itself
            return self.function(*arrays.values())

    def _value(self, result: Any) -> Any:
        """What the Python function returned, as callers get it."""
        raise NotImplementedError


def _shape_of(value: Any) -> Shape:
    return value.call.shape if isinstance(value, (Array, Positions)) else tuple(map(Size.of, np.shape(value)))


class Broken:
    """What stands for a loss that is declared wrongly, while the rest of its spec is read."""

    def __init__(self, error: SpecError) -> None:
        self._error = error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error


class Loss(Declaration):
    """A loss of a spec: a number."""

    word = "loss"

    def _check(self, shape: Shape, place: Place) -> None:
        if not shape:
            return
        hint = "sum over the entries, such as np.sum(r**2) or r @ r"
        if all(map(is_one, shape)):
            hint = f"take its one entry, [{', '.join('0' * len(shape))}], or use vectors of one axis"
        raise SpecError(f"a loss is a scalar, but {self.name} returns shape {spell(shape)}", hint, place)

    def _value(self, result: Any) -> float:
        return float(result)


class Function(Declaration):
    """A vector- or matrix-valued function of a spec; a number is allowed too."""

    word = "function"

    def _value(self, result: Any) -> Any:
        array = np.array(result, order="C")
        return (array if array.dtype.kind == "f" else array.astype(float))[()]


def loss(
    function: Any = None, /, *, wrt: Any = None, gram: bool = False, symmetric: str | None = None
) -> Callable[[Callable[..., Any]], Loss]:
    """Declares a loss: ``@loss(wrt="w")``, or ``wrt=("D", "R")`` or ``wrt="D R"`` for several variables.

    ``gram`` lets ``bind`` form Gram matrices; ``symmetric="entries"`` differentiates by independent entries.
    """
    return declaring(Loss, function, wrt, gram, symmetric, sys._getframe(1))


def function(
    function: Any = None, /, *, wrt: Any = None, symmetric: str | None = None
) -> Callable[[Callable[..., Any]], Function]:
    """Declares a function with values of any shape: ``@function(wrt="x")``."""
    return declaring(Function, function, wrt, False, symmetric, sys._getframe(1))


Made = TypeVar("Made", bound=Declaration)


def declaring(
    kind: type[Made], function: Any, wrt: Any, gram: bool, symmetric: str | None, frame: FrameType
) -> Callable[[Callable[..., Any]], Made]:
    """The decorator that makes a loss or function of the given kind, for a spec that runs in the given frame."""
    session = _SESSION.get()
    try:
        if function is not None or wrt is None:
            raise SpecError(f"@{kind.word} wants wrt", f'write @{kind.word}(wrt="w")', _place_of(function))
        if symmetric not in (None, "entries"):
            raise SpecError(f"symmetric is {said(symmetric)}", 'the one other choice is symmetric="entries"')
    except SpecError as error:
        return _broken(error, session, frame, isinstance(function, FunctionType))  # type: ignore[no-any-return]
    options = {"gram": bool(gram), "symmetric": symmetric}
    return lambda function: _declare(kind, function, wrt, options, frame)


def _broken(error: SpecError, session: _Session | None, frame: FrameType, decorated: bool) -> Any:
    """While a spec is read its errors are collected, and the reading goes on; else they are raised."""
    if session is None:
        raise error
    placed = error.at(places.at(frame.f_code, frame.f_lasti))
    placed.__cause__ = error.__cause__
    session.errors.found.append(placed)
    return Broken(placed) if decorated else lambda function: Broken(placed)


def _place_of(function: Any) -> Place | None:
    return Definition(function).function() if isinstance(function, FunctionType) else None


def _declare(kind: type[Made], function: Any, wrt: Any, options: Mapping[str, Any], frame: FrameType) -> Made:
    if not isinstance(function, FunctionType):
        raise SpecError(f"@{kind.word} stands over a function, not over a {type(function).__name__}")
    if function.__name__ == "<lambda>":
        raise SpecError(f"a {kind.word} is a Python function with a name", "write def", _place_of(function))
    session = _SESSION.get()
    try:
        made = kind(function, wrt, options, frame, session.folder if session else None)
    except SpecError as error:
        return _broken(error, session, frame, True)  # type: ignore[no-any-return]
    if session:
        session.declared.append((frame.f_code.co_filename, made))
    return made


# ---- spec files


def load_spec(path: Path | str) -> dict[str, Declaration]:
    """Execute a spec file and return its losses and functions by name, in order. Whatever is wrong with it is a
    SpecError; where several declarations are wrong, a `SpecErrors` of all."""
    file, source = read(Path(path))
    session = _Session(Folder(str(file.parent)))
    token = _SESSION.set(session)
    stopped = True
    try:
        with session.errors.collected():
            session.folder.run(file, source)
            stopped = False
    finally:
        _SESSION.reset(token)
    declared = [made for where, made in session.declared if where == str(file)]
    if session.errors.found and not stopped:
        for made in declared:  # what else is wrong is told at once
            with session.errors.collected():
                _ = made.tape
    session.errors.found.sort(key=lambda error: error.place.line if error.place else 0)
    session.errors.report()
    return _by_name(declared)


def _by_name(declared: list[Declaration]) -> dict[str, Declaration]:
    found: dict[str, Declaration] = {}
    for made in declared:
        if made.name in found:
            both = "losses" if {made.word, found[made.name].word} == {"loss"} else "functions"
            raise SpecError(f"there are two {both} called {made.name!r}", f"call this one {made.name}_2", made.place)
        found[made.name] = made
    return found


# ---- other array libraries


def run_with(
    loss: Declaration,
    args: Mapping[str, Any],
    modules: Mapping[Any, Any],
    replacements: Mapping[Any, Any] | None = None,
) -> Any:
    """Run a loss or function on the arrays of another library, through an overlay of its globals.

    ``modules`` maps modules to their twins, function by function. ``replacements`` maps single objects, such as
    gradgen's words, and goes before; words that it leaves out run their NumPy code on the twin. Dimensions become
    integers.

        run_with(ridge, {"X": X, "y": y, "w": w, "lam": lam}, {np: jax.numpy}, {gradgen.relu: jax.nn.relu})
    """
    lengths = {a.name: tuple(np.shape(args[a.name])) for a in loss.arguments if not a.callable}
    sizes = eager.measure([(a.name, a.given) for a in loss.arguments], lengths)
    run = Run({local: sizes[local.name] for local in loss.dims.values()})
    library = modules.get(np, np)
    single = {k: overlay.listed(getattr(k, "__name__", ""), v, library) for k, v in (replacements or {}).items()}
    everything = {**overlay.twins(modules), **single}
    with entered(run):
        copies = overlay.Overlay(lambda: everything, loss.path, ("gradgen.words",))
        run.inline = copies.function
        return copies.function(loss.function)(*(_given(a, args[a.name], library) for a in loss.arguments))


def _given(argument: Argument, value: Any, library: Any) -> Any:
    """An argument as the formula knows it; a function gets numbers where the spec gives it a mask."""
    return (lambda array: value(array * 1.0)) if argument.callable else eager.expanded(argument, value, library)
