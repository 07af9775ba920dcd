"""The table of the vocabulary: each word on vectors, matrices and stacks of them, against JAX run on the same spec.

Run as a script, this prints for each word and kind the largest relative error of loss, gradient and Hessian-vector
product, and on how many shapes.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from oracles import MODULES, WORDS

import gradgen
from gradgen import emit
from gradgen.api import Loss
from gradgen.spec import run_with

jax.config.update("jax_enable_x64", True)

TEXT = Path(__file__).with_name("vocabulary.txt")
KINDS = ("vector", "matrix", "batched")
BOUNDS = {"loss": 1e-10, "grad": 1e-10, "hvp": 1e-8}
NEGLIGIBLE = 1e-3  # of the largest entry of all arrays of a kind: an array below it vanishes by cancellation
SHAPES = {
    "a": {"vector": "n", "matrix": "n, d", "batched": "m, n, d"},
    "A": {"vector": "n, n", "matrix": "n, n", "batched": "m, n, n"},
    "C": {"vector": "d, k", "matrix": "d, k", "batched": "m, d, k"},
    "x": dict.fromkeys(KINDS, "n"),
    "v": dict.fromkeys(KINDS, "d"),
    "s": dict.fromkeys(KINDS, ""),
}
SHAPES |= {"b": SHAPES["a"], "B": SHAPES["A"]}
INDICES = {"i": "k, n", "j": "k, d"}
TYPES = ("Scalar", "Vector", "Matrix", "Tensor")
SECOND = "bBv"  # these are drawn from the second domain, the others from the first
HEAD = '''\
import numpy as np
import scipy.special

from gradgen import *
from gradgen import log_softmax, logsumexp, softmax

{dims}


def weights(shape):
    """A number for each place."""
    total = 0.4
    for axis, size in enumerate(shape):
        there = (slice(None),) + (None,) * (len(shape) - 1 - axis)
        total = total + np.cos((axis + 1.7) * arange(size) + axis)[there]
    return total


def seen(value):
    """All entries of a value, each in its own way: so that a derivative in the wrong place shows."""
    return {seen}


def changed(a, b):
    """Augmented assignments."""
    a += b
    a *= b
    a -= 0.5
    return a


@loss(wrt={wrt})
def example({arguments}):
    return {total}
'''
SEEN = {"bent": "np.sum(np.sin(value) * weights(value.shape))", "straight": "np.sum(value * weights(value.shape))"}

# ---- cells


@dataclass(frozen=True)
class Cell:
    """A word on one kind of operands; ``refused`` is what NumPy has not."""

    word: str
    kind: str
    domains: tuple[str, ...]
    spellings: tuple[str, ...]
    refused: bool = False

    def __str__(self) -> str:
        return f"{self.word} {self.kind}"

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names of the arguments that the spellings use."""
        used = {node.id for text in self.spellings for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        return tuple(name for name in (*SHAPES, *INDICES) if name in used)

    @cached_property
    def floats(self) -> tuple[str, ...]:
        return tuple(name for name in self.arguments if name in SHAPES)

    def domain(self, name: str) -> str:
        return self.domains[-1] if name in SECOND else self.domains[0]


def _annotation(name: str, kind: str) -> str:
    if name in INDICES:
        return f"{name}: Indices[{INDICES[name]}]"
    shape = SHAPES[name][kind]
    return f"{name}: {TYPES[len(shape.split(',')) if shape else 0]}{f'[{shape}]' if shape else ''}"


def spec(cell: Cell, seen: str = "bent", literal: Mapping[str, int] | None = None) -> str:
    """The loss of a cell: its spellings, each seen in a way of its own, with some of the dimensions literal."""
    names = [name for name in "mnkd" if name not in (literal or {})]
    lines = [f'{", ".join(names)}, = dims("{" ".join(names)}")'] if names else []
    lines += [f"{name} = {size}" for name, size in (literal or {}).items()]
    arguments = ", ".join(_annotation(name, cell.kind) for name in cell.arguments)
    total = " + ".join(f"{1 + 0.3 * k:.1f} * seen({text})" for k, text in enumerate(cell.spellings))
    return HEAD.format(dims="\n".join(lines), seen=SEEN[seen], wrt=cell.floats, arguments=arguments, total=total)


def cells(text: str | None = None) -> list[Cell]:
    """The cells of the table, word by word."""
    found: list[Cell] = []
    word, domains = "", ()
    for line in (text or TEXT.read_text(encoding="utf-8")).splitlines():
        if line.startswith("    "):
            kind, _, rest = line.strip().partition(" ")
            for each in KINDS if kind == "every" else (kind,):
                _add(found, Cell(word, each, domains, _split(rest.strip().removeprefix("!")), rest.strip()[0] == "!"))
        elif line and not line.startswith("#"):
            word, *rest = line.split()
            domains = tuple(rest)
    return found


def _add(found: list[Cell], cell: Cell) -> None:
    """A cell that is there already gets more spellings."""
    if found and any((c.word, c.kind) == (cell.word, cell.kind) for c in found):
        old = next(c for c in found if (c.word, c.kind) == (cell.word, cell.kind))
        found[found.index(old)] = Cell(
            cell.word, cell.kind, cell.domains, old.spellings + cell.spellings, old.refused or cell.refused
        )
    else:
        found.append(cell)


def _split(text: str) -> tuple[str, ...]:
    """The expressions of a list."""
    whole = f"({text.strip()},)"
    [statement] = ast.parse(whole).body
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Tuple)
    return tuple(ast.get_source_segment(whole, element) or "" for element in statement.value.elts)


# ---- inputs

DOMAINS: dict[str, Callable[[Any], Any]] = {
    "real": lambda z: z,
    "positive": lambda z: 0.3 + np.exp(z / 2),
    "unit": lambda z: 0.5 + 0.45 * np.tanh(z),
    "inside": lambda z: 0.9 * np.tanh(z),
    "above1": lambda z: 1.2 + np.exp(z / 2),
    "above-1": lambda z: np.exp(z / 2) - 0.8,
    "away": lambda z: np.where(z < 0, -0.3, 0.3) + z,
}
SIZES = (
    {"m": 2, "n": 4, "d": 3, "k": 2},
    {"m": 1, "n": 2, "d": 1, "k": 3},
    {"m": 3, "n": 1, "d": 2, "k": 1},
)


def draw(cell: Cell, sizes: Mapping[str, int], rng: np.random.Generator) -> dict[str, Any]:
    """Random inputs in the domains of the word; no two entries are near each other where it compares them."""
    shapes = {name: _numbers(SHAPES[name][cell.kind], sizes) for name in cell.floats}
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    apart = iter(rng.permutation(np.arange(count) - count // 2) * min(0.1, 8 / max(count, 1)) + 0.025)
    inputs: dict[str, Any] = {}
    for name, shape in shapes.items():
        domain, z = cell.domain(name), rng.normal(size=shape)
        if domain == "apart":
            z = np.array([next(apart) for _ in range(z.size)]).reshape(shape)
        elif domain == "regular" and name in "AB":
            z = 0.4 * z + 1.5 * np.eye(shape[-1])
        else:
            z = DOMAINS.get(domain, DOMAINS["real"])(z)
        inputs[name] = z if shape else float(z)
    for name in set(cell.arguments) - set(shapes):
        length, below = (sizes[size] for size in INDICES[name].split(", "))
        inputs[name] = rng.integers(below, size=length)
    return {name: inputs[name] for name in cell.arguments}


def _numbers(shape: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[size] for size in shape.split(", ")) if shape else ()


# ---- both sides

Results = dict[str, list[Any]]


def loaded(text: str) -> Loss:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example_spec.py"
        path.write_text(text, encoding="utf-8")
        (made,) = gradgen.load(path).values()
        made.tape  # noqa: B018  (traced while the file is there)
        return made


def by_jax(made: Loss, inputs: Mapping[str, Any], directions: Sequence[Any]) -> Results:
    replaced = {**WORDS, made.function.__globals__["weights"]: weights}

    def value(*variables: Any) -> Any:
        given = {**inputs, **dict(zip(made.wrt, variables, strict=True))}
        return run_with(made, given, MODULES, replaced)

    both = jax.value_and_grad(value, argnums=tuple(range(len(made.wrt))))

    def everything(x: Any, dx: Any) -> Any:
        (found, grad), (_, hvp) = jax.jvp(both, x, dx)
        return [found], list(grad), list(hvp)

    primals = tuple(jnp.asarray(inputs[name]) for name in made.wrt)
    results = jax.device_get(jax.jit(everything)(primals, tuple(map(jnp.asarray, directions))))
    return dict(zip(BOUNDS, results, strict=True))


def weights(shape: Sequence[int]) -> Any:
    """The weights of a spec as numbers."""
    terms = [np.cos((axis + 1.7) * np.arange(size) + axis) for axis, size in enumerate(shape)]
    return 0.4 + sum(np.meshgrid(*terms, indexing="ij")) if terms else 0.4


def by_module(module: ModuleType, inputs: Mapping[str, Any], directions: Sequence[Any]) -> Results:
    values = inputs.values()
    return {
        "loss": [module.loss(*values)],
        "grad": list(module.grad(*values)),
        "hvp": list(module.hvp(*values, *directions)),
    }


def errors(ours: Results, theirs: Results) -> dict[str, float]:
    """The largest relative error of each kind of result."""
    return {kind: max(_relative(ours[kind], theirs[kind])) for kind in BOUNDS}


def _relative(ours: Sequence[Any], theirs: Sequence[Any]) -> Iterator[float]:
    least = NEGLIGIBLE * max([1.0, *map(_largest, theirs)])
    for a, b in zip(ours, theirs, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.all(np.isfinite(b)), "JAX gives no number here"
        yield _largest(np.subtract(a, b)) / max(_largest(b), least) if np.all(np.isfinite(a)) else np.inf


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0))


# ---- checks


@dataclass(frozen=True)
class Variant:
    """How a cell is written and at which sizes it is run; dimensions that are ``literal`` are numbers in the spec."""

    seen: str
    sizes: tuple[Mapping[str, int], ...]
    literal: Mapping[str, int]


def variants(cell: Cell) -> list[Variant]:
    one = {"d": 1} if cell.kind == "matrix" else {"n": 1}
    sizes = SIZES[::2] if cell.kind == "vector" else SIZES
    return [Variant("bent", sizes, {}), Variant("straight", ({**SIZES[0], **one},), one)]


def measured(cell: Cell) -> Iterator[tuple[str, dict[str, float]]]:
    """The errors of a cell at each shape, which is named."""
    for variant in variants(cell):
        made = loaded(spec(cell, variant.seen, variant.literal))
        with patch.object(emit, "formatted", str):  # the layout is nothing to wait for
            module = made.compile()
        for sizes in variant.sizes:
            rng = np.random.default_rng(len(cell.word) + sum(sizes.values()))
            inputs = draw(cell, sizes, rng)
            directions = [rng.normal(size=np.shape(inputs[name])) for name in made.wrt]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                ours = by_module(module, inputs, directions)
            found = errors(ours, by_jax(made, inputs, directions))
            yield f"{variant.seen} at {sizes}, literal {dict(variant.literal)}", found


def worst(cell: Cell) -> tuple[dict[str, float], int]:
    """The largest errors of a cell, and on how many shapes."""
    found = [errors for _, errors in measured(cell)]
    return {kind: max(each[kind] for each in found) for kind in BOUNDS}, len(found)


def refusals(cell: Cell) -> list[str]:
    """What is wrong with a cell that must be refused: what NumPy or gradgen takes all the same."""
    found = []
    inputs = {**draw(cell, SIZES[0], np.random.default_rng(0)), **SIZES[0]}
    for text in cell.spellings:
        try:
            eval(text, {"np": np, "logdet": gradgen.logdet, **inputs})
            found.append(f"NumPy takes {text}")
        except (ValueError, np.linalg.LinAlgError):
            pass
        try:
            loaded(spec(Cell(cell.word, cell.kind, cell.domains, (text,))))
            found.append(f"gradgen takes {text}")
        except gradgen.SpecError:
            pass
    return found


# ---- the table


def entry(cell: Cell) -> tuple[str, bool]:
    """What the table says of a cell, and whether all is well."""
    if cell.refused:
        found = refusals(cell)
        return (found[0], False) if found else ("-", True)
    try:
        found, shapes = worst(cell)
    except Exception as error:
        return re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:60], False
    text = " ".join(f"{found[kind]:.0e}" for kind in BOUNDS)
    return f"{text} ({shapes})", all(found[kind] <= bound for kind, bound in BOUNDS.items())


def main(words: Sequence[str]) -> int:
    chosen = [cell for cell in cells() if not words or cell.word in words]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        results = dict(zip(map(str, chosen), pool.map(entry, chosen, chunksize=3), strict=True))
    print(
        "Largest relative error of loss, gradient and hvp against JAX (and on how many shapes); - where NumPy has none"
    )
    print(f"{'':16}" + "".join(f"{kind:28}" for kind in KINDS))
    for word in dict.fromkeys(cell.word for cell in chosen):
        row = [results.get(f"{word} {kind}", ("", True)) for kind in KINDS]
        print(f"{word:16}" + "".join(f"{text + ('' if good else ' !'):28}" for text, good in row).rstrip())
    bad = sum(not good for _, good in results.values())
    print(f"{len(results)} cells, {bad} of them wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
