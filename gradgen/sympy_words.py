"""``elementwise``: a scalar function declared by a SymPy formula, as a word that a spec calls on arrays.

SymPy is imported when a function is declared, not before.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from types import ModuleType
from typing import Any

import numpy as np

from gradgen import scope
from gradgen.arrays import Array
from gradgen.dimension import Dimension
from gradgen.entrywise import entrywise, numeric
from gradgen.errors import SpecError
from gradgen.scalar import ScalarFormula
from gradgen.scope import said, wrong

# SymPy's names, and NumPy's.
NUMPY = {
    **{name: name for name in "exp log sin cos tan sinh cosh tanh sign".split()},
    **{name: name.replace("a", "arc", 1) for name in "asin acos atan asinh acosh atanh".split()},
    "Abs": "absolute",
    "Pow": "power",
    "StrictGreaterThan": "greater",
    "GreaterThan": "greater_equal",
    "StrictLessThan": "less",
    "LessThan": "less_equal",
    "Equality": "equal",
    "Unequality": "not_equal",
    "Not": "logical_not",
}
FOLDED = {
    "Add": "add",
    "Mul": "multiply",
    "Max": "maximum",
    "Min": "minimum",
    "And": "logical_and",
    "Or": "logical_or",
}
ALLOWED = (
    "+ - * / **, exp log sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh Abs sign sqrt Max Min, and "
    "Piecewise over comparisons"
)
EXAMPLE = 'write elementwise("swish", lambda t: t / (1 + sympy.exp(-t)))'


@dataclass(frozen=True)
class Word:
    """A scalar function that works entry by entry: on traced arrays, and on those of a library such as NumPy."""

    formula: ScalarFormula
    library: Any = np

    def __repr__(self) -> str:
        return f"<elementwise {self.formula.name}>"

    def over(self, library: Any) -> Word:
        """The same function on the arrays of another library."""
        return Word(self.formula, library)

    def __call__(self, *args: Any) -> Any:
        name, count = self.formula.name, len(self.formula.symbols)
        if len(args) != count:
            raise wrong(f"{name} takes {count} argument{'s' * (count != 1)}, not {len(args)}", "as its formula does")
        if scope.tracing() and any(isinstance(a, (Array, Dimension)) for a in args):
            return entrywise("formula", *map(numeric, args), formula=self.formula)
        return _value(self.formula, [self._numbers(a) for a in args], self.library)

    def _numbers(self, value: Any) -> Any:
        """Floats: a Python number stays one, since it follows the dtype of arrays."""
        number = value.number() if isinstance(value, Dimension) else value
        return float(number) if isinstance(number, (int, float)) else self.library.asarray(number) * 1.0


# ---- on real arrays


def _value(formula: ScalarFormula, arrays: list[Any], library: ModuleType) -> Any:
    """The formula of floating arrays, which broadcast, in their dtype."""
    known = dict(zip(formula.symbols, arrays, strict=True))
    with np.errstate(all="ignore"):
        result = _evaluated(formula.expression, known, library)
    shape = library.broadcast_shapes(*map(library.shape, arrays))
    return library.broadcast_to(library.asarray(result, dtype=library.result_type(*arrays)), shape)[()]


def _evaluated(expression: Any, known: Mapping[Any, Any], library: ModuleType) -> Any:
    if expression in known:
        return known[expression]
    if expression.is_Integer:
        return int(expression)
    if expression.is_number:
        return float(expression)
    name = type(expression).__name__
    if name in ("BooleanTrue", "BooleanFalse"):
        return name == "BooleanTrue"
    parts = [_evaluated(part, known, library) for part in _parts(expression)]
    if name == "Piecewise":
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        return functools.reduce(lambda rest, pair: library.where(pair[1], pair[0], rest), pairs[-2::-1], parts[-2])
    if name in FOLDED:
        return functools.reduce(getattr(library, FOLDED[name]), parts)
    return getattr(library, NUMPY[name])(*parts)


def _parts(expression: Any) -> tuple[Any, ...]:
    """The operands; values and conditions by turns of a Piecewise."""
    if type(expression).__name__ == "Piecewise":
        return tuple(part for pair in expression.args for part in pair.args)
    return tuple(expression.args)


# ---- how one is declared


def elementwise(name: str, formula: Callable[..., Any]) -> Any:
    """A scalar function by a SymPy formula of real numbers, applied entry by entry:
    ``elementwise("swish", lambda t: t / (1 + sympy.exp(-t)))``.
    """
    import sympy  # takes longer to import than all of gradgen

    if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
        raise SpecError(f"{said(name)} cannot name a function", EXAMPLE)
    symbols = tuple(sympy.Symbol(p, real=True) for p in _parameters(name, formula))
    try:
        made = formula(*symbols)
    except SpecError:
        raise
    except Exception as error:
        hint = "its arguments are SymPy symbols: write sympy.exp in place of np.exp"
        raise SpecError(f"the formula of {name} cannot be read: {type(error).__name__}: {error}", hint) from error
    expression = _expression(name, made, sympy)
    for part in _below(expression):
        _check(name, part, symbols, sympy)
    return Word(ScalarFormula(name, symbols, expression))


def _parameters(name: str, formula: Any) -> list[str]:
    try:
        parameters = inspect.signature(formula).parameters.values()
    except (TypeError, ValueError):
        raise SpecError(f"the formula of {name} is no Python function", EXAMPLE) from None
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or any(p.kind not in plain or p.default is not p.empty for p in parameters):
        raise SpecError(f"the formula of {name} wants plain arguments, at least one", EXAMPLE)
    return [p.name for p in parameters]


def _expression(name: str, made: Any, sympy: ModuleType) -> Any:
    try:
        expression = sympy.sympify(made, strict=True)
    except sympy.SympifyError:
        raise SpecError(f"the formula of {name} gives {said(made)}, which is no formula of SymPy", EXAMPLE) from None
    if isinstance(expression, sympy.Expr):
        return expression
    if isinstance(expression, sympy.logic.boolalg.Boolean):
        hint = "write sympy.Piecewise((1, t > 0), (0, True))"
        raise SpecError(f"the formula of {name} gives {expression}, which is no number", hint)
    raise SpecError(f"the formula of {name} gives {said(made)}, which is no number", EXAMPLE)


def _below(top: Any) -> Iterator[Any]:
    stack, seen = [top], set()
    while stack:
        expression = stack.pop()
        if expression not in seen:
            seen.add(expression)
            yield expression
            stack.extend(_parts(expression))


def _check(name: str, part: Any, symbols: tuple[Any, ...], sympy: ModuleType) -> None:
    """Refuse what is not in the vocabulary of formulas."""
    kind = type(part).__name__
    if part in symbols:
        return
    if part.is_Symbol:
        known = ", ".join(map(str, symbols))
        raise SpecError(f"the formula of {name} holds {part}, which is none of its arguments {known}", EXAMPLE)
    if part.is_number and part.is_Atom:
        if not (part.is_real and part.is_finite):
            raise SpecError(f"the formula of {name} holds {part}, which is no real number", "a formula is real")
        return
    if kind == "Piecewise" and part.args[-1].cond != sympy.true:
        hint = "end it with (value, True)"
        raise SpecError(f"the formula of {name} holds a Piecewise that may have no value: {part}", hint)
    known_kinds = {"Piecewise", "BooleanTrue", "BooleanFalse", *NUMPY, *FOLDED}
    undefined = isinstance(part, sympy.core.function.AppliedUndef)
    if kind not in known_kinds or undefined:
        raise SpecError(f"the formula of {name} holds {kind}, which is not in the vocabulary of formulas", ALLOWED)
