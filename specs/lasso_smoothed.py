import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss, positive

n, d = dims("n d")


@loss(wrt="w")
def lasso_smoothed(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar, eps: Scalar[positive]):
    """The lasso with sqrt(w^2 + eps^2) in place of |w|, so that it is smooth at 0."""
    residual = X @ w - y
    return residual @ residual / 2 + lam * np.sum(np.sqrt(w**2 + eps**2))
