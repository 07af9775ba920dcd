"""Losses from a few lines of text, and what gradgen writes for them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import gradgen
from gradgen import emit, pipeline
from gradgen.derive import derive
from gradgen.lower import lower
from gradgen.nodes import arena
from gradgen.plan import plan

HEAD = """import numpy as np
import sympy
from scipy import special
from gradgen import *

n, d, k, m, p, q = dims("n d k m p q")

"""
SIZES = {"n": 5, "d": 3, "k": 2, "m": 4, "p": 3, "q": 2}


@cache
def losses(text: str) -> dict[str, gradgen.Loss]:
    """The losses of a spec that holds the text below the usual imports and dimensions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.py"
        path.write_text(HEAD + text, encoding="utf-8")
        found = gradgen.load(path)
        _ = [made.tape for made in found.values()]
    return found


def loss(
    signature: str, body: str, wrt: str | tuple[str, ...], above: str = "", kind: str = "loss", **options: str
) -> Any:
    """The loss, or function, with this signature; the last line of the body is what it returns, and ``above`` stands
    before it."""
    *lines, result = body.strip().splitlines()
    inside = "".join(f"    {line.strip()}\n" for line in (*lines, f"return {result.strip()}"))
    said = "".join(f", {name}={value!r}" for name, value in options.items())
    return losses(f"{above}@{kind}(wrt={wrt!r}{said})\ndef f({signature}):\n{inside}")["f"]


def statements(signature: str, body: str, wrt: str | tuple[str, ...]) -> str:
    return pipeline.statements(loss(signature, body, wrt).tape)


def kernel(text: str, name: str) -> str:
    """The body of one private function, without its indent."""
    inside = re.search(rf"^def _{name}\([^)]*\):\n((?:    .*\n|\n)*)", text, re.M)
    assert inside is not None, f"no function _{name}"
    return re.sub(r"^    ", "", inside[1], flags=re.M).strip()


def unhoisted(made: gradgen.Loss, only: str = "") -> str:
    """The kernels, or one of them, as they are without `bind`."""
    with arena():
        planned = plan(derive(lower(made.tape), made.tape.wrt))
        kernels = tuple(kernel for kernel in planned.kernels if only in ("", kernel.name))
        return emit.statements(made.tape, replace(planned, kernels=kernels, bound=(), hoisted=()))


def formula(signature: str, body: str, wrt: str | tuple[str, ...]) -> str:
    return loss(signature, body, wrt).formula()


def draw(made: gradgen.Loss, seed: int = 0, dtype: Any = np.float64) -> list[Any]:
    """Random arguments in the order of the signature."""
    rng = np.random.default_rng(seed)
    return [_drawn(argument, rng, dtype) for argument in made.tape.arguments]


def _drawn(argument: Any, rng: np.random.Generator, dtype: Any) -> Any:
    if argument.callable:
        return np.arctan
    shape = [size.value(SIZES) for size in argument.given]
    if argument.kind == "Indices":
        return rng.integers(0, argument.below.value(SIZES), shape)
    drawn = rng.standard_normal(shape)
    if argument.kind in ("Symmetric", "SPD"):
        drawn = drawn + drawn.T
    if argument.kind in ("SPD", "LowerTriangular"):
        drawn = drawn + 2 * len(drawn) * np.eye(len(drawn))
    if argument.kind == "LowerTriangular":
        drawn = np.tril(drawn)
    if argument.facts & {"positive", "nonnegative"}:
        drawn = np.abs(drawn) + 0.5
    if "sign" in argument.facts:
        drawn = np.sign(drawn)
    if "boolean" in argument.facts:
        drawn = (drawn > 0) * 1.0
    if "one_hot" in argument.facts:
        drawn = (drawn == drawn.max(axis=-1, keepdims=True)) * 1.0
    return drawn.astype(dtype) if argument.shape else float(drawn)


def close(left: Any, right: Any, tolerance: float = 1e-11) -> bool:
    """Whether two results (arrays, floats or tuples of them) are equal up to rounding."""
    if isinstance(left, tuple) or isinstance(right, tuple):
        return len(left) == len(right) and all(close(a, b, tolerance) for a, b in zip(left, right, strict=True))
    left, right = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    scale = max(1.0, float(np.max(np.abs(right), initial=0.0)))
    return left.shape == right.shape and bool(np.max(np.abs(left - right), initial=0.0) <= tolerance * scale)


def differences(made: gradgen.Loss, args: Sequence[Any], name: str, step: float = 1e-6) -> np.ndarray:
    """The gradient by one argument, by central differences of the spec run as NumPy."""
    at = [a.name for a in made.tape.arguments].index(name)
    base = np.array(args[at], dtype=float)
    found = np.zeros(base.shape)
    for index in np.ndindex(base.shape):
        sides = []
        for sign in (1, -1):
            moved = base.copy()
            moved[index] += sign * step
            sides.append(made(*args[:at], moved if base.shape else float(moved), *args[at + 1 :]))
        found[index] = (sides[0] - sides[1]) / (2 * step)
    return found
