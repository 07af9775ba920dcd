"""Rules of matrix calculus: rows S4-01 to S4-12. The unknown functions are the sine here, so df/dG is cos(G)."""

from __future__ import annotations

import numpy as np
import pytest
from documents import at, error, like, rows, same

# ---- from matrices to matrices


@rows("S4-01")
def test_right_product() -> None:
    f = at("right_product")
    X, W = f.inputs
    assert same(f.loss(), np.sum(np.sin(X @ W)))
    assert same(f.grad(), np.cos(X @ W) @ W.T)


@rows("S4-02")
def test_left_product() -> None:
    f = at("left_product")
    W, X = f.inputs
    assert same(f.grad(), W.T @ np.cos(W @ X))


@rows("S4-03")
def test_entrywise_function() -> None:
    f = at("entrywise_function")
    C, X = f.inputs
    dX = like(X)
    assert same(f.grad(), C * np.cos(X))
    assert same(f.hvp(dX), -C * np.sin(X) * dX)


@rows("S4-04")
def test_added_constant() -> None:
    f = at("added_constant")
    C, X = f.inputs
    assert same(f.grad(), np.cos(X + C))


@rows("S4-10")
def test_added_row() -> None:
    f = at("added_row")
    C, x = f.inputs
    assert same(f.grad(), np.cos(C + x).sum(axis=0))


@rows("S4-11")
def test_added_column() -> None:
    f = at("added_column")
    C, x = f.inputs
    assert same(f.grad(), np.cos(C + x[:, None]).sum(axis=1))
    assert same(f.grad(), np.cos(C + np.outer(x, np.ones(C.shape[1]))) @ np.ones(C.shape[1]))


# ---- from matrices to numbers


@rows("S4-05")
def test_squared_frobenius_norm() -> None:
    f = at("squared_frobenius")
    G = f.inputs
    assert same(f.loss(), np.sum(G**2))
    assert same(f.grad(), 2 * G)
    assert not np.any(at("squared_frobenius", G=0 * G).grad()), "smooth at 0, as the norm is not"


@rows("S4-12", "S4-13")
def test_quadratic_form_by_its_matrix() -> None:
    f = at("quadratic_in_matrix")
    a, G = f.inputs
    assert same(f.loss(), sum(a[i] * G[i, j] * a[j] for i, j in np.ndindex(G.shape)))
    assert same(f.grad(), np.outer(a, a))


# ---- the two examples


@rows("S4-06")
def test_single_layer() -> None:
    f = at("single_layer")
    X, W, Y = f.inputs
    dW = like(W)
    G, slope, dZ = np.sin(X @ W), np.cos(X @ W), X @ dW
    assert same(f.loss(), np.sum((G - Y) ** 2))
    assert same(f.grad(), 2 * X.T @ ((G - Y) * slope))
    assert same(f.hvp(dW), 2 * X.T @ (slope * dZ * slope - (G - Y) * G * dZ))


@rows("S4-07")
def test_the_parentheses_that_are_missing() -> None:
    """2 Xᵀ (g(X W) - Y) ∘ g'(X W), read from left to right, does not conform, unless X is square: then it is wrong."""
    X, W, Y = at("single_layer").inputs
    with pytest.raises(ValueError, match="broadcast"):
        2 * X.T @ (np.sin(X @ W) - Y) * np.cos(X @ W)
    X = np.eye(len(X)) + 0.3 * like(np.eye(len(X)))
    W = like(Y, 1)
    f = at("single_layer", X=X, W=W, Y=Y)
    printed = 2 * X.T @ (np.sin(X @ W) - Y) * np.cos(X @ W)
    assert error(printed, f.grad()) == pytest.approx(0.44, abs=0.005)


@rows("S4-08")
def test_dictionary_by_its_atoms() -> None:
    f = at("dictionary")
    X, D, R = f.inputs
    assert same(f.grad()[0], -2 * (X - D @ R) @ R.T)
    assert same(f.grad()[0], -2 * X @ R.T + 2 * D @ R @ R.T)


@rows("S4-09")
def test_dictionary_by_its_codes() -> None:
    f = at("dictionary")
    X, D, R = f.inputs
    assert same(f.grad()[1], -2 * D.T @ (X - D @ R))
    assert same(f.grad()[1], -2 * D.T @ X + 2 * D.T @ D @ R)
