"""Modules that a build would overwrite, though another spec of the same folder made them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from gradgen.errors import Errors, SpecError
from gradgen.files import MARK
from gradgen.pipeline import digest
from gradgen.spec import Declaration, load_spec
from gradgen.tape import Tape


def refuse_foreign(folder: Path, tapes: Iterable[Tape], specs: Iterable[Path]) -> None:
    """Refuse to overwrite what was built from a loss of the same name in a spec that is not built now.

    The hash in a module's first line is that of the loss from which it was built. After an edit of the spec it is
    nobody's; where a neighbour of the spec declares a loss of that name and hash, the module is the neighbour's.
    """
    given = {spec.resolve() for spec in specs}
    errors = Errors()
    for tape in tapes:
        module = folder / f"{tape.name}.py"
        held = _hash(module)
        if held and held != digest(tape):
            with errors.collected():
                _refuse_owned(module, held, tape, given)
    errors.report()


def _refuse_owned(module: Path, held: str, tape: Tape, given: set[Path]) -> None:
    for other in _namesakes(tape.name, given):
        if digest(other.tape) == held:
            text = f"{module} was built from the {other.word} of that name at {other.place}"
            hint = f"call one of the two {tape.name}_2, or give another folder with -o"
            raise SpecError(f"{tape.name!r} would overwrite another: {text}", hint, tape.place)


def _hash(module: Path) -> str:
    """The hash in the first line of a generated module, or ""."""
    if not module.is_file():
        return ""
    with module.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    found = re.search(r"\(([0-9a-f]+)\)", first)
    return found[1] if found and first.startswith(MARK) else ""


def _namesakes(name: str, given: set[Path]) -> Iterator[Declaration]:
    """What the other specs in the folders of the given ones declare by a name."""
    others = {path for spec in given for path in spec.parent.glob("*.py")} - given
    for path in sorted(others):
        if not re.search(rf"def\s+{name}\b", path.read_text(encoding="utf-8", errors="replace")):
            continue
        try:
            found = load_spec(path).get(name)
            if found is not None and found.tape:
                yield found
        except SpecError:  # a spec that is wrong makes no module
            continue
