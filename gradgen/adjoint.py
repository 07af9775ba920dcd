"""The adjoint: a form that is linear in directions is read backwards, and the coefficient of each direction is its
gradient.

Cotangents meet at shared tangents and are summed there once, so that ``Xᵀ(S - Y)`` and ``2 Xᵀr`` need no rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.nodes import Add, Node, Product, Shape, Symbol, View, add, one, zero
from gradgen.ops.operation import Operation, read
from gradgen.walk import depending, order


def adjoint(form: Node, directions: Sequence[Symbol], found: dict[Node, Node] | None = None) -> list[Node]:
    """For a scalar form linear in the directions: the G of each with form = sum <G, direction>. ``found`` takes
    every cotangent."""
    wanted = set(directions)
    moving = depending([form], wanted.__contains__)
    cotangents: dict[Node, list[Node]] = {form: [one()]}
    for node in reversed(order([form])):
        if node in moving and node in cotangents and node not in wanted:
            parts = cotangents[node]
            cotangent = parts[0] if len(parts) == 1 else _total(parts, node.shape)
            cotangents[node] = [cotangent]
            if found is not None:
                found[node] = cotangent
            for child, contribution in _pull(node, cotangent, moving):
                cotangents.setdefault(child, []).append(contribution)
    return [_total(cotangents[d], d.shape) if d in cotangents else zero(d.shape) for d in directions]


def _total(parts: Sequence[Node], shape: Shape) -> Node:
    axes = tuple(range(len(shape)))
    return add([(1, part, axes) for part in parts], shape)


def _pull(node: Node, cotangent: Node, moving: set[Node]) -> list[tuple[Node, Node]]:
    """What a cotangent of the node gives to each operand through which the directions come."""
    out = (cotangent, tuple(range(node.rank)), 1)
    if isinstance(node, View):
        return [(node.node, read([out], node.labels, node.node.shape, node.coefficient))]
    if isinstance(node, Add):
        return [(n, read([out], labels, n.shape, c)) for c, n, labels in node.terms if n in moving]
    if isinstance(node, Product):
        position = next(k for k, (n, _, _) in enumerate(node.factors) if n in moving)
        target, labels, _ = node.factors[position]
        others = [*node.factors[:position], *node.factors[position + 1 :]]
        return [(target, read([*others, out], labels, target.shape))]
    assert isinstance(node, Operation)
    moved = [k for k, child in enumerate(node.operands) if child in moving]
    assert all(k in node.linear for k in moved)
    return [(node.operands[k], node.transpose(cotangent, k)) for k in moved]
