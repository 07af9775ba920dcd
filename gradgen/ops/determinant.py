"""The determinant of square matrices, its sign, and the logarithm of its absolute value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Shape, intern, product, tag, view, zero
from gradgen.notation import Math
from gradgen.ops.adjugate import adjugate
from gradgen.ops.inverse import inverse
from gradgen.ops.matrix import Matrices, framed, ready
from gradgen.ops.operation import Part, Spelling
from gradgen.text import Expr, call


class Determinant(Matrices):
    """What has a number for each matrix; ``square`` is the shape of its frame's last two axes."""

    __slots__ = ("square",)
    fields = ("node", "labels", "coefficient", "square")
    square: Shape

    @property
    def frame(self) -> Shape:
        return (*self.shape, *self.square)

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(range(self.rank))

    def weighed(self, weights: Node, tangent: Node, extra: Shape) -> Node:
        """tr(W dA)"""
        rank, more = self.rank, len(extra)
        batch = tuple(range(rank))
        i, j = rank + more, rank + more + 1
        d = self.tangent(tangent, extra)
        return product(
            [(weights, (*batch, j, i), 1), (d, (*batch, i, j, *range(rank, rank + more)), 1)], (*self.shape, *extra)
        )

    def text(self, parts: Sequence[Part], spelling: Spelling) -> Expr:
        """The matrices, rows and columns in either order."""
        return ready(parts[0], len(self.frame), self.frame, self.coefficient, spelling)[0]


class Det(Determinant):
    """det(A), whose differential is tr(adj(A) dA), at singular matrices too."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(det, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return self.weighed(adjugate(self.matrices), tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        return call("np.linalg.det", self.text(parts, spelling)), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"det({parts[0][0].text})")


class LogDet(Determinant):
    """log|det(A)|, whose differential is tr(A⁻¹ dA)."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(logdet, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return self.weighed(inverse(self.matrices), tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        found = call("np.linalg.slogdet", self.text(parts, spelling))
        return Expr(f"{found.text}[1]", depth=found.depth), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"log|det({parts[0][0].text})|")


class DetSign(Determinant):
    """The sign of det(A), whose differential is 0."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(detsign, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        return zero((*self.shape, *extra))

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        found = call("np.linalg.slogdet", self.text(parts, spelling))
        return Expr(f"{found.text}[0]", depth=found.depth), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"sign(det({parts[0][0].text}))")


def _of(kind: type[Determinant], matrices: Node) -> Node:
    c, core, labels, shape, back = framed(matrices)
    made = intern(kind, shape[:-2], (core, labels, c, shape[-2:]), (core.digest, tag(c), *labels))
    return view(1, made, back[:-2], matrices.shape[:-2])


def det(matrices: Node) -> Node:
    """The determinant of each matrix (…, n, n)."""
    return _of(Det, matrices)


def logdet(matrices: Node) -> Node:
    """log|det(A)| of each matrix (…, n, n)."""
    return _of(LogDet, matrices)


def detsign(matrices: Node) -> Node:
    """The sign of the determinant of each matrix (…, n, n)."""
    return _of(DetSign, matrices)
