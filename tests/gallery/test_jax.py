"""Each loss of the gallery, its gradient and its Hessian-vector product, against JAX run on the spec in float64."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from gradgen import words
from gradgen.spec import Loss, load_spec, run_with
from gradgen.tape import Argument

jax.config.update("jax_enable_x64", True)

SPECS = Path(__file__).resolve().parents[2] / "specs" / "gallery"
LOSSES = {name: loss for path in sorted(SPECS.glob("*.py")) for name, loss in load_spec(path).items()}
SIZES = {"n": 7, "m": 11, "d": 3, "k": 2, "p": 3, "q": 2, "users": 5, "items": 4, "b": 2, "t": 4, "h": 3}
WITHOUT = {"mds_stress"}  # JAX's norm has no gradient at 0, the distance of a point to itself: see test_sklearn.py
BOUNDS = {"loss": 1e-11, "grad": 1e-10, "hvp": 1e-8}
WORDS = {
    words.sigmoid: jax.nn.sigmoid,
    words.softplus: jax.nn.softplus,
    words.relu: jax.nn.relu,
    words.logsumexp: jax.scipy.special.logsumexp,
    words.softmax: jax.nn.softmax,
    words.log_softmax: jax.nn.log_softmax,
    scipy.special.log_expit: jax.nn.log_sigmoid,
    scipy.special.ndtr: jax.scipy.stats.norm.cdf,
}
TWIN = ModuleType("numpy")
TWIN.__dict__.update(jnp.__dict__)
TWIN.concatenate = lambda arrays, axis=0: jnp.concatenate([jnp.asarray(a) for a in arrays], axis)  # lists among them
# Inputs that the types cannot say.
GIVEN: Mapping[str, Mapping[str, Callable[[np.random.Generator], Any]]] = {
    "generalized_poisson": {"params": lambda rng: np.append(rng.normal(size=3) / 3, 0.2)},
    "negative_binomial_2": {"params": lambda rng: np.append(rng.normal(size=3) / 3, 0.7)},
    "huber_with_scale": {"w": lambda rng: np.append(rng.normal(size=4), 0.8)},
    "half_tweedie": {"power": lambda rng: 1.5},
    "glm_cloglog": {"X": lambda rng: rng.normal(size=(7, 3)) / 2},
    "glm_negative_binomial": {"beta": lambda rng: rng.normal(size=3) / 3},
    "tsne": {"P": lambda rng: _affinities(rng)},
    "full_gaussian_mixture": {"precisions_cholesky": lambda rng: np.triu(rng.normal(size=(2, 3, 3)), 1) + np.eye(3)},
    "covariance_mixture": {"Sigma": lambda rng: np.stack([_spd(3, rng) for _ in range(2)])},
}


def _spd(size: int, rng: np.random.Generator) -> Any:
    root = rng.normal(size=(size, size))
    return root @ root.T / size + np.eye(size)


def _affinities(rng: np.random.Generator) -> Any:
    P = rng.uniform(0.1, 1, size=(7, 7)) * (1 - np.eye(7))
    return (P + P.T) / (P + P.T).sum()


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - WITHOUT))
def test_agrees_with_jax(name: str) -> None:
    loss = LOSSES[name]
    module = importlib.import_module(f"generated.gallery.{name}")
    rng = np.random.default_rng(len(name))
    given = {key: make(rng) for key, make in GIVEN.get(name, {}).items()}
    inputs = {a.name: given.get(a.name, _draw(a, rng)) for a in loss.arguments}
    directions = [_direction(a, inputs[a.name], rng) for w in loss.wrt for a in loss.arguments if a.name == w]
    expected = _by_jax(loss, inputs, directions)
    grad, hvp = module.grad(*inputs.values()), module.hvp(*inputs.values(), *directions)
    actual = {
        "loss": [module.loss(*inputs.values())],
        "grad": list(grad) if loss.several else [grad],
        "hvp": list(hvp) if loss.several else [hvp],
    }
    for kind, bound in BOUNDS.items():
        for ours, theirs in zip(actual[kind], expected[kind], strict=True):
            assert np.shape(ours) == np.shape(theirs)
            assert np.all(np.isfinite(theirs)), f"JAX's {kind} is not finite"
            assert np.max(np.abs(ours - theirs)) <= bound * np.max(np.abs(theirs)), kind


def _draw(argument: Argument, rng: np.random.Generator) -> Any:
    """Random values of an argument that keep to its facts and structure."""
    shape = tuple(size.value(SIZES) for size in argument.shape)
    if argument.kind == "SPD":
        return _spd(shape[0], rng)
    if argument.kind == "Indices":
        return rng.integers(argument.below.value(SIZES), size=shape)
    values = rng.normal(size=shape)
    facts = {
        "positive": lambda: np.exp(values / 2),
        "nonnegative": lambda: np.abs(values),
        "unit_interval": lambda: rng.uniform(0.1, 0.9, size=shape),
        "integer": lambda: rng.poisson(2.0, size=shape).astype(float),
        "sign": lambda: np.where(values > 0, 1.0, -1.0),
        "boolean": lambda: np.where(values > 0, 1.0, 0.0),
        "one_hot": lambda: np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])],
    }
    for fact in sorted(argument.facts, key=lambda fact: fact == "integer"):
        values = facts[fact]()
    return values if shape else float(values)


def _direction(argument: Argument, value: Any, rng: np.random.Generator) -> Any:
    direction = rng.normal(size=np.shape(value))
    return (direction + direction.T) / 2 if argument.kind == "SPD" else direction


def _by_jax(loss: Loss, inputs: Mapping[str, Any], directions: list[Any]) -> dict[str, list[Any]]:
    symmetric = {a.name for a in loss.arguments if a.kind == "SPD"}

    def value(*variables: Any) -> Any:
        pairs = zip(loss.wrt, variables, strict=True)
        varied = {name: (v + v.T) / 2 if name in symmetric else v for name, v in pairs}
        return run_with(loss, {**inputs, **varied}, {np: TWIN, scipy.special: jax.scipy.special}, WORDS)

    both = jax.value_and_grad(value, argnums=tuple(range(len(loss.wrt))))

    def everything(x: Any, dx: Any) -> Any:
        (found, grad), (_, hvp) = jax.jvp(both, x, dx)
        return [found], list(grad), list(hvp)

    primals = tuple(jnp.asarray(inputs[name], dtype=float) for name in loss.wrt)
    tangents = tuple(jnp.asarray(d, dtype=float) for d in directions)
    results = jax.jit(everything)(primals, tangents)  # one thing to compile, not each call
    return dict(zip(BOUNDS, results, strict=True))
