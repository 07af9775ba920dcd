"""1,000 seeds spread over the emitted tests: none of them may fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz_seeds import ROOT, failing_seeds, load

EMITTED = sorted((ROOT / "generated").rglob("test_*.py"))
PATHS = [path for path in EMITTED if "def check(seed)" in path.read_text(encoding="utf-8")]
SEEDS = 1_000


def test_there_are_modules_to_seed() -> None:
    assert len(PATHS) >= 15
    assert EMITTED == PATHS  # literal inputs were found for all


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_seeds(path: Path) -> None:
    assert failing_seeds(load(path), range(PATHS.index(path), SEEDS, len(PATHS))) == []
