"""The benchmark as a whole, at a tiny size and for a moment: what it says is right, whatever the times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_contender_has_a_ratio(tmp_path: Path) -> None:
    report = tmp_path / "RESULTS.md"
    options = ["--only", "ridge", "--size", "tiny", "--contender", "gradgen,bound", "--seconds", "0.2"]
    command = [sys.executable, "-m", "benchmarks.run", *options, "--section", "cells", "--out", str(report)]
    subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    lines = report.read_text(encoding="utf-8").splitlines()
    cells = [line.split("|")[1:-1] for line in lines if line.startswith("| ridge, tiny, ")]
    assert [cell[0].strip() for cell in cells] == ["ridge, tiny, value_and_grad", "ridge, tiny, hvp"]
    for _, _, *ratios in cells:
        assert len(ratios) == 2
        assert all(float(ratio.strip(" *")) > 0 for ratio in ratios)


def test_the_goals_stand_first(tmp_path: Path) -> None:
    """And a run that ended leaves nothing but its report."""
    report = tmp_path / "RESULTS.md"
    options = [
        "--only",
        "poisson",
        "--size",
        "tiny",
        "--contender",
        "gradgen",
        "--seconds",
        "0.1",
        "--section",
        "cells",
    ]
    command = [sys.executable, "-m", "benchmarks.run", *options, "--out", str(report)]
    subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    text = report.read_text(encoding="utf-8")
    assert 0 < text.index("| value_and_grad over hand, geometric mean of 1 cells |") < text.index("## Every loss")
    assert [one.name for one in tmp_path.iterdir()] == ["RESULTS.md"]
