"""Factors of symmetric matrices: the Cholesky factor, eigenvalues and eigenvectors.

They are functions of the symmetric part of their operand, so that gradients are symmetric (I. Murray, Differentiation
of the Cholesky decomposition, 2016; M. Giles, Collected matrix derivative results, 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from gradgen.atoms import call as apply_atom
from gradgen.labels import Labels
from gradgen.nodes import Node, Number, Shape, add, delta, intern, product, tag, triangle, view
from gradgen.notation import Math
from gradgen.ops.inverse import inverse
from gradgen.ops.matrix import Matrices, framed, ready
from gradgen.ops.operation import Part, Spelling
from gradgen.text import Expr, call

HALF = Fraction(1, 2)


class Symmetric(Matrices):
    """A function of symmetric matrices that gives matrices."""

    __slots__ = ()
    fields = ("node", "labels", "coefficient")

    @property
    def frame(self) -> Shape:
        return self.shape

    def even(self, tangent: Node, extra: Shape) -> Node:
        """The symmetric part of the differential of the matrices."""
        d = self.tangent(tangent, extra)
        if d.symmetric:
            return d
        r = len(self.frame)
        full = tuple(range(d.rank))
        turned = (*range(r - 2), r - 1, r - 2, *range(r, d.rank))
        return add([(HALF, d, full), (HALF, d, turned)], d.shape)

    def masked(self, turn: Node, mask: Node, tangent: Node, extra: Shape) -> Node:
        """S (M ∘ (T dA Tᵀ)), S this function: the differential of a factor of A."""
        r, more = self.rank, len(extra)
        batch, behind = tuple(range(r - 2)), tuple(range(r, r + more))
        i, j, p, q = r - 2, r - 1, r + more, r + more + 1
        shape = (*self.shape, *extra)
        inner = _times(
            [(turn, (*batch, i, p)), (self.even(tangent, extra), (*batch, p, q, *behind)), (turn, (*batch, j, q))],
            shape,
        )
        chosen = _times([(inner, tuple(range(r + more))), (mask, (*batch, i, j))], shape)
        return _times([(self, (*batch, i, p)), (chosen, (*batch, p, j, *behind))], shape)

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(range(self.rank))

    def text(self, parts: Sequence[Part], spelling: Spelling) -> Expr:
        return ready(parts[0], len(self.frame), self.frame, self.coefficient, spelling)[0]


def _times(factors: Sequence[tuple[Node, Labels]], shape: Shape) -> Node:
    return product([(n, labels, 1) for n, labels in factors], shape)


class Cholesky(Symmetric):
    """The lower triangular L with A = L Lᵀ."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(cholesky, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        """dL = L Φ(L⁻¹ dA L⁻ᵀ), Φ the lower triangle with half of the diagonal"""
        [tangent] = tangents
        assert tangent is not None
        n = self.shape[-1]
        phi = view(1, triangle(n, n, 0) - 0.5 * delta(n), (self.rank - 2, self.rank - 1), self.shape)
        return self.masked(inverse(self), phi, tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        return call("np.linalg.cholesky", self.text(parts, spelling)), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"chol({parts[0][0].text})")


class Eigenvectors(Symmetric):
    """The orthonormal eigenvectors, columns in the order of ascending eigenvalues."""

    __slots__ = ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(eigenvectors, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        """dU = U (F ∘ Uᵀ dA U), F_ij = 1 / (w_j - w_i) off the diagonal, NaN where eigenvalues meet"""
        [tangent] = tangents
        assert tangent is not None
        i, j = self.rank - 2, self.rank - 1
        batch = tuple(range(i))
        values, apart = eigenvalues(self.matrices), delta(self.shape[-1])
        gaps = add([(1, values, (*batch, j)), (-1, values, (*batch, i))], self.shape)
        rate = 1 / apply_atom("regular", gaps + apart) - apart
        return self.masked(view(1, self, (*batch, j, i), self.shape), rate, tangent, extra)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        found = call("np.linalg.eigh", self.text(parts, spelling))
        return Expr(f"{found.text}[1]", depth=found.depth), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"eigenvectors({parts[0][0].text})")


class Eigenvalues(Matrices):
    """The eigenvalues of symmetric matrices, ascending."""

    __slots__ = ()
    fields = ("node", "labels", "coefficient")

    @property
    def frame(self) -> Shape:
        return (*self.shape, self.shape[-1])

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return self.again(eigenvalues, new)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        """dw_k = u_kᵀ dA u_k"""
        [tangent] = tangents
        assert tangent is not None
        r, more = self.rank, len(extra)
        batch, behind = tuple(range(r - 1)), tuple(range(r, r + more))
        k, p, q = r - 1, r + more, r + more + 1
        vectors = eigenvectors(self.matrices)
        d = self.tangent(tangent, extra)
        return _times(
            [(vectors, (*batch, p, k)), (d, (*batch, p, q, *behind)), (vectors, (*batch, q, k))], (*self.shape, *extra)
        )

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(range(self.rank))

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr = ready(parts[0], len(self.frame), self.frame, self.coefficient, spelling)[0]
        return call("np.linalg.eigvalsh", expr), tuple(range(self.rank))

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        return Math(f"eigenvalues({parts[0][0].text})")


def decomposed(nodes: Iterable[Node]) -> dict[Node, tuple[Eigenvalues, Eigenvectors]]:
    """The eigenvalues and eigenvectors of the same matrices, by either of them: one decomposition gives both."""
    parts: dict[tuple[Node, Labels, Number], dict[type[Node], Node]] = {}
    for node in nodes:
        if isinstance(node, Eigenvalues | Eigenvectors):
            parts.setdefault((node.node, node.labels, node.coefficient), {})[type(node)] = node
    found: dict[Node, tuple[Eigenvalues, Eigenvectors]] = {}
    for both in parts.values():
        values, vectors = both.get(Eigenvalues), both.get(Eigenvectors)
        if isinstance(values, Eigenvalues) and isinstance(vectors, Eigenvectors):
            found[values] = found[vectors] = values, vectors
    return found


def _of(kind: type[Matrices], matrices: Node, values: bool = False) -> Node:
    c, core, labels, shape, back = framed(matrices)
    made_shape = shape[:-1] if values else shape
    made = intern(kind, made_shape, (core, labels, c), (core.digest, tag(c), *labels))
    order = (*back[:-2], matrices.rank - 2) if values else (*back[:-2], matrices.rank - 2, matrices.rank - 1)
    return view(1, made, order, matrices.shape[:-1] if values else matrices.shape)


def cholesky(matrices: Node) -> Node:
    """The Cholesky factor of symmetric positive definite matrices (…, n, n)."""
    return _of(Cholesky, matrices)


def eigenvectors(matrices: Node) -> Node:
    """The eigenvectors of symmetric matrices (…, n, n), as columns."""
    return _of(Eigenvectors, matrices)


def eigenvalues(matrices: Node) -> Node:
    """The eigenvalues of symmetric matrices (…, n, n)."""
    return _of(Eigenvalues, matrices, values=True)
