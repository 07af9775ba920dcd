"""What every operation of `gradgen.ops` states of itself."""

from __future__ import annotations

from typing import ClassVar, Protocol

from gradgen.dims import Size
from gradgen.labels import Labels
from gradgen.nodes import Node, Operand, Shape, product
from gradgen.text import Expr


class Operation(Node):
    """An operation on one operand. ``linear``: the differential is the operation itself, and `transpose` is its
    adjoint."""

    __slots__ = ()
    linear: ClassVar[bool] = False

    @property
    def argument(self) -> Operand:
        raise NotImplementedError

    def differential(self, tangent: Node, extra: Shape) -> Node:
        """The differential where the operand's is ``tangent``, which has the axes ``extra`` after the operand's own."""
        raise NotImplementedError

    def transpose(self, cotangent: Node) -> Node:
        """The adjoint, for a linear operation: what <cotangent, self> is the inner product of the operand with."""
        raise NotImplementedError

    def numpy(self, operand: Expr, axes: Labels, spelling: Spelling) -> tuple[Expr, Labels]:
        """The operation in NumPy and the order of its axes, from the operand's text and the order of the operand's
        axes."""
        raise NotImplementedError


def contract(weights: Node, tangent: Node, labels: tuple[int, ...], shape: Shape, extra: Shape) -> Node:
    """The sum of weights * tangent over the labels beyond ``shape``; the axes ``extra`` come last."""
    rank, more = len(shape), len(extra)
    moved = tuple(k + more if k >= rank else k for k in labels)
    return product([(weights, moved, 1), (tangent, (*moved, *range(rank, rank + more)), 1)], (*shape, *extra))


class Spelling(Protocol):
    """What an operation needs to know of the code around it to spell itself."""

    def size(self, size: Size) -> Expr: ...

    @property
    def dtype(self) -> str: ...
