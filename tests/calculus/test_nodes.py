"""The algebra of nodes: equal expressions are one object, and every constructor computes what it says."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from evaluate import DIMS, SIZES, agree, evaluate, same, shape, symbols, value_of

from gradgen.atoms import call
from gradgen.dims import Size
from gradgen.flatten import flatten
from gradgen.nodes import (
    Node,
    arena,
    as_node,
    as_number,
    count,
    delta,
    is_zero,
    one,
    product,
    rational,
    view,
    zero,
)

N, D = DIMS["n"], DIMS["d"]


def flat(node: Node) -> Node:
    return flatten([node], {})[0]


def total(node: Node) -> Node:
    """The sum of all entries."""
    return product([(node, tuple(range(node.rank)), 1)], ())


def rows(node: Node) -> Node:
    """The sums of the rows."""
    return product([(node, (0, 1), 1)], node.shape[:1])


def trace(node: Node) -> Node:
    return product([(node, (0, 0), 1)], ())


def diagonal(node: Node) -> Node:
    return view(1, node, (0, 0), node.shape[:1])


# ---- interning


def test_equal_expressions_are_one_object() -> None:
    X, w = symbols("X:nd w:d")
    assert (X @ w + 1) is (X @ w + 1)


def test_each_arena_has_its_own_nodes() -> None:
    with arena():
        [first] = symbols("x:n")
    with arena():
        [second] = symbols("x:n")
    assert first is not second


def test_digests_depend_neither_on_the_arena_nor_on_names() -> None:
    def made(a: str, b: str) -> int:
        with arena():
            X, w = symbols(f"{a}:nd {b}:d")
            return call("exp", X @ w - 1).digest

    assert made("X", "w") == made("left", "right")


def test_digests_tell_expressions_apart() -> None:
    X, w, s = symbols("X:nd w:d s:")
    made = [X @ w, w * X, s * X, s + X, X**2, X.T, X @ X.T, X.T @ X, call("exp", X), call("sin", X), w, w**2, s**2]
    assert len({flat(node).digest for node in made}) == len(made)


def test_a_label_has_one_size() -> None:
    A, B = symbols("A:nd B:nd")
    with pytest.raises(AssertionError, match="a label has one size"):
        product([(A, (0, 2), 1), (B, (2, 1), 1)], shape("nd"))


# ---- canonical labels: spellings of one value are one object

SPELLINGS: dict[str, Callable[[Any, Any, Any], list[Node]]] = {
    "a quadratic form": lambda A, X, Y: [
        trace(A @ X @ X.T),
        total(X * (A.T @ X)),
        total(X * (A @ X)),
        trace(X.T @ (A @ X)),
        trace(X @ (X.T @ A)),
        trace((X.T @ A) @ X),
    ],
    "cyclic shifts": lambda A, X, Y: [
        trace(A @ X @ Y.T),
        trace(X @ Y.T @ A),
        trace((Y.T @ A) @ X),
        trace((A @ X @ Y.T).T),
        total(Y * (A @ X)),
    ],
    "the sum of a Hadamard product": lambda A, X, Y: [
        total(X * Y),
        trace(X.T @ Y),
        trace(Y @ X.T),
        total(Y.T * X.T),
        trace((X.T @ Y).T),
    ],
    "row sums of a Hadamard product": lambda A, X, Y: [
        rows(X * Y),
        product([(X, (0, 1), 1), (Y, (0, 1), 1)], X.shape[:1]),
        flat(rows((Y.T * X.T).T)),
        rows(Y * X),
    ],
    "an associative product": lambda A, X, Y: [A @ (A @ X), (A @ A) @ X, ((X.T @ A.T) @ A.T).T],
    "an inner product of equal factors": lambda A, X, Y: [trace(A @ A @ A.T), trace(A.T @ A @ A), trace(A @ A.T @ A)],
    "four equal factors": lambda A, X, Y: [
        trace(X @ X.T @ X @ X.T),
        trace(X @ (X.T @ (X @ X.T))),
        trace(X.T @ X @ X.T @ X),
    ],
}


@pytest.mark.parametrize("law", SPELLINGS)
def test_spellings_of_one_value_are_one_object(law: str) -> None:
    found = {flat(node) for node in SPELLINGS[law](*symbols("A:nn X:nd Y:nd"))}
    assert len(found) == 1


def test_different_values_stay_apart() -> None:
    A, X = symbols("A:nn X:nd")
    assert flat(trace(A @ A)) is not flat(trace(A @ A.T))
    assert flat(A @ X) is not flat(A.T @ X)


def test_the_order_of_terms_and_factors_does_not_matter() -> None:
    a, b, c = symbols("a:n b:n c:n")
    assert flat((a + b) + c) is flat(c + (b + a))
    assert flat((a * b) * c) is flat(c * (b * a))


# ---- what merges


def test_a_double_transpose_is_the_matrix() -> None:
    [X] = symbols("X:nd")
    assert X.T.T is X


def test_scales_merge_into_one() -> None:
    [x] = symbols("x:n")
    assert 2 * (3 * x) is 6 * x
    minus = -x
    assert -minus is x


def test_equal_terms_merge() -> None:
    [x] = symbols("x:n")
    assert x + x is 2 * x
    assert x + 2 * x - 3 * x is zero(x.shape)


def test_a_value_minus_itself_is_zero() -> None:
    A, X = symbols("A:nn X:nd")
    assert is_zero(A - A)
    assert is_zero(flat(A @ X - (X.T @ A.T).T))


def test_a_matrix_is_not_its_transpose() -> None:
    [A] = symbols("A:nn")
    assert not is_zero(A - A.T)


def test_powers_merge() -> None:
    [x] = symbols("x:n")
    assert x * x is x**2
    assert x**2 * x**-3 is x**-1
    assert x * x**-1 is view(1, one(), (), x.shape)


def test_half_powers_merge() -> None:
    [x] = symbols("x:n:positive")
    root = x ** Fraction(1, 2)
    assert root * root is x


def test_the_root_of_a_square_is_no_identity() -> None:
    [x] = symbols("x:n")
    assert agree(evaluate((x**2) ** Fraction(1, 2)), np.abs(value_of(x)))


def test_a_negative_base_keeps_its_sign_under_a_root() -> None:
    [x] = symbols("x:n:positive")
    assert agree(evaluate((-(-2 * x)) ** Fraction(1, 2)), np.sqrt(2 * value_of(x)))


def test_decimals_are_exact_numbers() -> None:
    assert rational(0.1) == Fraction(1, 10)
    assert type(rational(2.0)) is int


def test_an_identity_dissolves_in_a_product() -> None:
    [X] = symbols("X:nd")
    assert delta(N) @ X is X
    assert delta(N) @ delta(N) is delta(N)


def test_the_trace_of_the_identity_is_its_size() -> None:
    assert trace(delta(N)) is count(N)


def test_the_square_of_the_identity_entry_by_entry_is_the_identity() -> None:
    assert delta(N) ** 2 is delta(N)


def test_a_sum_over_what_no_factor_has_counts() -> None:
    [x] = symbols("x:n")
    assert product([(view(1, x, (0,), shape("nd")), (0, 1), 1)], shape("n")) is x * count(D)


def test_a_literal_count_is_a_plain_number() -> None:
    assert as_number(count(Size.of(3))) == 3


# ---- facts


@pytest.mark.parametrize("fact", ["one_hot", "simplex"])
def test_rows_sum_to_one(fact: str) -> None:
    [Y] = symbols(f"Y:nk:{fact}")
    assert rows(Y) is view(1, one(), (), shape("n"))


def test_columns_of_one_hot_rows_do_not() -> None:
    [Y] = symbols("Y:nk:one_hot")
    assert as_number(product([(Y, (1, 0), 1)], shape("k"))) is None


def test_weighted_rows_do_not_sum_to_one() -> None:
    Y, w = symbols("Y:nk:one_hot w:k")
    assert agree(evaluate(Y @ w), value_of(Y) @ value_of(w))


@pytest.mark.parametrize("fact", ["one_hot", "boolean"])
def test_a_zero_or_one_equals_its_powers(fact: str) -> None:
    [Y] = symbols(f"Y:nk:{fact}")
    assert Y * Y is Y
    assert Y**3 is Y


def test_the_squares_of_simplex_rows_do_not_sum_to_one() -> None:
    [P] = symbols("P:nk:simplex")
    assert agree(evaluate(rows(P**2)), (value_of(P) ** 2).sum(axis=1))


def test_the_square_of_a_sign_is_one() -> None:
    [y] = symbols("y:n:sign")
    assert as_number(y**2) == 1
    assert y**3 is y
    assert y**-1 is y


# ---- symmetry


def _symmetric_matrices() -> dict[str, Node]:
    A, V, s = symbols("A:nn V:nd s:")
    gram = V @ V.T
    return {
        "V Vᵀ": gram,
        "exp of it": call("exp", gram),
        "A + Aᵀ": A + A.T,
        "I + V Vᵀ": delta(N) + gram,
        "A ∘ Aᵀ": A * A.T,
        "s (A + Aᵀ)": flat(s * (A + A.T)),
        "|A + Aᵀ|": call("absolute", A + A.T),
        "A Aᵀ + Aᵀ A": A @ A.T + A.T @ A,
    }


def test_symmetric_matrices_are_their_transposes() -> None:
    for said, node in _symmetric_matrices().items():
        assert node.T is node, said


def test_products_of_symmetric_matrices_are_not_symmetric() -> None:
    A, V = symbols("A:nn V:nd")
    gram = V @ V.T
    both = gram @ (A + A.T)
    assert both.T is not both
    assert agree(evaluate(both.T), evaluate(both).T)


def test_a_difference_of_a_matrix_and_its_transpose_is_not_symmetric() -> None:
    [A] = symbols("A:nn")
    assert (A - A.T).T is not (A - A.T)


def test_square_by_chance_is_not_symmetric() -> None:
    [A] = symbols("A:nn")
    assert A.T is not A


# ---- sizes


def test_a_symbolic_dimension_is_never_one() -> None:
    [x] = symbols("x:n")
    assert as_number(count(N)) is None
    assert rows(view(1, x, (0,), shape("nd"))) is not x
    assert as_number(count(N - N + 1)) == 1


def test_dimensions_that_are_equal_as_polynomials_are_one() -> None:
    assert count(N + D - N) is count(D)
    assert count(2 * N) is not count(N + D)


# ---- nodes compute what they say


def _pairs() -> dict[str, Callable[..., tuple[Node, Any]]]:
    return {
        "sum": lambda X, Y, w, s: (X + Y, lambda X, Y, w, s: X + Y),
        "difference from a number": lambda X, Y, w, s: (1 - X, lambda X, Y, w, s: 1 - X),
        "broadcast rows": lambda X, Y, w, s: (X + w, lambda X, Y, w, s: X + w),
        "broadcast a scalar": lambda X, Y, w, s: (s * X - s, lambda X, Y, w, s: s * X - s),
        "quotient": lambda X, Y, w, s: (w / (1 + X**2), lambda X, Y, w, s: w / (1 + X**2)),
        "matrix by vector": lambda X, Y, w, s: (X @ w, lambda X, Y, w, s: X @ w),
        "matrix by matrix": lambda X, Y, w, s: (X @ Y.T, lambda X, Y, w, s: X @ Y.T),
        "inner product": lambda X, Y, w, s: (w @ w, lambda X, Y, w, s: w @ w),
        "transpose of a sum": lambda X, Y, w, s: ((X + 2 * Y).T, lambda X, Y, w, s: (X + 2 * Y).T),
        "trace": lambda X, Y, w, s: (trace(X @ Y.T), lambda X, Y, w, s: np.trace(X @ Y.T)),
        "diagonal": lambda X, Y, w, s: (diagonal(X @ Y.T + 1), lambda X, Y, w, s: np.diag(X @ Y.T + 1)),
        "root": lambda X, Y, w, s: ((1 + X**2) ** Fraction(1, 2), lambda X, Y, w, s: np.sqrt(1 + X**2)),
        "count": lambda X, Y, w, s: (X / count(N * D), lambda X, Y, w, s: X / X.size),
    }


@pytest.mark.parametrize("said", _pairs())
def test_constructors_against_numpy(said: str) -> None:
    arguments = symbols("X:nd Y:nd w:d s:")
    node, expected = _pairs()[said](*arguments)
    assert agree(evaluate(node), expected(*map(value_of, arguments)))


class _Forest:
    """Random trees, each grown as a node and as an array at once."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.grown: list[tuple[Node, np.ndarray]] = [
            (one, value_of(one)) for one in symbols("X:nd Y:nd A:nn B:nn w:d v:n s: T:nnd")
        ]

    def pick(self, accept: Callable[[Node], bool] = lambda node: True) -> tuple[Node, np.ndarray]:
        return self.random.choice([pair for pair in self.grown if accept(pair[0])])

    def grow(self) -> tuple[Node, np.ndarray]:
        step = self.random.choice([self._entrywise, self._scaled, self._matmul, self._turned, self._reduced, self._map])
        node, array = step()
        if node.rank <= 3:
            self.grown.append((node, array))
        return node, array

    def _entrywise(self) -> tuple[Node, np.ndarray]:
        a, x = self.pick()
        b, y = self.pick(lambda node: a.shape[a.rank - node.rank :] == node.shape if node.rank <= a.rank else False)
        return self.random.choice([(a + b, x + y), (a - b, x - y), (a * b, x * y), (a / (1 + b**2), x / (1 + y**2))])

    def _scaled(self) -> tuple[Node, np.ndarray]:
        a, x = self.pick()
        c = self.random.choice([-1, 2, Fraction(-1, 3), 0.5])
        return a * as_node(c) + c, x * float(c) + float(c)

    def _matmul(self) -> tuple[Node, np.ndarray]:
        a, x = self.pick(lambda node: 1 <= node.rank <= 2)
        b, y = self.pick(lambda node: 1 <= node.rank <= 2 and node.shape[0] == a.shape[-1])
        return a @ b, x @ y

    def _turned(self) -> tuple[Node, np.ndarray]:
        a, x = self.pick(lambda node: node.rank > 1)
        if a.rank == 2 and a.shape[0] == a.shape[1] and self.random.random() < 0.5:
            return diagonal(a), np.diag(x)
        order = self.random.sample(range(a.rank), a.rank)
        turned = [a.shape[k] for k in order]
        return view(1, a, tuple(order.index(k) for k in range(a.rank)), tuple(turned)), np.transpose(x, order)

    def _reduced(self) -> tuple[Node, np.ndarray]:
        a, x = self.pick(lambda node: node.rank > 0)
        axis = self.random.randrange(a.rank)
        labels = tuple(a.rank - 1 if k == axis else k - (k > axis) for k in range(a.rank))
        left = tuple(size for k, size in enumerate(a.shape) if k != axis)
        return product([(a, labels, 1)], left), x.sum(axis=axis)

    def _map(self) -> tuple[Node, np.ndarray]:
        a, x = self.pick()
        return self.random.choice(
            [
                (call("tanh", a), np.tanh(x)),
                (call("sin", 2 * a), np.sin(2 * x)),
                ((1 + a**2) ** Fraction(-1, 2), (1 + x**2) ** -0.5),
                (call("maximum", a, 0 * a), np.maximum(x, 0)),
            ]
        )


@pytest.mark.parametrize("seed", range(30))
def test_random_trees_against_numpy(seed: int) -> None:
    forest = _Forest(seed)
    for _ in range(40):
        node, array = forest.grow()
        assert agree(evaluate(node), array, 1e-9)
    kept = [node for node, _ in forest.grown]
    for node, (_, array) in zip(flatten(kept, {}), forest.grown, strict=True):
        assert agree(evaluate(node), array, 1e-9)


def test_sizes_of_the_evaluator_are_all_different() -> None:
    """Lest a mistaken axis go unseen."""
    assert len(set(SIZES.values())) == len(SIZES)


def test_broadcast_and_zero_have_their_full_shape() -> None:
    [w] = symbols("w:d")
    assert evaluate(view(2, w, (1,), shape("nd"))).shape == (5, 3)
    assert evaluate(zero(shape("nd"))).shape == (5, 3)


def test_the_evaluator_sees_a_wrong_transpose() -> None:
    A, X = symbols("A:nn X:nd")
    assert not same(A @ X, A.T @ X)
