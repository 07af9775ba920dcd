"""What is read on a diagonal alone is computed there alone, and equals what was read."""

from __future__ import annotations

import pytest
from evaluate import DIMS, agree, evaluate, symbols
from snippets import loss

from gradgen.atoms import call
from gradgen.derive import derive
from gradgen.flatten import flatten
from gradgen.lower import lower
from gradgen.narrow import narrowed
from gradgen.nodes import Add, Delta, Node, View, add, arena, delta, intern, product, view
from gradgen.ops.reduce import reduce
from gradgen.structured import sum_of_diagonals
from gradgen.walk import Name, core, order

N = DIMS["n"]


def total(node: Node, *labels: int) -> Node:
    """The sum of a node over labels that may repeat."""
    return product([(node, labels, 1)], ())


def ranks(roots: list[Node]) -> list[int]:
    """The ranks of what is computed."""
    return sorted(node.rank for node in order(roots) if node.operands and not isinstance(node, View))


def cases() -> dict[str, tuple[Node, list[int]]]:
    """Roots, and the ranks of what is left to compute for them."""
    A, B, x, T = symbols("A:nn B:nn x:n T:nnn")
    chain = call("exp", call("tanh", A * B) + B.T)
    joint, whole = call("exp", A), call("exp", B)
    two = add([(1, call("exp", T), (0, 1, 2)), (2, x, (1,))], (N, N, N))
    return {
        "a chain": (total(chain, 0, 0), [0, 1, 1, 1, 1]),
        "a contraction": (call("exp", view(1, A @ B, (0, 0), (N,))), [1, 1]),
        "two uses": (total(joint, 0, 0) * view(1, joint, (0, 0), (N,)), [0, 1, 1]),
        "the largest": (reduce("max", joint, (0, 0), ()), [0, 1]),
        "needed whole": (total(whole, 0, 0) * whole, [0, 2, 2]),
        "one pair of three axes": (product([(two, (0, 0, 1), 1)], (N, N)), [2, 2]),
        "all of three axes": (total(two, 0, 0, 0), [0, 1, 1]),
        "two pairs of three axes": (product([(two, (0, 0, 1), 1), (two, (0, 1, 1), 1)], (N, N)), [2, 3, 3]),
    }


CASES = (
    "a chain",
    "a contraction",
    "two uses",
    "the largest",
    "needed whole",
    "one pair of three axes",
    "all of three axes",
    "two pairs of three axes",
)


@pytest.mark.parametrize("name", CASES)
def test_what_is_left(name: str) -> None:
    before, left = cases()[name]
    [after] = narrowed([before], {})
    assert agree(evaluate(after), evaluate(before))
    assert ranks([after]) == left
    assert narrowed([after], {}) == [after]


def test_a_name_stays_with_the_whole() -> None:
    """What is left of E = exp(A) for its trace is not E."""
    [A] = symbols("A:nn")
    names = {call("exp", A): Name("E", hard=True)}
    [after] = narrowed([total(call("exp", A), 0, 0)], names)
    assert not any(node in names for node in order([after]))


def test_the_trace_of_a_sum_of_contractions() -> None:
    """tr(A B + C D) = tr(A B) + tr(C D); of what may cancel entry by entry the entries are added first."""
    A, B = symbols("A:nn B:nn")
    apart, together = (A @ B) - (B @ B), A - B
    for before, left in ((apart, [0, 0, 0]), (together, [0, 1])):
        [after] = flatten(narrowed([total(before, 0, 0)], {}), {})
        assert agree(evaluate(after), evaluate(total(before, 0, 0)))
        assert ranks([after]) == left


@pytest.mark.parametrize(
    "body",
    [
        "np.sum(np.diag(np.exp(A * B)) ** 2)",
        "np.trace(np.exp(A @ B) + A)",
        "np.sum(np.hypot(np.diag(A), np.diag(A ** 2.5)))",
        "np.sum(np.diag(A @ A @ B) ** 3) / np.trace(np.tanh(A))",
        "np.sum(np.log(np.diag(A @ A.T + eye(n))))",
        "np.sum(np.diag(np.exp(A)) * np.diag(np.where(B > 0, A ** 2, A)))",
    ],
)
def test_derivatives_of_diagonals_compute_no_matrix_for_its_diagonal(body: str) -> None:
    with arena():
        tape = loss("A: Matrix[n, n], B: Matrix[n, n]", body, "A").tape
        results = derive(lower(tape), tape.wrt).results
        for roots in results.values():
            assert narrowed(list(roots), {}) == list(roots)


def test_the_diagonal_of_a_diagonal_is_no_diagonal() -> None:
    """diag(diag(x)) + diag(diag(y)) = x + y, where a sum of diagonals was seen."""
    x, y, w = symbols("x:n y:n w:n")
    eye = delta(N)
    both = [product([(v, (0,), 1), (eye, (0, 1), 1)], (N, N)) for v in (x, call("exp", y))]
    read = intern(Add, (N,), (((2, core(both[0]), (0, 0)), (-1, core(both[1]), (0, 0)), (1, w, (0,))),), ())
    found = sum_of_diagonals(read)
    assert found is not None
    assert agree(evaluate(found), evaluate(read))
    assert not any(isinstance(node, Delta) for node in order([found]))
