import numpy as np

from gradgen import Matrix, dims, loss

m, k = dims(m=200, k=100)


@loss(wrt="X")
def trace_quadratic(A: Matrix[m, m], X: Matrix[m, k]):
    """<A, X X'> = tr(A' X X')."""
    return np.trace(A.T @ X @ X.T)
