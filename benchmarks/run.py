"""Measures and reports: ``python -m benchmarks.run --only ridge --size tiny --contender hand,gradgen,jax``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from benchmarks import machine
from benchmarks.building import MODULES
from benchmarks.contenders import CONTENDERS
from benchmarks.losses import FUNCTIONS, LOSSES, SIZES
from benchmarks.measure import Effort, Field
from benchmarks.sections import Chosen, bound, cells, far, first, float32, generator, growth, memory

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
HOW = """\
Each contender has a process of its own, pinned to the same cores and with as many threads; BLAS picks its own kernels.
The processes take turns, round after round, and are stopped, all their threads, while it is not their turn. What is
shown is the median of the rounds, ratios taken within a round. Every result is first compared with that of `hand`:
careful NumPy, differentiated by hand, with the checks of a generated module at its door. gradgen's modules are planned
for the medium size. Losses that factorise matrices run on one thread. Arguments live where a contender likes them best:
JAX's on its device, torch's as tensors, CasADi's in its own memory; PyTensor, CasADi and numba check no arguments."""


def main() -> int:
    options = parsed()
    cores = tuple(sorted(os.sched_getaffinity(0)))[: options.cores]
    chosen = Chosen(*(tuple(one) for one in (options.only, options.size, options.function, options.contender)))
    with tempfile.TemporaryDirectory() as folder:
        os.environ[MODULES] = folder
        with Field(cores, Effort(seconds=options.seconds)) as field:
            sections = [text_of(SECTIONS[name], field, chosen) for name in options.section]
            head = ["# Benchmarks", machine.described(field.cores, field.versions, field.absent), HOW]
            report = "\n\n".join((*head, *sections))
    print(f"\n{report}")
    if options.out:
        options.out.write_text(f"{report}\n", encoding="utf-8")
    return bool(field.wrong)


def text_of(section: ModuleType, field: Field, chosen: Chosen) -> str:
    begin = time.perf_counter()
    text = section.section(field, chosen)
    print(f"[{section.TITLE}: {time.perf_counter() - begin:.0f} s]", flush=True)
    return f"## {section.TITLE}\n\n{text}"


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
    parser.add_argument("--seconds", type=float, default=3.0, help="for the rounds of a cell")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the report there too")
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
