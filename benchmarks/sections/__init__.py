"""The report's sections: a file for each, whose ``section(field, chosen)`` measures and reports."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contenders import BASELINE, CONTENDERS
from benchmarks.goals import Goal
from benchmarks.losses import FUNCTIONS, LOSSES, SIZES

__all__ = ["Chosen", "Report"]


@dataclass(frozen=True)
class Report:
    """What a section found, as Markdown, and how that stands to the goals."""

    text: str
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The part of everything that is measured."""

    losses: tuple[str, ...] = tuple(LOSSES)
    sizes: tuple[str, ...] = SIZES
    functions: tuple[str, ...] = FUNCTIONS
    contenders: tuple[str, ...] = tuple(CONTENDERS)

    def among(self, *names: str) -> list[str]:
        """The baseline, and which of the contenders are chosen."""
        return [BASELINE, *(name for name in names if name in self.contenders and name != BASELINE)]
