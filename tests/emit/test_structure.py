"""Modules of structured arguments: diagonal, lower triangular, positive definite, tensors and indices."""

from __future__ import annotations

import importlib.util
import inspect
import pickle
import re
import sys
from typing import Any

import numpy as np
import pytest
from made import SIZES, close, declare, declared, module, parts, shares_nothing, slope

RNG = np.random.default_rng(7)


def value(argument: Any, rng: np.random.Generator) -> Any:
    """A random array of the kind that an argument is, as callers give it."""
    shape = tuple(size.value(SIZES) for size in argument.given)
    if argument.kind == "Indices":
        return rng.integers(0, argument.below.value(SIZES), shape)
    found = rng.standard_normal(shape)
    if argument.kind == "SPD":
        return found @ found.T + 2 * np.eye(len(found))
    if argument.kind == "Symmetric":
        return found + found.T
    return np.tril(found) if argument.kind == "LowerTriangular" else found[()]


class Used:
    """What is declared, with its module, random arrays and directions."""

    def __init__(self, signature: str, body: str, wrt: str | tuple[str, ...], decorator: str = "loss") -> None:
        self.made = declare(f"{decorator}(wrt={wrt!r})", signature, body)
        self.module = module(self.made)
        rng = np.random.default_rng(11)
        self.kinds = {a.name: a for a in self.made.tape.arguments}
        self.arrays = {name: value(a, rng) for name, a in self.kinds.items()}
        self.wrt, self.several = self.made.tape.wrt, self.made.tape.several
        self.directions = {name: value(self.kinds[name], rng) for name in self.wrt}

    @property
    def variables(self) -> list[Any]:
        return [self.arrays[name] for name in self.wrt]

    def moved(self, t: float, function: Any = None) -> Any:
        arrays = {n: a + t * self.directions[n] if n in self.wrt else a for n, a in self.arrays.items()}
        return (function or self.made)(**arrays)

    def bound(self) -> Any:
        data = {name: array for name, array in self.arrays.items() if name not in self.wrt}
        asked = set(inspect.signature(self.module.bind).parameters) - set(data)
        return self.module.bind(**data, **({n: SIZES[n] for n in asked} if len(asked) > 1 else {}))


LOSSES: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "diagonal data": ("D: Diagonal[n], A: Matrix[n, d], w: Vector[d]", "np.sum((D @ A @ w)**3)", "w"),
    "a diagonal": ("D: Diagonal[n], A: Matrix[n, d]", "np.sum((D @ A)**3) + np.trace(D @ A @ A.T @ D)", "D"),
    "a positive diagonal": ("D: Diagonal[n, positive], A: Matrix[n, d]", "np.sum((D @ D @ A)**2)", "D"),
    "a diagonal alone": ("D: Diagonal[n]", "np.sum(np.exp(D))", "D"),
    "a diagonal of one": ("D: Diagonal[1], A: Matrix[n, 1]", "np.sum((A @ D)**3)", "D"),
    "triangular data": ("L: LowerTriangular[n], w: Vector[n]", "np.sum((L @ w)**3) + w @ L.T @ L @ w", "w"),
    "a triangular matrix": ("L: LowerTriangular[n], A: Matrix[n, d]", "np.sum((L @ A)**3) + np.sum(L @ L.T)**2", "L"),
    "a triangular matrix alone": ("L: LowerTriangular[n]", "np.sum(np.sin(L) * L)", "L"),
    "one triangular entry": ("L: LowerTriangular[1], A: Matrix[n, 1]", "np.sum((A @ L)**3)", "L"),
    "positive definite data": ("S: SPD[n], w: Vector[n]", "w @ np.linalg.solve(S, w) + np.linalg.slogdet(S)[1]", "w"),
    "a positive definite matrix": ("S: SPD[n], w: Vector[n]", "(w @ S @ w)**2 + np.sum(np.linalg.inv(S))", "S"),
    "several kinds": (
        "D: Diagonal[n], L: LowerTriangular[n], S: SPD[n], w: Vector[n]",
        "np.sum((D @ L @ S @ w)**2)",
        ("S", "w", "D", "L"),
    ),
    "two triangular ones": (
        "L: LowerTriangular[n], M: LowerTriangular[d], A: Matrix[n, d]",
        "np.sum((L @ A @ M)**2)",
        ("M", "L"),
    ),
    "a tensor": ("T: Tensor[k, n, d], w: Vector[d]", "np.sum(np.tanh(T @ w)**2)", "w"),
    "by a tensor": ("T: Tensor[k, n, d], w: Vector[d]", "np.sum((T @ w)**3) + np.sum(np.exp(T) * T)", "T"),
    "by a tensor and more": (
        "T: Tensor[k, n, d], A: Matrix[k, n], s: Scalar",
        "s * np.sum(T**3, axis=2).sum(axis=0) @ A[0] + np.sum(A * A) * s**2",
        ("T", "s", "A"),
    ),
    "a tensor of an axis of one": ("T: Tensor[n, 1, d], w: Vector[d]", "np.sum((T @ w)**3)", ("T", "w")),
    "a tensor of rank 4": ("T: Tensor[k, n, d, m], w: Vector[m]", "np.sum((T @ w)**2)", ("w", "T")),
    "indices": ("U: Matrix[n, k], rows: Indices[m, n], y: Vector[m]", "np.sum((np.sum(U[rows], axis=1) - y)**2)", "U"),
    "pairs of indices": (
        "U: Matrix[n, k], V: Matrix[d, k], i: Indices[m, n], j: Indices[m, d], y: Vector[m]",
        "np.sum((np.sum(U[i] * V[j], axis=1) - y)**2) + np.sum(U**2)",
        ("U", "V"),
    ),
    "indices of a vector": ("w: Vector[n], rows: Indices[m, n]", "np.sum(w[rows]**3)", "w"),
    "indices that count": ("w: Vector[n], rows: Indices[m, n]", "np.sum(w[rows])**2 + np.sum(w)", "w"),
    "indices that count alone": ("w: Vector[n], rows: Indices[m, n]", "np.sum(w[rows])", "w"),
    "indices and a number": ("w: Vector[n], rows: Indices[m, n], s: Scalar", "s * np.sum(w[rows])**3", "w"),
    "indices of columns": ("U: Matrix[k, n], rows: Indices[m, n], V: Matrix[k, m]", "np.sum((U[:, rows] * V)**3)", "U"),
    "indices of data": ("X: Matrix[n, d], w: Vector[d], rows: Indices[m, n]", "np.sum((X[rows] @ w)**3)", "w"),
    "indices of constants": (
        "x: Vector[m], rows: Indices[m, 3], cols: Indices[m, 2]",
        """C = np.array([0.5, 2.0, 3.0])
        np.sum(C[rows] * np.array([[1.0, -2.0], [3.0, 4.0], [0.5, 1.0]])[rows, cols] * x**3) + np.take(C, rows) @ x""",
        "x",
    ),
    "indices as numbers": (
        "x: Vector[m], rows: Indices[m, n], X: Matrix[n, k]",
        """t = rows.astype(float)
        np.sum((np.sin(x) - np.asarray(rows, float))**3) + np.sum(np.where(t == 2, x, 0)**2) + np.sum(X[rows].T @ x)""",
        "x",
    ),
    "indices below one as a column of numbers": (
        "x: Vector[m], W: Matrix[k, 1], rows: Indices[m, 1], cols: Indices[m, 7]",
        "np.sum((x - rows[:, None].astype(float) - np.array(cols, dtype=float))**3) + np.sum(W[:, rows] @ x)",
        ("x", "W"),
    ),
    "rows and columns of constants": (
        "W: Matrix[m, 3], rows: Indices[m, 3]",
        "np.sum(np.exp(W - 2 * np.eye(3)[rows])) + np.sum((W.T @ np.array([[1.0, 2.0, 4.0]])[:, rows].T)**3)",
        "W",
    ),
    "indices below a number": ("w: Vector[4], rows: Indices[m, 4], y: Vector[m]", "np.sum((w[rows] * y)**3)", "w"),
}


@pytest.fixture(params=LOSSES)
def used(request: pytest.FixtureRequest) -> Used:
    return Used(*LOSSES[request.param])


def test_the_loss_is_the_spec(used: Used) -> None:
    assert close(used.module.loss(**used.arrays), used.made(**used.arrays))


def test_derivatives(used: Used) -> None:
    gradient = used.module.grad(**used.arrays)
    product = used.module.hvp(*used.arrays.values(), *used.directions.values())
    along = sum(np.sum(g * d) for g, d in zip(parts(gradient), used.directions.values(), strict=True))
    assert close(along, slope(used.moved), 1e-7)
    for k, part in enumerate(parts(product)):
        assert close(part, slope(lambda t, k=k: parts(used.moved(t, used.module.grad))[k]), 1e-6)
    assert close(used.module.value_and_grad(**used.arrays), (used.module.loss(**used.arrays), gradient))
    assert [np.shape(part) for part in parts(gradient)] == [np.shape(array) for array in used.variables]
    assert shares_nothing(gradient, *used.arrays.values())
    if hasattr(used.module, "hessian"):
        [direction] = used.directions.values()
        assert close(used.module.hessian(**used.arrays) @ direction, product)


def test_what_is_not_read_is_not_read(used: Used) -> None:
    """Only the lower half of a LowerTriangular counts, of data, variables and directions alike."""
    full = {
        name: array + np.triu(np.full(array.shape, 9.0), 1) if used.kinds[name].kind == "LowerTriangular" else array
        for name, array in used.arrays.items()
    }
    turned = {
        name: array + np.triu(np.full(array.shape, np.nan), 1) if used.kinds[name].kind == "LowerTriangular" else array
        for name, array in used.directions.items()
    }
    assert close(used.module.grad(**full), used.module.grad(**used.arrays), 0.0)
    assert close(used.made(**full), used.made(**used.arrays), 0.0)
    one = used.module.hvp(*full.values(), *turned.values())
    assert close(one, used.module.hvp(*used.arrays.values(), *used.directions.values()), 0.0)
    for name, part in zip(used.wrt, parts(one), strict=True):
        if used.kinds[name].kind == "LowerTriangular":
            assert not np.triu(part, 1).any()


def test_bound(used: Used) -> None:
    bound = used.bound()
    arguments, variables, directions = used.arrays.values(), used.variables, used.directions.values()
    assert close(bound.loss(*variables), used.module.loss(*arguments))
    assert close(bound.grad(*variables), used.module.grad(*arguments))
    assert close(bound.hvp(*variables, *directions), used.module.hvp(*arguments, *directions))
    kept = [a for name, a in used.kinds.items() if name not in used.wrt and a.kind != "Indices"]
    dtype = np.float64 if any(a.given for a in kept) else np.float32  # the data are float64, numbers follow
    assert all(part.dtype == dtype for part in parts(bound.grad(*map(np.float32, variables))) if np.ndim(part))


def test_flat(used: Used) -> None:
    bound = used.bound()
    x, p = bound.pack(*used.variables), bound.pack(*used.directions.values())
    found = bound.unpack(x)
    assert isinstance(found, tuple) == used.several
    assert close(parts(found), tuple(used.variables), 0.0)
    assert np.array_equal(bound.pack(*parts(found)), x)
    assert x.dtype == np.float64
    assert x.ndim == 1
    units = np.eye(x.size)
    assert close(bound.jac(x), np.array([slope(lambda t, e=e: bound.fun(x + t * e)) for e in units]), 1e-7)
    assert close(bound.hessp(x, p), slope(lambda t: bound.jac(x + t * p)), 1e-6)
    assert close(bound.fun_and_jac(x), (bound.fun(x), bound.jac(x)))
    if hasattr(bound, "hess"):
        assert close(bound.hess(x) @ p, bound.hessp(x, p))


def test_float32(used: Used) -> None:
    single = {n: a if used.kinds[n].kind == "Indices" else np.float32(a) for n, a in used.arrays.items()}
    kept = [np.copy(array) for array in single.values()]
    assert all(part.dtype == np.float32 for part in parts(used.module.grad(**single)) if isinstance(part, np.ndarray))
    product = used.module.hvp(*single.values(), *used.directions.values())
    assert all(part.dtype == np.float32 for part in parts(product) if isinstance(part, np.ndarray))
    assert all(np.array_equal(a, b) for a, b in zip(kept, single.values(), strict=True))


FUNCTIONS: dict[str, tuple[str, str, str | tuple[str, ...]]] = {
    "of a diagonal": ("D: Diagonal[n], w: Vector[n]", "np.exp(D @ w)", "D"),
    "of a triangular matrix": ("L: LowerTriangular[n], w: Vector[n]", "np.tanh(L @ w)", ("L", "w")),
    "a diagonal itself": ("D: Diagonal[n]", "D", "D"),
    "a diagonal by entries": ("D: Diagonal[n]", "np.diag(D)", "D"),
    "a triangular matrix itself": ("L: LowerTriangular[n]", "L", "L"),
    "the transpose of a triangular matrix": ("L: LowerTriangular[n]", "L.T", "L"),
    "a positive definite matrix itself": ("S: SPD[n]", "S", "S"),
    "a tensor itself": ("T: Tensor[k, n, d]", "T", "T"),
    "a tensor turned": ("T: Tensor[k, n, d]", "np.transpose(T, (2, 0, 1))", "T"),
    "of a tensor": ("T: Tensor[k, n, d], w: Vector[d]", "np.tanh(T @ w)", "T"),
    "to a tensor": ("T: Tensor[k, n, d], w: Vector[d]", "np.exp(T * w)", "w"),
    "of indices": ("U: Matrix[n, k], rows: Indices[m, n]", "np.sin(U[rows])", "U"),
    "of a vector by indices": ("w: Vector[n], rows: Indices[m, n]", "w[rows]**2", "w"),
}


@pytest.mark.parametrize("said", FUNCTIONS)
def test_functions(said: str) -> None:
    """<vjp(c), d> = <c, jvp(d)>"""
    used = Used(*FUNCTIONS[said], decorator="function")
    found, directions = used.module.value(**used.arrays), used.directions.values()
    assert close(found, used.made(**used.arrays))
    pushed = used.module.jvp(*used.arrays.values(), *directions)
    assert close(pushed, slope(used.moved), 1e-8)
    c = RNG.standard_normal(found.shape)
    pulled = parts(used.module.vjp(*used.arrays.values(), c))
    assert close(sum(np.sum(g * d) for g, d in zip(pulled, directions, strict=True)), np.sum(c * pushed))
    bound = used.bound()
    assert close(bound.vjp(*used.variables, c), used.module.vjp(*used.arrays.values(), c))
    assert close(bound.jvp(*used.variables, *directions), pushed)


@pytest.mark.parametrize("entries", [False, True])
def test_the_two_conventions_of_positive_definite_matrices(entries: bool) -> None:
    convention = ', symmetric="entries"' if entries else ""
    one = declare(f"loss(wrt='S'{convention})", "S: SPD[n], A: Matrix[n, n]", "np.trace(A @ S) + np.sum(S**3)")
    S, A = 2 * np.eye(3) + 1, np.arange(9.0).reshape(3, 3)
    G = A.T + 3 * S**2
    found = module(one).grad(S, A)
    assert close(found, G + G.T - np.diag(np.diag(G)) if entries else (G + G.T) / 2)
    bound = module(one).bind(A)
    assert close(bound.jac(bound.pack(S)), (G + G.T - np.diag(np.diag(G)))[np.tril_indices(3)])


def test_bound_structures_can_be_pickled(tmp_path: Any) -> None:
    used = Used(*LOSSES["pairs of indices"])
    path = tmp_path / "written_pairs.py"
    path.write_text(used.made.source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_pairs", path)
    assert spec is not None
    assert spec.loader is not None
    written = importlib.util.module_from_spec(spec)
    sys.modules["written_pairs"] = written
    spec.loader.exec_module(written)
    data = {name: array for name, array in used.arrays.items() if name not in used.wrt}
    bound = pickle.loads(pickle.dumps(written.bind(**data)))
    assert close(bound.grad(*used.variables), used.module.grad(**used.arrays))
    del sys.modules["written_pairs"]


# ---- indices at the door


@pytest.fixture(scope="module")
def gathered() -> Used:
    return Used(*LOSSES["indices"])


GOOD: dict[str, Any] = {
    "a list": [0, 2, 1, 1, 0],
    "a tuple": (0, 2, 1, 1, 0),
    "small integers": np.array([0, 2, 1, 1, 0], "i1"),
    "unsigned integers": np.array([0, 2, 1, 1, 0], "u8"),
    "another byte order": np.array([0, 2, 1, 1, 0], ">i4"),
    "negative strides": np.array([0, 1, 1, 2, 0])[::-1],
    "a masked array that hides nothing": np.ma.array([0, 2, 1, 1, 0]),
}


@pytest.mark.parametrize("said", GOOD)
def test_every_kind_of_integers_gives_the_same(gathered: Used, said: str) -> None:
    U, _, y = gathered.arrays.values()
    rows = np.array([0, 2, 1, 1, 0])
    assert np.array_equal(gathered.module.grad(U, GOOD[said], y), gathered.module.grad(U, rows, y))
    assert np.array_equal(gathered.module.bind(GOOD[said], y).grad(U), gathered.module.grad(U, rows, y))


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "floats": ([0.0, 2.0, 1.0, 1.0, 0.0], TypeError, "rows must hold integers, not float64"),
    "booleans": ([True] * 5, TypeError, "rows must hold integers, not bool"),
    "None": (None, TypeError, "rows must hold integers, not object"),
    "complex numbers": ([0j] * 5, TypeError, "rows must hold integers, not complex128"),
    "names": (list("abcab"), TypeError, "rows must hold integers, not <U1"),
    "a negative one": ([0, -1, 1, 1, 0], ValueError, "rows holds -1, but its indices count from 0"),
    "one too large": ([0, 2, 3, 1, 0], ValueError, "rows holds 3, but its indices must be below n, which is 3"),
    "too few": ([0, 1], ValueError, "has size"),
    "a column": ([[0], [1], [2], [0], [0]], ValueError, "rows must have rank 1, but has shape (5, 1)"),
    "a number": (1, ValueError, "rows must have rank 1, but has shape ()"),
    "a masked array": (np.ma.array([0] * 5, mask=[1] * 5), ValueError, "rows has masked entries"),
}


@pytest.mark.parametrize("said", BAD)
def test_wrong_indices_are_refused(gathered: Used, said: str) -> None:
    U, _, y = gathered.arrays.values()
    rows, error, words = BAD[said]
    for name in ("loss", "grad", "value_and_grad"):
        with pytest.raises(error, match=re.escape(words)):
            getattr(gathered.module, name)(U, rows, y)
    with pytest.raises(error, match=re.escape(words)):
        gathered.module.hvp(U, rows, y, U)
    with pytest.raises(error, match=re.escape(words)):
        gathered.module.bind(rows, y).grad(U)


def test_indices_are_checked_when_they_are_bound() -> None:
    X, w = np.ones((3, 4)), np.ones(4)
    used = Used(*LOSSES["indices of data"]).module
    with pytest.raises(ValueError, match="rows holds 3, but its indices must be below n, which is 3"):
        used.bind(X, [0, 3])
    with pytest.raises(ValueError, match=r"rows holds 4, but its indices must be below 4$"):
        Used(*LOSSES["indices below a number"]).module.bind([4], [1.0])
    assert used.bind(X, [0, 2]).loss(w) == used.loss(X, w, [0, 2])


def test_no_indices(gathered: Used) -> None:
    U = gathered.arrays["U"]
    assert gathered.module.loss(U, [], []) == 0
    assert not gathered.module.grad(U, [], []).any()
    assert gathered.module.hvp(U, [], [], U).shape == U.shape
    assert gathered.module.loss(np.zeros((0, 2)), [], []) == 0
    with pytest.raises(ValueError, match="rows holds 0, but its indices must be below n, which is 0"):
        gathered.module.loss(np.zeros((0, 2)), [0], [1.0])


def test_indices_do_not_decide_the_dtype() -> None:
    used = Used(*LOSSES["indices of a vector"])
    w, rows = used.arrays["w"], used.arrays["rows"]
    assert used.module.grad(np.float32(w), rows).dtype == np.float32
    assert used.module.bind(rows).grad(np.float32(w)).dtype == np.float32
    assert used.module.bind(rows).jac(w).dtype == np.float64


def test_a_constant_of_the_file_is_an_array_to_index() -> None:
    found = declared(
        """
C = np.array([0.5, 2.0, 3.0])
TABLE = {"scales": [C, np.array([1.0, 2.0])]}
def weight(rows, by=C):
    return by[rows]
@loss(wrt="x")
def made(x: Vector[m], rows: Indices[m, 3], cols: Indices[m, 2]):
    return np.sum(C[rows] * weight(rows) * TABLE["scales"][1][cols] * x**2)
"""
    )["made"]
    x, rows, cols = np.array([1.0, -2.0]), [2, 0], [1, 0]
    for used in (found, module(found).loss):
        assert close(used(x, rows, cols), 9.0 * 2 + 0.25 * 4)
    assert close(module(found).grad(x, rows, cols), [2 * 18.0, -2 * 0.25 * 2])
    assert close(module(found).bind(rows, cols).hvp(x, np.ones(2)), [2 * 18.0, 2 * 0.25])


def test_what_is_packed_is_checked(gathered: Used) -> None:
    U, rows, y = gathered.arrays.values()
    with pytest.raises(ValueError, match="U must have rank 2"):
        gathered.module.bind(rows, y).pack(U[0])
    used = Used("X: Matrix[n, d], W: Matrix[d, k], b: Vector[k]", "np.sum((X @ W + b)**2)", ("W", "b"))
    W, b = used.variables
    bound = used.bound()
    assert bound.pack(W, b).shape == (W.size + b.size,)
    with pytest.raises(ValueError, match="W has size 2 along axis 0, but d, as in X is 4"):
        bound.pack(W.T, b)
    with pytest.raises(ValueError, match="b has size 1 along axis 0, but k, as in W is 2"):
        bound.pack(W, b[:1])


def test_bound_indices_are_copied(gathered: Used) -> None:
    U, rows, y = (np.copy(array) for array in gathered.arrays.values())
    bound = gathered.module.bind(rows, y)
    before = bound.grad(U)
    rows[:] = 0
    assert np.array_equal(bound.grad(U), before)


# ---- what else is refused

WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "a matrix for a diagonal": ("a diagonal", {"D": np.eye(3)}, "D must have rank 1, but has shape (3, 3)"),
    "a diagonal of a wrong size": (
        "a diagonal",
        {"A": np.ones((2, 4))},
        "A has size 2 along axis 0, but n, as in D is 3",
    ),
    "a triangular matrix that is not square": (
        "a triangular matrix",
        {"L": np.ones((3, 2))},
        "L has size 2 along axis 1, but n is 3",
    ),
    "the lower half itself": ("a triangular matrix", {"L": np.ones(6)}, "L must have rank 2, but has shape (6,)"),
    "a matrix for a tensor": ("a tensor", {"T": np.ones((3, 4))}, "T must have rank 3, but has shape (3, 4)"),
    "a tensor of a wrong size": (
        "a tensor",
        {"T": np.ones((2, 3, 5))},
        "w has size 4 along axis 0, but d, as in T is 5",
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_wrong_arrays_are_refused(said: str) -> None:
    loss, wrong, words = WRONG[said]
    used = Used(*LOSSES[loss])
    with pytest.raises(ValueError, match=re.escape(words)):
        used.module.grad(**{**used.arrays, **wrong})


def test_wrong_directions_and_flat_vectors_are_refused() -> None:
    used = Used(*LOSSES["several kinds"])
    good = used.directions
    wrong = {
        "dD has": {"D": np.ones(2)},
        "dD must have rank 1, but has shape (3, 3)": {"D": np.eye(3)},
        "dL has size 4 along axis 1": {"L": np.ones((3, 4))},
        "dS must hold real numbers, not object": {"S": None},
    }
    for words, changed in wrong.items():
        with pytest.raises((TypeError, ValueError), match=re.escape(words)):
            used.module.hvp(*used.arrays.values(), *{**good, **changed}.values())
        with pytest.raises((TypeError, ValueError), match=re.escape(words)):
            used.bound().hvp(*used.variables, *{**good, **changed}.values())
    declared_ = "n * (n + 1) // 2"
    with pytest.raises(
        ValueError, match=re.escape(f"x has size 17, which cannot be 2 * n + {declared_} + {declared_}")
    ):
        used.bound().unpack(np.ones(17))
    with pytest.raises(ValueError, match="L has size 2 along axis 1, but n, as in S is 3"):
        used.bound().pack(*used.variables[:3], np.ones((3, 2)))


def test_what_is_not_positive_definite_is_refused_where_it_is_factorised() -> None:
    used = Used("S: SPD[n], w: Vector[n]", "w @ np.linalg.cholesky(S) @ w", "w")
    with pytest.raises(np.linalg.LinAlgError):
        used.module.loss(-np.eye(3), np.ones(3))


# ---- the text


def test_docstrings() -> None:
    used = Used(*LOSSES["several kinds"])
    said = inspect.getdoc(used.module.hvp)
    for line in (
        "D : (n,) array, the diagonal of a matrix",
        "L : (n, n) array, of which the lower half is read",
        "S : (n, n) symmetric positive definite array",
        "dS : (n, n) symmetric array",
        "dD : (n,) array",
        "dL : (n, n) lower triangular array",
        "hvp_S : (n, n) symmetric array",
        "hvp_D : (n,) array",
        "hvp_L : (n, n) lower triangular array",
    ):
        assert line in said.splitlines()
    packed = "One flat float64 vector of the lower half of S, w, D and the lower half of L, row by row."
    assert inspect.getdoc(used.bound().pack) == packed
    assert "D : (n,) array of positive numbers, the diagonal of a matrix" in inspect.getdoc(
        Used(*LOSSES["a positive diagonal"]).module.loss
    )
    assert "rows : (m,) array of integers from 0 to n - 1" in inspect.getdoc(Used(*LOSSES["indices"]).module.loss)
    assert "rows : (m,) array of integers from 0 to 3" in inspect.getdoc(
        Used(*LOSSES["indices below a number"]).module.loss
    )
    assert "T : (k, n, d) array" in inspect.getdoc(Used(*LOSSES["a tensor"]).module.loss)


@pytest.mark.parametrize("name", ["_indices", "_below", "_lower_triangular", "np", "slice", "scipy"])
def test_what_helpers_are_called_gives_way(name: str) -> None:
    text = f"""
@loss(wrt=("L_", "{name}"))
def made({name}: Matrix[n, d], L_: LowerTriangular[n], rows_: Indices[m, n]):
    return ((L_ @ {name})[rows_] ** 2).sum()
"""
    one = declared(text)["made"]
    used = module(one)
    A, L, rows = np.arange(12.0).reshape(3, 4), np.tril(np.ones((3, 3))), np.array([0, 2, 2])
    assert close(used.loss(A, L, rows), one(A, L, rows))
    bound = used.bind(rows, n=3, d=4)
    assert close(bound.jac(bound.pack(L, A)), bound.pack(*used.grad(A, L, rows)))


def test_dimensions_may_have_the_names_of_attributes() -> None:
    text = """
indices, data = dims("indices data")

@loss(wrt="W")
def made(W: Matrix[indices, data], _indices: Indices[k, indices]):
    return np.sum(W[_indices] ** 2)
"""
    one = declared(text)["made"]
    W = np.arange(6.0).reshape(3, 2)
    bound = module(one).bind([0, 2, 2])
    assert close(bound.loss(W), one(W, [0, 2, 2]))
