"""Runs the function of a loss once on symbolic arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from gradgen import carried, overlay, places
from gradgen.arrays import Array
from gradgen.dimension import Dimension
from gradgen.dims import ONE, Dim
from gradgen.errors import Place, SpecError
from gradgen.known import known
from gradgen.loading import failed
from gradgen.positions import Positions
from gradgen.scope import Trace, entered, said
from gradgen.tape import Argument, Call, Constraint
from gradgen.unknown import Unknown

SYMMETRIC = frozenset({"Symmetric", "SPD", "Diagonal"})


@dataclass(frozen=True)
class Traced:
    """What a trace found: the call that is the result and where it was returned, the names of locals, and what slices
    and indices presuppose."""

    result: Call
    returned: Place
    names: Mapping[Call, str]
    constraints: tuple[Constraint, ...]


def trace(
    name: str,
    function: FunctionType,
    arguments: Sequence[Argument],
    dims: Mapping[Dim, Dim],
    folder: str,
    place: Place,
) -> Traced:
    """Run the function on its arguments as symbols; SpecError with its place where that fails."""
    copies = overlay.Overlay(carried.tracing, folder, array=known)
    symmetric = frozenset(a.name for a in arguments if a.kind in SYMMETRIC)
    scope = Trace(places.Finder(folder), dims, copies.function, symmetric)
    code = inspect.unwrap(function).__code__
    symbols = {a.name: _symbol(a) for a in arguments}
    names = overlay.Names(code, {n: a.call for n, a in symbols.items() if isinstance(a, Array)})
    try:
        with entered(scope):
            copy = copies.function(function)
            with names.watching():
                result = copy(*symbols.values())
    except SpecError as error:
        raise error.at(places.raised(error.__traceback__, folder)).at(place) from error.__cause__
    except Exception as error:
        raise failed(error, folder).at(place) from error
    if scope.refused:  # an except of the spec hid it, and what stands behind it is not what the spec says
        raise scope.refused
    end = places.at(code, names.returned) if names.returned >= 0 else place
    return Traced(_value(name, result, end), end, names.names, tuple(scope.constraints.values()))


def _symbol(argument: Argument) -> Array | Unknown | Positions:
    if argument.callable:
        return Unknown(argument.name)
    call = Call("argument", (), argument.shape, {"name": argument.name}, place=argument.place)
    if argument.below is not None:
        return Positions(call, argument.below)
    return Array(call, ONE in argument.shape)


def _value(name: str, result: Any, place: Place) -> Call:
    """The call that a function returned, if it is an array of numbers."""
    if result is None:
        raise SpecError(f"{name} returns None", "end it with return and its value", place)
    if isinstance(result, Unknown):
        raise SpecError(f"{name} returns {result!r} itself", f"apply it: {result.name}(Z)", place)
    if isinstance(result, Positions):
        raise SpecError(f"{name} returns {result!r} themselves", f"index with them: U[{result.name}]", place)
    if isinstance(result, (tuple, list)):
        kind = type(result).__name__
        hint = "return one array; np.concatenate and np.block join several"
        raise SpecError(f"{name} returns a {kind} of {len(result)}", hint, place)
    if inspect.isgenerator(result) or inspect.iscoroutine(result):
        raise SpecError(f"{name} returns a {type(result).__name__}", "write def, and end it with return", place)
    if not isinstance(result, Array):
        what = repr(result) if isinstance(result, Dimension) else said(result)
        text = f"{name} returns {what}, in which no argument takes part"
        raise SpecError(text, "return a formula of its arguments", place)
    if result.call.boolean:
        raise SpecError(f"{name} returns a comparison", "return numbers: 1.0 * mask", place)
    return result.call
