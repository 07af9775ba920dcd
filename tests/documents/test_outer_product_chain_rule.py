"""Derivative of a matrix: outer product chain rule: rows S2-01 to S2-09. The unknown f is the sine here."""

from __future__ import annotations

import numpy as np
import pytest
from documents import at, error, like, losses, refused, rows, same


@rows("S2-01", "S2-05")
def test_gradient_of_the_squared_column_sums() -> None:
    f = at("column_sums")
    X, V = f.inputs
    Phi, slope = np.sin(X @ V), np.cos(X @ V)
    one = np.ones((len(X), 1))
    sums = one.T @ Phi
    assert same(f.loss(), np.sum(sums**2))
    assert same(f.grad(), 2 * X.T @ ((one @ one.T @ Phi) * slope))
    assert same(f.grad(), 2 * X.T @ (sums * slope))


@rows("S2-01")
def test_curvature_of_the_squared_column_sums() -> None:
    f = at("column_sums")
    X, V = f.inputs
    dV = like(V)
    Phi, slope, dZ = np.sin(X @ V), np.cos(X @ V), X @ dV
    sums, dsums = Phi.sum(axis=0), (slope * dZ).sum(axis=0)
    assert same(f.hvp(dV), 2 * X.T @ (dsums * slope - sums * Phi * dZ))


@rows("S2-02")
def test_the_attempt_of_the_question_is_wrong() -> None:
    f = at("column_sums")
    X, V = f.inputs
    attempt = 2 * X.T @ (np.sin(X @ V) * np.cos(X @ V))
    assert error(attempt, f.grad()) == pytest.approx(1.00, abs=0.005)


@rows("S2-04")
def test_the_expansion_is_the_same_function() -> None:
    f = at("column_sums")
    X, V = f.inputs
    expanded = at("column_sums_expanded", X=X, V=V)
    assert same(expanded.loss(), f.loss())
    assert same(expanded.grad(), f.grad())
    assert losses()["column_sums_expanded"].formula() == losses()["column_sums"].formula()


@rows("S2-04")
def test_a_transpose_too_many_is_refused() -> None:
    """The question prints 1ᵀ f(X V) f(X V)ᵀ 1ᵀ."""
    Phi = np.sin(at("column_sums").inputs[0])
    one = np.ones((1, len(Phi)))
    with pytest.raises(ValueError, match="mismatch"):
        one @ Phi @ Phi.T @ one
    error = refused("Phi: Matrix[t, m]", "np.sum(ones(1, t) @ Phi @ Phi.T @ ones(1, t))", "Phi")
    assert error.place is not None and "(1, t)" in str(error)


@rows("S2-03")
def test_gradient_by_the_outer_matrix() -> None:
    f = at("column_sums_outer")
    one = np.ones((len(f.inputs), 1))
    assert same(f.loss(), np.sum((one.T @ f.inputs) ** 2))
    assert same(f.grad(), 2 * one @ one.T @ f.inputs)


@rows("S2-06")
def test_any_weights() -> None:
    f = at("weighted_column_sums")
    v, X, V = f.inputs
    Phi, slope = np.sin(X @ V), np.cos(X @ V)
    assert same(f.loss(), np.sum((v @ Phi) ** 2))
    assert same(f.grad(), 2 * X.T @ (np.outer(v, v @ Phi) * slope))
    assert same(at("weighted_column_sums", v=np.ones(len(v)), X=X, V=V).grad(), at("column_sums", X=X, V=V).grad())


@rows("S2-06")
def test_the_index_form_of_the_second_answer() -> None:
    """Its sum, Σ v_m v_n [∂Φ_mp/∂V_ij Φ_np + Φ_mp ∂Φ_np/∂V_ij], with ∂Φ_mp/∂V_ij = f'(X V)_mp X_mi [p = j]."""
    f = at("weighted_column_sums")
    v, X, V = f.inputs
    Phi, slope = np.sin(X @ V), np.cos(X @ V)
    half = np.einsum("m,n,mj,mi,nj->ij", v, v, slope, X, Phi)
    other = np.einsum("m,n,nj,ni,mj->ij", v, v, slope, X, Phi)
    assert same(f.grad(), half + other)


@rows("S2-07")
def test_a_factor_moves_through_the_frobenius_product() -> None:
    f = at("hadamard_frobenius")
    A, B, C = f.inputs
    assert same(f.loss(), np.sum(A * (B * C)))
    assert same(f.grad(), (B * C, A * C, A * B))


@rows("S2-08")
def test_both_products_commute() -> None:
    f = at("frobenius_swapped")
    A, B = f.inputs
    assert same(f.loss(), np.trace(A.T @ B))
    assert same(f.loss(), at("frobenius_swapped", A=B, B=A).loss())
    assert same(f.grad(), (B, A))
    C = like(A)
    assert same(at("hadamard_frobenius", A=A, B=B, C=C).loss(), at("hadamard_frobenius", A=B, B=A, C=C).loss())


@rows("S2-09")
def test_the_norm_of_a_number_is_the_number() -> None:
    f = at("norm_of_norm")
    x = f.inputs
    assert same(f.loss(), float(x @ x))
    assert same(f.grad(), 2 * x)
    assert same(f.hessian(), 2 * np.eye(len(x)))


def test_f_comes_with_its_derivatives_and_keeps_shapes() -> None:
    f = at("column_sums")
    X, V = f.inputs
    with pytest.raises(TypeError, match="df must be a function, the derivative of f"):
        f.module.grad(X, V, np.sin, None)
    with pytest.raises(TypeError, match="df"):
        f.module.grad(X, V, np.sin)
    with pytest.raises(ValueError, match="f"):
        f.module.loss(X, V, np.sum)
    with pytest.raises(ValueError, match="f"):
        f.made(X, V, np.sum)
