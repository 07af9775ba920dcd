"""What `bind` gains where much depends on the data alone: Gram matrices, allowed by ``gram=True``, and without."""

from __future__ import annotations

from benchmarks import tables
from benchmarks.contenders import Job
from benchmarks.measure import Field
from benchmarks.sections import Chosen

TITLE = "Bound to the data"
VARIANTS = ("ridge", "ridge_gram", "gaussian", "gaussian_gram")


def section(field: Field, chosen: Chosen) -> str:
    contenders = chosen.among("gradgen", "bound", "cython", "cython-bound", "jax")
    rows = []
    for loss in VARIANTS:
        if loss.removesuffix("_gram") not in chosen.losses:
            continue
        for size in chosen.sizes:
            for cell in field.cells(Job(loss, size), chosen.functions, contenders):
                reason = cell.missing.get("bound", "")
                said = f"not there yet: {reason.splitlines()[0]}" if reason else ""
                tables.announced([cell], contenders)
                rows.append([loss, *tables.ratio_row(cell, contenders), said])
    heads = ["spec", "cell", *tables.heads(contenders), ""]
    note = "The specs with `_gram` let `bind` form Gram matrices; the large ridge has n = 200,000 and d = 100."
    return f"{note}\n\n{tables.table(heads, rows)}"
