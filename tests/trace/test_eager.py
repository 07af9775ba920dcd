"""A loss called with real arrays: the door, the working dtype, and dimensions as numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gradgen import Matrix, Scalar, SpecError, Vector, dims, eye, full, loss, ones, zeros

n, d, p, q = dims("n d p q")
SEEN: list[Any] = []


@loss(wrt="w")
def ridge(X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar):
    if not hasattr(X, "call"):
        SEEN.append((X, y, w, lam))
    r = X @ w - y
    return r @ r / n + lam * (w @ w) * len(w)


@loss(wrt="z")
def split(z: Vector[p + 2 * q], a: Vector[p]):
    return np.sum(z[:p] * a) + np.sum(z[p : p + q] * z[p + q :]) + z[1]


X = np.arange(6.0).reshape(3, 2)
Y = np.array([1.0, 2.0, 4.0])
W = np.array([0.5, -0.5])


def test_the_function_runs_on_numbers() -> None:
    r = X @ W - Y
    value = ridge(X, Y, W, 0.1)
    assert type(value) is float
    assert value == pytest.approx(r @ r / 3 + 0.1 * (W @ W) * 2, rel=1e-15)
    assert ridge(X, Y, lam=0.1, w=W) == value


def test_dimensions_are_bound_while_it_runs() -> None:
    @loss(wrt="x")
    def f(x: Vector[n], z: Vector[2 * d]):
        arrays = np.sum(ones(n) * x) + np.sum(eye(n) @ x) + np.sum(full((n, d), 0.5)) + np.sum(zeros(d))
        indexed = z[d] + np.sum(x[: n - 1])
        numbers = np.sqrt(n) + n**0.5 + n / 2 + np.float64(2) * n
        return arrays + indexed + numbers + (n * np.ones(2)).sum() + (np.ones(2) / n).sum()

    value = f(np.ones(4), np.arange(6))
    assert value == pytest.approx(4 + 4 + 6 + 2 + 2 + 2 + 3 + 3 + 8 + 0.5 + 8)
    with pytest.raises(SpecError, match="only inside a loss"):
        n / 2


@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        ((X, Y[:2], W, 1.0), ValueError, r"y.shape\[0\] is 2, but n is 3 \(n from X.shape\[0\]\)"),
        ((X, Y, Y, 1.0), ValueError, r"w.shape\[0\] is 3, but d is 2 \(d from X.shape\[1\]\)"),
        ((Y, Y, W, 1.0), ValueError, r"X has shape \(3,\), but should have shape \(n, d\)"),
        ((X, Y, W, [1.0]), ValueError, r"lam has shape \(1,\), but should have shape \(\)"),
        ((X, Y, W, None), TypeError, "lam is None"),
        ((X, Y, W * 1j, 1.0), TypeError, "w has dtype complex128"),
        ((X, Y, ["a", "b"], 1.0), TypeError, "w has dtype <U1"),
        ((X, Y, [[1], [2, 3]], 1.0), ValueError, "w is no array"),
        ((X, Y, np.array([None, 1]), 1.0), TypeError, "w has dtype object"),
        ((X, Y, W), TypeError, "missing a required argument: 'lam'"),
    ],
)
def test_wrong_arrays(args: tuple[Any, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ridge(*args)


def test_sums_of_dimensions_are_solved() -> None:
    assert split(np.arange(7.0), [1, 2, 3]) == pytest.approx(8 + (3 * 5 + 4 * 6) + 1)
    with pytest.raises(ValueError, match=r"z.shape\[0\] is 6, which cannot be p \+ 2 \* q"):
        split(np.arange(6.0), [1, 2, 3])
    with pytest.raises(ValueError, match=r"z.shape\[0\] is 1, which cannot be p \+ 2 \* q"):
        split(np.arange(1.0), [1, 2, 3])


def test_literal_dimensions_are_checked() -> None:
    @loss(wrt="x")
    def f(x: Vector[3]):
        return x @ x

    assert f([1, 2, 3]) == 14.0
    with pytest.raises(ValueError, match=r"x.shape\[0\] is 2, but it should be 3"):
        f([1, 2])


def test_what_slices_presuppose_is_checked() -> None:
    with pytest.raises(ValueError, match=r"presupposes 2 <= p \+ 2 \* q, but p is 0, q is 0"):
        split(np.zeros(0), np.zeros(0))


@pytest.mark.parametrize(
    ("x", "lam", "expected"),
    [
        (np.float32, 1.0, np.float32),
        (np.float32, np.float64(1), np.float32),
        (np.float64, 1.0, np.float64),
        (np.float16, 1.0, np.float64),
        (np.longdouble, 1.0, np.float64),
        (np.int32, 1, np.float64),
        (bool, True, np.float64),
    ],
)
def test_the_working_dtype(x: Any, lam: Any, expected: Any) -> None:
    SEEN.clear()
    ridge(X.astype(x), Y.astype(x), W.astype(x), lam)
    assert {v.dtype for v in SEEN[-1]} == {np.dtype(expected)}


def test_integers_follow_the_floats() -> None:
    SEEN.clear()
    ridge(X.astype(int), Y.astype(np.float32), [1, 0], 2)
    assert {v.dtype for v in SEEN[-1]} == {np.dtype(np.float32)}
    ridge(X.astype(np.float32), Y, W, 2)
    assert {v.dtype for v in SEEN[-1]} == {np.dtype(np.float64)}


def test_arguments_are_read_only_views_and_stay_as_they_are() -> None:
    before = X.copy()
    SEEN.clear()
    ridge(X, Y, W, 1.0)
    assert all(not v.flags.writeable for v in SEEN[-1][:3])
    assert np.shares_memory(SEEN[-1][0], X) and X.flags.writeable and (before == X).all()


def test_any_layout_and_zero_size() -> None:
    expected = ridge(X, Y, W, 1.0)
    assert ridge(np.asfortranarray(X), Y, W, 1.0) == pytest.approx(expected, rel=1e-15)
    assert ridge(np.repeat(X, 2, axis=0)[::2], Y, W[::-1][::-1], 1.0) == pytest.approx(expected, rel=1e-15)
    assert ridge(X.tolist(), tuple(Y), W, np.array(1.0)) == expected

    @loss(wrt="x")
    def f(x: Vector[n]):
        return x @ x

    assert f([]) == 0.0
    assert np.isnan(f([np.nan]))


def test_threads_do_not_share_dimensions() -> None:
    @loss(wrt="x")
    def f(x: Vector[n]):
        return np.sum(ones(n)) + 0 * x[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: f(np.ones(i)), range(1, 200))) == list(range(1, 200))


def test_words_run_numpy_on_real_arrays() -> None:
    from gradgen import log_softmax, logsumexp, relu, sigmoid, softmax, softplus

    z = np.array([[-800.0, 0.0, 3.0], [1.0, 2.0, 800.0]])
    with np.errstate(all="raise", under="ignore"):
        assert np.allclose(softmax(z).sum(axis=1), 1) and np.allclose(softmax(z, axis=None).sum(), 1)
        assert np.allclose(log_softmax(z), z - logsumexp(z, axis=-1, keepdims=True))
        assert logsumexp(z) == pytest.approx(800.0) and logsumexp(z, axis=(0, 1)).shape == ()
        assert np.allclose(
            sigmoid(z), [[0, 0.5, 1 / (1 + np.exp(-3))], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-2)), 1]]
        )
        assert np.allclose(softplus(z), np.logaddexp(z, 0)) and (relu(z) == np.maximum(z, 0)).all()
    assert logsumexp([-np.inf, -np.inf]) == -np.inf
    assert ones(2, 3).shape == (2, 3) and zeros((2,)).shape == (2,) and (eye(2) == np.eye(2)).all()
    assert (full((2,), 3.0) == 3).all()
