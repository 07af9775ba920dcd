import numpy as np

from gradgen import Matrix, Scalar, dims, logsumexp, loss, positive

n, d, k = dims("n d k")


@loss(wrt="C")
def soft_kmeans(X: Matrix[n, d], C: Matrix[k, d], beta: Scalar[positive]):
    """Soft k-means: the soft minimum, at inverse temperature beta, of each row's squared distance to the k centres."""
    distance = np.sum((X[:, None, :] - C) ** 2, axis=2)
    return -np.sum(logsumexp(-beta * distance, axis=1)) / beta
