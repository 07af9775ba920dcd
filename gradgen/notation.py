"""Matrix notation as text with minimal brackets: each formula knows how tightly it binds."""

from __future__ import annotations

from dataclasses import dataclass

SUM, ENTRY, PRODUCT, POWER, POSTFIX, ATOM = range(1, 7)


@dataclass(frozen=True)
class Math:
    """A formula and how tightly it binds; ``flipped`` is its transpose where that has a form of its own."""

    text: str
    level: int = ATOM
    flipped: str = ""

    def at(self, level: int) -> str:
        """The formula as an operand of something that binds at this level."""
        return self.text if self.level >= level else f"({self.text})"
