"""Reference values against closed forms, and where a loss has kinks."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from handmade_tapes import (
    dims,
    entrywise,
    factorization,
    huber,
    logistic,
    network,
    reduced,
    ridge,
    softmax_regression,
    tape,
    term,
)

from gradgen.kinks import switches
from gradgen.oracle import Differences, evaluate, reference, survey

n, d = dims("n d")
X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5], [-2.0, 0.25, 1.0], [0.1, 0.2, 0.3]])
Y = np.array([1.0, -0.5, 2.0, 0.25])
W = np.array([0.3, -0.7, 1.1])
V = np.array([1.0, 0.5, -0.25])


def test_ridge_is_exact():
    inputs = {"X": X, "y": Y, "w": W, "lam": np.array(0.7)}
    found = reference(ridge(), inputs, {"w": V})
    residual = X @ W - Y
    np.testing.assert_allclose(found.loss, residual @ residual + 0.7 * W @ W, rtol=1e-15)
    np.testing.assert_allclose(found.grad[0], 2 * X.T @ residual + 1.4 * W, rtol=1e-14)
    np.testing.assert_allclose(found.hvp[0], 2 * X.T @ (X @ V) + 1.4 * V, rtol=1e-14)


def test_softmax_regression():
    rng = np.random.default_rng(1)
    weights, directions, labels = rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), np.eye(2)[[0, 1, 1, 0]]
    found = reference(softmax_regression(), {"X": X, "Y": labels, "W": weights}, {"W": directions})
    S = np.exp(X @ weights) / np.exp(X @ weights).sum(axis=1, keepdims=True)
    D = X @ directions
    np.testing.assert_allclose(found.grad[0], X.T @ (S - labels), rtol=1e-13)
    np.testing.assert_allclose(
        found.hvp[0], X.T @ (S * D - S * np.sum(S * D, axis=1, keepdims=True)), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("name", ["exp", "tanh", "log", "sin", "sqrt"])
def test_derivatives_are_good_to_twenty_digits(name):
    """Differences of sum(f(x) v) against mpmath's own derivatives, before they are rounded to floats."""
    recorded = tape("entries", [("x", (d,))], "x", lambda x: reduced("sum", entrywise(name, x)))
    point, direction = np.array([0.5, 1.5, 2.25]), np.array([1.0, -0.5, 0.25])
    differences = Differences(recorded, {"x": point}, {"x": direction}, 50)
    with mpmath.workdps(50):
        for k in range(3):
            first, second = differences.exactly("x", (k,))
            assert abs(first - mpmath.diff(getattr(mpmath, name), point[k], 1)) < mpmath.mpf("1e-20")
            wanted = direction[k] * mpmath.diff(getattr(mpmath, name), point[k], 2)
            assert abs(second - wanted) < mpmath.mpf("1e-20")


def test_the_loss_has_fifty_digits():
    recorded = tape("euler", [("x", ())], "x", lambda x: entrywise("exp", x))
    with mpmath.workdps(60):
        assert abs(evaluate(recorded, {"x": np.array(1.0)}) - mpmath.e) < mpmath.mpf("1e-48")
    assert mpmath.nstr(evaluate(recorded, {"x": np.array(1.0)}, digits=20), 18) == "2.71828182845904524"


def test_zero_is_zero():
    """Softmax over one class is constant: differences of rounding are no gradient."""
    found = reference(
        softmax_regression(), {"X": X, "Y": np.ones((4, 1)), "W": np.ones((3, 1))}, {"W": np.ones((3, 1))}
    )
    assert found.loss == 0.0
    assert not found.grad[0].any()
    assert not found.hvp[0].any()


def test_several_arguments_have_their_mixed_derivatives():
    """d/dU and d/dV of |UV' - M|^2 move together."""
    rng = np.random.default_rng(3)
    M, U, V_, dU, dV = (rng.standard_normal(s) for s in ((4, 3), (4, 2), (3, 2), (4, 2), (3, 2)))
    inputs = {"M": M, "mask": np.ones((4, 3)), "U": U, "V": V_, "lam": np.array(0.5)}
    found = reference(factorization(), inputs, {"U": dU, "V": dV})
    R, S = U @ V_.T - M, dU @ V_.T + U @ dV.T
    np.testing.assert_allclose(found.grad[1], 2 * R.T @ U + V_, rtol=1e-13)
    np.testing.assert_allclose(found.hvp[0], 2 * S @ V_ + 2 * R @ dV + dU, rtol=1e-13)
    np.testing.assert_allclose(found.hvp[1], 2 * S.T @ U + 2 * R.T @ dU + dV, rtol=1e-13)


def test_smooth_losses_have_no_kinks():
    for smooth in (ridge, logistic, factorization, softmax_regression, network):
        assert switches(smooth()) == ()


def test_kinks_of_huber_are_at_zero_and_at_delta():
    inputs = {"X": np.eye(3), "y": np.zeros(3), "w": np.array([0.2, 1.3, -3.0]), "delta": np.array(1.0)}
    seen = survey(huber(), inputs)
    np.testing.assert_allclose(seen.distance, 0.2)
    assert seen.culprit is None
    assert seen.mixed == 2


def test_a_switch_of_the_data_is_no_kink():
    def loss(x, y):
        return reduced("sum", term("where", (y > 0, x * x, x), (d,)))

    assert switches(tape("some", [("x", (d,)), ("y", (d,))], "x", loss)) == ()


def distance(loss, x):
    return survey(tape("some", [("x", (d,))], "x", loss), {"x": np.array(x)}).distance


@pytest.mark.parametrize(
    ("loss", "x", "wanted"),
    [
        (lambda x: reduced("max", x, 0), [1.0, 3.0, 2.5], 0.5),
        (lambda x: reduced("min", x, 0), [1.0, 3.0, 1.25], 0.25),
        (lambda x: reduced("max", x, 0), [1.0], np.inf),
        (lambda x: reduced("sum", entrywise("relu", x)), [1.0, -0.125], 0.125),
        (lambda x: reduced("sum", entrywise("maximum", x, 2.0)), [1.0, 2.5], 0.5),
        (lambda x: reduced("sum", entrywise("absolute", x[:, None] - x[None, :])), [1.0, 1.75, 4.0], 0.75),
        (lambda x: reduced("sum", term("where", (x, x * x, x), (d,))), [0.5, -0.25], 0.25),
    ],
)
def test_distances_to_kinks(loss, x, wanted):
    assert distance(loss, x) == wanted


def test_the_culprit_is_the_first_call_that_fails():
    def loss(x):
        return reduced("sum", entrywise("exp", entrywise("log", x)))

    assert survey(tape("some", [("x", (d,))], "x", loss), {"x": np.array([1.0, -1.0])}).culprit.op == "log"
