"""The first gradient in a fresh process: starting Python, importing, compiling where that is done, and the call."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks import tables
from benchmarks.building import written
from benchmarks.contenders import CONTENDERS
from benchmarks.measure import Field
from benchmarks.process import ROOT, environment, pinned
from benchmarks.sections import Chosen

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
PEERS = ("casadi", "jax", "autograd", "pytensor", "torch", "numba")


def section(field: Field, chosen: Chosen) -> str:
    programs = {"import numpy, for comparison": NUMPY}
    if "ridge" in chosen.losses:
        programs["generated ridge"] = calling("ridge", RIDGE)
    if "gaussian" in chosen.losses:
        programs["generated Gaussian, by a Cholesky factor"] = calling("gaussian", GAUSSIAN)
    programs |= {f"{name}, ridge": PEER.format(CONTENDERS[name]) for name in chosen.among(*PEERS)[1:]}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(REPEATS):
        for name, program in programs.items():
            if name in times and (one := seconds(program, field.cores)) is not None:
                times[name].append(one)
    rows = ([name, tables.amount(statistics.median(one)) if one else tables.MISSING] for name, one in times.items())
    return tables.table(["what", "median"], rows)


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
