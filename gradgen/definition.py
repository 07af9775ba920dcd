"""Where a function and its arguments stand in the source."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import FunctionType

from gradgen import places
from gradgen.errors import Place


@lru_cache(maxsize=64)
def _parsed(source: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """The functions of a file by name and first line, which is that of the first decorator."""
    try:
        nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return {}
    return {(n.name, min([n.lineno, *(d.lineno for d in n.decorator_list)])): n for n in nodes}


class Definition:
    """Where a function and its arguments stand."""

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        self._file = code.co_filename
        self._line = code.co_firstlineno
        source = "".join(linecache.getlines(self._file))
        self._node = _parsed(source).get((code.co_name, code.co_firstlineno))

    def _place(self, node: ast.FunctionDef | ast.arg | ast.keyword) -> Place:
        return places.span(self._file, node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)

    def function(self) -> Place:
        return self._place(self._node) if self._node else Place(places.shown(self._file), self._line)

    def option(self, name: str) -> Place:
        """An option of the decorator, or the function where it has none."""
        calls = [d for d in self._node.decorator_list if isinstance(d, ast.Call)] if self._node else []
        found = [k for call in calls for k in call.keywords if k.arg == name]
        return self._place(found[0]) if found else self.function()

    def argument(self, name: str) -> Place:
        children = ast.iter_child_nodes(self._node.args) if self._node else ()
        found = [n for n in children if isinstance(n, ast.arg) and n.arg == name]
        return self._place(found[0]) if found else self.function()
