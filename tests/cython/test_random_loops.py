"""Random losses and functions through loops: what these give is what NumPy gives, at three sets of dimensions, in one
thread and in three, in blocks of two rows; every other library multiplies matrices by BLAS, however small."""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from random_growth import grow
from random_programs import Program
from random_values import Unknown, direction, draw
from roundings import shake
from together import SHORT, Pair, linked, pair

import gradgen
from gradgen import toolchain
from gradgen.calling import derivatives
from gradgen.errors import SpecError
from tests.rowwise import flat

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the loops are tested with gcc and clang"),
    pytest.mark.skipif(toolchain.missing() is not None, reason="there is no C compiler"),
]
COUNT, LIBRARIES = 200, 4
BLAS = {"SMALL_PRODUCT 8000.0": "SMALL_PRODUCT 0.0"}
KINDS = {False: ("loss", "grad", "value_and_grad", "hvp", "hessian"), True: ("value", "jvp", "vjp", "jacobian")}
BOUND = 1e-12
SHAKES, SURE = 3, 8.0  # tries, and how many times as far off as these a result may be
Outcome = list[np.ndarray] | tuple[type[Exception], str]


@dataclass(frozen=True)
class Point:
    """What the functions of a program are called with."""

    loss: Any
    inputs: dict[str, Any]
    directions: tuple[Any, ...]
    cotangent: Any

    def called(self, module: ModuleType, kind: str, bound: bool) -> Outcome:
        """What a function gives, or the method of what is bound; or its error."""
        more = {"jvp": self.directions, "hvp": self.directions, "vjp": (self.cotangent,)}.get(kind, ())
        try:
            if bound:
                variables = [self.inputs[name] for name in self.loss.wrt]
                return flat(getattr(module.bind(**self._data()), kind)(*variables, *more))
            return flat(getattr(module, kind)(*self._arguments(kind), *more))
        except (ArithmeticError, ValueError) as error:
            return type(error), str(error)

    def _arguments(self, kind: str) -> Iterator[Any]:
        """Functions stand before their derivatives."""
        highest = {"loss": 0, "value": 0, "hvp": 2, "hessian": 2}.get(kind, 1)
        for value in self.inputs.values():
            yield from value.orders[: highest + 1] if isinstance(value, Unknown) else (value,)

    def _data(self) -> dict[str, Any]:
        given = {name: value for name, value in self.inputs.items() if name not in self.loss.wrt}
        return given | {key: self.inputs[name].orders[order] for key, name, order in derivatives(self.loss.tape)}


@dataclass(frozen=True)
class Drawn:
    """A random program with its modules; loops compute some of its functions."""

    program: Program
    loss: Any
    pair: Pair
    plain: ModuleType

    @property
    def calls(self) -> list[tuple[str, bool]]:
        """The functions, and whether as methods of what is bound."""
        kinds = [kind for kind in KINDS[self.program.function] if hasattr(self.plain, kind)]
        return [(kind, bound) for kind in kinds for bound in (False, True)]

    def tried(self, point: Point, call: tuple[str, bool]) -> list[Outcome]:
        """What the NumPy module gives where its operations round otherwise."""
        found = []
        for seed in range(SHAKES):
            module = self.pair.numpy
            shake(module, seed)
            found.append(point.called(module, *call))
        return found

    def points(self) -> Iterator[Point]:
        """A point at each set of dimensions; at the first, values may leave the domains of functions."""
        for world, sizes in enumerate(self.program.sizes):
            inputs = draw(self.program.given, sizes, self.program.seed + world)
            rng, given = np.random.default_rng((world, self.program.seed)), {g.name: g for g in self.program.given}
            directions = tuple(direction(given[name], inputs[name], rng) for name in self.loss.wrt)
            point = Point(self.loss, inputs, directions, 0.0)
            if self.program.function:
                value = point.called(self.plain, "value", False)
                point = replace(point, cotangent=rng.normal(size=np.shape(value[0])))
            yield point


def programs() -> Iterator[Drawn]:
    """Distinct programs of which loops compute something, seed by seed."""
    seen: set[str] = set()
    for seed in itertools.count():
        program = grow(seed)
        text = program.text()
        if text not in seen:
            seen.add(text)
            with contextlib.suppress(SpecError):  # few are refused
                loss = traced(text)
                made = pair(loss, f"m{seed}")
                if made.calls:
                    yield Drawn(program, loss, made, made.numpy)


def traced(text: str) -> Any:
    """The loss of a spec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example_spec.py"
        path.write_text(text, encoding="utf-8")
        [loss] = gradgen.load(path).values()
        _ = loss.tape
    return loss


@cache
def drawn() -> list[Drawn]:
    return list(itertools.islice(programs(), COUNT))


@pytest.mark.parametrize("library", range(LIBRARIES))
def test_random_programs_give_what_numpy_gives(library: int) -> None:
    chosen = drawn()[library::LIBRARIES]
    modules, loops = linked([one.pair for one in chosen], SHORT | (BLAS if library % 2 else {}))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for one, module in zip(chosen, modules, strict=True):
            for point, call in itertools.product(one.points(), one.calls):
                wanted = point.called(one.plain, *call)
                for threads in (1, 3):
                    loops.set_num_threads(threads)
                    found = point.called(module, *call)
                    if not alike(found, wanted) and not alike(found, wanted, one.tried(point, call)):
                        told = f"{call} in {threads} threads is {found}, not {wanted}"
                        pytest.fail(f"{told}\n{point}\n{one.program.text()}")


def test_most_functions_of_random_programs_are_loops() -> None:
    assert sum(len(one.pair.calls) for one in drawn()) > 3 * COUNT


def alike(found: Outcome, wanted: Outcome, tried: Sequence[Outcome] = ()) -> bool:
    """Whether two outcomes are the same error, or arrays that are alike: infinities and NaN in the same places, and
    elsewhere no further apart than the bound of the largest entry, and than some times what was ``tried`` is."""
    if isinstance(found, tuple) or isinstance(wanted, tuple):
        return found == wanted
    others = [[one[k] for one in tried if isinstance(one, list)] for k in range(len(wanted))]
    return len(found) == len(wanted) and all(map(_near, found, wanted, others))


def _near(found: np.ndarray, wanted: np.ndarray, tried: Sequence[np.ndarray]) -> bool:
    if found.shape != wanted.shape:
        return False
    finite = np.isfinite(wanted)
    unsure = max((largest(one[finite] - wanted[finite]) for one in tried), default=0.0)
    same = np.array_equal(found[~finite], wanted[~finite], equal_nan=True)
    return same and largest(found[finite] - wanted[finite]) <= BOUND * largest(wanted[finite]) + SURE * unsure


def largest(array: Sequence[float] | np.ndarray) -> float:
    return float(np.max(np.abs(array), initial=0.0))
