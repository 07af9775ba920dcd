"""Traced calls against real NumPy: the tape's shapes at numbers, and its values in 50 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from gradgen import (
    Matrix,
    Scalar,
    SpecError,
    Vector,
    dims,
    eye,
    full,
    log_softmax,
    logsumexp,
    loss,
    ones,
    relu,
    sigmoid,
    softmax,
    softplus,
    zeros,
)
from gradgen.oracle import evaluate
from gradgen.tape import UNARY, Call

n, d, k = dims("n d k")
SIZES = {"n": 4, "d": 3, "k": 2}
C = np.array([[1.0, 2.0, 3.0]])

SAME = {
    "add": lambda X, Y, x, y, s: X + y,
    "reflected": lambda X, Y, x, y, s: 1 - X,
    "array on the left": lambda X, Y, x, y, s: C * X,
    "array divided": lambda X, Y, x, y, s: C / (X * X + 1),
    "numpy scalar": lambda X, Y, x, y, s: np.float64(2) * X - np.float32(1),
    "power": lambda X, Y, x, y, s: X**2 + pow(2, s) + abs(X) ** s,
    "scalar": lambda X, Y, x, y, s: s * x,
    "matmul": lambda X, Y, x, y, s: X @ Y,
    "matrix by vector": lambda X, Y, x, y, s: X @ y,
    "vector by matrix": lambda X, Y, x, y, s: x @ X,
    "vector by vector": lambda X, Y, x, y, s: y @ y,
    "array by traced": lambda X, Y, x, y, s: C @ Y,
    "batched": lambda X, Y, x, y, s: X[:, None, :] @ Y,
    "batched on both sides": lambda X, Y, x, y, s: X[None, :, :] @ Y[None, :, :],
    "dot": lambda X, Y, x, y, s: np.dot(X, Y) + np.dot(s, 2.0),
    "method dot": lambda X, Y, x, y, s: X.dot(y),
    "inner": lambda X, Y, x, y, s: np.inner(X, y),
    "inner of matrices": lambda X, Y, x, y, s: np.inner(X, Y.T),
    "vdot": lambda X, Y, x, y, s: np.vdot(X, X) + np.vdot(x, x),
    "outer": lambda X, Y, x, y, s: np.outer(x, y),
    "trace": lambda X, Y, x, y, s: np.trace(X @ X.T) + (X.T @ X).trace(),
    "T": lambda X, Y, x, y, s: X.T,
    "T of a vector": lambda X, Y, x, y, s: x.T,
    "copy": lambda X, Y, x, y, s: np.copy(X) + X.copy(),
    "transpose": lambda X, Y, x, y, s: np.transpose(X[None], (2, 0, 1)),
    "method transpose": lambda X, Y, x, y, s: X[None].transpose(1, 2, 0),
    "swapaxes": lambda X, Y, x, y, s: X[None].swapaxes(0, -1),
    "moveaxis": lambda X, Y, x, y, s: np.moveaxis(X[None], 0, -1),
    "expand_dims": lambda X, Y, x, y, s: np.expand_dims(X, (0, -1)),
    "squeeze": lambda X, Y, x, y, s: np.squeeze(X[None, :, None]),
    "squeeze an axis": lambda X, Y, x, y, s: X[None, :, None].squeeze(axis=-2),
    "broadcast_to": lambda X, Y, x, y, s: np.broadcast_to(y, X.shape),
    "zeros_like": lambda X, Y, x, y, s: np.zeros_like(X) + np.ones_like(X) + np.full_like(X, s),
    "sum": lambda X, Y, x, y, s: np.sum(X),
    "sum of an axis": lambda X, Y, x, y, s: np.sum(X, axis=-1),
    "sum of axes": lambda X, Y, x, y, s: X[None].sum(axis=(0, -1)),
    "keepdims": lambda X, Y, x, y, s: X.sum(axis=1, keepdims=True),
    "keepdims of all": lambda X, Y, x, y, s: np.sum(X, keepdims=True),
    "mean": lambda X, Y, x, y, s: X.mean(axis=0) + np.mean(X),
    "max": lambda X, Y, x, y, s: np.max(X, axis=0) + X.max() + np.amax(X),
    "min": lambda X, Y, x, y, s: X.min(axis=1, keepdims=True) + np.amin(X),
    "ufunc reduce": lambda X, Y, x, y, s: np.add.reduce(X) + np.maximum.reduce(X, axis=0),
    "int": lambda X, Y, x, y, s: X[1],
    "negative int": lambda X, Y, x, y, s: X[-1, -2],
    "slice": lambda X, Y, x, y, s: X[1:, :-1],
    "slice from the end": lambda X, Y, x, y, s: X[-2:],
    "slice to a dimension": lambda X, Y, x, y, s: x[: X.shape[1]] + x[X.shape[0] - X.shape[1] :],
    "reverse": lambda X, Y, x, y, s: X[::-1, ::-1],
    "ellipsis": lambda X, Y, x, y, s: X[..., 0],
    "new axes": lambda X, Y, x, y, s: X[:, None, :, None],
    "empty slice": lambda X, Y, x, y, s: C[:, 2:1] + (X @ np.ones((3, 1)))[:, 1:],
    "literal stride": lambda X, Y, x, y, s: np.broadcast_to(s, (7,))[1::3],
    "literal stride back": lambda X, Y, x, y, s: np.broadcast_to(s, (7,))[5:0:-2],
    "literal clamp": lambda X, Y, x, y, s: np.broadcast_to(s, (7,))[-99:99],
    "where": lambda X, Y, x, y, s: np.where(X > y, X, 0),
    "where of numbers": lambda X, Y, x, y, s: np.where(X, 1.0, s),
    "clip": lambda X, Y, x, y, s: np.clip(X, -0.5, s) + X.clip(0) + np.clip(X, None, 1) + np.clip(X, min=0),
    "masks": lambda X, Y, x, y, s: (X > 0) & (X < 1) | ~(X >= y) ^ (X != 0),
    "sum of masks": lambda X, Y, x, y, s: np.sum(X > 0, axis=0),
    "added masks": lambda X, Y, x, y, s: ((X > 0) + (X > -1)) * (X < 1),
    "mask times number": lambda X, Y, x, y, s: (X > 0) * X,
    "astype": lambda X, Y, x, y, s: (X > 0).astype(float) - X.astype(bool).astype(int),
    "maximum": lambda X, Y, x, y, s: np.maximum(X, 0) + np.minimum(y, s),
    "logaddexp": lambda X, Y, x, y, s: np.logaddexp(X, 0) + np.hypot(X, y) + np.arctan2(X, s),
    "logsumexp": lambda X, Y, x, y, s: logsumexp(X, axis=1) + logsumexp(X),
    "logsumexp keepdims": lambda X, Y, x, y, s: X - logsumexp(X, axis=(0, 1), keepdims=True),
    "softmax": lambda X, Y, x, y, s: softmax(X) + log_softmax(X, axis=0) + softmax(X, axis=None),
    "words": lambda X, Y, x, y, s: sigmoid(X) + softplus(X) + relu(X),
    "ones": lambda X, Y, x, y, s: ones(n, d) + zeros((n, d)) + full((n, d), s) + ones(d),
    "eye": lambda X, Y, x, y, s: eye(d) @ y + (eye(3) @ ones(3)).sum(),
    "dimension by array": lambda X, Y, x, y, s: n * X + X * n - X / n + n / (1 + X * X) + X**d - d,
    "dimension by constant": lambda X, Y, x, y, s: (n * C + C / n + np.float64(2) * n) * X,
    "functions of dimensions": lambda X, Y, x, y, s: np.sqrt(n) * X + np.log(n) + n**0.5 + 2**d - 1 / n,
    "shape": lambda X, Y, x, y, s: X * X.shape[0] + X.size + np.size(X) + np.shape(X)[1] + X.ndim + np.ndim(X),
    "len": lambda X, Y, x, y, s: X / len(X) + len(x),
    "builtin sum": lambda X, Y, x, y, s: sum(X) + sum(x) + sum([s, s]) + sum(c * s for c in (1, 2)),
    "builtin max": lambda X, Y, x, y, s: max(x) + min(y) + max(s, 0) - min(0, s, 1) + max([s, 1.0]) + max(2, 3),
    "loop": lambda X, Y, x, y, s: sum(row for row in np.broadcast_to(y, (2, 3))),
    "comparison": lambda X, Y, x, y, s: (X == 1) * 1.0 + (X <= 0) + (2 > X),
    "dimension arithmetic": lambda X, Y, x, y, s: ones(n + d, 2 * n - d)[: n * d - 9].sum() + ones(2 * n // 2)[0],
    "abs": lambda X, Y, x, y, s: abs(-X) + np.fabs(X) + (+X),
}


def declared(function: Callable[..., Any]) -> Any:
    """The function of X, Y, x, y and s as a loss, which sums what it gives."""

    @loss(wrt="X")
    def total(X: Matrix[n, d], Y: Matrix[d, k], x: Vector[n], y: Vector[d], s: Scalar):
        return np.sum(function(X, Y, x, y, s))

    return total


def declared_fixed(function: Callable[..., Any]) -> Any:
    """Likewise, with 3 in place of d."""

    @loss(wrt="X")
    def total(X: Matrix[n, 3], Y: Matrix[3, k], x: Vector[n], y: Vector[3], s: Scalar):
        return np.sum(function(X, Y, x, y, s))

    return total


def inputs() -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=4), rng.normal(size=3), 0.7]


def real_sum(result: Call) -> Call:
    """The call that the loss sums."""
    return result.args[0] if result.op == "sum" else result


FIXED = "loop,array on the left,array divided,array by traced,empty slice,dimension by constant".split(",")


@pytest.mark.parametrize("name", SAME)
def test_shapes_are_those_of_numpy(name: str) -> None:
    declare = declared_fixed if name in FIXED else declared
    made = declare(SAME[name])
    total = made(*inputs())
    seen: list[Any] = []
    watched = declare(lambda *args: seen.append(SAME[name](*args)) or seen[-1])
    watched(*inputs())
    shape = tuple(size.value(SIZES) for size in real_sum(made.tape.result).shape)
    expected = np.asarray(seen[-1])
    assert shape == expected.shape
    assert np.isfinite(total)
    assert real_sum(made.tape.result).boolean == (expected.dtype == bool)


@pytest.mark.parametrize("name", SAME)
def test_values_are_those_of_numpy(name: str) -> None:
    made = (declared_fixed if name in FIXED else declared)(SAME[name])
    values = {a.name: np.asarray(v) for a, v in zip(made.arguments, inputs(), strict=True)}
    assert float(evaluate(made.tape, values)) == pytest.approx(made(*inputs()), rel=1e-12)


def test_ufuncs_record_their_own_names() -> None:
    for name in set(UNARY) - {"softplus", "relu", "positive", "logical_not"}:
        function = getattr(np, name, None) or getattr(scipy.special, name)
        assert declared(lambda X, *_, f=function: f(X)).tape.result.args[0].op == name


def test_python_operators_record_numpy_names() -> None:
    table = {
        "add": lambda x: x + 1,
        "subtract": lambda x: 1 - x,
        "multiply": lambda x: 2 * x,
        "divide": lambda x: 1 / x,
        "power": lambda x: 2**x,
        "matmul": lambda x: x.T @ x,
        "negative": lambda x: -x,
        "less": lambda x: x < 1,
        "greater": lambda x: 1 < x,
    }
    for op, function in table.items():
        assert real_sum(declared(lambda X, *_, f=function: f(X)).tape.result).op == op


def test_what_changes_nothing_records_nothing() -> None:
    tape = declared(lambda X, Y, x, y, s: X[:, :].T.T[...] + X.copy() * (+s) + x.T[:0].sum()).tape
    assert [c.op for c in tape.calls()].count("getitem") == 1
    assert [c.op for c in tape.calls()].count("transpose") == 2


MISMATCHES = {
    "X @ x": (lambda X, Y, x, y, s: X @ x, "X @ x: (n, d) @ (n,) do not match: d against n", "X.T @ x has shape (d,)"),
    "X @ X": (lambda X, Y, x, y, s: X @ X, "(n, d) @ (n, d) do not match: d against n", "X.T @ X has shape (d, d)"),
    "Y @ X": (lambda X, Y, x, y, s: Y @ X, "(d, k) @ (n, d) do not match: k against n", "Y.T @ X.T has shape (k, n)"),
    "X @ s": (lambda X, Y, x, y, s: X @ s, "@ takes no scalar", "*"),
    "X + x": (
        lambda X, Y, x, y, s: X + x,
        "(n, d) and (n,) do not broadcast: d against n",
        "x[:, None] has shape (n, 1)",
    ),
    "x - X": (
        lambda X, Y, x, y, s: x - X,
        "(n,) and (n, d) do not broadcast: n against d",
        "x[:, None] has shape (n, 1)",
    ),
    "X + X.T": (lambda X, Y, x, y, s: X + X.T, "(n, d) and (d, n) do not broadcast: d against n", "X.T.T"),
    "numbers": (lambda X, Y, x, y, s: x + np.ones(3), "(n,) and (3,)", "literal 1"),
    "dot": (lambda X, Y, x, y, s: np.dot(X, x), "(n, d) dot (n,) do not match: d against n", "X.T @ x"),
    "inner": (lambda X, Y, x, y, s: np.inner(X, x), "(n, d) inner (n,) do not match", "last axes"),
    "vdot": (lambda X, Y, x, y, s: np.vdot(X, x), "(n, d) and (n,)", "one shape"),
    "trace": (lambda X, Y, x, y, s: np.trace(X), "(n, d), which is not square", ""),
    "axis": (lambda X, Y, x, y, s: X.sum(axis=2), "no axis 2", ""),
    "axis twice": (lambda X, Y, x, y, s: X.sum(axis=(0, -2)), "twice", ""),
    "squeeze": (lambda X, Y, x, y, s: np.squeeze(X, 0), "axis 0 has length n", "never taken for 1"),
    "broadcast_to": (lambda X, Y, x, y, s: np.broadcast_to(x, (n, d)), "(n,) does not broadcast to (n, d)", ""),
    "too many indices": (lambda X, Y, x, y, s: x[0, 0], "2 indices for an array of shape (n,)", ""),
    "stride": (lambda X, Y, x, y, s: x[::2], "stride of 2 over an axis of length n", "x[::-1]"),
    "beyond the end": (lambda X, Y, x, y, s: eye(3)[3], "presupposes 4 <= 3", ""),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_mismatches_say_both_shapes(name: str) -> None:
    function, message, hint = MISMATCHES[name]
    with pytest.raises(SpecError) as caught:
        _ = declared(function).tape
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.place is not None


def column_loss(function: Callable[..., Any]) -> Any:
    @loss(wrt="W")
    def f(X: Matrix[n, d], W: Matrix[d, 1], z: Matrix[n, 1], y: Vector[n]):
        return np.sum(function(X, W, z, y))

    return f


@pytest.mark.parametrize(
    "function",
    [
        lambda X, W, z, y: X @ W - y,
        lambda X, W, z, y: y * np.tanh(2 * (X @ W)),
        lambda X, W, z, y: z - y,
        lambda X, W, z, y: X.sum(axis=1, keepdims=True) + y,
        lambda X, W, z, y: np.where(z > 0, y, 0.0),
        lambda X, W, z, y: (X @ W)[:, :1] - y,
    ],
)
def test_a_column_against_a_vector_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(SpecError, match=r"would become \(n, n\)"):
        _ = column_loss(function).tape


@pytest.mark.parametrize(
    "function",
    [
        lambda X, W, z, y: y[:, None] - y,
        lambda X, W, z, y: np.expand_dims(np.tanh(y), 1) * y,
        lambda X, W, z, y: X.sum(axis=1)[:, None] + y,
        lambda X, W, z, y: (X @ W)[:, 0] - y,
        lambda X, W, z, y: X @ W - y[:, None],
        lambda X, W, z, y: X.max(axis=1, keepdims=True) + X,
        lambda X, W, z, y: z.T - y,
        lambda X, W, z, y: y @ z,
    ],
)
def test_a_column_that_was_asked_for_broadcasts(function: Callable[..., Any]) -> None:
    assert column_loss(function).tape.result.shape == ()
