"""Mixtures of Gaussians."""

import numpy as np
from scipy.special import logsumexp

from gradgen import Matrix, Scalar, Tensor, Vector, dims, eye, loss, positive

n, d, k = dims("n d k")


@loss(wrt=("alphas", "means", "q", "L"))
def adbench_gmm(
    x: Matrix[n, d],
    alphas: Vector[k],
    means: Matrix[k, d],
    q: Matrix[k, d],
    L: Tensor[k, d, d],
    gamma: Scalar[positive],
    m: Scalar[positive],
):
    """The log-posterior of ADBench (Srajer, Kukelova and Fitzgibbon 2018, equations 4 to 7).

    The inverse covariance of component k has the factor diag(exp(q_k)) + the strictly lower part of L_k; a Wishart
    prior of precision gamma and degrees m regularises it. The constant of the prior is left out.
    """
    factor = np.tril(L, -1) + np.exp(q)[:, :, None] * eye(d)
    z = np.einsum("kij,nkj->nki", factor, x[:, None, :] - means)
    terms = alphas + np.sum(q, axis=1) - 0.5 * np.sum(z**2, axis=2)
    likelihood = np.sum(logsumexp(terms, axis=1)) - n * logsumexp(alphas) - n * d * 0.5 * np.log(2 * np.pi)
    prior = 0.5 * gamma**2 * np.sum(factor**2) - m * np.sum(q)
    return likelihood + prior


@loss(wrt=("means", "precisions_cholesky"))
def full_gaussian_mixture(
    X: Matrix[n, d], weights: Vector[k, positive], means: Matrix[k, d], precisions_cholesky: Tensor[k, d, d]
):
    """`GaussianMixture.score`: the mean log-likelihood, with upper triangular factors of the precisions."""
    y = np.matmul(X, precisions_cholesky) - np.matmul(means[:, None, :], precisions_cholesky)
    log_det = np.sum(np.log(np.diagonal(precisions_cholesky, axis1=1, axis2=2)), axis=1)
    log_prob = -0.5 * (d * np.log(2 * np.pi) + np.sum(y**2, axis=2).T) + log_det
    return np.mean(logsumexp(log_prob + np.log(weights), axis=1))


@loss(wrt=("mu", "Sigma"))
def covariance_mixture(X: Matrix[n, d], weights: Vector[k, positive], mu: Matrix[k, d], Sigma: Tensor[k, d, d]):
    """Minus the log-likelihood by the covariances themselves, batched over the components (Bishop 2006, 9.14)."""
    diff = X[None, :, :] - mu[:, None, :]
    maha = np.einsum("kni,kij,knj->nk", diff, np.linalg.inv(Sigma), diff)
    log_density = -0.5 * (maha + np.linalg.slogdet(Sigma)[1] + d * np.log(2 * np.pi))
    return -np.sum(logsumexp(np.log(weights) + log_density, axis=-1))
