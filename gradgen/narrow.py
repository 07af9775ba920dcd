"""What is read on a diagonal alone is computed there alone: exp(A)_ii is exp(A_ii), and (X Y)_ii is Σ_k X_ik Y_ki.

A node whose every use gives the same label to two of its axes is replaced by the node of these diagonals, broadcast to
the old shape: what uses it looks through the view, and off the diagonal nobody looks. What something else uses whole
stays, since its diagonal can be read off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from gradgen.labels import Labels
from gradgen.nodes import Add, Map, Node, Product, View, add, apply, product, view
from gradgen.ops.operation import Operation
from gradgen.walk import Names, order, rebuilt, rename, rewrite, uses

Meetings = frozenset[tuple[int, int]]


def narrowed(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with diagonals of what is computed entry by entry, or is a product, taken of its operands; a name goes
    with the whole that it was given to."""
    first = {node: axes for node, axes in _firsts(roots).items() if axes != tuple(range(node.rank))}
    if not first:
        return list(roots)
    counts = uses(roots)
    alone = {node for node in first if counts[node] == 1}
    parted = rewrite(roots, lambda node: _parted(node, alone), names)
    if parted != list(roots):
        return narrowed(parted, names)
    new: dict[Node, Node] = {}
    for node in order(roots):
        new[node] = _diagonals(node, first[node], new.__getitem__) if node in first else rebuilt(node, new)
    rename(names, {node: made for node, made in new.items() if node not in first})
    return [new[root] for root in roots]


def _parted(node: Node, diagonal: set[Node]) -> Node:
    """tr(A B + C D) = tr(A B) + tr(C D); terms that may cancel entry by entry stay together."""
    if not isinstance(node, Product):
        return node
    for position, (total, labels, power) in enumerate(node.factors):
        others = [*node.factors[:position], *node.factors[position + 1 :]]
        taken = {*range(node.rank), *(k for _, axes, _ in others for k in axes)}
        if total in diagonal and len(labels) == 2 and power == 1 and taken.isdisjoint(labels) and _contracts(total):
            return product([*others, (_traces(total), (), 1)], node.shape)
    return node


def _contracts(total: Node) -> bool:
    return isinstance(total, Add) and all(isinstance(n, Product) and n.summed for _, n, _ in total.terms)


def _traces(total: Node) -> Node:
    assert isinstance(total, Add)
    matrices = (view(c, n, axes, total.shape) for c, n, axes in total.terms)
    return add([(1, product([(matrix, (0, 0), 1)], ()), ()) for matrix in matrices], ())


def _firsts(roots: Sequence[Node]) -> dict[Node, Labels]:
    """For each node that can be narrowed: for each axis the first of those that coincide with it in every use."""
    met: dict[Node, Meetings] = dict.fromkeys(roots, frozenset())
    found: dict[Node, Labels] = {}
    for node in reversed(order(roots)):
        axes = tuple(range(node.rank))
        if isinstance(node, Add | Map | Product):
            axes = found[node] = tuple(min([i, *(a for a, b in met[node] if b == i)]) for i in axes)
        for child, labels in _uses(node):
            under = tuple(axes[k] if k < len(axes) else k for k in labels)
            pairs = frozenset((a, b) for a, b in combinations(range(len(under)), 2) if under[a] == under[b])
            met[child] = met.get(child, pairs) & pairs
    return found


def _uses(node: Node) -> list[tuple[Node, Labels]]:
    """The operands of a node with the labels of their axes; equal labels are a diagonal."""
    if isinstance(node, View):
        return [(node.node, node.labels)]
    if isinstance(node, Product):
        return [(child, labels) for child, labels, _ in node.factors]
    if not isinstance(node, Add | Map | Operation):
        return []
    told = [(child, labels) for _, child, labels in (node.terms if isinstance(node, Add) else node.arguments)]
    seen = {child for child, _ in told}
    return told + [(child, tuple(range(child.rank))) for child in node.operands if child not in seen]


def _diagonals(node: Node, first: Labels, new: Callable[[Node], Node]) -> Node:
    """The node of the diagonals, where each axis is ``first`` of those that it coincides with, in the old shape."""
    kept = sorted(set(first))
    shape = tuple(node.shape[axis] for axis in kept)

    def under(labels: Labels) -> Labels:
        return tuple(kept.index(first[k]) if k < node.rank else k - node.rank + len(kept) for k in labels)

    if isinstance(node, Product):
        made = product([(new(n), under(labels), power) for n, labels, power in node.factors], shape)
    elif isinstance(node, Map):
        made = apply(node.atom, [(c, new(n), under(labels)) for c, n, labels in node.arguments], shape)
    else:
        assert isinstance(node, Add)
        made = add([(c, new(n), under(labels)) for c, n, labels in node.terms], shape)
    return view(1, made, tuple(kept), node.shape)
