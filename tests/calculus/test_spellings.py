"""Spellings of one loss give one module, losses do not see one another, and what comes out by itself."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
from evaluate import symbols
from snippets import close, differences, draw, formula, kernel, loss, losses, statements

from gradgen import pipeline
from gradgen.adjoint import adjoint
from gradgen.associate import associate
from gradgen.atoms import call
from gradgen.derive import derive
from gradgen.differential import differential
from gradgen.factor import factor
from gradgen.flatten import flatten
from gradgen.lower import lower
from gradgen.nodes import Node, arena, symbol
from gradgen.rules import merge_masks, simplify, tidy
from gradgen.stable import stable
from gradgen.walk import order

REGRESSION = "X: Matrix[n, d], y: Vector[n], w: Vector[d]"
CLASSES = "X: Matrix[n, d], Y: Matrix[n, k, one_hot], W: Matrix[d, k]"

# ---- spellings of one loss

SPELLINGS: dict[str, tuple[str, str | tuple[str, ...], list[str]]] = {
    "the logarithm of one probability": (
        "s: Matrix[n, k], y: Indices[n, k]",
        "s",
        [
            "-log_softmax(s, axis=1)[np.arange(n), y][0]",
            "-np.log(softmax(s, axis=1)[np.arange(n), y][0])",
            "-np.log(softmax(s, axis=1)[np.arange(n), y])[0]",
            "-np.log((np.exp(s) / np.sum(np.exp(s), axis=1, keepdims=True))[np.arange(n), y][0])",
        ],
    ),
    "least squares": (
        REGRESSION,
        "w",
        [
            "np.sum((X @ w - y)**2)",
            "np.sum(np.square(X @ w - y))",
            "np.sum((X @ w - y) * (X @ w - y))",
            "(X @ w - y) @ (X @ w - y)",
            "np.inner(X @ w - y, w @ X.T - y)",
            "np.vdot(X @ w - y, X @ w - y)",
            "np.sum(((X * w[None, :]).sum(1) - y)**2)",
            "np.sum(((X * w).sum(axis=1) - y)**2)",
        ],
    ),
    "mean squares": (
        REGRESSION,
        "w",
        [
            "np.mean((X @ w - y)**2)",
            "np.sum((X @ w - y)**2) / n",
            "np.sum((X @ w - y)**2 / n)",
            "np.sum((X @ w - y)**2) / X.shape[0]",
            "(X @ w - y) @ (X @ w - y) / len(y)",
            "1 / n * np.sum((X @ w - y)**2)",
        ],
    ),
    "softplus": (
        REGRESSION,
        "w",
        [
            "np.sum(softplus(X @ w))",
            "np.sum(np.log(1 + np.exp(X @ w)))",
            "np.sum(np.log(np.exp(X @ w) + 1))",
            "np.sum(np.log1p(np.exp(X @ w)))",
            "np.sum(np.logaddexp(0, X @ w))",
            "np.sum(np.logaddexp(X @ w, 0.0))",
            "-np.sum(np.log(sigmoid(-(X @ w))))",
            "-np.sum(np.log(1 / (1 + np.exp(X @ w))))",
        ],
    ),
    "logistic": (
        "X: Matrix[n, d], y: Vector[n, sign], w: Vector[d]",
        "w",
        [
            "np.sum(np.log(1 + np.exp(-y * (X @ w))))",
            "np.sum(softplus(-(X @ w) * y))",
            "np.logaddexp(0, -y * (X @ w)).sum()",
            "-np.sum(np.log(sigmoid(y * (X @ w))))",
        ],
    ),
    "sigmoid": (
        REGRESSION,
        "w",
        ["y @ sigmoid(X @ w)", "y @ (1 / (1 + np.exp(-(X @ w))))", "np.sum(y / (1 + np.exp(-X @ w)))"],
    ),
    "logsumexp": (
        REGRESSION,
        "w",
        ["logsumexp(X @ w)", "np.log(np.sum(np.exp(X @ w)))", "np.log(np.exp(w @ X.T).sum())"],
    ),
    "log softmax": (
        CLASSES,
        "W",
        [
            "-np.sum(Y * log_softmax(X @ W, axis=1))",
            "-np.sum(Y * (X @ W - logsumexp(X @ W, axis=1, keepdims=True)))",
            "-np.sum(Y * (X @ W - np.log(np.exp(X @ W).sum(axis=1))[:, None]))",
        ],
    ),
    "a quadratic form": (
        "A: Matrix[n, n], X: Matrix[n, d]",
        "X",
        [
            "np.trace(X.T @ A @ X)",
            "np.sum(X * (A @ X))",
            "np.sum(X * (A.T @ X))",
            "np.trace(A @ X @ X.T)",
            "np.trace(X @ X.T @ A)",
            "np.vdot(X, A @ X)",
        ],
    ),
    "a factorization": (
        "X: Matrix[n, d], D: Matrix[n, k], R: Matrix[k, d]",
        ("D", "R"),
        [
            "np.sum((D @ R - X)**2)",
            "np.trace((D @ R - X) @ (D @ R - X).T)",
            "np.trace((D @ R - X).T @ (D @ R - X))",
            "np.vdot(D @ R - X, D @ R - X)",
        ],
    ),
    "a linear form": (REGRESSION, "w", ["y @ (X @ w)", "(X.T @ y) @ w", "np.sum(y * (X @ w))", "w @ X.T @ y"]),
    "a penalty": (
        "X: Matrix[n, d], w: Vector[d], s: Scalar",
        "w",
        ["s * w @ w", "s * (w @ w)", "w @ w * s", "np.sum(s * w**2)", "np.sum(w * w * s)"],
    ),
    "a norm": (REGRESSION, "w", ["np.sqrt(w @ w)", "np.sqrt(np.sum(w**2))", "(w @ w)**0.5"]),
    "norms of rows": (
        "X: Matrix[n, d]",
        "X",
        [
            "np.sum(np.sqrt((X**2).sum(axis=1)))",
            "np.sum(np.sqrt((X * X).sum(axis=1)))",
            "np.sum((X**2).sum(axis=1)**0.5)",
        ],
    ),
    "a Gaussian": ("w: Vector[d]", "w", ["np.sum(np.exp(-w**2 / 2))", "np.sum(np.exp(-0.5 * w * w))"]),
}


@pytest.mark.parametrize("said", SPELLINGS)
def test_spellings_of_one_loss_give_the_same_statements(said: str) -> None:
    signature, wrt, bodies = SPELLINGS[said]
    assert {statements(signature, body, wrt) for body in bodies} == {statements(signature, bodies[0], wrt)}


def renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), text)


@pytest.mark.parametrize(
    ("signature", "body", "wrt"),
    [
        (REGRESSION, "r = X @ w - y\nr @ r + d * (w @ w)", "w"),
        (CLASSES, "Z = X @ W\nnp.sum(logsumexp(Z, axis=1)) - np.sum(Y * Z)", "W"),
        ("A: Matrix[n, n], x: Vector[n]", "(x @ A @ x) / (x @ x)", "x"),
        ("x: Vector[n]", "np.sum((x[1:] - x[:-1])**2)", "x"),
    ],
)
def test_names_decide_nothing(signature: str, body: str, wrt: str) -> None:
    """Arguments, dimensions and locals under other names, which sort in another order."""
    names = {"X": "b", "y": "a", "w": "zz", "W": "aa", "Y": "zz", "A": "q1", "x": "a1"}
    names |= {"n": "m", "d": "k", "k": "d", "r": "Z", "Z": "r"}
    there = statements(renamed(signature, names), renamed(body, names), names[wrt])
    derived = {prefix + old: prefix + new for old, new in names.items() for prefix in ("d", "grad_", "hvp_")}
    found = renamed(statements(signature, body, wrt), names | derived)
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(there))


TWO = """
@loss(wrt="w")
def ridge(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar):
    r = X @ w - y
    return r @ r + lam * (w @ w)

@loss(wrt="w")
def poisson(X: Matrix[n, d], y: Vector[n], w: Vector[d]):
    z = X @ w
    return np.sum(np.exp(z) - y * z)
"""


def test_losses_built_together_do_not_see_one_another() -> None:
    together = {name: made.source() for name, made in losses(TWO).items()}
    first, second = TWO.strip().split("\n\n")
    assert {**sources(first), **sources(second)} == together


def sources(text: str) -> dict[str, str]:
    return {name: made.source() for name, made in losses(text).items()}


def test_two_runs_give_the_same_bytes() -> None:
    [made] = losses(TWO.split("@loss")[0] + "@loss" + TWO.split("@loss")[2]).values()
    assert pipeline.generate_module(made.tape) == pipeline.generate_module(made.tape)


# ---- formulas that come out by themselves

FORMULAS: dict[str, tuple[str, str, str | tuple[str, ...], str]] = {
    "least squares": (REGRESSION, "np.sum((X @ w - y)**2)", "w", "grad  = 2 Xᵀ (X w - y)"),
    "softmax regression": (
        CLASSES,
        "-np.sum(Y * log_softmax(X @ W, axis=1))",
        "W",
        "grad  = Xᵀ (softmax(X W) - Y)",
    ),
    "softmax regression, by logsumexp": (
        CLASSES,
        "Z = X @ W\nnp.sum(logsumexp(Z, axis=1)) - np.sum(Y * Z)",
        "W",
        "grad  = Xᵀ (softmax(X W) - Y)",
    ),
    "a quadratic form": (
        "A: Matrix[n, n], X: Matrix[n, d]",
        "np.trace(X.T @ A @ X)",
        "X",
        "grad  = (A + Aᵀ) X",
    ),
    "logistic regression": (
        "X: Matrix[n, d], y: Vector[n, boolean], w: Vector[d]",
        "z = X @ w\nnp.sum(np.logaddexp(0, z) - y * z)",
        "w",
        "grad  = Xᵀ (σ(X w) - y)",
    ),
    "Poisson regression": (REGRESSION, "z = X @ w\nnp.sum(np.exp(z) - y * z)", "w", "grad  = Xᵀ (exp(X w) - y)"),
    "a bilinear form": ("a: Vector[n], X: Matrix[n, d], b: Vector[d]", "a @ X @ b", "X", "grad  = a bᵀ"),
    "one class": (
        "x: Vector[n], y: Vector[k, one_hot], T: Matrix[k, n]",
        "-y @ log_softmax(T @ x)",
        "T",
        "grad  = (softmax(T x) - y) xᵀ",
    ),
    "weights of classes": (
        "x: Vector[n], y: Vector[k], T: Matrix[k, n]",
        "-y @ log_softmax(T @ x)",
        "T",
        "grad  = (sum(y) softmax(T x) - y) xᵀ",
    ),
    "classes of samples in rows": (
        "X: Matrix[n, d], T: Matrix[k, d], Y: Matrix[n, k, one_hot]",
        "-np.sum(Y * log_softmax(X @ T.T, axis=1))",
        "T",
        "grad  = (softmax(X Tᵀ) - Y)ᵀ X",
    ),
    "a partitioned quadratic form": (
        "A: Matrix[n, n], B: Matrix[n, m], C: Matrix[m, n], D: Matrix[m, m], X: Matrix[n, k], Y: Matrix[m, k]",
        "Z = np.vstack([X, Y])\nnp.trace(np.block([[A, B], [C, D]]) @ Z @ Z.T)",
        "Y",
        "grad  = (D + Dᵀ) Y + (Bᵀ + C) X",
    ),
    "a factorization": (
        "X: Matrix[n, d], D: Matrix[n, k], R: Matrix[k, d]",
        "np.sum((X - D @ R)**2)",
        "D",
        "grad  = 2 (D R - X) Rᵀ",
    ),
    "log sum exp of a Gram matrix": (
        "V: Matrix[n, d]",
        "np.log(np.sum(np.exp(V @ V.T)))",
        "V",
        "grad  = 2 softmax(V Vᵀ) V",
    ),
}


@pytest.mark.usefixtures("unformatted")
@pytest.mark.parametrize("said", FORMULAS)
def test_gradients_as_one_would_write_them(said: str) -> None:
    signature, body, wrt, wanted = FORMULAS[said]
    assert formula(signature, body, wrt).splitlines()[1] == wanted


@pytest.mark.usefixtures("unformatted")
@pytest.mark.parametrize("said", FORMULAS)
def test_those_gradients_are_right(said: str) -> None:
    signature, body, wrt, _ = FORMULAS[said]
    made = loss(signature, body, wrt)
    arguments = draw(made)
    assert close(made.compile().grad(*arguments), differences(made, arguments, str(wrt)), 1e-6)


def test_a_variable_that_is_the_loss_has_gradient_one() -> None:
    assert kernel(statements("s: Scalar", "s", "s"), "grad") == "return 1"


# ---- growth: nodes and text, counted


def grown(signature: str, start: str, step: str, times: int, result: str, wrt: str) -> str:
    """The statements of a loss with a loop."""
    return pipeline.statements(looped(signature, start, step, times, result, wrt).tape)


def looped(signature: str, start: str, step: str, times: int, result: str, wrt: str):
    text = f"@loss(wrt={wrt!r})\ndef f({signature}):\n    {start}\n    for i in range({times}):\n        {step}\n"
    return losses(text + f"    return {result}\n")["f"]


def nodes(signature: str, start: str, step: str, times: int, result: str, wrt: str) -> int:
    made = looped(signature, start, step, times, result, wrt)
    with arena():
        derived = derive(lower(made.tape), made.tape.wrt)
        return len(order([*derived.results["value"], *derived.results["gradient"]]))


LOOPS = {
    "a chain": ("x: Vector[n]", "z = x", "z = np.tanh(z) + 0.1", "z @ z", "x", 15),
    "repeated squares": ("P: Matrix[n, n]", "Q = P", "Q = Q @ Q", "np.sum(Q)", "P", 10),
    "a Fibonacci product": ("x: Vector[n], y: Vector[n]", "a, b = x, y", "a, b = b, a * b", "np.sum(b)", "x", 12),
    "a Fibonacci product of matrices": (
        "A: Matrix[n, n], B: Matrix[n, n]",
        "a, b = A, B",
        "a, b = b, a @ b",
        "np.sum(b)",
        "A",
        12,
    ),
    "a running sum": ("x: Vector[n]", "z = 0 * x", "z = z + np.sin(x * (i + 1))", "np.sum(z)", "x", 20),
    "a running sum of scalars": ("x: Vector[n]", "z = 0.0", "z = z + np.sum(np.sin(x * (i + 1)))", "z", "x", 20),
}


@pytest.mark.parametrize("said", LOOPS)
def test_nodes_grow_linearly(said: str) -> None:
    signature, start, step, result, wrt, times = LOOPS[said]
    short, long = (nodes(signature, start, step, k, result, wrt) for k in (times, 2 * times))
    assert long <= 2.5 * short


@pytest.mark.usefixtures("unformatted")
@pytest.mark.parametrize("said", LOOPS)
def test_text_grows_linearly(said: str) -> None:
    signature, start, step, result, wrt, times = LOOPS[said]
    short, long = (len(grown(signature, start, step, k, result, wrt)) for k in (times, 2 * times))
    assert long <= 2.6 * short


def test_a_chain_of_three_thousand_operations() -> None:
    """No pass recurses."""
    with arena():
        [s] = symbols("s:")
        ds = symbol("ds", 0, (), direction=True)
        value: Node = s
        for _ in range(3000):
            value = call("sin", value)
        gradient = adjoint(differential([value], {s: ds})[0], [ds])
        roots = [value, *gradient]
        for step in (simplify, flatten, factor, tidy, merge_masks, stable, associate):
            roots = step(roots, {})
        assert len(order(roots)) < 10_000


@pytest.mark.usefixtures("unformatted")
def test_twenty_repeated_squares_stay_small() -> None:
    assert len(grown("P: Matrix[n, n]", "Q = P", "Q = Q @ Q", 20, "np.sum(Q)", "P")) < 10_000


@pytest.mark.usefixtures("unformatted")
def test_twenty_five_fibonacci_products_stay_small() -> None:
    assert len(grown("x: Vector[n], y: Vector[n]", "a, b = x, y", "a, b = b, a * b", 25, "np.sum(b)", "x")) < 30_000


@pytest.mark.slow
def test_a_sum_of_two_thousand_terms() -> None:
    assert nodes("s: Scalar", "z = 0.0", "z = z + np.sin(s * (i + 1))", 2000, "z", "s") < 12_000


def test_long_chains_are_right() -> None:
    made = looped("x: Vector[n]", "z = x", "z = np.tanh(z) + 0.1", 30, "z @ z", "x")
    arguments = [np.linspace(-1, 1, 5)]
    assert close(made.compile().grad(*arguments), differences(made, arguments, "x"), 1e-7)
