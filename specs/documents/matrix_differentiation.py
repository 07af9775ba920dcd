"""Matrix Differentiation, notes of a machine learning course: its formulas, rules and exercises."""

import numpy as np

from gradgen import Elementwise, Matrix, Scalar, Vector, dims, function, loss, one_hot, ones, softmax

n, d, k = dims("n d k")

# Results from the lecture


@loss(wrt="x")
def linear_form(c: Vector[d], x: Vector[d]):
    """S1-01: c^T x."""
    return c @ x


@loss(wrt="x")
def squared_norm(x: Vector[d]):
    """S1-02: ||x||^2."""
    return np.linalg.norm(x) ** 2


@function(wrt="x")
def linear_map(A: Matrix[n, d], x: Vector[d]):
    """S1-03: A x; its Jacobian is A, and its vjp multiplies by A^T."""
    return A @ x


@loss(wrt="x")
def quadratic_form(A: Matrix[d, d], x: Vector[d]):
    """S1-04: x^T A x."""
    return x.T @ A @ x


@loss(wrt="x")
def least_squares(A: Matrix[n, d], b: Vector[n], x: Vector[d]):
    """S1-05: ||A x - b||^2."""
    return np.linalg.norm(A @ x - b) ** 2


@loss(wrt="X")
def bilinear_form(a: Vector[n], X: Matrix[n, d], b: Vector[d]):
    """S1-05b, S1-06: a^T X b."""
    return a @ X @ b


# Differential rules: the jvp of a map is its differential


@function(wrt=("X", "Y", "Z"))
def sum_rule(X: Matrix[n, d], Y: Matrix[n, d], Z: Matrix[n, d]):
    """S1-07: d(X + Y - Z) = dX + dY - dZ."""
    return X + Y - Z


@function(wrt=("X", "Y"))
def product_rule(X: Matrix[n, d], Y: Matrix[d, k]):
    """S1-08: d(X Y) = dX Y + X dY."""
    return X @ Y


@function(wrt="X")
def inverse_rule(X: Matrix[d, d]):
    """S1-09: d(X^-1) = -X^-1 dX X^-1."""
    return np.linalg.inv(X)


@function(wrt=("X", "Y"))
def hadamard_rule(X: Matrix[n, d], Y: Matrix[n, d]):
    """S1-10: d(X * Y) = dX * Y + X * dY."""
    return X * Y


@function(wrt="X")
def entrywise_rule(X: Matrix[n, d], sigma: Elementwise):
    """S1-11: d(sigma(X)) = sigma'(X) * dX."""
    return sigma(X)


# Trace rules


@loss(wrt=("X", "Y"))
def trace_product(X: Matrix[n, d], Y: Matrix[d, n]):
    """S1-12: tr(X Y)."""
    return np.trace(X @ Y)


@loss(wrt=("X", "Y"))
def trace_product_swapped(X: Matrix[n, d], Y: Matrix[d, n]):
    """S1-12: tr(Y X) = tr(X Y)."""
    return np.trace(Y @ X)


@loss(wrt="X")
def trace_transpose(X: Matrix[n, n]):
    """S1-13: tr(X^T) = tr(X)."""
    return np.trace(X.T)


@loss(wrt=("X", "Y", "Z"))
def trace_sum(X: Matrix[n, n], Y: Matrix[n, n], Z: Matrix[n, n]):
    """S1-14: tr(X + Y - Z) = tr(X) + tr(Y) - tr(Z)."""
    return np.trace(X + Y - Z)


@loss(wrt="a")
def trace_scalar(a: Scalar):
    """S1-14b: a = tr(a), a number as a matrix of one entry."""
    return np.trace(a[None, None])


@loss(wrt="C")
def hadamard_trace(X: Matrix[n, d], Y: Matrix[n, d], C: Matrix[n, d]):
    """S1-15: tr(X^T (Y * C)) = tr((X * Y)^T C)."""
    return np.trace(X.T @ (Y * C))


# Exercises


@loss(wrt="theta")
def linear_regression(X: Matrix[n, d], y: Vector[n], theta: Vector[d]):
    """S1-16: (X theta - y)^T (X theta - y)."""
    return (X @ theta - y).T @ (X @ theta - y)


@loss(wrt="Theta")
def softmax_sample(Theta: Matrix[k, d], x: Vector[d], y: Vector[k, one_hot]):
    """S1-17: -y^T log(softmax(Theta x)), one sample of multi-class logistic regression, with y one-hot."""
    z = Theta @ x
    return -y @ np.log(np.exp(z) / (ones(k) @ np.exp(z)))


@loss(wrt="Theta")
def softmax_sample_expanded(Theta: Matrix[k, d], x: Vector[d], y: Vector[k, one_hot]):
    """S1-17b: the same, expanded: -y^T Theta x + log(1^T exp(Theta x))."""
    return -y @ Theta @ x + np.log(ones(k) @ np.exp(Theta @ x))


@loss(wrt="Theta")
def softmax_sample_any(Theta: Matrix[k, d], x: Vector[d], y: Vector[k]):
    """S1-18, S1-18b: the same, where the entries of y need not add up to 1."""
    return -y @ np.log(softmax(Theta @ x))


@loss(wrt="Theta")
def softmax_samples(X: Matrix[n, d], Y: Matrix[n, k, one_hot], Theta: Matrix[k, d]):
    """S1-19: the same for n samples, the rows of X and Y."""
    return -np.sum(Y * np.log(softmax(X @ Theta.T)))


@loss(wrt=("u", "v"))
def hadamard_sum(u: Vector[n], v: Vector[n]):
    """S1-20: 1^T (u * v) = u^T v."""
    return ones(n) @ (u * v)
