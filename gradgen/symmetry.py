"""Which recorded matrices are symmetric by the way in which they are made.

An expression gets a form, in which its axes have labels; it is symmetric where the form stays the same when the labels
of the last two axes change places.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from gradgen.dims import Size, is_one
from gradgen.scope import tracing
from gradgen.tape import BINARY, UNARY, Call

Labels = tuple[Any, ...]
Form = Hashable
COMMUTATIVE = frozenset({"maximum", "minimum", "logaddexp", "hypot", "equal", "not_equal"})
LARGEST = 20_000


class _TooLarge(Exception):
    """A form takes too long to find."""


def is_symmetric(call: Call) -> bool:
    """Whether the last two axes of a call can change places, as far as its form says; other axes stay."""
    if _is_symmetrised(call):
        return True
    trace = tracing()
    others = tuple(("axis", i) for i in range(len(call.shape) - 2))
    rows, columns = ("row",), ("column",)
    forms = _Forms(trace.symmetric if trace else frozenset())
    try:
        return forms.of(call, (*others, rows, columns)) == forms.of(call, (*others, columns, rows))
    except (_TooLarge, RecursionError):
        return False


def _is_symmetrised(call: Call) -> bool:
    """Whether a call is ``A + A.T`` times a scalar, whatever A is."""
    while call.op in ("multiply", "divide"):
        scaled = [a for a in call.args if a.shape]
        if len(scaled) != 1 or (call.op == "divide" and call.args[1].shape):
            return False
        (call,) = scaled
    return call.op == "add" and any(_is_transpose(a, b) for a, b in (call.args, call.args[::-1]))


def _is_transpose(a: Call, b: Call) -> bool:
    """Whether one call is another with its last two axes swapped."""
    rank = len(a.shape)
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    return b.op == "transpose" and b.args[0] == a and tuple(b.params["axes"]) == swapped


class _Forms:
    """The forms of calls, each found once and known by a number."""

    def __init__(self, symmetric: frozenset[str]) -> None:
        self._symmetric = symmetric
        self._found: dict[tuple[Call, Labels], int] = {}
        self._numbers: dict[Form, int] = {}
        self._bound = 0

    def number(self, form: Form) -> int:
        return self._numbers.setdefault(form, len(self._numbers))

    def of(self, call: Call, labels: Labels) -> int:
        key = call, labels
        if key not in self._found:
            if len(self._found) > LARGEST:
                raise _TooLarge
            form = self._form(call, labels)
            self._found[key] = form if isinstance(form, int) else self.number(form)
        return self._found[key]

    def fresh(self) -> Labels:
        self._bound += 1
        return ("bound", self._bound)

    def _form(self, call: Call, labels: Labels) -> Form:
        labels = tuple(() if is_one(s) else k for s, k in zip(call.shape, labels, strict=True))
        special = getattr(self, f"_{call.op}", None)
        if special:
            return special(call, labels)  # type: ignore[no-any-return]
        if call.op in PRODUCTS:
            return self._product(call, labels)
        if call.op in REDUCTIONS:
            return self._reduced(call, labels)
        if call.op not in ENTRYWISE:
            return self._opaque(call, labels)
        parts = [self.of(a, tail(a, labels)) for a in call.args]
        return call.op, extra(call), tuple(sorted(parts) if call.op in COMMUTATIVE else parts)

    # leaves

    def _argument(self, call: Call, labels: Labels) -> Form:
        name = call.params["name"]
        return "argument", name, tuple(sorted(labels)) if name in self._symmetric else labels

    def _eye(self, call: Call, labels: Labels) -> Form:
        return "eye", tuple(sorted(labels))

    def _ones(self, call: Call, labels: Labels) -> Form:
        return call.op

    _zeros = _ones

    def _size(self, call: Call, labels: Labels) -> Form:
        return "size", call.params["size"]

    def _arange(self, call: Call, labels: Labels) -> Form:
        return "arange", labels

    def _constant(self, call: Call, labels: Labels) -> Form:
        value = call.params["value"]
        if value.ndim != 2:
            return "constant", value.shape, value.tobytes(), labels
        turned = value.shape[::-1], value.T.tobytes(), labels[::-1]
        return ("constant", *min((value.shape, value.tobytes(), labels), turned, key=repr))

    # sums

    def _add(self, call: Call, labels: Labels) -> Form:
        return "add", tuple(sorted(self._terms(call, labels, False)))

    _subtract = _add

    def _terms(self, call: Call, labels: Labels, minus: bool) -> list[int]:
        if call.op == "transpose":
            return self._terms(call.args[0], _behind(call, labels), minus)
        if call.op in ("add", "subtract", "negative"):
            signs = (minus, minus ^ (call.op == "subtract")) if len(call.args) > 1 else (not minus,)
            pairs = zip(call.args, signs, strict=True)
            return [t for a, sign in pairs for t in self._terms(a, tail(a, labels), sign)]
        part = self.of(call, labels)
        return [self.number(("minus", part)) if minus else part]

    def _even(self, call: Call, labels: Labels) -> Form:
        """A function that does not see the sign of what it is applied to."""
        how = call.op, extra(call), float(call.args[1].params["value"]) if call.op == "power" else None
        return how, self._unsigned(call.args[0], tail(call.args[0], labels), call.op not in ("cos", "cosh"))

    def _unsigned(self, x: Call, labels: Labels, splits: bool = True) -> Form:
        """What is applied to, up to its sign; a quotient or product splits where the function does."""
        if splits and x.op in ("multiply", "divide"):
            parts = [self.number(self._unsigned(a, tail(a, labels))) for a in x.args]
            return x.op, tuple(sorted(parts) if x.op == "multiply" else parts)
        return min(tuple(sorted(self._terms(x, labels, minus))) for minus in (False, True))

    _square = _absolute = _cos = _cosh = _even

    def _power(self, call: Call, labels: Labels) -> Form:
        exponent = call.args[1]
        if exponent.op == "constant" and not exponent.shape and float(exponent.params["value"]) % 2 == 0:
            return self._even(call, labels)
        return call.op, tuple(self.of(a, tail(a, labels)) for a in call.args)

    # products, with what is summed over them

    def _product(self, call: Call, labels: Labels) -> Form:
        factors = self._factors(call, labels)
        return "product", min(self._numbered(factors), self._numbered(factors[::-1]))

    def _numbered(self, factors: Sequence[tuple[Call, Labels]]) -> tuple[int, ...]:
        """The forms of factors whose summed labels are counted in the order in which they appear."""
        names: dict[Any, Any] = {}

        def renamed(label: Any) -> Any:
            if not (isinstance(label, tuple) and label):
                return label
            if label[0] == "bound":
                return names.setdefault(label, ("sum", len(names)))
            return tuple(map(renamed, label)) if label[0] == "in" else label

        return tuple(sorted([self.of(f, tuple(map(renamed, labels))) for f, labels in factors]))

    def _factors(self, call: Call, labels: Labels) -> list[tuple[Call, Labels]]:
        labels = tuple(() if is_one(s) else k for s, k in zip(call.shape, labels, strict=True))
        if call.op == "transpose":
            return self._factors(call.args[0], _behind(call, labels))
        if call.op not in PRODUCTS:
            return [(call, labels)]
        inner = getattr(self, f"_inner_{call.op}", None)
        parts = inner(call, labels) if inner else [tail(a, labels) for a in call.args]
        return [f for a, k in zip(call.args, parts, strict=True) for f in self._factors(a, k)]

    def _inner_matmul(self, call: Call, labels: Labels) -> list[Labels]:
        a, b = call.args
        k, rest = self.fresh(), list(labels)
        last = rest.pop() if len(b.shape) > 1 else None
        row = rest.pop() if len(a.shape) > 1 else None
        left = (*_lead(a, rest), *(() if row is None else (row,)), k)
        return [left, (*_lead(b, rest), k, *(() if last is None else (last,)))]

    _inner_dot = _inner_matmul

    def _inner_inner(self, call: Call, labels: Labels) -> list[Labels]:
        cut, k = len(call.args[0].shape) - 1, self.fresh()
        return [(*labels[:cut], k), (*labels[cut:], k)]

    def _inner_outer(self, call: Call, labels: Labels) -> list[Labels]:
        return [(labels[0],), (labels[1],)]

    def _inner_einsum(self, call: Call, labels: Labels) -> list[Labels]:
        known: dict[int, Any] = dict(zip(call.params["output"], labels, strict=True))
        for k in (k for part in call.params["inputs"] for k in part if k not in known):
            known.setdefault(k, self.fresh())
        return [tuple(known[k] for k in part) for part in call.params["inputs"]]

    def _inner_sum(self, call: Call, labels: Labels) -> list[Labels]:
        return [self._within(call, labels, [self.fresh() for _ in call.params["axis"]])]

    def _within(self, call: Call, labels: Labels, bound: Sequence[Any]) -> Labels:
        """The labels of what is reduced, from those of the result and of the axes that go."""
        kept, gone, found = iter(labels), iter(bound), []
        for i in range(len(call.args[0].shape)):
            out = i in call.params["axis"]
            label = next(kept) if call.params["keepdims"] or not out else None
            found.append(next(gone) if out else label)
        return tuple(found)

    def _reduced(self, call: Call, labels: Labels) -> Form:
        depth = sum(k[:1] == ("reduced",) for k in labels)
        bound = [("reduced", depth + i) for i in range(len(call.params["axis"]))]
        x, inside = call.args[0], self._within(call, labels, bound)
        return call.op, extra(call), self._unsigned(x, inside) if call.op == "norm" else self.of(x, inside)

    # views

    def _transpose(self, call: Call, labels: Labels) -> Form:
        return self.of(call.args[0], _behind(call, labels))

    def _reshape(self, call: Call, labels: Labels) -> Form:
        """New axes of length 1; rows and columns that are two axes each, as np.kron makes them."""
        (x,) = call.args
        if _long(x) == _long(call):
            given = (k for s, k in zip(call.shape, labels, strict=True) if not is_one(s))
            return self.of(x, tuple(() if is_one(s) else next(given) for s in x.shape))
        if len(x.shape) != 4 or len(labels) != 2 or x.shape[0] * x.shape[1] != call.shape[0]:
            return self._opaque(call, labels)
        return self.of(x, tuple(("part", i, k) for k in labels for i in range(2)))

    def _broadcast_to(self, call: Call, labels: Labels) -> Form:
        (x,) = call.args
        return self.of(x, tail(x, labels))

    def _getitem(self, call: Call, labels: Labels) -> Form:
        (x,), given = call.args, iter(labels)
        found: list[Any] = []
        sizes = iter(x.shape)
        for entry in call.params["index"]:
            if entry is None:
                next(given)
                continue
            size = next(sizes)
            if isinstance(entry, Size):
                found.append(("at", entry.key))
                continue
            label = next(given)
            whole = not entry.start.terms and entry.stop == size and entry.step == 1
            found.append(label if whole else ("cut", entry.start.key, entry.stop.key, entry.step, label))
        return self.of(x, tuple(found))

    def _concatenate(self, call: Call, labels: Labels) -> Form:
        return "blocks", tuple(sorted(self._blocks(call, labels)))

    def _blocks(self, call: Call, labels: Labels) -> list[int]:
        if call.op != "concatenate":
            return [self.of(call, labels)]
        axis, start, found = call.params["axis"], Size.of(0), []
        for part in call.args:
            inside = ("in", start.key, part.shape[axis].key, labels[axis])
            found += self._blocks(part, (*labels[:axis], inside, *labels[axis + 1 :]))
            start = start + part.shape[axis]
        return found

    # matrices

    def _diag(self, call: Call, labels: Labels) -> Form:
        return "diag", tuple(sorted(labels)), self.of(call.args[0], (("diagonal",),))

    def _inv(self, call: Call, labels: Labels) -> Form:
        (x,), lead = call.args, labels[:-2]
        i, j = labels[-2:]
        one = (i, j), self.of(x, (*lead, ("left",), ("right",)))
        other = (j, i), self.of(x, (*lead, ("right",), ("left",)))
        return call.op, min(one, other)

    _pinv = _inv

    def _opaque(self, call: Call, labels: Labels) -> Form:
        """Any other call: its operands' axes have names of their own."""
        names = [tuple(("of", i) for i in range(len(a.shape))) for a in call.args]
        parts = tuple(self.of(a, k) for a, k in zip(call.args, names, strict=True))
        return call.op, extra(call), tuple(s.key for s in call.shape), parts, labels


def extra(call: Call) -> Form:
    """The parameters of a call as a value."""
    return tuple((k, str(v)) for k, v in sorted(call.params.items()))


def tail(call: Call, labels: Labels) -> Labels:
    """The labels of an operand that is broadcast."""
    return labels[len(labels) - len(call.shape) :]


def _behind(transpose: Call, labels: Labels) -> Labels:
    """The labels of what is transposed."""
    return tuple(labels[transpose.params["axes"].index(i)] for i in range(len(labels)))


def _long(call: Call) -> list[Size]:
    """The lengths of the axes that are not literally 1."""
    return [s for s in call.shape if not is_one(s)]


def _lead(call: Call, rest: Sequence[Any]) -> Labels:
    """The labels of the axes before the matrices of an operand."""
    count = max(0, len(call.shape) - 2)
    return tuple(rest[len(rest) - count :]) if count else ()


PRODUCTS = frozenset({"multiply", "matmul", "dot", "inner", "outer", "einsum", "sum"})
REDUCTIONS = frozenset({"mean", "max", "min", "prod", "norm", "logsumexp"})
ENTRYWISE = frozenset((*UNARY, *BINARY, "where", "unknown", "formula"))
