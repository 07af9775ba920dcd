"""What may be drawn for an argument: recipes by its type, its facts, and what the loss does with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradgen.fields import Array
from gradgen.kinks import INVERTED, needed
from gradgen.oracle import is_symmetric
from gradgen.tape import Argument, Tape

STAND_INS = ("tanh", "softplus")


@dataclass(frozen=True)
class Recipe:
    """A way to draw an array; ``text`` is NumPy in ``rng`` and ``shape``, which the emitted test prints.

    For indices the shape is that which they are declared with: their number and their bound.
    """

    name: str
    text: str
    decimals: int = 3

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """An array of short decimals, or of integers."""
        array = np.asarray(eval(self.text, {"np": np, "rng": rng, "shape": shape}))
        return array if array.dtype.kind == "i" else np.asarray(np.round(array, self.decimals) + 0.0)


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
INDICES = Recipe("indices", "rng.integers(shape[1], size=shape[0])")
AWAY = Recipe("away_from_zero", "rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 2.0, shape)")
SIMPLEX = Recipe(
    "simplex", "(1 + rng.multinomial(64 - shape[-1], np.full(shape[-1], 1 / shape[-1]), shape[:-1])) / 64", 6
)
FUNCTION = Recipe("function", f"({', '.join(STAND_INS)})[rng.integers({len(STAND_INS)})]")

# Near a diagonal: condition numbers below 10, and the determinant is far from 0.
REGULAR = Recipe(
    "regular", "np.eye(*shape) * rng.uniform(1.0, 2.0, shape) + rng.uniform(-0.5, 0.5, shape) / max(shape)"
)
REFLECTED = Recipe("reflected", f"rng.choice([-1.0, 1.0], (shape[0], 1)) * ({REGULAR.text})")
DOMINANT = Recipe(
    "dominant", "np.eye(*shape) * rng.uniform(1.0, 2.0, shape) + rng.uniform(0.1, 0.5, shape) / max(shape)"
)
REGULAR_FRACTION = Recipe(
    "regular_fraction", "np.eye(*shape) * rng.uniform(0.4, 0.7, shape) + rng.uniform(0.05, 0.25, shape) / max(shape)"
)
REGULAR_COUNT = Recipe("regular_count", "np.eye(*shape) * (max(shape) + rng.integers(1, 4, shape)) + 1.0")
IDENTITY = Recipe("identity", "np.eye(*shape)")

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


DEFINITE: tuple[tuple[frozenset[str], Recipe], ...] = (
    (frozenset(("integer", "unit_interval")), IDENTITY),
    (frozenset(("integer",)), REGULAR_COUNT),
    (frozenset(("unit_interval",)), REGULAR_FRACTION),
    (frozenset(("positive",)), DOMINANT),
    (frozenset(("nonnegative",)), DOMINANT),
)


def candidates(tape: Tape, argument: Argument) -> tuple[Recipe, ...]:
    """What may be drawn for an argument, best first."""
    if argument.callable:
        return (FUNCTION,)
    if argument.kind == "Indices":
        return (INDICES,)
    if argument.kind == "SPD":
        return (symmetrised(definite(argument)),)
    if argument.kind == "LowerTriangular":
        return tuple(map(lower, triangular(argument)))
    found = tuple(dict.fromkeys((*regular(tape, argument), *entrywise(tape, argument))))
    return tuple(map(symmetrised, found)) if is_symmetric(argument) else found


def definite(argument: Argument) -> Recipe:
    """The lower half of a positive definite matrix: its diagonal dominates."""
    for facts, recipe in DEFINITE:
        if facts <= argument.facts:
            return recipe
    return IDENTITY if argument.facts else REGULAR


def triangular(argument: Argument) -> tuple[Recipe, ...]:
    """Recipes for the lower half of a matrix whose diagonal is far from 0."""
    if argument.facts:
        return (definite(argument),)
    return REFLECTED, REGULAR, DOMINANT


def entrywise(tape: Tape, argument: Argument) -> tuple[Recipe, ...]:
    """Recipes entry by entry: declared facts decide; a number of the data is rather positive."""
    for facts, recipes in DECLARED:
        if facts <= argument.facts:
            return recipes
    if argument.shape or argument.name in tape.wrt:
        return FREE
    return (POSITIVE, *(recipe for recipe in FREE if recipe is not POSITIVE))


def regular(tape: Tape, argument: Argument) -> tuple[Recipe, ...]:
    """Recipes for a matrix that is inverted, or takes part in one that is, or that had better be definite."""
    inverted = argument.name in eliminated(tape)
    if argument.kind == "Diagonal":
        return (AWAY, POSITIVE) if inverted and not argument.facts else ()
    rank = len(argument.given)
    found: tuple[Recipe, ...]
    inverted = inverted and rank >= 2
    if argument.facts:
        found = (DOMINANT,) if inverted and argument.facts <= {"positive", "nonnegative"} else ()
    elif inverted and argument.given[-2] == argument.given[-1]:
        found = (REFLECTED, REGULAR, DOMINANT)
    else:
        found = (NORMAL, REGULAR) if inverted or is_symmetric(argument) else ()
    return found if rank <= 2 else tuple(map(stacked, found))


def eliminated(tape: Tape) -> set[str]:
    """The arguments that matrices depend on which are inverted, solved with, or have their determinant taken."""
    calls = needed((tape.result,))
    matrices = [call.args[0] for call in calls if call.op in INVERTED or call.op == "det"]
    return {call.params["name"] for call in needed(matrices) if call.op == "argument"}


def symmetrised(recipe: Recipe) -> Recipe:
    """The lower half of a draw, mirrored."""
    text = f"np.tril(a := {recipe.text}) + np.tril(a, -1).T"
    return Recipe(f"symmetric_{recipe.name}", text, recipe.decimals)


def lower(recipe: Recipe) -> Recipe:
    """The lower half of a draw."""
    return Recipe(f"lower_{recipe.name}", f"np.tril({recipe.text})", recipe.decimals)


def stacked(recipe: Recipe) -> Recipe:
    """A recipe for a matrix as one for stacks of matrices."""
    if recipe is NORMAL:
        return recipe
    text = recipe.text.replace("*shape)", "*shape[-2:])").replace("max(shape)", "max(shape[-2:])")
    return Recipe(f"stacked_{recipe.name}", text.replace("(shape[0], 1)", "(*shape[:-1], 1)"), recipe.decimals)
