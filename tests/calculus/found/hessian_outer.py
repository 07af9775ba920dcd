# n = 2, d = 5: ValueError in _hessian: einstein sum subscripts string contains too many subscripts for operand 0
# (seed 1370: operands could not be broadcast together with shapes (5,1,2) (5,5))

from gradgen import Vector, dims, logsumexp, loss

n, d = dims("n d")


@loss(wrt="grad")
def hessian_outer(f: Vector[d], grad: Vector[n]):
    return logsumexp(grad[:, None] * f)
