"""A loss in one line at one input, and what its generated module gives there: expectations by hand."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import gradgen

HEAD = """\
import numpy as np
import scipy.special
from gradgen import *

n, d, k = dims("n d k")

@loss(wrt={wrt})
def some({arguments}):
    return {result}
"""


@dataclass(frozen=True)
class Case:
    """A loss, its inputs, and what it gives: the loss, and gradient and product in ``wrt`` order, None for what does
    not matter. Directions are all ones where none are given."""

    result: str
    arguments: str
    inputs: tuple
    loss: float
    grad: object
    hvp: object = None
    directions: tuple = ()
    wrt: str = "x"


def of_vector(result, x, loss, grad, hvp=None, direction=None):
    """A loss of one vector."""
    directions = () if direction is None else (direction,)
    return Case(result, "x: Vector[n]", (x,), loss, grad, hvp, directions)


def of_two(result, x, y, loss, grads, hvps=None):
    """A loss of two vectors."""
    return Case(result, "x: Vector[n], y: Vector[n]", (x, y), loss, grads, hvps, wrt="x y")


def of_matrix(result, X, loss, grad, hvp=None, direction=None):
    """A loss of one matrix."""
    directions = () if direction is None else (direction,)
    return Case(result, "X: Matrix[n, d]", (X,), loss, grad, hvp, directions, wrt="X")


def of_square(result, X, loss, grad, hvp=None, direction=None):
    case = of_matrix(result, X, loss, grad, hvp, direction)
    return Case(**{**case.__dict__, "arguments": "X: Matrix[n, n]"})


EMPTY, NONE = np.zeros(0), np.zeros((0, 0))


def declared(case):
    """The loss of a case."""
    wrt = case.wrt.split()
    quoted = repr(tuple(wrt) if len(wrt) > 1 else wrt[0])
    return loaded(HEAD.format(wrt=quoted, arguments=case.arguments, result=case.result))


@cache
def loaded(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some_spec.py"
        path.write_text(text, encoding="utf-8")
        with warnings.catch_warnings(action="error"):  # the tests of silence may be given what was made before
            found = gradgen.load(path)["some"]
            found.source()
    return found


def compiled(case):
    """The generated module of a case."""
    return declared(case).compile()


def named_inputs(case):
    names = [part.split(":")[0].strip() for part in case.arguments.split(", ") if ":" in part]
    return {name: np.array(x) for name, x in zip(names, case.inputs, strict=True)}


def same(found, wanted):
    """Equal to rounding, in shape too; a tuple for a tuple."""
    if isinstance(wanted, tuple):
        assert isinstance(found, tuple)
        for pair in zip(found, wanted, strict=True):
            same(*pair)
        return
    wanted = np.asarray(wanted, dtype=float)
    assert np.shape(found) == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def outcomes(case):
    """What the functions of the module give, plain and bound, each with what they should give."""
    module = compiled(case)
    values = named_inputs(case)
    wrt = case.wrt.split()
    ones = (np.ones(np.shape(values[variable])) for variable in wrt)
    directions = [np.array(x, dtype=float) for x in case.directions or ones]
    bound = module.bind(**{key: x for key, x in values.items() if key not in wrt})
    variables = [values[key] for key in wrt]
    yield module.loss(*values.values()), case.loss
    yield module.grad(*values.values()), case.grad
    yield module.value_and_grad(*values.values()), (case.loss, case.grad)
    yield bound.value_and_grad(*variables), (case.loss, case.grad)
    if all(np.ndim(x) < 2 for x in variables):
        x = bound.pack(*variables)
        yield bound.fun_and_jac(x), (case.loss, np.concatenate([np.ravel(g) for g in parts(case.grad)]))
    if case.hvp is not None:
        yield module.hvp(*values.values(), *directions), case.hvp
        yield bound.hvp(*variables, *directions), case.hvp
        if hasattr(module, "hessian"):
            yield np.dot(module.hessian(*values.values()), directions[0]), case.hvp
            yield np.dot(bound.hessian(*variables), directions[0]), case.hvp


def parts(result):
    return result if isinstance(result, tuple) else (result,)


def finite(case):
    """Whether the derivatives are finite, so that there is nothing to warn of."""
    results = (*parts(case.grad), *(() if case.hvp is None else parts(case.hvp)))
    return all(np.all(np.isfinite(np.asarray(x, dtype=float))) for x in results)


def conventions(cases):
    """The two tests of a table: every function gives what it should; where that is finite, nothing warns."""

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    @pytest.mark.parametrize("name", cases)
    def test_conventions(name):
        for pair in outcomes(cases[name]):
            same(*pair)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("name", [name for name, case in cases.items() if finite(case)])
    def test_silence(name):
        for _ in outcomes(cases[name]):
            pass

    return test_conventions, test_silence
