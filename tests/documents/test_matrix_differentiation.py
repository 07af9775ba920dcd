"""Matrix Differentiation, notes of a machine learning course: rows S1-01 to S1-20."""

from __future__ import annotations

import numpy as np
import pytest
from documents import at, error, like, losses, rows, same

# ---- results from the lecture


@rows("S1-01")
def test_linear_form() -> None:
    f = at("linear_form")
    c, x = f.inputs
    assert same(f.loss(), float(np.sum(c * x)))
    assert same(f.grad(), c)


@rows("S1-02")
def test_squared_norm() -> None:
    f = at("squared_norm")
    assert same(f.loss(), float(np.sum(f.inputs**2)))
    assert same(f.grad(), 2 * f.inputs)
    assert same(f.hessian(), 2 * np.eye(len(f.inputs)))
    assert np.array_equal(at("squared_norm", x=0 * f.inputs).grad(), 0 * f.inputs), "smooth at 0, as |x| is not"


@rows("S1-03")
def test_linear_map() -> None:
    """The text's derivative Aᵀ is in denominator layout. The Jacobian is A; Aᵀ is what a vjp multiplies by."""
    f = at("linear_map")
    A, x = f.inputs
    c, dx = like(A[:, 0]), like(x)
    assert same(f.value(), A @ x)
    assert same(f.jvp(dx), A @ dx)
    assert same(f.vjp(c), A.T @ c)
    assert same(f.jacobian(), A)


@rows("S1-04")
def test_quadratic_form() -> None:
    f = at("quadratic_form")
    A, x = f.inputs
    assert same(f.loss(), float(np.sum(A * np.outer(x, x))))
    assert same(f.grad(), (A.T + A) @ x)
    assert same(f.hessian(), A + A.T)


@rows("S1-05")
def test_least_squares() -> None:
    f = at("least_squares")
    A, b, x = f.inputs
    assert same(f.grad(), 2 * A.T @ (A @ x - b))
    assert same(f.hessian(), 2 * A.T @ A)


@rows("S1-05b")
@pytest.mark.parametrize("name", ["bilinear_form", "softmax_sample", "linear_regression"])
def test_the_differential_is_the_inner_product_with_the_gradient(name: str) -> None:
    """df = Tr(Gᵀ dX), by a central difference of the spec, whose error is of the order of its square."""
    f = at(name)
    [variable] = f.made.wrt
    X, step = f.values[variable], 1e-4
    dX = like(X)
    sides = [at(name, **{**f.values, variable: X + sign * step * dX}).eager() for sign in (1, -1)]
    assert np.sum(f.grad() * dX) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-6)


@rows("S1-06")
def test_bilinear_form() -> None:
    f = at("bilinear_form")
    a, X, b = f.inputs
    assert same(f.loss(), float(np.sum(np.outer(a, b) * X)))
    assert same(f.grad(), np.outer(a, b))
    assert not np.any(f.hvp(like(X)))


# ---- differential rules


@rows("S1-07")
def test_differential_of_a_sum() -> None:
    f = at("sum_rule")
    X, Y, Z = f.inputs
    dX, dY, dZ = like(X), like(X, 1), like(X, 2)
    assert same(f.value(), X + Y - Z)
    assert same(f.jvp(dX, dY, dZ), dX + dY - dZ)
    assert same(f.vjp(dX), (dX, dX, -dX))


@rows("S1-08")
def test_differential_of_a_product() -> None:
    f = at("product_rule")
    X, Y = f.inputs
    dX, dY, C = like(X), like(Y, 1), like(X @ Y, 2)
    assert same(f.jvp(dX, dY), dX @ Y + X @ dY)
    assert same(f.vjp(C), (C @ Y.T, X.T @ C))


@rows("S1-09")
def test_differential_of_an_inverse() -> None:
    f = at("inverse_rule")
    X, inverse, dX = f.inputs, np.linalg.inv(f.inputs), like(f.inputs)
    assert same(f.value() @ X, np.eye(len(X)))
    assert same(f.jvp(dX), -inverse @ dX @ inverse)
    assert same(f.vjp(dX), -inverse.T @ dX @ inverse.T)


@rows("S1-10")
def test_differential_of_a_hadamard_product() -> None:
    f = at("hadamard_rule")
    X, Y = f.inputs
    dX, dY = like(X), like(Y, 1)
    assert same(f.jvp(dX, dY), dX * Y + X * dY)
    assert same(f.vjp(dX), (dX * Y, dX * X))


@rows("S1-11")
def test_differential_of_an_entrywise_function() -> None:
    """For the sine, which no spec names."""
    f = at("entrywise_rule")
    X, dX = f.inputs, like(f.inputs)
    assert same(f.value(), np.sin(X))
    assert same(f.jvp(dX), np.cos(X) * dX)
    assert same(f.vjp(dX), np.cos(X) * dX)


# ---- trace rules


@rows("S1-12")
def test_factors_may_be_swapped_under_the_trace() -> None:
    f = at("trace_product")
    X, Y = f.inputs
    swapped = at("trace_product_swapped", X=X, Y=Y)
    assert same(f.loss(), np.trace(Y @ X))
    assert same(swapped.loss(), np.trace(X @ Y))
    assert same(f.grad(), (Y.T, X.T)) and same(swapped.grad(), (Y.T, X.T))
    assert losses()["trace_product"].formula() == losses()["trace_product_swapped"].formula()


@rows("S1-13")
def test_trace_of_a_transpose() -> None:
    f = at("trace_transpose")
    assert same(f.loss(), np.trace(f.inputs))
    assert same(f.grad(), np.eye(len(f.inputs)))


@rows("S1-14")
def test_trace_of_a_sum() -> None:
    f = at("trace_sum")
    X, Y, Z = f.inputs
    one = np.eye(len(X))
    assert same(f.loss(), np.trace(X) + np.trace(Y) - np.trace(Z))
    assert same(f.grad(), (one, one, -one))


@rows("S1-14b")
def test_trace_of_a_number() -> None:
    f = at("trace_scalar", a=0.7)
    assert f.loss() == 0.7 and f.grad() == 1.0


@rows("S1-15")
def test_a_factor_moves_through_the_trace() -> None:
    f = at("hadamard_trace")
    X, Y, C = f.inputs
    assert same(f.loss(), np.trace((X * Y).T @ C))
    assert same(f.grad(), X * Y)


# ---- exercises


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


@rows("S1-16")
def test_linear_regression() -> None:
    f = at("linear_regression")
    X, y, theta = f.inputs
    assert same(f.loss(), float(np.linalg.norm(X @ theta - y) ** 2))
    assert same(f.grad(), 2 * X.T @ (X @ theta - y))


@rows("S1-17")
def test_softmax_regression() -> None:
    f = at("softmax_sample")
    Theta, x, y = f.inputs
    s, d = softmax(Theta @ x), like(Theta)
    assert same(f.loss(), float(-np.log(s[np.argmax(y)])))
    assert same(f.grad(), np.outer(s - y, x))
    assert same(f.hvp(d), np.outer(s * (d @ x) - s * (s @ d @ x), x))


@rows("S1-17", "S1-17b")
def test_the_expansion_uses_that_y_is_one_hot() -> None:
    f = at("softmax_sample_expanded")
    Theta, x, y = f.inputs
    assert same(f.loss(), at("softmax_sample", Theta=Theta, x=x, y=y).loss())
    assert same(f.grad(), np.outer(softmax(Theta @ x) - y, x))
    assert losses()["softmax_sample_expanded"].gradient == losses()["softmax_sample"].gradient


@rows("S1-18", "S1-18b")
def test_the_printed_gradient_needs_one_hot_labels() -> None:
    f = at("softmax_sample_any", y=np.array([1.0, 0.0, 1.0, 0.0]))
    Theta, x, y = f.inputs
    s = softmax(Theta @ x)
    assert same(f.grad(), np.outer(np.sum(y) * s - y, x))
    assert error(np.outer(s - y, x), f.grad()) == pytest.approx(0.40, abs=0.005)
    one_hot = np.eye(len(y))[1]
    assert same(at("softmax_sample_any", Theta=Theta, x=x, y=one_hot).grad(), np.outer(s - one_hot, x))


@rows("S1-19")
def test_several_samples() -> None:
    f = at("softmax_samples")
    X, Y, Theta = f.inputs
    assert same(f.loss(), sum(at("softmax_sample", Theta=Theta, x=x, y=y).loss() for x, y in zip(X, Y, strict=True)))
    assert same(f.grad(), (softmax(X @ Theta.T) - Y).T @ X)
    assert same(f.grad(), sum(at("softmax_sample", Theta=Theta, x=x, y=y).grad() for x, y in zip(X, Y, strict=True)))


@rows("S1-20")
def test_a_sum_of_products_is_an_inner_product() -> None:
    """1ᵀ (u ∘ v) needs the parentheses: (1ᵀ u) ∘ v, as it is printed, is a vector."""
    f = at("hadamard_sum")
    u, v = f.inputs
    assert same(f.loss(), float(u @ v))
    assert same(f.grad(), (v, u))
    assert np.shape((np.ones(len(u)) @ u) * v) == v.shape != np.shape(f.loss())
