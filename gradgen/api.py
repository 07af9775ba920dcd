"""A loss or function as Python sees it: what is decorated, its derivatives as formulas, its module's text, and the
module."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from gradgen import compiling, pipeline, spec
from gradgen.errors import SpecError


class Declaration(spec.Declaration):
    """A loss or function of a spec. Called with arrays it runs; `compile` gives what is derived from it."""

    @cached_property
    def _generated(self) -> tuple[str, tuple[str, ...]]:
        return pipeline.generate_module(self.tape)

    @cached_property
    def _pyx(self) -> str:
        return pipeline.generate_module(self.tape, "cython")[0]

    def _formulas_but(self, title: str) -> str:
        return "\n".join(line for line in self._generated[1] if not line.startswith(title))

    def formula(self, hvp: bool = False) -> str:
        """What it is and its derivatives as formulas; of a loss with ``hvp`` the Hessian-vector product too."""
        return "\n".join(pipeline.formulas(self.tape, hvp=True) if hvp else self._generated[1])

    def source(self, backend: str = "numpy") -> str:
        """The text of the generated module; with ``backend="cython"`` as Cython takes it."""
        _refuse_unknown(backend)
        return self._pyx if backend == "cython" else self._generated[0]

    def compile(self, backend: str = "numpy") -> ModuleType:
        """The generated module, made in memory; with ``backend="cython"`` compiled, which a cache does once."""
        if backend == "cython":
            return compiling.load(self.source(backend), self.name)
        module = ModuleType(self.name, self.doc or None)
        exec(compile(self.source(backend), f"<generated {self.name}>", "exec"), module.__dict__)
        return module


class Loss(Declaration, spec.Loss):
    """A loss of a spec: a number."""

    @property
    def gradient(self) -> str:
        """The gradient as a formula in matrix notation, a line for each variable and each value that they share."""
        return self._formulas_but("loss ")


class Function(Declaration, spec.Function):
    """A function of a spec whose value is an array."""

    @property
    def derivative(self) -> str:
        """The derivative as formulas in matrix notation: in a direction, of a cotangent, and where there is one the
        Jacobian."""
        return self._formulas_but("value ")


def _refuse_unknown(backend: str) -> None:
    if backend not in pipeline.BACKENDS:
        known = " or ".join(f'backend="{name}"' for name in pipeline.BACKENDS)
        raise SpecError(f"there is no backend {backend!r}", f"use {known}")


def loss(
    function: Any = None, /, *, wrt: Any = None, gram: bool = False, symmetric: str | None = None
) -> Callable[[Callable[..., Any]], Loss]:
    """Declares a loss: ``@loss(wrt="w")``, or ``wrt=("D", "R")`` for several variables.

    ``gram`` lets ``bind`` form Gram matrices; ``symmetric="entries"`` differentiates by independent entries.
    """
    return spec.declaring(Loss, function, wrt, gram, symmetric, sys._getframe(1))


def function(
    function: Any = None, /, *, wrt: Any = None, symmetric: str | None = None
) -> Callable[[Callable[..., Any]], Function]:
    """Declares a function with values of any shape: ``@function(wrt="x")``."""
    return spec.declaring(Function, function, wrt, False, symmetric, sys._getframe(1))


def load(path: Path | str) -> dict[str, Any]:
    """The losses and functions of a spec file by name, each a `Loss` or a `Function`. Whatever is wrong with the file
    is a `SpecError`."""
    return {name: made for name, made in spec.load_spec(path).items() if isinstance(made, Declaration)}
