"""Losses of matrices, differentiated by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.hand.door import module


def log_similarity_value_and_grad(K, V):
    """With E = exp(V V' - column maxima) and r = (K 1) / (1' E): r * (E' V) + E (r * V), two products with (n, d)."""
    c = K.sum(axis=1)
    E = V.dot(V.T)
    peak = E.max(axis=0)
    E -= peak
    np.exp(E, E)
    total = E.sum(axis=0)
    r = (c / total)[:, None]
    G = E.T.dot(V)
    G *= r
    G += E.dot(r * V)
    np.log(total, total)
    total += peak
    return float(c.dot(total)), G


def log_similarity_hvp(K, V, dV):
    """T = E * (d(V V') - its mean in each column): r * (T' V + E' dV) + T (r * V) + E (r * dV)."""
    E = V.dot(V.T)
    E -= E.max(axis=0)
    np.exp(E, E)
    total = E.sum(axis=0)
    r = (K.sum(axis=1) / total)[:, None]
    T = np.concatenate((dV, V), axis=1).dot(np.concatenate((V, dV), axis=1).T)
    mean = np.einsum("ij,ij->j", E, T)
    mean /= total
    T -= mean
    T *= E
    G = T.T.dot(V)
    G += E.T.dot(dV)
    G *= r
    G += T.dot(r * V)
    G += E.dot(r * dV)
    return G


def dictionary_value_and_grad(X, D, R, lam):
    E = D.dot(R)
    E -= X
    gR = D.T.dot(E)
    gR += lam * np.sign(R)
    return float(np.vdot(E, E) / 2 + lam * np.abs(R).sum()), (E.dot(R.T), gR)


def dictionary_hvp(X, D, R, lam, dD, dR):
    E = D.dot(R)
    E -= X
    T = np.concatenate((dD, D), axis=1).dot(np.concatenate((R, dR)))
    hD = T.dot(R.T)
    hD += E.dot(dR.T)
    hR = D.T.dot(T)
    hR += dD.T.dot(E)
    return hD, hR


def trace_quadratic_value_and_grad(A, X):
    """(A + A') X, and half its product with X."""
    G = (A + A.T).dot(X)
    return float(np.vdot(X, G) / 2), G


def trace_quadratic_hvp(A, X, dX):
    return (A + A.T).dot(dX)


def factorization_value_and_grad(R, mask, U, V, lam):
    """The mask is 0 or 1, so that its square is itself."""
    E = U.dot(V.T)
    E -= R
    E *= mask
    gU, gV = E.dot(V), E.T.dot(U)
    gU += lam * U
    gU *= 2
    gV += lam * V
    gV *= 2
    return float(np.vdot(E, E) + lam * (np.vdot(U, U) + np.vdot(V, V))), (gU, gV)


def factorization_hvp(R, mask, U, V, lam, dU, dV):
    E = U.dot(V.T)
    E -= R
    E *= mask
    T = np.concatenate((dU, U), axis=1).dot(np.concatenate((V, dV), axis=1).T)
    T *= mask
    hU, hV = T.dot(V), T.T.dot(U)
    hU += E.dot(dV)
    hU += lam * dU
    hU *= 2
    hV += E.T.dot(dU)
    hV += lam * dV
    hV *= 2
    return hU, hV


log_similarity = module("K[n,n] V[n,d]", "V", log_similarity_value_and_grad, log_similarity_hvp)
dictionary_learning = module("X[m,n] D[m,k] R[k,n] lam[]", "D R", dictionary_value_and_grad, dictionary_hvp)
trace_quadratic = module("A[m,m] X[m,k]", "X", trace_quadratic_value_and_grad, trace_quadratic_hvp)
matrix_factorization = module(
    "R[m,n] mask[m,n] U[m,r] V[n,r] lam[]", "U V", factorization_value_and_grad, factorization_hvp
)
