"""A large temporary that is not needed any more takes the value that is computed from it: memory that has just been
written is faster than memory that has to be found.

Statements come and go as text: ``weights = np.exp(gram - peak)`` becomes ``gram -= peak`` and
``weights = np.exp(gram, out=gram)`` where nothing reads ``gram`` afterwards.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Hashable, Mapping, Sequence

OPERATORS: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "add"),
    ast.Sub: ("-", "subtract"),
    ast.Mult: ("*", "multiply"),
    ast.Div: ("/", "divide"),
}
FUNCTIONS = frozenset("exp expm1 log log1p tanh sqrt abs sin cos square".split())


def reused(lines: Sequence[str], results: Sequence[str], shapes: Mapping[str, Hashable]) -> list[str]:
    """The statements with the memory of temporaries reused.

    ``shapes`` are those of the large temporaries that may be overwritten once they have been read for the last time;
    one takes the place of another of its shape.
    """
    if not shapes:
        return list(lines)
    words = [set(re.findall(r"\w+", line)) for line in (*lines, " ".join(results))]
    last = {word: position for position, found in enumerate(words) for word in found}
    made: list[str] = []
    for position, line in enumerate(lines):
        name, assigned, value = line.partition(" = ")
        alike = [w for w in words[position] if w != name and w in shapes and shapes[w] == shapes.get(name)]
        free = [temporary for temporary in alike if last[temporary] == position]
        made += _rewritten(name, value, free) if assigned and free else [line]
    return made


def _rewritten(name: str, value: str, free: Collection[str]) -> list[str]:
    """The assignment, computed in the place of a temporary where its outermost operations allow it."""
    tree = ast.parse(value, mode="eval").body
    called = _called(tree)
    inner = called.args[0] if called is not None else tree
    function = ast.get_source_segment(value, called.func) if called is not None else ""
    if isinstance(inner, ast.Name) and inner.id in free and called is not None:
        return [f"{name} = {function}({inner.id}, out={inner.id})"]
    if isinstance(inner, ast.BinOp) and isinstance(inner.left, ast.Name) and inner.left.id in free:
        sign, ufunc = OPERATORS.get(type(inner.op), ("", ""))
        where, other = inner.left.id, ast.get_source_segment(value, inner.right)
        if sign and called is not None:
            return [f"{where} {sign}= {other}", f"{name} = {function}({where}, out={where})"]
        if sign:
            return [f"{name} = np.{ufunc}({where}, {other}, out={where})"]
    return [f"{name} = {value}"]


def _called(tree: ast.expr) -> ast.Call | None:
    """A call of a function of NumPy's of one argument, entry by entry."""
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute) and len(tree.args) == 1):
        return None
    numpy = isinstance(tree.func.value, ast.Name) and tree.func.value.id == "np"
    return tree if numpy and tree.func.attr in FUNCTIONS and not tree.keywords else None
