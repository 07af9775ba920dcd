"""The recorded calls run again, each as NumPy defines it, in float64 or in 50 digits.

Nothing here knows a derivative or a simplification: what is replayed shares no rule with the code that it tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_letters
from typing import Any

import numpy as np

from gradgen import decomposition, elimination
from gradgen.dims import Let, Size, solve
from gradgen.fields import Array, Field
from gradgen.kinks import order
from gradgen.tape import Call, Span, Tape

MASK_ALGEBRA = frozenset(("add", "multiply", "maximum", "minimum", "absolute", "square", "positive"))
Entry = Size | Span | None
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a call needs besides its operands: numbers, sizes, and what callers pass for the arguments, by their kinds.

    An `Elementwise` argument is a function of arrays of the field.
    """

    field: Field
    sizes: Mapping[str, int]
    inputs: Inputs
    kinds: Mapping[str, str]

    def shape(self, call: Call) -> tuple[int, ...]:
        return tuple(size.value(self.sizes) for size in call.shape)


Interpretation = Callable[..., Any]


def truth(x: Array) -> Array:
    return x if x.dtype == bool else np.asarray(np.not_equal(x, 0))


def _argument(at: Setting, call: Call) -> Any:
    """A Diagonal is passed as its entries; of a LowerTriangular only the lower half counts."""
    name = call.params["name"]
    kind, x = at.kinds.get(name), at.inputs[name]
    if kind == "Diagonal":
        return _diag(at, call, x)
    return np.where(np.tri(len(x), dtype=bool), x, at.field.lift(0.0)) if kind == "LowerTriangular" else x


def _constant(at: Setting, call: Call) -> Any:
    value = np.asarray(call.params["value"])
    return value if value.dtype == bool else at.field.lift(value.astype(float))


def _where(at: Setting, call: Call, condition: Array, x: Array, y: Array) -> Any:
    if not x.dtype == y.dtype == bool:
        x, y = at.field.numbers(x), at.field.numbers(y)
    return np.where(truth(condition), x, y)


def _mean(at: Setting, call: Call, x: Array) -> Any:
    total = np.sum(at.field.numbers(x), axis=call.params["axis"], keepdims=call.params["keepdims"])
    count = np.prod([x.shape[axis] for axis in call.params["axis"]], dtype=float)
    return at.field.functions["divide"](total, at.field.lift(count))


def _logsumexp(at: Setting, call: Call, x: Array) -> Any:
    """log(sum(exp(x - top))) + top"""
    top, weights, axis = _weights(at, call, x)
    result = np.asarray(at.field.functions["log"](np.sum(weights, axis=axis, keepdims=True)) + top)
    return result if call.params["keepdims"] else np.squeeze(result, axis=axis)


def _softmax(at: Setting, call: Call, x: Array) -> Any:
    """exp(x - top) / sum(exp(x - top))"""
    _, weights, axis = _weights(at, call, x)
    return at.field.functions["divide"](weights, np.sum(weights, axis=axis, keepdims=True))


def _log_softmax(at: Setting, call: Call, x: Array) -> Any:
    """(x - top) - log(sum(exp(x - top)))"""
    top, weights, axis = _weights(at, call, x)
    return at.field.numbers(x) - top - at.field.functions["log"](np.sum(weights, axis=axis, keepdims=True))


def _weights(at: Setting, call: Call, x: Array) -> tuple[Any, Any, tuple[int, ...]]:
    """The maximum along the axes, and exp(x - maximum)."""
    x, axis = at.field.numbers(x), call.params["axis"]
    top = np.max(x, axis=axis, keepdims=True)
    return top, at.field.functions["exp"](x - top), axis


def _getitem(at: Setting, call: Call, x: Array) -> Any:
    """Spans are cut first, and stepped through afterwards."""
    index = call.params["index"]
    part = np.asarray(x[tuple(_cut(entry, at.sizes) for entry in index)])
    return part[tuple(_step(entry) for entry in index if not isinstance(entry, Size))]


def _cut(entry: Entry, sizes: Mapping[str, int]) -> int | slice | None:
    if isinstance(entry, Span):
        return slice(entry.start.value(sizes), entry.stop.value(sizes))
    return entry if entry is None else entry.value(sizes)


def _step(entry: Entry) -> slice:
    return slice(None, None, entry.step) if isinstance(entry, Span) else slice(None)


def _positions(x: Array) -> Array:
    return x.astype(np.intp)


def _norm(at: Setting, call: Call, x: Array) -> Any:
    """sqrt(sum(x * x))"""
    x = at.field.numbers(x)
    return at.field.functions["sqrt"](np.sum(x * x, axis=call.params["axis"], keepdims=call.params["keepdims"]))


def _diag(at: Setting, call: Call, x: Array) -> Any:
    zero = False if x.dtype == bool else at.field.lift(0.0)
    return np.where(np.eye(len(x), dtype=bool), x, zero)


def _concatenate(at: Setting, call: Call, *parts: Array) -> Any:
    masks = all(x.dtype == bool for x in parts)
    return np.concatenate(parts if masks else [at.field.numbers(x) for x in parts], axis=call.params["axis"])


def _einsum(at: Setting, call: Call, *operands: Array) -> Any:
    """The labels by letters, since NumPy knows no others."""
    inputs, output = call.params["inputs"], call.params["output"]
    letters = dict(zip(dict.fromkeys(label for labels in inputs for label in labels), ascii_letters, strict=False))
    lists = ["".join(letters[label] for label in labels) for labels in (*inputs, output)]
    text = f"{','.join(lists[:-1])}->{lists[-1]}"
    return np.einsum(text, *map(at.field.numbers, operands))


def _half(function: Any) -> Interpretation:
    """`np.tril` or `np.triu`, with zeros of the field."""

    def half(at: Setting, call: Call, x: Array) -> Any:
        kept = function(np.ones(x.shape[-2:], dtype=bool), call.params["k"])
        return np.where(kept, x, False if x.dtype == bool else at.field.lift(0.0))

    return half


def _formula(at: Setting, call: Call, *operands: Array) -> Any:
    from gradgen.scalar_values import compiled  # SymPy takes long to import

    return compiled(call.params["formula"], at.field.context)(*map(at.field.numbers, operands))


def _eliminated(function: Any) -> Interpretation:
    return lambda at, call, *operands: function(at.field, *map(at.field.numbers, operands))


def _numeric(function: Any) -> Interpretation:
    return lambda at, call, *operands: function(*map(at.field.numbers, operands))


def _logical(function: Any) -> Interpretation:
    return lambda at, call, *operands: function(*map(truth, operands))


def _reduction(function: Any) -> Interpretation:
    return lambda at, call, x: function(at.field.numbers(x), axis=call.params["axis"], keepdims=call.params["keepdims"])


INTERPRETATIONS: Mapping[str, Interpretation] = {
    "argument": _argument,
    "constant": _constant,
    "size": lambda at, call: at.field.lift(float(call.params["size"].value(at.sizes))),
    "where": _where,
    "einsum": _einsum,
    "matmul": _numeric(np.matmul),
    "dot": _numeric(np.dot),
    "inner": _numeric(np.inner),
    "outer": _numeric(np.outer),
    "trace": _numeric(np.trace),
    "transpose": lambda at, call, x: np.transpose(x, call.params["axes"]),
    "sum": _reduction(np.sum),
    "prod": _reduction(np.prod),
    "cumsum": lambda at, call, x: np.cumsum(at.field.numbers(x), axis=call.params["axis"]),
    "mean": _mean,
    "max": _reduction(np.max),
    "min": _reduction(np.min),
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "getitem": _getitem,
    "reshape": lambda at, call, x: np.reshape(x, at.shape(call)),
    "take": lambda at, call, x, index: np.take(x, index, axis=call.params["axis"]),
    "pick": lambda at, call, x: np.take(x, np.array(call.params["index"], dtype=int), axis=call.params["axis"]),
    "entries": lambda at, call, x, *positions: x[(..., *map(_positions, positions))],
    "tril": _half(np.tril),
    "triu": _half(np.triu),
    "broadcast_to": lambda at, call, x: np.broadcast_to(x, at.shape(call)),
    "ones": lambda at, call: at.field.lift(np.ones(at.shape(call))),
    "zeros": lambda at, call: at.field.lift(np.zeros(at.shape(call))),
    "eye": lambda at, call: at.field.lift(np.eye(at.shape(call)[0])),
    "arange": lambda at, call: at.field.lift(np.arange(at.shape(call)[0], dtype=float)),
    "inv": _eliminated(elimination.inverse),
    "solve": _eliminated(elimination.solution),
    "cholesky": _eliminated(decomposition.cholesky),
    "eigvalsh": _eliminated(decomposition.eigenvalues),
    "pinv": _eliminated(decomposition.pseudoinverse),
    "nuclear": _eliminated(decomposition.nuclear),
    "det": _eliminated(elimination.det),
    "logdet": lambda at, call, x: at.field.functions["log"](abs(elimination.det(at.field, at.field.numbers(x)))),
    "detsign": lambda at, call, x: at.field.functions["sign"](elimination.det(at.field, at.field.numbers(x))),
    "norm": _norm,
    "diag": _diag,
    "diagonal": lambda at, call, x: np.diagonal(x, axis1=-2, axis2=-1),
    "concatenate": _concatenate,
    "unknown": lambda at, call, x: at.inputs[call.params["function"]](at.field.numbers(x)),
    "formula": _formula,
    "logical_not": _logical(np.logical_not),
    "logical_and": _logical(np.logical_and),
    "logical_or": _logical(np.logical_or),
}


def interpret(at: Setting, call: Call, operands: Sequence[Array]) -> Array:
    """The value of one call."""
    special = INTERPRETATIONS.get(call.op)
    if special:
        return np.asarray(special(at, call, *operands))
    masks = [x.dtype == bool for x in operands]
    if all(masks) and call.op in MASK_ALGEBRA:
        return np.asarray(getattr(np, call.op)(*operands))
    if any(masks):
        operands = [at.field.numbers(x) for x in operands]
    return np.asarray(at.field.functions[call.op](*operands))


def sizes_of(tape: Tape, inputs: Inputs) -> dict[str, int]:
    """The dimensions, from the shapes of the inputs."""
    found: dict[str, int] = {}
    for step in solve([(a.name, a.given) for a in tape.arguments])[0]:
        if isinstance(step, Let):
            length = np.shape(inputs[step.argument])[step.axis]
            found[step.dim.name] = (length - step.rest.value(found)) // step.factor
    return found


class Replay:
    """A tape at given inputs; what does not depend on ``wrt`` is computed once.

    For an `Elementwise` argument the input is a function, or the name of an entrywise function of the field.
    """

    def __init__(self, tape: Tape, inputs: Inputs, field: Field) -> None:
        kinds = {a.name: a.kind for a in tape.arguments}
        start = {name: _started(field, x, kinds.get(name, "")) for name, x in inputs.items()}
        self.last, self.calls = tape.result, order(tape).moving
        self.setting = Setting(field, sizes_of(tape, inputs), start, kinds)
        self.fixed = _run(self.setting, order(tape).fixed, {})

    def values(self, moved: Mapping[str, Array], more: Iterable[Call] = ()) -> dict[Call, Array]:
        """The value of every call, and of more that were not recorded, with some of the arguments moved."""
        at = replace(self.setting, inputs={**self.setting.inputs, **moved})
        return _run(at, (*self.calls, *more), self.fixed)

    def result(self, moved: Mapping[str, Array]) -> Any:
        """The loss, or the value of a function, with some of the arguments moved."""
        return self.setting.field.numbers(self.values(moved)[self.last])[()]


def _started(field: Field, x: Any, kind: str) -> Any:
    """An input as a value of the field; indices stay integers."""
    if isinstance(x, str):
        return field.functions[x]
    if kind == "Indices":
        return np.asarray(x, dtype=np.intp)
    return x if callable(x) else np.asarray(field.lift(np.asarray(x, dtype=float)))


def _run(at: Setting, calls: Iterable[Call], known: Mapping[Call, Array]) -> dict[Call, Array]:
    values = dict(known)
    with np.errstate(all="ignore"):
        for call in calls:
            values[call] = interpret(at, call, [values[operand] for operand in call.args])
    return values
