"""What stands in a module: helpers where they are called, and names that give way to those of dimensions."""

from __future__ import annotations

import inspect
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made import close, declare, declared, draw, module, slope

HELPERS = (
    "_solved",
    "_searched",
    "_length",
    "_told",
    "_one_open",
    "_at_most",
    "_cotangent",
    "_Function",
    "_given",
    "_lower_half",
    "_doubled",
    "_adjugate",
)
TEXTS: dict[str, tuple[str, str, str, set[str]]] = {
    "a plain loss": ("loss(wrt='w')", "X: Matrix[n, d], w: Vector[d]", "np.sum((X @ w)**2)", set()),
    "a function": ("function(wrt='w')", "X: Matrix[n, d], w: Vector[d]", "X @ w", {"_cotangent"}),
    "an unknown function": (
        "loss(wrt='w')",
        "X: Matrix[n, d], w: Vector[d], f: Elementwise",
        "np.sum(f(X @ w))",
        {"_Function", "_given"},
    ),
    "a symmetric matrix": (
        "loss(wrt='S')",
        "A: Matrix[n, n], S: Symmetric[n]",
        "np.sum(A * S)",
        {"_lower_half", "_doubled"},
    ),
    "independent entries": (
        "loss(wrt='S', symmetric='entries')",
        "S: Symmetric[n]",
        "np.sum(S**2)",
        {"_lower_half", "_length", "_searched"},
    ),
    "two open sizes": ("loss(wrt='X')", "X: Matrix[n, k]", "np.sum(X)", {"_length", "_one_open", "_told"}),
    "a determinant": ("loss(wrt='X')", "X: Matrix[n, n]", "np.linalg.det(X)", {"_adjugate", "_length", "_searched"}),
    "a determinant of data": ("loss(wrt='w')", "X: Matrix[n, n], w: Vector[n]", "np.linalg.det(X) * w @ w", set()),
}


@pytest.mark.parametrize("said", TEXTS)
def test_helpers_stand_where_they_are_called(said: str) -> None:
    decorator, signature, body, wanted = TEXTS[said]
    text = declare(decorator, signature, body).source()
    assert {name for name in HELPERS if re.search(rf"^(def|class) {name}\b", text, re.M)} == wanted


@pytest.mark.parametrize("name", ["_adjugate", "_adjugate_along", "_inverse", "_singular", "_without", "np"])
def test_what_helpers_are_called_gives_way(name: str) -> None:
    text = f"""
from numpy.linalg import det

@loss(wrt="{name}")
def made({name}: Matrix[n, n], B: Matrix[n, n]):
    return det({name} + B) ** 2
"""
    one = declared(text)["made"]
    used, (A, B) = module(one), draw(one).values()
    along = slope(lambda t: used.loss(A + t * B, B), 1e-2)
    assert close(np.vdot(used.grad(A, B), B), along, 1e-7)
    assert close(used.hvp(A, B, B), slope(lambda t: used.grad(A + t * B, B), 1e-2), 1e-7)


def test_dimensions_may_have_the_names_of_attributes() -> None:
    text = """
data, converted, arguments, flat = dims("data converted arguments flat")

@loss(wrt="W")
def made(X: Matrix[data, converted], W: Matrix[converted, arguments], S: Symmetric[flat]):
    return np.sum((X @ W)**2) + np.sum(S)
"""
    one = declared(text)["made"]
    X, W, S = np.ones((4, 3)), np.arange(6.0).reshape(3, 2), np.eye(2)
    bound = module(one).bind(X, S)
    assert close(bound.fun(bound.pack(W)), one(X, W, S))
    assert close(bound.unpack(bound.pack(W)), W)


def test_threads_do_not_meet() -> None:
    one = declare("loss(wrt='w')", "X: Matrix[n, d], w: Vector[d], f: Elementwise", "np.sum(f(X @ w) + f(X) @ w)")
    used, (X, w) = module(one), draw(one).values()
    bound = used.bind(X, np.sin, df=np.cos)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(bound.grad, [w * k for k in range(64)]))
    assert all(np.array_equal(g, used.grad(X, w * k, np.sin, np.cos)) for k, g in enumerate(found))


def test_an_argument_may_be_called_self() -> None:
    one = declare("loss(wrt='self')", "self: Vector[n], f: Elementwise", "np.sum(f(self))")
    bound = module(one).bind(np.sin, df=np.cos)
    assert close(bound.grad(np.ones(3)), np.cos(np.ones(3)))
    assert list(inspect.signature(bound.grad).parameters) == ["self"]
