"""Conversions: a trace knows numbers and masks, and the dtype of the numbers follows the arguments."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from gradgen.arrays import Array, lift
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


@function("astype")
def astype(x: Any, dtype: Any) -> Array:
    return cast(lift(x), dtype)


@function("asarray", "asanyarray", "asarray_chkfinite")
def asarray(a: Any, dtype: Any = None, order: Any = None, **_: Any) -> Array | Positions:
    """The array itself; a list of arrays becomes their stack."""
    if isinstance(a, Positions):
        return a if dtype is None or np.dtype(dtype).kind in "iu" else _no_numbers(a)
    return cast(lift(a), dtype)


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


def _no_numbers(indices: Positions) -> NoReturn:
    indices.refuse()
