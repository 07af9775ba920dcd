"""Builds gradgen's modules of the losses for a typical size, in a temporary folder that all its processes share."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType

import gradgen
from benchmarks.losses import SPECS, case

__all__ = ["MODULES", "imported", "spec_for", "written"]

MODULES = "GRADGEN_BENCH_MODULES"  # the environment variable that names the folder


def spec_for(loss: str, typical: str) -> str:
    """The text of a spec, its typical sizes those of tiny, medium or large."""
    sizes = ", ".join(f"{name}={number}" for name, number in case(loss).sizes[typical].items())
    return re.sub(r"= dims\([^)]*\)", f"= dims({sizes})", (SPECS / f"{loss}.py").read_text(encoding="utf-8"))


def loaded(loss: str, typical: str) -> gradgen.Loss:
    spec = Path(os.environ[MODULES]) / f"specs_{typical}" / f"{loss}.py"
    spec.parent.mkdir(exist_ok=True)
    spec.write_text(spec_for(loss, typical), encoding="utf-8")
    return gradgen.load(spec)[loss]


def written(loss: str, typical: str = "medium") -> Path:
    """The generated NumPy module's file, made where it is not there yet."""
    module = Path(os.environ[MODULES]) / f"generated_{typical}" / f"{loss}.py"
    if not module.exists():
        source = loaded(loss, typical).source()
        module.parent.mkdir(exist_ok=True)
        module.write_text(source, encoding="utf-8")
    return module


def imported(loss: str, typical: str = "medium", backend: str = "numpy") -> ModuleType:
    """The generated module."""
    if backend != "numpy":
        return loaded(loss, typical).compile(backend=backend)
    spec = importlib.util.spec_from_file_location(loss, written(loss, typical))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
