"""Common factors come out of sums: ``A X + Aᵀ X`` becomes ``(A + Aᵀ) X``, wherever that is cheaper.

Terms that only this sum uses are opened. Those that share a factor on the same axes of the result are a group: their
summed labels are renamed so that the factor stands on the same labels in each, what else they share comes out with
it, and what remains is one sum. The group with the largest saving is taken, and so on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from gradgen.cost import entries, product_cost
from gradgen.labels import Labels
from gradgen.nodes import (
    Add,
    Factor,
    Node,
    Number,
    Operand,
    Product,
    Shape,
    add,
    inlined,
    label_sizes,
    one,
    operand,
    product,
)
from gradgen.walk import Names, core, order, rebuilt, rename, through, uses

GROUPS = 6


@dataclass(frozen=True)
class _Term:
    """A term with its factors open; labels below ``rank`` are axes of the sum, each other one is the term's own."""

    coefficient: Number
    factors: tuple[Factor, ...]


def factor(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with common factors taken out where the plan gets cheaper; names move along."""
    counts = uses(roots)
    new: dict[Node, Node] = {}
    for node in order(roots):
        made = rebuilt(node, new)
        if isinstance(node, Add):
            here = Counter(node.operands)
            private = {core(new[child]) for child, k in here.items() if counts[child] == k}
            made = through(made, lambda same: _factored(same, private) if isinstance(same, Add) else same)  # noqa: B023
        new[node] = made
    rename(names, new)
    return [new[root] for root in roots]


def _factored(node: Add, private: set[Node]) -> Node:
    terms = [_open(term, private, node.rank) for term in node.terms]
    seen = Counter(factor for term in terms for factor in {n for n, _, _ in term.factors})
    if max(seen.values(), default=0) < 2:
        return node
    banned: set[tuple[Node, Number, Labels]] = set()
    changed = False
    while len(terms) > 1:
        best = _best(terms, node.shape, banned)
        if best is None:
            break
        terms, changed = best, True
    if not changed:
        return node
    return add([(t.coefficient, product(t.factors, node.shape), tuple(range(node.rank))) for t in terms], node.shape)


def _open(term: Operand, private: set[Node], rank: int) -> _Term:
    c, node, labels = term
    if node is one():
        return _Term(c, ())
    if not isinstance(node, Product) or node not in private:
        return _Term(c, ((node, labels, 1),))
    return _Term(c, _merged(inlined(node, labels, rank)))


def _merged(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    """Powers of one factor on the same labels as one: on a diagonal two may meet."""
    powers: dict[tuple[Node, Labels], Number] = {}
    for node, labels, power in factors:
        _, inner, settled = operand(node, labels)
        powers[inner, settled] = powers.get((inner, settled), 0) + power
    return tuple((node, labels, power) for (node, labels), power in powers.items() if power)


Bucket = tuple[Node, Number, Labels]


def _best(terms: list[_Term], shape: Shape, banned: set[Bucket]) -> list[_Term] | None:
    """The terms after the group with the largest saving has been joined; None where no group saves."""
    rank = len(shape)
    buckets: dict[Bucket, list[int]] = defaultdict(list)
    for position, term in enumerate(terms):
        for key in {(n, p, tuple(k if k < rank else -1 for k in labels)) for n, labels, p in term.factors}:
            buckets[key].append(position)
    candidates = [(key, members) for key, members in buckets.items() if len(members) > 1 and key not in banned]
    candidates.sort(key=lambda c: (-len(c[1]) * entries(c[0][0].shape), c[0][0].digest, c[0][2]))
    found: tuple[int, list[_Term]] | None = None
    for key, members in candidates[:GROUPS]:
        joined = _join([terms[k] for k in members], key, shape)
        saving = _saving([terms[k] for k in members], joined, shape) if joined else 0
        if joined is not None and saving <= 0 and _reads_better([terms[k] for k in members], joined):
            saving = 1
        if joined is None or saving <= 0:
            banned.add(key)
        elif found is None or saving > found[0]:
            first = members[0]
            rest = [joined if k == first else t for k, t in enumerate(terms) if k == first or k not in members]
            found = saving, rest
    return found[1] if found else None


def _join(members: Sequence[_Term], key: Bucket, shape: Shape) -> _Term | None:
    """One term for the group: the shared factors times the sum of what remains of each."""
    rank = len(shape)
    aligned = [_align(term, key, members[0], rank, position) for position, term in enumerate(members)]
    if any(term is None for term in aligned):
        return None
    lists = [list(term.factors) for term in aligned if term is not None]
    common = [f for f in lists[0] if all(f in other for other in lists[1:])]
    if not common:
        return None
    rests = [[f for f in factors if f not in common] for factors in lists]
    held = {label for _, labels, _ in common for label in labels}
    axes = sorted({k for rest in rests for _, labels, _ in rest for k in labels if k < rank or k in held})
    sizes = label_sizes(chain.from_iterable(lists))
    place = {label: axis for axis, label in enumerate(axes)}
    inner = tuple(sizes[k] for k in axes)
    parts = [
        (term.coefficient, product([_moved(f, place, len(axes)) for f in rest], inner), tuple(range(len(axes))))
        for term, rest in zip(members, rests, strict=True)
    ]
    c, remainder, labels = operand(add(parts, inner), tuple(axes))
    return _Term(c, (*common, (remainder, labels, 1)))


def _moved(factor: Factor, place: dict[int, int], rank: int) -> Factor:
    node, labels, power = factor
    return node, tuple(place.get(k, rank + k) for k in labels), power


def _align(term: _Term, key: Bucket, first: _Term, rank: int, position: int) -> _Term | None:
    """The term with the labels of the key's factor renamed to those in the first term, its other summed labels made
    its own."""
    target, source = _find(first, key, rank), _find(term, key, rank)
    if target is None or source is None:
        return None
    if any(source.count(k) != 1 for k in source) or any(target.count(k) != 1 for k in target):
        return None if source != target else term
    rename_ = dict(zip(source, target, strict=True))
    own = 1000 * (position + 1)
    factors = []
    for node, labels, power in term.factors:
        moved = tuple(k if k < rank else rename_.get(k, (own + k if position else k)) for k in labels)
        _, core, settled = operand(node, moved)
        factors.append((core, settled, power))
    return _Term(term.coefficient, _merged(factors))


def _find(term: _Term, key: Bucket, rank: int) -> Labels | None:
    for node, labels, power in term.factors:
        if (node, power, tuple(k if k < rank else -1 for k in labels)) == key:
            return labels
    return None


def _saving(before: Sequence[_Term], after: _Term, shape: Shape) -> int:
    remainder = after.factors[-1][0]
    cost = sum(_term_cost(t, shape) for t in before) + 4 * entries(shape) * (len(before) - 1)
    inside = _term_cost(after, shape)
    if isinstance(remainder, Add):
        for _, node, _ in remainder.terms:
            inside += product_cost(node.factors, node.rank) if isinstance(node, Product) and node.factors else 0
        inside += 4 * entries(remainder.shape) * (len(remainder.terms) - 1)
    elif isinstance(remainder, Product) and remainder.factors:
        inside += product_cost(remainder.factors, remainder.rank)
    return cost - inside


def _reads_better(before: Sequence[_Term], after: _Term) -> bool:
    """Whether a sum of products of two arrays becomes a product with the sum of these arrays, as in (A + Aᵀ) x."""
    remainder, common = after.factors[-1][0], {n for n, _, _ in after.factors[:-1]}
    if not isinstance(remainder, Add) or remainder.rank < 2:
        return False
    arrays = [[n for n, labels, _ in term.factors if labels] for term in before]
    rests = [[n for n in term if n not in common] for term in arrays]
    return all(len(term) == 2 for term in arrays) and all(
        len(rest) == 1 and rest[0].rank == remainder.rank for rest in rests
    )


def _term_cost(term: _Term, shape: Shape) -> int:
    return product_cost(term.factors, len(shape)) if term.factors else 0
