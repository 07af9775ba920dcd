"""Normal form, second part: what is used once dissolves into the sum or product that uses it.

A product goes into another where its only use has power 1 and at most `MOST_FACTORS` factors result; a power of a
product is never distributed. A sum goes into a sum where it is used once, up to `MOST_TERMS` terms. What is used
twice stays a node, but for a diagonal matrix, which is no work, and an array times scalars: it is opened wherever it
stands, so that the scalars meet what they cancel and end up on the smallest value. Arrays put together are one value,
and blocks of blocks are blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.nodes import Add, Delta, Factor, Node, Number, Operand, Product, add, inlined, product
from gradgen.ops.select import Embed, put_together
from gradgen.text import magnitude
from gradgen.walk import Names, core, order, rebuilt, rename, through, uses

MOST_FACTORS = 8
MOST_TERMS = 64
SWAMPING = 100  # times another coefficient of a sum


def flatten(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots in normal form; names move along."""
    counts = uses(roots)
    new: dict[Node, Node] = {}
    once: set[Node] = set()  # new nodes that stand for a node used once
    for node in order(roots):
        made = new[node] = through(rebuilt(node, new), lambda same: _opened(same, once))
        if counts[node] == 1:
            once.add(core(made))
        else:
            once.discard(core(made))
    rename(names, new)
    return [new[root] for root in roots]


def _opened(node: Node, once: set[Node]) -> Node:
    if isinstance(node, Product):
        return _open_product(node, once)
    return _open_sum(node, once) if isinstance(node, Add) else node


def _open_product(node: Product, once: set[Node]) -> Node:
    budget = MOST_FACTORS - len(node.factors)
    fresh = 1 + max((label for _, labels, _ in node.factors for label in labels), default=node.rank)
    factors: list[Factor] = []
    opened = False
    for inner, labels, power in node.factors:
        if not (
            isinstance(inner, Product) and power == 1 and (inner in once or _scales(inner) or _is_diagonal(inner))
        ) or (len(inner.factors) > budget + 1):
            factors.append((inner, labels, power))
            continue
        budget -= len(inner.factors) - 1
        factors += inlined(inner, labels, fresh)
        fresh += 1 + max((k for _, old, _ in inner.factors for k in old), default=0)
        opened = True
    return product(factors, node.shape) if opened else node


def _is_diagonal(node: Product) -> bool:
    """Whether a product is a diagonal matrix of products of entries."""
    return not node.summed and any(isinstance(n, Delta) for n, _, _ in node.factors)


def _scales(node: Product) -> bool:
    """Whether a product is one array, as it stands, times scalars."""
    arrays = [(labels, power) for n, labels, power in node.factors if n.rank]
    return len(arrays) == 1 and len(node.factors) > 1 and not node.summed and arrays[0][1] == 1


def _open_sum(node: Add, once: set[Node]) -> Node:
    budget = MOST_TERMS - len(node.terms)
    terms: list[Operand] = []
    opened = False
    parts = all(isinstance(n, Embed) or put_together(n) for _, n, _ in node.terms)
    for c, inner, labels in node.terms:
        single = isinstance(inner, Add) and inner in once and len(inner.terms) <= budget + 1
        if not (isinstance(inner, Add) and (single or parts)) or (put_together(inner) and not parts):
            terms.append((c, inner, labels))
            continue
        if _swamps(c, inner, node):
            terms.append((c, inner, labels))
            continue
        budget -= len(inner.terms) - 1
        terms += [(c * e, n, tuple(labels[k] for k in old)) for e, n, old in inner.terms]
        opened = True
    made = add(terms, node.shape) if opened else node
    return made if parts else _mirrored(_cancelled(made))


def _swamps(c: Number, inner: Add, node: Add) -> bool:
    """Whether opening s + 1e9 (1 - a) would lose s where a is 1: several large terms that may cancel."""
    others = [magnitude(e) for e, n, _ in node.terms if n is not inner]
    return sum(any(magnitude(c * e) > SWAMPING * other for other in others) for e, _, _ in inner.terms) > 1


def _mirrored(node: Node) -> Node:
    """(A + S) + (A + S)ᵀ = A + Aᵀ + 2 S, where S is symmetric"""
    if not isinstance(node, Add) or len(node.terms) > MOST_TERMS:
        return node
    for c, inner, labels in node.terms:
        turned = [t for t in node.terms if t[:2] == (c, inner) and t[2] == labels[::-1] != labels]
        if turned and isinstance(inner, Add) and any(n.symmetric for _, n, _ in inner.terms):
            both = [
                (c * e, n, tuple(axes[k] for k in old)) for axes in (labels, turned[0][2]) for e, n, old in inner.terms
            ]
            return add([*(t for t in node.terms if t not in ((c, inner, labels), turned[0])), *both], node.shape)
    return node


def _cancelled(node: Node) -> Node:
    """1 - (1 - x) = x and (x - 1) - 1 = x - 2, whatever else uses the inner sum"""
    if not isinstance(node, Add) or len(node.terms) > MOST_TERMS:
        return node
    for position, (c, inner, labels) in enumerate(node.terms):
        if isinstance(inner, Add) and len(inner.terms) <= len(node.terms) and not put_together(inner):
            others = {(n, k) for at, (_, n, k) in enumerate(node.terms) if at != position}
            moved = [(c * e, n, tuple(labels[k] for k in old)) for e, n, old in inner.terms]
            if any((n, k) in others for _, n, k in moved):
                rest = [term for at, term in enumerate(node.terms) if at != position]
                found = add([*rest, *moved], node.shape)
                left = core(found)
                plain = not any(n.operands for _, n, _ in inner.terms)  # whoever else uses it, opened it costs nothing
                if not isinstance(left, Add) or len(left.terms) < len(node.terms) + plain:
                    return found
    return node
