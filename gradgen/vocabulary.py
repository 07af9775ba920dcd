"""The vocabulary: what each NumPy function records, with its shape."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from gradgen.arrays import FUNCTIONS, UFUNCS, Array, Dimension, Handler, lift, record, sizes, wrap
from gradgen.dims import ONE, is_one
from gradgen.errors import NotSupportedError
from gradgen.indexing import ZERO, whole
from gradgen.scope import presuppose, source, wrong
from gradgen.shapes import (
    Shape,
    axes_of,
    axis_of,
    clash,
    join,
    matmul,
    permutation,
    reduced,
    spell,
    swapped,
)

COMPARISONS = frozenset("greater greater_equal less less_equal equal not_equal".split())
LOGICAL = {"add": "logical_or", "multiply": "logical_and", "maximum": "logical_or", "minimum": "logical_and"}
# The same in NumPy's other spellings.
SAME = {
    "fabs": "absolute",
    "true_divide": "divide",
    "fmax": "maximum",
    "fmin": "minimum",
    "float_power": "power",
    "conjugate": "positive",
}
LATER = frozenset(
    """vecdot einsum tensordot linalg.multi_dot linalg.matrix_power kron linalg.inv linalg.pinv linalg.solve linalg.det
    linalg.slogdet linalg.cholesky linalg.eigvalsh linalg.norm linalg.vecdot linalg.tensordot linalg.vector_norm linalg.matrix_norm
    linalg.diagonal var std prod cumsum cumulative_sum diagonal reshape ravel
    concatenate concat stack vstack hstack block diag tril triu flip fliplr flipud roll logit log_expit xlogy xlog1py entr rel_entr erf erfc ndtr
    log_ndtr gammaln digamma psi""".split()
)
FIXES = {
    "average": "write np.sum(w * x) / np.sum(w)",
    "dot": "write a @ b",
    "matvec": "write A @ x",
    "vecmat": "write x @ A",
    "heaviside": "write np.where(x > 0, 1, 0)",
    "flatten": "write x.ravel()",
    "any": "sum a mask: np.sum(x > 0)",
    "all": "sum a mask: np.sum(x > 0)",
    "sort": "only max and min are in the vocabulary",
    "argmax": "np.max gives the value, and its gradient picks the entry",
    "median": "np.mean is in the vocabulary",
    "floor_divide": "write a / b",
}
PROMISED = "gradgen will know it; for now write it with the operators, sums and entrywise functions"


def _refuse(name: str, owner: str) -> NoReturn:
    short = name.rpartition(".")[2]
    if name in LATER or f"linalg.{name}" in LATER:
        raise wrong(f"{owner}.{name} is not supported yet", PROMISED, NotSupportedError)
    near = difflib.get_close_matches(short, [*UFUNCS, *FUNCTIONS], 1, 0.75)
    hint = FIXES.get(short) or (f"did you mean np.{near[0]}?" if near else "docs and README list the vocabulary")
    raise wrong(f"{owner}.{name} is not in the vocabulary", hint)


FUNCTIONS["unknown"] = _refuse


def ufunc(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        UFUNCS.update(dict.fromkeys(names, handler))
        return handler

    return register


def function(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        FUNCTIONS.update(dict.fromkeys(names, handler))
        return handler

    return register


# ---- entrywise functions


def _column_against_vector(a: Array, b: Array) -> bool:
    """Whether (n,) meets an (n, 1) that nobody asked for by name: nearly always a mistake."""
    vector, other = (a, b) if a.ndim < b.ndim else (b, a)
    if vector.ndim != 1 or other.ndim < 2 or not other.column:
        return False
    rows, last = other.call.shape[-2:]
    return is_one(last) and rows == vector.call.shape[0] and not is_one(rows)


def _other_layout(a: Shape, b: Shape) -> str:
    if len(a) == 2 and len(b) == 1 and a[0] == b[0]:
        return f"a column b[:, None] of shape {spell((b[0], ONE))} would broadcast along the rows"
    if len(b) == 2 and clash(a, b[::-1]) is None:
        return f"the second transposed has shape {spell(b[::-1])}"
    return "axes broadcast from the last; a dimension meets itself or a literal 1"


def _common(*arrays: Array) -> Shape:
    """The shape that operands broadcast to."""
    shape = arrays[0].call.shape
    for array in arrays[1:]:
        other = array.call.shape
        pair = clash(shape, other)
        if pair:
            text = f"{spell(shape)} and {spell(other)} do not broadcast: {pair[0]} against {pair[1]}"
            layout = _other_layout(shape, other) if len(shape) >= len(other) else _other_layout(other, shape)
            raise wrong(text, layout)
        shape = join(shape, other)
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            if _column_against_vector(a, b):
                text = f"{spell(a.call.shape)} against {spell(b.call.shape)} would become {spell(shape)}"
                raise wrong(text, "take the column as a vector, x[:, 0], or make the vector a column, y[:, None]")
    return shape


def entrywise(op: str, *values: Any, boolean: bool = False) -> Array:
    arrays = tuple(lift(v) for v in values)
    shape = _common(*arrays)
    column = any(a.column and a.ndim == len(shape) for a in arrays)
    return record(op, arrays, shape, boolean, column)


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


for _op in (
    "square sqrt reciprocal exp expm1 exp2 log log1p log2 log10 sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh "
    "arccosh arctanh expit softplus relu"
).split():
    UFUNCS[_op] = _unary(_op)
for _op in (
    *"add subtract multiply divide power maximum minimum logaddexp hypot arctan2".split(),
    *sorted(COMPARISONS),
):
    UFUNCS[_op] = _binary(_op)


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


def _mask(value: Any) -> Array:
    """An array as a mask; a number is one where it is not 0."""
    array = lift(value)
    return array if array.call.boolean else entrywise("not_equal", array, 0.0, boolean=True)


def numeric(value: Any) -> Array:
    """An array as numbers; a mask becomes 0 and 1."""
    array = lift(value)
    return entrywise("multiply", array, 1.0) if array.call.boolean else array


@ufunc("logical_and")
def _logical_and(x: Any, y: Any) -> Array:
    return entrywise("logical_and", _mask(x), _mask(y), boolean=True)


@ufunc("logical_or")
def _logical_or(x: Any, y: Any) -> Array:
    return entrywise("logical_or", _mask(x), _mask(y), boolean=True)


@ufunc("logical_xor")
def _logical_xor(x: Any, y: Any) -> Array:
    return entrywise("not_equal", _mask(x), _mask(y), boolean=True)


@ufunc("logical_not")
def _logical_not(x: Any) -> Array:
    return entrywise("logical_not", _mask(x), boolean=True)


def _only_masks(symbol: str, *values: Any) -> tuple[Array, ...]:
    arrays = tuple(lift(v) for v in values)
    if not all(a.call.boolean for a in arrays):
        raise wrong(f"{symbol} joins masks only", f"write comparisons in brackets: (a > 0) {symbol} (b > 0)")
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
    return entrywise("where", _mask(condition), a, b, boolean=a.call.boolean and b.call.boolean)


@function("clip")
def clip(a: Any, a_min: Any = None, a_max: Any = None, **bounds: Any) -> Array:
    low, high = bounds.pop("min", a_min), bounds.pop("max", a_max)
    _no_options("clip", bounds)
    result = lift(a)
    if low is not None:
        result = UFUNCS["maximum"](result, low)
    return result if high is None else UFUNCS["minimum"](result, high)


# ---- products


def _operands() -> tuple[str, str]:
    """The two sides of the product that is being traced, as they stand in the spec."""
    try:
        tree = ast.parse(source(), mode="eval").body
    except SyntaxError:
        return "a", "b"
    if isinstance(tree, ast.BinOp):
        return _atom(tree.left), _atom(tree.right)
    if isinstance(tree, ast.Call) and len(tree.args) == 2:
        return _atom(tree.args[0]), _atom(tree.args[1])
    return "a", "b"


def _atom(tree: ast.expr) -> str:
    text = ast.unparse(tree)
    return text if isinstance(tree, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)) else f"({text})"


def _would_match(a: Shape, b: Shape) -> str:
    left, right = _operands()
    tries = (
        (f"{left}.T @ {right}", a[::-1], b),
        (f"{left} @ {right}.T", a, b[::-1]),
        (f"{left}.T @ {right}.T", a[::-1], b[::-1]),
        (f"{right} @ {left}", b, a),
    )
    for text, first, second in tries:
        shape = matmul(first, second) if max(len(a), len(b)) <= 2 else None
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
    if max(a.ndim, b.ndim) > 2:
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


# ---- layout


@function("transpose", "permute_dims")
def transpose(a: Any, axes: Any = None) -> Array:
    x = lift(a)
    order = permutation(axes, x.ndim)
    if order == tuple(range(x.ndim)):
        return x
    shape = tuple(x.call.shape[i] for i in order)
    return record("transpose", (x,), shape, x.call.boolean, x.column, axes=order)


@function("swapaxes")
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Array:
    x = lift(a)
    return transpose(x, swapped(axis1, axis2, x.ndim))


@function("matrix_transpose", "linalg.matrix_transpose")
def matrix_transpose(x: Any, /) -> Array:
    return swapaxes(x, -1, -2)


@function("moveaxis")
def moveaxis(a: Any, source: int, destination: int) -> Array:
    x = lift(a)
    order = [i for i in range(x.ndim) if i != axis_of(source, x.ndim)]
    order.insert(axis_of(destination, x.ndim), axis_of(source, x.ndim))
    return transpose(x, order)


@function("expand_dims")
def expand_dims(a: Any, axis: Any) -> Array:
    x = lift(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    new = axes_of(axis, x.ndim + count)
    return x[tuple(None if i in new else slice(None) for i in range(x.ndim + count))]


@function("squeeze")
def squeeze(a: Any, axis: Any = None) -> Array:
    x = lift(a)
    shape = x.call.shape
    gone = tuple(i for i, s in enumerate(shape) if is_one(s)) if axis is None else axes_of(axis, x.ndim)
    for i in gone:
        if not is_one(shape[i]):
            raise wrong(f"axis {i} has length {shape[i]}, not 1", "a dimension is never taken for 1")
    if not gone:
        return x
    index = tuple(ZERO if i in gone else whole(s) for i, s in enumerate(shape))
    kept = tuple(s for i, s in enumerate(shape) if i not in gone)
    return record("getitem", (x,), kept, x.call.boolean, index=index)


@function("broadcast_to")
def broadcast_to(array: Any, shape: Any) -> Array:
    x, target = lift(array), sizes(shape)
    pair = clash(x.call.shape, target)
    if pair or join(x.call.shape, target) != target:
        raise wrong(f"{spell(x.call.shape)} does not broadcast to {spell(target)}")
    return x if x.call.shape == target else record("broadcast_to", (x,), target, x.call.boolean)


def filled(op: str, shape: Shape) -> Array:
    """``ones``, ``zeros`` or ``eye``."""
    return record(op, (), shape)


@function("zeros_like", "empty_like")
def zeros_like(a: Any, dtype: Any = None) -> Array:
    return filled("zeros", lift(a).call.shape)


@function("ones_like")
def ones_like(a: Any, dtype: Any = None) -> Array:
    return filled("ones", lift(a).call.shape)


@function("full_like")
def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Array:
    return broadcast_to(fill_value, tuple(wrap(s) for s in lift(a).call.shape))


@function("astype")
def astype(x: Any, dtype: Any) -> Array:
    kind = np.dtype(dtype).kind
    if kind == "b":
        return _mask(x)
    array = lift(x)
    if kind == "f" or array.call.boolean and kind in "iu":
        return numeric(array)
    raise wrong(f"a traced array cannot become {np.dtype(dtype)}", "the working dtype follows the arguments")


@function("shape")
def _shape(a: Array) -> tuple[Any, ...]:
    return a.shape


@function("ndim")
def _ndim(a: Array) -> int:
    return a.ndim


@function("size")
def _size(a: Array, axis: int | None = None) -> int | Dimension:
    return a.size if axis is None else a.shape[axis]


# ---- reductions


def _no_options(name: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value is not None and value is not np._NoValue and not (option == "where" and value is True):
            raise wrong(f"np.{name} takes no {option} here", "axis and keepdims are its options")


def reduction(op: str, a: Any, axis: Any, keepdims: Any, boolean: bool = False) -> Array:
    x = lift(a)
    keep = bool(keepdims) and keepdims is not np._NoValue
    axes = axes_of(axis, x.ndim)
    shape = reduced(x.call.shape, axes, keep)
    return record(op, (x,), shape, boolean, keep or x.column, axis=axes, keepdims=keep)


@function("sum")
def total(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("sum", {"out": out, **options})
    return reduction("sum", a, axis, keepdims)


@function("mean")
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("mean", {"out": out, **options})
    return reduction("mean", a, axis, keepdims)


def _extreme(op: str, a: Any, axis: Any, keepdims: Any) -> Array:
    x = lift(a)
    for i in axes_of(axis, x.ndim):
        presuppose(ONE, x.call.shape[i])
    return reduction(op, x, axis, keepdims, x.call.boolean)


@function("max", "amax")
def maximum(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("max", {"out": out, **options})
    return _extreme("max", a, axis, keepdims)


@function("min", "amin")
def minimum(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("min", {"out": out, **options})
    return _extreme("min", a, axis, keepdims)


@function("logsumexp")
def logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Array:
    return reduction("logsumexp", a, axis, keepdims)


def normalised(op: str, a: Any, axis: Any) -> Array:
    """``softmax`` or ``log_softmax``."""
    x = lift(a)
    return record(op, (x,), x.call.shape, False, x.column, axis=axes_of(axis, x.ndim))
