"""Gradients and Hessians by differentials: rows S3-01 to S3-21."""

from __future__ import annotations

import numpy as np
import pytest
from documents import at, error, like, rows, same

# ---- rules


@rows("S3-01", "S3-01b")
def test_differential_of_an_affine_function_of_the_inverse() -> None:
    f = at("affine_inverse")
    A, B, X = f.inputs
    inverse, dX = np.linalg.inv(X), like(X)
    assert same(f.value(), A @ inverse + B)
    assert same(f.jvp(dX), -A @ inverse @ dX @ inverse)
    assert same(f.vjp(dX), -inverse.T @ A.T @ dX @ inverse.T)
    assert not hasattr(f.module, "grad"), "a matrix-valued function has no gradient"


@rows("S3-02")
def test_differential_of_a_quadratic_form() -> None:
    f = at("quadratic_trace")
    A, x = f.inputs
    dx = like(x)
    assert same(f.loss(), float(x @ A @ x))
    assert same(f.grad() @ dx, x @ (A + A.T) @ dx)
    assert same(f.grad(), at("quadratic_form", A=A, x=x).grad())


@rows("S3-03")
def test_differential_of_the_trace() -> None:
    f = at("trace_of_matrix")
    dX = like(f.inputs)
    assert same(np.sum(f.grad() * dX), np.trace(dX))
    assert same(f.grad(), np.eye(len(dX)))


@rows("S3-04")
def test_differential_of_the_determinant() -> None:
    f = at("determinant")
    X, inverse = f.inputs, np.linalg.inv(f.inputs)
    dX = like(X)
    P = inverse @ dX
    assert same(f.loss(), float(np.linalg.det(X)))
    assert same(np.sum(f.grad() * dX), np.linalg.det(X) * np.trace(P))
    assert same(f.grad(), np.linalg.det(X) * inverse.T)
    assert same(f.hvp(dX), np.linalg.det(X) * (np.trace(P) * inverse - P @ inverse).T)


@rows("S3-04")
def test_the_determinant_of_a_singular_matrix_has_a_gradient() -> None:
    """There det(X) X⁻¹ cannot be computed; the cofactors can."""
    f = at("determinant", X=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]))
    assert same(f.grad(), np.array([[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]))


@rows("S3-05")
def test_differential_of_a_multiple() -> None:
    f = at("scaling")
    alpha, X = f.inputs
    dX = like(X)
    assert same(f.value(), alpha * X)
    assert same(f.jvp(dX), alpha * dX)


@rows("S3-05b")
def test_four_rules_together() -> None:
    f = at("rules_together")
    c, X, Y = f.inputs
    inverse, dX = np.linalg.inv(X), like(X)
    assert same(np.sum(f.grad() * dX), float(c @ (dX @ Y - inverse @ dX @ inverse) @ c))
    assert same(f.grad(), np.outer(c, c) @ Y.T - inverse.T @ np.outer(c, c) @ inverse.T)


@rows("S3-05c")
def test_chain_rule() -> None:
    """det at y = A X⁻¹ + B, with dy = -A X⁻¹ dX X⁻¹."""
    f = at("chain_rule")
    A, B, X = f.inputs
    inverse, dX = np.linalg.inv(X), like(X)
    y, dy = A @ inverse + B, -A @ inverse @ dX @ inverse
    assert same(f.loss(), at("determinant", X=y).loss())
    assert same(np.sum(f.grad() * dX), np.sum(at("determinant", X=y).grad() * dy))
    assert same(f.grad(), -np.linalg.det(y) * inverse.T @ A.T @ np.linalg.inv(y).T @ inverse.T)


@rows("S3-21")
def test_differential_of_a_logarithm() -> None:
    f = at("log_rule")
    A, x = f.inputs
    g, dg = 1 + x @ A @ x, (A + A.T) @ x
    assert same(f.loss(), float(np.log(g)))
    assert same(f.grad(), dg / g)
    assert same(f.hessian(), (A + A.T) / g - np.outer(dg, dg) / g**2)


# ---- the gradient


def bracket(B, a, X):
    """det(X + B) log(aᵀ X⁻¹ a) (X + B)⁻¹ - det(X + B) / (aᵀ X⁻¹ a) X⁻¹ a aᵀ X⁻¹ - I, where the text stops."""
    inverse, determinant = np.linalg.inv(X), np.linalg.det(X + B)
    s = a @ inverse @ a
    first = determinant * np.log(s) * np.linalg.inv(X + B)
    return first - determinant / s * inverse @ np.outer(a, a) @ inverse - np.eye(len(X))


@rows("S3-06")
def test_determinant_times_logarithm() -> None:
    f = at("determinant_times_log")
    B, a, X = f.inputs
    assert same(f.loss(), float(np.linalg.det(X + B) * np.log(a @ np.linalg.inv(X) @ a) - np.trace(X)))
    assert same(f.grad(), bracket(B, a, X).T)


@rows("S3-06")
def test_curvature_of_determinant_times_logarithm() -> None:
    """By a complex step of the closed form, of which the square is below rounding."""
    f = at("determinant_times_log")
    B, a, X = f.inputs
    dX, step = like(X), 1e-30
    assert same(f.hvp(dX), bracket(B, a, X + 1j * step * dX).T.imag / step)


@rows("S3-07")
def test_the_bracket_is_not_the_gradient() -> None:
    """The text never takes the transpose. Where everything is symmetric, that does no harm."""
    f = at("determinant_times_log")
    B, a, X = f.inputs
    assert error(bracket(B, a, X), f.grad()) == pytest.approx(0.39, abs=0.005)
    B, X = B + B.T, X + X.T
    assert same(at("determinant_times_log", B=B, a=a, X=X).grad(), bracket(B, a, X))


@rows("S3-08")
def test_matrices_of_one_entry() -> None:
    f = at("determinant_times_log_scalar", b=0.3, a=1.7, x=0.9)
    b, a, x = f.inputs
    expected = np.log(a**2 / x) - (x + b) / x - 1
    matrix = at("determinant_times_log", B=np.full((1, 1), b), a=np.full(1, a), X=np.full((1, 1), x))
    assert same(f.grad(), expected)
    assert same(matrix.grad(), np.full((1, 1), expected))
    assert same(matrix.loss(), f.loss())


# ---- the Hessian


def update(x):
    """det(I + x xᵀ), S = (I + x xᵀ)⁻¹, and the gradient."""
    M = np.eye(len(x)) + np.outer(x, x)
    f, S = np.linalg.det(M), np.linalg.inv(M)
    return f, S, 2 * f * S @ x


@rows("S3-09", "S3-17")
def test_gradient_of_the_determinant_of_an_update() -> None:
    f = at("determinant_of_update")
    x, dx = f.inputs, like(f.inputs)
    value, S, gradient = update(x)
    assert same(f.loss(), value)
    assert same(f.grad() @ dx, 2 * value * x @ S @ dx)
    assert same(f.grad(), gradient)
    assert same(f.grad(), 2 * x)


@rows("S3-10", "S3-11")
def test_hessian_of_the_determinant_of_an_update() -> None:
    f = at("determinant_of_update")
    x = f.inputs
    value, S, gradient = update(x)
    last = (
        np.outer(gradient, S @ x)
        + value * S
        - value * np.outer(S @ x, S @ x)
        - value * np.trace(S @ np.outer(x, x)) * S
    )
    assert same(f.hessian(), 2 * np.eye(len(x)))
    assert same(f.hessian(), 2 * last)


@rows("S3-12", "S3-13", "S3-14", "S3-15")
@pytest.mark.parametrize("line", range(4))
def test_the_four_lines_of_the_hessian(line: int) -> None:
    f = at("determinant_of_update")
    x, one = f.inputs, np.eye(len(f.inputs))
    value, S, gradient = update(x)
    printed = (
        2 * np.outer(S @ x, gradient - value * S @ x) + 2 * value * (1 - np.trace(S @ np.outer(x, x))) * S,
        np.outer(S @ x, gradient) + (2 * value - gradient @ x) * S,
        np.outer(S @ x, gradient) - gradient @ x * S + 2 * value * S,
        2 * value * ((2 - x @ S @ x) * one - S) @ S,
    )
    assert same(f.hessian(), printed[line])


@rows("S3-20")
def test_curvature_of_the_determinant_of_an_update() -> None:
    f = at("determinant_of_update")
    v = like(f.inputs)
    assert same(f.hvp(v), 2 * v)
    assert same(at("determinant_lemma", x=f.inputs).hvp(v), 2 * v)


@rows("S3-16", "S3-17")
def test_determinant_lemma() -> None:
    f = at("determinant_lemma")
    x = f.inputs
    matrix = at("determinant_of_update", x=x)
    assert same(f.loss(), float(np.linalg.det(np.eye(len(x)) + np.outer(x, x))))
    assert same(f.loss(), matrix.loss())
    assert same(f.grad(), 2 * x) and same(f.grad(), matrix.grad())
    assert same(f.hessian(), matrix.hessian())


@rows("S3-18")
def test_sherman_morrison() -> None:
    f = at("sherman_morrison")
    x, one = f.inputs, np.eye(len(f.inputs))
    g = 1 + x @ x
    assert same(f.value(), x / g)
    assert same(f.jacobian(), one / g - 2 * np.outer(x, x) / g**2)


@rows("S3-19")
def test_dual_numbers_give_the_same_differential() -> None:
    """With a complex step for dx, of which the square is below rounding."""
    f = at("determinant_times_log")
    B, a, X = f.inputs
    dX, step = like(X), 1e-30
    moved = X + 1j * step * dX
    value = np.linalg.det(moved + B) * np.log(a @ np.linalg.inv(moved) @ a) - np.trace(moved)
    assert same(np.sum(f.grad() * dX), float(value.imag / step))
