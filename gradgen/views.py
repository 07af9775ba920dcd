"""Functions that move, repeat or make entries, and leave their values as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.dimension import sizes, wrap
from gradgen.dims import is_one
from gradgen.entrywise import mask, numeric
from gradgen.indexing import ZERO, whole
from gradgen.registry import function
from gradgen.scope import wrong
from gradgen.shapes import Shape, axes_of, axis_of, clash, join, permutation, spell, swapped


@function("transpose", "permute_dims")
def transpose(a: Any, axes: Any = None) -> Array:
    x = lift(a)
    order = permutation(axes, x.ndim)
    if order == tuple(range(x.ndim)):
        return x
    shape = tuple(x.call.shape[i] for i in order)
    return record("transpose", (x,), shape, x.call.boolean, x.column, axes=order)


@function("swapaxes")
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Array:
    x = lift(a)
    return transpose(x, swapped(axis1, axis2, x.ndim))


@function("matrix_transpose", "linalg.matrix_transpose")
def matrix_transpose(x: Any, /) -> Array:
    return swapaxes(x, -1, -2)


@function("moveaxis")
def moveaxis(a: Any, source: int, destination: int) -> Array:
    x = lift(a)
    order = [i for i in range(x.ndim) if i != axis_of(source, x.ndim)]
    order.insert(axis_of(destination, x.ndim), axis_of(source, x.ndim))
    return transpose(x, order)


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
    gone = tuple(i for i, s in enumerate(shape) if is_one(s)) if axis is None else axes_of(axis, x.ndim)
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


@function("zeros_like", "empty_like")
def zeros_like(a: Any, dtype: Any = None) -> Array:
    return filled("zeros", lift(a).call.shape)


@function("ones_like")
def ones_like(a: Any, dtype: Any = None) -> Array:
    return filled("ones", lift(a).call.shape)


@function("full_like")
def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Array:
    return broadcast_to(fill_value, tuple(wrap(s) for s in lift(a).call.shape))


@function("astype")
def astype(x: Any, dtype: Any) -> Array:
    kind = np.dtype(dtype).kind
    if kind == "b":
        return mask(x)
    array = lift(x)
    if kind == "f" or (array.call.boolean and kind in "iu"):
        return numeric(array)
    raise wrong(f"a traced array cannot become {np.dtype(dtype)}", "the working dtype follows the arguments")


@function("shape")
def _shape(a: Array) -> tuple[Any, ...]:
    return a.shape


@function("ndim")
def _ndim(a: Array) -> int:
    return a.ndim


@function("size")
def _size(a: Array, axis: int | None = None) -> Any:
    return a.size if axis is None else a.shape[axis]
