"""The 15 losses that are measured: their sizes, and inputs on which what is factorised is well conditioned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FUNCTIONS", "LOSSES", "SIZES", "SPECS", "Case", "Dims", "case"]

Dims = Mapping[str, int]
Inputs = dict[str, Any]

SPECS = Path(__file__).resolve().parent / "specs"
SIZES = ("tiny", "medium", "large")
FUNCTIONS = ("value_and_grad", "hvp")


@dataclass(frozen=True)
class Case:
    """A loss: how its arguments are drawn, the variables, and its dimensions at the three sizes.

    A loss that factorises matrices runs on one thread: LAPACK on two is unsteady.
    """

    name: str
    title: str
    wrt: tuple[str, ...]
    draw: Callable[[Dims, np.random.Generator], Inputs]
    sizes: dict[str, dict[str, int]]
    one_thread: bool = False
    symmetric: tuple[str, ...] = ()

    def dims(self, size: str) -> Dims:
        """The dimensions at a size: tiny, medium, large, or told one by one, as in ``n=100 d=5``."""
        if size in self.sizes:
            return self.sizes[size]
        return {name: int(number) for name, _, number in (one.partition("=") for one in size.split())}

    def inputs(self, size: str, dtype: Any = np.float64) -> Inputs:
        """The arguments in their order; arrays in the dtype, numbers as Python has them."""
        drawn = self.draw(self.dims(size), np.random.default_rng(0))
        return {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in drawn.items()}

    def directions(self, inputs: Inputs) -> tuple[Any, ...]:
        """A direction for each variable, symmetric where the variable is."""
        rng = np.random.default_rng(1)
        return tuple(self._direction(name, inputs[name], rng) for name in self.wrt)

    def _direction(self, name: str, variable: Any, rng: np.random.Generator) -> Any:
        drawn = rng.normal(size=variable.shape)
        if name in self.symmetric:
            drawn = drawn + drawn.T
        return drawn.astype(variable.dtype)


def sized(
    names: str, tiny: tuple[int, ...], medium: tuple[int, ...], large: tuple[int, ...]
) -> dict[str, dict[str, int]]:
    return {
        size: dict(zip(names.split(), numbers, strict=True))
        for size, numbers in zip(SIZES, (tiny, medium, large), strict=True)
    }


def features(dims: Dims, rng: np.random.Generator) -> Any:
    """(n, d) data whose products with a standard normal vector are standard normal."""
    return rng.normal(size=(dims["n"], dims["d"])) / np.sqrt(dims["d"])


def classes(dims: Dims, rng: np.random.Generator) -> Any:
    return np.eye(dims["k"])[rng.integers(dims["k"], size=dims["n"])]


def ridge(dims: Dims, rng: np.random.Generator) -> Inputs:
    return {"X": features(dims, rng), "y": rng.normal(size=dims["n"]), "w": rng.normal(size=dims["d"]), "lam": 0.1}


def logistic(dims: Dims, rng: np.random.Generator) -> Inputs:
    drawn = ridge(dims, rng)
    return {**drawn, "y": np.where(drawn["y"] > 0, 1.0, -1.0)}


def poisson(dims: Dims, rng: np.random.Generator) -> Inputs:
    counts = rng.poisson(2.0, size=dims["n"]).astype(float)
    return {"X": features(dims, rng), "y": counts, "w": rng.normal(size=dims["d"])}


def log_cosh(dims: Dims, rng: np.random.Generator) -> Inputs:
    return {"X": features(dims, rng), "y": rng.normal(size=dims["n"]), "w": rng.normal(size=dims["d"])}


def softmax_regression(dims: Dims, rng: np.random.Generator) -> Inputs:
    W = rng.normal(size=(dims["d"], dims["k"]))
    return {"X": features(dims, rng), "Y": classes(dims, rng), "W": W, "lam": 0.1}


def log_similarity(dims: Dims, rng: np.random.Generator) -> Inputs:
    return {"K": rng.random((dims["n"], dims["n"])), "V": features(dims, rng)}


def dictionary_learning(dims: Dims, rng: np.random.Generator) -> Inputs:
    m, k, n = dims["m"], dims["k"], dims["n"]
    X, D, R = rng.normal(size=(m, n)), rng.normal(size=(m, k)) / np.sqrt(k), rng.normal(size=(k, n))
    return {"X": X, "D": D, "R": R, "lam": 0.1}


def one_layer(dims: Dims, rng: np.random.Generator) -> Inputs:
    h = dims["h"]
    W, v = rng.normal(size=(dims["d"], h)), rng.normal(size=h) / np.sqrt(h)
    return {"X": features(dims, rng), "y": rng.normal(size=dims["n"]), "W": W, "v": v}


def two_layer(dims: Dims, rng: np.random.Generator) -> Inputs:
    d, h, k = dims["d"], dims["h"], dims["k"]
    W1, W2 = rng.normal(size=(d, h)), rng.normal(size=(h, k)) / np.sqrt(h)
    b1, b2 = rng.normal(size=h), rng.normal(size=k)
    return {"X": features(dims, rng), "Y": classes(dims, rng), "W1": W1, "b1": b1, "W2": W2, "b2": b2}


def column_sums(dims: Dims, rng: np.random.Generator) -> Inputs:
    return {"X": features(dims, rng), "V": rng.normal(size=(dims["d"], dims["h"]))}


def trace_quadratic(dims: Dims, rng: np.random.Generator) -> Inputs:
    m, k = dims["m"], dims["k"]
    return {"A": rng.normal(size=(m, m)) / np.sqrt(m), "X": rng.normal(size=(m, k))}


def gaussian(dims: Dims, rng: np.random.Generator) -> Inputs:
    n, d = dims["n"], dims["d"]
    root = rng.normal(size=(d, d)) / (4 * np.sqrt(d))
    return {"X": rng.normal(size=(n, d)), "mu": rng.normal(size=d), "P": np.eye(d) + root @ root.T}


def determinant_log(dims: Dims, rng: np.random.Generator) -> Inputs:
    """X + B is near the identity: its determinant neither overflows nor vanishes."""
    n = dims["n"]
    B, X = (0.5 * np.eye(n) + rng.normal(size=(n, n)) / (8 * n) for _ in range(2))
    return {"B": B, "a": rng.normal(size=n), "X": X}


def matrix_factorization(dims: Dims, rng: np.random.Generator) -> Inputs:
    m, n, r = dims["m"], dims["n"], dims["r"]
    mask = (rng.random((m, n)) < 0.5).astype(float)
    U, V = rng.normal(size=(m, r)), rng.normal(size=(n, r))
    return {"R": rng.normal(size=(m, n)), "mask": mask, "U": U, "V": V, "lam": 0.1}


def gaussian_mixture(dims: Dims, rng: np.random.Generator) -> Inputs:
    n, d, k = dims["n"], dims["d"], dims["k"]
    mu, log_sigma = rng.normal(size=(k, d)), rng.normal(size=(k, d)) / 4
    return {"X": rng.normal(size=(n, d)), "logits": rng.normal(size=k), "mu": mu, "log_sigma": log_sigma}


LINEAR = sized("n d", (20, 5), (2000, 50), (200_000, 100))
LAYER = sized("n d h", (16, 4, 3), (500, 50, 20), (20_000, 200, 100))
CASES = (
    Case("ridge", "ridge", ("w",), ridge, LINEAR),
    Case("logistic", "logistic", ("w",), logistic, LINEAR),
    Case("poisson", "Poisson", ("w",), poisson, LINEAR),
    Case("log_cosh", "log-cosh", ("w",), log_cosh, LINEAR),
    Case(
        "softmax_regression",
        "softmax regression",
        ("W",),
        softmax_regression,
        sized("n d k", (20, 5, 3), (1000, 50, 10), (50_000, 200, 20)),
    ),
    Case(
        "log_similarity",
        "log(1'exp(VV'))K1",
        ("V",),
        log_similarity,
        sized("n d", (8, 3), (200, 20), (2000, 50)),
    ),
    Case(
        "dictionary_learning",
        "dictionary",
        ("D", "R"),
        dictionary_learning,
        sized("m k n", (8, 3, 10), (100, 20, 200), (1000, 50, 4000)),
    ),
    Case("one_layer", "one layer, tanh", ("W", "v"), one_layer, LAYER),
    Case(
        "two_layer",
        "two-layer MLP",
        ("W1", "b1", "W2", "b2"),
        two_layer,
        sized("n d h k", (16, 4, 5, 3), (256, 50, 32, 10), (20_000, 200, 200, 10)),
    ),
    Case("column_sums", "|1'f(XV)|^2", ("V",), column_sums, LAYER),
    Case(
        "trace_quadratic",
        "tr(A'XX')",
        ("X",),
        trace_quadratic,
        sized("m k", (5, 3), (200, 100), (1500, 800)),
    ),
    Case(
        "gaussian",
        "Gaussian NLL",
        ("mu", "P"),
        gaussian,
        sized("n d", (10, 3), (500, 50), (20_000, 300)),
        one_thread=True,
        symmetric=("P",),
    ),
    Case(
        "determinant_log",
        "det·log, two solves",
        ("X",),
        determinant_log,
        sized("n", (3,), (50,), (600,)),
        one_thread=True,
    ),
    Case(
        "matrix_factorization",
        "matrix factorisation",
        ("U", "V"),
        matrix_factorization,
        sized("m n r", (6, 5, 2), (200, 150, 10), (2000, 1500, 30)),
    ),
    Case(
        "gaussian_mixture",
        "diagonal GMM",
        ("logits", "mu", "log_sigma"),
        gaussian_mixture,
        sized("n d k", (20, 2, 3), (500, 10, 10), (50_000, 32, 25)),
    ),
)
LOSSES = {one.name: one for one in CASES}


def case(name: str) -> Case:
    """A loss by its name; a variant that lets `bind` form Gram matrices has the inputs of what it varies."""
    return LOSSES[name.removesuffix("_gram")]
