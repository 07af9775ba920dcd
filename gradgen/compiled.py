"""What a build has for Cython: the pyx files, the libraries beside them, and what is wrong with these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gradgen import compiling, files
from gradgen.pipeline import Generated


def texts(built: Iterable[Generated]) -> dict[str, str]:
    """The files of a build for Cython by name."""
    found = {f"{files.COMPILED}/{one.name}.pyx": one.pyx for one in built if one.pyx}
    return {f"{files.COMPILED}/__init__.py": "", **found} if found else {}


def update(folder: Path, built: Sequence[Generated], made: bool) -> list[str]:
    """Have libraries beside the pyx files if they shall be ``made``, and none that fits no more; what is wrong."""
    mine = {folder / files.COMPILED / f"{one.name}.pyx": one for one in built if one.pyx}
    for pyx, one in mine.items():
        compiling.remove_stale(one.pyx, pyx)
    if not made:
        return []
    failed = compiling.place({pyx: one.pyx for pyx, one in mine.items()})
    wrong = (text for pyx, one in mine.items() for text in _tried(one, pyx))
    return [*dict.fromkeys(map(str, failed)), *wrong]


def _tried(one: Generated, pyx: Path) -> Iterator[str]:
    """How the compiled module beside a pyx file, where there is one, differs from what its tests hold."""
    try:
        module = compiling.beside(one.pyx, pyx)
    except ModuleNotFoundError:  # of which the build tells for the NumPy module
        return
    except ImportError as error:
        yield f"{one.name} is compiled, but cannot be imported: {error}"
        return
    difference = one.tried(module) if module else ""
    if difference:
        yield f"warning: {difference}"


def outdated(folder: Path, built: Iterable[Generated]) -> list[str]:
    """Notes of pyx files of an earlier version of what is built, which is not built for Cython now."""
    found = []
    for one in built:
        pyx = folder / files.COMPILED / f"{one.name}.pyx"
        if not one.pyx and pyx.is_file() and files.first_line(pyx) != one.module.partition("\n")[0]:
            found.append(f"note: {pyx} is of another version of {one.name}: --backend cython makes it anew")
    return found
