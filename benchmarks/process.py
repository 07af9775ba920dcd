"""The parent's side of a contender's process, which sleeps, all its threads, while it is not asked."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "FailedError", "Process", "environment", "pinned"]

ROOT = Path(__file__).resolve().parents[1]
THREADS = ("OPENBLAS", "OMP", "MKL", "NUMBA", "GRADGEN")
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
PR_SET_PDEATHSIG = 1


class FailedError(Exception):
    """What was asked for went wrong on the other side."""


class Process:
    """A contender in a process of its own, pinned to cores, with as many threads."""

    def __init__(self, contender: str, cores: tuple[int, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", contender],
            cwd=ROOT,
            env=environment(len(cores)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: pinned(cores),
        )

    def ask(self, *question: Any) -> Any:
        """The answer; before and after, the process is stopped, so that no thread of its own spins beside another's."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.send_signal(signal.SIGCONT)
        try:
            pickle.dump(question, self.process.stdin)
            self.process.stdin.flush()
            succeeded, answer = pickle.load(self.process.stdout)
        except (EOFError, OSError):
            raise FailedError(f"its process ended with {self.process.wait()}") from None
        self.process.send_signal(signal.SIGSTOP)
        if not succeeded:
            raise FailedError(answer)
        return answer

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def environment(threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    return kept | {f"{name}_NUM_THREADS": str(threads) for name in THREADS}


def pinned(cores: tuple[int, ...]) -> None:
    """To the cores; and it ends with its parent, stopped or not."""
    os.sched_setaffinity(0, cores)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
