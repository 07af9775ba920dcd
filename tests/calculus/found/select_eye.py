# generate: ValueError in select.py index: max() arg is an empty sequence
import numpy as np

from gradgen import Vector, dims, eye, loss

d = dims("d")


@loss(wrt="V")
def select_eye(V: Vector[d]):
    return V.sum() - np.sum((V * eye(d))[::-1])
