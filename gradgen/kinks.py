"""Where a recorded loss is not smooth: the calls that switch, and the gap between an input and the nearest switch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from gradgen.dims import ONE, Size
from gradgen.tape import Call, Span, Tape

ZERO = frozenset(("absolute", "sign", "relu"))
TRUTH = frozenset(("logical_not", "logical_and", "logical_or"))
MEET = frozenset(("maximum", "minimum", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal"))
REDUCED = frozenset(("max", "min"))
TINY = 1e-3
INVERTED = frozenset(("inv", "solve", "logdet", "detsign", "pinv", "cholesky", "nuclear"))


@dataclass(frozen=True)
class Switch:
    """A switch where the operand is 0, where two operands meet, or where the best along ``axis`` has a rival.

    A ``rare`` one, such as the norm that is 0 or two eigenvalues that meet, is hardly ever met: all around it the loss
    is smooth.
    """

    operands: tuple[Call, ...]
    best: str = ""
    axis: tuple[int, ...] = ()
    rare: bool = False


@dataclass(frozen=True)
class Order:
    """The calls of a tape, operands first: those that do not depend on ``wrt``, those that do, and its switches.

    ``gaps`` are calls that only switches need; ``inverted`` are those whose matrix has to be regular, ``determinants``
    those for which a singular one is as good.
    """

    fixed: tuple[Call, ...]
    moving: tuple[Call, ...]
    switches: tuple[Switch, ...]
    gaps: tuple[Call, ...]
    inverted: tuple[Call, ...]
    determinants: tuple[Call, ...]


def order(tape: Tape) -> Order:
    return _order(tape.result, tape.wrt)


def switches(tape: Tape) -> tuple[Switch, ...]:
    """The switches that moving ``wrt`` can cross, in the order in which they were recorded; none for a smooth loss."""
    return order(tape).switches


def smooth(tape: Tape) -> bool:
    """Whether the loss is smooth but for rare points."""
    return all(switch.rare for switch in switches(tape))


def matrices(calls: Iterable[Call]) -> tuple[Call, ...]:
    """What is inverted, solved with, or has its determinant taken."""
    return tuple(dict.fromkeys(call.args[0] for call in calls))


@lru_cache(maxsize=4)
def _order(result: Call, wrt: tuple[str, ...]) -> Order:
    calls = needed((result,))
    live: set[Call] = set()
    for call in calls:
        if call.params["name"] in wrt if call.op == "argument" else not live.isdisjoint(call.args):
            live.add(call)
    fixed = tuple(call for call in calls if call not in live)
    moving = tuple(call for call in calls if call in live)
    found = tuple(dict.fromkeys(switch for call in moving for switch in _of(call) if _crossed(switch, live)))
    recorded = set(calls)
    gaps = dict.fromkeys(operand for switch in found for operand in switch.operands if operand not in recorded)
    inverted = tuple(call for call in calls if call.op in INVERTED)
    determinants = tuple(call for call in calls if call.op == "det")
    return Order(fixed, moving, found, tuple(gaps), inverted, determinants)


def _crossed(switch: Switch, live: set[Call]) -> bool:
    """Whether moving ``wrt`` can cross it: an operand is live, or made of live ones."""
    return any(call in live or not live.isdisjoint(call.args) for call in switch.operands)


def needed(wanted: Iterable[Call]) -> list[Call]:
    """The calls that some calls need, and they themselves, operands first."""
    found: dict[Call, None] = {}
    stack = [(call, False) for call in reversed(tuple(wanted))]
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
    if call.op == "norm":
        yield Switch((call,), rare=True)
    if call.op == "detsign":
        yield Switch((Call("det", call.args, call.shape),), rare=True)
    if call.op == "eigvalsh":
        yield Switch((_part(call, ONE, call.shape[-1]), _part(call, Size.of(0), call.shape[-1] - ONE)), rare=True)
    if call.op == "formula":
        yield from _of_formula(call)


def floor(switch: Switch) -> Call | None:
    """What meets a tiny number, such as a floor of 1e-12 under probabilities: where it is exactly 0 it stays so."""
    if len(switch.operands) == 2:
        for one, other in (switch.operands, switch.operands[::-1]):
            if other.op == "constant" and not other.shape and 0 < abs(float(other.params["value"])) < TINY:
                return one
    return None


def _part(call: Call, start: Size, stop: Size) -> Call:
    """The slice ``start:stop`` of the last axis."""
    whole = (Span(Size.of(0), size) for size in call.shape[:-1])
    return Call("getitem", (call,), (*call.shape[:-1], stop - start), {"index": (*whole, Span(start, stop))})


def _of_formula(call: Call) -> Iterator[Switch]:
    """The kinks inside a formula, by formulas of their own."""
    from gradgen.scalar_values import gaps  # SymPy takes long to import

    for gap, used in gaps(call.params["formula"]):
        operands = tuple(call.args[k] for k in used)
        yield Switch((Call("formula", operands, call.shape, {"formula": gap}),))
