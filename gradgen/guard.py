"""What keeps the branches of ``where`` apart: a partial function gets a safe argument where its branch is not selected.

Masking afterwards would still multiply 0 by inf in the adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradgen.atoms import call
from gradgen.nodes import Add, Map, Node, Number, Product, add, apply, as_number, one, operand, product, view

# What a partial or overflowing function is given where its branch is not selected.
SAFE: dict[str, Number] = {
    **dict.fromkeys("log log2 log10 power entr xlogy rel_entr gammaln digamma".split(), 1),
    **dict.fromkeys("log1p arcsin arccos arctanh exp expm1 exp2 sinh cosh tan xlog1py".split(), 0),
    "arccosh": 2,
    "logit": Fraction(1, 2),
}


def guarded(branch: Node, mask: Node) -> Node:
    """The branch with safe arguments where the mask, which has its shape, is false. What is summed is left alone."""
    done: dict[Node, Node] = {}
    stack = [branch]
    while stack:
        node = stack[-1]
        parts = _parts(node)
        pending = [part for part in parts if part not in done]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        done[node] = _remade(node, parts, [done[part] for part in parts], mask)
    return done[branch]


def _parts(node: Node) -> list[Node]:
    """The operands of an entrywise operation, each with the shape of the node; none where it is not entrywise."""
    _, core, labels = operand(node, tuple(range(node.rank)))
    if isinstance(core, Add):
        inner = [(n, axes) for _, n, axes in core.terms]
    elif isinstance(core, Map):
        inner = [(n, axes) for _, n, axes in core.arguments]
    elif isinstance(core, Product) and not core.summed:
        inner = [(n, axes) for n, axes, _ in core.factors]
    else:
        return []
    return [view(1, n, tuple(labels[k] for k in axes), node.shape) for n, axes in inner]


def _remade(node: Node, old: Sequence[Node], new: Sequence[Node], mask: Node) -> Node:
    """The node made of its guarded parts; the node itself where nothing has to be guarded."""
    full = tuple(range(node.rank))
    c, core, _ = operand(node, full)
    if isinstance(core, Product) and not core.summed:
        partial = [power < 0 or isinstance(power, Fraction) for _, _, power in core.factors]
        if list(old) == list(new) and not any(partial):
            return node
        safe = [_chosen(mask, part, 1) if risky else part for part, risky in zip(new, partial, strict=True)]
        powers = [power for _, _, power in core.factors]
        return product([(part, full, power) for part, power in zip(safe, powers, strict=True)], node.shape, c)
    if isinstance(core, Map) and (core.atom.name in SAFE or list(old) != list(new)):
        coefficients: list[Number] = [e for e, _, _ in core.arguments]
        arguments = [view(e, part) for e, part in zip(coefficients, new, strict=True)]
        if core.atom.name in SAFE:
            arguments = [_chosen(mask, part, SAFE[core.atom.name]) for part in arguments]
        return view(c, apply(core.atom, [(1, part, full) for part in arguments], node.shape))
    if isinstance(core, Add) and list(old) != list(new):
        return view(c, add([(e, part, full) for (e, _, _), part in zip(core.terms, new, strict=True)], node.shape))
    return node


def _chosen(mask: Node, node: Node, otherwise: Number) -> Node:
    if as_number(node) is not None:
        return node
    return call("where", mask, node, view(otherwise, one(), (), node.shape))
