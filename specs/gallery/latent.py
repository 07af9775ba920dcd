"""Likelihoods of latent variables, and embeddings: factor analysis, probabilistic PCA, t-SNE, NCA, MDS, ICA."""

import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, eye, loss, nonnegative, positive

n, d, k = dims("n d k")


def gaussian_log_likelihood(X, mean, cov):
    n, d = X.shape
    Z = X - mean
    mahalanobis = np.sum(Z @ np.linalg.inv(cov) * Z)
    return -0.5 * (mahalanobis / n + np.linalg.slogdet(cov)[1] + d * np.log(2 * np.pi))


@loss(wrt=("W", "psi"))
def factor_analysis(X: Matrix[n, d], mean: Vector[d], W: Matrix[k, d], psi: Vector[d, positive]):
    """`FactorAnalysis.score`: the mean log-likelihood (Barber 2012, 21.1)."""
    return gaussian_log_likelihood(X, mean, W.T @ W + np.diag(psi))


@loss(wrt=("W", "sigma2"))
def probabilistic_pca(X: Matrix[n, d], mean: Vector[d], W: Matrix[d, k], sigma2: Scalar[positive]):
    """`PCA.score`: the mean log-likelihood of Tipping and Bishop (1999)."""
    return gaussian_log_likelihood(X, mean, W @ W.T + sigma2 * eye(d))


@loss(wrt="Y")
def tsne(P: Matrix[n, n, nonnegative], Y: Matrix[n, k]):
    """KL(P || Q) of t-SNE (van der Maaten and Hinton 2008, equations 4 and 5; their tsne.py)."""
    sum_Y = np.sum(np.square(Y), 1)
    num = -2.0 * np.dot(Y, Y.T)
    num = 1.0 / (1.0 + np.add(np.add(num, sum_Y).T, sum_Y))
    num = num * (1 - eye(n))
    Q = num / np.sum(num)
    Q = np.maximum(Q, 1e-12)
    return np.sum(P * np.log(np.maximum(P, 1e-12) / Q))


@loss(wrt="A")
def neighbourhood_components(X: Matrix[n, d], same_class: Matrix[n, n], A: Matrix[k, d]):
    """`NeighborhoodComponentsAnalysis`: the expected number of points classified correctly (Goldberger et al. 2005)."""
    Z = X @ A.T
    distances = np.sum((Z[:, None, :] - Z[None, :, :]) ** 2, axis=2)
    p = np.exp(-distances) * (1 - eye(n))
    p = p / np.sum(p, axis=1, keepdims=True)
    return np.sum(p * same_class)


@loss(wrt="X")
def mds_stress(D: Matrix[n, n, nonnegative], X: Matrix[n, k]):
    """`sklearn.manifold.smacof`: the raw stress of metric multidimensional scaling (Kruskal 1964)."""
    distances = np.linalg.norm(X[:, None, :] - X[None, :, :], axis=2)
    return np.sum((distances - D) ** 2) / 2


@loss(wrt="W")
def infomax_ica(X: Matrix[k, n], W: Matrix[k, k]):
    """Independent components by maximum likelihood with a logistic prior (Bell and Sejnowski 1995; Picard's loss)."""
    Y = W @ X
    return -np.log(np.abs(np.linalg.det(W))) + np.sum(2 * np.log(np.cosh(Y / 2))) / n


@loss(wrt="w")
def negentropy(Z: Matrix[n, d], w: Vector[d]):
    """`FastICA` with fun="logcosh": the contrast of one direction on whitened data (Hyvärinen 1999)."""
    u = Z @ w / np.sqrt(w @ w)
    return -np.mean(np.log(np.cosh(u)))
