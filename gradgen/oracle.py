"""Reference values: the recorded calls in 50-digit arithmetic, and derivatives as differences of what they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from gradgen.fields import DIGITS, FLOAT, Array, exact
from gradgen.kinks import Switch, floor, matrices, order
from gradgen.replay import Inputs, Replay
from gradgen.tape import Argument, Call, Tape

STEP = "1e-13"
NEGLIGIBLE = 1e-18
LOST = 1e-22  # of the value, in its second differences
VANISHING = 1e-40
Index = tuple[int, ...]
Unit = tuple[Index, ...]
"""The entries that move together: one, or the two of a symmetric matrix that are the same."""
SYMMETRIC = ("Symmetric", "SPD")


def evaluate(tape: Tape, inputs: Inputs, digits: int = DIGITS) -> Any:
    """The loss as an ``mpf`` of so many digits."""
    return Replay(tape, inputs, exact(digits)).result({})


def is_symmetric(argument: Argument) -> bool:
    return argument.kind in SYMMETRIC


def is_triangular(argument: Argument) -> bool:
    return argument.kind == "LowerTriangular"


def units(argument: Argument, shape: tuple[int, ...]) -> Iterator[Unit]:
    """The independent entries: all, or the lower half of a symmetric or triangular matrix, row by row."""
    symmetric, halved = is_symmetric(argument), is_symmetric(argument) or is_triangular(argument)
    for index in np.ndindex(shape):
        if not halved or index[0] >= index[1]:
            yield (index, index[::-1]) if symmetric and index[0] != index[1] else (index,)


@dataclass(frozen=True)
class Reference:
    """The loss, its gradient and its Hessian times the directions, each rounded once, in the order of ``wrt``."""

    loss: float
    grad: tuple[Array, ...]
    hvp: tuple[Array, ...]

    @property
    def arrays(self) -> tuple[Array, ...]:
        return np.asarray(self.loss), *self.grad, *self.hvp

    @property
    def slopes(self) -> tuple[Array, ...]:
        """The derivatives that tell nothing where they are 0."""
        return self.grad


@dataclass(frozen=True)
class Linearised:
    """The value of a function, its derivative along the directions, and its transpose times the cotangent."""

    value: Array
    jvp: Array
    vjp: tuple[Array, ...]

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.value, self.jvp, *self.vjp

    @property
    def slopes(self) -> tuple[Array, ...]:
        return self.vjp


class Differences:
    """Central differences of the result along x + a e_i + b v, all with one step; good to 20 digits and more."""

    def __init__(self, tape: Tape, inputs: Inputs, directions: Mapping[str, Array], digits: int) -> None:
        self.tape = tape
        self.replay = Replay(tape, inputs, exact(digits))
        self.number = self.replay.setting.field.lift
        self.step = self.number(STEP)
        self.start = {name: self.replay.setting.inputs[name] for name in tape.wrt}
        self.shift = {name: self.step * self.number(np.asarray(directions[name], dtype=float)) for name in tape.wrt}
        self.centre = self.replay.result({})
        self.sides = self.moved(1), self.moved(-1)
        self.along = self.sides[0] + self.sides[1]

    def moved(self, side: int, name: str = "", unit: Unit = ()) -> Any:
        """The result at x + side (h v + h e_i), or at x + side h v where no coordinate is named."""
        moved = {key: np.array(x + side * self.shift[key], dtype=object) for key, x in self.start.items()}
        for index in unit:
            moved[name][index] += side * self.step
        return self.replay.result(moved)

    def beside(self, side: int, name: str, unit: Unit) -> Any:
        """The result at x + side h e_i."""
        x = self.start[name].copy()
        for index in unit:
            x[index] += side * self.step
        return self.replay.result({name: x})

    def first(self, name: str, unit: Unit) -> Any:
        """The derivative by one coordinate."""
        return (self.beside(1, name, unit) - self.beside(-1, name, unit)) / (2 * self.step)

    def directional(self) -> Any:
        """The derivative along the directions."""
        return (self.sides[0] - self.sides[1]) / (2 * self.step)

    def exactly(self, name: str, unit: Unit) -> tuple[Any, Any]:
        """The derivative by one coordinate, and that of the directional derivative: two corners and four neighbours."""
        up, down = self.beside(1, name, unit), self.beside(-1, name, unit)
        corners = self.moved(1, name, unit) + self.moved(-1, name, unit)
        first = (up - down) / (2 * self.step)
        mixed = (corners - up - down - self.along + 2 * self.centre) / (2 * self.step**2)
        return first, mixed

    def pairs(self, name: str) -> tuple[Array, Array]:
        """First and mixed derivatives by every coordinate of an argument."""
        found = {unit: self.exactly(name, unit) for unit in self.units(name)}
        first, mixed = ({unit: pair[k] for unit, pair in found.items()} for k in (0, 1))
        return self.gradient(name, first), self.gradient(name, mixed)

    def pulled(self, name: str, cotangent: Array) -> Array:
        """The derivatives of <cotangent, value> by every coordinate of an argument."""
        weights = self.number(np.asarray(cotangent, dtype=float))
        return self.gradient(name, {u: np.sum(weights * self.first(name, u)) for u in self.units(name)})

    @cached_property
    def error(self) -> float:
        """What second differences tell nothing below."""
        return max(NEGLIGIBLE, LOST * float(max(map(abs, np.ravel(self.centre)), default=0)))

    def units(self, name: str) -> Iterator[Unit]:
        return units(self.tape.argument(name), self.start[name].shape)

    def gradient(self, name: str, derivatives: Mapping[Unit, Any]) -> Array:
        """The derivatives by independent entries as an array: two entries that are the same share theirs, unless
        ``symmetric="entries"`` asks for the whole in each."""
        shared = self.tape.options.get("symmetric") != "entries"
        found = np.zeros(self.start[name].shape)
        for unit, derivative in derivatives.items():
            for index in unit:
                found[index] = rounded(derivative / len(unit) if shared else derivative, self.error)
        return found


def rounded(x: Any, negligible: float) -> float:
    """The nearest float; 0 for what is below the error of the differences."""
    return 0.0 if abs(x) < negligible else float(x)


def reference(tape: Tape, inputs: Inputs, directions: Mapping[str, Array], digits: int = DIGITS) -> Reference:
    """Loss, gradient and Hessian-vector product at literal inputs."""
    differences = Differences(tape, inputs, directions, digits)
    grad, hvp = zip(*(differences.pairs(name) for name in tape.wrt), strict=True)
    return Reference(rounded(differences.centre, VANISHING), grad, hvp)


def linearised(
    tape: Tape, inputs: Inputs, directions: Mapping[str, Array], cotangent: Array, digits: int = DIGITS
) -> Linearised:
    """Value, derivative along the directions and transposed derivative of a function at literal inputs."""
    differences = Differences(tape, inputs, directions, digits)
    value = [rounded(x, VANISHING) for x in np.ravel(differences.centre)]
    jvp = [rounded(x, differences.error) for x in np.ravel(differences.directional())]
    vjp = tuple(differences.pulled(name, cotangent) for name in tape.wrt)
    shape = np.shape(cotangent)
    return Linearised(np.reshape(value, shape), np.reshape(jvp, shape), vjp)


@dataclass(frozen=True)
class Survey:
    """A look at the inputs in float64: the largest entry of the result, the first call that is not finite, the nearest
    kink, how many switches go both ways, the worst condition of a matrix that has to be regular, and of one whose
    determinant is taken."""

    size: float
    culprit: Call | None
    distance: float
    mixed: int
    condition: float
    flatness: float


def survey(tape: Tape, inputs: Inputs) -> Survey:
    found = order(tape)
    values = Replay(tape, inputs, FLOAT).values({}, found.gaps)
    gaps = [gap(switch, values) for switch in found.switches]
    mixed = sum(bool(np.any(g > 0) and np.any(g < 0)) for g in gaps)
    culprit = next((call for call, x in values.items() if not np.all(np.isfinite(x))), None)
    condition, flatness = (
        max((worst_condition(values[call]) for call in matrices(calls)), default=1.0)
        for calls in (found.inverted, found.determinants)
    )
    size = float(np.max(np.abs(np.asarray(values[tape.result], dtype=float)), initial=0))
    return Survey(size, culprit, nearest(gaps), mixed, condition, flatness)


def worst_condition(matrices: Array) -> float:
    """The largest condition number of a stack of matrices; infinite where an entry is not finite."""
    if not np.all(np.isfinite(matrices)):
        return inf
    return float(np.max(np.linalg.cond(np.asarray(matrices, dtype=float)), initial=1.0)) if matrices.size else 1.0


def gap(switch: Switch, values: Mapping[Call, Array]) -> Array:
    """How far each entry is from switching, signed; from the best of its axis where that is what switches. What is
    exactly 0 above a floor stays there, as 0."""
    first, *rest = (np.asarray(values[call], dtype=float) for call in switch.operands)
    if switch.best:
        rest = [getattr(np, switch.best)(first, axis=switch.axis, keepdims=True)]
    between = np.asarray(first - rest[0] if rest else first)
    low = floor(switch)
    return between if low is None else np.where(np.asarray(values[low]) == 0, 0.0, between)


def nearest(gaps: Sequence[Array]) -> float:
    """The smallest gap that is not 0: an exact 0, such as the diagonal of X - X.T, stays one."""
    return min((float(np.min(np.abs(g), where=g != 0, initial=inf)) for g in gaps), default=inf)


def settles(tape: Tape, inputs: Inputs, directions: Mapping[str, Array]) -> bool:
    """Whether differences of the result along the directions converge from steps of .01: two extrapolations agree."""
    replay = Replay(tape, inputs, FLOAT)

    def result(t: float) -> Array:
        moved = {name: replay.setting.inputs[name] + t * directions[name] for name in tape.wrt}
        return np.asarray(replay.result(moved), dtype=float)

    sides = [(h, result(h), result(-h)) for h in (0.01, 0.005, 0.0025)]
    coarse, fine = ((4 * b - a) / 3 for a, b in pairwise((up - down) / (2 * h) for h, up, down in sides))
    centre, (h, up, down) = result(0), sides[0]
    scale = max(largest(x) for x in (centre, fine, (up + down - 2 * centre) / h**2))
    return largest(fine - coarse) <= 1e-6 * scale


def largest(x: Array) -> float:
    return float(np.max(np.abs(x), initial=0))
