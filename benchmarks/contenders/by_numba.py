"""numba: the insides of the hand-written functions, compiled where numba can; without checks at a door."""

from __future__ import annotations

from functools import partial

import numba

from benchmarks import hand
from benchmarks.contenders import Calls, Job

VERSION = numba.__version__


def prepare(job: Job) -> Calls:
    core = getattr(hand, job.case.name).core
    inputs, directions = job.drawn()
    calls = {
        "value_and_grad": partial(numba.njit(core.value_and_grad), *inputs.values()),
        "hvp": partial(numba.njit(core.hvp), *inputs.values(), *directions),
    }
    return {name: call for name, call in calls.items() if compiles(call)}


def compiles(call: partial) -> bool:
    try:
        call()
    except numba.core.errors.NumbaError:
        return False
    return True
