"""Builds again what changed: specs, and the files of their folders that they import, by their modification times."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

Stamps = dict[Path, tuple[int, int] | None]


def watch(specs: Sequence[Path], build: Callable[[list[Path]], None], pause: Callable[[], None]) -> None:
    """Build all specs, then, after each pause, those that changed or that import what changed, until Ctrl-C."""
    seen: dict[Path, Stamps] = {}
    with suppress(KeyboardInterrupt):
        while True:
            changed = [spec for spec in specs if spec not in seen or stamps(seen[spec]) != seen[spec]]
            seen |= {spec: stamps(sources(spec)) for spec in changed}
            if changed:
                build(changed)
            pause()


def stamps(paths: Iterable[Path]) -> Stamps:
    """When each file was last written and its size, None where it is not there."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def sources(spec: Path) -> set[Path]:
    """The spec, and the files of its folder that it may import, directly or through one another."""
    found: set[Path] = set()
    pending = [spec]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += (file for name in _imported(path) for file in _files(spec.parent, name))
    return found


def _imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, and what it imports from them, which may be modules too."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{name.name}".lstrip(".") for name in node.names)


def _files(folder: Path, module: str) -> Iterator[Path]:
    """The files that an import of a module may read, there or not."""
    parts = [part for part in module.split(".") if part != "*"]
    for stop in range(1, len(parts) + 1):
        path = folder.joinpath(*parts[:stop])
        yield from (path.with_suffix(".py"), path / "__init__.py")
