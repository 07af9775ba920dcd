"""Which matrices are diagonal or triangular by the way in which they are made, and what stands on their diagonal."""

from __future__ import annotations

from gradgen.labels import Labels
from gradgen.nodes import (
    Add,
    Delta,
    Node,
    Number,
    Operand,
    Product,
    Symbol,
    Triangle,
    add,
    inlined,
    operand,
    product,
    view,
)
from gradgen.ops.factor import Cholesky

Ways = frozenset[int]


def is_diagonal(matrices: Node) -> bool:
    """Whether matrices (…, n, n) are 0 off their diagonal."""
    _, core, labels = operand(matrices, tuple(range(matrices.rank)))
    return _diagonal(core, labels, frozenset((matrices.rank - 2, matrices.rank - 1)))


def _diagonal(core: Node, labels: Labels, square: Ways) -> bool:
    if isinstance(core, Add):
        return all(_diagonal(n, tuple(labels[k] for k in axes), square) for _, n, axes in core.terms)
    if isinstance(core, Product):
        moved = (tuple(labels[k] if k < core.rank else -1 for k in axes) for _, axes, _ in _deltas(core))
        return any(square == set(axes) for axes in moved)
    return isinstance(core, Delta) and square == set(labels)


def _deltas(core: Product) -> list[tuple[Node, Labels, object]]:
    return [factor for factor in core.factors if isinstance(factor[0], Delta)]


def rows(matrices: Node) -> Ways:
    """The axes of matrices (…, n, n) that may be the rows of a lower triangular one: none, one, or both."""
    _, core, labels = operand(matrices, tuple(range(matrices.rank)))
    return _rows(core, labels, frozenset((matrices.rank - 2, matrices.rank - 1)))


def _rows(core: Node, labels: Labels, square: Ways) -> Ways:
    nothing: Ways = frozenset()
    if isinstance(core, Add):
        found = [_rows(n, tuple(labels[k] for k in axes), square) for _, n, axes in core.terms]
        return frozenset.intersection(*found)
    if isinstance(core, Product):
        moved = [(n, tuple(labels[k] if k < core.rank else -1 for k in axes)) for n, axes, p in core.factors if p == 1]
        return nothing.union(*(_rows(n, axes, square) for n, axes in moved if not isinstance(n, Add | Product)))
    if set(labels[-2:]) != square:
        return nothing
    if isinstance(core, Delta):
        return square
    known = isinstance(core, Symbol) and "triangular" in core.facts
    lower = known or isinstance(core, Cholesky) or (isinstance(core, Triangle) and core.offset <= 0)
    return frozenset((labels[-2],)) if lower else nothing


def diagonal(matrices: Node) -> Node:
    """The diagonals of matrices (…, n, n)."""
    rank = matrices.rank - 1
    c, core, labels = operand(matrices, (*range(rank), rank - 1))
    return view(*_on_diagonal(c, core, labels, matrices), matrices.shape[:-1])


def _on_diagonal(c: Number, core: Node, labels: Labels, matrices: Node) -> Operand:
    """A term with its axes under labels of the diagonals: what a sum or product is made of is taken there."""
    shape = matrices.shape[:-1]
    if isinstance(core, Add):
        terms = [_on_diagonal(e, n, tuple(labels[k] for k in axes), matrices) for e, n, axes in core.terms]
        core, labels = add(terms, shape), tuple(range(len(shape)))
    elif isinstance(core, Product):
        core, labels = product(inlined(core, labels, len(shape)), shape), tuple(range(len(shape)))
    else:
        core, labels = product([(core, labels, 1)], shape), tuple(range(len(shape)))
    return c, core, labels
