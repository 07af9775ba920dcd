"""What `bind` computes once: the forms of a loss in which data meet data first.

A product of data and variables is multiplied in the order that is cheapest when all is new; where the data stay, what
they alone make is free. The rules here say so on the graph, for the functions of a bound loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod

from gradgen.cost import product_cost
from gradgen.labels import Labels
from gradgen.nodes import Add, Factor, Node, Number, Product, add, count, inlined, label_sizes, product
from gradgen.walk import Names, rewrite

Moving = Callable[[Node], bool]
MOST_PRODUCTS = 16


def gathered(roots: Sequence[Node], names: Names, moving: Moving, most: int, squares: bool = False) -> list[Node]:
    """The roots with the data of each product multiplied first, where that is cheaper afterwards and takes no more
    than ``most`` entries.

    A product in which a variable stands twice, such as ``‖X w‖²``, stays as it is unless ``squares`` are wanted: its
    value may be small beside what it is summed of, and only its residual form says so to the last digit.
    """

    def rule(node: Node) -> Node:
        if not isinstance(node, Product) or (not squares and _repeats(node, moving)):
            return node
        return _gathered(node, moving, most)

    return rewrite(roots, rule, names)


def _repeats(node: Product, moving: Moving) -> bool:
    """Whether a variable, or what depends on one, stands twice in a product."""
    counts = Counter(n for n, labels, _ in node.factors if labels and moving(n))
    powers = {power for n, labels, power in node.factors if labels and moving(n)}
    return max(counts.values(), default=1) > 1 or not powers <= {1, -1}


def _gathered(node: Product, moving: Moving, most: int) -> Node:
    """Xᵀ (X v) = (Xᵀ X) v"""
    data = [f for f in node.factors if f[1] and not moving(f[0])]
    rest = [f for f in node.factors if f not in data]
    if len(data) < 2 or not rest:
        return node
    held = {k for _, labels, _ in rest for k in labels} | set(range(node.rank))
    kept = [k for k in dict.fromkeys(k for _, labels, _ in data for k in labels) if k in held]
    sizes = label_sizes(node.factors)
    if prod(sizes[k].typical for k in kept) > most or len(kept) == len({k for _, labels, _ in data for k in labels}):
        return node
    place = {k: axis for axis, k in enumerate(kept)}
    for _, labels, _ in data:
        for k in labels:
            place.setdefault(k, len(place))
    inner = product([(n, tuple(place[k] for k in labels), p) for n, labels, p in data], tuple(sizes[k] for k in kept))
    factors: list[Factor] = [(inner, tuple(kept), 1), *rest]
    if product_cost(factors, node.rank) >= product_cost(node.factors, node.rank):
        return node
    return product(factors, node.shape)


def grams(roots: Sequence[Node], names: Names, moving: Moving) -> list[Node]:
    """The roots with each residual of data and variables multiplied out, where all that runs along a sum is data then:
    ‖X w - y‖² = wᵀ (Xᵀ X) w - 2 wᵀ (Xᵀ y) + yᵀ y"""
    return rewrite(roots, lambda node: _gram(node, moving) if isinstance(node, Product) else node, names)


def has_residual(roots: Sequence[Node], moving: Moving) -> bool:
    """Whether `grams` would change anything."""
    return grams(roots, {}, moving) != list(roots)


def _gram(node: Product, moving: Moving) -> Node:
    along = {k for n, labels, _ in node.factors if isinstance(n, Add) and moving(n) for k in labels if k >= node.rank}
    for label in sorted(along):
        found = _multiplied_out(node, label, moving)
        if found is not None:
            full = tuple(range(node.rank))
            return add([(1, product(factors, node.shape, c), full) for c, factors in found], node.shape)
    return node


Term = tuple[Number, list[Factor]]


def _multiplied_out(node: Product, label: int, moving: Moving) -> list[Term] | None:
    """The terms of a product in which nothing but data runs along a label; None where there is no such form."""
    fresh = 1 + max(k for _, labels, _ in node.factors for k in labels)
    pending: list[Term] = [(1, list(node.factors))]
    found: list[Term] = []
    while pending:
        c, factors = pending.pop()
        position = next((p for p, (n, labels, _) in enumerate(factors) if label in labels and moving(n)), None)
        if position is None:
            found.append((c, [*factors, *_counted(node, factors)]))
            continue
        (n, labels, power), rest = factors[position], factors[:position] + factors[position + 1 :]
        opened = _opened(n, labels, fresh) if power in (1, 2) else None
        if opened is None or len(found) + len(pending) + len(opened) > MOST_PRODUCTS:
            return None
        again: list[Factor] = [(n, labels, 1)] if power == 2 else []
        pending += [(c * e, [*inner, *again, *rest]) for e, inner in opened]
        fresh = 1 + max(k for _, inner in opened for _, where, _ in inner for k in (*where, fresh))
    return found


def _counted(node: Product, factors: Sequence[Factor]) -> list[Factor]:
    """The sizes of what a product sums over along which none of these factors varies."""
    sizes = label_sizes(node.factors)
    varying = {k for _, labels, _ in factors for k in labels}
    return [(count(sizes[k]), (), 1) for k in sorted(node.summed - varying)]


def _opened(node: Node, labels: Labels, fresh: int) -> list[Term] | None:
    """The terms of a sum, or the factors of a product, under the labels of its axes."""
    if isinstance(node, Add):
        return [(c, [(n, tuple(labels[k] for k in where), 1)]) for c, n, where in node.terms]
    return [(1, inlined(node, labels, fresh))] if isinstance(node, Product) else None
