"""What the numbers were measured on."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import numpy as np

from benchmarks.measure import Field
from benchmarks.process import Process

__all__ = ["described", "load"]


def described(field: Field, load_before: float) -> str:
    used = len(field.cores)
    versions, absent = field.journal.under("version "), field.absent.items()
    lines = [
        f"- {datetime.date.today().isoformat()}; {processor()}, {os.cpu_count()} cores, {used} of them used",
        f"- load {load_before:.1f} before the start: above 0.3, others were at work, and no ratio here means much",
        f"- Python {platform.python_version()}, NumPy {np.__version__}, {blas(field.cores)}",
        *(f"- {name}: {version}" for name, version in versions.items()),
        *(f"- {name}: not there ({reason.splitlines()[0]})" for name, reason in absent if name not in versions),
    ]
    return "\n".join(lines)


def load() -> float:
    return os.getloadavg()[0]


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def blas(cores: tuple[int, ...]) -> str:
    """As a contender has it, whose environment leaves the choice of kernels to the library."""
    process = Process("hand", cores)
    try:
        return str(process.ask("blas"))
    finally:
        process.end()
