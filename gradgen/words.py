"""What no NumPy protocol can carry has a word here. On real arrays the words run NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen import scope, vocabulary
from gradgen.arrays import Array
from gradgen.dimension import Dimension, sizes
from gradgen.registry import apply
from gradgen.shapes import axes_of

_LAST = -1


def _traced(value: Any) -> bool:
    """Whether a value is traced, or is a list that holds what is."""
    if isinstance(value, (list, tuple)):
        return any(map(_traced, value))
    return isinstance(value, Array) or (isinstance(value, Dimension) and scope.tracing() is not None)


def _shape(shape: tuple[Any, ...]) -> Any:
    return shape[0] if len(shape) == 1 else shape


def _numbers(shape: Any) -> tuple[int, ...]:
    """A shape as integers; dimensions have them while a loss runs."""
    chosen = shape if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(int(s) for s in chosen)


def ones(*shape: Any) -> Any:
    """``ones(n)``, ``ones(n, d)`` or ``ones((n, d))``."""
    if scope.tracing():
        return vocabulary.filled("ones", sizes(_shape(shape)))
    return np.ones(_numbers(_shape(shape)))


def zeros(*shape: Any) -> Any:
    """``zeros(n)``, ``zeros(n, d)`` or ``zeros((n, d))``."""
    if scope.tracing():
        return vocabulary.filled("zeros", sizes(_shape(shape)))
    return np.zeros(_numbers(_shape(shape)))


def full(shape: Any, fill_value: Any) -> Any:
    """An array of one value: ``full(n, 0.5)``, ``full((n, d), 0.5)``."""
    if scope.tracing():
        return vocabulary.broadcast_to(fill_value, shape)
    return np.full(_numbers(shape), fill_value)


def eye(n: Any) -> Any:
    """The identity matrix."""
    if scope.tracing():
        (size,) = sizes(n)
        return vocabulary.filled("eye", (size, size))
    return np.eye(int(n))


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    if _traced(x):
        return apply("expit", x)
    small = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1.0, small) / (1.0 + small)


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``."""
    return apply("softplus", x) if _traced(x) else np.logaddexp(x, 0.0)


def relu(x: Any) -> Any:
    """``max(x, 0)``, with gradient 0 at 0."""
    return apply("relu", x) if _traced(x) else np.maximum(x, 0.0)


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    return axes_of(axis, np.shape(x))


def _shift(x: Any, axes: tuple[int, ...]) -> Any:
    """The maximum along the axes, or 0 where it is infinite."""
    top = np.max(x, axis=axes, keepdims=True)
    return np.where(np.isfinite(top), top, 0.0)


def logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(a)))`` over all axes, or over those named."""
    if _traced(a):
        return vocabulary.logsumexp(a, axis, keepdims)
    axes = _axes(a, axis)
    shift = _shift(a, axes)
    with np.errstate(divide="ignore"):
        result = np.log(np.sum(np.exp(a - shift), axis=axes, keepdims=True)) + shift
    return result if keepdims else np.squeeze(result, axis=axes)[()]


def softmax(x: Any, axis: Any = _LAST) -> Any:
    """``exp(x) / sum(exp(x))`` over the last axis, or over those named; all for None."""
    if _traced(x):
        return vocabulary.normalised("softmax", x, axis)
    axes = _axes(x, axis)
    weights = np.exp(x - _shift(x, axes))
    return weights / np.sum(weights, axis=axes, keepdims=True)


def log_softmax(x: Any, axis: Any = _LAST) -> Any:
    """``x - logsumexp(x)`` over the last axis, or over those named; all for None."""
    if _traced(x):
        return vocabulary.normalised("log_softmax", x, axis)
    return np.subtract(x, logsumexp(x, _axes(x, axis), True))


def arange(start: Any, stop: Any = None, step: Any = 1) -> Any:
    """``arange(n)``: 0, 1, ..., n - 1; ``arange(a, b)`` and ``arange(a, b, step)`` as in NumPy."""
    first, last = (0, start) if stop is None else (start, stop)
    if scope.tracing():
        return vocabulary.counted(first, last, step)
    return np.arange(int(first), int(last), int(step))


def logdet(a: Any) -> Any:
    """``log|det(a)|``."""
    return vocabulary.logdet(a) if _traced(a) else np.linalg.slogdet(a)[1]
