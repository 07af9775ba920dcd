"""The determinant of square matrices, its sign, and the logarithm of its absolute value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Shape, view, zero
from gradgen.notation import Math
from gradgen.ops.adjugate import adjugate
from gradgen.ops.inverse import inverse
from gradgen.ops.matrix import Single, singly
from gradgen.ops.operation import Part, Spelling
from gradgen.text import Expr, call


class Det(Single):
    """det(A), whose differential is tr(adj(A) dA), at singular matrices too."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(det, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return self.weighed(_turned(adjugate(self.matrices)), tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr, swapped = self.standing(parts, spelling)
        factors = spelling.factors(self, "det", expr, swapped)
        return call(f"{factors[0]}.det") if factors else call("np.linalg.det", expr), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"det({parts[0][0].text})")


class LogDet(Single):
    """log|det(A)|, whose differential is tr(A⁻¹ dA)."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(logdet, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return self.weighed(_turned(inverse(self.matrices)), tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr, swapped = self.standing(parts, spelling)
        factors = spelling.factors(self, "logdet", expr, swapped)
        if factors is not None:
            return call(f"{factors[0]}.logdet"), tuple(range(self.rank))
        found = call("np.linalg.slogdet", expr)
        return Expr(f"{found.text}[1]", depth=found.depth), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"log|det({parts[0][0].text})|")


class DetSign(Single):
    """The sign of det(A), whose differential is 0."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(detsign, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        return zero((*self.shape, *extra))

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        found = call("np.linalg.slogdet", self.standing(parts, spelling)[0])
        return Expr(f"{found.text}[0]", depth=found.depth), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"sign(det({parts[0][0].text}))")


def _turned(matrices: Node) -> Node:
    """Aᵀ of each matrix"""
    rank = matrices.rank
    shape = (*matrices.shape[:-2], matrices.shape[-1], matrices.shape[-2])
    return view(1, matrices, (*range(rank - 2), rank - 1, rank - 2), shape)


def det(matrices: Node) -> Node:
    """The determinant of each matrix (…, n, n)."""
    return singly(Det, matrices)


def logdet(matrices: Node) -> Node:
    """log|det(A)| of each matrix (…, n, n)."""
    return singly(LogDet, matrices)


def detsign(matrices: Node) -> Node:
    """The sign of the determinant of each matrix (…, n, n)."""
    return singly(DetSign, matrices)
