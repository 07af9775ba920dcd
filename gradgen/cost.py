"""What an expression costs at the typical sizes, in flops and bytes moved, and the cheapest order of a product of
many factors.

A contraction counts 2 flops an entry of its iteration space, an entrywise operation 4 (it is bound by memory), each
entry of a result 8 for its bytes; a batched contraction runs outside BLAS and counts 8 times, an outer product twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations

from gradgen.nodes import Add, Factor, Map, Node, Product, Shape, View
from gradgen.ops.operation import Operation
from gradgen.walk import order

Labels = frozenset[int]
Tree = int | tuple["Tree", "Tree"]
EXHAUSTIVE = 8


def entries(shape: Shape) -> int:
    """The number of entries at the typical sizes."""
    total = 1
    for size in shape:
        total *= size.typical
    return total


def _volume(labels: Labels, sizes: Mapping[int, int]) -> int:
    total = 1
    for label in labels:
        total *= sizes[label]
    return total


def merge_cost(left: Labels, right: Labels, result: Labels, sizes: Mapping[int, int]) -> int:
    """The cost of one binary product."""
    union = left | right
    volume = _volume(union, sizes)
    if union == result:
        flops = 4 * volume * (2 if left and right and not left & right else 1)
    else:
        flops = 2 * volume * (8 if left & right & result else 1)
    return flops + 8 * _volume(result, sizes)


def contraction(factors: Sequence[Labels], out: Labels, sizes: Mapping[int, int]) -> tuple[int, Tree]:
    """The cheapest binary tree over the factors, and its cost.

    Factors on the same labels are multiplied first; then dynamic programming over subsets that hang together.
    """
    if len(factors) == 1:
        return 0, 0
    if len(factors) == 2:
        return merge_cost(factors[0], factors[1], (factors[0] | factors[1]) & out, sizes), (0, 1)
    return _planned(tuple(factors), out, tuple(sorted(sizes.items())))


@lru_cache(4096)
def _planned(factors: tuple[Labels, ...], out: Labels, sizes: tuple[tuple[int, int], ...]) -> tuple[int, Tree]:
    of = dict(sizes)
    groups: dict[Labels, Tree] = {}
    cost = 0
    for k, labels in enumerate(factors):
        cost += merge_cost(labels, labels, labels, of) if labels in groups else 0
        groups[labels] = (groups[labels], k) if labels in groups else k
    apart = list(groups)
    search = _greedy if len(apart) > EXHAUSTIVE else _exhaustive
    found, tree = search(apart, out, of)
    return cost + found, _placed(tree, list(groups.values()))


def _placed(tree: Tree, leaves: Sequence[Tree]) -> Tree:
    return leaves[tree] if isinstance(tree, int) else (_placed(tree[0], leaves), _placed(tree[1], leaves))


def _exhaustive(factors: Sequence[Labels], out: Labels, sizes: Mapping[int, int]) -> tuple[int, Tree]:
    count = len(factors)
    whole = (1 << count) - 1
    connected = [subset for subset in range(1, whole + 1) if _connected(subset, factors)]
    if whole not in connected:
        connected = list(range(1, whole + 1))
    labels = {subset: _kept(subset, factors, out) for subset in connected}
    best: dict[int, tuple[int, Tree]] = {1 << k: (0, k) for k in range(count)}
    for subset in sorted(connected, key=int.bit_count):
        if subset.bit_count() == 1:
            continue
        lowest = subset & -subset
        parts = [p for p in connected if p & lowest and p & subset == p and p != subset and subset ^ p in labels]
        best[subset] = min((_joined(p, subset ^ p, subset, best, labels, sizes) for p in parts), key=lambda f: f[0])
    return best[whole]


def _connected(subset: int, factors: Sequence[Labels]) -> bool:
    """Whether the factors of a subset hang together by shared labels."""
    members = [factors[k] for k in range(len(factors)) if subset >> k & 1]
    reached, rest = members[0], members[1:]
    while rest:
        touching = [f for f in rest if f & reached]
        if not touching:
            return False
        reached = reached.union(*touching)
        rest = [f for f in rest if not f & reached]
    return True


def _kept(subset: int, factors: Sequence[Labels], out: Labels) -> Labels:
    inside: Labels = frozenset().union(*(f for k, f in enumerate(factors) if subset >> k & 1))
    outside: Labels = out.union(*(f for k, f in enumerate(factors) if not subset >> k & 1))
    return inside & outside


def _joined(
    a: int,
    b: int,
    both: int,
    best: Mapping[int, tuple[int, Tree]],
    labels: Mapping[int, Labels],
    sizes: Mapping[int, int],
) -> tuple[int, Tree]:
    cost = best[a][0] + best[b][0] + merge_cost(labels[a], labels[b], labels[both], sizes)
    return cost, (best[a][1], best[b][1])


def _greedy(factors: Sequence[Labels], out: Labels, sizes: Mapping[int, int]) -> tuple[int, Tree]:
    open_: list[tuple[Labels, Tree]] = [(f, k) for k, f in enumerate(factors)]
    total = 0
    while len(open_) > 1:
        options = []
        for i, j in combinations(range(len(open_)), 2):
            rest = out.union(*(f for k, (f, _) in enumerate(open_) if k not in (i, j)))
            result = (open_[i][0] | open_[j][0]) & rest
            options.append((merge_cost(open_[i][0], open_[j][0], result, sizes), i, j, result))
        cost, i, j, result = min(options, key=lambda option: option[:3])
        total += cost
        joined = (result, (open_[i][1], open_[j][1]))
        open_ = [entry for k, entry in enumerate(open_) if k not in (i, j)] + [joined]
    return total, open_[0][1]


def label_sizes(factors: Sequence[Factor]) -> dict[int, int]:
    return {label: size.typical for node, labels, _ in factors for label, size in zip(labels, node.shape, strict=True)}


def product_cost(factors: Sequence[Factor], rank: int) -> int:
    """The cost of a product whose factors are at hand."""
    sizes = label_sizes(factors)
    sets = [frozenset(labels) for _, labels, _ in factors]
    powers = sum(4 * entries(node.shape) for node, _, power in factors if power != 1)
    out = frozenset(label for label in sizes if label < rank)
    if len(sets) == 1:
        return powers + (2 * _volume(sets[0], sizes) if sets[0] != out else 0)
    return powers + contraction(sets, out, sizes)[0]


def node_cost(node: Node) -> int:
    """The cost of one node from its operands."""
    if isinstance(node, Product):
        return product_cost(node.factors, node.rank) if node.factors else 0
    if isinstance(node, Add):
        return sum(_scaling(term[0], term[1], node) for term in node.terms) + 8 * entries(node.shape)
    if isinstance(node, Map):
        return 40 * entries(node.shape)
    if isinstance(node, Operation):
        return 4 * entries(node.operands[0].shape) + 8 * entries(node.shape)
    if isinstance(node, View):
        return 8 * entries(node.node.shape) if node.coefficient not in (1, -1) else 0
    return 0


def _scaling(coefficient: object, term: Node, total: Node) -> int:
    return 4 * entries(total.shape) + (8 * entries(term.shape) if coefficient not in (1, -1) else 0)


def total(roots: Sequence[Node]) -> int:
    """The cost of everything below the roots, shared nodes once."""
    return sum(node_cost(node) for node in order(roots))
