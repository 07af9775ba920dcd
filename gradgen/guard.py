"""What keeps the branches of ``where`` apart: a partial function gets a safe argument where its branch is not selected.

Masking afterwards would still multiply 0 by inf in the adjoint. Below a contraction the mask reaches the factors that
run over all of its axes; an entry of another factor serves entries that are selected too, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradgen.atoms import call
from gradgen.nodes import Add, Count, Map, Node, Number, Product, Shape, add, apply, one, operand, product, view

# What a partial or overflowing function is given where its branch is not selected.
SAFE: dict[str, Number] = {
    **dict.fromkeys("log log2 log10 power entr xlogy rel_entr gammaln digamma".split(), 1),
    **dict.fromkeys("log1p arcsin arccos arctanh exp expm1 exp2 sinh cosh tan xlog1py".split(), 0),
    "arccosh": 2,
    "logit": Fraction(1, 2),
}
Guarded = tuple[Node, Node]
"""A node, and the mask of its shape under which it counts."""


def guarded(branch: Node, mask: Node) -> Node:
    """The branch with safe arguments where the mask, which has its shape, is false."""
    done: dict[Guarded, Node] = {}
    stack: list[Guarded] = [(branch, mask)]
    while stack:
        here = stack[-1]
        parts = _parts(*here)
        pending = [part for part in parts if part and part not in done]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        done[here] = _remade(*here, parts, [done[part] if part else None for part in parts])
    return done[branch, mask]


def _parts(node: Node, mask: Node) -> list[Guarded | None]:
    """The operands of an operation with their masks, entrywise ones in the shape of the node; None for a factor that
    the mask does not reach."""
    _, core, labels = operand(node, tuple(range(node.rank)))
    if isinstance(core, Product) and core.summed:
        return _factors(core, _turned(mask, labels, core.shape))
    if isinstance(core, Add):
        inner = [(n, axes) for _, n, axes in core.terms]
    elif isinstance(core, Map):
        inner = [(n, axes) for _, n, axes in core.arguments]
    elif isinstance(core, Product):
        inner = [(n, axes) for n, axes, _ in core.factors]
    else:
        return []
    return [(view(1, n, tuple(labels[k] for k in axes), node.shape), mask) for n, axes in inner]


def _factors(core: Product, mask: Node | None) -> list[Guarded | None]:
    return [(n, inner) if (inner := _turned(mask, axes, n.shape)) else None for n, axes, _ in core.factors]


def _turned(mask: Node | None, labels: Sequence[int], shape: Shape) -> Node | None:
    """The mask on the axes that stand under these of its own; None where it varies along others."""
    if mask is None:
        return None
    _, core, own = operand(mask, tuple(range(mask.rank)))
    if not set(own) <= set(labels) or len(set(labels)) < len(labels):
        return None
    return view(1, core, tuple(labels.index(k) for k in own), shape)


def _remade(node: Node, mask: Node, parts: Sequence[Guarded | None], new: Sequence[Node | None]) -> Node:
    """The node made of its guarded parts; the node itself where nothing has to be guarded."""
    full = tuple(range(node.rank))
    c, core, labels = operand(node, full)
    if isinstance(core, Product) and core.summed:
        return view(c, _contraction(core, parts, new), labels, node.shape)
    safe = [part for part in new if part is not None]
    changed = safe != [part[0] for part in parts if part]
    if isinstance(core, Product):
        powers = [power for _, _, power in core.factors]
        if not changed and not any(map(_is_partial, powers)):
            return node
        factors = [(_based(part, power, mask), full, power) for part, power in zip(safe, powers, strict=True)]
        return product(factors, node.shape, c)
    if isinstance(core, Map) and (core.atom.name in SAFE or changed):
        arguments = [view(e, part) for (e, _, _), part in zip(core.arguments, safe, strict=True)]
        if core.atom.name in SAFE:
            arguments = [_chosen(mask, part, SAFE[core.atom.name]) for part in arguments]
        return view(c, apply(core.atom, [(1, part, full) for part in arguments], node.shape))
    if isinstance(core, Add) and changed:
        return view(c, add([(e, part, full) for (e, _, _), part in zip(core.terms, safe, strict=True)], node.shape))
    return node


def _contraction(core: Product, parts: Sequence[Guarded | None], new: Sequence[Node | None]) -> Node:
    """The contraction with those of its factors guarded that the mask reaches."""
    factors = []
    for (n, axes, power), part, safe in zip(core.factors, parts, new, strict=True):
        if part and safe:
            n = _based(safe, power, part[1])
        factors.append((n, axes, power))
    return product(factors, core.shape)


def _is_partial(power: Number) -> bool:
    return power < 0 or isinstance(power, Fraction)


def _based(base: Node, power: Number, mask: Node) -> Node:
    """What a power is taken of."""
    return _chosen(mask, base, 1) if _is_partial(power) else base


def _chosen(mask: Node, node: Node, otherwise: Number) -> Node:
    """The node where the mask holds; a number or a dimension needs no guard, being the same everywhere."""
    c, core, _ = operand(node, tuple(range(node.rank)))
    if core is one() or (isinstance(core, Count) and c > 0 and all(e > 0 for _, e in core.size.terms)):
        return node
    return call("where", mask, node, view(otherwise, one(), (), node.shape))
