"""Sums, products, means, deviations, extremes, running sums, and the softmax family."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.conversions import cast
from gradgen.dimension import Dimension, wrap
from gradgen.dims import ONE
from gradgen.entrywise import entrywise, numeric
from gradgen.registry import call, function
from gradgen.scope import presuppose, wrong
from gradgen.shapes import Shape, axes_of, axis_of, reduced, spell, volume
from gradgen.strangers import OPTIONS
from gradgen.views import filled, ravel


def _no_options(name: str, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value is not None and value is not np._NoValue and not (option == "where" and value is True):
            raise wrong(f"np.{name} takes no {option} here", OPTIONS.get(option, "axis and keepdims are its options"))


def reduction(op: str, a: Any, axis: Any, keepdims: Any, boolean: bool = False) -> Array:
    x = lift(a)
    keep = bool(keepdims) and keepdims is not np._NoValue
    axes = axes_of(axis, x.call.shape)
    shape = reduced(x.call.shape, axes, keep)
    return record(op, (x,), shape, boolean, keep or x.column, axis=axes, keepdims=keep)


@function("sum")
def total(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("sum", {"out": out, **options})
    return reduction("sum", cast(lift(a), dtype), axis, keepdims)


@function("mean")
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("mean", {"out": out, **options})
    return reduction("mean", cast(lift(a), dtype), axis, keepdims)


@function("prod")
def prod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Array:
    _no_options("prod", {"out": out, **options})
    return reduction("prod", numeric(cast(lift(a), dtype)), axis, keepdims)


def _deviations(a: Any, axes: tuple[int, ...], mean: Any) -> Array:
    x = numeric(a)
    middle = reduction("mean", x, axes, True) if mean is None or mean is np._NoValue else mean
    return entrywise("subtract", x, middle)


def _degrees(shape: Shape, axes: tuple[int, ...], ddof: Any, correction: Any) -> Any:
    """The number of entries less the degrees of freedom."""
    less = ddof if correction is None or correction is np._NoValue else correction
    count = wrap(volume(tuple(shape[i] for i in axes)))
    return count - less if isinstance(less, Dimension) or less != 0 else count


@function("var")
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    mean: Any = None,
    correction: Any = None,
    **options: Any,
) -> Array:
    _no_options("var", {"out": out, **options})
    x = cast(lift(a), dtype)
    axes = axes_of(axis, x.call.shape)
    squares = entrywise("square", _deviations(x, axes, mean))
    count = _degrees(squares.call.shape, axes, ddof, correction)
    if ddof == 0 and (correction is None or correction is np._NoValue):
        return reduction("mean", squares, axes, keepdims)
    return entrywise("divide", reduction("sum", squares, axes, keepdims), count)


@function("std")
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    mean: Any = None,
    correction: Any = None,
    **options: Any,
) -> Array:
    """The norm of the deviations, whose gradient is 0 where there are none, by the root of their number."""
    _no_options("std", {"out": out, **options})
    x = cast(lift(a), dtype)
    axes = axes_of(axis, x.call.shape)
    apart = _deviations(x, axes, mean)
    count = _degrees(apart.call.shape, axes, ddof, correction)
    return entrywise("divide", euclidean(apart, axes, keepdims), entrywise("sqrt", count))


def euclidean(x: Array, axes: tuple[int, ...], keepdims: Any) -> Array:
    """The square root of the sum of squares."""
    return reduction("norm", x, axes, keepdims) if axes else entrywise("absolute", x)


@function("cumsum")
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Array:
    _no_options("cumsum", {"out": out})
    x = numeric(cast(ravel(a) if axis is None else lift(a), dtype))
    return record(
        "cumsum", (x,), x.call.shape, False, x.column, axis=axis_of(0 if axis is None else axis, x.call.shape)
    )


@function("cumulative_sum")
def cumulative_sum(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Array:
    a = numeric(x)
    if axis is None and a.ndim != 1:
        raise wrong(f"np.cumulative_sum of an array of {a.ndim} axes wants an axis", "write axis=0")
    along = axis_of(0 if axis is None else axis, a.call.shape)
    result = cumsum(a, along, dtype, out)
    if not include_initial:
        return result
    first = tuple(ONE if i == along else s for i, s in enumerate(a.call.shape))
    return call("concatenate", ([filled("zeros", first), result], along), {})  # type: ignore[no-any-return]


@function("average")
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Array:
    if returned:
        raise wrong("np.average gives the average alone here", "the sum of the weights is np.sum(w)")
    if weights is None:
        return mean(a, axis, keepdims=keepdims)
    x, w = numeric(a), numeric(weights)
    if x.call.shape != w.call.shape:
        along = axis_of(axis, x.call.shape) if isinstance(axis, (int, np.integer)) else None
        if along is None or w.call.shape != (x.call.shape[along],):
            text = f"np.average of shape {spell(x.call.shape)} by weights of shape {spell(w.call.shape)}"
            raise wrong(text, "weights are those of all entries, or of one axis that is named")
        w = w[tuple(slice(None) if i == along else None for i in range(x.ndim))]
    weighted = total(entrywise("multiply", x, w), axis, keepdims=keepdims)
    return entrywise("divide", weighted, total(w, axis, keepdims=keepdims))


def _extreme(op: str, a: Any, axis: Any, keepdims: Any) -> Array:
    x = lift(a)
    for i in axes_of(axis, x.call.shape):
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
def logsumexp(a: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Array:
    _no_options("logsumexp", options)
    return reduction("logsumexp", a, axis, keepdims)


def normalised(op: str, a: Any, axis: Any) -> Array:
    """``softmax`` or ``log_softmax``."""
    x = lift(a)
    return record(op, (x,), x.call.shape, False, x.column, axis=axes_of(axis, x.call.shape))
