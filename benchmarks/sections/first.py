"""The first gradient in a fresh process: starting Python, importing, compiling where that is done, and the call."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks import goals, tables
from benchmarks.building import written
from benchmarks.contenders import CONTENDERS
from benchmarks.measure import Field
from benchmarks.process import ROOT, environment, pinned
from benchmarks.sections import Chosen, Report

TITLE = "The first gradient in a fresh process"
REPEATS = 5
NUMPY = "import numpy as np; "
RIDGE = "np.ones((20, 5)), np.ones(20), np.ones(5), 0.1"
GAUSSIAN = "np.ones((10, 3)), np.ones(3), np.eye(3)"
PEER = """
import importlib
from benchmarks.contenders import Job
importlib.import_module("benchmarks.contenders.{}").prepare(Job("ridge", "tiny"))["value_and_grad"]()
"""
OURS, OURS_SCIPY = "generated ridge", "generated Gaussian, by a Cholesky factor"
BOUNDS = {OURS: 0.12, OURS_SCIPY: 0.35}  # with NumPy alone, and with SciPy
TOLD = (*BOUNDS, "jax, ridge")
PEERS = ("casadi", "jax", "autograd", "pytensor", "torch", "numba")


def section(field: Field, chosen: Chosen) -> Report:
    times = field.journal.measured("first", lambda: measured(programs(chosen), field.cores))
    medians = {name: statistics.median(one) for name, one in times.items() if one}
    rows = [[name, tables.amount(medians[name]) if name in medians else tables.MISSING] for name in times]
    reached = (
        goals.seconds(f"first gradient, {name}", BOUNDS.get(name), medians[name]) for name in TOLD if name in medians
    )
    return Report(tables.table(["what", "median"], rows), tuple(reached))


def programs(chosen: Chosen) -> dict[str, str]:
    """What each process runs."""
    found = {"import numpy, for comparison": NUMPY}
    if "ridge" in chosen.losses:
        found[OURS] = calling("ridge", RIDGE)
    if "gaussian" in chosen.losses:
        found[OURS_SCIPY] = calling("gaussian", GAUSSIAN)
    return found | {f"{name}, ridge": PEER.format(CONTENDERS[name]) for name in chosen.among(*PEERS)[1:]}


def measured(run: dict[str, str], cores: tuple[int, ...]) -> dict[str, list[float]]:
    """In turn, once before it counts: files are cached then. What fails has no time and is not tried again."""
    times = {name: [] for name, program in run.items() if seconds(program, cores) is not None}
    for _ in range(REPEATS):
        for name, kept in times.items():
            if (one := seconds(run[name], cores)) is not None:
                kept.append(one)
    return {name: times.get(name, []) for name in run}


def calling(loss: str, arguments: str) -> str:
    folder = str(written(loss).parent)
    return f"{NUMPY}import sys; sys.path.insert(0, {folder!r}); import {loss}; {loss}.grad({arguments})"


def seconds(program: str, cores: tuple[int, ...]) -> float | None:
    """How long a program takes; None where it fails."""
    command = [sys.executable, "-c", program]
    begin = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(len(cores)), preexec_fn=lambda: pinned(cores), capture_output=True
    )
    return time.perf_counter() - begin if done.returncode == 0 else None
