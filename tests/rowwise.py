"""Losses that are sums over rows, and inputs for them: in blocks of rows and in threads they give the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

HEAD = "import numpy as np\nfrom gradgen import *\n\nn, d, k = dims('n d k')\n\n\n"
LOSSES = {
    "ridge": (
        "@loss(wrt='w')\ndef ridge(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar):\n"
        "    r = X @ w - y\n    return r @ r / n + lam * (w @ w)\n"
    ),
    "along_columns": (
        "@loss(wrt='w')\ndef along_columns(X: Matrix[d, n], y: Vector[n], w: Vector[d]):\n"
        "    return np.sum(np.exp(w @ X - y) / n)\n"
    ),
    "classes": (
        "@loss(wrt='W')\ndef classes(X: Matrix[n, d], y: Indices[n, k], W: Matrix[d, k]):\n"
        "    scores = X @ W\n    return -np.sum(log_softmax(scores, axis=1)[np.arange(n), y])\n"
    ),
    "mixture": (
        "@loss(wrt=('mu', 'log_sigma'))\ndef mixture(X: Matrix[n, d], mu: Matrix[k, d], log_sigma: Matrix[k, d]):\n"
        "    z = (X[:, None, :] - mu) / np.exp(log_sigma)\n"
        "    return -np.sum(logsumexp(-np.sum(z**2, axis=2) / 2 - np.sum(log_sigma, axis=1), axis=1))\n"
    ),
}


def drawn(tape: Any, sizes: Mapping[str, int], dtype: type = np.float64) -> dict[str, Any]:
    """Inputs of these sizes, but for the functions among them."""
    rng = np.random.default_rng(sum(sizes.values()))
    found: dict[str, Any] = {}
    for argument in tape.arguments:
        shape = [size.value(sizes) for size in argument.shape]
        if argument.kind == "Indices":
            found[argument.name] = rng.integers(sizes["k"], size=shape)
        elif not argument.callable:
            found[argument.name] = (
                rng.standard_normal(shape).astype(dtype) if shape else 0.75
            )  # which float32 holds too
    return found


def flat(value: Any) -> list[np.ndarray]:
    """The arrays of nested tuples."""
    return [one for part in value for one in flat(part)] if isinstance(value, tuple) else [np.asarray(value)]
