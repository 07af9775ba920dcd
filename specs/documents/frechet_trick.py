"""A useful trick for computing gradients w.r.t. matrix arguments: its losses, and its differentials as losses in H."""

import numpy as np

from gradgen import Matrix, Symmetric, Vector, dims, function, loss, ones, positive, zeros

n, d = dims(n=1500, d=20)
m, k, p, q = dims("m k p q")


@loss(wrt=("A", "B"))
def frobenius_inner(A: Matrix[m, k], B: Matrix[m, k]):
    """S0-01: the inner product of matrices, <A, B> = tr(A^T B)."""
    return np.trace(A.T @ B)


@loss(wrt="X")
def trace_quadratic(A: Matrix[m, m], X: Matrix[m, k]):
    """S0-03: <A, X X^T> = tr(A^T X X^T)."""
    return np.trace(A.T @ X @ X.T)


@loss(wrt="H")
def trace_quadratic_differential(A: Matrix[m, m], X: Matrix[m, k], H: Matrix[m, k]):
    """S0-02: the differential of tr(A^T X X^T) at X along H. It is linear in H, and its gradient that of S0-03."""
    return np.trace(A.T @ X @ H.T) + np.trace(A.T @ H @ X.T)


@loss(wrt=("X1", "X2"))
def block_trace(
    A1: Matrix[p, p], A2: Matrix[p, q], A3: Matrix[q, p], A4: Matrix[q, q], X1: Matrix[p, k], X2: Matrix[q, k]
):
    """S0-06, S0-06b: tr(A [X1; X2] [X1; X2]^T), with A partitioned as X X^T is."""
    A = np.block([[A1, A2], [A3, A4]])
    X = np.vstack([X1, X2])
    return np.trace(A @ X @ X.T)


@loss(wrt=("X1", "X2"))
def stacked_trace(A: Matrix[p + q, p + q], X1: Matrix[p, k], X2: Matrix[q, k]):
    """S0-06d: the same with A as a whole; the gradients are the rows of (A + A^T) X."""
    X = np.vstack([X1, X2])
    return np.trace(A @ X @ X.T)


@loss(wrt="H")
def block_trace_differential(
    A1: Matrix[p, p],
    A2: Matrix[p, q],
    A3: Matrix[q, p],
    A4: Matrix[q, q],
    X1: Matrix[p, k],
    X2: Matrix[q, k],
    H: Matrix[q, k],
):
    """S0-05: the differential of the block trace by X2 along H, its lower-left block H X1^T (not H X2^T, S0-05x)."""
    A = np.block([[A1, A2], [A3, A4]])
    return np.trace(A @ np.block([[zeros(p, p), X1 @ H.T], [H @ X1.T, H @ X2.T + X2 @ H.T]]))


@loss(wrt="H")
def block_diagonal_differential(
    A2: Matrix[p, q], A3: Matrix[q, p], A4: Matrix[q, q], X1: Matrix[p, k], X2: Matrix[q, k], H: Matrix[q, k]
):
    """S0-05y: the same differential as the traces of the diagonal blocks."""
    return np.trace(A2 @ H @ X1.T) + np.trace(A3 @ X1 @ H.T + A4 @ H @ X2.T + A4 @ X2 @ H.T)


@loss(wrt="V")
def log_similarity(K: Matrix[n, n], V: Matrix[n, d]):
    """S0-07, S0-10, S0-12, S0-13: log(1^T exp(V V^T)) K 1, with exp and log entry by entry."""
    return np.log(ones(n) @ np.exp(V @ V.T)) @ K @ ones(n)


@loss(wrt="V")
def log_similarity_inner(K: Matrix[n, n], V: Matrix[n, d]):
    """S0-07: the same as an inner product, <1^T K^T, log(1^T exp(V V^T))>."""
    return np.sum((ones(n) @ K.T) * np.log(ones(n) @ np.exp(V @ V.T)))


@loss(wrt="V")
def log_similarity_transposed(K: Matrix[n, n], V: Matrix[n, d]):
    """S0-08, S0-09, S0-11: log(1^T exp(V V^T)) K^T 1, whose gradient the text derives."""
    return np.log(ones(n) @ np.exp(V @ V.T)) @ K.T @ ones(n)


@loss(wrt="H")
def log_similarity_differential(K: Matrix[n, n], V: Matrix[n, d], H: Matrix[n, d]):
    """S0-18, S0-19: <K^T 1, D^-1 [exp(V V^T) * (V H^T + H V^T)] 1>, with D the diagonal matrix of 1^T exp(V V^T)."""
    E = np.exp(V @ V.T)
    return (K.T @ ones(n)) @ ((E * (V @ H.T + H @ V.T)) @ ones(n) / (ones(n) @ E))


@loss(wrt=("A", "B", "C"))
def hadamard_inner(A: Matrix[m, k], B: Matrix[m, k], C: Matrix[m, k]):
    """S0-17: <A, B * C> = <B * A, C>."""
    return np.trace(A.T @ (B * C))


@loss(wrt="M")
def scaled_row_sums(a: Vector[m], delta: Vector[m, positive], M: Matrix[m, k]):
    """S0-18b: <a, D^-1 M 1> = <D^-1 a 1^T, M>, with D = diag(delta)."""
    return a @ (np.diag(1 / delta) @ M @ ones(k))


@loss(wrt="X")
def symmetric_trace(A: Matrix[m, m], X: Symmetric[m]):
    """S0-21: tr(A^T X) over the symmetric matrices: the gradient is itself symmetric."""
    return np.trace(A.T @ X)


@loss(wrt="X", symmetric="entries")
def symmetric_trace_by_entries(A: Matrix[m, m], X: Symmetric[m]):
    """S0-20: tr(A^T X), differentiated by the independent entries of a symmetric X."""
    return np.trace(A.T @ X)


@function(wrt=("V", "H"))
def exp_outer(V: Matrix[m, k], H: Matrix[m, k]):
    """S0-14, S0-15: exp(V H^T) entry by entry, which near H = 0 is 1 1^T + V H^T."""
    return np.exp(V @ H.T)


@loss(wrt="x")
def log_sum(x: Vector[m, positive]):
    """S0-16: the sum of log(x), whose expansion has a remainder of order |x - x0|^2."""
    return np.sum(np.log(x))
