"""Which functions run over blocks of rows, so that data and temporaries stay in the cache between the statements that
read them.

Where all that crosses the rows is a sum, finished in one sweep along the sample axis, the sums of the blocks add up. It
pays where arrays that no cache holds would be read a second time at the typical sizes. Products of matrices are left
whole: they have blocks of their own, and threads that a small product keeps waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gradgen.cost import entries
from gradgen.dims import Dim, Size
from gradgen.nodes import Add, Map, Node, Product, Symbol, View
from gradgen.ops.gather import Gather
from gradgen.ops.reduce import Reduce
from gradgen.samples import Samples
from gradgen.walk import core, needed

CACHED = 2**19  # entries of an array that stays in a cache from one statement to the next: 4 MiB
FEWEST = 16  # rows of a block: fewer are mostly the start of a loop
SHARE = 1 / 8  # of what is moved: what must be moved again
BLOCK = 2**17  # entries of the largest arrays of a block: 1 MiB


@dataclass(frozen=True)
class Sweep:
    """A loop over blocks of rows: its dimension, what is computed before it, in it, and summed up by it.

    ``row`` is the number of entries that a row has in its largest arrays together, ``most`` those of a block.
    """

    dim: Dim
    before: tuple[Node, ...]
    local: frozenset[Node]
    sums: tuple[Node, ...]
    row: Size
    most: int


def sweep(roots: Sequence[Node], given: Collection[Node], along: Samples | None) -> Sweep | None:
    """The loop in which the results are computed where that pays, None where it does not or cannot be."""
    if along is None or along.sweeps > 1 or not along.crossings:
        return None
    sums = [crossing.node for crossing in along.crossings]
    size, nodes = Size.of(along.dim), needed(roots, given)
    if any(size.symbols & s.symbols for root in roots for s in root.shape):
        return None
    rowed = [n for n in nodes if size in n.shape and n not in sums]
    if not all(_is_local(n, size, given) for n in rowed) or not all(isinstance(n, Product) for n in sums):
        return None
    local = frozenset((*rowed, *sums))
    computed = [n for n in nodes if n in local and n not in given]
    if not _pays(computed):
        return None
    before = dict.fromkeys(c for n in computed for c in map(core, n.operands) if c not in local)
    rows = [row_of(n, size) for n in rowed]
    largest = max(rows, key=lambda s: s.typical)
    row = largest * rows.count(largest)
    return Sweep(along.dim, tuple(before), local, tuple(sums), row, BLOCK) if FEWEST * row.typical < BLOCK else None


def _is_local(node: Node, size: Size, given: Collection[Node]) -> bool:
    """Whether the rows of a value follow from the rows of its operands, its text speaking of no number of rows."""
    if node in given or isinstance(node, Symbol):
        return sum(size.symbols <= s.symbols for s in node.shape) == 1
    return isinstance(node, Map | Add | Product | Gather | Reduce | View)


def row_of(node: Node, size: Size) -> Size:
    """The entries of one row of a value, of which there are so many."""
    total = Size.of(1)
    for s in node.shape:
        total = total * (1 if s == size else s)
    return total


def _multiplies(node: Node) -> bool:
    """Whether a node is a product of two matrices."""
    if not isinstance(node, Product) or not node.summed or len(node.factors) != 2:
        return False
    (_, left, _), (_, right, _) = node.factors
    return bool(set(left) - set(right)) and bool(set(right) - set(left))


def _pays(local: Sequence[Node]) -> bool:
    """Whether a good part of what is moved are large arrays, touched again after they were first read, or made."""
    if any(map(_multiplies, local)):
        return False
    touched: Counter[Node] = Counter(n for n in local if not isinstance(n, Symbol))
    for node in local:
        touched.update({core(child) for child in node.operands})
    moved = {node: entries(node.shape) for node in touched}
    again = sum(moved[n] * (times - 1) for n, times in touched.items() if moved[n] >= CACHED)
    return again > SHARE * sum(moved[n] * times for n, times in touched.items())
