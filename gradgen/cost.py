"""What an expression costs at the typical sizes, in flops and bytes moved, and the cheapest order of a product of
many factors.

A contraction counts 2 flops an entry of its iteration space, an entrywise operation `ENTRY` (it is bound by memory and
runs on one core), so do functions that a processor knows, such as the absolute value; each entry of a result counts
`BYTES`, a function such as exp `MAP`; a batched contraction runs outside BLAS
and counts 8 times, an outer product twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import lru_cache
from itertools import combinations
from math import prod

from gradgen.nodes import Add, Factor, Map, Node, Number, Product, Shape, View, label_sizes
from gradgen.ops.adjugate import Adjugate, AdjugateAlong
from gradgen.ops.factor import Cholesky, Eigenvalues, Eigenvectors
from gradgen.ops.inverse import Inverse
from gradgen.ops.matrix import Matrices
from gradgen.ops.nuclear import Nuclear, Polar, PolarAlong
from gradgen.ops.operation import Operation
from gradgen.ops.solve import Solve
from gradgen.walk import order

Labels = frozenset[int]
Order = tuple[int, ...]
Tree = int | tuple["Tree", "Tree"]
EXHAUSTIVE = 8
ENTRY, BYTES, MAP = 8, 16, 80
EASY = frozenset("absolute sign root nonzero regular relu heaviside maximum minimum where".split())
SINGULAR = 20  # flops of a singular value decomposition for each entry and each singular value


def entries(shape: Shape) -> int:
    """The number of entries at the typical sizes."""
    return prod(size.typical for size in shape)


def merge_cost(left: Labels, right: Labels, result: Labels, sizes: Mapping[int, int]) -> int:
    """The cost of one binary product."""
    bit = {label: 1 << k for k, label in enumerate(left | right)}
    of = {b: sizes[label] for label, b in bit.items()}
    masks = [sum(bit[label] for label in labels) for labels in (left, right, result)]
    return _merged(masks[0], masks[1], masks[2], lambda mask: prod(size for b, size in of.items() if b & mask))


Pairs = frozenset[tuple[int, int]]


def contraction(
    orders: Sequence[Order], out: Labels, sizes: Mapping[int, int], made: Pairs = frozenset()
) -> tuple[int, Tree]:
    """The cheapest binary tree over factors, given the labels of their axes, and its cost.

    Factors on the same labels are multiplied first; then dynamic programming over subsets that hang together. Of equal
    trees the one wins that multiplies factors as they stand, without a transpose. The products of some pairs are
    ``made`` already, and cost nothing.
    """
    if len(orders) == 1:
        return 0, 0
    if len(orders) == 2:
        left, right = map(frozenset, orders)
        return merge_cost(left, right, (left | right) & out, sizes), (0, 1)
    return _planned(tuple(orders), out, tuple(sorted(sizes.items())), made)


@lru_cache(4096)
def _planned(
    orders: tuple[Order, ...], out: Labels, sizes: tuple[tuple[int, int], ...], made: Pairs
) -> tuple[int, Tree]:
    of = dict(sizes)
    groups: dict[Labels, Tree] = {}
    first: dict[Labels, Order] = {}
    cost = 0
    for k, order_ in enumerate(orders):
        labels = frozenset(order_)
        first.setdefault(labels, order_)
        cost += merge_cost(labels, labels, labels, of) if labels in groups else 0
        groups[labels] = (groups[labels], k) if labels in groups else k
    apart = list(groups)
    if len(apart) > EXHAUSTIVE:
        found, tree = _greedy(apart, out, of)
    else:
        place = {tree: k for k, tree in enumerate(groups.values())}  # of a factor that stands alone on its labels
        free = {1 << place[a] | 1 << place[b] for a, b in made if a in place and b in place}
        found, tree = _exhaustive(apart, [first[labels] for labels in apart], out, of, free)
    return cost + found, _placed(tree, list(groups.values()))


def _placed(tree: Tree, leaves: Sequence[Tree]) -> Tree:
    return leaves[tree] if isinstance(tree, int) else (_placed(tree[0], leaves), _placed(tree[1], leaves))


def _exhaustive(
    factors: Sequence[Labels], orders: Sequence[Order], out: Labels, sizes: Mapping[int, int], free: Set[int]
) -> tuple[int, Tree]:
    """Dynamic programming over subsets of factors; sets of factors and of labels are bits of integers. What is
    ``free`` is there already."""
    bit = {label: 1 << k for k, label in enumerate(sizes)}
    masks = [sum(bit[label] for label in labels) for labels in factors]
    wanted = sum(bit[label] for label in out)
    whole = (1 << len(masks)) - 1
    volumes: dict[int, int] = {}

    def volume(mask: int) -> int:
        if mask not in volumes:
            volumes[mask] = prod(sizes[label] for label, b in bit.items() if b & mask)
        return volumes[mask]

    kept = {subset: _kept(subset, masks, wanted) for subset in _connected(masks)}
    if whole not in kept:
        kept = {subset: _kept(subset, masks, wanted) for subset in range(1, whole + 1)}
    best: dict[int, tuple[int, Tree]] = {1 << k: (0, k) for k in range(len(masks))}
    for subset in sorted(kept, key=lambda s: (s.bit_count(), s)):
        if subset in best:
            continue
        result, rest = kept[subset], subset & (subset - 1)
        least: tuple[int, int] | None = None
        part = rest
        while part:  # the parts that hold the lowest factor
            part = (part - 1) & rest
            one = part | (subset ^ rest)
            other = subset ^ one
            if one in best and other in best:
                a, b = kept[one], kept[other]
                cost = 0 if subset in free else best[one][0] + best[other][0] + _merged(a, b, result, volume)
                if subset not in free and one.bit_count() == other.bit_count() == 1:
                    cost += _turned(orders[one.bit_length() - 1], orders[other.bit_length() - 1])
                if least is None or cost < least[0]:
                    least = cost, one
        assert least is not None
        best[subset] = least[0], (best[least[1]][1], best[subset ^ least[1]][1])
    return best[whole]


def _merged(left: int, right: int, result: int, volume: Callable[[int], int]) -> int:
    """`merge_cost` on sets as bits."""
    union = left | right
    if union == result:
        flops = ENTRY * volume(union) * (1 if left & right or not (left and right) else 2)
    else:
        flops = 2 * volume(union) * (8 if left & right & result else 1)
    return flops + BYTES * volume(result)


def _turned(left: Order, right: Order) -> int:
    """1 where a matrix product of two factors as they stand takes a transpose, either way round."""
    if len(left) != 2 or len(right) != 2:
        return 0
    return int(left[-1] != right[0] and right[-1] != left[0])


def _connected(masks: Sequence[int]) -> set[int]:
    """The subsets of factors that hang together by shared labels."""
    found = {1 << k for k in range(len(masks))}
    held = {1 << k: mask for k, mask in enumerate(masks)}
    border = list(found)
    while border:
        subset = border.pop()
        for k, mask in enumerate(masks):
            larger = subset | 1 << k
            if larger not in found and mask & held[subset]:
                found.add(larger)
                held[larger] = held[subset] | mask
                border.append(larger)
    return found


def _kept(subset: int, masks: Sequence[int], wanted: int) -> int:
    """The labels of a subset of factors that the result or another factor needs."""
    inside = outside = 0
    for k, mask in enumerate(masks):
        if subset >> k & 1:
            inside |= mask
        else:
            outside |= mask
    return inside & (outside | wanted)


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


def typical_sizes(factors: Sequence[Factor]) -> dict[int, int]:
    return {label: size.typical for label, size in label_sizes(factors).items()}


def product_cost(factors: Sequence[Factor], rank: int) -> int:
    """The cost of a product whose factors are at hand."""
    sizes = typical_sizes(factors)
    orders = [labels for _, labels, _ in factors]
    powers = sum(_power(power) * entries(node.shape) for node, _, power in factors if power != 1)
    out = frozenset(label for label in sizes if label < rank)
    if len(orders) == 1:
        return powers + (2 * prod(sizes[label] for label in set(orders[0])) if frozenset(orders[0]) != out else 0)
    return powers + contraction(orders, out, sizes)[0]


def _power(power: Number) -> int:
    return ENTRY if isinstance(power, int) else ENTRY + BYTES


def node_cost(node: Node) -> int:
    """The cost of one node from its operands."""
    if isinstance(node, Product):
        return product_cost(node.factors, node.rank) if node.factors else 0
    if isinstance(node, Add):
        return sum(_scaling(term[0], term[1], node) for term in node.terms) + BYTES * entries(node.shape)
    if isinstance(node, Map):
        return (ENTRY + BYTES if node.atom.mask or node.atom.name in EASY else MAP) * entries(node.shape)
    if isinstance(node, Matrices):
        return _matrices(node)
    if isinstance(node, Operation):
        return ENTRY * entries(node.operands[0].shape) + BYTES * entries(node.shape)
    if isinstance(node, View):
        return BYTES * entries(node.node.shape) if node.coefficient not in (1, -1) else 0
    return 0


def _matrices(node: Matrices) -> int:
    """2 n³ flops for each matrix, of which a solution, or a determinant, takes a third and its right-hand sides."""
    rows, batch = node.size.typical, entries(node.frame[:-2])
    if isinstance(node, Nuclear | Polar | PolarAlong):
        return SINGULAR * entries(node.frame) * min(size.typical for size in node.frame[-2:])
    if isinstance(node, Inverse | Adjugate | Eigenvectors | Eigenvalues | Cholesky):
        return 2 * batch * rows**3
    columns = entries(node.shape) // (rows * batch) if isinstance(node, Solve) else 0
    along = 4 * rows * entries(node.shape) if isinstance(node, AdjugateAlong) else 0
    return (2 * batch * rows**3) // 3 + 2 * batch * rows**2 * columns + along


def _scaling(coefficient: object, term: Node, total: Node) -> int:
    return ENTRY * entries(total.shape) + (BYTES * entries(term.shape) if coefficient not in (1, -1) else 0)


def total(roots: Sequence[Node]) -> int:
    """The cost of everything below the roots, shared nodes once."""
    return sum(node_cost(node) for node in order(roots))
