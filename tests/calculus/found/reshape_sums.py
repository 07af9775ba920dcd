# _loss: ValueError: cannot reshape array of size n into shape (1,)
import numpy as np

from gradgen import Matrix, Vector, dims, loss

n = dims("n")


@loss(wrt="U")
def gram(U: Matrix[n, n], tau: Matrix[n, n]):
    return np.sum(U) + np.mean(tau.T @ tau)


@loss(wrt="U")
def rows(out: Vector[n], X: Matrix[n, n], U: Vector[n]):
    return np.sum(X * np.sum(out) * np.sum(X, axis=1, keepdims=True))
