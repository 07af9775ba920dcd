"""Modules of losses with every type of argument pass the tests that are emitted for them."""

from __future__ import annotations

import importlib.util

import pytest
from test_emitted import run

import gradgen
from gradgen import pipeline

pytestmark = pytest.mark.slow

SPEC = """
import numpy as np
import scipy.special
from gradgen import *

m, n, k, t, d = dims("m n k t d")


@loss(wrt=("U", "V", "b"))
def recommender(rows: Indices[t, m], cols: Indices[t, n], r: Vector[t], U: Matrix[m, k], V: Matrix[n, k], b: Vector[m]):
    residual = np.sum(U[rows] * V[cols], axis=1) + b[rows] - r
    return residual @ residual


@loss(wrt=("L", "D"))
def triangular(x: Vector[n], T: LowerTriangular[n], L: LowerTriangular[n], D: Diagonal[n]):
    z = np.linalg.solve(L, T @ x)
    return z @ z + logdet(L) + np.sum((D @ T @ x) ** 2)


@loss(wrt=("S", "L", "M"))
def structures(S: SPD[n], L: LowerTriangular[n], M: Symmetric[n], x: Vector[n]):
    return x @ np.linalg.solve(S, L @ x) + logdet(S) + np.sum(L * M)


@loss(wrt=("S", "L"), symmetric="entries")
def entries(S: SPD[n], L: LowerTriangular[n]):
    return np.sum(L @ S @ S @ L.T)


@loss(wrt="S")
def cholesky(S: SPD[n], x: Vector[n]):
    L = np.linalg.cholesky(S)
    return np.sum((L @ x) ** 4) + np.sum(np.log(np.diagonal(L)))


@loss(wrt="X")
def factor_of_a_gram_matrix(X: Matrix[n, n]):
    return np.sum(np.linalg.cholesky(X @ X.T + eye(n)))


@loss(wrt="S")
def eigenvalues(S: Symmetric[n]):
    return np.sum(np.exp(np.linalg.eigvalsh(S)) * arange(n))


@loss(wrt="X")
def pseudoinverse(X: Matrix[n, d], y: Vector[n]):
    return np.sum((np.linalg.pinv(X) @ y) ** 2)


@loss(wrt="x")
def special(x: Vector[n], y: Vector[n, unit_interval], i: Vector[n, one_hot]):
    s = scipy.special
    smooth = s.xlogy(y, x) + s.entr(x) + s.ndtr(x) + s.log_ndtr(x) + s.log_expit(x) + s.xlogy(i, x) + s.rel_entr(i, x)
    return np.sum(smooth) + np.abs(s.erf(x[0]) - 0.5) + np.abs(s.logit(y) @ x)


@loss(wrt=("T", "B"))
def stacks(T: Tensor[k, n, n], B: Tensor[k, n, d]):
    return np.sum(np.linalg.solve(T, B) ** 2) + np.sum(logdet(T))


@loss(wrt="x")
def products(x: Vector[n], X: Matrix[n, d]):
    return np.prod(x) + np.sum(np.cumsum(x * np.prod(X, axis=1)) ** 2) + np.sum(np.tril(np.outer(x, x)) ** 2)


@loss(wrt="w")
def labels(A: Tensor[k, n, d], w: Vector[d], v: Vector[n]):
    return np.sum(np.einsum("knd,n,d->k", A, v, w) ** 2) + np.sum(w[[0, 0]] ** 3)


@loss(wrt=("D", "M"))
def literal_sizes(D: Diagonal[3], i: Indices[5, 3], M: LowerTriangular[2], j: Indices[k, n + 1], x: Vector[n + 1]):
    return np.sum((D @ ones(3))[i] ** 3) + np.sum(M @ M) * np.sum(x[j]) ** 2


@loss(wrt="U")
def functions(U: Matrix[m, d], i: Indices[k, m], f: Elementwise):
    return np.sum(f(U[i]) ** 2)


@loss(wrt="S")
def largest_eigenvalue(S: Symmetric[n]):
    return np.max(np.linalg.eigvalsh(S))


@loss(wrt="x")
def inner_factor(x: Vector[n], A: Matrix[n, n]):
    return np.sum(np.abs(np.linalg.cholesky(A @ A.T + np.outer(x, x) + eye(n)) @ x))


@loss(wrt="x")
def special_kinks(x: Vector[n]):
    s = scipy.special
    inner = s.ndtr(x) + s.log_ndtr(x) + s.erfc(x) + s.entr(x) + s.xlog1py(x, x)
    return np.sum(np.abs(inner - 0.25) + np.where(s.gammaln(x) + s.digamma(x) > 0.1, x**2, x))


@function(wrt="D")
def scaled(D: Diagonal[n], x: Vector[n]):
    return D @ D @ x


@function(wrt=("L", "D"))
def rows(L: LowerTriangular[n], D: Diagonal[n], i: Indices[k, n]):
    return (L @ D @ L.T)[i]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The modules of the spec with their tests, in one folder."""
    folder = tmp_path_factory.mktemp("built")
    path = folder / "spec.py"
    path.write_text(SPEC)
    for name, declaration in gradgen.load(path).items():
        made = pipeline.generate(declaration.tape)
        assert not made.warning
        (folder / f"{name}.py").write_text(made.module)
        (folder / f"test_{name}.py").write_text(made.tests)
    return folder


def test_modules_pass_their_tests(built):
    failed, count = run(built)
    assert failed == {}
    assert count >= 350


def test_random_inputs_raise_no_false_alarm(built):
    for path in sorted(built.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for seed in range(60):
            module.check(seed)
