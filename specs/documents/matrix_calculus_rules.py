"""Rules of matrix calculus for machine learning: df/dX from df/dG, where f(G) is the sum of h(G) unless it is given."""

import numpy as np

from gradgen import Elementwise, Matrix, Vector, dims, loss

m, n, p, k = dims("m n p k")

# From matrices to matrices


@loss(wrt="X")
def right_product(X: Matrix[m, n], W: Matrix[n, p], h: Elementwise):
    """S4-01: G = X W, so df/dX = (df/dG) W^T."""
    return np.sum(h(X @ W))


@loss(wrt="X")
def left_product(W: Matrix[p, m], X: Matrix[m, n], h: Elementwise):
    """S4-02: G = W X, so df/dX = W^T (df/dG)."""
    return np.sum(h(W @ X))


@loss(wrt="X")
def entrywise_function(C: Matrix[m, n], X: Matrix[m, n], g: Elementwise):
    """S4-03: G = g(X), so df/dX = df/dG * g'(X); here f(G) = <C, G>."""
    return np.sum(C * g(X))


@loss(wrt="X")
def added_constant(C: Matrix[m, n], X: Matrix[m, n], h: Elementwise):
    """S4-04: G = X + C, so df/dX = df/dG."""
    return np.sum(h(X + C))


@loss(wrt="x")
def added_row(C: Matrix[m, n], x: Vector[n], h: Elementwise):
    """S4-10: G = C + x with x a row, so df/dx is df/dG summed over the rows."""
    return np.sum(h(C + x))


@loss(wrt="x")
def added_column(C: Matrix[m, n], x: Vector[m], h: Elementwise):
    """S4-11: G = C + x with x a column, so df/dx is df/dG summed over the columns."""
    return np.sum(h(C + x[:, None]))


# From matrices to numbers


@loss(wrt="G")
def squared_frobenius(G: Matrix[m, n]):
    """S4-05: ||G||_F^2."""
    return np.linalg.norm(G, "fro") ** 2


@loss(wrt="G")
def quadratic_in_matrix(a: Vector[n], G: Matrix[n, n]):
    """S4-12, S4-13: a^T G a."""
    return a.T @ G @ a


# The two examples


@loss(wrt="W")
def single_layer(X: Matrix[m, n], W: Matrix[n, p], Y: Matrix[m, p], g: Elementwise):
    """S4-06, S4-07: ||g(X W) - Y||_F^2, a network of one layer."""
    return np.linalg.norm(g(X @ W) - Y, "fro") ** 2


@loss(wrt=("D", "R"))
def dictionary(X: Matrix[m, n], D: Matrix[m, k], R: Matrix[k, n]):
    """S4-08, S4-09: ||X - D R||_F^2, dictionary learning."""
    return np.linalg.norm(X - D @ R, "fro") ** 2
