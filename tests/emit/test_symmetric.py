"""Modules of symmetric matrices: the flat forms hold independent entries, in both conventions."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from made import close, declare, draw, module, parts, slope


class Used:
    """A loss with its module, bound to its random data."""

    def __init__(
        self, signature: str, body: str, wrt: str | tuple[str, ...], entries: bool = False, **opened: int
    ) -> None:
        convention = ', symmetric="entries"' if entries else ""
        self.made = declare(f"loss(wrt={wrt!r}{convention})", signature, body)
        self.module = module(self.made)
        self.wrt = self.made.tape.wrt
        self.arrays = draw(self.made)
        self.variables = [self.arrays[name] for name in self.wrt]
        self.bound = self.module.bind(**{n: a for n, a in self.arrays.items() if n not in self.wrt}, **opened)
        self.x = self.bound.pack(*self.variables)


LOSSES: dict[str, tuple[str, str, str | tuple[str, ...], dict[str, int]]] = {
    "a trace": ("A: Matrix[n, n], S: Symmetric[n]", "np.trace(A @ S)", "S", {}),
    "a cubic": ("A: Matrix[n, d], S: Symmetric[n]", "np.sum((S @ A)**3)", "S", {}),
    "what data do not tell": ("S: Symmetric[n]", "np.sum(S**3) + np.trace(S @ S @ S)", "S", {}),
    "with a vector": ("S: Symmetric[n], w: Vector[n]", "w @ S @ S @ w", ("S", "w"), {}),
    "behind a vector": ("w: Vector[n], S: Symmetric[n]", "w @ S @ S @ w", ("w", "S"), {}),
    "two": ("S: Symmetric[n], T: Symmetric[n], A: Matrix[n, n]", "np.sum((S @ A @ T)**2)", ("T", "S"), {}),
    "two sizes": ("S: Symmetric[n], T: Symmetric[d]", "np.sum(S**3) * np.sum(T**2)", ("S", "T"), {"n": 3, "d": 4}),
    "beside an open vector": (
        "A: Matrix[n, n], S: Symmetric[n], v: Vector[d]",
        "np.sum(S * A)**2 * (v @ v)",
        ("S", "v"),
        {},
    ),
    "of a literal size": ("S: Symmetric[2], v: Vector[d]", "np.sum(S**3) * (v @ v)", ("S", "v"), {}),
    "of one entry": ("S: Symmetric[1]", "np.sum(S**3)", "S", {}),
    "of a sum": ("S: Symmetric[n + 1], v: Vector[n]", "v @ S[1:, :-1] @ v", "S", {}),
    "in a tuple of one": ("S: Symmetric[n]", "np.sum(S**3)", ("S",), {}),
}


@pytest.fixture(params=[(said, entries) for said in LOSSES for entries in (False, True)], ids=str)
def used(request: pytest.FixtureRequest) -> Used:
    said, entries = request.param
    signature, body, wrt, opened = LOSSES[said]
    return Used(signature, body, wrt, entries, **opened)


def gradient(function: Any, x: np.ndarray) -> np.ndarray:
    return np.stack([slope(lambda t, e=e: function(x + t * e)) for e in np.eye(x.size)], axis=-1)


def test_jac_is_the_derivative_by_entries(used: Used) -> None:
    assert close(used.bound.fun(used.x), used.made(*used.arrays.values()))
    assert close(used.bound.jac(used.x), gradient(used.bound.fun, used.x), 1e-8)
    assert close(used.bound.fun_and_jac(used.x), (used.bound.fun(used.x), used.bound.jac(used.x)))


def test_hessp_is_the_derivative_of_jac(used: Used) -> None:
    p = np.random.default_rng(3).standard_normal(used.x.size)
    assert close(used.bound.hessp(used.x, p), gradient(used.bound.jac, used.x) @ p, 1e-7)


def test_unpack_undoes_pack(used: Used) -> None:
    found = used.bound.unpack(used.x)
    assert close(parts(found), tuple(used.variables), 0.0)
    assert isinstance(found, tuple) == used.made.tape.several
    assert np.array_equal(used.bound.pack(*parts(found)), used.x)
    assert all(part.dtype == np.float64 and part.flags.writeable for part in parts(found))
    assert not any(np.shares_memory(part, used.x) for part in parts(found))


def test_gradients_are_symmetric(used: Used) -> None:
    results = [used.module.grad(*used.arrays.values()), used.module.hvp(*used.arrays.values(), *used.variables)]
    for result in results:
        for name, part in zip(used.wrt, parts(result), strict=True):
            if used.made.tape.argument(name).kind == "Symmetric":
                assert close(part, part.T)


def test_the_two_conventions() -> None:
    signature, body, wrt, _ = LOSSES["a trace"]
    frobenius, entries = Used(signature, body, wrt), Used(signature, body, wrt, True)
    A = frobenius.arrays["A"]
    assert close(frobenius.module.grad(*frobenius.arrays.values()), (A + A.T) / 2)
    assert close(entries.module.grad(*entries.arrays.values()), A + A.T - np.diag(np.diag(A)))
    assert close(frobenius.bound.jac(frobenius.x), entries.bound.jac(entries.x))
    assert frobenius.made.source().splitlines()[0] != entries.made.source().splitlines()[0]


def test_entries_stand_row_by_row() -> None:
    bound = Used(*LOSSES["what data do not tell"][:3]).bound
    S = np.array([[1.0, 2, 4], [2, 3, 5], [4, 5, 6]])
    assert np.array_equal(bound.pack(S), [1, 2, 3, 4, 5, 6])
    assert np.array_equal(bound.unpack([1, 2, 3, 4, 5, 6]), S)


def test_wrong_vectors_and_matrices_are_refused() -> None:
    bound = Used(*LOSSES["what data do not tell"][:3]).bound
    with pytest.raises(ValueError, match=r"x has size 5, which cannot be n \* \(n \+ 1\) // 2"):
        bound.unpack(np.zeros(5))
    with pytest.raises(ValueError, match="S has size 3 along axis 1, but n is 2"):
        bound.pack(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"S must have rank 2, but has shape \(3,\)"):
        bound.pack(np.zeros(3))
    with pytest.raises(ValueError, match="S has size 3 along axis 1, but n is 2"):
        bound.loss(np.zeros((2, 3)))


def test_two_open_sizes_are_asked_for() -> None:
    used = Used(*LOSSES["two sizes"][:3], n=3, d=4)
    with pytest.raises(ValueError, match=r"bind needs all but one of [nd]=, [nd]= for the flat forms"):
        used.module.bind().fun(used.x)
    assert close(used.module.bind(n=3).fun(used.x), used.module.bind(n=3, d=4).fun(used.x))


def test_an_open_vector_beside_a_known_matrix() -> None:
    used = Used(*LOSSES["beside an open vector"][:3])
    with pytest.raises(ValueError, match=r"x has size 5 along axis 0, which cannot be d \+ n \* \(n \+ 1\) // 2"):
        used.bound.unpack(np.zeros(5))


def test_empty_matrices_work() -> None:
    bound = Used(*LOSSES["what data do not tell"][:3]).bound
    assert bound.unpack(np.zeros(0)).shape == (0, 0)
    assert bound.fun(np.zeros(0)) == 0.0
    assert bound.jac(np.zeros(0)).shape == (0,)


def test_float32() -> None:
    used = Used(*LOSSES["a cubic"][:3])
    single = [np.float32(value) for value in used.arrays.values()]
    assert used.module.grad(*single).dtype == np.float32
    assert used.bound.pack(single[1]).dtype == np.float64


def test_a_function_of_a_symmetric_matrix() -> None:
    made = declare("function(wrt='S')", "S: Symmetric[n], B: Matrix[n, d]", "S @ B")
    used, arrays = module(made), draw(made)
    S, B = arrays.values()
    c = np.random.default_rng(1).standard_normal(B.shape)
    pulled = used.vjp(S, B, c)
    assert close(pulled, (c @ B.T + B @ c.T) / 2)
    assert close(np.sum(pulled * S), np.sum(c * used.jvp(S, B, S)))
    bound = used.bind(B)
    assert close(bound.unpack(bound.pack(S)), S)
    assert not hasattr(bound, "fun")


def test_symmetric_data_are_as_they_stand() -> None:
    used = Used("S: Symmetric[n], x: Vector[n]", "x @ S @ x", "x")
    assert close(used.module.grad(*used.arrays.values()), 2 * used.arrays["S"] @ used.arrays["x"])
    assert not hasattr(used.bound, "_flat")


def test_docstrings() -> None:
    used = Used(*LOSSES["behind a vector"][:3])
    assert "S : (n, n) symmetric array\n" in inspect.getdoc(used.module.grad)
    assert "dS : (n, n) symmetric array\n" in inspect.getdoc(used.module.hvp)
    assert "grad_S : (n, n) symmetric array" in inspect.getdoc(used.module.grad)
    assert inspect.getdoc(used.bound.pack) == "One flat float64 vector of w and the lower half of S, row by row."
