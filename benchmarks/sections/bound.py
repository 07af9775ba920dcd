"""What `bind` gains where much depends on the data alone: Gram matrices, allowed by ``gram=True``, and without."""

from __future__ import annotations

from benchmarks import goals, tables
from benchmarks.contenders import CONTENDERS, Job
from benchmarks.goals import Goal
from benchmarks.measure import Cell, Field
from benchmarks.sections import Chosen, Report

TITLE = "Bound to the data"
VARIANTS = ("ridge", "ridge_gram", "gaussian", "gaussian_gram")
BOUNDS = {"ridge_gram": 100.0, "gaussian_gram": 5.0}  # times faster at the large size
UNBOUND = tuple(name for name in CONTENDERS if not name.endswith("bound") and name not in ("gradgen", "cython"))
NOTE = """\
The specs with `_gram` let `bind` form Gram matrices; the large ridge has n = 200,000 and d = 100. Of a Gaussian, the
Hessian-vector product needs little of the data, so that the bound of 5 is for value_and_grad alone."""


def section(field: Field, chosen: Chosen) -> Report:
    contenders = chosen.among(*chosen.contenders)
    rows: list[list[str]] = []
    reached: list[Goal] = []
    for loss in (one for one in VARIANTS if one.removesuffix("_gram") in chosen.losses):
        for size in chosen.sizes:
            for cell in tables.announced(field.cells(Job(loss, size), chosen.functions, contenders), contenders):
                rows.append([loss, *tables.ratio_row(cell, contenders)])
                reached += goal(cell)
    return Report(f"{NOTE}\n\n{tables.table(['spec', 'cell', *tables.heads(contenders)], rows)}", tuple(reached))


def goal(cell: Cell) -> list[Goal]:
    if cell.job.loss not in BOUNDS or cell.job.size != "large":
        return []
    held = cell.job.loss == "ridge_gram" or cell.function == "value_and_grad"
    return goals.bound_gain(cell, UNBOUND, BOUNDS[cell.job.loss] if held else None)
