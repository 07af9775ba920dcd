"""Generated modules in use: names, dimensions, `bind`, dtypes, refused arrays, threads and pickles."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from snippets import SIZES, close, differences, draw, loss, losses

from gradgen import emit

# ---- one check for all: every function of a module agrees with the spec run as NumPy


class Used:
    """A loss with its module, random arguments, and what belongs to its variables."""

    def __init__(self, signature: str, body: str, wrt: str | tuple[str, ...]) -> None:
        self.loss = loss(signature, body, wrt)
        with patch.object(emit, "formatted", lambda text: text):  # black takes most of the time, and changes nothing
            self.module: Any = self.loss.compile()
        self.arguments = draw(self.loss)
        self.names = [argument.name for argument in self.loss.tape.arguments]
        self.wrt = self.loss.tape.wrt
        self.several = self.loss.tape.several

    def of(self, values: list[Any]) -> list[Any]:
        """The entries of a list of arguments that belong to the variables."""
        return [values[self.names.index(name)] for name in self.wrt]

    @property
    def data(self) -> dict[str, Any]:
        return {n: a for n, a in zip(self.names, self.arguments, strict=True) if n not in self.wrt}

    def packed(self, results: list[Any]) -> Any:
        return tuple(results) if self.several else results[0]


def check(signature: str, body: str, wrt: str | tuple[str, ...], **opened: int) -> Used:
    used = Used(signature, body, wrt)
    _check_functions(used)
    _check_bound(used, used.module.bind(**used.data, **opened))
    return used


def _check_functions(used: Used) -> None:
    module, arguments = used.module, used.arguments
    gradients = [differences(used.loss, arguments, name) for name in used.wrt]
    assert close(module.loss(*arguments), used.loss(*arguments))
    assert close(module.grad(*arguments), used.packed(gradients), 1e-6)
    assert close(module.value_and_grad(*arguments), (module.loss(*arguments), module.grad(*arguments)))
    shapes = [np.shape(value) for value in used.of(arguments)]
    found = module.grad(*arguments)
    assert [np.shape(g) for g in (found if used.several else (found,))] == shapes


def _check_bound(used: Used, bound: Any) -> None:
    module, arguments = used.module, used.arguments
    variables = used.of(arguments)
    flat = bound.pack(*variables)
    direction = module.hvp(*arguments, *variables)
    assert close(bound.loss(*variables), module.loss(*arguments))
    assert close(bound.grad(*variables), module.grad(*arguments))
    assert close(bound.hvp(*variables, *variables), direction)
    assert close(bound.unpack(flat), used.packed(variables))
    assert close(bound.fun(flat), module.loss(*arguments))
    assert close(bound.jac(flat), _flat(module.grad(*arguments)))
    assert close(bound.fun_and_jac(flat), (bound.fun(flat), bound.jac(flat)))
    assert close(bound.hessp(flat, flat), _flat(direction))
    if hasattr(module, "hessian"):
        assert close(bound.hess(flat) @ flat, _flat(direction))
        assert np.size(module.hessian(*arguments)) == flat.size**2


def _flat(result: Any) -> np.ndarray:
    parts = result if isinstance(result, tuple) else (result,)
    return np.concatenate([np.ravel(part) for part in parts])


# ---- names: an argument may be called anything

NAMES = (
    "np out loss grad hvp hessian value_and_grad bind pack unpack fun jac hess hessp n d dw f self x p value data "
    "dtype tuple len range max sum int isinstance ValueError array shape Bound _door _owned _direction _array _dtype "
    "_match _solved _loss _grad _hvp _hessian _value_and_grad _from_data _arguments _converted _data _in gradient λ t1 "
    "residual total fixed like result kwargs args cls __class__ module"
).split()


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", NAMES)
def test_a_variable_may_have_any_name(name: str) -> None:
    check(f"A_: Matrix[n, d], {name}: Vector[d]", f"((A_ @ {name})**4).sum() + {name} @ {name}", name)


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", NAMES)
def test_data_may_have_any_name(name: str) -> None:
    check(f"{name}: Matrix[n, d], v_: Vector[d], s_: Scalar", f"(({name} @ v_)**4).mean() * s_", ("v_", "s_"))


def test_names_of_directions_give_way() -> None:
    used = check("dw: Vector[n], w: Vector[n], dw_: Scalar", "np.sum(w**3 * dw) * dw_", "w")
    assert "dw__" in used.module.hvp.__code__.co_varnames


def test_dimensions_named_like_arguments() -> None:
    check("d: Matrix[n, d], n: Vector[d]", "np.sum((d @ n)**2) / d.shape[0] / len(n)", "n")


def test_dimensions_named_like_what_a_module_uses() -> None:
    text = """
x, value, np_ = dims("x value np")

@loss(wrt="w")
def f(X: Matrix[np_, x], w: Vector[x], b: Vector[value]):
    return np.sum((X @ w)**2) / x + np.sum(b) * value / np_
"""
    made = losses(text)["f"]
    X, w, b = np.ones((4, 3)), np.arange(3.0), np.ones(2)
    assert made.compile().loss(X, w, b) == made(X, w, b)


# ---- dimensions


SHAPES: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "a column": ("X: Matrix[n, 1], w: Vector[n]", "np.sum((X[:, 0] * w)**2)", ("X", "w")),
    "a column, transposed": ("X: Matrix[n, 1], w: Vector[n]", "np.sum((X.T @ w)**2)", "w"),
    "a row": ("X: Matrix[1, d], w: Vector[d]", "np.sum((X * w)**3) + X[0] @ w", ("X", "w")),
    "a column by a row": ("X: Matrix[n, 1], Y: Matrix[1, n]", "np.sum((X @ Y)**2)", ("X", "Y")),
    "a single entry": ("X: Matrix[1, 1], w: Vector[1]", "np.sum(X @ w)**3", ("X", "w")),
    "a vector of one": ("w: Vector[1]", "w @ w + w[0]", "w"),
    "literal sizes": ("A: Matrix[2, 3], v: Vector[3]", "np.sum((A @ v)**2)", ("A", "v")),
    "a sum": ("x: Vector[p + q], b: Vector[p]", "x[:p] @ b + np.sum(x[p:]**3)", "x"),
    "a multiple": ("x: Vector[2 * n]", "np.sum(x[:n] * x[n:]) + x @ x", "x"),
    "a multiple and a square": ("x: Vector[2 * n], A: Matrix[n, n]", "x[:n] @ A @ x[n:]", ("x", "A")),
    "one more": ("X: Matrix[n, n + 1], w: Vector[n + 1]", "np.sum((X @ w)**2)", ("X", "w")),
    "a multiple and more": ("x: Vector[3 * n + 2]", "x[::-1] @ x", "x"),
    "a scalar alone": ("s: Scalar", "s**3", "s"),
    "a tuple of one": ("s: Scalar, t: Scalar", "s**3 * t", ("s",)),
    "what the loss does not use": ("x: Vector[n], y: Vector[n]", "y @ y", "x"),
    "a linear loss": ("x: Vector[n], y: Vector[n]", "x @ y", "x"),
    "a constant": ("x: Vector[n]", "0 * np.sum(x) + 3", "x"),
    "an entry": ("x: Vector[n]", "x[0] * x[-1]", "x"),
    "a maximum": ("x: Vector[n]", "np.max(x)**2", "x"),
}


@pytest.mark.parametrize("said", SHAPES)
def test_shapes(said: str) -> None:
    check(*SHAPES[said])


OPEN: dict[str, tuple[str, str, str | tuple[str, ...], dict[str, int]]] = {
    "one, linear": ("D: Matrix[m, k], R: Matrix[k, n], X: Matrix[m, n]", "np.sum((D @ R - X)**2)", ("D", "R"), {}),
    "one, in a vector": ("x: Vector[n], s: Scalar", "s * (x @ x)", ("x", "s"), {}),
    "one, a square": ("A: Matrix[k, k]", "np.sum(A @ A.T) + np.trace(A)", "A", {}),
    "one, a square and a vector": ("A: Matrix[k, k], b: Vector[k + 1]", "b[1:] @ A @ b[:-1]", ("A", "b"), {}),
    "two, by name": ("x: Vector[n], y: Vector[m]", "np.sum(x) * np.sum(y)", ("x", "y"), {"n": 5, "m": 4}),
    "two, of a matrix": ("A: Matrix[n, k]", "np.sum(A**2)", "A", {"n": 5, "k": 2}),
    "two, of which one is given": ("A: Matrix[n, k]", "np.sum(A**2)", "A", {"n": 5}),
    "two, of which the other is given": ("x: Vector[n], y: Vector[m]", "np.sum(x) * np.sum(y)", ("x", "y"), {"m": 4}),
    "two, of which one in a square is": ("A: Matrix[k, k], b: Vector[n]", "A[0] @ A[0] + b @ b", ("A", "b"), {"n": 5}),
    "three, of which two are given": (
        "A: Matrix[n, k], B: Matrix[k, m]",
        "np.sum(A @ B)",
        ("A", "B"),
        {"n": 5, "m": 4},
    ),
}


@pytest.mark.parametrize("said", OPEN)
def test_dimensions_that_the_data_leave_open(said: str) -> None:
    signature, body, wrt, opened = OPEN[said]
    check(signature, body, wrt, **opened)


def test_a_flat_vector_of_a_wrong_length_is_refused() -> None:
    used = Used("A: Matrix[k, k]", "np.sum(A**2)", "A")
    with pytest.raises(ValueError, match=r"x has size 7, which cannot be k \* k"):
        used.module.bind().unpack(np.zeros(7))


def test_two_open_dimensions_are_asked_for() -> None:
    used = Used("x: Vector[n], y: Vector[m]", "np.sum(x) * np.sum(y)", ("x", "y"))
    with pytest.raises(ValueError, match=r"bind needs all but one of n=, m= for the flat forms: .* n \+ m, tells one"):
        used.module.bind().fun(np.zeros(9))
    assert used.module.bind(m=9).fun(np.zeros(9)) == 0


def test_what_an_empty_flat_vector_does_not_tell_is_asked_for() -> None:
    used = Used("Z: Matrix[n, k], v: Vector[n]", "np.max(Z, axis=1) @ v", "Z").module
    assert used.loss(np.zeros((0, 3)), np.zeros(0)) == 0
    assert used.bind(np.zeros(0), k=3).fun(np.zeros(0)) == 0
    with pytest.raises(ValueError, match=r"bind needs k= .* the size of x, n \* k, is 0 whatever k is"):
        used.bind(np.zeros(0)).fun(np.zeros(0))
    square = Used("A: Tensor[k, k, n], v: Vector[n]", "np.sum(A, axis=(0, 1)) @ v", "A").module
    with pytest.raises(ValueError, match="is 0 whatever k is"):
        square.bind(np.zeros(0)).fun(np.zeros(0))
    assert square.bind(np.ones(2)).fun(np.ones(18)) == 18


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (2.0, TypeError, "k must be an integer, the length of an axis, not float"),
        ("2", TypeError, "not str"),
        (True, TypeError, "not bool"),
        (np.ones(2), TypeError, "not ndarray"),
        (-2, ValueError, "k must be the length of an axis, not -2"),
    ],
)
def test_a_dimension_that_is_given_is_checked(given: Any, error: type[Exception], said: str) -> None:
    used = Used("A: Matrix[n, k]", "np.sum(A**2)", "A").module
    with pytest.raises(error, match=said):
        used.bind(k=given)
    assert used.bind(k=np.int64(2)).fun(np.ones(6)) == 6


def test_the_other_functions_do_without_open_dimensions() -> None:
    used = Used("x: Vector[n], y: Vector[m]", "np.sum(x) * np.sum(y)", ("x", "y"))
    assert close(used.module.bind().loss(*used.arguments), used.loss(*used.arguments))


def test_bind_where_nothing_is_left() -> None:
    used = Used("x: Vector[n]", "x @ x", "x")
    assert close(used.module.bind().grad(*used.arguments), 2 * used.arguments[0])


# ---- dtypes and layouts


@pytest.fixture
def ridge() -> Used:
    return Used(
        "X: Matrix[n, d], y: Vector[n], w: Vector[d], lam: Scalar", "r = X @ w - y\nr @ r / n + lam * (w @ w)", "w"
    )


def test_float32_arrays_give_float32_gradients(ridge: Used) -> None:
    single = [np.float32(value) if np.ndim(value) else value for value in ridge.arguments]
    bound = ridge.module.bind(X=single[0], y=single[1], lam=single[3])
    for result in (
        ridge.module.grad(*single),
        ridge.module.hvp(*single, single[2]),
        ridge.module.hessian(*single),
        bound.grad(single[2]),
    ):
        assert result.dtype == np.float32
    assert type(ridge.module.loss(*single)) is float


def test_one_float64_array_makes_all_float64(ridge: Used) -> None:
    X, y, w, lam = ridge.arguments
    assert ridge.module.grad(np.float32(X), y, np.float32(w), lam).dtype == np.float64


def test_flat_forms_are_float64(ridge: Used) -> None:
    X, y, w, lam = [np.float32(value) for value in ridge.arguments]
    bound = ridge.module.bind(X=X, y=y, lam=float(lam))
    assert bound.pack(w).dtype == bound.jac(bound.pack(w)).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.uint8, bool, np.longdouble])
def test_other_dtypes_become_float64(ridge: Used, dtype: Any) -> None:
    X, y, w, lam = ridge.arguments
    cast = (2 * X).astype(dtype)
    found = ridge.module.grad(cast, y, w, lam)
    assert found.dtype == np.float64
    assert close(found, ridge.module.grad(cast.astype(np.float64), y, w, lam))


def test_lists_are_arrays(ridge: Used) -> None:
    lists = [np.asarray(value).tolist() for value in ridge.arguments]
    assert close(ridge.module.grad(*lists), ridge.module.grad(*ridge.arguments))


def _layouts(array: np.ndarray) -> Iterator[np.ndarray]:
    wide = np.zeros([2 * size for size in array.shape])
    strided = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    yield strided
    yield np.asfortranarray(array)
    yield np.flip(np.flip(array).copy())
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen


def test_layouts_do_not_matter(ridge: Used) -> None:
    X, y, w, lam = ridge.arguments
    wanted = ridge.module.grad(X, y, w, lam)
    for laid_X, laid_w in zip(_layouts(X), _layouts(w), strict=True):
        assert close(ridge.module.grad(laid_X, y, laid_w, lam), wanted)


def test_empty_arrays_work(ridge: Used) -> None:
    with np.errstate(invalid="ignore"):
        found = ridge.module.grad(np.zeros((5, 0)), np.ones(5), np.zeros(0), 1.0)
    assert found.shape == (0,)


def test_nan_passes_through(ridge: Used) -> None:
    X, y, w, lam = ridge.arguments
    assert np.isnan(ridge.module.loss(X * np.nan, y, w, lam))


def test_results_are_new_contiguous_and_writable(ridge: Used) -> None:
    results = [ridge.module.grad(*ridge.arguments), ridge.module.hessian(*ridge.arguments)]
    for result in results:
        assert result.flags.c_contiguous and result.flags.writeable and result.flags.owndata
        assert not any(np.shares_memory(result, value) for value in ridge.arguments)


def test_inputs_are_not_written_to(ridge: Used) -> None:
    before = [np.array(value) for value in ridge.arguments]
    _check_functions(ridge)
    assert all(np.array_equal(a, b) for a, b in zip(before, ridge.arguments, strict=True))


def test_bound_data_are_copies(ridge: Used) -> None:
    X, y, w, lam = ridge.arguments
    bound = ridge.module.bind(X=X, y=y, lam=lam)
    wanted = bound.grad(w)
    X[:] = 0
    assert np.array_equal(bound.grad(w), wanted)


def test_results_of_a_tuple_share_nothing() -> None:
    used = Used("x: Vector[n], y: Vector[n]", "np.sum(x + y)**2", ("x", "y"))
    first, second = used.module.grad(*used.arguments)
    assert not np.shares_memory(first, second)


# ---- refused arrays

REFUSED: dict[str, tuple[int, Any, type[Exception], str]] = {
    "a wrong rank": (1, np.ones((5, 1)), ValueError, r"y must have rank 1, but has shape \(5, 1\)"),
    "a wrong size": (1, np.ones(4), ValueError, r"y has size 4 along axis 0, but n, as in X is 5"),
    "a wrong size of the variable": (2, np.ones(2), ValueError, r"w has size 2 along axis 0, but d, as in X is 3"),
    "a vector for a scalar": (3, np.ones(1), ValueError, r"lam must have rank 0, but has shape \(1,\)"),
    "complex numbers": (0, np.ones((5, 3)) * 1j, TypeError, "X must hold real numbers, not complex128"),
    "None": (2, None, TypeError, "w must hold real numbers, not object"),
    "text": (1, list("abcde"), TypeError, "y must hold real numbers, not <U1"),
    "ragged lists": (0, [[1.0, 2.0], [3.0]], ValueError, "X is no array"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_arrays_are_refused(ridge: Used, said: str) -> None:
    position, value, kind, message = REFUSED[said]
    arguments = [*ridge.arguments[:position], value, *ridge.arguments[position + 1 :]]
    for function in (ridge.module.loss, ridge.module.grad, ridge.module.value_and_grad, ridge.module.hessian):
        with pytest.raises(kind, match=message):
            function(*arguments)


def test_a_wrong_direction_is_refused(ridge: Used) -> None:
    with pytest.raises(ValueError, match="dw has size 2 along axis 0, but that of its variable is 3"):
        ridge.module.hvp(*ridge.arguments, np.ones(2))


def test_wrong_bound_data_are_refused(ridge: Used) -> None:
    X, _, _, lam = ridge.arguments
    with pytest.raises(ValueError, match="y has size 2 along axis 0, but n, as in X is 5"):
        ridge.module.bind(X=X, y=np.ones(2), lam=lam)


def test_sums_and_multiples_are_checked() -> None:
    module: Any = Used(
        "x: Vector[2 * n], b: Vector[p], c: Vector[p + q]", "x[:n] @ x[n:] + b @ c[:p] + np.sum(c)", "x"
    ).module
    with pytest.raises(ValueError, match=r"x has size 5 along axis 0, which cannot be 2 \* n"):
        module.loss(np.ones(5), np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"c has size 3 along axis 0, which cannot be p \+ q"):
        module.loss(np.ones(4), np.ones(4), np.ones(3))


def test_what_a_slice_presupposes_is_checked() -> None:
    module: Any = Used("x: Vector[n]", "x[:3] @ x[-3:]", "x").module
    with pytest.raises(ValueError, match="the loss needs 3 <= n, but 3 > 2"):
        module.grad(np.ones(2))


# ---- threads and pickles


@pytest.fixture
def written(tmp_path: Path, ridge: Used) -> Iterator[ModuleType]:
    """The module of a loss as a file of its own."""
    path = tmp_path / "written_ridge.py"
    path.write_text(ridge.loss.source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_ridge", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["written_ridge"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["written_ridge"]


def test_bound_losses_can_be_pickled(ridge: Used, written: Any) -> None:
    X, y, w, lam = ridge.arguments
    bound = written.bind(X=X, y=y, lam=lam)
    for fresh in (True, False):
        again = pickle.loads(pickle.dumps(bound))
        assert np.array_equal(again.hess(w), bound.hess(w)), f"pickled {'before' if fresh else 'after'} its first use"


def test_functions_can_be_pickled(ridge: Used, written: Any) -> None:
    assert np.array_equal(pickle.loads(pickle.dumps(written.grad))(*ridge.arguments), written.grad(*ridge.arguments))


def test_threads_do_not_meet(ridge: Used) -> None:
    X, y, w, lam = ridge.arguments
    bound = ridge.module.bind(X=X, y=y, lam=lam)
    points = [w * k for k in range(64)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(bound.grad, points))
    assert all(np.array_equal(g, ridge.module.grad(X, y, p, lam)) for g, p in zip(found, points, strict=True))


def test_the_module_needs_numpy_alone(ridge: Used) -> None:
    lines = [line for line in ridge.loss.source().splitlines() if line.startswith(("import", "from"))]
    assert lines == ["import numpy as np"]


def test_the_sizes_of_these_tests_are_all_different() -> None:
    assert len({SIZES[name] for name in "ndkm"}) == 4
