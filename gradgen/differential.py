"""The differential: what is linear carries tangents through, what is not states its derivative once.

``differential(roots, seeds)`` gives the differential of each root where the differential of each symbol is its seed.
Seeds, and with them all tangents, may have further axes ``extra`` at the end: one direction for each entry, as a
Hessian needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradgen.atoms import HALF
from gradgen.labels import Labels
from gradgen.nodes import (
    Add,
    Map,
    Node,
    Number,
    Operand,
    Product,
    Shape,
    Symbol,
    View,
    add,
    is_zero,
    product,
    view,
    zero,
)
from gradgen.ops.operation import Operation
from gradgen.walk import order

Tangents = dict[Node, Node]


def differential(
    roots: Sequence[Node], seeds: Mapping[Symbol, Node], extra: Shape = (), tangents: Tangents | None = None
) -> list[Node]:
    """The differentials of the roots, each shaped like its root with the axes ``extra`` behind; ``tangents`` takes
    those of all nodes."""
    tangents = {} if tangents is None else tangents
    for node in order(roots):
        tangent = seeds.get(node) if isinstance(node, Symbol) else _tangent(node, tangents, extra)
        if tangent is not None and not is_zero(tangent):
            tangents[node] = tangent
    return [tangents.get(root, zero((*root.shape, *extra))) for root in roots]


def _tangent(node: Node, tangents: Tangents, extra: Shape) -> Node | None:
    if not any(child in tangents for child in node.operands):
        return None
    if isinstance(node, View):
        return _sum(node, [(node.coefficient, node.node, node.labels)], tangents, extra)
    if isinstance(node, Add):
        return _sum(node, node.terms, tangents, extra)
    if isinstance(node, Product):
        return _leibniz(node, tangents, extra)
    if isinstance(node, Map):
        return _chain(node, tangents, extra)
    assert isinstance(node, Operation)
    return node.differential([tangents.get(child) for child in node.operands], extra)


def _behind(node: Node, extra: Shape) -> tuple[int, ...]:
    return tuple(range(node.rank, node.rank + len(extra)))


def _sum(node: Node, terms: Sequence[Operand], tangents: Tangents, extra: Shape) -> Node:
    """d(cA + eB) = c dA + e dB"""
    more = _behind(node, extra)
    moving = [(c, tangents[n], (*labels, *more)) for c, n, labels in terms if n in tangents]
    shape = (*node.shape, *extra)
    return view(*moving[0], shape) if len(moving) == 1 else add(moving, shape)


def _leibniz(node: Product, tangents: Tangents, extra: Shape) -> Node:
    """d(A B) = dA B + A dB, and d(A^p) = p A^(p-1) dA entry by entry; a norm d(‖x‖^p) = p/2 ‖x‖^(p-2) d(‖x‖²)"""
    more = _behind(node, extra)
    shape = (*node.shape, *extra)
    moved = [
        (n, tuple(k + len(extra) if k >= node.rank else k for k in labels), power) for n, labels, power in node.factors
    ]
    terms = []
    for position, (factor, labels, power) in enumerate(moved):
        if factor in tangents:
            others = [*moved[:position], *moved[position + 1 :]]
            inner, under, steps, scale = _base(factor, labels, power)
            factors = [*others, (factor, labels, power - steps), (tangents[inner], (*under, *more), 1)]
            terms.append((1, product(factors, shape, scale), tuple(range(len(shape)))))
    return add(terms, shape)


def _base(factor: Node, labels: Labels, power: Number) -> tuple[Node, Labels, int, Number]:
    """What a factor's power is differentiated by, the steps by which that lowers the power, and what comes before."""
    if not (isinstance(factor, Map) and factor.atom.name == "root") or power == 1:
        return factor, labels, 1, power
    c, square, axes = factor.arguments[0]
    return square, tuple(labels[k] for k in axes), 2, c * power * HALF


def _chain(node: Map, tangents: Tangents, extra: Shape) -> Node:
    """d f(x, y) = f_x dx + f_y dy, entry by entry"""
    more = _behind(node, extra)
    shape = (*node.shape, *extra)
    moving = any(argument in tangents for _, argument, _ in node.arguments[1:])
    derivatives = node.atom.partials if moving else node.atom.first
    partials = derivatives(node, *(node.argument(k) for k in range(len(node.arguments))))
    terms = []
    for (c, argument, labels), partial in zip(node.arguments, partials, strict=True):
        if partial is not None and argument in tangents:
            factors = [(partial, tuple(range(node.rank)), 1), (tangents[argument], (*labels, *more), 1)]
            terms.append((c, product(factors, shape), tuple(range(len(shape)))))
    return add(terms, shape)
