"""Random programs as values: arguments, calls, and the spec that they are as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from random_words import HELPERS, WORD_NAMES

DIMENSIONS = ("n", "d", "k")
SQUARE = ("Symmetric", "SPD", "LowerTriangular", "Diagonal")
EVEN = ("Symmetric", "SPD")


def length(size: str, sizes: Mapping[str, int]) -> int:
    """What a size such as ``n``, ``3`` or ``n + 1`` is."""
    return int(eval(size, {}, dict(sizes)))


@dataclass(frozen=True)
class Given:
    """An argument: its name, type, what stands in the brackets of that, and a fact."""

    name: str
    kind: str = "Scalar"
    sizes: tuple[str, ...] = ()
    fact: str = ""

    @property
    def annotation(self) -> str:
        parts = [*self.sizes, *([self.fact] if self.fact else [])]
        return f"{self.kind}[{', '.join(parts)}]" if parts else self.kind

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of what callers pass."""
        found = tuple(length(s, sizes) for s in self.sizes)
        if self.kind == "Indices":
            return found[:1]
        return found * 2 if self.kind in SQUARE and self.kind != "Diagonal" else found


@dataclass(frozen=True)
class Node:
    """A call: ``template`` with ``{0}`` and so on for its operands, by their place in the program.

    A ``name`` makes it a statement; with ``loop`` it is done so often, each time on its own result; with ``augmented``
    it is written as ``name += ...``. Arguments are the first nodes.
    """

    template: str
    operands: tuple[int, ...] = ()
    name: str | None = None
    guard: str = ""
    loop: int = 0
    augmented: bool = False


@dataclass(frozen=True)
class Program:
    """A loss, or a function: the last node."""

    given: tuple[Given, ...]
    nodes: tuple[Node, ...]
    wrt: tuple[str, ...]
    sizes: tuple[Mapping[str, int], ...]
    seed: int
    several: bool = False
    function: bool = False
    entries: bool = False

    def text(self) -> str:
        """The spec."""
        body = "\n".join(f"    {line}" for line in _statements(self))
        helpers = "".join(f"\n{source}\n" for source in _helpers(body))
        sizes = " ".join(size for g in self.given for size in g.sizes)
        used = [dim for dim in DIMENSIONS if re.search(rf"\b{dim}\b", sizes)]
        lines = [
            "import numpy as np",
            *_imports(helpers + body),
            "",
            f"from gradgen import {self._words(body, used)}",
            "",
        ]
        if used:
            lines += [f"{', '.join(used)} = dims({' '.join(used)!r})", ""]
        head = f"@{'function' if self.function else 'loss'}(wrt={self._wrt()}{self._option()})"
        signature = ", ".join(f"{g.name}: {g.annotation}" for g in self.given)
        lines += [helpers, head, f"def example({signature}):", body]
        return "\n".join(lines).replace("'", '"') + "\n"

    def _wrt(self) -> str:
        return repr(self.wrt) if self.several or len(self.wrt) > 1 else repr(self.wrt[0])

    def _option(self) -> str:
        return ", symmetric='entries'" if self.entries else ""

    def _words(self, body: str, used: list[str]) -> str:
        whole = body + "".join(_helpers(body))
        facts = {g.fact for g in self.given if g.fact}
        kinds = {g.kind for g in self.given}
        found = [w for w in WORD_NAMES if re.search(rf"\b{w}\b", whole)]
        declared = "function" if self.function else "loss"
        return ", ".join(sorted({declared, *facts, *kinds, *found, *(["dims"] if used else [])}))


def _imports(text: str) -> list[str]:
    return [f"import {name}" for name in ("scipy.special", "sympy") if f"{name}." in text]


def _helpers(body: str) -> list[str]:
    return [source for name, source in HELPERS.items() if re.search(rf"\b{name}[(\[]", body)]


def _statements(program: Program) -> list[str]:
    texts: dict[int, str] = {}
    lines: list[str] = []
    last = len(program.nodes) - 1
    for index in sorted(needed(program)):
        node = program.nodes[index]
        operands = [_bracketed(texts[k]) for k in node.operands]
        text = node.template.format(*operands)
        if node.loop:
            text = _looped(node, operands, lines)
        elif node.operands and node.name is not None and index != last:
            lines.append(_assignment(node, texts, text))
            text = node.name
        texts[index] = text
    return [*lines, f"return {texts[last]}"]


def _looped(node: Node, operands: list[str], lines: list[str]) -> str:
    name = node.name or "looped"
    body = node.template.format(name, *operands[1:])
    lines += [f"{name} = {operands[0]}", f"for _ in range({node.loop}):", f"    {name} = {body}"]
    return name


def _assignment(node: Node, texts: Mapping[int, str], text: str) -> str:
    sign = re.fullmatch(r"\{0\} ([-+*/]) \{1\}", node.template)
    if node.augmented and sign and texts[node.operands[0]] == node.name:
        return f"{node.name} {sign[1]}= {texts[node.operands[1]]}"
    return f"{node.name} = {text}"


def _bracketed(text: str) -> str:
    simple = re.fullmatch(r"\w+|[\w.]+\([^()]*\)", text)
    return text if simple else f"({text})"


def needed(program: Program) -> set[int]:
    """The nodes on which the last depends."""
    found, todo = set(), [len(program.nodes) - 1]
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo.extend(program.nodes[index].operands)
    return found
