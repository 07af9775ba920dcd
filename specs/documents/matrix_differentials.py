"""Gradients and Hessians by differentials: the examples of a post on matrix and vector calculus."""

import numpy as np

from gradgen import Matrix, Scalar, Vector, dims, eye, function, loss, positive

n = dims("n")

# Rules


@function(wrt="X")
def affine_inverse(A: Matrix[n, n], B: Matrix[n, n], X: Matrix[n, n]):
    """S3-01: A X^-1 + B, with the differential -A X^-1 dX X^-1. It has no gradient: it is no scalar."""
    return A @ np.linalg.inv(X) + B


@loss(wrt="x")
def quadratic_trace(A: Matrix[n, n], x: Vector[n]):
    """S3-02: d(x^T A x) = x^T (A + A^T) dx, written tr(A x x^T)."""
    return np.trace(A @ np.outer(x, x))


@loss(wrt="X")
def trace_of_matrix(X: Matrix[n, n]):
    """S3-03: d tr(X) = tr(dX)."""
    return np.trace(X)


@loss(wrt="X")
def determinant(X: Matrix[n, n]):
    """S3-04: d det(X) = det(X) tr(X^-1 dX)."""
    return np.linalg.det(X)


@function(wrt="X")
def scaling(alpha: Scalar, X: Matrix[n, n]):
    """S3-05: d(alpha X) = alpha dX."""
    return alpha * X


@loss(wrt="X")
def rules_together(c: Vector[n], X: Matrix[n, n], Y: Matrix[n, n]):
    """S3-05b: c^T (X Y + X^-1) c, which needs d(c^T x), d(X + Y), d(X Y) and d(X^-1)."""
    return c @ (X @ Y + np.linalg.inv(X)) @ c


@loss(wrt="X")
def chain_rule(A: Matrix[n, n], B: Matrix[n, n], X: Matrix[n, n]):
    """S3-05c: det(A X^-1 + B), the chain rule with y = A X^-1 + B."""
    return np.linalg.det(A @ np.linalg.inv(X) + B)


@loss(wrt="x")
def log_rule(A: Matrix[n, n], x: Vector[n]):
    """S3-21: log(1 + x^T A x), as d log g = dg / g."""
    return np.log(1 + x @ A @ x)


# The gradient


@loss(wrt="X")
def determinant_times_log(B: Matrix[n, n], a: Vector[n], X: Matrix[n, n]):
    """S3-06, S3-07: det(X + B) log(a^T X^-1 a) - tr(X)."""
    return np.linalg.det(X + B) * np.log(a @ np.linalg.inv(X) @ a) - np.trace(X)


@loss(wrt="x")
def determinant_times_log_scalar(b: Scalar, a: Scalar, x: Scalar[positive]):
    """S3-08: the same for matrices of one entry, (x + b) log(a^2 / x) - x."""
    return (x + b) * np.log(a**2 / x) - x


# The Hessian


@loss(wrt="x")
def determinant_of_update(x: Vector[n]):
    """S3-09 to S3-17, S3-20: det(I + x x^T)."""
    return np.linalg.det(eye(n) + np.outer(x, x))


@loss(wrt="x")
def determinant_lemma(x: Vector[n]):
    """S3-16, S3-17, S3-20: the same simplified, 1 + x^T x."""
    return 1 + x @ x


@function(wrt="x")
def sherman_morrison(x: Vector[n]):
    """S3-18: (I + x x^T)^-1 x = x / (1 + x^T x)."""
    return np.linalg.inv(eye(n) + np.outer(x, x)) @ x
