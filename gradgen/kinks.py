"""Where a recorded loss is not smooth: the calls that switch, and the gap between an input and the nearest switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

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


@dataclass(frozen=True)
class Order:
    """The calls of a tape, operands first: those that do not depend on ``wrt``, those that do, and its switches."""

    fixed: tuple[Call, ...]
    moving: tuple[Call, ...]
    switches: tuple[Switch, ...]


def order(tape: Tape) -> Order:
    return _order(tape.result, tape.wrt)


def switches(tape: Tape) -> tuple[Switch, ...]:
    """The switches that moving ``wrt`` can cross, in the order in which they were recorded; none for a smooth loss."""
    return order(tape).switches


@lru_cache(maxsize=4)
def _order(result: Call, wrt: tuple[str, ...]) -> Order:
    calls = needed((result,))
    live: set[Call] = set()
    for call in calls:
        if call.params["name"] in wrt if call.op == "argument" else not live.isdisjoint(call.args):
            live.add(call)
    found = (switch for call in calls for switch in _of(call) if not live.isdisjoint(switch.operands))
    fixed = tuple(call for call in calls if call not in live)
    return Order(fixed, tuple(call for call in calls if call in live), tuple(dict.fromkeys(found)))


def needed(wanted: tuple[Call, ...]) -> list[Call]:
    """The calls that some calls need, and they themselves, operands first."""
    found: dict[Call, None] = {}
    stack = [(call, False) for call in reversed(wanted)]
    while stack:
        call, ready = stack.pop()
        if ready:
            found.setdefault(call)
        elif call not in found:
            stack.append((call, True))
            stack.extend((operand, False) for operand in reversed(call.args))
    return list(found)


def _of(call: Call) -> Iterator[Switch]:
    if call.op in ZERO or call.op in MEET:
        yield Switch(call.args)
    if call.op in REDUCED:
        yield Switch(call.args, call.op, call.params["axis"])
    if call.op in TRUTH:
        yield from (Switch((operand,)) for operand in call.args if not operand.boolean)
    if call.op == "where" and not call.args[0].boolean:
        yield Switch(call.args[:1])
