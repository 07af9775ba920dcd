"""SymPy formulas of scalar functions, in our own atoms: from there on they simplify, differentiate and spell like
everything else.

Nothing here imports SymPy: a formula brings its classes along, and they are known by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from gradgen.atoms import ATOMS, call
from gradgen.guard import guarded
from gradgen.nodes import Node, Number, Shape, add, apply, as_node, as_number, product, rational, view
from gradgen.scalar import ScalarFormula

SAME = {
    **{name: name for name in "exp log sin cos tan sinh cosh tanh sign".split()},
    **{name: name.replace("a", "arc", 1) for name in "asin acos atan asinh acosh atanh".split()},
    "Abs": "absolute",
}
RELATIONS = {
    "StrictGreaterThan": "greater",
    "GreaterThan": "greater_equal",
    "StrictLessThan": "less",
    "LessThan": "less_equal",
    "Equality": "equal",
    "Unequality": "not_equal",
    "And": "logical_and",
    "Or": "logical_or",
    "Not": "logical_not",
}


def translate(formula: ScalarFormula, operands: Sequence[Node], shape: Shape) -> Node:
    """The formula of operands that have all one shape."""
    known: dict[Any, Node] = dict(zip(formula.symbols, operands, strict=True))
    stack = [formula.expression]
    while stack:
        expression = stack[-1]
        pending = [part for part in _parts(expression) if part not in known]
        if expression in known or not pending:
            stack.pop()
            if expression not in known:
                known[expression] = _node(expression, [known[part] for part in _parts(expression)], shape)
        else:
            stack.extend(pending)
    return known[formula.expression]


def _parts(expression: Any) -> tuple[Any, ...]:
    if _name(expression) == "Piecewise":
        return tuple(part for pair in expression.args for part in pair.args)
    return () if expression.is_Number or expression.is_NumberSymbol else tuple(expression.args)


def _name(expression: Any) -> str:
    return type(expression).__name__


def _node(expression: Any, parts: Sequence[Node], shape: Shape) -> Node:
    name, full = _name(expression), tuple(range(len(shape)))
    if expression.is_Number or expression.is_NumberSymbol:
        return as_node(_value(expression))
    if name in ("BooleanTrue", "BooleanFalse"):
        return as_node(int(name == "BooleanTrue"))
    parts = [part if part.rank else view(1, part, (), shape) for part in parts]
    if name == "Add":
        return add([(1, part, full) for part in parts], shape)
    if name == "Mul":
        return product([(part, full, 1) for part in parts], shape)
    if name == "Pow":
        return _power(parts, shape)
    if name == "Piecewise":
        return _piecewise(parts)
    if name in ("Max", "Min"):
        return reduce(lambda x, y: call("maximum" if name == "Max" else "minimum", x, y), parts)
    atom = ATOMS[SAME.get(name) or RELATIONS[name]]
    return apply(atom, [(1, part, full) for part in parts], shape)


def _value(expression: Any) -> Number:
    if expression.is_Rational:
        return rational(Fraction(int(expression.p), int(expression.q)))
    return rational(float(expression))


def _power(parts: Sequence[Node], shape: Shape) -> Node:
    base, exponent = parts
    power = as_number(exponent)
    full = tuple(range(len(shape)))
    return product([(base, full, power)], shape) if power is not None else call("power", base, exponent)


def _piecewise(parts: Sequence[Node]) -> Node:
    """The first value whose condition holds; the last one where none does."""
    values, conditions = parts[::2], parts[1::2]
    return reduce(_choice, list(zip(values, conditions, strict=True))[-2::-1], values[-1])


def _choice(rest: Node, chosen: tuple[Node, Node]) -> Node:
    value, mask = chosen
    if as_number(mask) is not None:
        return value if as_number(mask) else rest
    return call("where", mask, guarded(value, mask), guarded(rest, call("logical_not", mask)))
