"""Random losses: numbers against JAX, dtypes, ownership of memory, ``bind``, and the same text every time."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SEEDS = 130


def _neighbour() -> ModuleType:
    """The tool beside this file; tests are no package."""
    spec = importlib.util.spec_from_file_location("random_losses", Path(__file__).with_name("random_losses.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


random_losses = _neighbour()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_loss(seed: int) -> None:
    program = random_losses.grow(seed)
    found = random_losses.failure(program)
    assert found is None or found.startswith("refused"), f"{found}\n{program.text()}"


@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 20))
def test_same_text_every_time(seed: int) -> None:
    program = random_losses.grow(seed)
    assert random_losses.refused(program) or random_losses.same_twice(program)


def test_few_are_refused() -> None:
    """Nearly all of what grows is within the language."""
    refused = sum((random_losses.refused(random_losses.grow(seed))) for seed in range(SEEDS))
    assert refused <= SEEDS // 25
