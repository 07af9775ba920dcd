"""Each loss of ``specs/``, its gradient and its Hessian-vector product, against JAX run on the same spec in float64."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradgen import words
from gradgen.dims import Dim
from gradgen.spec import Loss, load_spec, run_with
from gradgen.tape import Argument

jax.config.update("jax_enable_x64", True)

ROOT = Path(__file__).resolve().parents[2]
LOSSES = {name: loss for path in sorted((ROOT / "specs").glob("*.py")) for name, loss in load_spec(path).items()}
SIZES = ((1, 1, 1, 1), (1, 4, 2, 3), (5, 1, 3, 2), (6, 4, 3, 1), (40, 7, 6, 5))
BOUND = 1e-12
NEGLIGIBLE = 1e-3  # of the largest entry of all gradients: an array below it vanishes by cancellation
WORDS = {
    words.sigmoid: jax.nn.sigmoid,
    words.softplus: jax.nn.softplus,
    words.relu: jax.nn.relu,
    words.logsumexp: jax.scipy.special.logsumexp,
    words.softmax: jax.nn.softmax,
    words.log_softmax: jax.nn.log_softmax,
}


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes)))
@pytest.mark.parametrize("name", LOSSES)
def test_agrees_with_jax(name: str, sizes: tuple[int, ...]) -> None:
    loss = LOSSES[name]
    module = importlib.import_module(f"generated.{name}")
    dims = dict(zip(dimensions(loss), sizes, strict=False))
    rng = np.random.default_rng(len(name) + sum(sizes))
    inputs = {a.name: draw(a, dims, rng) for a in loss.arguments}
    directions = [rng.normal(size=np.shape(inputs[name])) for name in loss.wrt]
    expected = by_jax(loss, inputs, directions)
    actual = by_module(module, loss, inputs, directions)
    for kind in ("loss", "grad", "hvp"):
        least = NEGLIGIBLE * max(largest(array) for array in expected[kind])
        for ours, theirs in zip(actual[kind], expected[kind], strict=True):
            assert np.shape(ours) == np.shape(theirs)
            assert largest(ours - theirs) <= BOUND * max(largest(theirs), least), kind


def dimensions(loss: Loss) -> list[Dim]:
    return sorted({dim for a in loss.arguments for size in a.shape for dim in size.symbols})


def draw(argument: Argument, dims: Mapping[Dim, int], rng: np.random.Generator) -> Any:
    """Random values of an argument that keep to its facts."""
    shape = tuple(size.value({dim.name: number for dim, number in dims.items()}) for size in argument.shape)
    values = rng.normal(size=shape)
    facts = {
        "positive": lambda: np.exp(values / 2),
        "nonnegative": lambda: rng.poisson(2.0, size=shape).astype(float),
        "sign": lambda: np.where(values > 0, 1.0, -1.0),
        "boolean": lambda: np.where(values > 0, 1.0, 0.0),
        "one_hot": lambda: np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])],
    }
    for fact in argument.facts:
        values = facts[fact]()
    return values if shape else float(values)


def by_jax(loss: Loss, inputs: Mapping[str, Any], directions: list[Any]) -> dict[str, list[Any]]:
    def value(*variables: Any) -> Any:
        given = {**inputs, **dict(zip(loss.wrt, variables, strict=True))}
        return run_with(loss, given, {np: jnp}, WORDS)

    both = jax.value_and_grad(value, argnums=tuple(range(len(loss.wrt))))

    def everything(x: Any, dx: Any) -> Any:
        (found, grad), (_, hvp) = jax.jvp(both, x, dx)
        return [found], list(grad), list(hvp)

    primals = tuple(jnp.asarray(inputs[name]) for name in loss.wrt)
    results = jax.jit(everything)(primals, tuple(map(jnp.asarray, directions)))  # one thing to compile, not each call
    return dict(zip(("loss", "grad", "hvp"), results, strict=True))


def by_module(module: ModuleType, loss: Loss, inputs: Mapping[str, Any], directions: list[Any]) -> dict[str, list[Any]]:
    grad, hvp = module.grad(*inputs.values()), module.hvp(*inputs.values(), *directions)
    several = loss.several
    return {
        "loss": [module.loss(*inputs.values())],
        "grad": list(grad) if several else [grad],
        "hvp": list(hvp) if several else [hvp],
    }


def largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0))
