"""The tests of this folder share the form in which conventions are written down."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _unformatted(unformatted: None) -> None:
    """What is computed counts, not how it is laid out."""
