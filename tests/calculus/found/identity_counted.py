# D⁻¹ D is the identity, whose entries sum to n: they were counted once where other arguments came first (seed 5000082)
import numpy as np

from gradgen import Diagonal, Elementwise, Vector, dims, function

n, d = dims("n d")


@function(wrt="x")
def identity_counted(tau: Vector[d], f: Elementwise, D: Diagonal[n], x: Vector[d]):
    return np.sum(np.linalg.solve(D, D)) + np.sum(f(x))
