"""Inputs in the domain of a loss: tiny sizes, a recipe for each argument, and literal draws far from every kink."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

import numpy as np

from gradgen.dims import ONE, Size
from gradgen.errors import Place
from gradgen.fields import Array
from gradgen.kinks import needed, switches
from gradgen.oracle import Reference, reference, settles, survey
from gradgen.tape import Argument, Tape

UNKNOWNS = 30
LARGEST = 5
PROBES = 8
DRAWS = 30
KEPT = 4
TRIES = 2000
CHOICES = 250
EFFORT = 5_000
SANE = 1e9
FAR = 1e-3


@dataclass(frozen=True)
class Recipe:
    """A way to draw an array; ``text`` is NumPy in ``rng`` and ``shape``, which the emitted test prints."""

    name: str
    text: str
    decimals: int = 3

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """An array of short decimals."""
        array = eval(self.text, {"np": np, "rng": rng, "shape": shape})
        return np.asarray(np.round(array, self.decimals) + 0.0)


NORMAL = Recipe("normal", "rng.standard_normal(shape)")
POSITIVE = Recipe("positive", "rng.uniform(0.5, 2.0, shape)")
FRACTION = Recipe("fraction", "rng.uniform(0.2, 0.8, shape)")
SMALL = Recipe("small", "rng.uniform(-0.2, 0.2, shape)")
ABOVE_ONE = Recipe("above_one", "rng.uniform(1.2, 3.0, shape)")
NEGATIVE = Recipe("negative", "rng.uniform(-2.0, -0.5, shape)")
COUNT = Recipe("count", "rng.integers(1, 7, shape).astype(float)")
INTEGER = Recipe("integer", "rng.integers(-3, 4, shape).astype(float)")
SIGN = Recipe("sign", "rng.choice([-1.0, 1.0], shape)")
BOOLEAN = Recipe("boolean", "rng.integers(0, 2, shape).astype(float)")
ONE_HOT = Recipe("one_hot", "np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]")
SIMPLEX = Recipe(
    "simplex", "(1 + rng.multinomial(64 - shape[-1], np.full(shape[-1], 1 / shape[-1]), shape[:-1])) / 64", 6
)

FREE = (NORMAL, POSITIVE, FRACTION, SMALL, ABOVE_ONE, NEGATIVE, COUNT)
DECLARED: tuple[tuple[frozenset[str], tuple[Recipe, ...]], ...] = (
    (frozenset(("one_hot",)), (ONE_HOT,)),
    (frozenset(("simplex",)), (SIMPLEX,)),
    (frozenset(("sign",)), (SIGN,)),
    (frozenset(("boolean",)), (BOOLEAN,)),
    (frozenset(("integer", "positive")), (COUNT,)),
    (frozenset(("integer", "nonnegative")), (COUNT,)),
    (frozenset(("integer",)), (INTEGER, COUNT)),
    (frozenset(("unit_interval",)), (FRACTION,)),
    (frozenset(("positive",)), (POSITIVE, FRACTION, ABOVE_ONE)),
    (frozenset(("nonnegative",)), (POSITIVE, FRACTION, ABOVE_ONE)),
)


def candidates(tape: Tape, argument: Argument) -> tuple[Recipe, ...]:
    """What may be drawn for an argument, best first: declared facts decide; a number of the data is rather positive."""
    for facts, recipes in DECLARED:
        if facts <= argument.facts:
            return recipes
    if argument.shape or argument.name in tape.wrt:
        return FREE
    return (POSITIVE, *(recipe for recipe in FREE if recipe is not POSITIVE))


def ways(limits: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All tuples with 0 <= entry < limit, the smallest sums first."""
    for total in range(sum(limits) - len(limits) + 1):
        yield from _ways(limits, total)


def _ways(limits: Sequence[int], total: int) -> Iterator[tuple[int, ...]]:
    if not limits:
        yield from [()] if total == 0 else []
        return
    for last in range(min(total, limits[-1] - 1) + 1):
        yield from ((*rest, last) for rest in _ways(limits[:-1], total - last))


Sizes = Mapping[str, int]


def symbols(tape: Tape) -> tuple[str, ...]:
    """The names of the dimensions, in their order."""
    found = {dim for argument in tape.arguments for size in argument.shape for dim in size.symbols}
    return tuple(dim.name for dim in sorted(found))


def unknowns(tape: Tape) -> Size:
    """How many entries ``wrt`` has."""
    return sum((_entries(tape.argument(name).shape) for name in tape.wrt), Size.of(0))


def few_unknowns(tape: Tape) -> int:
    """How many unknowns a quick test may have; more only where the loss itself has more."""
    return max(UNKNOWNS, 2 * unknowns(tape).value(dict.fromkeys(symbols(tape), 1)))


def _entries(shape: Iterable[Size]) -> Size:
    total = Size.of(1)
    for size in shape:
        total = total * size
    return total


NONEMPTY = frozenset(("mean", "max", "min", "logsumexp", "softmax", "log_softmax"))


def presupposed(tape: Tape) -> tuple[tuple[Size, Size], ...]:
    """What has to hold, as pairs left <= right: the recorded constraints, and that no mean or maximum is of nothing."""
    recorded = [(c.left, c.right) for c in tape.constraints]
    nonempty = [(ONE, size) for call in tape.calls() if call.op in NONEMPTY for size in call.args[0].shape]
    return tuple(pair for pair in dict.fromkeys(recorded + nonempty) if not certain(*pair))


def certain(left: Size, right: Size) -> bool:
    """Whether left <= right at all dimensions of at least 1, as far as signs show it."""
    slack = right - left
    growing = all(coefficient > 0 for monomial, coefficient in slack.terms if monomial)
    return growing and slack.value({dim.name: 1 for dim in slack.symbols}) >= 0


def allowed(tape: Tape, sizes: Sizes) -> bool:
    """Whether what the loss presupposes holds."""
    return all(left.value(sizes) <= right.value(sizes) for left, right in presupposed(tape))


def tiny_sizes(tape: Tape, least: int = 1) -> tuple[Sizes, ...]:
    """Distinct dimensions such as n=4, d=3, k=2, so that no two axes can be mistaken; and the least ones, of 1."""
    names = symbols(tape)
    top = max(affordable(tape, 4), len(names) + 1)
    found = (_first(tape, names, _distinct(len(names), top)), _first(tape, names, _small(len(names), least)))
    return tuple(dict(t) for t in dict.fromkeys(tuple(sizes.items()) for sizes in found if sizes is not None))


def _small(number: int, least: int = 1) -> Iterator[tuple[int, ...]]:
    """Every choice of small numbers, the smallest first; at last large equal ones."""
    yield from (tuple(least + extra for extra in way) for way in islice(ways((6,) * number), TRIES))
    yield from ((size,) * number for size in range(7, 200))


def _distinct(number: int, top: int) -> Iterator[tuple[int, ...]]:
    yield from islice(permutations(range(top, 1, -1), number), TRIES)
    yield from islice(permutations(range(number + 4, 1, -1), number), TRIES)
    yield from _small(number, least=2)
    yield from _small(number)


def _first(tape: Tape, names: tuple[str, ...], tries: Iterable[tuple[int, ...]]) -> Sizes | None:
    """The first sizes that are allowed and leave few unknowns."""
    entries, few = unknowns(tape), few_unknowns(tape)
    options = (dict(zip(names, numbers, strict=True)) for numbers in tries)
    return next((s for s in options if entries.value(s) <= few and allowed(tape, s)), None)


Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Case:
    """Literal inputs and directions at one size, with their reference values."""

    sizes: Sizes
    inputs: Arrays
    directions: Arrays
    reference: Reference


@dataclass(frozen=True)
class Warned:
    """At no input that was tried are loss and derivatives finite and of sane size; ``operation`` is where they fail."""

    operation: str
    place: Place | None

    def __str__(self) -> str:
        return f"no inputs were found at which the loss and its derivatives are finite numbers: {self.operation} fails"


@dataclass(frozen=True)
class Recipes:
    """The recipe of each argument and literal cases by it; no case, and a warning, where none works.

    ``least`` is the smallest dimension at which the loss was found finite.
    """

    choice: Mapping[str, Recipe]
    cases: tuple[Case, ...]
    warning: Warned | None = None
    least: int = 1


Pick = Mapping[str, Recipe]


def choose(tape: Tape) -> Recipes:
    """The first recipes that work at tiny sizes with dimensions of 1, else at sizes from 2 on; else a warning."""
    first = tiny_sizes(tape)
    return searched(tape, first) or searched(tape, tiny_sizes(tape, least=2), least=2) or failure(tape, first)


def searched(tape: Tape, sizes: Sequence[Sizes], least: int = 1) -> Recipes | None:
    """The first recipes with a finite loss in every probe, else in any, and with a literal case at each tiny size."""
    fallbacks = []
    for pick in islice(picks(tape), affordable(tape, CHOICES, least=10)):
        probes = range(affordable(tape, PROBES, least=2))
        hits = [probe(tape, pick, sizes[k % len(sizes)], k) for k in probes] if sizes else []
        cases = literal_cases(tape, pick, sizes) if hits and all(hits) else None
        if cases:
            return Recipes(pick, cases, least=least)
        if any(hits):
            fallbacks.append(pick)
    found = ((pick, literal_cases(tape, pick, sizes)) for pick in fallbacks)
    return next((Recipes(pick, cases, least=least) for pick, cases in found if cases), None)


def affordable(tape: Tape, number: int, least: int = 1) -> int:
    """How often something is tried: less often for a tape of thousands of calls, so that the cost stays linear."""
    return max(least, min(number, EFFORT // len(needed((tape.result,)))))


def picks(tape: Tape) -> Iterator[Pick]:
    """Recipes for all arguments, the least far down their lists first."""
    lists = [candidates(tape, argument) for argument in tape.arguments]
    for way in ways([len(some) for some in lists]):
        yield {a.name: some[k] for a, some, k in zip(tape.arguments, lists, way, strict=True)}


def draw(tape: Tape, pick: Pick, sizes: Sizes, seed: int) -> tuple[Arrays, Arrays]:
    """Inputs by the recipes, and directions for ``wrt``."""
    rng = np.random.default_rng(seed)
    shapes = {a.name: tuple(size.value(sizes) for size in a.shape) for a in tape.arguments}
    inputs = {name: pick[name].draw(rng, shape) for name, shape in shapes.items()}
    return inputs, {name: np.round(rng.uniform(-1, 1, shapes[name]), 2) + 0.0 for name in tape.wrt}


def probe(tape: Tape, pick: Pick, sizes: Sizes, seed: int) -> bool:
    """Whether the loss is finite and of sane size at a draw."""
    return abs(survey(tape, draw(tape, pick, sizes, seed)[0]).loss) < SANE


def literal_cases(tape: Tape, pick: Pick, sizes: Sequence[Sizes]) -> tuple[Case, ...]:
    """A case at each size; none at all where one is missing."""
    cases = [literal_case(tape, pick, some) for some in sizes]
    return tuple(case for case in cases if case) if all(cases) else ()


def literal_case(tape: Tape, pick: Pick, sizes: Sizes) -> Case | None:
    """Of a few usable draws the first whose gradients are not 0, those first that use both sides of most switches."""
    finite = []
    for inputs, directions in islice(usable_draws(tape, pick, sizes), affordable(tape, KEPT)):
        case = Case(sizes, inputs, directions, reference(tape, inputs, directions))
        if case.reference.finite and sane(case.reference):
            finite.append(case)
            if all(np.any(g) for g in case.reference.grad):
                return case
    return finite[0] if finite else None


def usable_draws(tape: Tape, pick: Pick, sizes: Sizes) -> Iterator[tuple[Arrays, Arrays]]:
    """Draws that are good for differences: for a smooth loss as they come, else those first that meet most switches."""
    drawn = (draw(tape, pick, sizes, seed) for seed in range(DRAWS))
    if not switches(tape):
        yield from (pair for pair in drawn if settled(tape, *pair))
        return
    scored = [(mixed(tape, pair[0], seed), pair) for seed, pair in enumerate(drawn)]
    yield from (pair for score, pair in sorted(scored, key=lambda entry: -entry[0]) if score >= 0)


def sane(values: Reference) -> bool:
    return all(np.max(np.abs(x), initial=0) < SANE for x in (np.asarray(values.loss), *values.grad, *values.hvp))


def settled(tape: Tape, inputs: Arrays, directions: Arrays) -> bool:
    """Whether the loss is finite and of sane size, and its differences converge."""
    return abs(survey(tape, inputs).loss) < SANE and settles(tape, inputs, directions)


def mixed(tape: Tape, inputs: Arrays, seed: int) -> int:
    """How many switches the inputs meet on both sides; -1 where they are near a kink, or the loss is not finite."""
    nudge = np.random.default_rng(seed)
    moved = {**inputs, **{name: inputs[name] + 1e-7 * nudge.standard_normal(inputs[name].shape) for name in tape.wrt}}
    here, beside = survey(tape, inputs), survey(tape, moved)
    if not abs(here.loss) < SANE or min(here.distance, beside.distance) < FAR:
        return -1
    return here.mixed


def failure(tape: Tape, sizes: Sequence[Sizes]) -> Recipes:
    """No cases; the operation to name is the first that is not finite at the first recipes."""
    pick = next(picks(tape))
    culprit = survey(tape, draw(tape, pick, sizes[0], 0)[0]).culprit if sizes else None
    call = culprit or tape.result
    return Recipes(pick, (), Warned(call.op, call.place or tape.place))
