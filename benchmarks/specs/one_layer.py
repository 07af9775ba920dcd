import numpy as np

from gradgen import Matrix, Vector, dims, loss

n, d, h = dims(n=500, d=50, h=20)


@loss(wrt=("W", "v"))
def one_layer(X: Matrix[n, d], y: Vector[n], W: Matrix[d, h], v: Vector[h]):
    """Regression by a network with one hidden layer: the mean squared error of tanh(XW) v."""
    hidden = np.tanh(X @ W)
    return np.mean((hidden @ v - y) ** 2)
