"""Random losses and functions: numbers against JAX and without the simplifier, dtypes, ownership of memory, ``bind``,
and the same text every time."""

from __future__ import annotations

import re

import numpy as np
import pytest
import random_checks
import random_values
from random_growth import grow
from random_losses import Search
from random_programs import Program
from random_shrinking import shrunk, valid

from gradgen import pipeline

SEEDS = 10
DRAWS = 40
LEAST = 15  # programs of the draws of a seed: some come to the same one
REFUSED = 0.05  # of all programs


@pytest.mark.parametrize("number", range(SEEDS))
def test_random_programs(number: int) -> None:
    search = Search(number, DRAWS, quick=True)
    program = search.run()
    if program is not None:
        small, found = shrunk(program)
        pytest.fail(f"{found}\n{small.text()}", pytrace=False)
    assert len(search.found) >= LEAST


@pytest.mark.parametrize("seed", range(20))
def test_same_text_every_time(seed: int) -> None:
    program = grow(seed)
    assert random_checks.refused(program) or random_checks.same_twice(program)


def test_few_are_refused() -> None:
    """Nearly all of what grows is within the language."""
    assert sum(random_checks.refused(grow(seed)) for seed in range(100)) <= 100 * REFUSED


def test_functions_are_given_as_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where their derivatives are right, programs pass; a wrong one is seen."""
    called = re.compile(r"\b(\w+): Elementwise.*:\n(?:.*\n)*.*\b\1\(")
    program = next(p for p in map(grow, range(1000)) if called.search(p.text()) and len(p.nodes) < 8)
    assert random_checks.failure(program) is None
    wrong = [random_values.Unknown(u.name, u.orders[0], np.exp, np.exp) for u in random_values.UNKNOWN]
    monkeypatch.setattr(random_values, "UNKNOWN", wrong)
    assert " against JAX" in random_checks.kind(random_checks.failure(program))


def test_without_the_simplifier_statements_differ() -> None:
    """So comparing with them says something of its laws."""
    differ = 0
    for seed in range(8):
        made = random_checks.loaded(grow(seed).text())
        with random_checks.unsimplified():
            plain = pipeline.statements(made.tape)
        differ += plain != pipeline.statements(made.tape)
    assert differ >= 6


def test_a_failing_program_becomes_small() -> None:
    """A fault that is planted where a hyperbolic tangent stands is found, and little else is left."""

    def planted(program: Program) -> str | None:
        return "planted" if "np.tanh" in program.text() and valid(program) else None

    large = next(p for p in map(grow, range(1000)) if planted(p) and len(p.nodes) > 15)
    small, found = shrunk(large, failing=planted)
    assert found == "planted"
    assert len(small.text()) < len(large.text()) / 2
    assert len(small.nodes) - len(small.given) <= 3
