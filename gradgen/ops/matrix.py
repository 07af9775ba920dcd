"""What functions of matrices share: the frame in which they see their operand.

The labels of a frame are those of the batch, 0 … r-3, then those of the rows and the columns. Which of the two axes of
a matrix are its rows is settled by the operand, so that a matrix and its transpose meet in one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gradgen.dims import Size
from gradgen.labels import Labels
from gradgen.nodes import Node, Number, Operand, Shape, intern, operand, product, tag, view
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
    """Matrices (…, m, n) in their frame; axes of the batch along which they do not vary are left out."""
    rank = matrices.rank
    c, core, labels = operand(matrices, tuple(range(rank)))
    batch = list(dict.fromkeys(k for k in labels if k < rank - 2))
    square = [k for k in labels if k >= rank - 2] + [rank - 2, rank - 1]
    order = [*batch, *dict.fromkeys(square)]
    place = {label: axis for axis, label in enumerate(order)}
    moved = tuple(place[k] for k in labels)
    return Framed(c, core, moved, tuple(matrices.shape[k] for k in order), tuple(order))


class Matrices(Operation):
    """A function of matrices: ``coefficient * node`` under the labels of the frame."""

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


class Single(Matrices):
    """What has a number for each matrix; ``sides`` is the shape of its frame's last two axes."""

    __slots__ = ("sides",)
    fields = ("node", "labels", "coefficient", "sides")
    sides: Shape

    @property
    def frame(self) -> Shape:
        return (*self.shape, *self.sides)

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(range(self.rank))

    def weighed(self, weights: Node, tangent: Node, extra: Shape) -> Node:
        """<W, dA>"""
        rank, more = self.rank, len(extra)
        batch, sides = tuple(range(rank)), (rank + more, rank + more + 1)
        d = self.tangent(tangent, extra)
        factors = [(weights, (*batch, *sides), 1), (d, (*batch, *sides, *range(rank, rank + more)), 1)]
        return product(factors, (*self.shape, *extra))

    def standing(self, parts: Sequence[Part], spelling: Spelling) -> tuple[Expr, bool]:
        """The matrices, rows and columns in either order, and whether these are exchanged."""
        return ready(parts[0], len(self.frame), self.frame, self.coefficient, spelling)


class Along(Matrices):
    """The differential of a function of matrices that gives matrices, in a direction, in which it is linear.

    ``direction`` runs over the labels ``along`` of the frame and of the result's axes behind it.
    """

    __slots__ = ("along", "direction", "width")
    fields = ("node", "labels", "coefficient", "width", "direction", "along")
    linear = (1,)
    direction: Node
    along: Labels
    width: int  # the rank of the frame

    def parts(self) -> tuple[Node, ...]:
        return (self.node, self.direction)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((self.coefficient, self.node, self.labels), (1, self.direction, self.along))

    @property
    def frame(self) -> Shape:
        return self.shape[: self.width]

    def _direction(self, node: Node) -> Node:
        return view(1, node, self.along, self.shape)

    def both(self, make: Callable[[Node, Node], Node], new: Callable[[Node], Node]) -> Node:
        """The same differential of a new operand in a new direction."""
        matrices = view(self.coefficient, new(self.node), self.labels, self.frame)
        return make(matrices, self._direction(new(self.direction)))

    def further(self, make: Callable[[Node, Node], Node], tangents: Sequence[Node | None], extra: Shape) -> Node:
        """The differential by the direction."""
        moved, along = tangents
        assert moved is None and along is not None, "a third derivative"
        rank = self.rank
        labels = (*self.along, *range(rank, rank + len(extra)))
        return make(self.matrices, view(1, along, labels, (*self.shape, *extra)))

    def texts(self, parts: Sequence[Part], spelling: Spelling) -> tuple[Expr, Expr, bool]:
        """The matrices and the directions, rows and columns last, and whether both are those of the transposes."""
        rank, r = self.rank, len(self.frame)
        expr, swapped = ready(parts[0], r, self.frame, self.coefficient, spelling)
        batch = rank - 2
        if rank > r and r > 2:
            expr = Expr(f"{expr.at(ATOM)}[{', '.join([':'] * (r - 2) + ['None'] * (rank - r))}]")
        place = {k: k if k < r - 2 else batch + k - (r - 2) if k < r else k - 2 for k in range(rank)}
        text, axes = parts[1]
        moved = (text, tuple(place[k] for k in axes))
        inner = tuple(self.shape[k] for k in sorted(place, key=place.__getitem__))
        direction, turned = ready(moved, rank, inner, 1, spelling)
        return expr, transposed(direction, rank) if turned != swapped else direction, swapped

    def stands(self, orders: Sequence[Labels]) -> Labels:
        """As the matrices stand: the differential at the transposes is that of the transposes."""
        r = len(self.frame)
        last = standing(orders, r)[-2:]
        return (*range(r - 2), *range(r, self.rank), *last)


def along(kind: type[Along], matrices: Node, direction: Node) -> Node:
    """The differential at matrices (…, m, n) in a direction (…, m, n, …)."""
    c, core, labels, _, back = framed(matrices)
    rank = direction.rank
    order = (*back, *(k for k in range(rank) if k not in back))
    place = {label: axis for axis, label in enumerate(order)}
    e, inner, run = operand(direction, tuple(place[k] for k in range(rank)))
    full = tuple(direction.shape[k] for k in order)
    width = len(back)
    signature = (core.digest, tag(c), *labels, width, inner.digest, *run)
    made = intern(kind, full, (core, labels, c, width, inner, run), signature)
    return view(e, made, order, direction.shape)


def singly(kind: type[Single], matrices: Node) -> Node:
    """A number for each of the matrices (…, m, n)."""
    c, core, labels, shape, back = framed(matrices)
    made = intern(kind, shape[:-2], (core, labels, c, shape[-2:]), (core.digest, tag(c), *labels))
    return view(1, made, back[:-2], matrices.shape[:-2])


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
