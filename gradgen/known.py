"""A constant array of a spec while a loss is traced: `Indices` arguments index it as any other array."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgen.arrays import lift
from gradgen.positions import Positions
from gradgen.registry import call


class Known(np.ndarray[Any, Any]):
    """A real array of which entries may be taken by indices that are not known."""

    def __getitem__(self, index: Any) -> Any:
        return call("__getitem__", (lift(self), index), {}) if _unknown(index) else super().__getitem__(index)

    def take(self, indices: Any, *args: Any, **kwargs: Any) -> Any:
        """As np.take, which calls it."""
        if _unknown(indices):
            return call("take", (self, indices, *args), kwargs)
        return super().take(indices, *args, **kwargs)


def _unknown(index: Any) -> bool:
    """Whether indices of an argument stand in an index, alone or beside other entries."""
    entries = index if isinstance(index, tuple) else (index,)
    return any(isinstance(e, Positions) for e in entries)


def known(value: Any) -> Any:
    """A plain real array as one that indices may index; anything else as it is."""
    return value.view(Known) if type(value) is np.ndarray and value.dtype.kind in "biuf" else value
