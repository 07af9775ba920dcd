"""What `where` does not select never leaks."""

from __future__ import annotations

import numpy as np
from conventions import Case, conventions, of_matrix, of_two, of_vector

CASES = {
    "strictly": of_vector("np.sum(np.where(x > 0, x, 0))", [-1, 0, 2], 2, [0, 0, 1], [0, 0, 0]),
    "not strictly": of_vector("np.sum(np.where(x >= 0, x, 0))", [-1, 0, 2], 2, [0, 1, 1], [0, 0, 0]),
    "log": of_vector("np.sum(np.where(x > 0, np.log(x), 0))", [-1, 0, 1], 0, [0, 0, 1], [0, 0, -1]),
    "log and line": of_vector("np.sum(np.where(x > 0, np.log(x), 2 * x))", [-1, 0, 1], -2, [2, 2, 1], [0, 0, -1]),
    "sqrt": of_vector("np.sum(np.where(x > 0, np.sqrt(x), 0))", [-1, 0, 4], 2, [0, 0, 0.25], [0, 0, -1 / 32]),
    "reciprocal": of_vector("np.sum(np.where(x == 0, 0, 1 / x))", [0, 2], 0.5, [0, -0.25], [0, 0.25]),
    "sinc": of_vector("np.sum(np.where(x == 0, 1, np.sin(x) / x))", [0, np.pi], 1, [0, -1 / np.pi], [0, 2 / np.pi**2]),
    "a power": of_vector("np.sum(np.where(x > 0, x ** 1.5, 0))", [-1, 0, 4], 8, [0, 0, 3], [0, 0, 0.375]),
    "an overflow": of_vector("np.sum(np.where(x < 1, np.exp(x), x))", [0, 1000], 1001, [1, 1], [1, 0]),
    "an inverse sine": of_vector(
        "np.sum(np.where(np.abs(x) < 1, np.arcsin(x), x))", [0, 1, 3], 4, [1, 1, 1], [0, 0, 0]
    ),
    "nested": of_vector(
        "np.sum(np.where(x > 0, np.where(x > 1, np.log(x - 1), x), 0))",
        [-1, 0.5, 1, 2],
        1.5,
        [0, 1, 1, 1],
        [0, 0, 0, -1],
    ),
    "a function of a part": of_vector(
        "np.sum(np.where(x > 0, np.tanh(np.log(x)) * x, x))", [-1, 0, 1], -1, [1, 1, 1], None
    ),
    "a number": of_vector("np.where(np.sum(x) > 0, np.log(np.sum(x)), 0)", [-1, 1], 0, [0, 0], [0, 0]),
    "a norm": of_vector("np.where(np.sum(x) > 0, np.sqrt(np.sum(x)), np.sum(x))", [0, 0], 0, [1, 1], [0, 0]),
    "a quotient of arrays": of_two(
        "np.sum(np.where(y == 0, 0, x / y))", [1, 2], [0, 2], 1, ([0, 0.5], [0, -0.5]), ([0, -0.25], [0, 0.25])
    ),
    "rows": of_matrix(
        "np.sum(np.where(np.sum(X, axis=1) > 0, np.log(np.sum(X, axis=1)), 0))",
        [[0, 0], [0.5, 0.5]],
        0,
        [[0, 0], [1, 1]],
        [[0, 0], [-2, -2]],
    ),
    "sums of rows of logarithms": Case(
        "np.sum(np.where(m, np.sum(np.log(X), axis=1), 0))",
        "m: Vector[n, boolean], X: Matrix[n, d]",
        ([0, 1], [[0, -1], [1, 1]]),
        0,
        [[0, 0], [1, 1]],
        [[0, 0], [-1, -1]],
        wrt="X",
    ),
    "a quotient in a matrix product": Case(
        "np.sum(np.where(m[:, None], (1 / A) @ B, 0))",
        "m: Vector[n, boolean], A: Matrix[n, d], B: Matrix[d, d]",
        ([0, 1], [[0, 0], [1, 2]], [[1, 0], [0, 1]]),
        1.5,
        [[0, 0], [-1, -0.25]],
        [[0, 0], [2, 0.25]],
        wrt="A",
    ),
    "a matrix product beside a quotient": Case(
        "np.sum(np.where(m, (A @ B) / v[:, None], 0))",
        "m: Matrix[n, d, boolean], A: Matrix[n, d], B: Matrix[d, d], v: Vector[n]",
        ([[0, 0], [1, 0]], [[1, 1], [1, 2]], [[1, 0], [0, 1]], [0, 1]),
        1,
        [0, -1],
        [0, 2],
        wrt="v",
    ),
    "a matrix product of reciprocals under a mask of its own": Case(
        "np.sum(np.where(m, np.exp((1 / A) @ B), 0))",
        "m: Matrix[n, d, boolean], A: Matrix[n, d], B: Matrix[d, d]",
        ([[0, 0], [1, 0]], [[1, 2], [1, 1]], [[0, 0], [0, 1]]),
        1,
        [[0, 0], [0, 0]],
        None,
        wrt="A",
    ),
    "a mask of data": Case(
        "np.sum(np.where(m, np.log(x), 0))",
        "m: Vector[n, boolean], x: Vector[n]",
        ([0, 1], [-3, 1]),
        0,
        [0, 1],
        [0, -1],
    ),
    "a masked logsumexp": Case(
        "np.sum(logsumexp(np.where(m, Z, -np.inf), axis=1))",
        "m: Matrix[n, d, boolean], Z: Matrix[n, d]",
        ([[1, 0], [1, 1]], [[2, 7], [0, 0]]),
        2 + np.log(2),
        [[1, 0], [0.5, 0.5]],
        [[0, 0], [0.25, -0.25]],
        ([[1, 1], [1, 0]],),
        "Z",
    ),
    "a masked softmax": Case(
        "np.sum(softmax(np.where(m, Z, -np.inf), axis=1) * Z)",
        "m: Matrix[n, d, boolean], Z: Matrix[n, d]",
        ([[1, 0], [1, 1]], [[2, 7], [0, 0]]),
        2,
        [[1, 0], [0.5, 0.5]],
        None,
        (),
        "Z",
    ),
    "a masked log_softmax": Case(
        "np.sum(np.where(m, log_softmax(np.where(m, Z, -np.inf), axis=1), 0))",
        "m: Matrix[n, d, boolean], Z: Matrix[n, d]",
        ([[1, 0], [1, 1]], [[2, 7], [0, 0]]),
        -2 * np.log(2),
        [[0, 0], [0, 0]],
        None,
        (),
        "Z",
    ),
    "either root": of_vector("np.sum(np.where(x > 0, np.sqrt(x), -np.sqrt(-x)))", [-4, 4], 0, [0.25, 0.25], None),
    "two masks": of_vector(
        "np.sum(np.where((x > 0) & (x < 1), np.log(x) + np.log1p(-x), 0))",
        [0, 0.5, 1, 3],
        2 * np.log(0.5),
        [0, 0, 0, 0],
        [0, -8, 0, 0],
    ),
    "an exponent": Case(
        "np.sum(np.where(x > 0, x ** p, 0))", "x: Vector[n], p: Scalar", ([-1, 0, 1], 2), 1, 0, 0, wrt="p"
    ),
    "a power of a size by an argument": Case(
        "np.sum(np.where(x != 0, np.abs(x) ** p, x))",
        "x: Vector[n], p: Scalar",
        ([0, 4], -1),
        0.25,
        [1, -0.0625],
        [0, 0.03125],
    ),
    "a quotient by sums of rows": of_matrix(
        "np.sum(np.where(np.sum(X, axis=1, keepdims=True) > 0, X ** 2 / np.sum(X, axis=1, keepdims=True), 0))",
        [[0, 0], [1, 1]],
        1,
        [[0, 0], [0.5, 0.5]],
        [[0, 0], [0, 0]],
    ),
    "a product behind": Case(
        "np.sum(A @ np.where(x > 0, np.log(x), 0))",
        "A: Matrix[d, n], x: Vector[n]",
        (np.ones((2, 2)), [-1, 1]),
        0,
        [0, 2],
        [0, -2],
    ),
    "entries by indices": Case(
        "np.sum(np.where(x > 0, np.log(x), 0)[i])",
        "i: Indices[k, n], x: Vector[n]",
        ([0, 1, 1], [-1, 1]),
        0,
        [0, 2],
        [0, -2],
    ),
    "a running sum behind": of_vector("np.sum(np.cumsum(np.where(x > 0, np.log(x), 0)))", [0, 1], 0, [0, 1], [0, -1]),
    "a product of all behind": of_vector("np.prod(np.where(x > 0, np.log(x), 2))", [0, np.e], 2, [0, 2 / np.e], None),
    "a largest behind": of_vector("np.max(np.where(x > 0, np.log(x), -9))", [0, 1], 0, [0, 1], [0, -1]),
    "a sum of quotients": of_vector(
        "np.where(x[0] > 0, np.sum(1 / x), 3)", [2, 4], 0.75, [-1 / 4, -1 / 16], [1 / 4, 1 / 32]
    ),
    "a norm behind": of_vector("np.linalg.norm(np.where(x > 0, np.log(x), 3))", [0, 1], 3, [0, 0], None),
    "gammaln": of_vector(
        "np.sum(np.where(x > 0, scipy.special.gammaln(x), 0))", [0, -1, 1], 0, [0, 0, -np.euler_gamma], None
    ),
    "logit": of_vector(
        "np.sum(np.where((x > 0) & (x < 1), scipy.special.logit(x), x))", [0, 0.5, 1], 1, [1, 4, 1], [0, 0, 0]
    ),
    "xlogy": of_vector("np.sum(np.where(x > 0, scipy.special.xlogy(x, x), 0))", [0, -1, 1], 0, [0, 0, 1], [0, 0, 1]),
    "a formula of a mask": of_vector("np.sum((x > 0) * np.where(x > 0, 1 / x, 0))", [0, 2], 0.5, [0, -0.25], [0, 0.25]),
    "arccosh": of_vector(
        "np.sum(np.where(x > 1, np.arccosh(np.maximum(x, 1)), 0))", [0, 1, 2], np.arccosh(2), [0, 0, 3**-0.5], None
    ),
    "a solution": Case(
        "np.sum(np.where(m, np.log(np.linalg.solve(A, b)), 0))",
        "m: Vector[n, boolean], A: Matrix[n, n], b: Vector[n]",
        ([1, 0], np.eye(2), [1, -1]),
        0,
        [1, 0],
        [-1, 0],
        wrt="b",
    ),
    "a softplus by hand": of_vector(
        "np.sum(np.where(x > 30, x, np.log1p(np.exp(x))))", [0, 1000], 1000 + np.log(2), [0.5, 1], [0.25, 0]
    ),
    "Huber": of_vector(
        "np.sum(np.where(np.abs(x) <= 1, x ** 2 / 2, np.abs(x) - 0.5))", [-1, 0, 1, 3], 3.5, [-1, 0, 1, 1], [1, 1, 1, 0]
    ),
}
# Each at a point where its value or a derivative is not finite, which is not selected.
PARTIAL = {
    "sqrt": [0, -1],
    "log": [0, -1],
    "log2": [0, -1],
    "log10": [0, -1],
    "log1p": [-1, -2],
    "reciprocal": [0, 0],
    "arcsin": [1, 2],
    "arccos": [-1, 2],
    "arccosh": [1, 0],
    "arctanh": [1, -2],
    "exp": [1e3, 1e4],
    "sinh": [1e3, -1e3],
    "logit": [0, 1],
    "entr": [0, -1],
    "gammaln": [0, -1],
    "digamma": [0, -1],
}
CASES |= {
    f"{op} at its edge": of_vector(
        f"np.sum(np.where(np.abs(x - {x[0]}) < 0.25, 3 * x, np.where(x == {x[1]}, -x, {where}.{op}(x))))",
        x,
        3 * x[0] - x[1] * (x[0] != x[1]) + 3 * x[1] * (x[0] == x[1]),
        [3, -1 if x[0] != x[1] else 3],
        [0, 0],
    )
    for op, x in PARTIAL.items()
    for where in ["np" if hasattr(np, op) else "scipy.special"]
}
test_conventions, test_silence = conventions(CASES)
