import numpy as np

from gradgen import Matrix, Scalar, boolean, dims, loss

m, n, r = dims(m=200, n=150, r=10)


@loss(wrt=("U", "V"))
def matrix_factorization(R: Matrix[m, n], mask: Matrix[m, n, boolean], U: Matrix[m, r], V: Matrix[n, r], lam: Scalar):
    """Matrix completion: U V' fitted to the entries of R where the mask is 1, with a ridge penalty on both factors."""
    residual = mask * (U @ V.T - R)
    return np.sum(residual**2) + lam * (np.sum(U**2) + np.sum(V**2))
