"""Sums in products are multiplied out where that is cheaper: ``(A + Aᵀ) x`` reads best, ``A x + Aᵀ x`` needs no sum of
matrices. The plan does this, after all laws, so that a formula keeps its common factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gradgen.cost import BYTES, ENTRY, entries, product_cost
from gradgen.flatten import MOST_FACTORS
from gradgen.labels import Labels
from gradgen.nodes import Add, Delta, Factor, Node, Product, add, inlined, one, product
from gradgen.ops.select import put_together
from gradgen.walk import Names, is_named, order, rebuilt, rename, users

MOST_TERMS = 3


def distributed(roots: Sequence[Node], names: Names, fixed: Callable[[Node], bool]) -> list[Node]:
    """The roots with sums of matrices in products multiplied out where that is cheaper.

    What the user named stays, and so does what is ``fixed``, which `bind` computes once.
    """
    nodes = order(roots)
    using, chosen = users(roots), dict[Node, set[Node]]()
    for node in nodes:
        if isinstance(node, Add) and not fixed(node) and _may_open(node, names):
            inside = Counter(node.operands)
            private = {n for n, k in inside.items() if len(using[n]) == k and not is_named(n, names)}
            if all(_pays(user, node, private) for user in using[node]):
                chosen[node] = private
    if not chosen:
        return list(roots)
    new: dict[Node, Node] = {}
    for node in nodes:
        made = rebuilt(node, new)
        factor = next((n for n in node.operands if n in chosen), None)
        if factor is not None and isinstance(node, Product):
            made = _multiplied(node, factor, chosen[factor], new)  # type: ignore[arg-type]
        new[node] = made
    rename(names, new)
    return [new[root] for root in roots]


def _may_open(node: Add, names: Names) -> bool:
    constant = any(isinstance(n, Delta) or n is one() for _, n, _ in node.terms)
    few = node.rank == 2 and len(node.terms) <= MOST_TERMS
    return few and not constant and not put_together(node) and not is_named(node, names)


def _pays(user: Node, factor: Add, private: set[Node]) -> bool:
    """Whether a product is cheaper without the sum; much cheaper, where its result is no smaller than the sum."""
    if not isinstance(user, Product) or not user.rank:
        return False
    margin = 1 if entries(user.shape) < entries(factor.shape) else 2
    places = [(k, labels) for k, (n, labels, power) in enumerate(user.factors) if n is factor and power == 1]
    if len(places) != 1 or len(user.factors) < 2 or sum(n is factor for n, _, _ in user.factors) > 1:
        return False
    [(position, labels)] = places
    others = [*user.factors[:position], *user.factors[position + 1 :]]
    parts = [_term(n, tuple(labels[k] for k in axes), private, others) for _, n, axes in factor.terms]
    if max(map(len, parts)) > MOST_FACTORS or _lost(user, parts):
        return False
    return margin * _after(user, parts) < _before(user, factor, private)


def _multiplied(node: Product, factor: Add, private: set[Node], new: Mapping[Node, Node]) -> Node:
    position = next(k for k, (n, _, _) in enumerate(node.factors) if n is factor)
    labels = node.factors[position][1]
    others = [*node.factors[:position], *node.factors[position + 1 :]]
    axes = tuple(range(node.rank))
    made = []
    for c, n, where in factor.terms:
        part = _term(n, tuple(labels[k] for k in where), private, others)
        made.append((c, product([(new[inner], k, p) for inner, k, p in part], node.shape), axes))
    return add(made, node.shape)


def _term(node: Node, labels: Labels, private: set[Node], others: Sequence[Factor]) -> list[Factor]:
    """A term of a sum times the other factors."""
    if not (isinstance(node, Product) and node in private):
        return [(node, labels, 1), *others]
    fresh = 1 + max((k for _, where, _ in (*others, (node, labels, 1)) for k in where), default=0)
    return [*inlined(node, labels, fresh), *others]


def _lost(node: Product, parts: Sequence[Sequence[Factor]]) -> bool:
    """Whether a term lacks an axis of the result or a summed label: it would be a sum of copies."""
    wanted = {k for _, labels, _ in node.factors for k in labels}
    return any(wanted - {k for _, labels, _ in part for k in labels} for part in parts)


def _before(node: Product, factor: Add, private: set[Node]) -> int:
    inside = {n for _, n, _ in factor.terms if n in private and isinstance(n, Product)}
    below = sum(product_cost(n.factors, n.rank) for n in inside if isinstance(n, Product))
    sums = (ENTRY * len(factor.terms) + BYTES) * entries(factor.shape)
    return below + sums + product_cost(node.factors, node.rank)


def _after(node: Product, parts: Sequence[Sequence[Factor]]) -> int:
    sums = (ENTRY * len(parts) + BYTES) * entries(node.shape)
    return sum(product_cost(part, node.rank) for part in parts) + sums
