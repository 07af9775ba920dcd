"""The door of a loss that is called with real arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradgen.dims import Let, Match, Size, solve
from gradgen.scope import said
from gradgen.shapes import spell
from gradgen.tape import Argument, Constraint

Arrays = dict[str, Any]


class _Checked:
    """A function of an `Elementwise` argument, whose results must be real arrays of the shape of what it is given."""

    def __init__(self, name: str, function: Any, dtype: Any) -> None:
        if not callable(function):
            raise TypeError(f"{name} is {said(function)}, but should be a function of an array")
        self._name = name
        self._function = function
        self._dtype = dtype

    def __call__(self, value: Any) -> Any:
        given = np.asarray(value)
        if given.dtype.kind != "f":
            given = given.astype(self._dtype)
        result = np.asarray(self._function(given[()]))
        if result.dtype.kind not in "biuf":
            raise TypeError(f"{self._name} gives dtype {result.dtype}, but should give real numbers")
        if result.shape != given.shape:
            text = f"{self._name} gives an array of shape {result.shape} for one of shape {given.shape}"
            raise ValueError(f"{text}, but should be applied entry by entry")
        return result.astype(given.dtype, copy=False)[()]


def _array(argument: Argument, value: Any) -> Any:
    """The value as a real array of the declared rank."""
    name = argument.name
    if value is None:
        raise TypeError(f"{name} is None, but should be an array of shape {spell(argument.given)}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from None
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries, but should have a number in each")
    if argument.below is not None:
        if array.dtype.kind not in "iu" and array.size:
            raise TypeError(f"{name} has dtype {array.dtype}, but should be integers to index with")
        array = array.astype(np.intp)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}, but should be real numbers")
    if array.ndim != len(argument.given):
        raise ValueError(f"{name} has shape {array.shape}, but should have shape {spell(argument.given)}")
    return array


def expanded(argument: Argument, array: Any, library: Any = np) -> Any:
    """The array as the formula knows it: the matrix of a Diagonal, the lower half of a LowerTriangular."""
    if argument.kind == "Diagonal":
        return library.diag(array)
    return library.tril(array) if argument.kind == "LowerTriangular" else array


def _within(argument: Argument, array: Any, sizes: Mapping[str, int]) -> None:
    """Indices lie from 0 up to, but without, what they are declared to stay below."""
    assert argument.below is not None
    length = argument.below.value(sizes)
    wrong = array[(array < 0) | (array >= length)]
    if wrong.size:
        text = f"{argument.name} holds {wrong[0]}, but should hold indices from 0 to {argument.below} - 1"
        raise ValueError(f"{text}, which is {length - 1}")


def _working(arrays: Iterable[Any]) -> Any:
    """float32 if there are floating arrays of rank 1 or more and all are float32, else float64."""
    kinds = {a.dtype for a in arrays if a.ndim and a.dtype.kind == "f"}
    return np.float32 if kinds == {np.dtype(np.float32)} else np.float64


def _view(array: Any, dtype: Any) -> Any:
    if not array.ndim:
        return dtype(array)
    view = array.astype(dtype, copy=False).view()
    view.flags.writeable = False
    return view


def _determined(step: Let, length: int, sizes: Mapping[str, int], origin: str) -> int:
    rest = length - step.rest.value(sizes)
    if rest < 0 or rest % step.factor:
        size = Size.of(step.dim) * step.factor + step.rest
        raise ValueError(f"{origin} is {length}, which cannot be {size}")
    return rest // step.factor


def measure(shapes: Sequence[tuple[str, Sequence[Size]]], lengths: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The value of each dimension by name, from the shapes of the arrays; ValueError where they disagree."""
    sizes: dict[str, int] = {}
    since: dict[str, str] = {}
    for step in solve(shapes)[0]:
        length, origin = lengths[step.argument][step.axis], f"{step.argument}.shape[{step.axis}]"
        if isinstance(step, Match):
            _matches(step, length, origin, sizes, since)
        else:
            sizes[step.dim.name] = _determined(step, length, sizes, origin)
            since[step.dim.name] = origin
    return sizes


def _matches(step: Match, length: int, origin: str, sizes: Mapping[str, int], since: Mapping[str, str]) -> None:
    wanted = step.size.value(sizes)
    if wanted == length:
        return
    sources = ", ".join(f"{d.name} from {since[d.name]}" for d in sorted(step.size.symbols))
    reason = f"{step.size} is {wanted} ({sources})" if sources else f"it should be {wanted}"
    raise ValueError(f"{origin} is {length}, but {reason}")


def enter(arguments: Sequence[Argument], values: Sequence[Any]) -> tuple[Arrays, dict[str, int]]:
    """The arrays in the working dtype, read-only, functions checked, and the dimensions; TypeError or ValueError where
    they are wrong."""
    given = dict(zip(arguments, values, strict=True))
    arrays = {a.name: _array(a, v) for a, v in given.items() if not a.callable}
    sizes = measure([(a.name, a.given) for a in arguments], {n: v.shape for n, v in arrays.items()})
    dtype = _working(arrays[a.name] for a in arguments if not a.callable and a.below is None)
    entered: Arrays = {}
    for a, value in given.items():
        if a.callable:
            entered[a.name] = _Checked(a.name, value, dtype)
        elif a.below is not None:
            _within(a, arrays[a.name], sizes)
            entered[a.name] = _view(arrays[a.name], np.intp)
        else:
            entered[a.name] = _view(expanded(a, _view(arrays[a.name], dtype)), dtype)
    return entered, sizes


def hold(constraints: Iterable[Constraint], sizes: Mapping[str, int]) -> None:
    """Check what slices and indices presuppose."""
    for constraint in constraints:
        left, right = constraint.left.value(sizes), constraint.right.value(sizes)
        if left > right:
            known = ", ".join(
                f"{d.name} is {sizes[d.name]}" for d in sorted(constraint.left.symbols | constraint.right.symbols)
            )
            raise ValueError(f"the loss presupposes {constraint.left} <= {constraint.right}, but {known}")
