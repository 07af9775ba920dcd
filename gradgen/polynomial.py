"""Polynomials in the dimensions with rational coefficients: what a statement costs, at any sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from gradgen.dims import Dim, Monomial, Size


@dataclass(frozen=True)
class Polynomial:
    """A sum of monomials in dimensions, such as ``2 n d + n``."""

    terms: tuple[tuple[Monomial, Fraction], ...] = ()

    @staticmethod
    def of(value: int | Fraction | Size | Polynomial) -> Polynomial:
        if isinstance(value, Polynomial):
            return value
        terms = value.terms if isinstance(value, Size) else (((), value),)
        return Polynomial._collect((m, Fraction(c)) for m, c in terms)

    @staticmethod
    def _collect(terms: Iterable[tuple[Monomial, Fraction]]) -> Polynomial:
        total: dict[Monomial, Fraction] = {}
        for monomial, coefficient in terms:
            total[monomial] = total.get(monomial, Fraction(0)) + coefficient
        return Polynomial(tuple(sorted((m, c) for m, c in total.items() if c)))

    def __add__(self, other: int | Size | Polynomial) -> Polynomial:
        return Polynomial._collect((*self.terms, *Polynomial.of(other).terms))

    def __mul__(self, other: int | Fraction | Size | Polynomial) -> Polynomial:
        right = Polynomial.of(other).terms
        return Polynomial._collect((tuple(sorted(m + k)), c * e) for m, c in self.terms for k, e in right)

    __radd__ = __add__
    __rmul__ = __mul__

    def value(self, sizes: Mapping[Dim, int]) -> Fraction:
        """The number at these sizes."""
        return sum((c * prod(sizes[d] for d in m) for m, c in self.terms), Fraction(0))

    @property
    def typical(self) -> float:
        """The number at the typical sizes."""
        return float(sum(c * prod(d.typical for d in m) for m, c in self.terms))

    def __str__(self) -> str:
        """The terms, those of highest degree first."""
        text = ""
        for monomial, c in sorted(self.terms, key=lambda t: (-len(t[0]), t[0])):
            sign = " - " if c < 0 else " + "
            text += (sign if text else sign.strip(" +")) + " ".join(_factors(monomial, abs(c)))
        return text or "0"


NOTHING = Polynomial()


def _factors(monomial: Monomial, coefficient: Fraction) -> list[str]:
    """The factors of a term: the coefficient unless it is 1, then each dimension with its power."""
    found = [f"{d.name}{_RAISED.get(monomial.count(d), '')}" for d in dict.fromkeys(monomial)]
    return [str(coefficient), *found] if coefficient != 1 or not found else found


_RAISED = {2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶"}


def volume(shape: Iterable[Size]) -> Polynomial:
    """The number of entries of an array."""
    total = Polynomial.of(1)
    for size in shape:
        total = total * size
    return total
