"""The sample axis: a dimension along which every statement is local to a block of rows, up to what crosses blocks.

What crosses is a sum, a maximum, a logsumexp or the like over the axis; what needs one that is finished is done in
another sweep over the blocks. A value with the axis twice, such as X Xᵀ, has no blocks of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gradgen.dims import Dim, Size
from gradgen.labels import Labels
from gradgen.nodes import Add, Arange, Constant, Count, Map, Node, Operand, Product, Shape, Symbol, View
from gradgen.ops.gather import Gather, Scatter
from gradgen.ops.matrix import Matrices
from gradgen.ops.operation import Operation
from gradgen.ops.reduce import Reduce
from gradgen.ops.select import Embed, Select
from gradgen.walk import needed


@dataclass(frozen=True)
class Crossing:
    """What crosses blocks: how, the node that it makes, and in which sweep it is finished, counted from 1."""

    how: str
    node: Node
    sweep: int

    @property
    def shape(self) -> Shape:
        return self.node.shape


@dataclass(frozen=True)
class Samples:
    """The sample axis of some results: its dimension, the sweeps over its blocks, and what crosses them."""

    dim: Dim
    sweeps: int
    crossings: tuple[Crossing, ...]

    def __str__(self) -> str:
        counted = "one sweep" if self.sweeps == 1 else f"{self.sweeps} sweeps"
        said = ", ".join(f"{c.how} ({', '.join(map(str, c.shape))})" for c in self.crossings)
        return f"along {self.dim.name}: {counted}" + (f"; across blocks: {said}" if said else "")


def samples(roots: Sequence[Node], given: Collection[Node] = ()) -> Samples | None:
    """The sample axis of the results, where values that are ``given`` are at hand: that of fewest sweeps, then the
    longest at the typical sizes; None where there is none."""
    nodes = needed(roots, given)
    dims = {size.symbol for n in nodes if isinstance(n, Symbol) for size in n.shape if size.symbol is not None}
    found = [_along(dim, nodes, roots, set(given)) for dim in sorted(dims)]
    kept = [one for one in found if one is not None and one.sweeps]
    return min(kept, key=lambda s: (s.sweeps, -s.dim.typical, s.dim), default=None)


def _along(dim: Dim, nodes: Sequence[Node], roots: Sequence[Node], given: set[Node]) -> Samples | None:
    """The sweeps along a dimension, None where some value is not local to its rows."""
    size, done = Size.of(dim), dict[Node, int]()  # the sweep after which a value, or a row of it, is there
    crossings: list[Crossing] = []
    for node in nodes:
        if not node.operands or node in given:
            leaf = node in given or isinstance(node, Symbol | Constant | Count | Arange)
            if node.shape.count(size) > 1 or (size in node.shape and not leaf):
                return None
            done[node] = 0
            continue
        sweep = max(done[child] for child in node.operands)
        how = _crosses(node, size)
        if how is None:
            return None
        done[node] = sweep + 1 if how else sweep
        if how:
            crossings.append(Crossing(how, node, sweep + 1))
    rows = [done[root] + 1 for root in roots if size in root.shape]
    return Samples(dim, max([c.sweep for c in crossings] + rows, default=0), tuple(crossings))


def _crosses(node: Node, size: Size) -> str | None:
    """How a value crosses the rows of its operands: "" not at all, None where it is neither local nor a reduction."""
    if node.shape.count(size) > 1:
        return None
    if isinstance(node, View):
        return "" if _single([(1, node.node, node.labels)], size) is not None else None
    if isinstance(node, Add):
        return "" if _single(node.terms, size) is not None else None
    if isinstance(node, Map):
        return "" if _single(node.arguments, size) is not None else None
    if isinstance(node, Product):
        return _reduced([(1, n, labels) for n, labels, _ in node.factors], node.rank, size, "sum")
    if isinstance(node, Reduce):
        return _reduced(node.arguments, node.rank, size, node.kind)
    return _operation(node, size) if isinstance(node, Operation) else None


def _single(operands: Sequence[Operand], size: Size) -> Labels | None:
    """The labels of that size, none or one; None where there are more, or one stands twice in an operand."""
    found: set[int] = set()
    for _, node, labels in operands:
        along = [k for k, s in zip(labels, node.shape, strict=True) if s == size]
        if len(along) > 1:
            return None
        found.update(along)
    return tuple(found) if len(found) <= 1 else None


def _reduced(operands: Sequence[Operand], rank: int, size: Size, how: str) -> str | None:
    along = _single(operands, size)
    if along is None:
        return None
    return how if along and along[0] >= rank else ""


def _operation(node: Operation, size: Size) -> str | None:
    """Operations are local where the axis is one of a stack, or the places that indices are taken at."""
    held = [s for _, n, _ in node.arguments for s in n.shape if s == size]
    if not held and size not in node.shape:
        return ""
    if isinstance(node, Gather | Scatter):
        return _indexed(node, size)
    if isinstance(node, Select | Embed):
        whole = all(pick is None for pick, s in zip(node.picks, _full(node), strict=True) if s == size)
        return "" if whole and size in node.shape else None
    if isinstance(node, Matrices) and size not in node.frame[-2:] and size in node.frame[:-2]:
        return "" if _single(node.arguments, size) is not None else None
    return None


def _indexed(node: Gather | Scatter, size: Size) -> str | None:
    """Entries at indices are local where only the indices, or an axis along them, run along the samples."""
    table, taken = (node.node, node) if isinstance(node, Gather) else (node, node.node)
    for s, label, index in zip(table.shape, node.labels, node.indices, strict=True):
        if s == size and (index is not None or label != node.along):
            return None
    if taken.shape.count(size) > 1:
        return None
    return "sum" if isinstance(node, Scatter) and size in taken.shape and size not in table.shape else ""


def _full(node: Select | Embed) -> Shape:
    return node.shape if isinstance(node, Embed) else node.full
