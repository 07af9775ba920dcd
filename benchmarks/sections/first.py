"""The first gradient in a fresh process: starting Python, importing, compiling where that is done, and the call."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

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
PROBIT = "np.ones((20, 5)), np.ones(20), np.ones(5)"
GALLERY = ROOT / "generated" / "gallery"
PEER = """
import importlib
from benchmarks.contenders import Job
importlib.import_module("benchmarks.contenders.{}").prepare(Job("ridge", "tiny"))["value_and_grad"]()
"""
OURS = ("generated ridge", "generated Gaussian", "generated probit regression, by SciPy")
BOUNDS = dict(zip(OURS, (0.12, 0.12, 0.35), strict=True))  # with NumPy alone, and with SciPy
TOLD = (*BOUNDS, "jax, ridge")
PEERS = ("casadi", "jax", "autograd", "pytensor", "torch", "numba")


def section(field: Field, chosen: Chosen) -> Report:
    times = field.journal.measured("first", lambda: measured(programs(chosen), field.cores))
    medians = {name: statistics.median(one) for name, one in times.items() if one}
    rows = [[name, tables.amount(medians[name]) if name in medians else tables.MISSING] for name in times]
    reached = (
        goals.seconds(f"first gradient, {name}", BOUNDS.get(name), medians[name]) for name in TOLD if name in medians
    )
    note = (
        "The rivals do what they do before their first call, and find what they have cached on disk, as PyTensor does."
    )
    return Report(f"{note}\n\n{tables.table(['what', 'median'], rows)}", tuple(reached))


def programs(chosen: Chosen) -> dict[str, str]:
    """What each process runs."""
    found = {"import numpy, for comparison": NUMPY}
    if "ridge" in chosen.losses:
        found[OURS[0]] = calling(written("ridge"), RIDGE)
    if "gaussian" in chosen.losses:
        found[OURS[1]] = calling(written("gaussian"), GAUSSIAN)
    found[OURS[2]] = calling(GALLERY / "glm_probit.py", PROBIT)
    return found | {f"{name}, ridge": PEER.format(CONTENDERS[name]) for name in chosen.among(*PEERS)[1:]}


def measured(run: dict[str, str], cores: tuple[int, ...]) -> dict[str, list[float]]:
    """In turn, once before it counts: files are cached then. What fails has no time and is not tried again."""
    times = {name: [] for name, program in run.items() if seconds(program, cores) is not None}
    for _ in range(REPEATS):
        for name, kept in times.items():
            if (one := seconds(run[name], cores)) is not None:
                kept.append(one)
    return {name: times.get(name, []) for name in run}


def calling(module: Path, arguments: str) -> str:
    folder, loss = str(module.parent), module.stem
    return f"{NUMPY}import sys; sys.path.insert(0, {folder!r}); import {loss}; {loss}.grad({arguments})"


def seconds(program: str, cores: tuple[int, ...]) -> float | None:
    """How long a program takes; None where it fails."""
    command = [sys.executable, "-c", program]
    begin = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(len(cores)), preexec_fn=lambda: pinned(cores), capture_output=True
    )
    return time.perf_counter() - begin if done.returncode == 0 else None
