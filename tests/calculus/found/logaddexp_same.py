# logaddexp(x, x): grad is half of what it should be where the cotangent is not constant.
# Sum(logaddexp(x, x)) alone: grad of float32 was int64.
import numpy as np

from gradgen import Matrix, Vector, dims, loss

n, d = dims("n d")


@loss(wrt="array")
def logaddexp_same(array: Matrix[n, d]):
    return np.sum(np.exp(np.logaddexp(array, array)))


@loss(wrt="x")
def alone(x: Vector[n]):
    return np.sum(np.logaddexp(x, x))


@loss(wrt="x")
def hypot(x: Vector[n]):
    return np.sum(np.exp(np.hypot(x, x)))


@loss(wrt="x")
def minimum(x: Vector[n]):
    return np.sum(np.exp(np.minimum(x, x)))


@loss(wrt="x")
def power(x: Vector[n]):
    return np.sum(np.exp(-((1 + x * x) ** (1 + x * x))))


@loss(wrt="x")
def where(x: Vector[n]):
    return np.sum(np.where(x > 0, x, x))
