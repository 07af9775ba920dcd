# The power was taken of the whole matrix, and warned of negative numbers off its diagonal.
import numpy as np

from gradgen import Vector, dims, loss

n = dims("n")


@loss(wrt="x")
def diagonal_of_power(x: Vector[n]):
    A = np.diag(np.abs(x)) - 0.1
    return np.sum(np.hypot(np.diag(A), np.diag(A**2.5)))
