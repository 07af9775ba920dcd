"""Log-likelihoods of generalised linear models, like statsmodels' `GLM` at scale 1 (McCullagh and Nelder 1989)."""

import numpy as np
from scipy.special import expit, gammaln, ndtr

from gradgen import Matrix, Scalar, Vector, dims, integer, loss, nonnegative, positive, unit_interval

n, p = dims("n p")


def bernoulli(y, mu):
    return np.sum(y * np.log(mu) + (1 - y) * np.log(1 - mu))


def gamma(y, mu):
    return np.sum(np.log(y / mu) - y / mu - np.log(y))


@loss(wrt="beta")
def glm_gaussian(X: Matrix[n, p], y: Vector[n], beta: Vector[p]):
    """`Gaussian()` with the identity link."""
    return -0.5 * np.sum((y - X @ beta) ** 2 + np.log(2 * np.pi))


@loss(wrt="beta")
def glm_logit(X: Matrix[n, p], y: Vector[n, unit_interval], beta: Vector[p]):
    """`Binomial()` with the logit link."""
    return bernoulli(y, expit(X @ beta))


@loss(wrt="beta")
def glm_probit(X: Matrix[n, p], y: Vector[n, unit_interval], beta: Vector[p]):
    """`Binomial(links.Probit())`."""
    return bernoulli(y, ndtr(X @ beta))


@loss(wrt="beta")
def glm_cloglog(X: Matrix[n, p], y: Vector[n, unit_interval], beta: Vector[p]):
    """`Binomial(links.CLogLog())`."""
    return bernoulli(y, 1 - np.exp(-np.exp(X @ beta)))


@loss(wrt="beta")
def glm_cauchit(X: Matrix[n, p], y: Vector[n, unit_interval], beta: Vector[p]):
    """`Binomial(links.Cauchy())`."""
    return bernoulli(y, 0.5 + np.arctan(X @ beta) / np.pi)


@loss(wrt="beta")
def glm_poisson(X: Matrix[n, p], y: Vector[n, integer], exposure: Vector[n, positive], beta: Vector[p]):
    """`Poisson()` with the log link and an exposure."""
    mu = exposure * np.exp(X @ beta)
    return np.sum(y * np.log(mu) - mu - gammaln(y + 1))


@loss(wrt="beta")
def glm_gamma_log(X: Matrix[n, p], y: Vector[n, positive], beta: Vector[p]):
    """`Gamma(links.Log())`."""
    return gamma(y, np.exp(X @ beta))


@loss(wrt="beta")
def glm_gamma_inverse(X: Matrix[n, p, positive], y: Vector[n, positive], beta: Vector[p, positive]):
    """`Gamma()` with its canonical link, 1 / mu."""
    return gamma(y, 1 / (X @ beta))


@loss(wrt="beta")
def glm_inverse_gaussian(X: Matrix[n, p], y: Vector[n, positive], beta: Vector[p]):
    """`InverseGaussian(links.Log())`."""
    mu = np.exp(X @ beta)
    return -0.5 * np.sum((y - mu) ** 2 / (y * mu**2) + np.log(2 * np.pi * y**3))


@loss(wrt="beta")
def glm_negative_binomial(
    X: Matrix[n, p], y: Vector[n, integer, nonnegative], beta: Vector[p], alpha: Scalar[positive]
):
    """`NegativeBinomial(alpha=...)` with the log link."""
    mu = np.exp(X @ beta)
    a = 1 / alpha
    return np.sum(
        y * np.log(alpha * mu) - (y + a) * np.log1p(alpha * mu) + gammaln(y + a) - gammaln(a) - gammaln(y + 1)
    )


@loss(wrt="beta")
def tukey_biweight(X: Matrix[n, p], y: Vector[n], beta: Vector[p], scale: Scalar[positive]):
    """`statsmodels.robust.norms.TukeyBiweight`: a robust linear model at a given scale (Beaton and Tukey 1974)."""
    c = 4.685
    z = (y - X @ beta) / scale
    inside = c**2 / 6 * (1 - (1 - (z / c) ** 2) ** 3)
    return np.sum(np.where(np.abs(z) <= c, inside, c**2 / 6))
