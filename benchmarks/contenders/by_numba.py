"""numba: the insides of the hand-written functions, compiled where numba can; without checks at a door."""

from __future__ import annotations

from functools import cache, partial

import numba

from benchmarks import hand
from benchmarks.contenders import Calls, Job

VERSION = numba.__version__
_refused = set()  # what numba cannot compile, at any size


def prepare(job: Job) -> Calls:
    core = getattr(hand, job.case.name).core
    inputs, directions = job.drawn()
    calls = {
        "value_and_grad": partial(compiled(core.value_and_grad), *inputs.values()),
        "hvp": partial(compiled(core.hvp), *inputs.values(), *directions),
    }
    return {name: call for name, call in calls.items() if compiles(call)}


@cache
def compiled(function):
    """For any size."""
    return numba.njit(function)


def compiles(call: partial) -> bool:
    if call.func in _refused:
        return False
    try:
        call()
    except numba.core.errors.NumbaError:
        _refused.add(call.func)
        return False
    return True
