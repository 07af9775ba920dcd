"""Diagonals, matrices made of them, and traces."""

from __future__ import annotations

from typing import Any

from gradgen.arrays import Array, lift, record
from gradgen.conversions import cast
from gradgen.dimension import wrap
from gradgen.dims import Size, holds
from gradgen.entrywise import numeric
from gradgen.hints import argument, origins, square_of
from gradgen.joining import concatenate
from gradgen.reductions import total
from gradgen.registry import function
from gradgen.scope import wrong
from gradgen.shapes import axis_of, integer, spell
from gradgen.views import filled, transpose


@function("diag")
def diag(v: Any, k: Any = 0) -> Array:
    x = numeric(v)
    if x.ndim not in (1, 2):
        raise wrong(f"np.diag takes a vector or a matrix, not shape {spell(x.call.shape)}", "np.diagonal takes stacks")
    if x.ndim == 2:
        return diagonal(x, k)
    (size,) = x.call.shape
    return _moved(record("diag", (x,), (size, size)), _offset(k))


def _moved(square: Array, offset: int) -> Array:
    """A square matrix with zeros beside and above or below it, so that its diagonal is moved."""
    if not offset:
        return square
    size, beside = square.call.shape[0], Size.of(abs(offset))
    columns = [filled("zeros", (size, beside)), square]
    wide = concatenate(columns if offset > 0 else columns[::-1], 1)
    rows = [wide, filled("zeros", (beside, size + beside))]
    return concatenate(rows if offset > 0 else rows[::-1], 0)


def _offset(offset: Any) -> int:
    return integer(offset, "the offset of a diagonal is an integer that is known")


@function("diagonal")
def diagonal(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Array:
    x = numeric(a)
    if x.ndim < 2:
        raise wrong(
            f"a diagonal of shape {spell(x.call.shape)}, which is no matrix", "np.diag makes a matrix of a vector"
        )
    pair = axis_of(axis1, x.call.shape), axis_of(axis2, x.call.shape)
    if pair[0] == pair[1]:
        raise wrong("an axis is named twice")
    stack = _cut(transpose(x, (*(i for i in range(x.ndim) if i not in pair), *pair)), _offset(offset))
    return record("diagonal", (stack,), stack.call.shape[:-1])


def _cut(stack: Array, offset: int) -> Array:
    """The square whose diagonal is the one beside the main one of a stack of matrices."""
    rows, columns = stack.call.shape[-2:]
    down, right = max(-offset, 0), max(offset, 0)
    if holds(rows - down, columns - right):
        length = rows - down
    elif holds(columns - right, rows - down):
        length = columns - right
    else:
        text = f"which of the {rows} rows and {columns} columns are fewer is not known while the loss is traced"
        raise wrong(f"a diagonal of shape {spell((rows, columns))}: {text}", _fewer(rows, columns))
    if (length.constant or 0) < 0:
        length = Size.of(0)
    return stack[..., down : wrap(length + down), right : wrap(length + right)]


def _fewer(rows: Size, columns: Size) -> str:
    """How to say which side of a matrix is the shorter one."""
    return (
        f"{_cuts(rows, columns)}; or declare it, as in Matrix[{columns} + p, {columns}] or Matrix[{rows}, {rows} + p]"
    )


def _cuts(rows: Size, columns: Size) -> str:
    text = argument()
    return f"{text}[:{columns}], where there are more rows, or {text}[:, :{rows}] is square"


@function("linalg.diagonal")
def _last_diagonal(x: Any, /, *, offset: Any = 0) -> Array:
    return diagonal(x, offset, -2, -1)


@function("trace")
def trace(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None) -> Array:
    if out is not None:
        raise wrong("np.trace takes no out here")
    x = numeric(cast(lift(a), dtype))
    rows, columns = x.call.shape if x.ndim == 2 else (None, None)
    if rows is not None and rows == columns and not _offset(offset):
        return record("trace", (x,), ())
    if rows is not None and columns is not None and not holds(rows, columns) and not holds(columns, rows):
        hint = f"{square_of(x.call.shape)}; {_cuts(rows, columns)}"
        raise wrong(f"the trace of shape {spell(x.call.shape)}, which is not square{origins()}", hint)
    return total(diagonal(x, offset, axis1, axis2), -1)


@function("linalg.trace")
def _last_trace(x: Any, /, *, offset: Any = 0, dtype: Any = None) -> Array:
    return trace(x, offset, -2, -1, dtype)
