"""Run the README's Python code blocks in order, as one program in an empty folder; an exception is a failure."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from gradgen.cli import main as gradgen

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (specs/\w+\.py)\n")


def main() -> int:
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    names: dict[str, object] = {"__name__": "readme"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        for block in blocks:
            run(block, names)
    print(f"README.md: {len(blocks)} code blocks run")
    return 0


def run(block: str, names: dict[str, object]) -> None:
    """Run a block; one that starts with the name of a spec is written there and built instead."""
    spec = FILE.match(block)
    if not spec:
        exec(compile(block, "README.md", "exec"), names)
        return
    path = Path(spec[1])
    path.parent.mkdir(exist_ok=True)
    path.write_text(block, encoding="utf-8")
    if gradgen(["build", str(path)]):
        raise SystemExit(f"README.md: {path} does not build")


if __name__ == "__main__":
    sys.exit(main())
