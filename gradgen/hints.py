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
    (r"(?:np|numpy)\.(?:as)?(?:any)?array\(", "use the array itself; np.stack takes a list of arrays"),
    (r"\.[rc]_\[", "write np.concatenate or np.block"),
    (r"scipy\.linalg\.(inv|solve|det|norm)\(", r"write np.linalg.\1 in place of scipy.linalg.\1"),
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


def _expression() -> ast.expr | None:
    """The source text that is being run, parsed, where it is one expression."""
    try:
        return ast.parse(f"({scope.source()})", mode="eval").body
    except SyntaxError:
        return None


def operands() -> tuple[str, str]:
    """The two sides of the operation that is being traced, as they stand in the source."""
    tree = _expression()
    if isinstance(tree, ast.BinOp):
        return _atom(tree.left), _atom(tree.right)
    if isinstance(tree, ast.Call) and len(tree.args) == 2:
        return _atom(tree.args[0]), _atom(tree.args[1])
    return "a", "b"


def argument() -> str:
    """The first argument of the call that is being traced, as it stands in the source."""
    tree = _expression()
    return _atom(tree.args[0]) if isinstance(tree, ast.Call) and tree.args else "a"


def listed(count: int) -> list[str]:
    """The entries of the lists that the call being traced takes, one after the other, or their numbers."""
    tree = _expression()
    entries = _entries(tree.args[0]) if isinstance(tree, ast.Call) and tree.args else []
    return entries if len(entries) == count else [f"array {i + 1}" for i in range(count)]


def _entries(tree: ast.expr) -> list[str]:
    if isinstance(tree, (ast.List, ast.Tuple)):
        return [text for e in tree.elts for text in _entries(e)]
    return [_atom(tree)]


def transposed(text: str) -> str:
    return text.removesuffix(".T") if text.endswith(".T") else f"{text}.T"


def _atom(tree: ast.expr) -> str:
    text = ast.unparse(tree)
    plain = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
    return text if isinstance(tree, plain) else f"({text})"
