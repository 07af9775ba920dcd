"""Cholesky factors, eigenvalues, pseudoinverses and nuclear norms in any field, over stacks of matrices."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from gradgen.elimination import inverse
from gradgen.fields import Array, Field

SWEEPS = 60


def cholesky(field: Field, matrices: Array) -> Array:
    """The lower factor L of each A = L Lᵀ, read off its lower half; not finite where A is not positive definite."""
    return _each(_factor, field, matrices, matrices.shape)


def eigenvalues(field: Field, matrices: Array) -> Array:
    """The eigenvalues of each symmetric matrix, read off its lower half, from the smallest up."""
    return _each(_spectrum, field, matrices, matrices.shape[:-1])


def pseudoinverse(field: Field, matrices: Array) -> Array:
    """(AᵀA)⁻¹ Aᵀ of each tall or square matrix, Aᵀ (A Aᵀ)⁻¹ of each wide one; not finite where the rank is not full."""
    transposed = np.swapaxes(matrices, -2, -1)
    if matrices.shape[-2] >= matrices.shape[-1]:
        return np.asarray(np.matmul(inverse(field, np.matmul(transposed, matrices)), transposed))
    return np.asarray(np.matmul(transposed, inverse(field, np.matmul(matrices, transposed))))


def nuclear(field: Field, matrices: Array) -> Array:
    """The sum of the roots of the eigenvalues of AᵀA, or of A Aᵀ where that is smaller; not finite where rounding makes
    one of them negative."""
    transposed = np.swapaxes(matrices, -2, -1)
    tall = matrices.shape[-2] >= matrices.shape[-1]
    spectra = eigenvalues(field, np.matmul(transposed, matrices) if tall else np.matmul(matrices, transposed))
    return np.asarray(np.sum(field.functions["sqrt"](spectra), axis=-1))


def _each(function: Callable[[Field, Array], Any], field: Field, matrices: Array, shape: tuple[int, ...]) -> Array:
    stack = matrices.reshape(prod(matrices.shape[:-2]), *matrices.shape[-2:])
    return np.array([function(field, matrix) for matrix in stack], dtype=matrices.dtype).reshape(shape)


def _factor(field: Field, matrix: Array) -> Array:
    """Column by column: what is left of the diagonal, its root, and the rest of the column divided by that."""
    divide, sqrt = field.functions["divide"], field.functions["sqrt"]
    lower = np.tril(matrix)
    for k in range(len(lower)):
        lower[k:, k] -= lower[k:, :k] @ lower[k, :k]
        lower[k, k] = sqrt(lower[k, k])
        lower[k + 1 :, k] = divide(lower[k + 1 :, k], lower[k, k])
    return lower


def _spectrum(field: Field, matrix: Array) -> list[Any]:
    """Jacobi's cyclic rotations, until what is off the diagonal is rounding (Golub and Van Loan, section 8.5)."""
    A = np.tril(matrix) + np.tril(matrix, -1).T
    size = len(A)
    negligible = field.epsilon * np.max(np.abs(A), initial=0)
    for _ in range(SWEEPS):
        pairs = [(p, q) for p in range(size) for q in range(p + 1, size) if not abs(A[p, q]) <= negligible]
        for p, q in pairs:
            _rotate(field, A, p, q)
        if not pairs:
            break
    return sorted(np.diagonal(A))


def _rotate(field: Field, A: Array, p: int, q: int) -> None:
    """A becomes Jᵀ A J with A[p, q] = 0; t = tan of the angle is the smaller root of t² + 2 τ t = 1."""
    if A[p, q] == 0:
        return
    divide, sqrt = field.functions["divide"], field.functions["sqrt"]
    tau = divide(A[q, q] - A[p, p], 2 * A[p, q])
    t = divide(field.lift(1.0), abs(tau) + sqrt(1 + tau * tau)) * (-1 if tau < 0 else 1)
    c = divide(field.lift(1.0), sqrt(1 + t * t))
    A[:, p], A[:, q] = c * (A[:, p] - t * A[:, q]), c * (t * A[:, p] + A[:, q])
    A[p], A[q] = c * (A[p] - t * A[q]), c * (t * A[p] + A[q])
    A[p, q] = A[q, p] = 0 * c
