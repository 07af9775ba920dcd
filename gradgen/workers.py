"""Cython and the C compiler at work: jobs are done in processes of `extension`, one for each core."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gradgen import extension, toolchain
from gradgen.errors import CompilationError
from gradgen.templating import render

LINES = 12  # of what a compiler printed, in an error
FAILS = "the NumPy module stands; check the compiler, and the settings CC and CFLAGS where they are set"


@dataclass(frozen=True)
class Job:
    """A library to be made in an empty folder of its own, which will hold the stamp."""

    folder: Path
    name: str
    text: str
    flags: tuple[str, ...]
    stamp: str

    def prepare(self) -> dict[str, object]:
        """Write the pyx file; what the process is told."""
        self.folder.mkdir()
        (self.folder / f"{self.name}.pyx").write_text(self.text, encoding="utf-8")
        return {
            "folder": str(self.folder),
            "name": self.name,
            "flags": self.flags,
            "libraries": toolchain.libraries(self.text),
            "macros": [(entry(self.name), INSIDE)],
            "behind": guard(self.name, self.stamp),
        }

    def outcome(self) -> Path | CompilationError:
        """The library, or why there is none."""
        ended, log = self.folder / "ended", self.folder / "printed"
        code = ended.read_text(encoding="utf-8") if ended.exists() else ""
        if code == extension.DONE:
            return self.folder / "built" / extension.PACKAGE / (self.name + toolchain.suffix())
        return _failed(self.name, code, log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")


def run(jobs: Sequence[Job]) -> None:
    """Do the jobs; where it is interrupted, some are not done."""
    told = [job.prepare() for job in jobs]
    count = min(toolchain.cores(), len(told))
    processes = [_started(told[k::count]) for k in range(count)]
    try:
        for process in processes:
            process.wait()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _started(told: Sequence[dict[str, object]]) -> subprocess.Popen[str]:
    """A process that does some of the jobs; what it prints outside of them is lost."""
    command = [sys.executable, "-P", extension.__file__]
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=silent, stderr=silent, encoding="utf-8")
    assert process.stdin
    with process.stdin as given:
        json.dump(told, given)
    return process


def _failed(name: str, code: str, printed: str) -> CompilationError:
    """What went wrong with a job."""
    last = "\n".join(printed.strip().splitlines()[-LINES:])
    if code == extension.MISSING:
        return CompilationError(f"{name} cannot be compiled: {last} is missing", f"pip install {last.lower()}")
    if code == extension.REFUSED:
        return CompilationError(f"Cython refuses {name}.pyx, which is a fault of gradgen's\n{last}")
    if "Microsoft Visual C++" in printed:
        return CompilationError(f"there is no C compiler for {name}.pyx", toolchain.INSTALL["win32"])
    said = "the compiler fails" if code else "the process of the compiler ended early"
    return CompilationError(f"{said} on {name}.pyx\n{last}", FAILS)


INSIDE = "gradgen_inside"  # what Cython's own function of a module is called, behind the guard


def guard(name: str, stamp: str) -> str:
    """C code that stands in front of a module: it holds the stamp, and refuses a processor that cannot run the rest."""
    return render("guard.c.j2", name=name, stamp=stamp, entry=entry(name), inside=INSIDE, features=toolchain.FEATURES)


def entry(name: str) -> str:
    """The function by which Python enters a library (PEP 489)."""
    if name.isascii():
        return f"PyInit_{name}"
    return "PyInitU_" + name.encode("punycode").decode().replace("-", "_")
