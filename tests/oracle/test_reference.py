"""Reference values against closed forms, and where a loss has kinks."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy
from handmade_tapes import (
    applied,
    determinant,
    dims,
    eigenvalues,
    entrywise,
    factorization,
    gaussian,
    huber,
    layer,
    logistic,
    network,
    normed,
    pseudoinverse,
    recommender,
    reduced,
    resolvent,
    ridge,
    same,
    softmax_regression,
    symmetric,
    symmetric_by_entries,
    tape,
    term,
    triangular,
    two_functions,
    volume,
)

from gradgen.kinks import smooth, switches
from gradgen.oracle import Differences, evaluate, linearised, reference, survey
from gradgen.scalar import ScalarFormula

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
            first, second = differences.exactly("x", ((k,),))
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


A = np.array([[2.0, 0.5, -0.25], [0.75, -1.5, 0.125], [0.5, 0.25, 1.75]])
D = np.array([[1.0, -0.5, 0.25], [0.5, 2.0, -1.0], [0.75, 0.25, -0.5]])


def test_inverses_solutions_and_determinants():
    b = np.array([1.0, 2.0, -0.5])
    found = reference(gaussian(), {"A": A, "b": b}, {"A": D})
    B = np.linalg.inv(A)
    u, v, dB = B @ b, B.T @ b, -B @ D @ B
    np.testing.assert_allclose(found.loss, np.linalg.slogdet(A)[1] + b @ u, rtol=1e-14)
    np.testing.assert_allclose(found.grad[0], B.T - np.outer(v, u), rtol=1e-12)
    np.testing.assert_allclose(found.hvp[0], dB.T - np.outer(dB.T @ b, u) - np.outer(v, dB @ b), rtol=1e-11)


def test_determinants_of_singular_matrices_are_exact():
    """The cofactors are minors, whatever the rank; what is 0 is 0."""
    singular = np.array([[1.1, 2.3, -0.7], [0.4, -1.9, 0.6], [1.1, 2.3, -0.7]])
    found = reference(volume(), {"X": singular}, {"X": D})
    cofactors = np.array([np.cross(singular[(k + 1) % 3], singular[(k + 2) % 3]) for k in range(3)])
    assert found.loss == 0.0
    np.testing.assert_allclose(found.grad[0], cofactors, rtol=1e-14, atol=1e-16)
    assert not found.grad[0][1].any()
    mixed = [np.cross(D[i], singular[j]) + np.cross(singular[i], D[j]) for i, j in ((1, 2), (2, 0), (0, 1))]
    np.testing.assert_allclose(found.hvp[0], mixed, rtol=1e-13, atol=1e-15)
    found = reference(volume(), {"X": np.outer(W, V)}, {"X": D})
    assert (found.loss, found.grad[0].any()) == (0.0, False)
    assert found.hvp[0].any()


@pytest.mark.parametrize("loss", [symmetric, symmetric_by_entries])
def test_symmetric_arguments_move_by_independent_entries(loss):
    S, dS, v, dv = A + A.T, D + D.T, W, V
    found = reference(loss(), {"A": A, "S": S, "v": v}, {"S": dS, "v": dv})
    G = A + 2 * np.outer(v, S @ v)
    H = 2 * np.outer(dv, S @ v) + 2 * np.outer(v, dS @ v + S @ dv)
    for value, wanted in ((found.grad[0], G), (found.hvp[0], H)):
        whole = wanted + wanted.T
        whole = whole / 2 if loss is symmetric else whole - np.diag(np.diag(wanted))
        np.testing.assert_allclose(value, whole, rtol=1e-13)
    np.testing.assert_allclose(found.grad[1], 2 * S @ S @ v, rtol=1e-13)


def test_triangular_and_diagonal_arguments_move_by_their_entries():
    """The upper half of a gradient is 0, and that of a diagonal matrix is a vector."""
    L, dL, T = np.tril(A), np.tril(D), np.tril(X[:3])
    found = reference(triangular(), {"x": W, "L": L, "T": T, "D": V}, {"L": dL, "D": W})
    u, B = T @ W, np.linalg.inv(L)
    z = B @ u
    np.testing.assert_allclose(found.grad[0], np.tril(B.T - np.outer(B.T @ z, z) + T), rtol=1e-12, atol=1e-14)
    dB, dz = -B @ dL @ B, -B @ dL @ z
    product = dB.T - np.outer(dB.T @ z + B.T @ dz, z) - np.outer(B.T @ z, dz)
    np.testing.assert_allclose(found.hvp[0], np.tril(product), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.grad[1], 2 * V * u**2, rtol=1e-13)
    np.testing.assert_allclose(found.hvp[1], 2 * W * u**2, rtol=1e-13)


def test_rows_that_repeat_add_up():
    rng = np.random.default_rng(4)
    U, V_, dU = (rng.standard_normal((3, 2)) for _ in range(3))
    rows, columns, b = np.array([2, 0, 2, 2]), np.array([1, 1, 0, 1]), rng.standard_normal(3)
    inputs = {"rows": rows, "columns": columns, "r": Y, "U": U, "V": V_, "b": b}
    found = reference(recommender(), inputs, {"U": dU, "b": b})
    E = np.zeros((3, 3))
    residual = np.sum(U[rows] * V_[columns], axis=1) + b[rows] - Y
    np.add.at(E, (rows, columns), residual)
    np.testing.assert_allclose(found.grad[0], E @ V_, rtol=1e-13)
    np.testing.assert_allclose(found.grad[1], E.sum(axis=1), rtol=1e-13)
    assert not found.grad[0][1].any()


def test_eigenvalues_factors_and_pseudoinverses():
    """Gradients as the textbooks have them, at a symmetric argument."""
    S, dS = A + A.T + 4 * np.eye(3), D + D.T
    weights = np.array([1.0, -2, 0.5])
    arguments = [("S", (d, d), ["spd"])]
    found = reference(
        tape("some", arguments, "S", lambda S: reduced("sum", eigenvalues(S) * weights)), {"S": S}, {"S": dS}
    )
    values, Q = np.linalg.eigh(S)
    np.testing.assert_allclose(found.grad[0], (Q * weights) @ Q.T, rtol=1e-12)
    gaps = values - values[:, None] + np.diag(np.full(3, np.inf))
    inner = Q.T @ dS @ Q
    product = Q @ (inner * (weights - weights[:, None]) / gaps) @ Q.T
    np.testing.assert_allclose(found.hvp[0], product, rtol=1e-11)

    def logarithms(S):
        return 2 * reduced("sum", entrywise("log", term("diagonal", (same("cholesky", S),), (d,))))

    found = reference(tape("some", arguments, "S", logarithms), {"S": S}, {"S": dS})
    B = np.linalg.inv(S)
    np.testing.assert_allclose(found.grad[0], B, rtol=1e-12)
    np.testing.assert_allclose(found.hvp[0], -B @ dS @ B, rtol=1e-12)

    square = tape("some", [("X", (n, d))], "X", lambda X: reduced("sum", pseudoinverse(X) ** 2))
    P = np.linalg.pinv(X)
    found = reference(square, {"X": X}, {"X": X})
    np.testing.assert_allclose(found.loss, np.sum(P * P), rtol=1e-12)
    np.testing.assert_allclose(found.grad[0], -2 * (P @ P.T @ P).T, rtol=1e-11)


def test_unknown_functions_are_stood_in_for():
    rng = np.random.default_rng(2)
    inputs = {"X": X, "f": "tanh", "V": rng.standard_normal((3, 2)), "g": "softplus"}
    found = reference(two_functions(), inputs, {"V": np.ones((3, 2))})
    Z, expit = inputs["V"], 1 / (1 + np.exp(-inputs["V"]))
    np.testing.assert_allclose(found.grad[0], X.T @ (1 - np.tanh(X @ Z) ** 2) + np.log1p(np.exp(Z)) * expit, rtol=1e-12)


def test_a_map_is_linearised_both_ways():
    cotangent = np.array([1.0, -2.0, 0.5, 0.25])
    found = linearised(layer(), {"A": X, "x": W, "f": "tanh"}, {"x": V}, cotangent)
    slopes = 1 - np.tanh(W) ** 2
    np.testing.assert_allclose(found.value, X @ np.tanh(W), rtol=1e-14)
    np.testing.assert_allclose(found.jvp, X @ (slopes * V), rtol=1e-13)
    np.testing.assert_allclose(found.vjp[0], slopes * (X.T @ cotangent), rtol=1e-13)


def test_a_map_of_a_symmetric_matrix():
    S, dS, B = A + A.T, D + D.T, X.T
    cotangent = np.cos(np.arange(12.0)).reshape(3, 4)
    found = linearised(resolvent(), {"S": S, "B": B}, {"S": dS, "B": 2 * B}, cotangent)
    inverse = np.linalg.inv(S)
    G = -inverse @ cotangent @ (inverse @ B).T
    np.testing.assert_allclose(found.value, inverse @ B, rtol=1e-12)
    np.testing.assert_allclose(found.jvp, inverse @ (2 * B - dS @ inverse @ B), rtol=1e-11)
    np.testing.assert_allclose(found.vjp[0], (G + G.T) / 2, rtol=1e-11)
    np.testing.assert_allclose(found.vjp[1], inverse @ cotangent, rtol=1e-12)


def test_a_map_to_a_number():
    recorded = tape("size", [("x", (d,))], "x", lambda x: reduced("norm", x), a_map=True)
    found = linearised(recorded, {"x": np.array([3.0, 4.0])}, {"x": np.array([1.0, 0.0])}, np.array(2.0))
    assert (found.value.shape, found.jvp.shape) == ((), ())
    np.testing.assert_allclose([found.value, found.jvp, *found.vjp[0]], [5, 0.6, 1.2, 1.6], rtol=1e-15)


def test_smooth_losses_have_no_kinks():
    for loss in (ridge, logistic, factorization, softmax_regression, network, gaussian, volume, two_functions):
        assert switches(loss()) == ()


def test_a_norm_is_smooth_but_where_it_is_0():
    assert smooth(normed())
    assert not smooth(huber())
    inputs = {"X": X, "y": X @ W, "w": W + np.array([1e-3, 0, 0])}
    np.testing.assert_allclose(survey(normed(), inputs).distance, 1e-3 * np.linalg.norm(X[:, 0]), rtol=1e-9)


def test_matrices_that_must_be_regular():
    assert survey(gaussian(), {"A": np.diag([1.0, 50.0]), "b": W[:2]}).condition == 50
    assert survey(gaussian(), {"A": np.ones((2, 2)), "b": W[:2]}).condition > 1e12
    assert survey(gaussian(), {"A": np.full((2, 2), np.nan), "b": W[:2]}).condition == np.inf
    seen = survey(volume(), {"X": np.ones((2, 2))})
    assert seen.condition == 1.0
    assert seen.flatness > 1e12
    np.testing.assert_allclose(survey(volume(), {"X": A}).flatness, np.linalg.cond(A))


def test_the_sign_of_a_determinant_switches_where_it_is_0():
    recorded = tape("some", [("A", (d, d))], "A", lambda A: determinant(A, "detsign") * reduced("sum", A))
    assert smooth(recorded)
    np.testing.assert_allclose(survey(recorded, {"A": A}).distance, abs(np.linalg.det(A)))


s, t = sympy.symbols("s t", real=True)


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [
        (sympy.Abs(t - s) * 2, 0.5),
        (sympy.Max(s, t, 3), 0.5),
        (sympy.Piecewise((t**2, t < s**2), (s, True)), 0.6875),
        (sympy.sign(t + s) + sympy.exp(t), 2.0),
        (s * sympy.Abs(t), 1.25),
        (t * sympy.Abs(s), np.inf),
        (s * t, np.inf),
    ],
)
def test_distances_to_kinks_of_a_formula(formula, wanted):
    """``t`` moves, ``s`` does not."""
    recorded = tape(
        "some",
        [("s", (d,)), ("t", (d,))],
        "t",
        lambda a, b: reduced("sum", applied(ScalarFormula("some", (s, t), formula), a, b)),
    )
    assert survey(recorded, {"s": np.array([0.75, 2.75]), "t": np.array([1.25, 3.5])}).distance == wanted
    assert smooth(recorded) == (wanted == np.inf)


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


def test_eigenvalues_switch_where_two_meet():
    recorded = tape("some", [("A", (d, d), ["symmetric"])], "A", lambda A: reduced("max", eigenvalues(A)))
    S = np.diag([1.0, 1.125, 4.0])
    assert survey(recorded, {"A": S}).distance == 0.125
    recorded = tape("some", [("A", (d, d), ["symmetric"])], "A", lambda A: reduced("sum", eigenvalues(A) ** 2))
    assert smooth(recorded)
    assert survey(recorded, {"A": S}).distance == 0.125
    assert survey(recorded, {"A": S[:1, :1]}).distance == np.inf


def test_what_has_a_factor_must_be_regular():
    for loss in (lambda A: same("cholesky", A), pseudoinverse):
        recorded = tape("some", [("A", (d, d), ["spd"])], "A", lambda A, loss=loss: reduced("sum", loss(A)))
        np.testing.assert_allclose(survey(recorded, {"A": np.diag([1.0, 50.0])}).condition, 50)


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
        # What is exactly 0 above a floor stays 0; what is nearly 0 moves, and a floor that is not tiny is a kink.
        (lambda x: reduced("sum", entrywise("maximum", x, 2.0**-40)), [1.0, 2.0**-20], 2.0**-20 - 2.0**-40),
        (lambda x: reduced("sum", entrywise("maximum", 2.0**-40, x)), [1.0, 0.0], 1 - 2.0**-40),
        (lambda x: reduced("sum", entrywise("maximum", x, 0.5)), [1.0, 0.0], 0.5),
    ],
)
def test_distances_to_kinks(loss, x, wanted):
    assert distance(loss, x) == wanted


def test_the_culprit_is_the_first_call_that_fails():
    def loss(x):
        return reduced("sum", entrywise("exp", entrywise("log", x)))

    assert survey(tape("some", [("x", (d,))], "x", loss), {"x": np.array([1.0, -1.0])}).culprit.op == "log"
