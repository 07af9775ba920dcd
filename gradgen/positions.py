"""An `Indices` argument while a loss is traced: it knows its length, and indexes arrays."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import numpy as np

from gradgen.dimension import wrap
from gradgen.dims import Size
from gradgen.registry import call
from gradgen.scope import source, wrong
from gradgen.tape import Call


class Positions:
    """Integers from 0 up to, but without, ``below``; whatever else they are used for is refused."""

    __slots__ = ("below", "call")
    __hash__ = object.__hash__

    def __init__(self, call: Call, below: Size) -> None:
        self.call = call
        self.below = below

    def __repr__(self) -> str:
        return f"<the indices {self.name}>"

    @property
    def name(self) -> str:
        return str(self.call.params["name"])

    @property
    def shape(self) -> tuple[Any, ...]:
        return (wrap(self.call.shape[0]),)

    @property
    def ndim(self) -> int:
        return 1

    @property
    def size(self) -> Any:
        return self.shape[0]

    def __len__(self) -> int:
        return self.shape[0].__index__()  # type: ignore[no-any-return]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call(function.__name__, args, kwargs)

    def refuse(self, *_: Any, **__: Any) -> NoReturn:
        one_hot = f"eye({self.below})[{self.name}] has the columns {self.name} == 0, {self.name} == 1, ..."
        hint = f"index an array: U[{self.name}]; {self.name}.astype(float) is the array of the integers; {one_hot}"
        raise wrong(f"{self.name} holds indices, which are no numbers of a formula", hint)

    def astype(self, dtype: Any, **_: Any) -> Any:
        """The integers as numbers of a formula."""
        return call("astype", (self, dtype), {})

    def _indexes(self, *_: Any, **__: Any) -> NoReturn:
        made = re.sub(rf"\[[^][]*\b{self.name}\b[^][]*\]$", "", source())
        text = made if made != source() and len(made) <= 30 else "..."
        hint = f"write np.asarray({text})[{self.name}], which indices may index"
        raise wrong(f"{self.name} cannot index what is no array of the formula", hint)

    __array__ = __index__ = _indexes
    __array_ufunc__ = refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = refuse
    __matmul__ = __rmatmul__ = __pow__ = __rpow__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __neg__ = __pos__ = __abs__ = __invert__ = refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = refuse
    __float__ = __int__ = __complex__ = __iter__ = __setitem__ = refuse

    def __getitem__(self, index: Any) -> Column:
        if isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None) and index[1] is None:
            return Column(self.call, self.below)
        if isinstance(index, (int, np.integer)):
            hint = f"index by all of them first: U[{self.name}][{index}] is the row that {self.name}[{index}] picks"
            raise wrong(f"one entry of {self.name} is no index of its own", hint)
        self.refuse()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"indices have no attribute {name!r}")
        self.refuse()


class Column(Positions):
    """``y[:, None]``: an index for each row, as np.take_along_axis wants it."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[Any, ...]:
        return (wrap(self.call.shape[0]), 1)

    @property
    def ndim(self) -> int:
        return 2

    __getitem__ = Positions.refuse


def gathers(entry: Any) -> bool:
    """Whether an entry of an index is an array of positions, or a traced array, which is refused unless it counts."""
    return isinstance(entry, list) or (isinstance(entry, np.ndarray) and entry.ndim > 0) or hasattr(entry, "call")


def counts(entry: Any) -> bool:
    """Whether a traced array is 0, 1, ... in turn, as np.arange(n) makes it."""
    return getattr(getattr(entry, "call", None), "op", None) == "arange"


def selects(index: Any) -> bool:
    """Whether an index gathers entries by arrays of positions."""
    return any(map(gathers, index)) if isinstance(index, tuple) else gathers(index)
