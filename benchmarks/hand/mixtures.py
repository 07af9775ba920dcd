"""A mixture of diagonal Gaussians, differentiated by hand.

Residuals stay residuals: expanding the squares into products of matrices is faster, and loses digits where the data lie
far from the origin. The (k, d, rows) arrays have long last axes, and blocks of rows keep them near the processor. The
precisions wait until the products are made: none of the large arrays is scaled.
"""

from __future__ import annotations

import numpy as np

from benchmarks.hand.door import module

BLOCK = 1 << 16  # entries
HALF_LOG = 0.5 * np.log(2 * np.pi)


def residuals(X, mu):
    """The residuals of block after block of rows, (k, d, rows), and their squares."""
    n = X.shape[0]
    rows = max(1, BLOCK // mu.size)
    columns, centres = np.ascontiguousarray(X.T), mu[:, :, None]
    for start in range(0, n, rows):
        Z = columns[:, start : start + rows] - centres
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
    precision = np.exp(-2 * log_sigma)
    half = (-0.5 * precision)[:, None]
    offset, weights = offsets(d, logits, log_sigma)
    value, R = 0.0, np.zeros_like(logits)
    A, A2 = np.zeros(mu.shape, mu.dtype), np.zeros(mu.shape, mu.dtype)
    for Z, Q in residuals(X, mu):
        P = np.matmul(half, Q)[:, 0]
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
    A *= precision
    A2 *= precision
    weights *= n
    weights -= R
    return float(value), (weights, np.negative(A, A), np.subtract(R[:, None], A2, A2))


def mixture_hvp(X, logits, mu, log_sigma, dlogits, dmu, dlog_sigma):
    """The sums over the rows of r z, r z^2, dr z and dr z^2 are all that is needed of the residuals z."""
    n, d = X.shape
    precision = np.exp(-2 * log_sigma)
    offset, weights = offsets(d, logits, log_sigma)
    shift = (dmu * precision)[:, None]
    scales = np.stack((-0.5 * precision, dlog_sigma * precision), axis=1)
    turned = dlogits - weights.dot(dlogits)
    drift = (turned - dlog_sigma.sum(axis=1))[:, None]
    R, A, A2 = np.zeros((len(mu), 2), mu.dtype), np.zeros((*mu.shape, 2), mu.dtype), np.zeros((*mu.shape, 2), mu.dtype)
    for Z, Q in residuals(X, mu):
        scores = np.matmul(scales, Q)
        P, T = scores[:, 0], scores[:, 1]
        P += offset
        P -= P.max(axis=0)
        np.exp(P, P)
        P /= P.sum(axis=0)
        T += np.matmul(shift, Z)[:, 0]
        T += drift
        T -= np.einsum("ij,ij->j", P, T)
        T *= P
        both = np.swapaxes(scores, 1, 2)
        R += scores.sum(axis=2)
        A += np.matmul(Z, both)
        A2 += np.matmul(Q, both)
    (r, dr), (a, da), (a2, da2) = R.T, np.moveaxis(A, 2, 0), np.moveaxis(A2, 2, 0)
    hmu = precision * (2 * dlog_sigma * a - da + r[:, None] * dmu)
    hlog_sigma = precision * (2 * (dmu * a + dlog_sigma * a2) - da2) + dr[:, None]
    return n * weights * turned - dr, np.ascontiguousarray(hmu), np.ascontiguousarray(hlog_sigma)


gaussian_mixture = module(
    "X[n,d] logits[k] mu[k,d] log_sigma[k,d]", "logits mu log_sigma", mixture_value_and_grad, mixture_hvp
)
