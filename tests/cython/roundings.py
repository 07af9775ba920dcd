"""Modules whose every operation rounds up or down at random: how far their results lie apart is how far those of two
right modules may, whatever cancels on the way (Monte Carlo arithmetic, Parker 1997)."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

EPSILON = np.finfo(float).eps


class Shaken(np.ndarray):
    """An array that shakes the results of what is done with it."""

    dice: np.random.Generator

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        return self._again(getattr(ufunc, method)(*_plain(inputs), **_plain(more)))

    def __array_function__(self, function: Callable[..., Any], _: Any, arguments: Any, more: Any) -> Any:
        return self._again(function(*_plain(arguments), **_plain(more)))

    def __array_finalize__(self, made: Any) -> None:
        self.dice = getattr(made, "dice", None)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return found if isinstance(found, Shaken) else self._again(found)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other)

    def trace(self, *more: Any, **named: Any) -> Any:
        return np.trace(self, *more, **named)

    def _again(self, result: Any) -> Any:
        return shaken(result, self.dice)


def shaken(value: Any, dice: np.random.Generator) -> Any:
    """Floating arrays, each entry moved by one rounding up or down; tuples of them too."""
    if isinstance(value, tuple):
        return tuple(shaken(one, dice) for one in value)
    if not isinstance(value, np.ndarray | np.floating) or value.dtype.kind != "f":
        return value
    made = np.asarray(value * (1 + EPSILON * dice.choice((-1.0, 1.0), size=np.shape(value)))).view(Shaken)
    made.dice = dice
    return made


def _plain(value: Any) -> Any:
    """The arrays themselves, in whatever holds them."""
    if isinstance(value, Shaken):
        return value.view(np.ndarray)[()]
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value))
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def shake(module: ModuleType, seed: int) -> None:
    """Have the private functions of a NumPy module that hold the mathematics shake what they are given, and so all that
    they do."""
    dice = np.random.default_rng(seed)

    def shaking(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: _plain(function(*shaken(given, dice)))

    for name, function in list(vars(module).items()):
        if re.fullmatch("_(bound_)?(loss|grad|value_and_grad|hvp|hessian|value|jvp|vjp|jacobian)", name):
            setattr(module, name, shaking(function))
