"""Runs a loss's function once on symbolic arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from gradgen import overlay, places
from gradgen.arrays import Array
from gradgen.dims import ONE, Dim
from gradgen.errors import Place, SpecError
from gradgen.loading import failed
from gradgen.scope import Trace, entered
from gradgen.shapes import spell
from gradgen.tape import Argument, Call, Constraint


@dataclass(frozen=True)
class Traced:
    """What a trace found: the call that is the loss, the names of locals, and what slices and indices presuppose."""

    result: Call
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
    copies = overlay.Overlay(overlay.tracing, folder)
    scope = Trace(places.Finder(folder), dims, copies.function)
    code = inspect.unwrap(function).__code__
    arrays = {a.name: _symbol(a) for a in arguments}
    names = overlay.Names(code, {n: a.call for n, a in arrays.items()})
    try:
        with entered(scope):
            copy = copies.function(function)
            with names.watching():
                result = copy(*arrays.values())
    except SpecError as error:
        raise error.at(places.raised(error.__traceback__, folder)).at(place) from error.__cause__
    except Exception as error:
        raise failed(error, folder).at(place) from error
    end = places.at(code, names.returned) if names.returned >= 0 else place
    return Traced(_value(name, result, end), names.names, tuple(scope.constraints.values()))


def _symbol(argument: Argument) -> Array:
    call = Call("argument", (), argument.shape, {"name": argument.name}, place=argument.place)
    return Array(call, ONE in argument.shape)


def _value(name: str, result: Any, place: Place) -> Call:
    """The call that a function returned, if it is a number."""
    if result is None:
        raise SpecError(f"{name} returns None", "end it with return and the value of the loss", place)
    if not isinstance(result, Array):
        text = f"{name} returns {result!r}, in which no argument takes part"
        raise SpecError(text, "a loss is a formula of its arguments", place)
    if result.ndim:
        hint = "sum over the entries, such as np.sum(r**2) or r @ r"
        raise SpecError(f"a loss is a scalar, but {name} returns shape {spell(result.call.shape)}", hint, place)
    if result.call.boolean:
        raise SpecError(f"{name} returns a comparison", "a loss is a number", place)
    return result.call
