"""Norms of vectors and matrices, of every order.

Where a norm is not smooth its derivatives are 0, as at all kinks. For an order between 1 and 2 a zero entry is such a
point of the second derivative, which is infinite there: left out, the product with a direction is right wherever that
leaves the entry at 0, and in all other entries; 0 times infinity would be NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import Array, record
from gradgen.dims import is_one
from gradgen.entrywise import entrywise, mask, numeric, where
from gradgen.hints import argument, transposed
from gradgen.reductions import euclidean, maximum, minimum, total
from gradgen.registry import call, function
from gradgen.scope import said, wrong
from gradgen.shapes import axes_of, axis_of, spell

VECTORS = "np.linalg.norm of a vector takes any number as its order, such as 2 (which may be left out), 1, 0 and np.inf"
MATRICES = (
    "np.linalg.norm of a matrix takes the orders 'fro' (which may be left out), 'nuc', 1, -1, np.inf and -np.inf here; "
    "with axis=1 it takes a norm of each row"
)


@function("linalg.norm")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Array:
    a = numeric(x)
    axes = tuple(range(a.ndim)) if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(axis_of(i, a.call.shape) for i in axes)
    if axis is None and ord is None:
        return euclidean(a, axes, keepdims)
    if len(axes) == 1:
        return _of_vectors(a, ord, axes, keepdims)
    if len(axes) == 2:
        return _of_matrices(a, ord, axes, keepdims)
    raise wrong(f"a norm over {len(axes)} axes", "a vector has one axis and a matrix has two: name them, axis=1")


@function("linalg.vector_norm")
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Array:
    a = numeric(x)
    return _of_vectors(a, ord, axes_of(axis, a.call.shape), keepdims)


@function("linalg.matrix_norm")
def _matrix_norm(x: Any, /, *, keepdims: Any = False, ord: Any = "fro") -> Array:
    a = numeric(x)
    if a.ndim < 2:
        raise wrong(
            f"np.linalg.matrix_norm takes a matrix, not shape {spell(a.call.shape)}", "np.linalg.norm takes vectors"
        )
    return _of_matrices(a, ord, (a.ndim - 2, a.ndim - 1), keepdims)


def _of_vectors(x: Array, order: Any, axes: tuple[int, ...], keepdims: Any) -> Array:
    if order is None:
        return euclidean(x, axes, keepdims)
    if isinstance(order, (bool, str)) or not isinstance(order, (int, float, np.integer, np.floating)):
        raise wrong(f"there is no norm of order {said(order)} of a vector", VECTORS)
    if order == 2:
        return euclidean(x, axes, keepdims)
    if order == 0:
        return total(mask(x), axes, keepdims=keepdims)
    size = entrywise("absolute", x)
    if order == 1:
        return total(size, axes, keepdims=keepdims)
    if order in (np.inf, -np.inf):
        return (maximum if order > 0 else minimum)(size, axes, keepdims=keepdims)
    if order < 0:
        return _of_negative_order(size, float(order), axes, keepdims)
    return _of_order(x if order % 2 == 0 else size, float(order), axes, keepdims)


def _of_order(size: Array, order: float, axes: tuple[int, ...], keepdims: Any) -> Array:
    """``sum(size ** p) ** (1 / p)``, which is constant 0 where the sum is; for p < 2 what is 0 is left out."""
    powers = entrywise("power", size, order) if order >= 2 else _powers(size, order)
    summed = total(powers, axes, keepdims=keepdims)
    some = entrywise("greater", summed, 0.0, boolean=True)
    return where(some, entrywise("power", where(some, summed, 1.0), 1 / order), 0.0)


def _powers(size: Array, order: float) -> Array:
    some = entrywise("greater", size, 0.0, boolean=True)
    return where(some, entrywise("power", where(some, size, 1.0), order), 0.0)


def _of_negative_order(size: Array, order: float, axes: tuple[int, ...], keepdims: Any) -> Array:
    """``sum(size ** p) ** (1 / p)``, which is constant 0 where an entry is."""
    zeros = total(entrywise("equal", size, 0.0, boolean=True), axes, keepdims=True)
    none = entrywise("equal", zeros, 0.0, boolean=True)
    summed = total(entrywise("power", where(none, size, 1.0), order), axes, keepdims=keepdims)
    alone = none if keepdims else call("squeeze", (none, axes), {})
    return where(alone, entrywise("power", summed, 1 / order), 0.0)


def _of_matrices(x: Array, order: Any, axes: tuple[int, ...], keepdims: Any) -> Array:
    rows, columns = axes
    if rows == columns:
        raise wrong("an axis is named twice")
    if said(order) in ("None", "'fro'"):
        return euclidean(x, tuple(sorted(axes)), keepdims)
    if said(order) == "'nuc'":
        return _nuclear(x, tuple(sorted(axes)), keepdims)
    plain = isinstance(order, (int, float, np.integer, np.floating)) and not isinstance(order, bool)
    if not plain or order not in (1, -1, np.inf, -np.inf):
        hint = _singular_value(x, order) if plain and order in (2, -2) else MATRICES
        raise wrong(f"there is no norm of order {said(order)} of a matrix here", hint)
    summed, chosen = (rows, columns) if abs(order) == 1 else (columns, rows)
    sums = total(entrywise("absolute", x), summed, keepdims=keepdims)
    left = chosen if keepdims or chosen < summed else chosen - 1
    return (maximum if order > 0 else minimum)(sums, left, keepdims=keepdims)


def _singular_value(x: Array, order: float) -> str:
    """How to write the norms that are the largest and the smallest singular value."""
    text = argument() if x.ndim == 2 else "X"
    values = f"np.linalg.eigvalsh({transposed(text)} @ {text})"
    if order > 0:
        return f"the largest singular value is np.sqrt(np.max({values}))"
    return f"where it has no more columns than rows, the smallest singular value is np.sqrt(np.min({values}))"


def _nuclear(x: Array, axes: tuple[int, ...], keepdims: Any) -> Array:
    """The sum of the singular values; a row or a column has one, its length."""
    if any(is_one(x.call.shape[i]) for i in axes):
        return euclidean(x, axes, keepdims)
    last: Array = call("moveaxis", (x, axes, (-2, -1)), {})
    found = record("nuclear", (last,), last.call.shape[:-2])
    return call("expand_dims", (found, axes), {}) if keepdims else found
