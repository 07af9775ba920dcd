"""Losses of one and two layers, differentiated by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.hand.door import module


def one_layer_value_and_grad(X, y, W, v):
    """What is constant along a column is left until the product over the rows is made."""
    n = y.size
    H = X.dot(W)
    np.tanh(H, H)
    r = H.dot(v)
    r -= y
    value = r.dot(r) / n
    r *= 2 / n
    gv = r.dot(H)
    H *= H
    np.subtract(1, H, H)
    H *= r[:, None]
    gW = X.T.dot(H)
    gW *= v
    return float(value), (gW, gv)


def one_layer_hvp(X, y, W, v, dW, dv):
    """S * (r (dv - 2 v H dA)' + dr v'), with S = 1 - H^2 and dA = X dW."""
    n = y.size
    H = X.dot(W)
    np.tanh(H, H)
    S = H * H
    np.subtract(1, S, S)
    dA = X.dot(dW)
    dH = S * dA
    r = H.dot(v)
    r -= y
    dr = dH.dot(v)
    dr += H.dot(dv)
    r *= 2 / n
    dr *= 2 / n
    hv = r.dot(dH)
    hv += dr.dot(H)
    dA *= H
    dA *= -2 * v
    dA += dv
    dA *= r[:, None]
    dA += np.multiply(dr[:, None], v, dH)
    dA *= S
    return X.T.dot(dA), hv


def softmax_less(Z, Y):
    """Turns scores, classes along the first axis, into probabilities less Y'; the cross-entropy."""
    Yt = np.ascontiguousarray(Y.T)
    Z -= Z.max(axis=0)
    value = -np.vdot(Yt, Z)
    np.exp(Z, Z)
    total = Z.sum(axis=0)
    value += np.log(total).sum()
    Z /= total
    Z -= Yt
    return value


def two_layer_value_and_grad(X, Y, W1, b1, W2, b2):
    n = X.shape[0]
    H = X.dot(W1)
    H += b1
    np.maximum(H, 0, out=H)
    T = W2.T.dot(H.T)
    T += b2[:, None]
    value = softmax_less(T, Y) / n
    T /= n
    G = T.T.dot(W2.T)
    G *= H > 0
    return float(value), (X.T.dot(G), G.sum(axis=0), H.T.dot(T.T), T.sum(axis=1))


def two_layer_hvp(X, Y, W1, b1, W2, b2, dW1, db1, dW2, db2):
    n = X.shape[0]
    H = X.dot(W1)
    H += b1
    np.maximum(H, 0, out=H)
    active = H > 0
    dH = X.dot(dW1)
    dH += db1
    dH *= active
    P = W2.T.dot(H.T)
    P += b2[:, None]
    P -= P.max(axis=0)
    np.exp(P, P)
    P /= P.sum(axis=0)
    T = W2.T.dot(dH.T)
    T += dW2.T.dot(H.T)
    T += db2[:, None]
    T -= np.einsum("ij,ij->j", P, T)
    T *= P
    T /= n
    P -= Y.T
    P /= n
    G = T.T.dot(W2.T)
    G += P.T.dot(dW2.T)
    G *= active
    hW2 = H.T.dot(T.T)
    hW2 += dH.T.dot(P.T)
    return X.T.dot(G), G.sum(axis=0), hW2, T.sum(axis=1)


def column_sums_value_and_grad(X, V):
    H = X.dot(V)
    np.tanh(H, H)
    s = H.sum(axis=0)
    H *= H
    np.subtract(1, H, H)
    G = X.T.dot(H)
    G *= 2 * s
    return float(s.dot(s)), G


def column_sums_hvp(X, V, dV):
    """2 X' (S * (ds - 2 s H dA)), with S = 1 - H^2, dA = X dV, and ds the column sums of S * dA."""
    H = X.dot(V)
    np.tanh(H, H)
    s = H.sum(axis=0)
    S = H * H
    np.subtract(1, S, S)
    dA = X.dot(dV)
    ds = np.einsum("ij,ij->j", S, dA)
    dA *= H
    dA *= -4 * s
    dA += 2 * ds
    dA *= S
    return X.T.dot(dA)


one_layer = module("X[n,d] y[n] W[d,h] v[h]", "W v", one_layer_value_and_grad, one_layer_hvp)
two_layer = module("X[n,d] Y[n,k] W1[d,h] b1[h] W2[h,k] b2[k]", "W1 b1 W2 b2", two_layer_value_and_grad, two_layer_hvp)
column_sums = module("X[n,d] V[d,h]", "V", column_sums_value_and_grad, column_sums_hvp)
