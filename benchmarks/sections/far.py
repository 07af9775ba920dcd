"""Sizes far from the typical ones: modules planned for tiny, medium and large sizes, at each of these sizes."""

from __future__ import annotations

from benchmarks import goals, tables
from benchmarks.contenders import Job
from benchmarks.losses import SIZES
from benchmarks.measure import Cell, Field
from benchmarks.sections import Chosen, Report

TITLE = "Sizes far from the typical ones"
GOAL = 3


def section(field: Field, chosen: Chosen) -> Report:
    """Time over that of the module planned for the size it is called at."""
    plans = [f"gradgen@{size}" for size in SIZES]
    contenders = chosen.among()
    cells = []
    for loss in chosen.losses:
        for size in chosen.sizes:
            made = field.cells(Job(loss, size), chosen.functions, [*contenders, *plans])
            cells += tables.announced(made, [*contenders, *plans])
    rows = [[tables.label(cell), *(ratio(cell, plan) for plan in plans)] for cell in cells]
    heads = ["called at", *(f"planned for {size}" for size in SIZES)]
    note = "Time over that of the module planned for the size; every result is right, or the run fails."
    return Report(f"{note}\n\n{tables.table(heads, rows)}", tuple(goals.worst_plan(ratios(cells, plans), GOAL)))


def own(cell: Cell) -> str:
    return f"gradgen@{cell.job.size}"


def ratio(cell: Cell, plan: str) -> str:
    if plan not in cell.turns or own(cell) not in cell.turns:
        return tables.MISSING
    return f"{cell.ratio(plan, own(cell)):.2f}"


def ratios(cells: list[Cell], plans: list[str]) -> dict[str, float]:
    """All that were timed, by what was called and planned."""
    return {
        f"{tables.label(cell)}, planned for {plan.partition('@')[2]}": cell.ratio(plan, own(cell))
        for cell in cells
        for plan in plans
        if {plan, own(cell)} <= cell.turns.keys()
    }
