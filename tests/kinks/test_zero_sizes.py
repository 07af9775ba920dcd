"""Sums of nothing are 0, products of nothing 1, and their gradients have no entries."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import (
    EMPTY,
    NONE,
    Case,
    compiled,
    conventions,
    declared,
    of_matrix,
    of_square,
    of_vector,
    outcomes,
    same,
)

CASES = {
    "sum": of_vector("np.sum(x ** 2)", EMPTY, 0, EMPTY, EMPTY),
    "norm": of_vector("np.linalg.norm(x)", EMPTY, 0, EMPTY, EMPTY),
    "cumsum": of_vector("np.sum(np.cumsum(x) ** 2)", EMPTY, 0, EMPTY, EMPTY),
    "abs": of_vector("np.sum(np.abs(x) + np.maximum(x, 0))", EMPTY, 0, EMPTY, EMPTY),
    "outer": of_vector("np.sum(np.outer(x, x))", EMPTY, 0, EMPTY, EMPTY),
    "diag": of_vector("np.trace(np.diag(x))", EMPTY, 0, EMPTY, EMPTY),
    "concatenate": of_vector("np.sum(np.concatenate([x, np.ones(2), x]) ** 2)", EMPTY, 2, EMPTY, EMPTY),
    "flip": of_vector("np.flip(x) @ x", EMPTY, 0, EMPTY, EMPTY),
    "kron": of_vector("np.sum(np.kron(x, x))", EMPTY, 0, EMPTY, EMPTY),
    "special functions": of_vector("np.sum(scipy.special.erf(x) + scipy.special.gammaln(x))", EMPTY, 0, EMPTY, EMPTY),
    "no rows": Case(
        "np.sum((X @ w - y) ** 2) + w @ w",
        "X: Matrix[n, d], y: Vector[n], w: Vector[d]",
        (np.zeros((0, 2)), EMPTY, [1, 2]),
        5,
        [2, 4],
        [2, 2],
        wrt="w",
    ),
    "no columns": Case(
        "np.sum((X @ w - y) ** 2)",
        "X: Matrix[n, d], y: Vector[n], w: Vector[d]",
        (np.zeros((2, 0)), [1, 2], EMPTY),
        5,
        EMPTY,
        EMPTY,
        wrt="w",
    ),
    "products without terms": Case(
        "np.sum(U @ V.T)",
        "U: Matrix[n, k], V: Matrix[d, k]",
        (np.zeros((2, 0)), np.zeros((3, 0))),
        0,
        (np.zeros((2, 0)), np.zeros((3, 0))),
        (np.zeros((2, 0)), np.zeros((3, 0))),
        wrt="U V",
    ),
    "softmax of no rows": of_matrix("np.sum(softmax(X) * X)", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))),
    "logsumexp of no rows": of_matrix(
        "np.sum(logsumexp(X, axis=1))", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))
    ),
    "max of no rows": of_matrix("np.sum(np.max(X, axis=1))", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))),
    "prod of no columns": of_matrix(
        "np.sum(np.prod(X, axis=1))", np.zeros((3, 0)), 3, np.zeros((3, 0)), np.zeros((3, 0))
    ),
    "einsum": of_matrix("np.einsum('ij,ij->', X, X)", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))),
    "reshape": of_matrix("np.sum(X.ravel() ** 2)", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))),
    "tril": of_square("np.sum(np.tril(X) ** 2)", NONE, 0, NONE, NONE),
    "trace": of_square("np.trace(X @ X)", NONE, 0, NONE, NONE),
    "det": of_square("np.linalg.det(X)", NONE, 1, NONE, NONE),
    "logdet": of_square("logdet(X)", NONE, 0, NONE, NONE),
    "inv": of_square("np.sum(np.linalg.inv(X))", NONE, 0, NONE, NONE),
    "solve": Case(
        "b @ np.linalg.solve(A, b)",
        "A: Matrix[n, n], b: Vector[n]",
        (NONE, EMPTY),
        0,
        (NONE, EMPTY),
        (NONE, EMPTY),
        wrt="A b",
    ),
    "cholesky": Case("np.sum(np.linalg.cholesky(S))", "S: SPD[n]", (NONE,), 0, NONE, NONE, wrt="S"),
    "eigvalsh": Case("np.sum(np.linalg.eigvalsh(S))", "S: Symmetric[n]", (NONE,), 0, NONE, NONE, wrt="S"),
    "nuclear norm": of_matrix("np.linalg.norm(X, 'nuc')", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))),
    "pinv": of_matrix("np.sum(np.linalg.pinv(X))", np.zeros((0, 3)), 0, np.zeros((0, 3)), np.zeros((0, 3))),
    "symmetric": Case("np.sum(S * S)", "S: Symmetric[n]", (NONE,), 0, NONE, NONE, wrt="S"),
    "triangular": Case("np.sum(L @ L.T)", "L: LowerTriangular[n]", (NONE,), 0, NONE, NONE, wrt="L"),
    "diagonal": Case("np.trace(D @ D)", "D: Diagonal[n]", (EMPTY,), 0, EMPTY, EMPTY, wrt="D"),
    "no indices": Case(
        "np.sum(x[i] ** 2)", "i: Indices[k, n], x: Vector[n]", (np.zeros(0, dtype=int), [1, 2]), 0, [0, 0], [0, 0]
    ),
    "indices of nothing": Case(
        "np.sum(x[i] ** 2)", "i: Indices[k, n], x: Vector[n]", (np.zeros(0, dtype=int), EMPTY), 0, EMPTY, EMPTY
    ),
    "no rows of a tensor": Case(
        "np.sum(np.linalg.det(T)) + np.sum(T)",
        "T: Tensor[k, n, n]",
        (np.zeros((0, 2, 2)),),
        0,
        np.zeros((0, 2, 2)),
        np.zeros((0, 2, 2)),
        wrt="T",
    ),
}
test_conventions, test_silence = conventions(CASES)

NOTHING = np.zeros((0, 3))
MEANS = {
    "mean": of_matrix("np.sum(np.mean(X, axis=0) ** 2)", NOTHING, np.nan, NOTHING, NOTHING),
    "var": of_matrix("np.sum(np.var(X, axis=0))", NOTHING, np.nan, NOTHING, NOTHING),
    "std": of_matrix("np.sum(np.std(X, axis=0))", NOTHING, np.nan, NOTHING, NOTHING),
    "both": of_matrix("np.sum(np.std(X, axis=0)) + np.sum(np.var(X, axis=0))", NOTHING, np.nan, NOTHING, NOTHING),
    "std of a vector": of_vector("np.std(x) + np.mean(x)", EMPTY, np.nan, EMPTY, EMPTY),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as NumPy warns of a mean of nothing
@pytest.mark.parametrize("name", MEANS)
def test_means_of_nothing_have_gradients_without_entries(name):
    for pair in outcomes(MEANS[name]):
        same(*pair)


ALONE = {
    "pairs": of_vector("(np.sum(np.outer(x, x)) - np.sum(x**2)) / (n * (n - 1))", [2.0], np.nan, [np.nan], [np.nan]),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as NumPy warns of 0 / 0
@pytest.mark.parametrize("name", ALONE)
def test_one_entry_has_no_other(name):
    """0 / 0, not 0."""
    for pair in outcomes(ALONE[name]):
        same(*pair)


NO_SOFTMAX = {
    "softmax": of_vector("np.sum(softmax(x) * x)", EMPTY, 0, EMPTY),
    "log_softmax": of_vector("np.sum(log_softmax(x))", EMPTY, 0, EMPTY),
    "logsumexp": of_vector("logsumexp(x)", EMPTY, 0, EMPTY),
}


@pytest.mark.parametrize("name", NO_SOFTMAX)
def test_an_axis_of_no_entries_has_no_softmax(name):
    made = compiled(NO_SOFTMAX[name])
    for function in (declared(NO_SOFTMAX[name]), made.loss):
        with pytest.raises(ValueError, match="zero-size array"):
            function(EMPTY)
