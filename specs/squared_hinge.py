import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss, sign

n, d = dims("n d")


@loss(wrt=("w", "b"))
def squared_hinge(X: Matrix[n, d], y: Vector[n, sign], w: Vector[d], b: Scalar, C: Scalar):
    """The linear support vector machine with squared hinge: ||w||^2 / 2 + C sum max(0, 1 - y (Xw + b))^2."""
    slack = np.maximum(0, 1 - y * (X @ w + b))
    return w @ w / 2 + C * np.sum(slack**2)
