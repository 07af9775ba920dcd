import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss, nonnegative, softplus

n = dims("n")


@loss(wrt="s")
def bradley_terry(wins: Matrix[n, n, nonnegative], s: Vector[n], lam: Scalar):
    """Bradley-Terry scores: player i beat player j wins[i, j] times, at odds of exp(s_i - s_j)."""
    gap = s[:, None] - s[None, :]
    return np.sum(wins * softplus(-gap)) + lam / 2 * (s @ s)
