"""The types of arguments in a formula and at the door: tensors, indices, and structured matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradgen import (
    SPD,
    Diagonal,
    Indices,
    LowerTriangular,
    Matrix,
    Scalar,
    SpecError,
    Symmetric,
    Tensor,
    Vector,
    dims,
    eye,
    function,
    logdet,
    loss,
    positive,
    relu,
)
from gradgen.fields import FLOAT
from gradgen.replay import Replay
from gradgen.spec import run_with

n, d, m, k = dims("n d m k")
ROWS = np.array([0, 2, 2, 1])
U = np.arange(12.0).reshape(4, 3)


@loss(wrt=("U", "V"))
def completion(U: Matrix[n, k], V: Matrix[d, k], rows: Indices[m, n], cols: Indices[m, d], y: Vector[m]):
    return np.sum((np.sum(U[rows] * V[cols], axis=1) - y) ** 2) / len(rows)


def test_what_is_declared() -> None:
    @loss(wrt=("T", "S", "D", "L"))
    def f(
        T: Tensor[m, n, d],
        S: SPD[n],
        D: Diagonal[n, positive],
        L: LowerTriangular[2 * d],
        rows: Indices[k, n],
    ):
        return np.sum(T) + logdet(S) + np.trace(D) + np.sum(L) + np.sum(S[rows])

    said = [(a.kind, [str(s) for s in a.shape], [str(s) for s in a.given], set(a.facts)) for a in f.arguments]
    assert said == [
        ("Tensor", ["m", "n", "d"], ["m", "n", "d"], set()),
        ("SPD", ["n", "n"], ["n", "n"], set()),
        ("Diagonal", ["n", "n"], ["n"], {"positive"}),
        ("LowerTriangular", ["2 * d", "2 * d"], ["2 * d", "2 * d"], set()),
        ("Indices", ["k"], ["k"], set()),
    ]
    assert [str(a.below) for a in f.arguments] == ["None", "None", "None", "None", "n"]


def test_a_diagonal_is_a_matrix_in_the_formula_and_a_vector_outside() -> None:
    @function(wrt="D")
    def f(D: Diagonal[n], x: Vector[n]):
        return D @ x + np.diag(D)

    assert np.array_equal(f([1.0, 2.0], [3.0, 4.0]), [4.0, 10.0])
    with pytest.raises(ValueError, match=r"D has shape \(2, 2\), but should have shape \(n,\)"):
        f(np.eye(2), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"x.shape\[0\] is 3, but n is 2 \(n from D.shape\[0\]\)"):
        f([1.0, 2.0], np.ones(3))


def test_of_a_lower_triangular_matrix_the_lower_half_is_read() -> None:
    @loss(wrt="L")
    def f(L: LowerTriangular[n]):
        return np.sum(L) + np.sum(L[0])

    assert f(np.array([[1.0, 100.0], [2.0, 3.0]])) == 7.0


def test_indices_stay_integers_and_decide_no_dtype() -> None:
    @function(wrt="x")
    def f(x: Vector[n], rows: Indices[m, n]):
        return x[rows]

    assert f(np.ones(3, dtype=np.float32), np.array([0, 2], dtype=np.int64)).dtype == np.float32
    assert f(np.arange(3.0), [2, 2, 0]).tolist() == [2.0, 2.0, 0.0]
    assert f(np.arange(3.0), np.array([1], dtype=np.uint8)).tolist() == [1.0]
    assert f(np.arange(3.0), []).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ([0, 3], ValueError, "rows holds 3, but should hold indices from 0 to n - 1, which is 2"),
        ([0, -1], ValueError, "rows holds -1, but should hold indices from 0 to n - 1"),
        ([0.0, 1.0], TypeError, "rows has dtype float64, but should be integers"),
        ([True, False, True], TypeError, "rows has dtype bool, but should be integers"),
        ([[0], [1]], ValueError, "rows has shape (2, 1), but should have shape (m,)"),
        (None, TypeError, "rows is None"),
        (1, ValueError, "rows has shape (), but should have shape (m,)"),
    ],
)
def test_wrong_indices(rows: Any, kind: type[Exception], message: str) -> None:
    @loss(wrt="x")
    def f(x: Vector[n], rows: Indices[m, n]):
        return np.sum(x[rows])

    with pytest.raises(kind) as caught:
        f(np.arange(3.0), rows)
    assert message in str(caught.value)


def test_masked_entries_are_refused() -> None:
    @loss(wrt="x")
    def f(x: Vector[n]):
        return np.sum(x)

    assert f(np.ma.masked_array([1.0, 2.0])) == 3.0
    with pytest.raises(ValueError, match="x has masked entries"):
        f(np.ma.masked_array([1.0, 2.0], mask=[True, False]))


TAKES = {
    "rows": lambda U, rows, cols: U[rows],
    "columns": lambda U, rows, cols: U[:, cols],
    "rows of a part": lambda U, rows, cols: U[rows, 1:] + U[rows][:, 1:],
    "columns behind an ellipsis": lambda U, rows, cols: U[..., cols],
    "an entry of rows": lambda U, rows, cols: U[rows, 0],
    "a column by a number": lambda U, rows, cols: U[0, cols] + U[-1][cols],
    "pairs": lambda U, rows, cols: U[rows, cols],
    "pairs of a product": lambda U, rows, cols: (
        (U @ (2 * U[:3]))[rows, cols] + (U @ U[:3].T)[[0, 1, -1], [1, 2, 0]].sum()
    ),
    "pairs behind": lambda U, rows, cols: U[None, rows, cols] + U[rows, cols, None],
    "pairs before": lambda U, rows, cols: np.stack([U, U], -1)[rows, cols] + np.stack([U, U])[:, rows, cols].T,
    "pairs apart": lambda U, rows, cols: np.stack([U, 2 * U], 1)[rows, :, cols],
    "a block": lambda U, rows, cols: U[rows][:, cols],
    "a new axis": lambda U, rows, cols: U[rows, None],
    "an entry of a stack": lambda U, rows, cols: U[None, :, :][0, :, cols],
    "take": lambda U, rows, cols: np.take(U, rows, axis=0) + U.take(rows, axis=0),
    "one pair with numbers": lambda U, rows, cols: U[rows, [0, 1, 2, 0]],
}


@pytest.mark.parametrize("name", TAKES)
def test_indices_index_as_in_numpy(name: str) -> None:
    @function(wrt="U")
    def f(U: Matrix[4, 3], rows: Indices[4, 4], cols: Indices[4, 3]):
        return TAKES[name](U, rows, cols)

    cols = np.array([2, 0, 0, 1])
    expected = TAKES[name](U, ROWS, cols)
    tape = f.tape
    assert tuple(s.value({}) for s in tape.result.shape) == expected.shape
    assert np.array_equal(f(U, ROWS, cols), expected)
    inputs = {"U": U, "rows": ROWS, "cols": cols}
    assert np.array_equal(np.asarray(Replay(tape, inputs, FLOAT).result({}), dtype=float), expected)


def test_indices_over_dimensions() -> None:
    V, rows, cols, y = U[:2] + 1, [3, 0, 1], [1, 1, 0], [1.0, 2.0, 3.0]
    expected = np.sum((np.sum(U[rows] * V[cols], axis=1) - y) ** 2) / 3
    assert completion(U, V, rows, cols, y) == pytest.approx(expected)
    takes = [c for c in completion.tape.calls() if c.op == "take"]
    assert [(c.params["axis"], c.args[1].params["name"], str(c.shape[0])) for c in takes] == [
        (0, "rows", "m"),
        (0, "cols", "m"),
    ]


def test_a_loss_within_a_loss_takes_what_it_declares() -> None:
    @function(wrt="x")
    def inner(x: Vector[n], D: Diagonal[n], L: LowerTriangular[n], rows: Indices[m, n]):
        return (D @ L @ x)[rows]

    @loss(wrt="x")
    def outer(x: Vector[n], s: Vector[n], A: Matrix[n, n], rows: Indices[m, n]):
        return np.sum(inner(x, s, 2 * A, rows))

    x, s, A = np.arange(3.0), np.array([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3)
    assert outer(x, s, A, [0, 2]) == pytest.approx((np.diag(s) @ np.tril(2 * A) @ x)[[0, 2]].sum())
    found = Replay(outer.tape, {"x": x, "s": s, "A": A, "rows": np.array([0, 2])}, FLOAT).result({})
    assert float(found) == pytest.approx(outer(x, s, A, [0, 2]))

    @loss(wrt="x")
    def wrong(x: Vector[n], A: Matrix[n, n]):
        return np.sum(inner(x, x, A, x))

    with pytest.raises(SpecError, match="inner declares rows as Indices, but gets an array"):
        _ = wrong.tape


def test_other_libraries_get_the_formulas_arrays() -> None:
    @loss(wrt="D")
    def f(D: Diagonal[n], L: LowerTriangular[n]):
        return np.sum(D @ L)

    args = {"D": np.array([1.0, 2.0]), "L": np.array([[1.0, 9.0], [2.0, 3.0]])}
    assert run_with(f, args, {np: np}) == f(**args) == 11.0


# ---- which matrices are known to be symmetric

SYMMETRIC = {
    "declared": lambda S, P, D, X, x, w, s: S,
    "spd": lambda S, P, D, X, x, w, s: P,
    "diagonal": lambda S, P, D, X, x, w, s: D,
    "mean with the transpose": lambda S, P, D, X, x, w, s: (X.T @ S @ X + (X.T @ S @ X).T) / 2,
    "mean of a sum with the transpose": lambda S, P, D, X, x, w, s: _halves(s * (x.reshape(-1, 1) * w[0] + S[0])),
    "mean of anything with the transpose": lambda S, P, D, X, x, w, s: _halves(
        np.cumsum(S[::-1], axis=1).reshape(n, n)
    ),
    "sum over two, each with its transpose": lambda S, P, D, X, x, w, s: 0.5 * (S[::-1] + x).T + 0.5 * (S[::-1] + x),
    "new axes by reshape": lambda S, P, D, X, x, w, s: x.reshape(-1, 1) + x.reshape(1, -1),
    "gram": lambda S, P, D, X, x, w, s: X.T @ X,
    "gram of rows": lambda S, P, D, X, x, w, s: X @ X.T,
    "gram of an expression": lambda S, P, D, X, x, w, s: (2 * X + 1).T @ (2 * X + 1),
    "gram of two expressions": lambda S, P, D, X, x, w, s: np.tanh(X).T @ np.tanh(X) / 3,
    "weighted gram": lambda S, P, D, X, x, w, s: X.T @ (x[:, None] * X),
    "weighted gram, otherwise": lambda S, P, D, X, x, w, s: (X.T * x) @ X,
    "weighted by a diagonal": lambda S, P, D, X, x, w, s: X.T @ np.diag(x) @ X,
    "congruence": lambda S, P, D, X, x, w, s: X.T @ S @ X,
    "long congruence": lambda S, P, D, X, x, w, s: X.T @ S @ P @ S @ X,
    "sum": lambda S, P, D, X, x, w, s: S + s * P - 2.0 * np.eye(1)[0, 0] * D,
    "ridge": lambda S, P, D, X, x, w, s: X @ X.T + s * eye(n),
    "jitter": lambda S, P, D, X, x, w, s: S + 1e-6 * np.diag(x**2),
    "inverse": lambda S, P, D, X, x, w, s: np.linalg.inv(P + X @ X.T),
    "power": lambda S, P, D, X, x, w, s: np.linalg.matrix_power(S, 3),
    "outer": lambda S, P, D, X, x, w, s: np.outer(x, x) + x[:, None] * x,
    "scaled": lambda S, P, D, X, x, w, s: x[:, None] * S * x[None, :],
    "entrywise": lambda S, P, D, X, x, w, s: np.exp(S) * P + relu(S),
    "kernel": lambda S, P, D, X, x, w, s: np.exp(-((x[:, None] - x[None, :]) ** 2) / (2 * s**2)),
    "scaled kernel": lambda S, P, D, X, x, w, s: s**2 * np.exp(-0.5 * ((x[:, None] - x) / s) ** 2),
    "laplace kernel": lambda S, P, D, X, x, w, s: np.exp(-np.abs(x - x[:, None]) / s),
    "kernel of rows": lambda S, P, D, X, x, w, s: np.exp(-np.sum((X[:, None, :] - X[None]) ** 2, axis=-1)),
    "kernel by norms": lambda S, P, D, X, x, w, s: np.exp(-np.linalg.norm(X[:, None] - X, axis=2)),
    "kernel by squares": lambda S, P, D, X, x, w, s: _distances(X),
    "ard kernel": lambda S, P, D, X, x, w, s: np.exp(-np.sum(((X[:, None, :] - X[None]) / w) ** 2, axis=-1)),
    "covariance": lambda S, P, D, X, x, w, s: (X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) / n,
    "einsum": lambda S, P, D, X, x, w, s: np.einsum("ij,ik->jk", X, X),
    "weighted einsum": lambda S, P, D, X, x, w, s: np.einsum("i,ij,ik->jk", x, X, X),
    "kron": lambda S, P, D, X, x, w, s: np.kron(S, P),
    "block": lambda S, P, D, X, x, w, s: np.block([[S, X], [X.T, X.T @ X]]),
    "maximum": lambda S, P, D, X, x, w, s: np.maximum(x[:, None], x) + np.minimum(x, x[:, None]),
    "part": lambda S, P, D, X, x, w, s: S[1:, 1:],
    "of a stack": lambda S, P, D, X, x, w, s: np.stack([X, 2 * X]) @ np.stack([X, 2 * X]).mT,
    "where": lambda S, P, D, X, x, w, s: np.where(S > 0, S, 0.0),
    "transpose": lambda S, P, D, X, x, w, s: S.T.T + X.T.T @ X.T,
    "literal": lambda S, P, D, X, x, w, s: np.array([[2.0, s], [s, 3.0]][0:0] or [[2.0, 1.0], [1.0, 3.0]]) * s,
}
ASYMMETRIC = {
    "matrix": lambda A, S, P, X, x: A,
    "product": lambda A, S, P, X, x: S @ P,
    "other product": lambda A, S, P, X, x: X.T @ S @ A[:, :1] @ A[:1] @ X,
    "difference": lambda A, S, P, X, x: A - A.T,
    "columns": lambda A, S, P, X, x: S * x,
    "differences": lambda A, S, P, X, x: x[:, None] - x,
    "cubes": lambda A, S, P, X, x: (x[:, None] - x) ** 3,
    "halves": lambda A, S, P, X, x: np.tril(S),
    "block": lambda A, S, P, X, x: np.block([[S, X], [X.T * 2, X.T @ X]]),
    "weighted": lambda A, S, P, X, x: X.T @ (x[:, None] * A) @ X,
    "part": lambda A, S, P, X, x: S[1:, :-1],
    "reversed": lambda A, S, P, X, x: S[::-1],
    "softmax": lambda A, S, P, X, x: np.exp(S) / np.sum(np.exp(S), axis=1, keepdims=True),
    "congruence": lambda A, S, P, X, x: A.T @ S @ A.T,
}


def _halves(A: Any) -> Any:
    return (A + A.T) / 2


def _distances(X: Any) -> Any:
    squares = np.sum(X**2, axis=1)
    return np.exp(-(squares[:, None] + squares[None, :] - 2 * X @ X.T))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_what_is_symmetric(name: str) -> None:
    @loss(wrt="X")
    def f(S: Symmetric[n], P: SPD[n], D: Diagonal[n], X: Matrix[n, d], x: Vector[n], w: Vector[d], s: Scalar[positive]):
        return np.sum(np.linalg.eigvalsh(SYMMETRIC[name](S, P, D, X, x, w, s)))

    assert "eigvalsh" in [c.op for c in f.tape.calls()]


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_what_is_not_symmetric(name: str) -> None:
    @loss(wrt="X")
    def f(A: Matrix[n, n], S: Symmetric[n], P: SPD[n], X: Matrix[n, d], x: Vector[n]):
        return np.sum(np.linalg.cholesky(ASYMMETRIC[name](A, S, P, X, x)))

    with pytest.raises(SpecError, match="not known to be one"):
        _ = f.tape
