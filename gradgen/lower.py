"""Lowering: the tape becomes the expression graph.

Here alone NumPy's layout (axes of literal 1, alignment at the last axis) is known: a call of shape (n, 1, k) becomes a
node of shape (n, k).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from gradgen.atoms import ATOMS, Unknown, call
from gradgen.dims import Dim, Size, is_one
from gradgen.errors import NotSupportedError
from gradgen.nodes import (
    Node,
    Operand,
    Shape,
    Symbol,
    add,
    apply,
    arange,
    as_node,
    as_number,
    constant,
    count,
    delta,
    one,
    operand,
    product,
    symbol,
    triangle,
    view,
    zero,
)
from gradgen.ops.determinant import det, detsign, logdet
from gradgen.ops.factor import cholesky, eigenvalues
from gradgen.ops.gather import Index, gather, taken
from gradgen.ops.inverse import inverse
from gradgen.ops.nuclear import nuclear
from gradgen.ops.pinv import pinv
from gradgen.ops.reduce import prod, reduce
from gradgen.ops.reshape import reshape
from gradgen.ops.scan import scan
from gradgen.ops.select import Pick, embed, length, select
from gradgen.tape import Argument, Call, Span, Tape
from gradgen.translation import translate
from gradgen.walk import Name, Names, settle

PLAIN = frozenset(
    "greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not exp expm1 exp2 log log1p "
    "log2 log10 sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh absolute sign softplus relu "
    "maximum minimum logaddexp hypot arctan2 erf erfc ndtr log_ndtr logit entr gammaln digamma xlogy xlog1py "
    "rel_entr".split()
)


SYMMETRIC = frozenset({"Symmetric", "SPD"})


@dataclass(frozen=True)
class Lowered:
    """The graph of a loss: its value, its symbols, the names that the spec gives to nodes, and NumPy's ranks, of the
    arguments and of the value.

    ``function`` says that it is no loss but a map; ``entries`` that symmetric variables count by independent entries;
    ``triangular`` are the lower triangular arguments.
    """

    value: Node
    symbols: Mapping[str, Symbol]
    names: Names
    ranks: Mapping[str, int]
    rank: int
    function: bool = False
    entries: bool = False
    triangular: frozenset[str] = frozenset()

    def curved(self, wrt: tuple[str, ...]) -> bool:
        """Whether the loss has a Hessian as one array: by one vector or scalar."""
        return len(wrt) == 1 and self.ranks[wrt[0]] <= 1

    def spanned(self, wrt: tuple[str, ...]) -> bool:
        """Whether a function has a Jacobian as one array: of a vector by one vector."""
        return len(wrt) == 1 and self.ranks[wrt[0]] == self.rank == 1


def lower(tape: Tape) -> Lowered:
    """The graph of a tape, in the current arena."""
    dims = _ranked(tape)
    symbols = {
        a.name: symbol(a.name, index, _squeezed(_resized(a.given, dims)), _facts(a), symmetric=a.kind in SYMMETRIC)
        for index, a in enumerate(tape.arguments)
        if not a.callable
    }
    functions = {a.name: Unknown(a.name, index) for index, a in enumerate(tape.arguments) if a.callable}
    nodes: dict[Call, Node] = {}
    names: Names = {}
    for made in tape.calls():
        shape = _resized(made.shape, dims)
        step = _Step(made, shape, dims, [nodes[a] for a in made.args], symbols, functions)
        node = _LOWER.get(made.op, _entrywise)(step)
        nodes[made] = node
        if made in tape.names and as_number(node) is None:
            settle(names, node, Name(tape.names[made], True, tuple(range(node.rank))))
    for node in symbols.values():
        names.pop(node, None)
    ranks = {a.name: len(a.given) for a in tape.arguments}
    entries = tape.options.get("symmetric") == "entries"
    triangular = frozenset(a.name for a in tape.arguments if a.kind == "LowerTriangular")
    rank = len(tape.result.shape)
    return Lowered(nodes[tape.result], symbols, names, ranks, rank, tape.function, entries, triangular)


def _facts(argument: Argument) -> frozenset[str]:
    """The facts of an argument; what is said of rows says nothing of the graph where a row has one entry."""
    if argument.kind == "Indices":
        return frozenset({"index"})
    if argument.kind == "LowerTriangular":
        return argument.facts | {"triangular"}
    if argument.kind == "SPD":
        return argument.facts | {"definite"}
    if argument.shape and is_one(argument.shape[-1]):
        return argument.facts - {"one_hot", "simplex"}
    return argument.facts


def _ranked(tape: Tape) -> dict[Dim, Dim]:
    """The dimensions numbered as they first stand in the signature, so that their names decide nothing."""
    found: dict[Dim, Dim] = {}
    for argument in tape.arguments:
        for size in argument.shape:
            for dim in sorted(size.symbols):
                found.setdefault(dim, Dim(len(found), dim.name, dim.typical))
    return found


def _resized(shape: Sequence[Size], dims: Mapping[Dim, Dim]) -> Shape:
    return tuple(size.substitute(dims) for size in shape)


def _squeezed(shape: Sequence[Size]) -> Shape:
    return tuple(size for size in shape if not is_one(size))


@dataclass(frozen=True)
class _Step:
    """A call with its operands lowered. ``full`` is NumPy's shape, ``shape`` that of the node."""

    call: Call
    full: Shape
    dims: Mapping[Dim, Dim]
    nodes: Sequence[Node]
    symbols: Mapping[str, Symbol]
    functions: Mapping[str, Unknown]

    @property
    def shape(self) -> Shape:
        return _squeezed(self.full)

    def size(self, size: Size) -> Size:
        return size.substitute(self.dims)

    def axes(self, position: int) -> list[int | None]:
        """For each NumPy axis of an operand its axis of the node, None for a literal 1."""
        return _layout(_resized(self.call.args[position].shape, self.dims))

    def aligned(self, position: int) -> Operand:
        """An operand with its axes on those of the result, aligned at the last axis as NumPy broadcasts."""
        axes = self.axes(position)
        result = _layout(self.full)[len(self.full) - len(axes) :]
        labels = tuple(r for a, r in zip(axes, result, strict=True) if a is not None and r is not None)
        return operand(self.nodes[position], labels)


def _layout(shape: Shape) -> list[int | None]:
    found: list[int | None] = []
    for size in shape:
        found.append(None if is_one(size) else sum(a is not None for a in found))
    return found


def _entrywise(step: _Step) -> Node:
    """A function of scalars, applied entry by entry."""
    op, operands = step.call.op, [step.aligned(k) for k in range(len(step.nodes))]
    if op in PLAIN:
        return apply(ATOMS[op], operands, step.shape)
    return _ARITHMETIC[op](operands, step.shape)


def _power(operands: list[Operand], shape: Shape) -> Node:
    exponent = as_number(view(*operands[1], shape))
    if exponent is None:
        return apply(ATOMS["power"], operands, shape)
    return _to(operands[0], shape, exponent)


def _to(term: Operand, shape: Shape, power: int | Fraction) -> Node:
    c, node, labels = term
    inner = tuple(shape[k] for k in range(len(shape)))
    return product([(view(c, node, labels, inner), tuple(range(len(shape))), power)], shape)


def _multiply(operands: list[Operand], shape: Shape, powers: tuple[int, int] = (1, 1)) -> Node:
    full = tuple(range(len(shape)))
    return product([(view(*term, shape), full, p) for term, p in zip(operands, powers, strict=True)], shape)


_ARITHMETIC: dict[str, Callable[[list[Operand], Shape], Node]] = {
    "positive": lambda x, shape: view(*x[0], shape),
    "negative": lambda x, shape: -view(*x[0], shape),
    "add": add,
    "subtract": lambda x, shape: add([x[0], (-x[1][0], *x[1][1:])], shape),
    "multiply": _multiply,
    "divide": lambda x, shape: _multiply(x, shape, (1, -1)),
    "power": _power,
    "square": lambda x, shape: _to(x[0], shape, 2),
    "sqrt": lambda x, shape: _to(x[0], shape, Fraction(1, 2)),
    "reciprocal": lambda x, shape: _to(x[0], shape, -1),
    "expit": lambda x, shape: apply(ATOMS["sigmoid"], x, shape),
    "log_expit": lambda x, shape: -apply(ATOMS["softplus"], [(-x[0][0], *x[0][1:])], shape),
}


def _argument(step: _Step) -> Node:
    """The symbol of an argument; a diagonal matrix is one of its entries."""
    found = step.symbols[step.call.params["name"]]
    if found.rank == 1 and len(step.shape) == 2:
        return product([(found, (0,), 1), (delta(found.shape[0]), (0, 1), 1)], step.shape)
    return found


def _constant(step: _Step) -> Node:
    values = [float(v) for v in step.call.params["value"].ravel()]
    if values and values.count(values[0]) == len(values) and math.isfinite(values[0]):
        return view(1, as_node(values[0]), (), step.shape)
    return constant(values, step.shape)


def _transpose(step: _Step) -> Node:
    axes = step.axes(0)
    order = [axes[k] for k in step.call.params["axes"] if axes[k] is not None]
    return view(1, step.nodes[0], tuple(order.index(k) for k in range(len(order))), step.shape)


def _matmul(step: _Step) -> Node:
    """``A @ B`` as NumPy 2 defines it: the last axis of A against the second last of B, batched over leading axes."""
    left, right = (_resized(a.shape, step.dims) for a in step.call.args)
    batch = max(len(left), len(right), 2) - 2
    row, column, inner = batch, batch + 1, batch + 2
    a = [*range(batch - max(len(left) - 2, 0), batch), *([row] if len(left) > 1 else []), inner]
    b = [*range(batch - max(len(right) - 2, 0), batch), inner, *([column] if len(right) > 1 else [])]
    out = [*range(batch), *([row] if len(left) > 1 else []), *([column] if len(right) > 1 else [])]
    return _labelled(step, [a, b], out)


def _inner(step: _Step) -> Node:
    left, right = (len(a.shape) for a in step.call.args)
    if not left or not right:
        return _entrywise_as(step, "multiply")
    total = left + right - 2
    a, b = [*range(left - 1), total], [*range(left - 1, total), total]
    return _labelled(step, [a, b], list(range(total)))


def _dot(step: _Step) -> Node:
    return _matmul(step) if all(a.shape for a in step.call.args) else _entrywise_as(step, "multiply")


def _entrywise_as(step: _Step, op: str) -> Node:
    return _ARITHMETIC[op]([step.aligned(k) for k in range(len(step.nodes))], step.shape)


def _labelled(step: _Step, labels: Sequence[Sequence[int]], out: Sequence[int]) -> Node:
    """The product of the operands under labels of their NumPy axes; axes of literal 1 go."""
    place: dict[int, int] = {}
    for label, size in zip(out, step.full, strict=True):
        if not is_one(size):
            place[label] = len(place)
    factors = []
    for position, (node, axes) in enumerate(zip(step.nodes, labels, strict=True)):
        kept = [label for label, axis in zip(axes, step.axes(position), strict=True) if axis is not None]
        for label in kept:
            place.setdefault(label, len(step.shape) + label)
        factors.append((node, tuple(place[label] for label in kept), 1))
    return product(factors, step.shape)


def _outer(step: _Step) -> Node:
    return _labelled(step, [[0], [1]], [0, 1])


def _trace(step: _Step) -> Node:
    return _labelled(step, [[0, 0]], [])


def _reduced(step: _Step) -> tuple[int, ...]:
    """The labels of the operand's axes, those that are reduced beyond the rest."""
    axes = step.axes(0)
    gone = [a for k, a in enumerate(axes) if k in step.call.params["axis"] and a is not None]
    kept = [a for a in axes if a is not None and a not in gone]
    place = {a: k for k, a in enumerate([*kept, *gone])}
    return tuple(place[a] for a in range(len(place)))


def _sum(step: _Step) -> Node:
    return product([(step.nodes[0], _reduced(step), 1)], step.shape)


def _mean(step: _Step) -> Node:
    labels, rank = _reduced(step), len(step.shape)
    sizes = [size for label, size in zip(labels, step.nodes[0].shape, strict=True) if label >= rank]
    counts = [(count(size), (), -1) for size in sizes]
    return product([(_sum(step), tuple(range(rank)), 1), *counts], step.shape)


def _reduction(kind: str) -> Callable[[_Step], Node]:
    return lambda step: reduce(kind, step.nodes[0], _reduced(step), step.shape)


def _log_softmax(step: _Step) -> Node:
    node, labels = step.nodes[0], _reduced(step)
    gone = sum(axis is not None for k, axis in enumerate(step.axes(0)) if k in step.call.params["axis"])
    kept = tuple(labels.index(k) for k in range(node.rank - gone))
    value = reduce("logsumexp", node, labels, tuple(node.shape[a] for a in kept))
    return node - view(1, value, kept, node.shape)


def _softmax(step: _Step) -> Node:
    return call("exp", _log_softmax(step))


def _getitem(step: _Step) -> Node:
    """Slices and positions; new axes are layout, and a slice of literal length 1 is a position."""
    picks: list[Pick] = []
    kept: list[int] = []
    rank = 0
    entries = [entry for entry in step.call.params["index"] if entry is not None]
    for entry, axis, size in zip(entries, step.axes(0), step.call.args[0].shape, strict=True):
        pick = _pick(step, entry, step.size(size))
        stays = not isinstance(pick, Size) and not is_one(step.size(size) if pick is None else length(pick))
        if axis is not None:
            picks.append(pick)
            kept += [rank] if stays else []
        rank += stays  # nothing taken of an axis of literal 1 is an axis of length 0
    return view(1, select(step.nodes[0], tuple(picks)), tuple(kept), step.shape)


def _pick(step: _Step, entry: Span | Size, size: Size) -> Pick:
    if isinstance(entry, Size):
        return step.size(entry)
    span = Span(step.size(entry.start), step.size(entry.stop), entry.step)
    if is_one(length(span)):
        return span.start
    whole = span.step == 1 and span.start.constant == 0 and span.stop == size
    return None if whole else span


def _broadcast(step: _Step) -> Node:
    return view(*step.aligned(0), step.shape)


def _eye(step: _Step) -> Node:
    return delta(step.shape[0]) if step.shape else one()


def _where(step: _Step) -> Node:
    """``where(mask, a, b)``; `guard` keeps its branches apart, later: behind the laws."""
    mask, a, b = (view(*step.aligned(k), step.shape) for k in range(3))
    if not step.call.args[0].boolean:
        mask = call("not_equal", mask, 0 * mask)
    if as_number(mask) is not None:
        return a if as_number(mask) else b
    return call("where", mask, a, b)


def _matrices(function: Callable[[Node], Node], single: Callable[[Node], Node]) -> Callable[[_Step], Node]:
    """A function of square matrices; ``single`` is it for matrices of one entry, which are numbers in the graph."""

    def lowered(step: _Step) -> Node:
        one_entry = is_one(step.call.args[0].shape[-1])
        return (single if one_entry else function)(step.nodes[0])

    return lowered


def _solve(step: _Step) -> Node:
    """``solve(A, b)`` = A⁻¹ b, as NumPy 2 has it: b is a vector only where it has rank 1"""
    left, right = (len(a.shape) for a in step.call.args)
    single = is_one(step.call.args[0].shape[-1])
    a = 1 / step.nodes[0] if single else inverse(step.nodes[0])
    batch = max(left, right) - 2 if right > 1 else left - 2
    row, middle, column = batch, batch + 2, batch + 1
    i = [*range(batch - (left - 2), batch), row, middle]
    j = [*range(batch - max(right - 2, 0), batch), middle, *([column] if right > 1 else [])]
    return _labelled(
        replace(step, nodes=[a, step.nodes[1]]), [i, j], [*range(batch), row, *([column] if right > 1 else [])]
    )


def _norm(step: _Step) -> Node:
    """‖x‖, the root of the sum of squares"""
    node, labels = step.nodes[0], _reduced(step)
    if len(step.shape) == node.rank:
        return call("absolute", view(1, node, labels, step.shape))
    return call("root", product([(node, labels, 2)], step.shape))


def _diag(step: _Step) -> Node:
    """diag(v) = v ∘ I, row by row"""
    if is_one(step.full[0]):
        return step.nodes[0]
    return product([(step.nodes[0], (0,), 1), (delta(step.shape[0]), (0, 1), 1)], step.shape)


def _diagonal(step: _Step) -> Node:
    rank = len(step.full)
    return _labelled(step, [[*range(rank - 1), rank - 1, rank - 1]], list(range(rank)))


def _concatenate(step: _Step) -> Node:
    """The parts among zeros, added."""
    along, layout = step.call.params["axis"], _layout(step.full)
    terms: list[Operand] = []
    start = Size.of(0)
    for position, node in enumerate(step.nodes):
        size = step.size(step.call.args[position].shape[along])
        if layout[along] is None:
            if size.constant == 1:
                terms.append((1, node, tuple(range(node.rank))))
            continue
        pick: Pick = start if is_one(size) else Span(start, start + size)
        picks = tuple(pick if axis == along else None for axis, a in enumerate(layout) if a is not None)
        terms.append((1, embed(node, picks, step.shape), tuple(range(len(step.shape)))))
        start = start + size
    return add(terms, step.shape)


def _prod(step: _Step) -> Node:
    node, axes = step.nodes[0], step.axes(0)
    gone = [a for k, a in enumerate(axes) if k in step.call.params["axis"] and a is not None]
    for axis in sorted(gone, reverse=True):
        node = prod(node, axis)
    return node


def _cumsum(step: _Step) -> Node:
    axis = step.axes(0)[step.call.params["axis"]]
    return step.nodes[0] if axis is None else scan(step.nodes[0], axis)


def _take(step: _Step) -> Node:
    """Entries of an axis by an argument of indices; of an axis of literal 1 all are the one entry."""
    along = step.call.params["axis"]
    index = step.nodes[1]
    axis = step.axes(0)[along]
    place = sum(a is not None for a in step.axes(0)[:along])
    if axis is None:
        behind = 0 if is_one(step.full[along]) else 1
        others_ = tuple(k if k < place else k + behind for k in range(step.nodes[0].rank))
        return view(1, step.nodes[0], others_, step.shape)
    assert isinstance(index, Symbol)
    return taken(step.nodes[0], axis, index)


def _entries(step: _Step) -> Node:
    """One entry of the last axes for each tuple of positions, which run along the last axis of the result."""
    axes = step.axes(0)[-len(step.nodes) + 1 :]
    node = step.nodes[0]
    label = len(step.shape) - 1
    labels = list(range(node.rank))
    indices: list[Index | None] = [None] * node.rank
    for axis, given, made in zip(axes, step.call.args[1:], step.nodes[1:], strict=True):
        if axis is not None:
            labels[axis] = label
            indices[axis] = _index(given, made)
    return gather(node, tuple(labels), tuple(indices), step.shape)


def _index(given: Call, node: Node) -> Index | None:
    """Positions as the graph knows them: None for 0, 1, ... in turn."""
    if isinstance(node, Symbol):
        return node
    return None if given.op == "arange" else tuple(int(i) for i in given.params["value"])


def _pick_constant(step: _Step) -> Node:
    along, index = step.call.params["axis"], tuple(step.call.params["index"])
    axis = step.axes(0)[along]
    place = sum(a is not None for a in step.axes(0)[:along])
    if axis is None or len(index) == 1:
        node = step.nodes[0] if axis is None else _entry_of(step.nodes[0], axis, index[0])
        if len(index) == 1:
            return node
        return view(1, node, tuple(k if k < place else k + 1 for k in range(node.rank)), step.shape)
    return taken(step.nodes[0], axis, index)


def _entry_of(node: Node, axis: int, position: int) -> Node:
    return select(node, tuple(Size.of(position) if k == axis else None for k in range(node.rank)))


def _triangle(step: _Step) -> Node:
    """X ∘ T, with T the triangle of ones"""
    node, offset = step.nodes[0], step.call.params["k"]
    (rows, columns), axes = step.full[-2:], step.axes(0)[-2:]
    i, j = axes
    full = tuple(range(node.rank))
    if i is None or j is None:
        return _strip(node, (i, j), offset if step.call.op == "tril" else -offset, step.call.op == "tril")
    if step.call.op == "tril":
        return product([(node, full, 1), (triangle(rows, columns, offset), (i, j), 1)], node.shape)
    return product([(node, full, 1), (triangle(columns, rows, -offset), (j, i), 1)], node.shape)


def _strip(node: Node, axes: tuple[int | None, int | None], offset: int, lower: bool) -> Node:
    """The triangle of a matrix of one row or one column: what stands before a place, or from there on."""
    row, column = axes
    axis = column if row is None else row
    head = lower == (row is None)  # kept up to the offset, else from minus the offset on
    if axis is None:
        return node if offset >= 0 else zero(node.shape)
    size = node.shape[axis]
    if head and offset < 0:
        return zero(node.shape)
    if not head and offset >= 0:
        return node
    start, stop = (Size.of(0), Size.of(offset + 1)) if head else (Size.of(-offset), size)
    if size.constant is None and not (head and offset == 0):
        raise NotSupportedError("this triangle of one row or column is not supported yet", "slice it instead")
    if size.constant is not None and (stop.constant or 0) >= size.constant and head:
        return node
    picks: tuple[Pick, ...] = tuple(Span(start, stop) if k == axis else None for k in range(node.rank))
    return embed(select(node, picks), picks, node.shape)


def _eigvalsh(step: _Step) -> Node:
    return step.nodes[0] if is_one(step.call.args[0].shape[-1]) else eigenvalues(step.nodes[0])


def _pinv(step: _Step) -> Node:
    node, (rows, columns) = step.nodes[0], step.call.args[0].shape[-2:]
    if is_one(rows) and is_one(columns):
        return 1 / call("nonzero", node)
    if is_one(rows) or is_one(columns):  # x⁺ = xᵀ / ‖x‖²
        last = node.rank - 1
        square = product([(node, tuple(range(node.rank)), 2)], node.shape[:-1])
        return product(
            [(node, tuple(range(node.rank)), 1), (call("nonzero", square), tuple(range(last)), -1)], node.shape
        )
    return pinv(node)


def _unknown(step: _Step) -> Node:
    return apply(step.functions[step.call.params["function"]], [step.aligned(0)], step.shape)


def _formula(step: _Step) -> Node:
    operands = [view(*step.aligned(k), step.shape) for k in range(len(step.nodes))]
    return translate(step.call.params["formula"], operands, step.shape)


_LOWER: dict[str, Callable[[_Step], Node]] = {
    "argument": _argument,
    "constant": _constant,
    "size": lambda step: count(step.size(step.call.params["size"])),
    "where": _where,
    "matmul": _matmul,
    "dot": _dot,
    "inner": _inner,
    "outer": _outer,
    "trace": _trace,
    "transpose": _transpose,
    "sum": _sum,
    "mean": _mean,
    "max": _reduction("max"),
    "min": _reduction("min"),
    "logsumexp": _reduction("logsumexp"),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "getitem": _getitem,
    "broadcast_to": _broadcast,
    "ones": lambda step: view(1, one(), (), step.shape),
    "zeros": lambda step: zero(step.shape),
    "inv": _matrices(inverse, lambda x: 1 / x),
    "det": _matrices(det, lambda x: x),
    "logdet": _matrices(logdet, lambda x: call("log", call("absolute", x))),
    "detsign": _matrices(detsign, lambda x: call("sign", x)),
    "solve": _solve,
    "norm": _norm,
    "diag": _diag,
    "diagonal": _diagonal,
    "concatenate": _concatenate,
    "unknown": _unknown,
    "formula": _formula,
    "einsum": lambda step: _labelled(step, step.call.params["inputs"], step.call.params["output"]),
    "prod": _prod,
    "cumsum": _cumsum,
    "reshape": lambda step: reshape(step.nodes[0], step.shape),
    "take": _take,
    "entries": _entries,
    "pick": _pick_constant,
    "tril": _triangle,
    "triu": _triangle,
    "cholesky": _matrices(cholesky, lambda x: x ** Fraction(1, 2)),
    "eigvalsh": _eigvalsh,
    "pinv": _pinv,
    "nuclear": lambda step: nuclear(step.nodes[0]),
    "arange": lambda step: arange(step.shape[0]) if step.shape else zero(()),
    "eye": _eye,
}
