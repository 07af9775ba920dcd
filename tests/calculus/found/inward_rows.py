# A row that is subtracted from each row of a matrix was counted once in their sum (seeds 710016, 710021)
import numpy as np

from gradgen import Matrix, dims, function

n, d = dims("n d")


@function(wrt="X")
def centred_squares(X: Matrix[n, d]):
    return np.sum(X * X - np.mean(X * X, axis=0))
