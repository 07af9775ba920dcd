"""Losses that factorise matrices, differentiated by hand.

SciPy's LAPACK functions work on Fortran order: they get transposes of NumPy's arrays, so that nothing is rearranged.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from benchmarks.hand.door import module

CHOLESKY = {"d": (lapack.dpotrf, lapack.dpotri), "f": (lapack.spotrf, lapack.spotri)}
LU = {"d": (lapack.dgetrf, lapack.dgetri, lapack.dgetrs), "f": (lapack.sgetrf, lapack.sgetri, lapack.sgetrs)}


def cholesky_inverse(P):
    """The inverse of a positive definite matrix, and the logarithm of its determinant."""
    potrf, potri = CHOLESKY[P.dtype.char]
    factor, failed = potrf(P.T, lower=1, clean=1)
    if failed:
        raise np.linalg.LinAlgError("P is not positive definite")
    diagonal = factor.diagonal()
    logdet = 2 * np.log(diagonal).sum()
    half, _ = potri(factor, lower=1, overwrite_c=1)
    inverse = half + half.T
    inverse.ravel("K")[:: len(P) + 1] = half.diagonal()
    return inverse, logdet


def gaussian_value_and_grad(X, mu, P):
    n = X.shape[0]
    Z = X - mu
    S = Z.T.dot(Z)
    s = Z.sum(axis=0)
    inverse, logdet = cholesky_inverse(P)
    value = np.vdot(P, S) / 2 - n / 2 * logdet
    inverse *= n
    S -= inverse
    S *= 0.5
    return float(value), (-P.dot(s), S)


def gaussian_hvp(X, mu, P, dmu, dP):
    """The scatter of the data takes no part."""
    n = X.shape[0]
    s = X.sum(axis=0)
    s -= n * mu
    inverse, _ = cholesky_inverse(P)
    hmu = P.dot(n * dmu)
    hmu -= dP.dot(s)
    hP = inverse.dot(dP).dot(inverse)
    hP *= n
    outer = np.multiply.outer(dmu, s)
    hP -= outer
    hP -= outer.T
    hP *= 0.5
    return hmu, hP


def solved_both_ways(X, a):
    """X^-1 a, X^-T a, and the factors, from one LU factorisation of X'."""
    getrf, _, getrs = LU[X.dtype.char]
    lu, pivots, failed = getrf(X.T)
    if failed:
        raise np.linalg.LinAlgError("X is singular")
    return getrs(lu, pivots, a, trans=1)[0], getrs(lu, pivots, a)[0], (lu, pivots)


def inverse_and_determinant(A):
    """The inverse of a matrix in Fortran order, which is overwritten, and its determinant."""
    getrf, getri, _ = LU[A.dtype.char]
    lu, pivots, failed = getrf(A, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("X + B is singular")
    swaps = np.count_nonzero(pivots != np.arange(len(A)))
    det = lu.diagonal().prod() * (-1) ** swaps
    inverse, _ = getri(lu, pivots, overwrite_lu=1)
    return inverse, det


def determinant_log_value_and_grad(B, a, X):
    """log(q) det (X + B)^-T - I - det / q u w', with w = X^-1 a, u = X^-T a and q = a' w."""
    w, u, _ = solved_both_ways(X, a)
    q = a.dot(w)
    inverse, det = inverse_and_determinant(np.add(X, B, order="F"))
    logarithm = np.log(q)
    G = inverse.T
    G *= logarithm * det
    u *= det / q
    G -= np.multiply.outer(u, w)
    G.ravel()[:: len(a) + 1] -= 1
    return float(logarithm * det - X.trace()), G


def determinant_log_hvp(B, a, X, dX):
    """The differential of log(q) det C' - det / q u w', C = (X + B)^-1: dC = -C dX C, dw = -X^-1 dX w, du alike."""
    getrs = LU[X.dtype.char][2]
    w, u, (lu, pivots) = solved_both_ways(X, a)
    dw = getrs(lu, pivots, dX.dot(w), trans=1)[0]
    du = getrs(lu, pivots, u.dot(dX))[0]
    q, dq = a.dot(w), -a.dot(dw)
    inverse, det = inverse_and_determinant(np.add(X, B, order="F"))
    C = inverse.T
    logarithm = np.log(q)
    ddet = det * np.vdot(C, dX)
    G = C.dot(dX.T).dot(C)
    G *= -logarithm * det
    C *= dq / q * det + logarithm * ddet
    G += C
    u_less = (det * dq / q - ddet) / q * u
    u_less += det / q * du
    G += np.multiply.outer(u_less, w)
    u *= det / q
    G += np.multiply.outer(u, dw)
    return G


gaussian = module("X[n,d] mu[d] P[d,d]", "mu P", gaussian_value_and_grad, gaussian_hvp)
determinant_log = module("B[n,n] a[n] X[n,n]", "X", determinant_log_value_and_grad, determinant_log_hvp)
