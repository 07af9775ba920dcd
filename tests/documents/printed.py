"""Printed formulas, read back: what they compute on given arrays, and of how many operations they consist.

Vectors are columns, as on paper. A product with a vector of ones is a sum or a broadcast: 1ᵀ M, M 1, u 1ᵀ, 1 vᵀ.
Transposes, signs and the diag of a factor are free; everything else, a product with ones included, is one operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Scope = Mapping[str, Any]

TOKEN = re.compile(
    r"(?P<axis>axis=\d)"
    r"|(?P<number>\d+\.?\d*(?:e[+-]?\d+)?)"
    r"|(?P<name>log softmax|[^\W\dᵀ²³¹ⁱ][^\Wᵀ²³¹]*'*)"
    r"|(?P<postfix>ᵀ|⁻¹|⁻ᵀ|²|\^∘?\d+|\[[^\]]*\])"
    r"|(?P<sign>‖²|[-+∘/(),⟨⟩‖])"
    r"|(?P<space>\s+)"
)


POSTFIX = {"⁻ᵀ": ("⁻¹", "ᵀ")}


@dataclass(frozen=True)
class Term:
    """An operation and its operands; numbers and names have none."""

    kind: str
    said: str = ""
    operands: tuple[Term, ...] = ()


# ---- reading


@cache
def read(text: str) -> Term:
    """The formula as a tree."""
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))

    def whole(self) -> Term:
        term = self.sum()
        if self.tokens:
            raise ValueError(f"{self.tokens[0][1]!r} is left of {self.text!r}")
        return term

    def next(self, *expected: str) -> str:
        if not self.tokens or (expected and self.tokens[0][1] not in expected):
            raise ValueError(f"{expected} expected in {self.text!r}, where {self.tokens[:1]} stands")
        return self.tokens.pop(0)[1]

    def at(self, *said: str) -> bool:
        return bool(self.tokens) and self.tokens[0][1] in said

    def sum(self) -> Term:
        terms = [self._signed(self.next("-") if self.at("-") else "+")]
        while self.at("+", "-"):
            terms.append(self._signed(self.next()))
        return terms[0] if len(terms) == 1 and terms[0].kind != "-" else Term("sum", operands=tuple(terms))

    def _signed(self, sign: str) -> Term:
        entry = self.entry()
        return Term("-", operands=(entry,)) if sign == "-" else entry

    def entry(self) -> Term:
        """Entrywise products and quotients, from left to right."""
        term = self.product()
        while self.at("∘", "/"):
            sign = self.next()
            term = Term(sign, operands=(term, self.product()))
        return term

    def product(self) -> Term:
        factors = [self.factor()]
        while self.tokens and (self.tokens[0][0] in ("number", "name") or self.at("(", "‖", "⟨")):
            factors.append(self.factor())
        return factors[0] if len(factors) == 1 else Term("product", operands=tuple(map(_scaling, factors)))

    def factor(self) -> Term:
        term = self.atom()
        while self.tokens and self.tokens[0][0] == "postfix":
            for said in POSTFIX.get(self.tokens[0][1], (self.tokens[0][1],)):
                term = Term("postfix", said, (term,))
            self.next()
        return term

    def atom(self) -> Term:
        if self.at("("):
            return self._until(")")[0]
        if self.at("‖"):
            [inside] = self._until("‖²")
            return Term("call", "‖²", (inside,))
        if self.at("⟨"):
            return Term("call", "⟨⟩", self._until("⟩"))
        kind, said = self.tokens.pop(0)
        if kind == "number":
            return Term("number", said)
        if kind != "name":
            raise ValueError(f"{said!r} begins no operand in {self.text!r}")
        return Term("call", said, self._until(")")) if self.at("(") and _called(said) else Term("name", said)

    def _until(self, closing: str) -> tuple[Term, ...]:
        self.next()
        terms = [self.sum()]
        while self.at(","):
            self.next()
            terms.append(Term("axis", self.next()[-1]) if self.tokens[0][0] == "axis" else self.sum())
        self.next(closing)
        return tuple(terms)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"cannot read {text[position:]!r} in {text!r}")
        position = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]


def _called(name: str) -> bool:
    """A name that stands before a bracket is a function if it is known as one, else a factor."""
    return name in FUNCTIONS or name.rstrip("'") in UNKNOWN


def _scaling(factor: Term) -> Term:
    """A factor diag(v) scales rows or columns: it is no operation beside the product."""
    if factor.kind == "postfix":
        return Term("postfix", factor.said, (_scaling(factor.operands[0]),))
    return Term("scaling", operands=factor.operands) if factor.said == "diag" else factor


# ---- counting


def operations(*terms: Term) -> int:
    """How many operations formulas consist of; one that occurs again is counted once, as A x in xᵀ A x / ‖A x‖²."""
    return sum(map(_own, {inner for term in terms for inner in _within(term)}))


def _within(term: Term) -> Iterator[Term]:
    yield term
    operands = term.operands
    if term.kind == "product" and len(operands) > 2:
        operands = (operands[0], Term("product", operands=operands[1:]))
    for operand in operands:
        yield from _within(operand)


def _own(term: Term) -> int:
    if term.kind == "sum":
        return len(term.operands) - 1
    if term.kind == "postfix":
        return 0 if term.said == "ᵀ" else 1
    return 1 if term.kind in ("call", "product", "∘", "/") else 0


# ---- computing


def softmax(z: Array) -> Array:
    """By rows; a column is one row."""
    axis = 0 if z.shape[1] == 1 else 1
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


UNKNOWN = ("f", "g", "h", "sigma")
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sign": np.sign,
    "softmax": softmax,
    "log softmax": lambda z: np.log(softmax(z)),
    "σ": softmax,
    "det": lambda M: np.linalg.det(M),
    "tr": np.trace,
    "sum": np.sum,
    "logsumexp": lambda M, axis=None: np.log(np.sum(np.exp(M), axis=axis)),
    "diag": lambda M: np.diag(M.ravel() if 1 in M.shape else np.diag(M)),
    "‖²": lambda M: np.sum(M * M),
    "⟨⟩": lambda A, B: np.sum(A * B),
}


class Ones:
    """A vector of ones, of the length that it needs."""

    def __init__(self, row: bool) -> None:
        self.row = row


def compute(term: Term, scope: Scope) -> Array:
    """What a formula gives; ``scope`` holds matrices and columns by name, and functions."""
    return _Computer(scope).value(term)


class _Computer:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def value(self, term: Term) -> Array:
        return np.asarray(getattr(self, NAMES.get(term.kind, term.kind))(term), dtype=float)

    def number(self, term: Term) -> Array:
        return np.full((1, 1), float(term.said))

    def name(self, term: Term) -> Any:
        return self.scope[term.said]

    def negated(self, term: Term) -> Array:
        return -self.value(term.operands[0])

    def sum(self, term: Term) -> Array:
        total = self.value(term.operands[0])
        for operand in term.operands[1:]:
            total = total + self.value(operand)
        return total

    def entrywise(self, term: Term) -> Array:
        left, right = map(self.value, term.operands)
        return left * right if term.kind == "∘" else left / right

    def postfix(self, term: Term) -> Any:
        inside = self.value(term.operands[0])
        if term.said == "ᵀ":
            return inside.T
        if term.said == "⁻¹":
            return np.linalg.inv(inside)
        exponent = 2 if term.said == "²" else int(term.said.strip("^∘"))
        return inside**exponent if "∘" in term.said or 1 in inside.shape else np.linalg.matrix_power(inside, exponent)

    def scaling(self, term: Term) -> Any:
        return np.diag(self.value(term.operands[0]).ravel())

    def call(self, term: Term) -> Any:
        function = self.scope[term.said] if term.said.rstrip("'") in UNKNOWN else FUNCTIONS[term.said]
        axes = [int(operand.said) for operand in term.operands if operand.kind == "axis"]
        result = np.asarray(function(*(self.value(o) for o in term.operands if o.kind != "axis"), *axes))
        return result if result.ndim == 2 else result.reshape(-1, 1)

    def product(self, term: Term) -> Array:
        """From left to right, once ones have become sums (1ᵀ M, M 1) or been left to NumPy's broadcasting."""
        factors = [self._factor(operand) for operand in term.operands]
        while (at := _beside_ones(factors)) is not None:
            sign, axis = (factors[at], 0) if isinstance(factors[at], Ones) else (factors[at + 1], 1)
            array = factors[at + 1 - axis]
            assert isinstance(sign, Ones)
            factors[at : at + 2] = [array.sum(axis=axis, keepdims=True)]
        arrays = [factor for factor in factors if not isinstance(factor, Ones)] or [np.ones((1, 1))]
        result = arrays[0]
        for array in arrays[1:]:
            result = result * array if (1, 1) in (result.shape, array.shape) else result @ array
        return result

    def _factor(self, term: Term) -> Any:
        if term == Term("number", "1"):
            return Ones(row=False)
        if term == Term("postfix", "ᵀ", (Term("number", "1"),)):
            return Ones(row=True)
        return self.value(term)


NAMES = {"-": "negated", "∘": "entrywise", "/": "entrywise"}


def _beside_ones(factors: Sequence[Any]) -> int | None:
    """Where a pair stands that is a sum: 1ᵀ before an array, or 1 after one that is no scalar."""
    for at, (left, right) in enumerate(pairwise(factors)):
        if isinstance(left, Ones) and left.row and not isinstance(right, Ones):
            return at
        if isinstance(right, Ones) and not right.row and not isinstance(left, Ones) and left.shape != (1, 1):
            return at
    return None


# ---- what show prints


@dataclass(frozen=True)
class Shown:
    """The lines that ``show`` prints of one loss: its formulas by name, and the values that they share."""

    lines: Mapping[str, str]
    shared: Mapping[str, str]

    def operations(self, name: str) -> int:
        """Of one line, with the shared values that it needs."""
        terms = [read(self.lines[name])]
        missing = list(terms)
        while missing:
            inside = [term for term in _within(missing.pop()) if term.kind == "name"]
            used = [read(self.shared[term.said]) for term in inside if term.said in self.shared]
            terms += used
            missing += used
        return operations(*terms)

    def compute(self, name: str, scope: Scope) -> Array:
        """What one line gives."""
        return compute(read(self.lines[name]), _With(scope, self.shared))


class _With(dict[str, Any]):
    """A scope with shared values, computed when they are asked for."""

    def __init__(self, scope: Scope, shared: Mapping[str, str]) -> None:
        super().__init__(scope)
        self.shared = shared

    def __missing__(self, name: str) -> Array:
        self[name] = compute(read(self.shared[name]), self)
        return self[name]


def shown(lines: Sequence[str]) -> Shown:
    """The lines ``name = formula``, and after ``where`` those of shared values."""
    formulas: dict[str, str] = {}
    shared: dict[str, str] = {}
    into = formulas
    for line in lines:
        if line.startswith("where "):
            into, line = shared, line.removeprefix("where ")
        name, text = line.split(" = ", 1)
        into[name.strip()] = text
    return Shown(formulas, shared)
