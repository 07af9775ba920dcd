"""The most by which memory grows in one large call, its result included, in a process that does nothing else."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.contenders import Job
from benchmarks.measure import Field
from benchmarks.process import FailedError, Process
from benchmarks.sections import Chosen, Report

TITLE = "Peak memory of one large call"
LOSSES = ("logistic", "softmax_regression", "log_similarity", "two_layer", "matrix_factorization", "gaussian_mixture")
MIB = 1 << 20


def section(field: Field, chosen: Chosen) -> Report:
    contenders = chosen.among("gradgen", "bound", "cython", "jax", "torch", "autograd")
    rows = []
    for loss in (one for one in LOSSES if one in chosen.losses):
        for function in chosen.functions:
            job = Job(loss, "large")
            rows.append([f"{job.case.title}, {function}", *(kept(field, job, function, one) for one in contenders)])
    return Report(f"MiB.\n\n{tables.table(['call', *contenders], rows)}")


def kept(field: Field, job: Job, function: str, contender: str) -> str:
    key = f"memory {job.loss} {function} {contender}"
    return str(field.journal.measured(key, lambda: peak(field, job, function, contender)))


def peak(field: Field, job: Job, function: str, contender: str) -> str:
    process = Process(contender, field.cores)
    try:
        process.ask("version")
        process.ask("prepare", job)
        return f"{process.ask('peak', function) / MIB:.1f}"
    except FailedError:
        return tables.MISSING
    finally:
        process.end()
