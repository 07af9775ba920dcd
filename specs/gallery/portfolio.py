"""Portfolios: weights of d assets."""

import numpy as np

from gradgen import SPD, Matrix, Scalar, Vector, dims, logsumexp, loss, nonnegative, positive

n, d = dims("n d")


@loss(wrt="w")
def mean_variance_with_costs(
    mu: Vector[d],
    Sigma: SPD[d],
    w0: Vector[d],
    w: Vector[d],
    risk_aversion: Scalar[positive],
    cost: Scalar[nonnegative],
    impact: Scalar[nonnegative],
):
    """Markowitz (1952) with linear costs and market impact of power 3/2 (Boyd et al. 2017, Multi-period trading)."""
    trade = w - w0
    costs = cost * np.sum(np.abs(trade)) + impact * np.sum(np.abs(trade) ** 1.5)
    return 0.5 * risk_aversion * w @ Sigma @ w - mu @ w + costs


@loss(wrt="w")
def risk_parity(Sigma: SPD[d], w: Vector[d, positive]):
    """The squared differences of the assets' contributions to risk (Maillard et al. 2010, equation 8)."""
    contribution = w * (Sigma @ w)
    return np.sum((contribution[:, None] - contribution) ** 2)


@loss(wrt="w")
def risk_budgeting(Sigma: SPD[d], budget: Vector[d, positive], w: Vector[d, positive]):
    """Spinu's convex form of risk parity (2013): w'Sigma w / 2 - sum of b log w."""
    return 0.5 * np.dot(w, np.dot(Sigma, w)) - np.sum(budget * np.log(w))


@loss(wrt="w")
def sharpe_ratio(R: Matrix[n, d], rf: Scalar, w: Vector[d]):
    """Minus the yearly Sharpe ratio of daily returns (Sharpe 1966)."""
    excess = R @ w - rf
    return -np.sqrt(252) * np.mean(excess) / np.std(excess, ddof=1)


@loss(wrt="w")
def entropic_risk(R: Matrix[n, d], w: Vector[d], theta: Scalar[positive]):
    """The entropic risk of the returns (Föllmer and Schied 2002)."""
    return (logsumexp(-theta * (R @ w)) - np.log(n)) / theta
