"""What a spec declares: dimensions, the types of arguments, and facts about them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NoReturn

from gradgen.dimension import Dimension
from gradgen.dims import UNSAID, Dim, Size
from gradgen.errors import SpecError
from gradgen.indexing import as_size
from gradgen.scope import said

# A loss numbers the dimensions of its arguments from 0; as declared they rank behind those.
_RANKS = count(1_000_000)


# ---- dimensions


def _name(text: str) -> str:
    name = unicodedata.normalize("NFKC", text)
    if not name.isidentifier() or iskeyword(name):
        raise SpecError(f"{text!r} cannot name a dimension", 'write dims("n d"), with names as for variables')
    return name


def _typical(name: str, size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        text = f"the typical size of {name} is a positive integer, not {said(size)}"
        raise SpecError(text, f"write dims({name}=1000)")
    return size


def dims(names: str = "", /, **typical: int) -> Any:
    """Dimensions by name: ``n, d = dims("n d")``; ``dims(n=100_000, d=50)`` also says which sizes are typical.

    Those of which nothing is said are taken for different sizes, in the order in which the arguments bring them in.
    """
    if not isinstance(names, str):
        raise SpecError("dims takes names in a string", 'write dims("n d")')
    listed = [_name(t) for t in names.replace(",", " ").split()]
    if len(set(listed)) < len(listed):
        raise SpecError(f"a dimension is named twice in {names!r}")
    everything = [*listed, *(n for n in typical if n not in listed)]
    if not everything:
        raise SpecError("dims wants names", 'write dims("n d")')
    made = tuple(_dimension(n, _typical(n, typical[n]) if n in typical else 0) for n in everything)
    return made if len(made) > 1 else made[0]


def _dimension(name: str, typical: int) -> Dimension:
    return Dimension(Size.of(Dim(next(_RANKS), name, typical)))


# ---- facts


@dataclass(frozen=True)
class Fact:
    """A trusted fact about the entries of an argument."""

    name: str

    def __repr__(self) -> str:
        return self.name


positive: Any = Fact("positive")
nonnegative: Any = Fact("nonnegative")
unit_interval: Any = Fact("unit_interval")
sign: Any = Fact("sign")
boolean: Any = Fact("boolean")
integer: Any = Fact("integer")
one_hot: Any = Fact("one_hot")
simplex: Any = Fact("simplex")

ROWS = frozenset({"one_hot", "simplex"})
NOT_WRT = frozenset({"sign", "boolean", "integer", "one_hot", "simplex"})


# ---- types


@dataclass(frozen=True)
class Declared:
    """An annotation: a kind of array, its shape in the spec's dimensions, facts, and what indices stay below."""

    kind: str
    shape: tuple[Size, ...] = ()
    facts: frozenset[str] = frozenset()
    below: Size | None = None


EXAMPLES = {
    "Scalar": "Scalar",
    "Vector": "Vector[n]",
    "Matrix": "Matrix[n, d]",
    "Tensor": "Tensor[b, n, d]",
    "Indices": "Indices[m, n]",
    "Symmetric": "Symmetric[n]",
    "SPD": "SPD[n]",
    "Diagonal": "Diagonal[n]",
    "LowerTriangular": "LowerTriangular[n]",
    "Elementwise": "Elementwise",
}


def _size(value: Any, kind: str) -> Size:
    size = as_size(value)
    if size is None:
        raise SpecError(f"{said(value)} is no dimension", f"write {EXAMPLES[kind]}, and facts after the dimensions")
    linear = all(len(monomial) <= 1 and factor > 0 for monomial, factor in size.terms)
    if not linear or size.constant == 0:
        hint = "a dimension is a name of dims(...), a positive integer, or a sum or integer multiple of these"
        raise SpecError(f"{size} cannot stand in a type", hint)
    return size


@dataclass(frozen=True)
class Kind:
    """A type of argument, such as ``Matrix``; with brackets it becomes a declaration. A rank of None is any."""

    name: str
    rank: int | None
    square: bool = False

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *parts: Any, **_: Any) -> NoReturn:
        listed = ", ".join(map(str, parts)) or "n"
        raise SpecError(f"{self.name} takes its dimensions in square brackets", f"write {self.name}[{listed}]")

    def __getitem__(self, parts: Any) -> Declared:
        listed = parts if isinstance(parts, tuple) else (parts,)
        facts = [p for p in listed if isinstance(p, Fact)]
        sizes = listed[: len(listed) - len(facts)]
        if any(isinstance(p, Fact) for p in sizes):
            raise SpecError(f"{self.name} has a fact before a dimension", "facts stand after the dimensions")
        return self.declare(tuple(_size(s, self.name) for s in sizes), facts)

    def declare(self, sizes: tuple[Size, ...], facts: list[Fact]) -> Declared:
        if len(sizes) != self.rank and (self.rank is not None or not sizes):
            count = "at least 1" if self.rank is None else str(self.rank or "no")
            wanted = f"{count} dimension{'s' * ((self.rank or 1) != 1)}"
            hint = f"write {EXAMPLES[self.name]}"
            if self.name == "Indices" and len(sizes) > 2:
                hint += ", the length and the number of rows to choose from; of more axes, give rows.ravel()"
            raise SpecError(f"{self.name} has {wanted}, not {len(sizes)}", hint)
        names = frozenset(f.name for f in facts)
        if not sizes and names & ROWS:
            raise SpecError(f"a Scalar has no rows to be {min(names & ROWS)}")
        if names and self.name in ("Elementwise", "Indices"):
            what = "is a function" if self.name == "Elementwise" else "holds integers to index with"
            hint = "facts are those of arrays of numbers"
            raise SpecError(f"an argument of type {self.name} {what} and cannot be {min(names)}", hint)
        if self.name == "Indices":
            return Declared(self.name, sizes[:1], names, sizes[1])
        return Declared(self.name, sizes * 2 if self.square else sizes, names)


if TYPE_CHECKING:  # so that a type checker lets a user's annotations pass
    Scalar: Any
    Vector: Any
    Matrix: Any
    Tensor: Any
    Indices: Any
    Symmetric: Any
    SPD: Any
    Diagonal: Any
    LowerTriangular: Any
    Elementwise: Any
else:
    Scalar = Kind("Scalar", 0)
    Vector = Kind("Vector", 1)
    Matrix = Kind("Matrix", 2)
    Tensor = Kind("Tensor", None)
    Indices = Kind("Indices", 2)
    Symmetric = Kind("Symmetric", 1, square=True)
    SPD = Kind("SPD", 1, square=True)
    Diagonal = Kind("Diagonal", 1, square=True)
    LowerTriangular = Kind("LowerTriangular", 1, square=True)
    Elementwise = Kind("Elementwise", 0)


def declaration(name: str, annotation: Any) -> Declared:
    """The declaration that an annotation is."""
    if isinstance(annotation, Declared):
        return annotation
    if isinstance(annotation, Kind):
        return annotation.declare((), [])
    if annotation in (float, int):
        raise SpecError(f"{name} is declared as {annotation.__name__}, which is no type of gradgen", "write Scalar")
    near = get_close_matches(str(getattr(annotation, "__name__", annotation))[:30], EXAMPLES, 1)
    hint = f"write {EXAMPLES[near[0]]}" if near else f"write {', '.join(list(EXAMPLES.values())[:5])} or Elementwise"
    what = annotation.__name__ if isinstance(annotation, type) else said(annotation)
    raise SpecError(f"{name} is declared as {what}, which is no type of gradgen", hint)


def ranked(shapes: Mapping[str, tuple[Size, ...]]) -> dict[Dim, Dim]:
    """The dimensions of a loss, numbered as its arguments bring them in, whatever order they were declared in."""
    ranks: dict[Dim, Dim] = {}
    owner: dict[str, Dim] = {}
    for shape in shapes.values():
        for dim in (d for size in shape for monomial, _ in size.terms for d in monomial):
            if owner.setdefault(dim.name, dim) != dim:
                raise SpecError(f"two different dimensions are called {dim.name}", "declare it once and import it")
            typical = dim.typical or UNSAID[min(len(ranks), len(UNSAID) - 1)]
            ranks.setdefault(dim, Dim(len(ranks), dim.name, typical))
    return ranks
