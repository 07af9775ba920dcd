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
MORE = 20
COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")
SPECIAL = "logit log_expit xlogy xlog1py entr rel_entr erf erfc ndtr log_ndtr gammaln digamma".split()
OPERATORS = ("add", "subtract", "multiply", "negative", "positive", "square", *COMPARISONS)


@dataclass(frozen=True)
class Field:
    """How a float becomes a number of the field, the entrywise functions, and how far 1 is from the next number;
    ``context`` is that of mpmath."""

    lift: Function
    functions: Mapping[str, Function]
    epsilon: Any
    context: Any = None

    def numbers(self, x: Array) -> Array:
        """The array with a mask's entries as 0 and 1."""
        return np.asarray(self.lift(x.astype(float))) if x.dtype == bool else x


@lru_cache
def exact(digits: int = DIGITS) -> Field:
    """Real arithmetic of so many digits; NaN where there is no real value."""
    real = mpmath.MPContext()
    real.dps = digits
    operators = {name: getattr(np, name) for name in OPERATORS}
    return Field(np.frompyfunc(real.mpf, 1, 1), operators | _one_operand(real) | _two_operands(real), real.eps, real)


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
        "logit": lambda x: ln(x) - real.log1p(-x),
        "log_expit": lambda x: -real.log1p(exp(-x)),
        "entr": lambda x: x if x != x else -_times(x, ln(x)) if x >= 0 else -real.inf,
        "erf": real.erf,
        "erfc": real.erfc,
        "ndtr": lambda x: real.erfc(-x / real.sqrt(2)) / 2,
        "log_ndtr": lambda x: (
            ln(real.erfc(-x / real.sqrt(2)) / 2) if x < 0 else real.log1p(-real.erfc(x / real.sqrt(2)) / 2)
        ),
        "gammaln": lambda x: real.inf if x <= 0 and x == real.floor(x) else real.re(real.loggamma(x)),
        "digamma": real.digamma,
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
        "xlogy": lambda x, y: _times(x, ln(y) if x else y),
        "xlog1py": lambda x, y: _times(x, real.log1p(y) if x else y),
        "rel_entr": lambda x, y: _relative_entropy(real, x, y),
    }
    return {name: np.frompyfunc(_real(real, function), 2, 1) for name, function in functions.items()}


def _times(x: Any, y: Any) -> Any:
    """x y, and 0 for x = 0 whatever number y is."""
    return x * y if x or y != y else x


def _relative_entropy(real: Any, x: Any, y: Any) -> Any:
    """x log(x / y), which is 0 at x = 0 and infinite outside its domain."""
    if x != x or y != y:
        return real.nan
    if x > 0 and y > 0:
        return x * real.ln(x / y)
    return real.zero if x == 0 and y >= 0 else real.inf


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


def _single(op: str) -> Function:
    """A function that NumPy lacks, by a few digits more than those of float64."""
    few = exact(MORE)
    function: Any = np.vectorize(lambda *x: float(few.functions[op](*map(few.lift, x))), otypes=[float])
    return lambda *x: function(*x)


FLOAT = Field(
    lift=lambda x: np.asarray(x, dtype=float),
    functions={name: getattr(np, name) for name in (*UNARY, *BINARY) if hasattr(np, name)}
    | {
        "expit": lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x))),
        "softplus": lambda x: np.logaddexp(0, x),
        "relu": lambda x: np.where(x > 0, x, 0),
    }
    | {name: _single(name) for name in SPECIAL},
    epsilon=np.finfo(float).eps,
)
