import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss, sign

n, d = dims(n=2000, d=50)


@loss(wrt="w")
def logistic(X: Matrix[n, d], y: Vector[n, sign], w: Vector[d], lam: Scalar):
    """Logistic regression with labels -1 and 1: sum log(1 + exp(-y * Xw)) + lam/2 ||w||^2."""
    margin = y * (X @ w)
    return np.sum(np.log1p(np.exp(-margin))) + lam / 2 * (w @ w)
