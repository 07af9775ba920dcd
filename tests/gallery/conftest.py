"""What the tests of the gallery share: its modules, and how two results are compared."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BOUND = 1e-10


def _agree(ours: Any, theirs: Any, bound: float = BOUND) -> None:
    """Hold max|a - b| / max|b| to a bound."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.max(np.abs(ours - theirs), initial=0.0) <= bound * np.max(np.abs(theirs), initial=1e-300)


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    return _agree


@pytest.fixture(scope="session")
def gallery() -> Callable[[str], ModuleType]:
    """The module of a loss, by name."""
    return lambda name: importlib.import_module(f"generated.gallery.{name}")
