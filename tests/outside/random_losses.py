"""Random well-typed losses as spec files, from a seed, and what holds of the module that each becomes.

``random_losses.py COUNT [FIRST]`` checks COUNT seeds, shrinks each failure and prints the spec that is left.

A program is grown call by call. Every call is run at once by NumPy in three worlds: one whose dimensions are distinct
primes, which tells the shapes apart, and two small ones, in which its values must stay finite, moderate and away from
kinks. So a program needs no rules of types or domains, and what is checked is checked where JAX is right.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false",
)

import jax
import jax.numpy as jnp
import numpy as np

from gradgen import words
from gradgen.errors import SpecError
from gradgen.pipeline import generate_module
from gradgen.spec import Loss, load_spec, run_with

jax.config.update("jax_enable_x64", True)

Array = Any
Values = Mapping[str, Array]

PRIMES = {"n": 17, "d": 23, "k": 31}
BOUND = 1e-9
NEGLIGIBLE = 1e-3
HIGH = 40.0
MARGIN = 0.02
WORDS = {
    words.sigmoid: jax.nn.sigmoid,
    words.softplus: jax.nn.softplus,
    words.relu: jax.nn.relu,
    words.logsumexp: jax.scipy.special.logsumexp,
    words.softmax: jax.nn.softmax,
    words.log_softmax: jax.nn.log_softmax,
}
WORD_NAMES = "eye full log_softmax logsumexp ones relu sigmoid softmax softplus zeros".split()
NAMESPACE = {"np": np, **{name: getattr(words, name) for name in WORD_NAMES}}

# ---- programs


@dataclass(frozen=True)
class Given:
    """An argument: its name, dimensions and fact."""

    name: str
    shape: tuple[str, ...] = ()
    fact: str = ""

    @property
    def annotation(self) -> str:
        parts = [*self.shape, *([self.fact] if self.fact else [])]
        kind = ("Scalar", "Vector", "Matrix")[len(self.shape)]
        return f"{kind}[{', '.join(parts)}]" if parts else kind


@dataclass(frozen=True)
class Node:
    """A call: ``template`` with ``{0}`` and so on for its operands, by their place in the program. A ``name`` makes it
    a statement. Arguments are the first nodes."""

    template: str
    operands: tuple[int, ...] = ()
    name: str | None = None
    guard: str = ""


@dataclass(frozen=True)
class Program:
    """A loss: the last node."""

    given: tuple[Given, ...]
    nodes: tuple[Node, ...]
    wrt: tuple[str, ...]
    sizes: tuple[Mapping[str, int], ...]
    seed: int
    several: bool = False

    def text(self) -> str:
        """The spec."""
        used = sorted({size for g in self.given for size in g.shape if size in PRIMES}, key=list(PRIMES).index)
        body = _statements(self)
        facts = {g.fact for g in self.given if g.fact}
        kinds = {re.split(r"\W", g.annotation)[0] for g in self.given}
        found = [w for w in WORD_NAMES if re.search(rf"\b{w}\(", "\n".join(body))]
        imports = sorted({"loss", *facts, *kinds, *found, *(["dims"] if used else [])})
        lines = ["import numpy as np", "", f"from gradgen import {', '.join(imports)}", ""]
        if used:
            lines += [f'{", ".join(used)} = dims("{" ".join(used)}")', ""]
        wrt = repr(self.wrt) if self.several or len(self.wrt) > 1 else repr(self.wrt[0])
        signature = ", ".join(f"{g.name}: {g.annotation}" for g in self.given)
        lines += ["", f"@loss(wrt={wrt})", f"def example({signature}):", *(f"    {line}" for line in body)]
        return "\n".join(lines).replace("'", '"') + "\n"


def _statements(program: Program) -> list[str]:
    needed, texts, lines = _needed(program), {}, []
    for index in sorted(needed):
        node = program.nodes[index]
        text = node.template.format(*(_bracketed(texts[k]) for k in node.operands))
        if index == len(program.nodes) - 1:
            lines.append(f"return {text}")
        elif node.name is not None and node.operands:
            lines.append(f"{node.name} = {text}")
            text = node.name
        texts[index] = text
    return lines


def _bracketed(text: str) -> str:
    simple = re.fullmatch(r"\w+|[\w.]+\([^()]*\)", text)
    return text if simple else f"({text})"


def _needed(program: Program) -> set[int]:
    found, todo = set(), [len(program.nodes) - 1]
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo.extend(program.nodes[index].operands)
    return found


# ---- values


def draw(given: Sequence[Given], sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Random values of the arguments that keep to their facts."""
    rng = np.random.default_rng(seed)
    return {g.name: _drawn(g, tuple(sizes[s] if s in sizes else int(s) for s in g.shape), rng) for g in given}


def _drawn(given: Given, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    values = np.round(rng.normal(size=shape) * 0.9, 3)
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


# What operands must be: each says so of their values in one world.
GUARDS: dict[str, Callable[..., Any]] = {
    "": lambda *x: True,
    "exp": lambda x: np.all(np.abs(x) < 3.5),
    "positive": lambda x: np.all(x > 0.2),
    "above -1": lambda x: np.all(x > -0.7),
    "above 1": lambda x: np.all(x > 1.2),
    "inside": lambda x: np.all(np.abs(x) < 0.9),
    "tan": lambda x: np.all(np.abs(x) < 1.2),
    "nonzero": lambda x: np.all(np.abs(x) > MARGIN),
    "away": lambda x: np.all(np.abs(x) > 0.3),
    "differ": lambda x, y: np.all(np.abs(np.subtract(x, y)) > MARGIN),
    "differ2": lambda x, y, *_: np.all(np.abs(np.subtract(x, y)) > MARGIN),
    "nonzero first": lambda x, *_: np.all(np.abs(x) > MARGIN),
    "away from 1": lambda x: np.all(np.abs(np.abs(x) - 1) > MARGIN),
    "over": lambda x, y: np.all(np.abs(y) > 0.3),
    "power": lambda x, y: np.all(x > 0.2) and np.all(np.abs(y) < 3),
    "far": lambda x, y: np.all(np.hypot(x, y) > 0.1),
    "square": lambda x: np.ndim(x) == 2 and len(set(np.shape(x))) == 1,
    "vectors": lambda *x: all(np.ndim(v) == 1 for v in x),
    "at least 2": lambda x: min(np.shape(x), default=0) >= 2,
    "top": lambda x: _apart(x, 1),
    "bottom": lambda x: _apart(x, -1),
    "some": lambda x: np.size(x) > 0,
}

OF_SHAPES = {"square", "vectors"}


def _apart(x: Array, sign: int) -> bool:
    """Whether no two entries of a small array are near each other, so that no maximum is tied."""
    flat = np.sort(np.ravel(x))
    return flat.size > 0 and bool(np.all(np.diff(flat) > MARGIN))


def _run(node: Node, values: Sequence[Array], sizes: Mapping[str, int]) -> Array:
    names = {f"_{k}": values[i] for k, i in enumerate(node.operands)}
    text = node.template.format(*names)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return eval(text, {**NAMESPACE, **sizes, **names})


def _guarded(node: Node, values: Sequence[Array]) -> bool:
    return bool(GUARDS[node.guard](*(values[i] for i in node.operands)))


def _sane(node: Node, values: Sequence[Array], result: Array) -> bool:
    if not _guarded(node, values):
        return False
    return bool(np.all(np.isfinite(result))) and bool(np.all(np.abs(result) < HIGH))


@dataclass
class Worlds:
    """The values of a growing program: the first world tells shapes apart, in the others values must be sane."""

    given: tuple[Given, ...]
    sizes: tuple[Mapping[str, int], ...]
    seed: int
    values: list[list[Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        drawn = [draw(self.given, sizes, self.seed + k) for k, sizes in enumerate(self.sizes)]
        self.values = [list(world.values()) for world in drawn]

    def shape(self, index: int) -> tuple[int, ...]:
        return np.shape(self.values[0][index])

    def add(self, node: Node) -> bool:
        """Run a node everywhere; whether it may stay."""
        results = []
        for world, (sizes, values) in enumerate(zip(self.sizes, self.values, strict=True)):
            try:
                result = _run(node, values, sizes)
                if not isinstance(result, (np.ndarray, np.generic, float, int)) or np.ndim(result) > 4:
                    return False
                if not world and node.guard in OF_SHAPES and not _guarded(node, values):
                    return False
                if world and not _sane(node, values, result):
                    return False
            except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError, SpecError):
                return False
            results.append(result)
        if np.size(results[0]) > 200_000 or not self._alike(results):
            return False
        for values, result in zip(self.values, results, strict=True):
            values.append(result)
        return True

    def _alike(self, results: Sequence[Array]) -> bool:
        """Whether the shapes are instances of one symbolic shape: a literal 1 is 1 in each world."""
        shapes = [np.shape(r) for r in results]
        if len({len(s) for s in shapes}) > 1:
            return False
        return all(all(s == 1 for s in axis) for axis in zip(*shapes, strict=True) if axis[0] == 1)


# ---- growing a program

SMOOTH = [
    ("np.exp({0})", "exp"),
    ("np.exp(-{0})", "exp"),
    ("np.expm1({0})", "exp"),
    ("np.exp2({0})", "exp"),
    ("2.0 ** {0}", "exp"),
    ("np.log({0})", "positive"),
    ("np.log1p({0})", "above -1"),
    ("np.log2({0})", "positive"),
    ("np.log10({0})", "positive"),
    ("np.sqrt({0})", "positive"),
    ("np.sin({0})", ""),
    ("np.cos({0})", ""),
    ("np.tan({0})", "tan"),
    ("np.arcsin({0})", "inside"),
    ("np.arccos({0})", "inside"),
    ("np.arctan({0})", ""),
    ("np.sinh({0})", "exp"),
    ("np.cosh({0})", "exp"),
    ("np.tanh({0})", ""),
    ("np.arcsinh({0})", ""),
    ("np.arccosh({0})", "above 1"),
    ("np.arctanh({0})", "inside"),
    ("np.reciprocal({0})", "away"),
    ("sigmoid({0})", ""),
    ("softplus({0})", ""),
    ("np.square({0})", ""),
    ("{0} ** 2", ""),
    ("{0} ** 3", ""),
    ("{0} ** 4", ""),
    ("{0} ** -1", "away"),
    ("{0} ** -2", "away"),
    ("{0} ** 0.5", "positive"),
    ("{0} ** 1.5", "positive"),
    ("{0} ** -0.5", "positive"),
    ("{0} ** 2.5", "positive"),
    ("-{0}", ""),
    ("+{0}", ""),
    ("1 - {0}", ""),
    ("{0} + 1", ""),
    ("{0} - 0.5", ""),
    ("2 * {0}", ""),
    ("-3 * {0}", ""),
    ("{0} / 2", ""),
    ("0.1 * {0}", ""),
    ("{0} * 0.25", ""),
    ("1 / {0}", "away"),
    ("1 / (1 + {0} ** 2)", ""),
    ("1 + {0} ** 2", ""),
    ("np.log(1 + {0} ** 2)", ""),
    ("np.log(1 + np.exp({0}))", "exp"),
    ("np.log(1 + np.exp(-{0}))", "exp"),
    ("1 / (1 + np.exp(-{0}))", "exp"),
    ("np.logaddexp(0, {0})", ""),
    ("np.sqrt({0} ** 2 + 0.5)", ""),
    ("{0} * np.tanh({0})", ""),
    ("{0} * {0}", ""),
    ("{0} / (1 + np.abs({0}))", "nonzero"),
    ("np.exp(-({0} ** 2) / 2)", "exp"),
    ("np.log(sigmoid({0}))", ""),
    ("np.log(np.sum(np.exp({0})))", "exp"),
]
KINKED = [
    ("np.abs({0})", "nonzero"),
    ("abs({0})", "nonzero"),
    ("np.sign({0})", "nonzero"),
    ("relu({0})", "nonzero"),
    ("np.maximum({0}, 0)", "nonzero"),
    ("np.maximum(0, {0})", "nonzero"),
    ("np.minimum({0}, 0.0)", "nonzero"),
    ("np.clip({0}, -1, 1)", "away from 1"),
    ("{0} * ({0} > 0)", "nonzero"),
    ("np.where({0} > 0, {0}, 0)", "nonzero"),
    ("np.where({0} > 0, {0}, 0.01 * {0})", "nonzero"),
    ("np.where(np.abs({0}) < 1, {0} ** 2 / 2, np.abs({0}) - 0.5)", "away from 1"),
]
PAIRED = [
    ("{0} + {1}", ""),
    ("{0} - {1}", ""),
    ("{0} * {1}", ""),
    ("{0} * {1}", ""),
    ("{0} / {1}", "over"),
    ("{0} / (1 + {1} ** 2)", ""),
    ("{0} * sigmoid({1})", ""),
    ("{0} ** {1}", "power"),
    ("np.maximum({0}, {1})", "differ"),
    ("np.minimum({0}, {1})", "differ"),
    ("np.logaddexp({0}, {1})", ""),
    ("np.hypot({0}, {1})", "far"),
    ("np.arctan2({0}, {1})", "far"),
    ("({0} > {1}) * {0}", "differ"),
    ("({0} <= {1}) * {1}", "differ"),
    ("np.where({0} < {1}, {0}, {1} ** 2)", "differ"),
    ("(({0} > {1}) & ({0} > 0)) * {1}", "differ"),
    ("np.where(~({0} >= {1}), {0} * {1}, 1.0)", "differ"),
    ("({0} - {1}) ** 2", ""),
    ("2 * {0} - {1} / 3", ""),
    ("{0} * {1} + {0}", ""),
]
TRIPLE = [
    ("np.where({0} > {1}, {2}, {0})", "differ2"),
    ("np.where({0} > 0, {1}, {2})", "nonzero first"),
    ("{0} + {1} * {2}", ""),
    ("{0} * {1} * {2}", ""),
    ("{0} * ({1} - {2})", ""),
]
ENTIRE = [
    ("np.sum({0})", ""),
    ("{0}.sum()", ""),
    ("np.mean({0})", "some"),
    ("{0}.mean()", "some"),
    ("np.max({0})", "top"),
    ("np.min({0})", "bottom"),
    ("logsumexp({0})", "some"),
    ("np.sum({0} ** 2)", ""),
    ("np.sqrt(np.sum({0} ** 2) + 1)", ""),
    ("np.sum({0} * {0})", ""),
    ("np.sum(np.exp({0}))", "exp"),
    ("np.sum({0} > 0)", "nonzero"),
]
AXES = [
    ("np.sum({0}, axis=AXIS)", ""),
    ("np.sum({0}, axis=AXIS, keepdims=True)", ""),
    ("{0}.sum(AXIS)", ""),
    ("np.mean({0}, axis=AXIS)", "some"),
    ("np.mean({0}, axis=AXIS, keepdims=True)", "some"),
    ("np.max({0}, axis=AXIS)", "top"),
    ("np.max({0}, axis=AXIS, keepdims=True)", "top"),
    ("np.min({0}, axis=AXIS)", "bottom"),
    ("logsumexp({0}, axis=AXIS)", "some"),
    ("logsumexp({0}, axis=AXIS, keepdims=True)", "some"),
    ("softmax({0}, axis=AXIS)", "some"),
    ("log_softmax({0}, axis=AXIS)", "some"),
    ("softmax({0})", "some"),
    ("log_softmax({0})", "some"),
    ("{0} - np.mean({0}, axis=AXIS, keepdims=True)", "some"),
    ("{0} / np.sum({0} ** 2 + 1, axis=AXIS, keepdims=True)", ""),
    ("np.exp({0}) / np.sum(np.exp({0}), axis=AXIS, keepdims=True)", "exp"),
    ("np.log(np.sum(np.exp({0}), axis=AXIS))", "exp"),
    ("np.sum({0} * {0}, axis=AXIS)", ""),
]
PRODUCTS = [
    ("{0} @ {1}", ""),
    ("{0} @ {1}", ""),
    ("{0} @ {1}", ""),
    ("{0}.T @ {1}", ""),
    ("{0} @ {1}.T", ""),
    ("{0}.T @ {1}.T", ""),
    ("np.dot({0}, {1})", ""),
    ("{0}.dot({1})", ""),
    ("np.inner({0}, {1})", ""),
    ("np.outer({0}, {1})", "vectors"),
    ("{0}[:, None] * {1}", ""),
    ("{0}[:, None] - {1}", ""),
    ("{0}[:, None, :] - {1}", ""),
    ("{0}[:, None, :] * {1}[None, :, :]", ""),
    ("{0}[:, :, None] + {1}", ""),
    ("np.matmul({0}, {1})", ""),
]
SHAPED = [
    ("{0}.T", ""),
    ("{0}.T", ""),
    ("np.transpose({0})", ""),
    ("np.swapaxes({0}, 0, 1)", ""),
    ("np.swapaxes({0}, 0, -1)", ""),
    ("np.transpose({0}, (1, 0, 2))", ""),
    ("np.transpose({0}, (2, 0, 1))", ""),
    ("np.expand_dims({0}, 0)", ""),
    ("np.squeeze({0})", ""),
    ("{0}[None]", ""),
    ("{0}[0]", ""),
    ("{0}[-1]", ""),
    ("{0}[..., 0]", ""),
    ("{0}[:, 0]", ""),
    ("{0}[:, -1]", ""),
    ("{0}[0, 0]", ""),
    ("{0}[1:]", "some"),
    ("{0}[:-1]", "some"),
    ("{0}[::-1]", ""),
    ("{0}[:, ::-1]", ""),
    ("{0}[:2]", "at least 2"),
    ("{0}[:, 1:]", "some"),
    ("{0}[:, :-1]", "some"),
    ("{0}[1:] - {0}[:-1]", "some"),
    ("{0}[:, :1]", ""),
    ("{0}[:1]", ""),
    ("{0}[..., None]", ""),
    ("{0}[:, None]", ""),
    ("{0}[None, :]", ""),
    ("{0}[0, ...]", ""),
    ("np.trace({0})", "square"),
    ("np.trace({0} @ {0}.T)", "square"),
    ("{0} @ {0}.T", ""),
    ("{0}.T @ {0}", ""),
    ("{0} @ {0}", ""),
    ("{0} + {0}.T", ""),
    ("{0} - {0}.T", ""),
    ("{0} * {0}.T", ""),
    ("np.outer({0}, {0})", "vectors"),
    ("{0}[:, None] - {0}[None, :]", ""),
    ("{0}[:, None, :] - {0}[None, :, :]", ""),
    ("np.ones_like({0}) - {0}", ""),
    ("np.zeros_like({0}) + 0.5", ""),
    ("{0} * eye({0}.shape[0])", ""),
    ("{0} + 0.1 * eye({0}.shape[0])", ""),
    ("ones({0}.shape[0]) @ {0}", ""),
    ("{0} @ ones({0}.shape[-1])", ""),
    ("{0} / {0}.shape[0]", ""),
    ("{0} * np.sqrt({0}.shape[0])", ""),
    ("{0} * {0}.shape[0] ** -0.5", ""),
    ("{0} / {0}.size", "some"),
    ("{0} + zeros({0}.shape)", ""),
    ("np.broadcast_to({0}, (2, {0}.shape[0]))", ""),
    ("{0} * np.arange(3.0)", ""),
    ("{0} * np.array([1.0, -2.0, 0.5])", ""),
    ("np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 3.0]]) @ {0}", ""),
]
FAMILIES: list[tuple[float, int, list[tuple[str, str]]]] = [
    (0.24, 1, SMOOTH),
    (0.06, 1, KINKED),
    (0.22, 2, PAIRED),
    (0.03, 3, TRIPLE),
    (0.05, 1, ENTIRE),
    (0.12, 1, AXES),
    (0.13, 2, PRODUCTS),
    (0.15, 1, SHAPED),
]
DIMENSION_WORDS = ["{0} / DIM", "{0} * DIM ** 0.5", "{0} + DIM", "{0} @ ones(DIM)", "ones(DIM) @ {0}", "{0} * eye(DIM)"]
LOCALS = "r z s t u v p q out value result total A B C D E G H K M P Q R T Z mu h sigma alpha γ n_ dtype self".split()
ARGUMENTS = "X Y W U V w b a c x y λ lam out grad dw x_ tau S theta axis shape f array bound hvp float_".split()
DATA_FACTS = ["one_hot", "boolean", "sign", "simplex", "integer", "nonnegative", "unit_interval", "positive"]


class Grower:
    """Grows one program from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 77])
        self.given = self._arguments()
        self.sizes = self._sizes()
        self.worlds = Worlds(self.given, self.sizes, seed * 10)
        self.nodes = [Node(g.name, (), g.name) for g in self.given]
        self.names = iter(self.rng.permutation([x for x in LOCALS if x not in {g.name for g in self.given}]))
        self.gone: set[int] = set()
        self.wrt = self._variables()

    def _pick(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def _chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def _arguments(self) -> tuple[Given, ...]:
        names = list(self.rng.permutation(ARGUMENTS))
        dims = list(PRIMES)[: 1 + int(self.rng.integers(3))]
        sizes = [*dims, *dims, *dims, *dims, *(["1", "2", "3"] if self._chance(0.3) else [])]
        ranks = self.rng.choice([0, 1, 2], size=2 + int(self.rng.integers(4)), p=[0.2, 0.4, 0.4])
        made = [Given(str(names.pop()), tuple(self._pick(sizes) for _ in range(rank))) for rank in ranks]
        if all(not g.shape for g in made):
            made.append(Given(str(names.pop()), ("n",)))
        return tuple(made)

    def _sizes(self) -> tuple[Mapping[str, int], ...]:
        large = {dim: int(self.rng.choice([2, 3, 5])) for dim in PRIMES}
        small = {dim: int(self.rng.choice([1, 1, 2, 3])) for dim in PRIMES}
        return PRIMES, large, small

    def _variables(self) -> tuple[str, ...]:
        count = 1 + int(self.rng.choice([0, 0, 0, 1, 1, 2]))
        chosen = {str(g.name) for g in self.rng.permutation(np.array(self.given, dtype=object))[:count]}
        facts = [(g, self._fact(g, g.name in chosen)) for g in self.given]
        self.given = tuple(replace(g, fact=fact) for g, fact in facts)
        self.worlds = Worlds(self.given, self.sizes, self.worlds.seed)
        return tuple(g.name for g in self.given if g.name in chosen)

    def _fact(self, given: Given, variable: bool) -> str:
        if self._chance(0.6):
            return ""
        choices = ["positive", "nonnegative", "unit_interval"] if variable else DATA_FACTS
        fact = self._pick(choices)
        return "" if fact in ("one_hot", "simplex") and not given.shape else fact

    def _operand(self) -> int:
        live = [i for i in range(len(self.nodes)) if i not in self.gone]
        recent = live[-4:] if self._chance(0.5) else live
        return int(self._pick(recent))

    def _partner(self, index: int) -> int:
        """An operand that broadcasts with another."""
        shape, live = self.worlds.shape(index), [i for i in range(len(self.nodes)) if i not in self.gone]
        fitting = [i for i in live if _broadcasts(self.worlds.shape(i), shape)]
        return int(self._pick(fitting))

    def _call(self) -> Node:
        weights = [w for w, _, _ in FAMILIES]
        if self._chance(0.05):
            template = self._pick(DIMENSION_WORDS).replace("DIM", self._dimension())
            return Node(template, (self._operand(),))
        _, arity, family = FAMILIES[int(self.rng.choice(len(FAMILIES), p=weights))]
        template, guard = self._pick(family)
        first = self._operand()
        if "AXIS" in template:
            if not self.worlds.shape(first):
                return self._call()
            template = template.replace("AXIS", self._axis(first))
        if family is PRODUCTS:
            return Node(template, (first, self._operand()), guard=guard)
        return Node(template, (first, *(self._partner(first) for _ in range(arity - 1))), guard=guard)

    def _dimension(self) -> str:
        used = [s for g in self.given for s in g.shape if s in PRIMES]
        return self._pick(used) if used else "2"

    def _axis(self, index: int) -> str:
        rank = len(self.worlds.shape(index))
        choices = [*map(str, range(rank)), "-1", "0"]
        choices += [repr(pair) for pair in itertools.combinations(range(rank), 2)]
        return self._pick(choices)

    def _named(self, node: Node) -> Node:
        if self._chance(0.5):
            return node
        again = self.nodes[node.operands[0]].name
        alone = again and not any(node.operands[0] in n.operands for n in self.nodes)
        if alone and node.operands[0] not in node.operands[1:] and self._chance(0.1):
            self.gone.add(node.operands[0])
            return replace(node, name=again)
        return replace(node, name=str(next(self.names, "")) or None)

    def _fits(self, node: Node) -> bool:
        """No vector broadcasts against a column by accident: that is refused, and rightly."""
        shapes = [self.worlds.shape(i) for i in node.operands]
        mixed = {len(s) for s in shapes}
        columns = [s for s in shapes if len(s) > 1 and s[-1] == 1]
        return not (columns and mixed & {1} and not node.template.startswith(("np.dot", "{0} @")))

    def grow(self) -> Program:
        wanted, tries = 3 + int(self.rng.integers(13)), 0
        while len(self.nodes) < len(self.given) + wanted and tries < 300:
            tries += 1
            node = self._call()
            if self._fits(node) and self.worlds.add(node):
                self.nodes.append(self._named(node))
        self._finish()
        return Program(self.given, tuple(self.nodes), self.wrt, self.sizes, self.worlds.seed, self._chance(0.2))

    def _finish(self) -> None:
        """Gather what is left over, and what the variables come to, in a scalar."""
        used = {i for n in self.nodes for i in n.operands}
        ends = [i for i in range(len(self.nodes)) if i not in used and i not in self.gone]
        ends = [i for i in ends if i >= len(self.given)] or ends
        ends = ends[-3:]
        terms = [self._scalar(i) for i in ends]
        while len(terms) > 1:
            pair = Node(self._pick(["{0} + {1}", "{0} - {1}", "{0} + {1}", "{0} + 0.5 * {1}"]), tuple(terms[:2]))
            terms = [self._push(pair), *terms[2:]]
        self._cover(terms[0])

    def _cover(self, last: int) -> None:
        reached = _needed(Program(self.given, tuple(self.nodes[: last + 1]), self.wrt, self.sizes, 0))
        for index, given in enumerate(self.given):
            if given.name in self.wrt and index not in reached:
                name = self.nodes[index].name
                shadowed = any(n.name == name for n in self.nodes[len(self.given) :])
                if not shadowed:
                    last = self._push(Node("{0} + np.sum({1} ** 2)", (last, index)))
        del self.nodes[last + 1 :]

    def _push(self, node: Node) -> int:
        if not self.worlds.add(node):
            raise Barren
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _scalar(self, index: int) -> int:
        if not self.worlds.shape(index):
            return index
        for _ in range(20):
            template, guard = self._pick(ENTIRE[:10])
            node = Node(template, (index,), guard=guard)
            if self.worlds.add(node):
                self.nodes.append(node)
                return len(self.nodes) - 1
        raise Barren


class Barren(Exception):
    """A seed that came to nothing."""


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(x == y or 1 in (x, y) for x, y in zip(a[::-1], b[::-1], strict=False))


def grow(seed: int) -> Program:
    """The program of a seed."""
    for attempt in itertools.count():
        try:
            program = Grower(seed + 1_000_003 * attempt).grow()
        except Barren:
            continue
        return program
    raise AssertionError


# ---- what must hold


class Wrong(AssertionError):
    """A property that does not hold; the first line says which."""


def loaded(text: str) -> Loss:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example_spec.py"
        path.write_text(text, encoding="utf-8")
        (made,) = load_spec(path).values()
        made.tape  # noqa: B018  (traced while the file is there)
        return made


def module_of(text: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(compile(text, "<generated>", "exec"), namespace)
    return namespace


def check(text: str, given: Sequence[Given], sizes: Sequence[Mapping[str, int]], seed: int) -> None:
    """Everything that must hold of a spec's module; raises `Wrong`, or whatever else goes wrong. The first sizes tell
    shapes apart, and are not run."""
    made = loaded(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source, _ = generate_module(made.tape)
        module = module_of(source)
    for world, size in enumerate(sizes[1:], 1):
        check_world(made, module, draw(given, size, seed + world), np.random.default_rng(seed))


def same_twice(program: Program) -> bool:
    """Whether two generations give the same text."""
    first, second = (generate_module(loaded(program.text()).tape) for _ in range(2))
    return first == second


def check_world(made: Loss, module: Mapping[str, Any], inputs: Values, rng: np.random.Generator) -> None:
    frozen = {name: _frozen(value) for name, value in inputs.items()}
    directions = [_frozen(rng.normal(size=np.shape(inputs[name]))) for name in made.wrt]
    expected = by_jax(made, frozen, directions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = by_module(made, module, frozen, directions)
        compare(actual, expected, BOUND, "against JAX")
        check_ownership(made, module, frozen, directions)
        check_agreement(made, module, frozen, directions, actual)
        check_layouts(made, module, frozen, directions, actual)
        check_float32(made, module, frozen, directions, actual)


def _frozen(value: Array) -> Array:
    if not np.ndim(value):
        return float(value)
    array = np.array(value)
    array.flags.writeable = False
    return array


Results = dict[str, list[Array]]


def by_jax(made: Loss, inputs: Values, directions: Sequence[Array]) -> Results:
    arrays = {name: jnp.asarray(v) if np.ndim(v) else np.float64(v) for name, v in inputs.items()}

    def value(*variables: Array) -> Array:
        given = {**arrays, **dict(zip(made.wrt, variables, strict=True))}
        return run_with(made, given, {np: jnp}, WORDS)

    both = jax.value_and_grad(value, argnums=tuple(range(len(made.wrt))))
    primals = tuple(jnp.asarray(inputs[name], dtype=float) for name in made.wrt)
    tangents = tuple(jnp.asarray(d, dtype=float) for d in directions)

    def everything(x: Any, dx: Any) -> Any:
        (found, grad), (_, hvp) = jax.jvp(both, x, dx)
        return [found], list(grad), list(hvp)

    results = jax.device_get(jax.jit(everything)(primals, tangents))
    if not all(np.all(np.isfinite(a)) for arrays in results for a in arrays):  # fused, a maximum may miss its entry
        results = jax.device_get(everything(primals, tangents))
    return dict(zip(("loss", "grad", "hvp"), results, strict=True))


def by_module(made: Loss, module: Mapping[str, Any], inputs: Values, directions: Sequence[Array]) -> Results:
    found = {
        "loss": module["loss"](*inputs.values()),
        "grad": module["grad"](*inputs.values()),
        "hvp": module["hvp"](*inputs.values(), *directions),
    }
    return {kind: _listed(made, kind, value) for kind, value in found.items()}


def _listed(made: Loss, kind: str, value: Array) -> list[Array]:
    if kind == "loss" or not made.several:
        return [value]
    if not isinstance(value, tuple):
        raise Wrong(f"{kind} is no tuple")
    return list(value)


def scale(expected: Sequence[Array], loss: Array, array: Array) -> float:
    """What an error is measured against: the array, or a small part of the largest number around it."""
    return max(largest(array), NEGLIGIBLE * max(1.0, abs(float(loss)), *map(largest, expected)))


def compare(actual: Results, expected: Results, bound: float, what: str) -> None:
    for kind in expected:
        for k, (ours, theirs) in enumerate(zip(actual[kind], expected[kind], strict=True)):
            if np.shape(ours) != np.shape(theirs):
                raise Wrong(f"{kind} {what}: shape\nactual {np.shape(ours)}, expected {np.shape(theirs)}")
            if not np.all(np.isfinite(theirs)):
                raise Unsound(f"{kind}[{k}] of JAX is not finite")
            error = np.max(np.abs(np.subtract(ours, theirs)), initial=0.0) if np.all(np.isfinite(ours)) else np.inf
            measure = scale(expected[kind], expected["loss"][0], theirs)
            if not error <= bound * measure:
                detail = f"relative error {error / measure:.2g}\nactual   {_said(ours)}\nexpected {_said(theirs)}"
                raise Wrong(f"{kind} {what}\n[{k}] {detail}")


class Unsound(Exception):
    """The oracle itself has no answer here."""


def _said(value: Array) -> str:
    return np.array2string(np.asarray(value), precision=12, separator=", ").replace("\n", "")


def largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def check_ownership(made: Loss, module: Mapping[str, Any], inputs: Values, directions: Sequence[Array]) -> None:
    """Results are floats, or new, writable, C-contiguous arrays of their own."""
    results = [module["grad"](*inputs.values()), module["hvp"](*inputs.values(), *directions)]
    value, grad = module["value_and_grad"](*inputs.values())
    results.append(grad)
    if "hessian" in module:
        results.append(module["hessian"](*inputs.values()))
    if type(value) is not float or type(module["loss"](*inputs.values())) is not float:
        raise Wrong("the loss is no float")
    flat = [r for result in results for r in (result if isinstance(result, tuple) else (result,))]
    _check_owned(flat, [*inputs.values(), *directions])


def _check_owned(results: Sequence[Array], others: Sequence[Array]) -> None:
    for index, result in enumerate(results):
        if not np.ndim(result):
            if type(result) is not float:
                raise Wrong(f"a scalar result is a {type(result).__name__}")
            continue
        if not result.flags.c_contiguous or not result.flags.writeable:
            raise Wrong("a result is not contiguous or not writable")
        for other in [*others, *results[:index]]:
            if np.ndim(other) and np.shares_memory(result, other):
                raise Wrong("a result shares memory")


def check_agreement(
    made: Loss, module: Mapping[str, Any], inputs: Values, directions: Sequence[Array], actual: Results
) -> None:
    """The functions agree with one another, and with those of ``bind``."""
    variables = [inputs[name] for name in made.wrt]
    bound = module["bind"](**_data(made, inputs))
    value, grad = module["value_and_grad"](*inputs.values())
    compare({"loss": [value], "grad": _listed(made, "grad", grad)}, _only(actual, "loss", "grad"), 1e-11, "in one pass")
    given = {"loss": bound.loss(*variables), "grad": bound.grad(*variables)}
    given["hvp"] = bound.hvp(*variables, *directions)
    compare({k: _listed(made, k, v) for k, v in given.items()}, actual, 1e-11, "by bind")
    value, grad = bound.value_and_grad(*variables)
    compare({"loss": [value], "grad": _listed(made, "grad", grad)}, _only(actual, "loss", "grad"), 1e-11, "by bind")
    _check_owned([g for g in _listed(made, "grad", grad) if np.ndim(g)], list(inputs.values()))
    x, p = bound.pack(*variables), bound.pack(*directions)
    value, flat = bound.fun_and_jac(x)
    packed = {"loss": [value], "grad": [flat], "hvp": [bound.hessp(x, p)]}
    wanted = {"loss": actual["loss"], "grad": [_packed(actual["grad"])], "hvp": [_packed(actual["hvp"])]}
    compare(packed, wanted, 1e-11, "of flat vectors")
    if "hessian" in module:
        wanted = {"loss": actual["loss"], "hvp": actual["hvp"]}
        hessian = module["hessian"](*inputs.values())
        flat = np.ravel(directions[0])
        product = np.reshape(hessian @ flat if np.ndim(hessian) else hessian * flat, np.shape(directions[0]))
        compare({"loss": [value], "hvp": [product]}, wanted, 1e-9, "by hessian")


def _data(made: Loss, inputs: Values) -> dict[str, Any]:
    """What ``bind`` is given: the data, and the dimensions that they leave open where these are several."""
    data = {name: v for name, v in inputs.items() if name not in made.wrt}
    sizes: dict[str, int] = {}
    for argument in made.arguments:
        known = {} if argument.name in data else sizes
        for size, length in zip(argument.shape, np.shape(inputs[argument.name]), strict=True):
            if size.symbol is not None:
                known[str(size)] = length
    for name in data:
        for size in made.tape.argument(name).shape:
            sizes.pop(str(size), None)
    return {**data, **(sizes if len(sizes) > 1 else {})}


def _packed(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.ravel(a) for a in arrays])


def _only(results: Results, *kinds: str) -> Results:
    return {kind: results[kind] for kind in kinds}


def check_layouts(
    made: Loss, module: Mapping[str, Any], inputs: Values, directions: Sequence[Array], actual: Results
) -> None:
    """Fortran order, strides and integers change no value."""
    strided = {name: _strided(value) for name, value in inputs.items()}
    compare(by_module(made, module, strided, [_strided(d) for d in directions]), actual, 1e-11, "of strided inputs")
    whole = {name: np.asarray(v).astype(int) if np.all(np.mod(v, 1) == 0) else v for name, v in inputs.items()}
    compare(by_module(made, module, whole, directions), actual, 1e-11, "of integer inputs")


def _strided(value: Array) -> Array:
    if not np.ndim(value):
        return value
    wide = np.zeros([2 * s for s in np.shape(value)], order="F")
    view = wide[tuple(slice(None, None, 2) for _ in np.shape(value))]
    view[...] = value
    return view


def check_float32(
    made: Loss, module: Mapping[str, Any], inputs: Values, directions: Sequence[Array], actual: Results
) -> None:
    """float32 in, float32 out, and about the same numbers."""
    if not any(np.ndim(v) for v in inputs.values()):
        return
    small = {name: np.float32(v) for name, v in inputs.items()}
    results = by_module(made, module, small, [np.float32(d) for d in directions])
    bound = module["bind"](**_data(made, small))
    fixed = any(np.ndim(inputs[name]) for name in made.wrt)
    grad = _listed(made, "grad", bound.grad(*(small[name] for name in made.wrt)))
    for kind, arrays in {**results, "grad by bind": grad if fixed else []}.items():
        for array in arrays:
            if np.ndim(array) and array.dtype != np.float32:
                raise Wrong(f"{kind} of float32 is {array.dtype}")
    compare(results, actual, 3e-2, "in float32")


# ---- shrinking and reporting


def valid(program: Program) -> bool:
    """Whether a program is sane in all its worlds."""
    worlds = Worlds(program.given, program.sizes, program.seed)
    if not set(program.wrt) <= {g.name for g in program.given}:
        return False
    if not all(worlds.add(node) for node in program.nodes[len(program.given) :]):
        return False
    return worlds.shape(len(program.nodes) - 1) == ()


def failure(program: Program) -> str | None:
    """What is wrong with a program, or None: its first line is the kind of failure."""
    try:
        check(program.text(), program.given, program.sizes, program.seed)
    except Unsound as error:
        return f"unsound: {error}"
    except SpecError as error:
        return f"refused: {error}"
    except Wrong as error:
        return str(error)
    except Exception as error:
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if "gradgen" in f.filename or "<gen" in f.filename
        ]
        where = f"{Path(frames[-1].filename).name} {frames[-1].name}" if frames else "?"
        return f"{type(error).__name__} in {where}\n{error}"
    return None


def refused(program: Program) -> bool:
    """Whether the trace refuses a program, as it does the trace of an (n, 1)."""
    try:
        loaded(program.text())
    except SpecError:
        return True
    return False


def kind(found: str | None) -> str:
    return (found or "").split("\n")[0]


def smaller(program: Program) -> Iterator[Program]:
    """Programs that are a step simpler."""
    last, count = len(program.nodes) - 1, len(program.given)
    for index in range(count, last):
        yield replace(program, nodes=(*program.nodes[: index + 1], Node("np.sum({0})", (index,))))
        yield replace(program, nodes=program.nodes[: index + 1])
    for index in range(last, count - 1, -1):
        for other in range(index):
            yield _without(program, index, other)
    for index in range(count, last + 1):
        node = program.nodes[index]
        if node.name is not None:
            yield _with(program, index, replace(node, name=None))
        for k in node.operands:
            for template in ("{0}", "np.sum({0})", "{0} * {0}", "np.exp({0})"):
                if template != node.template and len(template) < len(node.template):
                    yield _with(program, index, Node(template, (k,), node.name))
    if len(program.wrt) > 1:
        for name in program.wrt:
            yield replace(program, wrt=tuple(x for x in program.wrt if x != name))
    for index, given in enumerate(program.given):
        if given.fact:
            yield replace(program, given=(*program.given[:index], replace(given, fact=""), *program.given[index + 1 :]))
        if given.name not in program.wrt and index not in _needed(program):
            yield _dropped(program, index)
    if program.several:
        yield replace(program, several=False)
    if len(program.sizes) > 2:
        yield replace(program, sizes=program.sizes[:2])


def _with(program: Program, index: int, node: Node) -> Program:
    return replace(program, nodes=(*program.nodes[:index], node, *program.nodes[index + 1 :]))


def _without(program: Program, index: int, other: int) -> Program:
    """The program with one node in the place of another."""

    def moved(k: int) -> int:
        k = other if k == index else k
        return k - (k > index)

    kept = [n for i, n in enumerate(program.nodes) if i != index]
    return replace(program, nodes=tuple(replace(n, operands=tuple(map(moved, n.operands))) for n in kept))


def _dropped(program: Program, index: int) -> Program:
    nodes = [n for i, n in enumerate(program.nodes) if i != index]
    nodes = [replace(n, operands=tuple(k - (k > index) for k in n.operands)) for n in nodes]
    return replace(program, given=tuple(g for i, g in enumerate(program.given) if i != index), nodes=tuple(nodes))


def _pruned(program: Program) -> Program:
    needed = _needed(program)
    for index in range(len(program.nodes) - 1, len(program.given) - 1, -1):
        if index not in needed:
            program = _without(program, index, 0)
    return program


def shrunk(program: Program, limit: int = 400) -> Program:
    """A program that fails in the same way, as small as steps of one node make it."""
    wanted, tries = kind(failure(program)), 0
    progress = True
    while progress and tries < limit:
        progress = False
        for candidate in smaller(program):
            candidate = _pruned(candidate)
            if len(candidate.text()) >= len(program.text()) and len(candidate.sizes) >= len(program.sizes):
                continue
            if not valid(candidate):
                continue
            tries += 1
            if kind(failure(candidate)) == wanted:
                program, progress = candidate, True
                break
            if tries >= limit:
                break
    return program


def main(count: int, first: int) -> int:
    failures: dict[str, list[int]] = {}
    for seed in range(first, first + count):
        program = grow(seed)
        found = failure(program)
        if found is None:
            continue
        failures.setdefault(kind(found), []).append(seed)
        if len(failures[kind(found)]) > 5:
            continue
        small = shrunk(program)
        print(f"\n# seed {seed}: {failure(small)}")
        print(f"# {small.sizes[1:]}\n{small.text()}", flush=True)
    for what, seeds in sorted(failures.items(), key=lambda item: -len(item[1])):
        print(f"{len(seeds):5} {what}: {seeds[:8]}")
    print(f"{sum(map(len, failures.values()))} failures in {count}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
