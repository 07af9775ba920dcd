"""The hand-written baseline of the benchmarks, its gradients and Hessian-vector products, against JAX."""

from __future__ import annotations

import pytest

from benchmarks.contenders import Job, by_hand, by_jax
from benchmarks.losses import FUNCTIONS, LOSSES
from benchmarks.measure import error_of
from benchmarks.worker import arrays

BOUND = 1e-10


@pytest.mark.parametrize("name", LOSSES)
def test_agrees_with_jax(name: str) -> None:
    ours, theirs = by_hand.prepare(Job(name, "tiny")), by_jax.prepare(Job(name, "tiny"))
    for function in FUNCTIONS:
        assert error_of(arrays(ours[function]()), arrays(theirs[function]())) < BOUND, function
