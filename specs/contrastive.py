import numpy as np

from gradgen import Matrix, Scalar, dims, log_softmax, loss, positive

n, d = dims("n d")


@loss(wrt=("A", "B"))
def contrastive(A: Matrix[n, d], B: Matrix[n, d], tau: Scalar[positive]):
    """InfoNCE: each row of A should resemble its own row of B more than any other, at temperature tau."""
    return -np.trace(log_softmax(A @ B.T / tau)) / n
