"""Derivative of a matrix: outer product chain rule, a question and its answers. f is any differentiable function."""

import numpy as np

from gradgen import Elementwise, Matrix, Vector, dims, loss, ones

t, n, m = dims("t n m")


@loss(wrt="V")
def column_sums(X: Matrix[t, n], V: Matrix[n, m], f: Elementwise):
    """S2-01, S2-02, S2-05: ||1^T f(X V)||^2."""
    return np.linalg.norm(ones(t) @ f(X @ V)) ** 2


@loss(wrt="V")
def column_sums_expanded(X: Matrix[t, n], V: Matrix[n, m], f: Elementwise):
    """S2-04: the same as the question expands it, 1^T f(X V) f(X V)^T 1."""
    Phi = f(X @ V)
    return ones(t) @ Phi @ Phi.T @ ones(t)


@loss(wrt="Phi")
def column_sums_outer(Phi: Matrix[t, m]):
    """S2-03: ||1^T Phi||^2."""
    return np.linalg.norm(ones(t) @ Phi) ** 2


@loss(wrt="V")
def weighted_column_sums(v: Vector[t], X: Matrix[t, n], V: Matrix[n, m], f: Elementwise):
    """S2-06: ||v^T f(X V)||^2 for any v."""
    return np.linalg.norm(v @ f(X @ V)) ** 2


@loss(wrt=("A", "B", "C"))
def hadamard_frobenius(A: Matrix[t, n], B: Matrix[t, n], C: Matrix[t, n]):
    """S2-07: A * B : C = A : B * C."""
    return np.sum((A * B) * C)


@loss(wrt=("A", "B"))
def frobenius_swapped(A: Matrix[t, n], B: Matrix[t, n]):
    """S2-08: A : B = B : A, and A * B = B * A."""
    return np.sum(B * A)


@loss(wrt="x")
def norm_of_norm(x: Vector[n]):
    """S2-09: ||x^T x||, the norm of one number, as the Matrix Cookbook is quoted."""
    return np.linalg.norm((x @ x)[None])
