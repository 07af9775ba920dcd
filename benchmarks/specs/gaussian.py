import numpy as np

from gradgen import SPD, Matrix, Vector, dims, loss

n, d = dims(n=500, d=50)


@loss(wrt=("mu", "P"))
def gaussian(X: Matrix[n, d], mu: Vector[d], P: SPD[d]):
    """Minus the log-likelihood of a Gaussian with the precision matrix P, up to a constant."""
    Z = X - mu
    return np.sum((Z @ P) * Z) / 2 - n / 2 * np.linalg.slogdet(P)[1]
