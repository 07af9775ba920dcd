"""What a trace puts in place of Python's builtins and of functions of NumPy and SciPy that no protocol carries."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, reduce
from typing import Any, NoReturn

import numpy as np

from gradgen import words
from gradgen.arrays import Array, lift
from gradgen.conversions import cast
from gradgen.dimension import Dimension
from gradgen.indexing import as_size
from gradgen.known import known
from gradgen.positions import Positions
from gradgen.registry import FUNCTIONS, UFUNCS, apply, call
from gradgen.scope import wrong

# ---- Python's builtins that know symbolic arrays


def _len(value: Any) -> Any:
    if isinstance(value, (Array, Positions)) and value.ndim:
        return value.shape[0]
    return len(value)


def _sum(values: Any, /, start: Any = 0) -> Any:
    if not isinstance(values, Array) or not values.ndim:
        return sum(values, start)
    total = call("sum", (values,), {"axis": 0})
    return total if isinstance(start, int) and start == 0 else total + start


def _extreme(name: str, original: Any, *values: Any, **options: Any) -> Any:
    if len(values) == 1 and isinstance(values[0], Array):
        return _of_vector(name, values[0])
    items = values if len(values) > 1 else tuple(values[0])
    if options or not any(isinstance(v, (Array, Dimension)) for v in items):
        return original(*(values if len(values) > 1 else (items,)), **options)
    result = items[0]
    for item in items[1:]:
        result = _of_pair(name, result, item)
    return result


def _of_vector(name: str, array: Array) -> Any:
    if array.ndim != 1:
        raise wrong(f"Python's {name} takes a vector", f"write np.{name}(x)")
    return call(name, (array,), {})


def _of_pair(name: str, left: Any, right: Any) -> Any:
    if max(getattr(left, "ndim", 0), getattr(right, "ndim", 0)):
        raise wrong(f"Python's {name} does not compare arrays", f"write np.{name}imum(a, b)")
    return apply(f"{name}imum", left, right)


def _max(*values: Any, **options: Any) -> Any:
    return _extreme("max", max, *values, **options)


def _min(*values: Any, **options: Any) -> Any:
    return _extreme("min", min, *values, **options)


# ---- NumPy's functions of what no protocol shows them: lists that hold arrays, and dimensions


class Carried:
    """A function that another one stands in for where an argument holds what is traced, at any depth of lists; else
    ``made`` is applied to what it makes."""

    def __init__(
        self,
        original: Any,
        traced: Callable[..., Any],
        holds: Callable[[Any], bool],
        made: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._original = original
        self._traced = traced
        self._holds = holds
        self._made = made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        holds = any(map(self._holds, (*args, *kwargs.values())))
        return self._traced(*args, **kwargs) if holds else self._made(self._original(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _lists(value: Any) -> bool:
    """Whether a value is a list that holds an array."""
    return isinstance(value, (list, tuple)) and any(isinstance(v, Array) or _lists(v) for v in value)


def _symbolic(value: Any) -> bool:
    """Whether a value is, or holds, an array, indices or a dimension that is not known."""
    if isinstance(value, (list, tuple)):
        return any(map(_symbolic, value))
    return isinstance(value, (Array, Positions)) or (isinstance(value, Dimension) and value.size.constant is None)


def _called(name: str) -> Callable[..., Any]:
    return lambda *args, **kwargs: call(name, args, kwargs)


def _stacked(ufunc: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: ufunc(*(lift(a) if _lists(a) else a for a in args), **kwargs)


def _named(module: Any, name: str) -> Any:
    """What NumPy calls so, which may stand in a module of it, or None."""
    return reduce(lambda found, part: getattr(found, part, None), name.split("."), module)


# ---- arrays of dimensions


def _filled(name: str) -> Callable[..., Any]:
    return lambda shape, dtype=None, *_, **__: cast(getattr(words, name)(shape), dtype, True)


def _full(shape: Any, fill_value: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
    return cast(words.full(shape, fill_value), dtype, isinstance(fill_value, (int, np.integer)))


def _ones(shape: Any, *_: Any, **__: Any) -> NoReturn:
    """One word makes ones of dimensions: gradgen's."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    listed = ", ".join(map(str, sizes))
    unknown = next(map(str, filter(_symbolic, sizes)), listed)
    hint = f"write ones({listed}), after from gradgen import ones: gradgen.ones takes dimensions"
    raise wrong(f"{unknown} is not known while the loss is traced", hint)


def _eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None, *_: Any, **__: Any) -> Any:
    if (M is not None and as_size(M) != as_size(N)) or as_size(k) != as_size(0):
        hint = "of a square one, np.eye(n)[:, :k] takes columns; np.diag(v, k) puts a vector beside the diagonal"
        raise wrong("np.eye of a dimension is square and has its ones on the diagonal", hint)
    return cast(words.eye(N), dtype, True)


def _tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None, **_: Any) -> Any:
    return cast(call("tril", (words.ones(N, N if M is None else M), k), {}), dtype, True)


def _identity(n: Any, dtype: Any = None, **_: Any) -> Any:
    return cast(words.eye(n), dtype, True)


def _arange(*bounds: Any, dtype: Any = None, **named: Any) -> Any:
    return cast(words.arange(*bounds, **{k: v for k, v in named.items() if k in ("stop", "step")}), dtype, True)


def _range(*bounds: Any) -> Any:
    return words.arange(*bounds) if any(map(_symbolic, bounds)) else range(*bounds)


# ---- what a loss does not do


def _vectorize(function: Any, *args: Any, **options: Any) -> Any:
    def refused(*values: Any, **named: Any) -> NoReturn:
        raise wrong("np.vectorize calls Python for each number", "call the function on whole arrays: f(x)")

    return Carried(np.vectorize(function, *args, **options), refused, _symbolic)


class _Random:
    """np.random: a loss has one value for its arguments."""

    def __getattr__(self, name: str) -> NoReturn:
        raise wrong("a loss draws no random numbers", "draw outside of the loss, and let them be an argument")


# ---- SciPy's functions that no protocol reaches, with SciPy's defaults


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    if return_sign:
        raise wrong("logsumexp gives no sign here", "of positive weights it is 1")
    return words.logsumexp(a if b is None else a + np.log(b), axis, keepdims)


def _softmax(x: Any, axis: Any = None) -> Any:
    return words.softmax(x, axis)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    return words.log_softmax(x, axis)


# ---- all of it

CONVERSIONS = "array asarray asanyarray asarray_chkfinite ascontiguousarray asfortranarray".split()
MADE: dict[str, Callable[..., Any]] = {
    "zeros": _filled("zeros"),
    "ones": _ones,
    "full": _full,
    "eye": _eye,
    "identity": _identity,
    "tri": _tri,
    "arange": _arange,
}


@cache
def _numpys() -> dict[Any, Any]:
    """What stands in for functions of NumPy."""
    of_lists: dict[Any, Any] = {f: Carried(f, _stacked(f), _lists) for n in UFUNCS if (f := getattr(np, n, None))}
    of_lists |= {f: Carried(f, _called(n), _lists) for n in FUNCTIONS if (f := _named(np, n)) and f not in of_lists}
    of_any = {getattr(np, n): Carried(getattr(np, n), _called(n), _symbolic, known) for n in CONVERSIONS}
    made = {getattr(np, n): Carried(getattr(np, n), f, _symbolic, known) for n, f in MADE.items()}
    return of_lists | of_any | made | {np.vectorize: _vectorize, np.random: _Random()}


def tracing() -> dict[Any, Any]:
    """What a trace replaces."""
    replaced: dict[Any, Any] = {len: _len, sum: _sum, max: _max, min: _min, range: _range, **_numpys()}
    special = sys.modules.get("scipy.special")
    if special is not None:
        replaced |= {f: Carried(f, _stacked(f), _lists) for n in UFUNCS if (f := getattr(special, n, None))}
        replaced[special.logsumexp] = _logsumexp
        replaced[special.softmax] = _softmax
        replaced[special.log_softmax] = _log_softmax
    return replaced
