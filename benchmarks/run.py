"""Times the 15 losses: ``python -m benchmarks.run --only ridge --size tiny --contender hand,gradgen,jax``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, tables
from benchmarks.building import MODULES
from benchmarks.contenders import BASELINE, CONTENDERS, Job
from benchmarks.losses import FUNCTIONS, LOSSES, SIZES
from benchmarks.measure import Cell, Effort, Field


def main() -> int:
    options = parsed()
    cores = tuple(sorted(os.sched_getaffinity(0)))[: options.cores]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[MODULES] = folder
        with Field(options.contender, cores, Effort(seconds=options.seconds)) as field:
            cells = measured(field, options)
            report = reported(field, cells, options.contender)
    print(f"\n{report}")
    if options.out:
        options.out.write_text(f"{report}\n", encoding="utf-8")
    return any(cell.wrong for cell in cells)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=listed, default=list(LOSSES), help="losses, with commas between")
    parser.add_argument("--size", type=listed, default=list(SIZES))
    parser.add_argument("--function", type=listed, default=list(FUNCTIONS))
    parser.add_argument("--contender", type=listed, default=list(CONTENDERS), help="hand always takes part")
    parser.add_argument("--section", type=listed, default=["cells"])
    parser.add_argument("--seconds", type=float, default=6.0, help="for each cell")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the report there too")
    options = parser.parse_args()
    options.contender = [BASELINE, *(name for name in options.contender if name != BASELINE)]
    return options


def listed(text: str) -> list[str]:
    return text.split(",")


def measured(field: Field, options: argparse.Namespace) -> list[Cell]:
    cells = []
    for loss in options.only:
        for size in options.size:
            for cell in field.cells(Job(loss, size), options.function):
                cells.append(cell)
                print(tables.ratios([cell], options.contender).splitlines()[-1], flush=True)
    return cells


def reported(field: Field, cells: list[Cell], contenders: list[str]) -> str:
    ours = [name for name in contenders if name in ("gradgen", "bound", "cython", "cython-bound")]
    return "\n\n".join(
        (
            "# Benchmarks",
            machine.described(field.cores, field.versions, field.absent),
            "## In sum",
            *(tables.summary(cells, name) for name in ours),
            "## Every cell",
            tables.ratios(cells, contenders),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
