"""Gradients and products of float32 are float32, whatever function they take."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import compiled, of_two

WORDS = (
    *("x", "np.exp(x)", "np.cumsum(x)", "x[[0, 0, 1]]", "np.prod(x)", "np.tril(np.outer(x, x))", "x ** 2.5", "x / 3"),
    *(f"scipy.special.{op}(x)" for op in "expit logit log_expit entr erf erfc ndtr log_ndtr gammaln digamma".split()),
    *(f"scipy.special.{op}(x, y)" for op in ("xlogy", "xlog1py", "rel_entr")),
    *("np.linalg.norm(x)", "np.std(x)", "np.max(x)", "logsumexp(x)", "softmax(x) * y", "np.where(x > y, x, 2)"),
    *("np.linalg.inv(np.outer(x, x) + eye(n))", "np.linalg.det(np.outer(x, x))", "np.linalg.pinv(np.outer(x, y))"),
    *("np.linalg.cholesky(np.outer(x, x) + eye(n))", "np.linalg.eigvalsh(np.outer(x, x))", "np.roll(x, 1) * arange(n)"),
    *("np.einsum('i,j->', x, y)", "np.kron(x, y)", "logdet(np.outer(x, y) + eye(n))"),
)


@pytest.mark.parametrize("word", WORDS)
def test_float32(word):
    module = compiled(of_two(f"np.sum(({word}) ** 2)", [], [], 0, ()))
    x, y = np.array([0.25, 0.5, 0.75], dtype=np.float32), np.array([0.5, 0.25, 0.125], dtype=np.float32)
    for result in (module.grad(x, y), module.hvp(x, y, y, x)):
        assert {part.dtype for part in result} == {np.dtype(np.float32)}
    assert type(module.loss(x, y)) is float
