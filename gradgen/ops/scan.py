"""Running sums along an axis; the adjoint is the running sum from the other end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Operand, Shape, arange, count, intern, is_zero, operand, product, view, zero
from gradgen.notation import Math
from gradgen.ops.operation import Operation, Part, Spelling
from gradgen.ops.select import of_its_own
from gradgen.text import call, method


class Scan(Operation):
    """The sums of a node along one of its axes up to each entry, or from it on."""

    __slots__ = fields = ("node", "axis", "backwards")
    linear = (0,)
    node: Node
    axis: int
    backwards: bool

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, tuple(range(self.node.rank))),)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return scan(new(self.node), self.axis, self.backwards)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return scan(tangent, self.axis, self.backwards)

    def transpose(self, cotangent: Node, position: int) -> Node:
        return scan(cotangent, self.axis, not self.backwards)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        [(expr, order)] = parts
        at = order.index(self.axis)
        turned = f"[{', '.join([':'] * at + ['::-1'])}]"
        operand = method(expr, turned, fresh=False) if self.backwards else expr
        found = call("np.cumsum", operand, after=f"axis={at}" if self.rank > 1 else "")
        return (method(found, turned, fresh=False) if self.backwards else found), order

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return orders[0]

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        [(math, order)] = parts
        name = "cumsum from the end" if self.backwards else "cumsum"
        axis = f", axis={order.index(self.axis)}" if self.rank > 1 else ""
        return Math(f"{name}({math.text}{axis})")


def scan(node: Node, axis: int, backwards: bool = False) -> Node:
    """The running sums of a node along an axis."""
    if is_zero(node):
        return zero(node.shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    if axis not in labels:  # k + 1 times the same, or n - k times
        size = node.shape[axis]
        steps = view(1, count(size), (), (size,)) - arange(size) if backwards else 1 + arange(size)
        return product([(node, tuple(range(node.rank)), 1), (steps, (axis,), 1)], node.shape)
    if labels.count(axis) > 1:
        return scan(of_its_own(node, axis), axis, backwards)
    inner = labels.index(axis)
    return view(c, _made(core, inner, backwards), labels, node.shape)


def _made(node: Node, axis: int, backwards: bool) -> Node:
    return intern(Scan, node.shape, (node, axis, backwards), (node.digest, axis, int(backwards)))
