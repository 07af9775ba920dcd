import numpy as np

from gradgen import Matrix, Vector, dims, loss

n, d = dims(n=2000, d=50)


@loss(wrt="w")
def log_cosh(X: Matrix[n, d], y: Vector[n], w: Vector[d]):
    """Robust regression by log cosh: a square near 0, an absolute value far away."""
    return np.mean(np.log(np.cosh(X @ w - y)))
