"""The inverse of square matrices; its differential is -A⁻¹ dA A⁻¹."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from gradgen.labels import Labels
from gradgen.nodes import Node, Shape, intern, product, rational, view
from gradgen.notation import ATOM, POSTFIX, Math
from gradgen.ops.matrix import Matrices, framed, ready, standing
from gradgen.ops.operation import Part, Spelling
from gradgen.text import call


class Inverse(Matrices):
    """A⁻¹, the coefficient of A outside."""

    __slots__ = ()
    fields = ("node", "labels", "coefficient")

    @property
    def frame(self) -> Shape:
        return self.shape

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(inverse, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        """dA⁻¹ = -A⁻¹ dA A⁻¹"""
        [tangent] = tangents
        assert tangent is not None
        rank, more = self.rank, len(extra)
        batch, last = range(rank - 2), rank + more
        factors = [
            (self, (*batch, rank - 2, last), 1),
            (self.tangent(tangent, extra), (*batch, last, last + 1, *range(rank, last)), 1),
            (self, (*batch, last + 1, rank - 1), 1),
        ]
        return product(factors, (*self.shape, *extra), -1)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr, swapped = ready(parts[0], self.rank, self.shape, 1, spelling)
        factors = spelling.factors(self, "inverse", expr, swapped)
        if factors is not None:
            return call(f"{factors[0]}.inverse"), (1, 0) if factors[1] else (0, 1)
        return call("np.linalg.inv", expr), self.stands([parts[0][1]])

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return standing(orders, self.rank)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        base = parts[0][0].at(ATOM)
        return Math(f"{base}⁻¹", POSTFIX, f"{base}⁻ᵀ")


def inverse(matrices: Node) -> Node:
    """The inverse of matrices (…, n, n)."""
    c, core, labels, shape, back = framed(matrices)
    if c == 0:
        c = 1  # the inverse of zeros: infinite at run time, as NumPy says
        core = matrices
    if isinstance(core, Inverse) and labels == tuple(range(core.rank)):
        inner = core.matrices
    else:
        symmetric = core.symmetric and len(shape) == 2
        inner = intern(Inverse, shape, (core, labels, 1), (core.digest, *labels), symmetric)
    return view(rational(Fraction(1) / Fraction(c)), inner, back, matrices.shape)
