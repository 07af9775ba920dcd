"""Tiny sizes, recipes by declared facts, and literal inputs that a person can read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from handmade_tapes import (
    ELEMENTWISE,
    Below,
    determinant,
    dims,
    eigenvalues,
    entrywise,
    factorization,
    gaussian,
    huber,
    inverse,
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
    solved,
    symmetric,
    taken,
    tape,
    term,
    triangular,
    two_functions,
    volume,
)

from gradgen import recipes
from gradgen.kinks import switches
from gradgen.oracle import survey
from gradgen.recipes import choose

LOSSES = (
    *(ridge, logistic, huber, factorization, softmax_regression, network, symmetric, gaussian, normed, resolvent),
    *(recommender, triangular),
)
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
        assert all(np.isfinite(x).all() for x in case.reference.arrays)
        seen = survey(recorded, case.inputs)
        assert seen.distance >= (1e-3 if switches(recorded) else np.inf)
        assert seen.condition < 100


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
        assert all(np.any(g) for g in choose(loss()).cases[0].reference.slopes)


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


def condition(matrices):
    """The worst condition of what a loss inverts, at many draws by the recipes that were chosen for it."""
    recorded = tape("some", *matrices)
    choice = choose(recorded).choice
    draws = (recipes.draw(recorded, choice, {"n": 5, "d": 4}, seed)[0] for seed in range(100))
    return max(survey(recorded, inputs).condition for inputs in draws), {a: r.name for a, r in choice.items()}


def test_what_is_inverted_is_well_conditioned():
    square = [("A", (n, n)), ("b", (n,))]
    found, names = condition((square, "A", lambda A, b: b @ solved(A, b)))
    assert found < 10
    assert names == {"A": "reflected", "b": "normal"}
    found, names = condition((square, "A", lambda A, b: entrywise("log", determinant(A))))
    assert names["A"] == "regular"
    found, names = condition((square, "A", lambda A, b: reduced("sum", inverse(entrywise("log", A)) + inverse(A))))
    assert names["A"] == "dominant"
    spd = [("A", (n, n), ["symmetric"]), ("b", (n,))]
    found, names = condition((spd, "A", lambda A, b: entrywise("log", b @ inverse(A) @ b)))
    assert found < 10
    assert names["A"] == "symmetric_regular"
    found, names = condition((spd, "b", lambda A, b: b @ inverse(A) @ b))
    assert found < 10
    assert names["A"] == "symmetric_reflected"
    facts = [("A", (n, n), ["positive"]), ("b", (n,))]
    found, names = condition((facts, "A", lambda A, b: b @ inverse(A) @ b))
    assert found < 10
    assert names["A"] == "dominant"


@pytest.mark.parametrize(
    ("shapes", "matrix"), [([(n, d), (d,)], lambda X: X.T @ X), ([(d, d), (d,)], lambda X: X + X.T)]
)
def test_literal_cases_are_well_conditioned(shapes, matrix):
    """A Gram matrix has no inverse where there are fewer rows than columns, a sum may have none by chance."""
    recorded = tape("some", list(zip("Xy", shapes, strict=True)), "X", lambda X, y: y @ solved(matrix(X), y))
    found = choose(recorded)
    assert found.warning is None
    assert all(survey(recorded, case.inputs).condition < 100 for case in found.cases)


def test_a_matrix_without_an_inverse_is_named():
    recorded = tape("outer", [("x", (3,))], "x", lambda x: x @ inverse(term("outer", (x, x), (3, 3))) @ x)
    found = choose(recorded)
    assert found.cases == ()
    assert found.warning.operation == "inv"


def test_symmetric_arguments_and_directions_are_symmetric():
    recorded = symmetric()
    for case in choose(recorded).cases:
        for array in (case.inputs["S"], case.directions["S"], case.reference.grad[0]):
            assert (array == array.T).all()
    assert not (case.inputs["A"] == case.inputs["A"].T).all() or case.sizes == {"n": 1}


def test_symmetric_arguments_are_definite_where_they_must_be():
    arguments = [("S", (n, n), ["symmetric"]), ("x", (n,))]
    found = choose(tape("some", arguments, "S", lambda S, x: entrywise("sqrt", x @ S @ x)))
    assert {name: recipe.name for name, recipe in found.choice.items()} == {"S": "symmetric_regular", "x": "normal"}


def quadratic(A, x):
    return x @ solved(A, x)


def drawn(recorded, number=50):
    """Inputs at many draws by the recipes that were chosen."""
    found = choose(recorded)
    assert found.warning is None
    return [recipes.draw(recorded, found.choice, {"n": 1 + seed % 5, "d": 4}, seed) for seed in range(number)]


@pytest.mark.parametrize("facts", [(), ("positive",), ("unit_interval",), ("integer",), ("integer", "positive")])
def test_definite_arguments_are_definite(facts):
    holds = {
        "positive": lambda x: np.all(x > 0),
        "unit_interval": lambda x: np.all((x >= 0) & (x <= 1)),
        "integer": lambda x: np.all(x == np.round(x)),
    }
    recorded = tape("some", [("A", (n, n), ["spd", *facts]), ("x", (n,))], "x", quadratic)
    for inputs, _ in drawn(recorded):
        assert (inputs["A"] == inputs["A"].T).all()
        assert np.linalg.eigvalsh(inputs["A"]).min() > 0.2
        assert np.linalg.cond(inputs["A"]) < 20
        assert all(holds[fact](inputs["A"]) for fact in facts)


def test_triangular_arguments_and_directions_are_triangular():
    recorded = triangular()
    for inputs, directions in drawn(recorded):
        for array in (inputs["L"], inputs["T"], directions["L"]):
            assert (array == np.tril(array)).all()
        for name in "LT":
            assert np.abs(np.diagonal(inputs[name])).min() > 0.4
            assert np.linalg.cond(inputs[name]) < 20
        assert inputs["D"].shape == directions["D"].shape == inputs["x"].shape
    signs = {s for inputs, _ in drawn(recorded) for s in np.sign(np.diagonal(inputs["L"])).tolist()}
    assert signs == {-1.0, 1.0}
    for case in choose(recorded).cases:
        assert not np.triu(case.reference.grad[0], 1).any()
        assert case.reference.grad[1].shape == case.inputs["D"].shape
    recorded = tape(
        "some",
        [("L", (n, n), ["lower"])],
        "L",
        lambda L: reduced("sum", entrywise("log", term("diagonal", (L,), (n,)))),
    )
    assert choose(recorded).choice["L"].name == "lower_regular"


def test_diagonals_that_are_inverted_stay_away_from_zero():
    arguments = [("D", (n, n), ["diagonal"]), ("x", (n,))]
    for inputs, _ in drawn(tape("some", arguments, ("D", "x"), quadratic)):
        assert np.abs(inputs["D"]).min() >= 0.5
    assert choose(tape("some", arguments, "D", lambda D, x: x @ D @ x)).choice["D"].name == "normal"


def test_indices_are_integers_below_their_bound_and_repeat():
    recorded = recommender()
    found = choose(recorded)
    case = found.cases[0]
    assert case.inputs["rows"].dtype.kind == "i"
    assert case.inputs["rows"].shape == (case.sizes["t"],)
    for seed in range(20):
        inputs, _ = recipes.draw(recorded, found.choice, {"m": 3, "n": 2, "k": 2, "t": 5}, seed)
        assert (0 <= inputs["rows"]).all() and (inputs["rows"] < 3).all()
        assert (0 <= inputs["columns"]).all() and (inputs["columns"] < 2).all()
    bounds = [("i", Below(3, n + d)), ("x", (n + d,)), ("y", (n,))]
    recorded = tape("some", bounds, ("x", "y"), lambda i, x, y: reduced("sum", taken(x, i) ** 2) * reduced("sum", y))
    assert len(choose(recorded).cases) == 2


def test_stacks_of_matrices_are_regular():
    arguments = [("A", (d, n, n)), ("x", (d, n, 2))]

    def loss(A, x):
        z = term("solve", (A, x), x.call.shape)
        return reduced("sum", z * z) + reduced("sum", determinant(A, "logdet"))

    recorded = tape("some", arguments, ("A", "x"), loss)
    assert choose(recorded).choice["A"].name == "stacked_reflected"
    for inputs, _ in drawn(recorded):
        assert np.linalg.cond(inputs["A"]).max() < 10


def test_matrices_with_a_factor_are_definite():
    """A sum with a transpose has a Cholesky factor where its diagonal dominates."""
    recorded = tape("some", [("A", (n, n))], "A", lambda A: reduced("sum", same("cholesky", A + A.T) ** 2))
    found = choose(recorded)
    assert (found.warning, found.choice["A"].name) == (None, "regular")
    symmetric = tape("some", [("A", (n, n), ["symmetric"])], "A", lambda A: reduced("sum", same("cholesky", A)))
    assert choose(symmetric).choice["A"].name == "symmetric_regular"


def test_literal_eigenvalues_are_apart():
    recorded = tape("some", [("A", (n, n), ["symmetric"])], "A", lambda A: eigenvalues(A) @ term("arange", (), (n,)))
    for case in choose(recorded).cases:
        assert np.diff(np.linalg.eigvalsh(case.inputs["A"])).min(initial=1) > 1e-3


def test_a_pseudoinverse_is_of_full_rank():
    for shape in ((n, d), (d, n), (n, n)):
        recorded = tape("some", [("A", shape)], "A", lambda A: reduced("sum", pseudoinverse(A) ** 2))
        for case in choose(recorded).cases:
            assert np.linalg.cond(case.inputs["A"]) < 100


def test_products_have_a_case_with_a_factor_of_zero():
    recorded = tape("some", [("x", (n, d))], "x", lambda x: reduced("sum", reduced("prod", x, 1)))
    *_, last = choose(recorded).cases
    assert last.inputs["x"][0, 0] == 0.0
    assert last.reference.grad[0][0, 0] != 0.0
    recorded = tape("some", [("x", (n,))], "x", lambda x: entrywise("log", reduced("prod", x) ** 2))
    assert len(choose(recorded).cases) == 2


def test_structured_determinants_have_a_singular_case():
    for structure in ("lower", "diagonal"):
        recorded = tape("some", [("A", (n, n), [structure]), ("B", (n, n))], "A", lambda A, B: determinant(A @ B + A))
        *_, last = choose(recorded).cases
        assert last.reference.loss == 0.0
        assert not last.inputs["A"][-1].any()
        assert last.reference.grad[0].any()


def test_entropies_of_labels():
    """Relative entropy from a boolean or one-hot target is finite."""
    arguments = [("Y", (n, d), ["one_hot"]), ("P", (n, d))]
    recorded = tape("some", arguments, "P", lambda Y, P: reduced("sum", entrywise("rel_entr", Y, P)))
    assert choose(recorded).choice["P"].name == "positive"
    recorded = tape("some", arguments, "P", lambda Y, P: reduced("sum", entrywise("xlogy", Y, P)))
    assert choose(recorded).warning is None


def test_functions_stand_in_for_each_other():
    """Each Elementwise argument is tanh once and softplus once, and two are never the same."""
    found = choose(two_functions())
    pairs = [(case.inputs["f"], case.inputs["g"]) for case in found.cases]
    assert pairs == [("tanh", "softplus"), ("softplus", "tanh")] * 2
    assert list(found.cases[0].inputs) == ["X", "f", "V", "g"]
    assert [case.inputs["f"] for case in choose(layer()).cases] == ["tanh", "softplus"] * 2


def test_a_function_of_the_data_alone():
    recorded = tape("some", [("y", (d,)), ("f", ELEMENTWISE), ("x", (d,))], "x", lambda y, f, x: x @ f(y) + x @ x)
    assert len(choose(recorded).cases) == 4


def test_determinants_have_a_singular_case():
    *others, last = choose(volume()).cases
    assert last.inputs["X"][0].tolist() == last.inputs["X"][-1].tolist()
    assert last.reference.loss == 0.0
    assert last.reference.grad[0].any()
    assert all(case.reference.loss for case in others)
    recorded = tape("gram", [("X", (n, d))], "X", lambda X: determinant(X.T @ X))
    *_, last = choose(recorded).cases
    assert np.linalg.matrix_rank(last.inputs["X"]) == 2
    assert last.reference.loss == 0.0
    assert last.reference.hvp[0].any()
    for loss in (lambda X: entrywise("log", determinant(X)), lambda X: determinant(X) + reduced("sum", inverse(X))):
        assert len(choose(tape("some", [("X", (n, n))], "X", loss)).cases) == 2


def test_determinants_that_are_always_0_are_told_from_others():
    """Random tests ask for regular matrices where there are any."""
    assert choose(volume()).regular
    assert not choose(tape("outer", [("x", (3,))], "x", lambda x: determinant(term("outer", (x, x), (3, 3))))).regular
    assert not choose(ridge()).regular


def test_maps_have_cotangents():
    for case in choose(resolvent()).cases:
        assert case.cotangent.shape == case.reference.value.shape == case.reference.jvp.shape
        assert [x.shape for x in case.reference.vjp] == [case.inputs[name].shape for name in ("S", "B")]
        assert all(len(repr(x)) <= 5 for x in case.cotangent.ravel().tolist())


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


@pytest.mark.slow
def test_the_same_choice_under_any_hash_seed():
    code = (
        "import sys; sys.path.insert(0, 'tests/oracle'); import handmade_tapes as t\n"
        "from gradgen.emit_tests import render\n"
        "losses = t.huber, t.network, t.triangular, t.recommender, t.two_functions, t.resolvent\n"
        "print(''.join(render(loss()) for loss in losses))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(texts) == 1
