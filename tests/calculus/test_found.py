"""Losses at which random search or a trial found a fault: built, and held to their emitted tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import black
import pytest

from gradgen.cli import main

pytestmark = pytest.mark.slow

FOUND = sorted((Path(__file__).parent / "found").glob("*.py"))


def test_found_losses_pass_their_emitted_tests(tmp_path: Path) -> None:
    assert main(["build", *map(str, FOUND), "-o", str(tmp_path)]) == 0
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(tests, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    assert not [text for text in tmp_path.glob("test_*.py") if "test_module_loads" in text.read_text()]


def test_generated_files_are_in_the_style_of_black() -> None:
    """They are formatted block by block, and must look as if formatted whole."""
    for path in sorted((Path(__file__).parents[2] / "generated").glob("*.py")):
        text = path.read_text()
        assert black.format_str(text, mode=black.Mode()) == text, path.name
