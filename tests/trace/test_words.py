"""Every word of the vocabulary on vectors, matrices and stacks of matrices, with axes of length 1 among them: the
shapes and values that NumPy gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.special as special

from gradgen import (
    arange,
    dims,
    eye,
    full,
    function,
    log_softmax,
    logdet,
    logsumexp,
    ones,
    relu,
    sigmoid,
    softmax,
    softplus,
    zeros,
)
from gradgen.declared import Declared
from gradgen.dims import Size
from gradgen.fields import FLOAT
from gradgen.replay import Replay

b, n, d = dims("b n d")
norm, inv = np.linalg.norm, np.linalg.inv
Case = Callable[..., Any]

# ---- what is applied entry by entry: to any array

UNARY: dict[str, Case] = {
    **{f: getattr(np, f) for f in "sin cos tan arctan sinh cosh tanh arcsinh exp expm1 exp2 square sign".split()},
    **{f: lambda x, f=f: getattr(np, f)(1.5 + x * x) for f in "sqrt log log1p log2 log10 reciprocal arccosh".split()},
    **{f: lambda x, f=f: getattr(np, f)(np.tanh(x) / 2) for f in "arcsin arccos arctanh".split()},
    **{f: getattr(special, f) for f in "expit log_expit erf erfc ndtr log_ndtr".split()},
    **{
        f: lambda x, f=f: getattr(special, f)(0.1 + special.expit(x) / 2)
        for f in "logit entr gammaln digamma psi".split()
    },
    "abs": abs,
    "negative": lambda x: -x,
    "positive": lambda x: +x,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": relu,
    "power": lambda x: x**2 + x**3 + (1 + x * x) ** 0.5 + 2**x,
    "division": lambda x: 1 / (2 + x * x) + x / 3,
    "masks": lambda x: (x > 0) * x + (x <= 0.5) - 1.0 * ((x > 0) & (x < 1) | ~(x != 1)),
    "clip": lambda x: np.clip(x, -0.5, 0.5) + x.clip(0),
    "where": lambda x: np.where(x > 0, x, 2 * x),
    "augmented": lambda x: _augmented(x),
    "zeros_like": lambda x: np.zeros_like(x) + np.ones_like(x) + np.full_like(x, 2.0),
}
BINARY: dict[str, Case] = {
    **{f: getattr(np, f) for f in "add subtract multiply maximum minimum logaddexp hypot arctan2".split()},
    "divide": lambda x, y: x / (2 + y * y),
    "power": lambda x, y: (1 + x * x) ** y,
    **{f: lambda x, y, f=f: getattr(special, f)(x * x, 1 + y * y) for f in "xlogy xlog1py rel_entr".split()},
    "comparisons": lambda x, y: (x > y) + 2.0 * (x <= y) + 4.0 * (x == y),
    "where": lambda x, y: np.where(x > y, x, y),
    "outer": lambda x, y: np.subtract.outer(x, y) + np.maximum.outer(x, y),
}


def _augmented(x: Any) -> Any:
    r = 2 * x
    r += x
    r *= 3
    r -= 1
    r /= 2
    return r


# ---- what works along axes: to any array of one axis or more

REDUCTIONS: dict[str, Case] = {
    **{f: getattr(np, f) for f in "sum mean max min prod var std".split()},
    "logsumexp": logsumexp,
    "norm": lambda x, axis=None, keepdims=False: norm(x, axis=axis, keepdims=keepdims),
    "vector_norm": lambda x, axis=None, keepdims=False: np.linalg.vector_norm(x, axis=axis, keepdims=keepdims),
    "var of a sample": lambda x, **where: np.var(2 * x, ddof=-1, **where),
    "std of a sample": lambda x, **where: np.std(2 * x, correction=-1, **where),
    "average": lambda x, **where: np.average(x, **where),
}
ALONG: dict[str, Case] = {
    "cumsum": lambda x: np.cumsum(x, axis=0) + x.cumsum(-1),
    "reduce": lambda x: np.add.reduce(x) + np.multiply.reduce(x) + np.sum(np.logaddexp.reduce(x, axis=-1)),
    "accumulate": lambda x: np.add.accumulate(x) + np.add.accumulate(x, axis=-1),
    "cumsum of all": lambda x: np.cumsum(x),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=-1, include_initial=True),
    "softmax": lambda x: softmax(x) + softmax(x, axis=0) + softmax(x, axis=None),
    "log_softmax": lambda x: log_softmax(x) + log_softmax(x, axis=0),
    "norm 1": lambda x: norm(x, 1, axis=0),
    "norm inf": lambda x: norm(x, np.inf, axis=-1) + norm(x, -np.inf, axis=-1),
    "norm 0": lambda x: norm(x * (x > 0), 0, axis=-1),
    "norm 3": lambda x: norm(x, 3, axis=0) + np.linalg.vector_norm(x, ord=2.5),
    "norm 4": lambda x: norm(x, 4, axis=-1, keepdims=True),
    "norm of a small order": lambda x: norm(x, 0.5, axis=0) + norm(x, -2, axis=0),
    "average by weights": lambda x: np.average(x, weights=x * x + 1, axis=0),
    "average by a vector": lambda x: np.average(x, weights=ones(x.shape[-1]), axis=-1),
    "flip": lambda x: np.flip(x) + np.flip(x, 0) + np.flipud(x) + np.flip(x, axis=-1),
    "roll": lambda x: np.roll(x, 1) + np.roll(x, -1, axis=0) + np.roll(x, 1, axis=-1),
    "reshape": lambda x: x.reshape(-1, 1) * np.reshape(x, (1, x.size)),
    "reshape to a column": lambda x: x.reshape((x.shape[0], -1)),
    "ravel": lambda x: np.ravel(x) + x.ravel() + x.flatten() + x.reshape(-1),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(x[None, ..., None], axis=(0, -1)),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "new axes": lambda x: x[None, ..., None] + x[..., None],
    "slices": lambda x: x[1:] - x[:-1],
    "from the end": lambda x: x[..., -1] + x[..., 0],
    "pick": lambda x: x[[0, 0]],
    "pick from both ends": lambda x: x[[0, -1, -1]],
    "pick in two axes": lambda x: x[np.array([[0, 0], [-1, 0]])],
    "pick the last axis": lambda x: x[..., [-1, 0]],
    "take": lambda x: np.take(x, [0, 0, 0], axis=-1) + x.take(0, axis=-1)[..., None],
    "concatenate": lambda x: np.concatenate([x, 2 * x], axis=-1),
    "stack": lambda x: np.stack([x, -x], axis=1) + np.stack([x, x])[0][:, None],
    "vstack": lambda x: np.vstack([x, x]),
    "hstack": lambda x: np.hstack([x, x]),
    "outer": lambda x: np.outer(x, x),
    "vdot": lambda x: np.vdot(x, x),
    "inner": lambda x: np.inner(x, x),
    "kron": lambda x: np.kron(x, x) + np.kron(2, np.kron(x, x)),
    "tensordot": lambda x: np.tensordot(x, x, axes=0),
    "tensordot over an axis": lambda x: np.tensordot(x, x, axes=([0], [0])),
    "vecdot": lambda x: np.vecdot(x, x) + np.linalg.vecdot(x, 2 * x, axis=-1),
    "vecdot along the first": lambda x: np.vecdot(x, x, axis=0),
    "einsum of all": lambda x: np.einsum("...,...->...", x, x),
    "einsum along the last": lambda x: np.einsum("...i,...i", x, x),
    "einsum with broadcasting": lambda x: np.einsum("...i,i->...", x, ones(x.shape[-1])),
    "arange": lambda x: x * arange(x.shape[-1]) + arange(2)[1],
    "arange from one": lambda x: x * arange(1, x.shape[-1] + 1) + x * arange(x.shape[-1], 0, -1),
    "full": lambda x: x + full(x.shape, 2.0) + ones(*x.shape) + zeros(x.shape[-1]),
    "len": lambda x: x / len(x) + x.shape[-1] + x.size,
    "builtins": lambda x: sum(x) if x.ndim > 1 else sum(x) + max(x) - min(x),
    "norm of all": lambda x: norm(x.ravel()) + norm(x.ravel(), 1) + norm(x),
}

# ---- vectors, matrices, stacks

VECTORS: dict[str, Case] = {
    "dot": lambda x: x @ x + np.dot(x, x) + x.dot(x) + np.inner(x, x),
    "diag": lambda x: np.diag(x),
    "diag beside": lambda x: np.diag(x, 1) + np.diag(x, -1),
    "diag far beside": lambda x: np.diag(x, 3),
    "einsum": lambda x: np.einsum("i,j,k->kij", x, x, x) + np.einsum("i,i", x, x),
    "column": lambda x: x[:, None] - x[None, :],
    "roll over": lambda x: np.roll(x, 1, 0),
    "column_stack": lambda x: np.column_stack([x, x]),
    "block": lambda x: np.block([[np.diag(x), x[:, None]], [x, 1.0]]),
    "multi_dot": lambda x: np.linalg.multi_dot([x, np.diag(x), x]),
}
MATRICES: dict[str, Case] = {
    "matmul": lambda X: X @ X.T,
    "dot": lambda X: np.dot(X, X.T) + X.dot(X.T),
    "matrix by vector": lambda X: X @ X[0] + np.matvec(X, X[0]),
    "vector by matrix": lambda X: X[:, 0] @ X + np.vecmat(X[:, 0], X),
    "trace": lambda X: np.trace(X @ X.T) + np.linalg.trace(X.T @ X),
    "T": lambda X: X.T + np.transpose(X) + X.swapaxes(0, 1) + X.mT,
    "fliplr": lambda X: np.fliplr(X),
    "roll of two": lambda X: np.roll(X, (1, -1), axis=(0, 1)),
    "reshape by columns": lambda X: X.reshape(X.shape[::-1], order="F") * X.ravel("F")[0],
    "tril of a vector": lambda X: np.tril(X[0]) + np.triu(X[0], 1),
    "tril": lambda X: np.tril(X) + np.tril(X, 1) + np.tril(X, k=-1),
    "triu": lambda X: np.triu(X) + np.triu(X, 1) + np.triu(X, k=-1),
    "diagonal": lambda X: np.diag(X @ X.T) + np.diagonal(X @ X.T),
    "diagonals beside": lambda X: np.diag(X @ X.T, 1) + np.diagonal(X @ X.T, offset=-1),
    "trace beside": lambda X: np.trace(X.T @ X, 1),
    "einsum product": lambda X: np.einsum("ij,kj->ik", X, X),
    "einsum implied": lambda X: np.einsum("ij,jk", X, X.T) + np.einsum("ba", X @ X.T),
    "einsum of three": lambda X: np.einsum("ij,kj,kl->il", X, X, X),
    "einsum of four": lambda X: np.einsum("ij,ik,il,im->jklm", X, X, X, X, optimize=True),
    "einsum diagonal": lambda X: np.einsum("ii->i", X @ X.T) + np.einsum("ii", X @ X.T),
    "einsum with spaces": lambda X: np.einsum(" i j , i j -> i ", X, X),
    "kron": lambda X: np.kron(X, X.T) + np.kron(X.T, X)[0, 0],
    "kron with a vector": lambda X: np.kron(X, X[0]),
    "tensordot": lambda X: np.tensordot(X, X, axes=(1, 1)) + np.tensordot(X, X.T, 1),
    "multi_dot": lambda X: np.linalg.multi_dot([X, X.T, X, X[0]]),
    "matrix_power": lambda X: np.linalg.matrix_power(X @ X.T, 3),
    "matrix_power 0": lambda X: np.linalg.matrix_power(X @ X.T, 0),
    "matrix_power -2": lambda X: np.linalg.matrix_power(X @ X.T + eye(len(X)), -2),
    "inv": lambda X: inv(X @ X.T + eye(X.shape[0])),
    "solve": lambda X: np.linalg.solve(X @ X.T + eye(X.shape[0]), X),
    "det": lambda X: np.linalg.det(X @ X.T + eye(X.shape[0])) + logdet(X @ X.T + eye(X.shape[0])),
    "slogdet": lambda X: np.linalg.slogdet(X @ X.T + eye(X.shape[0]))[1],
    "cholesky": lambda X: np.linalg.cholesky(X @ X.T + eye(X.shape[0])),
    "cholesky upper": lambda X: np.linalg.cholesky(X @ X.T + eye(X.shape[0]), upper=True),
    "eigvalsh": lambda X: np.linalg.eigvalsh(X @ X.T),
    "norm fro": lambda X: norm(X, "fro") + np.linalg.matrix_norm(X),
    "norm 1": lambda X: norm(X, 1) + norm(X, -1) + norm(X, np.inf) + norm(X, -np.inf),
    "block": lambda X: np.block([[X, X @ X.T], [X.T @ X, X.T]]),
    "select a row": lambda X: X[0] + X[-1] + X[0, :] + X[-1, ...],
    "pick pairs": lambda X: X[[0, -1, 0], [0, 0, -1]],
    "pick a block": lambda X: X[np.ix_([0, 0, -1], [0, -1])],
    "pick rows of a column": lambda X: X[[0, -1], 0] + X[0, [0, -1]].sum(),
    "pick and slice": lambda X: X[[0, 0], 1:],
    "known mask": lambda X: np.stack([X, X, X])[np.array([True, False, True])],
}
STACKS: dict[str, Case] = {
    "matmul": lambda T: T @ T.swapaxes(-1, -2),
    "matmul by a matrix": lambda T: T @ T[0].T,
    "matmul by a vector": lambda T: T @ T[0, 0],
    "dot": lambda T: np.dot(T, T[0].T) + np.dot(T, T[0, 0])[..., None],
    "dot of stacks": lambda T: np.dot(T, T.swapaxes(1, 2)),
    "inner": lambda T: np.inner(T, T[0]),
    "matvec": lambda T: np.matvec(T, T[0, 0]) + np.vecmat(T[0, 0], T.mT),
    "trace": lambda T: np.linalg.trace(T @ T.mT) + np.trace(T @ T.mT, axis1=1, axis2=2),
    "trace beside": lambda T: np.linalg.trace(T @ T.mT, offset=1),
    "diagonal": lambda T: np.linalg.diagonal(T @ T.mT) + np.diagonal(T @ T.mT, axis1=1, axis2=2),
    "diagonal beside": lambda T: np.linalg.diagonal(T @ T.mT, offset=-1),
    "tril": lambda T: np.tril(T) + np.triu(T, 1),
    "transpose": lambda T: T.transpose(2, 0, 1) + np.transpose(T, (2, 0, 1)) + np.moveaxis(T, -1, 0),
    "moveaxis": lambda T: np.moveaxis(T, (0, 1), (-1, 0)),
    "swapaxes": lambda T: (
        np.swapaxes(T, 0, 2) + np.matrix_transpose(T).T.swapaxes(1, 2).swapaxes(0, 1).swapaxes(1, 2)[0, 0, 0]
    ),
    "einsum batched": lambda T: np.einsum("bij,bkj->bik", T, T),
    "einsum with an ellipsis": lambda T: np.einsum("...ij,kj->...ik", T, T[0]),
    "einsum with an ellipsis behind": lambda T: np.einsum("i...,i...->i...", T, T),
    "einsum that broadcasts": lambda T: np.einsum("...ij,...kj->...ik", T[:, None], T),
    "einsum implied": lambda T: np.einsum("...ij,...ij", T, T) + np.einsum("bij->", T),
    "kron": lambda T: np.kron(T, T[0]),
    "tensordot": lambda T: np.tensordot(T, T, axes=([0, 2], [0, 2])) + np.tensordot(T, T, axes=3),
    "inv": lambda T: inv(T @ T.mT + eye(T.shape[1])),
    "solve": lambda T: np.linalg.solve(T @ T.mT + eye(T.shape[1]), T),
    "solve a vector": lambda T: np.linalg.solve(T @ T.mT + eye(T.shape[1]), T[0, :, 0]),
    "det": lambda T: np.linalg.det(T @ T.mT + eye(T.shape[1])) + logdet(T @ T.mT + eye(T.shape[1])),
    "slogdet": lambda T: np.linalg.slogdet(T @ T.mT + eye(T.shape[1])).logabsdet,
    "matrix_power": lambda T: np.linalg.matrix_power(T @ T.mT, 2) + np.linalg.matrix_power(T @ T.mT, 0),
    "cholesky": lambda T: np.linalg.cholesky(T @ T.mT + eye(T.shape[1])),
    "eigvalsh": lambda T: np.linalg.eigvalsh(T @ T.mT),
    "norm fro": lambda T: norm(T, "fro", axis=(1, 2)) + np.linalg.matrix_norm(T),
    "norm 1": lambda T: norm(T, 1, axis=(1, 2)) + np.linalg.matrix_norm(T, ord=np.inf, keepdims=True)[:, 0, 0],
    "reshape": lambda T: T.reshape(T.shape[0], -1) + T.reshape((T.shape[0], T.shape[1] * T.shape[2])),
    "attention": lambda T: softmax(T @ T.mT / np.sqrt(T.shape[-1])) @ T,
    "squeeze": lambda T: T[:1].squeeze(0) + np.squeeze(T[..., :1], -1).sum(),
    "pick beside a slice": lambda T: T[0, :, [0, -1]] + T[[0, -1], :, 0],
    "pick pairs": lambda T: T[[0, -1], :, [0, -1]] + T[:, [0, -1], [0, 0]].sum(),
    "pick a grid": lambda T: T[np.array([[0, -1], [0, 0]]), np.array([[0, 0], [-1, 0]])],
}
WIDE = {
    "pinv": lambda X: np.linalg.pinv(X),
    "a nuclear norm": lambda X: np.linalg.norm(X, "nuc"),
    "nuclear norms of a stack": lambda X: np.linalg.norm(np.stack([X, 2 * X]), "nuc", axis=(2, 0), keepdims=True),
    "a nuclear norm of a column": lambda X: np.linalg.norm(X[:, :1], "nuc", axis=(0, 1)),
    "pinv of a stack": lambda X: np.linalg.pinv(np.stack([X, 2 * X])),
    "pinv of the transpose": lambda X: np.linalg.pinv(X.T) @ X[0],
}

THREE = {
    "cross": lambda X: np.cross(X, X[::-1]) + np.linalg.cross(X, 2 * X + 1),
    "cross of one": lambda X: np.cross(X[0], X) * np.cross(X, [1.0, 2.0, 3.0]),
    "cross along the first": lambda X: np.cross(X.T, np.flip(X.T), axis=0) + np.cross(X.T, X, axisa=0, axisc=0),
}

VECTOR_SHAPES = (((n,), (3,)), ((n,), (1,)), ((1,), (1,)), ((3,), (3,)))
MATRIX_SHAPES = (
    ((n, d), (3, 2)),
    ((n, d), (1, 3)),
    ((n, 1), (4, 1)),
    ((1, d), (1, 3)),
    ((1, 1), (1, 1)),
    ((3, 2), (3, 2)),
)
STACK_SHAPES = (
    ((b, n, d), (2, 3, 2)),
    ((b, n, d), (1, 2, 3)),
    ((b, 1, d), (2, 1, 3)),
    ((1, n, d), (1, 3, 2)),
    ((b, n, 1), (2, 3, 1)),
    ((2, 1, 1), (2, 1, 1)),
)
EVERY = (*VECTOR_SHAPES, *MATRIX_SHAPES, *STACK_SHAPES)


def cases() -> Iterator[Any]:
    for name, word in UNARY.items():
        yield from ((f"{name}", word, s) for s in EVERY)
    for name, word in BINARY.items():
        yield from ((f"{name} of two", lambda x, w=word: w(x, np.flip(x) + 0.25), s) for s in EVERY)
        yield from ((f"{name} broadcast", lambda x, w=word: w(x[..., None], x[0] - 0.25), s) for s in MATRIX_SHAPES)
        yield from ((f"{name} with a number", lambda x, w=word: w(x, 0.75) + w(0.75, x), s) for s in EVERY)
    for name, word in REDUCTIONS.items():
        yield from ((name, word, s) for s in EVERY)
        yield from ((f"{name} along the last", lambda x, w=word: w(x, axis=-1), s) for s in EVERY)
        yield from ((f"{name} kept", lambda x, w=word: w(x, axis=0, keepdims=True), s) for s in EVERY)
        pairs = (*MATRIX_SHAPES, *STACK_SHAPES)
        if name not in ("norm", "average"):
            yield from ((f"{name} of axes", lambda x, w=word: w(x, axis=(0, -1)), s) for s in pairs)
    for table, shapes in (
        (ALONG, EVERY),
        (VECTORS, VECTOR_SHAPES),
        (MATRICES, MATRIX_SHAPES),
        (STACKS, STACK_SHAPES),
        (THREE, (((n, 3), (2, 3)), ((3, 3), (3, 3)), ((1, 3), (1, 3)))),
        (WIDE, (((n, d), (2, 4)), ((2, 3), (2, 3)), ((n, 1), (3, 1)))),
    ):
        for name, word in table.items():
            yield from ((name, word, s) for s in shapes)


# No global holds the cases: a trace looks through the globals of a word.
@pytest.mark.sweep(6)
@pytest.mark.parametrize(
    ("word", "shape"), [pytest.param(word, shape, id=f"{name}-{shape[0]}-{shape[1]}") for name, word, shape in cases()]
)
def test_a_word_is_numpys(word: Case, shape: Any) -> None:
    """The recorded shape, and the value that the recorded calls give in float64."""
    declared, size = shape
    kind = Declared("Tensor", tuple(Size.of(s if isinstance(s, int) else s.size) for s in declared))
    value = np.random.default_rng(sum(size)).normal(size=size)

    def applied(x: Any) -> Any:
        return word(x) * 1.0

    applied.__annotations__["x"] = kind
    made = function(wrt="x")(applied)
    expected = made(value)
    tape = made.tape
    lengths = {str(s): k for s, k in zip(declared, size, strict=True) if not isinstance(s, int)}
    assert tuple(s.value(lengths) for s in tape.result.shape) == np.shape(expected)
    found = Replay(tape, {"x": value}, FLOAT).result({})
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(np.asarray(found, dtype=float), expected, rtol=1e-11, atol=1e-12)
