"""Selections and arrays put together: work is done on the part that is used, and by blocks where arrays are made of
blocks.

A selection moves through sums, products and scalar functions to what they are made of; an array among zeros in a
product leaves only what stands beside it; a product of two arrays that are put together along one label is the sum of
the products of their parts, and a sum along it the sum of the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradgen.dims import Size
from gradgen.labels import Labels
from gradgen.nodes import Add, Delta, Factor, Map, Node, Number, Product, add, apply, product, view
from gradgen.ops.inverse import Inverse
from gradgen.ops.select import Embed, Picks, Select, disjoint, embed, kept, picked, put_together, select
from gradgen.walk import Names, core, order, rename, rewrite


def by_blocks(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with selections moved down and products by blocks; names move along."""
    if not any(isinstance(node, Select | Embed) for node in order(roots)):
        return list(roots)
    return _multiplied(_Push(_multiplied(roots, names), names).roots(), names)


# ---- products


def _multiplied(roots: Sequence[Node], names: Names) -> list[Node]:
    return rewrite(roots, lambda node: _beside_zeros(node) if isinstance(node, Product) else node, names)


def _beside_zeros(node: Node) -> Node:
    """E(x) y = E(x Eᵀ(y)), and E(x)ᵀ y = xᵀ Eᵀ(y), E putting x among zeros"""
    if not isinstance(node, Product):
        return node
    for position, (factor, labels, power) in enumerate(node.factors):
        others = [*node.factors[:position], *node.factors[position + 1 :]]
        if isinstance(factor, Embed) and power > 0:
            found = _restricted(node, factor, labels, others, power)
            if found is not None:
                return found
        elif power == 1 and put_together(factor) and _met(factor, labels, others, node.rank):
            assert isinstance(factor, Add)
            return _by_parts(node, factor, labels, others)
    return node


def _restricted(node: Product, factor: Embed, labels: Labels, others: Sequence[Factor], power: Number) -> Node | None:
    chosen = {label: pick for label, pick in zip(labels, factor.picks, strict=True) if pick is not None}
    if any(labels.count(label) > 1 for label in chosen):
        return None
    if any(isinstance(n, Delta) and set(axes) & set(chosen) for n, axes, _ in others):
        return None
    outer: Picks = tuple(chosen.get(axis) for axis in range(node.rank))
    left = kept(outer)
    place = {label: axis for axis, label in enumerate(left)}
    for label in {k for _, axes, _ in node.factors for k in axes if k >= node.rank}:
        place[label] = len(left) + label - node.rank
    factors: list[Factor] = []
    for n, axes, p in ((factor, labels, power), *others):
        body = factor.node if n is factor and axes == labels else select(n, tuple(chosen.get(k) for k in axes))
        gone = factor.picks if n is factor and axes == labels else tuple(chosen.get(k) for k in axes)
        inner = tuple(place[k] for k, pick in zip(axes, gone, strict=True) if not isinstance(pick, Size))
        factors.append((body, inner, p))
    part = _again(product(factors, picked(node.shape, outer)))
    return part if all(pick is None for pick in outer) else embed(part, outer, node.shape)


def _met(factor: Node, labels: Labels, others: Sequence[Factor], rank: int) -> bool:
    """Whether an array that is put together meets, over a summed label, nothing, or another one, or an array among
    zeros."""
    assert isinstance(factor, Add)
    along = {labels[k] for k in _seams(factor)}
    if min(along) >= rank and not along & {label for _, axes, _ in others for label in axes}:
        return True
    return any(
        any(axes[k] in along and axes[k] >= rank for k in _seams(n))
        for n, axes, power in others
        if power == 1 and (isinstance(n, Embed) or put_together(n))
    )


def _seams(node: Node) -> set[int]:
    """The axes along which an array is put together."""
    terms = node.terms if isinstance(node, Add) else ((1, node, tuple(range(node.rank))),)
    return {
        labels[axis]
        for _, n, labels in terms
        if isinstance(n, Embed)
        for axis, pick in enumerate(n.picks)
        if pick is not None
    }


def _by_parts(node: Product, factor: Add, labels: Labels, others: Sequence[Factor]) -> Node:
    """(A₁ + A₂) B = A₁ B + A₂ B, the parts of A among zeros"""
    axes = tuple(range(node.rank))
    parts = []
    for c, n, where in factor.terms:
        part = product([(n, tuple(labels[k] for k in where), 1), *others], node.shape, c)
        parts.append((1, _again(part), axes))
    return add(parts, node.shape)


def _again(node: Node) -> Node:
    inner = core(node)
    made = _beside_zeros(inner)
    if made is inner:
        return node
    return made if inner is node else view(node.coefficient, made, node.labels, node.shape)  # type: ignore[attr-defined]


# ---- selections


class _Push:
    """Moves selections down. What is only selected from, once or in parts that have nothing in common, is not computed
    whole."""

    def __init__(self, roots: Sequence[Node], names: Names) -> None:
        self.given, self.names = list(roots), names
        self.ordered = order(roots)
        self.sewn = _sewn(self.ordered)
        self.whole: set[Node] = set(self.given)
        self.requests: dict[Node, dict[Picks, None]] = {}
        for node in reversed(self.ordered):
            self._ask(node)

    def roots(self) -> list[Node]:
        self.made: dict[Node, Node] = {}
        self.part: dict[tuple[Node, Picks], Node] = {}
        for node in self.ordered:
            if node in self.whole:
                self.made[node] = self._made(node)
            for picks in self.requests.get(node, ()):
                self.part[node, picks] = self._part(node, picks)
        rename(self.names, self.made)
        return [self.made[root] for root in self.given]

    def _ask(self, node: Node) -> None:
        """Say what a node needs of its operands, once all that need it have said so."""
        requests = self.requests.get(node, {})
        if requests and node not in self.whole and not self._goes_through(node, list(requests)):
            self.whole.add(node)
        if node in self.whole:
            if isinstance(node, Select) and not _of_diagonal(node):
                self._request(node.node, tuple(node.picks[k] for k in node.labels))
            else:
                self.whole.update(node.operands)
            return
        for picks in requests:
            for n, labels in _operands(node):
                self._request(n, _of(picks, labels))

    def _request(self, node: Node, picks: Picks) -> None:
        if all(pick is None for pick in picks):
            self.whole.add(node)
        else:
            self.requests.setdefault(node, {})[picks] = None

    def _goes_through(self, node: Node, requests: list[Picks]) -> bool:
        if not isinstance(node, Add | Map | Product) or not node.operands or put_together(node):
            return False
        if isinstance(node, Product):
            held = {k for n, labels, _ in node.factors if isinstance(n, Delta | Inverse) for k in labels}
            if any(picks[k] is not None for picks in requests for k in held if k < node.rank):
                return False
        if len(requests) == 1:
            return True
        sewn = self.sewn.get(node, frozenset())
        return disjoint(requests) and all(any(picks[k] is not None for k in sewn) for picks in requests)

    def _made(self, node: Node) -> Node:
        if isinstance(node, Select) and not _of_diagonal(node):
            picks = tuple(node.picks[k] for k in node.labels)
            part = self.part.get((node.node, picks))
            if part is None:
                return select(view(1, self.made[node.node], node.labels, node.full), node.picks)
            left = kept(node.picks)
            return view(1, part, tuple(left.index(k) for k in node.labels if k in left), node.shape)
        return node.rebuild(self.made.__getitem__) if node.operands else node

    def _part(self, node: Node, picks: Picks) -> Node:
        if node in self.whole:
            return select(self.made[node], picks)
        if not node.operands:
            return select(node, picks)
        shape, left = picked(node.shape, picks), kept(picks)
        found = []
        for n, labels in _operands(node):
            inner = _of(picks, labels)
            part = self.made[n] if all(p is None for p in inner) else self.part[n, inner]
            axes = tuple(
                left.index(k) if k < node.rank else len(left) + k - node.rank
                for k in labels
                if k >= node.rank or k in left
            )
            found.append((part, axes))
        if isinstance(node, Add):
            return add([(c, n, k) for (c, _, _), (n, k) in zip(node.terms, found, strict=True)], shape)
        if isinstance(node, Map):
            return apply(node.atom, [(c, n, k) for (c, _, _), (n, k) in zip(node.arguments, found, strict=True)], shape)
        assert isinstance(node, Product)
        return product([(n, k, p) for (_, _, p), (n, k) in zip(node.factors, found, strict=True)], shape)


def _of_diagonal(node: Select) -> bool:
    return len(set(node.labels)) < len(node.labels)


def _operands(node: Node) -> Iterable[tuple[Node, Labels]]:
    if isinstance(node, Add):
        return [(n, labels) for _, n, labels in node.terms]
    if isinstance(node, Map):
        return [(n, labels) for _, n, labels in node.arguments]
    assert isinstance(node, Product)
    return [(n, labels) for n, labels, _ in node.factors]


def _of(picks: Picks, labels: Labels) -> Picks:
    """The picks of an operand's axes, from those of the result's."""
    return tuple(picks[k] if k < len(picks) else None for k in labels)


def _sewn(nodes: Sequence[Node]) -> dict[Node, frozenset[int]]:
    """For each node the axes along which it, or what it is made of, is put together from parts."""
    found: dict[Node, frozenset[int]] = {}
    for node in nodes:
        if put_together(node) or isinstance(node, Embed):
            found[node] = frozenset(_seams(node))
        elif isinstance(node, Add | Map | Product):
            axes = {labels[a] for n, labels in _operands(node) for a in found.get(n, ())}
            found[node] = frozenset(k for k in axes if k < node.rank)
    return found
