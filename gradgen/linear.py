"""Functions of matrices: inverses, powers, factors and determinants."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradgen.arrays import Array, record
from gradgen.entrywise import numeric
from gradgen.hints import argument, operands, square_of, transposed
from gradgen.registry import apply, function
from gradgen.scope import said, wrong
from gradgen.shapes import Shape, clash, integer, join, spell
from gradgen.symmetry import is_symmetric
from gradgen.views import broadcast_to, filled


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
        raise wrong(text, _least_squares(shape) if name == "solve" else square_of(shape))
    return x


def _least_squares(shape: Shape) -> str:
    if len(shape) != 2:
        return square_of(shape)
    one, other = argument(), transposed(argument())
    return f"np.linalg.solve({other} @ {one}, {other} @ y) is the least squares solution of {one} w = y"


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


@function("linalg.pinv")
def pinv(a: Any, rcond: Any = None, hermitian: Any = False, *, rtol: Any = np._NoValue) -> Array:
    if rcond is not None or hermitian or rtol is not np._NoValue:
        raise wrong("np.linalg.pinv takes no options here", "the matrix is taken to have full rank")
    x = numeric(a)
    shape = x.call.shape
    if x.ndim < 2:
        raise wrong(f"np.linalg.pinv takes a matrix, not shape {spell(shape)}", "x[:, None] is a column")
    return record("pinv", (x,), (*shape[:-2], shape[-1], shape[-2]), column=x.column)


@function("linalg.matrix_power")
def matrix_power(a: Any, n: Any) -> Array:
    x = _square("matrix_power", a)
    power = integer(n, "the power of a matrix is an integer that is known")
    if power < 0:
        x, power = inv(x), -power
    if power == 0:
        size = x.call.shape[-1]
        return broadcast_to(filled("eye", (size, size)), x.shape)
    result = None
    while True:  # square by square, as NumPy does
        if power % 2:
            result = x if result is None else apply("matmul", result, x)
        power //= 2
        if not power:
            assert result is not None
            return result
        x = apply("matmul", x, x)


# ---- symmetric matrices


def _symmetric(name: str, value: Any) -> Array:
    x = _square(name, value)
    if not is_symmetric(x.call):
        text = argument()
        whole = f"{text} + {transposed(text) if x.ndim == 2 else f'{text}.mT'}"
        fix = f"write np.linalg.{name}(({whole}) / 2)"
        raise wrong(
            f"np.linalg.{name} takes a symmetric matrix, and {text} is not known to be one",
            f"{fix}, or declare an argument Symmetric[n] or SPD[n]",
        )
    return x


@function("linalg.cholesky")
def cholesky(a: Any, /, *, upper: bool = False) -> Array:
    x = _symmetric("cholesky", a)
    factor = record("cholesky", (x,), x.call.shape)
    return factor.mT if upper else factor


@function("linalg.eigvalsh")
def eigvalsh(a: Any, UPLO: Any = "L") -> Array:
    if UPLO not in ("L", "U"):
        raise wrong(f"np.linalg.eigvalsh knows no triangle {said(UPLO)}", "leave it out")
    x = _symmetric("eigvalsh", a)
    return record("eigvalsh", (x,), x.call.shape[:-1])
