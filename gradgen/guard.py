"""What keeps the branches of ``where`` apart: a partial function gets a safe argument where its branch is not selected.

Masking afterwards would still multiply 0 by inf in the adjoint. Below a contraction the mask reaches the factors that
run over all of its axes; an entry of another factor serves entries that are selected too, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradgen.atoms import call
from gradgen.labels import Labels
from gradgen.nodes import Add, Count, Map, Node, Number, Product, Shape, add, apply, one, operand, product, view
from gradgen.walk import Names, rewrite

# What a partial or overflowing function is given where its branch is not selected.
SAFE: dict[str, Number] = {
    **dict.fromkeys("log log2 log10 power size_power entr xlogy rel_entr gammaln digamma".split(), 1),
    **dict.fromkeys("log1p arcsin arccos arctanh exp expm1 exp2 sinh cosh tan xlog1py".split(), 0),
    "arccosh": 2,
    "logit": Fraction(1, 2),
}
Guarded = tuple[Node, Node]
"""A node, and the mask of its shape under which it counts."""


def guard(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with the branches of every ``where`` kept apart."""
    return rewrite(roots, _guarded_branches, names)


def _guarded_branches(node: Node) -> Node:
    if not (isinstance(node, Map) and node.atom.name == "where"):
        return node
    mask, a, b = (node.argument(k) for k in range(3))
    return call("where", mask, guarded(a, mask), guarded(b, call("logical_not", mask)))


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
        inside = _behind(mask, labels, core.shape)
        return _factors(core, inside) if inside else []
    if isinstance(core, Add):
        inner = [(n, axes) for _, n, axes in core.terms]
    elif isinstance(core, Map):
        inner = [(n, axes) for _, n, axes in core.arguments]
    elif isinstance(core, Product):
        inner = [(n, axes) for n, axes, _ in core.factors]
    else:
        return []
    return [(view(1, n, tuple(labels[k] for k in axes), node.shape), mask) for n, axes in inner]


def _behind(mask: Node, labels: Labels, shape: Shape) -> Node | None:
    """The mask on the axes of the node behind a view; None where it varies along others."""
    _, core, own = operand(mask, tuple(range(mask.rank)))
    if not set(own) <= set(labels):
        return None
    return view(1, core, tuple(labels.index(k) for k in own), shape)


def _factors(core: Product, mask: Node) -> list[Guarded | None]:
    """The factors of a contraction that the mask reaches, on the axes by `_reached`."""
    sizes = {k: size for n, axes, _ in core.factors for k, size in zip(axes, n.shape, strict=True)}
    found: list[Guarded | None] = []
    for n, axes, _ in core.factors:
        reached = _reached(core, axes, mask)
        shape = tuple(sizes[k] for k in reached or ())
        found.append(None if reached is None else (_under(n, axes, reached, shape), _under(mask, None, reached, shape)))
    return found


def _reached(core: Product, axes: Labels, mask: Node) -> Labels | None:
    """The axes on which a factor is guarded: its own where the mask varies along no other, else, where it is not summed
    over, with those of the mask; None where the mask does not reach it."""
    _, _, own = operand(mask, tuple(range(mask.rank)))
    if set(own) <= set(axes) and len(set(axes)) == len(axes):
        return axes
    return tuple(sorted({*axes, *own})) if max(axes, default=0) < core.rank else None


def _under(node: Node, axes: Labels | None, reached: Labels, shape: Shape) -> Node:
    """A node whose axes have labels, by default 0, 1, ..., on other axes that hold them."""
    c, core, labels = operand(node, tuple(range(node.rank)) if axes is None else axes)
    return view(c, core, tuple(reached.index(k) for k in labels), shape)


def _remade(node: Node, mask: Node, parts: Sequence[Guarded | None], new: Sequence[Node | None]) -> Node:
    """The node made of its guarded parts; the node itself where nothing has to be guarded."""
    full = tuple(range(node.rank))
    c, core, labels = operand(node, full)
    if isinstance(core, Product) and core.summed:
        inside = _behind(mask, labels, core.shape)
        return view(c, _contraction(core, inside, parts, new), labels, node.shape) if inside else node
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


def _contraction(core: Product, mask: Node, parts: Sequence[Guarded | None], new: Sequence[Node | None]) -> Node:
    """The contraction with those of its factors guarded that the mask reaches."""
    factors = []
    for (n, axes, power), part, safe in zip(core.factors, parts, new, strict=True):
        if part and safe and (_is_partial(power) or safe is not part[0]):
            factors.append((_based(safe, power, part[1]), _reached(core, axes, mask) or axes, power))
        else:
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
