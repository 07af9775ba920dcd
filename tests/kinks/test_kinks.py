"""At kinks: 0 for abs, relu, norms and angles of nothing; ties share equally."""

from __future__ import annotations

import numpy as np
from conventions import Case, conventions, of_matrix, of_two, of_vector

CASES = {
    "abs": of_vector("np.sum(np.abs(x))", [-2, 0, 3], 5, [-1, 0, 1], [0, 0, 0]),
    "abs in a product": of_vector("np.sum(x * np.abs(x))", [-2, 0, 3], 5, [4, 0, 6], [-2, 0, 2]),
    "abs of a sum": of_vector("np.abs(x[0] - x[1])", [2, 2], 0, [0, 0], [0, 0]),
    "a power of abs": of_vector("np.sum(np.abs(x) ** 2.5)", [-4, 0, 1], 33, [-20, 0, 2.5], [7.5, 0, 3.75]),
    "a power of abs below 2": of_vector("np.sum(np.abs(x) ** 1.5)", [0, 4], 8, [0, 3], [np.inf, 0.375]),
    "a power of abs times x": of_vector("np.sum(x * np.abs(x) ** 1.5)", [-1, 0, 4], 31, [2.5, 0, 20], [-3.75, 0, 7.5]),
    "sign": of_vector("np.sum(np.sign(x) * x)", [-2, 0, 3], 5, [-1, 0, 1], [0, 0, 0]),
    "relu": of_vector("np.sum(relu(x))", [-2, 0, 3], 3, [0, 0, 1], [0, 0, 0]),
    "relu squared": of_vector("np.sum(relu(x) ** 2)", [-2, 0, 3], 9, [0, 0, 6], [0, 0, 2]),
    "maximum with 0": of_vector("np.sum(np.maximum(x, 0))", [-2, 0, 3], 3, [0, 0.5, 1], [0, 0, 0]),
    "minimum with 0": of_vector("np.sum(np.minimum(0, x))", [-2, 0, 3], -2, [1, 0.5, 0], [0, 0, 0]),
    "maximum of two": of_two("np.sum(np.maximum(x, y))", [1, 2], [1, 5], 6, ([0.5, 0], [0.5, 1]), ([0, 0], [0, 0])),
    "maximum of itself": of_vector("np.sum(np.maximum(x, x))", [1, -1], 0, [1, 1], [0, 0]),
    "max": of_vector("np.max(x)", [1, 3, 3, 2], 3, [0, 0.5, 0.5, 0], [0, 0, 0, 0]),
    "max of three": of_vector("np.max(x)", [2, 2, 2], 2, [1 / 3, 1 / 3, 1 / 3], [0, 0, 0]),
    "min": of_vector("np.min(x)", [1, 3, 1, 2], 1, [0.5, 0, 0.5, 0], [0, 0, 0, 0]),
    "max squared": of_vector("np.max(x) ** 2", [3, 3, 1], 9, [3, 3, 0], None),
    "max by rows": Case(
        "np.sum(np.max(X, axis=1) * np.array([1.0, 10.0]))",
        "X: Matrix[2, d]",
        ([[1, 1, 0], [2, 2, 2]],),
        21,
        [[0.5, 0.5, 0], [10 / 3, 10 / 3, 10 / 3]],
        np.zeros((2, 3)),
        wrt="X",
    ),
    "max of all": of_matrix("np.max(X)", np.ones((2, 2)), 1, np.full((2, 2), 0.25), np.zeros((2, 2))),
    "max with keepdims": of_matrix(
        "np.sum((X - np.max(X, axis=0, keepdims=True)) * 2)", [[1, 1], [1, 0]], -2, [[0, -2], [0, 2]], np.zeros((2, 2))
    ),
    "max of absolute values": of_vector("np.max(np.abs(x))", [-2, 2, 1], 2, [-0.5, 0.5, 0], [0, 0, 0]),
    "clip": of_vector("np.sum(np.clip(x, -1, 1))", [-2, -1, 0, 1, 2], 0, [0, 0.5, 1, 0.5, 0], [0, 0, 0, 0, 0]),
    "clip from below": of_vector("np.sum(np.clip(x, 0, None))", [-2, 0, 2], 2, [0, 0.5, 1], [0, 0, 0]),
    "norm": of_vector("np.linalg.norm(x)", [0, 0], 0, [0, 0], [0, 0]),
    "norm of a difference": of_two("np.linalg.norm(x - y)", [1, 2], [1, 2], 0, ([0, 0], [0, 0]), ([0, 0], [0, 0])),
    "norm of rows": of_matrix(
        "np.sum(np.linalg.norm(X, axis=1))",
        [[0, 0], [3, 4]],
        5,
        [[0, 0], [0.6, 0.8]],
        [[0, 0], [16 / 125 - 12 / 125, 9 / 125 - 12 / 125]],
    ),
    "norm by Frobenius": of_matrix("np.linalg.norm(X)", np.zeros((2, 3)), 0, np.zeros((2, 3)), np.zeros((2, 3))),
    "norm cubed": of_vector("np.linalg.norm(x) ** 3", [0, 0], 0, [0, 0], [0, 0]),
    "norm squared": of_vector("np.linalg.norm(x) ** 2", [0, 0], 0, [0, 0], [2, 2]),
    "norm times itself": of_vector("x @ x * np.linalg.norm(x)", [0, 0], 0, [0, 0], [0, 0]),
    "a unit vector": of_vector(
        "np.sum(np.where(np.linalg.norm(x) > 0, x / np.linalg.norm(x), 0))", [0, 0], 0, [0, 0], [0, 0]
    ),
    "a root of squares": of_vector("np.sqrt(np.sum(x**2))", [0, 0], 0, [0, 0], [0, 0]),
    "a root of a mean of squares": of_vector("np.mean(x**2) ** 0.5", [0, 0], 0, [0, 0], [0, 0]),
    "a root of an inner product": of_vector("np.sqrt(x @ x)", [0, 0], 0, [0, 0], [0, 0]),
    "a root of two squares": of_two("np.sum(np.sqrt(x**2 + y**2))", [0, 3], [0, 4], 5, ([0, 0.6], [0, 0.8]), None),
    "a root of a square": of_vector("np.sum(np.sqrt(x**2))", [0, -2], 2, [0, -1], [0, 0]),
    "a power of a square": of_vector("np.sum((x**2) ** 1.5)", [0, -2], 8, [0, -12], [0, 12]),
    "a small power of a square": of_vector("np.sum((x**2) ** 0.75)", [0, -4], 8, [0, -3], None),
    "a power of a square that is an argument": Case(
        "np.sum((x**2) ** (b / 2))", "x: Vector[d], b: Scalar", ([0, -2], 3.0), 8, [0, -12], [0, 12], wrt="x"
    ),
    "a square root of a square that is an argument": Case(
        "np.sum((x**2) ** (b / 2))", "x: Vector[d], b: Scalar", ([0, -2], 2.0), 4, [0, -4], [2, 2], wrt="x"
    ),
    "distances between equal rows": of_matrix(
        "np.sum(np.sqrt(np.sum((X[:, None] - X[None]) ** 2, axis=-1)))",
        [[1, 2], [1, 2], [4, 6]],
        20,
        [[-1.2, -1.6], [-1.2, -1.6], [2.4, 3.2]],
        None,
    ),
    "norm of order 1": of_vector("np.linalg.norm(x, 1)", [-1, 0, 2], 3, [-1, 0, 1], [0, 0, 0]),
    "norm of order infinity": of_vector("np.linalg.norm(x, np.inf)", [2, -2, 1], 2, [0.5, -0.5, 0], [0, 0, 0]),
    "norm of order minus infinity": of_vector("np.linalg.norm(x, -np.inf)", [2, -1, 1], 1, [0, -0.5, 0.5], [0, 0, 0]),
    "norm of order 3": of_vector("np.linalg.norm(x, 3)", [0, 0], 0, [0, 0], [0, 0]),
    "nuclear norm": of_matrix("np.linalg.norm(X, 'nuc')", np.zeros((2, 3)), 0, np.zeros((2, 3)), np.zeros((2, 3))),
    "nuclear norm of a row": of_matrix(
        "np.linalg.norm(X[:1], 'nuc')", np.zeros((2, 3)), 0, np.zeros((2, 3)), np.zeros((2, 3))
    ),
    "nuclear norm where one singular value is 0": of_matrix(
        "np.linalg.norm(X, 'nuc')", [[3, 0], [0, 0]], 3, [[1, 0], [0, 0]]
    ),
    "nuclear norms of a stack": of_matrix(
        "np.sum(np.linalg.norm(X[:, :, None] * X[:, None, :], 'nuc', axis=(1, 2)))",
        [[0, 0], [3, 4]],
        25,
        [[0, 0], [6, 8]],
    ),
    "norm of order -1 with a zero": of_vector("np.linalg.norm(x, -1)", [0, 2], 0, [0, 0], [0, 0]),
    "norm of order -2": of_vector("np.linalg.norm(x, -2)", [0, 0], 0, [0, 0], [0, 0]),
    "norms of order -2": of_matrix("np.sum(np.linalg.norm(X, -2, axis=1))", [[0, 2], [0, -3]], 0, [[0, 0], [0, 0]]),
    "norm of order 3 / 2": of_vector("np.linalg.norm(x, 1.5)", [0, 0], 0, [0, 0], [0, 0]),
    "norm of order 3 / 2 with a zero": of_vector("np.linalg.norm(x, 1.5)", [0, 2], 2, [0, 1], [0, 0]),
    "norm of order 3 / 2 along what is not 0": of_vector(
        "np.linalg.norm(x, 1.5)",
        [0, 1, 1],
        4 ** (1 / 3),
        [0, 0.25 ** (1 / 6), 0.25 ** (1 / 6)],
        [0, 16 ** (-1 / 3), -(16 ** (-1 / 3))],
        [0, 1, -1],
    ),
    "norm of order 1 / 2 with a zero": of_vector("np.linalg.norm(x, 0.5)", [0, 2], 2, [0, 1], [0, 0]),
    "norm of order 5 / 2": of_vector("np.linalg.norm(x, 2.5)", [0, 0], 0, [0, 0], [0, 0]),
    "norm of order 3 with a zero": of_vector("np.linalg.norm(x, 3)", [0, 2], 2, [0, 1], [0, 0]),
    "norm of order 0": of_vector("np.linalg.norm(x, 0)", [0, 2], 1, [0, 0], [0, 0]),
    "std of a constant": of_vector("np.std(x)", [2, 2, 2], 0, [0, 0, 0], [0, 0, 0], [1, -1, 2]),
    "std of constant rows": of_matrix(
        "np.sum(np.std(X, axis=1))", [[2, 2], [1, -1]], 1, [[0, 0], [0.5, -0.5]], [[0, 0], [0, 0]], [[1, 2], [1, -1]]
    ),
    "std with ddof": of_vector("np.std(x, ddof=1)", [2, 2, 2], 0, [0, 0, 0], [0, 0, 0], [1, -1, 2]),
    "var of a constant": of_vector("np.var(x)", [2, 2], 0, [0, 0], [1, -1], [1, -1]),
    "hypot": of_two(
        "np.sum(np.hypot(x, y))", [0, 3], [0, 4], 5, ([0, 0.6], [0, 0.8]), ([0, 16 / 125 - 12 / 125], [0, -3 / 125])
    ),
    "hypot on an axis": of_two("np.sum(np.hypot(x, y))", [3, 0], [0, -2], 5, ([1, 0], [0, -1]), ([0, 0.5], [1 / 3, 0])),
    "arctan2": of_two(
        "np.sum(np.arctan2(x, y))", [0, 1], [0, 1], np.pi / 4, ([0, 0.5], [0, -0.5]), ([0, -0.5], [0, 0.5])
    ),
    "comparisons": of_vector("np.sum((x > 0) * x + (x <= 1))", [0, 1], 3, [0, 1], [0, 0]),
    "all equal": of_vector("np.max(x) - np.min(x)", [1, 1], 0, [0, 0], [0, 0]),
    "max of clipped": of_vector("np.max(np.maximum(x, 0))", [0, 0], 0, [0.25, 0.25], [0, 0]),
    "max of max": of_matrix("np.max(np.max(X, axis=1))", [[1, 1], [1, 0]], 1, [[0.25, 0.25], [0.5, 0]], None),
    "max over two axes": Case(
        "np.sum(np.max(T, axis=(0, 2)))",
        "T: Tensor[k, n, d]",
        (np.zeros((2, 3, 2)),),
        0,
        np.full((2, 3, 2), 0.25),
        np.zeros((2, 3, 2)),
        wrt="T",
    ),
    "max of a stack": of_two(
        "np.sum(np.max(np.stack([x, y, x]), axis=0))", [1, 2], [1, 0], 3, ([2 / 3, 1], [1 / 3, 0]), ([0, 0], [0, 0])
    ),
    "a hinge of a margin": Case(
        "np.sum(np.maximum(1 - y * (X @ w), 0))",
        "X: Matrix[n, d], y: Vector[n, sign], w: Vector[d]",
        (np.eye(2), [1, -1], [1, 0]),
        1,
        [-0.5, 1],
        [0, 0],
        wrt="w",
    ),
    "a clip by bounds": Case(
        "np.sum(np.clip(x, lo, hi))",
        "x: Vector[n], lo: Scalar, hi: Scalar",
        ([0, 1, 2], 0, 2),
        3,
        ([0.5, 1, 0.5], 0.5, 0.5),
        ([0, 0, 0], 0, 0),
        wrt="x lo hi",
    ),
    "an interval": of_vector("np.sum(((x > 0) & (x < 2)) * x ** 2)", [0, 1, 2], 1, [0, 2, 0], [0, 2, 0]),
    "norm of a multiple": of_vector("np.linalg.norm(-3 * x)", [0, 0], 0, [0, 0], [0, 0]),
    "norm of a residual": Case(
        "np.linalg.norm(X @ w - y)",
        "X: Matrix[n, d], y: Vector[n], w: Vector[d]",
        (np.eye(2), [1, 2], [1, 2]),
        0,
        [0, 0],
        [0, 0],
        wrt="w",
    ),
    "a product of norms": of_two("np.linalg.norm(x) * np.linalg.norm(y)", [0, 0], [3, 4], 0, ([0, 0], [0, 0]), None),
    "norms with keepdims": of_matrix(
        "np.sum(np.linalg.norm(X, axis=0, keepdims=True) * X)", [[0, 3], [0, 4]], 35, [[0, 9.2], [0, 10.6]], None
    ),
    "rows divided by their norms": of_matrix(
        "np.sum(X / (1 + np.linalg.norm(X, axis=1, keepdims=True)))", np.zeros((2, 2)), 0, np.ones((2, 2)), None
    ),
    "an exponential of a norm": of_vector("np.exp(-np.linalg.norm(x))", [0, 0], 1, [0, 0], [0, 0]),
    "a Laplace kernel": of_matrix(
        "np.sum(np.exp(-np.linalg.norm(X[:, None, :] - X[None, :, :], axis=2)))",
        [[0, 0], [0, 0]],
        4,
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
        [[1, 2], [3, 5]],
    ),
    "a hypotenuse of a difference": of_vector("np.hypot(x[0] - x[1], x[0] - x[1])", [2, 2], 0, [0, 0], [0, 0]),
    "a standardised constant": of_vector("np.sum((x - np.mean(x)) / (1 + np.std(x)))", [2, 2], 0, [0, 0], [0, 0]),
    "a vector divided by its spread": of_vector("np.sum(x / (1 + np.std(x)))", [2, 2], 4, [1, 1], None),
}
test_conventions, test_silence = conventions(CASES)
