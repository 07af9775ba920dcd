"""Careful NumPy, differentiated by hand."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import hand
from benchmarks.contenders import Calls, Job

VERSION = f"NumPy {np.__version__}"


def prepare(job: Job) -> Calls:
    module = getattr(hand, job.case.name)
    inputs, directions = job.drawn()
    return {
        "value_and_grad": partial(module.value_and_grad, *inputs.values()),
        "hvp": partial(module.hvp, *inputs.values(), *directions),
    }
