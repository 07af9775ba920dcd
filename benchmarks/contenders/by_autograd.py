"""autograd: NumPy itself, recorded at every call; Hessian-vector products by differentiating twice."""

from __future__ import annotations

from importlib.metadata import version

import autograd.numpy as np
from autograd import grad, value_and_grad
from autograd.scipy.special import logsumexp

from benchmarks.contenders import Calls, Job

VERSION = version("autograd")


def log_softmax(Z):
    return Z - logsumexp(Z, axis=-1, keepdims=True)


def ridge(X, y, w, lam):
    r = X @ w - y
    return r @ r + lam * (w @ w)


def logistic(X, y, w, lam):
    return np.sum(np.logaddexp(0, -y * (X @ w))) + lam / 2 * (w @ w)


def poisson(X, y, w):
    eta = X @ w
    return np.sum(np.exp(eta) - y * eta)


def log_cosh(X, y, w):
    r = X @ w - y
    return np.mean(np.logaddexp(r, -r)) - np.log(2)


def softmax_regression(X, Y, W, lam):
    return -np.sum(Y * log_softmax(X @ W)) + lam / 2 * np.sum(W**2)


def log_similarity(K, V):
    return logsumexp(V @ V.T, axis=0) @ K.sum(axis=1)


def dictionary_learning(X, D, R, lam):
    return np.sum((X - D @ R) ** 2) / 2 + lam * np.sum(np.abs(R))


def one_layer(X, y, W, v):
    return np.mean((np.tanh(X @ W) @ v - y) ** 2)


def two_layer(X, Y, W1, b1, W2, b2):
    hidden = np.maximum(X @ W1 + b1, 0)
    return -np.sum(Y * log_softmax(hidden @ W2 + b2)) / X.shape[0]


def column_sums(X, V):
    total = np.sum(np.tanh(X @ V), axis=0)
    return total @ total


def trace_quadratic(A, X):
    return np.trace(A.T @ X @ X.T)


def gaussian(X, mu, P):
    Z = X - mu
    return np.sum((Z @ P) * Z) / 2 - X.shape[0] / 2 * np.linalg.slogdet(P)[1]


def determinant_log(B, a, X):
    return np.linalg.det(X + B) * np.log(a @ np.linalg.solve(X, a)) - np.trace(X)


def matrix_factorization(R, mask, U, V, lam):
    residual = mask * (U @ V.T - R)
    return np.sum(residual**2) + lam * (np.sum(U**2) + np.sum(V**2))


def gaussian_mixture(X, logits, mu, log_sigma):
    z = (X[:, None, :] - mu) / np.exp(log_sigma)
    log_density = -np.sum(z**2, axis=2) / 2 - np.sum(log_sigma, axis=1) - X.shape[1] / 2 * np.log(2 * np.pi)
    return -np.sum(logsumexp(log_softmax(logits) + log_density, axis=1))


def prepare(job: Job) -> Calls:
    case, (inputs, directions) = job.case, job.drawn()
    variables = tuple(inputs[name] for name in case.wrt)
    loss = globals()[case.name]

    def of_variables(variables):
        return loss(*{**inputs, **dict(zip(case.wrt, variables, strict=True))}.values())

    def slope(variables):
        gradient = grad(of_variables)(variables)
        return sum(np.sum(one * along) for one, along in zip(gradient, directions, strict=True))

    both, second = value_and_grad(of_variables), grad(slope)
    return {"value_and_grad": lambda: both(variables), "hvp": lambda: second(variables)}
