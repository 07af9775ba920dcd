"""Entries gathered by arrays of positions: ``U[rows]``, ``x[[0, 2]]``, ``R[rows, cols]``, ``Z[np.arange(n), y]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from gradgen.arrays import Array, constant, lift, record
from gradgen.dimension import wrap
from gradgen.dims import ONE, Size, holds, is_one
from gradgen.errors import NotSupportedError, SpecError
from gradgen.hints import subscript
from gradgen.indexing import as_size, spread
from gradgen.joining import concatenate
from gradgen.positions import Column, Positions, counts, gathers
from gradgen.registry import function
from gradgen.scope import presuppose, said, wrong
from gradgen.shapes import Shape, axis_of, spell
from gradgen.views import counted, ravel, reshape, transpose

FIX = "an index is made of integers, slices, None, arrays of integers and Indices arguments"
Chosen = Positions | Array | np.ndarray[Any, Any]  # an array is 0, 1, ... in turn


@dataclass(frozen=True)
class Mixed:
    """An index in parts: what is plain about it, with whole axes for the arrays; the arrays by the axes of what that
    gives; and the axis that the gathered ones get there."""

    plain: tuple[Any, ...]
    arrays: tuple[tuple[int, Chosen], ...]
    place: int


@function("__getitem__")
def selected(x: Array, index: Any) -> Array:
    """``x[index]`` where the index holds arrays of positions."""
    entries = spread(index if isinstance(index, tuple) else (index,), x.call.shape)
    for entry, size in zip([e for e in entries if e is not None], x.call.shape, strict=True):
        if isinstance(entry, Array) and not counts(entry):
            raise _no_index(entry, size)
    mixed = _mixed(entries)
    part, arrays = x[mixed.plain], mixed.arrays
    if len(arrays) == 1:
        axis, chosen = arrays[0]
        return _placed(gathered(part, chosen, axis), axis, chosen.ndim, mixed.place)
    if any(not isinstance(a, np.ndarray) or a.ndim < 2 for _, a in arrays):
        return _together(part, arrays, mixed.place)
    return _grid(part, arrays, mixed.place)


def _no_index(entry: Array, below: Size) -> SpecError:
    """What to write in place of a traced array as an index."""
    array, inside = subscript()
    if entry.call.boolean:
        chosen = f"np.where({inside}, {array}, 0)"
        hint = f"{chosen} keeps the shape: np.sum({chosen}) sums what the mask chooses"
        return wrong("a traced array cannot be an index", hint)
    given = entry.call.op == "argument"
    name = entry.call.params["name"] if given else "rows"
    if entry.ndim == 1:
        hint = f"{name}: Indices[{entry.call.shape[0]}, {below}]"
    elif entry.ndim == 0:
        hint = f"{name}: Indices[1, {below}], and take {array}[{name}][0]"
    else:
        hint = f"rows: Indices[m, {below}], a vector of positions, and reshape what they choose"
    text = f"{name} holds numbers, which cannot be an index" if given else "a traced array cannot be an index"
    return wrong(text, f"declare {hint}" if given else f"let an argument hold the positions, {hint}")


def _mixed(entries: Sequence[Any]) -> Mixed:
    """Integers count as arrays for where the gathered axes go: in place where all arrays are neighbours, else first."""
    plain: list[Any] = []
    arrays: list[tuple[int, Chosen]] = []
    places: list[int] = []
    axis = 0
    advanced = []
    for entry in entries:
        array = gathers(entry)
        number = not array and entry is not None and not isinstance(entry, slice)
        advanced.append(array or number)
        places += [axis] if array or number else []
        if array:
            arrays.append((axis, _positions(entry)))
        plain.append(slice(None) if array else entry)
        axis += not number
    together = [key for key, _ in groupby(advanced)].count(True) == 1
    return Mixed(tuple(plain), tuple(arrays), places[0] if together else 0)


def _positions(entry: Any) -> Chosen:
    """An array of an index, of integers; a mask that is known is where it holds."""
    if isinstance(entry, Positions | Array):
        return entry
    if isinstance(entry, list) and any(isinstance(e, (Array, Positions)) for e in entry):
        raise wrong("an index is no list of traced arrays", FIX)
    try:
        array = np.asarray(entry)
    except (ValueError, TypeError):
        raise wrong(f"an index cannot be {said(entry)}", FIX) from None
    if array.dtype == bool and array.ndim == 1:
        return np.flatnonzero(array)
    if array.dtype.kind not in "iu" and array.size:
        raise wrong(f"an index is made of integers, not of {array.dtype}", FIX)
    if array.size > 1000:
        raise wrong(f"a constant of {array.size} indices", "let them be an argument: rows: Indices[m, n]")
    return array.astype(int)


# ---- along one axis


def gathered(x: Array, chosen: Chosen, axis: int) -> Array:
    """The entries of one axis at the positions, whose axes come in its place."""
    shape = x.call.shape
    if isinstance(chosen, Array):
        return _cut(x, chosen.call.shape[0], axis)
    if isinstance(chosen, Positions):
        _fits(chosen, shape, axis)
        length = chosen.call.shape[0]
        call = (*shape[:axis], length, *shape[axis + 1 :])
        positions = Array(chosen.call)
        return record("take", (x, positions), call, x.call.boolean, axis=axis)
    flat = _picked(x, chosen.ravel(), axis)
    if chosen.ndim == 1:
        return flat
    return reshape(flat, (*map(wrap, shape[:axis]), *chosen.shape, *map(wrap, shape[axis + 1 :])))


def _cut(x: Array, length: Size, axis: int) -> Array:
    """The first entries of an axis."""
    if length == x.call.shape[axis]:
        return x
    return x[(*(slice(None),) * axis, slice(None, wrap(length)))]


def _fits(chosen: Positions, shape: Shape, axis: int) -> None:
    """Refuse indices that may lie beyond an axis."""
    size = shape[axis]
    if chosen.below != size and not holds(chosen.below, size):
        text = f"{chosen.name} holds indices below {chosen.below}, but axis {axis} has length {size}"
        raise wrong(text, _meant_axis(chosen, shape) or f"declare it as Indices[{chosen.call.shape[0]}, {size}]")


def _meant_axis(chosen: Positions, shape: Shape) -> str:
    """How the indices take an entry of each row of a matrix, where they are those of its columns, or ""."""
    if len(shape) != 2 or shape != (chosen.call.shape[0], chosen.below):
        return ""
    array, _ = subscript()
    return f"{array}[np.arange({shape[0]}), {chosen.name}] takes an entry of each row"


def _picked(x: Array, chosen: np.ndarray[Any, Any], axis: int) -> Array:
    shape = x.call.shape
    if shape[axis].constant is None and np.any(chosen < 0):
        return _from_both_ends(x, chosen, axis)
    chosen = _within(chosen, shape[axis])
    result = (*shape[:axis], Size.of(len(chosen)), *shape[axis + 1 :])
    return record("pick", (x,), result, x.call.boolean, axis=axis, index=tuple(map(int, chosen)))


def _within(chosen: np.ndarray[Any, Any], size: Size) -> np.ndarray[Any, Any]:
    """Positions on an axis, counted from its start."""
    if size.constant is not None:
        for i in chosen:
            if not -size.constant <= i < size.constant:
                raise wrong(f"index {i} is out of bounds for an axis of length {size}")
        chosen = chosen % max(size.constant, 1)
    if len(chosen):
        presuppose(Size.of(int(chosen.max()) + 1), size)
    return chosen


def _from_both_ends(x: Array, chosen: np.ndarray[Any, Any], axis: int) -> Array:
    """Positions of which some count from the end of an axis whose length is not known."""
    if len(chosen) > 20:
        text = f"{len(chosen)} indices, some of them negative, over an axis of length {x.call.shape[axis]}"
        raise wrong(text, "count from the start, or gather the parts one by one")
    ahead = (slice(None),) * axis
    ends = [slice(int(i), int(i) + 1 if i != -1 else None) for i in chosen]
    return concatenate([x[(*ahead, end)] for end in ends], axis)


def _placed(x: Array, axis: int, count: int, place: int) -> Array:
    """So many axes, from one on, moved to where NumPy puts them."""
    if axis == place:
        return x
    moved = list(range(axis, axis + count))
    rest = [i for i in range(x.ndim) if i not in moved]
    return transpose(x, (*rest[:place], *moved, *rest[place:]))


# ---- along several axes


def _length(chosen: Chosen) -> Size:
    return Size.of(len(chosen)) if isinstance(chosen, np.ndarray) else chosen.call.shape[0]


def _together(x: Array, arrays: Sequence[tuple[int, Chosen]], place: int) -> Array:
    """One entry for each tuple of positions."""
    if any(a.ndim > 1 for _, a in arrays):
        raise wrong("Indices beside an array of two axes are not supported yet", FIX, NotSupportedError)
    longest = next((s for s in (_length(a) for _, a in arrays) if not is_one(s)), ONE)
    for size in (_length(a) for _, a in arrays):
        if size != longest and not is_one(size):
            text = f"index arrays of lengths {longest} and {size}, which do not match"
            raise wrong(text, "one entry is taken for each tuple of positions; X[rows][:, cols] takes a block")
    single = [axis for axis, a in arrays if is_one(_length(a))]
    for axis, a in arrays:
        x = gathered(x, a, axis) if axis in single else x
    x = x[tuple(0 if axis in single else slice(None) for axis in range(x.ndim))]
    rest = [(axis - sum(k < axis for k in single), a) for axis, a in arrays if axis not in single]
    if not rest:
        return x[(*(slice(None),) * place, None)]
    if len(rest) == 1:
        axis, a = rest[0]
        return _placed(gathered(x, a, axis), axis, 1, place)
    return _tuples(x, rest, longest, place)


def _tuples(x: Array, arrays: Sequence[tuple[int, Chosen]], length: Size, place: int) -> Array:
    """One entry for each tuple of positions of one length, which is not literally 1."""
    positions = []
    for axis, a in arrays:
        if isinstance(a, np.ndarray) and x.call.shape[axis].constant is None and np.any(a < 0):
            x, a = gathered(x, a, axis), counted(0, wrap(length), 1)
        x, known = _checked(x, a, axis)
        positions.append(known)
    axes = [axis for axis, _ in arrays]
    others = [i for i in range(x.ndim) if i not in axes]
    x = transpose(x, (*others, *axes))
    taken = record("entries", (x, *positions), (*x.call.shape[: len(others)], length), x.call.boolean)
    return _placed(taken, len(others), 1, place)


def _checked(x: Array, chosen: Chosen, axis: int) -> tuple[Array, Array]:
    """An array whose axis the positions fit, cut to it where they count along it; the positions as a call."""
    if isinstance(chosen, Array):
        return _cut(x, chosen.call.shape[0], axis), chosen
    if isinstance(chosen, Positions):
        _fits(chosen, x.call.shape, axis)
        return x, Array(chosen.call)
    return x, constant(_within(chosen, x.call.shape[axis]))


def _grid(x: Array, arrays: Sequence[tuple[int, Chosen]], place: int) -> Array:
    """Constant arrays of several axes: an open mesh, as np.ix_ makes it, or tuples of positions in a shape."""
    known = [(axis, a) for axis, a in arrays if isinstance(a, np.ndarray)]
    try:
        shape = np.broadcast_shapes(*(a.shape for _, a in known))
    except ValueError:
        raise wrong("index arrays of shapes that do not broadcast", "np.ix_(rows, cols) takes a block") from None
    mesh = all(a.size == a.shape[i] for i, (_, a) in enumerate(known) if a.ndim == len(known))
    neighbours = [axis for axis, _ in known] == list(range(place, place + len(known)))
    if mesh and neighbours and all(a.ndim == len(known) for _, a in known):
        for axis, a in known:
            x = gathered(x, a.ravel(), axis)
        return x
    flat = _together(x, [(axis, np.broadcast_to(a, shape).ravel()) for axis, a in known], place)
    sizes = flat.call.shape
    return reshape(flat, (*map(wrap, sizes[:place]), *shape, *map(wrap, sizes[place + 1 :])))


# ---- np.take, np.take_along_axis


@function("take_along_axis")
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Array:
    """The entry of each row at an index, as a column."""
    x = lift(arr)
    if not isinstance(indices, Column) or x.ndim != 2 or axis_of(axis, x.call.shape) != 1:
        hint = "write np.take_along_axis(Z, y[:, None], axis=1), or Z[np.arange(n), y], with y: Indices[n, k]"
        raise wrong("np.take_along_axis takes an entry of each row of a matrix here", hint)
    rows = x.call.shape[0]
    if indices.call.shape[0] != rows:
        raise wrong(f"{indices.name} is {indices.call.shape[0]} long, and the matrix has {rows} rows")
    y = Positions(indices.call, indices.below)
    return x[counted(0, wrap(rows), 1), y][:, None]


@function("take")
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Array:
    if out is not None or mode != "raise":
        raise wrong("np.take takes an axis and no other option here", "write x[rows]")
    x = lift(a)
    if axis is None:
        x, axis = ravel(x), 0
    along = axis_of(axis, x.call.shape)
    if isinstance(indices, (int, np.integer)) or as_size(indices) is not None:
        return x[(*(slice(None),) * along, indices)]
    if isinstance(indices, Array):
        raise wrong(f"positions are constants or an Indices argument, not of shape {spell(indices.call.shape)}", FIX)
    return gathered(x, _positions(list(indices) if isinstance(indices, tuple) else indices), along)
