import numpy as np

from gradgen import Matrix, dims, loss

n, d, h = dims(n=500, d=50, h=20)


@loss(wrt="V")
def column_sums(X: Matrix[n, d], V: Matrix[d, h]):
    """|1' f(X V)|^2, with f = tanh entry by entry."""
    total = np.sum(np.tanh(X @ V), axis=0)
    return total @ total
