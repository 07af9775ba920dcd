"""The door of the hand-written functions: the checks of a generated module, with a short way for what is right.

A signature such as ``X[n,d] y[n] w[d] lam[]`` becomes straight-line Python once, so that a right call pays for
comparisons alone. Everything else takes the long way: converted, or refused by name, dimension and both sizes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.hand.rows import CACHED

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
Shapes = dict[str, tuple[str, ...]]


def module(signature: str, wrt: str, value_and_grad: Callable[..., Any], hvp: Callable[..., Any]) -> SimpleNamespace:
    """The two functions behind their doors, and as ``core`` what is inside, for all rows at once."""
    shapes = {name: tuple(filter(None, dims.split(","))) for name, dims in re.findall(r"(\w+)\[([\w,]*)\]", signature)}
    directions = {f"d{name}": shapes[name] for name in wrt.split()}
    return SimpleNamespace(
        value_and_grad=doored(value_and_grad, shapes),
        hvp=doored(hvp, {**shapes, **directions}),
        core=SimpleNamespace(value_and_grad=inspect.unwrap(value_and_grad), hvp=inspect.unwrap(hvp)),
    )


def doored(core: Callable[..., Any], shapes: Shapes) -> Callable[..., Any]:
    names = ", ".join(shapes)
    lets, tests = comparisons(shapes)
    source = "\n".join(
        (
            f"def {core.__name__}({names}):",
            f"    if {' and '.join(types(shapes))}:",
            *(f"        {let}" for let in lets),
            f"        if {' and '.join(tests) or 'True'}:",
            f"            return {chosen(core, shapes)}({names})",
            f"    return core(*converted({names}))",
        )
    )
    scope = {
        "core": core,
        "plain": inspect.unwrap(core),
        "converted": converter(shapes),
        "ndarray": np.ndarray,
        "F4": F4,
        "F8": F8,
    }
    exec(source, scope)
    return scope[core.__name__]


def chosen(core: Callable[..., Any], shapes: Shapes) -> str:
    """What goes by blocks of rows only does so where the data are large: small ones are spared the way there."""
    return "core" if core is inspect.unwrap(core) else f"(plain if {next(iter(shapes))}.size <= {CACHED} else core)"


def types(shapes: Shapes) -> list[str]:
    """Every array is one of NumPy's own, all of one float dtype, and of its rank; every number is a float."""
    arrays = [name for name, shape in shapes.items() if shape]
    first = arrays[0]
    return [
        *(f"type({name}) is ndarray" for name in arrays),
        f"((dtype := {first}.dtype) is F8 or dtype is F4)",
        *(f"{name}.dtype is dtype" for name in arrays[1:]),
        *(f"type({name}) is float" for name, shape in shapes.items() if not shape),
        *(f"{name}.ndim == {len(shapes[name])}" for name in arrays if introduces(name, shapes)),
    ]


def introduces(name: str, shapes: Shapes) -> bool:
    """Whether an array is the first to have one of its dimensions."""
    earlier = {dim for other in list(shapes)[: list(shapes).index(name)] for dim in shapes[other]}
    return not earlier.issuperset(shapes[name])


def comparisons(shapes: Shapes) -> tuple[list[str], list[str]]:
    """``n, d = X.shape``, and ``y.shape == (n,)``."""
    lets, tests, known = [], [], set[str]()
    for name, shape in shapes.items():
        if not shape:
            continue
        if known.issuperset(shape):
            tests.append(f"{name}.shape == ({', '.join(shape)},)")
            continue
        fresh = [dim if dim not in (*known, *shape[:i]) else f"{dim}_{name}{i}" for i, dim in enumerate(shape)]
        lets.append(f"{', '.join(fresh)}, = {name}.shape")
        tests += [f"{new} == {dim}" for new, dim in zip(fresh, shape, strict=True) if new != dim]
        known.update(shape)
    return lets, tests


def converter(shapes: Shapes) -> Callable[..., list[Any]]:
    def converted(*values: Any) -> list[Any]:
        arrays = [array(n, v, len(shapes[n])) for n, v in zip(shapes, values, strict=True)]
        matched(shapes, arrays)
        floating = {one.dtype for one in arrays if one.ndim and one.dtype.kind == "f"}
        dtype = F4 if floating == {F4} else F8
        return [one.astype(dtype, copy=False)[()] for one in arrays]

    return converted


def array(name: str, value: Any, rank: int) -> Any:
    try:
        made = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from None
    if made.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, not {made.dtype}")
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries: fill them or leave them out")
    if made.ndim != rank:
        raise ValueError(f"{name} must have rank {rank}, but has shape {made.shape}")
    return made


def matched(shapes: Shapes, arrays: Sequence[Any]) -> None:
    known: dict[str, tuple[int, str]] = {}
    for (name, shape), one in zip(shapes.items(), arrays, strict=True):
        for axis, (dim, size) in enumerate(zip(shape, one.shape, strict=True)):
            expected, source = known.setdefault(dim, (size, name))
            if size != expected:
                raise ValueError(f"{name} has size {size} along axis {axis}, but {dim}, as in {source}, is {expected}")
