"""The formulas of docs/documents.md: what the generated form of the longest one gains, and how long all take to build.

The gradient of log(1ᵀ exp(V Vᵀ)) K 1, against the form that its document prints, with K and Kᵀ as they should be.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from generated.documents import log_similarity  # noqa: E402

SPECS = sorted(map(str, (ROOT / "specs" / "documents").glob("*.py")))
N, D = 1500, 20
FASTER = 25  # times
REPEATS = 15
SECONDS = 25


def main() -> None:
    gains()
    builds()


def printed(K: Any, V: Any) -> Any:
    """[exp(V Vᵀ) ∘ (1 1ᵀ Kᵀ D⁻¹ + D⁻¹ K 1 1ᵀ)] V, with D the diagonal matrix of 1ᵀ exp(V Vᵀ)."""
    E = np.exp(V @ V.T)
    ones = np.ones(K.shape)
    D_inverse = np.diag(1 / E.sum(axis=0))
    return (E * (ones @ K.T @ D_inverse + D_inverse @ K @ ones)) @ V


def gains() -> None:
    rng = np.random.default_rng(0)
    K, V = rng.random((N, N)), rng.normal(size=(N, D)) / np.sqrt(D)
    difference = np.max(np.abs(log_similarity.grad(K, V) - printed(K, V))) / np.max(np.abs(printed(K, V)))
    bound = log_similarity.bind(K=K)
    calls = [lambda: printed(K, V), lambda: log_similarity.grad(K, V), lambda: bound.grad(V)]
    theirs, ours, with_data = interleaved(calls, REPEATS)
    print(f"\nthe gradient of log(1ᵀ exp(V Vᵀ)) K 1 at n = {N}, d = {D} (relative difference {difference:.0e})")
    print(f"{'as its document prints it':44}{1e3 * theirs:>8.1f} ms")
    print(f"{'generated':44}{1e3 * ours:>8.1f} ms{theirs / ours:>9.0f} times faster (goal: {FASTER})")
    print(f"{'generated, K given to bind':44}{1e3 * with_data:>8.1f} ms{theirs / with_data:>9.0f} times faster")


def interleaved(functions: list[Callable[[], Any]], repeats: int) -> list[float]:
    """The median time of each function, called in turn."""
    times = [[seconds(function) for function in functions] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def seconds(function: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def builds() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gradgen", "build", *SPECS, "-o", folder]
        build = partial(subprocess.run, command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        [once] = interleaved([build], 1)  # half a minute: steady enough
    print(f"{f'gradgen build specs/documents/*.py ({len(SPECS)} specs)':44}{once:>8.1f} s   (goal: {SECONDS} s)")


if __name__ == "__main__":
    main()
