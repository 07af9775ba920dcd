"""Modules that take an unknown function: its derivatives stand beside it, and all of them are checked."""

from __future__ import annotations

import importlib.util
import inspect
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import SIZES, close, declare, draw, module, parts, shares_nothing, slope


def dtanh(z: Any) -> Any:
    return 1 - np.tanh(z) ** 2


def d2tanh(z: Any) -> Any:
    return -2 * np.tanh(z) * dtanh(z)


TANH = (np.tanh, dtanh, d2tanh)
SINE = (np.sin, np.cos, lambda z: -np.sin(z))
ORDERS = {
    "loss": 0,
    "grad": 1,
    "value_and_grad": 1,
    "hvp": 2,
    "hessian": 2,
    "value": 0,
    "jvp": 1,
    "vjp": 1,
    "jacobian": 1,
}


class Used:
    """What takes functions called f and g, with its module and random arrays; f is tanh, g is sin."""

    def __init__(self, signature: str, body: str, wrt: str | tuple[str, ...], decorator: str = "loss") -> None:
        self.made = declare(f"{decorator}(wrt={wrt!r})", signature, body)
        self.module = module(self.made)
        self.tape = self.made.tape
        self.wrt = self.tape.wrt
        self.arrays = draw(self.made)
        self.directions = [draw(self.made, 1)[name] for name in self.wrt]

    def given(self, order: int, **others: Any) -> list[Any]:
        """The arguments of a function that takes derivatives up to an order; ``others`` replace arrays."""
        functions = {"f": TANH, "g": SINE}
        arrays = {**self.arrays, **others}
        found: list[Any] = []
        for argument in self.tape.arguments:
            found += functions[argument.name][: order + 1] if argument.callable else [arrays[argument.name]]
        return found

    def call(self, name: str, *more: Any) -> Any:
        return getattr(self.module, name)(*self.given(ORDERS[name]), *more)

    def moved(self, name: str, t: float) -> Any:
        """A function of the module with the variables moved along the directions."""
        pairs = zip(self.wrt, self.directions, strict=True)
        return getattr(self.module, name)(*self.given(ORDERS[name], **{w: self.arrays[w] + t * d for w, d in pairs}))

    @property
    def variables(self) -> list[Any]:
        return [self.arrays[name] for name in self.wrt]

    def bound(self, **more: Any) -> Any:
        names = [a.name for a in self.tape.arguments if a.name not in self.wrt]
        given = dict(zip([a.name for a in self.tape.arguments], self.given(0), strict=True))
        return self.module.bind(**{name: given[name] for name in names}, **more)


LOSSES: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "column sums": ("X: Matrix[m, n], V: Matrix[n, k], f: Elementwise", "s = np.sum(f(X @ V), axis=0)\ns @ s", "V"),
    "of a vector": ("f: Elementwise, X: Matrix[m, n], w: Vector[n]", "np.sum(f(X @ w))", "w"),
    "of the data too": ("X: Matrix[m, n], f: Elementwise, w: Vector[n]", "np.sum(f(X) @ w) + np.sum(f(w)**2)", "w"),
    "of a number": ("s: Scalar, f: Elementwise, x: Vector[n]", "f(s) * (x @ x) + f(x @ x)", ("s", "x")),
    "of the variable itself": ("f: Elementwise, W: Matrix[n, d]", "np.sum(f(W) * f(W).sum(axis=0))", "W"),
    "of two functions": ("f: Elementwise, X: Matrix[n, d], g: Elementwise, w: Vector[d]", "np.sum(f(g(X @ w)))", "w"),
    "of a dimension": ("f: Elementwise, w: Vector[n]", "f(n / 10) * (w @ w) / n", "w"),
    "of a transpose": ("f: Elementwise, W: Matrix[n, d], V: Matrix[n, d]", "np.sum(f(W.T) * V.T + f(V.T))", ("W", "V")),
}


@pytest.fixture(params=LOSSES)
def used(request: pytest.FixtureRequest) -> Used:
    return Used(*LOSSES[request.param])


def test_signatures() -> None:
    used = Used(*LOSSES["of two functions"])
    functions = ("loss", "grad", "value_and_grad", "hvp", "hessian", "bind")
    names = {name: list(inspect.signature(getattr(used.module, name)).parameters) for name in functions}
    assert names["loss"] == ["f", "X", "g", "w"]
    assert names["grad"] == names["value_and_grad"] == ["f", "df", "X", "g", "dg", "w"]
    assert names["hessian"] == ["f", "df", "d2f", "X", "g", "dg", "d2g", "w"]
    assert names["hvp"] == [*names["hessian"], "dw"]
    assert str(inspect.signature(used.module.bind)) == "(f, X, g, *, df=None, d2f=None, dg=None, d2g=None)"


def test_the_loss_is_the_spec(used: Used) -> None:
    assert close(used.call("loss"), used.made(*used.given(0)))
    assert type(used.call("loss")) is float


def test_derivatives(used: Used) -> None:
    gradient, product = used.call("grad"), used.call("hvp", *used.directions)
    pairs = list(zip(parts(gradient), used.directions, strict=True))
    assert close(sum(np.sum(g * d) for g, d in pairs), slope(lambda t: used.moved("loss", t)), 1e-8)
    for k, part in enumerate(parts(product)):
        assert close(part, slope(lambda t, k=k: parts(used.moved("grad", t))[k]), 1e-8)
    assert close(used.call("value_and_grad"), (used.call("loss"), gradient))
    assert shares_nothing(gradient, *used.arrays.values())
    if hasattr(used.module, "hessian"):
        assert close(used.call("hessian") @ used.directions[0], product)


def test_bound(used: Used) -> None:
    derivatives = {"df": dtanh, "d2f": d2tanh}
    if "g" in [a.name for a in used.tape.arguments]:
        derivatives |= {"dg": SINE[1], "d2g": SINE[2]}
    opened = {n: size for n, size in SIZES.items() if n in inspect.signature(used.module.bind).parameters}
    bound, variables = used.bound(**derivatives, **opened), used.variables
    flat, direction = bound.pack(*variables), bound.pack(*used.directions)
    assert close(bound.loss(*variables), used.call("loss"))
    assert close(bound.value_and_grad(*variables), used.call("value_and_grad"))
    assert close(bound.hvp(*variables, *used.directions), used.call("hvp", *used.directions))
    assert close(bound.fun(flat), used.call("loss"))
    assert close(bound.jac(flat), bound.pack(*parts(used.call("grad"))))
    assert close(bound.hessp(flat, direction), bound.pack(*parts(used.call("hvp", *used.directions))))


FUNCTIONS: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "a vector": ("X: Matrix[n, d], w: Vector[d], f: Elementwise", "f(X @ w)", "w"),
    "of several": ("X: Matrix[n, d], w: Vector[d], f: Elementwise", "f(X * w).T", ("X", "w")),
    "of two": ("f: Elementwise, g: Elementwise, x: Vector[n]", "f(x) * g(x)", "x"),
    "the function itself": ("f: Elementwise, x: Vector[n]", "f(x)", "x"),
}


@pytest.mark.parametrize("said", FUNCTIONS)
def test_functions_of_functions(said: str) -> None:
    used = Used(*FUNCTIONS[said], decorator="function")
    value, moved = used.call("value"), used.call("jvp", *used.directions)
    assert close(value, used.made(*used.given(0)))
    assert close(moved, slope(lambda t: used.moved("value", t)), 1e-8)
    pulled = used.call("vjp", value)
    assert close(sum(np.sum(p * d) for p, d in zip(parts(pulled), used.directions, strict=True)), np.sum(value * moved))
    if hasattr(used.module, "jacobian"):
        assert close(used.call("jacobian") @ used.directions[0], moved)
    assert shares_nothing(value, *used.arrays.values())


# ---- what is refused


@pytest.fixture
def sums() -> Used:
    return Used(*LOSSES["column sums"])


def bad(said: str) -> Callable[[Any], Any]:
    return {
        "a number": lambda z: 1.0,
        "a sum": lambda z: z.sum(axis=0),
        "nothing": lambda z: None,
        "complex numbers": lambda z: z + 1j,
        "text": lambda z: np.full(z.shape, "a"),
        "what it writes to": lambda z: np.exp(z, out=z),
    }[said]


RETURNS: dict[str, tuple[type[Exception], str]] = {
    "a number": (ValueError, r"f must return the shape that it is given, \(5, 2\), not \(\)"),
    "a sum": (ValueError, r"f must return the shape that it is given, \(5, 2\), not \(2,\)"),
    "nothing": (TypeError, "f must return real numbers, not object"),
    "complex numbers": (TypeError, "f must return real numbers, not complex128"),
    "text": (TypeError, "f must return real numbers, not <U1"),
    "what it writes to": (ValueError, "read-only"),
}


@pytest.mark.parametrize("said", RETURNS)
def test_wrong_results_are_refused(sums: Used, said: str) -> None:
    kind, message = RETURNS[said]
    X, V = sums.arrays.values()
    with pytest.raises(kind, match=message):
        sums.module.loss(X, V, bad(said))
    with pytest.raises(kind, match=message.replace("f must", "df must")):
        sums.module.grad(X, V, np.tanh, bad(said))
    with pytest.raises(kind, match=message.replace("f must", "d2f must")):
        sums.module.hvp(X, V, np.tanh, dtanh, bad(said), V)
    with pytest.raises(kind, match=message):
        sums.module.bind(X, bad(said)).loss(V)


NO_FUNCTIONS: dict[str, tuple[list[Any], str]] = {
    "no f": ([None, dtanh, d2tanh], "f must be a function, applied entry by entry, not NoneType"),
    "no df": ([np.tanh, None, d2tanh], "df must be a function, the derivative of f, not NoneType"),
    "no d2f": ([np.tanh, dtanh, None], "d2f must be a function, the second derivative of f, not NoneType"),
    "values for df": ([np.tanh, np.ones((5, 2)), d2tanh], "df must be a function, the derivative of f, not ndarray"),
}


@pytest.mark.parametrize("said", NO_FUNCTIONS)
def test_what_is_no_function_is_refused(sums: Used, said: str) -> None:
    functions, message = NO_FUNCTIONS[said]
    X, V = sums.arrays.values()
    with pytest.raises(TypeError, match=message):
        sums.module.hvp(X, V, *functions, V)
    if functions[1] is not None and functions[2] is not None:
        with pytest.raises(TypeError, match=message):
            sums.module.bind(X, functions[0], df=functions[1], d2f=functions[2])


def test_a_derivative_that_bind_was_not_given(sums: Used) -> None:
    bound = sums.bound()
    assert close(bound.loss(*sums.variables), sums.call("loss"))
    x = bound.pack(*sums.variables)
    for name, call in {
        "grad": lambda: bound.grad(*sums.variables),
        "value_and_grad": lambda: bound.fun_and_jac(x),
        "hvp": lambda: bound.hessp(x, x),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} needs df: bind\(df=\.\.\.\)$"):
            call()
    with pytest.raises(TypeError, match=r"^hvp needs d2f: bind\(d2f=\.\.\.\)$"):
        sums.bound(df=dtanh).hvp(*sums.variables, *sums.directions)


def test_a_function_that_is_not_needed_is_not_asked_for() -> None:
    used = Used("X: Matrix[n, d], w: Vector[d], f: Elementwise", "np.sum(f(X) @ w)", "w")
    bound = used.bound()
    assert close(bound.grad(*used.variables), np.tanh(used.arrays["X"]).sum(axis=0))
    assert close(bound.hessian(*used.variables), np.zeros((4, 4)))


# ---- what functions are given, and what becomes of their results


def test_functions_see_arrays_that_they_cannot_write_to(sums: Used) -> None:
    seen: list[Any] = []

    def watched(z: Any) -> Any:
        seen.append(z)
        return np.tanh(z)

    X, V = sums.arrays.values()
    sums.module.loss(X, V, watched)
    sums.module.loss(np.float32(X), np.float32(V), watched)
    assert [z.dtype for z in seen] == [np.float64, np.float32]
    assert not any(z.flags.writeable for z in seen)
    assert X.flags.writeable


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_working_dtype(dtype: Any) -> None:
    used = Used(*FUNCTIONS["a vector"], decorator="function")
    X, w = (np.asarray(value, dtype) for value in used.arrays.values())
    functions = [lambda z: np.tanh(z).astype(np.float64), lambda z: z > 0]
    for result in (used.module.value(X, w, functions[0]), used.module.jacobian(X, w, *functions)):
        assert result.dtype == dtype


def test_numbers_do_not_widen_float32() -> None:
    used = Used(*LOSSES["of a dimension"])
    w = np.float32(used.arrays["w"])
    assert used.module.grad(np.tanh, dtanh, w).dtype == np.float32
    assert close(used.module.loss(np.tanh, w), used.call("loss"), 1e-6)


def test_a_function_may_return_what_it_is_given() -> None:
    used = Used(*FUNCTIONS["the function itself"], decorator="function")
    x = used.arrays["x"]
    assert shares_nothing(used.module.value(lambda z: z, x), x)


def test_a_function_may_return_the_same_array_each_time(sums: Used) -> None:
    X, V = sums.arrays.values()
    kept = np.ones((5, 2))
    first = sums.module.grad(X, V, lambda z: kept, lambda z: kept)
    assert np.array_equal(kept, np.ones((5, 2)))
    assert np.array_equal(first, sums.module.grad(X, V, lambda z: kept, lambda z: kept))


def test_zero_sizes_work(sums: Used) -> None:
    assert sums.module.loss(np.zeros((0, 3)), np.zeros((3, 2)), np.tanh) == 0.0


def test_bound_losses_can_be_pickled(sums: Used, tmp_path: Path) -> None:
    path = tmp_path / "written_sums.py"
    path.write_text(sums.made.source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_sums", path)
    assert spec is not None and spec.loader is not None
    written = importlib.util.module_from_spec(spec)
    sys.modules["written_sums"] = written
    spec.loader.exec_module(written)
    bound = written.bind(sums.arrays["X"], np.tanh, df=np.cos)
    for _ in range(2):
        again = pickle.loads(pickle.dumps(bound))
        assert np.array_equal(again.grad(*sums.variables), bound.grad(*sums.variables))
    del sys.modules["written_sums"]


# ---- names

NAMES = (
    "np f df d2f dw loss grad hvp value n d x self name function value cotangent dtype tuple float type _Function "
    "_given _door _owned _f _df _array Bound data _in bind λ t1 len print"
).split()


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", NAMES)
def test_the_function_may_have_any_name(name: str) -> None:
    signature = f"A_: Matrix[n, d], {name}: Elementwise, w: Vector[d]"
    made = declare("loss(wrt='w')", signature, f"{name}(A_ @ w) @ {name}(A_ @ w)")
    used, arrays = module(made), draw(made)
    A, w = arrays.values()
    assert close(used.loss(A, np.tanh, w), np.sum(np.tanh(A @ w) ** 2))
    wanted = A.T @ (2 * np.tanh(A @ w) * dtanh(A @ w))
    assert close(used.grad(A, np.tanh, dtanh, w), wanted)
    keywords = list(inspect.signature(used.bind).parameters)
    bound = used.bind(A, np.tanh, **dict(zip(keywords[2:], (dtanh, d2tanh), strict=True)))
    assert close(bound.jac(w), wanted)
    assert close(bound.hvp(w, w), used.hvp(A, np.tanh, dtanh, d2tanh, w, w))


def test_names_of_derivatives_give_way() -> None:
    used = Used("df: Vector[n], f: Elementwise, d2f: Scalar, df_: Vector[n]", "d2f * np.sum(f(df * df_))", "df")
    names = ["df", "f", "df__", "d2f_", "d2f", "df_", "ddf"]
    assert list(inspect.signature(used.module.hvp).parameters) == names
    test_derivatives(used)
    assert list(inspect.signature(used.module.bind).parameters) == ["f", "d2f", "df_", "df__", "d2f_"]


def test_docstrings(sums: Used) -> None:
    said = inspect.getdoc(sums.module.hvp)
    assert "f : function, applied entry by entry\ndf : its derivative\nd2f : its second derivative\n" in said
    said = inspect.getdoc(sums.module.bind)
    assert "f : function, applied entry by entry\n" in said
    assert "df : the derivative of f, which grad, value_and_grad and hvp need\n" in said
    assert "d2f : the second derivative of f, which hvp needs\n" in said
