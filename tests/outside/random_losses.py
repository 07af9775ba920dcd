"""``random_losses.py COUNT [FIRST]``: so many random programs against JAX, drawn by hypothesis, which makes a failing
one small; the shrinker finishes, and the spec that is left is printed."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from random_checks import failure, kind
from random_growth import programs
from random_programs import Program
from random_shrinking import shrunk

BLOCK = 40  # draws of one seed, of which some come to the same program
PATIENCE = 90.0  # seconds for hypothesis to make a failing program small


class Failed(AssertionError):
    """A program fails."""


@dataclass
class Search:
    """Draws of one seed, until one fails; ``smallest`` is that which hypothesis made of it. ``quick`` runs each program
    in one of its worlds only: compiling for JAX takes most of the time."""

    number: int
    draws: int = BLOCK
    quick: bool = False
    found: dict[str, str | None] = field(default_factory=dict)
    smallest: Program | None = None
    refused: int = 0
    deadline: float = float("inf")

    def run(self) -> Program | None:
        """The smallest program that fails, if one does."""
        configured = settings(
            max_examples=self.draws,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(self.number)(configured(given(programs())(self.hold)))()
        except Failed:
            return self.smallest
        return None

    def hold(self, program: Program) -> None:
        """Fail where the program does. What was tried is remembered, so that time running out changes no answer."""
        if self.quick:
            second = program.seed // 10 % 2  # which draws its inputs by the next seed
            sizes = (program.sizes[0], program.sizes[1 + second])
            program = replace(program, sizes=sizes, seed=program.seed + second)
        text = program.text()
        if text not in self.found:
            if time.monotonic() > self.deadline:
                reject()
            self.found[text] = failure(program)
        found = self.found[text]
        if found is None or found.startswith("unsound"):
            return
        if found.startswith("refused"):
            self.refused += 1
            return
        if self.smallest is None:
            self.deadline = time.monotonic() + PATIENCE
        self.smallest = program
        raise Failed(kind(found))


def main(count: int, first: int = 0) -> int:
    """Search, and print what was found; 1 where something fails."""
    failures: Counter[str] = Counter()
    tried, refused, number, started = 0, 0, first, time.monotonic()
    while tried < count:
        search = Search(number)
        program = search.run()
        tried, refused, number = tried + max(1, len(search.found)), refused + search.refused, number + 1
        if program is not None:
            failures[report(program, number - 1)] += 1
        passed = time.monotonic() - started
        print(
            f"{tried} of {count} programs, {failures.total()} failures, {refused} refused, {passed:.0f} s", flush=True
        )
    for what, times in failures.most_common():
        print(f"{times:5} {what}")
    return 1 if failures else 0


def report(program: Program, number: int) -> str:
    """Print a failing program as small as it gets: it can stand as a file of tests/calculus/found."""
    small, found = shrunk(program)
    said = "".join(f"# {line}\n" for line in (found or "").splitlines())
    print(f"\n# seed {number}\n{said}# {[dict(sizes) for sizes in small.sizes[1:]]}\n{small.text()}", flush=True)
    return kind(found)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
