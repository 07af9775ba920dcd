"""From the lowered loss to its gradient, Hessian-vector product and Hessian, each in normal form.

The loss is simplified before it is differentiated, the gradient before it is differentiated again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from gradgen.adjoint import adjoint
from gradgen.atoms import Unknown
from gradgen.blocks import by_blocks
from gradgen.differential import Tangents, differential
from gradgen.dims import Size
from gradgen.entries import by_entries
from gradgen.factor import factor
from gradgen.flatten import flatten
from gradgen.guard import guard
from gradgen.lower import Lowered
from gradgen.narrow import narrowed
from gradgen.nodes import (
    Add,
    Map,
    Node,
    Product,
    Symbol,
    View,
    add,
    delta,
    is_zero,
    one,
    operand,
    product,
    symbol,
    triangle,
)
from gradgen.opening import opened
from gradgen.ops.gather import Gather
from gradgen.ops.reduce import Reduce
from gradgen.ops.select import Select
from gradgen.rules import merge_masks, simplify, tidy
from gradgen.structured import sum_of_diagonals
from gradgen.walk import Name, Names, core, order, rewrite, settle, uses


@dataclass(frozen=True)
class Derived:
    """What is derived, in normal form: each result has a node, or one for each wrt variable.

    Of a loss the results are value, gradient, product (the Hessian times the directions) and hessian, this by one
    vector or number; of a function they are value, tangent (the differential in the directions), pullback (the adjoint
    of that on the cotangent) and jacobian, this of a vector by one vector.
    """

    results: Mapping[str, tuple[Node, ...]]
    wrt: tuple[Symbol, ...]
    directions: tuple[Symbol, ...]
    names: Names
    cotangent: Symbol | None = None

    @property
    def roots(self) -> list[Node]:
        return [node for nodes in self.results.values() for node in nodes]

    def of(self, roots: Sequence[Node]) -> Derived:
        """The same with other roots."""
        rest = iter(roots)
        return replace(self, results={name: tuple(islice(rest, len(nodes))) for name, nodes in self.results.items()})


def direction(variable: Symbol) -> Symbol:
    """The direction of a variable, symmetric where that is."""
    return symbol("d" + variable.name, variable.index, variable.shape, frozenset(), True, variable.symmetric)


def derive(lowered: Lowered, wrt: tuple[str, ...]) -> Derived:
    """The derivatives of a lowered loss or function by the named arguments."""
    return (_function if lowered.function else _loss)(lowered, wrt)


def _loss(lowered: Lowered, wrt: tuple[str, ...]) -> Derived:
    names: Names = dict(lowered.names)
    variables, directions, seeds = _varied(lowered, wrt)
    [value] = _simplified(lowered, names)
    suggest(names, value)
    tangents: Tangents = {}
    [form] = differential([value], seeds, tangents=tangents)
    cotangents: dict[Node, Node] = {}
    found = adjoint(form, directions, cotangents)
    gradients = [_structured(g, v, lowered) for g, v in zip(found, variables, strict=True)]
    _name_tangents(names, tangents, cotangents)
    value, *gradients = normal([value, *gradients], names)
    tangents = {}
    products = differential(gradients, seeds, tangents=tangents)
    _name_tangents(names, tangents, {})
    hessian = [_span(variables, gradients)] if lowered.curved(wrt) else []
    products = normal(products, names)
    results = {"value": (value,), "gradient": tuple(gradients), "product": tuple(products)}
    if hessian:
        results["hessian"] = tuple(normal(hessian, names))
    return Derived(results, variables, directions, names)


def _function(lowered: Lowered, wrt: tuple[str, ...]) -> Derived:
    names: Names = dict(lowered.names)
    variables, directions, seeds = _varied(lowered, wrt)
    [value] = _simplified(lowered, names)
    tangents: Tangents = {}
    [tangent] = differential([value], seeds, tangents=tangents)
    cotangent = symbol("", COTANGENT, value.shape, direction=True)
    axes = tuple(range(value.rank))
    form = product([(cotangent, axes, 1), (tangent, axes, 1)], ())
    pulled = [_structured(g, v, lowered) for g, v in zip(adjoint(form, directions), variables, strict=True)]
    jacobian = [_span(variables, [value])] if lowered.spanned(wrt) else []
    value, tangent, *pulled = normal([value, tangent, *pulled], names)
    results = {"value": (value,), "tangent": (tangent,), "pullback": tuple(pulled)}
    if jacobian:
        results["jacobian"] = tuple(normal(jacobian, names))
    return Derived(results, variables, directions, names, cotangent)


COTANGENT = 1_000_000  # behind all arguments


def _varied(
    lowered: Lowered, wrt: tuple[str, ...]
) -> tuple[tuple[Symbol, ...], tuple[Symbol, ...], dict[Symbol, Node]]:
    """The variables, their directions, and the differential of each."""
    variables = tuple(lowered.symbols[name] for name in wrt)
    directions = tuple(direction(v) for v in variables)
    return variables, directions, dict(zip(variables, directions, strict=True))


def _simplified(lowered: Lowered, names: Names) -> list[Node]:
    """The value in normal form. Laws come before guards: under a guard few would match."""
    whole = flatten([lowered.value], names)
    thin = narrowed(whole, names)
    plain = simplify(whole if thin == whole else flatten(thin, names), names)
    flat = flatten(by_blocks(guard(plain, names), names), names)
    taken = by_entries(flat, names)
    return flat if taken == flat else flatten(simplify(flatten(taken, names), names), names)


def _structured(gradient: Node, variable: Symbol, lowered: Lowered) -> Node:
    """The gradient among the matrices of a variable's kind.

    By a symmetric variable it is (G + Gᵀ)/2, or by its independent entries G + Gᵀ - diag(G); by a lower triangular one
    the lower triangle of G.
    """
    if variable.name in lowered.triangular and variable.rank == 2:
        rows, columns = variable.shape
        return product([(gradient, (0, 1), 1), (triangle(rows, columns, 0), (0, 1), 1)], gradient.shape)
    if not variable.symmetric:
        return gradient
    even, odd = _split(gradient)
    scale = 1 if lowered.entries else Fraction(1, 2)
    symmetrised = [(scale, odd, (0, 1)), (scale, odd, (1, 0)), (2 * scale, even, (0, 1))]
    whole = add([term for term in symmetrised if not is_zero(term[1])], gradient.shape)
    if not lowered.entries:
        return whole
    return whole - product([(gradient, (0, 0), 1), (delta(gradient.shape[0]), (0, 1), 1)], gradient.shape)


def _split(node: Node) -> tuple[Node, Node]:
    """The terms of a sum that are symmetric, and the others."""
    [flat] = flatten([node], {})
    c, inner, labels = operand(flat, (0, 1))
    terms = inner.terms if isinstance(inner, Add) else ((1, inner, tuple(range(inner.rank))),)
    moved = [(c * e, n, tuple(labels[k] for k in axes)) for e, n, axes in terms]
    even = [t for t in moved if (t[1].symmetric and len(set(t[2])) == 2) or (not t[2] and t[1] is one())]
    return add(even, node.shape), add([t for t in moved if t not in even], node.shape)


def normal(roots: list[Node], names: Names) -> list[Node]:
    """The roots in normal form, with common factors outside."""
    flat = flatten(roots, names)
    parted = by_entries(by_blocks(flat, names), names)
    if parted != flat:
        flat = flatten(parted, names)
    found = narrowed(opened(merge_masks(factor(tidy(flat, names), names), names), names), names)
    if found != flat:
        found = flatten(found, names)
    joined = rewrite(found, lambda node: sum_of_diagonals(node) or node, names)
    return signed(found if joined == found else flatten(joined, names))


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
            if len(arrays) == 1 and arrays[0][1] == 2 and isinstance(arrays[0][0], Add):
                _suggest(names, arrays[0][0], "residual")
        elif isinstance(node, Map) and (node.atom.name in ROLES or isinstance(node.atom, Unknown)):
            _suggest(names, node.arguments[0][1], ROLES.get(node.atom.name, "argument"))
        elif isinstance(node, Reduce) and node.kind == "logsumexp":
            _suggest(names, node.node, "scores")
        elif isinstance(node, Product) and node.symmetric and node.summed:
            _suggest(names, node, "gram")
        elif isinstance(node, Select | Gather) and isinstance(node.node, Symbol):
            indices = node.picks if isinstance(node, Select) else node.indices
            chosen = [index for index in indices if index is not None]
            if len(chosen) == 1 and (said := _index(chosen[0])):
                _suggest(names, node, f"{node.node.name}_{said}")


def _index(chosen: object) -> str:
    """What an index is called in a name, "" where that says nothing."""
    if isinstance(chosen, Size) and chosen.constant is not None:
        return str(chosen.constant)
    return chosen.name if isinstance(chosen, Symbol) else ""


def _suggest(names: Names, node: Node, name: str) -> None:
    if node.operands:
        settle(names, node, Name(name))


def _span(variables: tuple[Symbol, ...], values: list[Node]) -> Node:
    """The differential of a gradient, or of a function, in all directions at once."""
    [w] = variables
    if not w.rank:
        return differential(values, {w: one()})[0]
    return differential(values, {w: delta(w.shape[0])}, w.shape)[0]


def _name_tangents(names: Names, tangents: Tangents, cotangents: dict[Node, Node]) -> None:
    """The differential of a value called r is called dr, and its cotangent grad_r; that of picked entries has another
    name where it can."""
    for node, tangent in sorted(tangents.items(), key=lambda item: isinstance(item[0], Select | Gather)):
        if node in names and core(tangent).operands:
            name = Name("d" + names[node].text, order=names[node].order)
            settle(names, tangent, name)
            if tangent in cotangents and core(cotangents[tangent]).operands:
                settle(names, cotangents[tangent], Name("grad_" + names[node].text, order=names[node].order))
