"""Sums, means, extremes, and the softmax family."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import Array, lift, record
from gradgen.dims import ONE
from gradgen.registry import function
from gradgen.scope import presuppose, wrong
from gradgen.shapes import axes_of, reduced


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
