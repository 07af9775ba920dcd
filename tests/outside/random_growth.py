"""Random programs from a source of choices: a seed, or hypothesis, which makes a failing one small again.

A program is grown call by call. Every call is run at once by NumPy in three worlds: one whose dimensions are distinct
primes, which tells the shapes apart, and two small ones, in which its values must stay finite, moderate and away from
kinks. So a program needs no rules of types or domains, and what is checked is checked where JAX is right.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import random_words as table
from hypothesis import assume
from hypothesis import strategies as st
from random_programs import DIMENSIONS, EVEN, SQUARE, Given, Node, Program, needed
from random_values import PRIMES, Worlds

LENGTHS = (1, 2, 3, 5)  # few, so that JAX compiles each of its functions a few times only
MOST_CALLS = 30
MOST_TRIES = 400


class Choices:
    """Every choice is a number below another; the first of several is the simplest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def pick(self, items: Sequence[Any]) -> Any:
        return items[self.below(len(items))]

    def chance(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def weighted(self, weights: Sequence[int]) -> int:
        place = self.below(sum(weights))
        return next(k for k, most in enumerate(itertools.accumulate(weights)) if place < most)

    def shuffled(self, items: Sequence[Any]) -> list[Any]:
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in items]


class Barren(Exception):
    """Choices that came to nothing."""


class Grower:
    """Grows one program."""

    def __init__(self, choices: Choices, seed: int) -> None:
        self.choices = choices
        self.given, self.wrt = Signature(choices).draw()
        self.worlds = Worlds(self.given, self._sizes(), seed)
        self.nodes = [Node(g.name, (), g.name) for g in self.given]
        self.names = iter([x for x in table.LOCALS if x not in {g.name for g in self.given}])
        self.gone = {i for i, g in enumerate(self.given) if g.kind in table.NO_NUMBERS}
        self.fresh: set[int] = set()

    def _sizes(self) -> tuple[dict[str, int], ...]:
        large = {dim: self.choices.pick((2, 3, 5)) for dim in DIMENSIONS}
        return PRIMES, large, {dim: self.choices.pick(LENGTHS) for dim in DIMENSIONS}

    # operands

    def _live(self) -> list[int]:
        return [i for i in range(len(self.nodes)) if i not in self.gone]

    def _operand(self, fits: Callable[[tuple[int, ...]], bool] = lambda shape: True) -> int:
        """A live value, the latest more likely; one whose shape fits, where there is one."""
        live = self._live()[::-1]
        live = [i for i in live if fits(self.worlds.shape(i))] or live
        return int(self.choices.pick(live[:4] if self.choices.chance(50) else live))

    def _partner(self, index: int) -> int:
        """A value that broadcasts with another."""
        shape = self.worlds.shape(index)
        return int(self.choices.pick([i for i in self._live() if _broadcasts(self.worlds.shape(i), shape)]))

    # calls

    def _call(self) -> Node | None:
        """A call that may stay, already run, or None."""
        _, arity, family, how = table.FAMILIES[self.choices.weighted([row[0] for row in table.FAMILIES])]
        if how == "einsum":
            return self._added(self._einsum())
        if how == "dimension":
            family = [(t.replace("DIM", self._dimension()), guard) for t, guard in table.DIMENSION_WORDS]
        if how == "symmetric":
            return self._of_symmetric()
        if how == "gathers":
            return self._gather()
        if how == "functions":
            return self._of_function(self.choices.pick(family))
        template, guard = self.choices.pick(family)
        first = self._operand(_stack if how in ("square", "solves") and self.choices.chance(70) else lambda shape: True)
        if re.search("AXIS|ONE", template) and not self.worlds.shape(first):
            return None
        template = self._with_axes(template, first)
        if how in ("tried", "solves", "loops"):
            loop = 2 + self.choices.below(2) if how == "loops" else 0
            return self._tried(Node(template, (first,), guard=guard, loop=loop))
        return self._added(Node(template, (first, *(self._partner(first) for _ in range(arity - 1))), guard=guard))

    def _added(self, node: Node | None) -> Node | None:
        return node if node is not None and self._fits(node) and self.worlds.add(node) else None

    def _tried(self, node: Node) -> Node | None:
        """The call with the first of some partners with which it runs."""
        for _ in range(5):
            found = self._added(replace(node, operands=(*node.operands, self._operand())))
            if found is not None:
                return found
        return None

    def _with_axes(self, template: str, index: int) -> str:
        rank = len(self.worlds.shape(index))
        if "ONE" in template:
            template = template.replace("ONE", str(self.choices.pick([*range(rank), -1])))
        if "AXIS" in template:
            pairs = [repr(pair) for pair in itertools.combinations(range(rank), 2)]
            template = template.replace("AXIS", self.choices.pick(["0", "-1", *map(str, range(1, rank)), *pairs]))
        return template

    def _dimension(self) -> str:
        used = [s for g in self.given for s in g.sizes if s in PRIMES]
        return str(self.choices.pick(used)) if used else "2"

    def _of_symmetric(self) -> Node | None:
        chosen = [i for i, g in enumerate(self.given) if g.kind in EVEN]
        if not chosen:
            return None
        template, guard = self.choices.pick(table.SYMMETRIC)
        return self._added(Node(template, (self.choices.pick(chosen),), guard=guard))

    def _of_function(self, call: tuple[str, str]) -> Node | None:
        chosen = [i for i, g in enumerate(self.given) if g.kind == "Elementwise"]
        if not chosen:
            return None
        template, guard = call
        return self._added(Node(template, (self._operand(), self.choices.pick(chosen)), guard=guard))

    def _gather(self) -> Node | None:
        chosen = [i for i, g in enumerate(self.given) if g.kind == "Indices"]
        if not chosen:
            return None
        index = self.choices.pick(chosen)
        below = PRIMES[self.given[index].sizes[1]]
        template, guard = self.choices.pick(table.GATHERS)
        first = self._operand(lambda shape: below in shape)
        axes = (0, 1) if "[{1}, {1}]" in template or "[{1}][:" in template else (0,)
        axes = (-1,) if "..." in template else (1,) if template.startswith("{0}[:,") else axes
        shape = self.worlds.shape(first)
        if any(not -len(shape) <= axis < len(shape) or shape[axis] != below for axis in axes):
            return None
        return self._added(Node(template, (first, index), guard=guard))

    def _einsum(self) -> Node | None:
        """A sum of products by letters; axes of one length may share one."""
        operands = [self._operand(lambda shape: 0 < len(shape) < 4) for _ in range(1 + self.choices.below(3))]
        lengths: dict[str, int] = {}
        inputs = []
        for index in operands:
            text = ""
            for size in self.worlds.shape(index):
                same = [
                    x for x, found in lengths.items() if found == size and (x not in text or self.choices.chance(15))
                ]
                letter = self.choices.pick(same) if same and self.choices.chance(75) else "ijklmpqrsuvw"[len(lengths)]
                lengths[letter] = size
                text += letter
            inputs.append(text)
        if prod(lengths.values()) > 300_000 or not all(inputs) or len(lengths) > 9:
            return None
        output = "".join(x for x in self.choices.shuffled(sorted(lengths)) if self.choices.chance(50))
        places = ", ".join(f"{{{k}}}" for k in range(len(operands)))
        return Node(f"np.einsum('{','.join(inputs)}->{output}', {places})", tuple(operands))

    def _fits(self, node: Node) -> bool:
        """No vector broadcasts against a column by accident: that is refused, and rightly."""
        shapes = [self.worlds.shape(i) for i in node.operands]
        columns = [s for s in shapes if len(s) > 1 and s[-1] == 1]
        vectors = any(len(s) == 1 for s in shapes)
        return not (columns and vectors and not node.template.startswith(("np.dot", "{0} @")))

    # names

    def _named(self, node: Node) -> Node:
        last = len(self.worlds.values[0]) - 1
        if node.loop:
            return replace(node, name=next(self.names, "looped"))
        first = node.operands[0]
        again = self.nodes[first].name
        alone = again and not any(first in n.operands for n in self.nodes) and first not in node.operands[1:]
        if alone and self.choices.chance(12):
            self.gone.add(first)
            kept = first in self.fresh and all(
                self._same(world, first, last) for world in range(len(self.worlds.sizes))
            )
            return replace(node, name=again, augmented=kept)
        return replace(node, name=next(self.names, None)) if self.choices.chance(50) else node

    def _same(self, world: int, first: int, last: int) -> bool:
        """Whether two values have one shape and hold floats, so that one can take the place of the other."""
        values = self.worlds.values[world]
        pair = values[first], values[last]
        kinds = {getattr(value, "dtype", float) for value in pair}
        return pair[0].shape == pair[1].shape and kinds == {float} if all(hasattr(v, "shape") for v in pair) else False

    # the whole

    def grow(self) -> Program:
        several, function = self.choices.chance(20), self.choices.chance(20)
        wanted = 1 + min(self.choices.below(MOST_CALLS), self.choices.below(MOST_CALLS))
        tries = 0
        while len(self.nodes) < len(self.given) + wanted and tries < MOST_TRIES:
            tries += 1
            node = self._call()
            if node is not None:
                if any((node.template, node.guard) in family for family in table.FRESH):
                    self.fresh.add(len(self.nodes))
                self.nodes.append(self._named(node))
        return self._finished(several, function)

    def _finished(self, several: bool, function: bool) -> Program:
        """What is left over, and what the variables come to, gathered in a scalar; a function may keep its shape."""
        used = {i for n in self.nodes for i in n.operands}
        ends = [i for i in self._live() if i not in used]
        ends = [i for i in ends if i >= len(self.given)] or ends or self._live()
        terms = ends[-1:] if function and self.choices.chance(70) else [self._scalar(i) for i in ends[-3:]]
        while len(terms) > 1:
            pair = Node(self.choices.pick(["{0} + {1}", "{0} - {1}", "{0} + 0.5 * {1}"]), tuple(terms[:2]))
            terms = [self._push(pair), *terms[2:]]
        last = self._covered(terms[0])
        if len(self.worlds.shape(last)) > 3 or not self.nodes[last].operands:
            last = self._push(Node("{0} + 0.5", (last,)))
        del self.nodes[last + 1 :]
        even = any(g.kind in EVEN and g.name in self.wrt for g in self.given)
        entries = even and self.choices.chance(30)
        worlds = self.worlds
        nodes = tuple(self.nodes)
        return Program(self.given, nodes, self.wrt, worlds.sizes, worlds.seed, several, function, entries)

    def _covered(self, last: int) -> int:
        """The last value with a term for each variable that it does not depend on."""
        reached = needed(Program(self.given, tuple(self.nodes[: last + 1]), self.wrt, self.worlds.sizes, 0))
        for index, given in enumerate(self.given):
            shadowed = any(n.name == given.name for n in self.nodes[len(self.given) :])
            if given.name in self.wrt and index not in reached and not shadowed:
                last = self._push(Node("{0} + np.sum({1} ** 2)", (last, index)))
        return last

    def _push(self, node: Node) -> int:
        if not self.worlds.add(node):
            raise Barren
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _scalar(self, index: int) -> int:
        if not self.worlds.shape(index):
            return index
        for template, guard in [self.choices.pick(table.ENTIRE[:10]), ("np.sum(np.sin({0}))", "")]:
            node = Node(template, (index,), guard=guard)
            if self.worlds.add(node):
                self.nodes.append(node)
                return len(self.nodes) - 1
        raise Barren


class Signature:
    """Draws the arguments of a program, and which of them vary."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.names = iter(choices.shuffled(table.ARGUMENTS))
        self.dims = DIMENSIONS[: 1 + choices.below(3)]

    def draw(self) -> tuple[tuple[Given, ...], tuple[str, ...]]:
        made = [self._argument() for _ in range(1 + self.choices.below(5))]
        told = {size for g in made if g.kind != "Indices" for size in g.sizes}
        told |= {g.sizes[0] for g in made if g.kind == "Indices"}
        untold = [g.sizes[1] for g in made if g.kind == "Indices" and g.sizes[1] not in told]
        wanted = [self.dims[0]] if all(not g.sizes or g.kind == "Indices" for g in made) else []
        made += [Given(next(self.names), "Vector", (dim,)) for dim in dict.fromkeys([*untold, *wanted])]
        made = self.choices.shuffled(made)
        able = [g.name for g in made if g.kind not in table.NO_NUMBERS]
        count = 1 + self.choices.pick((0, 0, 0, 1, 1, 2))
        chosen = self.choices.shuffled(able)[:count]
        given = tuple(replace(g, fact=self._fact(g, g.name in chosen)) for g in made)
        return given, tuple(g.name for g in given if g.name in chosen)

    def _argument(self) -> Given:
        kind = ("Vector", "Matrix", "Scalar", "Tensor", "Structured", "Indices", "Elementwise")[
            self.choices.weighted((32, 32, 12, 8, 12, 6, 10))
        ]
        name = next(self.names)
        if kind == "Structured":
            return Given(name, self.choices.pick(SQUARE), (self._size(),))
        if kind == "Indices":
            return Given(name, kind, (self._size(), self.choices.pick(self.dims)))
        if kind == "Elementwise":
            return Given(name, kind)
        rank = {"Scalar": 0, "Vector": 1, "Matrix": 2, "Tensor": 3}[kind]
        return Given(name, kind, tuple(self._size() for _ in range(rank)))

    def _size(self) -> str:
        if self.choices.chance(90):
            return str(self.choices.pick(self.dims))
        return str(self.choices.pick(("1", "2", "3", "n + 1", "2 * n")))

    def _fact(self, given: Given, variable: bool) -> str:
        if given.kind in (*SQUARE, *table.NO_NUMBERS) or not self.choices.chance(40):
            return ""
        fact = self.choices.pick(table.DATA_FACTS[:3] if variable else table.DATA_FACTS)
        return "" if fact in ("one_hot", "simplex") and not given.sizes else str(fact)


def _stack(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 2 and shape[-1] == shape[-2]


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(x == y or 1 in (x, y) for x, y in zip(a[::-1], b[::-1], strict=False))


def grow(seed: int) -> Program:
    """The program of a seed."""
    for attempt in itertools.count():
        source = random.Random(seed + 1_000_003 * attempt)
        try:
            return Grower(Choices(source.randrange), seed * 10).grow()
        except Barren:
            continue
    raise AssertionError


@st.composite
def programs(draw: Any) -> Program:
    """Random programs, which hypothesis makes smaller by smaller choices."""

    def below(most: int) -> int:
        return int(draw(st.integers(0, most - 1))) if most > 1 else 0

    try:
        return Grower(Choices(below), draw(st.integers(0, 1000)) * 10).grow()
    except Barren:
        assume(False)
        raise


def seeds(first: int, count: int) -> Iterator[tuple[int, Program]]:
    return ((seed, grow(seed)) for seed in range(first, first + count))
