"""Times contenders in turn, cell by cell: each has a process of its own, and all others sleep meanwhile."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.contenders import BASELINE, Job
from benchmarks.process import FailedError, Process

__all__ = ["Cell", "Effort", "Field", "error_of"]

TOLERANCE = {"float64": 1e-9, "float32": 1e-3}


@dataclass(frozen=True)
class Effort:
    """How long a cell may take: seconds in all, for a contender's turn and to settle, and the number of rounds."""

    seconds: float = 6.0
    turn: float = 0.01
    settling: float = 0.1
    least: int = 5
    most: int = 60


@dataclass
class Cell:
    """Seconds for a call, turn by turn, by contender; why the others have none, or by how much they are wrong."""

    job: Job
    function: str
    turns: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)

    def seconds(self, contender: str) -> float:
        return statistics.median(self.turns[contender])

    def ratio(self, contender: str, to: str = BASELINE) -> float:
        """The median over the rounds, of which each compares neighbours in time."""
        pairs = zip(self.turns[contender], self.turns[to], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


class Field:
    """The contenders' processes: a set for each number of cores, started when first needed."""

    def __init__(self, contenders: Sequence[str], cores: tuple[int, ...], effort: Effort) -> None:
        self.contenders = list(contenders)
        self.cores = cores
        self.effort = effort
        self.versions: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self._sets: dict[tuple[int, ...], dict[str, Process]] = {}

    def __enter__(self) -> Field:
        return self

    def __exit__(self, *_: Any) -> None:
        for one in self._sets.values():
            for process in one.values():
                process.end()

    def _processes(self, cores: tuple[int, ...]) -> dict[str, Process]:
        if cores not in self._sets:
            self._sets[cores] = started = {}
            for contender in self.contenders:
                process = Process(contender, cores)
                try:
                    self.versions[contender] = process.ask("version")
                except FailedError as error:
                    self.absent[contender] = str(error)
                    process.end()
                else:
                    started[contender] = process
        return self._sets[cores]

    def cells(self, job: Job, functions: Iterable[str], contenders: Sequence[str] | None = None) -> list[Cell]:
        """The cells of a loss at a size, each result compared with the baseline's before it is timed."""
        processes = self._processes(self.cores[:1] if job.case.one_thread else self.cores)
        asked = {name: one for name, one in processes.items() if contenders is None or name in contenders}
        missing: dict[str, str] = dict(self.absent)
        offered = {}
        for name, process in asked.items():
            try:
                offered[name] = process.ask("prepare", job)
            except FailedError as error:
                missing[name] = str(error)
        return [self._cell(Cell(job, one, missing=dict(missing)), asked, offered) for one in functions]

    def _cell(self, cell: Cell, processes: dict[str, Process], offered: dict[str, tuple[str, ...]]) -> Cell:
        able = {name: processes[name] for name, functions in offered.items() if cell.function in functions}
        expected = able[BASELINE].ask("result", cell.function)
        for name, process in list(able.items()):
            try:
                error = error_of(process.ask("result", cell.function), expected)
            except FailedError as failed:
                cell.missing[name] = str(failed)
                del able[name]
            else:
                if not error <= TOLERANCE[cell.job.dtype]:
                    cell.wrong[name] = error
                    del able[name]
        for name in processes.keys() - able.keys() - cell.wrong.keys():
            cell.missing.setdefault(name, f"it has no {cell.function}")
        self._rounds(cell, able)
        return cell

    def _rounds(self, cell: Cell, able: dict[str, Process]) -> None:
        effort, begin = self.effort, time.perf_counter()
        settled = {name: one.ask("settle", cell.function, effort.settling) for name, one in able.items()}
        calls = {name: max(1, int(effort.turn / seconds)) for name, seconds in settled.items()}
        cell.turns = {name: [] for name in able}
        for done in range(effort.most):
            if done >= effort.least and time.perf_counter() - begin > effort.seconds:
                return
            for name, process in able.items():
                cell.turns[name].append(process.ask("time", cell.function, calls[name]))


def error_of(results: list[Any], expected: list[Any]) -> float:
    """The largest max|a - b| / max|b| over the arrays of a result."""
    if [np.shape(one) for one in results] != [np.shape(one) for one in expected]:
        return float("inf")
    pairs = zip(results, expected, strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)
