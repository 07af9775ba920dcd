"""An interrupted run loses nothing that it had measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.journal import Journal

SETTINGS = {"cores": 2}


def failing() -> float:
    raise AssertionError("measured again")


def test_a_resumed_run_measures_only_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.jsonl"
    first = Journal(path, SETTINGS)
    assert first.measured("one", lambda: 1.5) == 1.5
    with path.open("a") as file:
        file.write('["two", 2.')  # the run was killed within a line
    second = Journal(path, SETTINGS, resumed=True)
    assert second.measured("one", failing) == 1.5
    assert second.measured("two", lambda: 2.5) == 2.5
    third = Journal(path, SETTINGS, resumed=True)
    assert [third.measured(key, failing) for key in ("one", "two")] == [1.5, 2.5]


@pytest.mark.parametrize(("settings", "resumed"), [({"cores": 1}, True), (SETTINGS, False)])
def test_what_was_measured_otherwise_is_measured_anew(tmp_path: Path, settings: object, resumed: bool) -> None:
    path = tmp_path / "RESULTS.jsonl"
    Journal(path, SETTINGS).keep("one", 1)
    assert "one" not in Journal(path, settings, resumed=resumed)
    assert "one" not in path.read_text()


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal()
    journal.keep("version jax", "0.10")
    assert journal.under("version ") == {"jax": "0.10"}
    journal.remove()
    assert not list(tmp_path.iterdir())
