"""Run the Python blocks of README.md in an empty folder, and those of docs/documents.md; what they show must be shown.

In the README, the text blocks are what ``show`` prints. In docs/documents.md a block that begins with the name of a
spec holds functions of it, and the text block after it is what ``show`` prints of them; the text block after any other
block is what that prints.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gradgen.cli import main as gradgen

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCUMENTS = ROOT / "docs" / "documents.md"
SPEC = "specs/ridge.py"
FORMULA = "specs/documents/matrix_differentials.py:determinant_times_log"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        readme(Path(folder))
    documents()
    return 0


# ---- README.md


def readme(folder: Path) -> None:
    blocks = list(blocks_of(README))
    names: dict[str, object] = {"__name__": "readme"}
    with contextlib.chdir(folder), importing(folder):
        for language, block in blocks:
            if language == "python" and block.startswith(f"# {SPEC}\n"):
                write_and_build(block)
            elif language == "python":
                run(block, names, README)
        shown, formula = [block for language, block in blocks if language == "text"]
        expect(README, f"gradgen show {SPEC}", call(README, "show", SPEC), shown)
        expect(README, f"gradgen show {FORMULA}", call(README, "show", str(ROOT / FORMULA)), formula)
    report(README, blocks)


def write_and_build(block: str) -> None:
    Path(SPEC).parent.mkdir()
    Path(SPEC).write_text(block, encoding="utf-8")
    call(README, "build", SPEC)


# ---- docs/documents.md


def documents() -> None:
    blocks = list(blocks_of(DOCUMENTS))
    names: dict[str, object] = {"__name__": "documents"}
    with contextlib.chdir(ROOT), importing(ROOT):
        printed = ""
        for language, block in blocks:
            if language == "text":
                expect(DOCUMENTS, "the block before", printed, block)
            elif block.startswith("# specs/"):
                printed = excerpt(block)
            elif language == "python":
                printed = run(block, names, DOCUMENTS)
    report(DOCUMENTS, blocks)


def excerpt(block: str) -> str:
    """What ``show`` prints of the losses in an excerpt of a spec, which must stand there as it is."""
    first, rest = block.split("\n", 1)
    spec = first.removeprefix("# ")
    for part in rest.strip().split("\n\n\n"):
        if part not in Path(spec).read_text(encoding="utf-8"):
            raise SystemExit(f"{DOCUMENTS.name}: this does not stand in {spec}:\n{part}")
    losses = re.findall(r"^def (\w+)", rest, re.MULTILINE)
    return "\n\n".join(call(DOCUMENTS, "show", f"{spec}:{loss}").rstrip("\n") for loss in losses)


# ---- both


def blocks_of(page: Path) -> Iterator[tuple[str, str]]:
    """The code blocks of a page, each with its language."""
    for found in re.finditer(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        yield found[1], found[2]


def run(block: str, names: dict[str, object], page: Path) -> str:
    """Run a block, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block, page.name, "exec"), names)
    return printed.getvalue()


def call(page: Path, *arguments: str) -> str:
    """What a command of gradgen prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = gradgen(arguments)
    if code:
        raise SystemExit(f"{page.name}: gradgen {' '.join(arguments)} exits with {code}")
    return printed.getvalue()


def expect(page: Path, what: str, printed: str, shown: str) -> None:
    if lines(printed) != lines(shown):
        raise SystemExit(f"{page.name}: {what} prints\n{printed}\nwhere the page has\n{shown}")


def lines(text: str) -> list[str]:
    """The lines that hold something."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@contextlib.contextmanager
def importing(folder: Path) -> Iterator[None]:
    """Modules are found in the folder first, and ``generated`` is not one that was imported from elsewhere."""
    for name in [name for name in sys.modules if name.split(".")[0] == "generated"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def report(page: Path, blocks: list[tuple[str, str]]) -> None:
    print(f"{page.name}: {sum(language == 'python' for language, _ in blocks)} code blocks run")


if __name__ == "__main__":
    sys.exit(main())
