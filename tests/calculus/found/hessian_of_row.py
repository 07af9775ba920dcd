# A Matrix[1, n] gets a hessian; the contract has it for one Vector or one Scalar.
import numpy as np

from gradgen import Matrix, dims, loss

n = dims("n")


@loss(wrt="x")
def hessian_of_row(x: Matrix[1, n]):
    return np.sum(x**2)
