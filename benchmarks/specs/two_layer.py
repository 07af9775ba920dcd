import numpy as np

from gradgen import Matrix, Vector, dims, log_softmax, loss, one_hot, relu

n, d, h, k = dims(n=256, d=50, h=32, k=10)


@loss(wrt=("W1", "b1", "W2", "b2"))
def two_layer(
    X: Matrix[n, d], Y: Matrix[n, k, one_hot], W1: Matrix[d, h], b1: Vector[h], W2: Matrix[h, k], b2: Vector[k]
):
    """Classification by a network of two layers with biases and a rectifier between: the mean cross-entropy."""
    hidden = relu(X @ W1 + b1)
    return -np.sum(Y * log_softmax(hidden @ W2 + b2)) / n
