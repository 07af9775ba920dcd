"""A⁻¹ B by elimination, which is cheaper and more accurate than the inverse: only the plan makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.labels import Labels
from gradgen.nodes import Node, Number, Operand, Shape, intern, operand, tag, view
from gradgen.ops.inverse import Inverse
from gradgen.ops.matrix import Matrices, ready, transposed
from gradgen.ops.operation import Part, Spelling
from gradgen.ops.triangular import rows
from gradgen.text import ATOM, Expr, call, permuted


class Solve(Matrices):
    """A⁻¹ B, or A⁻ᵀ B where ``turned``.

    In the labels of the frame of A, B has those of the batch or none of them, that of the rows, and at most one for its
    columns, which comes last in the result.
    """

    __slots__ = ("batch", "right", "side", "turned")
    fields = ("node", "labels", "coefficient", "batch", "turned", "right", "side")
    batch: int
    turned: bool
    right: Node
    side: Labels

    def parts(self) -> tuple[Node, ...]:
        return (self.node, self.right)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((self.coefficient, self.node, self.labels), (1, self.right, self.side))

    @property
    def frame(self) -> Shape:
        rows = self.shape[self.batch]
        return (*self.shape[: self.batch], rows, rows)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        made = _solve(view(self.coefficient, new(self.node), self.labels, self.frame), self.turned)
        return made(new(self.right), self.side, self.shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        r = len(self.frame)
        lower = rows(self.matrices) if r == 2 else frozenset()
        if lower:
            return self._triangular(min(lower), parts, spelling), tuple(range(self.rank))
        expr, swapped = ready(parts[0], r, self.frame, self.coefficient, spelling)
        right, axes = parts[1]
        wanted = tuple(range(self.rank))
        right = permuted(right, axes, tuple(sorted(axes)))
        factors = spelling.factors(self, "solve", expr, swapped)
        if factors is not None:
            name, other = factors
            turned = other != self.turned and not self.node.symmetric
            return call(f"{name}.solve", right, after="transposed=True" if turned else ""), wanted
        if swapped != self.turned and not self.node.symmetric:
            expr = transposed(expr, r)
        if self.rank == r - 1 and len(axes) > 1:
            found = call("np.linalg.solve", expr, Expr(f"{right.at(ATOM)}[..., None]"))
            return Expr(f"{found.text}[..., 0]", fresh=False, depth=found.depth), wanted
        return call("np.linalg.solve", expr, right), wanted

    def _triangular(self, row: int, parts: Sequence[Part], spelling: Spelling) -> Expr:
        """A system with a triangular matrix, by substitution; ``row`` are the rows of it as a lower one."""
        spelling.help("scipy.linalg")
        expr, swapped = ready(parts[0], 2, self.frame, self.coefficient, spelling)
        right, axes = parts[1]
        turned = "trans=1, " if swapped != self.turned else ""
        after = f"{turned}lower={(row == 0) != swapped}, check_finite=False"
        right = permuted(right, axes, tuple(sorted(axes)))
        return call("scipy.linalg.solve_triangular", expr, right, after=after)

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return tuple(range(self.rank))


def solve(inverse: Inverse, place: Labels, right: Node, side: Labels, out: Labels) -> Node | None:
    """The product of an inverse and an array, under common labels of which one is summed, with the axes ``out``.

    None where it is more than a stack of systems: where the array has several axes for columns, or varies along other
    axes of the batch.
    """
    batch, (i, j) = place[:-2], place[-2:]
    if i == j or len(set(place)) < len(place) or len(set(side)) < len(side):
        return None
    inner = [k for k in (i, j) if k in side and k not in out]
    columns = [k for k in side if k not in (*batch, i, j)]
    some = set(batch) & set(side)
    if len(inner) != 1 or len({i, j} & set(side)) != 1 or len(columns) > 1 or (some and some != set(batch)):
        return None
    kept = j if inner[0] == i else i
    whole = (*batch, kept, *columns)
    if set(whole) != set(out):
        return None
    names = {label: axis for axis, label in enumerate((*batch, inner[0], *columns))}
    sizes = dict(zip((*place, *side), (*inverse.shape, *right.shape), strict=True))
    shape = tuple(sizes[k] for k in (*batch, inner[0], *columns))
    made = _solve(inverse.matrices, kept == j)(right, tuple(names[k] for k in side), shape)
    back = tuple(out.index(k) for k in whole)
    return view(1, made, back, tuple(shape[whole.index(k)] for k in out))


def _solve(matrices: Node, turned: bool) -> Callable[[Node, Labels, Shape], Node]:
    """Makes the node for matrices in their frame; an inverse of a transpose is turned."""
    rank = matrices.rank
    c, core, labels = operand(matrices, tuple(range(rank)))

    def make(right: Node, side: Labels, shape: Shape) -> Node:
        e, inner, axes = operand(right, side)
        coefficient: Number = c
        signature = (core.digest, tag(coefficient), *labels, rank, int(turned), inner.digest, *axes)
        made = intern(Solve, shape, (core, labels, coefficient, rank - 2, turned, inner, axes), signature)
        return view(e, made)

    return make
