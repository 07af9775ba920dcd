"""A contender's process: answers what the parent asks, one pickled tuple after the other."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, Job


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
            answer = ("done", getattr(served, question)(*arguments))
        except Exception as error:
            answer = ("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
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


def arrays(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [one for part in result for one in arrays(part)]
    return [np.asarray(result)]


if __name__ == "__main__":
    main(sys.argv[1])
