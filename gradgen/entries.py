"""Entries by indices: what only some entries are taken of is not computed whole, and what is added up at indices meets
only the entries there.

A gather moves through sums, products and scalar functions to what they are made of, where that is cheaper; a scatter
beside other factors of a product leaves their entries at its indices, ``S(x) y = S(x Sᵀ(y))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gradgen.cost import ENTRY, entries, node_cost
from gradgen.labels import Labels
from gradgen.nodes import Add, Delta, Factor, Map, Node, Product, Shape, Triangle, add, apply, product
from gradgen.ops.gather import NONE, Gather, Indexed, Indices, Scatter, gather, scatter
from gradgen.ops.inverse import Inverse
from gradgen.ops.select import put_together
from gradgen.rules import log_softmax
from gradgen.walk import Names, core, order, rename, rewrite


def by_entries(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with gathers moved down, and products with scatters taken at their indices; names move along."""
    if not any(isinstance(node, Indexed) for node in order(roots)):
        return list(roots)
    met = rewrite(roots, lambda node: _met(node) if isinstance(node, Product) else node, names)
    return _Push(met, names).roots()


# ---- products with what is added up at indices


def _met(node: Product) -> Node:
    for position, (factor, labels, power) in enumerate(node.factors):
        if isinstance(factor, Scatter) and power == 1 and len(set(labels)) == len(labels):
            others = [*node.factors[:position], *node.factors[position + 1 :]]
            found = _summed(node, factor, labels, others) or _restricted(node, factor, labels, others)
            if found is not None:
                return found
    return node


def _summed(node: Product, factor: Scatter, labels: Labels, others: Sequence[Factor]) -> Node | None:
    """1ᵀ S(x): a sum over an axis of what is added up along it loses that axis"""
    held = {k for _, axes, _ in others for k in axes}
    gone = [
        axis
        for axis, index in enumerate(factor.indices)
        if index is not None and labels[axis] >= node.rank and labels[axis] not in held
    ]
    if not gone:
        return None
    kept = [axis for axis in range(factor.rank) if axis not in gone]
    body, axes = factor.node, tuple(labels[axis] for axis in kept)
    if any(factor.chosen(axis) for axis in kept):
        indices = tuple(factor.indices[axis] for axis in kept)
        inner = tuple(factor.labels[axis] for axis in kept)
        shape = tuple(factor.shape[axis] for axis in kept)
        if any(index is not None for index in indices):
            return product([(scatter(body, inner, indices, shape), axes, 1), *others], node.shape)
    place = {factor.labels[axis]: labels[axis] for axis in kept}
    fresh = _fresh(node)
    return product([(body, tuple(place.get(k, fresh) for k in range(body.rank)), 1), *others], node.shape)


def _restricted(node: Product, factor: Scatter, labels: Labels, others: Sequence[Factor]) -> Node | None:
    """S(x) y = S(x Sᵀ(y)), where all that is indexed stays, or nothing that is stays"""
    chosen = [axis for axis in range(factor.rank) if factor.chosen(axis)]
    out = [axis for axis in chosen if labels[axis] < node.rank]
    counted = [axis for axis in out if factor.indices[axis] is None]
    if out not in (chosen, counted) or len(counted) > 1 or not others:
        return None
    if any(isinstance(n, Delta | Inverse) and any(labels[a] in axes for a in chosen) for n, axes, _ in others):
        return None
    fresh = _fresh(node)
    run = labels[counted[0]] if out == counted and counted else fresh
    index = {labels[axis]: factor.indices[axis] for axis in chosen}
    plain = {factor.labels[axis]: labels[axis] for axis in range(factor.rank) if axis not in chosen}
    factors: list[Factor] = [(factor.node, tuple(plain.get(k, run) for k in range(factor.node.rank)), 1)]
    for n, axes, power in others:
        inner = tuple((NONE if factor.along == NONE else run) if k in index else k for k in axes)
        part, left = _taken(n, inner, tuple(index.get(k) for k in axes), gather)
        factors.append((part, left, power))
    if out == counted:
        return product(factors, node.shape)
    return _scattered(node, factor, factors, {labels[axis]: axis for axis in chosen}, run)


def _scattered(node: Product, factor: Scatter, factors: Sequence[Factor], chosen: dict[int, int], run: int) -> Node:
    """The entries of a product, added up where a factor is: ``chosen`` are its axes by the labels of the product."""
    plain = [k for k in range(node.rank) if k not in chosen]
    single = factor.along == NONE
    place = {label: axis for axis, label in enumerate(plain)} | ({} if single else {run: len(plain)})
    summed = {k for _, axes, _ in factors for k in axes if k not in place}
    place |= {label: len(place) + position for position, label in enumerate(sorted(summed))}
    shape = (*(node.shape[k] for k in plain), *(() if single else (factor.length,)))
    body = product([(n, tuple(place[k] for k in axes), power) for n, axes, power in factors], shape)
    along = NONE if single else len(plain)
    labels = tuple(along if k in chosen else place[k] for k in range(node.rank))
    indices = tuple(factor.indices[chosen[k]] if k in chosen else None for k in range(node.rank))
    return scatter(body, labels, indices, node.shape)


def _fresh(node: Product) -> int:
    return 1 + max((k for _, labels, _ in node.factors for k in labels), default=node.rank)


# ---- gathers


@dataclass(frozen=True)
class Entries:
    """What is taken of a node: the labels and indices of its axes, and the shape of the result."""

    labels: Labels
    indices: Indices
    shape: Shape


Take = Callable[[Node, Labels, Indices, Shape], Node]


def _taken(node: Node, labels: Labels, indices: Indices, take: Take) -> tuple[Node, Labels]:
    """An operand under labels of which some are indexed: its entries, and the labels that are left."""
    if not any(index is not None for index in indices):
        return node, labels
    kept = tuple(dict.fromkeys(k for k in labels if k != NONE))
    place = {label: axis for axis, label in enumerate(kept)} | {NONE: NONE}
    sizes = dict(zip(labels, node.shape, strict=True))
    for label, index in zip(labels, indices, strict=True):
        if index is not None and label != NONE:
            sizes[label] = index.shape[0] if isinstance(index, Node) else sizes[label].of(len(index))
    return take(node, tuple(place[k] for k in labels), indices, tuple(sizes[k] for k in kept)), kept


def _of(node: Node, taken: Entries, take: Take, made: Mapping[Node, Node] | None = None) -> Node:
    """The entries of a sum, product or function, made of those of its operands; what is whole may have been ``made``
    anew."""
    rank = len(taken.shape)
    found = []
    for n, old in _operands(node):
        labels = tuple(taken.labels[k] if k < node.rank else rank + k - node.rank for k in old)
        whole = made[n] if made and not _indexed(taken, old, node.rank) else n
        found.append(_taken(whole, labels, tuple(taken.indices[k] if k < node.rank else None for k in old), take))
    if isinstance(node, Add):
        return add([(c, n, k) for (c, _, _), (n, k) in zip(node.terms, found, strict=True)], taken.shape)
    if isinstance(node, Map):
        terms = [(c, n, k) for (c, _, _), (n, k) in zip(node.arguments, found, strict=True)]
        return apply(node.atom, terms, taken.shape)
    assert isinstance(node, Product)
    return product([(n, k, p) for (_, _, p), (n, k) in zip(node.factors, found, strict=True)], taken.shape)


def _indexed(taken: Entries, labels: Labels, rank: int) -> bool:
    """Whether entries of an operand are taken, which stands under these labels."""
    return any(k < rank and taken.indices[k] is not None for k in labels)


def _operands(node: Node) -> Iterable[tuple[Node, Labels]]:
    if isinstance(node, Product):
        return [(n, labels) for n, labels, _ in node.factors]
    terms = node.terms if isinstance(node, Add) else node.arguments if isinstance(node, Map) else ()
    return [(n, labels) for _, n, labels in terms]


class _Push:
    """Moves gathers down through what nothing else uses."""

    def __init__(self, roots: Sequence[Node], names: Names) -> None:
        self.given, self.names = list(roots), names
        self.ordered = order(roots)
        self.whole: set[Node] = set(self.given)
        self.requests: dict[Node, dict[Entries, None]] = {}
        for node in reversed(self.ordered):
            self._ask(node)

    def roots(self) -> list[Node]:
        self.made: dict[Node, Node] = {}
        self.part: dict[tuple[Node, Entries], Node] = {}
        for node in self.ordered:
            if node in self.whole:
                self.made[node] = self._made(node)
            for taken in self.requests.get(node, ()):
                self.part[node, taken] = self._part(node, taken)
        rename(self.names, self.made)
        return [self.made[root] for root in self.given]

    def _ask(self, node: Node) -> None:
        """Say what a node needs of its operands, once all that need it have said so."""
        requests = self.requests.get(node, {})
        if requests and node not in self.whole and not _pays(node, list(requests)):
            self.whole.add(node)
        if node in self.whole:
            if isinstance(node, Gather):
                self._request(node.node, node.labels, node.indices, node.shape)
                self.whole.update(node.symbols)
            else:
                self.whole.update(node.operands)
        for taken in requests if node not in self.whole else ():
            _of(node, taken, self._request)
            self.whole.update(n for n, old in _operands(node) if not _indexed(taken, old, node.rank))

    def _request(self, node: Node, labels: Labels, indices: Indices, shape: Shape) -> Node:
        self.requests.setdefault(node, {})[Entries(labels, indices, shape)] = None
        return gather(node, labels, indices, shape)

    def _made(self, node: Node) -> Node:
        if isinstance(node, Gather):
            return self._given(node.node, node.labels, node.indices, node.shape)
        return node.rebuild(self.made.__getitem__) if node.operands else node

    def _given(self, node: Node, labels: Labels, indices: Indices, shape: Shape) -> Node:
        return self.part[node, Entries(labels, indices, shape)]

    def _part(self, node: Node, taken: Entries) -> Node:
        if node in self.whole:
            return gather(self.made[node], taken.labels, taken.indices, taken.shape)
        return _of(node, taken, self._given, self.made)


def _pays(node: Node, requests: Sequence[Entries]) -> bool:
    """Whether the entries are cheaper from those of the operands than from the whole."""
    if not isinstance(node, Add | Map | Product) or not node.operands or put_together(node):
        return False
    if any(isinstance(n, Delta | Inverse | Triangle) for n, _ in _operands(node)):
        return False
    if log_softmax(node):  # which has a spelling as one
        return False
    gathers: list[Node] = []

    def noted(*taken: object) -> Node:
        gathers.append(gather(*taken))  # type: ignore[arg-type]
        return gathers[-1]

    parts = [core(_of(node, taken, noted)) for taken in requests]
    small = sum(map(node_cost, parts)) + ENTRY * sum(entries(core(n).shape) for n in gathers)
    return small < node_cost(node) + ENTRY * sum(entries(taken.shape) for taken in requests)
