import numpy as np

from gradgen import Matrix, Vector, dims, loss

n = dims(n=50)


@loss(wrt="X")
def determinant_log(B: Matrix[n, n], a: Vector[n], X: Matrix[n, n]):
    """det(X + B) log(a' X^-1 a) - tr(X)."""
    return np.linalg.det(X + B) * np.log(a @ np.linalg.inv(X) @ a) - np.trace(X)
