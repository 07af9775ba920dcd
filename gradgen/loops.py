"""A function of a compiled module as loops: which values are computed in which loop, in which order, and which are
kept.

Every value is computed once. Entry by entry, values of one shape share a loop, and what only that loop needs never
reaches memory; sums and maxima are taken in the loop of what they reduce. Where all that crosses the rows of the data
is a sum, the loops run over blocks of rows that stay in the cache: what does not depend on the rows comes before, what
is made of the sums after.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gradgen.dims import Dim, Size
from gradgen.labels import Labels
from gradgen.layout import layouts
from gradgen.nodes import Add, Count, Delta, Map, Node, Operand, Product, Shape, Symbol, Triangle, View, operand
from gradgen.ops.gather import Gather, Scatter
from gradgen.ops.reduce import Reduce
from gradgen.ops.select import Embed, Select
from gradgen.ops.select import kept as picked_axes
from gradgen.samples import Samples
from gradgen.walk import Names, core, needed, preferred

MOST_AXES = 6  # of a loop


@dataclass(frozen=True)
class Result:
    """A result of the function: which one, what it is, and its shape."""

    position: int
    operand: Operand
    shape: Shape


@dataclass
class Member:
    """A value that is computed in a loop, or a result that is stored there; ``labels`` says over which of its labels
    each axis of the loop runs."""

    node: Node | Result
    labels: Labels

    @property
    def operands(self) -> list[Operand]:
        """What it is made of."""
        return [self.node.operand] if isinstance(self.node, Result) else operands(self.node)


@dataclass
class Nest:
    """Loops over a shape, the last axis innermost; without axes, statements in a row."""

    frame: Shape
    members: list[Member] = field(default_factory=list)

    def holds(self, node: Node) -> Member | None:
        return next((member for member in self.members if member.node is node), None)


@dataclass(frozen=True)
class Multiplication:
    """A product of two matrices, ``node[i, j] = left[i, k] right[k, j]`` in labels, or of a matrix and a vector."""

    node: Product


Step = Nest | Multiplication


@dataclass
class Program:
    """A function: what is computed before the blocks of rows, for each block, and after.

    ``dim`` is the dimension of the rows, None where the whole is one piece; ``sums`` are added up over the blocks;
    ``stored`` is the order of the axes of each value in memory, ``kept`` are the values that stand there.
    """

    before: list[Step]
    rows: list[Step]
    after: list[Step]
    dim: Dim | None
    sums: tuple[Node, ...]
    stored: Mapping[Node, Labels]
    kept: tuple[Node, ...]
    local: frozenset[Node]


class NoLoopsError(Exception):
    """A value that no loop computes."""


def program(
    roots: Sequence[Node], given: Mapping[Node, Labels], names: Names, along: Samples | None, known: Collection[str]
) -> Program:
    """The loops for the results, ``given`` values being at hand in the order of their axes that is told.

    ``along`` tells the rows; ``known`` are the functions that the loops can compute. NoLoopsError: there is more to
    compute than loops can.
    """
    nodes = [n for n in needed(roots, given) if not isinstance(n, View)]
    for node in nodes:
        _check(node, given, known)
    return _Maker(nodes, roots, given, names).program(along)


def _check(node: Node, given: Collection[Node], known: Collection[str]) -> None:
    """Refuse what no loop computes."""
    if node in given or isinstance(node, Symbol | Count | Delta | Triangle | Add | Embed):
        return
    if isinstance(node, Select | Gather) and not (isinstance(node.node, Symbol) or node.node.operands):
        raise NoLoopsError
    if isinstance(node, Select):
        return
    if isinstance(node, Gather | Scatter) and not any(isinstance(index, tuple) for index in node.indices):
        return
    if isinstance(node, Map) and node.atom.name in known:
        return
    if isinstance(node, Product) and len(node.factors) <= 2:
        return
    if isinstance(node, Reduce) and node.kind in ("max", "min"):
        return
    raise NoLoopsError


class _Maker:
    """Puts each value into a loop."""

    def __init__(
        self, nodes: Sequence[Node], roots: Sequence[Node], given: Mapping[Node, Labels], names: Names
    ) -> None:
        self.nodes, self.roots, self.given = nodes, roots, given
        inputs = {n: given.get(n, tuple(range(n.rank))) for n in nodes if n in given or not n.operands}
        self.stored = layouts([n for n in nodes if n not in given], roots, inputs, preferred(names))
        self.steps: list[Step] = []
        self.place: dict[Node, int] = {}

    def program(self, along: Samples | None) -> Program:
        sums: tuple[Node, ...] = ()
        local: frozenset[Node] = frozenset()
        if along is not None and along.sweeps == 1 and all(c.how == "sum" for c in along.crossings):
            sums = tuple(crossing.node for crossing in along.crossings)
            size = Size.of(along.dim)
            local = frozenset(n for n in self.nodes if size in n.shape or n in sums)
        dim = along.dim if along is not None and local else None
        made = [n for n in self.nodes if n in local and n not in self.given]
        first = set(needed([c for n in made for c in map(core, n.operands) if c not in local], self.given))
        before = self._steps([n for n in self.nodes if n in first], ())
        by_rows, others = self._results(local.difference(sums))
        rows = self._steps([n for n in self.nodes if n in local], by_rows)
        rest = [n for n in self.nodes if n not in first and n not in local]
        after = self._steps(rest, others)
        phases = (before, rows, after)
        taken = _taken(phases)
        kept = tuple(n for n in self.nodes if n in sums or self._is_kept(n, taken))
        return Program(before, rows, after, dim, sums, self.stored, kept, local)

    def _results(self, rows: Collection[Node]) -> tuple[list[Result], list[Result]]:
        """The results that are made of rows, which are stored block by block, and the others."""
        found: tuple[list[Result], list[Result]] = [], []
        for position, root in enumerate(self.roots):
            result = Result(position, operand(root, tuple(range(root.rank))), root.shape)
            found[result.operand[1] not in rows].append(result)
        return found

    def _steps(self, nodes: Sequence[Node], results: Sequence[Result]) -> list[Step]:
        self.steps, self.place = [], {}
        for node in nodes:
            if node.operands and node not in self.given:
                self._put(node)
        for result in results:
            labels = tuple(range(len(result.shape)))
            self._into(Member(result, labels), result.shape)
        return self.steps

    def _put(self, node: Node) -> None:
        if _is_multiplication(node) or self._takes_vector(node):
            assert isinstance(node, Product)
            self.place[node] = len(self.steps)
            self.steps.append(Multiplication(node))
            return
        labels, sizes = self._frame(node)
        if len(labels) > MOST_AXES:
            raise NoLoopsError
        self.place[node] = self._into(Member(node, labels), tuple(sizes[k] for k in labels))

    def _takes_vector(self, node: Node) -> bool:
        """Whether a node is a product of a matrix that stands in memory anyway and a vector."""
        if not isinstance(node, Product) or len(node.factors) != 2 or len(node.summed) != 1 or node.rank != 1:
            return False
        (a, i, p), (b, j, q) = sorted(node.factors, key=lambda factor: -factor[0].rank)
        if (a.rank, b.rank, p, q) != (2, 1, 1, 1) or len(set(i)) < 2 or set(j) != node.summed:
            return False
        made = self.steps[self.place[a]] if a in self.place else None
        return isinstance(made, Multiplication) or (made is None and not isinstance(a, Delta | Triangle))

    def _into(self, member: Member, frame: Shape) -> int:
        """The earliest loop over the frame in which all operands are at hand; a new one where there is none."""
        least = 0
        for _, child, labels in member.operands:
            if child in self.place:
                same = self._alongside(child, labels, member)
                least = max(least, self.place[child] + (not same))
        for position in range(least, len(self.steps)):
            step = self.steps[position]
            if isinstance(step, Nest) and step.frame == frame:
                step.members.append(member)
                return position
        self.steps.append(Nest(frame, [member]))
        return len(self.steps) - 1

    def _alongside(self, child: Node, labels: Labels, member: Member) -> bool:
        """Whether an operand is computed in the same round of the same loop, if it stands in one of the frame."""
        step = self.steps[self.place[child]]
        made = step.holds(child) if isinstance(step, Nest) else None
        if (
            made is None
            or reduces(child)
            or isinstance(member.node, Select | Gather)
            or len(made.labels) != len(member.labels)
        ):
            return False
        at = {label: axis for axis, label in enumerate(made.labels)}
        axes = tuple(labels[k] for k in made.labels) if len(labels) == len(at) else ()
        return axes == member.labels or (child.symmetric and axes[::-1] == member.labels)

    def _frame(self, node: Node) -> tuple[Labels, dict[int, Size]]:
        """The labels of a node in the order of its loops: as its widest operand stands, or as it stands itself."""
        if isinstance(node, Embed | Scatter):
            places = node.places if isinstance(node, Scatter) else tuple(picked_axes(node.picks))
            return places, dict(zip(places, node.node.shape, strict=True))
        if not reduces(node):
            stands = self.stored[node]
            return stands, dict(enumerate(node.shape))
        parts = operands(node)
        sizes = {k: s for _, n, labels in parts for k, s in zip(labels, n.shape, strict=True)}
        orders = [tuple(dict.fromkeys(labels[a] for a in self.stored[n])) for _, n, labels in parts]
        widest = max(orders, key=len)
        rest = [k for labels in orders for k in labels if k not in widest]
        return (*widest, *dict.fromkeys(rest)), sizes

    def _is_kept(self, node: Node, taken: Collection[Node]) -> bool:
        """Whether a value stands in memory: used outside of the loop that computes it, or reduced there."""
        if not node.operands or node in self.given or node.rank == 0:
            return False
        return reduces(node) or node in taken


def _taken(phases: Sequence[Sequence[Step]]) -> set[Node]:
    """What steps take over from other steps."""
    found: set[Node] = set()
    for step in (step for steps in phases for step in steps):
        if isinstance(step, Multiplication):
            found.update(step.node.operands)
        else:
            own = {member.node for member in step.members}
            found.update(n for member in step.members for _, n, _ in member.operands if n not in own)
    return found


def operands(node: Node) -> list[Operand]:
    """The operands of a value with their labels."""
    if isinstance(node, Add):
        return list(node.terms)
    if isinstance(node, Product):
        return [(1, n, labels) for n, labels, _ in node.factors]
    if isinstance(node, Embed):
        return [operand(node.node, tuple(picked_axes(node.picks)))]
    if isinstance(node, Scatter):
        return [operand(node.node, node.places), *node.positions()]
    return list(node.arguments) if isinstance(node, Map | Reduce | Select | Gather) else []


def reduces(node: Node) -> bool:
    """Whether a value is gathered up in memory, over more rounds than it has entries or fewer."""
    return isinstance(node, Reduce | Embed | Scatter) or (isinstance(node, Product) and bool(node.summed))


def _is_multiplication(node: Node) -> bool:
    """Whether a node is a product of two matrices, each with one axis of its own."""
    if not isinstance(node, Product) or len(node.factors) != 2 or len(node.summed) != 1 or node.rank != 2:
        return False
    (a, i, p), (b, j, q) = node.factors
    return a.rank == b.rank == 2 and p == q == 1 and len(set(i)) == len(set(j)) == 2 and set(i) & set(j) == node.summed
