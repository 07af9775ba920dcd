"""The values of random programs: arguments drawn by their types, calls run by NumPy in small worlds, and what they must
be like there for JAX to be right."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.special
import sympy
from random_programs import EVEN, Given, Node, length
from random_words import HELPERS, WORD_NAMES

import gradgen
from gradgen.errors import SpecError

Array = Any
HIGH = 40.0
MARGIN = 0.02
LARGEST = 200_000  # entries
WORST = 60.0  # the condition number of a matrix that is factorised
PRIMES = {"n": 11, "d": 17, "k": 23}
NAMESPACE: dict[str, Any] = {
    "np": np,
    "scipy": SimpleNamespace(special=scipy.special),
    "sympy": sympy,
    **{name: getattr(gradgen, name) for name in WORD_NAMES},
}
for _source in HELPERS.values():
    exec(_source, NAMESPACE)


# ---- arguments


class Unknown:
    """What is given for an `Elementwise` argument: a function and its derivatives. Called, it is the function."""

    def __init__(self, name: str, *orders: Callable[[Array], Array]) -> None:
        self.name, self.orders = name, orders

    def __call__(self, x: Array) -> Array:
        return self.orders[0](x)


UNKNOWN = (
    Unknown("sin", np.sin, np.cos, lambda x: -np.sin(x)),
    Unknown("tanh", np.tanh, lambda x: 1 / np.cosh(x) ** 2, lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2),
)


def draw(given: Sequence[Given], sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Random values of the arguments that keep to their types and facts."""
    rng = np.random.default_rng(seed)
    return {g.name: _drawn(g, sizes, rng) for g in given}


def _drawn(given: Given, sizes: Mapping[str, int], rng: np.random.Generator) -> Array:
    if given.kind == "Elementwise":
        return UNKNOWN[len(given.name) % len(UNKNOWN)]  # the same in each world
    shape = given.shape(sizes)
    if given.kind == "Indices":
        return rng.integers(length(given.sizes[1], sizes), size=shape)
    values = np.round(rng.normal(size=shape) * 0.9, 3)
    if given.kind in EVEN:
        return (
            (values + values.T) / 2 if given.kind == "Symmetric" else values @ values.T / len(values) + np.eye(*shape)
        )
    facts: dict[str, Callable[[], Array]] = {
        "positive": lambda: np.round(np.exp(values / 2), 3),
        "nonnegative": lambda: rng.poisson(2.0, size=shape).astype(float),
        "integer": lambda: rng.poisson(2.0, size=shape).astype(float),
        "unit_interval": lambda: np.round(0.5 + 0.5 * np.tanh(values), 3),
        "sign": lambda: np.where(values > 0, 1.0, -1.0),
        "boolean": lambda: np.where(values > 0, 1.0, 0.0),
        "one_hot": lambda: np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])],
        "simplex": lambda: np.exp(values) / np.sum(np.exp(values), axis=-1, keepdims=True),
    }
    found = facts[given.fact]() if given.fact else values
    return found if shape else float(found)


def direction(given: Given, value: Array, rng: np.random.Generator) -> Array:
    """A direction of the type of an argument."""
    found = rng.normal(size=np.shape(value))
    return (found + found.T) / 2 if given.kind in EVEN else found


def known(given: Given, value: Array) -> Array:
    """An argument as the formula knows it."""
    if given.kind == "Diagonal":
        return np.diag(value)
    return np.tril(value) if given.kind == "LowerTriangular" else value


# ---- guards


def _apart(x: Array) -> bool:
    """Whether no two entries of a small array are near each other, so that no maximum is tied."""
    flat = np.sort(np.ravel(x))
    return flat.size > 0 and bool(np.all(np.diff(flat) > MARGIN))


def _square(x: Array) -> bool:
    return np.ndim(x) >= 2 and np.shape(x)[-1] == np.shape(x)[-2]


def _well(x: Array) -> bool:
    return bool(np.size(x)) and bool(np.all(np.linalg.cond(x) < WORST))


def _gram(x: Array) -> Array:
    return x @ np.swapaxes(x, -1, -2)


def _gaps(x: Array) -> bool:
    """Whether no two eigenvalues are near each other: where they meet, their derivatives have no end."""
    return bool(np.all(np.diff(np.linalg.eigvalsh(x)) > 0.2))


def _full_rank(x: Array) -> bool:
    found = np.linalg.svd(x, compute_uv=False)
    return bool(np.size(found)) and bool(np.all(found > 0.3)) and _well(x)


Guard = Callable[..., Any]
# What operands must be like: each says so of their values in one world.
GUARDS: dict[str, Guard] = {
    "": lambda *x: True,
    "exp": lambda x: np.all(np.abs(x) < 3.5),
    "positive": lambda x: np.all(x > 0.2),
    "positive second": lambda x, y: np.all(y > 0.2),
    "both positive": lambda x, y: np.all(x > 0.2) and np.all(y > 0.2),
    "share": lambda x: np.all(x > 0.05) and np.all(x < 0.95),
    "above -1": lambda x: np.all(x > -0.7),
    "above 1": lambda x: np.all(x > 1.2),
    "inside": lambda x: np.all(np.abs(x) < 0.9),
    "tan": lambda x: np.all(np.abs(x) < 1.2),
    "nonzero": lambda x: np.all(np.abs(x) > MARGIN),
    "away": lambda x: np.all(np.abs(x) > 0.3),
    "differ": lambda x, y: np.all(np.abs(np.subtract(x, y)) > MARGIN),
    "differ2": lambda x, y, *_: np.all(np.abs(np.subtract(x, y)) > MARGIN),
    "nonzero first": lambda x, *_: np.all(np.abs(x) > MARGIN),
    "away from 1": lambda x: np.all(np.abs(np.abs(x) - 1) > MARGIN) and np.all(np.abs(x) > MARGIN),
    "over": lambda x, y: np.all(np.abs(y) > 0.3),
    "power": lambda x, y: np.all(x > 0.2) and np.all(np.abs(y) < 3),
    "far": lambda x, y: np.all(np.hypot(x, y) > 0.1),
    # What remains of a slice is not empty: of no entries a softmax sums to 0, where the laws say 1.
    "at least 2": lambda x: min(np.shape(x), default=0) >= 2,
    "top": _apart,
    "bottom": _apart,
    "some": lambda x: np.size(x) > 0,
    "spread": lambda x: np.size(x) > 0 and np.min(np.std(x, axis=0)) > 0.1 and np.min(np.std(x, axis=-1)) > 0.1,
    "sizes apart": lambda x: _apart(np.abs(x)) and np.all(np.abs(x) > MARGIN),
    "columns apart": lambda x: np.all(np.abs(x) > MARGIN) and _apart(np.sum(np.abs(x), axis=-2)),
    "rows apart": lambda x: np.all(np.abs(x) > MARGIN) and _apart(np.sum(np.abs(x), axis=-1)),
    "well": _well,
    "well first": lambda x, *_: _well(x),
    "gram": lambda x, *_: _well(_gram(x) + np.eye(np.shape(x)[-2])),
    "gaps": _gaps,
    "gaps of sum": lambda x: _gaps(x + np.swapaxes(x, -1, -2)),
    "gaps of gram": lambda x: _gaps(_gram(x)),
    "full rank": _full_rank,
    "vector nonzero": lambda x: np.all(np.abs(x) > MARGIN),
    "vector top": lambda x: _apart(np.abs(x)) and np.all(np.abs(x) > MARGIN),
}
# What their shapes must be like: this is asked of the first world too.
SHAPES: dict[str, Guard] = {
    "square": lambda x: np.ndim(x) == 2 and _square(x),
    "stack": lambda x: _square(x),
    "matrix": lambda x: np.ndim(x) >= 2,
    "stacked": lambda x: np.ndim(x) >= 1,
    "factors": lambda *x: all(np.ndim(v) in (1, 2) for v in x),
    "vectors": lambda *x: all(np.ndim(v) == 1 for v in x),
    "vector nonzero": lambda x: np.ndim(x) == 1,
    "vector top": lambda x: np.ndim(x) == 1,
    "well": lambda x: _square(x),
    "gaps": lambda x: _square(x),
    "gaps of sum": lambda x: _square(x),
    "well first": lambda x, *_: _square(x),
    "gram": lambda x, *_: np.ndim(x) >= 2,
    "gaps of gram": lambda x: np.ndim(x) >= 2,
    "full rank": lambda x: np.ndim(x) >= 2,
    "columns apart": lambda x: np.ndim(x) == 2,
    "rows apart": lambda x: np.ndim(x) == 2,
}
# What the result must be like: a norm has no derivative at 0.
RESULTS: dict[str, Guard] = {"result away": lambda x: np.all(x > 0.1)}


def _holds(table: Mapping[str, Guard], name: str, values: Sequence[Array]) -> bool:
    return bool(table[name](*values)) if name in table else True


def _moderate(x: Array) -> bool:
    return bool(np.all(np.isfinite(x))) and bool(np.all(np.abs(x) < HIGH))


# ---- worlds

REFUSED = (ValueError, IndexError, TypeError, AttributeError, ArithmeticError, MemoryError, SpecError)


@dataclass
class Worlds:
    """The values of a growing program: the first world tells shapes apart, in the others values must be sane."""

    given: tuple[Given, ...]
    sizes: tuple[Mapping[str, int], ...]
    seed: int
    values: list[list[Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for k, sizes in enumerate(self.sizes):
            drawn = draw(self.given, sizes, self.seed + k)
            self.values.append([known(g, drawn[g.name]) for g in self.given])

    def shape(self, index: int) -> tuple[int, ...]:
        return np.shape(self.values[0][index])

    def add(self, node: Node) -> bool:
        """Run a node everywhere; whether it may stay."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                results = [self._result(node, world) for world in range(len(self.sizes))]
            except REFUSED:
                return False
        if any(r is None for r in results) or np.size(results[0]) > LARGEST or not self._alike(results):
            return False
        for values, result in zip(self.values, results, strict=True):
            values.append(result)
        return True

    def _result(self, node: Node, world: int) -> Array | None:
        """The value of a node in a world, or None where it may not stay."""
        operands = [self.values[world][i] for i in node.operands]
        if not _holds(SHAPES, node.guard, operands) or (world and not _holds(GUARDS, node.guard, operands)):
            return None
        result = run(node, operands, self.sizes[world])
        if not isinstance(result, (np.ndarray, np.generic, float, int)) or np.ndim(result) > 4:
            return None
        return result if not world or (_moderate(result) and _holds(RESULTS, node.guard, [result])) else None

    def _alike(self, results: Sequence[Array]) -> bool:
        """Whether the shapes are instances of one symbolic shape: a literal 1 is 1 in each world."""
        shapes = [np.shape(r) for r in results]
        if len({len(s) for s in shapes}) > 1:
            return False
        return all(all(s == 1 for s in axis) for axis in zip(*shapes, strict=True) if axis[0] == 1)


def run(node: Node, operands: Sequence[Array], sizes: Mapping[str, int]) -> Array:
    """The value of a call by NumPy."""
    names = {f"_{k}": value for k, value in enumerate(operands)}
    code = node.template.format(*names)
    for _ in range(node.loop):
        names["_0"] = eval(code, {**NAMESPACE, **sizes, **names})
    return names["_0"] if node.loop else eval(code, {**NAMESPACE, **sizes, **names})
