"""The public functions of a module: each passes the door, calls a kernel and owns the result."""

from __future__ import annotations

from collections.abc import Sequence

from gradgen.dims import Size, is_one
from gradgen.door import checks, cut, dropped, entered, size_lines, squeezed, swift
from gradgen.functions import (
    DIRECTED,
    DOCS,
    MAPPED,
    ORDERS,
    Function,
    checked_lines,
    described,
    direction_line,
    shape_text,
)
from gradgen.identifiers import Identifiers, listed, renamed, words
from gradgen.tape import Argument, Tape


def public_function(ids: Identifiers, tape: Tape, name: str, kernel: Function) -> Function:
    """The function of that name."""
    order, arrays = ORDERS[name], [a.name for a in ids.arguments]
    lines = [f"{', '.join(ids.of(ids.arguments))} = {ids.door}({', '.join(arrays)})", *checked_lines(ids, order)]
    names, said = ids.signature(ids.given, order), described(ids, ids.given, order)
    if name in DIRECTED:
        lines += [direction_line(ids, w) for w in ids.wrt]
        names += ids.directions.values()
        said += [f"{ids.directions[w.name]} : {shape_text(w.shape, w.kind)}" for w in ids.wrt]
    if name == "vjp":
        lines += cotangent_lines(ids, tape.result.shape)
        names.append(ids.cotangent)
        said.append(f"{ids.cotangent} : {shape_text(tape.result.shape)}, shaped like the value")
    taken, result = returned(ids, tape, name, kernel.call)
    return Function(
        name, ", ".join(names), _doc(tape, name), (*lines, *taken), result, tuple(said), _returns(ids, tape, name)
    )


def returned(ids: Identifiers, tape: Tape, name: str, call: str) -> tuple[list[str], str]:
    """What a public function returns of a kernel: floats, and arrays in C order; the statements before it, and it."""
    if {"np", "float"} & {name for names in (ids.local, ids.orders) for name in names}:  # arguments of these names
        return [], f"{ids.owned}({call})"
    if name == "loss":
        return [], f"float({call})"
    if name == "hessian":
        return [], _ordered(call, 2 * len(ids.wrt[0].shape))
    if name in MAPPED:
        return [], _ordered(call, len(value_shape(ids, tape, name)))
    if not tape.several:
        rank = len(ids.wrt[0].shape)
        if name != "value_and_grad":
            return [], _ordered(call, rank)
        return [f"value, gradient = {call}"], f"float(value), {_ordered('gradient', rank)}"
    names = [f"{'grad' if name == 'value_and_grad' else name}_{w.name}" for w in ids.wrt]
    found = f"({listed([_ordered(n, len(w.shape)) for n, w in zip(names, ids.wrt, strict=True)])})"
    if name == "value_and_grad":
        return [f"value, ({listed(names)}) = {call}"], f"float(value), {found}"
    return [f"{listed(names)} = {call}"], found


def _ordered(value: str, rank: int) -> str:
    """A result as callers get it; what has one axis is contiguous."""
    return value if rank == 1 else f"np.ascontiguousarray({value})" if rank else f"float({value})"


def cotangent_lines(ids: Identifiers, shape: Sequence[Size]) -> list[str]:
    """The statements that check a cotangent against the shape of the value."""
    said = f"({listed([size.spell(ids.size) for size in shape])})" if shape else "()"
    sizes, _ = size_lines(ids, shape, [said], set(ids.of(ids.arguments)), ids.arguments)
    found = f'{ids.shaped}("{ids.cotangent}", {ids.cotangent}, {said}, {ids.typed(ids.arguments)}.dtype)'
    return [*sizes, f"{ids.cotangent} = {found}{dropped(shape)}"]


def value_shape(ids: Identifiers, tape: Tape, name: str) -> tuple[Size, ...]:
    """The shape of the value of a map, of its derivative in a direction, or of its Jacobian."""
    value = tape.result.shape
    return (*value, *ids.wrt[0].shape) if name == "jacobian" else value


def _doc(tape: Tape, name: str) -> str:
    """What a function is; the value of a map is what the spec says first."""
    if name == "value":
        return quoted(tape.doc.splitlines()[0]) if tape.doc else f"The value of {tape.name}."
    return DOCS[name].format(wrt=words(tape.wrt))


def _returns(ids: Identifiers, tape: Tape, name: str) -> tuple[str, ...]:
    if name == "loss":
        return ("float",)
    if name == "hessian":
        size = ids.wrt[0].shape[:1]
        return (shape_text((*size, *size)),)
    if name in MAPPED:
        return (shape_text(value_shape(ids, tape, name)),)
    arrays = [shape_text(w.shape, w.kind) for w in ids.wrt]
    if tape.several:
        part = name if name in ("hvp", "vjp") else "grad"
        arrays = [f"{part}_{w.name} : {said}" for w, said in zip(ids.wrt, arrays, strict=True)]
    if name == "value_and_grad":
        tail = f"tuple of {', '.join(arrays)}" if tape.several else arrays[0]
        return ("loss : float", f"gradient : {tail}")
    return tuple(arrays)


def door_function(ids: Identifiers, tape: Tape) -> Function:
    """What every function passes first."""
    names, numbers = ids.of(ids.arguments), ids.of(ids.numbers)
    lines = [*swift(ids, tape), *(entered(a, n) for a, n in zip(ids.arguments, names, strict=True))]
    lines += checks(ids.arguments, tape.constraints, ids.size, ids.local)
    lines.append(f"{listed(numbers)} = _working({', '.join(numbers)})")
    results = [inside(renamed(a, ids.local)) for a in ids.arguments]
    doc = "The arguments as arrays of the working dtype, their shapes checked."
    return Function(ids.door, ", ".join(names), doc, tuple(lines), ", ".join(results))


def inside(argument: Argument) -> str:
    """A checked array as private functions take it."""
    array = cut(argument, squeezed(argument)) if not any(map(is_one, argument.shape)) else squeezed(argument)
    return array if argument.shape else f"{array}[()]"


def quoted(said: str) -> str:
    """A text as it stands in a docstring: it can neither end it nor break its lines."""
    plain = said.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in plain)
