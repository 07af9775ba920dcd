"""PyTorch, eager: gradients by autograd, Hessian-vector products by double backward."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import log_softmax, logsumexp
from torch.nn.functional import softplus

from benchmarks.contenders import Calls, Job

VERSION = torch.__version__


def ridge(X, y, w, lam):
    r = X @ w - y
    return r @ r + lam * (w @ w)


def logistic(X, y, w, lam):
    return softplus(-y * (X @ w)).sum() + lam / 2 * (w @ w)


def poisson(X, y, w):
    eta = X @ w
    return torch.sum(torch.exp(eta) - y * eta)


def log_cosh(X, y, w):
    r = X @ w - y
    return torch.logaddexp(r, -r).mean() - math.log(2)


def softmax_regression(X, Y, W, lam):
    return -torch.sum(Y * log_softmax(X @ W, 1)) + lam / 2 * torch.sum(W**2)


def log_similarity(K, V):
    return logsumexp(V @ V.T, 0) @ K.sum(1)


def dictionary_learning(X, D, R, lam):
    return torch.sum((X - D @ R) ** 2) / 2 + lam * R.abs().sum()


def one_layer(X, y, W, v):
    return torch.mean((torch.tanh(X @ W) @ v - y) ** 2)


def two_layer(X, Y, W1, b1, W2, b2):
    hidden = torch.relu(torch.addmm(b1, X, W1))
    return -torch.sum(Y * log_softmax(torch.addmm(b2, hidden, W2), 1)) / X.shape[0]


def column_sums(X, V):
    total = torch.tanh(X @ V).sum(0)
    return total @ total


def trace_quadratic(A, X):
    return torch.trace(A.T @ X @ X.T)


def gaussian(X, mu, P):
    Z = X - mu
    return torch.sum((Z @ P) * Z) / 2 - X.shape[0] * torch.linalg.cholesky(P).diagonal().log().sum()


def determinant_log(B, a, X):
    return torch.linalg.det(X + B) * torch.log(a @ torch.linalg.solve(X, a)) - torch.trace(X)


def matrix_factorization(R, mask, U, V, lam):
    residual = mask * (U @ V.T - R)
    return torch.sum(residual**2) + lam * (torch.sum(U**2) + torch.sum(V**2))


def gaussian_mixture(X, logits, mu, log_sigma):
    z = (X[:, None, :] - mu) / log_sigma.exp()
    log_density = -(z**2).sum(2) / 2 - log_sigma.sum(1) - X.shape[1] / 2 * math.log(2 * math.pi)
    return -torch.sum(logsumexp(log_softmax(logits, 0) + log_density, 1))


def prepare(job: Job) -> Calls:
    case, (inputs, directions) = job.case, job.drawn()
    given = {name: tensor(value) for name, value in inputs.items()}
    variables = [given[name].requires_grad_() for name in case.wrt]
    along = tuple(map(tensor, directions))
    loss = globals()[case.name]

    def value_and_grad():
        value = loss(*given.values())
        return value.detach(), torch.autograd.grad(value, variables)

    def hvp():
        gradient = torch.autograd.grad(loss(*given.values()), variables, create_graph=True)
        return torch.autograd.grad(gradient, variables, along)

    return {"value_and_grad": value_and_grad, "hvp": hvp}


def tensor(value):
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value
