"""How the time of a call grows with n, and its exponent from one n to the next."""

from __future__ import annotations

import itertools
import math

from benchmarks import tables
from benchmarks.contenders import Job
from benchmarks.measure import Cell, Field
from benchmarks.sections import Chosen, Report

TITLE = "Growth with n"
SERIES = {
    "logistic": ["n=100 d=50", "n=1000 d=50", "n=10000 d=50", "n=100000 d=50"],
    "log_similarity": ["n=100 d=20", "n=200 d=20", "n=400 d=20", "n=800 d=20", "n=1600 d=20"],
    "determinant_log": ["n=25", "n=50", "n=100", "n=200", "n=400"],
}


def section(field: Field, chosen: Chosen) -> Report:
    contenders = chosen.among("gradgen", "cython", "jax")
    rows = []
    for loss, sizes in SERIES.items():
        if loss not in chosen.losses:
            continue
        for function in chosen.functions:
            cells = [field.cells(Job(loss, size), [function], contenders)[0] for size in sizes]
            rows += [grown(cells, name) for name in contenders if name in cells[0].turns]
    heads = ["loss", "contender", "time, and the exponent of n since the one before"]
    return Report(tables.table(heads, rows))


def grown(cells: list[Cell], contender: str) -> list[str]:
    times = [cell.seconds(contender) for cell in cells]
    ns = [cell.job.case.dims(cell.job.size)["n"] for cell in cells]
    parts = [f"n = {ns[0]}: {tables.amount(times[0])}"]
    for (n, t), (n2, t2) in itertools.pairwise(zip(ns, times, strict=True)):
        parts.append(f"{n2}: {tables.amount(t2)} ({math.log(t2 / t) / math.log(n2 / n):.1f})")
    return [f"{cells[0].job.case.title}, {cells[0].function}", contender, "; ".join(parts)]
