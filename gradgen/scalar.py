"""Scalar functions that a spec declares by a SymPy formula, as the tape holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ScalarFormula:
    """A function of numbers: SymPy symbols, which are real, and an expression in them. `str` tells formulas apart."""

    name: str
    symbols: tuple[Any, ...]
    expression: Any

    def __str__(self) -> str:
        from sympy import srepr  # slow to import; whoever has a formula has it already

        return f"{self.name}({', '.join(map(str, self.symbols))}) = {srepr(self.expression)}"
