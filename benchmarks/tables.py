"""Cells as Markdown: a table of ratios, and what they say in sum."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.contenders import BASELINE
from benchmarks.measure import Cell

__all__ = ["MISSING", "amount", "announced", "heads", "label", "ratio_row", "ratios", "slow", "summary", "table"]

MISSING = "—"
GOAL_RATIO, GOAL_SECONDS = 1.15, 1e-6


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    escaped = ([cell.replace("|", "\\|") for cell in one] for one in rows)
    return "\n".join((row(heads), row("---" for _ in heads), *map(row, escaped)))


def amount(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def ratios(cells: Sequence[Cell], contenders: Sequence[str]) -> str:
    """Each contender's time over that of the baseline, whose own time stands in the first column of numbers."""
    return table(["cell", *heads(contenders)], (ratio_row(cell, contenders) for cell in cells))


def heads(contenders: Sequence[str]) -> list[str]:
    return [BASELINE, *others(contenders)]


def others(contenders: Sequence[str]) -> list[str]:
    return [name for name in contenders if name != BASELINE]


def ratio_row(cell: Cell, contenders: Sequence[str]) -> list[str]:
    return [label(cell), amount(cell.seconds(BASELINE)), *(ratio(cell, name) for name in others(contenders))]


def announced(cells: list[Cell], contenders: Sequence[str]) -> list[Cell]:
    """Prints the cells as they are measured, and gives them back."""
    for cell in cells:
        print(row(ratio_row(cell, contenders)), flush=True)
    return cells


def label(cell: Cell) -> str:
    return f"{cell.job.case.title}, {cell.job.size}, {cell.function}"


def ratio(cell: Cell, contender: str) -> str:
    if contender in cell.wrong:
        return "**wrong**"
    if contender not in cell.turns:
        return MISSING
    text = f"{cell.ratio(contender):.2f}"
    return f"**{text}**" if contender in ("gradgen", "cython") and slow(cell, contender) else text


def slow(cell: Cell, contender: str) -> bool:
    """Above 1.15 of the baseline, and by more than a microsecond."""
    behind = cell.seconds(contender) - cell.seconds(BASELINE)
    return cell.ratio(contender) > GOAL_RATIO and behind > GOAL_SECONDS


def summary(cells: Sequence[Cell], contender: str) -> str:
    """The geometric mean, the cells that are behind, and how many are ahead of each rival."""
    timed = [cell for cell in cells if contender in cell.turns]
    if not timed:
        return f"{contender}: {MISSING}"
    behind = sorted((c for c in timed if slow(c, contender)), key=lambda c: -c.ratio(contender))
    lines = [
        f"**{contender}**: {len(timed)} cells, geometric mean {mean(timed, contender):.3f} of {BASELINE}; "
        f"{len(behind)} above {GOAL_RATIO} and {GOAL_SECONDS * 1e6:.0f} µs.",
        *(f"- {label(cell)}: {cell.ratio(contender):.2f} ({amount(cell.seconds(contender))})" for cell in behind),
    ]
    for rival in ("jax", "torch", "autograd", "pytensor", "casadi", "numba"):
        both = [cell for cell in timed if rival in cell.turns]
        if both:
            ahead = sum(cell.ratio(contender, rival) < 1 for cell in both)
            lines.append(f"- ahead of {rival} in {ahead} of {len(both)}")
    return "\n".join(lines)


def mean(cells: Sequence[Cell], contender: str) -> float:
    return statistics.geometric_mean(cell.ratio(contender) for cell in cells)
