"""Generalised linear models, differentiated by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.hand.door import module
from benchmarks.hand.rows import by_rows


@by_rows(penalised=True)
def ridge_value_and_grad(X, y, w, lam):
    r = X.dot(w)
    r -= y
    g = r.dot(X)
    g += lam * w
    g *= 2
    return float(r.dot(r) + lam * w.dot(w)), g


@by_rows(penalised=True)
def ridge_hvp(X, y, w, lam, dw):
    g = X.dot(dw).dot(X)
    g += lam * dw
    g *= 2
    return g


@by_rows(penalised=True)
def logistic_value_and_grad(X, y, w, lam):
    """softplus(-m) = max(-m, 0) + log1p(e) and sigmoid(-m) = (e or 1) / (1 + e), with e = exp(-|m|)."""
    m = X.dot(w)
    m *= y
    e = np.exp(-np.abs(m))
    value = np.log1p(e).sum() - np.minimum(m, 0).sum() + lam / 2 * w.dot(w)
    s = np.where(m > 0, e, 1)
    e += 1
    s /= e
    s *= y
    g = lam * w
    g -= s.dot(X)
    return float(value), g


@by_rows(penalised=True)
def logistic_hvp(X, y, w, lam, dw):
    """The labels are -1 and 1: their square is 1, and the curvature e / (1 + e)^2 is even in the margin."""
    e = np.exp(-np.abs(X.dot(w)))
    c = e + 1
    c *= c
    np.divide(e, c, c)
    c *= X.dot(dw)
    g = c.dot(X)
    g += lam * dw
    return g


@by_rows
def poisson_value_and_grad(X, y, w):
    eta = X.dot(w)
    r = np.exp(eta)
    value = r.sum() - y.dot(eta)
    r -= y
    return float(value), r.dot(X)


@by_rows
def poisson_hvp(X, y, w, dw):
    c = X.dot(w)
    np.exp(c, c)
    c *= X.dot(dw)
    return c.dot(X)


@by_rows(mean=True)
def log_cosh_value_and_grad(X, y, w):
    """log cosh r = |r| + log1p(exp(-2|r|)) - log 2."""
    n = y.size
    r = X.dot(w)
    r -= y
    a = np.abs(r)
    value = a.sum()
    a *= -2
    np.exp(a, a)
    value += np.log1p(a, a).sum()
    np.tanh(r, r)
    r /= n
    return float(value / n - np.log(2.0)), r.dot(X)


@by_rows(mean=True)
def log_cosh_hvp(X, y, w, dw):
    n = y.size
    c = X.dot(w)
    c -= y
    np.tanh(c, c)
    c *= c
    np.subtract(1, c, c)
    c *= X.dot(dw)
    c /= n
    return c.dot(X)


def softmax_value_and_grad(X, Y, W, lam):
    """Scores with the classes along the first axis: maxima and sums run over long rows. The rows of Y sum to 1."""
    P = W.T.dot(X.T)
    Yt = np.ascontiguousarray(Y.T)
    P -= P.max(axis=0)
    value = -np.vdot(Yt, P)
    np.exp(P, P)
    total = P.sum(axis=0)
    value += np.log(total).sum() + lam / 2 * np.vdot(W, W)
    P /= total
    P -= Yt
    G = X.T.dot(P.T)
    G += lam * W
    return float(value), G


def softmax_hvp(X, Y, W, lam, dW):
    P = W.T.dot(X.T)
    P -= P.max(axis=0)
    np.exp(P, P)
    P /= P.sum(axis=0)
    T = dW.T.dot(X.T)
    T -= np.einsum("ij,ij->j", P, T)
    T *= P
    G = X.T.dot(T.T)
    G += lam * dW
    return G


ridge = module("X[n,d] y[n] w[d] lam[]", "w", ridge_value_and_grad, ridge_hvp)
logistic = module("X[n,d] y[n] w[d] lam[]", "w", logistic_value_and_grad, logistic_hvp)
poisson = module("X[n,d] y[n] w[d]", "w", poisson_value_and_grad, poisson_hvp)
log_cosh = module("X[n,d] y[n] w[d]", "w", log_cosh_value_and_grad, log_cosh_hvp)
softmax_regression = module("X[n,d] Y[n,k] W[d,k] lam[]", "W", softmax_value_and_grad, softmax_hvp)
