"""Modules whose loops are compiled together: one library for many losses."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from gradgen import compiling
from gradgen.derive import derive
from gradgen.emit_native import NativeWriter, loops_text
from gradgen.lower import lower
from gradgen.nodes import arena
from gradgen.plan import plan
from gradgen.templating import render

HEAD = "# cython: language_level=3\nimport numpy as np\n\n"
QUICK = ('#pragma GCC optimize("O3")', "")


def modules(losses: Iterable[Any], quick: bool = False) -> tuple[list[ModuleType], ModuleType]:
    """The modules of losses, as a build writes them for Cython but for their loops, which are in the library that is
    given too. ``quick`` compiles with fewer optimisations."""
    made, written, calls = [], [], []
    for position, loss in enumerate(losses):
        with arena():
            planned = plan(derive(lower(loss.tape), loss.tape.wrt), bool(loss.tape.options.get("gram")))
            writer = NativeWriter(loss.tape, planned, f"m{position}")
            text = render("module.py.j2", module=writer.module("", []))
        made.append((loss.name, text, [call.name for call in writer.calls]))
        written += writer.written
        calls += writer.calls
    text = HEAD + "\n\n\n".join(loops_text(written, calls)) + "\n"
    library = compiling.load(text.replace(*QUICK) if quick else text, "shared")
    return [_module(name, text, names, library) for name, text, names in made], library


def _module(name: str, text: str, names: list[str], library: ModuleType) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update({one: getattr(library, one) for one in names})
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    module.compiled = {one.partition("_")[2] for one in names}  # type: ignore[attr-defined]
    return module
