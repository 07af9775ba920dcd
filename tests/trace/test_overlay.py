"""The overlay of globals: helpers, builtins, SciPy's functions, other array libraries; and the names of locals."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.special
from scipy.special import log_softmax as scipy_log_softmax
from scipy.special import logsumexp as scipy_logsumexp
from scipy.special import softmax as scipy_softmax

import gradgen
from gradgen import Matrix, Scalar, SpecError, Vector, dims, loss, ones, softmax, words
from gradgen.overlay import rebind
from gradgen.spec import load_spec, run_with

n, d = dims("n d")
HERE = str(Path(__file__).parent)
TABLE = {"length": lambda x: len(x), "listed": [lambda x: sum(x)]}


def helper(x: Any) -> Any:
    return len(x) * sum(x)


def recursive(x: Any, depth: int) -> Any:
    return x if not depth else recursive(x + len(x), depth - 1)


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(x: Any) -> Any:
        return 2 * function(x)

    return wrapper


@decorated
def doubled(x: Any) -> Any:
    return len(x) * x


def with_default(x: Any, how: Callable[..., Any] = helper, *, also: Callable[..., Any] = helper) -> Any:
    return how(x) + also(x)


def ops(function: Callable[..., Any]) -> list[str]:
    @loss(wrt="x")
    def f(x: Vector[n], X: Matrix[n, d]):
        return np.sum(function(x, X))

    return [c.op for c in f.tape.calls()]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, X: helper(x),
        lambda x, X: recursive(x, 3),
        lambda x, X: doubled(x),
        lambda x, X: with_default(x),
        lambda x, X: TABLE["length"](x) * TABLE["listed"][0](x),
        lambda x, X: functools.partial(helper)(x),
        lambda x, X: functools.partial(with_default, how=helper)(x),
        lambda x, X: len((x, X)[0]) * x,
        lambda x, X: (lambda t: len(t) * t)(x),
        lambda x, X: len([x, X]) * x * len(X),
    ],
)
def test_helpers_see_symbolic_lengths(function: Callable[..., Any]) -> None:
    assert "size" in ops(function)


def test_builtins_on_ordinary_values_are_pythons_own() -> None:
    def function(x: Any, X: Any) -> Any:
        numbers = [len("abc"), sum([1, 2]), max(1, 2), min([3, 4]), max([], default=7), max("a", "bb", key=len)]
        assert numbers == [3, 3, 2, 3, 7, "bb"]
        assert sum([(1,), (2,)], ()) == (1, 2)
        return x

    assert "sum" in ops(function)


def test_a_name_of_the_spec_goes_before_the_builtin() -> None:
    namespace: dict[str, Any] = {"np": np}
    source = "def len(x):\n    return 5\ndef f(x):\n    return len(x) * np.sum(x)\n"
    exec(compile(source, str(Path(HERE) / "made.py"), "exec"), namespace)
    assert rebind(namespace["f"], {len: lambda x: 7}, HERE)(np.ones(2)) == 10


def test_the_original_globals_are_left_alone() -> None:
    before = dict(globals())
    ops(lambda x, X: helper(x))
    assert {k: v for k, v in globals().items() if before.get(k) is not v} == {}
    assert helper([1, 2]) == 6


def test_builtin_sum_keeps_its_start() -> None:
    @loss(wrt="x")
    def f(x: Vector[n], s: Scalar):
        return sum(x, s)

    assert f.tape.result.op == "add"
    assert f(np.ones(3), 2.0) == 5.0


def by_module(x: Any, X: Any) -> Any:
    return scipy.special.logsumexp(X, axis=1) + scipy.special.softmax(x) + scipy.special.log_softmax(x, axis=0)


def by_name(x: Any, X: Any) -> Any:
    return scipy_logsumexp(X, axis=1) + scipy_softmax(x) + scipy_log_softmax(x, axis=0)


def by_local_import(x: Any, X: Any) -> Any:
    from scipy.special import log_softmax, logsumexp
    from scipy.special import softmax as soft

    return logsumexp(X, axis=1) + soft(x) + log_softmax(x, axis=0)


def test_functions_of_scipy_that_no_protocol_reaches() -> None:
    for function in (by_module, by_name, by_local_import):
        assert {"logsumexp", "softmax", "log_softmax"} <= set(ops(function))


LATE = """
import sys
from gradgen import *
from gradgen.spec import loss
n = dims("n")
@loss(wrt="x")
def f(x: Vector[n]):
    assert "scipy.special" not in sys.modules
    from scipy.special import logsumexp
    return logsumexp(x)
print(f.tape.result.op)
"""


def test_scipy_may_be_imported_within_a_loss(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(LATE, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "late.py")]
    environment = {**os.environ, "PYTHONPATH": str(Path(gradgen.__file__).parents[1])}
    assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout == "logsumexp\n"


def test_the_softmax_of_scipy_keeps_its_default_axis() -> None:
    @loss(wrt="X")
    def f(X: Matrix[n, d]):
        return np.sum(scipy_softmax(X) ** 2) + np.sum(softmax(X) ** 2)

    axes = [c.params["axis"] for c in f.tape.calls() if c.op == "softmax"]
    assert axes == [(0, 1), (1,)]


def test_ufuncs_of_scipy_carry_the_trace() -> None:
    assert "expit" in ops(lambda x, X: scipy.special.expit(x))


def test_neighbours_run_in_the_overlay(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("def size(x):\n    return len(x)\n", encoding="utf-8")
    for how in ("import neighbour as m\n", "from neighbour import size\nclass m:\n    size = size\n"):
        text = "from gradgen import *\nimport neighbour\nfrom neighbour import size\nn = dims('n')\n@loss(wrt='x')\n"
        body = "def f(x: Vector[n]):\n    return neighbour.size(x) * size(x) * x[0]\n"
        (tmp_path / "a.py").write_text(how + text + body, encoding="utf-8")
        sizes = [c.params["size"] for c in load_spec(tmp_path / "a.py")["f"].tape.calls() if c.op == "size"]
        assert [str(s) for s in sizes] == ["n * n"]


# ---- other array libraries


def fake_numpy() -> ModuleType:
    """NumPy under another name, which notes what is called."""
    module = ModuleType("fake")
    module.calls = []  # type: ignore[attr-defined]
    module.__getattr__ = lambda name: getattr(np, name)  # type: ignore[method-assign]

    def noted(name: str) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            module.calls.append(name)
            return getattr(np, name)(*args, **kwargs)

        return function

    for name in ("sum", "exp", "ones", "max", "where", "isfinite"):
        setattr(module, name, noted(name))
    return module


@loss(wrt="w")
def example(X: Matrix[n, d], w: Vector[d]):
    return np.sum(np.exp(X @ w) * softmax(ones(n))) / n + len(w)


def test_another_library_runs_the_spec() -> None:
    fake = fake_numpy()
    args = {"X": np.arange(6.0).reshape(3, 2) / 6, "w": np.array([0.5, -1.0])}
    assert run_with(example, args, {np: fake}) == pytest.approx(example(**args), rel=1e-15)
    assert {"sum", "exp", "ones", "max"} <= set(fake.calls)


def test_single_words_can_be_replaced() -> None:
    args = {"X": np.zeros((3, 2)), "w": np.zeros(2)}
    result = run_with(example, args, {}, {words.softmax: lambda x: 7 * x})
    assert result == 7 * 3 / 3 + 2


# ---- names of locals


def names(function: Any) -> dict[str, str]:
    return {name: call.op for call, name in function.tape.names.items()}


def test_assignments_name_what_they_hold() -> None:
    @loss(wrt="w")
    def f(X: Matrix[n, d], y: Vector[n], w: Vector[d]):
        eta = X @ w
        p, q = np.exp(eta), np.sin(eta)
        same = p
        assert same is p
        first = second = q * 2
        long = (
            first
            - y
        )  # fmt: skip
        if (walrus := long + 1) is not None:
            inner = walrus * 2
        count = n * 1.0
        number = 3.0
        text = "a"
        X = X * 2
        view = w
        return long @ inner + np.sum(X) + view @ view + count * number + len(text) + np.sum(second)

    assert names(f) == {
        "eta": "matmul",
        "p": "exp",
        "q": "sin",
        "first": "multiply",
        "long": "subtract",
        "walrus": "add",
        "inner": "multiply",
        "count": "multiply",
    }


def test_every_turn_of_a_loop_is_named() -> None:
    @loss(wrt="x")
    def f(x: Vector[n]):
        z = x * 1.0
        for _ in range(3):
            z = np.sin(z)
        return z @ z

    assert [name for call, name in f.tape.names.items() if call.op == "sin"] == ["z"] * 3


def test_a_local_of_a_closure_is_named() -> None:
    @loss(wrt="x")
    def f(x: Vector[n]):
        z = np.sin(x)
        return (lambda: z @ z)()

    assert names(f) == {"z": "sin"}


def test_locals_of_helpers_are_not() -> None:
    def inside(x: Any) -> Any:
        hidden = np.sin(x)
        return hidden * 2

    @loss(wrt="x")
    def f(x: Vector[n]):
        shown = inside(x)
        return shown @ shown

    assert names(f) == {"shown": "multiply"}


@pytest.mark.parametrize("fails", [False, True])
def test_the_tracer_of_others_comes_back(fails: bool) -> None:
    @loss(wrt="x")
    def f(x: Vector[n]):
        return x @ x if not fails else x.foo

    def tracer(frame: Any, event: str, arg: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        if fails:
            with pytest.raises(SpecError):
                _ = f.tape
        else:
            _ = f.tape
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_a_chain_of_ten_thousand_operations() -> None:
    @loss(wrt="x")
    def f(x: Vector[n]):
        for _ in range(10_000):
            x = np.sin(x)
        return x @ x

    assert sum(1 for _ in f.tape.calls()) == 10_002
