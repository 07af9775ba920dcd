import numpy as np

from gradgen import Matrix, Vector, dims, loss, nonnegative

n, d = dims(n=2000, d=50)


@loss(wrt="w")
def poisson(X: Matrix[n, d], y: Vector[n, nonnegative], w: Vector[d]):
    """Poisson regression of counts: the negative log-likelihood with rate exp(Xw), up to a constant."""
    eta = X @ w
    return np.sum(np.exp(eta) - y * eta)
