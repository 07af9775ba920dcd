"""The expression graph: immutable, interned nodes, and the algebra of sums and labelled products.

An operand is ``(coefficient, node, labels)``: axis k of the node runs over the label ``labels[k]``. In a node of rank
r the labels 0 … r-1 are the axes of its result; the others are summed over. So ``X_ij w_j`` is a product with the
label of j summed, a transpose is a change of labels, and trace cyclicity, Hadamard commutativity and broadcasting
need no rules.

`View` (a coefficient, a transpose or a diagonal, a broadcast) is never an operand: constructors look through it.
Every other node has coefficient 1, no axis that it does not vary along, and its axes in canonical order; the
constructors see to it, so that equal values met in different orientation are one object. No node has an axis of
literal 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar, cast

from gradgen.dims import Size
from gradgen.labels import Labels, canonical, number

Number = int | Fraction
Shape = tuple[Size, ...]
Operand = tuple[Number, "Node", Labels]
Factor = tuple["Node", Labels, Number]
N = TypeVar("N", bound="Node")


def rational(value: float | Fraction) -> Number:
    """The number as a decimal says it: 0.1 is one tenth. Integers stay ``int``."""
    fraction = value if isinstance(value, Fraction) else Fraction(repr(value) if isinstance(value, float) else value)
    return fraction.numerator if fraction.denominator == 1 else fraction


@lru_cache(4096)
def tag(value: Number) -> int:
    """A number that tells coefficients and powers apart (Python's hash takes -1 for -2)."""
    return number(str(value))


class Arena:
    """The nodes of one loss: equal ones are one object, and creation order breaks ties in print."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[Any, ...], Node] = {}


_ARENA: ContextVar[Arena] = ContextVar("arena")


@contextmanager
def arena(one: Arena | None = None) -> Iterator[Arena]:
    """The arena in which nodes are made inside the ``with`` block: losses built together do not see one another."""
    one = one or Arena()
    token = _ARENA.set(one)
    try:
        yield one
    finally:
        _ARENA.reset(token)


class Node:
    """An array-valued expression. ``symmetric``: proved to equal its transpose (rank 2)."""

    __slots__ = ("digest", "operands", "serial", "shape", "symmetric")
    fields: tuple[str, ...] = ()
    operands: tuple[Node, ...]
    shape: Shape
    digest: int
    serial: int
    symmetric: bool

    @property
    def rank(self) -> int:
        return len(self.shape)

    def parts(self) -> tuple[Node, ...]:
        """The nodes that this one is made of, kept as ``operands``."""
        return ()

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        """The same operation on new operands."""
        return self

    def __add__(self, other: Node | float) -> Node:
        left, right, shape = _aligned(self, other)
        return add([left, right], shape)

    def __neg__(self) -> Node:
        return view(-1, self)

    def __sub__(self, other: Node | float) -> Node:
        return self + -as_node(other)

    def __rsub__(self, other: float) -> Node:
        return as_node(other) - self

    def __mul__(self, other: Node | float) -> Node:
        (c, a, i), (e, b, j), shape = _aligned(self, other)
        return product([(a, i, 1), (b, j, 1)], shape, c * e)

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, power: float | Fraction) -> Node:
        return product([(self, tuple(range(self.rank)), rational(power))], self.shape)

    def __truediv__(self, other: Node | float) -> Node:
        return self * as_node(other) ** -1

    def __rtruediv__(self, other: float) -> Node:
        return as_node(other) / self

    def __matmul__(self, other: Node) -> Node:
        """The product over the last axis of the left and the first of the right operand (rank at most 2)."""
        rank = self.rank + other.rank - 2
        left = (*range(self.rank - 1), rank)
        right = (rank, *range(self.rank - 1, rank))
        return product([(self, left, 1), (other, right, 1)], (*self.shape[:-1], *other.shape[1:]))

    @property
    def T(self) -> Node:
        axes = tuple(reversed(range(self.rank)))
        return view(1, self, axes, self.shape[::-1])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.serial} ({', '.join(map(str, self.shape))})>"


def intern(
    cls: type[N], shape: Shape, fields: tuple[Any, ...], signature: tuple[int, ...], symmetric: bool = False
) -> N:
    """The one node of this class, shape and fields. ``signature`` says in numbers what tells it from others in any
    run."""
    nodes = _ARENA.get().nodes
    key = (cls, shape, fields)
    found = nodes.get(key)
    if found is None:
        found = object.__new__(cls)
        for name, value in zip(cls.fields, fields, strict=True):
            setattr(found, name, value)
        found.shape = shape
        found.symmetric = symmetric
        found.operands = found.parts()
        found.digest = hash((number(cls.__name__), *(number(size.key) for size in shape), *signature))
        found.serial = len(nodes)
        nodes[key] = found
    elif symmetric:
        found.symmetric = True  # it was not known when the node was made
    return cast(N, found)


class Symbol(Node):
    """An argument, or the direction ``d<name>`` of one. ``index`` orders the symbols, so that names do not."""

    __slots__ = fields = ("name", "index", "facts", "direction")
    name: str
    index: int
    facts: frozenset[str]
    direction: bool


class Constant(Node):
    """An array of numbers that stands in the spec; ``values`` are row by row."""

    __slots__ = fields = ("values",)
    values: tuple[float, ...]


class Count(Node):
    """A dimension as a number."""

    __slots__ = fields = ("size",)
    size: Size


class Delta(Node):
    """The identity matrix."""

    __slots__ = fields = ()


class Triangle(Node):
    """1 where the column is at most ``offset`` beyond the row, 0 elsewhere: what the lower triangle is masked with."""

    __slots__ = fields = ("offset",)
    offset: int


class Arange(Node):
    """The numbers 0, 1, …"""

    __slots__ = fields = ()


class View(Node):
    """``coefficient * node`` under other labels: a scaled, transposed, diagonal or broadcast node."""

    __slots__ = fields = ("coefficient", "node", "labels")
    coefficient: Number
    node: Node
    labels: Labels

    def parts(self) -> tuple[Node, ...]:
        return (self.node,)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return view(self.coefficient, new(self.node), self.labels, self.shape)


class Add(Node):
    """The sum of its terms, each broadcast along the labels that it lacks."""

    __slots__ = fields = ("terms",)
    terms: tuple[Operand, ...]

    def parts(self) -> tuple[Node, ...]:
        return tuple(node for _, node, _ in self.terms)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return add([(c, new(node), labels) for c, node, labels in self.terms], self.shape)


class Product(Node):
    """The product of powers of its factors, summed over the labels that are not axes of the result."""

    __slots__ = fields = ("factors",)
    factors: tuple[Factor, ...]

    def parts(self) -> tuple[Node, ...]:
        return tuple(node for node, _, _ in self.factors)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return product([(new(node), labels, power) for node, labels, power in self.factors], self.shape)

    @property
    def summed(self) -> frozenset[int]:
        """The labels that are summed over."""
        return frozenset(label for _, labels, _ in self.factors for label in labels if label >= self.rank)


def one() -> Node:
    """The number 1: the empty product."""
    return intern(Product, (), ((),), ())


def zero(shape: Shape) -> Node:
    return view(0, one(), (), shape)


def label_sizes(factors: Iterable[Factor]) -> dict[int, Size]:
    """The size of each label of some factors."""
    return {label: size for node, labels, _ in factors for label, size in zip(labels, node.shape, strict=True)}


def as_node(value: Node | float | Fraction) -> Node:
    if isinstance(value, Node):
        return value
    if isinstance(value, float) and value * 0 != 0:
        return constant((value,), ())
    return view(rational(value), one(), (), ())


def is_zero(node: Node) -> bool:
    return isinstance(node, View) and node.coefficient == 0


def as_number(node: Node) -> Number | None:
    """The number that a node is everywhere, or None."""
    if node is one():
        return 1
    return node.coefficient if isinstance(node, View) and node.node is one() else None


def symbol(
    name: str,
    index: int,
    shape: Shape,
    facts: frozenset[str] = frozenset(),
    direction: bool = False,
    symmetric: bool = False,
) -> Symbol:
    symmetric = symmetric and len(shape) == 2
    return intern(Symbol, shape, (name, index, facts, direction), (index, int(direction)), symmetric)


def constant(values: Sequence[float], shape: Shape) -> Node:
    return intern(Constant, shape, (tuple(values),), tuple(number(repr(v)) for v in values))


def count(size: Size) -> Node:
    """A dimension as a number; a literal one is a plain number."""
    if size.constant is not None:
        return as_node(size.constant)
    return intern(Count, (), (size,), (number(size.key),))


def triangle(rows: Size, columns: Size, offset: int) -> Node:
    return intern(Triangle, (rows, columns), (offset,), (offset,))


def arange(size: Size) -> Node:
    return intern(Arange, (size,), (), ())


def delta(size: Size) -> Node:
    return intern(Delta, (size, size), (), (), symmetric=True)


def view(coefficient: Number, node: Node, labels: Labels | None = None, shape: Shape | None = None) -> Node:
    """``coefficient * node`` with its axes under ``labels``, broadcast to ``shape``."""
    shape = node.shape if shape is None else shape
    c, core, inner = operand(node, tuple(range(node.rank)) if labels is None else labels, coefficient)
    if c == 1 and inner == tuple(range(len(shape))):
        return core
    if c == 0:
        core, inner = one(), ()
    return intern(View, shape, (c, core, inner), (tag(c), core.digest, *inner))


def operand(node: Node, labels: Labels, coefficient: Number = 1) -> Operand:
    """The operand behind views; the labels of a symmetric node are sorted."""
    if isinstance(node, View):
        coefficient, labels, node = coefficient * node.coefficient, tuple(labels[k] for k in node.labels), node.node
    if node.symmetric and labels[0] > labels[1]:
        labels = (labels[1], labels[0])
    return coefficient, node, labels


def _aligned(left: Node | float, right: Node | float) -> tuple[Operand, Operand, Shape]:
    """Two operands aligned at their last axes, as NumPy does, and the shape of the result."""
    a, b = as_node(left), as_node(right)
    rank = max(a.rank, b.rank)
    shape = a.shape if a.rank == rank else b.shape
    return (
        operand(a, tuple(range(rank - a.rank, rank))),
        operand(b, tuple(range(rank - b.rank, rank))),
        shape,
    )


def add(operands: Iterable[Operand], shape: Shape) -> Node:
    """The sum of operands, equal ones merged."""
    merged: dict[tuple[Node, Labels], Number] = {}
    for coefficient, node, labels in operands:
        assert all(shape[k] == size for k, size in zip(labels, node.shape, strict=True)), "a label has one size"
        c, core, inner = operand(node, labels, coefficient)
        merged[core, inner] = merged.get((core, inner), 0) + c
    terms = [(c, core, labels) for (core, labels), c in merged.items() if c]
    if not terms:
        return zero(shape)
    if len(terms) == 1:
        return view(*terms[0], shape)
    order = _orientation([(hash((tag(c), core.digest)), labels) for c, core, labels in terms], shape)
    place = {label: axis for axis, label in enumerate(order)}
    terms = sorted(
        (operand(core, tuple(place[k] for k in labels), c) for c, core, labels in terms),
        key=lambda term: (term[1].digest, term[2], term[1].serial),
    )
    core_shape = tuple(shape[label] for label in order)
    symmetric = _square(core_shape) and {operand(n, _swap(k), c) for c, n, k in terms} == set(terms)
    signature = tuple(hash((tag(c), core.digest, *labels)) for c, core, labels in terms)
    return view(1, intern(Add, core_shape, (tuple(terms),), signature, symmetric), order, shape)


def opposite(node: Node) -> Node:
    """-node as a sum of one term: what a fractional power of a negative multiple is taken of."""
    labels = tuple(range(node.rank))
    return intern(Add, node.shape, (((-1, node, labels),),), (node.digest,), node.symmetric)


def product(factors: Iterable[Factor], shape: Shape, coefficient: Number = 1) -> Node:
    """The product of powers of factors, summed over the labels from ``len(shape)`` on.

    Powers of equal factors merge, identities dissolve, a sum over a label that no factor has counts its size, and the
    rows of a one-hot or simplex argument sum to 1.
    """
    sizes = dict(enumerate(shape))
    coefficient, powers = _collect(factors, sizes, coefficient)
    if coefficient == 0:
        return zero(shape)
    powers = {key: power for key, power in _dissolve(powers, sizes, len(shape)).items() if power}
    if _misses(powers):
        return zero(shape)
    _sum_rows(powers, sizes, len(shape))
    present = {label for _, labels in powers for label in labels}
    for label in [label for label in sizes if label >= len(shape) and label not in present]:
        c, core, _ = operand(count(sizes[label]), ())
        coefficient *= c
        if core is not one():
            powers[core, ()] = powers.get((core, ()), 0) + 1
    todo = [(node, labels, power) for (node, labels), power in powers.items()]
    if not todo:
        return view(coefficient, one(), (), shape)
    if len(todo) == 1 and todo[0][2] == 1 and max(todo[0][1], default=-1) < len(shape):
        return view(coefficient, todo[0][0], todo[0][1], shape)
    return _core(todo, sizes, shape, coefficient)


Powers = dict[tuple[Node, Labels], Number]


def _collect(factors: Iterable[Factor], sizes: dict[int, Size], coefficient: Number) -> tuple[Number, Powers]:
    """The coefficient and the powers of the factors behind views and powers of one factor."""
    powers: Powers = {}
    for node, labels, power in factors:
        for label, size in zip(labels, node.shape, strict=True):
            assert sizes.setdefault(label, size) == size, "a label has one size"
        c, core, inner = operand(node, labels)
        if c != 1:
            if isinstance(power, Fraction) and c < 0:
                c, core = -c, opposite(core)
            coefficient *= _power(c, power)
        if isinstance(core, Product) and len(core.factors) == 1 and not core.summed:
            base, axes, exponent = core.factors[0]
            if isinstance(power, int):
                core, inner, power = base, tuple(inner[k] for k in axes), exponent * power
        if isinstance(core, Count) and power < 0 and any(c < 0 for _, c in core.size.terms):
            core, power = apply(RECIPROCAL, [(1, core, ())], ()), -power  # n - 1 may be 0, and 0 / 0 is not 1
        if isinstance(core, Triangle) and inner[0] == inner[1]:  # its diagonal is all ones, or all zeros
            coefficient *= int(core.offset >= 0)
            continue
        power = _reduced(core, power)
        powers[core, inner] = _reduced(core, powers.get((core, inner), 0) + power)
    powers.pop((one(), ()), None)
    return coefficient, {key: power for key, power in powers.items() if power}


def _power(c: Number, power: Number) -> Number:
    if isinstance(power, int) and (c or power > 0):
        return rational(Fraction(c) ** power)
    return rational(float(c) ** float(power))


def _reduced(node: Node, power: Number) -> Number:
    """Powers that facts of an argument make trivial: a 0/1 entry equals its powers, the square of a sign is 1. So
    do masks."""
    if isinstance(node, Symbol) and node.facts and isinstance(power, int):
        if power > 1 and node.facts & {"one_hot", "boolean"}:
            return 1
        if "sign" in node.facts:
            return power % 2
    if (isinstance(node, Triangle) or (isinstance(node, Map) and node.atom.mask)) and power > 0:
        return 1
    return power


def _dissolve(powers: Powers, sizes: dict[int, Size], rank: int) -> Powers:
    """Identities go: a summed label of one is the other label.

    Between two axes of the result one stays, and what else runs along the second axis is taken along the first: off
    the diagonal the product is 0 whatever stands there, infinities included.
    """
    for identity, labels in [key for key in powers if isinstance(key[0], Delta)]:
        kept, gone = labels
        rest = {key: power for key, power in powers.items() if key != (identity, labels)}
        if kept == gone or gone >= rank:
            if kept != gone:
                sizes.pop(gone)
            return _dissolve(_moved(rest, gone, kept), sizes, rank)
        powers[identity, labels] = 1
        if any(gone in where for _, where in rest):
            return _dissolve(_moved(rest, gone, kept) | {(identity, labels): 1}, sizes, rank)
    return powers


def _moved(powers: Powers, gone: int, kept: int) -> Powers:
    """The powers where the label ``gone`` is the label ``kept``."""
    moved: Powers = {}
    for (node, old), power in powers.items():
        _, core, new = operand(node, tuple(kept if k == gone else k for k in old))
        moved[core, new] = _reduced(core, moved.get((core, new), 0) + power)
    return moved


def _misses(powers: Powers) -> bool:
    """Whether a triangle leaves out the diagonal that it meets; one that holds it goes."""
    diagonals = {labels for node, labels in powers if isinstance(node, Delta)}
    met = [(n, k) for n, k in powers if isinstance(n, Triangle) and (k[0] == k[1] or tuple(sorted(k)) in diagonals)]
    for node, labels in met:
        if powers.pop((node, labels)) > 0 and isinstance(node, Triangle) and node.offset < 0:
            return True
    return False


def _sum_rows(powers: Powers, sizes: dict[int, Size], rank: int) -> None:
    """The rows of a one-hot or simplex argument sum to 1."""
    rows = [key for key in powers if isinstance(key[0], Symbol) and key[0].facts & {"one_hot", "simplex"}]
    for node, labels in rows:
        label = labels[-1]
        users = sum(label in other for _, other in powers)
        if label >= rank and users == 1 and labels.count(label) == 1 and powers[node, labels] == 1:
            del powers[node, labels], sizes[label]


def _core(factors: list[Factor], sizes: dict[int, Size], shape: Shape, coefficient: Number) -> Node:
    present = {label for _, labels, _ in factors for label in labels}
    out = [label for label in range(len(shape)) if label in present]
    groups = _groups(factors)
    colours = {label: hash((number(sizes[label].key), label < len(shape))) for label in sorted(present)}
    order = _upright(canonical(groups, colours, out), factors)
    place = {label: axis for axis, label in enumerate(order)}
    inner = [label for label in sorted(present) if label >= len(shape)]
    ordered = _arranged(factors, place, inner, sizes)
    core_shape = tuple(shape[label] for label in order)
    symmetric = False
    if _square(core_shape) and len(ordered) <= MOST_SWAPPED:
        symmetric = _is_diagonal(ordered) or _swaps(ordered) or _swaps(_laid_open(ordered))
    signature = tuple(hash((node.digest, tag(power), *labels)) for node, labels, power in ordered)
    return view(coefficient, intern(Product, core_shape, (ordered,), signature, symmetric), order, shape)


def _upright(order: Labels, factors: Sequence[Factor]) -> Labels:
    """The order with the two axes of each identity as they are numbered: what else stands on it is on the first. A
    diagonal matrix is its own transpose, and needs no order."""
    places = {label: axis for axis, label in enumerate(order)}
    for node, labels, _ in factors if len(order) > 2 else ():
        if isinstance(node, Delta):
            places |= zip(labels, sorted(places[k] for k in labels), strict=True)
    return tuple(sorted(places, key=places.__getitem__))


MOST_SWAPPED = 8


def _swaps(factors: Sequence[Factor]) -> bool:
    """Whether a product with the labels 0 and 1 stays the same when these change places."""
    sizes = label_sizes(factors)
    inner = sorted(k for k in sizes if k > 1)
    one, other = (_arranged(list(factors), place, inner, sizes) for place in ({0: 0, 1: 1}, {0: 1, 1: 0}))
    return _unsigned(one) == _unsigned(other)


def _laid_open(factors: Sequence[Factor]) -> Sequence[Factor]:
    """The factors with those of inner products in their place: to see what they are, whoever else uses them."""
    while any(isinstance(n, Product) and power == 1 for n, _, power in factors) and len(factors) <= MOST_SWAPPED:
        fresh = 1 + max(k for _, labels, _ in factors for k in labels)
        at = next(k for k, (n, _, power) in enumerate(factors) if isinstance(n, Product) and power == 1)
        node, labels, _ = factors[at]
        factors = [*factors[:at], *inlined(cast(Product, node), labels, fresh), *factors[at + 1 :]]
    return factors


def _unsigned(factors: Sequence[Factor]) -> object:
    """The factors up to the sign of what has an even power: the square of x_i - x_j is that of x_j - x_i."""
    if not any(isinstance(n, Add) and power % 2 == 0 for n, _, power in factors):
        return factors
    return Counter((_up_to_sign(n, labels) if power % 2 == 0 else (n, labels), power) for n, labels, power in factors)


def _up_to_sign(node: Node, labels: Labels) -> object:
    if not isinstance(node, Add):
        return node, labels
    terms = [operand(n, tuple(labels[k] for k in axes), c) for c, n, axes in node.terms]
    return frozenset({frozenset(terms), frozenset((-c, n, axes) for c, n, axes in terms)})


def _is_diagonal(factors: Sequence[Factor]) -> bool:
    """Whether a product with the labels 0 and 1 is a diagonal matrix of what stands on one of them."""
    between = [labels for node, labels, _ in factors if isinstance(node, Delta) and labels == (0, 1)]
    rest = {k for node, labels, _ in factors if not isinstance(node, Delta) for k in labels}
    return bool(between) and len(rest & {0, 1}) == 1


def _arranged(
    factors: list[Factor], place: dict[int, int], inner: list[int], sizes: dict[int, Size]
) -> tuple[Factor, ...]:
    """The factors with the labels of the result at their places and the summed ones in canonical order, sorted."""
    groups = _groups(factors)
    colours = {label: hash((axis, 0)) for label, axis in place.items()}
    colours |= {label: hash((number(sizes[label].key), -1)) for label in inner}
    place = dict(place)
    for label in canonical(groups, colours, inner):
        place[label] = len(place)
    moved = []
    for node, labels, power in factors:
        _, core, new = operand(node, tuple(place[k] for k in labels))
        moved.append((core, new, power))
    return tuple(sorted(moved, key=lambda f: (f[0].digest, f[1], f[2], f[0].serial)))


def _groups(factors: list[Factor]) -> list[tuple[int, Labels]]:
    """What tells the labels of factors apart; the two axes of a symmetric factor are alike."""
    found: list[tuple[int, Labels]] = []
    for node, labels, power in factors:
        key = hash((node.digest, tag(power)))
        found += [(key, labels), (key, labels[::-1])] if node.symmetric and len(labels) == 2 else [(key, labels)]
    return found


def _orientation(groups: list[tuple[int, Labels]], shape: Shape) -> Labels:
    """The labels of the result that occur, in canonical order."""
    present = Counter(label for _, labels in groups for label in labels)
    colours = {label: number(shape[label].key) for label in sorted(present)}
    return canonical(groups, colours, sorted(present))


def _square(shape: Shape) -> bool:
    return len(shape) == 2 and shape[0] == shape[1]


def _swap(labels: Labels) -> Labels:
    return tuple(1 - k for k in labels)


def inlined(inner: Product, labels: Labels, fresh: int) -> list[Factor]:
    """The factors of a product that stands under these labels; what it sums over is numbered from ``fresh`` on."""
    return [(n, tuple(labels[k] if k < inner.rank else fresh + k for k in old), p) for n, old, p in inner.factors]


class Atom:
    """A scalar function, applied entry by entry. Atoms are made in `gradgen.atoms`, which states their derivatives.

    ``value`` computes it on numbers, so that constants fold; ``mask`` says that its values are 0 and 1; ``first`` are
    the partial derivatives where the first argument alone varies: no result is ever differentiated by another.
    """

    __slots__ = ("exponent", "first", "mask", "name", "partials", "value")

    def __init__(
        self,
        name: str,
        partials: Callable[..., tuple[Node | None, ...]],
        value: Callable[..., float] | None = None,
        mask: bool = False,
        exponent: Number = 1,
        first: Callable[..., tuple[Node | None, ...]] | None = None,
    ) -> None:
        self.name, self.partials, self.value, self.mask, self.exponent = name, partials, value, mask, exponent
        self.first = first or partials

    def folded(self, operands: Sequence[Operand]) -> Number | None:
        """The value at constants, where it is a finite number."""
        if self.value is None or not all(node is one() for _, node, _ in operands):
            return None
        try:
            found = float(self.value(*(float(c) for c, _, _ in operands)))
        except (ArithmeticError, ValueError):
            return None
        return rational(found) if found - found == 0 else None

    def __repr__(self) -> str:
        return self.name


COMMUTATIVE = frozenset(("maximum", "minimum", "logaddexp", "hypot", "equal", "not_equal", "logical_and", "logical_or"))
RECIPROCAL = Atom("power_of", lambda y, x: (None,), exponent=-1)


class Map(Node):
    """An atom of one or more operands, entry by entry, broadcast by labels."""

    __slots__ = fields = ("atom", "arguments")
    atom: Atom
    arguments: tuple[Operand, ...]

    def parts(self) -> tuple[Node, ...]:
        return tuple(node for _, node, _ in self.arguments)

    def rebuild(self, new: Callable[[Node], Node]) -> Node:
        return apply(self.atom, [(c, new(node), labels) for c, node, labels in self.arguments], self.shape)

    def argument(self, position: int) -> Node:
        """An argument as a node of the shape of the result."""
        return view(*self.arguments[position], self.shape)


def apply(atom: Atom, operands: Sequence[Operand], shape: Shape) -> Node:
    """The atom of the operands, entry by entry."""
    opened = [operand(node, labels, c) for c, node, labels in operands]
    if atom.name in COMMUTATIVE:
        opened.sort(key=lambda o: (o[1] is one(), o[1].digest, tag(o[0]), o[2]))
    if atom.name == "where" and opened[0][1] is one():
        return view(*opened[1 if opened[0][0] else 2], shape)
    folded = atom.folded(opened)
    if folded is not None:
        return view(folded, one(), (), shape)
    order = _orientation(
        [(hash((k, tag(c), node.digest)), labels) for k, (c, node, labels) in enumerate(opened)], shape
    )
    place = {label: axis for axis, label in enumerate(order)}
    arguments = tuple(operand(node, tuple(place[k] for k in labels), c) for c, node, labels in opened)
    core_shape = tuple(shape[label] for label in order)
    symmetric = _square(core_shape) and tuple(operand(n, _swap(k), c) for c, n, k in arguments) == arguments
    signature = (
        number(atom.name),
        tag(atom.exponent),
        *(hash((tag(c), node.digest, *labels)) for c, node, labels in arguments),
    )
    return view(1, intern(Map, core_shape, (atom, arguments), signature, symmetric), order, shape)
