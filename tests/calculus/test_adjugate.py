"""The adjugate as the modules compute it, at regular and at singular matrices, against cofactors."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.linalg.lapack
from evaluate import adjugate
from snippets import draw, loss

from gradgen.templating import environment

SCOPE: dict[str, Any] = {"np": np}
exec(environment().get_template("adjugate.py.j2").render(), SCOPE)
SHARED: dict[str, Any] = {**SCOPE, "scipy": scipy, "_FLOAT32": np.dtype("f4"), "_FLOAT64": np.dtype("f8")}
USED = SimpleNamespace(helpers=["lu:inverse", "lu:det", "lu:regular"])
for template in ("adjugate", "lu"):
    exec(environment().get_template(f"{template}.py.j2").render(module=USED), SHARED)
computed: Callable[..., np.ndarray] = SCOPE["_adjugate"]
computed_along: Callable[..., np.ndarray] = SCOPE["_adjugate_along"]

RANDOM = np.random.default_rng(0).standard_normal((20, 4, 4))


def of_rank(size: int, rank: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, rank)) @ rng.standard_normal((rank, size))


MATRICES: dict[str, np.ndarray] = {
    "[[1, 2], [2, 4]]": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "diag(0, 1)": np.diag([0.0, 1.0]),
    "zeros, 1 by 1": np.zeros((1, 1)),
    "zeros, 2 by 2": np.zeros((2, 2)),
    "zeros, 3 by 3": np.zeros((3, 3)),
    "zeros, 4 by 4": np.zeros((4, 4)),
    "a number": np.array([[-3.0]]),
    "no rows": np.zeros((0, 0)),
    "the identity": np.eye(4),
    "a permutation": np.eye(4)[[1, 0, 3, 2]],
    "a shift": np.eye(4, k=1),
    "rank 1 of 3": of_rank(3, 1),
    "rank 2 of 3": of_rank(3, 2),
    "rank 1 of 4": of_rank(4, 1),
    "rank 2 of 4": of_rank(4, 2),
    "rank 3 of 4": of_rank(4, 3),
    "nearly singular": of_rank(4, 3) + 1e-9 * of_rank(4, 4, 1),
    "large": 1e9 * RANDOM[0],
    "small": 1e-9 * RANDOM[1],
    "far apart": np.diag([1e-7, 1.0, 1e7]),
    "regular": RANDOM[2],
    "reflected": RANDOM[3] * [[-1.0], [1.0], [1.0], [1.0]],
}


def tolerance(matrix: np.ndarray, degree: int) -> float:
    """Rounding of a form of that degree in the entries."""
    return 1e-12 * max(1e-40, np.linalg.norm(matrix) ** degree if degree > 0 else 1.0)


def exact_along(matrix: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The derivative of the cofactors, by a complex step."""
    return adjugate(matrix + 1e-30j * direction).imag / 1e-30


@pytest.mark.parametrize("said", MATRICES)
def test_the_adjugate_is_the_transposed_cofactors(said: str) -> None:
    matrix = MATRICES[said]
    found = computed(matrix)
    assert found.shape == matrix.shape
    assert np.max(np.abs(found - adjugate(matrix)), initial=0) <= tolerance(matrix, len(matrix) - 1)


@pytest.mark.parametrize("said", MATRICES)
def test_shared_factors_change_nothing(said: str) -> None:
    matrix, direction = MATRICES[said], RANDOM[4][: len(MATRICES[said]), : len(MATRICES[said])]
    lu = SHARED["_LU"](matrix)
    found, along = SHARED["_adjugate"](matrix, lu), SHARED["_adjugate_along"](matrix, direction, lu)
    plain, plain_along = computed(matrix), computed_along(matrix, direction)
    assert np.max(np.abs(found - plain), initial=0) <= tolerance(matrix, len(matrix) - 1)
    assert np.max(np.abs(along - plain_along), initial=0) <= tolerance(matrix, len(matrix) - 2) * 1e3


@pytest.mark.parametrize("said", MATRICES)
def test_a_matrix_times_its_adjugate_is_its_determinant(said: str) -> None:
    matrix = MATRICES[said]
    scale = tolerance(matrix, len(matrix))
    expected = np.linalg.det(matrix) * np.eye(len(matrix))
    assert np.max(np.abs(matrix @ computed(matrix) - expected), initial=0) <= scale
    assert np.max(np.abs(computed(matrix) @ matrix - expected), initial=0) <= scale


@pytest.mark.parametrize("said", MATRICES)
def test_the_derivative_of_the_adjugate(said: str) -> None:
    matrix = MATRICES[said]
    direction = np.random.default_rng(1).standard_normal(matrix.shape)
    found = computed_along(matrix, direction)
    assert found.shape == matrix.shape
    bound = tolerance(matrix, len(matrix) - 2) * 1e2
    assert np.max(np.abs(found - exact_along(matrix, direction)), initial=0) <= bound


@pytest.mark.parametrize("said", MATRICES)
def test_the_derivative_of_the_adjugate_is_linear_and_its_own_adjoint(said: str) -> None:
    """<C, adj'(A)[D]> = <D, adj'(A)[Cᵀ]ᵀ>"""
    matrix = MATRICES[said]
    C, D = np.random.default_rng(2).standard_normal((2, *matrix.shape))
    bound = tolerance(matrix, len(matrix) - 2) * 1e3
    both = computed_along(matrix, 2 * C - D)
    assert np.allclose(both, 2 * computed_along(matrix, C) - computed_along(matrix, D), rtol=1e-10, atol=bound)
    pair = np.vdot(C, computed_along(matrix, D)), np.vdot(D, computed_along(matrix, C.T).T)
    assert np.isclose(*pair, rtol=1e-10, atol=bound)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_adjugate_along_the_matrix_itself(size: int) -> None:
    """adj'(A)[A] = (n - 1) adj(A), adj being homogeneous."""
    matrix = RANDOM[4, :1, :1] if size == 1 else of_rank(size, size - 1)
    found = computed_along(matrix, matrix)
    assert np.allclose(found, (size - 1) * computed(matrix), rtol=1e-9, atol=1e-12 * np.linalg.norm(matrix) ** size)


def test_a_stack_with_one_singular_member() -> None:
    stack = np.stack([RANDOM[0], of_rank(4, 2), np.zeros((4, 4)), RANDOM[1]])
    assert np.allclose(computed(stack), adjugate(stack), rtol=1e-10, atol=1e-12)
    directions = RANDOM[5:9]
    expected = np.stack([exact_along(a, d) for a, d in zip(stack, directions, strict=True)])
    assert np.allclose(computed_along(stack, directions), expected, rtol=1e-9, atol=1e-11)


def test_stacks_broadcast() -> None:
    """One matrix along several directions, and several matrices along one."""
    for matrices, directions in ((of_rank(4, 3), RANDOM[:3]), (RANDOM[:3], RANDOM[4]), (RANDOM[6], RANDOM[:2])):
        pairs = zip(*np.broadcast_arrays(matrices, directions), strict=True)
        expected = np.stack([exact_along(a, d) for a, d in pairs])
        assert np.allclose(computed_along(matrices, directions), expected, rtol=1e-9, atol=1e-11)


def test_stacks_of_stacks_and_of_nothing() -> None:
    deep = RANDOM[:6].reshape(2, 3, 4, 4)
    assert np.allclose(computed(deep), adjugate(deep))
    assert (
        computed(np.zeros((0, 3, 3))).shape == computed_along(np.zeros((0, 3, 3)), np.ones((3, 3))).shape == (0, 3, 3)
    )
    assert computed(np.zeros((2, 0, 0))).shape == (2, 0, 0)
    assert computed_along(np.zeros((2, 0, 0)), np.zeros((2, 0, 0))).shape == (2, 0, 0)


@pytest.mark.parametrize("matrix", [RANDOM[0], of_rank(4, 3), np.zeros((4, 4)), np.zeros((0, 0)), np.ones((1, 1))])
def test_float32_stays(matrix: np.ndarray) -> None:
    single = matrix.astype(np.float32)
    found, along = computed(single), computed_along(single, np.ones_like(single))
    assert found.dtype == along.dtype == np.float32
    assert np.allclose(found, adjugate(matrix), rtol=1e-3, atol=1e-4)
    assert np.allclose(along, exact_along(matrix, np.ones_like(matrix)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_no_error(value: float) -> None:
    """A loss that has left its domain says nan, and does not raise."""
    matrix = RANDOM[0].copy()
    matrix[1, 2] = value
    with np.errstate(all="ignore"):
        assert not np.isfinite(computed(matrix)).all()
        assert not np.isfinite(computed_along(matrix, np.eye(4))).all()
        assert not np.isfinite(computed(np.stack([matrix, np.zeros((4, 4))]))).all()


def test_the_input_is_not_written_to() -> None:
    for matrix in (RANDOM[0].copy(), of_rank(4, 2), np.zeros((4, 4))):
        direction = RANDOM[1].copy()
        matrix.flags.writeable = direction.flags.writeable = False
        computed(matrix), computed_along(matrix, direction)


# ---- modules at singular matrices


@pytest.fixture(scope="module")
def determinant() -> Any:
    return loss("A: Matrix[n, n]", "np.linalg.det(A)", "A").compile()


@pytest.mark.parametrize("said", MATRICES)
def test_gradient_and_hessian_of_a_determinant(determinant: Any, said: str) -> None:
    matrix = MATRICES[said]
    direction = np.random.default_rng(3).standard_normal(matrix.shape)
    degree = len(matrix)
    with np.errstate(all="raise", under="ignore"):
        gradient, product = determinant.grad(matrix), determinant.hvp(matrix, direction)
    assert np.max(np.abs(gradient - adjugate(matrix).T), initial=0) <= tolerance(matrix, degree - 1)
    exact = exact_along(matrix, direction).T
    assert np.max(np.abs(product - exact), initial=0) <= 1e2 * tolerance(matrix, degree - 2)


SINGULAR: dict[str, tuple[str, str, str, Callable[[np.ndarray], float]]] = {
    "a power": ("A: Matrix[n, n]", "(1 + np.linalg.det(A))**3", "A", lambda A: (1 + np.linalg.det(A)) ** 3),
    "a product": ("A: Matrix[n, n]", "np.linalg.det(A @ A.T)", "A", lambda A: np.linalg.det(A) ** 2),
    "a transpose": ("A: Matrix[n, n]", "np.linalg.det(-2 * A.T)", "A", lambda A: (-2.0) ** len(A) * np.linalg.det(A)),
    "of a sum": ("A: Matrix[n, n]", "np.linalg.det(A + A)", "A", lambda A: 2.0 ** len(A) * np.linalg.det(A)),
    "a border": (
        "A: Matrix[n, n], x: Vector[n], y: Vector[n]",
        "np.linalg.det(np.block([[A, x[:, None]], [y[None, :], zeros(1, 1)]]))",
        "A",
        lambda A: -np.arange(1.0, 5.0) @ adjugate(A) @ np.ones(4),
    ),
}


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("said", SINGULAR)
def test_losses_with_determinants_at_singular_matrices(said: str, rank: int) -> None:
    """Against sums of signed cofactors, differentiated by their polynomials."""
    signature, body, wrt, value = SINGULAR[said]
    made = loss(signature, body, wrt).compile()
    A = of_rank(4, rank)
    rest = [np.ones(4), np.arange(1.0, 5.0)] if said == "a border" else []
    assert np.isclose(made.loss(A, *rest), value(A), rtol=1e-9, atol=1e-9)
    step, D = 1e-3, RANDOM[7]
    gradients = {k: made.grad(A + k * step * D, *rest) for k in (-2, -1, 0, 1, 2)}
    values = {k: value(A + k * step * D) for k in gradients}
    assert np.isclose(np.vdot(gradients[0], D), _slope(values, step), rtol=1e-6, atol=1e-7)
    assert np.allclose(made.hvp(A, *rest, D), _slope(gradients, step), rtol=1e-6, atol=1e-6)


def _slope(values: dict[int, Any], step: float) -> Any:
    """The derivative from five points."""
    return (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * step)


def test_a_symmetric_matrix_of_determinant_zero() -> None:
    made = loss("A: Symmetric[n]", "np.linalg.det(A)", "A").compile()
    A = np.diag([0.0, 2.0, 3.0])
    assert np.allclose(made.grad(A), np.diag([6.0, 0.0, 0.0]))
    D = np.ones((3, 3))
    assert np.allclose(made.hvp(A, D), exact_along(A, D))


def test_stacks_of_determinants_with_a_singular_member() -> None:
    made = loss("A: Matrix[n, n], s: Vector[m]", "np.sum(np.linalg.det(A + s[:, None, None] * eye(n))**2)", "s")
    module = made.compile()
    A, s = np.diag([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 4.0, -2.0])
    polynomials = [np.prod(np.diag(A) + t) for t in s]
    slopes = [sum(np.prod(np.delete(np.diag(A) + t, k)) for k in range(3)) for t in s]
    assert np.allclose(module.grad(A, s), 2 * np.array(polynomials) * slopes)


def test_the_draws_of_these_tests_are_regular() -> None:
    assert all(abs(np.linalg.det(matrix)) > 1e-3 for matrix in RANDOM)
    assert draw(loss("A: Matrix[n, n]", "np.linalg.det(A)", "A"))[0].shape == (5, 5)
