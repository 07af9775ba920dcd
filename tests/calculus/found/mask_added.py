# A sum that a large number multiplies was opened, so that 1e9 (1 - 1) took the digits of what it is added to.
import numpy as np

from gradgen import Matrix, Vector, dims, log_softmax, loss, ones

n, d = dims("n d")


@loss(wrt="q")
def mask_added(q: Matrix[n, d], k: Matrix[n, d], pad: Vector[n], y: Matrix[n, n]):
    s = q @ k.T + (1.0 - pad) * -1e9
    return -np.sum(y * log_softmax(s, axis=1))


@loss(wrt="x")
def causal(x: Matrix[n, n], y: Matrix[n, n]):
    s = x + (1 - np.tril(ones(n, n))) * -1e10
    return -np.sum(y * log_softmax(s, axis=1))
