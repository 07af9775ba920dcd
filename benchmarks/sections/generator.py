"""What the generator itself takes, how that grows with the size of the graph, and the documents' longest formula."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Field
from benchmarks.process import ROOT
from benchmarks.sections import Chosen

TITLE = "The generator, growth with the size of the graph, and the documents"
PROGRAMS = ("bench.py", "documents.py")


def section(field: Field, chosen: Chosen) -> str:
    outputs = (printed(program) for program in PROGRAMS)
    return "\n\n".join(f"```text\n{output.strip()}\n```" for output in outputs)


def printed(program: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / program)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
