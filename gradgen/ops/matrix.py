"""What functions of square matrices share: the frame in which they see their operand.

The labels of a frame are those of the batch, 0 … r-3, then those of the rows and the columns. Which of the two axes of
a matrix are its rows is settled by the operand, so that a matrix and its transpose meet in one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gradgen.dims import Size
from gradgen.labels import Labels
from gradgen.nodes import Node, Number, Operand, Shape, operand, view
from gradgen.ops.operation import Operation, Part, Spelling, spread
from gradgen.text import ATOM, Expr, permuted, scaled


class Framed(NamedTuple):
    """An operand in its frame; ``back`` gives the axes of the matrices as they were given, ``shape`` is the frame's."""

    coefficient: Number
    node: Node
    labels: Labels
    shape: Shape
    back: Labels


def framed(matrices: Node) -> Framed:
    """Matrices (…, n, n) in their frame; axes of the batch along which they do not vary are left out."""
    rank = matrices.rank
    c, core, labels = operand(matrices, tuple(range(rank)))
    batch = list(dict.fromkeys(k for k in labels if k < rank - 2))
    square = [k for k in labels if k >= rank - 2] + [rank - 2, rank - 1]
    order = [*batch, *dict.fromkeys(square)]
    place = {label: axis for axis, label in enumerate(order)}
    moved = tuple(place[k] for k in labels)
    return Framed(c, core, moved, tuple(matrices.shape[k] for k in order), tuple(order))


class Matrices(Operation):
    """A function of square matrices: ``coefficient * node`` under the labels of the frame."""

    __slots__ = ("coefficient", "labels", "node")
    coefficient: Number
    node: Node
    labels: Labels

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((self.coefficient, self.node, self.labels),)

    @property
    def size(self) -> Size:
        """The number of rows."""
        return self.frame[-1]

    @property
    def frame(self) -> Shape:
        raise NotImplementedError

    @property
    def matrices(self) -> Node:
        """The operand as an array of the frame's shape."""
        return view(self.coefficient, self.node, self.labels, self.frame)

    def tangent(self, tangent: Node, extra: Shape) -> Node:
        """The differential of the matrices where the node's is ``tangent``."""
        rank = len(self.frame)
        labels = (*self.labels, *range(rank, rank + len(extra)))
        return view(self.coefficient, tangent, labels, (*self.frame, *extra))

    def again(self, make: Callable[[Node], Node], new: Callable[[Node], Node]) -> Node:
        """The same function of a new operand."""
        return make(view(self.coefficient, new(self.node), self.labels, self.frame))


def ready(part: Part, rank: int, shape: Shape, coefficient: Number, spelling: Spelling) -> tuple[Expr, bool]:
    """The text of matrices with their axes in the frame's order but for rows and columns, and whether those are
    swapped."""
    expr, axes = part
    missing = rank - len(axes)
    if missing and sorted(axes) == list(range(missing, rank)) and len(axes) >= 2:  # NumPy repeats leading axes
        return ready((expr, tuple(k - missing for k in axes)), len(axes), shape[missing:], coefficient, spelling)
    swapped = axes == (*range(rank - 2), rank - 1, rank - 2)
    if missing:
        expr = spread((expr, axes), shape, spelling)
    elif not swapped:
        expr = permuted(expr, axes, tuple(range(rank)))
    return scaled(coefficient, expr), swapped


def transposed(expr: Expr, rank: int) -> Expr:
    """The matrices with rows and columns exchanged."""
    return Expr(f"{expr.at(ATOM)}{'.T' if rank == 2 else '.swapaxes(-1, -2)'}", fresh=False, depth=expr.depth)


def standing(orders: Sequence[Labels], rank: int) -> Labels:
    """How a function of matrices that gives matrices stands: as its operand where that is only transposed."""
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    return swapped if orders[0] == swapped else tuple(range(rank))
