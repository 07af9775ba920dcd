"""Hints that are read off the source text: the fix for what would leave the trace, the operands of a product."""

from __future__ import annotations

import ast
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
    (r"\b(?:float|int|bool|complex)\d*\(", "use the value itself, without conversion"),
    (r"\.(?:item|tolist)\(", "use the value itself, without conversion"),
)


def escape(what: str, otherwise: str) -> NoReturn:
    """Raise an error with the fix for the call that stands in the source, or another hint."""
    text = scope.source()
    for pattern, hint in FIXES:
        found = re.search(pattern, text)
        if found:
            raise scope.wrong(what, found.expand(hint))
    raise scope.wrong(what, otherwise)


def operands() -> tuple[str, str]:
    """The two sides of the operation that is being traced, as they stand in the source."""
    try:
        tree = ast.parse(scope.source(), mode="eval").body
    except SyntaxError:
        return "a", "b"
    if isinstance(tree, ast.BinOp):
        return _atom(tree.left), _atom(tree.right)
    if isinstance(tree, ast.Call) and len(tree.args) == 2:
        return _atom(tree.args[0]), _atom(tree.args[1])
    return "a", "b"


def _atom(tree: ast.expr) -> str:
    text = ast.unparse(tree)
    return text if isinstance(tree, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)) else f"({text})"
