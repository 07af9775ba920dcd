"""Products of arrays of any rank, written one after the other; sums of labelled products are einsum's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NoReturn

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.dimension import wrap
from gradgen.dims import Size, is_one
from gradgen.entrywise import entrywise
from gradgen.hints import operands, origins, transposed
from gradgen.joining import stack
from gradgen.reductions import total
from gradgen.registry import FUNCTIONS, function, ufunc
from gradgen.scope import wrong
from gradgen.shapes import Shape, axis_of, clash, matmul, spell
from gradgen.views import ravel, reshape


def _would_match(a: Shape, b: Shape) -> str:
    left, right = operands()
    turned, other = transposed(left), transposed(right)
    tries = (
        (f"{turned} @ {right}", a[::-1], b),
        (f"{left} @ {other}", a, b[::-1]),
        (f"{turned} @ {other}", a[::-1], b[::-1]),
        (f"{right} @ {left}", b, a),
    )
    fits = [(text, p[-1], matmul(p, q)) for text, p, q in tries if max(len(a), len(b)) <= 2]
    # The product of a column and a row fits nearly always, and is seldom meant.
    for text, _, shape in sorted(fits, key=lambda fit: is_one(fit[1])):
        if shape is not None:
            return f"{text} has shape {spell(shape)}"
    return "the last axis of the left meets the last but one of the right"


def _no_match(sign: str, a: Shape, b: Shape) -> NoReturn:
    inner = b[-2] if len(b) > 1 else b[0]
    pair = (a[-1], inner) if a[-1] != inner else clash(a[:-2], b[:-2]) or (a[-1], inner)
    text = f"{spell(a)} {sign} {spell(b)} do not match: {pair[0]} against {pair[1]}{origins()}"
    raise wrong(text, _would_match(a, b))


def _factors(sign: str, x: Any, y: Any) -> tuple[Array, Array]:
    a, b = lift(x), lift(y)
    if a.call.boolean and b.call.boolean:
        raise wrong(f"the product of two masks is a mask in NumPy ({sign})", "make one a number: 1.0 * mask")
    return a, b


@ufunc("matmul")
def _matmul(x: Any, y: Any) -> Array:
    a, b = _factors("@", x, y)
    if not a.ndim or not b.ndim:
        raise wrong(f"{spell(a.call.shape)} @ {spell(b.call.shape)}: @ takes no scalar", "write * for a scalar factor")
    shape = matmul(a.call.shape, b.call.shape)
    if shape is None:
        _no_match("@", a.call.shape, b.call.shape)
    return record("matmul", (a, b), shape, column=True)


FUNCTIONS["linalg.matmul"] = _matmul


@function("dot")
def dot(a: Any, b: Any) -> Array:
    x, y = _factors("dot", a, b)
    if not x.ndim or not y.ndim:
        return entrywise("multiply", x, y)
    if max(x.ndim, y.ndim) > 2:
        return contraction("dot", x, y, (x.ndim - 1,), (max(0, y.ndim - 2),))
    shape = matmul(x.call.shape, y.call.shape)
    if shape is None:
        _no_match("dot", x.call.shape, y.call.shape)
    return record("dot", (x, y), shape, column=True)


@function("inner")
def inner(a: Any, b: Any) -> Array:
    x, y = _factors("inner", a, b)
    if not x.ndim or not y.ndim:
        return entrywise("multiply", x, y)
    p, q = x.call.shape, y.call.shape
    if p[-1] != q[-1]:
        text = f"{spell(p)} inner {spell(q)} do not match: {p[-1]} against {q[-1]}{origins()}"
        raise wrong(text, "the last axes meet")
    if max(x.ndim, y.ndim) > 2:
        return contraction("inner", x, y, (x.ndim - 1,), (y.ndim - 1,))
    return record("inner", (x, y), (*p[:-1], *q[:-1]), column=True)


def contraction(name: str, x: Array, y: Array, left: Sequence[int], right: Sequence[int]) -> Array:
    """The sum of products over pairs of axes; what is left of x comes before what is left of y."""
    p, q = x.call.shape, y.call.shape
    for i, j in zip(left, right, strict=True):
        if p[i] != q[j]:
            text = f"np.{name} of {spell(p)} and {spell(q)} do not match: {p[i]} against {q[j]}{origins()}"
            raise wrong(text, f"axis {i} of the left meets axis {j} of the right")
    inputs = tuple(range(x.ndim)), tuple(left[right.index(j)] if j in right else x.ndim + j for j in range(y.ndim))
    output = tuple(k for k in (*inputs[0], *inputs[1]) if k not in left)
    shape = tuple((*p, *q)[k] for k in output)
    return record("einsum", (x, y), shape, column=True, inputs=inputs, output=output)


@function("tensordot", "linalg.tensordot")
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    x, y = _factors("tensordot", a, b)
    left, right = _pairs(axes, x.call.shape, y.call.shape)
    if len(left) != len(right):
        raise wrong("np.tensordot sums over pairs of axes", "write axes=([1], [0])")
    return contraction("tensordot", x, y, left, right)


def _pairs(axes: Any, left: Shape, right: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of both sides that np.tensordot sums over."""
    if isinstance(axes, (int, np.integer)):
        if not 0 <= axes <= min(len(left), len(right)):
            hint = "so many last axes of the left meet the first of the right; axes=([1], [0]) names them"
            raise wrong(f"np.tensordot over {axes} axes of shapes {spell(left)} and {spell(right)}", hint)
        return tuple(range(len(left) - int(axes), len(left))), tuple(range(int(axes)))
    one, other = axes
    return _some_axes(one, left), _some_axes(other, right)


def _some_axes(axes: Any, shape: Shape) -> tuple[int, ...]:
    found = tuple(axis_of(i, shape) for i in (axes if isinstance(axes, (list, tuple)) else (axes,)))
    if len(set(found)) < len(found):
        raise wrong("an axis is named twice")
    return found


@function("vdot")
def vdot(a: Any, b: Any) -> Array:
    x, y = _factors("vdot", a, b)
    p, q = x.call.shape, y.call.shape
    if p != q:
        text = f"np.vdot of {spell(p)} and {spell(q)} do not match{origins()}"
        raise wrong(text, "np.vdot takes two arrays of one shape")
    return record("dot", (x, y), ()) if x.ndim == 1 else total(entrywise("multiply", x, y))


@ufunc("vecdot")
def vecdot(x1: Any, x2: Any, /, *, axis: Any = -1) -> Array:
    x, y = _factors("vecdot", x1, x2)
    if not x.ndim or not y.ndim:
        raise wrong("np.vecdot takes vectors, not a scalar", "write * for a scalar factor")
    p, q = x.call.shape, y.call.shape
    i, j = axis_of(axis, x.call.shape), axis_of(axis, y.call.shape)
    if p[i] != q[j]:
        text = f"np.vecdot of {spell(p)} and {spell(q)} do not match: {p[i]} against {q[j]}{origins()}"
        raise wrong(text, f"the axes {axis} meet")
    if x.ndim == y.ndim == 1:
        return record("dot", (x, y), ())
    return total(entrywise("multiply", _last(x, i), _last(y, j)), -1)


def _last(x: Array, axis: int) -> Array:
    """The array with an axis behind all others."""
    return x if axis == x.ndim - 1 else x.transpose(*(i for i in range(x.ndim) if i != axis), axis)


FUNCTIONS["linalg.vecdot"] = vecdot


@ufunc("matvec")
def _matvec(x1: Any, x2: Any, /) -> Array:
    return _matmul(x1, lift(x2)[..., None])[..., 0]


@ufunc("vecmat")
def _vecmat(x1: Any, x2: Any, /) -> Array:
    return _matmul(lift(x1)[..., None, :], x2)[..., 0, :]


@function("outer")
def outer(a: Any, b: Any) -> Array:
    x, y = _factors("outer", ravel(a), ravel(b))
    return record("outer", (x, y), (*x.call.shape, *y.call.shape))


@function("linalg.outer")
def _outer_of_vectors(x1: Any, x2: Any, /) -> Array:
    x, y = lift(x1), lift(x2)
    if x.ndim != 1 or y.ndim != 1:
        shapes = f"{spell(x.call.shape)} and {spell(y.call.shape)}"
        raise wrong(f"np.linalg.outer takes two vectors, not shapes {shapes}", "np.outer takes all entries")
    return outer(x, y)


@function("kron")
def kron(a: Any, b: Any) -> Array:
    x, y = _factors("kron", a, b)
    if not x.ndim or not y.ndim:
        return entrywise("multiply", x, y)
    rank = max(x.ndim, y.ndim)
    x, y = x[(None,) * (rank - x.ndim)], y[(None,) * (rank - y.ndim)]
    inputs = tuple(range(rank)), tuple(range(rank, 2 * rank))
    output = tuple(k for pair in zip(*inputs, strict=True) for k in pair)
    p, q = x.call.shape, y.call.shape
    blocks = record("einsum", (x, y), tuple((*p, *q)[k] for k in output), inputs=inputs, output=output)
    return reshape(blocks, tuple(wrap(i * j) for i, j in zip(p, q, strict=True)))


@function("linalg.multi_dot")
def multi_dot(arrays: Any, *, out: Any = None) -> Array:
    if out is not None:
        raise wrong("np.linalg.multi_dot takes no out here")
    factors = [lift(a) for a in arrays]
    if len(factors) < 2:
        raise wrong("np.linalg.multi_dot takes two arrays or more", "write np.linalg.multi_dot([A, B, x])")
    if any(f.ndim not in (1, 2) or (f.ndim == 1 and 0 < i < len(factors) - 1) for i, f in enumerate(factors)):
        shapes = ", ".join(spell(f.call.shape) for f in factors)
        raise wrong(f"np.linalg.multi_dot takes matrices, with a vector at an end only, not {shapes}", "write @")
    return reduce(_matmul, factors)


# ---- three dimensions


@function("cross", "linalg.cross")
def cross(a: Any, b: Any, axisa: Any = -1, axisb: Any = -1, axisc: Any = -1, axis: Any = None) -> Array:
    """The vector product of vectors of three entries, which lie along an axis of each."""
    out = axisc if axis is None else axis
    left, right = (_entries(lift(x), k if axis is None else axis) for x, k in ((a, axisa), (b, axisb)))
    parts = [left[i] * right[j] - left[j] * right[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return stack(parts, out)


def _entries(x: Array, axis: Any) -> list[Array]:
    """The three entries along an axis."""
    along = axis_of(axis, x.call.shape)
    if x.call.shape[along] != Size.of(3):
        raise wrong(
            f"np.cross of vectors of {x.call.shape[along]} entries along axis {along}", "they have three: Matrix[n, 3]"
        )
    return [x[(slice(None),) * along + (i,)] for i in range(3)]
