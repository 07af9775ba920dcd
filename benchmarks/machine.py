"""What the numbers were measured on."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["described"]


def described(cores: tuple[int, ...], versions: Mapping[str, str], absent: Mapping[str, str]) -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    lines = [
        f"- {datetime.date.today().isoformat()}; {processor()}, {os.cpu_count()} cores, {len(cores)} of them used",
        f"- load {os.getloadavg()[0]:.1f} at the end: above {len(cores)}, no ratio here means much",
        f"- Python {platform.python_version()}, NumPy {np.__version__}, {blas['name']} {blas['version']}, {kernels()}",
        *(f"- {name}: {version}" for name, version in versions.items()),
        *(f"- {name}: not there ({reason.splitlines()[0]})" for name, reason in absent.items()),
    ]
    return "\n".join(lines)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def kernels() -> str:
    """The kernels that OpenBLAS has chosen, where threadpoolctl can say."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "kernels unknown (threadpoolctl is not installed)"
    np.ones((2, 2)) @ np.ones((2, 2))
    return "kernels " + ", ".join(one.get("architecture", "unknown") for one in threadpool_info())
