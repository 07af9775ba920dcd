"""Conversions: a trace knows numbers and masks, and the dtype of the numbers follows the arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.entrywise import mask, numeric
from gradgen.positions import Positions
from gradgen.registry import function
from gradgen.scope import wrong

FOLLOWS = "leave it out: the working dtype follows the arguments, and is float32 where all arrays that are given are"
TRUNCATES = "leave it out: the working dtype follows the arguments, and what would cut off fractions has no gradient"


def cast(array: Array, dtype: Any, whole: bool = False) -> Array:
    """The array as numbers or as a mask; as integers only where its entries are ``whole`` or those of a mask."""
    if dtype is None or dtype is np._NoValue:
        return array
    wanted = np.dtype(dtype)
    if wanted.kind == "b":
        return mask(array)
    if wanted == np.float64 or (wanted.kind in "iu" and (whole or array.call.boolean)):
        return numeric(array)
    raise wrong(f"a traced array cannot become {wanted}", TRUNCATES if wanted.kind in "iu" else FOLLOWS)


def _cast_indices(indices: Positions, dtype: Any) -> Array | Positions:
    """Indices as numbers, which are the entries of 0, 1, ... at them; as integers they stay what they are."""
    if dtype is None or np.dtype(dtype).kind in "iu":
        return indices
    counted = record("arange", (), (indices.below,))
    numbers = record("take", (counted, Array(indices.call)), indices.call.shape, axis=0)
    return cast(numbers if indices.ndim == 1 else numbers[:, None], dtype)


@function("astype")
def astype(x: Any, dtype: Any) -> Array | Positions:
    return _cast_indices(x, dtype) if isinstance(x, Positions) else cast(lift(x), dtype)


@function("asarray", "asanyarray", "asarray_chkfinite")
def asarray(a: Any, dtype: Any = None, order: Any = None, **_: Any) -> Array | Positions:
    """The array itself; a list of arrays becomes their stack."""
    return _cast_indices(a, dtype) if isinstance(a, Positions) else cast(lift(a), dtype)


@function("ascontiguousarray", "asfortranarray")
def ascontiguousarray(a: Any, dtype: Any = None, **_: Any) -> Array | Positions:
    x = asarray(a, dtype)
    return x if x.ndim else x[None]


@function("array")
def array(object: Any, dtype: Any = None, *, ndmin: int = 0, **_: Any) -> Array | Positions:
    if dtype is None and not isinstance(object, (list, tuple)):
        object.__array__()  # a copy alone would leave the trace, and is refused
    x = asarray(object, dtype)
    return x[(None,) * (ndmin - x.ndim)] if ndmin > x.ndim else x
