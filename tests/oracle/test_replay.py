"""Each recorded call in 50 digits and in float64, against NumPy's own function of that name."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import sympy
from handmade_tapes import (
    Below,
    applied,
    determinant,
    dims,
    eigenvalues,
    entries,
    entrywise,
    inverse,
    lifted,
    picked,
    pseudoinverse,
    reduced,
    reshaped,
    same,
    solved,
    summed,
    taken,
    tape,
    term,
)

from gradgen.dims import Size
from gradgen.fields import FLOAT, exact
from gradgen.replay import INTERPRETATIONS, Replay, Setting, interpret
from gradgen.scalar import ScalarFormula
from gradgen.tape import BINARY, OPS, UNARY, Span

n, d = dims("n d")
SHAPES = {"x": (n, d), "y": (n, d), "v": (d,), "A": (d, d)}
s, t = sympy.symbols("lambda t", real=True)
SWISH = ScalarFormula("swish", (t,), t / (1 + sympy.exp(-t)))
BENT = ScalarFormula(
    "bent",
    (s, t),
    sympy.Piecewise((s**2 / 3, s < t), (sympy.Abs(t) + sympy.Rational(1, 3), True)) + sympy.Max(s, t, 0.1) * sympy.pi,
)
DOMAINS = {
    "positive": lambda rng, shape: rng.uniform(0.2, 3, shape),
    "fraction": lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    "unit": lambda rng, shape: rng.uniform(-0.9, 0.9, shape),
    "above_one": lambda rng, shape: rng.uniform(1.1, 3, shape),
    "normal": lambda rng, shape: 2 * rng.standard_normal(shape),
}
DOMAIN = dict.fromkeys(["sqrt", "log", "log1p", "log2", "log10", "power", "reciprocal", "divide"], "positive")
DOMAIN |= dict.fromkeys(["entr", "gammaln", "digamma", "xlogy", "xlog1py", "rel_entr"], "positive")
DOMAIN |= {"logit": "fraction"}
DOMAIN |= dict.fromkeys(["arcsin", "arccos", "arctanh"], "unit") | {"arccosh": "above_one"}
NUMPY = {
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "relu": lambda x: np.maximum(x, 0),
}


def value(function, domain="normal", seed=0):
    """The value of a call in both fields, and the inputs."""
    recorded = tape("some", list(SHAPES.items()), "x", function)
    rng, sizes = np.random.default_rng(seed), {"n": 4, "d": 3}
    inputs = {name: DOMAINS[domain](rng, tuple(s.value(sizes) for s in shape)) for name, shape in SHAPES.items()}
    results = [Replay(recorded, inputs, field).values({})[recorded.result] for field in (FLOAT, exact())]
    return *results, inputs


def agrees(function, expected, domain="normal"):
    for seed in range(5):
        rough, fine, inputs = value(function, domain, seed)
        wanted = np.asarray(expected(*inputs.values()))
        for found in (rough, fine):
            assert found.shape == wanted.shape
            assert (found.dtype == bool) == (wanted.dtype == bool)
            np.testing.assert_allclose(found.astype(float), wanted.astype(float), rtol=1e-13, atol=1e-14)


def named(op):
    """The function of NumPy, else of SciPy."""
    return getattr(np, op, None) or getattr(scipy.special, op, None)


@pytest.mark.parametrize("op", UNARY)
def test_one_operand(op):
    agrees(lambda x, *_: entrywise(op, x), lambda x, *_: NUMPY.get(op, named(op))(x), DOMAIN.get(op, "normal"))


@pytest.mark.parametrize("op", BINARY)
def test_two_operands_that_broadcast(op):
    agrees(lambda x, y, v, A: entrywise(op, x, v), lambda x, y, v, A: named(op)(x, v), DOMAIN.get(op, "normal"))


def span(start, stop, step=1):
    return Span(Size.of(start), Size.of(stop), step)


REDUCTIONS = {
    "prod": np.prod,
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "logsumexp": lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "norm": lambda x, axis, keepdims: np.sqrt(np.sum(x**2, axis=axis, keepdims=keepdims)),
}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(0,), (1,), (0, 1), ()])
@pytest.mark.parametrize("op", REDUCTIONS)
def test_reductions(op, axis, keepdims):
    agrees(lambda x, *_: reduced(op, x, axis, keepdims), lambda x, *_: REDUCTIONS[op](x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("axis", [(0,), (1,), (0, 1)])
def test_softmax(axis):
    agrees(
        lambda x, *_: term("softmax", (x,), (n, d), axis=axis),
        lambda x, *_: np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True),
    )
    agrees(
        lambda x, *_: term("log_softmax", (x,), (n, d), axis=axis),
        lambda x, *_: x - np.log(np.exp(x).sum(axis=axis, keepdims=True)),
    )


def test_softmax_of_rows_far_apart():
    """A row that is masked throughout keeps its own softmax."""
    agrees(
        lambda x, *_: term("softmax", (term("where", (x > x[0], x, -1e9), (n, d)),), (n, d), axis=(1,)),
        lambda x, *_: np.vstack([np.full(3, 1 / 3), rows(np.where(x > x[0], x, -1e9)[1:])]),
    )


def rows(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


OTHER = {
    "argument": (lambda x, y, v, A: v, lambda x, y, v, A: v),
    "constant": (lambda x, y, v, A: x * 0.1, lambda x, y, v, A: x * 0.1),
    "size": (lambda x, y, v, A: x / (2 * n + d), lambda x, y, v, A: x / 11),
    "where": (
        lambda x, y, v, A: term("where", (x > y, x, v), (n, d)),
        lambda x, y, v, A: np.where(x > y, x, v),
    ),
    "matmul": (lambda x, y, v, A: x @ A @ v, lambda x, y, v, A: x @ A @ v),
    "dot": (lambda x, y, v, A: term("dot", (x, A), (n, d)), lambda x, y, v, A: np.dot(x, A)),
    "inner": (lambda x, y, v, A: term("inner", (x, y), (n, n)), lambda x, y, v, A: np.inner(x, y)),
    "outer": (lambda x, y, v, A: term("outer", (v, v), (d, d)), lambda x, y, v, A: np.outer(v, v)),
    "trace": (lambda x, y, v, A: term("trace", (A,), ()), lambda x, y, v, A: np.trace(A)),
    "transpose": (lambda x, y, v, A: x.T, lambda x, y, v, A: x.T),
    "getitem": (
        lambda x, y, v, A: term("getitem", (x,), (), index=(span(1, n), None, d - 1)),
        lambda x, y, v, A: x[1:, None, -1],
    ),
    "broadcast_to": (
        lambda x, y, v, A: term("broadcast_to", (v,), (n, d)),
        lambda x, y, v, A: np.broadcast_to(v, x.shape),
    ),
    "ones": (lambda x, y, v, A: x - term("ones", (), (n, d)), lambda x, y, v, A: x - 1),
    "zeros": (lambda x, y, v, A: x * term("zeros", (), (n, d)), lambda x, y, v, A: x * 0),
    "eye": (lambda x, y, v, A: A - term("eye", (), (d, d)), lambda x, y, v, A: A - np.eye(3)),
    "reversed": (
        lambda x, y, v, A: term("getitem", (x,), (), index=(span(0, n, -1), span(0, d, 2))),
        lambda x, y, v, A: x[::-1, ::2],
    ),
    "reversed part": (
        lambda x, y, v, A: term("getitem", (x,), (), index=(span(1, 4, -2), Size.of(0))),
        lambda x, y, v, A: x[3:0:-2, 0],
    ),
    "einsum": (
        lambda x, y, v, A: summed(((70, 3), (3, 5), (3,)), (5, 70), x, A, v),
        lambda x, y, v, A: np.einsum("ij,jk,j->ki", x, A, v),
    ),
    "einsum of a diagonal and of a mask": (
        lambda x, y, v, A: summed(((1, 1), (0, 1)), (1,), A, x > y),
        lambda x, y, v, A: np.einsum("jj,ij->j", A, 1.0 * (x > y)),
    ),
    "cumsum": (lambda x, y, v, A: same("cumsum", x, axis=1), lambda x, y, v, A: np.cumsum(x, axis=1)),
    "cumsum of a mask": (lambda x, y, v, A: same("cumsum", x > y, axis=0), lambda x, y, v, A: np.cumsum(x > y, axis=0)),
    "reshape": (
        lambda x, y, v, A: reshaped(x, d, n) + reshaped(reshaped(y, n * d), d, n),
        lambda x, y, v, A: x.reshape(3, 4) + y.ravel().reshape(3, 4),
    ),
    "pick": (lambda x, y, v, A: picked(x, (2, 0, 2), 1), lambda x, y, v, A: x[:, [2, 0, 2]]),
    "pick of a mask": (lambda x, y, v, A: picked(x > y, (3, 3)), lambda x, y, v, A: (x > y)[[3, 3]]),
    "entries": (
        lambda x, y, v, A: entries(x, term("arange", (), (d,)), lifted(np.array([2.0, 0.0, 2.0]))),
        lambda x, y, v, A: x[[0, 1, 2], [2, 0, 2]],
    ),
    "tril": (lambda x, y, v, A: same("tril", x, k=1), lambda x, y, v, A: np.tril(x, 1)),
    "triu": (lambda x, y, v, A: same("triu", A / 0, k=0), lambda x, y, v, A: np.triu(np.sign(A) * np.inf)),
    "arange": (lambda x, y, v, A: x * term("arange", (), (d,)), lambda x, y, v, A: x * np.arange(3)),
    "masks are numbers": (
        lambda x, y, v, A: reduced("sum", x > y) + (x > 0) * 2,
        lambda x, y, v, A: np.sum(x > y) + (x > 0) * 2,
    ),
    "masks combine": (
        lambda x, y, v, A: (x > 0) + entrywise("logical_not", y),
        lambda x, y, v, A: (x > 0) + np.logical_not(y),
    ),
}


MATRICES = {
    "inv": (lambda x, y, v, A: inverse(A), lambda x, y, v, A: np.linalg.inv(A)),
    "solve": (lambda x, y, v, A: solved(A, v), lambda x, y, v, A: np.linalg.solve(A, v)),
    "solve with columns": (lambda x, y, v, A: solved(A, x.T), lambda x, y, v, A: np.linalg.solve(A, x.T)),
    "det": (lambda x, y, v, A: determinant(A), lambda x, y, v, A: np.linalg.det(A)),
    "logdet": (lambda x, y, v, A: determinant(A, "logdet"), lambda x, y, v, A: np.linalg.slogdet(A)[1]),
    "detsign": (lambda x, y, v, A: determinant(A, "detsign"), lambda x, y, v, A: np.linalg.slogdet(A)[0]),
    "cholesky": (lambda x, y, v, A: same("cholesky", A @ A.T), lambda x, y, v, A: np.linalg.cholesky(A @ A.T)),
    "eigvalsh": (lambda x, y, v, A: eigenvalues(A + A.T), lambda x, y, v, A: np.linalg.eigvalsh(A + A.T)),
    "pinv": (lambda x, y, v, A: pseudoinverse(x), lambda x, y, v, A: np.linalg.pinv(x)),
    "pinv of a wide one": (lambda x, y, v, A: pseudoinverse(x.T), lambda x, y, v, A: np.linalg.pinv(x.T)),
    "nuclear": (lambda x, y, v, A: term("nuclear", (x,), ()), lambda x, y, v, A: np.linalg.norm(x, "nuc")),
    "nuclear of a wide one": (
        lambda x, y, v, A: term("nuclear", (x.T,), ()),
        lambda x, y, v, A: np.linalg.norm(x, "nuc"),
    ),
    "diag": (lambda x, y, v, A: term("diag", (v,), (d, d)), lambda x, y, v, A: np.diag(v)),
    "diag of a mask": (lambda x, y, v, A: term("diag", (v > 0,), (d, d), True), lambda x, y, v, A: np.diag(v > 0)),
    "diagonal": (lambda x, y, v, A: term("diagonal", (A,), (d,)), lambda x, y, v, A: np.diag(A)),
    "concatenate": (
        lambda x, y, v, A: term("concatenate", (x, A, x > y), (2 * n + d, d), axis=0),
        lambda x, y, v, A: np.vstack([x, A, x > y]),
    ),
    "concatenated masks": (
        lambda x, y, v, A: term("concatenate", (x > y, x > 0), (n, 2 * d), True, axis=1),
        lambda x, y, v, A: np.hstack([x > y, x > 0]),
    ),
    "formula": (lambda x, y, v, A: applied(SWISH, x), lambda x, y, v, A: x / (1 + np.exp(-x))),
    "formula of two": (
        lambda x, y, v, A: applied(BENT, x, v),
        lambda x, y, v, A: np.where(x < v, x**2 / 3, np.abs(v) + 1 / 3) + np.maximum(np.maximum(x, v), 0.1) * np.pi,
    ),
    "formula of a number": (lambda x, y, v, A: applied(SWISH, 2), lambda x, y, v, A: 2 / (1 + np.exp(-2))),
}


@pytest.mark.parametrize("name", OTHER | MATRICES)
def test_other_calls(name):
    agrees(*(OTHER | MATRICES)[name])


STACKS = [(3, 3), (2, 4, 4), (2, 3, 2, 2), (1, 1), (0, 0), (2, 0, 0), (0, 3, 3)]


@pytest.mark.parametrize("field", [FLOAT, exact()], ids=["float", "exact"])
@pytest.mark.parametrize("shape", STACKS)
def test_stacks_of_matrices(field, shape):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal(shape), rng.standard_normal(shape[-1:])
    B = rng.standard_normal((*shape[-1:], 2))
    for op, wanted in {
        "det": np.linalg.det(A),
        "logdet": np.linalg.slogdet(A)[1],
        "detsign": np.linalg.slogdet(A)[0],
        "inv": np.linalg.inv(A),
    }.items():
        close(run(op, field, A), wanted)
    S, W = A + np.swapaxes(A, -1, -2), A[..., :-1, :]
    P = A @ np.swapaxes(A, -1, -2) + np.eye(shape[-1])
    close(run("eigvalsh", field, S), np.linalg.eigvalsh(S))
    close(run("cholesky", field, P), np.linalg.cholesky(P))
    close(run("pinv", field, W), np.linalg.pinv(W))
    close(run("nuclear", field, W), np.linalg.norm(W, "nuc", axis=(-2, -1)))
    close(run("solve", field, A, b), np.linalg.solve(A, b))
    close(run("solve", field, A, B), np.linalg.solve(A, B))


def run(op, field, *arrays):
    """The value of a call that has no parameters."""
    call = term(op, [lifted(0)] * len(arrays), ()).call
    with np.errstate(all="ignore"):
        return interpret(Setting(field, {}, {}, {}), call, [np.asarray(field.lift(x)) for x in arrays]).astype(float)


def close(found, wanted):
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("field", [FLOAT, exact()], ids=["float", "exact"])
@pytest.mark.parametrize("A", [np.zeros((3, 3)), np.outer([1.0, 2, 4], [1.0, -1, 2]), np.full((2, 2), np.nan)])
def test_singular_matrices_are_no_exception(field, A):
    """A determinant of 0 is exact; what does not exist is not finite."""
    if np.isfinite(A).all():
        assert run("det", field, A) == 0 == run("detsign", field, A)
        assert run("logdet", field, A) == -np.inf
    assert not np.isfinite(run("inv", field, A)).all()
    assert not np.isfinite(run("solve", field, A, np.ones(len(A)))).all()


def test_eigenvalues_have_fifty_digits():
    """Those of the second difference, and of a matrix that has one eigenvalue thrice."""
    real, k = exact().context, np.arange(1, 8)
    A = 2 * np.eye(7) - np.eye(7, k=1) - np.eye(7, k=-1)
    found = interpret(Setting(exact(), {}, {}, {}), eigenvalues(lifted(A)).call, [exact().lift(A)])
    wanted = [2 - 2 * real.cos(real.pi * int(i) / 8) for i in k]
    assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 1e-48
    B = np.array([[3.0, 1, 1, 1], [1, 3, 1, 1], [1, 1, 3, 1], [1, 1, 1, 3]])
    found = interpret(Setting(exact(), {}, {}, {}), eigenvalues(lifted(B)).call, [exact().lift(B)])
    assert max(abs(a - b) for a, b in zip(found, [2, 2, 2, 6], strict=True)) < 1e-48


@pytest.mark.parametrize("field", [FLOAT, exact()], ids=["float", "exact"])
def test_a_matrix_without_a_factor_is_no_exception(field):
    for A in (-np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]]), np.full((2, 2), np.nan)):
        assert not np.isfinite(run("cholesky", field, A)).all()
    for A in (np.full((2, 2), np.nan), np.full((2, 2), np.inf)):
        assert not np.isfinite(run("eigvalsh", field, A)).all()
    assert not np.isfinite(run("pinv", field, np.ones((3, 2)))).all()


@pytest.mark.parametrize("field", [FLOAT, exact()], ids=["float", "exact"])
@pytest.mark.parametrize("op", ["xlogy", "xlog1py", "rel_entr"])
def test_special_functions_of_two_at_their_edges(field, op):
    x, y = np.array([0.0, 0, 0, 1, 1, -1, 0, np.nan]), np.array([0.0, 2, -2, 0, -3, 2, np.nan, 1])
    np.testing.assert_array_equal(run(op, field, x, y), getattr(scipy.special, op)(x, y))


@pytest.mark.parametrize("field", [FLOAT, exact()], ids=["float", "exact"])
@pytest.mark.parametrize(
    ("op", "x"),
    [
        ("entr", [0.0, 1, -1, np.nan]),
        ("logit", [0.0, 0.5, 1, 2, -1]),
        ("erf", [0.0, np.inf, -np.inf, 7]),
        ("erfc", [0.0, np.inf, -np.inf, 20]),
        ("ndtr", [0.0, -30, 30]),
        ("log_ndtr", [0.0, -100, 30]),
        ("log_expit", [0.0, -800, 800]),
        ("gammaln", [0.0, -1, -0.5, -2.25, 1, 150]),
        ("digamma", [1.0, -0.5, -2.25, 150]),
    ],
)
def test_special_functions_at_their_edges(field, op, x):
    np.testing.assert_allclose(run(op, field, np.array(x)), getattr(scipy.special, op)(x), rtol=1e-13)


def test_entries_at_tuples_of_indices():
    arguments = [("x", (n, d, d)), ("rows", Below(4, d)), ("columns", Below(4, d))]
    recorded = tape("some", arguments, "x", entries)
    x = np.random.default_rng(0).standard_normal((3, 2, 2))
    inputs = {"x": x, "rows": [1, 0, 1, 1], "columns": [0, 0, 1, 0]}
    for field in (FLOAT, exact()):
        found = Replay(recorded, inputs, field).result({}).astype(float)
        np.testing.assert_array_equal(found, x[:, [1, 0, 1, 1], [0, 0, 1, 0]])


def test_indices_are_integers_and_repeat():
    arguments = [("x", (n, d)), ("rows", Below(4, n)), ("columns", Below(2, d))]
    recorded = tape("some", arguments, "x", lambda x, rows, columns: taken(taken(x, rows), columns, 1))
    x = np.random.default_rng(0).standard_normal((3, 2))
    inputs = {"x": x, "rows": np.array([2, 0, 2, 1]), "columns": [1, 1]}
    for field in (FLOAT, exact()):
        found = Replay(recorded, inputs, field).result({}).astype(float)
        np.testing.assert_array_equal(found, x[[2, 0, 2, 1]][:, [1, 1]])


def test_structured_arguments_are_matrices_in_the_formula():
    """A Diagonal is given by its entries, and the upper half of a LowerTriangular counts for nothing."""
    arguments = [("D", (n, n), ["diagonal"]), ("L", (n, n), ["lower"]), ("x", (n,))]
    recorded = tape("some", arguments, "x", lambda D, L, x: D @ L @ x)
    v, x = np.array([1.0, -2, 3]), np.array([0.5, 0.25, -1])
    L = np.arange(1.0, 10).reshape(3, 3)
    for garbage in (0, np.nan):
        inputs = {"D": v, "L": L + np.triu(np.full((3, 3), garbage), 1), "x": x}
        for field in (FLOAT, exact()):
            with np.errstate(invalid="ignore"):
                found = Replay(recorded, inputs, field).result({}).astype(float)
            np.testing.assert_array_equal(found, np.diag(v) @ np.tril(L) @ x)


def test_a_matrix_is_only_read():
    A = np.array([[1.0, 2.0], [3.0, 4.0]])
    for op in ("inv", "det", "solve", "eigvalsh", "pinv", "nuclear"):
        interpret(Setting(FLOAT, {}, {}, {}), term(op, [lifted(0)] * 2, ()).call, [A, A][: 1 + (op == "solve")])
    assert A.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("function", ["tanh", np.tanh])
def test_a_function_is_given_or_named(function):
    recorded = tape("some", [("x", (d,))], "x", lambda x: term("unknown", (x,), (d,), function="f"))
    x = np.array([0.5, -1.0])
    np.testing.assert_allclose(Replay(recorded, {"x": x, "f": function}, FLOAT).result({}), np.tanh(x))


def test_a_named_function_has_fifty_digits():
    recorded = tape("some", [("x", ())], "x", lambda x: term("unknown", (x,), (), function="f"))
    found = Replay(recorded, {"x": np.array(1.0), "f": "tanh"}, exact()).result({})
    assert abs(found - exact().context.tanh(1)) < 1e-48


def test_a_formula_has_fifty_digits_and_no_complex_values():
    third = ScalarFormula("third", (t,), t * sympy.Rational(1, 3) + sympy.sqrt(t))
    recorded = tape("some", [("x", ())], "x", lambda x: applied(third, x))
    real = exact().context
    found = Replay(recorded, {"x": np.array(2.0)}, exact()).result({})
    assert abs(found - (real.mpf(2) / 3 + real.sqrt(2))) < 1e-48
    for field in (FLOAT, exact()):
        assert np.isnan(float(Replay(recorded, {"x": np.array(-2.0)}, field).result({})))


def test_every_operation_has_an_interpretation_and_is_tested():
    for field in (FLOAT, exact()):
        assert set(field.functions) | set(INTERPRETATIONS) >= OPS
    softmax = {"softmax", "log_softmax"}
    assert {*UNARY, *BINARY, *REDUCTIONS, *OTHER, *MATRICES, *softmax, "unknown", "take"} >= OPS


def test_what_is_not_real_is_nan_and_division_by_zero_is_not_finite():
    numbers = exact()
    for op, *operands in (
        ("sqrt", -1),
        ("log", -1),
        ("arccosh", 0),
        ("arcsin", 2),
        ("power", -1, 0.5),
        ("divide", 1, 0),
    ):
        found = numbers.functions[op](*(numbers.lift(float(x)) for x in operands))
        assert not np.isfinite(float(found)), op


def test_a_constant_is_the_float_itself():
    found = interpret(Setting(exact(), {}, {}, {}), lifted(0.1).call, [])[()]
    assert found == 0.1
    assert found != exact().lift("0.1")
