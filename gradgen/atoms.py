"""The scalar functions, each with its partial derivatives, written in the algebra.

``partials(y, *x)`` gives the derivative by each argument from the value y and the arguments x, all nodes of one shape;
None is an argument by which the derivative is 0. Atoms of `MASKS` are 0/1 and piecewise constant.

Where a derivative is infinite, the result is: the second one of |x|^1.5 at 0 is. What is infinite times a coefficient
that is 0 is 0: the second one of |x|ᵖ at p = 1 and x = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import log as ln

import numpy as np

from gradgen.nodes import Atom, Count, Map, Node, Number, Symbol, apply, operand

HALF = Fraction(1, 2)
POSITIVE = frozenset(("exp", "exp2", "cosh", "sigmoid", "softplus"))
DEGREES = 2  # the highest derivative that is ever asked of a function
ATOMS: dict[str, Atom] = {}
MASKS = frozenset("greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not".split())


VALUES: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in "exp expm1 exp2 log log1p log2 log10 sin cos tan sinh cosh tanh".split()},
    **{
        name: getattr(math, name.replace("arc", "a")) for name in "arcsin arccos arctan arcsinh arccosh arctanh".split()
    },
    "absolute": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "lowered": lambda x: x - (x != 0),
    "relu": lambda x: max(x, 0.0),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x)),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "heaviside": lambda x: (1 + (x > 0) - (x < 0)) / 2,
}


def call(name: str, *arguments: Node) -> Node:
    """The atom of nodes of one shape, or of scalars beside them."""
    shape = max((a.shape for a in arguments), key=len)
    operands = [(1, a, tuple(range(len(shape) - a.rank, len(shape)))) for a in arguments]
    return apply(ATOMS[name], operands, shape)


@cache
def power_of(exponent: Number) -> Atom:
    """The power with a fixed exponent as an atom of its own: only the plan uses it, where powers no longer merge."""
    return Atom("power_of", lambda y, x: (exponent * x ** (exponent - 1),), exponent=exponent)


class Unknown(Atom):
    """The ``degree``-th derivative of a function that is given at run time, the argument ``function``."""

    __slots__ = ("degree", "function")

    def __init__(self, function: str, index: int, degree: int = 0) -> None:
        higher = Unknown(function, index, degree + 1) if degree < DEGREES else None
        super().__init__(f"argument {index}", lambda y, x: (_derived(higher, x),), exponent=degree)
        self.function, self.degree = function, degree


def _highest() -> Node:
    raise AssertionError("a third derivative")


def _derived(atom: Unknown | None, x: Node) -> Node:
    assert atom is not None, "a third derivative"
    return apply(atom, [(1, x, tuple(range(x.rank)))], x.shape)


def is_mask(node: Node) -> bool:
    """Whether the values are booleans."""
    return isinstance(node, Map) and node.atom.mask


def _atom(name: str) -> Callable[[Callable[..., tuple[Node | None, ...]]], Atom]:
    def register(partials: Callable[..., tuple[Node | None, ...]]) -> Atom:
        ATOMS[name] = Atom(name, partials)
        return ATOMS[name]

    return register


def _unary(name: str, derivative: Callable[[Node, Node], Node | None]) -> None:
    ATOMS[name] = Atom(name, lambda y, x: (derivative(y, x),), VALUES.get(name))


_unary("exp", lambda y, x: y)
_unary("expm1", lambda y, x: call("exp", x))
_unary("exp2", lambda y, x: ln(2) * y)
_unary("log", lambda y, x: 1 / x)
_unary("log1p", lambda y, x: 1 / (1 + x))
_unary("log2", lambda y, x: (1 / ln(2)) / x)
_unary("log10", lambda y, x: (1 / ln(10)) / x)
_unary("sin", lambda y, x: call("cos", x))
_unary("cos", lambda y, x: -call("sin", x))
_unary("tan", lambda y, x: 1 + y**2)
_unary("arcsin", lambda y, x: (1 - x**2) ** -HALF)
_unary("arccos", lambda y, x: -((1 - x**2) ** -HALF))
_unary("arctan", lambda y, x: 1 / (1 + x**2))
_unary("sinh", lambda y, x: call("cosh", x))
_unary("cosh", lambda y, x: call("sinh", x))
_unary("tanh", lambda y, x: 1 - y**2)
_unary("arcsinh", lambda y, x: (1 + x**2) ** -HALF)
_unary("arccosh", lambda y, x: (x**2 - 1) ** -HALF)
_unary("arctanh", lambda y, x: 1 / (1 - x**2))
_unary("root", lambda y, x: 1 / (2 * call("nonzero", y)))  # a norm, from its square: derivative 0 at 0
_unary("nonzero", lambda y, x: 1 + 0 * x)  # infinite at 0, so that dividing by it gives 0
_unary("lowered", lambda y, x: 1 + 0 * x)  # x - 1, but 0 where x is
_unary("regular", lambda y, x: 1 + 0 * x)  # NaN at 0, where what divides by it has no value
_unary("absolute", lambda y, x: call("sign", x))
_unary("sign", lambda y, x: None)
_unary("heaviside", lambda y, x: None)  # 0, 1/2, 1 below, at and above 0
_unary("relu", lambda y, x: call("greater", x, 0 * x))
_unary("sigmoid", lambda y, x: y * call("sigmoid", -x))
_unary("bell", lambda y, x: y * (call("sigmoid", -x) - call("sigmoid", x)))
_unary("softplus", lambda y, x: call("sigmoid", x))
_unary("log_cosh", lambda y, x: call("tanh", x))
_unary("erf", lambda y, x: (2 / math.sqrt(math.pi)) * call("exp", -(x**2)))
_unary("erfc", lambda y, x: (-2 / math.sqrt(math.pi)) * call("exp", -(x**2)))
_unary("ndtr", lambda y, x: (1 / math.sqrt(2 * math.pi)) * call("exp", -0.5 * x**2))
_unary("log_ndtr", lambda y, x: call("mills", x))
_unary("mills", lambda y, x: call("mills_slope", x))  # the density of ndtr over its value
_unary("mills_slope", lambda y, x: _highest())
_unary("logit", lambda y, x: 1 / (x * (1 - x)))
_unary("entr", lambda y, x: -1 - call("log", x))
_unary("gammaln", lambda y, x: call("digamma", x))
_unary("digamma", lambda y, x: call("trigamma", x))
_unary("trigamma", lambda y, x: call("tetragamma", x))
_unary("tetragamma", lambda y, x: _highest())
for _name in sorted(MASKS):
    ATOMS[_name] = Atom(_name, lambda y, *x: (None,) * len(x), getattr(np, _name), mask=True)


@_atom("maximum")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """Ties share equally."""
    return call("heaviside", a - b), call("heaviside", b - a)


@_atom("minimum")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """Ties share equally."""
    return call("heaviside", b - a), call("heaviside", a - b)


@_atom("where")
def _(y: Node, mask: Node, a: Node, b: Node) -> tuple[None, Node, Node]:
    return None, mask, call("logical_not", mask)


@_atom("logaddexp")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    return call("sigmoid", a - b), call("sigmoid", b - a)


def is_positive(node: Node) -> bool:
    """Whether a node is positive at every point: its powers have no kink."""
    if isinstance(node, Map):
        return node.atom.name in POSITIVE
    return isinstance(node, Count) or (isinstance(node, Symbol) and "positive" in node.facts)


def _lowered(a: Node, b: Node) -> Node:
    """The exponent of the derivative b aᵇ⁻¹, so that this is 0 where b is, also at a = 0."""
    plain = any(c > 0 and is_positive(n) for c, n, _ in (operand(x, tuple(range(x.rank))) for x in (a, b)))
    return b - 1 if plain else call("lowered", b)


def _power(name: str, slope: str, by_exponent: Callable[[Node, Node], Node]) -> None:
    """A power aᵇ with a node as its exponent; its derivative by a is b times the power ``slope`` with b - 1."""

    def partials(exponent: Callable[[Node, Node], Node]) -> Callable[..., tuple[Node | None, ...]]:
        return lambda y, a, b: (b * call(slope, a, exponent(a, b)), by_exponent(a, b))

    ATOMS[name] = Atom(name, partials(lambda a, b: b - 1), first=partials(_lowered))


_power("power", "power", lambda a, b: call("power_log", a, b))
# |a|ᵇ, whose second derivative at 0 is b (b - 1) |0|ᵇ⁻² (a sign squared would be 0 there), and sign(a) |a|ᵇ
_power("size_power", "signed_power", lambda a, b: call("power_log", call("absolute", a), b))
_power("signed_power", "size_power", lambda a, b: call("sign", a) * call("power_log", call("absolute", a), b))


@_atom("power_log")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """aᵇ log(a), 0 where the power is"""
    return call("power", a, b - 1) + b * call("power_log", a, b - 1), call("xlogy", y, a)


@_atom("xlogy")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """0 log(0) = 0"""
    return call("log", b), call("over_unless_zero", a, b)


@_atom("xlog1py")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    return call("log1p", b), call("over_unless_zero", a, 1 + b)


@_atom("over_unless_zero")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """x / y, 0 where x is"""
    return 1 / b, -call("over_unless_zero", y, b)


@_atom("rel_entr")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    return 1 + call("log", a / b), -call("over_unless_zero", a, b)


@_atom("hypot")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    return a / call("nonzero", y), b / call("nonzero", y)


@_atom("arctan2")
def _(y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    square = call("nonzero", a**2 + b**2)
    return b / square, -a / square
