"""Dimensions as values: integer polynomials in named symbols, and how they follow from the shapes of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

TYPICAL = 100
UNSAID = (150, 60, 30, 20, 10, 5)  # typical sizes by order in the signature: apart, and samples before features


@dataclass(frozen=True, order=True)
class Dim:
    """A symbolic dimension. ``rank`` orders the symbols of one loss; ``typical`` guides the cost model alone."""

    rank: int
    name: str
    typical: int = TYPICAL


Monomial = tuple[Dim, ...]


@dataclass(frozen=True)
class Size:
    """An integer polynomial in dimensions, such as ``n``, ``3``, ``p + q`` or ``2*n - 1``; equal iff the same
    polynomial."""

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def of(value: int | Dim | Size) -> Size:
        if isinstance(value, Size):
            return value
        if isinstance(value, Dim):
            return Size((((value,), 1),))
        return Size((((), int(value)),)) if value else Size(())

    @staticmethod
    def _collect(terms: Iterable[tuple[Monomial, int]]) -> Size:
        total: dict[Monomial, int] = {}
        for monomial, coefficient in terms:
            total[monomial] = total.get(monomial, 0) + coefficient
        return Size(tuple(sorted((m, c) for m, c in total.items() if c)))

    def __add__(self, other: int | Size) -> Size:
        return Size._collect((*self.terms, *Size.of(other).terms))

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: int | Size) -> Size:
        return self + -Size.of(other)

    def __rsub__(self, other: int) -> Size:
        return Size.of(other) - self

    def __mul__(self, other: int | Size) -> Size:
        other = Size.of(other)
        return Size._collect((tuple(sorted(m + k)), c * e) for m, c in self.terms for k, e in other.terms)

    __rmul__ = __mul__

    @cached_property
    def constant(self) -> int | None:
        """The number that this size is, or None where a symbol takes part."""
        if not self.terms:
            return 0
        return self.terms[0][1] if len(self.terms) == 1 and not self.terms[0][0] else None

    @cached_property
    def symbols(self) -> frozenset[Dim]:
        return frozenset(dim for monomial, _ in self.terms for dim in monomial)

    @cached_property
    def symbol(self) -> Dim | None:
        """The one dimension that this size is, or None."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            return self.terms[0][0][0]
        return None

    @cached_property
    def typical(self) -> int:
        """The size at the typical dimensions, at least 1."""
        return max(1, sum(c * prod(d.typical for d in m) for m, c in self.terms))

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number, from the values of its symbols by name; KeyError names a symbol without one."""
        return sum(c * prod(sizes[d.name] for d in m) for m, c in self.terms)

    def substitute(self, replace: Mapping[Dim, Dim]) -> Size:
        return Size._collect((tuple(sorted(replace.get(d, d) for d in m)), c) for m, c in self.terms)

    @cached_property
    def key(self) -> str:
        """A text that tells sizes apart and knows a dimension by its rank, not by its name."""
        return "+".join(f"{c}" + "".join(f"*{d.rank}" for d in m) for m, c in self.terms) or "0"

    def spell(self, name: Callable[[Dim], str] = lambda d: d.name) -> str:
        """The size as a Python expression."""
        text = ""
        for monomial, coefficient in sorted(self.terms, key=lambda t: (not t[0], t[1] < 0)):
            factors = [name(d) for d in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            lead = (" " + sign + " ") if text else ("-" if coefficient < 0 else "")
            text += lead + " * ".join(factors)
        return text or "0"

    def __str__(self) -> str:
        return self.spell()


def holds(left: Size, right: Size) -> bool:
    """Whether ``left <= right`` at all sizes, as far as the signs of the coefficients say."""
    return all(c >= 0 for _, c in (right - left).terms)


ONE = Size.of(1)


def is_one(size: Size) -> bool:
    """Whether the axis is literally 1 long (a symbol is never taken for 1)."""
    return size.constant == 1


@dataclass(frozen=True)
class Let:
    """``dim = (argument.shape[axis] - rest) / factor``, which must be a nonnegative integer."""

    dim: Dim
    argument: str
    axis: int
    rest: Size
    factor: int


@dataclass(frozen=True)
class Match:
    """``argument.shape[axis] == size``."""

    size: Size
    argument: str
    axis: int


Step = Let | Match


def solve(shapes: Sequence[tuple[str, Sequence[Size]]], given: Iterable[Dim] = ()) -> tuple[list[Step], list[Dim]]:
    """The steps that find every dimension that is not given from the shapes of named arrays and check the rest, and
    the dimensions left open.

    A plain symbol is taken where it stands first; a sum or multiple is solved for the one symbol that is not known yet.
    """
    steps: list[Step] = []
    known = set(given)
    sizes = [(name, axis, size) for name, shape in shapes for axis, size in enumerate(shape)]
    pending = sorted(sizes, key=lambda entry: entry[2].symbol is None)
    while pending:
        for entry in pending:
            name, axis, size = entry
            unknown = sorted(size.symbols - known)
            if not unknown:
                steps.append(Match(size, name, axis))
                break
            linear = [(m, c) for m, c in size.terms if unknown[0] in m]
            if len(unknown) == 1 and len(linear) == 1 and linear[0][0] == (unknown[0],) and linear[0][1] > 0:
                rest = size - Size((linear[0],))
                steps.append(Let(unknown[0], name, axis, rest, linear[0][1]))
                known.add(unknown[0])
                break
        else:
            return steps, sorted({dim for _, _, size in pending for dim in size.symbols} - known)
        pending.remove(entry)
    return steps, []
