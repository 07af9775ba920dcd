"""Losses of linear models, as scikit-learn fits them (its `LinearModelLoss`, `HuberRegressor`).

The last entry of the coefficients is the intercept, which is not penalised; the loss is a weighted mean.
"""

import numpy as np
from scipy.special import expit, logsumexp

from gradgen import Indices, Matrix, Scalar, Vector, dims, eye, loss, nonnegative, positive, sign, unit_interval

n, d, k = dims("n d k")


def predict(X, coef):
    return X @ coef[:-1] + coef[-1]


def penalty(coef, alpha):
    return 0.5 * alpha * coef[:-1] @ coef[:-1]


def weighted_mean(values, weight):
    return np.sum(weight * values) / np.sum(weight)


@loss(wrt="coef")
def half_squared_error(
    X: Matrix[n, d], y: Vector[n], weight: Vector[n, positive], coef: Vector[d + 1], alpha: Scalar[nonnegative]
):
    """`HalfSquaredError`: least squares with an intercept and a ridge."""
    return weighted_mean((predict(X, coef) - y) ** 2, weight) / 2 + penalty(coef, alpha)


@loss(wrt="coef")
def huber_linear(
    X: Matrix[n, d],
    y: Vector[n],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
    delta: Scalar[positive],
):
    """`HuberLoss`: quadratic near zero, linear beyond delta."""
    r = np.abs(predict(X, coef) - y)
    return weighted_mean(np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)), weight) + penalty(coef, alpha)


@loss(wrt="coef")
def half_poisson(
    X: Matrix[n, d],
    y: Vector[n, nonnegative],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
):
    """`HalfPoissonLoss`: half the Poisson deviance with a log link."""
    eta = predict(X, coef)
    return weighted_mean(np.exp(eta) - y * eta, weight) + penalty(coef, alpha)


@loss(wrt="coef")
def half_gamma(
    X: Matrix[n, d],
    y: Vector[n, positive],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
):
    """`HalfGammaLoss`: half the Gamma deviance with a log link."""
    eta = predict(X, coef)
    return weighted_mean(eta + y * np.exp(-eta), weight) + penalty(coef, alpha)


@loss(wrt="coef")
def half_tweedie(
    X: Matrix[n, d],
    y: Vector[n, nonnegative],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
    power: Scalar[positive],
):
    """`HalfTweedieLoss`: half the Tweedie deviance of a power other than 0, 1 and 2, with a log link."""
    eta = predict(X, coef)
    deviance = np.exp((2 - power) * eta) / (2 - power) - y * np.exp((1 - power) * eta) / (1 - power)
    return weighted_mean(deviance, weight) + penalty(coef, alpha)


@loss(wrt="coef")
def half_binomial(
    X: Matrix[n, d],
    y: Vector[n, unit_interval],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
):
    """`HalfBinomialLoss`: the logistic loss for y in 0 ... 1."""
    p = expit(predict(X, coef))
    return weighted_mean(-y * np.log(p) - (1 - y) * np.log(1 - p), weight) + penalty(coef, alpha)


@loss(wrt="coef")
def half_multinomial(
    X: Matrix[n, d],
    y: Indices[n, k],
    weight: Vector[n, positive],
    coef: Matrix[k, d + 1],
    alpha: Scalar[nonnegative],
):
    """`HalfMultinomialLoss`: softmax regression by class labels, with an intercept for each class."""
    eta = X @ coef[:, :-1].T + coef[:, -1]
    nll = logsumexp(eta, axis=1) - np.sum(eye(k)[y] * eta, axis=1)
    return weighted_mean(nll, weight) + 0.5 * alpha * np.sum(coef[:, :-1] ** 2)


@loss(wrt="coef")
def exponential_linear(
    X: Matrix[n, d],
    y: Vector[n, unit_interval],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
):
    """`ExponentialLoss`, which AdaBoost minimises, for y in 0 ... 1."""
    eta = predict(X, coef)
    return weighted_mean(y * np.exp(-eta) + (1 - y) * np.exp(eta), weight) + penalty(coef, alpha)


@loss(wrt="coef")
def pinball_linear(
    X: Matrix[n, d],
    y: Vector[n],
    weight: Vector[n, positive],
    coef: Vector[d + 1],
    alpha: Scalar[nonnegative],
    quantile: Scalar[unit_interval],
):
    """`PinballLoss`: quantile regression."""
    r = y - predict(X, coef)
    return weighted_mean(np.maximum(quantile * r, (quantile - 1) * r), weight) + penalty(coef, alpha)


@loss(wrt="w")
def huber_with_scale(
    X: Matrix[n, d],
    y: Vector[n],
    weight: Vector[n, positive],
    w: Vector[d + 2],
    epsilon: Scalar[positive],
    alpha: Scalar[nonnegative],
):
    """`HuberRegressor`: w holds the coefficients, the intercept and the scale sigma (Owen 2007)."""
    coef, intercept, sigma = w[:-2], w[-2], w[-1]
    r = np.abs(y - X @ coef - intercept)
    inside = r**2 / sigma
    outside = 2 * epsilon * r - sigma * epsilon**2
    return (
        np.sum(weight) * sigma + np.sum(weight * np.where(r > epsilon * sigma, outside, inside)) + alpha * coef @ coef
    )


@loss(wrt="coef")
def squared_hinge_linear(X: Matrix[n, d], y: Vector[n, sign], coef: Vector[d + 1], C: Scalar[positive]):
    """`LinearSVC` with its default loss (liblinear's L2-regularised L2-loss SVM; the intercept is penalised too)."""
    return 0.5 * coef @ coef + C * np.sum(np.maximum(0, 1 - y * predict(X, coef)) ** 2)
