"""Laws of roots of squares: norms and absolute values, and what their powers become.

A root of squares is smooth but where they are all 0, and there it is a norm, whose derivative is 0; taken as a power it
would be infinite there.
"""

from __future__ import annotations

from fractions import Fraction

from gradgen.atoms import call, is_positive
from gradgen.labels import Labels
from gradgen.nodes import Add, Factor, Map, Node, Number, Product, product, view


def power_of_squares(node: Node) -> Node | None:
    """(x²)ᵖ = |x|²ᵖ, and (Σ x²)ᵖ = ‖x‖²ᵖ where 2p is whole"""
    if not isinstance(node, Product):
        return None
    for position, (base, labels, power) in enumerate(node.factors):
        found = _opened(base, power)
        if found is not None:
            moved = [(n, tuple(labels[k] for k in axes), p) for n, axes, p in found]
            return product([*node.factors[:position], *moved, *node.factors[position + 1 :]], node.shape)
    return None


def power_of_size(node: Node) -> Node | None:
    """(x²)ᵇ = |x|²ᵇ and (|x|)ᵇ = |x|ᵇ, where the exponent is an argument"""
    if not (isinstance(node, Map) and node.atom.name == "power"):
        return None
    c, base, labels = node.arguments[0]
    if c == 1 and isinstance(base, Map) and base.atom.name == "absolute":
        x, scale = base.argument(0), 1
    elif c == 1 and isinstance(base, Product) and not base.summed and [p for _, _, p in base.factors] == [2]:
        x, scale = view(1, *base.factors[0][:2], base.shape), 2
    else:
        return None
    return call("size_power", view(1, x, labels, node.shape), scale * node.argument(1))


def _opened(base: Node, power: Number) -> list[Factor] | None:
    """The factors that a fractional power of squares is, under the labels of the base."""
    if not isinstance(power, Fraction):
        return None
    if isinstance(base, Product) and not base.summed and _is_square(base):
        return _sizes(base, power)
    if power.denominator != 2 or not (_is_square(base) or _is_sum_of_squares(base)):
        return None
    return [(call("root", base), tuple(range(base.rank)), int(2 * power))]


def _sizes(base: Product, power: Fraction) -> list[Factor]:
    """The factors of a power of an entrywise product of squares: powers of absolute values."""
    found: list[Factor] = []
    for node, labels, p in base.factors:
        exponent = p * power
        whole = int(exponent) if exponent.denominator == 1 else exponent
        bare = is_positive(node) or (isinstance(whole, int) and whole % 2 == 0)
        found.append((node if bare else call("absolute", node), labels, whole))
    return found


def _is_square(node: Node) -> bool:
    """Whether a node is a product of even powers and of what is positive."""
    if not isinstance(node, Product):
        return False
    even = [p for n, _, p in node.factors if isinstance(p, int) and p % 2 == 0 and not is_positive(n)]
    return any(p > 0 for p in even) and len(even) == sum(not is_positive(n) for n, _, _ in node.factors)


def _is_sum_of_squares(node: Node) -> bool:
    return isinstance(node, Add) and all(c > 0 and _is_square(n) for c, n, _ in node.terms)


def powers_of_norm(node: Node) -> Node | None:
    """‖x‖ᵃ (‖x‖²)ᵇ = ‖x‖ᵃ⁺²ᵇ, an even power being one of the square; so are divisors that are infinite at 0 where
    nothing is left of them at 0, or another is a plain divisor."""
    if not isinstance(node, Product):
        return None
    for norm, labels in dict.fromkeys(_norm(factor) for factor in node.factors):
        if norm is not None:
            found = _merged(node, norm, labels)
            if found is not node:
                return found
    return None


def _norm(factor: Factor) -> tuple[Map | None, Labels]:
    """The norm of which a factor is a power, or which it divides by unless it is 0."""
    node, labels, _ = factor
    if isinstance(node, Map) and node.atom.name == "nonzero":
        [(c, node, axes)] = node.arguments
        labels = tuple(labels[k] for k in axes) if c == 1 else ()
    if isinstance(node, Map) and node.atom.name == "root" and len(labels) == node.rank:
        return node, labels
    return None, ()


def _merged(node: Product, norm: Map, labels: Labels) -> Node:
    """The product with the powers of a norm as one power, or two where the norm may be 0 / 0."""
    c, square, axes = norm.arguments[0]
    under = tuple(labels[k] for k in axes)
    rest: list[Factor] = []
    plain: Number = 0
    guarded: Number = 0
    for factor in node.factors:
        inner, where, power = factor
        if (inner, where) == (norm, labels):
            plain += power
        elif (inner, where) == (square, under) and c == 1:
            plain += 2 * power
        elif isinstance(inner, Map) and inner.atom.name == "nonzero" and _norm(factor) == (norm, labels):
            guarded += power
        else:
            rest.append(factor)
    if not isinstance(plain, int) or not isinstance(guarded, int):
        return node
    if guarded and (plain < 0 or plain + guarded > 0):
        plain, guarded = plain + guarded, 0
    elif guarded and 0 < plain < -guarded:
        plain, guarded = 0, plain + guarded
    whole: Factor = (norm, labels, plain) if plain % 2 else (norm.argument(0), labels, plain // 2)
    return product([*rest, whole, (call("nonzero", norm), labels, guarded)], node.shape)


def signs_and_sizes(node: Node) -> Node | None:
    """sign(x)² |x|ᵃ = |x|ᵃ, sign(x) |x|ᵃ = x |x|ᵃ⁻¹, sign(x) x = |x|, and |x|² = x²"""
    if not isinstance(node, Product):
        return None
    for size, labels, _ in node.factors:
        if isinstance(size, Map) and size.atom.name in ("sign", "absolute"):
            found = _signed(node, size, labels)
            if found is not None and found is not node:
                return found
    return None


def _signed(node: Product, of: Map, labels: Labels) -> Node | None:
    """The product with the powers of sign(x), |x| and x of one x as one power, or as x times one of |x|."""
    x = of.argument(0)
    size, sign = call("absolute", x), call("sign", x)
    rest = [f for f in node.factors if f[1] != labels or f[0] not in (size, sign, x)]
    powers = {n: sum(p for m, k, p in node.factors if m is n and k == labels) for n in (size, sign, x)}
    total = powers[size] + powers[x]
    if not isinstance(powers[x], int) or total == 0:
        return None
    odd = (powers[sign] + powers[x]) % 2 == 1
    if isinstance(total, int) and (total % 2 == 1) == odd:
        return product([*rest, (x, labels, total)], node.shape)
    if odd and total < 1:
        return None
    return product([*rest, (x, labels, int(odd)), (size, labels, total - odd)], node.shape)
