# A row of literal length 1 has no label: the facts of rows say nothing there.
import numpy as np

from gradgen import Matrix, Vector, dims, loss, one_hot, simplex

n, d = dims("n d")


@loss(wrt="c")
def simplex_one(b: Vector[1, simplex], c: Matrix[d, d]):
    return np.sum(b) + np.sum(c)


@loss(wrt="c")
def column(Y: Matrix[n, 1, one_hot], c: Matrix[n, d]):
    return np.sum(np.sum(Y, axis=1) * np.sum(c * Y, axis=1))


@loss(wrt="c")
def wrong_row(Y: Matrix[n, 1, one_hot], c: Matrix[n, d]):
    """sum(Y) is n, not 1: the one label that is left is not that of the rows."""
    return np.sum(Y) * np.sum(c)
