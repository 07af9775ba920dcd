"""Selections, arrays put together, and products by blocks: what is picked, what is skipped, and what stays equal."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from evaluate import DIMS, SIZES, agree, evaluate, indices, same, symbols, value_of

from gradgen import cost
from gradgen.associate import associate
from gradgen.atoms import call
from gradgen.blocks import by_blocks
from gradgen.dims import Size
from gradgen.flatten import flatten
from gradgen.nodes import Add, Node, add, delta, is_zero, product, symbol, view, zero
from gradgen.opening import opened
from gradgen.ops.select import Embed, Pick, Picks, Tile, apart, disjoint, embed, put_together, select, tiles
from gradgen.tape import Span
from gradgen.walk import Name, core, order

N, D, M = DIMS["n"], DIMS["d"], DIMS["m"]
ND = N + D
SIX = Size.of(6)


def span(start: int | Size, stop: int | Size, step: int = 1) -> Span:
    return Span(Size.of(start), Size.of(stop), step)


def passed(before: Node) -> Node:
    """What the pass over blocks makes of a node, known to be equal and settled."""
    [flat] = flatten([before], {})
    [after] = flatten(by_blocks([flat], {}), {})
    assert agree(evaluate(after), evaluate(before))
    [again] = flatten(by_blocks([after], {}), {})
    assert again is after
    return after


def nodes(root: Node, kind: type[Node]) -> list[Node]:
    return [node for node in order([root]) if isinstance(node, kind)]


def total(node: Node) -> Node:
    return product([(node, tuple(range(node.rank)), 1)], ())


def beside(*parts: Node, axis: int = 0) -> Node:
    """Parts put together along an axis."""
    whole = list(parts[0].shape)
    whole[axis] = sum((part.shape[axis] for part in parts), Size.of(0))
    start, terms = Size.of(0), []
    for part in parts:
        stop = start + part.shape[axis]
        picks: list[Pick] = [None] * part.rank
        picks[axis] = Span(start, stop)
        terms.append((1, embed(part, tuple(picks), tuple(whole)), tuple(range(part.rank))))
        start = stop
    return add(terms, tuple(whole))


def block(rows: list[list[Node]]) -> Node:
    return beside(*(beside(*row, axis=1) for row in rows), axis=0)


# ---- what a pick takes of what was put among zeros: every pair of picks of an axis of six

LITERAL: list[Pick] = [
    None,
    *(Size.of(k) for k in (0, 2, 5)),
    *(span(i, j) for i, j in ((0, 6), (0, 2), (1, 4), (2, 4), (4, 6), (3, 3))),
    *(span(i, j, s) for i, j, s in ((0, 6, -1), (1, 5, -1), (0, 6, 2), (1, 6, 2), (0, 6, -2))),
]


def taken(size: int, pick: Pick) -> np.ndarray:
    return np.atleast_1d(np.arange(size)[indices((pick,))]) if pick is not None else np.arange(size)


def long_enough(pick: Pick) -> bool:
    return not isinstance(pick, Span) or pick.start != pick.stop


@pytest.mark.parametrize("placed", LITERAL, ids=str)
@pytest.mark.parametrize("chosen", LITERAL, ids=str)
def test_a_pick_of_what_was_put_among_zeros(chosen: Pick, placed: Pick) -> None:
    """Equal, inside, covering, apart, overlapping, reversed, stepped, positions: in the first of two axes."""
    if not (long_enough(chosen) and long_enough(placed)):
        return
    size = len(taken(6, placed))
    [x] = symbols("x:d") if isinstance(placed, Size) else symbols(f"x:{size}d")
    whole = embed(x, (placed, None), (SIX, D))
    found = select(2 * whole, (chosen, None))
    expected = np.zeros((6, 3))
    expected[indices((placed,))] = value_of(x)
    assert agree(evaluate(found), 2 * expected[indices((chosen,))])
    if not set(taken(6, chosen)) & set(taken(6, placed)) and _plain(chosen) and _plain(placed):
        assert is_zero(found)
    if chosen == placed is not None and _plain(placed):
        assert found is 2 * x


def _plain(pick: Pick) -> bool:
    return not isinstance(pick, Span) or pick.step == 1


@pytest.mark.parametrize(("chosen", "placed"), list(itertools.product(LITERAL, LITERAL)), ids=str)
def test_apart_is_never_said_of_what_meets(chosen: Pick, placed: Pick) -> None:
    if apart(chosen, placed):
        assert not set(taken(6, chosen)) & set(taken(6, placed))
    assert apart(chosen, placed) == apart(placed, chosen)


SYMBOLIC: list[tuple[str, Pick]] = [
    ("[:n]", span(0, N)),
    ("[n:]", span(N, ND)),
    ("[1:n]", span(1, N)),
    ("[:n - 1]", span(0, N - 1)),
    ("[:d]", span(0, D)),
    ("[d:]", span(D, ND)),
    ("[n + 1:]", span(N + 1, ND)),
    ("[::-1]", span(0, ND, -1)),
    ("[0]", Size.of(0)),
    ("[n]", N),
    ("[n - 1]", N - 1),
    ("[-1]", ND - 1),
    ("[:]", None),
]


@pytest.mark.parametrize(("said", "placed"), SYMBOLIC, ids=lambda p: p if isinstance(p, str) else "")
@pytest.mark.parametrize(("other", "chosen"), SYMBOLIC, ids=lambda p: p if isinstance(p, str) else "")
def test_picks_of_symbolic_sizes(said: str, placed: Pick, other: str, chosen: Pick) -> None:
    """What is not known for all sizes is left to run time."""
    inner = () if isinstance(placed, Size) else (ND if placed is None else placed.stop - placed.start,)
    x = symbol("x", 0, inner)
    found = select(embed(x, (placed,), (ND,)), (chosen,))
    expected = np.zeros(SIZES["n"] + SIZES["d"])
    expected[indices((placed,))] = value_of(x)
    assert agree(evaluate(found), expected[indices((chosen,))])


def test_a_selection_of_a_selection_is_one() -> None:
    [X] = symbols("X:nd")
    first = select(X, (span(1, N), None))
    assert select(first, (span(1, N - 1), Size.of(0))) is select(X, (span(2, N), Size.of(0)))
    assert select(first, (Size.of(0), None)) is select(X, (Size.of(1), None))


@pytest.mark.parametrize("first", LITERAL, ids=str)
@pytest.mark.parametrize("then", [span(0, 2), Size.of(1), span(0, 2, -1), None], ids=str)
def test_selections_of_selections(first: Pick, then: Pick) -> None:
    if isinstance(first, Size) or len(taken(6, first)) < 2:
        return
    [x] = symbols("x:6d")
    inner = select(x, (first, None))
    found = select(inner, (then, span(1, D)))
    assert agree(evaluate(found), value_of(x)[indices((first,))][indices((then,))][..., 1:])


@pytest.mark.parametrize("picks", [(span(1, N),), (span(0, N, -1),), (Size.of(2),), (N - 1,)], ids=str)
def test_selections_of_diagonals(picks: Picks) -> None:
    [A] = symbols("A:nn")
    found = select(view(-2, A, (0, 0), (N,)), picks)
    assert agree(evaluate(found), -2 * np.diag(value_of(A))[indices(picks)])
    twice = select(select(view(1, A, (0, 0), (N,)), (span(0, N, -1),)), (Size.of(2),))
    assert agree(evaluate(twice), np.diag(value_of(A))[::-1][2])


def test_selections_of_broadcast_axes() -> None:
    [x] = symbols("x:d")
    wide = view(3, x, (1,), (N, D))
    assert select(wide, (span(1, N), None)).operands[0] is x
    assert select(wide, (Size.of(0), None)) is 3 * x
    assert agree(evaluate(select(wide, (span(1, N), span(0, 2)))), np.tile(3 * value_of(x)[:2], (4, 1)))


def test_an_embedding_in_an_embedding_is_one() -> None:
    [x] = symbols("x:d")
    wide = embed(embed(x, (span(0, D),), (ND,)), (span(M, ND + M),), (ND + M,))
    assert len(nodes(wide, Embed)) == 1
    assert agree(evaluate(wide), np.r_[np.zeros(4), value_of(x), np.zeros(5)])


def test_disjoint() -> None:
    parts = [(span(0, N), None), (span(N, ND), Size.of(0)), (span(N, ND), span(1, D))]
    assert disjoint(parts)
    assert not disjoint([*parts, (Size.of(0), None)])
    assert not disjoint([(span(0, N),), (span(D, ND),)])  # whether they meet depends on the sizes


# ---- tiles

Built = Callable[..., Node]
WHOLE: dict[str, tuple[str, Built]] = {
    "beside": ("X:nd Y:nk", lambda X, Y: beside(X, Y, axis=1)),
    "above": ("X:nd Y:md", lambda X, Y: beside(X, Y)),
    "of vectors": ("x:n y:d z:k", lambda x, y, z: beside(x, y, z)),
    "scaled and turned": ("X:nd Y:kn", lambda X, Y: beside(-2 * X, Y.T, axis=1)),
    "turned as a whole": ("X:nd Y:nk", lambda X, Y: beside(X, Y, axis=1).T),
    "in rows and columns": ("X:nd Y:nk Z:md W:mk", lambda X, Y, Z, W: block([[X, Y], [Z, W]])),
    "in rows and columns, turned": ("X:nd Y:nk Z:md W:mk", lambda X, Y, Z, W: block([[X, Y], [Z, W]]).T),
    "three by two": (
        "A:nd B:nk C:md E:mk F:dd G:dk",
        lambda A, B, C, E, F, G: block([[A, B], [C, E], [F, G]]),
    ),
    "blocks of blocks": (
        "A:nd B:nk C:md E:mk F:dd",
        lambda A, B, C, E, F: beside(block([[A, B], [C, E]]), beside(F, zero((D, DIMS["k"])), axis=1)),
    ),
    "the same twice": ("X:nd", lambda X: beside(X, X)),
    "with a row": ("X:nd y:d", lambda X, y: embed(X, (span(0, N), None), (N + 1, D)) + embed(y, (N, None), (N + 1, D))),
    "with a number": ("x:n s:", lambda x, s: embed(x, (span(0, N),), (N + 1,)) + embed(s, (N,), (N + 1,))),
}


@pytest.mark.parametrize("said", WHOLE)
def test_tiles_cover_the_whole(said: str) -> None:
    declared, make = WHOLE[said]
    [node] = map(core, flatten([make(*symbols(declared))], {}))
    assert isinstance(node, Add) and put_together(node)
    found = tiles(node)
    if said == "blocks of blocks":  # a zero block is no term
        assert found is None
        return
    assert found is not None
    rows = [np.concatenate([_tile(t, node, found.axes) for t in row], axis=found.axes[-1]) for row in found.rows]
    assert agree(rows[0] if len(rows) == 1 else np.concatenate(rows, axis=found.axes[0]), evaluate(node))


def _tile(tile: Tile, whole: Add, axes: tuple[int, ...]) -> np.ndarray:
    """A tile with all axes of the whole."""
    c, node, labels = tile.array
    array = np.transpose(evaluate(node), np.argsort(labels))
    for axis in range(whole.rank):
        if axis not in labels:
            array = np.expand_dims(array, axis)
    assert all(axis in axes for axis in range(whole.rank) if axis not in labels)
    return float(c) * array  # type: ignore[arg-type]


GAPS: dict[str, tuple[str, Built]] = {
    "a gap": ("x:n y:d", lambda x, y: embed(x, (span(0, N),), (ND + 1,)) + embed(y, (span(N + 1, ND + 1),), (ND + 1,))),
    "an overlap": ("x:n y:d", lambda x, y: embed(x, (span(0, N),), (ND,)) + embed(y, (span(D, D + D),), (ND,))),
    "a place taken twice": (
        "x:n y:n",
        lambda x, y: embed(x, (span(0, N),), (ND,)) + embed(2 * y, (span(0, N),), (ND,)),
    ),
    "reversed": ("x:n y:n", lambda x, y: embed(x, (span(0, N, -1),), (N,)) + embed(y, (span(0, N),), (N,))),
    "three of four": (
        "X:nd Y:nk Z:md",
        lambda X, Y, Z: block([[X, Y], [Z, zero((M, DIMS["k"]))]]),
    ),
    "rows of different seams": (
        "A:nd B:nk C:mk E:md",
        lambda A, B, C, E: beside(beside(A, B, axis=1), beside(C, E, axis=1)),
    ),
    "a seam in one row alone": (
        "A:nd B:nk C:md E:mk",
        lambda A, B, C, E: beside(beside(A, B, axis=1), C @ call("exp", symbols("Q:dd")[0]) @ _wide()),
    ),
    "one row whole": (
        "A:nd B:nk x:k",
        lambda A, B, x: (
            embed(beside(A, B, axis=1), (span(0, N), None), (N + 1, D + DIMS["k"]))
            + embed(symbols("w:d")[0] @ _wide(), (N, None), (N + 1, D + DIMS["k"]))
        ),
    ),
    "a diagonal of blocks": (
        "A:nn B:dd",
        lambda A, B: block([[A, zero((N, D))], [zero((D, N)), B]]),
    ),
}


def _wide() -> Node:
    return symbol("wide", 7, (D, D + DIMS["k"]))


@pytest.mark.parametrize("said", GAPS)
def test_what_leaves_gaps_has_no_tiles(said: str) -> None:
    declared, make = GAPS[said]
    [node] = map(core, flatten([make(*symbols(declared))], {}))
    assert isinstance(node, Add)
    assert tiles(node) is None


# ---- selections move down

MOVED: dict[str, tuple[str, Built, Built]] = {
    "a row of a product": ("A:nn X:nd", lambda A, X: _row(A @ X), lambda A, X: _row(A) @ X),
    "an entry of a product": (
        "A:nn X:nd",
        lambda A, X: select(A @ X, (Size.of(1), Size.of(0))),
        lambda A, X: select(A, (Size.of(1), None)) @ select(X, (None, Size.of(0))),
    ),
    "a slice of a sum": ("x:n y:n", lambda x, y: _cut(x - 2 * y), lambda x, y: _cut(x) - 2 * _cut(y)),
    "a slice of a function": ("x:n", lambda x: _cut(call("exp", x)), lambda x: call("exp", _cut(x))),
    "a slice of an entrywise product": ("x:n y:n", lambda x, y: _cut(x * y**2), lambda x, y: _cut(x) * _cut(y) ** 2),
    "a slice of a broadcast sum": ("X:nd y:d", lambda X, y: _cut(X + y), lambda X, y: _cut(X) + y),
    "a slice of columns of a function of a product": (
        "A:nn X:nd",
        lambda A, X: select(call("tanh", A @ X), (None, span(1, D))),
        lambda A, X: call("tanh", A @ select(X, (None, span(1, D)))),
    ),
    "one of two parts": (
        "x:n y:d",
        lambda x, y: select(call("exp", beside(x, y)), (span(0, N),)),
        lambda x, y: call("exp", x),
    ),
    "both of two parts": (
        "x:n y:d",
        lambda x, y: (
            total(select(call("exp", beside(x, y)), (span(0, N),)))
            + total(select(call("exp", beside(x, y)), (span(N, ND),)) ** 2)
        ),
        lambda x, y: total(call("exp", x)) + total(call("exp", y) ** 2),
    ),
    "the lower left block of a product": (
        "A:nn B:nd C:dn E:dd X:nk Y:dk",
        lambda A, B, C, E, X, Y: select(block([[A, B], [C, E]]) @ beside(X, Y), (span(N, ND), None)),
        lambda A, B, C, E, X, Y: C @ X + E @ Y,
    ),
}


def _row(node: Node) -> Node:
    return select(node, (Size.of(1), None))


def _cut(node: Node) -> Node:
    return select(node, (span(1, N), *[None] * (node.rank - 1)))


@pytest.mark.parametrize("said", MOVED)
def test_selections_move_down(said: str) -> None:
    declared, before, wanted = MOVED[said]
    arguments = symbols(declared)
    found = passed(before(*arguments))
    assert found is flatten([wanted(*arguments)], {})[0]


def test_what_is_used_whole_too_is_not_computed_in_parts() -> None:
    A, X = symbols("A:nn X:nd")
    value = call("exp", A @ X)
    found = passed(total(value) + total(_cut(value) ** 2))
    assert sum(getattr(getattr(node, "atom", None), "name", "") == "exp" for node in order([found])) == 1


def test_parts_that_overlap_are_taken_of_one_value() -> None:
    [x] = symbols("x:n")
    value = call("exp", x)
    found = passed(total(_cut(value) * select(value, (span(0, N - 1),))))
    assert sum(getattr(getattr(node, "atom", None), "name", "") == "exp" for node in order([found])) == 1


def test_a_slice_of_the_identity_stays() -> None:
    [A] = symbols("A:nn")
    for node in (_cut(delta(N) + A), _cut(delta(N) * A), _row(A @ A * delta(N)), _row(delta(N))):
        [found] = flatten(by_blocks(flatten([node], {}), {}), {})
        assert agree(evaluate(found), evaluate(node))


# ---- products by blocks

BLOCKS: dict[str, tuple[str, Built, Built]] = {
    "side by side times above": (
        "A:mn B:md X:nk Y:dk",
        lambda A, B, X, Y: beside(A, B, axis=1) @ beside(X, Y),
        lambda A, B, X, Y: A @ X + B @ Y,
    ),
    "an inner product of two": (
        "a:n b:d x:n y:d",
        lambda a, b, x, y: beside(a, b) @ beside(x, y),
        lambda a, b, x, y: a @ x + b @ y,
    ),
    "a quadratic form of blocks": (
        "A:nn B:nd C:dn E:dd X:nk Y:dk",
        lambda A, B, C, E, X, Y: product([(beside(X, Y).T @ block([[A, B], [C, E]]) @ beside(X, Y), (0, 0), 1)], ()),
        lambda A, B, C, E, X, Y: product([(X.T @ A @ X + X.T @ B @ Y + Y.T @ C @ X + Y.T @ E @ Y, (0, 0), 1)], ()),
    ),
}


@pytest.mark.parametrize("said", BLOCKS)
def test_products_by_blocks(said: str) -> None:
    declared, before, wanted = BLOCKS[said]
    arguments = symbols(declared)
    found = passed(before(*arguments))
    assert not nodes(found, Embed)
    assert same(found, wanted(*arguments))


def test_an_array_among_zeros_leaves_the_rest_out() -> None:
    """E(x)ᵀ y = xᵀ y[picked]"""
    x, y = symbols("x:n y:n")
    long = beside(y, y)
    found = passed(embed(x, (span(0, N),), (N + N,)) @ long)
    assert found is x @ y


def test_blocks_against_what_is_whole_stay_together() -> None:
    """A product with an array that has no parts is done at once."""
    A, B, W = symbols("A:nd B:md W:dk")
    found = passed(total(call("exp", beside(A, B) @ W)))
    assert len(nodes(found, Embed)) == 2


def test_a_product_with_blocks_on_a_free_axis_stays_right() -> None:
    A, B, X, Y = symbols("A:nd B:md X:nk Y:mk")
    for node in (
        beside(A, B).T @ beside(X, Y),
        beside(A, B) @ A.T,
        product([(beside(A, B), (0, 1), 2)], (N + M,)),
        product([(beside(A, B), (0, 1), 1), (beside(X, Y), (0, 2), 1)], (N + M, D, DIMS["k"])),
    ):
        assert agree(evaluate(passed(node)), evaluate(node))


def test_powers_and_reciprocals_of_blocks() -> None:
    """1 over an array with zeros is not 1 over its parts."""
    x, y = symbols("x:n:positive y:d:positive")
    both = beside(x, y)
    for node in (total(both**2), total(both**-1), total(both**0.5 * both), both**3 @ both):
        assert agree(evaluate(passed(node)), evaluate(node))


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_of_blocks(seed: int) -> None:
    """Blocks, slices, products, sums and functions, whatever stands in what."""
    found = _random(np.random.default_rng(seed))
    for node in (found, total(found)):
        [after] = flatten(by_blocks(flatten([node], {}), {}), {})
        assert agree(evaluate(after), evaluate(node), 1e-9)


def _random(rng: np.random.Generator) -> Node:
    squares = [*symbols("A:nn B:nn"), *symbols("C:nn:symmetric")]
    for _ in range(9):
        squares.append(_mixed(rng, *(squares[k] for k in rng.integers(len(squares), size=4))))
    return squares[-1]


def _mixed(rng: np.random.Generator, x: Node, y: Node, z: Node, w: Node) -> Node:
    made: list[Callable[[], Node]] = [
        lambda: x @ y,
        lambda: x - 0.5 * y.T,
        lambda: x * y,
        lambda: call("tanh", x),
        lambda: _corner(block([[x, y], [z, w]]), rng),
        lambda: _corner(block([[x, y], [z, w]]) @ block([[y, z], [x, x]]), rng),
        lambda: _corner(call("tanh", block([[x, zero((N, N))], [y, delta(N)]])), rng),
        lambda: select(beside(x, y), (span(1, N + 1), None)),
        lambda: beside(select(x, (span(0, 2), None)), select(y, (span(2, N), None))),
        lambda: select(x, (span(0, N, -1), None)),
        lambda: beside(x, y, axis=1) @ beside(z, w),
        lambda: _corner(embed(x, (span(0, N), span(N, N + N)), (N + N, N + N)) @ block([[x, y], [z, w]]), rng),
        lambda: view(1, product([(x @ y, (0, 0), 1)], (N,)), (1,), (N, N)) + z,
    ]
    return made[rng.integers(len(made))]()


def _corner(node: Node, rng: np.random.Generator) -> Node:
    picks = [span(0, N), span(N, N + N), span(1, N + 1)]
    return select(node, (picks[rng.integers(3)], picks[rng.integers(3)]))


# ---- shared products are opened where that is cheaper

SHARED: dict[str, tuple[str, Callable[..., list[Node]], bool]] = {
    "a product of matrices with two vectors": (
        "A:nn B:nn x:n y:n",
        lambda A, B, x, y: [(A @ B) @ x, (A @ B) @ y],
        True,
    ),
    "a product of matrices that stands alone too": (
        "A:nn B:nn x:n",
        lambda A, B, x: [(A @ B) @ x, A @ B],
        False,
    ),
    "a product of matrices in a function": (
        "A:nn B:nn x:n y:n",
        lambda A, B, x, y: [(A @ B) @ x, call("exp", A @ B) @ y],
        False,
    ),
    "a product with a vector": ("A:nn x:n y:n", lambda A, x, y: [y @ (A @ x), x @ (A @ x)], False),
    "an outer product with two vectors": (
        "u:n v:n x:n y:n",
        lambda u, v, x, y: [_outer(u, v) @ x, _outer(u, v) @ y],
        False,
    ),
    "a thin product with two matrices": (
        "X:nd Y:nd A:nn B:nn",
        lambda X, Y, A, B: [(X @ Y.T) @ A, (X @ Y.T) @ B],
        False,
    ),
}


def _outer(u: Node, v: Node) -> Node:
    return product([(u, (0,), 1), (v, (1,), 1)], (*u.shape, *v.shape))


@pytest.mark.parametrize("said", SHARED)
def test_shared_products_open_where_cheaper(said: str) -> None:
    declared, make, expected = SHARED[said]
    before = make(*symbols(declared))
    after = opened(before, {})
    assert (after != before) == expected or not expected
    for old, new in zip(before, after, strict=True):
        assert same(old, new)
    assert opened(after, {}) == after
    assert cost.total(associate(after, {})) <= cost.total(associate(before, {}))


def test_what_the_user_named_stays() -> None:
    A, B, x, y = symbols("A:nn B:nn x:n y:n")
    shared = A @ B
    roots = [shared @ x, shared @ y]
    assert opened(roots, {shared: Name("M", True)}) == roots
    assert opened(roots, {shared: Name("M", False)}) != roots


@pytest.mark.parametrize("seed", range(30))
def test_opening_is_never_dearer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaves = symbols("A:nn B:nn X:nd Y:dn x:n y:n")
    pool: list[Node] = list(leaves)
    for _ in range(8):
        left, right = (pool[k] for k in rng.integers(len(pool), size=2))
        if left.rank and right.rank and left.shape[-1] == right.shape[0] and left.rank + right.rank < 5:
            pool.append(left @ right)
        elif left.rank == 2:
            pool.append(left.T)
    roots = pool[6:] or [leaves[0]]
    after = opened(roots, {})
    assert all(same(old, new, (seed,)) for old, new in zip(roots, after, strict=True))
    assert cost.total(associate(after, {})) <= cost.total(associate(roots, {}))
