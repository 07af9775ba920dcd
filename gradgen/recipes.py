"""Inputs in the domain of a loss: a recipe for each argument, and literal draws far from every kink."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from gradgen.dims import Size
from gradgen.errors import Place
from gradgen.fields import Array
from gradgen.ingredients import STAND_INS, Recipe, candidates, eliminated
from gradgen.kinks import needed, order, smooth, switches
from gradgen.oracle import (
    Linearised,
    Reference,
    Survey,
    is_symmetric,
    is_triangular,
    linearised,
    reference,
    settles,
    survey,
)
from gradgen.replay import Inputs
from gradgen.tape import Argument, Tape
from gradgen.tiny import Sizes, affordable, tiny_sizes, ways

PROBES = 8
DRAWS = 30
KEPT = 4
CHOICES = 250
EFFORTS = 10, 60
HOPELESS = 10
SANE = 1e9
FAR = 1e-3
CONDITION = 100
SINGULAR = 1e12
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Case:
    """Literal inputs and directions at one size, with their reference values; a cotangent for a function.

    For an `Elementwise` argument the input is the name of the function that stands for it.
    """

    sizes: Sizes
    inputs: Inputs
    directions: Arrays
    reference: Reference | Linearised
    cotangent: Array | None = None


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

    ``least`` is the smallest dimension at which the loss was found finite; ``regular`` says that matrices whose
    determinant is taken are regular by chance, not always singular.
    """

    choice: Mapping[str, Recipe]
    cases: tuple[Case, ...]
    warning: Warned | None = None
    least: int = 1
    regular: bool = False


Pick = Mapping[str, Recipe]


def choose(tape: Tape) -> Recipes:
    """The first recipes that work at tiny sizes with dimensions of 1, else at sizes from 2 on; else a warning.

    A few are tried at both before more are: at a dimension of 1 a softmax is 1, and may stand at a kink for good.
    """
    sizes = {least: tiny_sizes(tape, least=least) for least in (1, 2)}
    turns = ((effort, least) for effort in EFFORTS for least in sizes)
    found = (searched(tape, sizes[least], least, effort) for effort, least in turns)
    return next((recipes for recipes in found if recipes), None) or failure(tape, sizes[1])


def searched(tape: Tape, sizes: Sequence[Sizes], least: int = 1, effort: int = EFFORTS[-1]) -> Recipes | None:
    """The first recipes with a finite loss in every probe, else in any, and with a literal case at each tiny size; so
    many are tried whose probes are good."""
    fallbacks: list[Pick] = []
    for pick in islice(picks(tape), affordable(tape, CHOICES, least=10)):
        hits = probes(tape, pick, sizes)
        if not (hits and all(hits)):
            fallbacks += [pick] if any(hits) else []
            continue
        made = recipes_of(tape, pick, sizes, least)
        effort -= 1
        if made or not effort:
            return made
    later = (recipes_of(tape, pick, sizes, least) for pick in fallbacks[:effort])
    return next((recipes for recipes in later if recipes), None)


def recipes_of(tape: Tape, pick: Pick, sizes: Sequence[Sizes], least: int) -> Recipes | None:
    """The recipes with their literal cases, where there are."""
    cases = literal_cases(tape, pick, sizes)
    return Recipes(pick, cases, None, least, regular(tape, pick, sizes[0])) if cases else None


def regular(tape: Tape, pick: Pick, sizes: Sizes) -> bool:
    """Whether at some draw no determinant is nearly 0; there are determinants."""
    drawn = (draw(tape, pick, sizes, seed)[0] for seed in range(PROBES if order(tape).determinants else 0))
    return any(survey(tape, inputs).flatness < CONDITION for inputs in drawn)


def picks(tape: Tape) -> Iterator[Pick]:
    """Recipes for all arguments, the least far down their lists first."""
    lists = [candidates(tape, argument) for argument in tape.arguments]
    for way in ways([len(some) for some in lists]):
        yield {a.name: some[k] for a, some, k in zip(tape.arguments, lists, way, strict=True)}


def stand_ins(tape: Tape) -> tuple[Mapping[str, str], ...]:
    """What stands for `Elementwise` arguments: each function once for each of them; of two they are different."""
    names = [a.name for a in tape.arguments if a.callable]
    count = len(STAND_INS)
    turns = range(count if names else 1)
    return tuple({name: STAND_INS[(k + turn) % count] for k, name in enumerate(names)} for turn in turns)


def draw(
    tape: Tape, pick: Pick, sizes: Sizes, seed: int, functions: Mapping[str, str] | None = None
) -> tuple[Inputs, Arrays]:
    """Inputs by the recipes, and directions for ``wrt``."""
    rng = np.random.default_rng(seed)
    shapes = {a.name: shape_at(drawn_shape(a), sizes) for a in tape.arguments if not a.callable}
    inputs = {name: pick[name].draw(rng, shape) for name, shape in shapes.items()}
    directions = {name: direction(tape.argument(name), rng, shapes[name]) for name in tape.wrt}
    everything = {**inputs, **(stand_ins(tape)[0] if functions is None else functions)}
    return {a.name: everything[a.name] for a in tape.arguments}, directions


def drawn_shape(argument: Argument) -> tuple[Size, ...]:
    """What a recipe is told: the shape of the array, and for indices their bound after it."""
    return (*argument.given, *([] if argument.below is None else [argument.below]))


def shape_at(shape: Iterable[Size], sizes: Sizes) -> tuple[int, ...]:
    return tuple(size.value(sizes) for size in shape)


def direction(argument: Argument, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A direction of short decimals, symmetric or triangular where its variable is."""
    drawn = np.round(rng.uniform(-1, 1, shape), 2) + 0.0
    if is_triangular(argument):
        return np.tril(drawn)
    return np.tril(drawn) + np.tril(drawn, -1).T if is_symmetric(argument) else drawn


def probes(tape: Tape, pick: Pick, sizes: Sequence[Sizes]) -> list[bool]:
    """Whether the loss is well defined at a few draws."""
    turns = tuple(product(stand_ins(tape), sizes))
    number = affordable(tape, PROBES, least=2) if turns else 0
    found = (turns[k % len(turns)] for k in range(number))
    return [probe(tape, pick, some, seed, functions) for seed, (functions, some) in enumerate(found)]


def probe(tape: Tape, pick: Pick, sizes: Sizes, seed: int, functions: Mapping[str, str] | None = None) -> bool:
    """Whether the loss is well defined at a draw."""
    return well_defined(survey(tape, draw(tape, pick, sizes, seed, functions)[0]))


def well_defined(seen: Survey) -> bool:
    """Whether the result is finite and of sane size, and no matrix nearly singular that has to be regular."""
    return seen.size < SANE and seen.condition < CONDITION


def literal_cases(tape: Tape, pick: Pick, sizes: Sequence[Sizes]) -> tuple[Case, ...]:
    """A case at each size and with each function, one at singular matrices and one at factors of 0; none where one of
    the first lacks."""
    cases = []
    for some, functions in product(sizes, stand_ins(tape)):
        case = literal_case(tape, some, usable_draws(tape, pick, some, functions))
        if not case:
            return ()
        cases.append(case)
    degenerate = (literal_case(tape, sizes[0], way(tape, pick, sizes[0])) for way in (singular_draws, vanishing_draws))
    return (*cases, *(case for case in degenerate if case))


def literal_case(tape: Tape, sizes: Sizes, draws: Iterable[tuple[Inputs, Arrays]]) -> Case | None:
    """Of a few draws the first whose gradients are not 0, else the first that is sane."""
    found = []
    for inputs, directions in islice(draws, affordable(tape, KEPT)):
        case = referred(tape, sizes, inputs, directions)
        if sane(case):
            found.append(case)
            if all(np.any(g) for g in case.reference.slopes):
                return case
    return found[0] if found else None


def referred(tape: Tape, sizes: Sizes, inputs: Inputs, directions: Arrays) -> Case:
    """The case with its reference values."""
    if not tape.function:
        return Case(sizes, inputs, directions, reference(tape, inputs, directions))
    shape = shape_at(tape.result.shape, sizes)
    cotangent = np.round(np.random.default_rng(len(shape)).uniform(-1, 1, shape), 2) + 0.0
    return Case(sizes, inputs, directions, linearised(tape, inputs, directions, cotangent), cotangent)


def usable_draws(
    tape: Tape, pick: Pick, sizes: Sizes, functions: Mapping[str, str] | None = None
) -> Iterator[tuple[Inputs, Arrays]]:
    """Draws that are good for differences: for a smooth loss as they come, else those first that meet most switches."""
    drawn = (draw(tape, pick, sizes, seed, functions) for seed in range(DRAWS))
    if smooth(tape):
        yield from (pair for pair in drawn if settled(tape, *pair))
        return
    scored: list[tuple[int, tuple[Inputs, Arrays]]] = []
    for seed, pair in enumerate(drawn):
        if seed == HOPELESS and not scored:
            return
        score = mixed(tape, pair[0], seed)
        scored += [(score, pair)] if score >= 0 else []
    yield from (pair for _, pair in sorted(scored, key=lambda entry: -entry[0]))


def singular_draws(tape: Tape, pick: Pick, sizes: Sizes) -> Iterator[tuple[Inputs, Arrays]]:
    """Draws at which a determinant is 0, where the loss is smooth there."""
    if switches(tape) or not order(tape).determinants:
        return
    involved = [a for a in tape.arguments if a.name in eliminated(tape) and a.kind != "SPD" and len(a.shape) >= 2]
    for inputs, directions in islice(usable_draws(tape, pick, sizes), KEPT):
        flat = {**inputs, **{a.name: flattened(a, inputs[a.name]) for a in involved}}
        if survey(tape, flat).flatness > SINGULAR and settled(tape, flat, directions):
            yield flat, directions


def vanishing_draws(tape: Tape, pick: Pick, sizes: Sizes) -> Iterator[tuple[Inputs, Arrays]]:
    """Draws at which factors of a product are 0, where the loss is smooth there."""
    products = [call for call in order(tape).moving if call.op == "prod"]
    if switches(tape) or not products:
        return
    factors = {call.params["name"] for call in needed(products) if call.op == "argument"}
    names = [name for name in tape.wrt if name in factors and tape.argument(name).kind != "SPD"]
    for inputs, directions in islice(usable_draws(tape, pick, sizes), KEPT):
        flat = {**inputs, **{name: vanished(inputs[name]) for name in names}}
        if settled(tape, flat, directions):
            yield flat, directions


def vanished(x: Array) -> Array:
    """The array with its first entry 0."""
    x = x.copy()
    x.reshape(-1)[:1] = 0.0
    return x


def flattened(argument: Argument, x: Array) -> Array:
    """The matrix with its first row in place of its last, and columns likewise; without its last row where that would
    take its structure."""
    x = x.copy()
    if argument.kind in ("Diagonal", "LowerTriangular"):
        x[-1] = 0.0
        return x
    x[..., -1, :] = x[..., 0, :]
    x[..., -1] = x[..., 0]
    return x


def sane(case: Case) -> bool:
    return all(np.max(np.abs(x), initial=0) < SANE for x in case.reference.arrays)


def settled(tape: Tape, inputs: Inputs, directions: Arrays) -> bool:
    """Whether the loss is well defined and far from its kinks, and its differences converge."""
    seen = survey(tape, inputs)
    return well_defined(seen) and seen.distance >= FAR and settles(tape, inputs, directions)


def mixed(tape: Tape, inputs: Inputs, seed: int) -> int:
    """How many switches the inputs meet on both sides; -1 where they are near a kink, or the loss not well defined."""
    nudge = np.random.default_rng(seed)
    moved = {**inputs, **{name: inputs[name] + 1e-7 * nudge.standard_normal(inputs[name].shape) for name in tape.wrt}}
    here, beside = survey(tape, inputs), survey(tape, moved)
    if not well_defined(here) or min(here.distance, beside.distance) < FAR:
        return -1
    return here.mixed


def failure(tape: Tape, sizes: Sequence[Sizes]) -> Recipes:
    """No cases; the operation to name is the first that is not finite at the first recipes, or meets a bad matrix."""
    pick = next(picks(tape))
    call = tape.result
    if sizes:
        seen = survey(tape, draw(tape, pick, sizes[0], 0)[0])
        call = seen.culprit or (call if seen.condition < CONDITION else order(tape).inverted[0])
    return Recipes(pick, (), Warned(call.op, call.place or tape.place))
