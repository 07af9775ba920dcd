"""Python expressions as text with minimal brackets: each knows how tightly it binds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

INDENT = "    "
COMPARE, OR, AND, SUM, TERM, SIGN, POWER, ATOM = range(1, 9)
EXACT = 2**53  # larger integers are written as floats
DECIMAL = 6  # a fraction whose decimal is at most so many characters is written as one


@dataclass(frozen=True)
class Expr:
    """``level`` is the binding of the outermost operator; ``mask`` marks booleans, ``fresh`` a new array that nobody
    else holds; ``depth`` counts nested operations."""

    text: str
    level: int = ATOM
    mask: bool = False
    fresh: bool = True
    depth: int = 0

    def at(self, level: int) -> str:
        """The text as an operand of something that binds at this level."""
        return self.text if self.level >= level else f"({self.text})"


def deeper(*parts: Expr) -> int:
    return 1 + max((part.depth for part in parts), default=0)


def name(text: str) -> Expr:
    return Expr(text, fresh=False)


def call(function: str, *parts: Expr, after: str = "") -> Expr:
    """``function(parts, after)``"""
    inside = ", ".join([part.text for part in parts] + ([after] if after else []))
    return Expr(f"{function}({inside})", depth=deeper(*parts))


def method(part: Expr, tail: str, fresh: bool = True) -> Expr:
    """``part.tail``"""
    return Expr(f"{part.at(ATOM)}{tail}", mask=part.mask and not fresh, fresh=fresh, depth=part.depth)


def permuted(part: Expr, axes: tuple[int, ...], order: tuple[int, ...]) -> Expr:
    """An array whose axes stand for ``axes``, with them in another order."""
    if axes == order:
        return part
    tail = ".T" if order == axes[::-1] else f".transpose({', '.join(str(axes.index(k)) for k in order)})"
    return method(part, tail, fresh=False)


def times(left: Expr, right: Expr, apart: bool = False) -> Expr:
    """``left * right``; a product on the right needs no brackets, but where it is to be computed ``apart``."""
    chain = right.level == TERM and not apart and not right.text.startswith(("1 /", "-"))
    tail = right.text if chain else right.at(SIGN)
    return Expr(f"{left.at(TERM)} * {tail}", TERM, mask=left.mask and right.mask, depth=deeper(left, right))


def over(left: Expr, right: Expr) -> Expr:
    return Expr(f"{left.at(TERM)} / {right.at(SIGN)}", TERM, depth=deeper(left, right))


def dot(left: Expr, right: Expr) -> Expr:
    """The sum over the last axis of the left and the first of the right operand: NumPy's method, which starts in half
    the time of ``@``."""
    return Expr(f"{left.at(ATOM)}.dot({right.text})", depth=deeper(left, right))


def minus(part: Expr) -> Expr:
    """``-part``; a product keeps its level, since ``-a * b`` is ``(-a) * b``."""
    if part.level == TERM:
        return Expr(f"-{part.text}", TERM, depth=deeper(part))
    inside = part.text if part.level > SIGN else f"({part.text})"
    return Expr(f"-{inside}", SIGN, depth=deeper(part))


def power(part: Expr, exponent: int | Fraction) -> Expr:
    if exponent == 1:
        return part
    if exponent == Fraction(1, 2):
        return call("np.sqrt", part)
    if exponent < 0:
        return over(Expr("1"), power(part, -exponent))
    return Expr(f"{part.at(ATOM)}**{number(exponent).text}", POWER, depth=deeper(part))


def number(value: int | Fraction) -> Expr:
    """An integer, a short decimal, a quotient of small integers, or the float nearest to a fraction."""
    if isinstance(value, int) and abs(value) <= EXACT:
        return Expr(str(value), ATOM if value >= 0 else SIGN)
    decimal = repr(float(value))
    if isinstance(value, int) or len(decimal) <= DECIMAL or value.denominator > 1000 or abs(value.numerator) > 1000:
        return Expr(decimal, ATOM if value >= 0 else SIGN)
    return Expr(f"{value.numerator} / {value.denominator}", TERM)


def magnitude(value: int | Fraction) -> int | Fraction:
    return value if value >= 0 else -value


def scaled(coefficient: int | Fraction, part: Expr) -> Expr:
    """``coefficient * part``"""
    if coefficient == 1:
        return part
    if coefficient == -1:
        return minus(part)
    factor = number(magnitude(coefficient))
    if factor.level == ATOM:
        chain = part.level == TERM
        joined = part.text.removeprefix("1") if part.text.startswith("1 / ") else f" * {part.text}"
        result = Expr(f"{factor.text}{joined}", TERM, depth=deeper(part)) if chain else times(factor, part)
    elif abs(coefficient.numerator) == 1:
        result = over(part, number(coefficient.denominator))
    else:
        result = over(times(number(abs(coefficient.numerator)), part), number(coefficient.denominator))
    return result if coefficient > 0 else minus(result)


def total(terms: list[tuple[bool, Expr]]) -> Expr:
    """The sum of terms, each with whether it is added or subtracted; the first is to be added where any is."""
    text = ""
    for position, (added, part) in enumerate(terms):
        inside = part.at(SUM) if added else part.at(TERM)
        if position == 0:
            text = inside if added else f"-{inside}"
        else:
            text += f" + {inside}" if added else f" - {inside}"
    return Expr(text, SUM, depth=deeper(*(part for _, part in terms)))
