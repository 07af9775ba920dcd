import numpy as np

from gradgen import Matrix, Vector, dims, log_softmax, logsumexp, loss

n, d, k = dims(n=500, d=10, k=10)


@loss(wrt=("logits", "mu", "log_sigma"))
def gaussian_mixture(X: Matrix[n, d], logits: Vector[k], mu: Matrix[k, d], log_sigma: Matrix[k, d]):
    """A mixture of k diagonal Gaussians: the negative log-likelihood of the rows of X.

    The weights are softmax(logits), so that they are positive and sum to 1; the standard deviations are exp(log_sigma).
    """
    z = (X[:, None, :] - mu) / np.exp(log_sigma)
    log_density = -np.sum(z**2, axis=2) / 2 - np.sum(log_sigma, axis=1) - d / 2 * np.log(2 * np.pi)
    return -np.sum(logsumexp(log_softmax(logits) + log_density, axis=1))
