"""Modules whose loops are compiled together: one library for many losses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from gradgen import c_text, compiling
from gradgen.derive import derive
from gradgen.emit import Writer
from gradgen.emit_native import Call, NativeWriter, loops_text
from gradgen.lower import lower
from gradgen.nodes import arena
from gradgen.plan import plan
from gradgen.templating import render

HEAD = "# cython: language_level=3\nimport numpy as np\n\n"
QUICK = {'optimize("O3")': 'optimize("O1")'}
SHORT = QUICK | {"WORTH_A_THREAD 65536": "WORTH_A_THREAD 1", "64 + CACHED / (1 + row)": "2"}
"""With blocks of two rows, and threads that share whatever there is."""


@dataclass(frozen=True)
class Pair:
    """The modules of a loss: that of NumPy, and that which calls its loops, which are still to be compiled."""

    name: str
    plain: str
    native: str
    calls: tuple[Call, ...]
    written: tuple[c_text.Written, ...]

    @property
    def numpy(self) -> ModuleType:
        """The NumPy module."""
        return _module(self.name, self.plain, {})


def pair(loss: Any, prefix: str) -> Pair:
    """The modules of a loss, as a build writes them; ``prefix`` goes before the names of its loops."""
    with arena():
        planned = plan(derive(lower(loss.tape), loss.tape.wrt), bool(loss.tape.options.get("gram")))
        writer = NativeWriter(loss.tape, planned, prefix)
        plain, native = (_text(one) for one in (Writer(loss.tape, planned), writer))
    return Pair(loss.name, plain, native, tuple(writer.calls), tuple(writer.written))


def modules(losses: Iterable[Any], quick: bool = False) -> tuple[list[ModuleType], ModuleType]:
    """The modules of losses, as a build writes them for Cython but for their loops, which are in the library that is
    given too. ``quick`` compiles with fewer optimisations."""
    return linked([pair(loss, f"m{position}") for position, loss in enumerate(losses)], QUICK if quick else {})


def linked(pairs: Sequence[Pair], changes: Mapping[str, str]) -> tuple[list[ModuleType], ModuleType]:
    """The modules that call loops, and the library of these, in whose text some parts are replaced."""
    written = [one for made in pairs for one in made.written]
    text = HEAD + "\n\n\n".join(loops_text(written, [call for made in pairs for call in made.calls])) + "\n"
    for part, other in changes.items():
        assert part in text
        text = text.replace(part, other)
    library = compiling.load(text, "shared")
    made = []
    for one in pairs:
        names = [call.name for call in one.calls]
        module = _module(one.name, one.native, {name: getattr(library, name) for name in names})
        module.compiled = {name.partition("_")[2] for name in names}  # type: ignore[attr-defined]
        made.append(module)
    return made, library


def _text(writer: Writer) -> str:
    return render("module.py.j2", module=writer.module("", []))


def _module(name: str, text: str, known: Mapping[str, Any]) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(known)
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module
