"""Functions that put arrays beside each other: concatenate, stack, block and their like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from gradgen.arrays import Array, lift, record
from gradgen.dims import Size
from gradgen.entrywise import numeric
from gradgen.hints import listed, transposed
from gradgen.registry import function
from gradgen.scope import wrong
from gradgen.shapes import Shape, axis_of, spell
from gradgen.views import ravel


@dataclass(frozen=True)
class Part:
    """An array that is put beside others: its source text, whether it is a vector that became a row, and, if it was
    made of a list, the parts of that."""

    text: str
    array: Array
    row: bool = False
    of: tuple[Part, ...] = ()

    @property
    def shape(self) -> Shape:
        return self.array.call.shape

    @property
    def turned(self) -> str:
        """Its transpose, as one would write it."""
        return f"{self.text}[:, None]" if self.row else transposed(self.text)


# ---- what fits


def _misfit(above: Part, below: Part, axis: int) -> int | None:
    """The first axis, other than the one along which two parts are joined, in which they differ."""
    pairs = enumerate(zip(above.shape, below.shape, strict=True))
    return next((i for i, (a, b) in pairs if i != axis and a != b), None)


def _culprits(above: Part, below: Part, axis: int) -> tuple[Part, Part]:
    """The blocks that do not fit, of two rows of as many blocks; else the rows."""
    if len(above.of) == len(below.of):
        for a, b in zip(above.of, below.of, strict=True):
            if _misfit(a, b, axis) is not None:
                return _culprits(a, b, axis)
    return above, below


def _words(axis: int, differ: int, rank: int) -> tuple[str, str]:
    """How parts that are joined along an axis stand to each other, and what differs between them."""
    if rank != 2:
        return "and", f"in axis {differ}"
    return ("above", "beside", "and")[axis], ("rows", "columns")[differ]


def _refuse(above: Part, below: Part, axis: int, differ: int) -> NoReturn:
    where, what = _words(axis, differ, len(above.shape))
    pair = f"{above.shape[differ]} against {below.shape[differ]} {what}"
    text = f"{above.text} of shape {spell(above.shape)} {where} {below.text} of shape {spell(below.shape)}"
    raise wrong(f"{text} do not conform: {pair}", _would_fit(above, below, axis))


def _would_fit(above: Part, below: Part, axis: int) -> str:
    for part, other in ((below, above), (above, below)):
        shape = part.shape[::-1]
        pairs = enumerate(zip(shape, other.shape, strict=True))
        if len(shape) == 2 and all(i == axis or a == b for i, (a, b) in pairs):
            return f"{part.turned} has shape {spell(shape)}"
    if len(above.shape) == 2 and axis < 2:
        return ("what stands in one column has as many columns", "what stands in one row has as many rows")[axis]
    return "joined arrays agree in every axis but the one along which they are joined"


def _joined(parts: Sequence[Part], axis: int) -> Array:
    """Parts of one rank as one array; one alone is no call."""
    for above, below in pairwise(parts):
        if _misfit(above, below, axis) is not None:
            above, below = _culprits(above, below, axis)
            _refuse(above, below, axis, _misfit(above, below, axis) or 0)
    arrays = tuple(p.array for p in parts)
    first = arrays[0]
    if len(parts) == 1:
        return first
    length = sum((a.call.shape[axis] for a in arrays), Size.of(0))
    shape = (*first.call.shape[:axis], length, *first.call.shape[axis + 1 :])
    return record("concatenate", arrays, shape, first.call.boolean, any(a.column for a in arrays), axis=axis)


# ---- lists of arrays


def _parts(leaves: Sequence[Any], texts: list[str]) -> list[Part]:
    """The arrays with their texts, all masks or all numbers."""
    arrays = [lift(a) for a in leaves]
    if not all(a.call.boolean for a in arrays):
        arrays = [numeric(a) for a in arrays]
    return [Part(text, array) for text, array in zip(texts, arrays, strict=True)]


def _listed(name: str, arrays: Any, rank: int = 0) -> list[Part]:
    """The arrays of a list, with at least as many axes as a rank, and all with as many as each other."""
    leaves = list(arrays)
    if not leaves:
        raise wrong(f"np.{name} of no arrays", f"write np.{name}([x, y])")
    parts = [_at_least(p, rank) for p in _parts(leaves, listed(len(leaves)))]
    if len({p.array.ndim for p in parts}) > 1:
        shapes = ", ".join(spell(p.shape) for p in parts)
        raise wrong(f"np.{name} of arrays of different ranks: {shapes}", "x[:, None] makes a column of a vector")
    return parts


def _at_least(part: Part, rank: int) -> Part:
    """The part with new axes in front, up to a rank."""
    missing = rank - part.array.ndim
    row = missing == part.array.ndim == 1
    return Part(part.text, part.array[(None,) * missing], row) if missing > 0 else part


@function("concatenate", "concat")
def concatenate(arrays: Any, axis: Any = 0) -> Array:
    if axis is None:
        return concatenate([ravel(a) for a in arrays])
    parts = _listed("concatenate", arrays)
    rank = parts[0].array.ndim
    if not rank:
        raise wrong("np.concatenate of scalars", "np.stack makes a vector of them")
    return _joined(parts, axis_of(axis, parts[0].array.call.shape))


@function("stack")
def stack(arrays: Any, axis: Any = 0) -> Array:
    parts = _listed("stack", arrays)
    rank = parts[0].array.ndim
    for above, below in pairwise(parts):
        differ = _misfit(above, below, rank)
        if differ is not None:
            _refuse(above, below, rank, differ)
    new = axis_of(axis, rank + 1)
    index = tuple(None if i == new else slice(None) for i in range(rank + 1))
    return _joined([Part(p.text, p.array[index]) for p in parts], new)


@function("vstack")
def vstack(tup: Any) -> Array:
    return _joined(_listed("vstack", tup, 2), 0)


@function("hstack")
def hstack(tup: Any) -> Array:
    parts = _listed("hstack", tup, 1)
    return _joined(parts, min(parts[0].array.ndim - 1, 1))


@function("column_stack")
def column_stack(tup: Any) -> Array:
    return _joined(_listed("column_stack", [_columns(lift(a)) for a in tup]), 1)


def _columns(array: Array) -> Array:
    """A vector as a column, a scalar as a matrix of one entry."""
    return array if array.ndim > 1 else array[..., None][(..., *(None,) * (1 - array.ndim))]


# ---- blocks


def _depth(blocks: Any) -> int:
    """How deep the lists of np.block are nested, the same everywhere."""
    if isinstance(blocks, tuple):
        raise wrong("np.block takes lists, not tuples", "write np.block([[A, B], [C, D]])")
    if not isinstance(blocks, list):
        return 0
    depths = {_depth(b) for b in blocks}
    if len(depths) != 1:
        fault = "the lists of np.block are nested to different depths" if depths else "np.block of an empty list"
        raise wrong(fault, "write np.block([[A, B], [C, D]])")
    return 1 + depths.pop()


def _leaves(blocks: Any) -> list[Any]:
    return [leaf for b in blocks for leaf in _leaves(b)] if isinstance(blocks, list) else [blocks]


def _assembled(blocks: Any, parts: Iterator[Part], axis: int, text: str = "") -> Part:
    """Nested lists as one part: the outermost is joined along an axis, the lists within it along those after it."""
    if not isinstance(blocks, list):
        return next(parts)
    of = tuple(_assembled(b, parts, axis + 1, f"row {i + 1}") for i, b in enumerate(blocks))
    return Part(of[0].text if len(of) == 1 else text, _joined(of, axis), of=of)


@function("block")
def block(arrays: Any) -> Array:
    depth, leaves = _depth(arrays), _leaves(arrays)
    parts = _parts(leaves, listed(len(leaves)))
    rank = max(depth, *(p.array.ndim for p in parts))
    return _assembled(arrays, iter([_at_least(p, rank) for p in parts]), rank - depth).array
