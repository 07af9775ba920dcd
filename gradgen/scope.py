"""What the dimensions are at the moment: symbols while a loss is traced, numbers while it runs, nothing outside."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from gradgen.dims import Dim, Size, holds
from gradgen.errors import Place, SpecError
from gradgen.places import Finder
from gradgen.tape import Constraint

Inline = Callable[[Any], Callable[..., Any]]


def _stranger(dim: Dim) -> SpecError:
    return SpecError(f"{dim.name} is no dimension of this loss", "let it stand in the type of an argument")


@dataclass
class Trace:
    """A loss is being traced: its folder, the symbols of its arguments, which of these are symmetric, and what its
    slices presuppose."""

    finder: Finder
    dims: Mapping[Dim, Dim]
    inline: Inline
    symmetric: frozenset[str] = frozenset()
    constraints: dict[tuple[Size, Size], Constraint] = field(default_factory=dict)
    refused: SpecError | None = None  # the first error, which an except of the spec may have hidden

    def __post_init__(self) -> None:
        self._own = frozenset(self.dims.values())

    def resolve(self, size: Size) -> Size:
        if size.symbols <= self._own:
            return size
        for dim in sorted(size.symbols - self._own):
            if dim not in self.dims:
                raise _stranger(dim)
        return size.substitute(self.dims)

    def place(self) -> Place | None:
        return self.finder.here(sys._getframe(1))

    def source(self) -> str:
        return self.finder.source(sys._getframe(1))

    def local(self, name: str) -> Any:
        """What the innermost of the user's functions calls by that name, or None."""
        frame = self.finder.frame(sys._getframe(1))
        return frame.f_locals.get(name) if frame else None


class Run:
    """A loss is being run on numbers; ``inline`` is given where it runs in an overlay."""

    def __init__(self, values: Mapping[Dim, int], inline: Inline | None = None) -> None:
        self.inline = inline
        self._values = {dim.name: value for dim, value in values.items()}

    def knows(self, size: Size) -> bool:
        return all(dim.name in self._values for dim in size.symbols)

    def resolve(self, size: Size) -> Size:
        for dim in size.symbols:
            if dim.name not in self._values:
                raise _stranger(dim)
        return Size.of(size.value(self._values))


LONGEST = 60
CURRENT: ContextVar[Trace | Run | None] = ContextVar("gradgen_scope", default=None)


@contextmanager
def entered(scope: Trace | Run) -> Iterator[None]:
    token = CURRENT.set(scope)
    try:
        yield
    finally:
        CURRENT.reset(token)


def tracing() -> Trace | None:
    scope = CURRENT.get()
    return scope if isinstance(scope, Trace) else None


def resolve(size: Size) -> Size:
    """The size in the symbols of the loss that is traced, or as the number of the one that runs."""
    scope = CURRENT.get()
    return size if scope is None else scope.resolve(size)


def wrong(message: str, hint: str = "", kind: type[SpecError] = SpecError) -> SpecError:
    """An error that starts with the source text it is about, where that is known."""
    scope = tracing()
    place = scope.place() if scope else None
    text = scope.source() if scope else ""
    subject = _subject(text)
    error = kind(f"{subject}: {message}" if subject else message, hint, place)
    if scope:
        scope.refused = scope.refused or error
    return error


def _subject(text: str) -> str:
    """An expression as a headline: where it is long, a call without its arguments, else nothing."""
    try:
        tree = ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return ""
    if len(text) <= LONGEST and "\n" not in text:
        return text
    called = ast.unparse(tree.func) if isinstance(tree, ast.Call) else ""
    return f"{called}(...)" if 0 < len(called) <= LONGEST else ""


def said(value: Any) -> str:
    """A value as an error speaks of it: a number or short text as written, else its kind, and never its contents."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        text = repr(value)
        return text if len(text) <= 40 else text[:37] + "..."
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"an array of shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if callable(value):
        return f"the function {getattr(value, '__name__', type(value).__name__)}"
    return f"a {type(value).__name__}"


def source() -> str:
    """The source text that is being run, for hints."""
    scope = tracing()
    return scope.source() if scope else ""


def presuppose(left: Size, right: Size) -> None:
    """Record ``left <= right``, unless it holds always; where it never holds, the spec is wrong."""
    if holds(left, right):
        return
    difference = right - left
    lower = Size(tuple((m, -c) for m, c in difference.terms if c < 0))
    upper = Size(tuple((m, c) for m, c in difference.terms if c > 0))
    if not upper.terms:
        hint = "positions count from 0 to the length less 1; a slice to the end of an axis leaves the end out: x[1:]"
        raise wrong(f"out of bounds: it presupposes {left} <= {right}", hint)
    scope = tracing()
    if scope and (lower, upper) not in scope.constraints:
        scope.constraints[lower, upper] = Constraint(lower, upper, scope.place())
