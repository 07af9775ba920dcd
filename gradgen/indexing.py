"""``x[...]`` over symbolic sizes: a NumPy index becomes a normalised one, with what it presupposes recorded."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from gradgen.dims import ONE, Size
from gradgen.scope import presuppose, wrong
from gradgen.shapes import Shape, spell
from gradgen.tape import Span

ZERO = Size.of(0)
Entry = Size | Span | None
STRIDE = "x[::-1] reverses an axis of any length; other strides want an axis whose length is a number"


def whole(size: Size) -> Span:
    return Span(ZERO, size)


def normalise(index: Any, shape: Shape) -> tuple[tuple[Entry, ...], Shape]:
    """The index with an entry for each axis, None for each new one, and the shape that it selects."""
    entries = spread(index if isinstance(index, tuple) else (index,), shape)
    sizes = iter(shape)
    result = tuple(None if e is None else _entry(e, next(sizes)) for e in entries)
    return result, tuple(_length(e) for e in result if not isinstance(e, Size))


def spread(index: tuple[Any, ...], shape: Shape) -> list[Any]:
    """The entries with the Ellipsis, or what is left out at the end, written as whole axes."""
    dots = [i for i, e in enumerate(index) if e is Ellipsis]
    used = sum(e is not None and e is not Ellipsis for e in index)
    if used > len(shape):
        axes = f"{len(shape)} axes" if len(shape) > 1 else "one axis" if shape else "no axes"
        hint = f"it has {axes}, and an index an entry for each at most"
        raise wrong(f"{used} indices for an array of shape {spell(shape)}", hint)
    if len(dots) > 1:
        raise wrong("an index has at most one Ellipsis")
    cut = dots[0] if dots else len(index)
    return [*index[:cut], *[slice(None)] * (len(shape) - used), *index[cut + 1 :]]


def _length(entry: Span | None) -> Size:
    if entry is None:
        return ONE
    size = entry.stop - entry.start
    if size.constant is None or abs(entry.step) == 1:
        return size
    return Size.of(len(range(0, size.constant, abs(entry.step))))


def _entry(entry: Any, size: Size) -> Size | Span:
    if isinstance(entry, slice):
        return _slice(entry, size)
    position = as_size(entry)
    if position is None and hasattr(entry, "__index__") and not isinstance(entry, bool):
        position = Size.of(operator.index(entry))
    if position is None:
        raise wrong("an index is an integer, a slice, None or Ellipsis", "choose entries by a mask with np.where")
    return _position(position, size)


def as_size(value: Any) -> Size | None:
    """An integer or a dimension as a size, or None."""
    size = getattr(value, "size", None)
    if isinstance(size, Size):
        return size
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return Size.of(int(value)) if whole else None


def _negative(size: Size) -> bool:
    return bool(size.terms) and all(c < 0 for _, c in size.terms)


def _position(position: Size, size: Size) -> Size:
    if _negative(position):
        presuppose(-position, size)
        return size + position
    presuppose(ZERO, position)
    presuppose(position + 1, size)
    return position


def _slice(entry: slice, size: Size) -> Span:
    start, stop = _given(entry.start), _given(entry.stop)
    step = 1 if entry.step is None else _step(entry.step)
    literal = all(b is None or b.constant is not None for b in (start, stop, size))
    if literal and size.constant is not None:
        return _literal(slice(_number(start), _number(stop), step), size.constant)
    if step == -1 and start is None and stop is None:
        return Span(ZERO, size, -1)
    if step != 1:
        raise wrong(f"a stride of {step} over an axis of length {size}", STRIDE)
    return _symbolic(start, stop, size)


def _number(bound: Size | None) -> int | None:
    return None if bound is None else bound.constant


def _given(bound: Any) -> Size | None:
    size = None if bound is None else as_size(bound)
    if size is None and bound is not None:
        raise wrong("a slice runs from an integer or dimension to another")
    return size


def _step(step: Any) -> int:
    size = as_size(step)
    if size is None or not size.constant:
        raise wrong("the stride of a slice is an integer other than 0", STRIDE)
    return size.constant


def _literal(entry: slice, size: int) -> Span:
    chosen = range(*entry.indices(size))
    if not chosen:
        return Span(ZERO, ZERO, chosen.step)
    low, high = min(chosen), max(chosen)
    return Span(Size.of(low), Size.of(high + 1), chosen.step)


def _symbolic(start: Size | None, stop: Size | None, size: Size) -> Span:
    first = ZERO if start is None else _bound(start, size)
    last = size if stop is None else _bound(stop, size)
    if _negative(last - first):
        return Span(first, first)
    presuppose(first, last)
    return Span(first, last)


def _bound(bound: Size, size: Size) -> Size:
    """A bound within ``0 … size``; a negative one counts from the end."""
    if _negative(bound):
        presuppose(-bound, size)
        return size + bound
    presuppose(ZERO, bound)
    presuppose(bound, size)
    return bound
