"""Factors that operations on a matrix share, as the modules hold them, against NumPy on the matrix itself."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import scipy.linalg.lapack
from snippets import kernel, loss

from gradgen.templating import environment

SCOPE: dict[str, Any] = {"np": np, "scipy": scipy, "_FLOAT32": np.dtype("f4"), "_FLOAT64": np.dtype("f8")}
for template in ("lu", "cholesky"):
    exec(environment().get_template(f"{template}.py.j2").render(), SCOPE)
RNG = np.random.default_rng(0)
MATRICES = {
    "regular": RNG.standard_normal((5, 5)),
    "reflected": RNG.standard_normal((4, 4)) * [[-1.0], [1.0], [1.0], [1.0]],
    "permuted": np.eye(4)[[1, 2, 3, 0]],
    "a number": np.array([[-3.0]]),
    "no rows": np.zeros((0, 0)),
    "in Fortran's order": np.asfortranarray(RNG.standard_normal((5, 5))),
    "of every second row": RNG.standard_normal((8, 4))[::2],
}
DEFINITE = {name: A @ A.T + np.eye(len(A)) for name, A in MATRICES.items()}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("kind", ["_LU", "_Cholesky"])
def test_factors_give_what_the_matrix_gives(kind: str, name: str, dtype: type) -> None:
    A = {"_LU": MATRICES, "_Cholesky": DEFINITE}[kind][name].astype(dtype)
    factors, exact = SCOPE[kind](A), 1e-12 if dtype is np.float64 else 1e-4
    B = RNG.standard_normal((len(A), 3)).astype(dtype)
    pairs = [
        (factors.solve(B), np.linalg.solve(A, B)),
        (factors.solve(B[:, 0]), np.linalg.solve(A, B[:, 0])),
        (factors.inverse(), np.linalg.inv(A)),
        (factors.det(), np.linalg.det(A)),
        (factors.logdet(), np.linalg.slogdet(A)[1]),
    ]
    if kind == "_LU":
        pairs.append((factors.solve(B, transposed=True), np.linalg.solve(A.T, B)))
    for found, expected in pairs:
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=exact, atol=exact * np.max(np.abs(expected), initial=0))


def test_what_is_made_is_contiguous_and_new() -> None:
    A, B = MATRICES["regular"], np.ones((5, 2))
    kept = A.copy()
    for factors in (SCOPE["_LU"](A), SCOPE["_Cholesky"](A @ A.T)):
        assert factors.solve(B).flags.c_contiguous
        assert factors.inverse().flags.c_contiguous
        first = factors.inverse()
        first[...] = 0
        assert np.any(factors.inverse())
    np.testing.assert_array_equal(A, kept)
    np.testing.assert_array_equal(B, 1)


def test_a_singular_matrix_has_a_determinant_and_nothing_else() -> None:
    lu = SCOPE["_LU"](np.ones((3, 3)))
    assert lu.det() == 0
    assert lu.logdet() == -np.inf
    for made in (lu.inverse, lambda: lu.solve(np.ones(3))):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            made()


def test_what_is_not_definite_is_told() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        SCOPE["_Cholesky"](-np.eye(3))


def test_nan_goes_through() -> None:
    lu = SCOPE["_LU"](np.full((2, 2), np.nan))
    assert np.isnan(lu.det())
    assert np.all(np.isnan(lu.solve(np.ones(2))))


SHARING = {
    "b @ np.linalg.inv(A) @ b + np.linalg.slogdet(A)[1]": "lu",
    "np.linalg.det(A) * (b @ np.linalg.solve(A.T, b))": "lu",
    "b @ np.linalg.solve(S, b) + np.linalg.slogdet(S)[1]": "cholesky",
    "np.linalg.slogdet(S)[1] + np.trace(np.linalg.inv(S))": "cholesky",
}


@pytest.mark.parametrize("value", SHARING)
def test_a_matrix_is_factorised_once(value: str) -> None:
    wrt = "A" if "(A" in value else "S"
    text = kernel(loss("A: Matrix[n, n], S: SPD[n], b: Vector[n]", value, wrt).source(), "value_and_grad")
    assert len(re.findall(r"\b_(?:LU|Cholesky)\(", text)) == 1
    assert f"{wrt}_{SHARING[value]}." in text
    assert "np.linalg" not in text


ALONE = ("b @ np.linalg.solve(A, b)", "np.linalg.slogdet(A)[1] + b @ b", "np.sum(np.linalg.solve(T, b))")


@pytest.mark.parametrize("value", ALONE)
def test_what_is_factorised_once_is_numpys(value: str) -> None:
    text = loss("A: Matrix[n, n], T: LowerTriangular[n], b: Vector[n]", value, "b").source()
    assert not re.search(r"_LU|_Cholesky", kernel(text, "loss"))
