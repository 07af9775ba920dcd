"""The plan of a module: which functions it has, what each computes, and what `bind` may compute once.

Everything here is decided for all backends; a backend prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradgen.associate import associate
from gradgen.cost import entries, node_cost
from gradgen.derive import Derived
from gradgen.dims import Dim
from gradgen.distribute import distributed
from gradgen.entries import by_entries
from gradgen.nodes import Add, Count, Map, Node, Product, Symbol, View
from gradgen.opening import opened
from gradgen.ops.operation import Operation
from gradgen.ops.select import Embed, Select
from gradgen.spell import Root
from gradgen.stable import stable
from gradgen.walk import Names, depending, order


@dataclass(frozen=True)
class Kernel:
    """A function on checked arrays: its name, its results, and the symbols and hoisted values that it needs."""

    name: str
    roots: tuple[Root, ...]
    symbols: tuple[Symbol, ...]
    hoisted: tuple[Node, ...]


@dataclass(frozen=True)
class Plan:
    """The kernels of a module; ``hoisted`` depends on data alone and is computed once by `bind`. ``cotangent`` is
    that of a function's value; a loss has none."""

    kernels: tuple[Kernel, ...]
    hoisted: tuple[Node, ...]
    names: Names
    wrt: tuple[Symbol, ...]
    directions: tuple[Symbol, ...]
    cotangent: Symbol | None = None


def plan(derived: Derived) -> Plan:
    """The kernels of a loss: loss, grad, value_and_grad, hvp, and hessian where there is one; of a function: value,
    jvp, vjp, and jacobian likewise."""
    names = derived.names
    spelled = by_entries(stable(derived.roots, names), names)
    moving = _moving(derived, spelled)
    plain = opened(distributed(spelled, names, lambda node: node not in moving), names, entrywise=True)
    ready = derived.of(associate(plain, names))
    results = _loss(ready) if ready.cotangent is None else _function(ready)
    hoisted = _hoisted(ready)
    kernels = tuple(_kernel(name, roots, hoisted) for name, roots in results.items())
    return Plan(kernels, hoisted, names, ready.wrt, ready.directions, ready.cotangent)


def _loss(ready: Derived) -> dict[str, tuple[Root, ...]]:
    value, gradients = (Root(ready.results["value"][0]),), _like(ready, "gradient", "grad")
    results = {"loss": value, "grad": gradients, "value_and_grad": (*value, *gradients)}
    results["hvp"] = _like(ready, "product", "hvp")
    return results | _whole(ready, "hessian")


def _function(ready: Derived) -> dict[str, tuple[Root, ...]]:
    value, tangent = (Root(ready.results[name][0]) for name in ("value", "tangent"))
    results = {"value": (value,), "jvp": (tangent,), "vjp": _like(ready, "pullback", "vjp")}
    return results | _whole(ready, "jacobian")


def _like(ready: Derived, result: str, prefix: str) -> tuple[Root, ...]:
    """A result that has the shapes of the variables."""
    pairs = zip(ready.results[result], ready.wrt, strict=True)
    return tuple(Root(node, w.name, f"{prefix}_{w.name}") for node, w in pairs)


def _whole(ready: Derived, name: str) -> dict[str, tuple[Root, ...]]:
    return {name: tuple(Root(node, "", name) for node in ready.results[name])} if name in ready.results else {}


def _kernel(name: str, roots: tuple[Root, ...], hoisted: Sequence[Node]) -> Kernel:
    reached = _reached([root.node for root in roots], set(hoisted))
    symbols = sorted((n for n in reached if isinstance(n, Symbol)), key=lambda s: (s.direction, s.index))
    return Kernel(name, roots, tuple(symbols), tuple(n for n in hoisted if n in reached))


def _reached(roots: Sequence[Node], stops: set[Node]) -> set[Node]:
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(() if node in stops else node.operands)
    return seen


def _hoisted(derived: Derived) -> tuple[Node, ...]:
    """What depends on data alone, costs more than a scalar, is no larger than the data, and is used by what does
    not."""
    roots = derived.roots
    moving = _moving(derived, roots)
    floating = depending(roots, lambda s: "index" not in s.facts)
    data = [s for s in order(roots) if isinstance(s, Symbol) and s not in moving]
    moving |= _unknown(roots, {size.symbol for s in data for size in s.shape})
    most = max((entries(s.shape) for s in data), default=0)
    found: dict[Node, None] = {}
    for node in order(roots):
        if node in moving:
            for child in node.operands:
                core = child.node if isinstance(child, View) else child
                if core not in moving and core in floating and _worth(core) and entries(core.shape) <= most:
                    found[core] = None
    return tuple(found)


def _moving(derived: Derived, roots: Sequence[Node]) -> set[Node]:
    """What does not depend on data alone."""
    return depending(roots, lambda s: s.direction or s in derived.wrt)


def _unknown(roots: Sequence[Node], known: set[Dim | None]) -> set[Node]:
    """The nodes of a size, or made of one, that the data do not tell."""
    found: set[Node] = set()
    for node in order(roots):
        sizes = (*node.shape, *((node.size,) if isinstance(node, Count) else ()))
        told = all(dim in known for size in sizes for dim in size.symbols)
        if not told or any(child in found for child in node.operands):
            found.add(node)
    return found


def _worth(node: Node) -> bool:
    """Whether computing a value touches an array: not for a leaf, a slice or scalars of scalars."""
    if not isinstance(node, Add | Map | Product | Operation) or isinstance(node, Select | Embed):
        return False
    return bool(node.operands) and (node.rank > 0 or any(child.rank for child in node.operands)) and node_cost(node) > 0
