"""Run ``check(seed)`` of the emitted tests for many seeds: ``fuzz_seeds.py COUNT [FOLDER]``; a failure exits with 1."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def main(count: int, folder: Path) -> int:
    total = 0
    for path in sorted(folder.rglob("test_*.py")):
        begin = time.perf_counter()
        failed = failing_seeds(load(path), range(count))
        seconds = time.perf_counter() - begin
        total += len(failed)
        print(f"{path.stem:32} {count} seeds {seconds:7.1f} s  {len(failed)} failures {failed[:10] or ''}")
    print(f"{total} failures in all")
    return 1 if total else 0


def load(path: Path) -> ModuleType:
    """The emitted test module in a file."""
    spec = importlib.util.spec_from_file_location(f"emitted_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def failing_seeds(module: ModuleType, seeds: range) -> list[int]:
    return [seed for seed in seeds if not passes(module, seed)]


def passes(module: ModuleType, seed: int) -> bool:
    try:
        module.check(seed)
    except AssertionError as error:
        print(f"{module.__name__} seed {seed}: {error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "generated"))
