"""Reductions that are no sums: max, min and logsumexp over labels.

Softmax is ``exp(x - logsumexp(x))`` and needs no node. The ties of a maximum share its derivative equally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.atoms import call
from gradgen.dims import Size
from gradgen.labels import Labels, number
from gradgen.nodes import Node, Number, Operand, Shape, as_node, as_number, count, intern, operand, product, tag, view
from gradgen.notation import Math
from gradgen.ops.operation import Operation, Part, Spelling, contract
from gradgen.ops.others import others
from gradgen.ops.select import of_its_own
from gradgen.text import method, scaled


class Reduce(Operation):
    """``kind`` of the operand over the labels that are not axes of the result."""

    __slots__ = fields = ("kind", "coefficient", "node", "labels")
    kind: str
    coefficient: Number
    node: Node
    labels: Labels

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((self.coefficient, self.node, self.labels),)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return reduce(self.kind, view(self.coefficient, new(self.node)), self.labels, self.shape)

    def weights(self) -> Node:
        """The derivative by each entry of the node, on the node's axes."""
        node, c = self.node, self.coefficient
        x = view(c, node)
        back = tuple(self.labels.index(k) for k in range(self.rank))
        value = view(1, self, back, node.shape)
        if self.kind == "logsumexp":
            return view(c, call("exp", x - value))
        if self.kind == "prod":
            [axis] = [axis for axis, k in enumerate(self.labels) if k >= self.rank]
            return view(c, others(x, axis))
        ties = call("equal", x, value)
        shares = product([(ties, self.labels, 1)], self.shape)
        return view(c, ties) / view(1, shares, back, node.shape)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return contract(self.weights(), tangent, self.labels, self.shape, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        [(operand, order)] = parts
        if self.node.symmetric:
            order = tuple(sorted(order, key=lambda k: k >= self.rank))  # along rows
        return method(scaled(self.coefficient, operand), f".{self.kind}({self._axis(order)})"), self.stands([order])

    def _axis(self, order: Labels) -> str:
        gone = [str(position) for position, k in enumerate(order) if k >= self.rank]
        return "" if not self.rank else f"axis={gone[0]}" if len(gone) == 1 else f"axis=({', '.join(gone)})"

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(k for k in orders[0] if k < self.rank)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        [(operand, order)] = parts
        gone = [str(position) for position, k in enumerate(order) if k >= self.rank]
        tail = f", axis={','.join(gone)}" if self.rank else ""
        return Math(f"{self.kind}({operand.text}{tail})")


def prod(node: Node, axis: int) -> Node:
    """The product of the entries along an axis: the coefficient and what does not vary along it count as often."""
    size, rank = node.shape[axis], node.rank - 1
    shape = (*node.shape[:axis], *node.shape[axis + 1 :])
    c, core, inner = operand(node, tuple(range(node.rank)))
    labels = tuple(k if k < axis else rank if k == axis else k - 1 for k in inner)
    scale = _repeated(as_node(c), size)
    if axis not in inner:
        return scale * _repeated(view(1, core, labels, shape), size)
    if inner.count(axis) > 1:
        core = of_its_own(view(1, core, inner, node.shape), axis)
        labels = tuple(k if k < axis else rank if k == axis else k - 1 for k in range(node.rank))
    return scale * reduce("prod", core, labels, shape)


def _repeated(node: Node, times: Size) -> Node:
    """The product of so many copies."""
    if times.constant is not None:
        return node**times.constant
    return node if as_number(node) in (0, 1) else call("power", node, 0 * node + count(times))


def reduce(kind: str, node: Node, labels: Labels, shape: Shape) -> Node:
    """``kind`` (max, min, logsumexp or prod) of a node over the labels from ``len(shape)`` on."""
    c, core, inner = operand(node, labels)
    lost = [size for label, size in zip(labels, node.shape, strict=True) if label >= len(shape) and label not in inner]
    kept = [k for k in inner if k < len(shape)]
    place = {label: axis for axis, label in enumerate([*kept, *(k for k in inner if k not in kept)])}
    if len(kept) == len(inner):
        value = view(c, core, inner, shape)
    else:
        moved = tuple(place[k] for k in inner)
        signature = (number(kind), tag(c), core.digest, *moved)
        reduced = intern(Reduce, tuple(shape[k] for k in kept), (kind, c, core, moved), signature)
        value = view(1, reduced, tuple(kept), shape)
    for size in lost:  # log(n exp(x)) = x + log n
        if kind == "logsumexp":
            value = value + call("log", count(size))
        elif kind == "prod":
            value = _repeated(value, size)
    return value
