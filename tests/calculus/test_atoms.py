"""Each scalar function: its value and derivative at single points, and what it does at its kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from evaluate import UNKNOWN, agree, evaluate, symbols, value_of

from gradgen.adjoint import adjoint
from gradgen.atoms import ATOMS, DEGREES, MASKS, Unknown, call, power_of
from gradgen.differential import differential
from gradgen.nodes import Map, Node, apply, as_node, as_number, is_zero, symbol
from gradgen.walk import order

LINE = (-2.3, -0.7, 0.4, 1.9)
INSIDE = (-0.8, -0.1, 0.35, 0.9)
POSITIVE = (0.2, 0.9, 1.7, 4.0)
UNIT = (0.1, 0.35, 0.6, 0.95)
ABOVE_ONE = (1.1, 1.9, 3.5)

# The function in high precision, and points of its domain away from kinks.
EXACT: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "exp": (mpmath.exp, LINE),
    "expm1": (mpmath.expm1, LINE),
    "exp2": (lambda x: mpmath.mpf(2) ** x, LINE),
    "log": (mpmath.log, POSITIVE),
    "log1p": (mpmath.log1p, INSIDE),
    "log2": (lambda x: mpmath.log(x, 2), POSITIVE),
    "log10": (lambda x: mpmath.log(x, 10), POSITIVE),
    "sin": (mpmath.sin, LINE),
    "cos": (mpmath.cos, LINE),
    "tan": (mpmath.tan, INSIDE),
    "arcsin": (mpmath.asin, INSIDE),
    "arccos": (mpmath.acos, INSIDE),
    "arctan": (mpmath.atan, LINE),
    "sinh": (mpmath.sinh, LINE),
    "cosh": (mpmath.cosh, LINE),
    "tanh": (mpmath.tanh, LINE),
    "arcsinh": (mpmath.asinh, LINE),
    "arccosh": (mpmath.acosh, ABOVE_ONE),
    "arctanh": (mpmath.atanh, INSIDE),
    "absolute": (abs, LINE),
    "sign": (mpmath.sign, LINE),
    "heaviside": (lambda x: (1 + mpmath.sign(x)) / 2, LINE),
    "relu": (lambda x: max(x, mpmath.mpf(0)), LINE),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), LINE),
    "bell": (lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2, LINE),
    "softplus": (lambda x: mpmath.log(1 + mpmath.exp(x)), LINE),
    "log_cosh": (lambda x: mpmath.log(mpmath.cosh(x)), LINE),
    "maximum": (max, LINE),
    "minimum": (min, LINE),
    "logaddexp": (lambda a, b: mpmath.log(mpmath.exp(a) + mpmath.exp(b)), LINE),
    "power": (lambda a, b: a**b, POSITIVE),
    "hypot": (mpmath.hypot, LINE),
    "arctan2": (mpmath.atan2, LINE),
    "where": (lambda mask, a, b: a if mask else b, LINE),
    "root": (mpmath.sqrt, POSITIVE),
    "nonzero": (lambda x: x, POSITIVE),
    "lowered": (lambda x: x - 1, POSITIVE),
    "regular": (lambda x: x, POSITIVE),
    "erf": (mpmath.erf, LINE),
    "erfc": (mpmath.erfc, LINE),
    "ndtr": (mpmath.ncdf, LINE),
    "log_ndtr": (lambda x: mpmath.log(mpmath.ncdf(x)), LINE),
    "logit": (lambda x: mpmath.log(x / (1 - x)), UNIT),
    "entr": (lambda x: -x * mpmath.log(x), POSITIVE),
    "gammaln": (mpmath.loggamma, POSITIVE),
    "digamma": (mpmath.digamma, POSITIVE),
    "trigamma": (lambda x: mpmath.polygamma(1, x), POSITIVE),
    "tetragamma": (lambda x: mpmath.polygamma(2, x), POSITIVE),
    "mills": (lambda x: mpmath.npdf(x) / mpmath.ncdf(x), LINE),
    "mills_slope": (lambda x: mpmath.diff(lambda t: mpmath.npdf(t) / mpmath.ncdf(t), x), LINE),
    "power_log": (lambda a, b: a**b * mpmath.log(a), POSITIVE),
    "size_power": (lambda a, b: abs(a) ** b, LINE),
    "signed_power": (lambda a, b: mpmath.sign(a) * abs(a) ** b, LINE),
    "xlogy": (lambda a, b: a * mpmath.log(b), POSITIVE),
    "xlog1py": (lambda a, b: a * mpmath.log(1 + b), POSITIVE),
    "over_unless_zero": (lambda a, b: a / b, LINE),
    "rel_entr": (lambda a, b: a * mpmath.log(a / b), POSITIVE),
}
ARITY = {
    **dict.fromkeys("maximum minimum logaddexp power hypot arctan2".split(), 2),
    **dict.fromkeys("xlogy xlog1py over_unless_zero rel_entr power_log size_power signed_power".split(), 2),
    "where": 3,
}
SMOOTH = sorted(set(EXACT) - {"where"})
LAST = {
    "trigamma": 1,
    "tetragamma": 0,
    "mills": 1,
    "mills_slope": 0,
}  # how many derivatives are had of what is itself a derivative


def points(name: str) -> list[tuple[float, ...]]:
    """Points of the domain, all arguments different."""
    _, line = EXACT[name]
    others = [line[(k + 1) % len(line)] * 0.9 for k in range(len(line))]
    return [(x,) if ARITY.get(name, 1) == 1 else (x, y) for x, y in zip(line, others, strict=True)]


def partial(name: str, at: int) -> tuple[Node, list[Node]]:
    """The derivative of an atom by one of its arguments, and the arguments."""
    arguments: list[Node] = [symbol(f"x{k}", k, ()) for k in range(ARITY.get(name, 1))]
    direction = symbol("dx", 0, (), direction=True)
    return differential([call(name, *arguments)], {arguments[at]: direction})[0], arguments


def test_every_atom_is_checked() -> None:
    assert set(EXACT) | MASKS == set(ATOMS)


@pytest.mark.parametrize("name", [name for name in SMOOTH if LAST.get(name, 2) > 0])
def test_derivatives_against_high_precision(name: str) -> None:
    exact, _ = EXACT[name]
    for point in points(name):
        for k in range(len(point)):
            found, arguments = partial(name, k)
            values = {a.name: x for a, x in zip(arguments, point, strict=True)} | {"dx": 1.0}
            order = tuple(int(k == j) for j in range(len(point)))
            assert agree(evaluate(found, values), float(mpmath.diff(exact, point, order)), 1e-9), (point, k)


@pytest.mark.parametrize("name", [name for name in SMOOTH if LAST.get(name, 2) > 1])
def test_second_derivatives_against_high_precision(name: str) -> None:
    exact, _ = EXACT[name]
    for point in points(name):
        arguments = [symbol(f"x{k}", k, ()) for k in range(len(point))]
        d = symbol("dx", 0, (), direction=True)
        seeds = {arguments[0]: d}
        [second] = differential(differential([call(name, *arguments)], seeds), seeds)
        values = {a.name: x for a, x in zip(arguments, point, strict=True)} | {"dx": 1.0}
        order = (2,) + (0,) * (len(point) - 1)
        assert agree(evaluate(second, values), float(mpmath.diff(exact, point, order)), 1e-6), point


@pytest.mark.parametrize("name", sorted(n for n, atom in ATOMS.items() if atom.value and n in EXACT))
def test_constants_fold_to_the_value(name: str) -> None:
    exact, line = EXACT[name]
    for x in line:
        assert float(as_number(call(name, as_node(x))) or 0) == pytest.approx(float(exact(mpmath.mpf(x))), 1e-14)


def test_constants_outside_the_domain_do_not_fold() -> None:
    for name, x in (("log", -1.0), ("arcsin", 2.0), ("exp", 1e6), ("arctanh", 1.0)):
        assert as_number(call(name, as_node(x))) is None, name


@pytest.mark.parametrize("name", sorted(MASKS))
def test_masks_are_piecewise_constant(name: str) -> None:
    a, b = symbols("a:n b:n")
    arguments = (a,) if name == "logical_not" else (a, b)
    da = symbol("da", 0, a.shape, direction=True)
    assert is_zero(differential([call(name, *arguments)], {a: da})[0])


def test_the_derivative_of_where_selects() -> None:
    mask, a, b, da, db = symbols("mask:n:boolean a:n b:n da:n db:n")
    [found] = differential([call("where", mask, a, b)], {a: da, b: db})
    chosen = call("where", mask, da, db)
    assert agree(evaluate(found), evaluate(chosen))


@pytest.mark.parametrize("exponent", [2, 3, -1, -2, Fraction(1, 2), Fraction(-3, 2)])
def test_a_fixed_power_as_an_atom(exponent: Fraction) -> None:
    [x] = symbols("x:n:positive")
    dx = symbol("dx", 0, x.shape, direction=True)
    atom = apply(power_of(exponent), [(1, x, (0,))], x.shape)
    [found] = differential([atom], {x: dx})
    [wanted] = differential([x**exponent], {x: dx})
    assert agree(evaluate(found), evaluate(wanted))


# ---- norms


@pytest.mark.parametrize("name", ["root", "nonzero"])
def test_norms_have_no_slope_at_zero(name: str) -> None:
    """‖x‖ = root(xᵀ x) has gradient x / nonzero(‖x‖), which is 0 at 0; so is what is differentiated again."""
    [x] = symbols("x:n")
    dx = symbol("dx", 0, x.shape, direction=True)
    norm = call("root", x @ x)
    value = norm if name == "root" else x @ x / call("nonzero", norm)
    [form] = differential([value], {x: dx})
    [gradient] = adjoint(form, [dx])
    [product] = differential([gradient], {x: dx})
    at = {"x": np.zeros(5)}
    with np.errstate(all="raise"):
        assert not evaluate(form, at).any() and not evaluate(gradient, at).any() and not evaluate(product, at).any()


def test_a_norm_away_from_zero() -> None:
    [x] = symbols("x:n")
    dx = symbol("dx", 0, x.shape, direction=True)
    norm = call("root", x @ x)
    [gradient] = adjoint(differential([norm], {x: dx})[0], [dx])
    [product] = differential([gradient], {x: dx})
    point, d = np.array([1.0, -2.0, 2.0, 4.0, 0.0]), np.array([1.0, 0.0, -3.0, 2.0, 1.0])
    found = evaluate(product, {"x": point, "dx": d})
    assert agree(evaluate(gradient, {"x": point}), point / 5)
    assert agree(found, d / 5 - point * (point @ d) / 125)


def test_nonzero_is_infinite_at_zero_alone() -> None:
    [x] = symbols("x:n")
    points = np.array([0.0, 1e-300, 2.0, 0.0, 3.0])
    assert np.array_equal(evaluate(call("nonzero", x), {"x": points}), [np.inf, 1e-300, 2.0, np.inf, 3.0])


# ---- functions that are given at run time


def test_the_derivatives_of_an_unknown_function_are_its_own() -> None:
    """f, f' and f'' are asked for one after the other, and are told apart by their degree."""
    [x] = symbols("x:nd")
    dx = symbol("dx", 0, x.shape, direction=True)
    value = apply(Unknown("f", 3), [(1, x, (0, 1))], x.shape)
    for degree in range(DEGREES + 1):
        asked = {
            node.atom.degree for node in order([value]) if isinstance(node, Map) and isinstance(node.atom, Unknown)
        }
        assert max(asked) == degree
        assert agree(evaluate(value), UNKNOWN[degree](value_of(x)) * value_of(dx) ** degree)
        if degree < DEGREES:
            [value] = differential([value], {x: dx})


def test_a_third_derivative_of_an_unknown_function_is_never_asked_for() -> None:
    [x] = symbols("x:n")
    dx = symbol("dx", 0, x.shape, direction=True)
    with pytest.raises(AssertionError, match="third"):
        differential([apply(Unknown("f", 0, DEGREES), [(1, x, (0,))], x.shape)], {x: dx})


def test_unknown_functions_are_told_apart() -> None:
    """By the place of the argument, never by its name, so that names decide nothing."""
    [x] = symbols("x:n")
    one, other = Unknown("f", 0), Unknown("g", 1)
    first, second = (apply(atom, [(1, x, (0,))], x.shape) for atom in (one, other))
    assert first is not second and first.digest != second.digest
    assert apply(one, [(1, x, (0,))], x.shape) is first
    assert apply(Unknown("h", 0), [(1, x, (0,))], x.shape).digest == first.digest
    assert apply(one, [(-1, x, (0,))], x.shape) is not first


def test_an_unknown_function_of_a_constant_does_not_fold() -> None:
    assert as_number(apply(Unknown("f", 0), [(1, as_node(2), ())], ())) is None


# ---- kinks

KINKS = {
    "absolute": ((0.0,), (0.0,)),
    "relu": ((0.0,), (0.0,)),
    "maximum": ((1.5, 1.5), (0.5, 0.5)),
    "minimum": ((1.5, 1.5), (0.5, 0.5)),
}


@pytest.mark.parametrize("name", KINKS)
def test_derivatives_at_kinks(name: str) -> None:
    point, slopes = KINKS[name]
    for k, slope in enumerate(slopes):
        found, arguments = partial(name, k)
        values = {a.name: x for a, x in zip(arguments, point, strict=True)} | {"dx": 1.0}
        assert float(evaluate(found, values)) == slope


def test_log_cosh_is_a_square_near_zero() -> None:
    [x] = symbols("x:")
    assert math.isclose(float(evaluate(call("log_cosh", x), {"x": 1e-3})), 5e-7, rel_tol=1e-6)
    assert np.isfinite(evaluate(call("log_cosh", x), {"x": 1e4}))
