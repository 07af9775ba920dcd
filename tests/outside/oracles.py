"""What JAX has under another name, or not at all, composed of its own functions; and what it differentiates otherwise
at kinks."""

from __future__ import annotations

from typing import Any

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


WORDS = {
    words.sigmoid: jax.nn.sigmoid,
    words.softplus: jax.nn.softplus,
    words.relu: jax.nn.relu,
    words.logsumexp: jax.scipy.special.logsumexp,
    words.softmax: jax.nn.softmax,
    words.log_softmax: jax.nn.log_softmax,
    scipy.special.logsumexp: jax.scipy.special.logsumexp,
    scipy.special.softmax: lambda x, axis=None: jax.nn.softmax(x, axis=axis),
    scipy.special.log_softmax: lambda x, axis=None: jax.nn.log_softmax(x, axis=axis),
    scipy.special.log_expit: jax.nn.log_sigmoid,
    np.std: _std,
}
