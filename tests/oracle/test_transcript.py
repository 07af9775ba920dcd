"""The NumPy text of recorded calls gives what their replay gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from handmade_tapes import Below, applied, determinant, dims, entries, entrywise, inverse, reduced, taken, tape, term
from test_replay import BENT, DOMAIN, DOMAINS, MATRICES, OTHER, REDUCTIONS, SHAPES

from gradgen.dims import Size
from gradgen.fields import FLOAT
from gradgen.replay import Replay
from gradgen.tape import BINARY, OPS, UNARY
from gradgen.transcript import Transcript, free_name

n, d = dims("n d")
EXPRESSIONS = {
    **{op: (lambda x, y, v, A, op=op: entrywise(op, x), DOMAIN.get(op, "normal")) for op in UNARY},
    **{op: (lambda x, y, v, A, op=op: entrywise(op, x, v), DOMAIN.get(op, "normal")) for op in BINARY},
    **{op: (lambda x, y, v, A, op=op: reduced(op, x, 1, True), "normal") for op in REDUCTIONS},
    **{f"{op} of all": (lambda x, y, v, A, op=op: reduced(op, x), "normal") for op in REDUCTIONS},
    **{
        op: (lambda x, y, v, A, op=op: term(op, (x,), (n, d), axis=(1,)), "normal") for op in ("softmax", "log_softmax")
    },
    **{name: (ours, "normal") for name, (ours, _) in (OTHER | MATRICES).items()},
    "formula of expressions": (lambda x, y, v, A: -applied(BENT, x @ A - y, 2 * v) * x, "normal"),
    "left of minus": (lambda x, y, v, A: (x - y) - v, "normal"),
    "right of minus": (lambda x, y, v, A: x - (y - v), "normal"),
    "quotients": (lambda x, y, v, A: x / (y / v) / (x * y), "positive"),
    "products": (lambda x, y, v, A: -(x @ A) * y - x * (y @ A) / v, "normal"),
    "negation of a sum": (lambda x, y, v, A: x * -(y - v), "normal"),
    "a sum in a product": (lambda x, y, v, A: (x + y) @ (A - A.T) @ v, "normal"),
    "negative numbers": (lambda x, y, v, A: x * -2.0 - -1.5, "normal"),
    "infinite numbers": (lambda x, y, v, A: entrywise("maximum", x, -math.inf) / math.inf, "normal"),
}


def run(call, inputs, arguments, dimensions, named):
    """The value of a call by its transcript."""
    text = Transcript((call,), arguments, dimensions, named)
    names = {
        "np": np,
        "math": math,
        **{arguments[name]: x for name, x in inputs.items()},
        dimensions["n"]: 4,
        dimensions["d"]: 3,
    }
    with np.errstate(all="ignore"):
        for statement in text.statements:
            exec(statement, names)
        return eval(text.at(call), names)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_transcript_and_replay_agree(name):
    function, domain = EXPRESSIONS[name]
    recorded = tape("some", list(SHAPES.items()), "x", function)
    rng = np.random.default_rng(1)
    inputs = {a: DOMAINS[domain](rng, tuple(s.value({"n": 4, "d": 3}) for s in shape)) for a, shape in SHAPES.items()}
    wanted = Replay(recorded, inputs, FLOAT).values({})[recorded.result]
    for named in ({}, {call: "v" for call in recorded.calls() if call.op != "argument"}):
        arguments = {"x": "x", "y": "n", "v": "v", "A": "np_"}
        found = run(recorded.result, inputs, arguments, {"n": "n_", "d": "d"}, named)
        assert np.shape(found) == wanted.shape
        np.testing.assert_allclose(np.asarray(found, dtype=float), wanted.astype(float), rtol=1e-13, atol=1e-15)


def test_every_operation_is_written():
    assert {*EXPRESSIONS, "unknown", "take"} >= OPS


def test_indices_are_called_by_their_name():
    recorded = tape("some", [("x", (n, d)), ("i", Below(4, d))], "x", lambda x, i: taken(x, i, 1) * 2)
    text = Transcript((recorded.result,), {"x": "x", "i": "i_"}, {}, {})
    assert text.at(recorded.result) == "np.take(x, i_, axis=1) * 2.0"


def test_entries_are_taken_by_integers():
    def loss(x, i):
        return entries(x, term("arange", (), (Size.of(4),)), i) * 2

    recorded = tape("some", [("x", (n, d)), ("i", Below(4, d))], "x", loss)
    text = Transcript((recorded.result,), {"x": "x", "i": "i_"}, {}, {})
    assert text.at(recorded.result) == "x[..., np.arange(float(4)).astype(int), i_] * 2.0"


def test_a_function_is_called_by_its_name():
    recorded = tape("some", [("x", (n,))], "x", lambda x: term("unknown", (x - 1,), (n,), function="f") * 2)
    text = Transcript((recorded.result,), {"x": "x", "f": "np_"}, {}, {})
    assert text.at(recorded.result) == "np_(x - 1.0) * 2.0"
    assert text.used_arguments == ["x", "f"]


def test_a_guard_stands_before_what_it_guards():
    """Nothing is inverted before it was looked at."""
    recorded = tape("some", [("A", (n, n))], "A", lambda A: determinant(inverse(A @ A) - A, "logdet"))
    matrices = (call.args[0] for call in recorded.calls() if call.op in ("inv", "logdet"))
    text = Transcript((recorded.result,), {"A": "A"}, {}, {}, dict.fromkeys(matrices, "look({})"))
    assert text.statements == ["look(A @ A)", "look(np.linalg.inv(A @ A) - A)"]
    assert text.at(recorded.result) == "np.linalg.slogdet(np.linalg.inv(A @ A) - A)[1]"


def test_shared_and_long_values_get_a_statement():
    x = [("x", (n, d)), ("w", (d,))]
    recorded = tape("some", x, "w", lambda x, w: entrywise("tanh", x @ w) * entrywise("exp", x @ w) + (x @ w))
    product = next(call for call in recorded.calls() if call.op == "matmul")
    text = Transcript((recorded.result,), {"x": "x", "w": "w"}, {}, {product: "margin"})
    assert text.statements[0] == "margin = x @ w"


def test_long_chains_stay_flat():
    def loss(x):
        for _ in range(2000):
            x = entrywise("tanh", x) + 1
        return x

    recorded = tape("chain", [("x", (d,))], "x", loss)
    text = Transcript((recorded.result,), {"x": "x"}, {}, {})
    assert max(map(len, text.statements)) < 200
    names = {"np": np, "x": np.ones(3)}
    exec("\n".join(text.statements), names)


def test_names_give_way():
    assert free_name("lambda", ()) == "lambda_"
    assert free_name("np", ("np", "np_")) == "np__"
    assert free_name("w", ("np",)) == "w"
