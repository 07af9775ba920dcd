"""Survival times: Cox's partial likelihood, and an accelerated failure time."""

import numpy as np

from gradgen import Matrix, Scalar, Vector, boolean, dims, loss, positive

n, p = dims("n p")


@loss(wrt="beta")
def cox_sorted(X: Matrix[n, p], event: Vector[n, boolean], beta: Vector[p]):
    """Cox's partial log-likelihood for rows sorted by increasing time, without ties (Cox 1972; `PHReg`)."""
    eta = X @ beta
    log_risk = np.log(np.cumsum(np.exp(eta)[::-1])[::-1])
    return np.sum(event * (eta - log_risk))


@loss(wrt="beta")
def cox_breslow(X: Matrix[n, p], time: Vector[n, positive], event: Vector[n, boolean], beta: Vector[p]):
    """Cox's partial log-likelihood with Breslow's handling of ties (`PHReg(ties="breslow")`)."""
    eta = X @ beta
    at_risk = time[None, :] >= time[:, None]
    return np.sum(event * (eta - np.log(at_risk @ np.exp(eta))))


@loss(wrt=("beta", "log_sigma"))
def weibull_aft(
    X: Matrix[n, p], time: Vector[n, positive], event: Vector[n, boolean], beta: Vector[p], log_sigma: Scalar
):
    """Minus the log-likelihood of a Weibull accelerated failure time, right-censored (Klein and Moeschberger 2003)."""
    z = (np.log(time) - X @ beta) / np.exp(log_sigma)
    return -np.sum(event * (z - log_sigma - np.log(time)) - np.exp(z))
