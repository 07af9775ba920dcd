"""Laws of matrices that are diagonal or triangular: their determinants and inverses need no elimination."""

from __future__ import annotations

from gradgen.atoms import call
from gradgen.nodes import Delta, Node, Product, Triangle, delta, product
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


STRUCTURED_LAWS = (det_of_triangular, logdet_of_triangular, detsign_of_triangular, inverse_of_diagonal)
