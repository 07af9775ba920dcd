"""Every formula of the five documents is held by a test of this folder."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest
from documents import ROOT, SPECS, losses

# 86 in all: 31 worked examples, 26 rules, 9 that are derived from these, 6 formulas, 6 identities, 2 checks, 2 comments
# of readers, a lemma, an open question, a wrong attempt and a trap.
ROWS = {
    "worked": """S0-02 S0-03 S0-05 S0-05x S0-05y S0-06 S0-07 S0-08 S0-09 S0-11 S0-18 S0-19 S1-06 S1-16 S1-17 S2-01 S2-03
        S3-01 S3-06 S3-09 S3-10 S3-11 S3-12 S3-13 S3-14 S3-15 S3-17 S4-06 S4-07 S4-08 S4-09""",
    "rule": """S1-05b S1-07 S1-08 S1-09 S1-10 S1-11 S1-12 S1-13 S1-14 S1-14b S1-15 S3-02 S3-03 S3-04 S3-05 S3-05b S3-05c
        S3-21 S4-01 S4-02 S4-03 S4-04 S4-05 S4-10 S4-11 S4-12""",
    "derived": "S0-06b S0-10 S0-12 S0-13 S1-18b S2-05 S2-06 S3-18 S3-20",
    "formula": "S1-01 S1-02 S1-03 S1-04 S1-05 S2-09",
    "identity": "S0-01 S0-17 S0-18b S1-20 S2-07 S2-08",
    "check": "S1-18 S3-08",
    "comment": "S0-20 S0-21",
    "lemma": "S3-16",
    "open question": "S1-19",
    "wrong attempt": "S2-02",
    "trap": "S3-07",
}
PAGE = ROOT / "docs" / "documents.md"
EVERY = [name for names in ROWS.values() for name in names.split()]
MODULES = [f"test_{path.stem}" for path in SPECS]


def covered() -> Iterator[str]:
    """The rows that the tests of this folder say they are about."""
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            if name.startswith("test_"):
                yield from getattr(value, "rows", ())


def test_there_are_86() -> None:
    assert [len(names.split()) for names in ROWS.values()] == [31, 26, 9, 6, 6, 2, 2, 1, 1, 1, 1]
    assert len(set(EVERY)) == len(EVERY) == 86


@pytest.mark.parametrize("row", EVERY)
def test_row_is_tested(row: str) -> None:
    assert row in set(covered())


def test_every_loss_says_its_row() -> None:
    assert [name for name, made in losses().items() if not made.doc.startswith("S")] == []


def test_the_page_lists_every_row_with_losses_that_exist() -> None:
    table = re.findall(r"^\| (S\S+) \|.*\| (.*?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(row for row, _ in table) == sorted(EVERY)
    assert {name for _, cell in table for name in re.findall(r"`(\w+)`", cell)} <= set(losses())
