"""Dimensions: how they are declared, what they do in formulas and slices, and what slices presuppose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradgen import Matrix, SpecError, Vector, dims, loss, ones
from gradgen.dimension import Dimension

n, d, p = dims("n d p")


def traced(function: Callable[..., Any]) -> Any:
    @loss(wrt="x")
    def f(x: Vector[n], X: Matrix[n, d], z: Vector[p], e: Vector[p + d]):
        return np.sum(function(x, X, z, e))

    return f.tape


def test_dims_by_names() -> None:
    assert [str(v) for v in dims("a b, c")] == ["a", "b", "c"]
    assert isinstance(dims("a"), Dimension)
    (a,) = dims("a")
    assert isinstance(a, Dimension) and str(a) == "a"


def test_dims_with_typical_sizes() -> None:
    a, b = dims(a=100_000, b=50)
    assert (a.size.typical, b.size.typical) == (100_000, 50)
    c, e = dims("c", e=7)
    assert (str(c), str(e), e.size.typical) == ("c", "e", 7)
    q, r = dims("q r", q=5)
    assert (str(q), q.size.typical, str(r)) == ("q", 5, "r")


def test_sizes_of_which_nothing_is_said_differ_in_the_order_of_the_signature() -> None:
    r, q, s = dims("r q s", q=5)

    @loss(wrt="x")
    def f(A: Matrix[s, q], x: Vector[r]):
        return np.sum(A) * np.sum(x)

    sizes = {dim.name: dim.typical for a in f.tape.arguments for size in a.shape for dim in size.symbols}
    assert sizes == {"s": 150, "q": 5, "r": 30}


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: dims(), "names"),
        (lambda: dims("n n"), "twice"),
        (lambda: dims("3a"), "'3a'"),
        (lambda: dims("lambda"), "'lambda'"),
        (lambda: dims(a=0), "positive integer"),
        (lambda: dims(a=True), "positive integer"),
        (lambda: dims(5), "string"),
    ],
)
def test_wrong_dims(make: Callable[[], Any], word: str) -> None:
    with pytest.raises(SpecError, match=word):
        make()


def test_arithmetic_with_integers_stays_exact() -> None:
    assert [str(v) for v in (n + 1, 1 + n, 2 * n - d, 3 - n, n * d, -n, np.int64(2) * n, n - np.int64(1))] == [
        "n + 1",
        "n + 1",
        "2 * n - d",
        "-n + 3",
        "n * d",
        "-n",
        "2 * n",
        "n - 1",
    ]
    assert n - n == 0 and type(n - n) is int
    assert str((2 * n + 4) // 2) == "n + 2" and (2 * n) % 2 == 0


def test_comparisons_that_hold_at_all_sizes_are_decided() -> None:
    assert n == n and n != n + 1 and n < n + 1 and n + d >= n and not n > n + d and n >= 0 and n != "n" and n != None  # noqa: E711


@pytest.mark.parametrize(
    "use",
    [
        lambda: n / 2,
        lambda: n**2,
        lambda: np.sqrt(n),
        lambda: 0.5 * n,
        lambda: int(n),
        lambda: float(n),
        lambda: list(range(n)),
        lambda: np.ones(n),
        lambda: ones(n),
        lambda: bool(n),
        lambda: n > d,
        lambda: n * np.ones(2),
    ],
)
def test_outside_a_loss_a_dimension_has_no_value(use: Callable[[], Any]) -> None:
    with pytest.raises(SpecError, match=r"\bn\b"):
        use()


def test_in_a_formula_a_dimension_is_a_size_call() -> None:
    for make in (lambda x: x / n, lambda x: n * x, lambda x: np.sqrt(n) * x, lambda x: np.float64(2) * n * x):
        sizes = [c for c in traced(lambda x, *_, f=make: f(x)).calls() if c.op == "size"]
        assert [str(c.params["size"]) for c in sizes] in (["n"], ["2 * n"])


def test_shapes_give_dimensions() -> None:
    seen: dict[str, Any] = {}

    def look(x: Any, X: Any, z: Any, e: Any) -> Any:
        seen.update(shape=X.shape, length=e.shape[0], size=X.size, equal=X.shape == (n, d), first=x.shape[0] == n)
        return x

    traced(look)
    assert [str(s) for s in seen["shape"]] == ["n", "d"]
    assert (str(seen["length"]), str(seen["size"])) == ("d + p", "n * d")
    assert seen["equal"] and seen["first"]


def presupposed(function: Callable[..., Any]) -> list[str]:
    return [f"{c.left} <= {c.right}" for c in traced(function).constraints]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, X, z, e: e[:p], []),
        (lambda x, X, z, e: e[p:], []),
        (lambda x, X, z, e: x[:], []),
        (lambda x, X, z, e: x[::-1], []),
        (lambda x, X, z, e: x[:p], ["p <= n"]),
        (lambda x, X, z, e: x[p:], ["p <= n"]),
        (lambda x, X, z, e: x[-p:], ["p <= n"]),
        (lambda x, X, z, e: x[:5], ["5 <= n"]),
        (lambda x, X, z, e: x[:-1], ["1 <= n"]),
        (lambda x, X, z, e: x[1:] - x[:-1], ["1 <= n"]),
        (lambda x, X, z, e: x[0], ["1 <= n"]),
        (lambda x, X, z, e: x[-2], ["2 <= n"]),
        (lambda x, X, z, e: x[n - 1], ["1 <= n"]),
        (lambda x, X, z, e: x[p], ["p + 1 <= n"]),
        (lambda x, X, z, e: x[p:d], ["p <= n", "d <= n", "p <= d"]),
        (lambda x, X, z, e: e[p : p + 1], ["1 <= d"]),
        (lambda x, X, z, e: x[: n - d], ["d <= n"]),
        (lambda x, X, z, e: X[1:3, 0], ["1 <= n", "3 <= n", "1 <= d"]),
        (lambda x, X, z, e: np.max(X, axis=1), ["1 <= d"]),
        (lambda x, X, z, e: X.min(), ["1 <= n", "1 <= d"]),
    ],
)
def test_what_indices_presuppose(function: Callable[..., Any], expected: list[str]) -> None:
    assert presupposed(function) == expected


def test_a_constraint_has_its_place_and_stands_once() -> None:
    constraints = traced(lambda x, X, z, e: x[:p] + x[:p]).constraints
    assert len(constraints) == 1
    assert constraints[0].place is not None and constraints[0].place.excerpt().endswith("^^^^^")


def test_normalised_indices() -> None:
    def index(function: Callable[..., Any]) -> str:
        call = next(c for c in traced(function).calls() if c.op == "getitem")
        return ", ".join("None" if i is None else str(getattr(i, "start", i)) for i in call.params["index"])

    assert index(lambda x, X, z, e: X[None, -1]) == "None, n - 1, 0"
    assert index(lambda x, X, z, e: X[..., -p:]) == "0, d - p"


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (lambda x, X, z, e: x if n > d else 2 * x, "one path"),
        (lambda x, X, z, e: x if X.shape[1] == 1 else 2 * x, "one path"),
        (lambda x, X, z, e: sum(x[i] for i in range(n)), "loop over an axis whose length is a number"),
        (lambda x, X, z, e: np.ones(n) @ x, "gradgen.ones"),
        (lambda x, X, z, e: np.ones((n, d)) @ z, "write ones(n, d), after from gradgen import ones"),
        (lambda x, X, z, e: np.empty(n), "gradgen.zeros"),
        (lambda x, X, z, e: x / float(n), "without conversion"),
        (lambda x, X, z, e: x / int(n), "without conversion"),
        (lambda x, X, z, e: x * (n // 2), "multiple"),
        (lambda x, X, z, e: x * (n % 2), "multiple"),
        (lambda x, X, z, e: x * np.array(n), "the array itself"),
        (lambda x, X, z, e: np.where(n, x, 0 * x) if n else x, "one path"),
    ],
)
def test_what_needs_the_number_is_refused_with_the_fix(function: Callable[..., Any], hint: str) -> None:
    with pytest.raises(SpecError, match=r"not known while the loss is traced") as caught:
        traced(function)
    assert hint in caught.value.hint


def test_a_dimension_within_a_loss_is_a_number() -> None:
    with pytest.raises(SpecError, match="the dimension n is a number") as caught:
        traced(lambda x, X, z, e: sum(x[i] for i in n))
    assert "arange(n)" in caught.value.hint


def test_a_comparison_of_dimensions_is_a_mask_in_a_formula() -> None:
    assert "greater" in [c.op for c in traced(lambda x, X, z, e: np.where(n > d, x, 2 * x)).calls()]


def test_numpy_functions_of_dimensions() -> None:
    assert "size" in [
        c.op for c in traced(lambda x, X, z, e: x * np.sum(n) * np.mean(a=n) * abs(n - d) * abs(n)).calls()
    ]
    assert [
        str(c.params["size"]) for c in traced(lambda x, X, z, e: np.stack([n, 2.0, d])).calls() if c.op == "size"
    ] == [
        "n",
        "d",
    ]


def test_a_dimension_of_no_argument_is_refused() -> None:
    stranger = dims("q")
    with pytest.raises(SpecError, match="q is no dimension of this loss"):
        traced(lambda x, X, z, e: x * stranger)


def test_dimensions_are_numbered_by_the_arguments() -> None:
    b, a = dims("b a")

    @loss(wrt="x")
    def f(x: Vector[a], X: Matrix[a, b]):
        return x @ X @ X.T @ x

    assert [(s.symbol.rank, s.symbol.name) for s in f.arguments[1].shape] == [(0, "a"), (1, "b")]


def test_two_dimensions_of_one_name_are_refused() -> None:
    other = dims("n")
    with pytest.raises(SpecError, match="two different dimensions are called n"):

        @loss(wrt="x")
        def f(x: Vector[n], y: Vector[other]):
            return x @ x
