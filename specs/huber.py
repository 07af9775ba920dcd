import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss, positive

n, d = dims("n d")


@loss(wrt="w")
def huber(X: Matrix[n, d], y: Vector[n], w: Vector[d], delta: Scalar[positive]):
    """Huber's robust regression: a square up to delta, a line beyond it."""
    r = X @ w - y
    size = np.abs(r)
    return np.sum(np.where(size <= delta, r**2 / 2, delta * (size - delta / 2)))
