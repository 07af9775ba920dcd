"""The nuclear norm of matrices, the sum of the singular values; its gradient, the polar factor; and the differential
of that.

The polar factor of A = U S Vᵀ is U Vᵀ. Its differential divides by sums s_i + s_j of singular values, never by
differences, so it is right where they meet, and wherever the rank is full (N. Higham, Functions of Matrices, 2008,
chapter 8). Singular values that are 0 are left out, so that at A = 0 both are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Shape, intern, tag, view
from gradgen.notation import Math
from gradgen.ops.matrix import Along, Matrices, Single, along, framed, ready, singly, standing
from gradgen.ops.operation import Part, Spelling, read
from gradgen.text import call

TEMPLATE = "polar"


class Nuclear(Single):
    """‖A‖_*, whose differential is <polar(A), dA>."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(nuclear, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return self.weighed(polar(self.matrices), tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        stack = ", axis=(-2, -1)" if self.rank else ""
        return call("np.linalg.norm", self.standing(parts, spelling)[0], after=f'"nuc"{stack}'), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"‖{parts[0][0].text}‖_*")


class Polar(Matrices):
    """U Vᵀ of A = U S Vᵀ."""

    __slots__ = ()
    fields = ("node", "labels", "coefficient")

    @property
    def frame(self) -> Shape:
        return self.shape

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(polar, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return polar_along(self.matrices, self.tangent(tangent, extra))

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        expr, _ = ready(parts[0], self.rank, self.shape, self.coefficient, spelling)
        return call("_polar", expr), self.stands([parts[0][1]])

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return standing(orders, self.rank)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"polar({parts[0][0].text})")


class PolarAlong(Along):
    """The differential of polar(A) in a direction: the Hessian of the nuclear norm, its own adjoint."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.both(polar_along, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        return self.further(polar_along, tangents, extra)

    def transpose(self, cotangent: Node, position: int) -> Node:
        """<C, polar'(A)[D]> = <polar'(A)[C], D>"""
        turned = polar_along(self.matrices, cotangent)
        return read([(turned, tuple(range(self.rank)), 1)], self.along, self.direction.shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        spelling.help(TEMPLATE)
        expr, direction, _ = self.texts(parts, spelling)
        return call("_polar_along", expr, direction), self.stands([parts[0][1]])

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"polar'({parts[0][0].text})[{parts[1][0].text}]")


def nuclear(matrices: Node) -> Node:
    """The sum of the singular values of each of the matrices (…, m, n)."""
    return singly(Nuclear, matrices)


def polar(matrices: Node) -> Node:
    """The polar factors of matrices (…, m, n)."""
    c, core, labels, shape, back = framed(matrices)
    symmetric = core.symmetric and len(shape) == 2
    made = intern(Polar, shape, (core, labels, c), (core.digest, tag(c), *labels), symmetric)
    return view(1, made, back, matrices.shape)


def polar_along(matrices: Node, direction: Node) -> Node:
    """The differential of the polar factors of matrices (…, m, n) in a direction (…, m, n, …)."""
    return along(PolarAlong, matrices, direction)
