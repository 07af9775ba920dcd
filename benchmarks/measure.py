"""Times contenders in turn, cell by cell: each has a process of its own, and all others sleep meanwhile."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.contenders import BASELINE, Job
from benchmarks.journal import Journal
from benchmarks.process import FailedError, Process

__all__ = ["Cell", "Effort", "Field", "error_of"]

TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
Cores = tuple[int, ...]


@dataclass(frozen=True)
class Effort:
    """How long a cell may take: seconds in all, for a contender in all, for its turn and to settle; and the rounds."""

    seconds: float = 1.5
    share: float = 1.0
    turn: float = 0.005
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
        pairs = zip(self.turns[contender], self.turns[to], strict=False)  # the slow leave early
        return statistics.median(ours / theirs for ours, theirs in pairs)


class Field:
    """The contenders' processes, for each choice of cores one, started when first needed.

    ``gradgen@large`` is gradgen with its modules planned for large sizes, whatever size they are called at.
    """

    def __init__(self, cores: Cores, effort: Effort, journal: Journal) -> None:
        self.cores = cores
        self.effort = effort
        self.journal = journal
        self.absent: dict[str, str] = {}
        self.wrong: list[Cell] = []
        self._processes: dict[tuple[str, Cores], Process] = {}

    def __enter__(self) -> Field:
        return self

    def __exit__(self, *_: Any) -> None:
        for process in self._processes.values():
            process.end()

    def cells(self, job: Job, functions: Iterable[str], contenders: Sequence[str]) -> list[Cell]:
        """The cells of a loss at a size, each result compared with the baseline's before it is timed."""
        keys = {one: f"cell {json.dumps([*asdict(job).values(), one, *contenders])}" for one in functions}
        if not all(key in self.journal for key in keys.values()):
            for cell in self._measured(job, functions, contenders):
                self.journal.keep(keys[cell.function], [cell.turns, cell.missing, cell.wrong])
        cells = [Cell(job, one, *self.journal[key]) for one, key in keys.items()]
        self.wrong += [cell for cell in cells if cell.wrong]
        return cells

    def _measured(self, job: Job, functions: Iterable[str], contenders: Sequence[str]) -> Iterator[Cell]:
        cores = self.cores[:1] if job.case.one_thread else self.cores
        missing: dict[str, str] = {}
        offered: dict[str, tuple[str, ...]] = {}
        for name in contenders:
            try:
                offered[name] = self._process(name, cores).ask("prepare", planned(job, name))
            except FailedError as error:
                missing[name] = str(error)
        for one in functions:
            yield self._cell(Cell(job, one, missing=dict(missing)), cores, offered)

    def _process(self, contender: str, cores: Cores) -> Process:
        """The contender's process; where it cannot be imported there is none, and it is not tried again."""
        if contender in self.absent:
            raise FailedError(self.absent[contender])
        if (contender, cores) not in self._processes:
            name = contender.partition("@")[0]
            process = self._processes[contender, cores] = Process(name, cores)
            try:
                self.journal.keep(f"version {name}", process.ask("version"))
            except FailedError as error:
                self.absent[contender] = str(error)
                raise
        return self._processes[contender, cores]

    def _cell(self, cell: Cell, cores: Cores, offered: dict[str, tuple[str, ...]]) -> Cell:
        able = {one: self._process(one, cores) for one, functions in offered.items() if cell.function in functions}
        cell.missing |= dict.fromkeys(offered.keys() - able.keys(), f"it has no {cell.function}")
        right = self._right(cell, able)
        self._rounds(cell, {name: able[name] for name in right}, right)
        return cell

    def _right(self, cell: Cell, able: dict[str, Process]) -> dict[str, float]:
        """How long each contender took for a first result, if that is right; what is wrong is noted."""
        took: dict[str, float] = {}
        expected = able[BASELINE].ask("result", cell.function)
        for name, process in able.items():
            begin = time.perf_counter()
            try:
                error = error_of(process.ask("result", cell.function), expected)
            except FailedError as failed:
                cell.missing[name] = str(failed)
                continue
            if error <= TOLERANCE[cell.job.dtype]:
                took[name] = time.perf_counter() - begin
            else:
                cell.wrong[name] = error
        return took

    def _rounds(self, cell: Cell, able: dict[str, Process], took: dict[str, float]) -> None:
        """In turn; who is slow leaves after its share of the time, and is compared within the rounds that it ran."""
        effort, begin = self.effort, time.perf_counter()
        settled = {name: self._settled(one, cell.function, took[name]) for name, one in able.items()}
        calls = {name: max(1, int(effort.turn / seconds)) for name, seconds in settled.items()}
        cell.turns = {name: [] for name in able}
        for done in range(effort.most):
            if done >= effort.least and time.perf_counter() - begin > effort.seconds:
                return
            for name, process in able.items():
                if sum(cell.turns[name]) * calls[name] < effort.share:
                    cell.turns[name].append(process.ask("time", cell.function, calls[name]))

    def _settled(self, process: Process, function: str, took: float) -> float:
        """Seconds for a call; what took long at first has settled."""
        if took > self.effort.share:
            return took
        return float(process.ask("settle", function, self.effort.settling))


def planned(job: Job, contender: str) -> Job:
    """The job with the typical size that the contender's name tells."""
    _, _, size = contender.partition("@")
    return replace(job, planned=size) if size else job


def error_of(results: list[Any], expected: list[Any]) -> float:
    """The largest max|a - b| / max|b| over the arrays of a result."""
    if [np.shape(one) for one in results] != [np.shape(one) for one in expected]:
        return float("inf")
    pairs = zip(results, expected, strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)
