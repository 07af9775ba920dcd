"""A contender's process: answers what the parent asks, one pickled tuple after the other."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, Job

KIB = 1024


def main(contender: str) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints does not come between the answers
    served = Served(contender)
    gc.disable()
    while True:
        try:
            question, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, getattr(served, question)(*arguments)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()


class Served:
    """What the parent may ask for."""

    def __init__(self, contender: str) -> None:
        self.contender = contender
        self.calls: dict[str, Callable[[], Any]] = {}
        self.adapter: Any = None

    def version(self) -> str:
        """Imports the contender."""
        self.adapter = importlib.import_module(f"benchmarks.contenders.{CONTENDERS[self.contender]}")
        return str(self.adapter.VERSION)

    def prepare(self, job: Job) -> tuple[str, ...]:
        self.calls = {}
        gc.collect()
        self.calls = self.adapter.prepare(job)
        return tuple(self.calls)

    def result(self, function: str) -> list[Any]:
        return arrays(self.calls[function]())

    def settle(self, function: str, seconds: float) -> float:
        """Seconds for a call, once it has been called for a while."""
        call = self.calls[function]
        begin = last = time.perf_counter()
        best = float("inf")
        while last - begin < seconds or best == float("inf"):
            call()
            now = time.perf_counter()
            best, last = min(best, now - last), now
        return best

    def time(self, function: str, calls: int) -> float:
        """Seconds for a call, over a batch."""
        call, repeats = self.calls[function], range(calls)
        begin = time.perf_counter()
        for _ in repeats:
            call()
        return (time.perf_counter() - begin) / calls

    def blas(self) -> str:
        """The BLAS that NumPy was built with, and the kernels that it has chosen here, where threadpoolctl can say."""
        built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        np.ones((2, 2)) @ np.ones((2, 2))
        try:
            from threadpoolctl import threadpool_info
        except ImportError:
            return f"{built['name']} {built['version']}, kernels unknown (threadpoolctl is not installed)"
        kernels = sorted({one.get("architecture", "unknown") for one in threadpool_info()})
        return f"{built['name']} {built['version']}, kernels {', '.join(kernels)}"

    def peak(self, function: str) -> int:
        """Bytes by which memory grows at most in a call, once it has been called; results included."""
        call = self.calls[function]
        call()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark is that of now
        before = marked("VmRSS")
        result = call()
        grown = marked("VmHWM") - before
        del result
        return grown


def marked(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * KIB
    raise LookupError(name)


def arrays(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [one for part in result for one in arrays(part)]
    return [np.asarray(result)]


if __name__ == "__main__":
    main(sys.argv[1])
