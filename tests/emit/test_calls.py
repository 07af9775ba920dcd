"""What a module accepts and what it refuses, for every kind of array; the spec run as NumPy is the measure."""

from __future__ import annotations

import array
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import close, declare, module, parts, shares_nothing

SIGNATURE = "X: Matrix[n, d], y: Vector[n], w: Vector[d], s: Scalar"
BODY = "r = np.tanh(X @ w) - y\nr @ r + s * (w @ w) + np.sum(X**2) / 8"
FUNCTIONS = ("loss", "grad", "value_and_grad", "hvp", "hessian")
RNG = np.random.default_rng(5)
X, Y, W, DW = (RNG.integers(-8, 9, shape).astype(float) / 4 for shape in ((5, 3), 5, 3, 3))  # exact in every dtype
PLAIN: dict[str, Any] = {"X": X, "y": Y, "w": W, "s": 0.75}


@pytest.fixture(scope="module")
def used() -> Any:
    return module(declare("loss(wrt=('w', 'X'))", SIGNATURE, BODY))


@pytest.fixture(scope="module")
def single() -> Any:
    return module(declare("loss(wrt='w')", SIGNATURE, BODY))


# ---- what is accepted


class Sub(np.ndarray):
    """A subclass whose arithmetic is wrong on purpose."""

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("an operation of a subclass")

    def __array_function__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a function of a subclass")


class Holder:
    """No array, but it gives one."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.value, dtype=dtype)


def frozen(a: np.ndarray) -> np.ndarray:
    made = a.copy()
    made.flags.writeable = False
    return made


def negative(a: np.ndarray) -> np.ndarray:
    backwards = (slice(None, None, -1),) * a.ndim
    return a[backwards].copy()[backwards]


def strided(a: np.ndarray) -> np.ndarray:
    wide = np.full([2 * size + 1 for size in a.shape], np.nan)
    wide[(slice(None, -1, 2),) * a.ndim] = a
    return wide[(slice(None, -1, 2),) * a.ndim]


def unaligned(a: np.ndarray) -> np.ndarray:
    made = np.frombuffer(b"\0" + a.tobytes(), dtype=a.dtype, offset=1).reshape(a.shape)
    assert not made.flags.aligned
    return made


def on_disk(a: np.ndarray) -> np.ndarray:
    with tempfile.NamedTemporaryFile(suffix=".npy", delete=False) as file:
        np.save(file, a)
    made = np.load(file.name, mmap_mode="r")
    Path(file.name).unlink()
    return made


def matrix(a: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.matrix(a)


def typed(dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda a: a.astype(dtype)


KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "lists": np.ndarray.tolist,
    "tuples": lambda a: tuple(map(tuple, a.tolist())) if a.ndim > 1 else tuple(a.tolist()),
    "lists of arrays": list,
    "Fortran order": np.asfortranarray,
    "a transpose of a transpose": lambda a: a.T.copy().T,
    "negative strides": negative,
    "strides with gaps": strided,
    "read-only": frozen,
    "float16": typed("f2"),
    "longdouble": typed("longdouble"),
    "another byte order": typed(">f8"),
    "unaligned": unaligned,
    "a subclass": lambda a: a.view(Sub),
    "a memory map": on_disk,
    "a masked array that hides nothing": np.ma.array,
    "a masked array with a mask of nothing": lambda a: np.ma.array(a, mask=np.zeros(a.shape, bool)),
    "what gives an array": Holder,
    "a memoryview": lambda a: memoryview(a.copy()),
}
WHOLE: dict[str, Callable[[np.ndarray], Any]] = {
    "integers": typed("i8"),
    "small integers": typed("i1"),
    "unsigned integers": lambda a: np.abs(a).astype("u1"),
    "booleans": lambda a: a > 0,
    "lists of integers": lambda a: a.astype(int).tolist(),
    "lists of booleans": lambda a: (a > 0).tolist(),
}


def given(kind: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    return {name: kind(value) if np.ndim(value) else value for name, value in PLAIN.items()}


@pytest.mark.parametrize("said", [*KINDS, *WHOLE])
def test_every_kind_of_array_gives_the_same(used: Any, single: Any, said: str) -> None:
    kind = KINDS.get(said) or WHOLE[said]
    arrays, direction = given(kind), kind(DW)
    plain = {name: np.array(value, dtype=float) for name, value in arrays.items()}
    keep, memory = [np.array(v) for v in arrays.values()], [np.asarray(v) for v in arrays.values()]
    for name in ("loss", "grad", "value_and_grad"):
        found, wanted = getattr(used, name)(**arrays), getattr(used, name)(**plain)
        assert close(found, wanted)
        assert shares_nothing(found[1] if name == "value_and_grad" else found, *memory)
        assert all(part.dtype == np.float64 for part in parts(found) if isinstance(part, np.ndarray))
    product = used.hvp(*arrays.values(), direction, arrays["X"])
    assert close(product, used.hvp(*plain.values(), np.array(direction, dtype=float), plain["X"]))
    assert close(single.hessian(**arrays), single.hessian(**plain))
    bound = single.bind(X=arrays["X"], y=arrays["y"], s=arrays["s"])
    assert close(bound.grad(arrays["w"]), single.grad(**plain))
    assert close(bound.jac(bound.pack(arrays["w"])), single.grad(**plain))
    assert close(bound.hessp(arrays["w"], direction), single.hvp(**plain, dw=np.array(direction, dtype=float)))
    assert all(np.array_equal(a, np.array(b)) for a, b in zip(keep, arrays.values(), strict=True))


@pytest.mark.parametrize(
    "value", [1, True, np.float32(1), np.float16(1), np.longdouble(1), np.int8(1), np.array(1.0), np.bool_(1)], ids=repr
)
def test_every_kind_of_number_gives_the_same(single: Any, value: Any) -> None:
    assert single.loss(X, Y, W, value) == single.loss(X, Y, W, 1.0)
    assert np.array_equal(single.bind(X, Y, value).grad(W), single.grad(X, Y, W, 1.0))


def test_a_matrix_is_treated_by_its_rank(single: Any) -> None:
    found = single.grad(matrix(X), Y, W, 0.75)
    assert type(found) is np.ndarray
    assert np.array_equal(found, single.grad(X, Y, W, 0.75))
    with pytest.raises(ValueError, match=re.escape("y must have rank 1, but has shape (1, 5)")):
        single.grad(X, matrix(Y), W, 0.75)


DTYPES: dict[str, tuple[dict[str, Any], Any]] = {
    "all float32": ({"X": "f4", "y": "f4", "w": "f4"}, np.float32),
    "float32 and integers": ({"X": "f4", "y": "i4", "w": "?"}, np.float32),
    "one float64": ({"X": "f4", "y": "f4", "w": "f8"}, np.float64),
    "one float16": ({"X": "f4", "y": "f2", "w": "f4"}, np.float64),
    "one longdouble": ({"X": "f4", "y": "f4", "w": "longdouble"}, np.float64),
    "integers": ({"X": "i4", "y": "i8", "w": "u2"}, np.float64),
    "booleans": ({"X": "?", "y": "?", "w": "?"}, np.float64),
}


@pytest.mark.parametrize("said", DTYPES)
@pytest.mark.parametrize("s", [0.75, np.float64(0.75), np.array(0.75)], ids=("float", "float64", "0-d"))
def test_the_working_dtype(single: Any, said: str, s: Any) -> None:
    dtypes, wanted = DTYPES[said]
    arrays = {name: np.abs(PLAIN[name]).astype(dtype) for name, dtype in dtypes.items()}
    assert type(single.loss(**arrays, s=s)) is float
    assert single.grad(**arrays, s=s).dtype == wanted
    assert single.hvp(**arrays, s=s, dw=DW).dtype == wanted
    assert single.hessian(**arrays, s=s).dtype == wanted
    bound = single.bind(X=arrays["X"], y=arrays["y"], s=s)
    assert bound.grad(arrays["w"]).dtype == wanted
    assert bound.jac(W).dtype == np.float64


def test_empty_arrays(used: Any, single: Any) -> None:
    none = np.zeros((0, 3))
    assert single.loss(none, [], W, 2.0) == 2 * (W @ W)
    assert np.array_equal(single.grad(none, np.zeros(0), W, 2.0), 4 * W)
    assert used.grad(none, [], W, 2.0)[1].shape == (0, 3)
    assert np.array_equal(single.hvp(none, [], W, 2.0, DW), 4 * DW)
    assert np.array_equal(single.hessian(none, [], W, 2.0), 4 * np.eye(3))
    assert single.grad(np.zeros((4, 0)), Y[:4], [], 2.0).shape == (0,)
    assert single.hessian(np.zeros((4, 0)), Y[:4], [], 2.0).shape == (0, 0)
    bound = single.bind(none, [], 2.0)
    assert bound.fun(W) == 2 * (W @ W)


def test_nan_passes_through(single: Any) -> None:
    assert np.isnan(single.loss(X, Y * np.nan, W, 1.0))
    assert np.isnan(single.grad(X, Y * np.nan, W, 1.0)).all()


# ---- what is refused

HIDDEN = np.ma.array(X, mask=X == X[0, 0])
REFUSED: dict[str, tuple[str, Any, type[Exception], str]] = {
    "None": ("X", None, TypeError, "X must hold real numbers, not object"),
    "None for a number": ("s", None, TypeError, "s must hold real numbers, not object"),
    "complex numbers": ("X", X * 1j, TypeError, "X must hold real numbers, not complex128"),
    "a complex number": ("s", 1j, TypeError, "s must hold real numbers, not complex128"),
    "objects": ("y", Y.astype(object), TypeError, "y must hold real numbers, not object"),
    "an object": ("s", object(), TypeError, "s must hold real numbers, not object"),
    "texts": ("w", ["a", "b", "c"], TypeError, "w must hold real numbers, not <U1"),
    "a text": ("s", "0.5", TypeError, "s must hold real numbers, not <U3"),
    "bytes": ("s", b"0.5", TypeError, "s must hold real numbers, not |S3"),
    "dates": ("y", np.zeros(5, "M8[D]"), TypeError, "y must hold real numbers, not datetime64[D]"),
    "times": ("y", np.zeros(5, "m8[s]"), TypeError, "y must hold real numbers, not timedelta64[s]"),
    "records": ("y", np.zeros(5, "f8, f8"), TypeError, "y must hold real numbers, not [('f0'"),
    "a generator": ("w", (v for v in W), TypeError, "w must hold real numbers, not object"),
    "a set": ("w", {1.0, 2.0, 3.0}, TypeError, "w must hold real numbers, not object"),
    "a dictionary": ("w", {0: 1.0}, TypeError, "w must hold real numbers, not object"),
    "integers beyond any dtype": ("w", [10**30, 0, 0], TypeError, "w must hold real numbers, not object"),
    "a list with None": ("w", [1.0, None, 2.0], TypeError, "w must hold real numbers, not object"),
    "a ragged list": ("X", [[1.0, 2.0], [3.0]], ValueError, "X is no array: "),
    "a masked array": ("X", HIDDEN, ValueError, "X has masked entries"),
    "a masked vector": ("w", np.ma.masked_less(W, W.max()), ValueError, "w has masked entries"),
    "a masked number": ("s", np.ma.masked, ValueError, "s has masked entries"),
    "a number for a vector": ("w", 1.0, ValueError, "w must have rank 1, but has shape ()"),
    "a 0-d array for a vector": ("w", np.array(1.0), ValueError, "w must have rank 1, but has shape ()"),
    "a number for a matrix": ("X", 1.0, ValueError, "X must have rank 2, but has shape ()"),
    "a vector of one for a number": ("s", [1.0], ValueError, "s must have rank 0, but has shape (1,)"),
    "a matrix of one for a number": ("s", [[1.0]], ValueError, "s must have rank 0, but has shape (1, 1)"),
    "an empty list for a number": ("s", [], ValueError, "s must have rank 0, but has shape (0,)"),
    "a column for a vector": ("y", Y[:, None], ValueError, "y must have rank 1, but has shape (5, 1)"),
    "a row for a vector": ("y", Y[None], ValueError, "y must have rank 1, but has shape (1, 5)"),
    "a vector for a matrix": ("X", Y, ValueError, "X must have rank 2, but has shape (5,)"),
    "a batch of matrices": ("X", X[None], ValueError, "X must have rank 2, but has shape (1, 5, 3)"),
    "np.matrix for a vector": ("w", matrix(W), ValueError, "w must have rank 1, but has shape (1, 3)"),
    "too few entries": ("w", W[:2], ValueError, "w has size 2 along axis 0, but d, as in X is 3"),
    "too many entries": ("y", np.ones(6), ValueError, "y has size 6 along axis 0, but n, as in X is 5"),
    "one entry, which does not broadcast": ("w", [1.0], ValueError, "w has size 1 along axis 0, but d, as in X is 3"),
    "no entries": ("y", [], ValueError, "y has size 0 along axis 0, but n, as in X is 5"),
    "the transpose": ("X", X.T, ValueError, "y has size 5 along axis 0, but n, as in X is 3"),
    "a memory map of too few entries": ("y", on_disk(Y[:4]), ValueError, "y has size 4 along axis 0"),
    "a subclass of a wrong rank": ("y", X.view(Sub), ValueError, "y must have rank 1, but has shape (5, 3)"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_arrays_are_refused(used: Any, single: Any, said: str) -> None:
    name, value, error, words = REFUSED[said]
    arrays = {**PLAIN, name: value}
    for made, directions in ((single, {"dw": DW}), (used, {"dw": DW, "dX": X})):
        for function in FUNCTIONS:
            if hasattr(made, function):
                more = directions if function == "hvp" else {}
                with pytest.raises(error, match=re.escape(words)) as refused:
                    getattr(made, function)(**arrays, **more)
                assert len(str(refused.value)) < 200
    data = {key: arrays[key] for key in ("X", "y", "s")}
    with pytest.raises(error, match=re.escape(words) if name != "X" or "size" not in words else "has size"):
        single.bind(**data).loss(arrays["w"])


WRONG_DIRECTIONS = {
    "None": (None, TypeError, "dw must hold real numbers, not object"),
    "complex numbers": (DW * 1j, TypeError, "dw must hold real numbers, not complex128"),
    "a masked array": (np.ma.masked_less(DW, DW.max()), ValueError, "dw has masked entries"),
    "a column": (DW[:, None], ValueError, "dw must have rank 1, but has shape (3, 1)"),
    "a number": (1.0, ValueError, "dw must have rank 1, but has shape ()"),
    "too many entries": (np.ones(4), ValueError, "dw has size 4 along axis 0, but that of its variable is 3"),
}


@pytest.mark.parametrize("said", WRONG_DIRECTIONS)
def test_wrong_directions_are_refused(single: Any, said: str) -> None:
    value, error, words = WRONG_DIRECTIONS[said]
    with pytest.raises(error, match=re.escape(words)):
        single.hvp(**PLAIN, dw=value)
    with pytest.raises(error, match=re.escape(words)):
        single.bind(X=X, y=Y, s=0.75).hvp(W, value)


FLAT = {
    "None": (None, TypeError, "x must hold real numbers"),
    "a matrix": (W[:, None], ValueError, "x must have rank 1, but has shape (3, 1)"),
    "too few": (W[:2], ValueError, "x has size 2 along axis 0, but d is 3"),
    "complex numbers": (W * 1j, TypeError, "x must hold real numbers"),
}


@pytest.mark.parametrize("said", FLAT)
def test_wrong_flat_vectors_are_refused(single: Any, said: str) -> None:
    value, error, words = FLAT[said]
    bound = single.bind(X=X, y=Y, s=0.75)
    for function in (bound.unpack, bound.fun, bound.jac, bound.fun_and_jac, bound.hess, lambda x: bound.hessp(W, x)):
        with pytest.raises(error, match=re.escape(words)):
            function(value)


def test_wrong_numbers_of_arguments(single: Any) -> None:
    for call in (lambda: single.loss(X, Y, W), lambda: single.loss(X, Y, W, 1.0, 2.0), lambda: single.loss(Z=1)):
        with pytest.raises(TypeError, match="argument"):
            call()


def test_an_array_of_the_standard_library(single: Any) -> None:
    assert single.loss(X, array.array("d", Y), array.array("d", W), 1) == single.loss(X, Y, W, 1)
