"""The adjugate of square matrices, det(A) A⁻¹, which singular matrices have too, and its differential.

Both are computed from the inverse where the matrix is well-conditioned, else from one singular value decomposition:
by products of the singular values that leave out one, or two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Operand, Shape, intern, operand, tag, view
from gradgen.notation import ATOM, PRODUCT, Math
from gradgen.ops.matrix import Matrices, framed, ready, standing, transposed
from gradgen.ops.operation import Part, Spelling, read
from gradgen.text import ATOM as TIGHT
from gradgen.text import Expr, call

TEMPLATE = "adjugate"


class Adjugate(Matrices):
    """adj(A), the transposed cofactors."""

    __slots__ = ()
    fields = ("node", "labels", "coefficient")

    @property
    def frame(self) -> Shape:
        return self.shape

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(adjugate, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return adjugate_along(self.matrices, self.tangent(tangent, extra))

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        expr, _ = ready(parts[0], self.rank, self.shape, self.coefficient, spelling)
        return call("_adjugate", expr), self.stands([parts[0][1]])

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return standing(orders, self.rank)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        stem = f"det({parts[0][0].text}) {parts[0][0].at(ATOM)}⁻"
        return Math(f"{stem}¹", PRODUCT, f"{stem}ᵀ")


def adjugate(matrices: Node) -> Node:
    """The adjugate of matrices (…, n, n)."""
    c, core, labels, shape, back = framed(matrices)
    symmetric = core.symmetric and len(shape) == 2
    made = intern(Adjugate, shape, (core, labels, c), (core.digest, tag(c), *labels), symmetric)
    return view(1, made, back, matrices.shape)


class AdjugateAlong(Matrices):
    """The differential of adj(A) in a direction, in which it is linear.

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

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        matrices = view(self.coefficient, new(self.node), self.labels, self.frame)
        return adjugate_along(matrices, self._direction(new(self.direction)))

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        moved, along = tangents
        assert moved is None and along is not None, "a third derivative of det"
        rank = self.rank
        labels = (*self.along, *range(rank, rank + len(extra)))
        return adjugate_along(self.matrices, view(1, along, labels, (*self.shape, *extra)))

    def transpose(self, cotangent: Node, position: int) -> Node:
        """<C, adj'(A)[D]> = <adj'(A)[Cᵀ]ᵀ, D>"""
        rank, r = self.rank, len(self.frame)
        swap = (*range(r - 2), r - 1, r - 2, *range(r, rank))
        turned = view(1, adjugate_along(self.matrices, view(1, cotangent, swap, self.shape)), swap, self.shape)
        return read([(turned, tuple(range(rank)), 1)], self.along, self.direction.shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        rank, r = self.rank, len(self.frame)
        expr, swapped = ready(parts[0], r, self.frame, self.coefficient, spelling)
        if swapped:
            expr = transposed(expr, r)
        batch = rank - 2
        if rank > r and r > 2:
            expr = Expr(f"{expr.at(TIGHT)}[{', '.join([':'] * (r - 2) + ['None'] * (rank - r))}]")
        place = {k: k if k < r - 2 else batch + k - (r - 2) if k < r else k - 2 for k in range(rank)}
        text, axes = parts[1]
        moved = (text, tuple(place[k] for k in axes))
        inner = tuple(self.shape[k] for k in sorted(place, key=place.__getitem__))
        direction, turned = ready(moved, rank, inner, 1, spelling)
        if turned:
            direction = transposed(direction, rank)
        return call("_adjugate_along", expr, direction), self.stands([])

    def stands(self, orders: Sequence[Labels]) -> Labels:
        r = len(self.frame)
        return (*range(r - 2), *range(r, self.rank), r - 2, r - 1)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"adj'({parts[0][0].text})[{parts[1][0].text}]")


def adjugate_along(matrices: Node, direction: Node) -> Node:
    """The differential of the adjugate of matrices (…, n, n) in a direction (…, n, n, …)."""
    c, core, labels, _, back = framed(matrices)
    rank = direction.rank
    order = (*back, *(k for k in range(rank) if k not in back))
    place = {label: axis for axis, label in enumerate(order)}
    e, inner, along = operand(direction, tuple(place[k] for k in range(rank)))
    full = tuple(direction.shape[k] for k in order)
    width = len(back)
    signature = (core.digest, tag(c), *labels, width, inner.digest, *along)
    made = intern(AdjugateAlong, full, (core, labels, c, width, inner, along), signature)
    return view(e, made, order, direction.shape)
