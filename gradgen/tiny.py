"""Tiny sizes at which a loss exists and has few unknowns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, permutations

from gradgen.dims import ONE, Size
from gradgen.kinks import needed
from gradgen.tape import Tape

UNKNOWNS = 30
TRIES = 2000
EFFORT = 5_000

Sizes = Mapping[str, int]


def symbols(tape: Tape) -> tuple[str, ...]:
    """The names of the dimensions, in their order."""
    found = {dim for argument in tape.arguments for size in argument.given for dim in size.symbols}
    return tuple(dim.name for dim in sorted(found))


def unknowns(tape: Tape) -> Size:
    """How many entries ``wrt`` has."""
    return sum((_entries(tape.argument(name).given) for name in tape.wrt), Size.of(0))


def few_unknowns(tape: Tape) -> int:
    """How many unknowns a quick test may have; more only where the loss itself has more."""
    return max(UNKNOWNS, 2 * unknowns(tape).value(dict.fromkeys(symbols(tape), 1)))


def _entries(shape: Iterable[Size]) -> Size:
    total = Size.of(1)
    for size in shape:
        total = total * size
    return total


NONEMPTY = frozenset(("mean", "max", "min", "logsumexp", "softmax", "log_softmax"))


def presupposed(tape: Tape) -> tuple[tuple[Size, Size], ...]:
    """What has to hold, as pairs left <= right: the recorded constraints, and that no mean or maximum is of nothing."""
    recorded = [(c.left, c.right) for c in tape.constraints]
    nonempty = [(ONE, size) for call in tape.calls() if call.op in NONEMPTY for size in call.args[0].shape]
    return tuple(pair for pair in dict.fromkeys(recorded + nonempty) if not certain(*pair))


def certain(left: Size, right: Size) -> bool:
    """Whether left <= right at all dimensions of at least 1, as far as signs show it."""
    slack = right - left
    growing = all(coefficient > 0 for monomial, coefficient in slack.terms if monomial)
    return growing and slack.value({dim.name: 1 for dim in slack.symbols}) >= 0


def allowed(tape: Tape, sizes: Sizes) -> bool:
    """Whether what the loss presupposes holds."""
    return all(left.value(sizes) <= right.value(sizes) for left, right in presupposed(tape))


def tiny_sizes(tape: Tape, least: int = 1) -> tuple[Sizes, ...]:
    """Distinct dimensions such as n=4, d=3, k=2, so that no two axes can be mistaken; and the least ones, of 1."""
    names = symbols(tape)
    top = max(affordable(tape, 4), len(names) + 1)
    found = (_first(tape, names, _distinct(len(names), top)), _first(tape, names, _small(len(names), least)))
    return tuple(dict(t) for t in dict.fromkeys(tuple(sizes.items()) for sizes in found if sizes is not None))


def _small(number: int, least: int = 1) -> Iterator[tuple[int, ...]]:
    """Every choice of small numbers, the smallest first; at last large equal ones."""
    yield from (tuple(least + extra for extra in way) for way in islice(ways((6,) * number), TRIES))
    yield from ((size,) * number for size in range(7, 200))


def _distinct(number: int, top: int) -> Iterator[tuple[int, ...]]:
    yield from islice(permutations(range(top, 1, -1), number), TRIES)
    yield from islice(permutations(range(number + 4, 1, -1), number), TRIES)
    yield from _small(number, least=2)
    yield from _small(number)


def _first(tape: Tape, names: tuple[str, ...], tries: Iterable[tuple[int, ...]]) -> Sizes | None:
    """The first sizes that are allowed and leave few unknowns."""
    entries, few = unknowns(tape), few_unknowns(tape)
    options = (dict(zip(names, numbers, strict=True)) for numbers in tries)
    return next((s for s in options if entries.value(s) <= few and allowed(tape, s)), None)


def ways(limits: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All tuples with 0 <= entry < limit, the smallest sums first."""
    for total in range(sum(limits) - len(limits) + 1):
        yield from _ways(limits, total)


def _ways(limits: Sequence[int], total: int) -> Iterator[tuple[int, ...]]:
    if not limits:
        yield from [()] if total == 0 else []
        return
    for last in range(min(total, limits[-1] - 1) + 1):
        yield from ((*rest, last) for rest in _ways(limits[:-1], total - last))


def affordable(tape: Tape, number: int, least: int = 1) -> int:
    """How often something is tried: less often for a tape of thousands of calls, so that the cost stays linear."""
    return max(least, min(number, EFFORT // len(needed((tape.result,)))))
