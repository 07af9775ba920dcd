import numpy as np

from gradgen import Scalar, Vector, dims, loss, positive

n = dims("n")


@loss(wrt="x")
def total_variation(y: Vector[n], x: Vector[n], lam: Scalar, eps: Scalar[positive]):
    """Denoising of a signal: ||x - y||^2 / 2 + lam times the smoothed sum of the jumps of x."""
    jump = x[1:] - x[:-1]
    return np.sum((x - y) ** 2) / 2 + lam * np.sum(np.sqrt(jump**2 + eps**2))
