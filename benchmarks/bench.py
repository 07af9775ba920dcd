"""Print how long building, importing and starting take, and how the cost of a loss grows with its length."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import growth  # noqa: E402
from gradgen import emit  # noqa: E402
from gradgen.pipeline import generate_module  # noqa: E402
from gradgen.spec import Loss  # noqa: E402

SPECS = sorted(map(str, (ROOT / "specs").glob("*.py")))
FIRST_GRADIENT = """
import numpy as np
from generated import ridge
ridge.grad(np.ones((20, 5)), np.ones(20), np.ones(5), 0.1)
"""


def main() -> None:
    processes()
    growths()


def processes() -> None:
    print(f"{'in a fresh process':44}{'median':>10}{'goal':>10}")
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "gradgen", "build", *SPECS, "-o", folder]
        row(f"gradgen build specs/*.py ({len(SPECS)} specs)", median(build, 3), 8)
    row("python -c 'import gradgen'", median([sys.executable, "-c", "import gradgen"], 9), 0.7)
    row("the first gradient of a generated module", median([sys.executable, "-c", FIRST_GRADIENT], 15), 0.12)
    row("python -c 'import numpy', for comparison", median([sys.executable, "-c", "import numpy"], 9), None)


def median(command: list[str], repeats: int) -> float:
    return statistics.median(seconds(command) for _ in range(repeats))


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def row(name: str, value: float, goal: float | None) -> None:
    print(f"{name:44}{value:>8.3f} s{'' if goal is None else f'{goal:>8} s':>10}")


def growths() -> None:
    """The goal: under 2 ms for each recorded operation, growing at most twofold along a row."""
    print("\ndifferentiating and emitting, black excluded: ms for each recorded operation (goal: 2, growth 2)")
    series(growth.chain, (100, 1_000, 10_000))
    series(growth.layers, (100, 1_000, 10_000))
    series(growth.accumulated, (100, 1_000, 10_000))
    series(growth.squaring, (5, 10, 20))
    series(growth.fibonacci, (5, 10, 20, 40))


def series(make: Callable[[int], Loss], lengths: tuple[int, ...]) -> None:
    costs = [cost(make(length)) for length in lengths]
    cells = "".join(f"{length:>9,}: {value:5.2f}" for length, value in zip(lengths, costs, strict=True))
    print(f"{make.__name__:12}{cells}{'':6}grows by {max(costs) / costs[0]:.2f}")


def cost(one: Loss) -> float:
    """Milliseconds for each recorded operation."""
    operations = sum(1 for _ in one.tape.calls())
    with mock.patch.object(emit, "formatted", lambda source: source):
        begin = time.perf_counter()
        generate_module(one.tape)
    return 1e3 * (time.perf_counter() - begin) / operations


if __name__ == "__main__":
    main()
