"""What stands in NumPy code as people write it, and no protocol of NumPy's carries: lists of arrays as operands,
conversions to float, and arrays of dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from numpy.linalg import norm
from scipy.special import logsumexp

from gradgen import Indices, Matrix, Scalar, SpecError, Vector, dims, loss
from gradgen.fields import FLOAT
from gradgen.pipeline import generate_module
from gradgen.replay import Replay
from gradgen.spec import Loss

n, d = dims("n d")
SIZES = {"X": (3, 2), "x": (3,), "v": (2,), "s": ()}
Case = Callable[[Any, Any, Any, Any], Any]

LISTS: dict[str, Case] = {
    "sum": lambda X, x, v, s: np.sum([x, x**2], axis=0) @ x,
    "sum of tuples": lambda X, x, v, s: np.sum((X, 2 * X)),
    "mean": lambda X, x, v, s: np.mean([x, 2 * x, X @ v], 0) @ x,
    "max": lambda X, x, v, s: np.max([x, 2 * x, X @ v], axis=0) @ x,
    "min": lambda X, x, v, s: np.sum(np.min(a=[x, X @ v], axis=1)),
    "prod": lambda X, x, v, s: np.prod([s, 2.0, v[0]]),
    "std": lambda X, x, v, s: np.std([x, x**2]),
    "norm": lambda X, x, v, s: np.linalg.norm([s, 3.0]) + norm([v, 2 * v]),
    "nested": lambda X, x, v, s: np.sum(np.sum([[s, 2 * s], [v[0], 1]], axis=0) ** 2),
    "a ufunc": lambda X, x, v, s: np.sum(np.exp([s, v[0]])) + np.sum(np.maximum([s, v[1]], 0.5)),
    "a ufunc of scipy": lambda X, x, v, s: np.sum(scipy.special.expit([s, v[0]])),
    "logsumexp": lambda X, x, v, s: logsumexp([s, v[0], 1.0]) + np.sum(scipy.special.softmax([x, 2 * x], axis=0)[0]),
    "dot": lambda X, x, v, s: np.dot([1.0, 2.0], [s, v[0]]) + np.dot([s, 2 * s], [s, v[1]]),
    "einsum": lambda X, x, v, s: np.einsum("ki,i->", [v, 2 * v], v),
    "where": lambda X, x, v, s: np.sum(np.where([True, False], [s, 2.0], [1.0, s])),
    "array": lambda X, x, v, s: np.sum(
        np.array([[np.cos(s), -np.sin(s)], [np.sin(s), np.cos(s)]]) @ np.array([s, 2.0])
    ),
    "array of sizes": lambda X, x, v, s: s * np.sum(np.array([n, 2 * d, 1.0])),
}
CONVERSIONS: dict[str, Case] = {
    "asarray": lambda X, x, v, s: np.sum(np.asarray(x)) + np.sum(np.asanyarray(X, dtype=float)),
    "array with a dtype": lambda X, x, v, s: np.array(X, dtype=float)[0] @ np.array(v, dtype=np.float64, copy=True),
    "array of rank 2": lambda X, x, v, s: np.sum(np.array(x, dtype=float, ndmin=2) @ X),
    "contiguous": lambda X, x, v, s: np.sum(np.ascontiguousarray(X.T) @ x) + np.ascontiguousarray(s)[0],
    "astype": lambda X, x, v, s: np.sum(X.astype(float)) + np.sum(np.astype(x, np.float64)) + s.astype("float64"),
    "of a mask": lambda X, x, v, s: np.asarray(x > 0, dtype=float) @ x + np.sum(x > 0, dtype=int) * s,
    "to a mask": lambda X, x, v, s: np.sum(np.asarray(np.ones(2), dtype=bool) * s) + np.sum(x.astype(bool)),
    "as what another is": lambda X, x, v, s: np.sum(np.zeros(n, dtype=x.dtype) + x) + np.mean(X, dtype=X.dtype),
}
DIMENSIONS: dict[str, Case] = {
    "zeros": lambda X, x, v, s: np.sum(np.zeros(n) + x) + np.sum(np.zeros((n, d)) + X) + np.sum(np.zeros(X.shape)),
    "eye": lambda X, x, v, s: np.linalg.det(X.T @ X + s**2 * np.eye(d)) + np.sum(np.eye(X.shape[0], n) @ X),
    "tri": lambda X, x, v, s: np.sum(np.tri(n, d, -1) * X) + np.sum(np.tri(X.shape[0]) @ X),
    "identity": lambda X, x, v, s: np.sum(np.identity(n, dtype=float) @ X) + np.trace(np.identity(d + 1)) * s,
    "full": lambda X, x, v, s: np.full(n, 0.5) @ x + np.sum(np.full((n, d), s) * X) + np.sum(np.full(3, s)),
    "arange": lambda X, x, v, s: (
        np.arange(n) @ x + np.arange(1, n + 1, dtype=float) @ x + np.arange(2) @ np.arange(2) * s
    ),
    "likes": lambda X, x, v, s: np.sum(np.full_like(X, 2, dtype=int) * X) + np.zeros_like(x, dtype=float) @ x,
}

CASES = {**LISTS, **CONVERSIONS, **DIMENSIONS}


def declared(function: Case) -> Loss:
    @loss(wrt=("X", "x", "v", "s"))
    def f(X: Matrix[n, d], x: Vector[n], v: Vector[d], s: Scalar):
        return function(X, x, v, s) * 1.0

    return f


@pytest.mark.parametrize("function", CASES.values(), ids=CASES)
def test_the_trace_is_what_numpy_computes(function: Case) -> None:
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=size) for name, size in SIZES.items()}
    made = declared(function)
    found = Replay(made.tape, inputs, FLOAT).result({})
    np.testing.assert_allclose(np.asarray(found, dtype=float), made(**inputs), rtol=1e-13)


def test_a_conversion_is_no_call() -> None:
    tape = declared(lambda X, x, v, s: np.sum(np.asarray(np.array(X, dtype=float).astype(float)))).tape
    assert [c.op for c in tape.calls()] == ["argument", "sum", "constant", "multiply"]


def test_indices_are_what_they_are() -> None:
    @loss(wrt="X")
    def f(X: Matrix[n, d], y: Indices[n, d]):
        y = np.asarray(y, dtype=int)
        return np.sum(X[np.arange(n), y]) + np.sum(np.eye(d)[y] * X**2)

    X, y = np.arange(6.0).reshape(3, 2), np.array([1, 0, 1])
    assert np.ndim(Replay(f.tape, {"X": X, "y": y}, FLOAT).result({})) == 0
    assert f(X, y) == 1 + 2 + 5 + 1 + 4 + 25


def test_indices_are_numbers_where_they_are_asked_to_be() -> None:
    @loss(wrt="X")
    def f(X: Matrix[n, d], y: Indices[n, d]):
        return np.sum(np.asarray(y, dtype=float) @ X) + np.sum(y.astype(float)[:, None] * X.T[y.astype(int)])

    X, y = np.arange(6.0).reshape(3, 2), np.array([1, 0, 1])
    assert f(X, y) == float(Replay(f.tape, {"X": X, "y": y}, FLOAT).result({})) == (0 + 1 + 4 + 5) + 2 * (1 + 3 + 5)


def test_indices_alone_are_no_numbers() -> None:
    @loss(wrt="X")
    def f(X: Matrix[n, d], y: Indices[n, d]):
        return np.sum(y) + np.sum(X)

    with pytest.raises(SpecError, match="y holds indices"):
        _ = f.tape


def test_a_sum_of_a_list_is_a_sum_of_terms() -> None:
    source = generate_module(declared(lambda X, x, v, s: np.sum(np.exp(np.sum([x, X @ v], axis=0)))).tape)[0]
    assert "np.exp(X.dot(v) + x)" in source
