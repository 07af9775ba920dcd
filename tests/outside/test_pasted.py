"""Losses from well-known NumPy code: what is generated of them against JAX run on the same code in float64."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pasted
import pytest
from oracles import MODULES, WORDS

from gradgen import recipes
from gradgen.pipeline import generate_module
from gradgen.spec import Loss, run_with
from gradgen.tiny import symbols

jax.config.update("jax_enable_x64", True)

LOSSES = {name: one for name, one in vars(pasted).items() if isinstance(one, Loss)}
BOUND = 1e-12


def module_of(one: Loss) -> Any:
    module = ModuleType(one.name)
    exec(generate_module(one.tape)[0], module.__dict__)
    return module


@pytest.mark.parametrize("name", LOSSES)
def test_agrees_with_jax(name: str) -> None:
    one = LOSSES[name]
    tape, module = one.tape, module_of(one)
    sizes = {dim: max(5 - k, 2) for k, dim in enumerate(symbols(tape))}
    inputs, directions = recipes.draw(tape, recipes.choose(tape).choice, sizes, 0)

    def value(*variables: Any) -> Any:
        given = {**{k: jnp.asarray(v) for k, v in inputs.items()}, **dict(zip(one.wrt, variables, strict=True))}
        return run_with(one, given, MODULES, WORDS)

    places = tuple(range(len(one.wrt)))
    at = tuple(jnp.asarray(inputs[k], dtype=float) for k in one.wrt)
    along = tuple(jnp.asarray(v, dtype=float) for v in directions.values())
    (loss, grad), (_, hvp) = jax.jit(lambda: jax.jvp(jax.value_and_grad(value, argnums=places), at, along))()
    assert module.loss(*inputs.values()) == pytest.approx(float(loss), rel=BOUND)
    assert one(*inputs.values()) == pytest.approx(float(loss), rel=BOUND)
    ours = module.grad(*inputs.values()), module.hvp(*inputs.values(), *directions.values())
    for mine, theirs in zip(ours, (grad, hvp), strict=True):
        for a, b in zip(mine if one.several else (mine,), theirs, strict=True):
            assert np.max(np.abs(a - b)) <= BOUND * np.max(np.abs(b))
