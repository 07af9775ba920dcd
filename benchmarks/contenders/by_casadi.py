"""CasADi: each loss as a graph of scalars at the tiny size, which is what it is made for."""

from __future__ import annotations

import casadi
import numpy as np
from casadi import SX, exp, log, mtimes, solve, sum1, sum2, sumsqr, tanh, trace

from benchmarks.contenders import Calls, Job, NotThereError

VERSION = casadi.__version__


def total(Z):
    return sum1(sum2(Z))


def softplus(z):
    return casadi.fmax(z, 0) + casadi.log1p(exp(-casadi.fabs(z)))


def logsumexp(Z):
    """Of each row."""
    peak = casadi.mmax(Z) if Z.shape[1] == 1 else casadi.vertcat(*(casadi.mmax(Z[i, :]) for i in range(Z.shape[0])))
    return peak + log(sum2(exp(Z - casadi.repmat(peak, 1, Z.shape[1]))))


def cross_entropy(Z, Y):
    return sum1(logsumexp(Z)) - total(Y * Z)


def rows(v, n):
    return casadi.repmat(v.T, n, 1)


def ridge(X, y, w, lam):
    return sumsqr(mtimes(X, w) - y) + lam * sumsqr(w)


def logistic(X, y, w, lam):
    return sum1(softplus(-y * mtimes(X, w))) + lam / 2 * sumsqr(w)


def poisson(X, y, w):
    eta = mtimes(X, w)
    return sum1(exp(eta) - y * eta)


def log_cosh(X, y, w):
    r = mtimes(X, w) - y
    return sum1(softplus(2 * r) - r) / y.shape[0] - np.log(2)


def softmax_regression(X, Y, W, lam):
    return cross_entropy(mtimes(X, W), Y) + lam / 2 * sumsqr(W)


def log_similarity(K, V):
    return mtimes(logsumexp(mtimes(V, V.T)).T, sum2(K))


def dictionary_learning(X, D, R, lam):
    return sumsqr(X - mtimes(D, R)) / 2 + lam * total(casadi.fabs(R))


def one_layer(X, y, W, v):
    return sumsqr(mtimes(tanh(mtimes(X, W)), v) - y) / y.shape[0]


def two_layer(X, Y, W1, b1, W2, b2):
    n = X.shape[0]
    hidden = casadi.fmax(mtimes(X, W1) + rows(b1, n), 0)
    return cross_entropy(mtimes(hidden, W2) + rows(b2, n), Y) / n


def column_sums(X, V):
    return sumsqr(sum1(tanh(mtimes(X, V))))


def trace_quadratic(A, X):
    return trace(mtimes(X.T, mtimes(A.T, X)))


def gaussian(X, mu, P):
    Z = X - rows(mu, X.shape[0])
    return total(mtimes(Z, P) * Z) / 2 - X.shape[0] / 2 * log(casadi.det(P))


def determinant_log(B, a, X):
    return casadi.det(X + B) * log(mtimes(a.T, solve(X, a))) - trace(X)


def matrix_factorization(R, mask, U, V, lam):
    return sumsqr(mask * (mtimes(U, V.T) - R)) + lam * (sumsqr(U) + sumsqr(V))


def gaussian_mixture(X, logits, mu, log_sigma):
    n, d = X.shape
    weights = logits - logsumexp(logits.T)
    columns = []
    for j in range(mu.shape[0]):
        z = (X - casadi.repmat(mu[j, :], n, 1)) * casadi.repmat(exp(-log_sigma[j, :]), n, 1)
        columns.append(weights[j] - sum2(z * z) / 2 - sum2(log_sigma[j, :]) - d / 2 * np.log(2 * np.pi))
    return -sum1(logsumexp(casadi.horzcat(*columns)))


def prepare(job: Job) -> Calls:
    if job.size != "tiny" or job.dtype != "float64":
        raise NotThereError("tiny sizes in float64 alone")
    case, (inputs, directions) = job.case, job.drawn()
    symbols = {name: symbol(name, value) for name, value in inputs.items()}
    variables = [symbols[name] for name in case.wrt]
    value = globals()[case.name](*symbols.values())
    gradient = [casadi.gradient(value, one) for one in variables]
    along = [symbol(f"d{name}", one) for name, one in zip(case.wrt, directions, strict=True)]
    flat = casadi.veccat(*variables)
    times = casadi.jtimes(casadi.gradient(value, flat), flat, casadi.veccat(*along))
    given, values = list(symbols.values()), list(inputs.values())
    return {
        "value_and_grad": evaluated(given, [value, *gradient], values, [(), *map(np.shape, directions)]),
        "hvp": evaluated(
            [*given, *along], split(times, variables), [*values, *directions], [*map(np.shape, directions)]
        ),
    }


def symbol(name, value):
    return SX.sym(name, *np.shape(value))


def split(flat, variables):
    ends = np.cumsum([0, *(one.numel() for one in variables)])
    pieces = zip(variables, ends[:-1], ends[1:], strict=True)
    return [casadi.reshape(flat[int(i) : int(j)], *one.shape) for one, i, j in pieces]


def evaluated(symbols, outputs, values, shapes):
    """Memory that CasADi reads and writes itself, columns first: the least that a call can cost."""
    function = casadi.Function("f", symbols, [casadi.densify(one) for one in outputs])
    buffer, call = function.buffer()
    given = [np.ravel(np.asarray(value, dtype=float), "F") for value in values]
    results = [np.zeros(int(np.prod(shape))) for shape in shapes]
    for i, one in enumerate(given):
        buffer.set_arg(i, memoryview(one))
    for i, one in enumerate(results):
        buffer.set_res(i, memoryview(one))
    shaped = [one.reshape(shape, order="F") for one, shape in zip(results, shapes, strict=True)]
    held = (function, buffer, given)  # the call reads their memory

    def evaluate(held=held):
        call()
        return shaped

    return evaluate
