"""What `gradgen show` prints of each loss of specs/documents, as it is committed in shown.txt.

Run as a script, this writes shown.txt anew: read the difference before it is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from documents import losses
from printed import Shown, shown

from gradgen import pipeline

GOLDEN = Path(__file__).parent / "shown.txt"
DOCUMENTS = Path(__file__).parent / "closed_forms.txt"


def formulas() -> dict[str, tuple[str, ...]]:
    """The lines that `show` prints, by loss."""
    return {name: pipeline.formulas(made.tape) for name, made in losses().items()}


def text(entries: Mapping[str, tuple[str, ...]]) -> str:
    return "\n".join(f"{name}\n" + "".join(f"    {line}".rstrip() + "\n" for line in e) for name, e in entries.items())


def read(path: Path) -> dict[str, Shown]:
    """The formulas of a file by loss. A comment, or what stands in brackets after a name, is for people."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            entries[name].append(line[4:])
        elif line and not line.startswith("#"):
            name = line.split()[0]
            entries[name] = []
    return {name: shown(lines) for name, lines in entries.items()}


if __name__ == "__main__":
    GOLDEN.write_text(text(formulas()), encoding="utf-8")
