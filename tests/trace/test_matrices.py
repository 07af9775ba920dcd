"""Functions of matrices, and arrays put together: against real NumPy, and what is said where they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradgen import Matrix, Scalar, SpecError, Vector, dims, eye, logdet, loss, ones, zeros
from gradgen.oracle import evaluate
from gradgen.spec import load_spec
from gradgen.tape import Call

n, d = dims("n d")
SIZES = {"n": 4, "d": 3}
C = np.array([[1.0, 2.0], [3.0, 5.0]])
inv, det, slogdet, solve, norm = np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.solve, np.linalg.norm


def stack_of(A: Any) -> Any:
    """Two different matrices, one behind the other."""
    return np.stack([A, 2 * A + 1])


SAME = {
    "inv": lambda A, B, x, y, s: inv(A),
    "inv of a stack": lambda A, B, x, y, s: inv(stack_of(A)),
    "inv of a stack of a stack": lambda A, B, x, y, s: inv(A[None, None]),
    "det": lambda A, B, x, y, s: det(A),
    "det of a stack": lambda A, B, x, y, s: det(stack_of(A)),
    "logdet": lambda A, B, x, y, s: logdet(-A),
    "logdet of a stack": lambda A, B, x, y, s: logdet(stack_of(A)),
    "slogdet": lambda A, B, x, y, s: slogdet(-A)[0] * slogdet(-A)[1],
    "slogdet by name": lambda A, B, x, y, s: slogdet(A).sign * slogdet(A).logabsdet,
    "slogdet unpacked": lambda A, B, x, y, s: (lambda sign, log: sign * log)(*slogdet(stack_of(A))),
    "solve a vector": lambda A, B, x, y, s: solve(A, x),
    "solve a matrix": lambda A, B, x, y, s: solve(A, B),
    "solve a stack": lambda A, B, x, y, s: solve(stack_of(A), B),
    "solve a vector by a stack": lambda A, B, x, y, s: solve(stack_of(A), x),
    "solve a stack of matrices": lambda A, B, x, y, s: solve(A, stack_of(B)),
    "solve columns": lambda A, B, x, y, s: solve(stack_of(A), x[None, :, None]),
    "solve real by traced": lambda A, B, x, y, s: solve(C, np.stack([x, x])),
    "norm of a vector": lambda A, B, x, y, s: norm(x),
    "norm of a matrix": lambda A, B, x, y, s: norm(B),
    "norm of a stack": lambda A, B, x, y, s: norm(stack_of(B)),
    "norm of a number": lambda A, B, x, y, s: norm(x @ x) + norm(-s),
    "norm of rows": lambda A, B, x, y, s: norm(B, axis=1),
    "norm with keepdims": lambda A, B, x, y, s: B / norm(B, axis=-1, keepdims=True),
    "norm over two axes": lambda A, B, x, y, s: norm(stack_of(B), axis=(2, 0)),
    "norm keeps all": lambda A, B, x, y, s: norm(B, keepdims=True),
    "norm fro": lambda A, B, x, y, s: norm(B, "fro") + norm(B, ord="fro", axis=(0, 1)),
    "norm 2": lambda A, B, x, y, s: norm(x, 2) + norm(B, 2, axis=0),
    "norm 1": lambda A, B, x, y, s: norm(x, 1) + norm(B, 1, axis=0),
    "norm 0": lambda A, B, x, y, s: norm(x, 0) + norm(B * (B > 0), 0, axis=0),
    "norm inf": lambda A, B, x, y, s: norm(x, np.inf) + norm(B, -np.inf, axis=0, keepdims=True),
    "matrix norm 1": lambda A, B, x, y, s: norm(B, 1) + norm(B, -1),
    "matrix norm inf": lambda A, B, x, y, s: norm(B, np.inf) + norm(B, -np.inf),
    "matrix norm of a stack": lambda A, B, x, y, s: norm(stack_of(B), 1, axis=(0, 2)) + norm(stack_of(B), 1, (2, 0)),
    "matrix norm with keepdims": lambda A, B, x, y, s: norm(stack_of(B), -np.inf, axis=(2, 1), keepdims=True),
    "norm of a mask": lambda A, B, x, y, s: norm(x > 0),
    "vector_norm": lambda A, B, x, y, s: np.linalg.vector_norm(B) + np.linalg.vector_norm(B, axis=1, ord=1).sum(),
    "matrix_norm": lambda A, B, x, y, s: np.linalg.matrix_norm(stack_of(B), ord=np.inf) + np.linalg.matrix_norm(B),
    "diag of a vector": lambda A, B, x, y, s: np.diag(x),
    "diag of a matrix": lambda A, B, x, y, s: np.diag(A),
    "diag of a mask": lambda A, B, x, y, s: np.diag(x > 0) * 1.0,
    "diagonal": lambda A, B, x, y, s: np.diagonal(A) + A.diagonal() + np.linalg.diagonal(A),
    "diagonal of a stack": lambda A, B, x, y, s: np.diagonal(stack_of(A), axis1=1, axis2=2),
    "diagonal of first axes": lambda A, B, x, y, s: np.diagonal(A[:, :, None] * s),
    "diagonal of other axes": lambda A, B, x, y, s: A[:, None, :].diagonal(0, -1, 0),
    "linalg.diagonal": lambda A, B, x, y, s: np.linalg.diagonal(stack_of(A)),
    "concatenate": lambda A, B, x, y, s: np.concatenate([A, B], axis=1),
    "concatenate along the last": lambda A, B, x, y, s: np.concat((A, B, x[:, None]), axis=-1),
    "concatenate vectors": lambda A, B, x, y, s: np.concatenate([x, y, C[0], [s, 1.0]], axis=None),
    "concatenate numbers": lambda A, B, x, y, s: np.concatenate([x, np.zeros(2), [1.0, 2.0]]),
    "concatenate masks": lambda A, B, x, y, s: np.concatenate([x > 0, y > 0]),
    "concatenate a mask and numbers": lambda A, B, x, y, s: np.concatenate([x > 0, y]),
    "concatenate rows": lambda A, B, x, y, s: np.concatenate(stack_of(B)),
    "concatenate one": lambda A, B, x, y, s: np.concatenate([x]),
    "stack": lambda A, B, x, y, s: np.stack([x, 2 * x]),
    "stack along the last": lambda A, B, x, y, s: np.stack([B, B + 1, B], axis=-1),
    "stack numbers": lambda A, B, x, y, s: np.stack([s, 1.0, s * s]),
    "stack one": lambda A, B, x, y, s: np.stack([x], axis=1),
    "a list as an array": lambda A, B, x, y, s: B[:2, :2] + [[s, 1.0], [2, s]],
    "vstack": lambda A, B, x, y, s: np.vstack([B, 2 * B]),
    "vstack vectors": lambda A, B, x, y, s: np.vstack([y, B, ones(d)]),
    "vstack numbers": lambda A, B, x, y, s: np.vstack([s, 2.0]),
    "hstack": lambda A, B, x, y, s: np.hstack([A, B]),
    "hstack vectors": lambda A, B, x, y, s: np.hstack([x, y, s, 1.0]),
    "column_stack": lambda A, B, x, y, s: np.column_stack([x, B, 2 * x]),
    "column_stack numbers": lambda A, B, x, y, s: np.column_stack([s, 2.0]),
    "block": lambda A, B, x, y, s: np.block([[A, B], [B.T, eye(d)]]),
    "block of rows": lambda A, B, x, y, s: np.block([x, y, s, 2.0]),
    "block with a border": lambda A, B, x, y, s: np.block([[A, x[:, None]], [x, 1.0]]),
    "block with zeros": lambda A, B, x, y, s: np.block([[A, zeros(n, d)], [zeros(d, n), eye(d)]]),
    "block with real arrays": lambda A, B, x, y, s: np.block([[s * C, np.zeros((2, 2))], [np.zeros((1, 2)), C[:1]]]),
    "block of unequal rows": lambda A, B, x, y, s: np.block([[A, B], [B, A]]),
    "block of three levels": lambda A, B, x, y, s: np.block([[[A, B]], [[2 * A, B]]]),
    "block of an array": lambda A, B, x, y, s: np.block(A),
    "block of masks": lambda A, B, x, y, s: np.block([[A > 0, B > 0]]),
    "block of one": lambda A, B, x, y, s: np.block([[x]]),
    "partition": lambda A, B, x, y, s: A[:d, d:] * 2 + A[d:, :d].T,
    "entries": lambda A, B, x, y, s: A[1, 1] + x[0] + A[-1, 0] + A[0, -1] + A[n - d, 0],
    "row and column": lambda A, B, x, y, s: A[-1] + A[:, 0],
}


def declared(function: Callable[..., Any]) -> Any:
    """The function of A, B, x, y and s as a loss, which sums what it gives."""

    @loss(wrt="A")
    def total(A: Matrix[n, n], B: Matrix[n, d], x: Vector[n], y: Vector[d], s: Scalar):
        return np.sum(function(A, B, x, y, s))

    return total


def inputs() -> list[Any]:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 4)) + 4 * np.eye(4)
    return [A, rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3), 0.7]


def declaration(name: str) -> tuple[Any, list[Any]]:
    """The loss of that name, and what its function gave for real arrays."""
    seen: list[Any] = []
    declared(lambda *args: seen.append(SAME[name](*args)) or seen[-1])(*inputs())
    return declared(SAME[name]), seen[-1]


def real_sum(result: Call) -> Call:
    """The call that the loss sums."""
    return result.args[0] if result.op == "sum" else result


@pytest.mark.parametrize("name", SAME)
def test_shapes_are_those_of_numpy(name: str) -> None:
    made, expected = declaration(name)
    result = real_sum(made.tape.result)
    assert tuple(size.value(SIZES) for size in result.shape) == np.shape(expected)
    assert result.boolean == (np.asarray(expected).dtype == bool)


@pytest.mark.parametrize("name", SAME)
def test_values_are_those_of_numpy(name: str) -> None:
    made, _ = declaration(name)
    values = {a.name: np.asarray(v) for a, v in zip(made.arguments, inputs(), strict=True)}
    assert float(evaluate(made.tape, values)) == pytest.approx(made(*inputs()), rel=1e-11)


def test_what_one_call_records() -> None:
    table = {
        "inv": lambda A, B, x, y, s: inv(A),
        "det": lambda A, B, x, y, s: det(A),
        "logdet": lambda A, B, x, y, s: logdet(A),
        "detsign": lambda A, B, x, y, s: slogdet(A).sign,
        "solve": lambda A, B, x, y, s: solve(A, x),
        "norm": lambda A, B, x, y, s: norm(x),
        "diag": lambda A, B, x, y, s: np.diag(x),
        "diagonal": lambda A, B, x, y, s: np.diag(A),
        "concatenate": lambda A, B, x, y, s: np.concatenate([x, y]),
    }
    for op, function in table.items():
        calls = list(declared(lambda *args, f=function: f(*args) * 1).tape.calls())
        assert [c.op for c in calls if c.op in table] == [op]


def test_the_sign_of_a_determinant_is_recorded_only_where_it_is_used() -> None:
    assert "detsign" not in [c.op for c in declared(lambda A, *_: slogdet(A)[1]).tape.calls()]


def test_one_array_alone_is_not_joined() -> None:
    for function in (
        lambda A, B, x, y, s: np.concatenate([x]),
        lambda A, B, x, y, s: np.vstack([A]),
        lambda A, B, x, y, s: np.block([[A]]),
    ):
        assert "concatenate" not in [c.op for c in declared(function).tape.calls()]


def test_a_block_matrix_joins_rows_first() -> None:
    calls = [c for c in declared(SAME["block"]).tape.calls() if c.op == "concatenate"]
    assert [(c.params["axis"], [str(s) for s in c.shape]) for c in calls] == [
        (1, ["n", "n + d"]),
        (1, ["d", "n + d"]),
        (0, ["n + d", "n + d"]),
    ]


def test_a_column_that_was_solved_for_against_a_vector() -> None:
    @loss(wrt="A")
    def f(A: Matrix[n, n], b: Matrix[n, 1], y: Vector[n]):
        return np.sum((solve(A, b) - y) ** 2)

    with pytest.raises(SpecError, match=r"would become \(n, n\)"):
        _ = f.tape


# ---- what does not fit

HEAD = """import numpy as np
from gradgen import *
n, d, p, q, k, t, m = dims("n d p q k t m")
@loss(wrt="x")
def wrong(
    x: Vector[n], y: Vector[d], A: Matrix[n, n], B: Matrix[d, d], X: Matrix[n, d], s: Scalar,
    X1: Matrix[p, k], X2: Matrix[q, k], H: Matrix[q, k], Phi: Matrix[t, m],
):
"""
LINE = HEAD.count("\n") + 1

# what stands on the line, what the message says, what the hint says
MISFITS = [
    (
        "return ones(1, t) @ Phi @ Phi.T @ ones(1, t)",
        "(1, t) @ (1, t) do not match: t against 1",
        "ones(1, t).T has shape (1, 1)",
    ),
    (
        "e = ones(t, 1); return e.T @ Phi @ Phi.T @ e.T",
        "(1, t) @ (1, t) do not match: t against 1",
        "(e.T @ Phi @ Phi.T) @ e has shape (1, 1)",
    ),
    (
        "e = ones(t); return e[None] @ Phi @ Phi.T @ e[None]",
        "(1, t) @ (1, t) do not match",
        "e[None].T has shape (1, 1)",
    ),
    ("e = ones(1, t); return e @ Phi @ Phi.T @ e.T", "a scalar, but wrong returns shape (1, 1)", "[0, 0]"),
    (
        "return np.trace(np.block([[zeros(p, p), X1 @ H.T], [H @ X2.T, H @ X2.T + X2 @ H.T]]))",
        "zeros(p, p) of shape (p, p) above (H @ X2.T) of shape (q, q) do not conform: p against q columns",
        "as many columns",
    ),
    (
        "return np.sum(np.block([[A, x], [x, 1.0]]))",
        "A of shape (n, n) beside x of shape (1, n) do not conform: n against 1 rows",
        "x[:, None] has shape (n, 1)",
    ),
    (
        "return np.sum(np.block([[A, X], [X, B]]))",
        "X of shape (n, d) beside B of shape (d, d) do not conform: n against d rows",
        "X.T has shape (d, n)",
    ),
    (
        "return np.sum(np.block([[A, X], [B]]))",
        "row 1 of shape (n, n + d) above B of shape (d, d) do not conform: n + d against d columns",
        "as many columns",
    ),
    ("return np.sum(np.block([[A, X], [X]]))", "row 1 of shape (n, n + d) above X of shape (n, d)", "columns"),
    (
        "return np.sum(np.block([[[A, X]], [[X, A]], [[X, X]]]))",
        "A of shape (1, n, n) and X of shape (1, n, d) do not conform: n against d in axis 2",
        "every axis but",
    ),
    ("return np.sum(np.block([[A, np.ones((2, 2))]]))", "beside np.ones((2, 2)) of shape (2, 2)", "as many rows"),
    ("return np.sum(np.block([A, [X]]))", "nested to different depths", "np.block([[A, B], [C, D]])"),
    ("return np.sum(np.block([[A, X], (X.T, B)]))", "lists, not tuples", "np.block([[A, B], [C, D]])"),
    ("return np.sum(np.block([[A], []]))", "np.block of an empty list", "np.block([[A, B], [C, D]])"),
    (
        "return np.sum(np.vstack([X, A]))",
        "X of shape (n, d) above A of shape (n, n) do not conform: d against n columns",
        "X.T has shape (d, n)",
    ),
    ("return np.sum(np.vstack([x, y]))", "x of shape (1, n) above y of shape (1, d)", "as many columns"),
    ("return np.sum(np.vstack([A[None], A]))", "np.vstack of arrays of different ranks: (1, n, n), (n, n)", ""),
    (
        "return np.sum(np.hstack([A, X.T]))",
        "A of shape (n, n) beside X.T of shape (d, n) do not conform: n against d rows",
        "X has shape (n, d)",
    ),
    ("return np.sum(np.hstack([X, x]))", "different ranks: (n, d), (n,)", "x[:, None] makes a column"),
    (
        "return np.sum(np.concatenate([X, B], axis=1))",
        "X of shape (n, d) beside B of shape (d, d) do not conform: n against d rows",
        "X.T has shape (d, n)",
    ),
    ("return np.sum(np.concatenate([x, X]))", "different ranks: (n,), (n, d)", "x[:, None] makes a column"),
    ("return np.sum(np.concatenate([s, s]))", "np.concatenate of scalars", "np.stack"),
    ("return np.sum(np.concatenate([x, y], axis=1))", "no axis 1", ""),
    ("return np.sum(np.concatenate(x))", "a loop over an axis of length n", ""),
    ("return np.sum(np.concatenate([*[X, A]]))", "array 1 of shape (n, d) above array 2 of shape (n, n)", "array 1.T"),
    (
        "return np.sum(np.stack([x, y]))",
        "x of shape (n,) and y of shape (d,) do not conform: n against d in axis 0",
        "",
    ),
    ("return np.sum(np.column_stack([x, y]))", "x of shape (n, 1) beside y of shape (d, 1)", "as many rows"),
    ("return np.sum(x + [x, s])", "np.stack of arrays of different ranks: (n,), ()", ""),
    ("return np.sum(np.linalg.inv(X))", "takes a square matrix, not shape (n, d): n against d", "X.T @ X is square"),
    ("return np.sum(np.linalg.inv(X.T))", "not shape (d, n): d against n", "X @ X.T is square, of shape (n, n)"),
    ("return np.sum(np.linalg.inv(x))", "np.linalg.inv takes a matrix, not shape (n,)", "1 / x inverts entry by entry"),
    ("return np.linalg.det(X)", "np.linalg.det takes a square matrix, not shape (n, d)", "X.T @ X is square"),
    ("return np.linalg.det(X[None])[0]", "not shape (1, n, d): n against d", "the last two axes are the matrices"),
    ("return np.linalg.det(s)", "np.linalg.det takes a matrix, not shape ()", "two axes"),
    ("return logdet(X)", "takes a square matrix, not shape (n, d)", "X.T @ X is square"),
    (
        "return np.linalg.slogdet(X)[1]",
        "np.linalg.slogdet takes a square matrix, not shape (n, d)",
        "X.T @ X is square",
    ),
    ("return np.sum(np.linalg.solve(X, x))", "np.linalg.solve takes a square matrix, not shape (n, d)", "X.T @ X"),
    ("return np.sum(np.linalg.solve(A, y))", "(n, n) against (d,) on the right do not match: n against d", "many rows"),
    ("return np.sum(np.linalg.solve(A, X.T))", "against (d, n) on the right do not match", "X has shape (n, d)"),
    ("return np.sum(np.linalg.solve(A, s))", "a vector or a matrix on the right, not a scalar", ""),
    (
        "return np.sum(np.linalg.solve(np.stack([A, A]), np.stack([x, x])))",
        "(2, n, n) against (2, n) on the right do not match: n against 2",
        "[..., None] is a stack of columns",
    ),
    (
        "return np.sum(np.linalg.solve(np.stack([A, A]), np.stack([X, X, X])))",
        "(2, n, n) against (3, n, d) on the right do not broadcast: 2 against 3",
        "",
    ),
    ("return np.sum(np.diag(A[None]))", "np.diag takes a vector or a matrix, not shape (1, n, n)", "np.diagonal"),
    ("return np.sum(x.diagonal())", "a diagonal of shape (n,), which is no matrix", "np.diag"),
    ("return np.sum(A.diagonal(0, 0, 0))", "an axis is named twice", ""),
    ("return np.linalg.norm(x, 'fro')", "no norm of order 'fro' of a vector", "np.linalg.norm"),
    ("return np.linalg.norm(A, 3)", "no norm of order 3 of a matrix", "np.linalg.norm"),
    ("return np.linalg.norm(A, axis=(0, 0))", "an axis is named twice", ""),
    ("return np.linalg.norm(A, 2)", "no norm of order 2 of a matrix", "np.sqrt(np.max(np.linalg.eigvalsh(A.T @ A)))"),
    (
        "return np.linalg.norm(A.T, ord=-2.0)",
        "no norm of order -2.0 of",
        "np.sqrt(np.min(np.linalg.eigvalsh(A @ A.T)))",
    ),
    (
        "return np.linalg.norm(A, 'foo')",
        "no norm of order 'foo' of a matrix",
        "'fro' (which may be left out), 'nuc', 1, -1",
    ),
    ("return np.linalg.norm(x, 'foo')", "no norm of order 'foo' of a vector", "any number as its order, such as 2"),
    ("return np.linalg.norm(A[None], 1)", "a norm over 3 axes", "axis=1"),
    ("return np.linalg.matrix_norm(x)", "takes a matrix, not shape (n,)", "np.linalg.norm takes vectors"),
]


def error_of(folder: Path, line: str) -> SpecError:
    path = folder / "misfit.py"
    path.write_text(f"{HEAD}    {line}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        _ = load_spec(path)["wrong"].tape
    return caught.value


@pytest.mark.parametrize(("line", "message", "hint"), MISFITS, ids=[m[0] for m in MISFITS])
def test_what_does_not_fit_says_both_shapes(tmp_path: Path, line: str, message: str, hint: str) -> None:
    error = error_of(tmp_path, line)
    assert message in error.message
    assert hint in error.hint
    assert error.place is not None and (Path(error.place.file).name, error.place.line) == ("misfit.py", LINE)
    assert "^" in error.place.excerpt()


def test_blocks_over_several_lines_are_named_too(tmp_path: Path) -> None:
    error = error_of(tmp_path, "return np.sum(np.block([\n        [A, X],  # the first row\n        [X.T, A]\n    ]))")
    assert (
        error.message == "np.block(...): X.T of shape (d, n) beside A of shape (n, n) do not conform: d against n rows"
    )
    assert error.place is not None and error.place.line == LINE
