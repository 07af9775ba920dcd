"""Entries of an array by integer indices, which may repeat, and their adjoint, which adds up what falls on one entry.

Indices are an argument, which is a symbol, or stand in the spec. One array of indices takes entries along an axis;
several of one length, and an axis that runs along with them, take one entry for each tuple: ``R[rows, cols]`` and
``Z[arange(n), y]``. A single index, a symbol of rank 0, takes one entry, and its axis goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.dims import Size
from gradgen.labels import Labels, number
from gradgen.nodes import Node, Operand, Shape, Symbol, intern, is_zero, operand, view, zero
from gradgen.notation import ATOM, Math
from gradgen.ops.operation import Operation, Part, Spelling, read
from gradgen.text import method

Index = tuple[int, ...] | Symbol
Indices = tuple[Index | None, ...]
NONE = -1  # the label of an axis that a single index takes


class Indexed(Operation):
    """An array whose axis k runs over ``labels[k]``, or is indexed by ``indices[k]``, which runs over that label."""

    __slots__ = ()
    linear = (0,)
    node: Node
    labels: Labels
    indices: Indices

    def parts(self) -> tuple[Node, ...]:
        return (self.node, *self.symbols)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The indices that are arguments, each once."""
        return tuple(dict.fromkeys(i for i in self.indices if isinstance(i, Symbol)))

    @property
    def along(self) -> int:
        """The label over which the indices run."""
        return next(k for k, index in zip(self.labels, self.indices, strict=True) if index is not None)

    def chosen(self, axis: int) -> bool:
        """Whether NumPy is given positions along an axis of the array that is indexed."""
        return self.labels[axis] in (self.along, NONE)

    def positions(self) -> tuple[Operand, ...]:
        return tuple((1, symbol, (self.along,) if symbol.rank else ()) for symbol in self.symbols)

    def entries(self, order: Sequence[int], parts: Sequence[Part] | None, spelling: Spelling) -> list[str]:
        """What stands in the brackets for the axes of the array that is indexed, in the order in which they stand."""
        said = dict(zip(self.symbols, (part[0].text for part in (parts or ())), strict=False))
        found = [self._entry(axis, said, spelling) if self.chosen(axis) else ":" for axis in order]
        return found[: 1 + max(k for k, entry in enumerate(found) if entry != ":")]

    def _entry(self, axis: int, said: dict[Symbol, str], spelling: Spelling) -> str:
        index = self.indices[axis]
        if index is None:
            return f"np.arange({spelling.size(self.length).text})"
        return said.get(index, index.name) if isinstance(index, Symbol) else str(list(index))

    @property
    def length(self) -> Size:
        """How many entries are taken."""
        raise NotImplementedError

    def standing(self, order: Sequence[int]) -> Labels:
        """The labels of what NumPy takes: those of the indices in their place where they are neighbours, else first."""
        places = [k for k, axis in enumerate(order) if self.chosen(axis)]
        rest = [self.labels[axis] for axis in order if not self.chosen(axis)]
        if self.along == NONE:
            return tuple(rest)
        start = places[0] if places[-1] - places[0] < len(places) else 0
        return (*rest[:start], self.along, *rest[start:])


class Gather(Indexed):
    """The entries at the indices; a label that stands twice and is not indexed is a diagonal."""

    __slots__ = fields = ("node", "labels", "indices")

    @property
    def arguments(self) -> tuple[Operand, ...]:
        """The axes that are indexed stand under labels of their own, beyond those of the result."""
        free = (self.rank + axis if self.chosen(axis) else k for axis, k in enumerate(self.labels))
        return ((1, self.node, tuple(free)), *self.positions())

    @property
    def length(self) -> Size:
        return self.shape[self.along]

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return gather(new(self.node), self.labels, self.indices, self.shape)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = [t for t in tangents if t is not None]
        labels = (*self.labels, *range(self.rank, self.rank + len(extra)))
        return gather(tangent, labels, (*self.indices, *(None for _ in extra)), (*self.shape, *extra))

    def transpose(self, cotangent: Node, position: int) -> Node:
        """Axes on one diagonal are first one, then the diagonal is put in its place."""
        place: dict[object, int] = {}
        axes = []
        for axis, label in enumerate(self.labels):
            axes.append(place.setdefault(axis if self.chosen(axis) else (label,), len(place)))
        kept = [axes.index(k) for k in range(len(place))]
        whole = scatter(
            cotangent,
            tuple(self.labels[axis] for axis in kept),
            tuple(self.indices[axis] for axis in kept),
            tuple(self.node.shape[axis] for axis in kept),
        )
        return read([(whole, tuple(range(whole.rank)), 1)], tuple(axes), self.node.shape)

    def _order(self, labels: Labels) -> list[int]:
        """The axes of the array as they stand, from the labels that `arguments` gives them."""
        mine = self.arguments[0][2]
        return [mine.index(k) for k in labels]

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return self.standing(self._order(orders[0]))

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        expr, labels = parts[0]
        order = self._order(labels)
        return method(expr, f"[{', '.join(self.entries(order, parts[1:], spelling))}]"), self.standing(order)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        math, labels = parts[0]
        return Math(f"{math.at(ATOM)}[{', '.join(self.entries(self._order(labels), None, spelling))}]")


class Scatter(Indexed):
    """Zeros, to which the entries of a node are added at the indices; each of its labels stands once, but for that of
    the indices."""

    __slots__ = fields = ("node", "labels", "indices")

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, self.places), *self.positions())

    @property
    def places(self) -> Labels:
        """For each axis of the node the first axis of the result that runs over it."""
        return tuple(self.labels.index(k) for k in range(self.node.rank))

    @property
    def length(self) -> Size:
        return self.node.shape[self.along]

    def positions(self) -> tuple[Operand, ...]:
        first = () if self.along == NONE else (self.labels.index(self.along),)
        return tuple((1, symbol, first if symbol.rank else ()) for symbol in self.symbols)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return scatter(new(self.node), self.labels, self.indices, self.shape)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = [t for t in tangents if t is not None]
        rank = self.node.rank
        labels = (*self.labels, *range(rank, rank + len(extra)))
        return scatter(tangent, labels, (*self.indices, *(None for _ in extra)), (*self.shape, *extra))

    def transpose(self, cotangent: Node, position: int) -> Node:
        return gather(cotangent, self.labels, self.indices, self.node.shape)

    def stands(self, orders: Sequence[Labels]) -> Labels:
        return orders[0]

    @property
    def distinct(self) -> bool:
        """Whether no entry is met twice, as far as the spec says."""
        chosen = [axis for axis in range(self.rank) if self.chosen(axis)]
        indices = [self.indices[axis] for axis in chosen]
        if self.along == NONE or None in indices:
            return True
        listed = [index for index in indices if isinstance(index, tuple)]
        tuples = list(zip(*listed, strict=True))
        return len(set(tuples)) == len(tuples) > 0

    def brackets(self, order: Labels, parts: Sequence[Part], spelling: Spelling) -> tuple[list[str], Labels]:
        """The entries of an index that names where the node goes, and its labels as they stand there."""
        return self.entries(order, parts, spelling), self.standing(order)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        math, order = parts[0]
        return Math(f"scatter({math.text}, [{', '.join(self.entries(order, None, spelling))}])")


def _signature(labels: Labels, indices: Indices) -> tuple[int, ...]:
    said = (i.digest if isinstance(i, Symbol) else number(str(i)) for i in indices)
    return (*labels, *said)


def gather(node: Node, labels: Labels, indices: Indices, shape: Shape) -> Node:
    """The entries at the indices, with the axes of a node under labels of the result. What does not vary along an axis
    is not indexed."""
    if is_zero(node):
        return zero(shape)
    c, core, axes = operand(node, tuple(range(node.rank)))
    held, chosen = tuple(labels[k] for k in axes), tuple(indices[k] for k in axes)
    if not any(index is not None for index in chosen):
        return view(c, core, held, shape)
    kept = tuple(dict.fromkeys(k for k in held if k != NONE))
    place = {label: axis for axis, label in enumerate(kept)} | {NONE: NONE}
    inner = tuple(place[k] for k in held)
    made = intern(
        Gather, tuple(shape[k] for k in kept), (core, inner, chosen), (core.digest, *_signature(inner, chosen))
    )
    return view(c, made, kept, shape)


def scatter(node: Node, labels: Labels, indices: Indices, shape: Shape) -> Node:
    """Zeros of a shape with the entries of a node added at the indices."""
    if is_zero(node):
        return zero(shape)
    c, core, axes = operand(node, tuple(range(node.rank)))
    body = core if axes == tuple(range(core.rank)) and core.shape == node.shape else view(1, core, axes, node.shape)
    signature = (body.digest, *_signature(labels, indices))
    return view(c, intern(Scatter, shape, (body, labels, indices), signature))


def taken(node: Node, axis: int, index: Index) -> Node:
    """The entries at the indices of one axis."""
    single = isinstance(index, Symbol) and not index.rank
    length = () if single else index.shape if isinstance(index, Symbol) else (Size.of(len(index)),)
    behind = 0 if single else 1
    labels = (*range(axis), NONE if single else axis, *range(axis + behind, node.rank - 1 + behind))
    indices = tuple(index if k == axis else None for k in range(node.rank))
    return gather(node, labels, indices, (*node.shape[:axis], *length, *node.shape[axis + 1 :]))
