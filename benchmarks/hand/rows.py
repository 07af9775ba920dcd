"""Sums over the rows of the data, taken block by block where the data do not fit a cache: they are read once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

CACHED = 1 << 19  # entries of X, up to which the whole is one block
BLOCK = 1 << 17  # entries of a block


def by_rows(
    plain: Callable[..., Any] | None = None, *, penalised: bool = False, mean: bool = False
) -> Callable[..., Any]:
    """The function of (X, y, w, ...), by blocks where X is large.

    A penalty, the fourth argument its weight, is added once; a mean weighs each block by its rows.
    """
    if plain is None:
        return functools.partial(by_rows, penalised=penalised, mean=mean)

    @functools.wraps(plain)
    def summed(X, y, w, *rest):
        if X.size <= CACHED:
            return plain(X, y, w, *rest)
        n, d = X.shape
        rows = max(1, BLOCK // d)
        total = None
        for start in range(0, n, rows):
            part = plain(X[start : start + rows], y[start : start + rows], w, *rest)
            if mean:
                part = scaled(part, min(rows, n - start) / n)
            total = part if total is None else added(total, part)
            if penalised:
                rest = (0.0, *rest[1:])
        return total

    return summed


def scaled(part: Any, weight: float) -> Any:
    return tuple(scaled(one, weight) for one in part) if isinstance(part, tuple) else part * weight


def added(total: Any, part: Any) -> Any:
    if isinstance(total, tuple):
        return tuple(added(*pair) for pair in zip(total, part, strict=True))
    total += part
    return total
