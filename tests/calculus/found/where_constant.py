# V / V is 1, so the mask is the number 1 > 0: _grad: AttributeError: 'int' object has no attribute 'astype' (seed 486)
# Also _from_data: "bool object has no attribute astype" (seed 1078)
import numpy as np

from gradgen import Matrix, Vector, dims, loss

n, k = dims("n k")


@loss(wrt="f")
def where_constant(f: Vector[k], out: Matrix[n, k], V: Vector[k]):
    return np.sum(np.where((V / V) > 0, out, f))
