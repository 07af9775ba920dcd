# bind kept data among zeros, where the sum that puts them together was to be spelled: a KeyError (seed 720000)
import numpy as np

from gradgen import Matrix, Vector, dims, function

n = dims("n")


@function(wrt="Y")
def concatenated_data(Y: Matrix[n, n], X: Vector[n]):
    return np.concatenate([np.einsum("i,i,j->ij", X, X, X), Y])
