import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss

n, d, r = dims("n d r")


@loss(wrt=("b", "w", "V"))
def factorization_machine(X: Matrix[n, d], y: Vector[n], b: Scalar, w: Vector[d], V: Matrix[d, r]):
    """Regression by a factorization machine: a linear model plus x_i x_j <V_i, V_j> for every pair of features."""
    pairs = np.sum((X @ V) ** 2 - X**2 @ V**2, axis=1) / 2
    return np.mean((b + X @ w + pairs - y) ** 2)
