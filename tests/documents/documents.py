"""The losses of specs/documents, and their generated modules at fixed, well-conditioned inputs."""

from __future__ import annotations

import inspect
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import pytest

import gradgen
from gradgen import emit

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "specs" / "documents").glob("*.py"))
SIZES = {"m": 5, "n": 6, "k": 4, "d": 3, "p": 2, "q": 7, "t": 8}
BOUND = 1e-12

Test = TypeVar("Test", bound=Callable[..., None])


def rows(*names: str) -> Callable[[Test], Test]:
    """Says which rows of the documents a test is about."""

    def marked(test: Test) -> Test:
        test.rows = names  # type: ignore[attr-defined]
        return test

    return marked


@cache
def losses() -> dict[str, gradgen.Loss]:
    """All losses and functions of the folder by name, in order."""
    return {name: made for path in SPECS for name, made in gradgen.load(path).items()}


@cache
def compiled(name: str) -> ModuleType:
    """The generated module of a loss."""
    with patch.object(emit, "formatted", lambda text: text):  # black takes most of the time, and changes nothing
        return losses()[name].compile()


# ---- a module at its inputs


class At:
    """A generated module at fixed inputs. What is no argument is a direction or a cotangent: ``at("f").hvp(dX)``."""

    def __init__(self, name: str, **given: Any) -> None:
        self.made = losses()[name]
        self.module: Any = compiled(name)
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        drawn = {a.name: _drawn(a, rng) for a in self.made.arguments}
        self.values: dict[str, Any] = {**drawn, **given}
        self.known = {**self.values, **_derivatives(self.made)}

    @property
    def inputs(self) -> Any:
        """The arguments that are arrays or numbers, in order; one alone is no tuple."""
        arrays = [value for value in self.values.values() if not callable(value)]
        return tuple(arrays) if len(arrays) > 1 else arrays[0]

    def eager(self) -> Any:
        """What the spec itself gives, run as NumPy."""
        return self.made(**self.values)

    def __getattr__(self, name: str) -> Any:
        return lambda *more: self._call(getattr(self.module, name), more)

    def _call(self, function: Callable[..., Any], more: tuple[Any, ...]) -> Any:
        parameters = inspect.signature(function).parameters
        return function(*(self.known[p] for p in parameters if p in self.known), *more)


at = At


def _drawn(argument: Any, rng: np.random.Generator) -> Any:
    """Normal entries; near the identity where the array is a square matrix; in the domain of its facts."""
    if argument.kind == "Elementwise":
        return np.sin
    shape = tuple(size.value(SIZES) for size in argument.shape)
    drawn = rng.normal(size=shape)
    if len(shape) == 2 and argument.shape[0] == argument.shape[1]:
        drawn = np.eye(*shape) + drawn / (2 * np.sqrt(len(drawn)))
    if argument.kind == "Symmetric":
        drawn = (drawn + drawn.T) / 2
    if "positive" in argument.facts:
        drawn = np.abs(drawn) + 0.5
    if "one_hot" in argument.facts:
        drawn = np.where(drawn == drawn.max(axis=-1, keepdims=True), 1.0, 0.0)
    return drawn if shape else float(drawn)


def _derivatives(made: gradgen.Loss) -> dict[str, Any]:
    """The derivatives of the sine, under the names that modules give them."""
    functions = [a.name for a in made.arguments if a.kind == "Elementwise"]
    first = {f"d{name}": np.cos for name in functions}
    return {**first, **{f"d2{name}": lambda z: -np.sin(z) for name in functions}}


def like(array: Any, seed: int = 0) -> Any:
    """A random direction of the shape of an array."""
    return np.random.default_rng(seed).normal(size=np.shape(array))


# ---- comparisons


def error(actual: Any, expected: Any) -> float:
    """The relative error max|a - b| / max|b| of arrays of one shape."""
    assert np.shape(actual) == np.shape(expected), (np.shape(actual), np.shape(expected))
    return float(np.max(np.abs(np.subtract(actual, expected))) / np.max(np.abs(expected)))


def same(actual: Any, expected: Any) -> bool:
    """Whether results agree to 1e-12; tuples entry by entry."""
    if isinstance(expected, tuple):
        assert isinstance(actual, tuple) and len(actual) == len(expected)
        return all(map(same, actual, expected))
    return error(actual, expected) <= BOUND


# ---- specs that are wrong


def refused(signature: str, expression: str, wrt: str) -> gradgen.SpecError:
    """The error that a spec with this loss raises."""
    text = (
        "import numpy as np\nfrom gradgen import *\n\nm, n, p, q, k, t = dims('m n p q k t')\n\n"
        f"@loss(wrt={wrt!r})\ndef wrong({signature}):\n    return {expression}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wrong.py"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(gradgen.SpecError) as caught:
            _ = gradgen.load(path)["wrong"].tape
    return caught.value
