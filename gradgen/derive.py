"""From the lowered loss to its gradient, Hessian-vector product and Hessian, each in normal form.

The loss is simplified before it is differentiated, the gradient before it is differentiated again.
"""

from __future__ import annotations

from dataclasses import dataclass

from gradgen.adjoint import adjoint
from gradgen.differential import Tangents, differential
from gradgen.factor import factor
from gradgen.flatten import flatten
from gradgen.lower import Lowered
from gradgen.nodes import Add, Map, Node, Product, Symbol, View, add, delta, one, symbol
from gradgen.ops.reduce import Reduce
from gradgen.rules import merge_masks, simplify, tidy
from gradgen.walk import Name, Names, core, order, settle, uses


@dataclass(frozen=True)
class Derived:
    """The loss and its derivatives, one gradient and one hvp for each wrt variable; ``hessian`` where there is one
    vector or scalar."""

    value: Node
    gradients: tuple[Node, ...]
    products: tuple[Node, ...]
    hessian: Node | None
    wrt: tuple[Symbol, ...]
    directions: tuple[Symbol, ...]
    names: Names

    @property
    def roots(self) -> list[Node]:
        return [self.value, *self.gradients, *self.products, *([self.hessian] if self.hessian is not None else [])]

    def of(self, roots: list[Node]) -> Derived:
        """The same with other roots."""
        k = len(self.wrt)
        hessian = roots[1 + 2 * k] if self.hessian is not None else None
        return Derived(
            roots[0],
            tuple(roots[1 : 1 + k]),
            tuple(roots[1 + k : 1 + 2 * k]),
            hessian,
            self.wrt,
            self.directions,
            self.names,
        )


def direction(variable: Symbol) -> Symbol:
    return symbol("d" + variable.name, variable.index, variable.shape, frozenset(), direction=True)


def derive(lowered: Lowered, wrt: tuple[str, ...]) -> Derived:
    """The derivatives of a lowered loss by the named arguments."""
    names: Names = dict(lowered.names)
    variables = tuple(lowered.symbols[name] for name in wrt)
    directions = tuple(direction(v) for v in variables)
    seeds: dict[Symbol, Node] = dict(zip(variables, directions, strict=True))
    [value] = flatten(simplify(flatten([lowered.value], names), names), names)
    suggest(names, value)
    tangents: Tangents = {}
    [form] = differential([value], seeds, tangents=tangents)
    cotangents: dict[Node, Node] = {}
    gradients = adjoint(form, directions, cotangents)
    _name_tangents(names, tangents, cotangents)
    value, *gradients = normal([value, *gradients], names)
    tangents = {}
    products = differential(gradients, seeds, tangents=tangents)
    _name_tangents(names, tangents, {})
    hessian = _hessian(variables, gradients) if lowered.curved(wrt) else None
    products = normal(products, names)
    if hessian is not None:
        [hessian] = normal([hessian], names)
    return Derived(value, tuple(gradients), tuple(products), hessian, variables, directions, names)


def normal(roots: list[Node], names: Names) -> list[Node]:
    """The roots in normal form, with common factors outside."""
    flat = flatten(roots, names)
    joined = merge_masks(factor(tidy(flat, names), names), names)
    return signed(joined if joined == flat else flatten(joined, names))


def signed(roots: list[Node]) -> list[Node]:
    """A sum under a sign takes it in, where it is a result that nothing else uses."""
    counts = uses(roots)
    return [_signed(root) if isinstance(root, View) and counts[root.node] == 1 else root for root in roots]


def _signed(root: View) -> Node:
    if root.coefficient >= 0 or not isinstance(root.node, Add):
        return root
    terms = [(c * root.coefficient, n, tuple(root.labels[k] for k in labels)) for c, n, labels in root.node.terms]
    return add(terms, root.shape)


ROLES = {
    "sigmoid": "margin",
    "softplus": "margin",
    "tanh": "preactivation",
    "relu": "preactivation",
    "log_cosh": "residual",
}


def suggest(names: Names, value: Node) -> None:
    """Names from the mathematics, for values that the user did not name."""
    for node in order([value]):
        if isinstance(node, Product) and not node.rank and node.factors:
            arrays = [(n, power) for n, labels, power in node.factors if labels]
            if len(arrays) == 1 and arrays[0][1] == 2:
                _suggest(names, arrays[0][0], "residual")
        elif isinstance(node, Map) and node.atom.name in ROLES:
            _suggest(names, node.arguments[0][1], ROLES[node.atom.name])
        elif isinstance(node, Reduce) and node.kind == "logsumexp":
            _suggest(names, node.node, "scores")
        elif isinstance(node, Product) and node.symmetric and node.summed:
            _suggest(names, node, "gram")


def _suggest(names: Names, node: Node, name: str) -> None:
    if node.operands:
        settle(names, node, Name(name))


def _hessian(variables: tuple[Symbol, ...], gradients: list[Node]) -> Node:
    """The differential of the gradient in all directions at once."""
    [w] = variables
    if not w.rank:
        return differential(gradients, {w: one()})[0]
    return differential(gradients, {w: delta(w.shape[0])}, w.shape)[0]


def _name_tangents(names: Names, tangents: Tangents, cotangents: dict[Node, Node]) -> None:
    """The differential of a value called r is called dr, and its cotangent grad_r."""
    for node, tangent in tangents.items():
        if node in names and core(tangent).operands:
            name = Name("d" + names[node].text, order=names[node].order)
            settle(names, tangent, name)
            if tangent in cotangents and core(cotangents[tangent]).operands:
                settle(names, cotangents[tangent], Name("grad_" + names[node].text, order=names[node].order))
