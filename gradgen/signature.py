"""The arguments that a loss declares, read off its annotations, and the variables among them."""

from __future__ import annotations

import difflib
import inspect
import unicodedata
from types import FrameType, FunctionType
from typing import Any

from gradgen import hints
from gradgen.declared import EXAMPLES, NOT_WRT, Declared, declaration, ranked
from gradgen.definition import Definition
from gradgen.dims import Dim, solve
from gradgen.errors import Place, SpecError
from gradgen.scope import said
from gradgen.tape import Argument

DEFAULTS = (
    "leave it out: callers give every argument, as directions and derivatives follow behind; bind gives it once, and a "
    "number that never changes may be a constant of the spec"
)
PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(function: FunctionType, where: Definition) -> list[str]:
    parameters = inspect.signature(function, follow_wrapped=True).parameters.values()
    for p in parameters:
        if p.kind not in PLAIN:
            raise SpecError(f"{p} is no plain argument", "all arguments are positional", where.argument(p.name))
        if p.default is not p.empty:
            raise SpecError(f"{p.name} has a default value", DEFAULTS, where.argument(p.name))
    return [p.name for p in parameters]


def _evaluated(annotation: Any, function: FunctionType, frame: FrameType | None) -> Any:
    """An annotation, evaluated where it is a text."""
    if not isinstance(annotation, str):
        return annotation
    return eval(annotation, function.__globals__, dict(frame.f_locals) if frame else {})


def _declared(name: str, function: FunctionType, frame: FrameType | None) -> Declared:
    if name not in function.__annotations__:
        raise SpecError(f"{name} has no type", f"write {name}: Scalar, {name}: Vector[n] or {name}: Matrix[n, d]")
    try:
        return declaration(name, _evaluated(function.__annotations__[name], function, frame))
    except SpecError:
        raise
    except Exception as error:
        hint = "declare dimensions first: n, d = dims('n d')"
        if isinstance(error, NameError):
            hint = hints.meant(str(error.name), [*EXAMPLES, *function.__globals__]) or hint
        raise SpecError(f"the type of {name} cannot be read: {error}", hint) from error


def arguments_of(function: FunctionType, frame: FrameType | None) -> tuple[tuple[Argument, ...], dict[Dim, Dim]]:
    """The arguments in the loss's own dimensions, and which dimensions of the spec those are."""
    where = Definition(function)
    found: dict[str, Declared] = {}
    for name in _parameters(function, where):
        try:
            found[name] = _declared(name, function, frame)
        except SpecError as error:
            raise error.at(where.argument(name)) from error.__cause__
    ranks = ranked({n: (*d.shape, *((d.below,) if d.below else ())) for n, d in found.items()})
    made = [
        Argument(
            n,
            d.kind,
            tuple(s.substitute(ranks) for s in d.shape),
            d.facts,
            where.argument(n),
            d.below and d.below.substitute(ranks),
        )
        for n, d in found.items()
    ]
    _check_determined(made)
    return tuple(made), ranks


def _check_determined(arguments: list[Argument]) -> None:
    _, free = solve([(a.name, a.given) for a in arguments])
    known = {dim for a in arguments for size in a.given for dim in size.symbols}
    below = {dim for a in arguments if a.below for dim in a.below.symbols}
    free += sorted(below - known)
    if not free:
        return
    names = ", ".join(dim.name for dim in free)
    sizes = {a.name: (*a.shape, *((a.below,) if a.below else ())) for a in arguments}
    place = next(a.place for a in arguments if any(free[0] in s.symbols for s in sizes[a.name]))
    hint = f"let {free[-1].name} be an axis of its own in some argument"
    raise SpecError(f"the shapes of the arguments do not determine {names}", hint, place)


def variables(wrt: Any, arguments: tuple[Argument, ...], place: Place) -> tuple[str, ...]:
    """The arguments that ``wrt`` names: a name, several in one text as `dims` takes them, or a tuple or list."""
    given = wrt.replace(",", " ").split() if isinstance(wrt, str) else wrt if isinstance(wrt, (tuple, list)) else ()
    names = tuple(unicodedata.normalize("NFKC", n) if isinstance(n, str) else said(n) for n in given)
    known = {a.name: a for a in arguments}
    if not names or len(set(names)) < len(names):
        raise SpecError(
            "wrt names the arguments to differentiate by, each once", 'write wrt="w", or wrt=("v", "w")', place
        )
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"the arguments are {', '.join(known) or 'none'}"
            several = ", ".join(f'"{n}"' for n in list(known)[-2:])
            hint += f"; several are written wrt=({several})" if len(known) > 1 else ""
            raise SpecError(f"wrt names {name!r}, which is no argument", hint, place)
        if known[name].callable:
            hint = "differentiate by the arrays: f' and f'' are asked for where they are needed"
            raise SpecError(f"{name} is in wrt, but it is a function", hint, known[name].place)
        if known[name].kind == "Indices":
            hint = f"differentiate by the array that it indexes: U[{name}]"
            raise SpecError(f"{name} is in wrt, but it holds indices", hint, known[name].place)
        unfit = sorted(known[name].facts & NOT_WRT)
        if unfit:
            hint = "leave the fact out: it would change the gradient"
            raise SpecError(f"{name} is in wrt and cannot be declared {unfit[0]}", hint, known[name].place)
    return names
