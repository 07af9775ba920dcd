import numpy as np

from gradgen import Matrix, dims, loss, nonnegative, positive

m, n, r = dims("m n r")


@loss(wrt=("W", "H"))
def nmf_kl(V: Matrix[m, n, nonnegative], W: Matrix[m, r, positive], H: Matrix[r, n, positive]):
    """Nonnegative matrix factorization: the Kullback-Leibler divergence of WH from V, up to a constant."""
    WH = W @ H
    return np.sum(WH - V * np.log(WH))
