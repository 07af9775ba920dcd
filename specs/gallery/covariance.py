"""Likelihoods of covariance and precision matrices."""

import numpy as np

from gradgen import SPD, Matrix, Scalar, Vector, dims, loss, positive

n, d = dims("n d")


@loss(wrt="Theta")
def graphical_lasso_smooth(S: SPD[d], Theta: SPD[d]):
    """The smooth part of the graphical lasso, tr(S Theta) - log det(Theta) (Friedman, Hastie and Tibshirani 2008)."""
    return np.trace(S @ Theta) - np.linalg.slogdet(Theta)[1]


@loss(wrt=("mu", "Sigma"))
def multivariate_normal(X: Matrix[n, d], mu: Vector[d], Sigma: SPD[d]):
    """Minus the log-likelihood of a multivariate normal (`scipy.stats.multivariate_normal`)."""
    Z = X - mu
    return 0.5 * (np.sum(Z * np.linalg.solve(Sigma, Z.T).T) + n * np.linalg.slogdet(2 * np.pi * Sigma)[1])


@loss(wrt=("mu", "Sigma", "nu"))
def multivariate_t(X: Matrix[n, d], mu: Vector[d], Sigma: SPD[d], nu: Scalar[positive]):
    """Minus the log-likelihood of a multivariate Student t (`scipy.stats.multivariate_t`), with nu fitted too."""
    from scipy.special import gammaln

    Z = X - mu
    maha = np.einsum("ij,jk,ik->i", Z, np.linalg.inv(Sigma), Z)
    const = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) - np.linalg.slogdet(Sigma)[1] / 2
    return -np.sum(const - (nu + d) / 2 * np.log1p(maha / nu))
