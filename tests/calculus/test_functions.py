"""`@function` results, and symmetric variables in both conventions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from snippets import close, draw, loss, losses

from gradgen.derive import derive
from gradgen.lower import lower
from gradgen.nodes import arena

pytestmark = pytest.mark.usefixtures("unformatted")

SQUARE = "A: Matrix[n, n], B: Matrix[n, n], x: Vector[n]"


def function(signature: str, body: str, wrt: str | tuple[str, ...], **options: str) -> Any:
    return loss(signature, body, wrt, kind="function", **options)


def drawn(made: Any, seed: int = 0) -> dict[str, Any]:
    """Arguments with square matrices far from singular ones, and symmetric where that is said."""
    found = dict(zip([a.name for a in made.tape.arguments], draw(made, seed), strict=True))
    for argument in made.tape.arguments:
        value = found[argument.name]
        if argument.kind == "Symmetric":
            value = value + value.T
        if np.ndim(value) == 2 and value.shape[0] == value.shape[1]:
            found[argument.name] = value + 7 * np.eye(len(value))
    return found


def direction(made: Any, name: str, at: dict[str, Any], seed: int = 5) -> Any:
    found = np.random.default_rng(seed).standard_normal(np.shape(at[name]))
    return found + found.T if made.tape.argument(name).kind == "Symmetric" else found


FUNCTIONS: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "a product": (SQUARE, "A @ x", "x"),
    "a product, by both": (SQUARE, "A @ x", ("A", "x")),
    "A X⁻¹ + B": ("A: Matrix[n, n], B: Matrix[n, n], X: Matrix[n, n]", "A @ np.linalg.inv(X) + B", "X"),
    "A X⁻¹ + B, by all": (
        "A: Matrix[n, n], B: Matrix[n, n], X: Matrix[n, n]",
        "A @ np.linalg.inv(X) + B",
        tuple("ABX"),
    ),
    "a solution": (SQUARE, "np.linalg.solve(A, x)", ("A", "x")),
    "a solution, by its right side": (SQUARE, "np.linalg.solve(A.T, x)", "x"),
    "solutions": ("A: Matrix[n, n], X: Matrix[n, d]", "np.linalg.solve(A, X)", ("A", "X")),
    "a softmax": (SQUARE, "softmax(x)", "x"),
    "a direction": (SQUARE, "x / np.linalg.norm(x)", "x"),
    "parts": ("x: Vector[n], y: Vector[m]", "np.concatenate([x, np.exp(y), x[::-1]])", ("x", "y")),
    "parts, by one": ("x: Vector[n], y: Vector[m]", "np.concatenate([np.sin(x), y])", "x"),
    "a block matrix": (
        "A: Matrix[n, n], x: Vector[n], s: Scalar",
        "np.block([[A, x[:, None]], [x[None, :], s * ones(1, 1)]])",
        ("A", "x", "s"),
    ),
    "an outer product": (SQUARE, "np.outer(x, x)", "x"),
    "a diagonal matrix": (SQUARE, "np.diag(x) @ A", ("x", "A")),
    "a diagonal": (SQUARE, "np.diag(A @ B)", "A"),
    "a determinant": (SQUARE, "np.linalg.det(A)", "A"),
    "an adjugate": (SQUARE, "np.linalg.det(A) * np.linalg.inv(A)", "A"),
    "norms": ("X: Matrix[n, d]", "np.linalg.norm(X, axis=1)", "X"),
    "a slice": ("X: Matrix[n, d]", "X[1:, 0]", "X"),
    "differences": (SQUARE, "x[1:] - x[:-1]", "x"),
    "the argument": (SQUARE, "x", "x"),
    "another argument": (SQUARE, "x", "A"),
    "a transpose": ("X: Matrix[n, d]", "X.T", "X"),
    "a constant": (SQUARE, "0 * x + 2", "x"),
    "a number": (SQUARE, "x @ A @ x", ("x", "A")),
    "of a number": ("s: Scalar, x: Vector[n]", "s * x", "s"),
    "three axes": ("X: Matrix[n, d]", "X[:, None, :] * X[None]", "X"),
    "a branch": (SQUARE, "np.where(x > 0, x**2, np.sin(x))", "x"),
    "of a symmetric matrix": ("S: Symmetric[n], B: Matrix[n, n]", "S @ B @ S", "S"),
    "the inverse of a symmetric matrix": ("S: Symmetric[n], x: Vector[n]", "np.linalg.inv(S) @ x", ("S", "x")),
}


@pytest.mark.parametrize("said", FUNCTIONS)
def test_functions_have_value_jvp_vjp_and_jacobian(said: str) -> None:
    """The value is the spec's, the jvp its difference, and <c, jvp(d)> = <vjp(c), d>."""
    signature, body, wrt = FUNCTIONS[said]
    made = function(signature, body, wrt)
    module: Any = made.compile()
    at, names = drawn(made), made.tape.wrt
    d = {name: direction(made, name, at) for name in names}
    value = np.asarray(made(**at))
    step = 1e-6
    sides = [made(**at | {name: at[name] + sign * step * d[name] for name in names}) for sign in (1, -1)]
    tangent = module.jvp(*at.values(), *d.values())
    assert close(module.value(**at), value, 1e-10)
    assert np.shape(tangent) == value.shape
    assert close(tangent, np.subtract(*sides) / (2 * step), 1e-6)
    c = np.random.default_rng(9).standard_normal(value.shape)
    pulled = module.vjp(*at.values(), c)
    pulled = pulled if made.tape.several else (pulled,)
    assert [np.shape(p) for p in pulled] == [np.shape(at[name]) for name in names]
    assert close(np.vdot(c, tangent), sum(np.vdot(p, e) for p, e in zip(pulled, d.values(), strict=True)), 1e-9)
    squared = value.ndim == 1 and len(names) == 1 and np.ndim(at[names[0]]) == 1
    assert hasattr(module, "jacobian") == squared
    if squared:
        jacobian = module.jacobian(**at)
        assert jacobian.shape == (*value.shape, *np.shape(at[names[0]]))
        assert close(jacobian @ d[names[0]], tangent, 1e-10)
        assert close(c @ jacobian, pulled[0], 1e-10)


@pytest.mark.parametrize("said", FUNCTIONS)
def test_functions_keep_float32(said: str) -> None:
    made = function(*FUNCTIONS[said])
    module: Any = made.compile()
    at = {name: np.asarray(value, dtype=np.float32)[()] for name, value in drawn(made).items()}
    d = {name: np.asarray(direction(made, name, at), dtype=np.float32)[()] for name in made.tape.wrt}
    value = module.value(**at)
    pulled = module.vjp(*at.values(), np.asarray(value))
    for found in (value, module.jvp(*at.values(), *d.values()), *(pulled if made.tape.several else (pulled,))):
        assert not np.ndim(found) or found.dtype == np.float32
        assert not any(np.shares_memory(found, argument) for argument in (*at.values(), *d.values()))


def derived(made: Any) -> Any:
    with arena():
        return derive(lower(made.tape), made.tape.wrt)


def test_the_results_of_a_loss_and_of_a_function() -> None:
    by_vector, by_matrix = ("x: Vector[n]", "np.sum(np.exp(x))", "x"), ("X: Matrix[n, d]", "np.sum(np.exp(X))", "X")
    assert list(derived(loss(*by_vector)).results) == ["value", "gradient", "product", "hessian"]
    assert list(derived(loss(*by_matrix)).results) == ["value", "gradient", "product"]
    assert list(derived(function(*FUNCTIONS["a softmax"])).results) == ["value", "tangent", "pullback", "jacobian"]
    assert list(derived(function(*FUNCTIONS["a product, by both"])).results) == ["value", "tangent", "pullback"]


def test_each_result_has_a_node_for_each_variable() -> None:
    found = derived(loss(SQUARE, "x @ A @ x", ("A", "x")))
    assert {name: len(nodes) for name, nodes in found.results.items()} == {"value": 1, "gradient": 2, "product": 2}
    pulled = derived(function(SQUARE, "A @ x", ("A", "x")))
    assert {name: len(nodes) for name, nodes in pulled.results.items()} == {"value": 1, "tangent": 1, "pullback": 2}
    assert pulled.of(pulled.roots).results == pulled.results


def test_the_jacobian_of_a_linear_function_is_its_matrix() -> None:
    with arena():
        lowered = lower(function(SQUARE, "A @ x", "x").tape)
        assert derive(lowered, ("x",)).results["jacobian"] == (lowered.symbols["A"],)


def test_the_gradient_of_a_number_is_its_pullback() -> None:
    made, alone = function(SQUARE, "x @ A @ x", ("A", "x")), loss(SQUARE, "x @ A @ x", ("A", "x"))
    at = drawn(made)
    assert close(made.compile().vjp(*at.values(), 1.0), alone.compile().grad(**at))


# ---- symmetric variables

SYMMETRIC: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "a linear form": ("S: Symmetric[n], B: Matrix[n, n]", "np.sum(B * S)", "S"),
    "a trace": ("S: Symmetric[n]", "np.trace(S)", "S"),
    "a square": ("S: Symmetric[n]", "np.sum(S**2)", "S"),
    "a quadratic form": ("S: Symmetric[n], x: Vector[n]", "x @ S @ x", ("S", "x")),
    "a square of products": ("S: Symmetric[n], B: Matrix[n, n]", "np.sum((B @ S @ S)**2)", "S"),
    "a log-determinant": ("S: Symmetric[n], B: Matrix[n, n]", "logdet(S) - np.trace(B @ S)", "S"),
    "a determinant": ("S: Symmetric[n], B: Matrix[n, n]", "np.linalg.det(S) + np.linalg.det(S + B)", "S"),
    "an inverse": ("S: Symmetric[n], x: Vector[n]", "x @ np.linalg.solve(S, x)", ("S", "x")),
    "an entry of an inverse": ("S: Symmetric[n]", "np.linalg.inv(S)[0, 1]", "S"),
    "an entry": ("S: Symmetric[n]", "S[0, 1]**2 + S[1, 0]**3 + S[2, 2]", "S"),
    "a row": ("S: Symmetric[n]", "np.sum(S[0]**3)", "S"),
    "a slice": ("S: Symmetric[n]", "np.sum(S[1:, :-1]**2 * S[:-1, 1:])", "S"),
    "a diagonal": ("S: Symmetric[n]", "np.sum(np.diag(S)**3) + np.sum(np.diag(S @ S))", "S"),
    "functions": ("S: Symmetric[n], x: Vector[n]", "np.sum(np.exp(S) @ x) + np.sum(np.tanh(S @ S))", "S"),
    "a softmax of rows": ("S: Symmetric[n], B: Matrix[n, n]", "np.sum(B * softmax(S, axis=1))", "S"),
    "norms of rows": ("S: Symmetric[n], x: Vector[n]", "x @ np.linalg.norm(S, axis=1) + np.linalg.norm(S)", "S"),
    "in a block matrix": (
        "S: Symmetric[n], X: Matrix[n, d], T: Symmetric[d]",
        "logdet(np.block([[S, X], [X.T, T]])) + np.sum(np.block([[S, X], [X.T, T]])**3)",
        ("S", "X", "T"),
    ),
    "two of them": ("S: Symmetric[n], T: Symmetric[n]", "np.trace(S @ T @ S @ T) + logdet(S + T)", ("S", "T")),
    "a linear form of a broadcast vector": ("S: Symmetric[n], x: Vector[n]", "np.sum(S * x) + np.sum(S @ x)", "S"),
    "what does not vary": ("S: Symmetric[n], x: Vector[n]", "x @ x", ("S", "x")),
}
CONVENTIONS: dict[str, dict[str, str]] = {"of the inner product": {}, "by entries": {"symmetric": "entries"}}


def slope(made: Any, at: dict[str, Any], name: str, by_entries: bool) -> np.ndarray:
    """The gradient by a symmetric matrix: both entries of a pair move together, and share the slope unless it is by
    entries."""
    step, base = 1e-6, at[name]
    found = np.zeros(base.shape)
    for i, j in np.ndindex(*base.shape):
        moved = np.zeros(base.shape)
        moved[i, j] = moved[j, i] = step
        both = (made(**at | {name: base + moved}) - made(**at | {name: base - moved})) / (2 * step)
        found[i, j] = both if i == j or by_entries else both / 2
    return found


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("said", SYMMETRIC)
def test_gradients_by_symmetric_variables(said: str, convention: str) -> None:
    options = CONVENTIONS[convention]
    made = loss(*SYMMETRIC[said], **options)
    module: Any = made.compile()
    at = drawn(made)
    gradients = module.grad(**at)
    gradients = gradients if made.tape.several else (gradients,)
    assert close(module.loss(**at), made(**at), 1e-10)
    for name, gradient in zip(made.tape.wrt, gradients, strict=True):
        if made.tape.argument(name).kind == "Symmetric":
            assert close(gradient, gradient.T, 1e-12)
            assert close(gradient, slope(made, at, name, bool(options)), 1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("said", SYMMETRIC)
def test_hessian_products_of_symmetric_variables(said: str, convention: str) -> None:
    """The difference of gradients along symmetric directions."""
    made = loss(*SYMMETRIC[said], **CONVENTIONS[convention])
    module: Any = made.compile()
    at = drawn(made)
    d = {name: direction(made, name, at) for name in made.tape.wrt}
    step = 1e-6
    sides = [module.grad(**at | {name: at[name] + sign * step * d[name] for name in d}) for sign in (1, -1)]
    found = module.hvp(*at.values(), *d.values())
    if not made.tape.several:
        found, sides = (found,), [(side,) for side in sides]
    for product, ahead, behind in zip(found, *sides, strict=True):
        assert close(product, (ahead - behind) / (2 * step), 1e-6)


def test_the_two_conventions() -> None:
    """tr(Aᵀ S): (A + Aᵀ) / 2 by the inner product of matrices, A + Aᵀ - diag(A) by the entries."""
    signature, body = "S: Symmetric[n], A: Matrix[n, n]", "np.trace(A.T @ S)"
    A = np.arange(9.0).reshape(3, 3)
    inner, entries = (loss(signature, body, "S", **options).compile() for options in CONVENTIONS.values())
    assert close(inner.grad(np.eye(3), A), (A + A.T) / 2)
    assert close(entries.grad(np.eye(3), A), A + A.T - np.diag(np.diag(A)))


def test_a_symmetric_gradient_is_not_symmetrised() -> None:
    """S⁻¹ is symmetric as it stands."""
    assert loss("S: Symmetric[n]", "logdet(S)", "S").formula().splitlines()[1] == "grad  = S⁻¹"


def test_functions_in_one_file() -> None:
    """What is derived together stays apart."""
    text = "".join(
        f"@function(wrt='x')\ndef f{k}(A: Matrix[n, n], x: Vector[n]):\n    return {k} * np.sin(A @ x)\n"
        for k in range(1, 6)
    )
    at = {"A": np.eye(3), "x": np.arange(3.0)}
    for k, made in enumerate(losses(text).values(), start=1):
        module: Any = made.compile()
        assert close(module.jvp(**at, dx=np.ones(3)), k * np.cos(np.arange(3.0)))


def test_tangent_and_pullback_are_adjoint_as_nodes() -> None:
    with arena():
        found = derive(lower(function(SQUARE, "np.tanh(A @ x)", ("A", "x")).tape), ("A", "x"))
        assert [node.shape for node in found.results["pullback"]] == [v.shape for v in found.wrt]
        assert found.cotangent is not None and found.cotangent.shape == found.results["tangent"][0].shape
