"""The gallery against SciPy's functions and distributions, and against derivatives in print."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod
from sklearn.datasets import load_iris

RNG = np.random.default_rng(0)
IRIS = load_iris().data


def test_rosenbrock(gallery: Any, agree: Any) -> None:
    x, direction = RNG.normal(size=(2, 9))
    module = gallery("rosenbrock")
    agree(module.loss(x), rosen(x))
    agree(module.grad(x), rosen_der(x))
    agree(module.hvp(x, direction), rosen_hess_prod(x, direction))
    agree(module.hessian(x), rosen_hess(x))


def test_multivariate_normal(gallery: Any, agree: Any) -> None:
    mu, Sigma = IRIS.mean(axis=0), np.cov(IRIS.T, bias=True)
    module = gallery("multivariate_normal")
    agree(module.loss(IRIS, mu + 0.1, Sigma), -stats.multivariate_normal(mu + 0.1, Sigma).logpdf(IRIS).sum())
    for at_maximum, beside in zip(module.grad(IRIS, mu, Sigma), module.grad(IRIS, mu + 1, Sigma), strict=True):
        assert np.max(np.abs(at_maximum)) < 1e-11 * np.max(np.abs(beside))


def test_multivariate_t(gallery: Any, agree: Any) -> None:
    mu, Sigma = IRIS.mean(axis=0), np.cov(IRIS.T)
    value = -stats.multivariate_t(mu, Sigma, df=4.5).logpdf(IRIS).sum()
    agree(gallery("multivariate_t").loss(IRIS, mu, Sigma, 4.5), value)


def test_adbench_gmm(gallery: Any, agree: Any) -> None:
    """The likelihood as a mixture of SciPy's normals, and the prior by its formula."""
    alphas, means, q = RNG.normal(size=3), IRIS[::50], RNG.normal(size=(3, 4)) / 3
    L, gamma, m = RNG.normal(size=(3, 4, 4)), 0.8, 2.0
    factors = [np.tril(lower, -1) + np.diag(np.exp(diagonal)) for lower, diagonal in zip(L, q, strict=True)]
    weights = np.exp(alphas) / np.exp(alphas).sum()
    densities = [
        stats.multivariate_normal(mean, np.linalg.inv(f.T @ f)).pdf(IRIS)
        for mean, f in zip(means, factors, strict=True)
    ]
    prior = sum(gamma**2 / 2 * np.sum(f**2) for f in factors) - m * q.sum()
    value = np.log(weights @ densities).sum() + prior
    agree(gallery("adbench_gmm").loss(IRIS, alphas, means, q, L, gamma, m), value)


def test_weibull_aft(gallery: Any, agree: Any) -> None:
    X, beta, log_sigma = IRIS[:, :2], np.array([0.2, -0.1]), -0.3
    time, event = IRIS[:, 2], np.arange(150) % 3 > 0
    law = stats.weibull_min(np.exp(-log_sigma), scale=np.exp(X @ beta))
    value = -np.where(event, law.logpdf(time), law.logsf(time)).sum()
    agree(gallery("weibull_aft").loss(X, time, event, beta, log_sigma), value)
