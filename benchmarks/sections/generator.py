"""What the generator itself takes, how that grows with the size of the graph, and the documents' longest formula."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.measure import Field
from benchmarks.process import ROOT
from benchmarks.sections import Chosen, Report

TITLE = "The generator, growth with the size of the graph, and the documents"
PROGRAMS = ("bench.py", "documents.py")


def section(field: Field, chosen: Chosen) -> Report:
    outputs = [field.journal.measured(f"generator {one}", partial(printed, one)) for one in PROGRAMS]
    return Report("\n\n".join(f"```text\n{output.strip()}\n```" for output in outputs))


def printed(program: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / program)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
