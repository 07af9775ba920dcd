"""The same in float32, and what it gains."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.contenders import BASELINE, Job
from benchmarks.measure import Field
from benchmarks.sections import Chosen, Report

TITLE = "float32"
SIZES = ("medium", "large")


def section(field: Field, chosen: Chosen) -> Report:
    contenders = chosen.among("gradgen", "cython", "jax", "torch")
    cells = []
    for loss in chosen.losses:
        for size in SIZES:
            if size in chosen.sizes:
                made = field.cells(Job(loss, size, "float32"), chosen.functions, contenders)
                cells += tables.announced(made, contenders)
    sums = [tables.summary(cells, name) for name in ("gradgen", "cython") if name in contenders]
    note = f"Time relative to {BASELINE} in float32."
    return Report("\n\n".join((*sums, note, tables.ratios(cells, contenders))))
