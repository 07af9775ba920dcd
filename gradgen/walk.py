"""Walks over the graph, by loops and never by recursion: a graph of 100,000 nodes must work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from gradgen.labels import Labels
from gradgen.nodes import Count, Node, Symbol, View, one, view


def order(roots: Iterable[Node]) -> list[Node]:
    """Every node below the roots, operands first."""
    done: set[Node] = set()
    result: list[Node] = []
    for root in roots:
        stack = [root]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            pending = [child for child in node.operands if child not in done]
            if pending:
                stack.extend(reversed(pending))
            else:
                done.add(node)
                result.append(node)
                stack.pop()
    return result


def needed(roots: Sequence[Node], given: Collection[Node]) -> list[Node]:
    """The nodes below the roots down to what is given, operands first."""
    reached: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in reached:
            reached.add(node)
            stack.extend(() if node in given else node.operands)
    return [node for node in order(roots) if node in reached]


def uses(roots: Iterable[Node]) -> Counter[Node]:
    """How often each node is used: once for each place in an operation, once for each root."""
    roots = list(roots)
    counts: Counter[Node] = Counter(roots)
    for node in order(roots):
        counts.update(node.operands)
    return counts


def users(roots: Iterable[Node]) -> dict[Node, list[Node]]:
    """What uses each node, once for each place; a root uses itself."""
    roots = list(roots)
    found: dict[Node, list[Node]] = {node: [] for node in order(roots)}
    for root in roots:
        found[root].append(root)
    for node in list(found):
        for child in node.operands:
            found[child].append(node)
    return found


def reaching(roots: Sequence[Node], results: Sequence[int]) -> dict[Node, int]:
    """The results that each node serves, as bits, where the roots belong to these results."""
    found: dict[Node, int] = dict.fromkeys(order(roots), 0)
    for root, result in zip(roots, results, strict=True):
        found[root] |= 1 << result
    for node in reversed(found):
        for child in node.operands:
            found[child] |= found[node]
    return found


def depending(roots: Iterable[Node], on: Callable[[Symbol], bool]) -> set[Node]:
    """The nodes below the roots that depend on a symbol of the given sort."""
    found: set[Node] = set()
    for node in order(roots):
        if (isinstance(node, Symbol) and on(node)) or any(child in found for child in node.operands):
            found.add(node)
    return found


def weak(nodes: Iterable[Node]) -> set[Node]:
    """The numbers made of dimensions and numbers alone, of nodes in their order."""
    found: set[Node] = set()
    for node in nodes:
        made = node.operands and not node.rank and all(child in found for child in node.operands)
        if node is one() or isinstance(node, Count) or made:
            found.add(node)
    return found


class Name(NamedTuple):
    """A name for a value. ``hard`` ones are the user's assignments, which get a line; others serve where one is needed.

    ``order`` is that of the node's axes in the spec, which the code keeps where it can.
    """

    text: str
    hard: bool = False
    order: Labels | None = None


Names = dict[Node, Name]


def is_named(node: Node, names: Names) -> bool:
    """Whether the user named a value, so that it gets a line."""
    return node in names and names[node].hard


def rewrite(roots: Sequence[Node], rule: Callable[[Node], Node], names: Names) -> list[Node]:
    """The roots with ``rule`` applied to every node, operands first; names move along."""
    new: dict[Node, Node] = {}
    for node in order(roots):
        new[node] = through(rebuilt(node, new), rule)
    rename(names, new)
    return [new[root] for root in roots]


def rebuilt(node: Node, new: Mapping[Node, Node]) -> Node:
    """The node made anew where an operand has changed."""
    return node.rebuild(new.__getitem__) if any(new[child] is not child for child in node.operands) else node


def through(node: Node, rule: Callable[[Node], Node]) -> Node:
    """A rule applied to the node behind a view: a rebuilt node may stand in another orientation than before."""
    if isinstance(node, View) and node.node.operands:
        return view(node.coefficient, rule(node.node), node.labels, node.shape)
    return rule(node)


def core(node: Node) -> Node:
    """The node behind a view."""
    return node.node if isinstance(node, View) else node


def rename(names: Names, new: Mapping[Node, Node]) -> None:
    """Carry names over to what their nodes became; the first name of a node stays, but a hard one wins."""
    for node, name in list(names.items()):
        if new.get(node, node) is not node and core(new[node]).operands:
            settle(names, new[node], name)


def settle(names: Names, node: Node, name: Name) -> None:
    """Give the node behind a view a name, unless it has one as hard; ``name.order`` speaks of the view's axes."""
    inner = core(node)
    if inner not in names or (name.hard and not names[inner].hard):
        names[inner] = name._replace(order=_behind(node, name.order))


def _behind(node: Node, order: Labels | None) -> Labels | None:
    """The order of the axes of the node behind a view, from that of the view's axes."""
    if order is None or not isinstance(node, View):
        return order
    if sorted(node.labels) != sorted(order):
        return None
    return tuple(sorted(range(node.node.rank), key=lambda axis: order.index(node.labels[axis])))


def preferred(names: Names) -> dict[Node, Labels]:
    """The nodes that have an order of axes from the spec."""
    ordered = ((node, name.order) for node, name in names.items() if name.order is not None)
    return {node: order for node, order in ordered if len(order) == node.rank}
