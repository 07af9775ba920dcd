"""Functions that run over blocks of rows give what they give in one piece."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gradgen
from gradgen import sweeps
from tests import rowwise
from tests.rowwise import HEAD, drawn, flat

LOSSES = rowwise.LOSSES | {
    "mean": (
        "@loss(wrt='w')\ndef mean(X: Matrix[n, d], y: Vector[n], w: Vector[d]):\n"
        "    return np.mean(np.logaddexp(0, X @ w) - y * (X @ w)) + np.sum(np.abs(w))\n"
    ),
    "names_of_the_loop": (
        "@loss(wrt='start')\n"
        "def names_of_the_loop(rows: Matrix[n, d], slice: Vector[n], start: Vector[d], max: Scalar, range: Scalar):\n"
        "    block_rows = np.tanh(rows @ start - max * slice)\n    return np.sum(block_rows**2) * range\n"
    ),
    "columns": (
        "@loss(wrt='w')\ndef columns(X: Matrix[n, d], y: Vector[n], w: Vector[d]):\n"
        "    return np.sum(np.maximum(0, 1 - y * (X @ w)) ** 2) + np.sum(np.sqrt(X[:, 0] ** 2 + w[0] ** 2))\n"
    ),
    "elementwise": (
        "@loss(wrt='w')\ndef elementwise(X: Matrix[n, d], w: Vector[d], f: Elementwise):\n"
        "    return np.sum(f(X @ w) ** 2)\n"
    ),
    "a_map": ("@function(wrt='w')\ndef a_map(X: Matrix[n, d], w: Vector[d]):\n    return X.T @ np.tanh(X @ w)\n"),
}
LARGE = HEAD.replace("'n d k'", "n=10**6, d=50, k=10")
FUNCTIONS = {"f": np.sin, "df": np.cos, "d2f": lambda x: -np.sin(x)}


def loaded(text: str, folder: Path) -> Any:
    """The only loss or function of a text."""
    (folder / "spec.py").write_text(text, encoding="utf-8")
    (one,) = gradgen.load(folder / "spec.py").values()
    return one


def built(name: str, folder: Path) -> ModuleType:
    one = loaded(HEAD + LOSSES[name], folder)
    module: ModuleType = one.compile()
    module.text, module.tape = one.source(), one.tape  # type: ignore[attr-defined]
    return module


def in_blocks(name: str, folder: Path, patch: pytest.MonkeyPatch, most: int = 8) -> ModuleType:
    """The module where every sum over rows is taken to pay, in blocks of a few entries."""
    with patch.context() as eager:
        eager.setattr(sweeps, "CACHED", 1)
        eager.setattr(sweeps, "BLOCK", most)
        eager.setattr(sweeps, "FEWEST", 0)
        eager.setattr(sweeps, "_multiplies", lambda node: False)
        return built(name, folder)


def results(module: ModuleType, inputs: dict[str, Any]) -> dict[str, Any]:
    """What each function of a module gives, the second derivatives in a direction of ones."""
    wrt = module.tape.wrt
    ones = [np.ones_like(inputs[w]) for w in wrt]
    found: dict[str, Any] = {}
    for function in ("loss", "grad", "value_and_grad", "hvp", "value", "jvp", "vjp"):
        if hasattr(module, function):
            order = {"loss": 0, "value": 0, "hvp": 2}.get(function, 1)
            called = dict(list(FUNCTIONS.items())[: order + 1]) if module.tape.name == "elementwise" else {}
            given = {**inputs, **called}
            more = ones if function in ("hvp", "jvp") else [module.value(**inputs)] if function == "vjp" else []
            names = [f"d{w}" for w in wrt] if function in ("hvp", "jvp") else ["cotangent"]
            found[function] = getattr(module, function)(**given, **dict(zip(names, more, strict=False)))
    return found


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("n", [0, 1, 7, 20])
def test_blocks_give_what_the_whole_gives(name: str, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, blocks = built(name, tmp_path), in_blocks(name, tmp_path, monkeypatch)
    assert " in range(0, " in blocks.text
    assert " in range(0, " not in whole.text
    inputs = drawn(whole.tape, {"n": n, "d": 3, "k": 2})
    with np.errstate(invalid="ignore"):  # a mean of nothing
        one, other = results(blocks, inputs), results(whole, inputs)
    assert one.keys() == other.keys()
    for function, value in one.items():
        for left, right in zip(flat(value), flat(other[function]), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)
            assert left.dtype == right.dtype
            assert left.shape == right.shape


@pytest.mark.parametrize("name", ["ridge", "mixture"])
def test_float32_stays(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = in_blocks(name, tmp_path, monkeypatch)
    inputs = drawn(module.tape, {"n": 9, "d": 3, "k": 2}, np.float32)
    gradient = flat(module.grad(**inputs))
    assert all(part.dtype == np.float32 for part in gradient)


def test_bound_data_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = in_blocks("mean", tmp_path, monkeypatch)
    inputs = drawn(module.tape, {"n": 11, "d": 3})
    w = inputs.pop("w")
    np.testing.assert_allclose(module.bind(**inputs).grad(w), module.grad(w=w, **inputs), rtol=1e-13)


def test_what_crosses_rows_twice_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variance needs the mean first."""
    text = "@loss(wrt='w')\ndef variance(X: Matrix[n, d], w: Vector[d]):\n    return np.var(X @ w)\n"
    monkeypatch.setitem(LOSSES, "variance", text)
    assert " in range(0, " not in in_blocks("variance", tmp_path, monkeypatch).text.partition("def grad(")[0]


def test_products_of_matrices_and_small_arrays_are_whole(tmp_path: Path) -> None:
    assert " in range(0, " not in loaded(LARGE + LOSSES["classes"], tmp_path).source()


def test_typical_sizes_decide(tmp_path: Path) -> None:
    """Data that no cache holds are read once for value and gradient, and the loss alone reads them once anyway."""
    text = loaded(LARGE + LOSSES["mean"], tmp_path).source()
    parts = {part.partition("(")[0]: part for part in text.split("\ndef ")}
    assert "block_rows = 1 + 2**17 // max(1, d)\n" in parts["_value_and_grad"]
    assert " in range(0, " in parts["_hvp"]
    assert " in range(0, " not in parts["_loss"]
