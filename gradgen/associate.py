"""Association: every product becomes binary, in the cheapest order, so that sharing is interning again and emission a
table of cases.

Labels that stand in one factor are summed first. Negative powers stay in entrywise pairs, where they are divisions,
and become reciprocals before a contraction. Scalars come last, on the smaller of result and operands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations

from gradgen.atoms import HALF, power_of
from gradgen.cost import Pairs, Tree, contraction, entries
from gradgen.dims import TYPICAL
from gradgen.labels import Labels
from gradgen.nodes import Delta, Factor, Map, Node, Number, Product, Shape, apply, label_sizes, operand, product
from gradgen.ops.inverse import Inverse
from gradgen.ops.shared import is_definite
from gradgen.ops.solve import solve
from gradgen.text import magnitude
from gradgen.walk import Names, core, order, reaching, rebuilt, rename, rewrite, through

MOST_MULTIPLIED = 4


def associate(roots: Sequence[Node], names: Names, reading: bool = False, results: Sequence[int] = ()) -> list[Node]:
    """The roots with products of at most two factors; names move along.

    Products with an inverse are solved, and scalars stand where they cost least; for ``reading`` there are inverses,
    scalars stand first, and all dimensions count alike. ``results`` tells which roots belong to one result; without it
    all do.
    """
    made = _associated(roots, names, reading, results or [0] * len(roots))
    if reading:
        return made
    nodes = order(made)
    if not {type(node) for node in nodes} & {Inverse, Map}:
        return made
    formed = _formed(nodes)
    return rewrite(made, lambda node: _finally(node, formed), names)


@dataclass
class _Contractions:
    """The contractions of two arrays each that no order avoids: longer products take them where they can.

    ``here`` are the results that the product at hand serves, as bits: it takes only what each of them needs anyway.
    """

    forced: dict[frozenset[Node], dict[Node, int]] = field(default_factory=dict)
    here: int = 0

    def put(self, node: Node) -> None:
        node = core(node)
        if isinstance(node, Product) and node.summed:
            known = self.forced.setdefault(frozenset(node.parts()), {})
            known[node] = known.get(node, 0) | self.here

    def among(self, parts: Sequence[_Part], out: frozenset[int]) -> Pairs:
        """The pairs of factors whose product is there."""
        found = set()
        for i, j in combinations(range(len(parts)), 2):
            known = self.forced.get(frozenset((parts[i].node, parts[j].node)))
            if known and not (parts[i].inverse or parts[j].inverse):
                rest = out.union(*(part.labels for k, part in enumerate(parts) if k not in (i, j)))
                if self.here & ~known.get(core(_pair(parts[i], parts[j], rest).node), 0) == 0:
                    found.add((i, j))
        return frozenset(found)


def _associated(roots: Sequence[Node], names: Names, reading: bool, results: Sequence[int]) -> list[Node]:
    """The roots with products of at most two factors: those that leave no choice first, for the others to share."""
    known = _Contractions()
    serves = reaching(roots, results)
    made = _binaries(roots, names, reading, known, serves)
    if reading or not known.forced or all(not isinstance(n, Product) or _arrays(n) <= 2 for n in serves):
        return made
    return _binaries(roots, names, reading, known, serves)


def _binaries(
    roots: Sequence[Node], names: Names, reading: bool, known: _Contractions, serves: Mapping[Node, int]
) -> list[Node]:
    def binary(node: Node) -> Node:
        return _known(node, _binary(node, reading, known)) if isinstance(node, Product) else node

    new: dict[Node, Node] = {}
    for node in order(roots):
        known.here = serves[node]
        new[node] = through(rebuilt(node, new), binary)
    rename(names, new)
    return [new[root] for root in roots]


def _arrays(node: Product) -> int:
    return sum(bool(labels) for _, labels, _ in node.factors)


def _finally(node: Node, formed: set[Node]) -> Node:
    if isinstance(node, Product):
        return node if formed.intersection(node.operands) else _solved(node)
    return _multiplied(node) if isinstance(node, Map) and node.rank else node


def _multiplied(node: Map) -> Node:
    """x³ = x² x, x⁴ = (x²)² and x^1.5 = x sqrt(x) of arrays, where a power takes 40 times as long as a product"""
    exponent = node.atom.exponent
    if node.atom is not power_of(exponent) or not (exponent == Fraction(3, 2) or 2 < exponent <= MOST_MULTIPLIED):
        return node
    whole, rest = int(exponent // 1), exponent % 1
    if rest not in (0, HALF):
        return node
    x = node.argument(0)
    if rest:
        parts = (_raised(x, whole), _entrywise_power(x, HALF))
    else:
        parts = (_even(x, whole - 1), x) if whole % 2 else (_even(x, whole // 2),) * 2
    left, right = (_multiplied(part) if isinstance(part, Map) else part for part in parts)
    return _entrywise_power(left, 2) if left is right else left * right


def _known(node: Product, made: Node) -> Node:
    """The binary product, with what was proved of the whole: that it equals its transpose."""
    inner = core(made)
    if node.symmetric and inner.rank == 2:
        inner.symmetric = True
    return made


def _formed(nodes: Sequence[Node]) -> set[Node]:
    """The inverses of definite matrices by which square matrices are multiplied twice: products are faster than
    eliminations, and lose nothing there."""
    counts: Counter[Node] = Counter()
    for node in nodes:
        for inner, labels, other, _ in _divided(node):
            if len(labels) == 2 and other.shape == inner.shape:
                counts[inner] += is_definite(inner.matrices)
    return {inner for inner, times in counts.items() if times > 1}


def _solved(node: Product) -> Node:
    """A⁻¹ B by elimination"""
    for inner, labels, other, axes in _divided(node):
        found = solve(inner, labels, other, axes, tuple(range(node.rank)))
        if found is not None:
            return found
    return node


def _divided(node: Node) -> Iterator[tuple[Inverse, Labels, Node, Labels]]:
    """The inverse and the other factor of a product over one label, each with its labels; both ways round."""
    if isinstance(node, Product) and len(node.factors) == 2 and len(node.summed) == 1:
        for (inner, labels, p), (other, axes, q) in (node.factors, node.factors[::-1]):
            if isinstance(inner, Inverse) and p == q == 1:
                yield inner, labels, other, axes


@dataclass(frozen=True)
class _Part:
    """A factor on its way to the result; ``inverse`` says that it divides."""

    node: Node
    labels: Labels
    inverse: bool = False

    @property
    def factor(self) -> Factor:
        return self.node, self.labels, -1 if self.inverse else 1

    def plain(self) -> _Part:
        """The part as a plain factor, its reciprocal taken."""
        return _Part(_entrywise_power(self.node, -1), self.labels) if self.inverse else self


def _binary(node: Product, reading: bool, known: _Contractions) -> Node:
    factors = node.factors
    if len(factors) < 2:
        return _power_alone(node)
    if len(factors) == 2 and _is_case(node):
        known.put(node)
        return node
    scalars = [f for f in factors if not f[1]]
    arrays = [_part(f) for f in factors if f[1]]
    if len(arrays) > 1 and len(arrays) + len(scalars) > 2:
        arrays, more = _components(arrays, node.rank, lambda part: _binary(part, reading, known))
        scalars = _gathered([*scalars, *more])
    if not arrays:
        return _scalars(scalars)
    sizes = label_sizes(factors)
    summed = _summed(arrays, node.rank)
    scale = _scalars(scalars) if scalars else None
    solving = [part for part in summed if isinstance(part.node, Inverse)]
    if solving:
        summed.sort(key=lambda part: part.labels != solving[0].labels[-1:])  # A⁻¹ a rather than A⁻ᵀ a
    elif scale is not None and not reading:
        smallest = min(range(len(summed)), key=lambda k: entries(summed[k].node.shape))
        if entries(summed[smallest].node.shape) < entries(node.shape):
            summed[smallest] = _scaled(summed[smallest], scale)
            scale = None
    typical = {label: TYPICAL if reading else size.typical for label, size in sizes.items()}
    out = frozenset(range(node.rank))
    _, tree = contraction([p.labels for p in summed], out, typical, known.among(summed, out))
    if solving and scale is not None and not reading and not isinstance(tree, int):
        left, right = _halves(tree, summed, out)
        if min(entries(left.node.shape), entries(right.node.shape)) < entries(node.shape):
            left, right = sorted(
                (left, right), key=lambda part: (isinstance(part.node, Inverse), entries(part.node.shape))
            )
            return _finished(_pair(_scaled(left, scale), right, out), node.shape, None)
    result = _built(tree, summed, out)
    if len(summed) == 2:
        known.put(result.node)
    return _finished(result, node.shape, scale)


def _even(node: Node, power: int) -> Node:
    """An even power, of |x| that of x"""
    return _raised(node.argument(0) if isinstance(node, Map) and node.atom.name == "absolute" else node, power)


def _gathered(scalars: Sequence[Factor]) -> list[Factor]:
    """Equal scalars as one."""
    powers: dict[Node, Number] = {}
    for node, _, power in scalars:
        powers[node] = powers.get(node, 0) + power
    return [(node, (), power) for node, power in powers.items() if power]


def _components(
    arrays: Sequence[_Part], rank: int, binary: Callable[[Product], Node]
) -> tuple[list[_Part], list[Factor]]:
    """The arrays that hang together with the result by their labels, and the scalars that the others make."""
    groups: list[list[_Part]] = []
    for part in arrays:
        touched = [g for g in groups if any(set(part.labels) & set(other.labels) for other in g)]
        groups = [g for g in groups if g not in touched] + [[p for g in touched for p in g] + [part]]
    if len(groups) == 1:
        return list(arrays), []
    inside = [g for g in groups if any(k < rank for part in g for k in part.labels)]
    scalars: list[Factor] = []
    for group in groups:
        if group not in inside:
            made = product([part.factor for part in group], ())
            scalars.append((binary(made) if isinstance(made, Product) else made, (), 1))
    return [part for part in arrays if any(part in g for g in inside)], scalars


def _power_alone(node: Product) -> Node:
    """A product of one factor: a power is an atom of its own, but for a sum of squares and a reciprocal."""
    if not node.factors or node.factors[0][2] in (1, -1) or (node.summed and node.factors[0][2] == 2):
        return node
    return product([_part(node.factors[0]).factor], node.shape)


def _raised(node: Node, power: Number) -> Node:
    """A power of a node, as an atom; negative ones are reciprocals of it."""
    if power == 1:
        return node
    if power < 0:
        return product([(_raised(node, -power), tuple(range(node.rank)), -1)], node.shape)
    return _entrywise_power(node, power)


def _entrywise_power(node: Node, power: Number) -> Node:
    """A power as an atom, so that it merges with nothing."""
    return apply(power_of(power), [(1, node, tuple(range(node.rank)))], node.shape)


def _is_case(node: Product) -> bool:
    """Whether a product of two factors is emitted as it stands: entrywise, or a contraction of plain factors over
    shared labels."""
    (x, a, p), (y, b, q) = node.factors
    if not node.summed:
        return abs(p) == 1 and abs(q) == 1 and not (p == q == -1) and not (min(p, q) < 0 and Delta in map(type, (x, y)))
    return (
        p == q == 1
        and bool(a)
        and bool(b)
        and all(k in a and k in b for k in node.summed)
        and _simple(a)
        and _simple(b)
    )


def _simple(labels: Labels) -> bool:
    return len(set(labels)) == len(labels)


def _part(factor: Factor) -> _Part:
    """The factor with its power taken, but for the sign of the power; a diagonal is read off first."""
    node, labels, power = factor
    if not _simple(labels):
        kept = tuple(dict.fromkeys(labels))
        place = {label: axis for axis, label in enumerate(kept)}
        shape = tuple(node.shape[labels.index(k)] for k in kept)
        node, labels = product([(node, tuple(place[k] for k in labels), 1)], shape), kept
    return _Part(*_opened(_raised(node, magnitude(power)), labels), power < 0)


def _opened(node: Node, labels: Labels) -> tuple[Node, Labels]:
    """The node behind a view that only permutes or repeats axes."""
    c, core, inner = operand(node, labels)
    return (core, inner) if c == 1 and len(inner) == len(labels) else (node, labels)


def _scalars(factors: Sequence[Factor]) -> Node:
    """The product of scalars, those in the denominator together."""
    above = [f for f in factors if f[2] > 0]
    below = [(n, labels, -p) for n, labels, p in factors if p < 0]
    top = _chain(above)
    bottom = _chain(below)
    return product([(node, (), power) for node, power in ((top, 1), (bottom, -1)) if node is not None], ())


def _chain(factors: Sequence[Factor]) -> Node | None:
    result: Node | None = None
    for node, _, power in factors:
        raised = _raised(node, power)
        result = raised if result is None else product([(result, (), 1), (raised, (), 1)], ())
    return result


def _summed(parts: Sequence[_Part], rank: int) -> list[_Part]:
    """Each label that stands in one factor alone is summed there first."""
    seen = Counter(label for part in parts for label in part.labels)
    found = []
    for part in parts:
        kept = tuple(k for k in part.labels if k < rank or seen[k] > 1)
        if len(kept) < len(part.labels):
            found.append(_total(part, kept))
        else:
            found.append(part)
    return found


def _total(part: _Part, kept: Labels) -> _Part:
    place = {label: axis for axis, label in enumerate(kept)}
    for label in part.labels:
        place.setdefault(label, len(place))
    shape = tuple(part.node.shape[part.labels.index(k)] for k in kept)
    node = product([_squared(part, place)], shape)
    return _Part(*_opened(node, kept))


def _squared(part: _Part, place: dict[int, int]) -> Factor:
    """The factor at its places; a square is seen through, since sums of squares have a case of their own."""
    node, labels = part.node, tuple(place[k] for k in part.labels)
    if isinstance(node, Map) and node.atom is power_of(2) and not part.inverse:
        c, inner, axes = node.arguments[0]
        if c == 1:
            return inner, tuple(labels[a] for a in axes), 2
    return node, labels, -1 if part.inverse else 1


def _scaled(part: _Part, scale: Node) -> _Part:
    plain = part.plain()
    return _Part(
        product([(scale, (), 1), (plain.node, tuple(range(plain.node.rank)), 1)], plain.node.shape), plain.labels
    )


def _built(tree: Tree, parts: Sequence[_Part], out: frozenset[int]) -> _Part:
    """The tree of binary products, leaves first (trees have at most a few levels)."""
    if isinstance(tree, int):
        return parts[tree]
    inside = set(_leaves(tree))
    needed = out.union(*(parts[k].labels for k in range(len(parts)) if k not in inside))
    left, right = _halves(tree, parts, needed)
    return _pair(left, right, needed)


def _halves(tree: tuple[Tree, Tree], parts: Sequence[_Part], needed: frozenset[int]) -> tuple[_Part, _Part]:
    left, right = (_built(branch, parts, needed.union(*_others(tree, branch, parts))) for branch in tree)
    return left, right


def _others(tree: tuple[Tree, Tree], branch: Tree, parts: Sequence[_Part]) -> list[Labels]:
    other = tree[1] if branch is tree[0] else tree[0]
    return [parts[k].labels for k in _leaves(other)]


def _leaves(tree: Tree) -> list[int]:
    if isinstance(tree, int):
        return [tree]
    return [*_leaves(tree[0]), *_leaves(tree[1])]


def _pair(left: _Part, right: _Part, needed: frozenset[int]) -> _Part:
    union = tuple(dict.fromkeys((*left.labels, *right.labels)))
    kept = tuple(k for k in union if k in needed)
    if len(kept) < len(union) or Delta in (type(left.node), type(right.node)):  # 0 / 0 off a diagonal
        left, right = left.plain(), right.plain()
    if left.inverse and right.inverse:
        joined = _pair(_Part(left.node, left.labels), _Part(right.node, right.labels), needed)
        return _Part(joined.node, joined.labels, True)
    if left == right and len(kept) == len(union):
        return _Part(_entrywise_power(left.node, 2), left.labels)
    place = {label: axis for axis, label in enumerate(kept)}
    for label in union:
        place.setdefault(label, len(place))
    sizes = label_sizes((left.factor, right.factor))
    factors = [(n, tuple(place[k] for k in labels), power) for n, labels, power in (left.factor, right.factor)]
    return _Part(*_opened(product(factors, tuple(sizes[k] for k in kept)), kept))


def _finished(part: _Part, shape: Shape, scale: Node | None) -> Node:
    power: Number = -1 if part.inverse else 1
    if scale is None:
        return product([(part.node, part.labels, power)], shape)
    return product([(scale, (), 1), (part.node, part.labels, power)], shape)
