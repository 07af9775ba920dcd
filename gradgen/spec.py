"""Losses: what ``@loss`` makes of a function, how it is traced, and how a spec file is loaded."""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from functools import cached_property, lru_cache
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import numpy as np

from gradgen import eager, overlay, places
from gradgen.arrays import Array
from gradgen.declared import (
    NOT_WRT,
    SPD,
    Declared,
    Diagonal,
    Elementwise,
    Indices,
    LowerTriangular,
    Matrix,
    Scalar,
    Symmetric,
    Tensor,
    Vector,
    boolean,
    declaration,
    dims,
    elementwise,
    function,
    integer,
    nonnegative,
    one_hot,
    positive,
    ranked,
    sign,
    simplex,
    unit_interval,
)
from gradgen.dims import ONE, Dim, Size, solve
from gradgen.errors import Place, SpecError
from gradgen.loading import Folder, failed, read
from gradgen.places import Finder, folder_of
from gradgen.scope import CURRENT, Run, Trace, entered
from gradgen.shapes import Shape, spell
from gradgen.tape import Argument, Call, Tape

__all__ = [
    "SPD",
    "Diagonal",
    "Elementwise",
    "Indices",
    "Loss",
    "LowerTriangular",
    "Matrix",
    "Scalar",
    "Symmetric",
    "Tensor",
    "Vector",
    "boolean",
    "dims",
    "elementwise",
    "function",
    "integer",
    "load_spec",
    "loss",
    "nonnegative",
    "one_hot",
    "positive",
    "run_with",
    "sign",
    "simplex",
    "unit_interval",
]

PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class _Session:
    """One load: the folder that it runs in, and the losses that it declares, with the file that declares each."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.losses: list[tuple[str, Loss]] = []


_SESSION: ContextVar[_Session | None] = ContextVar("gradgen_session", default=None)


# ---- the definition in the source


@lru_cache(maxsize=64)
def _parsed(source: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """The functions of a file by name and first line, which is that of the first decorator."""
    try:
        nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return {}
    return {(n.name, min([n.lineno, *(d.lineno for d in n.decorator_list)])): n for n in nodes}


class _Definition:
    """Where a function and its arguments stand."""

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        self._file = code.co_filename
        self._line = code.co_firstlineno
        source = "".join(linecache.getlines(self._file))
        self._node = _parsed(source).get((code.co_name, code.co_firstlineno))

    def _place(self, node: ast.AST, column: int, width: int | None) -> Place:
        line = getattr(node, "lineno", self._line)
        text = linecache.getline(self._file, line)
        start = len(text.encode()[:column].decode(errors="ignore")) + 1
        end = start + width if width else len(text.rstrip()) + 1
        return Place(places.shown(self._file), line, start, end)

    def function(self) -> Place:
        if self._node is None:
            return Place(places.shown(self._file), self._line)
        return self._place(self._node, self._node.col_offset, None)

    def argument(self, name: str) -> Place:
        if self._node is None:
            return self.function()
        declared = self._node.args
        listed = [*declared.posonlyargs, *declared.args, *declared.kwonlyargs, declared.vararg, declared.kwarg]
        for node in listed:
            if node is not None and node.arg == name:
                same = node.end_lineno == node.lineno and node.end_col_offset is not None
                return self._place(node, node.col_offset, node.end_col_offset - node.col_offset if same else None)  # type: ignore[operator]
        return self.function()


# ---- what may be declared


def _parameters(function: FunctionType, where: _Definition) -> list[str]:
    parameters = inspect.signature(function, follow_wrapped=True).parameters.values()
    for p in parameters:
        if p.kind not in PLAIN:
            raise SpecError(f"{p} is no plain argument", "a loss takes positional arguments", where.argument(p.name))
        if p.default is not p.empty:
            raise SpecError(
                f"{p.name} has a default value", "leave it out: callers give every argument", where.argument(p.name)
            )
    return [p.name for p in parameters]


def _evaluated(annotation: Any, function: FunctionType, frame: FrameType | None) -> Any:
    """An annotation, evaluated where it is a text."""
    if not isinstance(annotation, str):
        return annotation
    free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    around = {**(frame.f_locals if frame else {}), **{n: c.cell_contents for n, c in free}}
    return eval(annotation, function.__globals__, around)


def _declared(name: str, function: FunctionType, frame: FrameType | None) -> Declared:
    if name not in function.__annotations__:
        raise SpecError(f"{name} has no type", f"write {name}: Scalar, {name}: Vector[n] or {name}: Matrix[n, d]")
    try:
        return declaration(name, _evaluated(function.__annotations__[name], function, frame))
    except SpecError:
        raise
    except Exception as error:
        raise SpecError(
            f"the type of {name} cannot be read: {error}", "declare dimensions first: n, d = dims('n d')"
        ) from error


def _arguments(function: FunctionType, frame: FrameType | None) -> tuple[tuple[Argument, ...], dict[Dim, Dim]]:
    """The arguments in the loss's own dimensions, and which dimensions of the spec those are."""
    where = _Definition(function)
    found: dict[str, Declared] = {}
    for name in _parameters(function, where):
        try:
            found[name] = _declared(name, function, frame)
        except SpecError as error:
            raise error.at(where.argument(name)) from error.__cause__
    ranks = ranked({n: d.shape for n, d in found.items()})
    made = [
        Argument(n, d.kind, tuple(s.substitute(ranks) for s in d.shape), d.facts, where.argument(n))
        for n, d in found.items()
    ]
    _check_determined(made)
    return tuple(made), ranks


def _check_determined(arguments: list[Argument]) -> None:
    _, free = solve([(a.name, a.shape) for a in arguments])
    for dim in free:
        place = next(a.place for a in arguments if any(dim in s.symbols for s in a.shape))
        hint = f"let {dim.name} be an axis of its own in some argument"
        raise SpecError(f"the shapes of the arguments do not determine {dim.name}", hint, place)


def _wrt(wrt: Any, arguments: tuple[Argument, ...], place: Place) -> tuple[str, ...]:
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt) if isinstance(wrt, (tuple, list)) else ()
    known = {a.name: a for a in arguments}
    if not names or len(set(names)) < len(names):
        raise SpecError("wrt names the arguments to differentiate by, each once", 'write @loss(wrt="w")', place)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"the arguments are {', '.join(known) or 'none'}"
            raise SpecError(f"wrt names {name!r}, which is no argument", hint, place)
        unfit = sorted(known[name].facts & NOT_WRT)
        if unfit:
            hint = "leave the fact out: it would change the gradient"
            raise SpecError(f"{name} is in wrt and cannot be declared {unfit[0]}", hint, known[name].place)
    return names


# ---- losses


class Loss:
    """A loss of a spec. Called with real arrays it runs its function; `tape` is its trace."""

    def __init__(
        self,
        function: FunctionType,
        wrt: Any,
        options: Mapping[str, Any],
        frame: FrameType | None,
        folder: Folder | None,
    ) -> None:
        functools.update_wrapper(self, function)
        inner = inspect.unwrap(function)
        self.function = function
        self.name = function.__name__
        self.place = _Definition(inner).function()
        self.arguments, self.dims = _arguments(inner, frame)
        self.wrt = _wrt(wrt, self.arguments, self.place)
        self.several = not isinstance(wrt, str)
        self.options = dict(options)
        self.doc = inspect.getdoc(function) or ""
        self.path = folder_of(inner.__code__.co_filename)
        self._folder = folder

    def __repr__(self) -> str:
        return f"<loss {self.name}({', '.join(a.name for a in self.arguments)})>"

    @cached_property
    def tape(self) -> Tape:
        """What the function does, call by call; traced once."""
        with self._folder.importable() if self._folder else nullcontext():
            return _trace(self)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        return [bound.arguments[a.name] for a in self.arguments]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bound(args, kwargs)
        current = CURRENT.get()
        if isinstance(current, Trace) and any(isinstance(v, Array) for v in values):
            self._check_inline(current, values)
            return current.inline(self.function)(*values)
        if isinstance(current, Run) and current.inline:
            return current.inline(self.function)(*values)
        return self._run(values)

    def _check_inline(self, trace: Trace, values: list[Any]) -> None:
        """A loss within another one takes arrays of exactly the shapes that it declares."""
        spelled = {local: dim for dim, local in self.dims.items()}
        for argument, value in zip(self.arguments, values, strict=True):
            wanted = tuple(trace.resolve(s.substitute(spelled)) for s in argument.shape)
            given = value.call.shape if isinstance(value, Array) else tuple(map(Size.of, np.shape(value)))
            if wanted != given:
                text = f"{self.name} declares {argument.name} of shape {spell(wanted)}, but gets {spell(given)}"
                raise SpecError(text, "move its body to a helper function, which takes any shape")

    def _run(self, values: list[Any]) -> float:
        arrays, sizes = eager.enter(self.arguments, values)
        eager.hold(self.tape.constraints, sizes)
        with entered(Run({dim: sizes[local.name] for dim, local in self.dims.items()})):
            return float(self.function(*arrays.values()))


def loss(function: Any = None, /, *, wrt: Any = None, gram: bool = False, symmetric: str | None = None) -> Any:
    """Declares a loss: ``@loss(wrt="w")``, or ``wrt=("D", "R")`` for several variables.

    ``gram`` lets ``bind`` form Gram matrices; ``symmetric="entries"`` differentiates by independent entries.
    """
    if function is not None:
        raise SpecError("@loss wants wrt", 'write @loss(wrt="w")', _place_of(function))
    if symmetric not in (None, "entries"):
        raise SpecError(f"symmetric is {symmetric!r}", 'the one other choice is symmetric="entries"')
    frame = sys._getframe(1)
    options = {"gram": bool(gram), "symmetric": symmetric}
    return lambda function: _declare(function, wrt, options, frame)


def _place_of(function: Any) -> Place | None:
    return _Definition(function).function() if isinstance(function, FunctionType) else None


def _declare(function: Any, wrt: Any, options: Mapping[str, Any], frame: FrameType) -> Loss:
    if not isinstance(function, FunctionType):
        raise SpecError(f"@loss stands over a function, not over a {type(function).__name__}")
    if function.__name__ == "<lambda>":
        raise SpecError("a loss is a function with a name", "write def", _place_of(function))
    session = _SESSION.get()
    made = Loss(function, wrt, options, frame, session.folder if session else None)
    if session:
        session.losses.append((frame.f_code.co_filename, made))
    return made


# ---- the trace


def _argument(argument: Argument) -> Array:
    return Array(
        Call("argument", (), argument.shape, {"name": argument.name}, place=argument.place),
        argument.shape[-1:] == (ONE,),
    )


def _trace(loss: Loss) -> Tape:
    replaced = overlay.Overlay(overlay.tracing(), loss.path)
    trace = Trace(Finder(loss.path), loss.dims, replaced.function)
    with entered(trace):
        arrays = {a.name: _argument(a) for a in loss.arguments}
        code = inspect.unwrap(loss.function).__code__
        names = overlay.Names(code, {n: a.call for n, a in arrays.items()})
        try:
            function = replaced.function(loss.function)
            with names.watching():
                result = function(*arrays.values())
        except SpecError as error:
            raise error.at(places.raised(error.__traceback__, loss.path)).at(loss.place) from error.__cause__
        except Exception as error:
            raise failed(error, loss.path).at(loss.place) from error
    place = places.at(code, names.returned) if names.returned >= 0 else loss.place
    _check_result(loss, result, place)
    return Tape(
        name=loss.name,
        doc=loss.doc,
        arguments=loss.arguments,
        wrt=loss.wrt,
        several=loss.several,
        result=result.call,
        names=names.names,
        constraints=tuple(trace.constraints.values()),
        options=loss.options,
        place=loss.place,
    )


def _check_result(loss: Loss, result: Any, place: Place) -> None:
    if result is None:
        raise SpecError(f"{loss.name} returns None", "end it with return and the value of the loss", place)
    if not isinstance(result, Array):
        text = f"{loss.name} returns {result!r}, which no argument takes part in"
        raise SpecError(text, "a loss is a formula of its arguments", place)
    if result.ndim:
        hint = "sum over the entries, such as np.sum(r**2) or r @ r"
        raise SpecError(
            f"{loss.name} returns an array of shape {spell(result.call.shape)}; a loss is a scalar", hint, place
        )
    if result.call.boolean:
        raise SpecError(f"{loss.name} returns a comparison", "a loss is a number", place)


# ---- spec files


def load_spec(path: Path | str) -> dict[str, Loss]:
    """Execute a spec file and return its losses by name, in order. Whatever is wrong with it is a SpecError."""
    file, source = read(Path(path))
    session = _Session(Folder(str(file.parent)))
    token = _SESSION.set(session)
    try:
        session.folder.run(file, source)
    finally:
        _SESSION.reset(token)
    return _by_name([made for where, made in session.losses if where == str(file)])


def _by_name(losses: list[Loss]) -> dict[str, Loss]:
    found: dict[str, Loss] = {}
    for made in losses:
        if made.name in found:
            raise SpecError(f"there are two losses called {made.name!r}", f"call this one {made.name}_2", made.place)
        found[made.name] = made
    return found


# ---- other array libraries


def run_with(
    loss: Loss, args: Mapping[str, Any], modules: Mapping[Any, Any], replacements: Mapping[Any, Any] | None = None
) -> Any:
    """Run a loss's function on the arrays of another library, through an overlay of its globals.

    ``modules`` maps modules to their twins (``{np: jax.numpy, scipy.special: jax.scipy.special}``), function by function;
    ``replacements`` maps single objects, such as gradgen's words, and goes before. Words that it leaves out run their NumPy
    code on the twin. Dimensions become integers.

        run_with(ridge, {"X": X, "y": y, "w": w, "lam": lam}, {np: jax.numpy}, {gradgen.relu: jax.nn.relu})
    """
    shapes: list[tuple[str, Shape]] = [(a.name, a.shape) for a in loss.arguments]
    sizes = eager.measure(shapes, {n: tuple(np.shape(v)) for n, v in args.items()})
    run = Run({dim: sizes[local.name] for dim, local in loss.dims.items()})
    replaced: Callable[..., Any]
    with entered(run):
        everything = {**overlay.twins(modules), **(replacements or {})}
        copies = overlay.Overlay(everything, loss.path, ("gradgen.words",))
        run.inline = copies.function
        replaced = copies.function(loss.function)
        return replaced(*(args[a.name] for a in loss.arguments))
