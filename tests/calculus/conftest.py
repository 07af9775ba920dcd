"""The tests of this folder share an evaluator and make their nodes in an arena of their own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from gradgen.nodes import arena


@pytest.fixture(autouse=True)
def _own_arena() -> Iterator[None]:
    with arena():
        yield
