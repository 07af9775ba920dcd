"""Cases of emitted text: each is an expression of NumPy with the shape of its value, and the statements it becomes.

    [n d] (X - Y) * w
        return (X - Y) * w

Run as a script, this writes the statements of every case anew: read the difference before it is committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg.lapack
import scipy.special
from snippets import kernel, loss, unhoisted

import gradgen
from gradgen.templating import environment

FOLDER = Path(__file__).parent / "cases"
ARGUMENTS = (
    "X: Matrix[n, d], Y: Matrix[n, d], R: Matrix[n, d, positive], A: Matrix[n, n], B: Matrix[n, n], W: Matrix[d, k], "
    "v: Vector[n], u: Vector[n], r: Vector[n, positive], w: Vector[d], c: Vector[3], s: Scalar, t: Scalar, "
    "S: Symmetric[n], D: Matrix[d, d], f: Elementwise, Q: SPD[n], L: LowerTriangular[n], "
    "G: Diagonal[n], i: Indices[m, n]"
)
SCOPE: dict[str, Any] = {"np": np, "scipy": scipy, "_FLOAT32": np.dtype("f4"), "_FLOAT64": np.dtype("f8")}
for template in ("lu", "cholesky"):  # what statements call beside NumPy and SciPy
    exec(environment().get_template(f"{template}.py.j2").render(), SCOPE)


@dataclass(frozen=True)
class Case:
    file: str
    shape: str
    expression: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.expression}"

    @cached_property
    def loss(self) -> gradgen.Loss:
        """The inner product with a variable P, whose gradient is the expression."""
        dims = self.shape.replace(" ", ", ")
        kind = ("Scalar", f"Vector[{dims}]", f"Matrix[{dims}]")[len(self.shape.split())]
        return loss(f"{ARGUMENTS}, P: {kind}", f"np.sum(P * ({self.expression}))", "P")

    @cached_property
    def source(self) -> str:
        return unhoisted(self.loss, "grad")

    @property
    def statements(self) -> str:
        return kernel(self.source, "grad")

    def run(self, arguments: dict[str, Any]) -> Any:
        """What the statements compute."""
        scope = dict(SCOPE)
        exec(self.source, scope)
        return scope["_grad"](**{name: arguments[name] for name in signature(scope["_grad"]).parameters})


def read(file: Path) -> Iterator[Case | str]:
    """The cases of a file, and the lines between them as they stand."""
    lines = file.read_text(encoding="utf-8").splitlines()
    while lines:
        line = lines.pop(0)
        if not line.startswith("["):
            yield line
            continue
        shape, expression = line[1:].split("] ", 1)
        expected = []
        while lines and lines[0].startswith("    "):
            expected.append(lines.pop(0)[4:])
        yield Case(file.stem, shape, expression, "\n".join(expected))


def everything() -> list[Case]:
    return [case for file in sorted(FOLDER.glob("*.txt")) for case in read(file) if isinstance(case, Case)]


def write(file: Path) -> None:
    text = ""
    for entry in read(file):
        if isinstance(entry, Case):
            body = "".join(f"    {line}\n" for line in entry.statements.splitlines())
            text += f"[{entry.shape}] {entry.expression}\n{body}"
        else:
            text += entry + "\n"
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.txt")):
        write(path)
