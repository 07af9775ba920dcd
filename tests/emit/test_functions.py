"""Modules of functions: value, jvp, vjp, Jacobian and `bind`, against the spec run as NumPy and against differences."""

from __future__ import annotations

import importlib.util
import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import SIZES, close, declare, declared, draw, module, parts, shares_nothing, slope

import gradgen
from gradgen.pipeline import digest


class Used:
    """A function with its module, random arguments, directions and a cotangent."""

    def __init__(self, signature: str, body: str, wrt: str | tuple[str, ...]) -> None:
        self.made = declare(f"function(wrt={wrt!r})", signature, body)
        self.module = module(self.made)
        self.wrt, self.several = self.made.tape.wrt, self.made.tape.several
        self.arguments = draw(self.made)
        self.directions = {name: draw(self.made, 1)[name] for name in self.wrt}
        self.value = self.made(*self.arguments.values())
        self.cotangent = np.random.default_rng(2).standard_normal(np.shape(self.value))[()]

    @property
    def variables(self) -> list[Any]:
        return [self.arguments[name] for name in self.wrt]

    @property
    def data(self) -> dict[str, Any]:
        return {name: value for name, value in self.arguments.items() if name not in self.wrt}

    def moved(self, t: float) -> Any:
        """The spec's value with the variables moved along the directions."""
        return self.made(*(a + t * self.directions[n] if n in self.wrt else a for n, a in self.arguments.items()))


FUNCTIONS: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "a linear map": ("A: Matrix[n, d], x: Vector[d]", "A @ x", "x"),
    "a curved one": ("A: Matrix[n, d], x: Vector[d], b: Vector[n]", "np.tanh(A @ x + b) * b", "x"),
    "of a matrix": ("X: Matrix[n, d], w: Vector[d]", "np.exp(X * w) @ w", "X"),
    "a matrix": ("X: Matrix[n, d]", "X.T @ X", "X"),
    "the transpose": ("X: Matrix[n, d]", "X.T", "X"),
    "the argument itself": ("x: Vector[n]", "x", "x"),
    "of several": ("X: Matrix[n, d], w: Vector[d], s: Scalar", "s * np.sin(X @ w)", ("X", "w", "s")),
    "of a tuple of one": ("A: Matrix[n, d], x: Vector[d]", "(A @ x)**2", ("x",)),
    "of a number": ("s: Scalar, x: Vector[n]", "np.exp(s * x)", "s"),
    "a number": ("x: Vector[n], y: Vector[n]", "x @ y", "x"),
    "a number of a number": ("s: Scalar", "s**3", "s"),
    "a column": ("x: Vector[n]", "(x * x)[:, None]", "x"),
    "a row": ("X: Matrix[n, d]", "np.sum(X**2, axis=0, keepdims=True)", "X"),
    "an entry": ("x: Vector[n]", "np.sum(x**2, keepdims=True)", "x"),
    "one entry in two axes": ("x: Vector[n]", "np.sum(x**2, keepdims=True)[None]", "x"),
    "of a vector of one": ("x: Vector[1], y: Vector[n]", "x[0] * y", "x"),
    "an entry of a vector of one": ("x: Vector[1]", "2 * x", "x"),
    "of a column": ("X: Matrix[n, 1]", "np.sin(X @ X.T)", "X"),
    "a constant": ("x: Vector[n], y: Vector[n]", "y * 2", "x"),
    "ones": ("x: Vector[n]", "0 * x + 1", "x"),
    "a broadcast": ("x: Vector[n], X: Matrix[d, n]", "np.broadcast_to(x, X.shape) * 1.0", "x"),
    "with the data's part": ("A: Matrix[n, d], B: Matrix[d, n], x: Vector[n]", "np.sum(A @ B, axis=1) * x", "x"),
    "of a dimension": ("x: Vector[n], y: Vector[d]", "np.concatenate([x, y * x[0]]) / n", "x"),
    "a multiple": ("x: Vector[2 * n]", "x[:n] * x[n:]", "x"),
}


@pytest.fixture(params=FUNCTIONS)
def used(request: pytest.FixtureRequest) -> Used:
    return Used(*FUNCTIONS[request.param])


def test_value(used: Used) -> None:
    found = used.module.value(*used.arguments.values())
    assert close(found, used.value)
    assert isinstance(found, float if np.ndim(used.value) == 0 else np.ndarray)
    assert shares_nothing(found, *used.arguments.values())


def test_jvp(used: Used) -> None:
    found = used.module.jvp(*used.arguments.values(), *used.directions.values())
    assert close(found, slope(used.moved), 1e-8)
    assert np.shape(found) == np.shape(used.value)
    assert shares_nothing(found, *used.arguments.values(), *used.directions.values())


def test_vjp(used: Used) -> None:
    """<vjp(c), d> = <c, jvp(d)>"""
    found = used.module.vjp(*used.arguments.values(), used.cotangent)
    assert isinstance(found, tuple) == used.several
    assert [np.shape(part) for part in parts(found)] == [np.shape(value) for value in used.variables]
    assert shares_nothing(found, *used.arguments.values(), used.cotangent)
    left = sum(np.sum(part * d) for part, d in zip(parts(found), used.directions.values(), strict=True))
    right = np.sum(used.cotangent * used.module.jvp(*used.arguments.values(), *used.directions.values()))
    assert close(left, right)


def test_jacobian(used: Used) -> None:
    shape = [np.ndim(value) for value in used.variables]
    assert hasattr(used.module, "jacobian") == (shape == [1] and np.ndim(used.value) == 1)
    if not hasattr(used.module, "jacobian"):
        return
    found = used.module.jacobian(*used.arguments.values())
    [direction] = used.directions.values()
    assert found.shape == (np.size(used.value), np.size(direction))
    assert shares_nothing(found, *used.arguments.values())
    assert close(found @ direction, used.module.jvp(*used.arguments.values(), direction))
    assert close(used.cotangent @ found, parts(used.module.vjp(*used.arguments.values(), used.cotangent))[0])


def test_bound(used: Used) -> None:
    tape = used.made.tape
    data = {dim for a in tape.arguments if a.name not in used.wrt for size in a.shape for dim in size.symbols}
    opened = {dim for w in used.wrt for size in tape.argument(w).shape for dim in size.symbols} - data
    sizes = {dim.name: SIZES[dim.name] for dim in opened} if len(opened) > 1 else {}
    bound = used.module.bind(**used.data, **sizes)
    arguments, variables, directions = used.arguments.values(), used.variables, used.directions.values()
    assert close(bound.value(*variables), used.value)
    assert close(bound.jvp(*variables, *directions), used.module.jvp(*arguments, *directions))
    assert close(bound.vjp(*variables, used.cotangent), used.module.vjp(*arguments, used.cotangent))
    flat = bound.pack(*variables)
    assert close(parts(bound.unpack(flat)), tuple(variables))
    assert hasattr(bound, "fun") == hasattr(bound, "jac") == hasattr(used.module, "jacobian")
    if hasattr(bound, "fun"):
        assert close(bound.jacobian(*variables), used.module.jacobian(*arguments))
        assert close(bound.fun(flat), used.value)
        assert close(bound.jac(flat), used.module.jacobian(*arguments))


def test_float32(used: Used) -> None:
    single = [np.float32(value) if np.ndim(value) else value for value in used.arguments.values()]
    found = [used.module.value(*single), used.module.vjp(*single, used.cotangent)]
    if hasattr(used.module, "jacobian"):
        found.append(used.module.jacobian(*single))
    dtype = np.float32 if any(np.ndim(value) for value in single) else np.float64
    assert all(part.dtype == dtype for result in found for part in parts(result) if np.ndim(part))


# ---- what is refused


@pytest.fixture
def affine() -> Used:
    return Used(*FUNCTIONS["a curved one"])


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "a wrong size": (np.ones(4), ValueError, "cotangent has size 4 along axis 0, but that of the value is 3"),
    "a wrong rank": (np.ones((3, 1)), ValueError, r"cotangent must have rank 1, but has shape \(3, 1\)"),
    "None": (None, TypeError, "cotangent must hold real numbers, not object"),
    "complex numbers": (np.ones(3) * 1j, TypeError, "cotangent must hold real numbers, not complex128"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_cotangents_are_refused(affine: Used, said: str) -> None:
    value, kind, message = REFUSED[said]
    with pytest.raises(kind, match=message):
        affine.module.vjp(*affine.arguments.values(), value)
    with pytest.raises(kind, match=message):
        affine.module.bind(**affine.data).vjp(*affine.variables, value)


def test_a_column_is_no_vector() -> None:
    used = Used(*FUNCTIONS["a column"])
    with pytest.raises(ValueError, match=r"cotangent must have rank 2, but has shape \(3,\)"):
        used.module.vjp(*used.arguments.values(), np.ones(3))


def test_a_wrong_direction_is_refused(affine: Used) -> None:
    with pytest.raises(ValueError, match="dx has size 2 along axis 0, but that of its variable is 4"):
        affine.module.jvp(*affine.arguments.values(), np.ones(2))


def test_what_a_slice_presupposes_is_checked() -> None:
    used = Used("x: Vector[n]", "x[:2] * x[-2:]", "x")
    with pytest.raises(ValueError, match="the function needs 2 <= n, but 2 > 1"):
        used.module.value(np.ones(1))


# ---- names

NAMES = (
    "np cotangent cotangent_ value jvp vjp jacobian bind pack unpack fun jac f df d2f dx self x n d _cotangent "
    "_Function _door _owned _direction _value _jvp _vjp _jacobian _given _symmetric _adjugate dtype shape Bound _flat"
).split()


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", NAMES)
def test_an_argument_may_have_any_name(name: str) -> None:
    for wrt in (name, "v_"):
        used = Used(f"{name}: Matrix[n, d], v_: Vector[d]", f"({name} @ v_) ** 3", wrt)
        for check in (test_value, test_jvp, test_vjp, test_jacobian):
            check(used)


def test_the_cotangent_gives_way() -> None:
    used = Used("cotangent: Vector[n]", "cotangent**2", "cotangent")
    assert list(inspect.signature(used.module.vjp).parameters) == ["cotangent", "cotangent_"]


def test_directions_give_way_to_one_another() -> None:
    used = Used("x: Vector[n], x_: Vector[n], dx: Vector[n]", "x * x_ + dx", ("x", "x_"))
    assert list(inspect.signature(used.module.jvp).parameters) == ["x", "x_", "dx", "dx_", "dx__"]
    test_jvp(used)


def test_dimensions_named_like_what_a_module_uses() -> None:
    text = """
data, _owned, _vjp, self = dims("data _owned _vjp self")

@function(wrt="w")
def made(X: Matrix[_owned, data], w: Vector[data], Y: Matrix[self, _vjp]):
    return (X @ w)[:, None] * np.sum(Y, axis=0)
"""
    one = declared(text)["made"]
    X, w, Y = np.arange(6.0).reshape(2, 3), np.arange(3.0), np.ones((4, 5))
    used = module(one)
    assert close(used.value(X, w, Y), one(X, w, Y))
    assert close(used.vjp(X, w, Y, np.ones((2, 5))), 20 * X.sum(axis=0))
    assert close(used.bind(X, Y).unpack(w), w)


# ---- the text


def test_docstrings_say_shapes(affine: Used) -> None:
    assert inspect.getdoc(affine.module.vjp) == (
        "The transposed Jacobian times a cotangent.\n\nParameters\n----------\nA : (n, d) array\nx : (d,) array\n"
        "b : (n,) array\ncotangent : (n,) array, shaped like the value\n\nReturns\n-------\n(d,) array"
    )
    assert "(n, d) array" in inspect.getdoc(affine.module.jacobian).split("Returns")[1]
    assert inspect.getdoc(affine.module.value).startswith("The value of made.")


def test_the_value_is_what_the_spec_says() -> None:
    made = declare("function(wrt='x')", "x: Vector[n]", '"""A "map": \\\\alpha x.\n\n    More of it."""\n    2 * x')
    assert inspect.getdoc(module(made).value).startswith('A "map": \\alpha x.\n\nParameters')


def test_public_names(affine: Used) -> None:
    assert affine.module.__all__ == ["value", "jvp", "vjp", "jacobian", "bind"]
    assert all(hasattr(affine.module, name) for name in affine.module.__all__)


def test_the_function_as_python_sees_it(affine: Used) -> None:
    assert isinstance(affine.made, gradgen.Function)
    assert affine.made.formula().splitlines()[0].startswith("value")
    titles = [line.split(" = ")[0].strip() for line in affine.made.derivative.splitlines()]
    assert titles == ["jvp", "vjp", "jacobian"]
    with pytest.raises(gradgen.SpecError, match="there is no backend 'fortran'"):
        affine.made.source(backend="fortran")


# ---- use


def test_least_squares() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    used = Used("t: Vector[n], y: Vector[n], p: Vector[2]", "p[0] * np.exp(-p[1] * t) - y", "p")
    t = np.linspace(0, 2, 9)
    bound = used.module.bind(t=t, y=3 * np.exp(-0.7 * t))
    found = optimize.least_squares(bound.fun, np.ones(2), jac=bound.jac)
    assert close(found.x, np.array([3, 0.7]), 1e-8)


def test_bound_functions_can_be_pickled(affine: Used, tmp_path: Path) -> None:
    path = tmp_path / "written_affine.py"
    path.write_text(affine.made.source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_affine", path)
    assert spec is not None and spec.loader is not None
    written = importlib.util.module_from_spec(spec)
    sys.modules["written_affine"] = written
    spec.loader.exec_module(written)
    bound = pickle.loads(pickle.dumps(written.bind(**affine.data)))
    assert close(bound.value(*affine.variables), affine.value)
    del sys.modules["written_affine"]


def test_a_function_has_another_digest_than_a_loss() -> None:
    loss = declare("loss(wrt='x')", "x: Vector[n]", "x @ x")
    function = declare("function(wrt='x')", "x: Vector[n]", "x @ x")
    assert digest(loss.tape) != digest(function.tape)
