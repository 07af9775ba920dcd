"""SymPy formulas as atoms: values and first and second derivatives against SymPy's own, at many points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy
from evaluate import agree, evaluate, symbols
from snippets import close, differences, draw, loss

from gradgen.differential import differential
from gradgen.nodes import Map, Node, as_number, symbol
from gradgen.scalar import ScalarFormula
from gradgen.translation import RELATIONS, SAME, translate
from gradgen.walk import order

pytestmark = pytest.mark.usefixtures("unformatted")

t, u = sympy.symbols("t u", real=True)
ANY = (-2.3, -0.7, 0.4, 1.9)
ABOVE = (0.3, 0.9, 1.7, 4.0)
INSIDE = (-0.8, -0.1, 0.35, 0.9)

FORMULAS: dict[str, tuple[Any, tuple[float, ...]]] = {
    "a polynomial": (t**3 - 2 * t + 5, ANY),
    "a rational number": (t / 3 + sympy.Rational(1, 7), ANY),
    "a decimal": (0.1 * t**2, ANY),
    "numbers with names": (sympy.pi * t + sympy.E**2 * sympy.GoldenRatio, ANY),
    "a root": (sympy.sqrt(t), ABOVE),
    "a fractional power": (t ** sympy.Rational(5, 3), ABOVE),
    "a negative power": (1 / (1 + t**2), ANY),
    "a power of a sum": ((1 + t**2) ** sympy.Rational(-3, 2), ANY),
    "a number to a power": (2**t, ANY),
    "a power to a power": (t**t, ABOVE),
    "exp": (sympy.exp(-(t**2) / 2), ANY),
    "log": (sympy.log(1 + t), ABOVE),
    "a logistic": (1 / (1 + sympy.exp(-t)), ANY),
    "swish": (t / (1 + sympy.exp(-t)), ANY),
    "softplus": (sympy.log(1 + sympy.exp(t)), ANY),
    "mish": (t * sympy.tanh(sympy.log(1 + sympy.exp(t))), ANY),
    "sines": (sympy.sin(t) * sympy.cos(2 * t) + sympy.tan(t / 3), ANY),
    "inverse sines": (sympy.asin(t) + sympy.acos(t) ** 2 + sympy.atan(3 * t), INSIDE),
    "hyperbolic": (sympy.sinh(t) - sympy.cosh(t) ** 2 + sympy.tanh(t), ANY),
    "inverse hyperbolic": (sympy.asinh(t) + sympy.atanh(t), INSIDE),
    "inverse of cosh": (sympy.acosh(t + 1), ABOVE),
    "a size": (sympy.Abs(t) * t**2, ANY),
    "a sign": (sympy.sign(t) * t**3, ANY),
    "a maximum": (sympy.Max(t, t**2, 1), ANY),
    "a minimum": (sympy.Min(t, -t, 2 * t - 1), ANY),
    "Huber": (sympy.Piecewise((t**2 / 2, sympy.Abs(t) < 1), (sympy.Abs(t) - sympy.Rational(1, 2), True)), ANY),
    "elu": (sympy.Piecewise((t, t > 0), (sympy.exp(t) - 1, True)), ANY),
    "three pieces": (sympy.Piecewise((t**2, t < -1), (sympy.sin(t), t <= 1), (t**3, True)), ANY),
    "pieces of two conditions": (
        sympy.Piecewise((t, sympy.And(t > 0, t < 1)), (t**2, sympy.Or(t < -1, t >= 1)), (-t, True)),
        ANY,
    ),
    "a piece where something is not": (sympy.Piecewise((t**2, sympy.Not(t > 0)), (t, True)), ANY),
    "a logarithm where it exists": (sympy.Piecewise((sympy.log(t), t > 0), (t - 1, True)), ANY),
    "one piece": (sympy.Piecewise((t**2, True)), ANY),
    "pieces in a sum": (1 + 2 * sympy.Piecewise((t**2, t > 0), (t, True)) ** 2, ANY),
}
OF_TWO: dict[str, Any] = {
    "a product": t**2 * sympy.sin(u) / (1 + u**2),
    "a power": (1 + t**2) ** u,
    "a maximum": sympy.Max(t, u) ** 2 * u,
    "pieces": sympy.Piecewise((t * u, t > u), (u**2 - t, True)),
    "without the first": sympy.exp(u),
}


def translated(expression: Any, arguments: list[Node], names: tuple[Any, ...]) -> Node:
    return translate(ScalarFormula("f", names, expression), arguments, arguments[0].shape)


@pytest.mark.parametrize("said", FORMULAS)
def test_formulas_and_their_derivatives(said: str) -> None:
    expression, points = FORMULAS[said]
    [x] = symbols("x:4")
    dx = symbol("dx", 0, x.shape, direction=True)
    value = translated(expression, [x], (t,))
    for degree in range(3):
        wanted = [float(sympy.N(_derived(expression, degree).subs(t, p))) for p in points]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = evaluate(value, {"x": np.array(points), "dx": np.ones(4)})
        assert agree(found, np.array(wanted), 1e-9), degree
        [value] = differential([value], {x: dx})


def _derived(expression: Any, degree: int) -> Any:
    found = expression.diff(t, degree) if degree else expression
    return found.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))


@pytest.mark.parametrize("said", OF_TWO)
def test_formulas_of_two_arguments(said: str) -> None:
    expression = OF_TWO[said]
    x, y = symbols("x:4 y:4")
    directions = {x: symbol("dx", 0, x.shape, direction=True), y: symbol("dy", 1, y.shape, direction=True)}
    value = translated(expression, [x, y], (t, u))
    at = {"x": np.array(ANY), "y": np.array((0.5, -1.2, 2.0, 0.3))}
    for first, second in (((), ()), ((t,), ()), ((u,), ()), ((t,), (u,)), ((u,), (t,)), ((u,), (u,))):
        node, wanted = value, expression
        for name in (*first, *second):
            one = x if name == t else y
            [node] = differential([node], {one: directions[one]})
            wanted = wanted.diff(name)
        ones = {"dx": np.ones(4), "dy": np.ones(4)}
        exact = [float(sympy.N(wanted.subs({t: a, u: b}))) for a, b in zip(at["x"], at["y"], strict=True)]
        assert agree(evaluate(node, at | ones), np.array(exact), 1e-9), (first, second)


def test_every_function_and_relation_has_a_case() -> None:
    names = {type(part).__name__ for e, _ in FORMULAS.values() for part in sympy.preorder_traversal(e)}
    names |= {type(part).__name__ for e in OF_TWO.values() for part in sympy.preorder_traversal(e)}
    equal = {"Equality", "Unequality"}  # pieces of measure 0
    assert set(SAME) | set(RELATIONS) <= names | equal | {"GreaterThan", "Not"}


def test_equal_formulas_are_one_node() -> None:
    """The formula of a logistic function is the sigmoid that a spec may call, once laws have run."""
    [x] = symbols("x:n")
    twice = [translated(t / (1 + sympy.exp(-t)), [x], (t,)) for _ in range(2)]
    assert twice[0] is twice[1]
    assert translated(t**2 + 1, [x], (t,)) is x**2 + 1


def test_a_formula_without_its_argument_is_a_number() -> None:
    [x] = symbols("x:n")
    assert as_number(translated(sympy.Rational(3, 4), [x], (t,))) == 0.75


def test_shared_parts_are_shared() -> None:
    [x] = symbols("x:n")
    part = sympy.exp(t)
    value = translated(part + sympy.sin(part) + 1 / (1 + part), [x], (t,))
    assert sum(isinstance(node, Map) and node.atom.name == "exp" for node in order([value])) == 1


def test_a_deep_formula_does_not_recurse() -> None:
    expression = t
    for _ in range(300):
        expression = sympy.sin(expression, evaluate=False) + 1
    [x] = symbols("x:n")
    assert len(order([translated(expression, [x], (t,))])) > 300


DECLARED = """swish = elementwise("swish", lambda t: t / (1 + sympy.exp(-t)))
huber = elementwise("huber", lambda t: sympy.Piecewise((t**2 / 2, sympy.Abs(t) < 1), (sympy.Abs(t) - 0.5, True)))
mixed = elementwise("mixed", lambda a, b: a**2 * sympy.sin(b) / (1 + b**2))
"""


@pytest.mark.parametrize(
    ("body", "wrt"),
    [
        ("np.sum(swish(X @ w))", ("X", "w")),
        ("np.sum(huber(X @ w - y))", ("w",)),
        ("np.sum(mixed(X, w))", ("X", "w")),
        ("np.sum(mixed(y[:, None], X))", ("X", "y")),
        ("logsumexp(swish(X @ w))", ("w",)),
        ("np.sum(swish(huber(X)))", ("X",)),
        ("mixed(np.sum(y), w @ w)", ("y", "w")),
        ("huber(np.linalg.norm(w))", ("w",)),
        ("np.sum(np.where(y > 0, swish(y), huber(y)))", ("y",)),
    ],
)
def test_losses_with_formulas(body: str, wrt: tuple[str, ...]) -> None:
    made = loss("X: Matrix[n, d], w: Vector[d], y: Vector[n]", body, wrt, DECLARED)
    arguments = draw(made)
    module: Any = made.compile()
    assert close(module.loss(*arguments), made(*arguments))
    found = module.grad(*arguments)
    assert close(found, tuple(differences(made, arguments, name) for name in wrt), 1e-6)
