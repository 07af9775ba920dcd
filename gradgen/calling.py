"""How emitted tests call the functions of a module: what these are given, and what they must refuse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gradgen.dims import Dim, Let, Match, solve
from gradgen.identifiers import Identifiers
from gradgen.kinks import order
from gradgen.tape import Argument, Tape

BOUNDS = {"loss": "1e-9", "grad": "1e-10", "hvp": "1e-10", "value": "1e-10", "jvp": "1e-10", "vjp": "1e-10"}
"""How far from the 50-digit values each function may be, relative to the largest entry."""


def strings(names: Iterable[str]) -> str:
    return tuple_text(f'"{name}"' for name in names)


def tuple_text(parts: Iterable[str]) -> str:
    """A tuple, without a last comma where it may be left out."""
    parts = tuple(parts)
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"


def entries(pairs: Iterable[tuple[str, str]]) -> str:
    """A dictionary by names."""
    return "{" + ", ".join(f'"{name}": {text}' for name, text in pairs) + "}"


def derivatives(tape: Tape) -> list[tuple[str, str, int]]:
    """The derivatives of functions that ``bind`` takes: each keyword, the function and the order."""
    highest = 1 if tape.function else 2
    orders = Identifiers(tape, ()).orders
    return [(names[k], name, k) for name, names in orders.items() for k in range(1, highest + 1)]


def live_functions(tape: Tape) -> set[str]:
    """The functions whose derivatives count: what they are given depends on ``wrt``."""
    return {call.params["function"] for call in order(tape).moving if call.op == "unknown"}


def called(tape: Tape) -> str:
    """The functions and their derivatives that are called for sure, as pairs of a name and an order."""
    used = {call.params["function"] for call in tape.calls() if call.op == "unknown"}
    pairs = [(name, 0) for name in sorted(used)]
    pairs += [(name, k) for _, name, k in derivatives(tape) if name in live_functions(tape)]
    return tuple_text(f'("{name}", {k})' for name, k in pairs)


def missing(tape: Tape) -> str:
    """The derivatives without which a bound function cannot do; "" where there are none."""
    found = [key for key, name, _ in derivatives(tape) if name in live_functions(tape)]
    return strings(found) if found else ""


def binding(tape: Tape) -> str:
    """The arguments of ``bind``: the data by name, and what neither they nor the length of x determine."""
    data = [a for a in tape.arguments if a.name not in tape.wrt]
    parts = ["**{name: values[name] for name in DATA}"] if data else []
    if any(a.callable for a in data):
        parts.append("**derivatives")
    lengths = open_lengths(tape)
    if len(lengths) > 1:
        names = Identifiers(tape, ()).sizes
        parts += [f"{names[dim.name]}={text}" for dim, text in lengths.items()]
    return ", ".join(parts)


def open_lengths(tape: Tape) -> dict[Dim, str]:
    """The dimensions of ``wrt`` that the data leave open, as text in the shapes of the arguments."""
    data = [a for a in tape.arguments if a.name not in tape.wrt]
    known = {let.dim for let in lets(data)}
    needed = {dim for name in tape.wrt for size in tape.argument(name).given for dim in size.symbols} - known
    texts: dict[Dim, str] = {}
    for let in lets(tape.arguments):
        texts[let.dim] = length(let, texts)
    return {dim: text for dim, text in texts.items() if dim in needed}


def lets(arguments: Iterable[Argument]) -> list[Let]:
    """How the dimensions of some arguments are found, in order."""
    return [step for step in solve([(a.name, a.given) for a in arguments])[0] if isinstance(step, Let)]


def length(let: Let, texts: Mapping[Dim, str]) -> str:
    """A dimension as text in a shape and in dimensions that were found before."""
    place = f'values["{let.argument}"].shape[{let.axis}]'
    rest = let.rest.spell(lambda dim: f"({texts[dim]})" if " " in texts[dim] else texts[dim])
    text = place if rest == "0" else f"{place} - ({rest})"
    return text if let.factor == 1 else f"({text}) // {let.factor}"


def hessian_times_direction(tape: Tape) -> str:
    """How the Hessian is multiplied by the direction; "" where there is none."""
    argument = tape.argument(tape.wrt[0])
    if tape.function or tape.several or len(argument.shape) > 1:
        return ""
    operator = "@" if argument.shape else "*"
    return f'hessian {operator} directions["{argument.name}"]'


def has_jacobian(tape: Tape) -> bool:
    """Whether the function maps one vector to a vector."""
    return tape.function and not tape.several and len(tape.argument(tape.wrt[0]).shape) == len(tape.result.shape) == 1


def mismatches(tape: Tape) -> str:
    """The arguments and axes whose length is settled by another axis, or literal; "" where there are none."""
    steps = solve([(a.name, a.given) for a in tape.arguments])[0]
    pairs = [f'("{step.argument}", {step.axis})' for step in steps if isinstance(step, Match)]
    return tuple_text(pairs) if pairs else ""
