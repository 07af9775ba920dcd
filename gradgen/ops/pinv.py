"""The pseudoinverse of matrices of constant rank.

Source: G. Golub and V. Pereyra, The differentiation of pseudo-inverses, 1973.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from gradgen.labels import Labels
from gradgen.nodes import Node, Operand, Shape, add, intern, operand, product, rational, view
from gradgen.notation import ATOM, POSTFIX, Math
from gradgen.ops.operation import Operation, Part, Spelling
from gradgen.text import call, permuted


class Pinv(Operation):
    """A⁺, of shape (…, n, m), of matrices (…, m, n); the labels of the operand are those of the matrices."""

    __slots__ = fields = ("node", "labels")
    node: Node
    labels: Labels

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, self.labels),)

    @property
    def full(self) -> Shape:
        return (*self.shape[:-2], self.shape[-1], self.shape[-2])

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return pinv(view(1, new(self.node), self.labels, self.full))

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        """dA⁺ = -A⁺ dA A⁺ + A⁺ A⁺ᵀ dAᵀ (I - A A⁺) + (I - A⁺ A) dAᵀ A⁺ᵀ A⁺"""
        [tangent] = tangents
        assert tangent is not None
        r, more = self.rank, len(extra)
        b, behind = tuple(range(r - 2)), tuple(range(r, r + more))
        i, j = r - 2, r - 1
        p, q, s, t = range(r + more, r + more + 4)
        shape = (*self.shape, *extra)
        d = view(1, tangent, (*self.labels, *behind), (*self.full, *extra))
        a = view(1, self.node, self.labels, self.full)
        of, to = (self, (*b, i, p)), (self, (*b, q, p))
        left, right = (d, (*b, s, q, *behind)), (d, (*b, p, t, *behind))
        terms = [
            (-1, [of, (d, (*b, p, q, *behind)), (self, (*b, q, j))]),
            (1, [of, to, (d, (*b, j, q, *behind))]),
            (-1, [of, to, left, (a, (*b, s, t)), (self, (*b, t, j))]),
            (1, [(d, (*b, p, i, *behind)), to, (self, (*b, q, j))]),
            (-1, [(self, (*b, i, s)), (a, (*b, s, t)), right, to, (self, (*b, q, j))]),
        ]
        axes = tuple(range(r + more))
        parts = [(c, product([(n, k, 1) for n, k in factors], shape), axes) for c, factors in terms]
        return add(parts, shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr, axes = parts[0]
        wanted = tuple(range(self.rank))
        if axes == wanted[::-1] and self.rank == 2:
            return call("np.linalg.pinv", expr), (1, 0)
        return call("np.linalg.pinv", permuted(expr, axes, wanted)), wanted

    def stands(self, orders: Sequence[Labels]) -> Labels:
        wanted = tuple(range(self.rank))
        return (1, 0) if self.rank == 2 and orders[0] == (1, 0) else wanted

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        base = parts[0][0].at(ATOM)
        return Math(f"{base}⁺", POSTFIX, f"{base}⁺ᵀ")


def pinv(matrices: Node) -> Node:
    """The pseudoinverse of matrices (…, m, n)."""
    c, core, labels = operand(matrices, tuple(range(matrices.rank)))
    shape = (*matrices.shape[:-2], matrices.shape[-1], matrices.shape[-2])
    made = intern(Pinv, shape, (core, labels), (core.digest, *labels))
    return view(rational(1 / Fraction(c)) if c else 0, made)
