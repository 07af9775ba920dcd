"""Entries of an axis by integer indices, which may repeat, and their adjoint, which adds up what falls on one entry.

Indices are an argument, which is a symbol, or stand in the spec.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.dims import Size
from gradgen.labels import Labels, number
from gradgen.nodes import Node, Operand, Shape, Symbol, intern, is_zero, operand, view, zero
from gradgen.notation import ATOM, Math
from gradgen.ops.operation import Operation, Part, Spelling, read
from gradgen.text import Expr, method

Index = tuple[int, ...] | Symbol


class Indexed(Operation):
    """An operation on one axis of an array by indices."""

    __slots__ = ()
    linear = (0,)
    index: Index

    def indices(self, axis: int) -> tuple[Operand, ...]:
        """The indices as an operand, where they are an argument."""
        return ((1, self.index, (axis,)),) if isinstance(self.index, Symbol) else ()

    def said(self, parts: Sequence[tuple[Expr | Math, Labels]]) -> str:
        return parts[1][0].text if isinstance(self.index, Symbol) else str(list(self.index))


class Gather(Indexed):
    """The entries at the indices of one axis of an array, whose axes are the labels of a node: a repeated one is a
    diagonal."""

    __slots__ = fields = ("node", "labels", "axis", "index")
    node: Node
    labels: Labels
    axis: int
    index: Index

    def parts(self) -> tuple[Node, ...]:
        return (self.node, *(n for _, n, _ in self.indices(self.axis)))

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, self.labels), *self.indices(self.axis))

    @property
    def full(self) -> Shape:
        """The shape that is gathered from."""
        size = self.node.shape[self.labels.index(self.axis)]
        return (*self.shape[: self.axis], size, *self.shape[self.axis + 1 :])

    def _whole(self, node: Node, extra: Shape = ()) -> Node:
        labels = (*self.labels, *range(self.rank, self.rank + len(extra)))
        return view(1, node, labels, (*self.full, *extra))

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return gather(self._whole(new(self.node)), self.axis, self.index)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        assert tangents[0] is not None
        return gather(self._whole(tangents[0], extra), self.axis, self.index)

    def transpose(self, cotangent: Node, position: int) -> Node:
        whole = scatter(cotangent, self.axis, self.index, self.full[self.axis])
        return read([(whole, tuple(range(whole.rank)), 1)], self.labels, self.node.shape)

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return orders[0]

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr, order = parts[0]
        return method(expr, f"[{', '.join([':'] * order.index(self.axis) + [self.said(parts)])}]"), order

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        math, order = parts[0]
        return Math(f"{math.at(ATOM)}[{', '.join([':'] * order.index(self.axis) + [self.said(parts)])}]")


class Scatter(Indexed):
    """Zeros, to which the entries of a node are added at the indices of one axis."""

    __slots__ = fields = ("node", "axis", "index", "size")
    node: Node
    axis: int
    index: Index
    size: Size

    def parts(self) -> tuple[Node, ...]:
        return (self.node, *(n for _, n, _ in self.indices(self.axis)))

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, tuple(range(self.node.rank))), *self.indices(self.axis))

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return orders[0]

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return scatter(new(self.node), self.axis, self.index, self.size)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        assert tangents[0] is not None
        return scatter(tangents[0], self.axis, self.index, self.size)

    def transpose(self, cotangent: Node, position: int) -> Node:
        return gather(cotangent, self.axis, self.index)

    @property
    def distinct(self) -> bool:
        """Whether no index is there twice, as far as the spec says."""
        return isinstance(self.index, tuple) and len(set(self.index)) == len(self.index)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        math, order = parts[0]
        return Math(f"scatter({math.text}, [{', '.join([':'] * order.index(self.axis) + [self.said(parts)])}])")


def _signature(index: Index) -> tuple[int, ...]:
    return (index.digest,) if isinstance(index, Symbol) else (number(str(index)),)


def gather(node: Node, axis: int, index: Index) -> Node:
    """The entries at the indices of an axis; a broadcast axis takes the length of the indices."""
    length = index.shape[0] if isinstance(index, Symbol) else Size.of(len(index))
    shape = (*node.shape[:axis], length, *node.shape[axis + 1 :])
    if is_zero(node):
        return zero(shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    if axis not in labels:
        return view(c, core, labels, shape)
    held = sorted(set(labels))
    place = {label: position for position, label in enumerate(held)}
    inner, where = place[axis], tuple(place[k] for k in labels)
    made_shape = tuple(length if k == axis else node.shape[k] for k in held)
    made = intern(Gather, made_shape, (core, where, inner, index), (core.digest, *where, inner, *_signature(index)))
    return view(c, made, tuple(held), shape)


def scatter(node: Node, axis: int, index: Index, size: Size) -> Node:
    """Zeros with the entries of a node added at the indices of an axis of the given size."""
    shape = (*node.shape[:axis], size, *node.shape[axis + 1 :])
    if is_zero(node):
        return zero(shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    whole = labels == tuple(range(core.rank)) and core.shape == node.shape
    body = core if whole else view(1, core, labels, node.shape)
    signature = (body.digest, axis, *_signature(index), number(size.key))
    return view(c, intern(Scatter, shape, (body, axis, index, size), signature))
