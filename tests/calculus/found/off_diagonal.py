import numpy as np

from gradgen import (
    Matrix,
    dims,
    eye,
    loss,
)

n, d, k, m, h = dims("n d k m h")


@loss(wrt="D")
def unif(D: Matrix[n, n]):
    """Off-diagonal sum."""
    return np.log(np.sum((1 - eye(n)) * np.exp(-D)))
