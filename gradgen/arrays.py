"""What stands for an array or a dimension while a loss is traced. NumPy's own protocols carry every call to the vocabulary."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from gradgen import scope
from gradgen.dims import Size, is_one
from gradgen.errors import NotSupportedError, SpecError
from gradgen.indexing import Entry, as_size, normalise, whole
from gradgen.scope import wrong
from gradgen.shapes import Shape
from gradgen.tape import Call

LARGEST = 1000

Handler = Callable[..., Any]
UFUNCS: dict[str, Handler] = {}
REDUCTIONS: dict[str, str] = {"add": "sum", "maximum": "max", "minimum": "min"}
FUNCTIONS: dict[str, Handler] = {}
METHODS = "sum mean max min dot trace transpose swapaxes squeeze clip".split()


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """One function of the vocabulary, by NumPy's name."""
    return FUNCTIONS[name](*args, **kwargs)


# ---- leaving the trace

ESCAPES = (
    (r"\.dot\(", "write A @ t in place of A.dot(t)"),
    (r"math\.(\w+)\(", r"write np.\1 in place of math.\1"),
    (r"(ones|zeros|full|eye|arange)\(", r"write gradgen.\1, which takes dimensions"),
    (r"(identity)\(", "write gradgen.eye, which takes dimensions"),
    (r"range\(", "loop over an axis whose length is a number, or write the loop as sums over an axis"),
    (r"(?:np|numpy)\.(?:as)?(?:any)?array\(", "use the array itself"),
    (r"\b(float|int|bool|complex)\(", "use the value itself, without conversion"),
    (r"\.(item|tolist)\(", "use the value itself, without conversion"),
)


def _fix(otherwise: str) -> str:
    text = scope.source()
    for pattern, hint in ESCAPES:
        found = re.search(pattern, text)
        if found:
            return found.expand(hint)
    return otherwise


def _escape(what: str, otherwise: str) -> NoReturn:
    raise wrong(what, _fix(otherwise))


# ---- dimensions


def wrap(size: Size) -> Any:
    """A size as the user sees it: an int where it is a number, else a `Dimension`."""
    return Dimension(size) if size.constant is None else size.constant


def sizes(values: Any) -> Shape:
    """A shape given by ints and dimensions, or by one of them."""
    chosen = values if isinstance(values, (tuple, list)) else (values,)
    result = tuple(as_size(v) for v in chosen)
    if any(s is None or (s.constant or 0) < 0 for s in result):
        raise wrong(f"{values!r} is no shape", "a shape is made of dimensions and integers")
    return tuple(s for s in result if s is not None)


class Dimension:
    """A dimension of a spec: exact under + - * with integers, a traced number in every other formula."""

    __slots__ = ("_size",)

    def __init__(self, size: Size) -> None:
        self._size = size

    @property
    def size(self) -> Size:
        return scope.resolve(self._size)

    def __repr__(self) -> str:
        return str(self._size)

    def __hash__(self) -> int:
        return hash(self._size)

    def number(self) -> Any:
        """The dimension in a formula: traced, or its value while a loss runs."""
        size = self.size
        if scope.tracing():
            return lift(self)
        if size.constant is None:
            raise SpecError(f"the dimension {self} has a value only inside a loss")
        return size.constant

    def known(self) -> Any:
        """The number while a loss runs, itself otherwise."""
        current = scope.CURRENT.get()
        mine = isinstance(current, scope.Run) and current.knows(self._size)
        return wrap(self.size) if mine else self

    def _combine(self, operation: Callable[[Any, Any], Any], other: Any, reverse: bool = False) -> Any:
        size = as_size(other)
        if size is not None and operation in EXACT:
            return wrap(operation(size, self.size) if reverse else operation(self.size, size))
        number = self.number()
        return operation(other, number) if reverse else operation(number, other)

    def __add__(self, other: Any) -> Any:
        return self._combine(operator.add, other)

    def __radd__(self, other: Any) -> Any:
        return self._combine(operator.add, other, True)

    def __sub__(self, other: Any) -> Any:
        return self._combine(operator.sub, other)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(operator.sub, other, True)

    def __mul__(self, other: Any) -> Any:
        return self._combine(operator.mul, other)

    def __rmul__(self, other: Any) -> Any:
        return self._combine(operator.mul, other, True)

    def __truediv__(self, other: Any) -> Any:
        return self._combine(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._combine(operator.truediv, other, True)

    def __pow__(self, other: Any) -> Any:
        return self._combine(operator.pow, other)

    def __rpow__(self, other: Any) -> Any:
        return self._combine(operator.pow, other, True)

    def __matmul__(self, other: Any) -> Any:
        return self._combine(operator.matmul, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._combine(operator.matmul, other, True)

    def __floordiv__(self, other: Any) -> Any:
        size, divisor = self.size, as_size(other)
        number = divisor.constant if divisor else None
        if number and size.constant is not None:
            return size.constant // number
        if not number or any(c % number for _, c in size.terms):
            _escape(
                f"{self} // {other} is not exact", "declare the smaller dimension, and a multiple of it in the type"
            )
        return wrap(Size(tuple((m, c // number) for m, c in size.terms)))

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __neg__(self) -> Any:
        return wrap(-self.size)

    def __pos__(self) -> Any:
        return wrap(self.size)

    def __abs__(self) -> Any:
        return wrap(self.size)

    def _order(self, operation: Callable[[Any, Any], Any], other: Any) -> Any:
        """A comparison: decided where it holds or fails at all sizes, else a traced mask that no `if` can read."""
        size = as_size(other)
        difference = None if size is None else self.size - size
        if difference is not None and difference.constant is not None:
            return operation(difference.constant, 0)
        return operation(self.number(), other)

    def __eq__(self, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return False
        return self._order(operator.eq, other)

    def __ne__(self, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return True
        return self._order(operator.ne, other)

    def __lt__(self, other: Any) -> Any:
        return self._order(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._order(operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return self._order(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._order(operator.ge, other)

    def _value(self, what: str, otherwise: str) -> int:
        value = self.size.constant
        if value is None:
            _escape(f"the dimension {self} {what}", otherwise)
        return value

    def __index__(self) -> int:
        return self._value("is not known while the loss is traced", "let NumPy's functions work along the axis")

    def __int__(self) -> int:
        return self._value(
            "is not known while the loss is traced", "use the dimension itself: it is a number in a formula"
        )

    def __float__(self) -> float:
        return float(self.__int__())

    def __bool__(self) -> bool:
        return bool(self._value("is not known while the loss is traced", "a loss takes one path whatever its sizes"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.__int__(), dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        exact = {np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul}.get(ufunc)
        if exact and method == "__call__" and not kwargs and all(as_size(i) is not None for i in inputs):
            return wrap(exact(as_size(inputs[0]), as_size(inputs[1])))
        return getattr(ufunc, method)(*_numbers(inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*_numbers(args), **kwargs)


EXACT = (operator.add, operator.sub, operator.mul)


def _numbers(values: Any) -> list[Any]:
    return [v.number() if isinstance(v, Dimension) else v for v in values]


# ---- traced arrays


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
    if isinstance(value, Dimension):
        size = value.size
        return constant(size.constant) if size.constant is not None else record("size", (), (), size=size)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Array, Dimension)) for v in value):
        raise wrong("a list of traced arrays is not supported yet", kind=NotSupportedError)
    return constant(value)


def entrywise(name: str, *args: Any) -> Any:
    return UFUNCS[name](*args)


class Array:
    """A traced array: the call that made it. ``column`` says that an axis of length 1 in it was not asked for by name."""

    __slots__ = ("call", "column")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, call: Call, column: bool = False) -> None:
        self.call = call
        self.column = column

    def __repr__(self) -> str:
        return f"<traced {self.call.op} of shape {self.shape}>"

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
    def T(self) -> Array:  # noqa: N802
        return self.transpose()

    @property
    def mT(self) -> Array:  # noqa: N802
        return self.swapaxes(-1, -2)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if kwargs.get("out") is not None:
            raise wrong("a real array cannot take traced values in place", "write a = a + b in place of a += b")
        if method == "reduce" and name in REDUCTIONS:
            return call(REDUCTIONS[name], *inputs, **{"axis": 0, **kwargs})
        if method != "__call__":
            raise wrong(f"np.{name}.{method} is not in the vocabulary", "write it with the operators and a sum")
        if kwargs:
            raise wrong(f"np.{name} takes no {next(iter(kwargs))} here")
        return UFUNCS[name](*inputs) if name in UFUNCS else unknown(name, "np")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = function.__module__.replace("numpy", "np")
        name = function.__name__ if module == "np" else f"{module.removeprefix('np.')}.{function.__name__}"
        if name not in FUNCTIONS:
            return unknown(name, "np")
        try:
            return FUNCTIONS[name](*args, **kwargs)
        except TypeError as error:
            raise _unusable(name, error) from error

    # Python's operators

    def __add__(self, other: Any) -> Any:
        return entrywise("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return entrywise("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return entrywise("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return entrywise("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return entrywise("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return entrywise("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return entrywise("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return entrywise("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return entrywise("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return entrywise("power", other, self)

    def __matmul__(self, other: Any) -> Any:
        return entrywise("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return entrywise("matmul", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return unknown("floor_divide", "np")

    __rfloordiv__ = __floordiv__

    def __mod__(self, other: Any) -> Any:
        return unknown("mod", "np")

    __rmod__ = __mod__

    def __neg__(self) -> Any:
        return entrywise("negative", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return entrywise("absolute", self)

    def __invert__(self) -> Any:
        return entrywise("invert", self)

    def __and__(self, other: Any) -> Any:
        return entrywise("bitwise_and", self, other)

    def __rand__(self, other: Any) -> Any:
        return entrywise("bitwise_and", other, self)

    def __or__(self, other: Any) -> Any:
        return entrywise("bitwise_or", self, other)

    def __ror__(self, other: Any) -> Any:
        return entrywise("bitwise_or", other, self)

    def __xor__(self, other: Any) -> Any:
        return entrywise("bitwise_xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return entrywise("bitwise_xor", other, self)

    def __eq__(self, other: Any) -> Any:
        return False if other is None or isinstance(other, str) else entrywise("equal", self, other)

    def __ne__(self, other: Any) -> Any:
        return True if other is None or isinstance(other, str) else entrywise("not_equal", self, other)

    def __lt__(self, other: Any) -> Any:
        return entrywise("less", self, other)

    def __le__(self, other: Any) -> Any:
        return entrywise("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return entrywise("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return entrywise("greater_equal", self, other)

    def __getitem__(self, index: Any) -> Array:
        entries, shape = normalise(index, self.call.shape)
        if _is_identity(entries, self.call.shape):
            return self
        made = any(e is None for e in entries)
        return record("getitem", (self,), shape, self.call.boolean, self.column and not made, index=entries)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise wrong("a traced array cannot be changed in place", "build the new array with np.where")

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
            hint = "use NumPy's functions along the axis, such as np.sum(x, axis=0)"
            raise wrong(
                f"a loop over an axis of length {self.shape[0]}, which is not known while the loss is traced", hint
            )
        return (self[i] for i in range(self.shape[0]))

    # what would leave the trace

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        _escape("a traced array cannot become a real one", "use NumPy's functions and operators on the array itself")

    def __bool__(self) -> NoReturn:
        if not any(c.op == "argument" for c in _below(self.call)):
            raise wrong(
                "the dimensions are not known while the loss is traced", "a loss takes one path whatever its sizes"
            )
        _escape("Python cannot branch on a traced array", "choose entry by entry with np.where(condition, a, b)")

    def __float__(self) -> NoReturn:
        _escape("a traced array cannot become a Python number", "use the value itself, without conversion")

    __int__ = __float__
    __complex__ = __float__
    __index__ = __float__

    # ndarray's methods

    def transpose(self, *axes: Any) -> Array:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return call("transpose", self, order or None)  # type: ignore[no-any-return]

    def swapaxes(self, one: int, other: int) -> Array:
        return call("swapaxes", self, one, other)  # type: ignore[no-any-return]

    def copy(self) -> Array:
        return self

    def astype(self, dtype: Any, **_: Any) -> Array:
        return call("astype", self, dtype)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return lambda *args, **kwargs: _method(name, self, args, kwargs)
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no attribute {name!r}")
        if name in ("item", "tolist", "__array_interface__"):
            _escape("a traced array cannot become a Python number", "use the value itself, without conversion")
        return unknown(name, "ndarray")


def _method(name: str, array: Array, args: Any, kwargs: Any) -> Any:
    try:
        return call(name, array, *args, **kwargs)
    except TypeError as error:
        raise _unusable(name, error) from error


def _unusable(name: str, error: TypeError) -> SpecError:
    return wrong(str(error).replace("()", ""), f"np.{name} takes fewer options here than in NumPy")


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


def unknown(name: str, owner: str) -> NoReturn:
    """Refuse a function that has no handler: as not supported yet where the language has it, else as no part of it."""
    FUNCTIONS["unknown"](name, owner)
    raise AssertionError
