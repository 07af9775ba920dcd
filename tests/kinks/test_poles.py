"""Products with zeros, singular determinants, logarithms of 0 times 0, numbers far out."""

from __future__ import annotations

import numpy as np
from conventions import EMPTY, Case, conventions, of_matrix, of_square, of_two, of_vector


def _power_of_0(word, exponent, grad):
    """A power of 0 and of 1, whose second derivative is 0."""
    loss = 1 if exponent else 2
    return Case(f"np.sum({word})", "x: Vector[n], p: Scalar", ([0, 1], exponent), loss, grad, [0, 0])


CASES = {
    "prod without a zero": of_vector("np.prod(x)", [2, 3, 4], 24, [12, 8, 6], [7, 6, 5]),
    "prod with a zero": of_vector("np.prod(x)", [2, 0, 3], 0, [0, 6, 0], [3, 5, 2]),
    "prod with two": of_vector("np.prod(x)", [0, 0, 3], 0, [0, 0, 0], [3, 3, 0]),
    "prod with three": of_vector("np.prod(x)", [0, 0, 0], 0, [0, 0, 0], [0, 0, 0]),
    "prod of one": of_vector("np.prod(x)", [0], 0, [1], [0]),
    "prod of none": of_vector("np.prod(x)", EMPTY, 1, EMPTY, EMPTY),
    "prod squared": of_vector("np.prod(x) ** 2", [2, 0], 0, [0, 0], [0, 8]),
    "prod of rows": of_matrix("np.sum(np.prod(X, axis=1))", [[0, 2], [0, 0]], 0, [[2, 0], [0, 0]], [[1, 1], [1, 1]]),
    "prod of columns": of_matrix("np.sum(np.prod(X, axis=0))", [[0, 2], [5, 0]], 0, [[5, 0], [0, 2]], [[1, 1], [1, 1]]),
    "prod of all": of_matrix("np.prod(X)", [[0, 2], [5, 1]], 0, [[10, 0], [0, 0]], [[17, 5], [2, 10]]),
    "prod of expressions": of_vector("np.prod(1 - np.exp(x))", [0, np.log(2)], 0, [1, 0], None),
    "det of 0": of_square("np.linalg.det(X)", np.zeros((2, 2)), 0, np.zeros((2, 2)), [[1, -1], [-1, 1]]),
    "det of rank 1": of_square("np.linalg.det(X)", [[1, 2], [2, 4]], 0, [[4, -2], [-2, 1]], [[1, -1], [-1, 1]]),
    "det of 0 of size 3": of_square("np.linalg.det(X)", np.zeros((3, 3)), 0, np.zeros((3, 3)), np.zeros((3, 3))),
    "det of size 1": of_square("np.linalg.det(X)", [[0]], 0, [[1]], [[0]]),
    "xlogy": of_two("np.sum(scipy.special.xlogy(x, y))", [0, 1], [1, np.e], 1, ([0, 1], [0, 1 / np.e]), None),
    "xlogy of data": Case(
        "np.sum(scipy.special.xlogy(y, x))",
        "y: Vector[n], x: Vector[n]",
        ([0, 2, 0], [0, 1, -1]),
        0,
        [0, 2, 0],
        [0, -2, 0],
    ),
    "xlogy of a count": Case(
        "np.sum(scipy.special.xlogy(y, X @ w))",
        "y: Vector[n], X: Matrix[n, d], w: Vector[d]",
        ([0, 2], np.eye(2), [0, 1]),
        0,
        [0, 2],
        [0, -2],
        wrt="w",
    ),
    "xlog1py of data": Case(
        "np.sum(scipy.special.xlog1py(y, x))", "y: Vector[n], x: Vector[n]", ([0, 2], [-1, 0]), 0, [0, 2], [0, -2]
    ),
    "binary cross entropy at the ends": Case(
        "-np.sum(scipy.special.xlogy(y, p) + scipy.special.xlog1py(1 - y, -p))",
        "y: Vector[n], p: Vector[n]",
        ([0, 1], [0, 1]),
        0,
        [1, -1],
        [1, 1],
        wrt="p",
    ),
    "rel_entr of data": Case(
        "np.sum(scipy.special.rel_entr(y, x))",
        "y: Vector[n], x: Vector[n]",
        ([0, 1], [0, 2]),
        -np.log(2),
        [0, -0.5],
        [0, 0.25],
    ),
    "rel_entr of data at a positive": Case(
        "np.sum(scipy.special.rel_entr(y, x))",
        "y: Vector[n], x: Vector[n]",
        ([0, 1], [3, 2]),
        -np.log(2),
        [0, -0.5],
        [0, 0.25],
    ),
    "rel_entr of itself": of_vector("np.sum(scipy.special.rel_entr(x, x))", [0, 2], 0, [0, 0], [0, 0]),
    "rel_entr of its double": of_vector(
        "np.sum(scipy.special.rel_entr(x, 2 * x))", [0, 2], -2 * np.log(2), [-np.log(2), -np.log(2)], [0, 0]
    ),
    "rel_entr of itself times a factor": of_vector(
        "np.sum(scipy.special.rel_entr(x, x * np.exp(x)))", [0, 2], -4, [0, -4], [-2, -2]
    ),
    "entr": of_vector("np.sum(scipy.special.entr(x))", [1, np.e], -np.e, [-1, -2], [-1, -1 / np.e]),
    "entr at 0": of_vector("np.sum(scipy.special.entr(x))", [0, 1], 0, [np.inf, -1], None),
    "a power of 0": of_vector("np.sum(x ** 3 + x ** 2 + x ** 1 + x ** 0)", [0, 1], 5, [1, 6], [2, 8]),
    "a real power of 0": of_vector("np.sum(x ** 2.5)", [0, 1], 1, [0, 2.5], [0, 3.75]),
    "a power of 0 that is its base": _power_of_0("x ** p", 1, [1, 1]),
    "a power of 0 that is 1": _power_of_0("x ** p", 0, [0, 0]),
    "a power of an absolute 0 that is its base": _power_of_0("np.abs(x) ** p", 1, [0, 1]),
    "a power of an absolute 0 that is 1": _power_of_0("np.abs(x) ** p", 0, [0, 0]),
    "a power of a square that is 1": _power_of_0("(x ** 2) ** (p / 2)", 0, [0, 0]),
    "a square of 0 by an argument": Case("np.sum(x ** p)", "x: Vector[n], p: Scalar", ([0, 1], 2), 1, [0, 2], [2, 2]),
    "a power whose exponent is 0, by both": of_two(
        "np.sum(x ** y)", [2], [0], 1, ([0], [np.log(2)]), ([0.5], [0.5 + np.log(2) ** 2])
    ),
    "an exponent over 0": Case("np.sum(y ** x)", "y: Vector[n], x: Vector[n]", ([0, 1], [2, 3]), 1, [0, 0], [0, 0]),
    "a power of 0 by both": of_two("np.sum(x ** y)", [0, 1], [2, 3], 1, ([0, 3], [0, 0]), ([2, 7], [0, 1])),
    "sqrt of 0": of_vector("np.sum(np.sqrt(x))", [0, 1], 1, [np.inf, 0.5], None),
    "logaddexp far apart": of_two("np.sum(np.logaddexp(x, y))", [1000], [-1000], 1000, ([1], [0]), ([0], [0])),
    "logsumexp of large numbers": of_vector("logsumexp(x)", [1000, 1000], 1000 + np.log(2), [0.5, 0.5], [0, 0]),
    "softmax of large numbers": of_vector("softmax(x) @ x", [1000, -1000], 1000, [1, 0], [0, 0]),
    "sigmoid of large numbers": of_vector("np.sum(sigmoid(x))", [1000, -1000, 0], 1.5, [0, 0, 0.25], [0, 0, 0]),
    "softplus of large numbers": of_vector("np.sum(softplus(x))", [1000, -1000], 1000, [1, 0], [0, 0]),
    "log_ndtr far out": of_vector("np.sum(scipy.special.log_ndtr(x))", [40], 0, [0], [0]),
    "equal eigenvalues": Case(
        "np.sum(np.linalg.eigvalsh(S))", "S: Symmetric[n]", (np.eye(3),), 3, np.eye(3), None, wrt="S"
    ),
    "squares of equal eigenvalues": Case(
        "np.sum(np.linalg.eigvalsh(S) ** 2)", "S: Symmetric[n]", (np.eye(3),), 3, 2 * np.eye(3), None, wrt="S"
    ),
    "the sign of a determinant": of_square(
        "np.linalg.slogdet(X)[0] * np.sum(X)", [[1, 0], [0, -1]], 0, -np.ones((2, 2)), np.zeros((2, 2))
    ),
    "prod of a part": of_vector("np.prod(x[1:]) * x[0]", [2, 0, 3], 0, [0, 6, 0], [3, 5, 2]),
    "prod of a product": Case(
        "np.prod(A @ x)", "A: Matrix[n, d], x: Vector[d]", ([[1, 0], [1, 1]], [0, 2]), 0, [2, 0], [3, 1]
    ),
    "prod over two axes": Case(
        "np.sum(np.prod(T, axis=(0, 2)))",
        "T: Tensor[k, n, d]",
        ([[[0, 1]], [[2, 3]]],),
        0,
        [[[6, 0]], [[0, 0]]],
        [[[11, 6]], [[3, 2]]],
        wrt="T",
    ),
    "prod with keepdims": of_matrix("np.sum(X * np.prod(X, axis=1, keepdims=True))", [[0, 2]], 0, [[4, 0]], None),
    "prods that are multiplied": of_two(
        "np.prod(x) * np.prod(y)", [0, 2], [3, 0], 0, ([0, 0], [0, 0]), ([6, 0], [0, 6])
    ),
    "a determinant of a product": of_square(
        "np.linalg.det(X @ X)", np.zeros((2, 2)), 0, np.zeros((2, 2)), np.zeros((2, 2))
    ),
    "a determinant squared": of_square(
        "np.linalg.det(X) ** 2", [[1, 2], [2, 4]], 0, np.zeros((2, 2)), [[32, -16], [-16, 8]], [[1, 0], [0, 0]]
    ),
    "a determinant of a Gram matrix": of_matrix(
        "np.linalg.det(X.T @ X)", [[1.0], [0], [0]], 1, [[2], [0], [0]], [[2], [2], [2]]
    ),
    "a power of one": of_vector("np.sum(x ** 1.0)", [0, -1], -1, [1, 1], [0, 0]),
    "a cube root of a square": of_vector("np.sum((x ** 2) ** 1.5)", [0, 2], 8, [0, 12], None),
    "a quotient of a power": of_vector("np.sum(x ** 3 / (1 + x ** 2))", [0, 1], 0.5, [0, 1], [0, 0.5]),
    "entropy of labels": Case(
        "-np.sum(scipy.special.xlogy(Y, softmax(Z)))",
        "Y: Matrix[n, d, one_hot], Z: Matrix[n, d]",
        ([[1, 0]], [[0, 0]]),
        np.log(2),
        [[-0.5, 0.5]],
        [[0.25, -0.25]],
        ([[1, 0]],),
        "Z",
    ),
    "a Poisson deviance": Case(
        "np.sum(scipy.special.xlogy(y, y / mu) - (y - mu))",
        "y: Vector[n, nonnegative], mu: Vector[n]",
        ([0, 1], [2, 2]),
        1 - np.log(2) + 2,
        [1, 0.5],
        [0, 0.25],
        wrt="mu",
    ),
}
test_conventions, test_silence = conventions(CASES)
