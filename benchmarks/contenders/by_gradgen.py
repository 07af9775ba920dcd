"""The generated NumPy module."""

from __future__ import annotations

from functools import partial

from benchmarks.building import imported
from benchmarks.contenders import Calls, Job
from gradgen.version import __version__

VERSION = __version__


def prepare(job: Job) -> Calls:
    return unbound(job, imported(job.loss, job.typical))


def unbound(job: Job, module) -> Calls:
    inputs, directions = job.drawn()
    return {
        "value_and_grad": partial(module.value_and_grad, *inputs.values()),
        "hvp": partial(module.hvp, *inputs.values(), *directions),
    }


def bound(job: Job, module) -> Calls:
    """The functions of the variables alone, the data given once."""
    inputs, directions = job.drawn()
    variables = [inputs[name] for name in job.case.wrt]
    given = module.bind(**{name: value for name, value in inputs.items() if name not in job.case.wrt})
    return {
        "value_and_grad": partial(given.value_and_grad, *variables),
        "hvp": partial(given.hvp, *variables, *directions),
    }
