"""A mixture of diagonal Gaussians, differentiated by hand.

Residuals stay residuals: expanding the squares into products of matrices is faster, and loses digits where the data lie
far from the origin. The (k, d, rows) arrays have long last axes, and blocks of rows keep them near the processor.
"""

from __future__ import annotations

import numpy as np

from benchmarks.hand.door import module

BLOCK = 1 << 16  # entries
HALF_LOG = 0.5 * np.log(2 * np.pi)


def whitened(X, mu, inverse):
    """The whitened residuals of block after block of rows, (k, d, rows), and their squares."""
    n = X.shape[0]
    rows = max(1, BLOCK // mu.size)
    columns, centres, inverse = np.ascontiguousarray(X.T), mu[:, :, None], inverse[:, :, None]
    for start in range(0, n, rows):
        Z = columns[:, start : start + rows] - centres
        Z *= inverse
        yield Z, Z * Z


def offsets(d, logits, log_sigma):
    """The scores of a residual of 0, and the weights of the components."""
    shifted = logits - logits.max()
    weights = np.exp(shifted)
    total = weights.sum()
    shifted -= log_sigma.sum(axis=1)
    shifted -= np.log(total) + d * HALF_LOG
    weights /= total
    return shifted[:, None], weights


def mixture_value_and_grad(X, logits, mu, log_sigma):
    n, d = X.shape
    inverse = np.exp(-log_sigma)
    offset, weights = offsets(d, logits, log_sigma)
    value, R = 0.0, np.zeros_like(logits)
    A, A2 = np.zeros(mu.shape, mu.dtype), np.zeros(mu.shape, mu.dtype)
    for Z, Q in whitened(X, mu, inverse):
        P = Q.sum(axis=1)
        P *= -0.5
        P += offset
        peak = P.max(axis=0)
        P -= peak
        np.exp(P, P)
        total = P.sum(axis=0)
        P /= total
        value -= peak.sum() + np.log(total).sum()
        R += P.sum(axis=1)
        P = P[:, :, None]
        A += np.matmul(Z, P)[:, :, 0]
        A2 += np.matmul(Q, P)[:, :, 0]
    A *= inverse
    weights *= n
    weights -= R
    return float(value), (weights, np.negative(A, A), np.subtract(R[:, None], A2, A2))


def mixture_hvp(X, logits, mu, log_sigma, dlogits, dmu, dlog_sigma):
    """The sums over the rows of r z, r z^2, dr z and dr z^2 are all that is needed of the residuals z."""
    n, d = X.shape
    inverse = np.exp(-log_sigma)
    offset, weights = offsets(d, logits, log_sigma)
    shift = dmu * inverse
    turned = dlogits - weights.dot(dlogits)
    drift = (turned - dlog_sigma.sum(axis=1))[:, None]
    R, A, A2 = np.zeros((len(mu), 2), mu.dtype), np.zeros((*mu.shape, 2), mu.dtype), np.zeros((*mu.shape, 2), mu.dtype)
    for Z, Q in whitened(X, mu, inverse):
        P = Q.sum(axis=1)
        P *= -0.5
        P += offset
        P -= P.max(axis=0)
        np.exp(P, P)
        P /= P.sum(axis=0)
        T = np.matmul(shift[:, None], Z)[:, 0]
        T += np.matmul(dlog_sigma[:, None], Q)[:, 0]
        T += drift
        T -= np.einsum("ij,ij->j", P, T)
        T *= P
        both = np.stack((P, T), axis=2)
        R += both.sum(axis=1)
        A += np.matmul(Z, both)
        A2 += np.matmul(Q, both)
    (r, dr), (a, da), (a2, da2) = R.T, np.moveaxis(A, 2, 0), np.moveaxis(A2, 2, 0)
    hmu = inverse * (2 * dlog_sigma * a - da + r[:, None] * shift)
    hlog_sigma = 2 * (shift * a + dlog_sigma * a2) - da2 + dr[:, None]
    return n * weights * turned - dr, np.ascontiguousarray(hmu), np.ascontiguousarray(hlog_sigma)


gaussian_mixture = module(
    "X[n,d] logits[k] mu[k,d] log_sigma[k,d]", "logits mu log_sigma", mixture_value_and_grad, mixture_hvp
)
