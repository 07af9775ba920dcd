"""A module is tried when it is built, on the inputs of its tests: what is right passes, what differs is named."""

from __future__ import annotations

from functools import cache

import handmade_tapes
import pytest
from handmade_modules import CORES, module_text

from gradgen.recipes import choose
from gradgen.trial import difference

WRONG = {
    # what is replaced in which module, by what, and what is told of it
    "a loss": ("ridge", "lam * (w @ w)", "lam * (w @ w) / 2", "digits: loss is "),
    "a sign": ("ridge", "+ 2 * lam * w,)", "- 2 * lam * w,)", "digits: grad by w["),
    "a product": ("ridge", "X @ dw)) +", "X @ dw)) * (1 + 1e-6) +", "digits: hvp by w["),
    "one of two variables": ("factorization", "+ 2 * (R @ dV)", "", "hvp by U["),
    "the other variable": ("factorization", " + 2 * (R.T @ dU)", "", "hvp by V["),
    "no number": ("ridge", "+ 2 * lam * w,)", "+ np.nan * w,)", "is nan, not "),
    "a column": ("normed", "(X.T @ r /", "((X.T @ r)[:, None] /", "grad by w has shape "),
    "an exception": ("ridge", "return r @ r", "return 1 // 0 + r @ r", "loss raises ZeroDivisionError"),
    "another function": ("two_functions", "np.sum(g(V) ** 2)", "np.sum(f(V) ** 2)", "digits: loss is "),
    "a derivative for another": ("two_functions", "X.T @ df(X @ V)", "X.T @ dg(X @ V)", "digits: grad by V["),
    "the derivative of tanh": ("two_functions", "df(X @ V)", "(1 - f(X @ V) ** 2)", "f = softplus"),
    "a second derivative": ("two_functions", "(dg(V) ** 2 + g(V) * d2g(V))", "dg(V) ** 2", "digits: hvp by V["),
    "indices": ("recommender", "np.add.at(g, rows, e)", "np.add.at(g, rows[::-1], e)", "digits: grad by "),
    "a map": ("layer", "return A @ f(x)\n", "return A @ x\n", "digits: value["),
    "its derivative": ("layer", "A @ (df(x) * dx)", "A @ dx", "digits: jvp["),
    "its transpose": ("layer", "df(x) * (A.T @ cotangent)", "A.T @ cotangent", "digits: vjp by x["),
}


@cache
def chosen(name):
    tape = getattr(handmade_tapes, name)()
    return tape, choose(tape)


@pytest.mark.parametrize("name", CORES)
def test_a_right_module_passes(name):
    tape, recipes = chosen(name)
    assert recipes.cases
    assert difference(tape, recipes, module_text(tape)) is None


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_module_is_told(name):
    loss, old, new, told = WRONG[name]
    tape, recipes = chosen(loss)
    text = module_text(tape)
    assert old in text
    found = difference(tape, recipes, text.replace(old, new))
    assert found is not None
    assert told in found.message


def test_a_module_that_overwrites_what_it_is_given_leaves_the_cases_alone():
    tape, recipes = chosen("ridge")
    before = [{name: x.copy() for name, x in case.inputs.items()} for case in recipes.cases]
    difference(tape, recipes, module_text(tape).replace("r = X @ w - y", "y -= X @ w\n    r = -y"))
    assert all(
        (case.inputs[name] == x).all()
        for case, old in zip(recipes.cases, before, strict=True)
        for name, x in old.items()
    )


def test_what_needs_a_library_that_is_not_there_is_not_tried():
    tape, recipes = chosen("ridge")
    with pytest.raises(ModuleNotFoundError, match="scipy_that_is_not_there"):
        difference(tape, recipes, "import scipy_that_is_not_there\n")
