"""Gaussian elimination with partial pivoting in any field: determinants, inverses and solutions, over stacks."""

from __future__ import annotations

from functools import reduce
from math import prod
from operator import mul

import numpy as np

from gradgen.fields import Array, Field


def det(field: Field, matrices: Array) -> Array:
    """The determinant of each matrix of a stack; exactly 0 where a column has no pivot."""
    stack = _stacked(matrices)
    found = [_product(field, _eliminated(field, matrix, matrix[:, :0])) for matrix in stack]
    return np.array(found, dtype=matrices.dtype).reshape(matrices.shape[:-2])


def inverse(field: Field, matrices: Array) -> Array:
    """The inverse of each matrix; not finite where it has none."""
    return solution(field, matrices, np.broadcast_to(field.lift(np.eye(matrices.shape[-1])), matrices.shape))


def solution(field: Field, matrices: Array, right: Array) -> Array:
    """A⁻¹ b for each matrix and right side, as ``np.linalg.solve``: b is a vector where it has rank 1."""
    columns = right[:, None] if right.ndim == 1 else right
    batch = np.broadcast_shapes(matrices.shape[:-2], columns.shape[:-2])
    matrices = np.broadcast_to(matrices, (*batch, *matrices.shape[-2:]))
    columns = np.broadcast_to(columns, (*batch, *columns.shape[-2:]))
    pairs = zip(_stacked(matrices), _stacked(columns), strict=True)
    found = np.array([_substituted(field, _eliminated(field, a, b)) for a, b in pairs], dtype=matrices.dtype)
    found = found.reshape(columns.shape)
    return found[..., 0] if right.ndim == 1 else found


def _stacked(matrices: Array) -> Array:
    """One axis over all matrices of a stack."""
    return matrices.reshape(prod(matrices.shape[:-2]), *matrices.shape[-2:])


def _eliminated(field: Field, matrix: Array, right: Array) -> Array:
    """[A | b] with zeros below the diagonal; a row changes its sign as it is swapped, which keeps the determinant."""
    divide = field.functions["divide"]
    rows = np.concatenate([matrix, right], axis=1)
    size = len(matrix)
    for k in range(size):
        best = k + int(np.argmax(np.abs(rows[k:, k])))
        if best != k:
            rows[[k, best]] = rows[best], -rows[k]
        if rows[k, k]:
            factors = divide(rows[k + 1 :, k], rows[k, k])
            rows[k + 1 :, k + 1 :] -= factors[:, None] * rows[k, k + 1 :]
    return rows


def _product(field: Field, rows: Array) -> object:
    """The product of the diagonal: 1 for a matrix without entries."""
    return reduce(mul, np.diagonal(rows), field.lift(1.0))


def _substituted(field: Field, rows: Array) -> Array:
    """The solution for a triangle, from its last row up."""
    divide = field.functions["divide"]
    size = len(rows)
    found = rows[:, size:]
    for k in reversed(range(size)):
        found[k] = divide(found[k], rows[k, k])
        found[:k] -= rows[:k, k, None] * found[k]
    return found
