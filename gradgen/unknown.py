"""An `Elementwise` argument while a loss is traced: an unknown function that is applied entry by entry."""

from __future__ import annotations

from typing import Any, NoReturn

from gradgen.arrays import Array, record
from gradgen.entrywise import numeric
from gradgen.scope import wrong


class Unknown:
    """Called with an array it goes on the tape; anything else that it is used for is refused."""

    __slots__ = ("name",)
    __hash__ = object.__hash__

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<the function {self.name}>"

    def __call__(self, *args: Any, **options: Any) -> Array:
        if len(args) != 1 or options:
            raise wrong(f"{self.name} takes one array and nothing else", self._hint)
        x = numeric(args[0])
        return record("unknown", (x,), x.call.shape, False, x.column, function=self.name)

    @property
    def _hint(self) -> str:
        return f"apply it entry by entry: {self.name}(Z)"

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise wrong(f"{self.name} is a function, not an array", self._hint)

    __array__ = __array_ufunc__ = __array_function__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __rmatmul__ = __pow__ = __rpow__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __neg__ = __pos__ = __abs__ = __invert__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = _refuse
    __float__ = __int__ = __complex__ = __index__ = __len__ = __iter__ = __getitem__ = __setitem__ = _refuse

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"a function has no attribute {name!r}")
        self._refuse()
