import numpy as np

from gradgen import Matrix, Scalar, dims, loss

m, n, k = dims(m=100, n=200, k=20)


@loss(wrt=("D", "R"))
def dictionary_learning(X: Matrix[m, n], D: Matrix[m, k], R: Matrix[k, n], lam: Scalar):
    """Dictionary learning: ||X - D R||^2 / 2 + lam ||R||_1, a dictionary D of k atoms and sparse codes R."""
    return np.sum((X - D @ R) ** 2) / 2 + lam * np.sum(np.abs(R))
