"""Who takes part: a file each, imported in a process of its own.

Each file has ``VERSION`` and ``prepare(job)``, which gives the calls that are timed by the name of the function, all
compiled. A function that a contender does not have is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.losses import SIZES, Case, case

__all__ = ["BASELINE", "CONTENDERS", "OURS", "Calls", "Job", "NotThereError"]

Calls = dict[str, Callable[[], Any]]

BASELINE = "hand"
OURS = ("gradgen", "bound", "cython", "cython-bound")
CONTENDERS = {
    "hand": "by_hand",
    "gradgen": "by_gradgen",
    "bound": "by_bound",
    "cython": "by_cython",
    "cython-bound": "by_cython_bound",
    "jax": "by_jax",
    "torch": "by_torch",
    "autograd": "by_autograd",
    "pytensor": "by_pytensor",
    "casadi": "by_casadi",
    "numba": "by_numba",
}


class NotThereError(Exception):
    """A contender has no such loss, or not at this size."""


@dataclass(frozen=True)
class Job:
    """A loss at a size and in a dtype; ``planned`` is the size that gradgen's module was planned for, "" for its own,
    or for medium where it is none of the three."""

    loss: str
    size: str
    dtype: str = "float64"
    planned: str = ""

    @property
    def typical(self) -> str:
        """The size, tiny, medium or large, that gradgen's module was planned for."""
        return self.planned or (self.size if self.size in SIZES else "medium")

    @property
    def case(self) -> Case:
        return case(self.loss)

    def drawn(self) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """The arguments by name, and a direction for each variable."""
        inputs = self.case.inputs(self.size, self.dtype)
        return inputs, self.case.directions(inputs)
