"""Reference values: the recorded loss in 50-digit arithmetic, and its derivatives as differences of that loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from gradgen.fields import DIGITS, FLOAT, Array, exact
from gradgen.kinks import Switch, switches
from gradgen.replay import Replay
from gradgen.tape import Call, Tape

STEP = "1e-13"
NEGLIGIBLE = 1e-18


def evaluate(tape: Tape, inputs: Mapping[str, Array], digits: int = DIGITS) -> Any:
    """The loss as an ``mpf`` of so many digits."""
    return Replay(tape, inputs, exact(digits)).loss({})


@dataclass(frozen=True)
class Reference:
    """The loss, its gradient and its Hessian times the directions, each rounded once, in the order of ``wrt``."""

    loss: float
    grad: tuple[Array, ...]
    hvp: tuple[Array, ...]

    @property
    def finite(self) -> bool:
        return all(bool(np.isfinite(x).all()) for x in (np.asarray(self.loss), *self.grad, *self.hvp))


class Differences:
    """Central differences of the loss along x + a e_i + b v, all with one step; good to 20 digits and more."""

    def __init__(self, tape: Tape, inputs: Mapping[str, Array], directions: Mapping[str, Array], digits: int) -> None:
        self.replay = Replay(tape, inputs, exact(digits))
        number = self.replay.setting.field.lift
        self.step = number(STEP)
        self.start = {name: self.replay.setting.inputs[name] for name in tape.wrt}
        self.shift = {name: self.step * number(np.asarray(directions[name], dtype=float)) for name in tape.wrt}
        self.centre = self.replay.loss({})
        self.along = self.loss(1) + self.loss(-1)

    def loss(self, side: int, name: str = "", index: tuple[int, ...] = ()) -> Any:
        """The loss at x + side (h v + h e_i), or at x + side h v where no coordinate is named."""
        moved = {key: np.array(x + side * self.shift[key], dtype=object) for key, x in self.start.items()}
        if name:
            moved[name][index] += side * self.step
        return self.replay.loss(moved)

    def beside(self, side: int, name: str, index: tuple[int, ...]) -> Any:
        """The loss at x + side h e_i."""
        x = self.start[name].copy()
        x[index] += side * self.step
        return self.replay.loss({name: x})

    def exactly(self, name: str, index: tuple[int, ...]) -> tuple[Any, Any]:
        """The derivative by one coordinate, and that of the directional derivative: two corners and four neighbours."""
        up, down = self.beside(1, name, index), self.beside(-1, name, index)
        corners = self.loss(1, name, index) + self.loss(-1, name, index)
        first = (up - down) / (2 * self.step)
        mixed = (corners - up - down - self.along + 2 * self.centre) / (2 * self.step**2)
        return first, mixed

    def arrays(self, name: str) -> Array:
        """First and mixed derivatives by every coordinate of an argument, stacked."""
        shape = self.start[name].shape
        pairs = [tuple(map(rounded, self.exactly(name, index))) for index in np.ndindex(shape)]
        return np.array(pairs, dtype=float).T.reshape(2, *shape)


def rounded(x: Any) -> float:
    """The nearest float; 0 for what is below the error of the differences."""
    return 0.0 if abs(x) < NEGLIGIBLE else float(x)


def reference(
    tape: Tape, inputs: Mapping[str, Array], directions: Mapping[str, Array], digits: int = DIGITS
) -> Reference:
    """Loss, gradient and Hessian-vector product at literal inputs."""
    differences = Differences(tape, inputs, directions, digits)
    pairs = [differences.arrays(name) for name in tape.wrt]
    grad, hvp = (tuple(np.asarray(pair[order]) for pair in pairs) for order in (0, 1))
    return Reference(float(differences.centre), grad, hvp)


@dataclass(frozen=True)
class Survey:
    """The loss in float64, the first call that is not finite, the nearest kink, and how many switches go both ways."""

    loss: float
    culprit: Call | None
    distance: float
    mixed: int


def survey(tape: Tape, inputs: Mapping[str, Array]) -> Survey:
    values = Replay(tape, inputs, FLOAT).values({})
    gaps = [gap(switch, values) for switch in switches(tape)]
    mixed = sum(bool(np.any(g > 0) and np.any(g < 0)) for g in gaps)
    culprit = next((call for call, x in values.items() if not np.all(np.isfinite(x))), None)
    return Survey(float(values[tape.result][()]), culprit, nearest(gaps), mixed)


def gap(switch: Switch, values: Mapping[Call, Array]) -> Array:
    """How far each entry is from switching, signed; from the best of its axis where that is what switches."""
    first, *rest = (np.asarray(values[call], dtype=float) for call in switch.operands)
    if switch.best:
        rest = [getattr(np, switch.best)(first, axis=switch.axis, keepdims=True)]
    return np.asarray(first - rest[0] if rest else first)


def nearest(gaps: Sequence[Array]) -> float:
    """The smallest gap that is not 0: an exact 0, such as the diagonal of X - X.T, stays one."""
    return min((float(np.min(np.abs(g), where=g != 0, initial=inf)) for g in gaps), default=inf)


def settles(tape: Tape, inputs: Mapping[str, Array], directions: Mapping[str, Array]) -> bool:
    """Whether differences of the loss along the directions converge from steps of .01: two extrapolations agree."""
    replay = Replay(tape, inputs, FLOAT)

    def loss(t: float) -> float:
        return float(replay.loss({name: replay.setting.inputs[name] + t * directions[name] for name in tape.wrt}))

    slopes = [(loss(h) - loss(-h)) / (2 * h) for h in (0.01, 0.005, 0.0025)]
    coarse, fine = ((4 * b - a) / 3 for a, b in pairwise(slopes))
    return abs(fine - coarse) <= 1e-6 * max(abs(fine), abs(loss(0)))
