"""Losses that mix words, each against differences of the spec run as NumPy: loss, gradient, Hessian-vector product,
Hessian and `bind`, in both dtypes.

`mixtures.txt` holds losses that were thought of, `mixtures_found.txt` those at which random search found a fault, as
small as they could be made:

    [X: Matrix[n, d], lam: Scalar] X lam
        # what went wrong
        logdet(X.T @ X + lam * eye(d))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from snippets import SIZES, close, loss

FILES = ("mixtures.txt", "mixtures_found.txt")
FORMULAS = """swish = elementwise("swish", lambda t: t / (1 + sympy.exp(-t)))
hub = elementwise("hub", lambda t: sympy.Piecewise((t**2 / 2, sympy.Abs(t) < 1), (sympy.Abs(t) - 0.5, True)))
rat = elementwise("rat", lambda a, b: a**2 * sympy.sin(b) / (1 + b**2))
"""
FUNCTIONS = {
    "f": (np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2)),
    "g": (lambda z: np.sin(z) + z**2, lambda z: np.cos(z) + 2 * z, lambda z: 2 - np.sin(z)),
}
STEP = 1e-5


def even(array: np.ndarray) -> np.ndarray:
    return np.asarray((array + array.T) / 2)


# What the values and directions of a structured argument are like.
STRUCTURED: dict[str, Callable[[np.ndarray], np.ndarray]] = {"Symmetric": even, "SPD": even, "LowerTriangular": np.tril}


class Mixture(NamedTuple):
    signature: str
    wrt: tuple[str, ...]
    entries: bool
    body: str

    def __str__(self) -> str:
        code = [line for line in self.body.splitlines() if not line.strip().startswith("#")]
        return "\n".join(code) + f" by {' '.join(self.wrt)}"


def mixtures() -> Iterator[Mixture]:
    for file in FILES:
        for text in (Path(__file__).parent / file).read_text(encoding="utf-8").split("\n["):
            head, body = text.removeprefix("[").split("\n", 1)
            signature, wrt = head.rsplit("] ", 1)
            names = wrt.removesuffix(" (entries)").split()
            yield Mixture(signature, tuple(names), wrt.endswith("(entries)"), body)


def made(mixture: Mixture) -> Any:
    wrt = mixture.wrt if len(mixture.wrt) > 1 else mixture.wrt[0]
    options = {"symmetric": "entries"} if mixture.entries else {}
    above = FORMULAS if any(f"{name}(" in mixture.body for name in ("swish", "hub", "rat")) else ""
    return loss(mixture.signature, mixture.body, wrt, above, **options)


def draw(argument: Any, rng: np.random.Generator) -> np.ndarray:
    """Square matrices are far from singular ones."""
    shape = [size.value(SIZES) for size in argument.given]
    if argument.kind == "Indices":
        return rng.integers(0, argument.below.value(SIZES), shape)
    drawn = rng.standard_normal(shape)
    if not argument.shape:
        drawn = np.asarray(rng.uniform(0.5, 1.5))
    if drawn.ndim > 1 and drawn.shape[-1] == drawn.shape[-2]:
        drawn = 2.5 * np.eye(drawn.shape[-1]) + 0.5 * drawn
    if argument.kind in STRUCTURED:
        drawn = STRUCTURED[argument.kind](drawn)
    if argument.facts & {"positive", "nonnegative"}:
        drawn = np.abs(drawn) + 0.5
    if "one_hot" in argument.facts:
        drawn = (drawn == drawn.max(axis=-1, keepdims=True)) * 1.0
    return drawn


class Trial:
    """A mixture with its module, arguments and directions."""

    def __init__(self, mixture: Mixture) -> None:
        self.spec = made(mixture)
        self.tape = self.spec.tape
        self.module: Any = self.spec.compile()
        rng = np.random.default_rng(0)
        self.at = {a.name: draw(a, rng) for a in self.tape.arguments if not a.callable}
        self.directions = {name: self._direction(name, rng) for name in self.tape.wrt}

    def _direction(self, name: str, rng: np.random.Generator) -> np.ndarray:
        drawn = rng.standard_normal(self.at[name].shape)
        return STRUCTURED.get(self.kind(name), np.asarray)(drawn)

    def kind(self, name: str) -> str:
        return str(self.tape.argument(name).kind)

    def arguments(self, at: dict[str, Any], order: int) -> list[Any]:
        """In the order of the signature, functions with as many derivatives as the order says."""
        found: list[Any] = []
        for a in self.tape.arguments:
            found += FUNCTIONS[a.name][: order + 1] if a.callable else [at[a.name]]
        return found

    def value(self, at: dict[str, Any]) -> float:
        return float(self.spec(*self.arguments(at, 0)))

    def call(self, name: str, order: int, *more: Any, at: dict[str, Any] | None = None) -> tuple[Any, ...]:
        found = getattr(self.module, name)(*self.arguments(at or self.at, order), *more)
        return found if isinstance(found, tuple) else (found,)

    def slopes(self, name: str) -> np.ndarray:
        """The gradient by differences; both entries of a symmetric pair move together, and none above a triangle."""
        found = np.zeros(self.at[name].shape)
        for index in np.ndindex(found.shape):
            moved = np.zeros(found.shape)
            moved[index] = 1.0
            share = 1.0
            if STRUCTURED.get(self.kind(name)) is even and index[0] != index[1]:
                moved[index[::-1]] = 1.0
                share = 0.5 if self.tape.options["symmetric"] is None else 1.0
            found[index] = share * (self.value(self.moved({name: moved})) - self.value(self.moved({name: -moved})))
        return found / (2 * STEP)

    def moved(self, directions: dict[str, np.ndarray]) -> dict[str, Any]:
        return self.at | {name: self.at[name] + STEP * d for name, d in directions.items()}


@pytest.mark.sweep(5)
@pytest.mark.usefixtures("unformatted")
@pytest.mark.parametrize("mixture", list(mixtures()), ids=str)
def test_a_mixture_of_words(mixture: Mixture) -> None:
    trial = Trial(mixture)
    before = {name: value.copy() for name, value in trial.at.items()}
    assert close(trial.call("loss", 0)[0], trial.value(trial.at), 1e-9)
    gradients, directions = trial.call("grad", 1), list(trial.directions.values())
    scale = 1 + abs(trial.value(trial.at))
    for name, gradient in zip(trial.tape.wrt, gradients, strict=True):
        assert close(gradient / scale, trial.slopes(name) / scale, 1e-6), name
    products = trial.call("hvp", 2, *directions)
    ahead = trial.call("grad", 1, at=trial.moved(trial.directions))
    behind = trial.call("grad", 1, at=trial.moved({name: -d for name, d in trial.directions.items()}))
    for name, product, *sides in zip(trial.tape.wrt, products, ahead, behind, strict=True):
        scale = 1 + max(np.max(np.abs(side), initial=0) for side in sides)
        assert close(product / scale, np.subtract(*sides) / (2 * STEP) / scale, 1e-6), name
    _check_other_forms(trial, gradients, products)
    assert all(np.array_equal(before[name], trial.at[name]) for name in before)
    for found in (*gradients, *products):
        assert not any(np.shares_memory(found, value) for value in trial.at.values() if np.ndim(found))
    _check_float32(trial)


def _check_other_forms(trial: Trial, gradients: tuple[Any, ...], products: tuple[Any, ...]) -> None:
    """value_and_grad, hessian and bind say the same."""
    value, both = trial.module.value_and_grad(*trial.arguments(trial.at, 1))
    assert close(value, trial.call("loss", 0)[0]) and close(both if trial.tape.several else (both,), gradients, 1e-9)
    directions = list(trial.directions.values())
    if hasattr(trial.module, "hessian"):
        [hessian] = trial.call("hessian", 2)
        assert close(hessian @ directions[0] if np.ndim(hessian) else hessian * directions[0], products[0], 1e-9)
    if not any(a.callable for a in trial.tape.arguments):
        bound = trial.module.bind(**{n: v for n, v in trial.at.items() if n not in trial.tape.wrt})
        found = bound.grad(*(trial.at[name] for name in trial.tape.wrt))
        assert close(found if trial.tape.several else (found,), gradients, 1e-9)


def _check_float32(trial: Trial) -> None:
    single = {name: value if value.dtype == int else value.astype(np.float32)[()] for name, value in trial.at.items()}
    directions = [np.asarray(d, dtype=np.float32)[()] for d in trial.directions.values()]
    for found in (*trial.call("grad", 1, at=single), *trial.call("hvp", 2, *directions, at=single)):
        assert not np.ndim(found) or found.dtype == np.float32


def test_mixtures_differ() -> None:
    listed = list(mixtures())
    assert len(set(listed)) == len(listed) > 200
