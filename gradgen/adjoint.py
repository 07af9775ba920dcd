"""The adjoint: a form that is linear in directions is read backwards, and the coefficient of each direction is its
gradient.

Cotangents meet at shared tangents and are summed there once, so that ``Xᵀ(S - Y)`` and ``2 Xᵀr`` need no rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.labels import Labels
from gradgen.nodes import Add, Factor, Node, Number, Product, Shape, Symbol, View, add, delta, one, product, view, zero
from gradgen.ops.operation import Operation
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
    assert isinstance(node, Operation) and node.linear
    return [(node.operands[0], node.transpose(cotangent))]


def read(factors: Sequence[Factor], labels: Labels, shape: Shape, coefficient: Number = 1) -> Node:
    """The product of the factors with the given labels as its axes: labels are exchanged, a repeated one is a
    diagonal."""
    place: dict[int, int] = {}
    diagonal: list[Factor] = []
    for axis, label in enumerate(labels):
        if place.setdefault(label, axis) != axis:
            diagonal.append((delta(shape[axis]), (place[label], axis), 1))
    moved: list[Factor] = []
    fresh = len(shape)
    for node, old, power in factors:
        for label in old:
            if label not in place:
                place[label] = fresh
                fresh += 1
        moved.append((node, tuple(place[k] for k in old), power))
    if len(moved) == 1 and not diagonal and fresh == len(shape) and moved[0][2] == 1:
        return view(coefficient, moved[0][0], moved[0][1], shape)
    return product([*moved, *diagonal], shape, coefficient)
