"""Laws of matrices that are diagonal or triangular: their determinants and inverses need no elimination."""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.atoms import call
from gradgen.labels import Labels
from gradgen.nodes import (
    Add,
    Delta,
    Factor,
    Node,
    Number,
    Operand,
    Product,
    Shape,
    Triangle,
    add,
    delta,
    inlined,
    product,
)
from gradgen.ops.determinant import Det, DetSign, LogDet
from gradgen.ops.inverse import Inverse
from gradgen.ops.reduce import prod
from gradgen.ops.triangular import diagonal, is_diagonal, rows


def _entries(node: Det | LogDet | DetSign) -> Node | None:
    """The diagonals of triangular matrices, whose product is the determinant."""
    return diagonal(node.matrices) if rows(node.matrices) or is_diagonal(node.matrices) else None


def det_of_triangular(node: Node) -> Node | None:
    """det(L) = ∏ L_ii, also of a diagonal matrix"""
    entries = _entries(node) if isinstance(node, Det) else None
    return None if entries is None else prod(entries, node.rank)


def logdet_of_triangular(node: Node) -> Node | None:
    """log|det(L)| = Σ log|L_ii|, also of a diagonal matrix"""
    entries = _entries(node) if isinstance(node, LogDet) else None
    if entries is None:
        return None
    return product([(call("log", call("absolute", entries)), tuple(range(entries.rank)), 1)], node.shape)


def detsign_of_triangular(node: Node) -> Node | None:
    """sign(det(L)) = ∏ sign(L_ii), also of a diagonal matrix"""
    entries = _entries(node) if isinstance(node, DetSign) else None
    return None if entries is None else prod(call("sign", entries), node.rank)


def inverse_of_diagonal(node: Node) -> Node | None:
    """diag(v)⁻¹ = diag(1/v)"""
    if not isinstance(node, Inverse) or not is_diagonal(node.matrices):
        return None
    last = node.rank - 1
    entries = diagonal(node.matrices)
    factors = [(entries, tuple(range(last)), -1), (delta(node.shape[-1]), (last - 1, last), 1)]
    return product(factors, node.shape)


def triangle_on_diagonal(node: Node) -> Node | None:
    """T ∘ I = I, T the triangle of ones"""
    if not isinstance(node, Product):
        return None
    for mask, labels, power in node.factors:
        on = any(isinstance(n, Delta) and set(axes) == set(labels) for n, axes, _ in node.factors)
        if isinstance(mask, Triangle) and mask.offset >= 0 and on:
            return product([f for f in node.factors if f != (mask, labels, power)], node.shape)
    return None


def sum_of_diagonals(node: Node) -> Node | None:
    """diag(x) + diag(y) = diag(x + y), diag(x) + c I = diag(x + c), and what stands on the diagonal of diag(x) is x"""
    if not isinstance(node, Add):
        return None
    found: dict[Labels, list[tuple[Number, list[Factor]]]] = {}
    others: list[Operand] = []
    changed = False
    for c, inner, labels in node.terms:
        pair, rest = _on_identity(inner, labels, node.rank)
        if pair and pair[0] == pair[1]:
            others.append((c, product(rest, node.shape), tuple(range(node.rank))))
            changed = True
        elif pair:
            found.setdefault(pair, []).append((c, rest))
        else:
            others.append((c, inner, labels))
    if not changed and all(len(terms) == 1 for terms in found.values()):
        return None
    joined = [_diagonal_of_sum(terms, pair, node.shape) for pair, terms in found.items()]
    return add([*others, *((1, n, tuple(range(node.rank))) for n in joined)], node.shape)


def _on_identity(node: Node, labels: Labels, rank: int) -> tuple[Labels, list[Factor]]:
    """The two axes of a sum on whose diagonal a term stands, with its other factors; no axes where it is elsewhere."""
    factors = inlined(node, labels, rank) if isinstance(node, Product) else [(node, labels, 1)]
    for position, (factor, pair, _) in enumerate(factors):
        if isinstance(factor, Delta):
            return (min(pair), max(pair)), [*factors[:position], *factors[position + 1 :]]
    return (), []


def _diagonal_of_sum(terms: Sequence[tuple[Number, list[Factor]]], pair: Labels, shape: Shape) -> Node:
    """The sum of what stands on the first of two axes, beside the other axes, put on their diagonal."""
    first, second = pair
    kept = tuple(axis for axis in range(len(shape)) if axis != second)
    inner = tuple(shape[axis] for axis in kept)

    def under(label: int) -> int:
        label = first if label == second else label
        return label - (label > second)

    moved = [(c, [(n, tuple(map(under, labels)), power) for n, labels, power in rest]) for c, rest in terms]
    total = add([(c, product(rest, inner), tuple(range(len(inner)))) for c, rest in moved], inner)
    return product([(total, kept, 1), (delta(shape[first]), pair, 1)], shape)


STRUCTURED_LAWS = (det_of_triangular, logdet_of_triangular, detsign_of_triangular, inverse_of_diagonal)
