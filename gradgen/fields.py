"""The numbers that a tape can be run on: float64, and real arithmetic of 50 digits on object arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np

from gradgen.tape import BINARY, UNARY

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

DIGITS = 50
COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
OPERATORS = ("add", "subtract", "multiply", "negative", "positive", "square", *COMPARISONS)


@dataclass(frozen=True)
class Field:
    """How a float becomes a number of the field, and the entrywise functions; ``context`` is that of mpmath."""

    lift: Function
    functions: Mapping[str, Function]
    context: Any = None

    def numbers(self, x: Array) -> Array:
        """The array with a mask's entries as 0 and 1."""
        return np.asarray(self.lift(x.astype(float))) if x.dtype == bool else x


FLOAT = Field(
    lift=lambda x: np.asarray(x, dtype=float),
    functions={name: getattr(np, name) for name in (*UNARY, *BINARY) if hasattr(np, name)}
    | {
        "expit": lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x))),
        "softplus": lambda x: np.logaddexp(0, x),
        "relu": lambda x: np.where(x > 0, x, 0),
    },
)


@lru_cache
def exact(digits: int = DIGITS) -> Field:
    """Real arithmetic of so many digits; NaN where there is no real value."""
    real = mpmath.MPContext()
    real.dps = digits
    operators = {name: getattr(np, name) for name in OPERATORS}
    return Field(np.frompyfunc(real.mpf, 1, 1), operators | _one_operand(real) | _two_operands(real), real)


def _one_operand(real: Any) -> dict[str, Function]:
    ln, exp = real.ln, real.exp
    functions: dict[str, Function] = {
        "absolute": abs,
        "sign": real.sign,
        "sqrt": real.sqrt,
        "reciprocal": lambda x: _divide(real, real.one, x),
        "exp": exp,
        "expm1": real.expm1,
        "exp2": lambda x: 2**x,
        "log": ln,
        "log1p": real.log1p,
        "log2": lambda x: ln(x) / ln(2),
        "log10": lambda x: ln(x) / ln(10),
        "sin": real.sin,
        "cos": real.cos,
        "tan": real.tan,
        "arcsin": real.asin,
        "arccos": real.acos,
        "arctan": real.atan,
        "sinh": real.sinh,
        "cosh": real.cosh,
        "tanh": real.tanh,
        "arcsinh": real.asinh,
        "arccosh": real.acosh,
        "arctanh": real.atanh,
        "expit": lambda x: 1 / (1 + exp(-x)),
        "softplus": lambda x: ln(1 + exp(x)),
        "relu": lambda x: x if x > 0 else 0 * x,
    }
    return {name: np.frompyfunc(_real(real, function), 1, 1) for name, function in functions.items()}


def _two_operands(real: Any) -> dict[str, Function]:
    ln, exp = real.ln, real.exp
    functions: dict[str, Function] = {
        "divide": lambda x, y: _divide(real, x, y),
        "power": lambda x, y: x**y,
        "maximum": lambda x, y: y if y > x or y != y else x,
        "minimum": lambda x, y: y if y < x or y != y else x,
        "logaddexp": lambda x, y: ln(exp(x) + exp(y)),
        "hypot": real.hypot,
        "arctan2": real.atan2,
    }
    return {name: np.frompyfunc(_real(real, function), 2, 1) for name, function in functions.items()}


def _divide(real: Any, x: Any, y: Any) -> Any:
    """x / y, and infinite or NaN where y is 0."""
    return x / y if y else x * real.inf


def _real(real: Any, function: Function) -> Function:
    """The function, NaN where it has no real value, or its operand is far beyond float64 and costly in digits."""
    huge = real.mpf(10) ** 400

    def value(*numbers: Any) -> Any:
        if any(huge < abs(x) < real.inf for x in numbers):
            return real.nan
        try:
            result = function(*numbers)
        except (ValueError, ZeroDivisionError):
            return real.nan
        return result if isinstance(result, real.mpf) else real.nan

    return value
