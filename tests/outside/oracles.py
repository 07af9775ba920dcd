"""What JAX has under another name, or not at all, composed of its own functions; and what it differentiates otherwise
at kinks."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

# Compilation is all that takes time in these tests: what makes fast code is left out of it.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false",
)

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from gradgen import words


def _std(a: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The root of the variance, with derivatives 0 where that is 0."""
    variance = jnp.var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    some = variance > 0
    return jnp.where(some, jnp.sqrt(jnp.where(some, variance, 1.0)), 0.0)


def _triangle(half: Any) -> Any:
    """NumPy repeats a vector in each row."""
    return lambda m, k=0: half(m if m.ndim > 1 else jnp.broadcast_to(m, (*m.shape, *m.shape)), k=k)


def _floats(function: Any) -> Any:
    """The function, of numbers that may be integers."""
    return lambda *values: function(*(jnp.asarray(value, dtype=float) for value in values))


def _twin(module: ModuleType, **others: Any) -> ModuleType:
    """The module with some functions replaced or added."""
    made = ModuleType(module.__name__)
    made.__dict__.update(vars(module), **others)
    return made


def _softmax(x: Any, axis: Any = None) -> Any:
    return jax.nn.softmax(x, axis=axis)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    return jax.nn.log_softmax(x, axis=axis)


NUMPY = _twin(jnp, std=_std, tril=_triangle(jnp.tril), triu=_triangle(jnp.triu))
SPECIAL = _twin(
    jax.scipy.special,
    log_expit=jax.nn.log_sigmoid,
    softmax=_softmax,
    log_softmax=_log_softmax,
    xlogy=_floats(jax.scipy.special.xlogy),
    xlog1py=_floats(jax.scipy.special.xlog1py),
    rel_entr=_floats(jax.scipy.special.rel_entr),
)
MODULES = {np: NUMPY, scipy.special: SPECIAL}
WORDS = {
    max: jnp.max,
    min: jnp.min,
    words.sigmoid: jax.nn.sigmoid,
    words.softplus: jax.nn.softplus,
    words.relu: jax.nn.relu,
    words.logsumexp: jax.scipy.special.logsumexp,
    words.softmax: jax.nn.softmax,
    words.log_softmax: jax.nn.log_softmax,
}
