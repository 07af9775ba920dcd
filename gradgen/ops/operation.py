"""What every operation of `gradgen.ops` states of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from gradgen.dims import Size
from gradgen.labels import Labels
from gradgen.nodes import Factor, Node, Number, Operand, Shape, delta, product, view
from gradgen.notation import Math
from gradgen.text import ATOM, Expr, call, permuted

Part = tuple[Expr, Labels]


class Operation(Node):
    """An operation on one operand or several, which stand under labels of its own.

    ``linear`` are the positions of the operands in which it is linear, and `transpose` its adjoint.
    """

    __slots__ = ()
    linear: ClassVar[tuple[int, ...]] = ()

    @property
    def arguments(self) -> tuple[Operand, ...]:
        """The operands; axis k of one runs over its k-th label."""
        raise NotImplementedError

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        """The differential where those of the operands are ``tangents``, None for 0, which have the axes ``extra``
        after the operand's own."""
        raise NotImplementedError

    def transpose(self, cotangent: Node, position: int) -> Node:
        """The adjoint by an operand in which the operation is linear: what <cotangent, self> is the inner product of
        that operand with."""
        raise NotImplementedError

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        """The operation in NumPy with the order of its axes, from the text of each operand and the labels of its axes
        in the order in which they stand."""
        raise NotImplementedError

    def stands(self, orders: Sequence[Labels]) -> Labels:
        """The order in which the axes of the result stand, from the labels of the operands' axes as they stand."""
        raise NotImplementedError

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        """The operation in matrix notation, its axes as it `stands`, from its operands likewise."""
        raise NotImplementedError


def contract(weights: Node, tangent: Node, labels: tuple[int, ...], shape: Shape, extra: Shape) -> Node:
    """The sum of weights * tangent over the labels beyond ``shape``; the axes ``extra`` come last."""
    rank, more = len(shape), len(extra)
    moved = tuple(k + more if k >= rank else k for k in labels)
    return product([(weights, moved, 1), (tangent, (*moved, *range(rank, rank + more)), 1)], (*shape, *extra))


def read(factors: Sequence[Factor], labels: Labels, shape: Shape, coefficient: Number = 1) -> Node:
    """The product of the factors with the given labels as its axes: labels are exchanged, a repeated one is a
    diagonal."""
    place: dict[int, int] = {}
    diagonal: list[Factor] = []
    for axis, label in enumerate(labels):
        if place.setdefault(label, axis) != axis:
            diagonal.append((delta(shape[axis]), (place[label], axis), 1))
    moved: list[Factor] = []
    fresh = len(shape)
    for node, old, power in factors:
        for label in old:
            if label not in place:
                place[label] = fresh
                fresh += 1
        moved.append((node, tuple(place[k] for k in old), power))
    if len(moved) == 1 and not diagonal and fresh == len(shape) and moved[0][2] == 1:
        return view(coefficient, moved[0][0], moved[0][1], shape)
    return product([*moved, *diagonal], shape, coefficient)


def spread(part: Part, shape: Shape, spelling: Spelling) -> Expr:
    """An operand that does not vary along some axes, with all of them, in their order."""
    expr, axes = part
    sizes = ", ".join(spelling.size(size).text for size in shape)
    if not axes:
        return call("np.full", Expr(f"({sizes})"), expr, after=f"dtype={spelling.dtype}")
    entries = ", ".join(":" if k in axes else "None" for k in range(len(shape)))
    ordered = permuted(expr, axes, tuple(sorted(axes)))
    return call("np.broadcast_to", Expr(f"{ordered.at(ATOM)}[{entries}]"), after=f"({sizes})")


class Spelling(Protocol):
    """What an operation needs to know of the code around it to spell itself."""

    def size(self, size: Size) -> Expr: ...

    def help(self, template: str) -> None:
        """Note that the code calls a function of a template."""
        ...

    def factors(self, node: Node, uses: str, expr: Expr, swapped: bool) -> tuple[str, bool] | None:
        """What the factors of an operation's matrix are called, where operations share them, and whether they are those
        of its transpose. ``uses`` names the methods that are called, ``expr`` is the matrix as it stands, ``swapped``
        says whether its rows and columns are exchanged."""
        ...

    @property
    def dtype(self) -> str: ...
