"""Compiled modules: the library of a pyx text, taken from the cache where it was made before, beside its pyx file or
in memory.

A library holds a stamp: a hash of its text, and one of all else that decides its bytes. It tells by itself whether it
fits.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from gradgen import caching, extension, toolchain
from gradgen.errors import CompilationError

LINES = 12  # of what a compiler printed, in an error
STAMP = re.compile(rb"gradgen ([0-9a-f]{16}) [0-9a-f]{16};")
LIBRARIES = (".so", ".pyd")


def place_all(texts: Mapping[Path, str]) -> list[CompilationError]:
    """Have a library beside each pyx file that fits its text, several made at a time; what went wrong."""
    with ThreadPoolExecutor(toolchain.cores()) as pool:
        return [error for error in pool.map(_placed, texts.values(), texts) if error]


def _placed(text: str, pyx: Path) -> CompilationError | None:
    try:
        place(text, pyx)
    except CompilationError as error:
        return error
    return None


def place(text: str, pyx: Path) -> None:
    """Have the library that fits the text beside its pyx file; one that fits already is left alone."""
    target = pyx.with_name(pyx.stem + toolchain.suffix())
    flags = toolchain.flags(text)
    if target.exists() and _stamp(text, flags).encode() in target.read_bytes():
        return
    with _library(text, pyx.stem, flags) as made:
        caching.copy(made, target)


def remove_stale(text: str, pyx: Path) -> None:
    """Remove libraries beside a pyx file that were made of another text, for whichever Python. One without a stamp was
    made by somebody else, and is stale if it is older than the file."""
    for path in sorted(pyx.parent.glob(f"{pyx.stem}.*")):
        if path.suffix in LIBRARIES and _is_stale(path, text, pyx):
            path.unlink()


def load(text: str, name: str) -> ModuleType:
    """The compiled module in memory, under a name of its own."""
    flags = toolchain.flags(text)
    full = f"{extension.PACKAGE}_{_hash(_stamp(text, flags))}.{name}"
    with _library(text, name, flags) as path:
        loader = ExtensionFileLoader(full, str(path))
        spec = spec_from_file_location(full, path, loader=loader)
        assert spec
        module = module_from_spec(spec)
        loader.exec_module(module)
    return module


def _is_stale(library: Path, text: str, pyx: Path) -> bool:
    found = STAMP.search(library.read_bytes())
    return found[1].decode() != _hash(text) if found else library.stat().st_mtime_ns < pyx.stat().st_mtime_ns


def _stamp(text: str, flags: Sequence[str]) -> str:
    """What a library of this text, made here and now, holds."""
    script = Path(extension.__file__).read_text(encoding="utf-8")
    return f"gradgen {_hash(text)} {_hash(*flags, script, *toolchain.identity())};"


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


@contextmanager
def _library(text: str, name: str, flags: Sequence[str]) -> Iterator[Path]:
    """A library of the text, which may be gone afterwards."""
    stamp = _stamp(text, flags)
    entry = stamp.strip(";").replace(" ", "-")
    kept = caching.find(entry, name + toolchain.suffix())
    if kept and stamp.encode() in kept.read_bytes():
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="gradgen-", ignore_cleanup_errors=True) as folder:
        made = _compiled(text, name, flags, stamp, Path(folder))
        caching.keep(made, entry)
        yield caching.find(entry, made.name) or made


def _compiled(text: str, name: str, flags: Sequence[str], stamp: str, folder: Path) -> Path:
    """The library, made anew in an empty folder."""
    toolchain.refuse_missing()
    (folder / f"{name}.pyx").write_text(text, encoding="utf-8")
    job = {
        "folder": str(folder),
        "name": name,
        "stamp": stamp,
        "compile": list(flags),
        "link": toolchain.libraries(text),
    }
    command = [sys.executable, "-P", extension.__file__]
    done = subprocess.run(
        command,
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _failed(name, done.returncode, done.stdout)
    return folder / "built" / extension.PACKAGE / (name + toolchain.suffix())


def _failed(name: str, code: int, printed: str) -> CompilationError:
    """What went wrong, by the exit code of the script."""
    last = "\n".join(printed.strip().splitlines()[-LINES:])
    if code == extension.MISSING:
        return CompilationError(f"{name} cannot be compiled: {last} is missing", f"pip install {last.lower()}")
    if code == extension.REFUSED:
        return CompilationError(f"Cython refuses {name}.pyx, which is a fault of gradgen's\n{last}")
    if code == extension.FAILED and "Microsoft Visual C++" in printed:
        return CompilationError(f"there is no C compiler for {name}.pyx", toolchain.INSTALL["win32"])
    return CompilationError(f"the compiler fails on {name}.pyx\n{last}", FAILS)


FAILS = "the NumPy module stands; check the compiler, and the settings CC and CFLAGS where they are set"
