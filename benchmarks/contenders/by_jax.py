"""JAX: each loss once, compiled by jit in float64; arrays live on the device, and results are waited for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.scipy.special import logsumexp

from benchmarks.contenders import Calls, Job

jax.config.update("jax_enable_x64", True)
VERSION = jax.__version__


def ridge(X, y, w, lam):
    r = X @ w - y
    return r @ r + lam * (w @ w)


def logistic(X, y, w, lam):
    return jnp.sum(jax.nn.softplus(-y * (X @ w))) + lam / 2 * (w @ w)


def poisson(X, y, w):
    eta = X @ w
    return jnp.sum(jnp.exp(eta) - y * eta)


def log_cosh(X, y, w):
    r = X @ w - y
    return jnp.mean(jnp.logaddexp(r, -r)) - np.log(2)


def softmax_regression(X, Y, W, lam):
    return -jnp.sum(Y * log_softmax(X @ W)) + lam / 2 * jnp.sum(W**2)


def log_similarity(K, V):
    return logsumexp(V @ V.T, axis=0) @ K.sum(axis=1)


def dictionary_learning(X, D, R, lam):
    return jnp.sum((X - D @ R) ** 2) / 2 + lam * jnp.sum(jnp.abs(R))


def one_layer(X, y, W, v):
    return jnp.mean((jnp.tanh(X @ W) @ v - y) ** 2)


def two_layer(X, Y, W1, b1, W2, b2):
    hidden = jax.nn.relu(X @ W1 + b1)
    return -jnp.sum(Y * log_softmax(hidden @ W2 + b2)) / X.shape[0]


def column_sums(X, V):
    total = jnp.sum(jnp.tanh(X @ V), axis=0)
    return total @ total


def trace_quadratic(A, X):
    return jnp.trace(A.T @ X @ X.T)


def gaussian(X, mu, P):
    Z = X - mu
    return jnp.sum((Z @ P) * Z) / 2 - X.shape[0] * jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(P))))


def determinant_log(B, a, X):
    return jnp.linalg.det(X + B) * jnp.log(a @ jnp.linalg.solve(X, a)) - jnp.trace(X)


def matrix_factorization(R, mask, U, V, lam):
    residual = mask * (U @ V.T - R)
    return jnp.sum(residual**2) + lam * (jnp.sum(U**2) + jnp.sum(V**2))


def gaussian_mixture(X, logits, mu, log_sigma):
    z = (X[:, None, :] - mu) / jnp.exp(log_sigma)
    log_density = -jnp.sum(z**2, axis=2) / 2 - jnp.sum(log_sigma, axis=1) - X.shape[1] / 2 * np.log(2 * np.pi)
    return -jnp.sum(logsumexp(log_softmax(logits) + log_density, axis=1))


def prepare(job: Job) -> Calls:
    case, (inputs, directions) = job.case, job.drawn()
    names = list(inputs)
    places = tuple(names.index(name) for name in case.wrt)
    places = places if len(places) > 1 else places[0]
    loss = globals()[case.name]
    arguments = [jax.device_put(value) if isinstance(value, np.ndarray) else value for value in inputs.values()]
    along = tuple(map(jax.device_put, directions))
    value_and_grad = jax.jit(jax.value_and_grad(loss, argnums=places))

    @jax.jit
    def hvp(arguments, along):
        def gradient(*variables):
            given = dict(zip(names, arguments, strict=True)) | dict(zip(case.wrt, variables, strict=True))
            return jax.grad(loss, argnums=places)(*given.values())

        variables = tuple(arguments[names.index(name)] for name in case.wrt)
        return jax.jvp(gradient, variables, along)[1]

    return {
        "value_and_grad": lambda: jax.block_until_ready(value_and_grad(*arguments)),
        "hvp": lambda: jax.block_until_ready(hvp(arguments, along)),
    }
