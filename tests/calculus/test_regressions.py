"""Faults that were found once: each spec became a wrong number, a crash, a wide dtype or an unstable module."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from snippets import close, differences, draw, kernel, loss, losses, statements, unhoisted

from gradgen import pipeline

pytestmark = pytest.mark.usefixtures("unformatted")

R = "X: Matrix[n, d], y: Vector[n], w: Vector[d]"
V = "X: Matrix[n, d], v: Vector[n], u: Vector[n], s: Scalar, P: Vector[n]"


def right(sig, body, wrt, tol=1e-6):
    made = loss(sig, body, wrt)
    m = made.compile()
    a = draw(made)
    assert close(m.loss(*a), made(*a))
    names, gradients = ((wrt,), (m.grad(*a),)) if isinstance(wrt, str) else (wrt, m.grad(*a))
    for w, g in zip(names, gradients, strict=True):
        assert close(g, differences(made, a, w), tol), w
    return made, m, a


@pytest.mark.parametrize(
    "bodies",
    [
        ["np.sum((X @ w - y)**2)", "np.sum((y - X @ w)**2)"],
        ["np.sum(np.abs(X @ w - y))", "np.sum(np.abs(y - X @ w))"],
        ["np.sum(np.log(np.cosh(X @ w - y)))", "np.sum(np.log(np.cosh(y - X @ w)))"],
        ["np.sum(np.maximum(0, 1 - y * (X @ w))**2)", "np.sum(np.maximum(1 - y * (X @ w), 0)**2)"],
        ["np.sum((X @ w - y)**2)", "np.sum(np.abs(X @ w - y)**2)"],
        [
            "-np.sum(y * np.log(sigmoid(X @ w)) + (1 - y) * np.log(1 - sigmoid(X @ w)))",
            "-np.sum(y * np.log(sigmoid(X @ w)) + (1 - y) * np.log(sigmoid(-(X @ w))))",
        ],
    ],
)
def test_spellings(bodies):
    assert statements(R, bodies[0], "w") == statements(R, bodies[1], "w")


def test_spellings_factorization():
    sig, wrt = "X: Matrix[n, d], D: Matrix[n, k], R: Matrix[k, d]", ("D", "R")
    assert statements(sig, "np.sum((X - D @ R)**2)", wrt) == statements(sig, "np.sum((D @ R - X)**2)", wrt)


def test_spellings_of_cross_entropy():
    sig = "X: Matrix[n, d], Y: Matrix[n, k, one_hot], W: Matrix[d, k]"
    assert statements(sig, "-np.sum(Y * np.log(softmax(X @ W, axis=1)))", "W") == statements(
        sig, "-np.sum(Y * log_softmax(X @ W, axis=1))", "W"
    )


def test_cross_entropy_far_out():
    sig = "X: Matrix[n, d], Y: Matrix[n, k, one_hot], W: Matrix[d, k]"
    made = loss(sig, "-np.sum(Y * np.log(softmax(X @ W, axis=1)))", "W")
    m = made.compile()
    X, Y, W = draw(made)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(m.loss(1e3 * X, Y, W)) and np.isfinite(m.grad(1e3 * X, Y, W)).all()


def test_logistic_far_out():
    sig = "X: Matrix[n, d], y: Vector[n, boolean], w: Vector[d]"
    made = loss(sig, "q_ = sigmoid(X @ w)\n-np.sum(y * np.log(q_) + (1 - y) * np.log(1 - q_))", "w")
    m = made.compile()
    X, y, w = draw(made)
    with np.errstate(all="raise", under="ignore"):
        assert (
            np.isfinite(m.loss(1e3 * X, y, w))
            and np.isfinite(m.grad(1e3 * X, y, w)).all()
            and np.isfinite(m.hvp(1e3 * X, y, w, w)).all()
        )


@pytest.mark.parametrize(
    "body",
    [
        "np.where(v > 0, 1, 0)",
        "np.where(v > 0, 1, 0.5)",
        "np.where(v > 0, 1, 0) * v",
        "np.full_like(v, 1 / n)",
        "n * ones(n)",
        "ones(n) / n",
    ],
)
def test_dtype(body):
    made = loss(V, f"np.sum(P * ({body}))", "P")
    assert made.compile().grad(*draw(made, dtype=np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    "body",
    [
        "np.max((v > 0) * 1) - np.max((u > 0) * 1)",
        "np.max((v > 0) * 1) + np.max((u > 0) * 1)",
        "s * np.max((v > 0) * 1)",
    ],
)
def test_max_of_masks(body):
    right(V, f"np.sum(P) * ({body})", ("P", "s"))


def test_mask_of_dimensions():
    right(V, "np.sum(P * v * (n > d))", "P")


@pytest.mark.parametrize("size", ["d - n", "n - d", "n * (d - n)"])
def test_division_by_a_negative_size(size):
    right(V, f"np.sum(P * v / ({size}))", "P")
    right(V, f"np.sum(P * v) / ({size})", "P")


@pytest.mark.parametrize("body", ["s * np.sum(X @ X.T)", "s * np.sum(X.T @ X)", "np.sum(X @ X.T) * np.sum(v)"])
def test_scalars_times_sums(body):
    right(V, body + " + P @ P", ("X", "P"))


def test_argument_called_float():
    right("float: Vector[n], w: Vector[n]", "float @ w / np.sqrt(n) + w @ w", "w")


@pytest.mark.parametrize("shape", ["1, d", "n, 1", "1, 1"])
def test_no_hessian_of_a_matrix(shape):
    made = loss(f"X: Matrix[{shape}]", "np.sum(X**3)", "X")
    assert not hasattr(made.compile(), "hessian")


def depth(node):
    best, stack = 0, [(node, 1)]
    while stack:
        x, d = stack.pop()
        best = max(best, d)
        stack += [(c, d + 1) for c in ast.iter_child_nodes(x)]
    return best


@pytest.mark.parametrize(
    ("sig", "start", "step", "result", "wrt"),
    [
        ("x: Vector[n]", "z = 0 * x", "z = z + np.sin(x * (i + 1))", "np.sum(z)", "x"),
        ("x: Vector[n], A: Matrix[n, n]", "z = x", "z = np.sin(A @ z) * 0.5 + x", "z @ z", "x"),
        ("s: Scalar", "z = 0.0", "z = z + np.sin(s * (i + 1))", "z", "s"),
    ],
)
def test_depth_of_statements(sig, start, step, result, wrt):
    loop = f"    for i in range(120):\n        {step}\n"
    text = f"@loss(wrt={wrt!r})\ndef f({sig}):\n    {start}\n{loop}    return {result}\n"
    found = pipeline.statements(losses(text)["f"].tape)
    assert max(depth(s) for f in ast.parse(found).body for s in f.body) < 50


def test_no_unused_size():
    text = kernel(unhoisted(loss("A: Matrix[n, n], P: Matrix[n, n]", "np.sum(P * (A * eye(n)))", "P"), "grad"), "grad")
    assert "n =" not in text, text
