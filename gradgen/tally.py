"""What the statements of a function cost: flops and bytes as polynomials in the dimensions.

The statements are read as a reader reads them: from the shapes of the arguments the shape of every value follows, and
with it what each operation computes and moves. A multiply-add is 2 flops; a function such as exp is 1 an entry; what
LAPACK does is counted to the leading order (Golub and Van Loan, Matrix Computations, 4th edition, sections 3.2, 4.2 and
8.3). Each array operand is read once and each result written once, in float64; a view moves nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from gradgen.dims import Size
from gradgen.polynomial import NOTHING, Polynomial, volume

Shape = tuple[Size, ...]
WORD = 8
MASK = 1


@dataclass(frozen=True)
class Cost:
    """Flops, and bytes read and written."""

    flops: Polynomial = NOTHING
    bytes: Polynomial = NOTHING

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.bytes + other.bytes)

    def __str__(self) -> str:
        return f"{self.flops} flops, {self.bytes} bytes"


@dataclass(frozen=True)
class Array:
    """An array, or a number of the working dtype where it has no axes; ``word`` is the bytes of an entry."""

    shape: Shape = ()
    word: int = WORD


@dataclass(frozen=True)
class Number:
    """A Python number: a dimension, or made of dimensions; None where it is none of them."""

    size: Size | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of a block: over all blocks, they are all rows."""


@dataclass(frozen=True)
class Factors:
    """A matrix of n rows that has been factorised."""

    size: Size
    kind: str


@dataclass(frozen=True)
class Items:
    """A tuple or list of values."""

    values: tuple[Value, ...]


Value = Array | Number | Items | Rows | Factors
SCALAR = Array()
# Flops for each matrix of m rows and n columns, in m n²; `norm` is the nuclear one.
MATRIX = {
    "inv": Fraction(2),
    "det": Fraction(2, 3),
    "slogdet": Fraction(2, 3),
    "cholesky": Fraction(1, 3),
    "eigh": Fraction(9),
    "eigvalsh": Fraction(4, 3),
    "solve": Fraction(2, 3),
    "solve_triangular": Fraction(0),  # it has no factorisation
    "pinv": Fraction(14),
    "svd": Fraction(14),
    "_adjugate": Fraction(2),
    "_adjugate_along": Fraction(8),
    "norm": Fraction(4),
    "_polar": Fraction(16),
    "_polar_along": Fraction(32),
}
# The same for factorisations that are shared, and for what is made of them, a right-hand side apart.
FACTORS = {
    "_LU": {"": Fraction(2, 3), "inverse": Fraction(4, 3)},
    "_Cholesky": {"": Fraction(1, 3), "inverse": Fraction(2, 3)},
}
ALONG = frozenset(("_adjugate_along", "_polar_along"))
REDUCTIONS = frozenset("sum max min prod mean cumsum".split())
_LIBRARY = re.compile(r"(np|scipy)(\.\w+)+")
VIEWS = frozenset("transpose swapaxes reshape ravel diagonal broadcast_to squeeze".split())
MADE = frozenset("eye zeros ones full tri arange empty zeros_like ones_like full_like array".split())


def tally(lines: Sequence[str], shapes: Mapping[str, Shape], sizes: Mapping[str, Size]) -> list[Cost]:
    """The cost of each statement, given the shapes of the arrays and the dimensions by name."""
    reader = _Reader({**{name: Array(shape) for name, shape in shapes.items()}}, sizes)
    return [reader.statement(line) for line in lines]


@dataclass
class _Reader:
    """Knows every value so far; ``cost`` is that of the statement at hand."""

    values: dict[str, Value]
    sizes: Mapping[str, Size]
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self) -> None:
        self.values.update({name: Number(size) for name, size in self.sizes.items()})

    def statement(self, line: str) -> Cost:
        """A statement; what a loop over blocks of rows does is counted for all blocks together."""
        self.cost = Cost()
        if line.endswith(":"):
            return self.cost
        [tree] = ast.parse(line.lstrip()).body
        if isinstance(tree, ast.Assign):
            self._assigned(tree)
        elif isinstance(tree, ast.AugAssign):
            self._counted(self._array(tree.target), self._array(tree.value), result=self._array(tree.target).shape)
        elif isinstance(tree, ast.Expr | ast.Return) and tree.value is not None:
            self.value(tree.value)
        return self.cost

    def _assigned(self, tree: ast.Assign) -> None:
        [target] = tree.targets
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        if all(name in self.sizes for name in names):
            return
        value = self.value(tree.value)
        if isinstance(target, ast.Name):
            self.values[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, Items):
            self.values.update(zip(names, value.values, strict=True))
        elif isinstance(target, ast.Subscript):
            self._moved(value if isinstance(value, Array) else SCALAR, self._array(target))

    # What things cost

    def _moved(self, *arrays: Array) -> None:
        """Arrays that are read or written as a whole."""
        moved = NOTHING
        for array in arrays:
            moved = moved + volume(array.shape) * array.word if array.shape else moved
        self.cost = self.cost + Cost(bytes=moved)

    def _counted(self, *operands: Value, result: Shape, flops: Polynomial | None = None, word: int = WORD) -> Array:
        """An operation: a flop for each entry of the result unless told otherwise; operands are read, it is
        written."""
        made = Array(result, word)
        self.cost = self.cost + Cost(volume(result) if flops is None else flops)
        self._moved(*(o for o in operands if isinstance(o, Array)), made)
        return made

    # Expressions

    def value(self, tree: ast.expr) -> Value:
        found: Callable[[_Reader, Any], Value] = _READERS.get(type(tree), _Reader._other)
        return found(self, tree)

    def _other(self, tree: ast.expr) -> Value:
        return Number()

    def _array(self, tree: ast.expr) -> Array:
        value = self.value(tree)
        return value if isinstance(value, Array) else SCALAR

    def _name(self, tree: ast.Name) -> Value:
        return self.values.get(tree.id, Number())

    def _constant(self, tree: ast.Constant) -> Value:
        return Number(Size.of(tree.value) if type(tree.value) is int else None)

    def _items(self, tree: ast.Tuple | ast.List) -> Value:
        return Items(tuple(map(self.value, tree.elts)))

    def _unary(self, tree: ast.UnaryOp) -> Value:
        inner = self.value(tree.operand)
        if isinstance(inner, Array):
            return self._counted(inner, result=inner.shape, word=inner.word)
        negative = isinstance(tree.op, ast.USub) and isinstance(inner, Number) and inner.size is not None
        return Number(-inner.size if negative and isinstance(inner, Number) and inner.size is not None else None)

    def _binary(self, tree: ast.BinOp) -> Value:
        left, right = self.value(tree.left), self.value(tree.right)
        if isinstance(left, Number) and isinstance(right, Number):
            return _arithmetic(tree.op, left, right)
        if isinstance(tree.op, ast.MatMult):
            return self._matmul(left, right)
        masks = isinstance(tree.op, ast.BitAnd | ast.BitOr)
        return self._entrywise([left, right], MASK if masks else WORD)

    def _compared(self, tree: ast.Compare) -> Value:
        return self._entrywise([self.value(tree.left), self.value(tree.comparators[0])], MASK)

    def _either(self, tree: ast.BoolOp) -> Value:
        return self.value(tree.values[0])

    def _entrywise(self, operands: Sequence[Value], word: int = WORD) -> Array:
        shape: Shape = ()
        for operand in operands:
            shape = broadcast(shape, _shape(operand))
        return self._counted(*operands, result=shape, word=word)

    def _matmul(self, left: Value, right: Value) -> Array:
        a, b = _shape(left), _shape(right)
        inner, rows, columns = a[-1], a[-2:-1], b[-1:] if len(b) > 1 else ()
        result = (*broadcast(a[:-2], b[:-2]), *rows, *columns)
        return self._counted(left, right, result=result, flops=2 * (volume(result) * inner))

    def _subscript(self, tree: ast.Subscript) -> Value:
        whole = self.value(tree.value)
        if isinstance(whole, Items):
            return whole.values[self._integer(tree.slice)]
        entries = list(tree.slice.elts) if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        shape, gathered = self._picked(_shape(whole), entries)
        found = Array(shape, whole.word if isinstance(whole, Array) else WORD)
        if gathered:
            self._moved(found, found)
        return found

    def _picked(self, shape: Shape, entries: Sequence[ast.expr]) -> tuple[Shape, bool]:
        """The shape of what an index takes, and whether it is a copy."""
        made: list[Size] = []
        rest, gathered = list(shape), False
        for position, entry in enumerate(entries):
            value = self.value(entry) if not isinstance(entry, ast.Slice) else None
            if isinstance(entry, ast.Constant) and entry.value is None:
                made.append(Size.of(1))
            elif isinstance(entry, ast.Constant) and entry.value is Ellipsis:
                taken = sum(not (isinstance(e, ast.Constant) and e.value is None) for e in entries[position + 1 :])
                made += rest[: len(rest) - taken]
                rest = rest[len(rest) - taken :]
            elif isinstance(value, Rows):
                made.append(rest.pop(0))
            elif isinstance(entry, ast.Slice):
                made.append(self._length(entry, rest.pop(0)))
            elif isinstance(value, Array | Items):
                rest.pop(0)
                if not gathered:  # further index arrays run along the same axis
                    made += _shape(value) if isinstance(value, Array) else [Size.of(len(value.values))]
                gathered = True
            else:
                rest.pop(0)
        return (*made, *rest), gathered

    def _length(self, entry: ast.Slice, size: Size) -> Size:
        """How many entries a slice takes of an axis."""
        start, stop, step = (self._bound(bound) for bound in (entry.lower, entry.upper, entry.step))
        if step is not None and step.constant == -1 and start is None and stop is None:
            return size
        low = Size.of(0) if start is None else size + start if _negative(start) else start
        high = size if stop is None else size + stop if _negative(stop) else stop
        length = high - low
        if step is not None and step.constant and length.constant is not None:
            return Size.of(-(-abs(length.constant) // abs(step.constant)))
        return length

    def _bound(self, tree: ast.expr | None) -> Size | None:
        value = None if tree is None else self.value(tree)
        return value.size if isinstance(value, Number) else None

    def _attribute(self, tree: ast.Attribute) -> Value:
        if tree.attr in ("pi", "inf", "nan"):
            return Number()
        whole = self.value(tree.value)
        if tree.attr == "T" and isinstance(whole, Array):
            return Array(whole.shape[::-1], whole.word)
        if tree.attr == "shape":
            return Items(tuple(Number(size) for size in _shape(whole)))
        return Number()

    def _call(self, tree: ast.Call) -> Value:
        function, keywords = tree.func, {k.arg or "": k.value for k in tree.keywords}
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        path = ast.unparse(function)
        if isinstance(function, ast.Attribute) and not _LIBRARY.fullmatch(path):
            return self._applied(name, self.value(function.value), tree.args, keywords)
        if name == "einsum":
            return self._einsum(ast.literal_eval(tree.args[0]), [self.value(a) for a in tree.args[1:]])
        if name in ("reduce", "at", "outer") and path.count(".") == 2:
            return self._ufunc_method(path.split(".")[1], name, tree.args, keywords)
        if name in REDUCTIONS or name in VIEWS or name in ("copy", "astype"):
            return self._applied(name, self.value(tree.args[0]), tree.args[1:], keywords)
        if name == "slice":
            return Rows()
        if name in MADE:
            return self._made(name, tree.args)
        if name in FACTORS:
            return self._factorised(name, self._array(tree.args[0]))
        if name in MATRIX:
            values = [self.value(a) for a in tree.args if not isinstance(a, ast.Constant)]
            return self._matrix(name, [v if isinstance(v, Array) else SCALAR for v in values if type(v) is not Factors])
        axis = [keywords["axis"]] if "axis" in keywords else []
        return self._function(name, [self.value(a) for a in (*tree.args, *axis)])

    def _function(self, name: str, operands: list[Value]) -> Value:
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, operands)
        if not any(isinstance(o, Array) for o in operands):
            return Number()
        if name in ("tril", "triu"):
            self._moved(*(o for o in operands if isinstance(o, Array)))
            return self._counted(result=_shape(operands[0]), flops=NOTHING)
        if name in ("_others", "_others_along"):
            operands = operands[:-1]
        masks = name.startswith(("logical_", "is")) or name in ("greater", "less", "equal", "not_equal")
        return self._entrywise(operands, MASK if masks else WORD)

    def _applied(
        self, name: str, whole: Value, arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]
    ) -> Value:
        """A method of an array, or of factors."""
        if isinstance(whole, Factors):
            return self._of_factors(name, whole, arguments)
        shape, word = _shape(whole), whole.word if isinstance(whole, Array) else WORD
        if name in REDUCTIONS:
            return self._reduced(name, whole, keywords.get("axis", arguments[0] if arguments else None))
        if name in ("copy", "astype"):
            self._moved(Array(shape, word))
            return self._counted(result=shape, flops=NOTHING)
        if name in ("transpose", "swapaxes"):
            return Array(self._permuted(name, shape, arguments), word)
        if name == "diagonal":
            axes = [self._integer(keywords[k]) if k in keywords else d for k, d in (("axis1", 0), ("axis2", 1))]
            rest = [s for k, s in enumerate(shape) if k not in [a % len(shape) for a in axes]]
            return Array((*rest, shape[axes[0]]), word)
        if name == "dot":
            return self._matmul(whole, self.value(arguments[0]))
        given = [self.value(a) for a in arguments]
        given = list(given[0].values) if len(given) == 1 and isinstance(given[0], Items) else given
        sizes = [g.size for g in given if isinstance(g, Number) and g.size is not None]
        total = _product(shape)
        return Array(tuple(sizes) if name != "ravel" else (total,), word)

    def _permuted(self, name: str, shape: Shape, arguments: Sequence[ast.expr]) -> Shape:
        order = [self._integer(a) % len(shape) for a in arguments]
        if name == "swapaxes":
            i, j = order
            order = [j if k == i else i if k == j else k for k in range(len(shape))]
        return tuple(shape[k] for k in order) if order else shape[::-1]

    def _integer(self, tree: ast.expr) -> int:
        return int(ast.literal_eval(tree))

    def _reduced(self, name: str, whole: Value, axis: ast.expr | None) -> Array:
        shape = _shape(whole)
        if name == "cumsum":
            return self._counted(whole, result=shape)
        found = None if axis is None else ast.literal_eval(axis)
        gone = range(len(shape)) if found is None else (found,) if isinstance(found, int) else found
        gone = [k % len(shape) for k in gone]
        kept = tuple(size for k, size in enumerate(shape) if k not in gone)
        return self._counted(whole, result=kept, flops=volume(shape))

    def _einsum(self, pattern: str, operands: Sequence[Value]) -> Array:
        inputs, output = pattern.split("->")
        parts = inputs.split(",")
        sizes = {k: s for p, o in zip(parts, operands, strict=True) for k, s in zip(p, _shape(o), strict=True)}
        whole = volume(sizes.values())
        summed = set("".join(parts)) - set(output)
        flops = whole * (len(parts) if summed else len(parts) - 1)
        return self._counted(*operands, result=tuple(sizes[k] for k in output), flops=flops)

    def _ufunc_method(
        self, ufunc: str, name: str, arguments: Sequence[ast.expr], keywords: Mapping[str, ast.expr]
    ) -> Value:
        if name == "at":
            added = self._array(arguments[2])
            self.cost = self.cost + Cost(volume(added.shape))
            self._moved(added, added)
            return Number()
        if name == "reduce":
            return self._reduced(ufunc, self.value(arguments[0]), keywords.get("axis"))
        left, right = (_shape(self.value(a)) for a in arguments)
        return self._counted(Array(left), Array(right), result=(*left, *right))

    def _made(self, name: str, arguments: Sequence[ast.expr]) -> Array:
        """A new array that is not computed: it is written."""
        given = [self.value(a) for a in arguments]
        if name.endswith("_like"):
            shape = _shape(given[0])
        elif name == "array":
            shape = _listed(given[0])
        elif name == "eye":
            shape = (_size(given[0]), _size(given[0]))
        elif name == "tri":
            shape = (_size(given[0]), _size(given[1]))
        else:
            first = given[0]
            shape = tuple(map(_size, first.values)) if isinstance(first, Items) else (_size(first),)
        return self._counted(result=shape, flops=NOTHING)

    def _matrix(self, name: str, operands: Sequence[Array]) -> Value:
        """What LAPACK does with matrices, the last two axes of the first operand."""
        shape = operands[0].shape
        n = shape[-1]
        flops = MATRIX[name] * (volume(shape) * n)
        result = shape
        if name in ("solve", "solve_triangular"):
            right = operands[1].shape
            result = right if len(right) == 1 and len(shape) == 2 else (*broadcast(shape[:-2], right[:-2]), *right[-2:])
            flops = flops + (2 if name == "solve" else 1) * (volume(result) * n)
        elif name == "pinv":
            result = (*shape[:-2], *shape[:-3:-1])
        elif name in ALONG:
            result = operands[-1].shape
        elif name in ("det", "slogdet", "norm"):
            result = shape[:-2]
        elif name == "eigvalsh":
            result = shape[:-1]
        made = self._counted(*operands, result=result, flops=flops)
        if name == "eigh":
            return Items((Array(shape[:-1]), made))
        return Items((made, made)) if name == "slogdet" else made

    def _factorised(self, kind: str, matrix: Array) -> Factors:
        n = matrix.shape[0]
        self._counted(matrix, result=matrix.shape, flops=FACTORS[kind][""] * (volume(matrix.shape) * n))
        return Factors(n, kind)

    def _of_factors(self, name: str, factors: Factors, arguments: Sequence[ast.expr]) -> Array:
        """A system that is solved, the inverse, or a number of the diagonal."""
        n, square = factors.size, (factors.size, factors.size)
        if name == "solve":
            right = self._array(arguments[0])
            return self._counted(Array(square), right, result=right.shape, flops=2 * (volume(right.shape) * n))
        if name == "inverse":
            flops = FACTORS[factors.kind]["inverse"] * (volume(square) * n)
            return self._counted(Array(square), result=square, flops=flops)
        return self._counted(Array((n,)), result=(), flops=volume((n,)) * (1 if name == "det" else 3))

    # Functions with rules of their own

    def _vdot(self, operands: Sequence[Value]) -> Array:
        return self._counted(*operands, result=(), flops=2 * volume(_shape(operands[0])))

    def _dot(self, operands: Sequence[Value]) -> Array:
        return self._matmul(*operands)

    def _outer(self, operands: Sequence[Value]) -> Array:
        return self._counted(*operands, result=(*_shape(operands[0]), *_shape(operands[1])))

    def _trace(self, operands: Sequence[Value]) -> Array:
        return self._counted(Array(_shape(operands[0])[:1]), result=(), flops=volume(_shape(operands[0])[:1]))

    def _diag(self, operands: Sequence[Value]) -> Array:
        shape = _shape(operands[0])
        return self._counted(operands[0], result=(shape[0], shape[0]), flops=NOTHING)

    def _where(self, operands: Sequence[Value]) -> Array:
        return self._entrywise(operands)

    def _float(self, operands: Sequence[Value]) -> Value:
        return Number()

    def _concatenate(self, operands: Sequence[Value]) -> Array:
        assert isinstance(operands[0], Items)
        return self._joined([_shape(v) for v in operands[0].values], _axis(operands))

    def _stack(self, operands: Sequence[Value]) -> Array:
        assert isinstance(operands[0], Items)
        axis = _axis(operands)
        shapes = [(*s[:axis], Size.of(1), *s[axis:]) for s in map(_shape, operands[0].values)]
        return self._joined(shapes, axis)

    def _listed(self, operands: Sequence[Value]) -> Array:
        assert isinstance(operands[0], Items)
        return self._counted(result=(Size.of(len(operands[0].values)),), flops=NOTHING)

    def _joined(self, shapes: Sequence[Shape], axis: int) -> Array:
        total = sum((s[axis] for s in shapes), Size.of(0))
        result = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        self._moved(*map(Array, shapes))
        return self._counted(result=result, flops=NOTHING)

    def _block(self, operands: Sequence[Value]) -> Array:
        assert isinstance(operands[0], Items)
        rows = [[_shape(v) for v in row.values] for row in operands[0].values if isinstance(row, Items)]
        height = sum((row[0][0] for row in rows), Size.of(0))
        width = sum((shape[1] for shape in rows[0]), Size.of(0))
        self._moved(*(Array(shape) for row in rows for shape in row))
        return self._counted(result=(height, width), flops=NOTHING)


def _axis(operands: Sequence[Value]) -> int:
    """The axis behind a list of arrays that are put together: the first where none is said."""
    return (_size(operands[1]).constant or 0) if len(operands) > 1 else 0


def broadcast(left: Shape, right: Shape) -> Shape:
    """The shape of two arrays that are broadcast against each other."""
    rank = max(len(left), len(right))
    a = (Size.of(1),) * (rank - len(left)) + left
    b = (Size.of(1),) * (rank - len(right)) + right
    return tuple(q if p.constant == 1 else p for p, q in zip(a, b, strict=True))


def _shape(value: Value) -> Shape:
    return value.shape if isinstance(value, Array) else ()


def _size(value: Value) -> Size:
    assert isinstance(value, Number) and value.size is not None
    return value.size


def _listed(value: Value) -> Shape:
    """The shape of nested lists of numbers."""
    if not isinstance(value, Items):
        return ()
    return (Size.of(len(value.values)), *(_listed(value.values[0]) if value.values else ()))


def _negative(size: Size) -> bool:
    return all(c < 0 for _, c in size.terms) and bool(size.terms)


def _product(shape: Shape) -> Size:
    total = Size.of(1)
    for size in shape:
        total = total * size
    return total


def _arithmetic(operator: ast.operator, left: Number, right: Number) -> Number:
    a, b = left.size, right.size
    if a is None or b is None:
        return Number()
    if isinstance(operator, ast.Add):
        return Number(a + b)
    if isinstance(operator, ast.Sub):
        return Number(a - b)
    return Number(a * b) if isinstance(operator, ast.Mult) else Number()


_READERS: dict[type[ast.expr], Callable[[_Reader, Any], Value]] = {
    ast.Name: _Reader._name,
    ast.Constant: _Reader._constant,
    ast.Tuple: _Reader._items,
    ast.List: _Reader._items,
    ast.UnaryOp: _Reader._unary,
    ast.BinOp: _Reader._binary,
    ast.Compare: _Reader._compared,
    ast.BoolOp: _Reader._either,
    ast.Subscript: _Reader._subscript,
    ast.Attribute: _Reader._attribute,
    ast.Call: _Reader._call,
}
_SPECIAL: dict[str, Callable[[_Reader, Sequence[Value]], Value]] = {
    "vdot": _Reader._vdot,
    "dot": _Reader._dot,
    "outer": _Reader._outer,
    "trace": _Reader._trace,
    "diag": _Reader._diag,
    "where": _Reader._where,
    "float": _Reader._float,
    "concatenate": _Reader._concatenate,
    "stack": _Reader._stack,
    "array": _Reader._listed,
    "block": _Reader._block,
}
