"""What all tests share: which cases of a broad sweep are quick, and modules that are not formatted."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from gradgen import emit


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a sweep every k-th is quick, the first among them; all others are slow."""
    seen: Counter[str] = Counter()
    for item in items:
        sweep = item.get_closest_marker("sweep")
        if sweep is None:
            continue
        test = item.nodeid.partition("[")[0]
        if seen[test] % sweep.args[0]:
            item.add_marker("slow")
        seen[test] += 1


def pytest_collection_finish() -> None:
    """What stands by now stays: no later collection of garbage looks through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def unformatted() -> Iterator[None]:
    """Modules as they are before black, which takes most of the time, and changes nothing that they compute."""
    with patch.object(emit, "formatted", lambda text: text):
        yield
