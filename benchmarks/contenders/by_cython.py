"""The generated Cython module, where there is such a backend."""

from __future__ import annotations

from benchmarks.building import imported
from benchmarks.contenders import Calls, Job
from benchmarks.contenders.by_gradgen import VERSION, unbound

__all__ = ["VERSION", "prepare"]


def prepare(job: Job) -> Calls:
    return unbound(job, imported(job.loss, job.typical, "cython"))
