# float32 in, float64 out: grad of a mean of float32 (constants broadcast: 1 / n).
import numpy as np

from gradgen import Matrix, Vector, dims, loss

n = dims("n")


@loss(wrt="f")
def float32_mean(f: Vector[n]):
    return np.mean(f)


@loss(wrt="f")
def literal(f: Matrix[n, 2]):
    return f.mean()
