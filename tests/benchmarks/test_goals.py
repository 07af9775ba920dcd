"""The table of goals tells the cells that miss them."""

from __future__ import annotations

import pytest

from benchmarks import goals
from benchmarks.contenders import Job
from benchmarks.goals import Goal
from benchmarks.measure import Cell


def cell(loss: str, **seconds: float) -> Cell:
    return Cell(Job(loss, "large"), "value_and_grad", {name: [one] * 3 for name, one in seconds.items()})


FAST, SLOW = cell("ridge", hand=1.0, gradgen=0.8, jax=2.0), cell("poisson", hand=1.0, gradgen=1.2, jax=1.1)


def test_the_mean_is_geometric() -> None:
    [goal] = goals.geometric_means([FAST, SLOW])
    assert goal.measured == "0.980" and goal.met  # sqrt(.8 * 1.2)


def test_a_slow_cell_is_named() -> None:
    [held] = goals.slow_cells([FAST, SLOW])
    assert held.measured == "1 of 2" and held.met is False
    assert held.missing == ("Poisson, large, value_and_grad 1.20",)


def test_a_microsecond_is_forgiven() -> None:
    [held] = goals.slow_cells([cell("ridge", hand=1e-6, gradgen=1.9e-6)])
    assert held.met


def test_some_losses_are_only_told() -> None:
    [told] = goals.slow_cells([cell("gaussian", hand=1.0, gradgen=2.0)])
    assert told.met is None and told.missing


def test_being_ahead_of_a_rival_is_counted() -> None:
    [goal] = goals.ahead([FAST, SLOW, cell("logistic", gradgen=1.0)], "jax")
    assert goal.measured == "1" and goal.bound == "≥ 2 of 2" and goal.met is False


@pytest.mark.parametrize(("bound", "met"), [(100.0, True), (300.0, False), (None, None)])
def test_the_gain_of_bind_is_over_the_best_peer(bound: float | None, met: bool | None) -> None:
    [goal] = goals.bound_gain(cell("ridge_gram", hand=2.0, jax=4.0, bound=0.01), ["hand", "jax"], bound)
    assert goal.measured == "200" and goal.met is met and "(hand)" in goal.what


def test_plans_for_other_sizes() -> None:
    [goal] = goals.worst_plan({"a": 1.0, "b": 3.5}, 3)
    assert goal.measured == "3.50" and not goal.met and goal.missing == ("b 3.50",)


def test_the_table_says_what_is_missed() -> None:
    text = goals.summary([Goal("what", "none", "1 of 2", False, ("here", "there"))])
    assert "| what | none | 1 of 2 | **no** |" in text and "what: here; there." in text
