"""The graph run as NumPy: what each node means, said once more and without any of gradgen's own spelling.

Also short ways to make symbols, their values, and comparisons of nodes with arrays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg
from scipy import special

from gradgen.atoms import Unknown
from gradgen.dims import Dim, Size
from gradgen.nodes import (
    Add,
    Arange,
    Constant,
    Count,
    Delta,
    Map,
    Node,
    Product,
    Shape,
    Symbol,
    Triangle,
    View,
    symbol,
)
from gradgen.ops.adjugate import Adjugate, AdjugateAlong
from gradgen.ops.determinant import Det, DetSign, LogDet
from gradgen.ops.factor import Cholesky, Eigenvalues, Eigenvectors
from gradgen.ops.gather import Gather, Indexed, Scatter
from gradgen.ops.inverse import Inverse
from gradgen.ops.matrix import Matrices
from gradgen.ops.nuclear import Nuclear, Polar, PolarAlong
from gradgen.ops.operation import Operation
from gradgen.ops.others import Others, OthersAlong
from gradgen.ops.pinv import Pinv
from gradgen.ops.reduce import Reduce
from gradgen.ops.reshape import Reshape
from gradgen.ops.scan import Scan
from gradgen.ops.select import Embed, Pick, Select
from gradgen.ops.solve import Solve

SIZES = {"n": 5, "d": 3, "k": 2, "m": 4}
DIMS = {name: Size.of(Dim(rank, name)) for rank, name in enumerate(SIZES)}
Values = Mapping[str, Any]


def mills(x: Any) -> Any:
    """The normal density over its distribution function."""
    return np.sqrt(2 / np.pi) / special.erfcx(-np.sqrt(0.5) * x)


ATOM_VALUES: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in "exp expm1 exp2 log log1p log2 log10 sin cos tan arcsin arccos".split()},
    **{name: getattr(np, name) for name in "arctan sinh cosh tanh arcsinh arccosh arctanh absolute sign".split()},
    **{name: getattr(np, name) for name in "maximum minimum power logaddexp hypot arctan2".split()},
    **{name: getattr(np, name) for name in "greater greater_equal less less_equal equal not_equal".split()},
    **{name: getattr(np, name) for name in "logical_and logical_or logical_not".split()},
    "where": lambda mask, a, b: np.where(mask != 0, a, b),
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": special.expit,
    "bell": lambda x: special.expit(x) * special.expit(-x),
    "softplus": lambda x: np.logaddexp(0, x),
    "log_cosh": lambda x: np.logaddexp(x, -x) - np.log(2),
    "root": np.sqrt,
    "nonzero": lambda x: np.where(x == 0, np.inf, x),
    "lowered": lambda x: np.where(x == 0, 0, x - 1),
    "regular": lambda x: np.where(x == 0, np.nan, x),
    **{name: getattr(special, name) for name in "erf erfc ndtr log_ndtr logit entr gammaln digamma".split()},
    **{name: getattr(special, name) for name in "xlogy xlog1py rel_entr".split()},
    "trigamma": lambda x: special.polygamma(1, x),
    "tetragamma": lambda x: special.polygamma(2, x),
    "mills": lambda x: mills(x),
    "mills_slope": lambda x: -mills(x) * (x + mills(x)),
    "size_power": lambda a, b: np.abs(a) ** b,
    "signed_power": lambda a, b: np.sign(a) * np.abs(a) ** b,
    "power_log": lambda a, b: special.xlogy(a**b, a),
    "over_unless_zero": lambda a, b: np.where(a == 0, 0, a / np.where(a == 0, 1, b)),
}
# What stands for a function that is given at run time, with its derivatives.
UNKNOWN: tuple[Callable[..., Any], ...] = (
    lambda x: x**3 + np.sin(x),
    lambda x: 3 * x**2 + np.cos(x),
    lambda x: 6 * x - np.sin(x),
)


# ---- symbols and their values


def shape(letters: str) -> Shape:
    """``nd`` is (n, d); a digit is a literal size."""
    return tuple(Size.of(int(letter)) if letter.isdigit() else DIMS[letter] for letter in letters)


def symbols(declared: str) -> list[Symbol]:
    """``"X:nd w:d c: Y:nk:one_hot"`` are a matrix, a vector, a scalar and a matrix with a fact; ``symmetric`` is one
    too."""
    entries = [entry.split(":") for entry in declared.split()]
    return [
        symbol(e[0], index, shape(e[1]), frozenset(e[2:]) - {"symmetric"}, symmetric="symmetric" in e)
        for index, e in enumerate(entries)
    ]


def value_of(one: Symbol, seed: int = 0) -> np.ndarray:
    """Random values that belong to a symbol's name, in keeping with its facts."""
    rng = np.random.default_rng([seed, zlib.crc32(one.name.encode())])
    drawn = rng.standard_normal([size.value(SIZES) for size in one.shape])
    for fact in one.facts:
        drawn = _FACTS[fact](drawn)
    if one.rank == 2 and one.symmetric:
        drawn = drawn + drawn.T
    return np.asarray(drawn)


_FACTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "positive": lambda x: np.abs(x) + 0.5,
    "sign": np.sign,
    "boolean": lambda x: (x > 0) * 1.0,
    "one_hot": lambda x: (x == x.max(axis=-1, keepdims=True)) * 1.0,
    "simplex": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
    "unit_interval": special.expit,
    "triangular": np.tril,
    "indices": lambda x: np.reshape(
        np.arange(x.size) * 2 % 3 * 1.0, x.shape
    ),  # 0, 2, 1, 0, …: into an axis of at least 3, with repeats
}


def leaves(roots: Sequence[Node]) -> list[Symbol]:
    return [node for node in _ordered(roots) if isinstance(node, Symbol)]


def values_for(roots: Sequence[Node], seed: int = 0) -> dict[str, np.ndarray]:
    return {one.name: value_of(one, seed) for one in leaves(roots)}


# ---- evaluation


def evaluate(node: Node, values: Values | None = None, seed: int = 0) -> np.ndarray:
    """The array that a node is, of exactly its shape; symbols without a value get a random one."""
    known = {**values_for([node], seed), **(values or {})}
    done: dict[Node, np.ndarray] = {}
    for inner in _ordered([node]):
        sizes = [size.value(SIZES) for size in inner.shape]
        done[inner] = np.broadcast_to(_array(inner, done, known), sizes)
    return done[node]


def _ordered(roots: Sequence[Node]) -> list[Node]:
    """Operands first; by a loop, since chains are long."""
    found: dict[Node, None] = {}
    stack = list(roots)
    while stack:
        pending = [child for child in stack[-1].operands if child not in found]
        if pending:
            stack += pending
        else:
            found[stack.pop()] = None
    return list(found)


def _array(node: Node, done: Mapping[Node, np.ndarray], values: Values) -> Any:
    if isinstance(node, Symbol):
        return np.asarray(values[node.name], dtype=float)
    if isinstance(node, Constant):
        return np.reshape(node.values, [size.value(SIZES) for size in node.shape])
    if isinstance(node, Count):
        return float(node.size.value(SIZES))
    if isinstance(node, Delta):
        return np.eye(node.shape[0].value(SIZES))
    if isinstance(node, Triangle):
        return np.tri(node.shape[0].value(SIZES), node.shape[1].value(SIZES), node.offset)
    if isinstance(node, Arange):
        return np.arange(float(node.shape[0].value(SIZES)))
    if isinstance(node, View):
        return float(node.coefficient) * _laid(done[node.node], node.labels, node.rank)
    if isinstance(node, Add):
        return sum(float(c) * _laid(done[inner], labels, node.rank) for c, inner, labels in node.terms)
    if isinstance(node, Product):
        return _product(node, done)
    if isinstance(node, Map):
        return _mapped(node, [float(c) * _laid(done[inner], labels, node.rank) for c, inner, labels in node.arguments])
    if isinstance(node, Reduce):
        return _reduced(node, done[node.node])
    if isinstance(node, Select):
        return _laid(done[node.node], node.labels, len(node.picks))[indices(node.picks)]
    if isinstance(node, Matrices):
        return _of_matrices(node, done)
    return _moved(node, done)


def _moved(node: Node, done: Mapping[Node, np.ndarray]) -> Any:
    """Operations that move entries along axes, or run along one."""
    if isinstance(node, Reshape):
        sizes, full = ([size.value(SIZES) for size in shape] for shape in (node.shape, node.full))
        return np.broadcast_to(_laid(done[node.node], node.labels, len(full)), full).reshape(sizes)
    if isinstance(node, Gather):
        return done[node.node][_positions(node, node.shape, done)]
    if isinstance(node, Scatter):
        total = np.zeros(_sizes(node.shape), dtype=done[node.node].dtype)
        np.add.at(total, _positions(node, node.node.shape, done), done[node.node])
        return total
    if isinstance(node, Scan):
        array = _first(node, done)
        sums = np.cumsum(np.flip(array, node.axis) if node.backwards else array, axis=node.axis)
        return np.flip(sums, node.axis) if node.backwards else sums
    if isinstance(node, Others):
        return others(_first(node, done), node.axis)
    if isinstance(node, OthersAlong):
        return _others_along(node, done)
    if isinstance(node, Pinv):
        full = [size.value(SIZES) for size in node.full]
        return np.linalg.pinv(np.broadcast_to(_laid(done[node.node], node.labels, len(full)), full))
    assert isinstance(node, Embed)
    placed = np.zeros([size.value(SIZES) for size in node.shape])
    placed[indices(node.picks)] = done[node.node]
    return placed


def _laid(array: np.ndarray, labels: Sequence[int], rank: int) -> np.ndarray:
    """The array with its axes on the labels 0 … rank-1 of a result: a diagonal for a repeated label, 1 for a
    missing one."""
    found = sorted(set(labels))
    taken = np.einsum(array, list(labels), found)
    return taken.reshape([taken.shape[found.index(k)] if k in found else 1 for k in range(rank)])


def _product(node: Product, done: Mapping[Node, np.ndarray]) -> np.ndarray:
    parts: list[Any] = []
    for inner, labels, power in node.factors:
        raised = done[inner] ** float(power) if power != int(power) or power < 0 else done[inner] ** int(power)
        parts += [raised, list(labels)]
    present = {k for _, labels, _ in node.factors for k in labels}
    kept = [k for k in range(node.rank) if k in present]
    summed = np.einsum(*parts, kept) if parts else np.asarray(1.0)
    return _laid(summed, kept, node.rank)


def _mapped(node: Map, arrays: list[np.ndarray]) -> np.ndarray:
    if node.atom.name == "power_of":
        return np.asarray(arrays[0] ** float(node.atom.exponent))
    if isinstance(node.atom, Unknown):
        return np.asarray(UNKNOWN[node.atom.degree](*arrays))
    with np.errstate(all="ignore"):
        return np.asarray(ATOM_VALUES[node.atom.name](*arrays), dtype=float)


def _reduced(node: Reduce, array: np.ndarray) -> np.ndarray:
    labels = list(dict.fromkeys(node.labels))  # equal ones are a diagonal
    array = np.einsum(array, list(node.labels), labels)
    gone = tuple(axis for axis, label in enumerate(labels) if label >= node.rank)
    kept = [label for label in labels if label < node.rank]
    how = {"max": np.max, "min": np.min, "logsumexp": special.logsumexp, "prod": np.prod}[node.kind]
    return np.transpose(how(float(node.coefficient) * array, axis=gone), np.argsort(kept))


def _of_matrices(node: Matrices, done: Mapping[Node, np.ndarray]) -> np.ndarray:
    frame = [size.value(SIZES) for size in node.frame]
    matrices = np.broadcast_to(float(node.coefficient) * _laid(done[node.node], node.labels, len(frame)), frame)
    if isinstance(node, Inverse):
        return np.linalg.inv(matrices)
    if isinstance(node, Adjugate):
        return adjugate(matrices)
    if isinstance(node, AdjugateAlong):
        return _along(matrices, np.broadcast_to(*_on(node.direction, node.along, node, done)))
    if isinstance(node, Polar):
        return polar(matrices)
    if isinstance(node, PolarAlong):
        directions = np.broadcast_to(*_on(node.direction, node.along, node, done))
        return _in_front(matrices, directions, lambda first: polar_along(matrices, first))
    if isinstance(node, Solve):
        right = np.broadcast_to(*_on(node.right, node.side, node, done))
        columns = right[..., None] if right.ndim < matrices.ndim else right
        found = np.linalg.solve(np.swapaxes(matrices, -1, -2) if node.turned else matrices, columns)
        return found.reshape(right.shape)
    if isinstance(node, Cholesky | Eigenvalues | Eigenvectors):
        return _factored(node, (matrices + matrices.mT) / 2)
    if isinstance(node, Nuclear):
        return np.linalg.norm(matrices, "nuc", axis=(-2, -1))
    kinds = {Det: np.linalg.det, LogDet: lambda a: np.linalg.slogdet(a)[1], DetSign: lambda a: np.linalg.slogdet(a)[0]}
    return np.asarray(kinds[type(node)](matrices))


def _factored(node: Node, matrices: np.ndarray) -> np.ndarray:
    if isinstance(node, Cholesky):
        return np.linalg.cholesky(matrices)
    values, vectors = np.linalg.eigh(matrices)
    return values if isinstance(node, Eigenvalues) else vectors


def others(array: np.ndarray, axis: int) -> np.ndarray:
    """For each entry the product of all others along an axis."""
    parts = [np.prod(np.delete(array, k, axis=axis), axis=axis) for k in range(array.shape[axis])]
    return np.stack(parts, axis=axis)


def _others_along(node: OthersAlong, done: Mapping[Node, np.ndarray]) -> np.ndarray:
    """By a complex step; the axes of the directions behind the node's stay there."""
    direction = np.broadcast_to(*_on(node.direction, node.labels, node, done))
    rank, more, step = node.node.rank, node.rank - node.node.rank, 1e-30
    first = np.moveaxis(direction, range(rank, node.rank), range(more))
    moved = _first(node, done) + 1j * step * first
    return np.moveaxis(others(moved, more + node.axis).imag / step, range(more), range(rank, node.rank))


def _first(node: Operation, done: Mapping[Node, np.ndarray]) -> np.ndarray:
    """The first operand of an operation, on its labels."""
    coefficient, inner, labels = node.arguments[0]
    return np.asarray(float(coefficient) * _laid(done[inner], labels, max(labels) + 1))


def _sizes(shape: Sequence[Size]) -> list[int]:
    return [size.value(SIZES) for size in shape]


def _positions(node: Indexed, shape: Sequence[Size], done: Mapping[Node, np.ndarray]) -> tuple[np.ndarray, ...]:
    """For each axis of what is indexed the position of each entry that is taken, over the labels of these."""
    grid = [*np.indices(_sizes(shape)), 0]  # a single index runs over no label
    found = []
    for label, index in zip(node.labels, node.indices, strict=True):
        if index is None:
            found.append(grid[label])
        else:
            values = (done[index] if isinstance(index, Symbol) else np.asarray(index)).astype(int)
            found.append(values[grid[label]] if values.ndim else values)
    return tuple(found)


def _on(
    inner: Node, labels: Sequence[int], node: Node, done: Mapping[Node, np.ndarray]
) -> tuple[np.ndarray, list[int]]:
    """An operand on the labels of a result, and the shape of that."""
    return _laid(done[inner], labels, node.rank), [size.value(SIZES) for size in node.shape]


def adjugate(matrices: np.ndarray) -> np.ndarray:
    """The transposed cofactors of each matrix, by their definition."""
    size = matrices.shape[-1]
    found = np.empty(matrices.shape, dtype=matrices.dtype)
    for i, j in np.ndindex(size, size):
        minor = np.delete(np.delete(matrices, j, axis=-2), i, axis=-1)
        found[..., i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return found


def _along(matrices: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The derivative of the adjugate, by a complex step; the axes of the directions behind the matrices stay there."""
    step = 1e-30
    return _in_front(matrices, directions, lambda first: adjugate(matrices + 1j * step * first).imag / step)


def _in_front(matrices: np.ndarray, directions: np.ndarray, function: Callable[..., np.ndarray]) -> np.ndarray:
    """The function of directions whose axes behind the matrices stand in front of them, and go back."""
    rank = matrices.ndim
    more = directions.ndim - rank
    first = np.moveaxis(directions, range(rank, rank + more), range(more))
    return np.moveaxis(function(first), range(more), range(rank, rank + more))


def polar(matrices: np.ndarray) -> np.ndarray:
    """The polar factor of each matrix."""
    return _each(lambda matrix: scipy.linalg.polar(matrix)[0], matrices)


def polar_along(matrices: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """dP = (dA - P dH) H⁻¹ of each tall matrix A = P H, where H dH + dH H = dAᵀ A + Aᵀ dA; of a wide one by its
    transpose."""
    if matrices.shape[-1] > matrices.shape[-2]:
        return polar_along(matrices.mT, directions.mT).mT
    return _each(_tall_polar_along, *np.broadcast_arrays(matrices, directions))


def _tall_polar_along(matrix: np.ndarray, direction: np.ndarray) -> np.ndarray:
    factor, root = scipy.linalg.polar(matrix)
    right = direction.T @ matrix + matrix.T @ direction
    moved = scipy.linalg.solve_sylvester(root, root, right)
    return np.asarray((direction - factor @ moved) @ np.linalg.inv(root))


def _each(function: Callable[..., np.ndarray], *stacks: np.ndarray) -> np.ndarray:
    sides = stacks[0].shape[-2:]
    flat = [stack.reshape(-1, *sides) for stack in stacks]
    return np.array([function(*one) for one in zip(*flat, strict=True)]).reshape(stacks[0].shape)


def indices(picks: Sequence[Pick]) -> tuple[Any, ...]:
    """The NumPy index that takes the picks."""
    return tuple(_index(pick) for pick in picks)


def _index(pick: Pick) -> Any:
    if pick is None:
        return slice(None)
    if isinstance(pick, Size):
        return pick.value(SIZES)
    taken = list(range(pick.start.value(SIZES), pick.stop.value(SIZES)))[:: pick.step]
    if not taken:
        return slice(0, 0)
    return slice(taken[0], taken[-1] + pick.step if taken[-1] + pick.step >= 0 else None, pick.step)


# ---- comparisons


def agree(left: Any, right: Any, tolerance: float = 1e-12) -> bool:
    """Whether two arrays of one shape are equal up to rounding."""
    left, right = np.asarray(left), np.asarray(right)
    scale = max(1.0, float(np.max(np.abs(right), initial=0.0)))
    return left.shape == right.shape and bool(np.max(np.abs(left - right), initial=0.0) <= tolerance * scale)


def same(left: Node, right: Node, seeds: Sequence[int] = (0, 1, 2)) -> bool:
    """Whether two nodes are equal on random inputs."""
    return all(agree(evaluate(left, seed=seed), evaluate(right, seed=seed)) for seed in seeds)
