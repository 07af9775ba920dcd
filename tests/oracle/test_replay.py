"""Each recorded call in 50 digits and in float64, against NumPy's own function of that name."""

from __future__ import annotations

import numpy as np
import pytest
from handmade_tapes import dims, entrywise, lifted, reduced, tape, term

from gradgen.dims import Size
from gradgen.fields import FLOAT, exact
from gradgen.replay import INTERPRETATIONS, Replay, Setting, interpret
from gradgen.tape import BINARY, OPS, UNARY, Span

n, d = dims("n d")
SHAPES = {"x": (n, d), "y": (n, d), "v": (d,), "A": (d, d)}
DOMAINS = {
    "positive": lambda rng, shape: rng.uniform(0.2, 3, shape),
    "unit": lambda rng, shape: rng.uniform(-0.9, 0.9, shape),
    "above_one": lambda rng, shape: rng.uniform(1.1, 3, shape),
    "normal": lambda rng, shape: 2 * rng.standard_normal(shape),
}
DOMAIN = dict.fromkeys(["sqrt", "log", "log1p", "log2", "log10", "power", "reciprocal", "divide"], "positive")
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


@pytest.mark.parametrize("op", UNARY)
def test_one_operand(op):
    agrees(
        lambda x, *_: entrywise(op, x), lambda x, *_: NUMPY.get(op, getattr(np, op, None))(x), DOMAIN.get(op, "normal")
    )


@pytest.mark.parametrize("op", BINARY)
def test_two_operands_that_broadcast(op):
    agrees(lambda x, y, v, A: entrywise(op, x, v), lambda x, y, v, A: getattr(np, op)(x, v), DOMAIN.get(op, "normal"))


def span(start, stop, step=1):
    return Span(Size.of(start), Size.of(stop), step)


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "logsumexp": lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
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
    "masks are numbers": (
        lambda x, y, v, A: reduced("sum", x > y) + (x > 0) * 2,
        lambda x, y, v, A: np.sum(x > y) + (x > 0) * 2,
    ),
    "masks combine": (
        lambda x, y, v, A: (x > 0) + entrywise("logical_not", y),
        lambda x, y, v, A: (x > 0) + np.logical_not(y),
    ),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_calls(name):
    agrees(*OTHER[name])


def test_every_operation_has_an_interpretation_and_is_tested():
    for field in (FLOAT, exact()):
        assert set(field.functions) | set(INTERPRETATIONS) >= OPS
    softmax = {"softmax", "log_softmax"}
    assert {*UNARY, *BINARY, *REDUCTIONS, *OTHER, *softmax} >= OPS


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
    found = interpret(Setting(exact(), {}, {}), lifted(0.1).call, [])[()]
    assert found == 0.1
    assert found != exact().lift("0.1")
