"""Tiny sizes, recipes by declared facts, and literal inputs that a person can read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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

from gradgen import recipes
from gradgen.kinks import switches
from gradgen.oracle import survey
from gradgen.recipes import choose

LOSSES = (ridge, logistic, huber, factorization, softmax_regression, network)
ROOT = Path(__file__).resolve().parents[2]
n, d = dims("n d")


def chosen(loss, *facts):
    found = choose(tape("some", [("x", (d,), facts)], "x", loss))
    return found.choice["x"].name, found


@pytest.mark.parametrize("loss", LOSSES)
def test_cases_are_tiny_finite_and_far_from_kinks(loss):
    recorded = loss()
    found = choose(recorded)
    assert found.warning is None
    assert len(found.cases) == 2
    assert set(found.cases[1].sizes.values()) == {1}
    assert len(set(found.cases[0].sizes.values())) == len(found.cases[0].sizes)
    for case in found.cases:
        assert sum(case.inputs[name].size for name in recorded.wrt) <= 30
        assert case.reference.finite
        assert survey(recorded, case.inputs).distance >= (1e-3 if switches(recorded) else np.inf)


@pytest.mark.parametrize("loss", LOSSES)
def test_literals_are_short(loss):
    for case in choose(loss()).cases:
        for array in (*case.inputs.values(), *case.directions.values()):
            assert all(len(repr(x)) <= 7 for x in array.ravel().tolist())


def test_literals_use_both_sides_of_a_switch():
    recorded = huber()
    case = choose(recorded).cases[0]
    assert survey(recorded, case.inputs).mixed == 2


def test_gradients_are_not_zero_where_they_need_not_be():
    for loss in LOSSES:
        assert all(np.any(g) for g in choose(loss()).cases[0].reference.grad)


@pytest.mark.parametrize(
    ("fact", "holds"),
    [
        ("positive", lambda x: x > 0),
        ("nonnegative", lambda x: x >= 0),
        ("unit_interval", lambda x: (x >= 0) & (x <= 1)),
        ("sign", lambda x: np.abs(x) == 1),
        ("boolean", lambda x: (x == 0) | (x == 1)),
        ("integer", lambda x: x == np.round(x)),
        ("one_hot", lambda x: ((x == 0) | (x == 1)) & (x.sum(axis=-1, keepdims=True) == 1)),
        ("simplex", lambda x: (x > 0) & (x.sum(axis=-1, keepdims=True) == 1)),
    ],
)
def test_declared_facts_hold(fact, holds):
    recorded = tape("some", [("Y", (n, d), [fact]), ("x", (d,))], "x", lambda Y, x: reduced("sum", (Y @ x) ** 2), ())
    found = choose(recorded)
    for case in found.cases:
        assert holds(case.inputs["Y"]).all()
    for seed in range(20):
        drawn, _ = recipes.draw(recorded, found.choice, {"n": 5, "d": 4}, seed)
        assert holds(drawn["Y"]).all()


def test_recipes_find_the_domain():
    log = lambda x: reduced("sum", entrywise("log", x))  # noqa: E731
    entropy = lambda x: -reduced("sum", x * entrywise("log", x) + (1 - x) * entrywise("log1p", -x))  # noqa: E731
    assert chosen(log)[0] == "positive"
    assert chosen(entropy)[0] == "fraction"
    assert chosen(lambda x: reduced("sum", entrywise("arccosh", x)))[0] == "above_one"
    assert chosen(lambda x: reduced("sum", entrywise("sqrt", -x)))[0] == "negative"
    assert chosen(lambda x: reduced("sum", entrywise("exp", x)))[0] == "normal"


def test_where_no_recipe_works_the_operation_is_named():
    _, found = chosen(lambda x: reduced("sum", entrywise("sqrt", -1 - x * x)))
    assert found.cases == ()
    assert found.warning.operation == "sqrt"
    assert "sqrt" in str(found.warning)


def test_constraints_hold():
    m = dims("m")[0]
    recorded = tape("some", [("x", (m,))], "x", lambda x: reduced("sum", x[2:] ** 2), [(2, m)])
    found = choose(recorded)
    assert all(case.sizes["m"] >= 2 for case in found.cases)
    recorded = tape("far", [("x", (m,))], "x", lambda x: x[11] ** 2, [(12, m)])
    assert choose(recorded).cases[0].sizes["m"] >= 12


def test_a_mean_of_nothing_is_avoided():
    recorded = tape("jumps", [("x", (d,))], "x", lambda x: reduced("mean", (x[1:] - x[: d - 1]) ** 2), [(1, d)])
    assert choose(recorded).cases[-1].sizes["d"] == 2


def test_literal_dimensions_only():
    found = choose(tape("some", [("x", (3,))], "x", lambda x: reduced("sum", x * x)))
    assert len(found.cases) == 1
    assert found.cases[0].inputs["x"].shape == (3,)


def test_many_dimensions():
    names = dims("a b c d e f g")
    arguments = [(f"x{k}", (size,)) for k, size in enumerate(names)]

    def loss(*xs):
        return sum((reduced("sum", x * x) for x in xs[1:]), reduced("sum", xs[0]))

    found = choose(tape("many", arguments, tuple(name for name, _ in arguments), loss))
    assert set(found.cases[1].sizes.values()) == {1}


def test_a_dead_region_is_avoided():
    recorded = tape("dead", [("x", (d,))], "x", lambda x: reduced("sum", entrywise("relu", x - 0.5) ** 2))
    assert all(case.reference.grad[0].any() for case in choose(recorded).cases)


def test_where_protects_its_branch():
    """A logarithm that fails only where it is not selected does not make the loss fail."""

    def loss(x):
        return reduced("sum", term("where", (x > 0, entrywise("log", x), x), (d,)))

    assert chosen(loss)[0] == "normal"


def test_the_same_choice_under_any_hash_seed():
    code = (
        "import sys; sys.path.insert(0, 'tests/oracle'); import handmade_tapes as t\n"
        "from gradgen.emit_tests import render\n"
        "print(''.join(render(f()) for f in (t.huber, t.network, t.softmax_regression)))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(texts) == 1
