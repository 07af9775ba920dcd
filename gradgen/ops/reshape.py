"""The entries of an array, row by row, in another shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels, number
from gradgen.nodes import Node, Operand, Shape, intern, is_zero, operand, view, zero
from gradgen.notation import ATOM, Math
from gradgen.ops.operation import Operation, Part, Spelling, read, spread
from gradgen.text import method, permuted


class Reshape(Operation):
    """The entries of a node of shape ``full``, whose axes run over ``labels``."""

    __slots__ = fields = ("node", "labels", "full")
    linear = (0,)
    node: Node
    labels: Labels
    full: Shape

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, self.labels),)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return reshape(view(1, new(self.node), self.labels, self.full), self.shape)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        rank, more = len(self.full), len(extra)
        whole = view(1, tangent, (*self.labels, *range(rank, rank + more)), (*self.full, *extra))
        return reshape(whole, (*self.shape, *extra))

    def transpose(self, cotangent: Node, position: int) -> Node:
        whole = reshape(cotangent, self.full)
        return read([(whole, tuple(range(whole.rank)), 1)], self.labels, self.node.shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        [(expr, axes)] = parts
        if len(axes) < len(self.full):
            expr = spread((expr, axes), self.full, spelling)
        else:
            expr = permuted(expr, axes, tuple(range(len(self.full))))
        if self.rank == 1:
            return method(expr, ".ravel()", fresh=False), (0,)
        return method(expr, f".reshape({_sizes(self.shape, spelling) or '()'})", fresh=False), tuple(range(self.rank))

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        [(math, axes)] = parts
        text = f"{math.at(ATOM)}ᵀ" if axes == (1, 0) else math.text
        return Math(f"vec({text})" if self.rank == 1 else f"reshape({text}, {_sizes(self.shape, spelling)})")


def _sizes(shape: Shape, spelling: Spelling) -> str:
    return ", ".join(spelling.size(size).text for size in shape)


def reshape(node: Node, shape: Shape) -> Node:
    """The entries of a node in another shape of as many."""
    if node.shape == shape:
        return node
    if is_zero(node):
        return zero(shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    if not labels:
        return view(c, core, (), shape)
    if isinstance(core, Reshape) and labels == tuple(range(core.rank)) and core.shape == node.shape:
        return view(c, reshape(view(1, core.node, core.labels, core.full), shape))
    signature = (core.digest, *labels, *(number(size.key) for size in node.shape))
    return view(c, intern(Reshape, shape, (core, labels, node.shape), signature))
