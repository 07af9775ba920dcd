"""The hand-written baseline: the loss of the spec, and as strict at its door as a generated module."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import hand
from benchmarks.contenders import Job, by_hand
from benchmarks.hand import rows
from benchmarks.losses import FUNCTIONS, LOSSES, SPECS
from benchmarks.measure import error_of
from benchmarks.worker import arrays
from gradgen.spec import load_spec


@pytest.mark.parametrize("name", LOSSES)
def test_is_the_loss_of_the_spec(name: str) -> None:
    inputs, _ = Job(name, "tiny").drawn()
    value, _ = getattr(hand, name).value_and_grad(*inputs.values())
    assert np.isclose(value, load_spec(SPECS / f"{name}.py")[name](*inputs.values()), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", LOSSES)
def test_results_are_new_and_in_order(name: str) -> None:
    inputs, directions = Job(name, "tiny").drawn()
    given = [np.asfortranarray(value) if isinstance(value, np.ndarray) else value for value in inputs.values()]
    kept = [np.array(value) for value in given]
    module = getattr(hand, name)
    results = arrays([module.value_and_grad(*given)[1], module.hvp(*given, *directions)])
    for one in results:
        assert one.flags.c_contiguous and one.flags.writeable
        assert not any(np.shares_memory(one, other) for other in given if isinstance(other, np.ndarray))
    assert all(np.array_equal(value, copy) for value, copy in zip(given, kept, strict=True))


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays_float32(name: str) -> None:
    single, double = by_hand.prepare(Job(name, "tiny", "float32")), by_hand.prepare(Job(name, "tiny"))
    for function in FUNCTIONS:
        results = single[function]()
        assert {one.dtype for one in arrays(results) if one.ndim} == {np.dtype(np.float32)}
        assert error_of(arrays(results), arrays(double[function]())) < 1e-4, function


@pytest.mark.parametrize("name", ["ridge", "logistic", "poisson", "log_cosh"])
def test_blocks_of_rows_add_up(name: str) -> None:
    job = Job(name, "n=20011 d=30")
    inputs, directions = job.drawn()
    module, given = getattr(hand, name), tuple(inputs.values())
    assert inputs["X"].size > rows.CACHED
    for function, along in (("value_and_grad", ()), ("hvp", directions)):
        by_blocks = getattr(module, function)(*given, *along)
        at_once = getattr(module.core, function)(*given, *along)
        assert error_of(arrays(by_blocks), arrays(at_once)) < 1e-13, function


def wrong_calls() -> list[Any]:
    X, y, w = np.ones((4, 2)), np.ones(4), np.ones(2)
    return [
        pytest.param((X, y[:3], w, 0.1), "y has size 3 along axis 0, but n, as in X, is 4", id="size"),
        pytest.param((X, y, w[:, None], 0.1), r"w must have rank 1, but has shape \(2, 1\)", id="rank"),
        pytest.param((X, y, w, np.ones(1)), r"lam must have rank 0, but has shape \(1,\)", id="scalar"),
        pytest.param((X, y, w + 1j, 0.1), "w must hold real numbers, not complex128", id="complex"),
        pytest.param((np.ma.masked_greater(X, 0), y, w, 0.1), "X has masked entries", id="masked"),
    ]


@pytest.mark.parametrize(("arguments", "said"), wrong_calls())
def test_the_door_refuses(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        hand.ridge.value_and_grad(*arguments)


def test_the_door_converts() -> None:
    value, grad = hand.ridge.value_and_grad([[1, 2], [3, 4]], [1, 0], (True, False), 1)
    assert value == 10
    assert np.array_equal(grad, [20, 24])


def test_a_square_argument_is_checked_to_be_square() -> None:
    with pytest.raises(ValueError, match="B has size 3 along axis 1, but n, as in B, is 2"):
        hand.determinant_log.value_and_grad(np.ones((2, 3)), np.ones(2), np.ones((2, 2)))
