"""The plan of a module: which functions it has, what each computes, and what `bind` may compute once.

Everything here is decided for all backends; a backend prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradgen.associate import associate
from gradgen.constant import gathered, grams, has_residual
from gradgen.cost import entries, node_cost
from gradgen.derive import Derived
from gradgen.dims import Dim
from gradgen.distribute import distributed
from gradgen.entries import by_entries
from gradgen.inward import inward
from gradgen.nodes import Add, Count, Map, Node, Product, Symbol, View
from gradgen.opening import opened
from gradgen.ops.operation import Operation
from gradgen.ops.select import Embed, Select
from gradgen.samples import Samples, samples
from gradgen.spell import Root
from gradgen.stable import stable
from gradgen.sweeps import Sweep, sweep
from gradgen.walk import Names, core, depending, needed, order


@dataclass(frozen=True)
class Kernel:
    """A function on checked arrays: its name, its results, the symbols and hoisted values that it needs, the
    dimension along which it could run block by block, and the loop over blocks where that pays."""

    name: str
    roots: tuple[Root, ...]
    symbols: tuple[Symbol, ...]
    hoisted: tuple[Node, ...]
    samples: Samples | None
    sweep: Sweep | None


@dataclass(frozen=True)
class Plan:
    """The kernels of a module.

    ``bound`` are kernels that `bind` has in place of those of their names, since they are cheaper with what is
    ``hoisted``: it depends on data alone and is computed once. ``gram`` says whether they replace residuals by Gram
    matrices: "formed", or "kept" where they could and were not to. ``cotangent`` is that of a function's value; a loss
    has none.
    """

    kernels: tuple[Kernel, ...]
    bound: tuple[Kernel, ...]
    hoisted: tuple[Node, ...]
    names: Names
    wrt: tuple[Symbol, ...]
    directions: tuple[Symbol, ...]
    cotangent: Symbol | None = None
    gram: str = ""


def plan(derived: Derived, gram: bool = False) -> Plan:
    """The kernels of a loss: loss, grad, value_and_grad, hvp, and hessian where there is one; of a function: value,
    jvp, vjp, and jacobian likewise."""
    names = derived.names
    spelled = by_entries(stable(derived.roots, names), names)
    ready = _ready(derived, spelled)
    kernels = tuple(_kernel(name, roots, ()) for name, roots in _results(ready).items())
    moving = _moving(derived, spelled)
    bound, hoisted = _bound(derived, spelled, moving, kernels, gram)
    said = "formed" if gram and bound else "kept" if not gram and has_residual(spelled, moving.__contains__) else ""
    return Plan(kernels, bound, hoisted, names, ready.wrt, ready.directions, ready.cotangent, said)


def _ready(derived: Derived, roots: Sequence[Node], kept: bool = False) -> Derived:
    """The results as binary products, in the cheapest order; products of data are ``kept`` together where asked."""
    names, moving = derived.names, _moving(derived, roots)
    summed = distributed(inward(roots, names), names, lambda node: node not in moving)
    moving = _moving(derived, summed)
    plain = opened(summed, names, True, lambda node: kept and node not in moving)
    results = [k for k, nodes in enumerate(derived.results.values()) for _ in nodes]
    return derived.of(associate(plain, names, results=results))


def _results(ready: Derived) -> dict[str, tuple[Root, ...]]:
    return _loss(ready) if ready.cotangent is None else _function(ready)


PAYS = 0.8  # of the cost of a call: what a kernel of its own must come down to


def _bound(
    derived: Derived, spelled: Sequence[Node], moving: set[Node], kernels: Sequence[Kernel], gram: bool
) -> tuple[tuple[Kernel, ...], tuple[Node, ...]]:
    """The kernels that are cheaper where data meet data first, and the values of data that they take."""
    names = derived.names
    if not any(isinstance(s, Symbol) and s not in moving for s in order(spelled)):
        return (), ()
    roots = list(spelled)
    if gram:
        roots = grams(spelled, names, moving.__contains__)
        moving = _moving(derived, roots)
    most = max(entries(s.shape) for s in order(roots) if isinstance(s, Symbol))
    ready = _ready(derived, gathered(roots, names, moving.__contains__, most, gram), True)
    fixed = _hoisted(ready, most)
    made = [_kernel(name, results, fixed) for name, results in _results(ready).items()]
    chosen = [new for new, old in zip(made, kernels, strict=True) if _price(new) < PAYS * _price(old)]
    return tuple(chosen), tuple(n for n in fixed if any(n in kernel.hoisted for kernel in chosen))


def _price(kernel: Kernel) -> int:
    """What a call costs where the values of data are at hand."""
    return sum(map(node_cost, set(needed([root.node for root in kernel.roots], kernel.hoisted)) - set(kernel.hoisted)))


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
    reached = set(needed([root.node for root in roots], set(hoisted)))
    symbols = sorted((n for n in reached if isinstance(n, Symbol)), key=lambda s: (s.direction, s.index))
    taken = tuple(n for n in hoisted if n in reached)
    nodes = [root.node for root in roots]
    along = samples(nodes, taken)
    return Kernel(name, roots, tuple(symbols), taken, along, sweep(nodes, taken, along))


def _hoisted(derived: Derived, most: int) -> tuple[Node, ...]:
    """What depends on data alone, costs more than a scalar, has at most so many entries, and is a result or used by
    what does not."""
    roots = derived.roots
    moving = _moving(derived, roots)
    floating = depending(roots, lambda s: "index" not in s.facts)
    data = [s for s in order(roots) if isinstance(s, Symbol) and s not in moving]
    moving |= _unknown(roots, {size.symbol for s in data for size in s.shape})
    moving |= {n for n in order(roots) if isinstance(n, Embed)}  # put together where it is used, not kept among zeros
    worth = _worthwhile(roots)
    wanted = [child for node in order(roots) if node in moving for child in node.operands]
    found = dict.fromkeys(map(core, (*wanted, *roots)))
    return tuple(n for n in found if n in worth and n not in moving and n in floating and entries(n.shape) <= most)


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


def _worthwhile(roots: Sequence[Node]) -> set[Node]:
    """The values of which some part touches an array when it is computed: no leaves, slices or scalars of scalars."""
    found: set[Node] = set()
    for node in order(roots):
        if isinstance(node, View) and node.node in found:
            found.add(node)
        elif isinstance(node, Add | Map | Product | Operation) and node.operands:
            touched = not isinstance(node, Select | Embed) and any(s.rank for s in (node, *node.operands))
            if any(child in found for child in node.operands) or (touched and node_cost(node) > 0):
                found.add(node)
    return found
