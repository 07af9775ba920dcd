"""PyTensor: each loss as a graph, compiled; arguments are trusted, so that a call checks nothing."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.tensor import exp, log, tanh

from benchmarks.contenders import Calls, Job

VERSION = pytensor.__version__


def ridge(X, y, w, lam):
    r = X @ w - y
    return r @ r + lam * (w @ w)


def logistic(X, y, w, lam):
    return pt.softplus(-y * (X @ w)).sum() + lam / 2 * (w @ w)


def poisson(X, y, w):
    eta = X @ w
    return pt.sum(exp(eta) - y * eta)


def log_cosh(X, y, w):
    r = X @ w - y
    return pt.mean(pt.softplus(2 * r) - r) - np.log(2)


def softmax_regression(X, Y, W, lam):
    return -pt.sum(Y * log_softmax(X @ W)) + lam / 2 * pt.sum(W**2)


def log_softmax(Z):
    return pt.special.log_softmax(Z, axis=-1)


def log_similarity(K, V):
    return pt.logsumexp(V @ V.T, axis=0) @ K.sum(axis=1)


def dictionary_learning(X, D, R, lam):
    return pt.sum((X - D @ R) ** 2) / 2 + lam * pt.sum(pt.abs(R))


def one_layer(X, y, W, v):
    return pt.mean((tanh(X @ W) @ v - y) ** 2)


def two_layer(X, Y, W1, b1, W2, b2):
    hidden = pt.maximum(X @ W1 + b1, 0)
    return -pt.sum(Y * log_softmax(hidden @ W2 + b2)) / X.shape[0]


def column_sums(X, V):
    total = pt.sum(tanh(X @ V), axis=0)
    return total @ total


def trace_quadratic(A, X):
    return pt.trace(A.T @ X @ X.T)


def gaussian(X, mu, P):
    Z = X - mu
    return pt.sum((Z @ P) * Z) / 2 - X.shape[0] / 2 * pt.linalg.slogdet(P)[1]


def determinant_log(B, a, X):
    return pt.linalg.det(X + B) * log(a @ pt.linalg.solve(X, a)) - pt.trace(X)


def matrix_factorization(R, mask, U, V, lam):
    residual = mask * (U @ V.T - R)
    return pt.sum(residual**2) + lam * (pt.sum(U**2) + pt.sum(V**2))


def gaussian_mixture(X, logits, mu, log_sigma):
    z = (X[:, None, :] - mu) / exp(log_sigma)
    log_density = -pt.sum(z**2, axis=2) / 2 - pt.sum(log_sigma, axis=1) - X.shape[1] / 2 * np.log(2 * np.pi)
    return -pt.sum(pt.logsumexp(log_softmax(logits) + log_density, axis=1))


def prepare(job: Job) -> Calls:
    inputs, directions = job.drawn()
    ranks = tuple((name, np.ndim(value)) for name, value in inputs.items())
    value_and_grad, hvp = compiled(job.case.name, job.case.wrt, ranks, job.dtype)
    values = [np.asarray(value, job.dtype) for value in inputs.values()]
    return {
        "value_and_grad": partial(value_and_grad, *values),
        "hvp": partial(hvp, *values, *directions),
    }


@cache
def compiled(name, wrt, ranks, dtype):
    """Both functions, for any size."""
    symbols = {name: symbol(name, rank, dtype) for name, rank in ranks}
    variables = [symbols[name] for name in wrt]
    along = [symbol(f"d{one.name}", one.ndim, dtype) for one in variables]
    value = globals()[name](*symbols.values())
    gradient = pt.grad(value, variables)
    slope = sum(pt.sum(one * d) for one, d in zip(gradient, along, strict=True))
    given = list(symbols.values())
    return function(given, [value, *gradient]), function([*given, *along], pt.grad(slope, variables))


def symbol(name, rank, dtype):
    return pt.tensor(name, dtype=dtype, shape=(None,) * rank)


def function(symbols, outputs):
    made = pytensor.function(symbols, outputs, on_unused_input="ignore")
    made.trust_input = True
    return made
