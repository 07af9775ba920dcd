"""Run the README's Python blocks in order, in an empty folder; its text block is what ``show`` prints."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

from gradgen.cli import main as gradgen

README = Path(__file__).resolve().parents[1] / "README.md"
SPEC = "specs/ridge.py"


def main() -> int:
    text = README.read_text(encoding="utf-8")
    python = blocks(text, "python")
    (shown,) = blocks(text, "text")
    names: dict[str, object] = {"__name__": "readme"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        for block in python:
            run(block, names)
        if call("show", SPEC).strip() != shown.strip():
            raise SystemExit(f"README.md: gradgen show {SPEC} prints\n{call('show', SPEC)}")
    print(f"README.md: {len(python)} code blocks run")
    return 0


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(block: str, names: dict[str, object]) -> None:
    """Run a block; the one that starts with the name of the spec is written there and built instead."""
    if not block.startswith(f"# {SPEC}\n"):
        exec(compile(block, "README.md", "exec"), names)
        return
    Path(SPEC).parent.mkdir()
    Path(SPEC).write_text(block, encoding="utf-8")
    call("build", SPEC)


def call(*arguments: str) -> str:
    """What a command of gradgen prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = gradgen(arguments)
    if code:
        raise SystemExit(f"README.md: gradgen {' '.join(arguments)} exits with {code}")
    return printed.getvalue()


if __name__ == "__main__":
    sys.exit(main())
