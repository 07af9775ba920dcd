"""Entries gathered by arrays of positions: ``U[rows]``, ``x[[0, 2]]``, ``R[rows, cols]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.dimension import wrap
from gradgen.dims import Size, holds, is_one
from gradgen.errors import NotSupportedError
from gradgen.indexing import as_size, spread
from gradgen.joining import concatenate
from gradgen.positions import Positions, gathers
from gradgen.registry import function
from gradgen.scope import presuppose, said, wrong
from gradgen.shapes import axis_of, spell
from gradgen.views import ravel, reshape, transpose

FIX = "an index is made of integers, slices, None, arrays of integers and Indices arguments"
Chosen = Positions | np.ndarray[Any, Any]


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
    mixed = _mixed(spread(index if isinstance(index, tuple) else (index,), x.call.shape))
    part, arrays = x[mixed.plain], mixed.arrays
    if len(arrays) == 1:
        axis, chosen = arrays[0]
        return _placed(gathered(part, chosen, axis), axis, chosen.ndim, mixed.place)
    if any(isinstance(a, Positions) or a.ndim < 2 for _, a in arrays):
        return _together(part, arrays, mixed.place)
    return _grid(part, arrays, mixed.place)


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
    if isinstance(entry, Positions):
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
    if isinstance(chosen, Positions):
        if chosen.below != shape[axis]:
            text = f"{chosen.name} holds indices below {chosen.below}, but axis {axis} has length {shape[axis]}"
            if not holds(chosen.below, shape[axis]):
                raise wrong(text, f"declare it as Indices[{chosen.call.shape[0]}, {shape[axis]}]")
        length = chosen.call.shape[0]
        call = (*shape[:axis], length, *shape[axis + 1 :])
        positions = Array(chosen.call)
        return record("take", (x, positions), call, x.call.boolean, axis=axis)
    flat = _picked(x, chosen.ravel(), axis)
    if chosen.ndim == 1:
        return flat
    return reshape(flat, (*map(wrap, shape[:axis]), *chosen.shape, *map(wrap, shape[axis + 1 :])))


def _picked(x: Array, chosen: np.ndarray[Any, Any], axis: int) -> Array:
    shape = x.call.shape
    size = shape[axis]
    length = Size.of(len(chosen))
    if size.constant is not None:
        for i in chosen:
            if not -size.constant <= i < size.constant:
                raise wrong(f"index {i} is out of bounds for an axis of length {size}")
        chosen = chosen % max(size.constant, 1)
    elif np.any(chosen < 0):
        return _from_both_ends(x, chosen, axis)
    if len(chosen):
        presuppose(Size.of(int(chosen.max()) + 1), size)
    result = (*shape[:axis], length, *shape[axis + 1 :])
    return record("pick", (x,), result, x.call.boolean, axis=axis, index=tuple(map(int, chosen)))


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
    return chosen.call.shape[0] if isinstance(chosen, Positions) else Size.of(len(chosen))


def _together(x: Array, arrays: Sequence[tuple[int, Chosen]], place: int) -> Array:
    """One entry for each tuple of positions: gathered along every axis, the diagonal of what that gives."""
    if any(a.ndim > 1 for _, a in arrays):
        raise wrong("Indices beside an array of two axes are not supported yet", FIX, NotSupportedError)
    product = _of_product(x, arrays)
    if product is not None:
        return product
    lengths = [_length(a) for _, a in arrays]
    longest = next((s for s in lengths if not is_one(s)), lengths[0])
    for (axis, chosen), size in zip(arrays, lengths, strict=True):
        if size != longest and not is_one(size):
            text = f"index arrays of lengths {longest} and {size}, which do not match"
            raise wrong(text, "one entry is taken for each tuple of positions; X[rows][:, cols] takes a block")
        if is_one(size) and not is_one(longest):
            if isinstance(chosen, Positions):
                raise wrong("Indices of length 1 beside longer ones are not supported yet", FIX, NotSupportedError)
            chosen = np.repeat(chosen, longest.constant) if longest.constant is not None else chosen
            x = gathered(x, chosen, axis)
            if longest.constant is None:
                shape = tuple(wrap(longest if i == axis else s) for i, s in enumerate(x.call.shape))
                x = _wide(x, shape)
            continue
        x = gathered(x, chosen, axis)
    return _diagonal(x, [axis for axis, _ in arrays], place)


def _of_product(x: Array, arrays: Sequence[tuple[int, Chosen]]) -> Array | None:
    """Entries of a product of two matrices: products of the rows and columns alone, and never of all pairs."""
    if x.call.op != "matmul" or [axis for axis, _ in arrays] != [0, 1] or len({_length(a) for _, a in arrays}) > 1:
        return None
    left, right = map(Array, x.call.args)
    if left.ndim != 2 or right.ndim != 2:
        return None
    rows, columns = gathered(left, arrays[0][1], 0), gathered(right, arrays[1][1], 1)
    return record("einsum", (rows, columns), rows.call.shape[:1], inputs=((0, 1), (1, 0)), output=(0,))


def _wide(x: Array, shape: tuple[Any, ...]) -> Array:
    target = tuple(s for s in map(as_size, shape) if s is not None)
    return record("broadcast_to", (x,), target, x.call.boolean)


def _diagonal(x: Array, axes: Sequence[int], place: int) -> Array:
    """The entries at equal positions of several axes."""
    others = [i for i in range(x.ndim) if i not in axes]
    x = transpose(x, (*others, *axes))
    for _ in axes[1:]:
        x = record("diagonal", (x,), x.call.shape[:-1])
    return _placed(x, x.ndim - 1, 1, place)


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


# ---- np.take


@function("take")
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Array:
    if out is not None or mode != "raise":
        raise wrong("np.take takes an axis and no other option here", "write x[rows]")
    x = lift(a)
    if axis is None:
        x, axis = ravel(x), 0
    along = axis_of(axis, x.ndim)
    if isinstance(indices, (int, np.integer)) or as_size(indices) is not None:
        return x[(*(slice(None),) * along, indices)]
    if isinstance(indices, Array):
        raise wrong(f"positions are constants or an Indices argument, not of shape {spell(indices.call.shape)}", FIX)
    return gathered(x, _positions(list(indices) if isinstance(indices, tuple) else indices), along)
