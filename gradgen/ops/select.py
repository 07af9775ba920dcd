"""Slices and integer positions of an axis, and their adjoint, which puts an array back among zeros.

A pick says what is taken of one axis: None all of it, a `Span` a slice, a `Size` one position, which drops the axis.
"""

from __future__ import annotations

from collections.abc import Callable

from gradgen.dims import Size
from gradgen.labels import Labels, number
from gradgen.nodes import Node, Operand, Shape, intern, is_zero, operand, view, zero
from gradgen.ops.operation import Operation, Spelling
from gradgen.tape import Span
from gradgen.text import Expr, method

Pick = Span | Size | None


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


class Select(Operation):
    """The picked entries of a node."""

    __slots__ = fields = ("node", "picks")
    linear = True
    node: Node
    picks: tuple[Pick, ...]

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def argument(self) -> Operand:
        return 1, self.node, tuple(range(self.node.rank))

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return select(new(self.node), self.picks)

    def differential(self, tangent: Node, extra: Shape) -> Node:
        return select(tangent, (*self.picks, *(None for _ in extra)))

    def transpose(self, cotangent: Node) -> Node:
        return embed(cotangent, self.picks, self.node.shape)

    def numpy(self, operand: Expr, axes: Labels, spelling: Spelling) -> tuple[Expr, Labels]:
        return method(operand, index(self.picks, self.node.shape, axes, spelling), fresh=False), self.order(axes)

    def order(self, axes: Labels) -> Labels:
        """The order of the axes that are left, from that of the operand's."""
        kept = [k for k, pick in enumerate(self.picks) if not isinstance(pick, Size)]
        return tuple(kept.index(a) for a in axes if a in kept)


def index(picks: tuple[Pick, ...], shape: Shape, axes: Labels, spelling: Spelling) -> str:
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
    linear = True
    node: Node
    picks: tuple[Pick, ...]

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    @property
    def argument(self) -> Operand:
        return 1, self.node, tuple(range(self.node.rank))

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return embed(new(self.node), self.picks, self.shape)

    def differential(self, tangent: Node, extra: Shape) -> Node:
        return embed(tangent, (*self.picks, *(None for _ in extra)), (*self.shape, *extra))

    def transpose(self, cotangent: Node) -> Node:
        return select(cotangent, self.picks)

    def place(self, spelling: Spelling) -> str:
        """The brackets of the picked entries."""
        return index(self.picks, self.shape, tuple(range(self.rank)), spelling)


def select(node: Node, picks: tuple[Pick, ...]) -> Node:
    """The picked entries; a broadcast axis is cut without touching the node behind it."""
    if all(pick is None for pick in picks):
        return node
    cut = tuple(p if p is None or isinstance(p, Size) else length(p) for p in picks)
    shape = tuple(node.shape[k] if c is None else c for k, c in enumerate(cut) if not isinstance(picks[k], Size))
    kept = [k for k, pick in enumerate(picks) if not isinstance(pick, Size)]
    if is_zero(node):
        return zero(shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    if len(set(labels)) < len(labels):  # a diagonal: select from the array as it stands
        signature = (node.digest, *(_key(p) for p in picks))
        return intern(Select, shape, (node, picks), signature)
    inner = tuple(picks[k] for k in labels)
    axes = tuple(kept.index(k) for k in labels if k in kept)
    if all(pick is None for pick in inner):
        return view(c, core, axes, shape)
    core_shape = tuple(shape[k] for k in axes)
    chosen = intern(Select, core_shape, (core, inner), (core.digest, *(_key(p) for p in inner)))
    return view(c, chosen, axes, shape)


def embed(node: Node, picks: tuple[Pick, ...], shape: Shape) -> Node:
    """Zeros of the given shape with the node at the picked entries."""
    if is_zero(node):
        return zero(shape)
    c, core, labels = operand(node, tuple(range(node.rank)))
    body = core if labels == tuple(range(core.rank)) and core.shape == node.shape else view(1, core, labels, node.shape)
    return view(c, intern(Embed, shape, (body, picks), (body.digest, *(_key(p) for p in picks))))
