"""A function of a generated module as text, and what its docstring says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradgen.door import restored, squeezed
from gradgen.identifiers import Identifiers
from gradgen.tape import Argument

FACTS = {
    "positive": "positive numbers",
    "nonnegative": "nonnegative numbers",
    "unit_interval": "numbers in [0, 1]",
    "sign": "-1 and 1",
    "boolean": "0 and 1",
    "integer": "integers",
    "one_hot": "one-hot rows",
    "simplex": "rows that sum to 1",
}
DOCS = {
    "loss": "The loss.",
    "grad": "The gradient by {wrt}.",
    "value_and_grad": "The loss and its gradient by {wrt}, in one pass.",
    "hvp": "The Hessian times a direction.",
    "hessian": "The Hessian by {wrt}.",
}


@dataclass(frozen=True)
class Function:
    """A function as the template prints it."""

    name: str
    parameters: str
    doc: str
    lines: tuple[str, ...]
    result: str
    described: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        """The function called with variables of its parameters' names."""
        return f"{self.name}({self.parameters})"

    @property
    def text(self) -> str:
        """The function alone, without its docstring."""
        body = "".join(f"    {line}\n" for line in (*self.lines, f"return {self.result}"))
        return f"def {self.name}({self.parameters}):\n{body}"


def direction_line(ids: Identifiers, w: Argument, inside: bool = False) -> str:
    """The statement that checks a direction against its variable, by its private name where it is ``inside`` one."""
    name = ids.directions[w.name]
    given = ids.local[name] if inside else name
    like = f"{ids.local[w.name]}{restored(w.shape)}"
    back = squeezed(w).removeprefix(w.name)
    return f'{ids.local[name]} = {ids.direction}("{name}", {given}, {like}){back}'


def described(arguments: Sequence[Argument]) -> list[str]:
    return [f"{a.name} : {shape_text(a)}{_facts(a)}" for a in arguments]


def shape_text(argument: Argument) -> str:
    if not argument.shape:
        return "float"
    return f"({', '.join(map(str, argument.shape))}{',' if len(argument.shape) == 1 else ''}) array"


def _facts(argument: Argument) -> str:
    said = ", ".join(FACTS[fact] for fact in sorted(argument.facts))
    return f" of {said}" if said and argument.shape else f", of {said}" if said else ""
