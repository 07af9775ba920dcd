"""A module tried at the inputs of its tests when it is built: whether these will pass, and if not, what differs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from types import ModuleType
from typing import Any

import numpy as np

from gradgen.calling import BOUNDS
from gradgen.emit_tests import literal
from gradgen.errors import SpecError
from gradgen.fields import Array
from gradgen.oracle import Reference
from gradgen.recipes import Case, Recipes
from gradgen.tape import Tape

ORDERS = {"loss": 0, "grad": 1, "hvp": 2, "value": 0, "jvp": 1, "vjp": 1}
"""Up to which order each function is given the derivatives of functions."""
LIKE_WRT = ("grad", "hvp", "vjp")
LONGEST = 300  # characters of inputs that a message shows
FAILS = "the test beside the module fails there; "
UNDEFINED = "a root, power, logarithm or quotient of 0 or of infinity stands on the way: spell the formula without it"
INEXACT = "where large numbers cancel, spell the formula so that they do not; else this is a fault of gradgen's"


def _sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))


FAMILIES = {
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2, lambda z: -2 * np.tanh(z) / np.cosh(z) ** 2),
    "softplus": (lambda z: np.logaddexp(0, z), _sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
}
"""What stands for `Elementwise` arguments, with its derivatives."""


def difference(tape: Tape, recipes: Recipes, made: str | ModuleType) -> SpecError | None:
    """What a module, or that of a text, gives otherwise than its tests hold, at the first inputs at which it does.

    ModuleNotFoundError where it needs SciPy and there is none.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        module = _module(tape.name, made) if isinstance(made, str) else made
        found = ((case, list(_differences(tape, case, module))) for case in recipes.cases)
        told = "module" if isinstance(made, str) else "compiled module"
        return next((_told(tape, case, parts, told) for case, parts in found if parts), None)


def _module(name: str, text: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(text, f"<generated {name}>", "exec"), module.__dict__)
    return module


def _told(tape: Tape, case: Case, parts: Sequence[str], module: str) -> SpecError:
    given = [f"{name} = {literal(x)}" for name, x in case.inputs.items()]
    given += [f"d{name} = {literal(x)}" for name, x in case.directions.items()]
    where = shorten(", ".join(given), LONGEST, placeholder=" ...")
    told = f"the {module} of {tape.name} is not what the spec is in 50 digits: {'; '.join(parts)}; at {where}"
    hint = UNDEFINED if any(f"is {bad}" in part for part in parts for bad in ("nan", "inf", "-inf")) else INEXACT
    return SpecError(told, FAILS + hint, tape.place)


def _differences(tape: Tape, case: Case, module: ModuleType) -> Iterator[str]:
    """What differs, for each function and each array that it returns."""
    for function, expected in _expected(case).items():
        several = function in LIKE_WRT
        try:
            found = getattr(module, function)(*_given(case, function))
            results = found if several and tape.several else (found,)
            for name, actual, wanted in zip(tape.wrt if several else ("",), results, expected, strict=True):
                yield from _compared(f"{function} by {name}" if name else function, actual, wanted, BOUNDS[function])
        except Exception as error:
            yield f"{function} raises {type(error).__name__}: {error}"


def _expected(case: Case) -> Mapping[str, tuple[Array, ...]]:
    """What the tests hold, as arrays."""
    found = case.reference
    if isinstance(found, Reference):
        return {"loss": (np.asarray(found.loss),), "grad": found.grad, "hvp": found.hvp}
    return {"value": (found.value,), "jvp": (found.jvp,), "vjp": found.vjp}


def _given(case: Case, function: str) -> list[Any]:
    """The arguments, functions before their derivatives; then directions, or the cotangent."""
    given: list[Any] = []
    for x in case.inputs.values():
        given += FAMILIES[x][: ORDERS[function] + 1] if isinstance(x, str) else (x.copy(),)
    if function in ("hvp", "jvp"):
        given += [x.copy() for x in case.directions.values()]
    return [*given, np.array(case.cotangent)] if function == "vjp" else given


def _compared(what: str, actual: Any, wanted: Array, bound: str) -> Iterator[str]:
    """The entry that is furthest off where the array is, as the tests measure it."""
    found = np.asarray(actual, dtype=float)
    if found.shape != wanted.shape:
        yield f"{what} has shape {found.shape}, not {wanted.shape}"
        return
    errors = np.nan_to_num(np.abs(found - wanted), nan=np.inf)
    if np.max(errors, initial=0) > float(bound) * (np.max(np.abs(wanted), initial=0) or 1):
        place = np.unravel_index(np.argmax(errors), errors.shape)
        index = f"[{', '.join(map(str, place))}]" if place else ""
        yield f"{what}{index} is {float(found[place])!r}, not {float(wanted[place])!r}"
