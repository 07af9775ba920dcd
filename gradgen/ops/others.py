"""Products of all other entries along an axis: the derivative of a product, right where entries are 0.

The differential is made of the products that leave out two, computed pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Operand, Shape, intern, operand, view
from gradgen.notation import Math
from gradgen.ops.operation import Operation, Part, Spelling, read, spread
from gradgen.ops.select import of_its_own
from gradgen.text import ATOM, Expr, call, permuted, scaled

TEMPLATE = "products"


class Others(Operation):
    """For each entry the product of all others along an axis."""

    __slots__ = fields = ("node", "axis")
    node: Node
    axis: int

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return (operand(self.node, tuple(range(self.node.rank))),)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return others(new(self.node), self.axis)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return others_along(self.node, tangent, self.axis)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        expr, order = _whole(self.node, parts[0], spelling)
        return call("_others", expr, after=str(order.index(self.axis))), order

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return _axes(self.node, orders[0])

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"prod of others({parts[0][0].text})")


class OthersAlong(Operation):
    """The differential of `Others` in a direction, whose further axes come last."""

    __slots__ = fields = ("node", "direction", "labels", "axis")
    linear = (1,)
    node: Node
    direction: Node
    labels: Labels
    axis: int

    def parts(self) -> tuple[Node, ...]:
        return (self.node, self.direction)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return (operand(self.node, tuple(range(self.node.rank))), (1, self.direction, self.labels))

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return others_along(new(self.node), view(1, new(self.direction), self.labels, self.shape), self.axis)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        moved, along = tangents
        assert moved is None and along is not None, "a third derivative of a product"
        labels = (*self.labels, *range(self.rank, self.rank + len(extra)))
        return others_along(self.node, view(1, along, labels, (*self.shape, *extra)), self.axis)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        node, order = _whole(self.node, parts[0], spelling)
        direction, axes = parts[1]
        rank = self.node.rank
        wanted = (*(k for k in range(rank, self.rank)), *order)
        kept = tuple(k for k in wanted if k in axes)
        direction = permuted(direction, axes, kept)
        missing = [":" if k in axes else "None" for k in wanted]
        if "None" in missing and axes:
            direction = Expr(f"{direction.at(ATOM)}[{', '.join(missing)}]", fresh=False)
        return call("_others_along", node, direction, after=str(order.index(self.axis) - rank)), wanted

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return (*(k for k in range(self.node.rank, self.rank)), *_axes(self.node, orders[0]))

    def transpose(self, cotangent: Node, position: int) -> Node:
        """The products that leave out two are symmetric in the two."""
        whole = others_along(self.node, cotangent, self.axis)
        return read([(whole, tuple(range(whole.rank)), 1)], self.labels, self.direction.shape)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"prod of others'({parts[0][0].text})[{parts[1][0].text}]")


def _axes(node: Node, order: Labels) -> Labels:
    """The axes of a node as they stand; those along which it does not vary are spread in their places."""
    return order if len(order) == node.rank else tuple(range(node.rank))


def _whole(node: Node, part: Part, spelling: Spelling) -> Part:
    """The text of a node, which may be a view, with its coefficient and all of its axes."""
    c, _, _ = operand(node, tuple(range(node.rank)))
    expr, order = scaled(c, part[0]), part[1]
    found = _axes(node, order)
    return (expr, order) if found == order else (spread((expr, order), node.shape, spelling), found)


def others(node: Node, axis: int) -> Node:
    """The products of all other entries along an axis of a node."""
    if _diagonal(node):
        node = of_its_own(node, axis)
    return intern(Others, node.shape, (node, axis), (node.digest, axis))


def _diagonal(node: Node) -> bool:
    _, _, labels = operand(node, tuple(range(node.rank)))
    return len(set(labels)) < len(labels)


def others_along(node: Node, direction: Node, axis: int) -> Node:
    if _diagonal(node):
        node = of_its_own(node, axis)
    c, core, labels = operand(direction, tuple(range(direction.rank)))
    signature = (node.digest, core.digest, *labels, axis)
    return view(c, intern(OthersAlong, direction.shape, (node, core, labels, axis), signature))
