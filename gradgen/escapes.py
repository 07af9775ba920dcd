"""What would leave the trace raises an error that names the fix, read off the source text."""

from __future__ import annotations

import re
from typing import NoReturn

from gradgen import scope

FIXES = (
    (r"\.dot\(", "write A @ t in place of A.dot(t)"),
    (r"math\.(\w+)\(", r"write np.\1 in place of math.\1"),
    (r"(ones|zeros|full|eye|arange)\(", r"write gradgen.\1, which takes dimensions"),
    (r"identity\(", "write gradgen.eye, which takes dimensions"),
    (r"range\(", "loop over an axis whose length is a number, or write the loop as sums over an axis"),
    (r"(?:np|numpy)\.(?:as)?(?:any)?array\(", "use the array itself"),
    (r"\b(float|int|bool|complex)\(", "use the value itself, without conversion"),
    (r"\.(item|tolist)\(", "use the value itself, without conversion"),
)


def escape(what: str, otherwise: str) -> NoReturn:
    """Raise an error with the fix for the call that stands in the source, or another hint."""
    text = scope.source()
    for pattern, hint in FIXES:
        found = re.search(pattern, text)
        if found:
            raise scope.wrong(what, found.expand(hint))
    raise scope.wrong(what, otherwise)
