# generate: KeyError in spell.py <genexpr>: 1 (seed 408); differences of slices of a logsumexp down columns
import numpy as np

from gradgen import Matrix, dims, loss

d = dims("d")


@loss(wrt="array")
def spell_keyerror(array: Matrix[d, d]):
    B = np.log(np.sum(np.exp(array), axis=0))
    return np.sqrt(np.sum((B[1:] - B[:-1]) ** 2) + 1)
