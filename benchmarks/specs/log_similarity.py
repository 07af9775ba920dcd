import numpy as np

from gradgen import Matrix, dims, loss, ones

n, d = dims(n=200, d=20)


@loss(wrt="V")
def log_similarity(K: Matrix[n, n], V: Matrix[n, d]):
    """log(1' exp(V V')) K 1, with exp and log entry by entry."""
    return np.log(ones(n) @ np.exp(V @ V.T)) @ K @ ones(n)
