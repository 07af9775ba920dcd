"""A function of a generated module as text, and what its docstring says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradgen.dims import Size
from gradgen.door import cut, dropped, restored
from gradgen.identifiers import Identifiers
from gradgen.tape import Argument

Shape = tuple[Size, ...]

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
    "value": "The value.",
    "jvp": "The Jacobian times a direction.",
    "vjp": "The transposed Jacobian times a cotangent.",
    "jacobian": "The Jacobian by {wrt}, a row for each entry of the value.",
}
# Which derivatives of a given function each of ours takes.
ORDERS = {
    "loss": 0,
    "grad": 1,
    "value_and_grad": 1,
    "hvp": 2,
    "hessian": 2,
    "value": 0,
    "jvp": 1,
    "vjp": 1,
    "jacobian": 1,
}
ROLES = ("applied entry by entry", "the derivative of {name}", "the second derivative of {name}")
DIRECTED = ("hvp", "jvp")  # these take a direction for each variable
MAPPED = ("value", "jvp", "jacobian")  # these return what is shaped by the value of a map


@dataclass(frozen=True)
class Function:
    """A function as the template prints it; ``shapes`` are those of the arrays that it takes."""

    name: str
    parameters: str
    doc: str
    lines: tuple[str, ...]
    result: str
    described: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    shapes: tuple[tuple[str, Shape], ...] = ()

    @property
    def call(self) -> str:
        """The function called with variables of its parameters' names."""
        return f"{self.name}({self.parameters})"

    @property
    def takes(self) -> list[str]:
        """The names of its parameters."""
        return self.parameters.split(", ")

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
    checked = f'{ids.direction}("{name}", {given}, {like})'
    return f"{ids.local[name]} = {cut(w, checked)}{dropped(w.shape)}"


def checked(ids: Identifiers, function: Argument, order: int, given: str) -> str:
    """The expression of a derivative of a function of numbers that checks what it returns."""
    role = ROLES[order].format(name=function.name)
    return f'{ids.function}("{ids.orders[function.name][order]}", {given}, "{role}")'


def checked_lines(ids: Identifiers, order: int) -> list[str]:
    """The statements that check the functions of numbers that a public function is given."""
    return [
        f"{ids.called(f.name, k)} = {checked(ids, f, k, ids.orders[f.name][k])}"
        for f in ids.functions
        for k in range(order + 1)
    ]


def described(ids: Identifiers, arguments: Sequence[Argument], order: int = 0) -> list[str]:
    """What numpydoc says of arguments, and of the derivatives of functions up to an order."""
    found: list[str] = []
    for a in arguments:
        said = FUNCTIONS[: order + 1] if a.callable else (_said(a),)
        found += [f"{name} : {text}" for name, text in zip(ids.orders.get(a.name, (a.name,)), said, strict=False)]
    return found


FUNCTIONS = ("function, applied entry by entry", "its derivative", "its second derivative")


KINDS = {"Symmetric": "symmetric array", "SPD": "symmetric array", "LowerTriangular": "lower triangular array"}
ASIDES = {"Diagonal": ", the diagonal of a matrix", "LowerTriangular": ", of which the lower half is read"}


def shape_text(shape: Sequence[Size], kind: str = "") -> str:
    """A shape as numpydoc says it."""
    return _shaped(shape, KINDS.get(kind, "array"))


def _shaped(shape: Sequence[Size], said: str) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}) {said}" if shape else "float"


def _said(argument: Argument) -> str:
    """What numpydoc says of an array that is given."""
    if argument.below is not None:
        return _shaped(argument.shape, f"array of integers from 0 to {argument.below - 1}")
    kind = "symmetric positive definite array" if argument.kind == "SPD" else KINDS.get(argument.kind, "array")
    plain = "array" if argument.kind in ASIDES else kind
    return f"{_shaped(argument.shape, plain)}{_facts(argument)}{ASIDES.get(argument.kind, '')}"


def _facts(argument: Argument) -> str:
    said = ", ".join(FACTS[fact] for fact in sorted(argument.facts))
    return f" of {said}" if said and argument.shape else f", of {said}" if said else ""
