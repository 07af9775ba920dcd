# The gradient is an array of bool: a mask, into which lam[0]'s 1 is added. (seed 1623)
# lam > 0: actual [True, True, True], expected [2., 1., 1.]
import numpy as np

from gradgen import Vector, dims, loss, unit_interval

d = dims("d")


@loss(wrt="lam")
def bool_gradient(lam: Vector[d, unit_interval]):
    return np.where(lam > 0, lam, 0).sum() + lam[0]
