"""The generated NumPy module, its data given to `bind`."""

from __future__ import annotations

from benchmarks.building import imported
from benchmarks.contenders import Calls, Job
from benchmarks.contenders.by_gradgen import VERSION, bound

__all__ = ["VERSION", "prepare"]


def prepare(job: Job) -> Calls:
    return bound(job, imported(job.loss, job.typical))
