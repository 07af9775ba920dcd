"""Functions of matrices: the inverse, determinants, norms, diagonals."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np

from gradgen.arrays import Array, record
from gradgen.entrywise import entrywise, mask, numeric
from gradgen.errors import NotSupportedError
from gradgen.hints import argument, operands, transposed
from gradgen.reductions import maximum, minimum, reduction, total
from gradgen.registry import function
from gradgen.scope import wrong
from gradgen.shapes import Shape, axes_of, axis_of, clash, join, spell
from gradgen.views import transpose


class SlogdetResult(NamedTuple):
    """What np.linalg.slogdet gives."""

    sign: Array
    logabsdet: Array


# ---- square matrices


def _square(name: str, value: Any) -> Array:
    """A stack of square matrices."""
    x = numeric(value)
    shape, text = x.call.shape, argument()
    if x.ndim < 2:
        hint = f"1 / {text} inverts entry by entry" if name == "inv" else "a matrix has two axes"
        raise wrong(f"np.linalg.{name} takes a matrix, not shape {spell(shape)}", hint)
    if shape[-2] != shape[-1]:
        text = f"np.linalg.{name} takes a square matrix, not shape {spell(shape)}: {shape[-2]} against {shape[-1]}"
        raise wrong(text, _gram(shape))
    return x


def _gram(shape: Shape) -> str:
    if len(shape) != 2:
        return "the last two axes are the matrices"
    text = argument()
    return f"{transposed(text)} @ {text} is square, of shape {spell((shape[1], shape[1]))}"


@function("linalg.inv")
def inv(a: Any) -> Array:
    x = _square("inv", a)
    return record("inv", (x,), x.call.shape, column=x.column)


@function("linalg.det")
def det(a: Any) -> Array:
    x = _square("det", a)
    return record("det", (x,), x.call.shape[:-2])


def logdet(a: Any) -> Array:
    """``log|det(a)|``."""
    x = _square("slogdet", a)
    return record("logdet", (x,), x.call.shape[:-2])


@function("linalg.slogdet")
def slogdet(a: Any) -> SlogdetResult:
    x = _square("slogdet", a)
    return SlogdetResult(record("detsign", (x,), x.call.shape[:-2]), logdet(x))


@function("linalg.solve")
def solve(a: Any, b: Any) -> Array:
    x, y = _square("solve", a), numeric(b)
    p, q = x.call.shape, y.call.shape
    if not q:
        raise wrong("np.linalg.solve takes a vector or a matrix on the right, not a scalar", "multiply the inverse")
    if y.ndim == 1:
        rows, shape = q[0], p[:-1]
    else:
        rows, shape = q[-2], (*join(p[:-2], q[:-2]), p[-1], q[-1])
    if p[-1] != rows:
        text = f"{spell(p)} against {spell(q)} on the right do not match: {p[-1]} against {rows}"
        raise wrong(f"np.linalg.solve of {text}", _fit(p, q))
    pair = clash(p[:-2], q[:-2]) if y.ndim > 1 else None
    if pair:
        text = f"{spell(p)} against {spell(q)} on the right do not broadcast: {pair[0]} against {pair[1]}"
        raise wrong(f"np.linalg.solve of {text}")
    return record("solve", (x, y), shape, column=True)


def _fit(p: Shape, q: Shape) -> str:
    """How a right side of another height might fit."""
    right = operands()[1]
    if len(q) > 1 and q[-1] == p[-1]:
        if len(p) > 2:
            return f"{right}[..., None] is a stack of columns; only an array of one axis is taken for a vector"
        if len(q) == 2:
            return f"{transposed(right)} has shape {spell(q[::-1])}"
    return "the right side has as many rows as the matrix"


# ---- diagonals


@function("diag")
def diag(v: Any, k: Any = 0) -> Array:
    x = numeric(v)
    if x.ndim not in (1, 2):
        raise wrong(f"np.diag takes a vector or a matrix, not shape {spell(x.call.shape)}", "np.diagonal takes stacks")
    if x.ndim == 2:
        return diagonal(x, k)
    _main(k)
    (size,) = x.call.shape
    return record("diag", (x,), (size, size))


@function("diagonal")
def diagonal(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Array:
    x = numeric(a)
    _main(offset)
    if x.ndim < 2:
        raise wrong(
            f"a diagonal of shape {spell(x.call.shape)}, which is no matrix", "np.diag makes a matrix of a vector"
        )
    pair = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    if pair[0] == pair[1]:
        raise wrong("an axis is named twice")
    stack = transpose(x, (*(i for i in range(x.ndim) if i not in pair), *pair))
    rows, columns = stack.call.shape[-2:]
    if rows != columns:
        text = f"the diagonal of shape {spell((rows, columns))}, which is not square, is not supported yet"
        raise wrong(text, "cut it to a square first, such as X[:p, :p]", NotSupportedError)
    return record("diagonal", (stack,), stack.call.shape[:-1])


@function("linalg.diagonal")
def _last_diagonal(x: Any, /, *, offset: Any = 0) -> Array:
    return diagonal(x, offset, -2, -1)


def _main(offset: Any) -> None:
    if not isinstance(offset, (int, np.integer)) or offset:
        raise wrong("a diagonal beside the main one is not supported yet", "", NotSupportedError)


# ---- norms


@function("linalg.norm")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Array:
    a = numeric(x)
    axes = tuple(range(a.ndim)) if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(axis_of(i, a.ndim) for i in axes)
    if axis is None and ord is None:
        return _euclidean(a, axes, keepdims)
    if len(axes) == 1:
        return _of_vectors(a, ord, axes, keepdims)
    if len(axes) == 2:
        return _of_matrices(a, ord, axes, keepdims)
    raise wrong(f"a norm over {len(axes)} axes", "a vector has one axis and a matrix has two: name them, axis=1")


@function("linalg.vector_norm")
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Array:
    a = numeric(x)
    return _of_vectors(a, ord, axes_of(axis, a.ndim), keepdims)


@function("linalg.matrix_norm")
def _matrix_norm(x: Any, /, *, keepdims: Any = False, ord: Any = "fro") -> Array:
    a = numeric(x)
    if a.ndim < 2:
        raise wrong(
            f"np.linalg.matrix_norm takes a matrix, not shape {spell(a.call.shape)}", "np.linalg.norm takes vectors"
        )
    return _of_matrices(a, ord, (a.ndim - 2, a.ndim - 1), keepdims)


def _euclidean(x: Array, axes: tuple[int, ...], keepdims: Any) -> Array:
    """The square root of the sum of squares."""
    return reduction("norm", x, axes, keepdims) if axes else entrywise("absolute", x)


def _of_vectors(x: Array, order: Any, axes: tuple[int, ...], keepdims: Any) -> Array:
    if order is None or order == 2:
        return _euclidean(x, axes, keepdims)
    if order == 0:
        return total(mask(x), axes, keepdims=keepdims)
    size = entrywise("absolute", x)
    if order == 1:
        return total(size, axes, keepdims=keepdims)
    if order in (np.inf, -np.inf):
        return (maximum if order > 0 else minimum)(size, axes, keepdims=keepdims)
    hint = f"where no entry is 0, np.sum(np.abs(x) ** {order}) ** (1 / {order}) is the same"
    _refuse_order(f"{order!r} of a vector", hint, isinstance(order, (int, float)))


def _of_matrices(x: Array, order: Any, axes: tuple[int, ...], keepdims: Any) -> Array:
    rows, columns = axes
    if rows == columns:
        raise wrong("an axis is named twice")
    if order in (None, "fro"):
        return _euclidean(x, tuple(sorted(axes)), keepdims)
    if order not in (1, -1, np.inf, -np.inf):
        _refuse_order(f"{order!r} of a matrix", "np.linalg.norm(X) is the Frobenius norm", order in (2, -2, "nuc"))
    summed, chosen = (rows, columns) if abs(order) == 1 else (columns, rows)
    sums = total(entrywise("absolute", x), summed, keepdims=keepdims)
    left = chosen if keepdims or chosen < summed else chosen - 1
    return (maximum if order > 0 else minimum)(sums, left, keepdims=keepdims)


def _refuse_order(what: str, hint: str, known: bool) -> NoReturn:
    if known:
        raise wrong(f"the norm of order {what} is not supported yet", hint, NotSupportedError)
    raise wrong(f"there is no norm of order {what}", "the orders are those of np.linalg.norm")
