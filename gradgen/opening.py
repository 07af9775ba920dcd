"""A product that several products use dissolves in them where that is cheaper: ``(A B) x + (A B) y``, each by two
products with vectors, needs no product of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradgen.cost import product_cost
from gradgen.flatten import MOST_FACTORS
from gradgen.nodes import Factor, Node, Product, inlined, product
from gradgen.walk import Names, is_named, order, rebuilt, rename, through, users


def opened(
    roots: Sequence[Node], names: Names, entrywise: bool = False, kept: Callable[[Node], bool] = lambda node: False
) -> list[Node]:
    """The roots with shared products opened where that is cheaper, ``entrywise`` ones too; what the user named
    stays."""
    chosen = _chosen(roots, names, entrywise, kept)
    if not chosen:
        return list(roots)
    new: dict[Node, Node] = {}
    for node in order(roots):
        inside = {new[n]: n for n in node.operands if n in chosen}
        new[node] = through(rebuilt(node, new), lambda same: _dissolved(same, set(inside)))  # noqa: B023
    rename(names, new)
    return [new[root] for root in roots]


def _chosen(roots: Sequence[Node], names: Names, entrywise: bool, kept: Callable[[Node], bool]) -> set[Node]:
    """The products of several factors that only products use, and that are dearer than what they save."""
    found: set[Node] = set()
    for node, using in users(roots).items():
        if len(using) < 2 or not isinstance(node, Product) or node.rank < 2 or not (node.summed or entrywise):
            continue
        if not is_named(node, names) and not kept(node) and all(_uses_once(user, node) for user in using):
            inside = [_inside(user, {node}) for user in using if isinstance(user, Product)]
            before = sum(product_cost(user.factors, user.rank) for user in using if isinstance(user, Product))
            after = sum(product_cost(factors, user.rank) for factors, user in zip(inside, using, strict=True))
            if all(len(factors) <= MOST_FACTORS for factors in inside) and (
                after < before + product_cost(node.factors, node.rank)
            ):
                found.add(node)
    return found


def _uses_once(user: Node, node: Node) -> bool:
    powers = [power for n, _, power in user.factors if n is node] if isinstance(user, Product) else []
    return user is not node and powers == [1]


def _dissolved(node: Node, chosen: set[Node]) -> Node:
    return product(_inside(node, chosen), node.shape) if chosen and isinstance(node, Product) else node


def _inside(node: Product, chosen: set[Node]) -> list[Factor]:
    """The factors of a product with those that are chosen opened."""
    fresh = 1 + max((k for _, labels, _ in node.factors for k in labels), default=node.rank)
    factors: list[Factor] = []
    for inner, labels, power in node.factors:
        if inner not in chosen or not isinstance(inner, Product) or power != 1:
            factors.append((inner, labels, power))
            continue
        factors += inlined(inner, labels, fresh)
        fresh += 1 + max((k for _, old, _ in inner.factors for k in old), default=0)
    return factors
