"""A useful trick for computing gradients w.r.t. matrix arguments: rows S0-01 to S0-21."""

from __future__ import annotations

import numpy as np
import pytest
from documents import at, error, like, losses, refused, rows, same


@rows("S0-01")
def test_inner_product() -> None:
    f = at("frobenius_inner")
    A, B = f.inputs
    assert same(f.loss(), sum(a * b for a, b in zip(A.ravel(), B.ravel(), strict=True)))
    assert same(f.loss(), at("frobenius_inner", A=B, B=A).loss())
    assert same(f.grad(), (B, A))


@rows("S0-03", "S0-04")
def test_gradient_of_the_trace() -> None:
    f = at("trace_quadratic")
    A, X = f.inputs
    H = like(X)
    assert same(f.loss(), np.sum(A * (X @ X.T)))
    assert same(f.grad(), (A + A.T) @ X)
    assert same(f.hvp(H), (A + A.T) @ H)


@rows("S0-02")
def test_differential_of_the_trace() -> None:
    f = at("trace_quadratic_differential")
    A, X, H = f.inputs
    gradient = at("trace_quadratic", A=A, X=X).grad()
    assert same(f.loss(), np.trace(A.T @ X @ H.T) + np.trace(A.T @ H @ X.T))
    assert same(f.loss(), np.sum(gradient * H))
    assert same(f.grad(), gradient)
    assert not np.any(f.hvp(H)), "it is linear in H"


# ---- a partitioned X


@rows("S0-06", "S0-06b", "S0-06c")
def test_gradients_of_the_partitioned_trace() -> None:
    f = at("block_trace")
    A1, A2, A3, A4, X1, X2 = f.inputs
    H1, H2 = like(X1), like(X2, 1)
    assert same(f.grad(), ((A1 + A1.T) @ X1 + (A2 + A3.T) @ X2, (A2.T + A3) @ X1 + (A4.T + A4) @ X2))
    assert same(f.hvp(H1, H2), ((A1 + A1.T) @ H1 + (A2 + A3.T) @ H2, (A2.T + A3) @ H1 + (A4.T + A4) @ H2))
    assert same(f.loss(), np.trace(A1 @ X1 @ X1.T + A2 @ X2 @ X1.T) + np.trace(A3 @ X1 @ X2.T + A4 @ X2 @ X2.T))


@rows("S0-06d")
def test_the_second_example_is_an_application_of_the_first() -> None:
    f = at("stacked_trace")
    A, X1, X2 = f.inputs
    p = len(X1)
    blocks = {"A1": A[:p, :p], "A2": A[:p, p:], "A3": A[p:, :p], "A4": A[p:, p:]}
    assert same(np.vstack(f.grad()), (A + A.T) @ np.vstack([X1, X2]))
    assert same(f.grad(), at("block_trace", X1=X1, X2=X2, **blocks).grad())


@rows("S0-05")
def test_differential_of_the_partitioned_trace() -> None:
    f = at("block_trace_differential")
    A1, A2, A3, A4, X1, X2, H = f.inputs
    A, zero = np.block([[A1, A2], [A3, A4]]), np.zeros((len(X1), len(X1)))
    gradient = at("block_trace", A1=A1, A2=A2, A3=A3, A4=A4, X1=X1, X2=X2).grad()[1]
    assert same(f.loss(), np.trace(A @ np.block([[zero, X1 @ H.T], [H @ X1.T, H @ X2.T + X2 @ H.T]])))
    assert same(f.loss(), np.sum(gradient * H))
    assert same(f.grad(), (A2.T + A3) @ X1 + (A4.T + A4) @ X2)


@rows("S0-05x")
def test_the_printed_block_does_not_conform() -> None:
    *_, X1, X2, H = at("block_trace_differential").inputs
    zero = np.zeros((len(X1), len(X1)))
    with pytest.raises(ValueError, match=r"dimensions? .*must match"):
        np.block([[zero, X1 @ H.T], [H @ X2.T, H @ X2.T + X2 @ H.T]])
    error = refused(
        "X1: Matrix[p, k], X2: Matrix[q, k], H: Matrix[q, k]",
        "np.trace(np.block([[zeros(p, p), X1 @ H.T], [H @ X2.T, H @ X2.T + X2 @ H.T]]))",
        "H",
    )
    assert "(p, p)" in str(error) and "(q, q)" in str(error) and error.place is not None


@rows("S0-05x")
def test_the_printed_block_is_wrong_where_it_conforms() -> None:
    """With as many rows in X1 as in X2, so that the printed block can be made at all."""
    X1, H = at("trace_quadratic").inputs[1], like(at("trace_quadratic").inputs[1])
    A1, A2, A3, A4 = (np.eye(len(X1)) + 0.3 * like(np.eye(len(X1)), seed) for seed in range(4))
    X2 = like(X1, 5)
    A, zero = np.block([[A1, A2], [A3, A4]]), np.zeros((len(X1), len(X1)))
    printed = np.trace(A @ np.block([[zero, X1 @ H.T], [H @ X2.T, H @ X2.T + X2 @ H.T]]))
    true = at("block_trace_differential", A1=A1, A2=A2, A3=A3, A4=A4, X1=X1, X2=X2, H=H).loss()
    assert error(printed, true) == pytest.approx(0.27, abs=0.005)


@rows("S0-05y")
def test_differential_by_the_diagonal_blocks() -> None:
    f = at("block_diagonal_differential")
    A2, A3, A4, X1, X2, H = f.inputs
    whole = at("block_trace_differential", A2=A2, A3=A3, A4=A4, X1=X1, X2=X2, H=H)
    assert same(f.loss(), whole.loss())
    assert same(f.grad(), (A2.T + A3) @ X1 + (A4.T + A4) @ X2)
    assert same(f.grad(), whole.grad())


# ---- the masterclass: log(1ᵀ exp(V Vᵀ)) K 1


def masterclass(name, **given):
    """The module at one K, which is not symmetric, and one V."""
    rng = np.random.default_rng(0)
    return at(name, K=rng.normal(size=(6, 6)), V=rng.normal(size=(6, 3)) / 2, **given)


def similarities(K, V):
    """E = exp(V Vᵀ), D⁻¹ with D = diag(1ᵀ E), and 1."""
    E = np.exp(V @ V.T)
    return E, np.diag(1 / E.sum(axis=0)), np.ones((len(K), 1))


def printed_gradient(K, V):
    """The last formula of the text: [exp(V Vᵀ) ∘ (1 1ᵀ K D⁻¹ + D⁻¹ Kᵀ 1 1ᵀ)] V."""
    E, inverse, one = similarities(K, V)
    return (E * (one @ one.T @ K @ inverse + inverse @ K.T @ one @ one.T)) @ V


def printed_differential(K, V, H):
    """<Kᵀ 1, D⁻¹ [exp(V Vᵀ) ∘ (V Hᵀ + H Vᵀ)] 1>."""
    E, inverse, one = similarities(K, V)
    return np.sum((K.T @ one) * (inverse @ (E * (V @ H.T + H @ V.T)) @ one))


@rows("S0-07")
def test_both_definitions_are_one_function() -> None:
    f = masterclass("log_similarity")
    K, V = f.inputs
    inner = at("log_similarity_inner", K=K, V=V)
    assert same(f.loss(), float(np.log(np.exp(V @ V.T).sum(axis=0)) @ K.sum(axis=1)))
    assert same(inner.loss(), f.loss())
    assert losses()["log_similarity_inner"].gradient == losses()["log_similarity"].gradient


@rows("S0-08")
def test_the_derivation_begins_with_another_function() -> None:
    f = masterclass("log_similarity")
    K, V = f.inputs
    E, _, one = similarities(K, V)
    first_line = float(np.sum((one.T @ K) * np.log(one.T @ E)))
    assert error(first_line, f.loss()) == pytest.approx(0.13, abs=0.005)
    assert same(at("log_similarity_transposed", K=K, V=V).loss(), first_line)


@rows("S0-09")
def test_the_printed_gradient_is_not_that_of_the_function_as_defined() -> None:
    f = masterclass("log_similarity")
    assert error(printed_gradient(*f.inputs), f.grad()) == pytest.approx(0.91, abs=0.005)


@rows("S0-10", "S0-12", "S0-13")
def test_gradient_of_the_function_as_defined() -> None:
    f = masterclass("log_similarity")
    K, V = f.inputs
    E, inverse, one = similarities(K, V)
    u = K @ one / (E @ one)
    assert same(f.grad(), (E * (one @ one.T @ K.T @ inverse + inverse @ K @ one @ one.T)) @ V)
    assert same(f.grad(), (E * (one @ u.T + u @ one.T)) @ V)
    assert same(f.grad(), E @ (u * V) + u * (E @ V))


@rows("S0-11")
def test_the_printed_gradient_is_that_of_the_transposed_function() -> None:
    """So the caveat that closes the text has it backwards."""
    f = masterclass("log_similarity_transposed")
    K, V = f.inputs
    assert same(f.grad(), printed_gradient(K, V))
    assert same(f.grad(), at("log_similarity", K=K.T, V=V).grad())
    assert error(printed_gradient(K.T, V), f.grad()) > 0.5, "K for Kᵀ in the printed gradient, as the caveat says"


@rows("S0-18")
def test_differential_of_the_transposed_function() -> None:
    f = masterclass("log_similarity_differential")
    K, V, H = f.inputs
    gradient = at("log_similarity_transposed", K=K, V=V).grad()
    assert same(f.loss(), printed_differential(K, V, H))
    assert same(f.loss(), np.sum(gradient * H))
    assert same(f.grad(), gradient)


@rows("S0-19")
def test_the_differential_is_not_that_of_the_function_as_defined() -> None:
    f = masterclass("log_similarity_differential")
    K, V, H = f.inputs
    true = np.sum(at("log_similarity", K=K, V=V).grad() * H)
    assert error(printed_differential(K, V, H), true) == pytest.approx(0.72, abs=0.005)
    assert same(printed_differential(K.T, V, H), true)


@rows("S0-18b")
def test_scaled_row_sums() -> None:
    f = at("scaled_row_sums")
    a, delta, M = f.inputs
    one, inverse = np.ones((M.shape[1], 1)), np.diag(1 / delta)
    assert same(f.loss(), float(a @ inverse @ M @ np.ones(M.shape[1])))
    assert same(f.loss(), np.sum((inverse @ a[:, None] @ one.T) * M))
    assert same(f.grad(), inverse @ a[:, None] @ one.T)


@rows("S0-17")
def test_a_factor_moves_through_the_inner_product() -> None:
    f = at("hadamard_inner")
    A, B, C = f.inputs
    assert same(f.loss(), np.sum(A * (B * C)))
    assert same(f.loss(), np.sum((B * A) * C))
    assert same(f.loss(), at("hadamard_inner", A=B, B=A, C=C).loss())
    assert same(f.grad(), (B * C, A * C, B * A))


# ---- expansions


@rows("S0-14", "S0-15")
def test_the_exponential_is_entrywise() -> None:
    f = at("exp_outer")
    V, _ = f.inputs
    zero, H, G = np.zeros(V.shape), like(V), like(V, 1)
    near = at("exp_outer", V=V, H=zero)
    assert np.array_equal(near.value(), np.ones((len(V), len(V)))), "1 1ᵀ, not I"
    assert same(near.jvp(zero, H), V @ H.T)
    assert same(f.jvp(G, H), np.exp(f.inputs[0] @ f.inputs[1].T) * (G @ f.inputs[1].T + f.inputs[0] @ H.T))
    assert not np.any(at("exp_outer", V=zero, H=zero).jvp(H, H)), "exp(H Hᵀ) is 1 1ᵀ up to o(|H|)"


@rows("S0-16")
def test_the_remainder_of_the_logarithm_is_of_second_order() -> None:
    """It is o(|x - x0|), not o(|x - x0|²) as printed: divided by |x - x0|² it tends to -1 / (2 x0²)."""
    x0 = np.array([0.8])
    f = at("log_sum", x=x0)
    for step in (1e-2, 1e-3, 1e-4):
        remainder = at("log_sum", x=x0 + step).loss() - f.loss() - float(f.grad()[0]) * step
        assert remainder / step**2 == pytest.approx(-1 / (2 * 0.8**2), abs=step)
    assert same(f.hessian(), np.array([[-1 / 0.8**2]]))


# ---- symmetric X


@rows("S0-20")
def test_by_independent_entries() -> None:
    f = at("symmetric_trace_by_entries")
    A, X = f.inputs
    assert same(f.grad(), A + A.T - np.diag(np.diag(A)))
    for i, j in np.ndindex(X.shape):
        moved = X.copy()
        moved[i, j] = moved[j, i] = X[i, j] + 1
        difference = at("symmetric_trace_by_entries", A=A, X=moved).loss() - f.loss()
        assert difference == pytest.approx(f.grad()[i, j], rel=1e-12, abs=1e-12), "it is linear: a step of 1 is exact"


@rows("S0-21")
def test_in_the_space_of_symmetric_matrices() -> None:
    f = at("symmetric_trace")
    A, X = f.inputs
    H = like(X)
    H = H + H.T
    assert same(f.grad(), (A + A.T) / 2)
    assert same(at("symmetric_trace", A=A, X=X + H).loss() - f.loss(), np.sum(f.grad() * H))
    by_entries = at("symmetric_trace_by_entries", A=A, X=X).grad()
    assert error(by_entries, f.grad()) > 0.1 and error(A, f.grad()) > 0.1, "three conventions, three gradients"
