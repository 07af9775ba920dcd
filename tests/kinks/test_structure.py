"""Indices that repeat, and halves and parts that are not read."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import Case, compiled, conventions, of_square, of_vector

CASES = {
    "repeated indices": Case(
        "np.sum(x[i] ** 2)", "i: Indices[k, n], x: Vector[n]", ([2, 0, 2], [1, 2, 3]), 19, [2, 0, 12], [2, 0, 4]
    ),
    "repeated rows": Case(
        "np.sum(U[i])",
        "i: Indices[k, n], U: Matrix[n, d]",
        ([1, 1], [[1, 2], [3, 4]]),
        14,
        [[0, 0], [2, 2]],
        np.zeros((2, 2)),
        wrt="U",
    ),
    "repeated constants": of_vector("np.sum(x[[0, 0, 1]] ** 2)", [1, 2], 6, [4, 4], [4, 2]),
    "a lower triangle": Case(
        "np.sum(L @ L.T)",
        "L: LowerTriangular[n]",
        ([[1, np.nan], [2, 3]],),
        18,
        [[6, 0], [6, 6]],
        [[4, 0], [4, 2]],
        ([[1, np.nan], [1, 1]],),
        "L",
    ),
    "a diagonal": Case(
        "np.sum(D @ X @ D)", "X: Matrix[n, n], D: Diagonal[n]", (np.ones((2, 2)), [1, 2]), 9, [6, 6], [4, 4], wrt="D"
    ),
    "a dropped triangle": of_square(
        "np.sum(np.tril(X) ** 2)", [[1, np.nan], [2, 3]], 14, [[2, 0], [4, 6]], [[2, 0], [2, 2]]
    ),
    "a dropped slice": of_vector("np.sum(x[1:] ** 2)", [np.nan, 1, 2], 5, [0, 2, 4], [0, 2, 2]),
    "entries of a diagonal": Case(
        "np.sum(np.diagonal(D)[i] ** 2)",
        "D: Diagonal[n], i: Indices[k, n]",
        ([1, 2], [1, 1]),
        8,
        [0, 8],
        [0, 4],
        wrt="D",
    ),
    "entries of the diagonal of a product": Case(
        "np.sum(np.diagonal(np.outer(x, x))[i])", "i: Indices[k, n], x: Vector[n]", ([1, 1], [1, 2]), 8, [0, 8], [0, 4]
    ),
}
test_conventions, test_silence = conventions(CASES)


def test_what_is_not_positive_definite_has_no_factor():
    module = compiled(Case("np.sum(np.linalg.cholesky(S))", "S: SPD[n]", (), 0, (), wrt="S"))
    for S in (-np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]])):
        with pytest.raises(np.linalg.LinAlgError):
            module.grad(S)


@pytest.mark.parametrize("result", ["np.sum(x)", "np.max(x)", "np.prod(x)", "np.linalg.norm(x)", "np.sum(relu(x))"])
def test_nan_passes_through(result):
    module = compiled(of_vector(result, [], 0, []))
    assert np.isnan(module.loss(np.array([1.0, np.nan])))
