"""Modules of losses and functions from a few lines of text, and what their results are compared with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

import gradgen
from gradgen import emit

HEAD = "import numpy as np\nfrom gradgen import *\n\nn, d, k, m = dims('n d k m')\n\n"
SIZES = {"n": 3, "d": 4, "k": 2, "m": 5}


@cache
def declared(text: str) -> dict[str, Any]:
    """What a spec declares that holds the text below the usual imports and dimensions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.py"
        path.write_text(HEAD + text, encoding="utf-8")
        found = gradgen.load(path)
        _ = [one.tape for one in found.values()]
    return found


def declare(decorator: str, signature: str, body: str) -> Any:
    """A loss or function called ``made``; the last line of the body is what it returns."""
    *lines, result = body.strip().splitlines()
    inside = "".join(f"    {line.strip()}\n" for line in (*lines, f"return {result.strip()}"))
    return declared(f"@{decorator}\ndef made({signature}):\n{inside}")["made"]


def module(one: Any) -> Any:
    """Its module; black takes most of the time, and changes nothing."""
    with patch.object(emit, "formatted", lambda text: text):
        made: ModuleType = one.compile()
    return made


def draw(one: Any, seed: int = 0) -> dict[str, Any]:
    """Random arrays for its arguments, by name; those declared symmetric are."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for argument in one.tape.arguments:
        if argument.callable:
            continue
        drawn = rng.standard_normal([size.value(SIZES) for size in argument.shape])
        if argument.kind == "Symmetric":
            drawn = drawn + drawn.T
        found[argument.name] = drawn if argument.shape else float(drawn)
    return found


def close(left: Any, right: Any, tolerance: float = 1e-11) -> bool:
    """Whether two results (arrays, floats or tuples of them) are equal up to rounding."""
    if isinstance(left, tuple) or isinstance(right, tuple):
        return len(left) == len(right) and all(close(a, b, tolerance) for a, b in zip(left, right, strict=True))
    left, right = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    scale = max(1.0, float(np.max(np.abs(right), initial=0.0)))
    return left.shape == right.shape and bool(np.max(np.abs(left - right), initial=0.0) <= tolerance * scale)


def slope(function: Callable[[float], Any], step: float = 1e-3) -> Any:
    """The derivative of a function of one number at 0, by Richardson's central differences."""
    wide, narrow = ((np.asarray(function(h)) - np.asarray(function(-h))) / (2 * h) for h in (step, step / 2))
    return (4 * narrow - wide) / 3


def parts(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def shares_nothing(result: Any, *others: Any) -> bool:
    """Whether arrays are new, C-contiguous and writable, and share memory with no others, nor one another."""
    arrays = [part for part in parts(result) if np.ndim(part)]
    whole = [*arrays, *(other for other in others if isinstance(other, np.ndarray))]
    return all(a.flags.c_contiguous and a.flags.writeable for a in arrays) and not any(
        np.shares_memory(a, b) for position, a in enumerate(arrays) for b in whole[position + 1 :]
    )
