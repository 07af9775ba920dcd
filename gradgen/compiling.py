"""Compiled modules: the library of a pyx text, taken from the cache where it was made before, beside its pyx file or
in memory.

A library holds a stamp: a hash of its text, and one of all else that decides its bytes. It tells by itself whether it
fits.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from gradgen import caching, extension, toolchain, workers
from gradgen.errors import CompilationError
from gradgen.workers import Job

STAMP = re.compile(rb"gradgen ([0-9a-f]{16}) [0-9a-f]{16};")
LIBRARIES = (".so", ".pyd")


@dataclass(frozen=True)
class Library:
    """A library as it is wanted: of a text, by the name of a module, for this machine and Python."""

    name: str
    text: str

    @cached_property
    def flags(self) -> tuple[str, ...]:
        return toolchain.flags(self.text)

    @cached_property
    def stamp(self) -> str:
        """What such a library holds."""
        added, script = workers.guard(self.name, ""), Path(extension.__file__).read_text(encoding="utf-8")
        return f"gradgen {_hash(self.text)} {_hash(*self.flags, added, script, *toolchain.identity())};"

    @property
    def file(self) -> str:
        return self.name + toolchain.suffix()

    def fits(self, path: Path) -> bool:
        """Whether a file is such a library."""
        return path.is_file() and self.stamp.encode() in path.read_bytes()

    def cached(self) -> Path | None:
        """The library in the cache."""
        found = caching.find(self._entry, self.file)
        return found if found and self.fits(found) else None

    def keep(self, made: Path) -> None:
        """Have it in the cache."""
        caching.keep(made, self._entry)

    @property
    def _entry(self) -> str:
        return self.stamp.strip(";").replace(" ", "-")


def place(texts: Mapping[Path, str]) -> list[CompilationError]:
    """Have the library that fits its text beside each pyx file; those that fit already are left alone. What cannot be
    compiled is told."""
    wanted = {Library(pyx.stem, text): pyx.parent for pyx, text in texts.items()}
    due = [library for library, folder in wanted.items() if not library.fits(folder / library.file)]
    with _made(due) as made:
        for library, path in made.items():
            if isinstance(path, Path):
                caching.copy(path, wanted[library] / library.file)
        return [error for error in made.values() if isinstance(error, CompilationError)]


def remove_stale(text: str, pyx: Path) -> None:
    """Remove libraries beside a pyx file that were made of another text, for whichever Python. One without a stamp was
    made by somebody else, and is stale if it is older than the file."""
    for path in sorted(pyx.parent.glob(f"{pyx.stem}.*")):
        if path.suffix in LIBRARIES and _is_stale(path, text, pyx):
            path.unlink()


def _is_stale(library: Path, text: str, pyx: Path) -> bool:
    found = STAMP.search(library.read_bytes())
    return found[1].decode() != _hash(text) if found else library.stat().st_mtime_ns < pyx.stat().st_mtime_ns


def beside(text: str, pyx: Path) -> ModuleType | None:
    """The module of the library beside a pyx file, in memory under a name of its own; None where none fits."""
    library = Library(pyx.stem, text)
    path = pyx.with_name(library.file)
    return _loaded(library, path) if library.fits(path) else None


def load(text: str, name: str) -> ModuleType:
    """The compiled module in memory, under a name of its own."""
    library = Library(name, text)
    with _made([library]) as made:
        path = made[library]
        if isinstance(path, CompilationError):
            raise path
        return _loaded(library, path)


def _loaded(library: Library, path: Path) -> ModuleType:
    full = f"{extension.PACKAGE}_{_hash(library.stamp)}.{library.name}"
    loader = ExtensionFileLoader(full, str(path))
    spec = spec_from_file_location(full, path, loader=loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@contextmanager
def _made(wanted: Sequence[Library]) -> Iterator[dict[Library, Path | CompilationError]]:
    """The libraries, from the cache or made anew, or why there is none; afterwards they may be gone."""
    cached = {one: path for one in wanted if (path := one.cached())}
    due = [one for one in wanted if one not in cached]
    with tempfile.TemporaryDirectory(prefix="gradgen-", ignore_cleanup_errors=True) as folder:
        yield {**cached, **_compiled(due, Path(folder))}


def _compiled(due: Sequence[Library], folder: Path) -> dict[Library, Path | CompilationError]:
    """The libraries made anew in a folder, and what is done of them kept, even if it is interrupted."""
    if not due:
        return {}
    refused = toolchain.missing()
    if refused:
        return dict.fromkeys(due, refused)
    jobs = {one: Job(folder / str(k), one.name, one.text, one.flags, one.stamp) for k, one in enumerate(due)}
    try:
        workers.run(list(jobs.values()))
    finally:
        outcomes = {one: job.outcome() for one, job in jobs.items()}
        for one, made in outcomes.items():
            if isinstance(made, Path):
                one.keep(made)
    return outcomes


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
