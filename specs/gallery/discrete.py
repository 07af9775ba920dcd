"""Log-likelihoods of counts, choices, ordered answers and rates (Cameron and Trivedi 2013; `statsmodels.discrete`).

Where params is one vector, its last entries are the further parameters, in statsmodels' order.
"""

import numpy as np
from scipy.special import expit, gammaln, xlog1py, xlogy

from gradgen import Indices, Matrix, Vector, dims, eye, integer, loss, nonnegative, softmax, unit_interval

n, p, q, k = dims("n p q k")


@loss(wrt="params")
def negative_binomial_2(X: Matrix[n, p], y: Vector[n, integer, nonnegative], params: Vector[p + 1]):
    """`NegativeBinomial`: NB2, whose dispersion alpha is fitted too."""
    beta, alpha = params[:-1], params[-1]
    mu = np.exp(X @ beta)
    size = 1 / alpha
    prob = size / (size + mu)
    coeff = gammaln(size + y) - gammaln(y + 1) - gammaln(size)
    return np.sum(coeff + size * np.log(prob) + y * np.log(1 - prob))


@loss(wrt="params")
def generalized_poisson(X: Matrix[n, p], y: Vector[n, integer, nonnegative], params: Vector[p + 1]):
    """`GeneralizedPoisson` with p=1 (Consul and Famoye 1992)."""
    mu = np.exp(X @ params[:-1])
    alpha = params[-1]
    a1 = 1 + alpha
    a2 = mu + alpha * y
    return np.sum(np.log(mu) + (y - 1) * np.log(a2) - y * np.log(a1) - gammaln(y + 1) - a2 / a1)


@loss(wrt="params")
def zero_inflated_poisson(Z: Matrix[n, q], X: Matrix[n, p], y: Vector[n, integer, nonnegative], params: Vector[q + p]):
    """`ZeroInflatedPoisson` with a logit for the inflation (Lambert 1992)."""
    q = Z.shape[1]
    w = expit(Z @ params[:q])
    mu = np.exp(X @ params[q:])
    poisson = y * np.log(mu) - mu - gammaln(y + 1)
    return np.sum(np.where(y == 0, np.log(w + (1 - w) * np.exp(-mu)), np.log(1 - w) + poisson))


@loss(wrt="W")
def multinomial_logit(X: Matrix[n, p], y: Indices[n, k], W: Matrix[p, k]):
    """`MNLogit`, the first class being the base in statsmodels."""
    prob = softmax(X @ W, axis=1)
    return np.sum(eye(k)[y] * np.log(prob))


@loss(wrt="params")
def ordered_logit(X: Matrix[n, p], y: Indices[n, 4], params: Vector[p + 3]):
    """`OrderedModel` with four answers: the thresholds are params[p], and its successors by exponential steps."""
    beta, first, steps = params[:-3], params[-3:-2], params[-2:]
    cuts = np.cumsum(np.concatenate([first, np.exp(steps)]))
    eta = X @ beta
    upper = np.concatenate([cuts, [np.inf]])[y]
    lower = np.concatenate([[-np.inf], cuts])[y]
    return np.sum(np.log(expit(upper - eta) - expit(lower - eta)))


@loss(wrt="params")
def beta_regression(X: Matrix[n, p], y: Vector[n, unit_interval], params: Vector[p + 1]):
    """`BetaModel`: rates, with a logit for the mean and a log for the precision (Ferrari and Cribari-Neto 2004)."""
    mu = expit(X @ params[:-1])
    phi = np.exp(params[-1])
    alpha, beta = mu * phi, (1 - mu) * phi
    return np.sum(gammaln(phi) - gammaln(alpha) - gammaln(beta) + xlogy(alpha - 1, y) + xlog1py(beta - 1, -y))
