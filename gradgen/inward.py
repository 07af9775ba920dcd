"""Sums over everything move inward, where no array is made for them then: ``sum(a - b * c)`` is ``sum(a) - b · c``.

The plan does this behind all laws. Digits are kept: what is summed apart has been rounded before, so that no small
difference of given numbers is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from gradgen.cost import BYTES, ENTRY, entries, node_cost, product_cost
from gradgen.labels import Labels
from gradgen.nodes import (
    Add,
    Constant,
    Factor,
    Node,
    Number,
    Operand,
    Product,
    Symbol,
    add,
    count,
    inlined,
    one,
    operand,
    product,
)
from gradgen.ops.select import put_together
from gradgen.walk import Names, core, is_named, order, rewrite, users

MOST_TERMS = 3
DEARER = 4  # than A + Aᵀ: a product with it that is worth to be used twice


Using = Mapping[Node, Sequence[Node]]


def inward(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with such sums taken apart, and each ⟨X, A X⟩ read off (A + Aᵀ) X where that is there."""
    using, turned, parted = users(roots), _symmetrised(roots), set[Node]()

    def rule(node: Node) -> Node:
        if isinstance(node, Add) and not node.rank:
            return _merged(node, parted)
        if not isinstance(node, Product) or node.rank:
            return node
        made = _quadratic(node, turned) or _parted(node, using, names)
        if made is not None:
            parted.add(core(made))
        return made or node

    made = rewrite(roots, rule, names)
    return [_merged(root, parted) if not root.rank else root for root in made]


def _merged(node: Node, parted: set[Node]) -> Node:
    """A sum with the sums inside that were taken apart in place of one term each."""
    c, inner, _ = operand(node, ())
    terms = inner.terms if isinstance(inner, Add) and inner not in parted else ((1, inner, ()),)
    opened = [
        t for e, n, _ in terms for t in _times(e, n.terms if isinstance(n, Add) and n in parted else ((1, n, ()),))
    ]
    return add(_times(c, opened), ()) if opened else node


def _times(c: Number, terms: Iterable[Operand]) -> list[Operand]:
    return [(c * e, n, labels) for e, n, labels in terms]


def _parted(node: Product, using: Using, names: Names) -> Node | None:
    """⟨a + b, c⟩ = ⟨a, c⟩ + ⟨b, c⟩, where it is cheaper."""
    whole = [f for f in node.factors if f[1]]
    found = [f for f in whole if isinstance(f[0], Add) and f[2] == 1 and _opens(f[0], using, names)]
    if len(found) != 1 or len(whole) > 2:
        return None
    [(inner, labels, _)] = found
    assert isinstance(inner, Add)
    rest = [f for f in node.factors if f is not found[0]]
    terms = [(c, _term(n, where, (inner, labels), rest, using, names)) for c, n, where in inner.terms]
    apart = sum(product_cost(factors, 0) for _, factors in terms) if all(_few(f) for _, f in terms) else None
    together = (ENTRY * len(inner.terms) + BYTES) * entries(inner.shape) + product_cost(node.factors, 0)
    together += sum(node_cost(n) for _, n, _ in inner.terms if _inside(n, using, names))
    if apart is None or apart >= together or not any(len([f for f in factors if f[1]]) == 2 for _, factors in terms):
        return None
    return add([(c, product(factors, ()), ()) for c, factors in terms], ())


def _opens(node: Add, using: Using, names: Names) -> bool:
    """Whether a sum has no other use, few terms, and no two that were not rounded yet."""
    exact = sum(isinstance(n, Symbol | Constant) for _, n, _ in node.terms)
    constant = any(n is one() for _, n, _ in node.terms)
    small = len(node.terms) <= MOST_TERMS and exact < 2 and not constant
    return small and len(using.get(node, ())) == 1 and not is_named(node, names) and not put_together(node)


def _inside(node: Node, using: Using, names: Names) -> bool:
    """Whether a term is a product that dissolves with its sum."""
    return isinstance(node, Product) and len(using.get(node, ())) == 1 and not is_named(node, names)


def _term(
    node: Node, where: Labels, whole: tuple[Node, Labels], rest: Sequence[Factor], using: Using, names: Names
) -> list[Factor]:
    """A term of the whole sum times the other factors; an axis that neither has is summed over all the same."""
    labels = tuple(whole[1][k] for k in where)
    kept = {k for _, other, _ in (*rest, (node, labels, 1)) for k in other}
    lost = {k: size for k, size in zip(whole[1], whole[0].shape, strict=True) if k not in kept}
    others = [*rest, *((count(size), (), 1) for size in lost.values())]
    if isinstance(node, Product) and _inside(node, using, names):
        return [*inlined(node, labels, 1 + max(kept, default=0)), *others]
    return [(node, labels, 1), *others]


def _few(factors: Sequence[Factor]) -> bool:
    """Whether a term is a sum or an inner product, of plain arrays."""
    arrays = [f for f in factors if f[1]]
    return len(arrays) <= 2 and all(power == 1 for _, _, power in arrays)


def _symmetrised(roots: Sequence[Node]) -> dict[tuple[Node, Node], Product]:
    """The products (A + Aᵀ) X of the graph, by A and X."""
    found: dict[tuple[Node, Node], Product] = {}
    for node in order(roots):
        if isinstance(node, Product) and len(node.factors) == 2 and len(node.summed) == 1 and node.rank:
            for (inner, labels, p), (other, _, q) in (node.factors, node.factors[::-1]):
                if isinstance(inner, Add) and p == q == 1 and len(set(labels)) == 2:
                    matrix = _doubled(inner.terms)
                    if matrix is not None and product_cost(node.factors, node.rank) > DEARER * node_cost(inner):
                        found.setdefault((matrix, other), node)
    return found


def _doubled(terms: Sequence[Operand]) -> Node | None:
    """A where a sum is A + Aᵀ"""
    if len(terms) != 2 or terms[0][0] != 1 or terms[1][0] != 1 or terms[0][1] is not terms[1][1]:
        return None
    return terms[0][1] if {terms[0][2], terms[1][2]} == {(0, 1), (1, 0)} else None


def _quadratic(node: Product, turned: dict[tuple[Node, Node], Product]) -> Node | None:
    """⟨X, A X⟩ = ½ ⟨X, (A + Aᵀ) X⟩"""
    if len(node.factors) != 3 or any(power != 1 for _, _, power in node.factors):
        return None
    for position, (matrix, (i, j), _) in ((p, f) for p, f in enumerate(node.factors) if f[0].rank == 2):
        (one_, a, _), (other, b, _) = (f for k, f in enumerate(node.factors) if k != position)
        found = turned.get((matrix, one_)) if one_ is other else None
        if found is None or found.rank != one_.rank or not _paired(a, b, i, j):
            continue
        [(_, axes, _)] = [f for f in found.factors if f[0] is one_]
        outer = next(k for f in found.factors if f[0] is not one_ for k in f[1] if k < found.rank)
        wanted = tuple(outer if k >= found.rank else k for k in axes)
        full = tuple(range(found.rank))
        return add([(HALF, product([(one_, wanted, 1), (found, full, 1)], ()), ())], ())
    return None


def _paired(a: Labels, b: Labels, i: int, j: int) -> bool:
    """Whether two copies of an array run along the rows and the columns of a matrix, else along the same labels."""
    apart = [{x, y} for x, y in zip(a, b, strict=True) if x != y]
    return apart == [{i, j}]


HALF = Fraction(1, 2)
