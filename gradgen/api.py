"""A loss as Python sees it: the decorated function, its gradient as a formula, its module's text, and the module."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from gradgen import pipeline, spec
from gradgen.errors import NotSupportedError


class Loss(spec.Loss):
    """A loss of a spec. Called with arrays it runs its function; `compile` gives what is derived from it."""

    @cached_property
    def _generated(self) -> tuple[str, tuple[str, ...]]:
        return pipeline.generate_module(self.tape)

    @property
    def gradient(self) -> str:
        """The gradient as a formula in matrix notation, a line for each variable and each value that they share."""
        return "\n".join(line for line in self._generated[1] if not line.startswith("loss"))

    def formula(self, hvp: bool = False) -> str:
        """The loss and its gradient as formulas; with ``hvp`` the Hessian-vector product too."""
        return "\n".join(pipeline.formulas(self.tape, hvp=True) if hvp else self._generated[1])

    def source(self, backend: str = "numpy") -> str:
        """The text of the generated module."""
        _numpy_only(backend)
        return self._generated[0]

    def compile(self, backend: str = "numpy") -> ModuleType:
        """The generated module, made in memory."""
        module = ModuleType(self.name, self.doc or None)
        exec(compile(self.source(backend), f"<generated {self.name}>", "exec"), module.__dict__)
        return module


def _numpy_only(backend: str) -> None:
    if backend != "numpy":
        raise NotSupportedError(f"the backend {backend!r} is not supported yet", 'use backend="numpy"')


def loss(
    function: Any = None, /, *, wrt: Any = None, gram: bool = False, symmetric: str | None = None
) -> Callable[[Callable[..., Any]], Loss]:
    """Declares a loss: ``@loss(wrt="w")``, or ``wrt=("D", "R")`` for several variables.

    ``gram`` lets ``bind`` form Gram matrices; ``symmetric="entries"`` differentiates by independent entries.
    """
    return spec.declaring(Loss, function, wrt, gram, symmetric, sys._getframe(1))


def load(path: Path | str) -> dict[str, Loss]:
    """The losses of a spec file by name. Whatever is wrong with the file is a `SpecError`."""
    return {name: made for name, made in spec.load_spec(path).items() if isinstance(made, Loss)}
