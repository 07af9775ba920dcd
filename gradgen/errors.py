"""What can be wrong with a spec, and where: one exception, printed with its place, the source line and a hint."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A stretch of a spec's source; lines and columns count from 1, ``end_column`` is exclusive."""

    file: str
    line: int
    column: int = 1
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The source line with a caret under the stretch, or "" where the source cannot be read."""
        source = linecache.getline(self.file, self.line).rstrip("\n")
        if not source.strip():
            return ""
        width = max(1, min(self.end_column, len(source) + 1) - self.column)
        pad = "".join("\t" if c == "\t" else " " for c in source[: self.column - 1])
        return f"    {source}\n    {pad}{'^' * width}"


class SpecError(Exception):
    """A spec is wrong. ``str`` gives ``file:line:column``, what is wrong, the source line with a caret, and a hint.

    It is deliberately no ``TypeError``, which NumPy would swallow and rewrite.
    """

    def __init__(self, message: str, hint: str = "", place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def at(self, place: Place | None) -> SpecError:
        """The same error, placed where it had no place yet."""
        return self if self.place or place is None else type(self)(self.message, self.hint, place)

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        excerpt = self.place.excerpt() if self.place else ""
        hint = f"hint: {self.hint}" if self.hint else ""
        return "\n".join(part for part in (head, excerpt, hint) if part)


class NotSupportedError(SpecError):
    """The spec uses a word that is a part of the language but not supported yet."""


class CompilationError(Exception):
    """A module could not be compiled: what is missing or what failed, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class SpecErrors(SpecError):
    """Several errors of one build, in their order, each once. ``str`` gives all of them."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors = tuple({str(error): error for error in errors}.values())
        first = self.errors[0]
        super().__init__(first.message, first.hint, first.place)

    def at(self, place: Place | None) -> SpecError:
        return self

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.errors))


class Errors:
    """Collects errors, so that one run tells all of them."""

    def __init__(self) -> None:
        self.found: list[SpecError] = []

    @contextmanager
    def collected(self) -> Iterator[None]:
        """A `SpecError` raised inside is kept, and what stands behind goes on."""
        try:
            yield
        except SpecErrors as errors:
            self.found += errors.errors
        except SpecError as error:
            self.found.append(error)

    def report(self) -> None:
        """Raise what was collected, if anything was."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise SpecErrors(self.found)
