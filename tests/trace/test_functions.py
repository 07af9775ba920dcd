"""Functions that work entry by entry, unknown or by a SymPy formula; and ``@function``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sympy
from numpy.linalg import norm

import gradgen
from gradgen import Elementwise, Matrix, Scalar, SpecError, Symmetric, Vector, dims, elementwise, function, loss
from gradgen.spec import load_spec, run_with

n, d = dims("n d")
X = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]])
Y = np.array([1.0, -0.5, 2.0])

# ---- unknown functions


def recorded(body: Callable[..., Any]) -> Any:
    @function(wrt="X")
    def made(X: Matrix[n, d], y: Vector[n], s: Scalar, f: Elementwise):
        return body(X, y, s, f)

    return made.tape


def test_a_call_is_recorded_with_the_shape_of_its_operand() -> None:
    table = {
        ("n", "d"): lambda X, y, s, f: f(X),
        ("d",): lambda X, y, s, f: f(y @ X),
        (): lambda X, y, s, f: f(s),
        ("n", "1"): lambda X, y, s, f: f(y[:, None]),
    }
    for shape, body in table.items():
        result = recorded(body).result
        assert (result.op, result.params["function"], tuple(map(str, result.shape))) == ("unknown", "f", shape)


def test_anything_that_is_a_number_can_be_given() -> None:
    table = {
        "constant": lambda X, y, s, f: f(2.0),
        "size": lambda X, y, s, f: f(n),
        "multiply": lambda X, y, s, f: f(X > 0),
        "concatenate": lambda X, y, s, f: f([s, 1.0]),
        "unknown": lambda X, y, s, f: f(f(X)),
    }
    for op, body in table.items():
        tape = recorded(lambda X, y, s, f, b=body: b(X, y, s, f) + 0 * s)
        (call,) = [c for c in tape.calls() if c.op == "unknown"][-1:]
        assert call.args[0].op == op
        assert not call.args[0].boolean


def test_a_function_may_be_passed_on() -> None:
    def helper(g: Any, Z: Any) -> Any:
        return g(g(Z))

    @loss(wrt="x")
    def inner(x: Vector[n], g: Elementwise):
        return np.sum(g(x))

    @loss(wrt="z")
    def literal(z: Vector[2], g: Elementwise):
        return np.sum(g(z))

    @loss(wrt="x")
    def outer(x: Vector[n], f: Elementwise):
        return inner(x, f) + inner(x, np.tanh) + inner(x, swish) + np.sum(helper(f, x)) + literal(np.ones(2), f)

    assert [c.op for c in outer.tape.calls()].count("unknown") == 4
    assert {c.params["function"] for c in outer.tape.calls() if c.op == "unknown"} == {"f"}
    assert [c.op for c in outer.tape.calls()].count("tanh") == 1
    total = np.sum(np.sin(Y) + np.tanh(Y) + Y / (1 + np.exp(-Y)) + np.sin(np.sin(Y))) + 2 * np.sin(1)
    assert outer(Y, np.sin) == pytest.approx(total, rel=1e-14)

    @loss(wrt="x")
    def wrong(x: Vector[n]):
        return inner(x, x)

    with pytest.raises(SpecError, match="inner declares g as a function, but gets an array"):
        _ = wrong.tape


USES = [
    "f + 1",
    "2 * f",
    "X @ f",
    "f ** 2",
    "-f",
    "abs(f)",
    "f > 0",
    "f == 1",
    "f & f",
    "np.sum(f)",
    "np.exp(f)",
    "np.linalg.norm(f)",
    "np.block([[X, f]])",
    "np.concatenate([y, f])",
    "np.array(f)",
    "np.ones(3) * f",
    "X + f",
    "softplus(f)",
    "f.T",
    "f.sum()",
    "f[0]",
    "f(f)",
    "float(f)",
    "len(f)",
    "[z for z in f]",
    "(X if f else y)",
    "np.vectorize(f)(X)",
]
HEAD = """import numpy as np
from gradgen import *
n, d = dims("n d")
@loss(wrt="X")
def wrong(X: Matrix[n, d], y: Vector[n], f: Elementwise):
"""


def error_of(folder: Path, line: str) -> SpecError:
    path = folder / "wrong.py"
    path.write_text(f"{HEAD}    {line}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        _ = load_spec(path)["wrong"].tape
    return caught.value


@pytest.mark.parametrize("use", USES)
def test_a_function_is_no_array(tmp_path: Path, use: str) -> None:
    error = error_of(tmp_path, f"return np.sum({use})")
    assert "f is a function, not an array" in error.message
    assert error.hint == "apply it entry by entry: f(Z)"
    assert error.place is not None and error.place.line == 6


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("return f(X, y)", "f takes one array and nothing else"),
        ("return f()", "f takes one array and nothing else"),
        ("return f(X, axis=0)", "f takes one array and nothing else"),
        ("return f(None)", "NoneType is no real array"),
        ("return f('X')", "str is no real array"),
        ("return f", "wrong returns <the function f> itself"),
    ],
)
def test_what_a_function_is_given(tmp_path: Path, line: str, message: str) -> None:
    error = error_of(tmp_path, line)
    assert message in error.message
    assert error.place is not None and error.place.line == 6


# ---- unknown functions of real arrays


@loss(wrt="X")
def network(X: Matrix[n, d], f: Elementwise, y: Vector[n], s: Scalar):
    return np.sum(f(X)) + f(s) + np.sum(f(y > 0)) + f(n)


def test_a_function_runs_on_real_arrays() -> None:
    expected = np.sum(np.tanh(X)) + np.tanh(0.5) + np.sum(np.tanh([1.0, 0.0, 1.0])) + np.tanh(3.0)
    assert network(X, np.tanh, Y, 0.5) == pytest.approx(expected, rel=1e-15)
    assert network(X, f=lambda z: [np.tanh(z)][0], y=Y, s=0.5) == pytest.approx(expected, rel=1e-15)


def test_a_function_gets_the_working_dtype_and_gives_it() -> None:
    seen: list[Any] = []

    def noted(z: Any) -> Any:
        seen.append(np.asarray(z).dtype)
        return np.float64(2) * np.asarray(z, dtype=np.float64)

    @function(wrt="X")
    def twice(X: Matrix[n, d], f: Elementwise):
        return f(X) + f(X > 0)

    assert twice(X.astype(np.float32), noted).dtype == np.float32
    assert set(seen) == {np.dtype(np.float32)}
    assert twice(X, noted).dtype == np.float64


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (None, TypeError, "f is None, but should be a function of an array"),
        (3.0, TypeError, "f is 3.0, but should be a function"),
        (np.sum, ValueError, r"f gives an array of shape \(\) for one of shape \(3, 2\)"),
        (lambda z: z[..., None], ValueError, r"f gives an array of shape \(3, 2, 1\) for one of shape \(3, 2\)"),
        (lambda z: z.T, ValueError, r"f gives an array of shape \(2, 3\) for one of shape \(3, 2\)"),
        (lambda z: z * 1j, TypeError, "f gives dtype complex128"),
        (lambda z: None, TypeError, "f gives dtype object"),
        (lambda z: 1 / 0, ZeroDivisionError, "division by zero"),
    ],
)
def test_wrong_functions(f: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        network(X, f, Y, 0.5)


# ---- SymPy formulas

swish = elementwise("swish", lambda t: t / (1 + sympy.exp(-t)))
huber = elementwise("huber", lambda r, c: sympy.Piecewise((r**2 / 2, abs(r) <= c), (c * (abs(r) - c / 2), True)))
EVERY = {
    "polynomial": (lambda t: 3 * t**2 - t / 4 + 1, lambda t: 3 * t**2 - t / 4 + 1),
    "quotient": (lambda t: (1 + t) / (2 + t**2), lambda t: (1 + t) / (2 + t**2)),
    "powers": (lambda t: 2**t + sympy.sqrt(t) + t**1.5 + t**-2, lambda t: 2**t + np.sqrt(t) + t**1.5 + t**-2.0),
    "power of itself": (lambda t: t**t, lambda t: t**t),
    "exp": (lambda t: sympy.exp(-t) * sympy.log(t), lambda t: np.exp(-t) * np.log(t)),
    "circular": (
        lambda t: sympy.sin(t) * sympy.cos(t) + sympy.tan(t),
        lambda t: np.sin(t) * np.cos(t) + np.tan(t),
    ),
    "inverse circular": (
        lambda t: sympy.asin(t / 4) + sympy.acos(t / 4) * sympy.atan(t),
        lambda t: np.arcsin(t / 4) + np.arccos(t / 4) * np.arctan(t),
    ),
    "hyperbolic": (
        lambda t: sympy.sinh(t) + sympy.cosh(t) * sympy.tanh(t),
        lambda t: np.sinh(t) + np.cosh(t) * np.tanh(t),
    ),
    "inverse hyperbolic": (
        lambda t: sympy.asinh(t) + sympy.acosh(1 + t) * sympy.atanh(t / 4),
        lambda t: np.arcsinh(t) + np.arccosh(1 + t) * np.arctanh(t / 4),
    ),
    "kinks": (
        lambda t: abs(t - 1) + sympy.sign(t - 1) + sympy.Max(t, 1, t**2) + sympy.Min(t, 1),
        lambda t: abs(t - 1) + np.sign(t - 1) + np.maximum(np.maximum(t, 1), t**2) + np.minimum(t, 1),
    ),
    "constants": (lambda t: sympy.pi * sympy.E * t + sympy.Rational(1, 3), lambda t: np.pi * np.e * t + 1 / 3),
    "pieces": (
        lambda t: sympy.Piecewise((t**2, (t > 0.5) & (t < 1)), (-t, sympy.Or(t >= 2, ~(t > 0))), (7, True)),
        lambda t: np.where((t > 0.5) & (t < 1), t**2, np.where((t >= 2) | ~(t > 0), -t, 7)),
    ),
    "equal": (
        lambda t: sympy.Piecewise((1, sympy.Eq(t, 2)), (t, sympy.Ne(t, 1)), (0, True)),
        lambda t: np.where(t == 2, 1, np.where(t != 1, t, 0)),
    ),
    "a number": (lambda t: 3, lambda t: 3 + 0 * t),
    "SymPy's own": (sympy.tanh, np.tanh),
}


@pytest.mark.parametrize("name", EVERY)
def test_a_formula_runs_on_real_arrays(name: str) -> None:
    formula, expected = EVERY[name]
    t = np.array([[0.25, 1.0], [0.75, 2.0], [1.5, 3.5]])
    word = elementwise("f", formula)
    assert np.shape(word(t)) == t.shape
    assert np.allclose(word(t), expected(t), rtol=1e-14, atol=0)
    assert word(t[0, 0]) == pytest.approx(float(expected(t)[0, 0]), rel=1e-14)
    assert word(t.astype(np.float32)).dtype == np.float32
    assert word([1, 2]).dtype == np.float64


def test_a_formula_of_several_variables_broadcasts() -> None:
    assert huber(X, 1.5).shape == X.shape
    assert huber(X.astype(np.float32), 1.5).dtype == np.float32
    first = elementwise("first", lambda a, b: a)
    assert (first(2.0, Y) == [2.0, 2.0, 2.0]).all()
    assert isinstance(huber(1.0, 2.0), float)


def test_a_piece_that_is_not_chosen_is_silent() -> None:
    word = elementwise("f", lambda t: sympy.Piecewise((sympy.log(t), t > 1), (0, True)))
    with np.errstate(all="raise"):
        assert word(np.array([-1.0, 0.0, np.e])) == pytest.approx([0, 0, 1])


def test_a_formula_is_recorded() -> None:
    @function(wrt="X")
    def f(X: Matrix[n, d], y: Vector[n]):
        return huber(X, y[:, None]) + swish(n) + swish(X > 0)

    calls = [c for c in f.tape.calls() if c.op == "formula"]
    assert [(c.params["formula"].name, tuple(map(str, c.shape))) for c in calls] == [
        ("huber", ("n", "d")),
        ("swish", ()),
        ("swish", ("n", "d")),
    ]
    assert [a.op for a in calls[1].args] == ["size"]
    assert not any(a.boolean for c in calls for a in c.args)
    assert f(X, Y) == pytest.approx(huber(X, Y[:, None]) + swish(3.0) + swish((X > 0) * 1.0))


def test_the_text_of_a_formula_is_complete() -> None:
    texts = [
        str(elementwise(name, made).formula)
        for name in ("f", "g")
        for made in (lambda t: t + 0.1, lambda t: t + (0.1 + 2**-55), lambda u: u + 0.1, lambda t, u: t + 0.1)
    ]
    assert len(set(texts)) == 8
    assert str(swish.formula) == str(elementwise("swish", lambda t: t / (1 + sympy.exp(-t))).formula)


# what stands in place of the formula, what the message says, what the hint says
WRONG = [
    ("lambda t: sympy.erf(t)", "holds erf, which is not in the vocabulary", "sinh cosh"),
    ("lambda t: sympy.Heaviside(t)", "holds Heaviside", "Piecewise"),
    ("lambda t: sympy.floor(t)", "holds floor", ""),
    ("lambda t: sympy.Function('exp')(t)", "holds exp, which is not in the vocabulary", ""),
    ("lambda t: sympy.Derivative(t**2, t)", "holds Derivative", ""),
    ("lambda t: sympy.Integral(t**2, t)", "holds Integral", ""),
    ("lambda t: sympy.Matrix([t])", "holds ImmutableDenseMatrix", ""),
    ("lambda t: np.exp(t)", "the formula of g cannot be read: TypeError", "sympy.exp in place of np.exp"),
    ("lambda t: undefined", "cannot be read: NameError", ""),
    ("lambda t: t > 0", "gives t > 0, which is no number", "sympy.Piecewise((1, t > 0), (0, True))"),
    ("lambda t: 't'", "gives 't', which is no formula", "elementwise("),
    ("lambda t: None", "gives None, which is no formula", "elementwise("),
    ("lambda t: t * sympy.Symbol('u')", "holds u, which is none of its arguments t", ""),
    ("lambda t: t * sympy.sqrt(-2)", "holds I, which is no real number", ""),
    ("lambda t: t + sympy.oo", "holds oo, which is no real number", ""),
    ("lambda t: sympy.Piecewise((t, t > 0))", "a Piecewise that may have no value", "(value, True)"),
    ("lambda: 1", "wants plain arguments, at least one", ""),
    ("lambda *t: 1", "wants plain arguments", ""),
    ("lambda t, c=1: t", "wants plain arguments", ""),
    ("3", "is no Python function", "elementwise("),
]


@pytest.mark.parametrize(("formula", "message", "hint"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong_formulas(tmp_path: Path, formula: str, message: str, hint: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(f"import numpy as np, sympy\nfrom gradgen import *\n\ng = elementwise('g', {formula})\n")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.place is not None and caught.value.place.line == 4


@pytest.mark.parametrize("name", ["a b", "3a", "lambda", "", 3, None])
def test_a_formula_has_a_name(name: Any) -> None:
    with pytest.raises(SpecError, match="cannot name a function"):
        elementwise(name, lambda t: t)


def test_a_formula_is_called_with_its_arguments() -> None:
    with pytest.raises(SpecError, match="huber takes 2 arguments, not 1"):
        huber(X)

    @loss(wrt="X")
    def f(X: Matrix[n, d], y: Vector[n]):
        return np.sum(huber(X, y))

    with pytest.raises(SpecError, match=r"\(n, d\) and \(n,\) do not broadcast") as caught:
        _ = f.tape
    assert "y[:, None]" in caught.value.hint


def test_sympy_is_imported_late() -> None:
    command = [sys.executable, "-c", "import sys, gradgen; print('sympy' in sys.modules)"]
    root = str(Path(gradgen.__file__).parents[1])
    made = subprocess.run(command, env={"PYTHONPATH": root}, capture_output=True, text=True, check=True)
    assert made.stdout == "False\n"


# ---- other array libraries


def fake_numpy(calls: set[str]) -> ModuleType:
    """NumPy and its linalg under another name, which note what is called."""

    def twin(module: ModuleType) -> ModuleType:
        made = ModuleType("fake")
        for name, value in vars(module).items():
            if callable(value) and not isinstance(value, type):
                setattr(made, name, lambda *args, n=name, f=value, **options: calls.add(n) or f(*args, **options))
        return made

    fake = twin(np)
    fake.linalg = twin(np.linalg)  # type: ignore[attr-defined]
    return fake


TABLE = {"swish": [swish]}


@loss(wrt="S")
def everything(S: Symmetric[n], y: Vector[n], f: Elementwise):
    border = np.block([[S, y[:, None]], [y, 1.0]])
    joined = np.concatenate([f(y), swish(y), TABLE["swish"][0](y), f(y > 0)])
    total = gradgen.logdet(S) + np.linalg.det(S) + norm(y) + np.sum(np.linalg.inv(S)) + np.sum(border)
    return total + np.sum(joined) + huber(y[0], n) + np.sum(np.linalg.solve(S, y)) + np.sum(np.diag(np.diag(S)))


def test_another_library_runs_the_words() -> None:
    S = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 3.0]])
    calls: set[str] = set()
    result = run_with(everything, {"S": S, "y": Y, "f": np.tanh}, {np: fake_numpy(calls)})
    assert result == pytest.approx(everything(S, Y, np.tanh), rel=1e-15)
    assert {"slogdet", "det", "norm", "inv", "block", "solve", "concatenate", "diag", "exp", "where"} <= calls


# ---- @function


@function(wrt=("X", "B"))
def affine(A: Matrix[n, d], X: Matrix[d, d], B: Matrix[n, d]):
    """A X^-1 + B"""
    inverse = np.linalg.inv(X)
    return A @ inverse + B


def test_the_tape_of_a_function() -> None:
    tape = affine.tape
    assert (tape.name, tape.doc, tape.wrt, tape.several, tape.function) == (
        "affine",
        "A X^-1 + B",
        ("X", "B"),
        True,
        True,
    )
    assert tuple(map(str, tape.result.shape)) == ("n", "d")
    assert dict(tape.options) == {"gram": False, "symmetric": None}
    assert "inverse" in tape.names.values()


def test_a_function_gives_its_array() -> None:
    square = np.array([[2.0, 1.0], [0.0, 4.0]])
    result = affine(X, square, np.asfortranarray(X))
    assert result == pytest.approx(X @ np.linalg.inv(square) + X, rel=1e-15)
    with pytest.raises(ValueError, match=r"B.shape\[0\] is 2, but n is 3"):
        affine(X, square, X[:2])


def test_results_of_any_shape() -> None:
    bodies = {
        (): lambda x: x @ x,
        (3,): lambda x: x,
        (1, 3): lambda x: x[None],
        (3, 3): lambda x: np.outer(x, x).T,
        (3, 1, 1): lambda x: x[:, None, None],
    }
    for shape, body in bodies.items():
        result = made_of(body)(Y)
        assert np.shape(result) == shape
        assert np.asarray(result).dtype == np.float64
        if shape:
            assert result.flags.c_contiguous and result.flags.writeable and not np.shares_memory(result, Y)


def made_of(body: Callable[..., Any]) -> Any:
    @function(wrt="x")
    def f(x: Vector[n]):
        return body(x)

    return f


def test_a_function_within_a_loss() -> None:
    @function(wrt="x")
    def residual(x: Vector[n], s: Scalar):
        return s * x - 1

    @loss(wrt="x")
    def f(x: Vector[n]):
        r = residual(x, 2.0)
        return r @ r

    assert f(Y) == pytest.approx(np.sum((2 * Y - 1) ** 2))
    assert f.tape.result.op == "matmul"
