"""SymPy's own evaluation of a scalar formula: in float64, in the digits of a context, as NumPy text; and its kinks.

SymPy takes long to import: whoever meets a formula imports this room then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce
from itertools import combinations
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.pycode import MpmathPrinter

from gradgen.fields import Function
from gradgen.scalar import ScalarFormula


@lru_cache
def compiled(formula: ScalarFormula, context: Any = None) -> Function:
    """The formula as a function of arrays: of floats, or of the numbers of an mpmath context."""
    return _precise(formula, context) if context else _numeric(formula)


def _numeric(formula: ScalarFormula) -> Function:
    function = sympy.lambdify(formula.symbols, formula.expression, "numpy", dummify=True)
    return lambda *x: np.broadcast_to(np.asarray(function(*x), dtype=float), np.broadcast_shapes(*map(np.shape, x)))


def _precise(formula: ScalarFormula, context: Any) -> Function:
    """NaN where the formula has no real value."""
    names = {name: getattr(context, name) for name in dir(context) if not name.startswith("_")}
    printer = MpmathPrinter({"fully_qualified_modules": False, "inline": True})
    function = sympy.lambdify(formula.symbols, formula.expression, [names], printer, dummify=True)

    def value(*x: Any) -> Any:
        try:
            found = context.convert(function(*x))
        except (ArithmeticError, TypeError, ValueError):
            return context.nan
        return found if isinstance(found, context.mpf) else context.nan

    function_of_arrays: Function = np.frompyfunc(value, len(formula.symbols), 1)
    return function_of_arrays


def gaps(formula: ScalarFormula) -> Iterator[tuple[ScalarFormula, tuple[int, ...]]]:
    """Formulas that are 0 where this one may switch, and which of its operands each takes."""
    for gap in dict.fromkeys(_compared(formula.expression)):
        used = tuple(k for k, symbol in enumerate(formula.symbols) if symbol in gap.free_symbols)
        if used:
            yield ScalarFormula(formula.name, tuple(formula.symbols[k] for k in used), gap), used


def _compared(expression: Any) -> Iterator[Any]:
    """What is compared with 0 anywhere inside: more than is needed where one switch hides another."""
    kinds = (sympy.Abs, sympy.sign, sympy.Max, sympy.Min, Relational)
    for part in sorted(expression.atoms(*kinds), key=sympy.default_sort_key):
        if isinstance(part, (sympy.Abs, sympy.sign)):
            yield part.args[0]
        else:
            yield from (a - b for a, b in combinations(part.args, 2))


def spelled(formula: ScalarFormula, operands: Sequence[str]) -> str:
    """The formula as NumPy text in names."""
    replaced = {s: sympy.Symbol(name, real=True) for s, name in zip(formula.symbols, operands, strict=True)}
    return str(_Printer({"inline": True}).doprint(formula.expression.xreplace(replaced)))


class _Printer(NumPyPrinter):  # type: ignore[misc]
    """NumPy is called np, and the larger of two is np.maximum."""

    def _module_format(self, fqn: str, register: bool = True) -> str:
        return str(super()._module_format(fqn, register)).replace("numpy.", "np.", 1)

    def _print_Max(self, expr: Any) -> str:
        return self._nested("np.maximum", expr)

    def _print_Min(self, expr: Any) -> str:
        return self._nested("np.minimum", expr)

    def _nested(self, function: str, expr: Any) -> str:
        parts: list[str] = [self._print(part) for part in expr.args]
        return reduce(lambda a, b: f"{function}({a}, {b})", parts)
