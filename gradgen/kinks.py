"""Where a recorded loss is not smooth: the calls that switch, and the gap between an input and the nearest switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gradgen.tape import Call, Tape

ZERO = frozenset(("absolute", "sign", "relu"))
TRUTH = frozenset(("logical_not", "logical_and", "logical_or"))
MEET = frozenset(("maximum", "minimum", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal"))
REDUCED = frozenset(("max", "min"))


@dataclass(frozen=True)
class Switch:
    """A switch where the operand is 0, where two operands meet, or where the best along ``axis`` has a rival."""

    operands: tuple[Call, ...]
    best: str = ""
    axis: tuple[int, ...] = ()


def moving(tape: Tape) -> frozenset[Call]:
    """The calls whose value depends on ``wrt``."""
    found: set[Call] = set()
    for call in tape.calls():
        if call.params["name"] in tape.wrt if call.op == "argument" else not found.isdisjoint(call.args):
            found.add(call)
    return frozenset(found)


def switches(tape: Tape) -> tuple[Switch, ...]:
    """The switches that moving ``wrt`` can cross, in the order in which they were recorded; none for a smooth loss."""
    live = moving(tape)
    found = (switch for call in tape.calls() for switch in _of(call) if not live.isdisjoint(switch.operands))
    return tuple(dict.fromkeys(found))


def _of(call: Call) -> Iterator[Switch]:
    if call.op in ZERO or call.op in MEET:
        yield Switch(call.args)
    if call.op in REDUCED:
        yield Switch(call.args, call.op, call.params["axis"])
    if call.op in TRUTH:
        yield from (Switch((operand,)) for operand in call.args if not operand.boolean)
    if call.op == "where" and not call.args[0].boolean:
        yield Switch(call.args[:1])
