import numpy as np

from gradgen import Matrix, Scalar, dims, log_softmax, loss, one_hot

n, d, k = dims(n=1000, d=50, k=10)


@loss(wrt="W")
def softmax_regression(X: Matrix[n, d], Y: Matrix[n, k, one_hot], W: Matrix[d, k], lam: Scalar):
    """Multi-class logistic regression: the cross-entropy of n samples in k classes + lam/2 ||W||^2."""
    return -np.sum(Y * log_softmax(X @ W)) + lam / 2 * np.sum(W**2)
