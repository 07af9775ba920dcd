"""In which order each value's axes are stored, so that few operands need a transpose.

From the arguments up, each node learns what each of its orders would cost in transposes; from the results down, each
takes the order that suits its users and costs least. What is left open puts samples, the dimension that stands first in
the signature, before features. A reduction or slice stands as its operand does.

NumPy's loops run over the last axis, and a maximum along a short one takes ten times as long as one down it. So where a
short axis is reduced, the longest axis goes last, in all matrices that meet entry by entry.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations

from gradgen.labels import Labels
from gradgen.nodes import Add, Map, Node, Operand, Product, View, operand
from gradgen.ops.gather import Scatter
from gradgen.ops.matrix import Matrices
from gradgen.ops.operation import Operation
from gradgen.ops.reduce import Reduce
from gradgen.ops.select import Embed, kept
from gradgen.ops.solve import Solve
from gradgen.walk import core

Layouts = dict[Node, Labels]
Wishes = dict[Node, Counter[Labels]]
Costs = dict[Node, dict[Labels, int]]
MOST_AXES = 4
# What a transpose costs: of an argument, of a computed value, of a result; a maximum down columns, not along rows;
# another order than in the spec.
ARGUMENT, VALUE, RESULT, ROWS, SPEC, LONG = 2, 3, 8, 1, 6, 20
SHORT = 64  # entries of an axis along which a loop is mostly its own start


def layouts(
    nodes: Sequence[Node],
    roots: Sequence[Node],
    given: Mapping[Node, Labels],
    preferred: Mapping[Node, Labels],
    reading: bool = False,
) -> Layouts:
    """For each node the order of its axes in memory, or in formulas for ``reading``.

    ``given`` says it for values at hand, ``preferred`` what the spec has; leaves stand as they are.
    """
    found: Layouts = {n: given.get(n, tuple(range(n.rank))) for n in (*given, *nodes) if n in given or _stands(n)}
    costs = _costs(nodes, found)
    wishes: Wishes = defaultdict(Counter)
    for root in roots:
        _, core, labels = operand(root, tuple(range(root.rank)))
        _wish(wishes, core, labels, tuple(range(root.rank)), RESULT)
    for node, order in preferred.items():
        wishes[node][order] += SPEC
    for node, order in () if reading else _lengthwise(nodes, roots).items():
        wishes[node][order] += LONG
    for node in reversed(nodes):
        if isinstance(node, Reduce):
            wishes[node.node][_rows(node)] += ROWS
        if isinstance(node, Matrices) and len(node.frame) > 2:
            _wish(wishes, node.node, node.labels, tuple(range(len(node.frame))), ARGUMENT)
        if isinstance(node, Solve):
            _wish(wishes, node.right, node.side, tuple(range(node.rank)), ARGUMENT)
        if node not in found and not isinstance(node, View) and not _follows(node):
            found[node] = _chosen(node, wishes[node], costs.get(node, {}))
            for inner, wanted in _orders(node, found[node]):
                wishes[inner][wanted] += ARGUMENT
    for node in nodes:
        if _follows(node):
            found[node] = _followed(node, found)
    return found


def _lengthwise(nodes: Sequence[Node], roots: Sequence[Node]) -> dict[Node, Labels]:
    """The nodes whose longest axis is to go last, with that order: from short reductions through all matrices that
    meet entry by entry, up to the results, which stand as they are asked for."""
    ends = {core(root) for root in roots}
    meets: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes:
        for _, inner, labels in _entrywise(node):
            if set(labels) == set(range(node.rank)) and inner.operands and not {node, inner} & ends:
                meets[node].append(inner)
                meets[inner].append(node)
    found: dict[Node, Labels] = {}
    for start in nodes:
        if isinstance(start, Reduce) and _is_short(start) and core(start.node) not in found:
            family = _family(core(start.node), meets)
            orders = {node: _longest_last(node) for node in family if node not in ends}
            if not any(_thick(node) for node in family):
                found |= {node: order for node, order in orders.items() if order is not None}
    return found


def _family(node: Node, meets: Mapping[Node, Sequence[Node]]) -> set[Node]:
    """What hangs together with a node."""
    found, stack = {node}, [node]
    while stack:
        fresh = set(meets.get(stack.pop(), ())) - found
        found |= fresh
        stack += fresh
    return found


def _thick(node: Node) -> bool:
    """Whether a node is summed up from an array of three axes, whose order NumPy's result takes over."""
    return any(child.rank > 2 for child in node.operands)


def _is_short(node: Reduce) -> bool:
    """Whether a reduction of a matrix runs along a short axis beside a longer one."""
    sizes = {k: size.typical for k, size in zip(node.labels, node.node.shape, strict=True)}
    gone = [size for k, size in sizes.items() if k >= node.rank]
    return node.rank == len(gone) == 1 and gone[0] <= SHORT and 2 * gone[0] <= sizes[0]


def _longest_last(node: Node) -> Labels | None:
    """The axes of a node with the longest last; None where there is none."""
    sizes = [size.typical for size in node.shape]
    if len(sizes) < 2 or not node.operands:
        return None
    longest = max(range(len(sizes)), key=sizes.__getitem__)
    return (*(k for k in range(len(sizes)) if k != longest), longest)


def _costs(nodes: Sequence[Node], found: Layouts) -> Costs:
    """For each node that can be computed in any order, what each order costs in transposes below it."""
    costs: Costs = {}
    for node in nodes:
        if not (node in found or isinstance(node, View) or _follows(node) or node.rank > MOST_AXES):
            costs[node] = {
                order: sum(_price(n, wanted, found, costs) for n, wanted in _orders(node, order))
                for order in permutations(range(node.rank))
            }
    return costs


def _price(node: Node, order: Labels, found: Layouts, costs: Costs) -> int:
    """What it costs to have a node in an order: to compute it so, or to transpose it."""
    if node in found:
        return ARGUMENT * (found[node] != order and not node.symmetric)
    if node not in costs:
        return 0
    return min(costs[node][order], min(costs[node].values()) + VALUE)


def _stands(node: Node) -> bool:
    return node.rank < 2 or not node.operands


def _follows(node: Node) -> bool:
    """Whether a node stands as its operand does: a reduction, a slice, a sum over axes of one array."""
    if node.rank < 2:
        return False
    return (isinstance(node, Operation) and not isinstance(node, Embed | Scatter)) or (
        isinstance(node, Product) and len(node.factors) == 1 and bool(node.summed)
    )


def _rows(node: Reduce) -> Labels:
    """The axes of the operand of a reduction with those that go last."""
    return tuple(sorted(range(node.node.rank), key=lambda axis: node.labels[axis] >= node.rank))


def _followed(node: Node, found: Layouts) -> Labels:
    if isinstance(node, Operation):
        return node.stands([_standing_axes(n, labels, found) for _, n, labels in node.arguments])
    assert isinstance(node, Product)
    [(inner, labels, _)] = node.factors
    return tuple(dict.fromkeys(k for k in (labels[a] for a in found[inner]) if k < node.rank))


def _standing_axes(node: Node, labels: Labels, found: Layouts) -> Labels:
    """The labels of a node's axes as they stand; an axis that stands twice, a diagonal, goes last."""
    axes = tuple(labels[a] for a in found.get(node, tuple(range(node.rank))))
    for twice in {k for k in axes if axes.count(k) > 1}:
        axes = (*(k for k in axes if k != twice), twice)
    return axes


def _wish(wishes: Wishes, node: Node, labels: Labels, order: Sequence[int], weight: int) -> None:
    """Note that a node's axes, which run over these labels, would best stand in this order of labels."""
    if node.rank > 1 and len(set(labels)) == node.rank:
        wishes[node][tuple(labels.index(k) for k in order if k in labels)] += weight


def _chosen(node: Node, wishes: Counter[Labels], costs: Mapping[Labels, int]) -> Labels:
    """The order that suits most users and costs least."""
    if node.rank > MOST_AXES:
        return tuple(range(node.rank))
    every = sum(wishes.values())
    return min(
        permutations(range(node.rank)),
        key=lambda order: (every - wishes[order] + costs.get(order, 0), _standing(node, order), order),
    )


def _orders(node: Node, order: Labels) -> list[tuple[Node, Labels]]:
    """The operands of rank 2 or more, each with the order of its axes that suits the node in this order."""
    if _multiplies(node):
        return _sides(node, order)
    if isinstance(node, Embed):
        return _placed(node, tuple(kept(node.picks)), order)
    if isinstance(node, Scatter):
        return _placed(node, node.places, order)
    return [
        (n, tuple(labels.index(k) for k in order if k in labels))
        for _, n, labels in _entrywise(node)
        if n.rank > 1 and len(set(labels)) == n.rank
    ]


def _placed(node: Embed | Scatter, axes: Labels, order: Labels) -> list[tuple[Node, Labels]]:
    """The array that is put among zeros, in the order that takes no transpose."""
    _, inner, labels = operand(node.node, axes)
    if inner.rank < 2 or len(set(labels)) < inner.rank:
        return []
    return [(inner, tuple(labels.index(k) for k in order if k in labels))]


def _multiplies(node: Node) -> bool:
    """Whether a node is a product of two matrices, or of a matrix and a vector, over one label."""
    if not isinstance(node, Product) or len(node.factors) != 2 or len(node.summed) != 1:
        return False
    (a, i, _), (b, j, _) = node.factors
    return a.rank <= 2 and b.rank <= 2 and a.rank + b.rank == node.rank + 2 and not set(i) & set(j) - node.summed


def _sides(node: Node, order: Labels) -> list[tuple[Node, Labels]]:
    """The matrices of a matrix product with the order of their axes that takes no transpose."""
    assert isinstance(node, Product)
    sides: list[tuple[Node, Labels]] = []
    for factor, labels, _ in node.factors:
        if factor.rank == 2:
            outer = next(axis for axis, k in enumerate(labels) if k < node.rank)
            first = not order or order[0] == labels[outer]
            sides.append((factor, (outer, 1 - outer) if first else (1 - outer, outer)))
    return sides


def _entrywise(node: Node) -> Sequence[Operand]:
    if isinstance(node, Add):
        return node.terms
    if isinstance(node, Map):
        return node.arguments
    if isinstance(node, Product) and not node.summed:
        return [(1, n, labels) for n, labels, _ in node.factors]
    return []


def _standing(node: Node, order: Labels) -> tuple[int, ...]:
    return tuple(min((dim.rank for dim in node.shape[axis].symbols), default=1000) for axis in order)
