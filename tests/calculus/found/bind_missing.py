# bind: TypeError: _from_data() missing 1 required positional argument: 'x' (all functions of bound)
import numpy as np

from gradgen import Matrix, Vector, dims, loss

d, k = dims("d k")


@loss(wrt="hvp")
def bind_missing(hvp: Matrix[k, d], x: Vector[d]):
    return np.sum(hvp) + np.max(x + k)
