"""A dimension as the user holds it: exact in shapes and slices, a number in every other formula."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradgen import scope
from gradgen.dims import Size, holds
from gradgen.errors import SpecError
from gradgen.hints import escape
from gradgen.indexing import as_size
from gradgen.registry import apply
from gradgen.scope import wrong
from gradgen.shapes import Shape

HALF = "declare the smaller dimension, and let the other be a multiple of it: Vector[2 * n]"
COUNTED = "gradgen.arange(n) counts up to it; of arrays, NumPy's functions work along the axis"
EXACT = (operator.add, operator.sub, operator.mul)


def wrap(size: Size) -> Any:
    """A size as the user sees it: an int where it is a number, else a `Dimension`."""
    return Dimension(size) if size.constant is None else size.constant


def sizes(values: Any) -> Shape:
    """A shape given by ints and dimensions, or by one of them."""
    chosen = values if isinstance(values, (tuple, list)) else (values,)
    result = tuple(as_size(v) for v in chosen)
    if any(s is None or (s.constant or 0) < 0 for s in result):
        raise wrong(f"{_shown(chosen)} is no shape", "a shape is made of dimensions and integers")
    return tuple(s for s in result if s is not None)


def _shown(values: Any) -> str:
    """A shape that is none, as an error speaks of it."""
    parts = [str(v) if as_size(v) is not None else scope.said(v) for v in values]
    return f"({', '.join(parts)})"


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

    def __format__(self, spec: str) -> str:
        return str(self)

    def __hash__(self) -> int:
        return hash(self._size)

    def number(self) -> Any:
        """The dimension in a formula: traced, or its value while a loss runs."""
        size = self.size
        if scope.tracing():
            return apply("positive", self)
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
            escape(f"{self} // {other} is not known while the loss is traced", HALF)
        return wrap(Size(tuple((m, c // number) for m, c in size.terms)))

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __neg__(self) -> Any:
        return wrap(-self.size)

    def __pos__(self) -> Any:
        return wrap(self.size)

    def __abs__(self) -> Any:
        return wrap(self.size) if holds(Size.of(0), self.size) else abs(self.number())

    def _order(self, operation: Callable[[Any, Any], Any], other: Any) -> Any:
        """A comparison: decided where it holds or fails at all sizes, else a traced mask that no `if` can read."""
        size = as_size(other)
        known = None if size is None else _decided(operation, self.size, size)
        return operation(self.number(), other) if known is None else known

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

    def __iter__(self) -> Iterator[Dimension]:
        """Itself alone, so that ``n, = dims("n")`` unpacks as several names do; within a loss it is a number."""
        if scope.CURRENT.get() is not None:
            raise wrong(f"the dimension {self} is a number, which cannot be iterated over", COUNTED)
        return iter((self,))

    def _value(self, what: str, otherwise: str) -> int:
        value = self.size.constant
        if value is None:
            escape(f"the dimension {self} {what}", otherwise)
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
        return function(*_numbers(args), **{k: _number(v) for k, v in kwargs.items()})


def _decided(operation: Callable[[Any, Any], Any], left: Size, right: Size) -> bool | None:
    """What a comparison of sizes gives at all sizes, or None."""
    difference = (left - right).constant
    if difference is not None:
        return bool(operation(difference, 0))
    if operation in (operator.ge, operator.lt) and holds(right, left):
        return operation is operator.ge
    if operation in (operator.le, operator.gt) and holds(left, right):
        return operation is operator.le
    return None


def _number(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return _numbers(value)
    return value.number() if isinstance(value, Dimension) else value


def _numbers(values: Any) -> list[Any]:
    return [_number(v) for v in values]
