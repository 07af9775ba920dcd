"""The adjugate of square matrices, det(A) A⁻¹, which singular matrices have too, and its differential.

Both are computed from the inverse where the matrix is well-conditioned, else from one singular value decomposition:
by products of the singular values that leave out one, or two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Shape, intern, tag, view
from gradgen.notation import ATOM, PRODUCT, Math
from gradgen.ops.matrix import Along, Matrices, along, framed, ready, standing
from gradgen.ops.operation import Part, Spelling, read
from gradgen.text import call

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
        expr, swapped = ready(parts[0], self.rank, self.shape, self.coefficient, spelling)
        factors = spelling.factors(self, "inverse det regular", expr, swapped)
        return call("_adjugate", expr, after=factors[0] if factors else ""), self.stands([parts[0][1]])

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


class AdjugateAlong(Along):
    """The differential of adj(A) in a direction."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.both(adjugate_along, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        return self.further(adjugate_along, tangents, extra)

    def transpose(self, cotangent: Node, position: int) -> Node:
        """<C, adj'(A)[D]> = <adj'(A)[Cᵀ]ᵀ, D>"""
        rank, r = self.rank, len(self.frame)
        swap = (*range(r - 2), r - 1, r - 2, *range(r, rank))
        turned = view(1, adjugate_along(self.matrices, view(1, cotangent, swap, self.shape)), swap, self.shape)
        return read([(turned, tuple(range(rank)), 1)], self.along, self.direction.shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        expr, direction, swapped = self.texts(parts, spelling)
        factors = spelling.factors(self, "inverse det regular", expr, swapped)
        made = call("_adjugate_along", expr, direction, after=factors[0] if factors else "")
        return made, self.stands([parts[0][1]])

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"adj'({parts[0][0].text})[{parts[1][0].text}]")


def adjugate_along(matrices: Node, direction: Node) -> Node:
    """The differential of the adjugate of matrices (…, n, n) in a direction (…, n, n, …)."""
    return along(AdjugateAlong, matrices, direction)
