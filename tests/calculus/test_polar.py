"""The polar factor as the modules compute it, at matrices of full rank and of less, against Sylvester's equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from evaluate import polar, polar_along
from snippets import loss

from gradgen.templating import environment

SCOPE: dict[str, Any] = {"np": np}
exec(environment().get_template("polar.py.j2").render(), SCOPE)
computed: Callable[..., np.ndarray] = SCOPE["_polar"]
computed_along: Callable[..., np.ndarray] = SCOPE["_polar_along"]

RANDOM = np.random.default_rng(0).standard_normal((20, 4, 3))


def with_values(*values: float) -> np.ndarray:
    """A matrix of 4 rows with given singular values."""
    return computed(RANDOM[0][:, : len(values)]) * values @ np.linalg.qr(RANDOM[1][: len(values), : len(values)])[0]


MATRICES: dict[str, np.ndarray] = {
    "tall": RANDOM[2],
    "wide": RANDOM[3].T,
    "square": RANDOM[4, :3],
    "a number": np.array([[-3.0]]),
    "a column": RANDOM[5, :, :1],
    "equal singular values": with_values(2.0, 2.0, 2.0),
    "two equal singular values": with_values(3.0, 0.5, 3.0),
    "nearly equal singular values": with_values(1.0, 1.0 + 1e-9, 2.0),
    "the identity": np.eye(4),
    "a permutation": np.eye(4)[[1, 0, 3, 2]],
    "symmetric": RANDOM[6, :3] + RANDOM[6, :3].T,
    "large": 1e9 * RANDOM[7],
    "small": 1e-9 * RANDOM[8],
}


@pytest.mark.parametrize("said", MATRICES)
def test_the_polar_factor(said: str) -> None:
    assert np.allclose(computed(MATRICES[said]), polar(MATRICES[said]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("said", MATRICES)
def test_the_derivative_of_the_polar_factor(said: str) -> None:
    matrix = MATRICES[said]
    direction = np.random.default_rng(1).standard_normal(matrix.shape) * np.max(np.abs(matrix))
    assert np.allclose(computed_along(matrix, direction), polar_along(matrix, direction), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("said", MATRICES)
def test_the_derivative_of_the_polar_factor_is_its_own_adjoint(said: str) -> None:
    matrix = MATRICES[said]
    C, D = np.random.default_rng(2).standard_normal((2, *matrix.shape)) * np.max(np.abs(matrix))
    pair = np.vdot(C, computed_along(matrix, D)), np.vdot(D, computed_along(matrix, C))
    assert np.isclose(*pair, rtol=1e-10, atol=1e-10 * np.linalg.norm(C) ** 2 / np.linalg.norm(matrix))


@pytest.mark.parametrize("said", MATRICES)
def test_the_polar_factor_does_not_change_along_the_matrix(said: str) -> None:
    """polar'(A)[A] = 0, polar(cA) being polar(A)."""
    assert np.max(np.abs(computed_along(MATRICES[said], MATRICES[said]))) < 1e-13


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (0, 2), (2, 0), (2, 0, 3), (0, 3, 2), (5, 2, 2)])
def test_zeros_and_nothing_have_the_polar_factor_0(shape: tuple[int, ...]) -> None:
    zeros = np.zeros(shape)
    assert np.array_equal(computed(zeros), zeros)
    assert np.array_equal(computed_along(zeros, np.ones(shape)), zeros)


@pytest.mark.parametrize("rank", [1, 2])
def test_singular_values_that_are_0_are_left_out(rank: int) -> None:
    """Along matrices of the same rank the polar factor is smooth."""
    left, right = RANDOM[9][:, :rank], RANDOM[10][:rank]
    matrix, direction = left @ right, RANDOM[11][:, :rank] @ right + left @ RANDOM[12][:rank]
    U, _, Vt = np.linalg.svd(matrix)
    assert np.allclose(computed(matrix), U[:, :rank] @ Vt[:rank])
    step = 1e-5
    ahead, behind = ((left + t * RANDOM[11][:, :rank]) @ (right + t * RANDOM[12][:rank]) for t in (step, -step))
    difference = (computed(ahead) - computed(behind)) / (2 * step)
    assert np.allclose(computed_along(matrix, direction), difference, rtol=1e-7, atol=1e-7)


def test_stacks_broadcast() -> None:
    for matrices, directions in ((RANDOM[0], RANDOM[:3]), (RANDOM[:3], RANDOM[4]), (RANDOM[:3], RANDOM[3:6])):
        assert np.allclose(computed_along(matrices, directions), polar_along(matrices, directions))


@pytest.mark.parametrize("matrix", [RANDOM[0], np.zeros((4, 3)), np.zeros((0, 3)), np.ones((1, 1))])
def test_float32_stays(matrix: np.ndarray) -> None:
    single = matrix.astype(np.float32)
    assert computed(single).dtype == computed_along(single, np.ones_like(single)).dtype == np.float32


def test_the_input_is_not_written_to() -> None:
    for matrix in (RANDOM[0].copy(), np.zeros((4, 3))):
        direction = RANDOM[1].copy()
        matrix.flags.writeable = direction.flags.writeable = False
        computed(matrix), computed_along(matrix, direction)


@pytest.mark.parametrize("said", [said for said in MATRICES if MATRICES[said].size > 1])
def test_gradient_and_hessian_of_a_nuclear_norm(said: str) -> None:
    module = loss("A: Matrix[n, d]", "np.linalg.norm(A, 'nuc')", "A").compile()
    matrix = MATRICES[said]
    direction = np.random.default_rng(3).standard_normal(matrix.shape) * np.max(np.abs(matrix))
    assert np.isclose(module.loss(matrix), np.linalg.svd(matrix)[1].sum())
    assert np.allclose(module.grad(matrix), polar(matrix))
    assert np.allclose(module.hvp(matrix, direction), polar_along(matrix, direction))
