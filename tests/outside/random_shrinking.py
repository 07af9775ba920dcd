"""Failing programs made small, call by call: what hypothesis has made smaller by choices is finished here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from random_checks import failure, kind
from random_programs import SQUARE, Given, Node, Program, needed
from random_values import Worlds

SIMPLER = ("{0}", "np.sum({0})", "{0} * {0}", "np.exp({0})", "{0} @ {0}", "{0}.T")
RANKS = {"Scalar": 0, "Vector": 1, "Matrix": 2}


def valid(program: Program) -> bool:
    """Whether a program is sane in all its worlds."""
    worlds = Worlds(program.given, program.sizes, program.seed)
    if not program.wrt or not set(program.wrt) <= {g.name for g in program.given}:
        return False
    if not all(worlds.add(node) for node in program.nodes[len(program.given) :]):
        return False
    return program.function or worlds.shape(len(program.nodes) - 1) == ()


def smaller(program: Program) -> Iterator[Program]:
    """Programs that are a step simpler."""
    yield from _earlier(program)
    yield from _merged(program)
    yield from _plainer(program)
    yield from _fewer(program)


def _earlier(program: Program) -> Iterator[Program]:
    """Those that end sooner."""
    for index in range(len(program.given), len(program.nodes) - 1):
        yield replace(program, nodes=(*program.nodes[: index + 1], Node("np.sum({0})", (index,))))
        yield replace(program, nodes=program.nodes[: index + 1])


def _merged(program: Program) -> Iterator[Program]:
    """Those with one node in the place of another."""
    for index in range(len(program.nodes) - 1, len(program.given) - 1, -1):
        for other in range(index):
            yield _without(program, index, other)


def _plainer(program: Program) -> Iterator[Program]:
    """Those with simpler calls."""
    for index in range(len(program.given), len(program.nodes)):
        node = program.nodes[index]
        if node.loop:
            yield _with(program, index, replace(node, loop=0))
        elif node.name is not None:
            yield _with(program, index, replace(node, name=None, augmented=False))
        for k in node.operands:
            for template in SIMPLER:
                if template != node.template and len(template) < len(node.template):
                    yield _with(program, index, Node(template, (k,), node.name))


def _fewer(program: Program) -> Iterator[Program]:
    """Those with fewer variables, facts, structures, options and worlds."""
    if len(program.wrt) > 1:
        for name in program.wrt:
            yield replace(program, wrt=tuple(x for x in program.wrt if x != name))
    for index, given in enumerate(program.given):
        if given.fact:
            yield _declared(program, index, replace(given, fact=""))
        if given.kind in SQUARE:
            yield _declared(program, index, replace(given, kind="Matrix", sizes=given.sizes * 2))
        if given.name not in program.wrt and index not in needed(program):
            yield _dropped(program, index)
    if program.several and len(program.wrt) == 1:
        yield replace(program, several=False)
    if program.entries:
        yield replace(program, entries=False)
    if program.function:
        yield replace(program, function=False)
    for world in range(1, len(program.sizes)):
        if len(program.sizes) > 2:
            yield replace(program, sizes=(program.sizes[0], *program.sizes[world + 1 :], *program.sizes[1:world]))


def _declared(program: Program, index: int, given: Given) -> Program:
    return replace(program, given=(*program.given[:index], given, *program.given[index + 1 :]))


def _with(program: Program, index: int, node: Node) -> Program:
    return replace(program, nodes=(*program.nodes[:index], node, *program.nodes[index + 1 :]))


def _without(program: Program, index: int, other: int) -> Program:
    """The program with one node in the place of another."""

    def moved(k: int) -> int:
        k = other if k == index else k
        return k - (k > index)

    kept = [n for i, n in enumerate(program.nodes) if i != index]
    return replace(program, nodes=tuple(replace(n, operands=tuple(map(moved, n.operands))) for n in kept))


def _dropped(program: Program, index: int) -> Program:
    nodes = [n for i, n in enumerate(program.nodes) if i != index]
    nodes = [replace(n, operands=tuple(k - (k > index) for k in n.operands)) for n in nodes]
    return replace(program, given=tuple(g for i, g in enumerate(program.given) if i != index), nodes=tuple(nodes))


def _pruned(program: Program) -> Program:
    reached = needed(program)
    for index in range(len(program.nodes) - 1, len(program.given) - 1, -1):
        if index not in reached:
            program = _without(program, index, 0)
    return program


def shrunk(
    program: Program, limit: int = 400, failing: Callable[[Program], str | None] = failure
) -> tuple[Program, str | None]:
    """A program that fails in the same way, as small as steps of one node make it, and what is wrong with it."""
    found = failing(program)
    wanted, tries, progress = kind(found), 0, True
    while progress and tries < limit:
        progress = False
        for candidate in map(_pruned, smaller(program)):
            simpler = len(candidate.text()) < len(program.text()) or len(candidate.sizes) < len(program.sizes)
            if not (simpler or (program.function and not candidate.function)) or not valid(candidate):
                continue
            tries += 1
            now = failing(candidate)
            if kind(now) == wanted:
                program, found, progress = candidate, now, True
                break
            if tries >= limit:
                break
    return program, found
