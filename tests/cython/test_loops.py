"""What loops in C compute is what the spec is in 50 digits, and what the NumPy module computes: in blocks, in threads,
for every kind of array."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from test_calls import BODY, DTYPES, DW, KINDS, PLAIN, REFUSED, SIGNATURE, WHOLE, WRONG_DIRECTIONS, X, matrix
from together import modules

import gradgen
from gradgen import toolchain, trial
from gradgen.recipes import choose
from gradgen.spec import load_spec
from tests import rowwise
from tests.rowwise import HEAD, drawn, flat

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the loops are tested with gcc and clang"),
    pytest.mark.skipif(toolchain.missing() is not None, reason="there is no C compiler"),
]
SPECS = {"specs": False, "specs/gallery": True, "specs/documents": True}  # whether a quick compilation must do
LOSSES = rowwise.LOSSES | {
    "names_of_c": (
        "@loss(wrt='double')\n"
        "def names_of_c(rows: Matrix[n, d], work: Vector[n], double: Vector[d], i: Scalar, λ: Scalar):\n"
        "    first = np.tanh(rows @ double - i * work)\n    return np.sum(first**2) * λ\n"
    ),
    "rows_of_a_result": (
        "@loss(wrt=('U', 'V'))\ndef rows_of_a_result(R: Matrix[n, d], U: Matrix[n, k], V: Matrix[d, k]):\n"
        "    return np.sum(np.log(np.cosh(R - U @ V.T))) + np.sum(U**2)\n"
    ),
    "twice_over_rows": (
        "@loss(wrt='w')\ndef twice_over_rows(X: Matrix[n, d], w: Vector[d]):\n    return np.var(X @ w)\n"
    ),
    "filled_with_numbers": (
        "@loss(wrt=('x', 't'))\ndef filled_with_numbers(x: Vector[n], w: Vector[d], t: Scalar):\n"
        "    return np.sum(x) * t / d + np.sum(np.sin(w))\n"
    ),
    "over_two_n": (
        "@loss(wrt='x')\ndef over_two_n(x: Vector[2 * n], w: Vector[d]):\n"
        "    return np.sum(np.exp(x)) / len(x) + np.sum(w**2)\n"
    ),
    "halves": (
        "@loss(wrt='w')\ndef halves(w: Vector[n], z: Vector[2 * n]):\n"
        "    return np.sum(np.sin(w) * z[:n] - np.exp(w) * z[n:])\n"
    ),
    "sums_of_data": (
        "@loss(wrt='a')\ndef sums_of_data(Y: Matrix[n, d], Z: Matrix[k, d], a: Matrix[n, k]):\n"
        "    return np.sum(np.exp(a) * np.sum(np.tanh(Y[:, None, :] - Z), axis=2))\n"
    ),
    "reciprocals": "@loss(wrt='x')\ndef reciprocals(x: Vector[d]):\n    return np.sum(1 / x)\n",
    "lower_half": (
        "@loss(wrt='W')\ndef lower_half(W: Matrix[d, d], Z: Matrix[d, d]):\n    return np.sum(np.tril(W) ** 2 * Z)\n"
    ),
    "every_kind": (
        f"@loss(wrt=('w', 'X'))\ndef every_kind({SIGNATURE}):\n    {{}}\n    return {{}}\n".format(*BODY.split("\n"))
    ),
    "slices": (
        "@loss(wrt='x')\ndef slices(x: Vector[n], t: Scalar):\n"
        "    return np.sum((x[1:] - x[:-1]) ** 2 * t) + x[0] ** 2 + np.sum(x[::-1] * x) + np.max(x)\n"
    ),
}
SIZES = ({"n": 1, "d": 1, "k": 1}, {"n": 7, "d": 3, "k": 2}, {"n": 0, "d": 3, "k": 2}, {"n": 30_011, "d": 5, "k": 3})


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, tuple[Any, ModuleType]], ModuleType]:
    """Each loss with its module, and the library of their loops."""
    spec = tmp_path_factory.mktemp("specs") / "losses.py"
    spec.write_text(HEAD + "\n\n".join(LOSSES.values()), encoding="utf-8")
    losses = gradgen.load(spec)
    made, library = modules(losses.values())
    return {name: (losses[name], module) for name, module in zip(losses, made, strict=True)}, library


@pytest.mark.parametrize("folder", SPECS)
def test_every_loss_is_what_its_spec_is_in_50_digits(folder: str) -> None:
    losses = [loss for path in sorted(Path(folder).glob("*.py")) for loss in load_spec(path).values()]
    made, _ = modules(losses, SPECS[folder])
    assert sum(len(module.compiled) for module in made) > 2 * len(made)  # most functions are compiled
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for loss, module in zip(losses, made, strict=True):
            for case in choose(loss.tape).cases:
                assert not list(trial._differences(loss.tape, case, module)), loss.name


def called(loss: Any, module: ModuleType, inputs: dict[str, Any]) -> list[np.ndarray]:
    shapes = {f"d{name}": np.shape(inputs[name]) for name in loss.tape.wrt}
    directions = {name: np.cos(np.arange(np.prod(shape))).reshape(shape) for name, shape in shapes.items()}
    return [*flat(module.value_and_grad(**inputs)), *flat(module.hvp(**inputs, **directions))]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_blocks_and_threads_give_what_numpy_gives(both: Any, name: str, threads: int) -> None:
    (loss, module), library = both[0][name], both[1]
    assert {"value_and_grad_loops", "hvp_loops"} <= {one.lstrip("_") for one in module.compiled}
    plain = loss.compile()
    library.set_num_threads(threads)
    for sizes in SIZES:
        inputs = drawn(loss.tape, sizes)
        if sizes["n"] == 0 and name in ("slices", "twice_over_rows"):
            continue  # NumPy has no maximum, and no mean, of nothing
        with np.errstate(invalid="ignore", divide="ignore"):
            one, other = called(loss, module, inputs), called(loss, plain, inputs)
        for left, right in zip(one, other, strict=True):
            assert left.shape == right.shape
            assert left.dtype == right.dtype
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12 * np.max(np.abs(right), initial=0))


@pytest.mark.parametrize("name", ["ridge", "classes", "mixture", "rows_of_a_result"])
def test_every_kind_of_array(both: Any, name: str) -> None:
    loss, module = both[0][name]
    inputs = drawn(loss.tape, SIZES[1])
    expected = called(loss, module, inputs)
    for change in (np.asfortranarray, lambda x: np.repeat(x, 2, axis=-1)[..., ::2], lambda x: x[::-1].copy()[::-1]):
        given = {k: change(v) if np.ndim(v) else v for k, v in inputs.items()}
        for array in given.values():
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
        for left, right in zip(called(loss, module, given), expected, strict=True):
            np.testing.assert_array_equal(left, right)
            assert left.flags.c_contiguous or not left.shape
            assert not any(np.shares_memory(left, x) for x in given.values() if isinstance(x, np.ndarray))


DIRECTIONS = {"dw": DW, "dX": X}
GIVEN: dict[str, dict[str, Any]] = {
    **{
        said: {name: kind(value) if np.ndim(value) else value for name, value in (PLAIN | DIRECTIONS).items()}
        for said, kind in (KINDS | WHOLE | {"np.matrix": matrix}).items()
    },
    **{said: {k: np.asarray(PLAIN[k]).astype(v) for k, v in dtypes.items()} for said, (dtypes, _) in DTYPES.items()},
    "a 0-d array for a number": {"s": np.array(0.75)},
    "no rows": {"X": X[:0], "y": [], "dX": X[:0]},
    "no columns": {"X": X[:, :0], "w": [], "dX": X[:, :0], "dw": []},
    "NaN": {"w": DW * np.nan},
    "infinity": {"y": PLAIN["y"] * np.inf},
    **{f"wrong: {said}": {name: value} for said, (name, value, _, _) in REFUSED.items()},
    **{f"a wrong direction: {said}": {"dw": value} for said, (value, _, _) in WRONG_DIRECTIONS.items()},
    "no such argument": {"Z": 1.0},
}
"""Arguments and directions in place of the plain ones."""


def outcomes(module: ModuleType, given: dict[str, Any]) -> list[Any]:
    """What functions give, bound or not: arrays, or the type of an error and what it says."""
    arguments = PLAIN | {name: value for name, value in given.items() if name not in DIRECTIONS}
    more, data = {name: given.get(name, DIRECTIONS[name]) for name in DIRECTIONS}, ("y", "s")
    calls: list[Any] = [lambda name=name: getattr(module, name)(**arguments) for name in ("loss", "grad")]
    calls.append(lambda: module.value_and_grad(**arguments))
    calls.append(lambda: module.hvp(**arguments, **more))
    calls.append(lambda: module.bind(**{k: arguments[k] for k in data}).grad(arguments["w"], arguments["X"]))
    found: list[Any] = []
    for call in calls:
        try:
            found += flat(call())
        except (TypeError, ValueError) as error:
            found.append((type(error), str(error)))
    return found


@pytest.mark.parametrize("said", GIVEN)
def test_every_kind_is_taken_as_the_numpy_module_takes_it(both: Any, said: str) -> None:
    loss, module = both[0]["every_kind"]
    with np.errstate(invalid="ignore"):
        found, wanted = outcomes(module, GIVEN[said]), outcomes(loss.compile(), GIVEN[said])
    rounding = 16 * max((np.finfo(one.dtype).eps for one in wanted if isinstance(one, np.ndarray)), default=0.0)
    for left, right in zip(found, wanted, strict=True):
        if isinstance(right, tuple):
            assert left == right
            continue
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        np.testing.assert_allclose(left, right, rtol=rounding, atol=rounding * np.max(np.abs(right), initial=0))


@pytest.mark.parametrize("name", ["ridge", "mixture"])
def test_float32_is_computed_in_float64_and_rounded(both: Any, name: str) -> None:
    loss, module = both[0][name]
    inputs = drawn(loss.tape, SIZES[1], np.float32)
    wide = {k: np.asarray(v, dtype=np.float64) if np.ndim(v) else v for k, v in inputs.items()}
    for left, right in zip(flat(module.grad(**inputs)), flat(module.grad(**wide)), strict=True):
        assert left.dtype == np.float32
        np.testing.assert_array_equal(left, right.astype(np.float32))


def test_nan_is_kept(both: Any) -> None:
    for name, (loss, module) in both[0].items():
        inputs = drawn(loss.tape, SIZES[1])
        first = next(k for k, v in inputs.items() if np.ndim(v) and np.asarray(v).dtype == float)
        inputs[first].flat[0] = np.nan
        assert np.isnan(module.loss(**inputs)), name


def test_entries_off_a_diagonal_or_above_it_are_0_beside_infinities(both: Any) -> None:
    x, W, Z = np.array([0.0, 2.0, 0.0]), np.ones((3, 3)), np.triu(np.full((3, 3), np.inf), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, function, given in (("reciprocals", "hessian", [x]), ("lower_half", "grad", [W, Z])):
            loss, module = both[0][name]
            assert function in {one.removesuffix("_loops").lstrip("_") for one in module.compiled}
            found, wanted = getattr(module, function)(*given), getattr(loss.compile(), function)(*given)
            np.testing.assert_array_equal(found, wanted)
            np.testing.assert_array_equal(found[np.triu_indices(3, 1)], 0)


def test_the_same_threads_give_the_same_bits_also_from_several_callers(both: Any) -> None:
    (loss, module), library = both[0]["mixture"], both[1]
    library.set_num_threads(3)
    inputs = drawn(loss.tape, SIZES[3])
    expected = called(loss, module, inputs)
    found: list[list[np.ndarray]] = []
    callers = [threading.Thread(target=lambda: found.append(called(loss, module, inputs))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 8
    for results in found:
        for left, right in zip(results, expected, strict=True):
            np.testing.assert_array_equal(left, right)


def _child(loss: Any, module: ModuleType, inputs: dict[str, Any], queue: Any) -> None:
    queue.put(called(loss, module, inputs)[0])


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="there is no fork")
def test_a_fork_after_a_call_in_threads_does_not_hang(both: Any) -> None:
    (loss, module), library = both[0]["mixture"], both[1]
    library.set_num_threads(2)
    inputs = drawn(loss.tape, SIZES[3])
    expected = called(loss, module, inputs)[0]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(loss, module, inputs, queue))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=30), expected)
    child.join(30)
    assert child.exitcode == 0


def test_a_number_of_threads_is_positive(both: Any) -> None:
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="an integer from 1 on"):
            both[1].set_num_threads(wrong)
