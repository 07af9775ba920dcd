"""Where in a spec something happened: frames and tracebacks become places."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType

from gradgen.errors import Place

OURS = str(Path(__file__).resolve().parent) + os.sep
INSTALLED = ("site-packages", "dist-packages")

Spot = tuple[int | None, int | None, int | None, int | None]


@lru_cache(maxsize=4096)
def lies_in(file: str, folder: str) -> bool:
    """Whether a code file is the user's own: in the spec's folder or below, and neither gradgen's nor installed."""
    if file.startswith("<"):
        return folder == file
    path = os.path.abspath(file)
    inside = path.startswith(os.path.join(folder, ""))
    return inside and not path.startswith(OURS) and not any(part in path[len(folder) :] for part in INSTALLED)


def folder_of(file: str) -> str:
    """The folder of a code file; a file without one, such as a notebook's cell, stands for itself."""
    return file if file.startswith("<") else os.path.dirname(os.path.abspath(file))


def shown(file: str) -> str:
    """The file as a person would type it from the working directory."""
    relative = os.path.relpath(file) if os.path.isabs(file) else file
    return file if relative.startswith(os.pardir) else relative


def _column(file: str, line: int, offset: int) -> int:
    """A column counted in characters from 1, from an offset in UTF-8 bytes."""
    return len(linecache.getline(file, line).encode()[:offset].decode(errors="ignore")) + 1


def span(file: str, line: int, last: int | None, start: int | None, end: int | None) -> Place:
    """The place from an offset in bytes to another, or to the end of the line where it ends on a later one."""
    column = _column(file, line, start or 0)
    if last == line and end is not None:
        return Place(shown(file), line, column, _column(file, line, end))
    return Place(shown(file), line, column, len(linecache.getline(file, line).rstrip()) + 1)


def _spot(code: CodeType, spot: Spot) -> Place:
    line, last, start, end = spot
    return span(code.co_filename, line or code.co_firstlineno, last, start, end)


def at(code: CodeType, instruction: int) -> Place:
    """The place of one instruction of a code object."""
    return _spot(code, list(code.co_positions())[instruction // 2])


class Finder:
    """Finds the place of the innermost of the user's frames, fast where it is asked often."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        # By identity: equal code objects may stand in different files.
        self._codes: dict[int, tuple[CodeType, list[Spot]]] = {}
        self._places: dict[tuple[int, int], Place] = {}

    def at(self, code: CodeType, instruction: int) -> Place:
        key = (id(code), instruction)
        if key not in self._places:
            self._places[key] = _spot(code, self._spots(code)[instruction // 2])
        return self._places[key]

    def _spots(self, code: CodeType) -> list[Spot]:
        if id(code) not in self._codes:
            self._codes[id(code)] = code, list(code.co_positions())
        return self._codes[id(code)][1]

    def frame(self, frame: FrameType | None) -> FrameType | None:
        """The innermost of the user's frames, from ``frame`` outwards."""
        while frame is not None and not lies_in(frame.f_code.co_filename, self.folder):
            frame = frame.f_back
        return frame

    def here(self, frame: FrameType | None) -> Place | None:
        """The place of the innermost of the user's frames, from ``frame`` outwards."""
        found = self.frame(frame)
        return self.at(found.f_code, found.f_lasti) if found else None

    def source(self, frame: FrameType | None) -> str:
        """The source text that the innermost of the user's frames is running, which may go over several lines."""
        found = self.frame(frame)
        return _source(found.f_code.co_filename, self._spots(found.f_code)[found.f_lasti // 2]) if found else ""


def _source(file: str, spot: Spot) -> str:
    first, last, start, end = spot
    lines = [line.encode() for line in linecache.getlines(file)[(first or 1) - 1 : last]]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return b"".join(lines).decode(errors="ignore")


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def raised(trace: TracebackType | None, folder: str) -> Place | None:
    """The place of the innermost of the user's frames in a traceback."""
    places = [
        at(s.tb_frame.f_code, s.tb_lasti) for s in _steps(trace) if lies_in(s.tb_frame.f_code.co_filename, folder)
    ]
    return places[-1] if places else None


def innermost(trace: TracebackType | None, folder: str) -> FrameType | None:
    """The innermost of the user's frames in a traceback."""
    frames = [s.tb_frame for s in _steps(trace) if lies_in(s.tb_frame.f_code.co_filename, folder)]
    return frames[-1] if frames else None
