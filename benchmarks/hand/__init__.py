"""Careful hand-derived NumPy: what every other contender is measured against."""

from benchmarks.hand.likelihoods import determinant_log, gaussian
from benchmarks.hand.linear import log_cosh, logistic, poisson, ridge, softmax_regression
from benchmarks.hand.matrices import dictionary_learning, log_similarity, matrix_factorization, trace_quadratic
from benchmarks.hand.mixtures import gaussian_mixture
from benchmarks.hand.networks import column_sums, one_layer, two_layer

__all__ = [
    "column_sums",
    "determinant_log",
    "dictionary_learning",
    "gaussian",
    "gaussian_mixture",
    "log_cosh",
    "log_similarity",
    "logistic",
    "matrix_factorization",
    "one_layer",
    "poisson",
    "ridge",
    "softmax_regression",
    "trace_quadratic",
    "two_layer",
]
