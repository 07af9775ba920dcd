"""In which order each value's axes are stored, so that few operands need a transpose.

Results of the function stand as declared, and what feeds them entry by entry follows; everything else takes the order
that most of its operands have; where they leave it open, samples (the dimension that stands first in the signature)
come before features.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import permutations

from gradgen.labels import Labels
from gradgen.nodes import Add, Map, Node, Operand, Product, View, operand
from gradgen.ops.operation import Operation
from gradgen.ops.reduce import Reduce
from gradgen.ops.select import Select
from gradgen.walk import uses

Layouts = dict[Node, Labels]
MOST_AXES = 5


def layouts(nodes: Sequence[Node], roots: Sequence[Node], given: Mapping[Node, Labels]) -> Layouts:
    """For each node the order of its axes in memory; ``given`` says it for values at hand, leaves stand as they are."""
    forced, flexible = _forced(nodes, roots, given), _flexible(nodes, roots, given)
    found: Layouts = dict(given)
    for node in nodes:
        if isinstance(node, View):
            continue
        if node.rank < 2 or not node.operands:
            found[node] = tuple(range(node.rank))
            continue
        found[node] = forced.get(node) or _natural(node, found, flexible)
        position = {axis: k for k, axis in enumerate(found[node])}
        for _, child, labels in _entrywise(node):
            if child in flexible and child.rank == node.rank and child not in forced:
                found[child] = tuple(sorted(range(child.rank), key=lambda a: position[labels[a]]))
    return found


def _flexible(nodes: Sequence[Node], roots: Sequence[Node], given: Collection[Node]) -> set[Node]:
    """Contractions that one operation uses, which can as well be computed transposed."""
    counts = uses(roots)
    return {
        n
        for n in nodes
        if isinstance(n, Product) and n.summed and len(n.factors) == 2 and counts[n] == 1 and n not in given
    }


def reordered(labels: Labels) -> Labels:
    """The axes of a node in the order of their labels."""
    return tuple(sorted(range(len(labels)), key=lambda axis: labels[axis]))


def _forced(nodes: Sequence[Node], roots: Sequence[Node], given: Collection[Node]) -> Layouts:
    """The order that a result imposes on itself and, through entrywise operations, on what only it uses."""
    counts = uses(roots)
    forced: Layouts = {}
    for root in roots:
        _, node, labels = operand(root, tuple(range(root.rank)))
        if (
            node.operands
            and node not in given
            and len(set(labels)) == node.rank
            and not isinstance(node, Reduce | Select)
        ):
            forced.setdefault(node, reordered(labels))
    for node in reversed(nodes):
        if node not in forced:
            continue
        position = {axis: k for k, axis in enumerate(forced[node])}
        for _, child, labels in _entrywise(node):
            alone = child.rank == node.rank and counts[child] == 1 and child.operands and child not in given
            if alone and len(set(labels)) == child.rank and not isinstance(child, Operation):
                forced.setdefault(child, tuple(sorted(range(child.rank), key=lambda a: position[labels[a]])))
    return forced


def _entrywise(node: Node) -> Sequence[Operand]:
    if isinstance(node, Add):
        return node.terms
    if isinstance(node, Map):
        return node.arguments
    if isinstance(node, Product) and not node.summed:
        return [(1, n, labels) for n, labels, _ in node.factors]
    return []


def _natural(node: Node, found: Layouts, flexible: Collection[Node]) -> Labels:
    if isinstance(node, Reduce):
        return tuple(k for k in (node.labels[a] for a in found[node.node]) if k < node.rank)
    if isinstance(node, Operation):
        return tuple(range(node.rank))
    if isinstance(node, Product) and node.summed:
        return _contracted(node, found)
    stored = [
        tuple(labels[a] for a in found[child])
        for _, child, labels in _entrywise(node)
        if child.rank > 1 and child not in flexible and len(set(labels)) == child.rank and not child.symmetric
    ]
    if node.rank > MOST_AXES:
        return tuple(range(node.rank))
    return min(permutations(range(node.rank)), key=lambda order: (_turns(stored, order), _standing(node, order), order))


def _turns(stored: Sequence[Labels], order: Labels) -> int:
    """How many operands would have to be transposed to stand in this order."""
    return sum(tuple(k for k in order if k in axes) != axes for axes in stored)


def _standing(node: Node, order: Labels) -> tuple[int, ...]:
    return tuple(_first(node, axis) for axis in order)


def _first(node: Node, axis: int) -> int:
    return min((dim.rank for dim in node.shape[axis].symbols), default=1000)


def _contracted(node: Product, found: Layouts) -> Labels:
    """The order in which a matrix product of the factors as stored needs the fewest transposes."""
    stored = [(tuple(labels[a] for a in found[n]), bool(n.operands)) for n, labels, _ in node.factors]
    if len(stored) != 2:
        return tuple(k for k in stored[0][0] if k < node.rank)
    options = []
    for (left, made), (right, made_too) in (stored, stored[::-1]):
        inner = [k for k in left if k in right and k >= node.rank]
        turns = (left[-1:] != tuple(inner[:1]), right[:1] != tuple(inner[:1]))
        kept = dict.fromkeys(k for k in (*left, *right) if k < node.rank)
        values = turns[0] * made + turns[1] * made_too  # rather an argument than a computed value is transposed
        options.append((sum(turns), values, _standing(node, tuple(kept)), tuple(kept)))
    return min(options)[-1]
