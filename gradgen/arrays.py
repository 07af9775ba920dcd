"""What stands for an array while a loss is traced. NumPy's own protocols carry every call to the vocabulary."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from gradgen import scope
from gradgen.dimension import Dimension, wrap
from gradgen.dims import Size, is_one
from gradgen.errors import SpecError
from gradgen.hints import COLLECTED, NUMBERED, branched, escape, of_method, subscript
from gradgen.indexing import Entry, normalise, whole
from gradgen.positions import Positions, counts, selects
from gradgen.registry import UFUNCS, apply, call, unknown
from gradgen.scope import wrong
from gradgen.shapes import Shape
from gradgen.tape import Call

LARGEST = 1000
ADDED_UP = "eye(k)[rows].T @ v adds up v by the index rows, an argument Indices[m, k]"
DIAGONAL = "A * (1 - eye(n)) has zeros on the diagonal, and + diag(v) puts v there"
REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logaddexp": "logsumexp"}
METHODS = "sum mean max min prod var std cumsum dot trace diagonal squeeze clip ravel flatten take".split()


def record(
    op: str, args: tuple[Array, ...], shape: Shape, boolean: bool = False, column: bool = False, **params: Any
) -> Array:
    """One call on the tape."""
    trace = scope.tracing()
    if trace is None:
        raise SpecError("a traced array was used after its loss had been traced", "keep no array outside the function")
    made = Call(op, tuple(a.call for a in args), shape, params, boolean, trace.place())
    return Array(made, column and any(is_one(s) for s in shape))


def constant(value: Any) -> Array:
    """A real number or array as a literal of the tape."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise wrong("a nested list of unequal lengths is no array") from None
    if array.dtype.kind not in "biuf":
        raise wrong(f"{type(value).__name__} is no real array", "a formula is made of arrays, numbers and dimensions")
    if array.size > LARGEST:
        raise wrong(f"a constant of {array.size} entries", f"let arrays of more than {LARGEST} entries be arguments")
    literal = array.astype(bool if array.dtype.kind == "b" else float)
    literal.flags.writeable = False
    shape = tuple(map(Size.of, literal.shape))
    return record("constant", (), shape, literal.dtype == bool, value=literal)


def lift(value: Any) -> Array:
    """Anything that may stand in a formula as a traced array."""
    if isinstance(value, Array):
        return value
    if isinstance(value, Positions):
        value.refuse()
    if isinstance(value, Dimension):
        size = value.size
        return constant(size.constant) if size.constant is not None else record("size", (), (), size=size)
    if isinstance(value, (list, tuple)) and _traced(value):
        return call("stack", (value,), {})  # type: ignore[no-any-return]
    return constant(value)


def _traced(value: Any) -> bool:
    """Whether a list holds what is traced, at any depth."""
    return any(map(_traced, value)) if isinstance(value, (list, tuple)) else isinstance(value, (Array, Dimension))


class Array:
    """A traced array: the call that made it. ``column`` says that its axes of length 1 were not asked for by name."""

    __slots__ = ("call", "column")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, call: Call, column: bool = False) -> None:
        self.call = call
        self.column = column

    def __repr__(self) -> str:
        return f"<traced {self.call.op} of shape {self.shape}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    @property
    def shape(self) -> tuple[Any, ...]:
        return tuple(wrap(s) for s in self.call.shape)

    @property
    def ndim(self) -> int:
        return len(self.call.shape)

    @property
    def size(self) -> Any:
        total = Size.of(1)
        for size in self.call.shape:
            total = total * size
        return wrap(total)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(bool if self.call.boolean else float)

    @property
    def T(self) -> Array:
        return self.transpose()

    @property
    def mT(self) -> Array:
        return self.swapaxes(-1, -2)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if kwargs.get("out") is not None:
            given = f"leave out= away: y = np.{name}(...)" if "out=" in scope.source() else ""
            raise wrong("no array is filled in place", given or "write a = a + b in place of a += b")
        if method == "reduce" and name in REDUCTIONS:
            return call(REDUCTIONS[name], inputs, {"axis": 0, **kwargs})
        if method == "outer" and name in UFUNCS and not kwargs:
            a, b = map(lift, inputs)
            return apply(name, a[(..., *(None,) * b.ndim)], b)
        if method == "accumulate" and name == "add":
            return call("cumsum", inputs, {"axis": 0, **kwargs})
        if method == "at":
            raise wrong("a traced array cannot be changed in place", f"{ADDED_UP}; to read entries, write x[rows]")
        if method != "__call__":
            raise wrong(f"np.{name}.{method} is not in the vocabulary", "write it with the operators and a sum")
        if name not in UFUNCS:
            unknown(name, "np" if hasattr(np, name) else "scipy.special")
        if name == "vecdot" and kwargs.keys() == {"axis"}:
            return UFUNCS[name](*inputs, **kwargs)
        if kwargs:
            raise wrong(f"np.{name} takes no {next(iter(kwargs))} here")
        return apply(name, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = function.__module__.replace("numpy", "np")
        name = function.__name__ if module == "np" else f"{module.removeprefix('np.')}.{function.__name__}"
        return call(name, args, kwargs)

    # Python's operators

    def __add__(self, other: Any) -> Any:
        return apply("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return apply("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return apply("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return apply("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return apply("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return apply("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return apply("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return apply("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return apply("power", other, self)

    def __matmul__(self, other: Any) -> Any:
        return apply("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return apply("matmul", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return apply("floor_divide", self)

    __rfloordiv__ = __floordiv__

    def __mod__(self, other: Any) -> Any:
        return apply("mod", self)

    __rmod__ = __mod__

    def __neg__(self) -> Any:
        return apply("negative", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply("absolute", self)

    def __invert__(self) -> Any:
        return apply("invert", self)

    def __and__(self, other: Any) -> Any:
        return apply("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Any:
        return apply("bitwise_and", other, self)

    def __or__(self, other: Any) -> Any:
        return apply("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Any:
        return apply("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Any:
        return apply("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return apply("bitwise_xor", other, self)

    def __eq__(self, other: Any) -> Any:
        return False if other is None or isinstance(other, str) else apply("equal", self, other)

    def __ne__(self, other: Any) -> Any:
        return True if other is None or isinstance(other, str) else apply("not_equal", self, other)

    def __lt__(self, other: Any) -> Any:
        return apply("less", self, other)

    def __le__(self, other: Any) -> Any:
        return apply("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return apply("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return apply("greater_equal", self, other)

    def __getitem__(self, index: Any) -> Array:
        if selects(index):
            return call("__getitem__", (self, index), {})  # type: ignore[no-any-return]
        entries, shape = normalise(index, self.call.shape)
        if _is_identity(entries, self.call.shape):
            return self
        made = any(e is None for e in entries)
        return record("getitem", (self,), shape, self.call.boolean, self.column and not made, index=entries)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        entries = index if isinstance(index, tuple) else (index,)
        if len(entries) == 2 and all(map(counts, entries)):  # A[range(n), range(n)]
            raise wrong("a traced array cannot be changed in place", DIAGONAL)
        rows = [e for e in entries if isinstance(e, Positions)]
        array, inside = subscript()
        mask = f"eye({rows[0].below})[{rows[0].name}] == 1" if rows else "mask"
        hint = f"in a loop {COLLECTED}; np.where({mask}, new, old) changes what a mask chooses"
        if any(isinstance(e, slice) and e != slice(None) for e in entries):
            hint = "join the parts: np.concatenate([new, old[:, -1:]], axis=1), with zeros(n, 1) where nothing is left"
        if isinstance(index, Array) and index.call.boolean:
            hint = f"write {array} = np.where({inside}, new, {array}), which changes what the mask chooses"
        raise wrong("a traced array cannot be changed in place", hint)

    def __delitem__(self, index: Any) -> NoReturn:
        raise wrong("a traced array cannot be changed in place", "take what is left by a slice")

    def __len__(self) -> int:
        length = self.shape[0] if self.ndim else None
        if length is None:
            raise wrong("a scalar has no length")
        if isinstance(length, Dimension):
            raise wrong(f"Python's own len cannot say {length}", "write x.shape[0]")
        return int(length)

    def __iter__(self) -> Iterator[Array]:
        if not self.ndim:
            raise wrong("a scalar cannot be iterated over")
        if isinstance(self.shape[0], Dimension):
            hint = f"use NumPy's functions along the axis, such as np.sum(x, axis=0); {NUMBERED}"
            if counts(self):  # range(n)
                hint = f"write the loop as sums over an axis, or loop over an axis whose length is a number: {NUMBERED}"
            raise wrong(
                f"a loop over an axis of length {self.shape[0]}, which is not known while the loss is traced", hint
            )
        return (self[i] for i in range(self.shape[0]))

    # what would leave the trace

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        hint = "use NumPy's functions and operators on the array itself; np.stack takes a list of arrays"
        escape("a traced array cannot become a real one", hint)

    def __bool__(self) -> NoReturn:
        if not any(c.op == "argument" for c in _below(self.call)):
            escape("the dimensions are not known while the loss is traced", "a loss takes one path whatever its sizes")
        escape("Python cannot branch on a traced array", branched())

    def __float__(self) -> NoReturn:
        escape("a traced array cannot become a Python number", "use the value itself, without conversion")

    __int__ = __float__
    __complex__ = __float__

    def __index__(self) -> NoReturn:
        escape("a traced array cannot be an index", "choose entries by a mask with np.where")

    def __round__(self, digits: int = 0) -> NoReturn:
        raise wrong("rounding is not in the vocabulary", "its gradient is 0: leave it out of the loss")

    # ndarray's methods

    def transpose(self, *axes: Any) -> Array:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return call("transpose", (self, order or None), {})  # type: ignore[no-any-return]

    def swapaxes(self, one: int, other: int) -> Array:
        return call("swapaxes", (self, one, other), {})  # type: ignore[no-any-return]

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Array:
        wanted = shape[0] if len(shape) == 1 else shape
        return call("reshape", (self, wanted, order), {})  # type: ignore[no-any-return]

    def copy(self, order: Any = "C") -> Array:
        return self

    def astype(self, dtype: Any, **_: Any) -> Array:
        return call("astype", (self, dtype), {})  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return lambda *args, **kwargs: call(name, (self, *args), kwargs)
        if name.startswith("_") or not hasattr(np.ndarray, name):
            known = [] if of_method(name) else [*METHODS, "T", "shape", "ndim", "size", "reshape", "transpose"]
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near and not name.startswith("_") else ""
            raise AttributeError(f"an array has no attribute {name!r}{hint}", name=name, obj=self)
        if name in ("item", "tolist", "__array_interface__"):
            escape("a traced array cannot become a Python number", "use the value itself, without conversion")
        unknown(name, "ndarray")


def _is_identity(entries: tuple[Entry, ...], shape: Shape) -> bool:
    return entries == tuple(whole(s) for s in shape)


def _below(top: Call) -> Iterator[Call]:
    seen, stack = {top}, [top]
    while stack:
        found = stack.pop()
        yield found
        fresh = [a for a in found.args if a not in seen]
        seen.update(fresh)
        stack.extend(fresh)
