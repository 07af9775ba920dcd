"""Compiled libraries that are kept from build to build, in the user's cache folder or in GRADGEN_CACHE.

An entry is written under a temporary name and then renamed: there is a whole one or none. A cache that cannot be read
or written is none, and is told of once.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

DAYS = 90  # that an entry is kept after its last use


def folder() -> Path:
    """Where libraries are kept."""
    given = os.environ.get("GRADGEN_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("gradgen", appauthor=False))


def find(entry: str, name: str) -> Path | None:
    """The file of an entry, marked as used now; None where there is none."""
    path = folder() / entry / name
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            file.read(1)
    except OSError:
        return None
    with suppress(OSError):
        os.utime(path.parent)
    return path


def keep(made: Path, entry: str) -> None:
    """Keep a file under the name of an entry, if that can be done; entries that nobody used for long are removed."""
    try:
        kept = folder() / entry
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy(made, kept / made.name)
    except OSError as error:
        _tell(f"note: compiled modules are not kept for the next build: {error.strerror}: {folder()}")
        return
    for old in folder().iterdir():
        with suppress(OSError):
            if old.stat().st_mtime < time.time() - DAYS * 86400:
                shutil.rmtree(old)


def copy(source: Path, target: Path) -> None:
    """Copy a file over another in one step: whoever looks finds the old one or the new one, whole."""
    handle, staged = tempfile.mkstemp(prefix=".gradgen-", dir=target.parent)
    os.close(handle)
    try:
        shutil.copyfile(source, staged)
        shutil.copymode(source, staged)
        os.replace(staged, target)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise


@cache
def _tell(note: str) -> None:
    """Print a note, once in a process."""
    print(note, file=sys.stderr)
