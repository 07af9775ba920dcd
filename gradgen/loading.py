"""Executes a spec file as a module of its own, with its folder importable and nothing left behind."""

from __future__ import annotations

import importlib
import linecache
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import ModuleType, TracebackType

from gradgen import hints, places
from gradgen.errors import Place, SpecError

_LOCK = RLock()
PRIVATE = "gradgen_spec_"
FACTS = "positive nonnegative unit_interval sign boolean integer one_hot simplex".split()
LONGEST = 300  # characters of what an exception says


class Folder:
    """A spec's folder: its modules live here between loads, so that equally named neighbours of others never clash."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._modules: dict[str, ModuleType] = {}

    def _neighbours(self) -> set[str]:
        if not Path(self.path).is_dir():
            return set()
        names = {p.stem for p in Path(self.path).iterdir() if p.suffix == ".py" or p.is_dir()}
        return {n for n in names if n.isidentifier() and n not in sys.stdlib_module_names and n != "gradgen"}

    def _hidden(self, names: set[str]) -> dict[str, ModuleType]:
        """Loaded modules of others that a neighbour's name means too."""
        loaded = {k: m for k, m in sys.modules.items() if k.partition(".")[0] in names}
        return {k: m for k, m in loaded.items() if not _installed(m)}

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Neighbours can be imported; afterwards ``sys`` is as it was."""
        with _LOCK:
            names = self._neighbours()
            hidden = self._hidden(names)
            before = sys.path[:], sys.dont_write_bytecode
            for name in hidden:
                del sys.modules[name]
            others = set(sys.modules)
            sys.modules.update(self._modules)
            sys.path.insert(0, self.path)
            sys.dont_write_bytecode = True
            importlib.invalidate_caches()
            try:
                yield
            finally:
                found = {k: sys.modules[k] for k in sys.modules.keys() - others}
                self._modules = {k: m for k, m in found.items() if self._holds(k, m, names)}
                for name in self._modules:
                    del sys.modules[name]
                sys.modules.update(hidden)
                sys.path[:], sys.dont_write_bytecode = before
                sys.path_importer_cache.pop(self.path, None)

    def _holds(self, name: str, module: ModuleType, neighbours: set[str]) -> bool:
        known = name.partition(".")[0] in neighbours or name.startswith(PRIVATE)
        return known and places.lies_in(getattr(module, "__file__", None) or "", self.path)

    def run(self, file: Path, source: bytes) -> ModuleType:
        """Execute a spec as a module. Whatever it raises is a SpecError with its place."""
        name = PRIVATE + file.stem
        module = ModuleType(name)
        module.__file__ = str(file)
        try:
            with self.importable():
                self._modules.pop(name, None)
                sys.modules[name] = module
                exec(compile(source, str(file), "exec", dont_inherit=True), module.__dict__)
        except SpecError as error:
            raise error.at(places.raised(error.__traceback__, self.path)) from error.__cause__
        except (Exception, SystemExit) as error:
            raise failed(error, self.path) from error
        return module


def _installed(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    return any(part in file for part in places.INSTALLED)


def _syntax_place(error: SyntaxError) -> Place | None:
    if not error.filename or not error.lineno:
        return None
    column = max(1, error.offset or 1)
    one_line = error.end_lineno in (None, error.lineno)
    return Place(
        places.shown(error.filename), error.lineno, column, (error.end_offset or column + 1) if one_line else 0
    )


def failed(error: BaseException, folder: str) -> SpecError:
    """A Python exception that a spec raised, as an error of the spec."""
    place = places.raised(error.__traceback__, folder)
    if isinstance(error.__cause__, SpecError):  # NumPy rewrites what stops a traced array from becoming an entry
        return error.__cause__.at(place)
    if isinstance(error, SyntaxError):
        said = error.msg if "invalid syntax" in error.msg else f"invalid syntax: {error.msg}"
        return SpecError(said, hints.of_syntax(error), _syntax_place(error))
    text, hint = " ".join(str(error).split()), ""
    known = [k for names in _names(error.__traceback__, folder) for k in names]
    if isinstance(error, NameError):
        hint = _of_name(error, known, place)
    elif isinstance(error, AttributeError):
        hint = hints.of_attribute(error)
    elif isinstance(error, ImportError):
        neighbours = [p.stem for p in Path(folder).glob("*.py")] if Path(folder).is_dir() else []
        text, hint = hints.of_import(error, neighbours)
    else:
        hint = hints.of_exception(error, _line(place))
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    return SpecError(f"{type(error).__name__}: {text}" if text else type(error).__name__, hint, place)


def _names(trace: TracebackType | None, folder: str) -> Iterator[list[str]]:
    """What the innermost of the user's frames knows by name."""
    frame = places.innermost(trace, folder)
    if frame is not None:
        yield list(frame.f_locals)
        yield list(frame.f_globals)


def _of_name(error: NameError, known: list[str], place: Place | None) -> str:
    """What to do about a name that is not defined; in a type it should be a dimension."""
    line, name = _line(place), str(error.name)
    if re.search(rf"\bwrt\s*=[^)]*\b{name}\b", line):
        return f'wrt holds names, in quotes: wrt="{name}"'
    if re.search(rf"\bdims\([^)'\"]*\b{name}\b", line):
        return f'dims takes names, in quotes: {name} = dims("{name}")'
    fact = hints.meant(name, FACTS)
    if fact and re.search(rf"\[[^]]*\b{name}\b", line):
        return fact
    if re.search(rf"(Vector|Matrix|Tensor|Indices|Symmetric|SPD|Diagonal|Triangular)\[[^]]*\b{name}\b", line):
        return f'declare the dimension first: {name} = dims("{name}")'
    return hints.of_name(error, known)


def _line(place: Place | None) -> str:
    return linecache.getline(place.file, place.line) if place else ""


def read(path: Path) -> tuple[Path, bytes]:
    """A spec's absolute path and its source."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    if path.suffix != ".py":
        raise SpecError(f"{path} is no spec", "a spec is a Python file")
    file = path.resolve()
    linecache.checkcache(str(file))
    linecache.checkcache(places.shown(str(file)))
    return file, source
