"""Sizes far from the typical ones: modules planned for tiny, medium and large sizes, at each of these sizes."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.contenders import Job
from benchmarks.losses import SIZES
from benchmarks.measure import Cell, Field
from benchmarks.sections import Chosen

TITLE = "Sizes far from the typical ones"
GOAL = 3


def section(field: Field, chosen: Chosen) -> str:
    """Time over that of the module planned for the size it is called at."""
    plans = [f"gradgen@{size}" for size in SIZES]
    contenders = chosen.among()
    cells = []
    for loss in chosen.losses:
        for size in chosen.sizes:
            made = field.cells(Job(loss, size), chosen.functions, [*contenders, *plans])
            cells += tables.announced(made, [*contenders, *plans])
    rows = [[tables.label(cell), *(ratio(cell, plan) for plan in plans)] for cell in cells]
    return f"{worst(cells, plans)}\n\n{tables.table(['called at', *(f'planned for {size}' for size in SIZES)], rows)}"


def own(cell: Cell) -> str:
    return f"gradgen@{cell.job.size}"


def ratio(cell: Cell, plan: str) -> str:
    if plan not in cell.turns or own(cell) not in cell.turns:
        return tables.MISSING
    return f"{cell.ratio(plan, own(cell)):.2f}"


def worst(cells: list[Cell], plans: list[str]) -> str:
    timed = [(cell, plan) for cell in cells for plan in plans if {plan, own(cell)} <= cell.turns.keys()]
    if not timed:
        return tables.MISSING
    cell, plan = max(timed, key=lambda one: one[0].ratio(one[1], own(one[0])))
    found = cell.ratio(plan, own(cell))
    return f"The worst: {tables.label(cell)}, planned for {plan.partition('@')[2]}: {found:.2f} (goal: {GOAL})."
