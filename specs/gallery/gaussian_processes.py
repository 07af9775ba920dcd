"""Log marginal likelihoods of Gaussian processes (Rasmussen and Williams 2006, 2.30; `sklearn.gaussian_process`).

theta holds the logarithms of the hyperparameters, in scikit-learn's order.
"""

import numpy as np

from gradgen import Matrix, Vector, dims, eye, loss

n, d = dims("n d")


def squared_distances(X):
    return np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)


def log_marginal_likelihood(K, y):
    n = len(y)
    return -0.5 * y @ np.linalg.solve(K, y) - 0.5 * np.linalg.slogdet(K)[1] - n / 2 * np.log(2 * np.pi)


@loss(wrt="theta")
def gp_rbf(X: Matrix[n, d], y: Vector[n], theta: Vector[3]):
    """`ConstantKernel() * RBF() + WhiteKernel()`."""
    amplitude, length, noise = np.exp(theta)
    K = amplitude * np.exp(-0.5 * squared_distances(X / length)) + noise * eye(n)
    return log_marginal_likelihood(K, y)


@loss(wrt="theta")
def gp_ard(X: Matrix[n, d], y: Vector[n], theta: Vector[d + 2]):
    """`ConstantKernel() * RBF([1, ...]) + WhiteKernel()`: a length scale for each column, by the Cholesky factor."""
    hyper = np.exp(theta)
    K = hyper[0] * np.exp(-0.5 * squared_distances(X / hyper[1:-1])) + hyper[-1] * eye(n)
    L = np.linalg.cholesky(K)
    z = np.linalg.solve(L, y)
    return -0.5 * z @ z - np.sum(np.log(np.diag(L))) - n / 2 * np.log(2 * np.pi)


@loss(wrt="theta")
def gp_rational_quadratic(X: Matrix[n, d], y: Vector[n], theta: Vector[3]):
    """`RationalQuadratic() + WhiteKernel()`."""
    alpha, length, noise = np.exp(theta)
    K = (1 + squared_distances(X) / (2 * alpha * length**2)) ** -alpha + noise * eye(n)
    return log_marginal_likelihood(K, y)


@loss(wrt="theta")
def gp_periodic(x: Vector[n], y: Vector[n], theta: Vector[3]):
    """`ExpSineSquared() + WhiteKernel()`, for one column."""
    length, period, noise = np.exp(theta)
    distance = np.abs(x[:, None] - x[None, :])
    K = np.exp(-2 * (np.sin(np.pi * distance / period) / length) ** 2) + noise * eye(n)
    return log_marginal_likelihood(K, y)


@loss(wrt="theta")
def gp_linear(X: Matrix[n, d], y: Vector[n], theta: Vector[2]):
    """`DotProduct() + WhiteKernel()`: Bayesian linear regression."""
    sigma_0, noise = np.exp(theta)
    return log_marginal_likelihood(X @ X.T + sigma_0**2 + noise * eye(n), y)
