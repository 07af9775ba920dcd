"""Products of matrices and vectors, and the trace."""

from __future__ import annotations

from typing import Any, NoReturn

from gradgen.arrays import Array, lift, record
from gradgen.dims import is_one
from gradgen.entrywise import entrywise, numeric
from gradgen.errors import NotSupportedError
from gradgen.hints import operands, transposed
from gradgen.reductions import total
from gradgen.registry import FUNCTIONS, function, ufunc
from gradgen.scope import wrong
from gradgen.shapes import Shape, clash, matmul, spell


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
    raise wrong(f"{spell(a)} {sign} {spell(b)} do not match: {pair[0]} against {pair[1]}", _would_match(a, b))


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


def _low_rank(name: str, a: Array, b: Array) -> None:
    if max(a.ndim, b.ndim) > 2 and a.ndim and b.ndim:
        raise wrong(f"np.{name} of more than 2 axes is not supported yet", "write @ with swapaxes", NotSupportedError)


FUNCTIONS["linalg.matmul"] = _matmul


@function("dot")
def dot(a: Any, b: Any) -> Array:
    x, y = _factors("dot", a, b)
    _low_rank("dot", x, y)
    if not x.ndim or not y.ndim:
        return entrywise("multiply", x, y)
    shape = matmul(x.call.shape, y.call.shape)
    if shape is None:
        _no_match("dot", x.call.shape, y.call.shape)
    return record("dot", (x, y), shape, column=True)


@function("inner")
def inner(a: Any, b: Any) -> Array:
    x, y = _factors("inner", a, b)
    _low_rank("inner", x, y)
    if not x.ndim or not y.ndim:
        return entrywise("multiply", x, y)
    p, q = x.call.shape, y.call.shape
    if p[-1] != q[-1]:
        raise wrong(f"{spell(p)} inner {spell(q)} do not match: {p[-1]} against {q[-1]}", "the last axes meet")
    return record("inner", (x, y), (*p[:-1], *q[:-1]), column=True)


@function("vdot")
def vdot(a: Any, b: Any) -> Array:
    x, y = _factors("vdot", a, b)
    p, q = x.call.shape, y.call.shape
    if p != q:
        raise wrong(f"np.vdot of {spell(p)} and {spell(q)} do not match", "np.vdot takes two arrays of one shape")
    return record("dot", (x, y), ()) if x.ndim == 1 else total(entrywise("multiply", x, y))


@function("outer", "linalg.outer")
def outer(a: Any, b: Any) -> Array:
    x, y = _factors("outer", a, b)
    if x.ndim != 1 or y.ndim != 1:
        raise wrong(
            "np.outer of other than two vectors is not supported yet", "write a[:, None] * b", NotSupportedError
        )
    return record("outer", (x, y), (*x.call.shape, *y.call.shape))


@function("trace", "linalg.trace")
def trace(a: Any, offset: int = 0) -> Array:
    x = lift(a)
    if x.ndim != 2 or offset:
        raise wrong("np.trace of other than one matrix is not supported yet", "", NotSupportedError)
    rows, columns = x.call.shape
    if rows != columns:
        raise wrong(f"the trace of shape {spell(x.call.shape)}, which is not square")
    return record("trace", (numeric(x),), ())
