"""Every loss at every size, both functions: 90 cells where everything is chosen."""

from __future__ import annotations

from benchmarks import goals, tables
from benchmarks.contenders import OURS, Job
from benchmarks.measure import Cell, Field
from benchmarks.sections import Chosen, Report

TITLE = "Every loss at every size"


def section(field: Field, chosen: Chosen) -> Report:
    contenders = chosen.among(*chosen.contenders)
    cells: list[Cell] = []
    for loss in chosen.losses:
        for size in chosen.sizes:
            cells += tables.announced(field.cells(Job(loss, size), chosen.functions, contenders), contenders)
    sums = [tables.summary(cells, name) for name in OURS if name in contenders]
    note = f"Time relative to hand, whose own time stands first. {tables.MISSING} stands for a contender that has none."
    text = "\n\n".join((*sums, note, tables.ratios(cells, contenders), *reasons(cells)))
    return Report(text, (*goals.geometric_means(cells), *goals.slow_cells(cells), *goals.ahead(cells, "jax")))


def reasons(cells: list[Cell]) -> list[str]:
    """Why a contender has none, once for each reason."""
    found = {(name, reason.splitlines()[0]) for cell in cells for name, reason in cell.missing.items() if reason}
    return ["\n".join(f"- {name}: {reason}" for name, reason in sorted(found))] if found else []
