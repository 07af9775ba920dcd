"""Random losses and functions: numbers against JAX and without the simplifier, dtypes, ownership of memory, ``bind``,
and the same text every time."""

from __future__ import annotations

import numpy as np
import pytest
import random_checks
from random_growth import grow
from random_losses import Search
from random_programs import Given, Node, Program
from random_shrinking import shrunk
from random_values import PRIMES

SEEDS = 200
BLOCKS = 40
SIZES = (PRIMES, {"n": 3, "d": 2, "k": 5})


@pytest.mark.parametrize("number", range(BLOCKS))
def test_random_programs(number: int) -> None:
    search = Search(number, SEEDS // BLOCKS)
    program = search.run()
    if program is not None:
        small, found = shrunk(program)
        pytest.fail(f"{found}\n{small.text()}", pytrace=False)


@pytest.mark.parametrize("seed", range(20))
def test_same_text_every_time(seed: int) -> None:
    program = grow(seed)
    assert random_checks.refused(program) or random_checks.same_twice(program)


def test_few_are_refused() -> None:
    """Nearly all of what grows is within the language."""
    assert sum(random_checks.refused(grow(seed)) for seed in range(SEEDS)) <= SEEDS // 25
