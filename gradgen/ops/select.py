"""Slices and integer positions of an axis, and their adjoint, which puts an array back among zeros.

A pick says what is taken of one axis: None all of it, a `Span` a slice, a `Size` one position, which drops the axis.
Selections of what was put among zeros pick their part, or nothing; so do those of several arrays put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gradgen.dims import Size, holds
from gradgen.labels import Labels, number
from gradgen.nodes import Add, Node, Operand, Shape, add, intern, is_zero, operand, view, zero
from gradgen.notation import ATOM, Math
from gradgen.ops.operation import Operation, Part, Spelling, read
from gradgen.tape import Span
from gradgen.text import method

Pick = Span | Size | None
Picks = tuple[Pick, ...]


def length(span: Span) -> Size:
    """How many entries a slice takes; a step other than ±1 stands on literal bounds alone."""
    if abs(span.step) == 1:
        return span.stop - span.start
    start, stop = span.start.constant, span.stop.constant
    assert start is not None and stop is not None
    return Size.of(len(range(start, stop, abs(span.step))))


def _key(pick: Pick) -> int:
    if pick is None:
        return 0
    if isinstance(pick, Size):
        return number(pick.key)
    return number(f"{pick.start.key}:{pick.stop.key}:{pick.step}")


def picked(shape: Shape, picks: Picks) -> Shape:
    """The shape of what is picked from an array."""
    return tuple(
        size if pick is None else length(pick)
        for size, pick in zip(shape, picks, strict=True)
        if not isinstance(pick, Size)
    )


def kept(picks: Picks) -> list[int]:
    """The axes that picks leave."""
    return [axis for axis, pick in enumerate(picks) if not isinstance(pick, Size)]


class Select(Operation):
    """The picked entries of a node, whose axes run over ``labels``: a repeated one is a diagonal."""

    __slots__ = fields = ("node", "labels", "picks")
    linear = (0,)
    node: Node
    labels: Labels
    picks: Picks

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, self.labels),)

    @property
    def full(self) -> Shape:
        """The shape that is picked from."""
        return tuple(self.node.shape[self.labels.index(axis)] for axis in range(len(self.picks)))

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return select(view(1, new(self.node), self.labels, self.full), self.picks)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        rank, more = len(self.picks), len(extra)
        whole = view(1, tangent, (*self.labels, *range(rank, rank + more)), (*self.full, *extra))
        return select(whole, (*self.picks, *(None for _ in extra)))

    def transpose(self, cotangent: Node, position: int) -> Node:
        whole = embed(cotangent, self.picks, self.full)
        return read([(whole, tuple(range(whole.rank)), 1)], self.labels, self.node.shape)

    def numpy(self, parts: Sequence[Part], spelling: Spelling) -> Part:
        [(operand, order)] = parts
        brackets = index(self.picks, self.full, order, spelling)
        return method(operand, brackets, fresh=False), self.stands([order])

    def stands(self, orders: Sequence[Labels]) -> Labels:
        left = kept(self.picks)
        return tuple(left.index(a) for a in orders[0] if a in left)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        [(operand, order)] = parts
        return Math(f"{operand.at(ATOM)}{index(self.picks, self.full, order, spelling)}")


def index(picks: Picks, shape: Shape, axes: Labels, spelling: Spelling) -> str:
    """The brackets that take the picks from an array whose axes are stored in the given order."""
    last = max(position for position, a in enumerate(axes) if picks[a] is not None)
    entries = [_entry(picks[a], shape[a], spelling) for a in axes[: last + 1]]
    return f"[{', '.join(entries)}]"


def _entry(pick: Pick, length: Size, spelling: Spelling) -> str:
    if pick is None:
        return ":"
    if isinstance(pick, Size):
        return _position(pick, length, spelling)
    if pick.step < 0:
        if pick.start.constant == 0 and pick.stop == length:
            return "::-1"
        assert pick.start.constant is not None and pick.stop.constant is not None
        entries = range(pick.start.constant, pick.stop.constant)[:: pick.step]
        stop = "" if entries.stop < 0 else str(entries.stop)
        return f"{entries.start}:{stop}:{entries.step}"
    start = "" if pick.start.constant == 0 else spelling.size(pick.start).text
    stop = "" if pick.stop == length else _position(pick.stop, length, spelling)
    return f"{start}:{stop}" + (f":{pick.step}" if pick.step != 1 else "")


def _position(size: Size, length: Size, spelling: Spelling) -> str:
    """A position, counted from the end where that is a number and the position is not."""
    back = (size - length).constant
    return str(back) if back is not None and size.constant is None and back < 0 else spelling.size(size).text


class Embed(Operation):
    """Zeros with a node at the picked entries."""

    __slots__ = fields = ("node", "picks")
    linear = (0,)
    node: Node
    picks: Picks

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def arguments(self) -> tuple[Operand, ...]:
        return ((1, self.node, tuple(kept(self.picks))),)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return embed(new(self.node), self.picks, self.shape)

    def differential(self, tangents: Sequence[Node | None], extra: Shape) -> Node:
        [tangent] = tangents
        assert tangent is not None
        return embed(tangent, (*self.picks, *(None for _ in extra)), (*self.shape, *extra))

    def transpose(self, cotangent: Node, position: int) -> Node:
        return select(cotangent, self.picks)

    def math(self, parts: Sequence[tuple[Math, Labels]], spelling: Spelling) -> Math:
        [(operand, order)] = parts
        return Math(f"embed({operand.text}, {index(self.picks, self.shape, order, spelling)})")


# What a selection takes of what was put among zeros


class _Met(NamedTuple):
    """What a selection finds on one axis of an array among zeros: a selection of the array, and where that stands."""

    inside: Pick
    outside: Pick
    gone: bool = False  # the array has no such axis


def _bounds(pick: Span | Size) -> tuple[Size, Size]:
    return (pick, pick + 1) if isinstance(pick, Size) else (pick.start, pick.stop)


def _is_all(pick: Pick, size: Size) -> bool:
    """Whether a pick leaves an axis of this size as it is."""
    return pick is None or pick == Span(Size.of(0), size)


def apart(one: Pick, other: Pick) -> bool:
    """Whether two picks of an axis have no entry in common."""
    if one is None or other is None:
        return False
    (a, b), (c, d) = _bounds(one), _bounds(other)
    return holds(b, c) or holds(d, a)


def _plain(pick: Pick) -> bool:
    return not isinstance(pick, Span) or pick.step == 1


def _meet(chosen: Pick, placed: Pick) -> _Met | None:
    """How a selection meets an array among zeros on one axis; None where that depends on the sizes."""
    if placed is None:
        return _Met(chosen, None)
    gone = isinstance(placed, Size)
    if chosen is None:
        return _Met(None, placed, gone)
    if chosen == placed:
        return _Met(None, chosen if isinstance(chosen, Size) else None, gone)
    if not (_plain(chosen) and _plain(placed)):
        return None
    (a, b), (c, d) = _bounds(chosen), _bounds(placed)
    if holds(c, a) and holds(b, d):
        inside: Pick = a - c if isinstance(chosen, Size) else Span(a - c, b - c)
        return _Met(inside, None, gone)
    if holds(a, c) and holds(d, b):
        return _Met(None, c - a if gone else Span(c - a, d - a), gone)
    return None


def _unembedded(node: Embed, picks: Picks) -> Node | None:
    """What a selection takes of an array among zeros; None where that depends on the sizes."""
    shape = picked(node.shape, picks)
    if any(apart(chosen, placed) for chosen, placed in zip(picks, node.picks, strict=True)):
        return zero(shape)
    met = [_meet(chosen, placed) for chosen, placed in zip(picks, node.picks, strict=True)]
    if any(m is None for m in met):
        return None
    found = [m for m in met if m is not None]
    inner = select(node.node, tuple(m.inside for m in found if not m.gone))
    outer = tuple(m.outside for m, chosen in zip(found, picks, strict=True) if not isinstance(chosen, Size))
    return inner if all(pick is None for pick in outer) else embed(inner, outer, shape)


def put_together(node: Node) -> bool:
    """Whether a node is a sum of arrays among zeros alone."""
    return isinstance(node, Add) and all(isinstance(n, Embed) and len(set(k)) == n.rank for _, n, k in node.terms)


def _of_parts(node: Add, picks: Picks) -> Node | None:
    """What a selection takes of several arrays put together; None where that depends on the sizes."""
    shape = picked(node.shape, picks)
    left = kept(picks)
    terms: list[Operand] = []
    for c, inner, labels in node.terms:
        assert isinstance(inner, Embed)
        part = _unembedded(inner, tuple(picks[k] for k in labels))
        if part is None:
            return None
        axes = tuple(left.index(k) for k in labels if k in left)
        terms.append((c, part, axes))
    return add(terms, shape)


def select(node: Node, picks: Picks) -> Node:
    """The picked entries; a broadcast axis is cut without touching the node behind it."""
    if all(pick is None for pick in picks):
        return node
    shape = picked(node.shape, picks)
    if is_zero(node):
        return zero(shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    held = sorted(set(labels))
    place = {label: axis for axis, label in enumerate(held)}
    inner = tuple(picks[k] for k in held)
    left = kept(picks)
    axes = tuple(left.index(k) for k in held if k in left)
    plain = len(held) == len(labels)
    if all(pick is None or (plain and _is_all(pick, node.shape[k])) for k, pick in zip(held, inner, strict=True)):
        return view(c, core, tuple(left.index(k) for k in labels), shape)
    if plain:  # not a diagonal: the picks of the core's own axes
        inner, place = tuple(picks[k] for k in labels), {label: axis for axis, label in enumerate(labels)}
        axes = tuple(left.index(k) for k in labels if k in left)
        found = _unembedded(core, inner) if isinstance(core, Embed) else None
        if found is None and isinstance(core, Add) and put_together(core):
            found = _of_parts(core, inner)
        if found is None and isinstance(core, Select) and core.labels == tuple(range(core.node.rank)):
            joined = _joined(core.picks, inner)
            found = select(core.node, joined) if joined is not None else None
        if found is not None:
            return view(c, found, axes, shape)
    where = tuple(place[k] for k in labels)
    core_shape = tuple(shape[k] for k in axes)
    signature = (core.digest, *where, *(_key(p) for p in inner))
    return view(c, intern(Select, core_shape, (core, where, inner), signature), axes, shape)


def _joined(first: Picks, then: Picks) -> Picks | None:
    """Two selections as one, where their steps allow it."""
    rest = iter(then)
    found: list[Pick] = []
    for pick in first:
        if isinstance(pick, Size):
            found.append(pick)
            continue
        more = next(rest)
        if pick is None or more is None:
            found.append(more if pick is None else pick)
        elif _plain(pick) and _plain(more):
            start, stop = _bounds(more)
            found.append(pick.start + start if isinstance(more, Size) else Span(pick.start + start, pick.start + stop))
        else:
            return None
    return tuple(found)


def of_its_own(node: Node, axis: int) -> Node:
    """A node that is a diagonal along an axis as an array of its own, for what cannot look through diagonals."""
    return select(node, tuple(Span(Size.of(0), size) if k == axis else None for k, size in enumerate(node.shape)))


def embed(node: Node, picks: Picks, shape: Shape) -> Node:
    """Zeros of the given shape with the node at the picked entries."""
    if is_zero(node):
        return zero(shape)
    if all(_is_all(pick, size) for pick, size in zip(picks, shape, strict=True)):
        return node
    c, core, labels = operand(node, tuple(range(node.rank)))
    whole = len(labels) == node.rank and len(set(labels)) == node.rank
    if whole and isinstance(core, Embed):
        joined = _joined(picks, tuple(core.picks[labels.index(k)] for k in range(node.rank)))
        if joined is not None:
            return view(c, embed(_turned(core, labels), joined, shape))
    if whole and isinstance(core, Add) and put_together(core):
        terms = [view(e, n, tuple(labels[k] for k in axes), node.shape) for e, n, axes in core.terms]
        return add(
            [(c, embed(term, picks, shape), tuple(range(len(shape)))) for term in terms],
            shape,
        )
    body = core if labels == tuple(range(core.rank)) and core.shape == node.shape else view(1, core, labels, node.shape)
    return view(c, intern(Embed, shape, (body, picks), (body.digest, *(_key(p) for p in picks))))


def _turned(core: Embed, labels: Labels) -> Node:
    """The array that is among zeros, its axes in the order in which a view of the whole has them."""
    left = kept(core.picks)
    order = sorted((labels[axis], position) for position, axis in enumerate(left))
    place = {position: rank for rank, (_, position) in enumerate(order)}
    shape = tuple(core.node.shape[position] for _, position in order)
    return view(1, core.node, tuple(place[k] for k in range(len(left))), shape)


def disjoint(requests: Iterable[Picks]) -> bool:
    """Whether selections of one array have, two by two, no entry in common."""
    listed = list(requests)
    return all(any(map(apart, one, other)) for position, one in enumerate(listed) for other in listed[:position])


class Tile(NamedTuple):
    """One of several arrays put together, on the labels of the whole; ``shape`` has all axes of the whole, of which it
    should vary along ``varying``."""

    array: Operand
    shape: Shape
    varying: frozenset[int]


class Tiles(NamedTuple):
    """Arrays put together without gaps: along one axis, or in rows and columns along two."""

    axes: Labels
    rows: tuple[tuple[Tile, ...], ...]


def tiles(node: Add) -> Tiles | None:
    """The arrays that a sum puts together, where they leave no gap."""
    if not put_together(node) or any(len(labels) < node.rank for _, _, labels in node.terms):
        return None
    found: dict[tuple[Pick, ...], Tile] = {}
    seams = sorted(
        {k for _, n, labels in node.terms for k, pick in zip(labels, _picks(n), strict=True) if pick is not None}
    )
    for c, n, labels in node.terms:
        assert isinstance(n, Embed)
        where = dict(zip(labels, n.picks, strict=True))
        inside = tuple(labels[a] for a in kept(n.picks))
        e, body, axes = operand(n.node, inside)
        key = tuple(where[k] for k in seams)
        if key in found or len(set(axes)) < len(axes):
            return None
        shape = tuple(
            size if pick is None else length(pick) if isinstance(pick, Span) else Size.of(1)
            for size, pick in zip(node.shape, (where[k] for k in range(node.rank)), strict=True)
        )
        found[key] = Tile((c * e, body, axes), shape, frozenset(inside))
    chains = [_chain({key[k] for key in found}, node.shape[axis]) for k, axis in enumerate(seams)]
    if len(seams) > 2 or any(chain is None for chain in chains):
        return None
    grid = [chain for chain in chains if chain is not None]
    rows, columns = (grid[0], grid[1]) if len(grid) == 2 else ([None], grid[0])
    keys = [[(row, column) if len(grid) == 2 else (column,) for column in columns] for row in rows]
    if any(key not in found for line in keys for key in line):
        return None
    return Tiles(tuple(seams), tuple(tuple(found[key] for key in line) for line in keys))


def _picks(node: Node) -> Picks:
    assert isinstance(node, Embed)
    return node.picks


def _chain(picks: set[Pick], size: Size) -> list[Pick] | None:
    """The picks of an axis one after the other, where they cover it."""
    found: list[Pick] = []
    start = Size.of(0)
    starts = {_bounds(pick)[0]: pick for pick in picks if pick is not None and _plain(pick)}
    if len(starts) < len(picks):
        return None
    while start in starts:
        pick = starts.pop(start)
        assert pick is not None
        found.append(pick)
        start = _bounds(pick)[1]
    return found if start == size and not starts else None
