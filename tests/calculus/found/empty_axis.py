# At n = 1 the sum is empty: 0, not 0 times 1 / 0.
import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss

n, k = dims("n k")


@loss(wrt="a")
def empty_axis(tau: Vector[n], dw: Scalar, a: Matrix[k, k]):
    z = tau[:-1] * (dw - dw)
    return np.sum((np.exp(z) / np.sum(np.exp(z), axis=0, keepdims=True)) ** 2)
