"""The entrywise functions, their broadcasting, and masks."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from gradgen import tape
from gradgen.arrays import Array, lift, record
from gradgen.dims import ONE, is_one
from gradgen.hints import operands, origins
from gradgen.registry import UFUNCS, Handler, function, ufunc
from gradgen.scope import wrong
from gradgen.shapes import Shape, clash, join, spell

UNARY = sorted(set(tape.UNARY) - {"negative", "positive", "absolute", "sign", "logical_not"})
COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
BINARY = sorted(set(tape.BINARY) - {"logical_and", "logical_or"})
LOGICAL = {"add": "logical_or", "multiply": "logical_and", "maximum": "logical_or", "minimum": "logical_and"}
# The same in NumPy's other spellings.
SAME = {
    "fabs": "absolute",
    "true_divide": "divide",
    "float_power": "power",
    "conjugate": "positive",
    "psi": "digamma",
}


def _column_against_vector(a: Array, b: Array) -> bool:
    """Whether (n,) meets an (n, 1) that nobody asked for by name: nearly always a mistake."""
    vector, other = (a, b) if a.ndim < b.ndim else (b, a)
    if vector.ndim != 1 or other.ndim < 2 or not other.column:
        return False
    rows, last = other.call.shape[-2:]
    return is_one(last) and rows == vector.call.shape[0] and not is_one(rows)


def _layout(a: Shape, b: Shape) -> str:
    """How two arrays that do not broadcast might: by a column, or by a transpose."""
    left, right = operands()
    if len(a) < len(b):
        a, b, left, right = b, a, right, left
    if len(a) == 2 and len(b) == 1 and a[0] == b[0]:
        return f"{right}[:, None] has shape {spell((b[0], ONE))} and broadcasts along the rows"
    if len(b) == 2 and clash(a, b[::-1]) is None:
        return f"{right}.T has shape {spell(b[::-1])}"
    return "axes broadcast from the last; a dimension meets itself or a literal 1"


def _refuse_columns(arrays: tuple[Array, ...], shape: Shape) -> None:
    for a, b in combinations(arrays, 2):
        if _column_against_vector(a, b):
            text = f"{spell(a.call.shape)} against {spell(b.call.shape)} would become {spell(shape)}"
            raise wrong(text, "take the column as a vector, x[:, 0], or make the vector a column, y[:, None]")


def _common(arrays: tuple[Array, ...]) -> Shape:
    """The shape that operands broadcast to."""
    shape = arrays[0].call.shape
    for array in arrays[1:]:
        other = array.call.shape
        pair = clash(shape, other)
        if pair:
            text = f"{spell(shape)} and {spell(other)} do not broadcast: {pair[0]} against {pair[1]}{origins()}"
            raise wrong(text, _layout(shape, other))
        shape = join(shape, other)
    _refuse_columns(arrays, shape)
    return shape


def entrywise(op: str, *values: Any, boolean: bool = False, **params: Any) -> Array:
    arrays = tuple(lift(v) for v in values)
    shape = _common(arrays)
    column = any(a.column and a.ndim == len(shape) for a in arrays)
    return record(op, arrays, shape, boolean, column, **params)


def _unary(op: str) -> Handler:
    return lambda x: entrywise(op, x)


def _binary(op: str) -> Handler:
    def handler(x: Any, y: Any) -> Array:
        a, b = lift(x), lift(y)
        if a.call.boolean and b.call.boolean:
            return _of_masks(op, a, b)
        return entrywise(op, a, b, boolean=op in COMPARISONS)

    return handler


def _of_masks(op: str, a: Array, b: Array) -> Array:
    if op == "subtract":
        raise wrong("NumPy does not subtract masks", "make one a number: 1.0 * mask")
    if op in LOGICAL:
        return entrywise(LOGICAL[op], a, b, boolean=True)
    return entrywise(op, a, b, boolean=op in COMPARISONS)


UFUNCS.update({op: _unary(op) for op in UNARY})
UFUNCS.update({op: _binary(op) for op in BINARY})


@ufunc("negative")
def _negative(x: Any) -> Array:
    array = lift(x)
    if array.call.boolean:
        raise wrong("NumPy does not negate masks", "write ~mask for the opposite, -1.0 * mask for the number")
    return entrywise("negative", array)


@ufunc("positive")
def _positive(x: Any) -> Array:
    return lift(x)


@ufunc("absolute")
def _absolute(x: Any) -> Array:
    array = lift(x)
    return array if array.call.boolean else entrywise("absolute", array)


@ufunc("sign")
def _sign(x: Any) -> Array:
    return entrywise("sign", numeric(x))


def mask(value: Any) -> Array:
    """An array as a mask; a number is one where it is not 0."""
    array = lift(value)
    return array if array.call.boolean else entrywise("not_equal", array, 0.0, boolean=True)


def numeric(value: Any) -> Array:
    """An array as numbers; a mask becomes 0 and 1."""
    array = lift(value)
    return entrywise("multiply", array, 1.0) if array.call.boolean else array


@ufunc("logical_and")
def _logical_and(x: Any, y: Any) -> Array:
    return entrywise("logical_and", mask(x), mask(y), boolean=True)


@ufunc("logical_or")
def _logical_or(x: Any, y: Any) -> Array:
    return entrywise("logical_or", mask(x), mask(y), boolean=True)


@ufunc("logical_xor")
def _logical_xor(x: Any, y: Any) -> Array:
    return entrywise("not_equal", mask(x), mask(y), boolean=True)


@ufunc("logical_not")
def _logical_not(x: Any) -> Array:
    return entrywise("logical_not", mask(x), boolean=True)


def _only_masks(symbol: str, *values: Any) -> tuple[Array, ...]:
    arrays = tuple(lift(v) for v in values)
    if not all(a.call.boolean for a in arrays):
        fix = "~(a > 0)" if symbol == "~" else f"(a > 0) {symbol} (b > 0)"
        raise wrong(f"{symbol} takes masks only", f"write comparisons in brackets: {fix}")
    return arrays


@ufunc("bitwise_and")
def _and(x: Any, y: Any) -> Array:
    return entrywise("logical_and", *_only_masks("&", x, y), boolean=True)


@ufunc("bitwise_or")
def _or(x: Any, y: Any) -> Array:
    return entrywise("logical_or", *_only_masks("|", x, y), boolean=True)


@ufunc("bitwise_xor")
def _xor(x: Any, y: Any) -> Array:
    return entrywise("not_equal", *_only_masks("^", x, y), boolean=True)


@ufunc("invert")
def _invert(x: Any) -> Array:
    return entrywise("logical_not", *_only_masks("~", x), boolean=True)


UFUNCS.update({name: UFUNCS[same] for name, same in SAME.items()})


@function("where")
def where(condition: Any, x: Any = None, y: Any = None) -> Array:
    if x is None or y is None:
        raise wrong("np.where wants a condition and two choices", "write np.where(condition, a, b)")
    a, b = lift(x), lift(y)
    return entrywise("where", mask(condition), a, b, boolean=a.call.boolean and b.call.boolean)


@function("clip")
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = min if a_min is None else a_min, max if a_max is None else a_max
    result = lift(a)
    if low is not None:
        result = UFUNCS["maximum"](result, low)
    return result if high is None else UFUNCS["minimum"](result, high)
