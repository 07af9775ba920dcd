"""The bounds that are set for the generated NumPy modules, and where the measured cells miss them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import tables
from benchmarks.contenders import BASELINE
from benchmarks.measure import Cell

__all__ = ["Goal", "ahead", "bound_gain", "geometric_means", "seconds", "slow_cells", "summary", "worst_plan"]

OURS = "gradgen"
UNHELD = ("log_similarity", "gaussian", "determinant_log")  # told, not held to the bound of a cell
MEAN = 1.0
AHEAD_OF_JAX = 70 / 90


@dataclass(frozen=True)
class Goal:
    """A bound, what was measured, and what misses it; a goal that is only told has no bound."""

    what: str
    bound: str
    measured: str
    met: bool | None
    missing: tuple[str, ...] = ()


def summary(goals: Sequence[Goal]) -> str:
    words = {True: "yes", False: "**no**", None: ""}
    rows = [[one.what, one.bound, one.measured, words[one.met]] for one in goals]
    missing = [f"{one.what}: {'; '.join(one.missing)}." for one in goals if one.missing]
    return "\n\n".join((tables.table(["goal", "bound", "measured", "met"], rows), *missing))


def geometric_means(cells: Sequence[Cell]) -> list[Goal]:
    """Over all cells, and over those of each function."""
    timed = [cell for cell in cells if OURS in cell.turns]
    goals = []
    for function in dict.fromkeys(cell.function for cell in timed):
        ratios = [cell.ratio(OURS) for cell in timed if cell.function == function]
        mean = statistics.geometric_mean(ratios)
        what = f"{function} over {BASELINE}, geometric mean of {len(ratios)} cells"
        goals.append(Goal(what, f"≤ {MEAN:.2f}", f"{mean:.3f}", mean <= MEAN))
    return goals


def slow_cells(cells: Sequence[Cell]) -> list[Goal]:
    """The cells above the bound, those that are held to it and those that are only told apart."""
    timed = [cell for cell in cells if OURS in cell.turns]
    goals = []
    for held in (True, False):
        among = [cell for cell in timed if (cell.job.loss not in UNHELD) == held]
        slow = sorted((c for c in among if tables.slow(c, OURS)), key=lambda c: -c.ratio(OURS))
        names = tuple(f"{tables.label(cell)} {cell.ratio(OURS):.2f}" for cell in slow)
        who = "cells" if held else "cells that are told alone"
        what = f"{who} above {tables.GOAL_RATIO} of {BASELINE} and by more than 1 µs"
        if among:
            measured = f"{len(slow)} of {len(among)}"
            goals.append(Goal(what, "none" if held else "", measured, not slow if held else None, names))
    return goals


def ahead(cells: Sequence[Cell], rival: str) -> list[Goal]:
    both = [cell for cell in cells if {OURS, rival} <= cell.turns.keys()]
    if not both:
        return []
    behind = [cell for cell in both if cell.ratio(OURS, rival) >= 1]
    found, needed = len(both) - len(behind), round(AHEAD_OF_JAX * len(both))
    names = tuple(f"{tables.label(cell)} {cell.ratio(OURS, rival):.2f}" for cell in behind)
    return [Goal(f"cells ahead of {rival}", f"≥ {needed} of {len(both)}", str(found), found >= needed, names)]


def bound_gain(cell: Cell, unbound: Sequence[str], bound: float | None) -> list[Goal]:
    """How many times faster a bound call is than the fastest of those that get the data every time."""
    peers = [name for name in unbound if name in cell.turns]
    if "bound" not in cell.turns or not peers:
        return []
    best = min(peers, key=cell.seconds)
    times = 1 / cell.ratio("bound", best)
    what = f"bound {tables.label(cell)}, gram=True: times faster than the best without binding ({best})"
    return [
        Goal(what, "" if bound is None else f"≥ {bound:.0f}", f"{times:.3g}", None if bound is None else times >= bound)
    ]


def seconds(what: str, bound: float | None, measured: float) -> Goal:
    told = "" if bound is None else f"< {bound:.2f} s"
    return Goal(what, told, f"{measured:.3f} s", None if bound is None else measured < bound)


def worst_plan(ratios: dict[str, float], bound: float) -> list[Goal]:
    if not ratios:
        return []
    above = sorted((name for name in ratios if ratios[name] > bound), key=lambda name: -ratios[name])
    names = tuple(f"{name} {ratios[name]:.2f}" for name in above)
    what = "far from the typical sizes, over the plan made for the size: the worst"
    return [Goal(what, f"≤ {bound:.0f}", f"{max(ratios.values()):.2f}", not above, names)]
