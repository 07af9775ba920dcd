"""Shape rules of NumPy over symbolic sizes. A symbolic size is never taken for 1."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from gradgen.dims import Monomial, Size, is_one
from gradgen.errors import SpecError
from gradgen.scope import said, wrong

Shape = tuple[Size, ...]


def spell(shape: Sequence[Size]) -> str:
    inner = ", ".join(map(str, shape))
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _meet(left: Size, right: Size) -> Size | None:
    """The axis that two axes broadcast to, or None."""
    if left == right or is_one(right):
        return left
    return right if is_one(left) else None


def clash(left: Shape, right: Shape) -> tuple[Size, Size] | None:
    """The first two axes, from the last, that do not broadcast."""
    for a, b in zip(reversed(left), reversed(right), strict=False):
        if _meet(a, b) is None:
            return a, b
    return None


def join(left: Shape, right: Shape) -> Shape:
    """The shape that two shapes without a `clash` broadcast to."""
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    lead = len(longer) - len(shorter)
    tail = (_meet(a, b) or a for a, b in zip(longer[lead:], shorter, strict=True))
    return (*longer[:lead], *tail)


def axis_of(axis: Any, of: Sequence[Any] | int) -> int:
    """One axis, counted from 0, of an array of a shape, or of a rank where its shape is yet to come."""
    number = integer(axis, "an axis is an integer")
    rank = of if isinstance(of, int) else len(of)
    if not -rank <= number < rank:
        raise _no_axis(number, of)
    return number % rank


def _no_axis(number: int, of: Sequence[Any] | int) -> SpecError:
    if isinstance(of, int):
        return wrong(f"there is no axis {number} in an array of {of} axes", "axes count from 0")
    if not of:
        return wrong(f"a scalar has no axis {number}", "leave the axis out: a scalar has none")
    lengths = ", ".join(f"axis {i} is {size} long" for i, size in enumerate(of))
    return wrong(f"there is no axis {number} in shape {spell(of)}", f"axes count from 0: {lengths}")


def axes_of(axis: Any, of: Sequence[Any] | int) -> tuple[int, ...]:
    """The axes of a reduction, sorted: all for None, else one or a tuple of them."""
    if axis is None:
        return tuple(range(of if isinstance(of, int) else len(of)))
    several = isinstance(axis, Iterable) and not isinstance(axis, str)
    chosen = [axis_of(a, of) for a in (axis if several else (axis,))]
    if len(set(chosen)) < len(chosen):
        raise wrong("an axis is named twice")
    return tuple(sorted(chosen))


def reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    if keepdims:
        return tuple(Size.of(1) if i in axes else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in axes)


def integer(value: Any, otherwise: str) -> int:
    """A Python integer, or an error in these words."""
    try:
        return operator.index(value)
    except (TypeError, SpecError):
        raise wrong(f"{otherwise}, not {said(value)}") from None


def volume(shape: Shape) -> Size:
    """The number of entries."""
    return reduce(operator.mul, shape, Size.of(1))


def quotient(size: Size, divisor: Size) -> Size | None:
    """The size whose product with the divisor is the given one, or None: polynomial division."""
    result, rest = Size.of(0), size
    while rest.terms and divisor.terms:
        (high, factor), (lead, unit) = max(rest.terms, key=_degree), max(divisor.terms, key=_degree)
        left = Counter(high)
        left.subtract(lead)
        if factor % unit or min(left.values(), default=0) < 0:
            return None
        step = Size(((tuple(sorted(left.elements())), factor // unit),))
        result, rest = result + step, rest - step * divisor
    return None if rest.terms else result


def _degree(term: tuple[Monomial, int]) -> tuple[int, Monomial]:
    return len(term[0]), term[0]


def permutation(axes: Any, shape: Shape) -> tuple[int, ...]:
    """A full permutation: the reverse for None."""
    if axes is None:
        return tuple(reversed(range(len(shape))))
    order = tuple(axis_of(a, shape) for a in axes)
    if sorted(order) != list(range(len(shape))):
        raise wrong(f"{order} is no permutation of the {len(shape)} axes of shape {spell(shape)}")
    return order


def swapped(one: Any, other: Any, shape: Shape) -> tuple[int, ...]:
    order = list(range(len(shape)))
    i, j = axis_of(one, shape), axis_of(other, shape)
    order[i], order[j] = order[j], order[i]
    return tuple(order)


def matmul(left: Shape, right: Shape) -> Shape | None:
    """The shape of ``left @ right``, both of rank 1 or more, or None where they do not match."""
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner or clash(left[:-2], right[:-2]):
        return None
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    return (*join(left[:-2], right[:-2]), *rows, *columns)
