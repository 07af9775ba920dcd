"""Tapes by hand: enough operators to write a loss as calls without the trace."""

from __future__ import annotations

import numpy as np

from gradgen.dims import ONE, Dim, Size, is_one
from gradgen.tape import BINARY, Argument, Call, Constraint, Span, Tape

BOOLEAN = {op for op in BINARY if op.startswith(("greater", "less", "equal", "not_", "logical"))} | {"logical_not"}


def dims(names):
    return [Size.of(Dim(rank, name)) for rank, name in enumerate(names.split())]


def joined(*shapes):
    """The broadcast shape."""
    rank = max(map(len, shapes))
    padded = [(ONE,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((s for s in axis if not is_one(s)), ONE) for axis in zip(*padded, strict=True))


class Term:
    """A call with Python's operators."""

    def __init__(self, call):
        self.call = call

    def __add__(self, other):
        return entrywise("add", self, other)

    def __radd__(self, other):
        return entrywise("add", other, self)

    def __sub__(self, other):
        return entrywise("subtract", self, other)

    def __rsub__(self, other):
        return entrywise("subtract", other, self)

    def __mul__(self, other):
        return entrywise("multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return entrywise("divide", self, other)

    def __rtruediv__(self, other):
        return entrywise("divide", other, self)

    def __pow__(self, other):
        return entrywise("power", self, other)

    def __neg__(self):
        return entrywise("negative", self)

    def __le__(self, other):
        return entrywise("less_equal", self, other)

    def __gt__(self, other):
        return entrywise("greater", self, other)

    def __matmul__(self, other):
        left, right = self.call.shape, other.call.shape
        batch = joined(left[:-2], right[:-2])
        return term("matmul", (self, other), (*batch, *left[:-1][-1:], *right[:-2][:0], *right[1:][-1:]))

    @property
    def T(self):
        axes = tuple(reversed(range(len(self.call.shape))))
        return term("transpose", (self,), self.call.shape[::-1], axes=axes)

    def __getitem__(self, index):
        sizes = iter(self.call.shape)
        entries, shape = [], []
        for entry in index if isinstance(index, tuple) else (index,):
            if entry is None:
                entries.append(None)
                shape.append(ONE)
                continue
            size = next(sizes)
            if isinstance(entry, slice):
                start = Size.of(0 if entry.start is None else entry.start)
                stop = size if entry.stop is None else Size.of(entry.stop)
                entries.append(Span(start, stop, entry.step or 1))
                shape.append(stop - start)
            else:
                entries.append(Size.of(entry))
        for size in sizes:
            entries.append(Span(Size.of(0), size))
            shape.append(size)
        return term("getitem", (self,), tuple(shape), index=tuple(entries))


def lifted(value):
    if isinstance(value, Term):
        return value
    if isinstance(value, Size):
        return Term(Call("size", (), (), {"size": value}))
    value = np.asarray(value) if np.asarray(value).dtype == bool else np.asarray(value, dtype=float)
    return Term(Call("constant", (), tuple(map(Size.of, value.shape)), {"value": value}, value.dtype == bool))


def term(op, operands, shape, boolean=False, **params):
    return Term(Call(op, tuple(lifted(x).call for x in operands), tuple(shape), params, boolean))


def entrywise(op, *operands):
    operands = [lifted(x) for x in operands]
    return term(op, operands, joined(*(x.call.shape for x in operands)), boolean=op in BOOLEAN)


def reduced(op, x, axis=None, keepdims=False):
    rank = len(x.call.shape)
    axes = tuple(range(rank)) if axis is None else (axis,) if isinstance(axis, int) else axis
    shape = [ONE if i in axes else s for i, s in enumerate(x.call.shape) if keepdims or i not in axes]
    return term(op, (x,), shape, axis=axes, keepdims=keepdims)


def inverse(A):
    return term("inv", (A,), A.call.shape)


def determinant(A, op="det"):
    return term(op, (A,), A.call.shape[:-2])


def solved(A, b):
    return term("solve", (A, b), b.call.shape)


def applied(formula, *operands):
    """A SymPy formula of some operands."""
    operands = [lifted(x) for x in operands]
    return term("formula", operands, joined(*(x.call.shape for x in operands)), formula=formula)


def summed(inputs, output, *operands):
    """An einsum of labels."""
    operands = [lifted(x) for x in operands]
    sizes = dict(
        pair for labels, x in zip(inputs, operands, strict=True) for pair in zip(labels, x.call.shape, strict=True)
    )
    return term("einsum", operands, tuple(sizes[label] for label in output), inputs=inputs, output=output)


def taken(x, index, axis=0):
    shape = x.call.shape
    return term("take", (x, index), (*shape[:axis], *index.call.shape, *shape[axis + 1 :]), axis=axis)


def entries(x, *positions):
    """One entry of the last axes for each tuple of positions."""
    rest = x.call.shape[: len(x.call.shape) - len(positions)]
    return term("entries", (x, *positions), (*rest, *positions[0].call.shape))


def picked(x, index, axis=0):
    shape = x.call.shape
    return term("pick", (x,), (*shape[:axis], Size.of(len(index)), *shape[axis + 1 :]), axis=axis, index=index)


def same(op, x, **params):
    """A call whose value has the shape of its operand."""
    return term(op, (x,), x.call.shape, **params)


def eigenvalues(A):
    return term("eigvalsh", (A,), A.call.shape[:-1])


def pseudoinverse(A):
    *batch, m, n = A.call.shape
    return term("pinv", (A,), (*batch, n, m))


def reshaped(x, *shape):
    return term("reshape", (x,), tuple(map(Size.of, shape)))


ELEMENTWISE = "a function of numbers"
KINDS = ("Scalar", "Vector", "Matrix", "Tensor", "Tensor")
STRUCTURES = {"symmetric": "Symmetric", "spd": "SPD", "diagonal": "Diagonal", "lower": "LowerTriangular"}


class Below:
    """In place of a shape: so many indices, below a bound."""

    def __init__(self, number, bound):
        self.number, self.bound = Size.of(number), Size.of(bound)


def declared(name, shape, facts=()):
    """The argument: a structured matrix where that is a fact, a function or indices where that stands for the shape."""
    if shape is ELEMENTWISE:
        return Argument(name, "Elementwise", ())
    if isinstance(shape, Below):
        return Argument(name, "Indices", (shape.number,), below=shape.bound)
    kind = next((kind for fact, kind in STRUCTURES.items() if fact in facts), KINDS[len(shape)])
    return Argument(name, kind, tuple(map(Size.of, shape)), frozenset(facts) - set(STRUCTURES))


def term_of(argument):
    """What a loss is given for an argument."""
    if argument.callable:
        return lambda x: term("unknown", (x,), x.call.shape, function=argument.name)
    return Term(Call("argument", (), argument.shape, {"name": argument.name}))


def tape(name, arguments, wrt, function, constraints=(), a_map=False, **options):
    """``arguments``: a tuple (name, shape) or (name, shape, facts) for each; ``wrt`` a name or a tuple."""
    everything = tuple(declared(*argument) for argument in arguments)
    result = function(*map(term_of, everything)).call
    several = isinstance(wrt, tuple)
    return Tape(
        name, f"The loss {name}.", everything, wrt if several else (wrt,), several, result, {},
        tuple(Constraint(Size.of(a), Size.of(b)) for a, b in constraints), options, function=a_map,
    )  # fmt: skip


# Losses


def ridge():
    n, d = dims("n d")

    def loss(X, y, w, lam):
        r = X @ w - y
        return r @ r + lam * (w @ w)

    return tape("ridge", [("X", (n, d)), ("y", (n,)), ("w", (d,)), ("lam", ())], "w", loss)


def logistic():
    n, d = dims("n d")

    def loss(X, y, w):
        return reduced("sum", entrywise("softplus", -(y * (X @ w)))) / n

    return tape("logistic", [("X", (n, d)), ("y", (n,), ["sign"]), ("w", (d,))], "w", loss)


def huber():
    n, d = dims("n d")

    def loss(X, y, w, delta):
        r = X @ w - y
        a = entrywise("absolute", r)
        inside, outside = r * r / 2, delta * (a - delta / 2)
        return reduced("sum", term("where", (a <= delta, inside, outside), r.call.shape))

    return tape("huber", [("X", (n, d)), ("y", (n,)), ("w", (d,)), ("delta", (), ["positive"])], "w", loss)


def factorization():
    m, n, k = dims("m n k")

    def loss(M, mask, U, V, lam):
        R = mask * (U @ V.T - M)
        return reduced("sum", R * R) + lam * (reduced("sum", U * U) + reduced("sum", V * V))

    arguments = [("M", (m, n)), ("mask", (m, n), ["boolean"]), ("U", (m, k)), ("V", (n, k)), ("lam", ())]
    return tape("factorization", arguments, ("U", "V"), loss)


def softmax_regression():
    n, d, k = dims("n d k")

    def loss(X, Y, W):
        Z = X @ W
        return reduced("sum", reduced("logsumexp", Z, 1)) - reduced("sum", Y * Z)

    return tape("softmax_regression", [("X", (n, d)), ("Y", (n, k), ["one_hot"]), ("W", (d, k))], "W", loss)


def network():
    n, d, h = dims("n d h")

    def loss(X, y, W, b, v, c):
        r = entrywise("tanh", X @ W + b) @ v + c - y
        return reduced("mean", r * r)

    arguments = [("X", (n, d)), ("y", (n,)), ("W", (d, h)), ("b", (h,)), ("v", (h,)), ("c", ())]
    return tape("network", arguments, ("W", "b", "v", "c"), loss)


def gaussian():
    n = dims("n")[0]

    def loss(A, b):
        return determinant(A, "logdet") + b @ solved(A, b)

    return tape("gaussian", [("A", (n, n)), ("b", (n,))], "A", loss)


def volume():
    n = dims("n")[0]
    return tape("volume", [("X", (n, n))], "X", determinant)


def symmetric(**options):
    n = dims("n")[0]

    def loss(A, S, v):
        return reduced("sum", A * S) + v @ S @ S @ v

    arguments = [("A", (n, n)), ("S", (n, n), ["symmetric"]), ("v", (n,))]
    name = "symmetric_by_entries" if options else "symmetric"
    return tape(name, arguments, ("S", "v"), loss, **options)


def symmetric_by_entries():
    return symmetric(symmetric="entries")


def two_functions():
    n, d, k = dims("n d k")

    def loss(X, f, V, g):
        return reduced("sum", f(X @ V)) + reduced("sum", g(V) ** 2) / 2

    return tape("two_functions", [("X", (n, d)), ("f", ELEMENTWISE), ("V", (d, k)), ("g", ELEMENTWISE)], "V", loss)


def normed():
    n, d = dims("n d")

    def loss(X, y, w):
        return reduced("norm", X @ w - y)

    return tape("normed", [("X", (n, d)), ("y", (n,)), ("w", (d,))], "w", loss)


def recommender():
    """Factors of the pairs that were observed, and a bias of each row."""
    m, n, k, t = dims("m n k t")

    def loss(rows, columns, r, U, V, b):
        found = reduced("sum", taken(U, rows) * taken(V, columns), 1) + taken(b, rows)
        return reduced("sum", (found - r) ** 2) / 2

    indices = [("rows", Below(t, m)), ("columns", Below(t, n))]
    arguments = [*indices, ("r", (t,)), ("U", (m, k)), ("V", (n, k)), ("b", (m,))]
    return tape("recommender", arguments, ("U", "b"), loss)


def triangular():
    """A Gaussian by its Cholesky factor and its scales."""
    n = dims("n")[0]

    def loss(x, L, T, D):
        z = solved(L, T @ x)
        return z @ z / 2 + determinant(L, "logdet") + reduced("sum", (D @ T @ x) ** 2) + reduced("sum", L * T)

    arguments = [("x", (n,)), ("L", (n, n), ["lower"]), ("T", (n, n), ["lower"]), ("D", (n, n), ["diagonal"])]
    return tape("triangular", arguments, ("L", "D"), loss)


# Functions


def layer():
    n, d = dims("n d")
    arguments = [("A", (n, d)), ("x", (d,)), ("f", ELEMENTWISE)]
    return tape("layer", arguments, "x", lambda A, x, f: A @ f(x), a_map=True)


def resolvent():
    n, k = dims("n k")
    arguments = [("S", (n, n), ["symmetric"]), ("B", (n, k))]
    return tape("resolvent", arguments, ("S", "B"), lambda S, B: inverse(S) @ B, a_map=True)
