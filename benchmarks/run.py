"""Measures and reports: ``python -m benchmarks.run --only ridge --size tiny --contender hand,gradgen,jax``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from benchmarks import machine
from benchmarks.building import MODULES
from benchmarks.contenders import CONTENDERS
from benchmarks.goals import summary
from benchmarks.journal import Journal
from benchmarks.losses import FUNCTIONS, LOSSES, SIZES
from benchmarks.measure import Cell, Effort, Field
from benchmarks.sections import Chosen, Report, bound, cells, far, first, float32, generator, growth, memory
from benchmarks.tables import label

SECTIONS = {
    "cells": cells,
    "bound": bound,
    "first": first,
    "memory": memory,
    "float32": float32,
    "growth": growth,
    "far": far,
    "generator": generator,
}
SHORTENED, SHORT = ("float32", "growth", "far"), 0.5  # what only fills in takes less of the time
HOW = """\
Each contender has a process of its own, pinned to the same cores and with as many threads; BLAS picks its own kernels.
The processes take turns, round after round, and are stopped, all their threads, while it is not their turn. What is
shown is the median of the rounds, ratios taken within a round. Every result is first compared with that of `hand`:
careful NumPy, differentiated by hand, with the checks of a generated module at its door. gradgen's modules are planned
for the sizes at which they are called, as a spec declares them, but for those of the table of sizes far from them.
Losses that factorise matrices run on one thread. Arguments live where a contender likes them best: JAX's on its device,
torch's as tensors, CasADi's in its own memory; PyTensor, CasADi and numba check no arguments."""


def main() -> int:
    options = parsed()
    cores = tuple(sorted(os.sched_getaffinity(0)))[: options.cores]
    journal = kept(options, cores)
    load_before = journal.measured("load before", machine.load)
    chosen = Chosen(*(tuple(one) for one in (options.only, options.size, options.function, options.contender)))
    with tempfile.TemporaryDirectory() as folder:
        os.environ[MODULES] = folder
        with Field(cores, Effort(), journal) as field:
            reports = {}
            for name in options.section:
                field.effort = Effort(seconds=options.seconds * (SHORT if name in SHORTENED else 1))
                reports[SECTIONS[name].TITLE] = measured(SECTIONS[name], field, chosen)
            text = written(reports, machine.described(field, load_before), field.wrong)
    if options.out:
        options.out.write_text(f"{text}\n", encoding="utf-8")
        journal.remove()
    print(f"\n{text}")
    return bool(field.wrong)


def kept(options: argparse.Namespace, cores: tuple[int, ...]) -> Journal:
    """What is measured goes into a file beside the report, until that is written."""
    if options.out is None:
        return Journal()
    settings = [len(cores), options.seconds, options.only, options.contender]
    return Journal(options.out.with_suffix(".jsonl"), settings, resumed=options.resume)


def measured(section: ModuleType, field: Field, chosen: Chosen) -> Report:
    begin = time.perf_counter()
    report = section.section(field, chosen)
    print(f"[{section.TITLE}: {time.perf_counter() - begin:.0f} s]", flush=True)
    return report


def written(reports: dict[str, Report], machine: str, wrong: Sequence[Cell]) -> str:
    goals = [goal for report in reports.values() for goal in report.goals]
    errors = [f"- **wrong**: {label(cell)}, {cell.wrong}" for cell in wrong]
    parts = ["# Benchmarks", machine, *(["\n".join(errors)] if errors else [])]
    parts += [f"## The goals\n\nThe generated NumPy modules alone.\n\n{summary(goals)}"] if goals else []
    return "\n\n".join((*parts, f"## How\n\n{HOW}", *(f"## {title}\n\n{one.text}" for title, one in reports.items())))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, everything in (
        ("only", LOSSES),
        ("size", SIZES),
        ("function", FUNCTIONS),
        ("contender", CONTENDERS),
        ("section", SECTIONS),
    ):
        choice = chosen_from(tuple(everything))
        parser.add_argument(f"--{name}", type=choice, default=list(everything), help=", ".join(everything))
    parser.add_argument("--seconds", type=float, default=Effort.seconds, help="for the rounds of a cell")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, help="write the report there too, and beside it what it is made of, as it comes"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with what an interrupted run has left beside --out"
    )
    return parser.parse_args()


def chosen_from(everything: tuple[str, ...]):
    def choice(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in everything:
                raise argparse.ArgumentTypeError(f"there is no {name}: choose from {', '.join(everything)}")
        return names

    return choice


if __name__ == "__main__":
    sys.exit(main())
