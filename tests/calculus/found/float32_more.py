import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, loss

n, d = dims("n d")


@loss(wrt="tau")
def b1(tau: Vector[n]):
    return np.sum(tau * n**0.5)


@loss(wrt="shape")
def b2(shape: Matrix[d, d], theta: Matrix[d, d]):
    P = shape + theta
    return (np.trace(P / P.shape[0])) + np.sum(shape**2)


@loss(wrt="c")
def b3(c: Matrix[n, n]):
    return np.sum(np.where(c > 0, c, 0.01 * c))


@loss(wrt="w")
def b4(w: Vector[d], lam: Scalar, m: Scalar):
    return lam * m * np.sum((w - lam) ** 2) / d
