"""Functions that move, repeat or make entries, and leave their values as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.conversions import cast
from gradgen.dimension import sizes, wrap
from gradgen.dims import Size, is_one
from gradgen.entrywise import numeric
from gradgen.indexing import ZERO, as_size, whole
from gradgen.registry import apply, call, function
from gradgen.scope import presuppose, said, wrong
from gradgen.shapes import (
    Shape,
    axes_of,
    axis_of,
    clash,
    integer,
    join,
    permutation,
    quotient,
    spell,
    swapped,
    volume,
)


@function("transpose", "permute_dims")
def transpose(a: Any, axes: Any = None) -> Array:
    x = lift(a)
    order = permutation(axes, x.call.shape)
    if order == tuple(range(x.ndim)):
        return x
    shape = tuple(x.call.shape[i] for i in order)
    return record("transpose", (x,), shape, x.call.boolean, x.column, axes=order)


@function("swapaxes")
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Array:
    x = lift(a)
    return transpose(x, swapped(axis1, axis2, x.call.shape))


@function("matrix_transpose", "linalg.matrix_transpose")
def matrix_transpose(x: Any, /) -> Array:
    return swapaxes(x, -1, -2)


@function("moveaxis")
def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    x = lift(a)
    one, other = (_each(axis, x.call.shape) for axis in (source, destination))
    if len(one) != len(other):
        raise wrong("np.moveaxis takes as many destinations as axes")
    order = [i for i in range(x.ndim) if i not in one]
    for place, axis in sorted(zip(other, one, strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def _each(axes: Any, shape: Shape) -> list[int]:
    return [axis_of(i, shape) for i in (axes if isinstance(axes, (list, tuple)) else (axes,))]


@function("reshape")
def reshape(a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None) -> Array:
    x, wanted = lift(a), newshape if shape is None else shape
    if order not in ("C", "A", "F"):
        hint = "'C' takes entries row by row, 'F' column by column"
        raise wrong(f"the order {said(order)} is not in the vocabulary", hint)
    target = _filled_in(x.call.shape, wanted)
    if order == "F":
        return transpose(reshape(transpose(x), tuple(map(wrap, target[::-1]))))
    if target == x.call.shape:
        return Array(x.call)
    return record("reshape", (x,), target, x.call.boolean)


def _filled_in(shape: Shape, wanted: Any) -> Shape:
    """The shape that is asked for, of as many entries, with what -1 stands for."""
    chosen = list(wanted) if isinstance(wanted, (tuple, list)) else [wanted]
    open_ = [i for i, s in enumerate(chosen) if isinstance(s, (int, np.integer)) and s == -1]
    if len(open_) > 1:
        raise wrong("a shape has at most one -1")
    entries, given = volume(shape), sizes(tuple(s for i, s in enumerate(chosen) if i not in open_))
    text = f"an array of shape {spell(shape)} has {entries} entries"
    if not open_:
        if volume(given) != entries:
            raise wrong(f"{text}, and shape {spell(given)} has {volume(given)}", _reshapable(entries, volume(given)))
        return given
    rest = quotient(entries, volume(given))
    if rest is None:
        text += f", which is no multiple of {volume(given)}"
        raise wrong(text, _reshapable(entries, volume(given)))
    return (*given[: open_[0]], rest, *given[open_[0] :])


def _reshapable(entries: Size, wanted: Size) -> str:
    if entries.symbols:
        return f"declare the axis as what it is made of, such as Vector[{wanted}], so that both agree at all sizes"
    return "a reshape keeps all entries"


@function("ravel")
def ravel(a: Any, order: Any = "C") -> Array:
    x = lift(a)
    return x if x.ndim == 1 else reshape(x, (wrap(volume(x.call.shape)),), order)


@function("flatten")
def flatten(a: Any, order: Any = "C") -> Array:
    return ravel(a, order)


# ---- the order of entries


@function("flip")
def flip(m: Any, axis: Any = None) -> Array:
    x = lift(m)
    turned = axes_of(axis, x.call.shape)
    return x[tuple(slice(None, None, -1) if i in turned else slice(None) for i in range(x.ndim))] if turned else x


@function("fliplr")
def fliplr(m: Any) -> Array:
    if lift(m).ndim < 2:
        raise wrong("np.fliplr takes a matrix", "np.flip takes a vector")
    return flip(m, 1)


@function("flipud")
def flipud(m: Any) -> Array:
    return flip(m, 0)


@function("roll")
def roll(a: Any, shift: Any, axis: Any = None) -> Array:
    x = lift(a)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift]
    axes = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise wrong("np.roll takes a shift for each axis")
    count = max(len(shifts), len(axes))
    for by, along in zip(shifts * (count // len(shifts)), axes * (count // len(axes)), strict=True):
        x = _rolled(x, by, axis_of(along, x.call.shape))
    return x


def _rolled(x: Array, shift: Any, axis: int) -> Array:
    size, by = x.call.shape[axis], as_size(shift)
    if by is None:
        raise wrong(f"np.roll shifts by an integer or a dimension, not by {said(shift)}")
    if size.constant is not None and by.constant is not None:
        by = Size.of(by.constant % (size.constant or 1))
    if not by.terms or by == size:
        return x
    ahead = (slice(None),) * axis
    cut = wrap(-by if all(c < 0 for _, c in by.terms) else size - by)
    back, front = x[(*ahead, slice(cut, None))], x[(*ahead, slice(None, cut))]
    return call("concatenate", ([back, front], axis), {})  # type: ignore[no-any-return]


# ---- triangles


def _triangle(op: str, m: Any, k: Any) -> Array:
    x = numeric(m)
    if not x.ndim:
        raise wrong(f"np.{op} takes a matrix, not a scalar")
    if x.ndim == 1:  # NumPy repeats a vector in each row
        x = broadcast_to(x, (*x.shape, *x.shape))
    return record(op, (x,), x.call.shape, k=integer(k, f"np.{op} takes an integer as k"))


@function("tril")
def tril(m: Any, k: Any = 0) -> Array:
    return _triangle("tril", m, k)


@function("triu")
def triu(m: Any, k: Any = 0) -> Array:
    return _triangle("triu", m, k)


@function("expand_dims")
def expand_dims(a: Any, axis: Any) -> Array:
    x = lift(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    new = axes_of(axis, x.ndim + count)
    return x[tuple(None if i in new else slice(None) for i in range(x.ndim + count))]


@function("squeeze")
def squeeze(a: Any, axis: Any = None) -> Array:
    x = lift(a)
    shape = x.call.shape
    gone = tuple(i for i, s in enumerate(shape) if is_one(s)) if axis is None else axes_of(axis, x.call.shape)
    for i in gone:
        if not is_one(shape[i]):
            raise wrong(f"axis {i} has length {shape[i]}, not 1", "a dimension is never taken for 1")
    if not gone:
        return x
    index = tuple(ZERO if i in gone else whole(s) for i, s in enumerate(shape))
    kept = tuple(s for i, s in enumerate(shape) if i not in gone)
    return record("getitem", (x,), kept, x.call.boolean, index=index)


@function("broadcast_to")
def broadcast_to(array: Any, shape: Any) -> Array:
    x, target = lift(array), sizes(shape)
    pair = clash(x.call.shape, target)
    if pair or join(x.call.shape, target) != target:
        raise wrong(f"{spell(x.call.shape)} does not broadcast to {spell(target)}")
    return x if x.call.shape == target else record("broadcast_to", (x,), target, x.call.boolean)


def filled(op: str, shape: Shape) -> Array:
    """``ones``, ``zeros`` or ``eye``."""
    return record(op, (), shape)


def counted(first: Any, last: Any, step: Any) -> Array:
    """The numbers from one to another, as floats."""
    low, high, by = as_size(first), as_size(last), as_size(step)
    if low is None or high is None or by is None or not by.constant:
        hint = "write arange(n), arange(start, stop) or arange(start, stop, 2)"
        raise wrong("arange counts between integers and dimensions, by an integer other than 0", hint)
    length = quotient(high - low, by)
    if length is None and (high - low).constant is not None:
        length = Size.of(len(range(0, (high - low).constant or 0, by.constant)))
    if length is None:
        raise wrong(f"how many numbers there are from {low} to {high} by {by} is not known", "write arange(n) * step")
    if length.constant is not None and length.constant < 0:
        length = ZERO
    presuppose(ZERO, length)
    numbers = record("arange", (), (length,))
    scaled = numbers if by.constant == 1 else apply("multiply", numbers, float(by.constant))
    return apply("add", scaled, wrap(low)) if low.terms else scaled


@function("zeros_like", "empty_like")
def zeros_like(a: Any, dtype: Any = None, **_: Any) -> Array:
    return cast(filled("zeros", lift(a).call.shape), dtype, True)


@function("ones_like")
def ones_like(a: Any, dtype: Any = None, **_: Any) -> Array:
    return cast(filled("ones", lift(a).call.shape), dtype, True)


@function("full_like")
def full_like(a: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Array:
    value = cast(lift(fill_value), dtype, isinstance(fill_value, (int, np.integer)))
    return broadcast_to(value, tuple(wrap(s) for s in lift(a).call.shape))


@function("copy")
def copied(a: Any, order: Any = "K", subok: Any = False) -> Array:
    """A traced array is never changed: it is its own copy."""
    return lift(a)


@function("shape")
def _shape(a: Array) -> tuple[Any, ...]:
    return a.shape


@function("ndim")
def _ndim(a: Array) -> int:
    return a.ndim


@function("size")
def _size(a: Array, axis: int | None = None) -> Any:
    return a.size if axis is None else a.shape[axis]
