"""What a large number masks takes no digits of what it does not mask."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import gradgen

FOUND = Path(__file__).parents[1] / "calculus" / "found" / "mask_added.py"
RNG = np.random.default_rng(3)
Q, K, Y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3)), RNG.random(size=(4, 4))
PAD = np.array([1.0, 0.0, 1.0, 1.0])
INPUTS = {"mask_added": (Q, K, PAD, Y), "causal": (Q @ K.T, Y)}
MASKS = {"mask_added": np.outer(np.ones(4), PAD), "causal": np.tril(np.ones((4, 4)))}


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    return {name: one.compile() for name, one in gradgen.load(FOUND).items()}


def weights(mask: np.ndarray) -> np.ndarray:
    """The softmax over what is not masked."""
    e = mask * np.exp(Q @ K.T)
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_masked_entries_leave_the_others_exact(modules: dict[str, ModuleType], name: str, dtype: type) -> None:
    given = [x.astype(dtype) for x in INPUTS[name]]
    p = weights(MASKS[name])
    by_scores = Y.sum(axis=1, keepdims=True) * p - Y
    expected = by_scores @ K if name == "mask_added" else by_scores
    exact = 1e-13 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(modules[name].grad(*given), expected, rtol=0, atol=exact)


@pytest.mark.parametrize("name", INPUTS)
def test_losses_of_what_is_not_masked(modules: dict[str, ModuleType], name: str) -> None:
    *given, y = INPUTS[name]
    y = y * MASKS[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = -np.sum(np.where(y != 0, y * np.log(weights(MASKS[name])), 0))
    assert abs(modules[name].loss(*given, y) - expected) < 1e-13
