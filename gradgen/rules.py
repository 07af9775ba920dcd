"""Laws of scalar functions, applied to the loss before it is differentiated.

A scalar body is a region of sums, products and maps without a summed label; since a law matches the node that ends
it, it does not matter which spelling the user chose. Each law is a function from a node to its equal, or None; its
docstring is the law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from fractions import Fraction

from gradgen.atoms import MASKS, call, is_mask
from gradgen.labels import Labels
from gradgen.nodes import (
    Add,
    Delta,
    Factor,
    Map,
    Node,
    Number,
    Operand,
    Product,
    Shape,
    Symbol,
    View,
    add,
    apply,
    as_number,
    count,
    delta,
    is_zero,
    one,
    operand,
    product,
    view,
    zero,
)
from gradgen.ops.adjugate import Adjugate
from gradgen.ops.determinant import Det
from gradgen.ops.gather import Gather
from gradgen.ops.inverse import Inverse, inverse
from gradgen.ops.matrix import Matrices
from gradgen.ops.reduce import Reduce, reduce
from gradgen.ops.select import Select
from gradgen.roots import power_of_size, power_of_squares, powers_of_norm, signs_and_sizes
from gradgen.structured import STRUCTURED_LAWS, triangle_on_diagonal
from gradgen.text import magnitude
from gradgen.walk import Names, core, order, rewrite, settle, uses

Law = Callable[[Node], "Node | None"]
EVEN = ("absolute", "cosh", "log_cosh", "cos")


def _argument(node: Node | None, name: str) -> Node | None:
    """The argument of an atom, in the node's own layout, where the node is that atom, or entries picked of it."""
    if isinstance(node, View) and node.coefficient == 1:
        inner = _argument(node.node, name)
        return view(1, inner, node.labels, node.shape) if inner is not None else None
    if isinstance(node, Select | Gather):
        picked, whole = node, _argument(node.node, name)
        return picked.rebuild(lambda child: whole if child is picked.node else child) if whole is not None else None
    if isinstance(node, Map) and node.atom.name == name:
        return node.argument(0)
    return None


def _one_plus(node: Node) -> Node | None:
    """x where the node is 1 + x, x with coefficient 1 or -1."""
    if isinstance(node, Add) and len(node.terms) == 2:
        ones = [term for term in node.terms if term[1] is one() and term[0] == 1]
        rest = [term for term in node.terms if term[1] is not one()]
        if ones and len(rest) == 1:
            return view(*rest[0], node.shape)
    return None


def log_of_one_plus(node: Node) -> Node | None:
    """log(1 + x) = log1p(x)"""
    x = _argument(node, "log")
    y = _one_plus(x) if x is not None else None
    return call("log1p", y) if y is not None else None


def log1p_of_exp(node: Node) -> Node | None:
    """log(1 + exp(x)) = softplus(x)"""
    x = _argument(node, "log1p")
    y = _argument(x, "exp") if x is not None else None
    return call("softplus", y) if y is not None else None


def logaddexp_of_zero(node: Node) -> Node | None:
    """log(exp(0) + exp(x)) = softplus(x)"""
    if isinstance(node, Map) and node.atom.name == "logaddexp":
        for k in (0, 1):
            if as_number(node.argument(k)) == 0:
                return call("softplus", node.argument(1 - k))
    return None


def log_of_sigmoid(node: Node) -> Node | None:
    """log(sigmoid(x)) = -softplus(-x)"""
    x = _argument(node, "log")
    y = _argument(x, "sigmoid") if x is not None else None
    return -call("softplus", -y) if y is not None else None


def log_of_cosh(node: Node) -> Node | None:
    """log(cosh(x)) = |x| + log1p(exp(-2 |x|)) - log 2, whose derivative is tanh(x)"""
    x = _argument(node, "log")
    y = _argument(x, "cosh") if x is not None else None
    return call("log_cosh", y) if y is not None else None


def reciprocal_of_one_plus_exp(node: Node) -> Node | None:
    """1 / (1 + exp(x)) = sigmoid(-x)"""
    if not isinstance(node, Product):
        return None
    for position, (factor, labels, power) in enumerate(node.factors):
        x = _one_plus(factor) if power == -1 else None
        y = _argument(x, "exp") if x is not None else None
        if y is not None:
            rest = [f for k, f in enumerate(node.factors) if k != position]
            return product([*rest, (call("sigmoid", -y), labels, 1)], node.shape)
    return None


def log_of_sum_of_exp(node: Node) -> Node | None:
    """log(sum(exp(x))) = logsumexp(x)"""
    x = _argument(node, "log")
    if isinstance(x, Product) and len(x.factors) == 1 and x.summed and x.factors[0][2] == 1:
        factor, labels, _ = x.factors[0]
        y = _argument(factor, "exp")
        if y is not None and len(set(labels)) == len(labels):
            return _log_sum(y, labels, node.shape)
    return None


def logsumexp_of_shifted(node: Node) -> Node | None:
    """logsumexp(x + s) = logsumexp(x) + s, where s does not vary along what the logsumexp runs over"""
    if isinstance(node, Reduce) and node.kind == "logsumexp" and isinstance(node.node, Add):
        found = _log_sum(view(node.coefficient, node.node), node.labels, node.shape)
        return None if found is node else found
    return None


def _log_sum(x: Node, labels: Labels, shape: Shape) -> Node:
    """The logsumexp of x, whose axes have these labels, over those that the shape lacks; a shift goes outside."""
    varied, shift = _split(x, {axis for axis, k in enumerate(labels) if k >= len(shape)})
    value = reduce("logsumexp", varied, labels, shape)
    return value if is_zero(shift) else value + view(*operand(shift, labels), shape)


def _split(x: Node, axes: Set[int]) -> tuple[Node, Node]:
    """The terms of a sum that vary along some of the axes, and those that do not, a shift; each a sum of its own."""
    c, core, labels = operand(x, tuple(range(x.rank)))
    if not isinstance(core, Add):
        return x, zero(x.shape)
    terms = [(c * e, n, tuple(labels[k] for k in where)) for e, n, where in core.terms]
    varied = [term for term in terms if not axes.isdisjoint(term[2])]
    if not varied or len(varied) == len(terms):
        return x, zero(x.shape)
    return add(varied, x.shape), add([term for term in terms if axes.isdisjoint(term[2])], x.shape)


def log_softmax_of_shifted(node: Node) -> Node | None:
    """(x + s) - (logsumexp(x) + s) = x - logsumexp(x)"""
    if not isinstance(node, Add):
        return None
    for c, shifted, labels in node.terms:
        for e, inner, where in node.terms if isinstance(shifted, Add) else ():
            value = _log_sum_in(inner) if e in (-c, c) else None
            gone = set(labels) - set(where)
            if value is None or not gone:
                continue
            varied, shift = _split(view(c, shifted, labels, node.shape), gone)
            if is_zero(shift):
                continue
            opened = [(e * a, n, tuple(where[k] for k in axes)) for a, n, axes in _terms(inner)]
            full = tuple(range(node.rank))
            rest = [term for term in node.terms if term not in ((c, shifted, labels), (e, inner, where))]
            found = add([*rest, *opened, (1, varied, full), (1, shift, full)], node.shape)
            if len(_terms(core(found))) <= len(node.terms):
                return found
    return None


def _log_sum_in(node: Node) -> Node | None:
    """The logsumexp that a node is, or a term of it."""
    return next((n for _, n, _ in _terms(node) if isinstance(n, Reduce) and n.kind == "logsumexp"), None)


def _terms(node: Node) -> Sequence[Operand]:
    """The terms of a sum, or the node itself."""
    return node.terms if isinstance(node, Add) else [(1, node, tuple(range(node.rank)))]


def one_minus_sigmoid(node: Node) -> Node | None:
    """1 - sigmoid(x) = sigmoid(-x)"""
    x = _one_plus(node)
    if isinstance(x, View) and x.coefficient == -1:
        y = _argument(-x, "sigmoid")
        return call("sigmoid", -y) if y is not None else None
    return None


def exp_over_its_sum(node: Node) -> Node | None:
    """exp(x + s) / sum(exp(x + s)) = exp(x - logsumexp(x)), a softmax, where s does not vary along the sum"""
    if not isinstance(node, Product):
        return None
    for total, kept, power in node.factors:
        if power != -1 or not isinstance(total, Product) or len(total.factors) != 1 or not total.summed:
            continue
        weights, inner, p = total.factors[0]
        x = _argument(weights, "exp")
        if x is None or p != 1 or len(set(inner)) < len(inner):
            continue
        for position, (factor, labels, q) in enumerate(node.factors):
            if factor is weights and q == 1 and all(labels[inner.index(k)] == label for k, label in enumerate(kept)):
                x, _ = _split(x, {axis for axis, k in enumerate(inner) if k >= total.rank})
                value = reduce("logsumexp", x, inner, total.shape)
                back = tuple(inner.index(k) for k in range(total.rank))
                share = call("exp", x - view(1, value, back, x.shape))
                rest = [f for k, f in enumerate(node.factors) if k != position and f != (total, kept, power)]
                return product([*rest, (share, labels, 1)], node.shape)
    return None


def quotient_cancels(node: Node) -> Node | None:
    """x / (x y) = 1 / y and (x y) / x² = y / x, entry by entry, whoever else uses the products"""
    if not isinstance(node, Product):
        return None
    for position, (inner, labels, power) in enumerate(node.factors):
        if power not in (1, -1) or not isinstance(inner, Product) or inner.summed or len(inner.factors) > MOST_DIVISORS:
            continue
        opened = [(n, axes, p * power) for n, axes, p in _inside(inner, labels)]
        others = [f for k, f in enumerate(node.factors) if k != position]
        above = {(n, axes): p for n, axes, p in others}
        if any(above.get((n, axes), 0) * p < 0 for n, axes, p in opened):
            return product([*others, *opened], node.shape)
    return None


MOST_DIVISORS = 4
POSITIVE = frozenset("exp absolute softplus sigmoid relu root cosh hypot exp2 log_cosh".split())
FACTS = frozenset("positive nonnegative unit_interval boolean one_hot simplex".split())


def _is_nonnegative(node: Node) -> bool:
    """Whether no entry can be negative, as far as the outermost operations say."""
    if isinstance(node, Symbol):
        return bool(node.facts & FACTS)
    if isinstance(node, Map):
        return node.atom.name in POSITIVE
    if isinstance(node, Product):
        return all(power % 2 == 0 or (isinstance(n, Symbol) and _is_nonnegative(n)) for n, _, power in node.factors)
    return node is one()


def absolute_of_nonnegative(node: Node) -> Node | None:
    """|x| = x where x cannot be negative"""
    if isinstance(node, Map) and node.atom.name == "absolute" and node.arguments[0][0] > 0:
        return node.argument(0) if _is_nonnegative(node.arguments[0][1]) else None
    return None


def log_of_exp(node: Node) -> Node | None:
    """log(exp(x)) = x"""
    x = _argument(node, "log")
    return _argument(x, "exp") if x is not None else None


def relative_entropy_to_multiple(node: Node) -> Node | None:
    """rel_entr(x, x z) = -xlogy(x, z), which is smooth at 0 where z is not 0: by x and x z alone it is not"""
    if not (isinstance(node, Map) and node.atom.name == "rel_entr"):
        return None
    (c, x, labels), (e, multiple, axes) = node.arguments
    whole = [(multiple, axes, 1)]
    factors = whole if (x, labels, 1) in whole else _inside(multiple, axes)
    if (x, labels, 1) not in factors:
        return None
    ratio = product([f for f in factors if f != (x, labels, 1)], node.shape, Fraction(e) / c)
    constant = as_number(ratio)
    if constant is None:
        return -call("xlogy", node.argument(0), ratio)
    return -math.log(constant) * node.argument(0) if constant > 0 else None


def inverse_cancels(node: Node) -> Node | None:
    """A A⁻¹ = I"""
    if not isinstance(node, Product):
        return None
    for found, labels, p in node.factors:
        if not (isinstance(found, Inverse) and found.rank == 2 and p == 1):
            continue
        for position, (factor, axes, q) in enumerate(node.factors):
            if factor is found.node and q == 1 and len(set(found.labels)) == 2:
                place = dict(zip(found.labels, axes, strict=True))
                rest = [f for k, f in enumerate(node.factors) if k != position and f != (found, labels, p)]
                for inner, i, j in _meetings((place[0], place[1]), labels, factor.symmetric):
                    if inner >= node.rank and not any(inner in k for _, k, _ in rest):
                        return product([*rest, (delta(found.shape[0]), (i, j), 1)], node.shape)
    return None


def _meetings(matrix: Labels, inverse: Labels, symmetric: bool) -> list[tuple[int, int, int]]:
    """Where A meets A⁻¹ so that they cancel: the label that they share, and the two that are left."""
    (a, b), (c, d) = matrix, inverse
    if a == b or c == d:  # a diagonal is no matrix
        return []
    found = [(b, a, d)] if b == c else []
    found += [(a, c, b)] if a == d else []
    if symmetric:
        found += [(a, b, d)] if a == c else []
        found += [(b, a, c)] if b == d else []
    return found


def adjugate_over_determinant(node: Node) -> Node | None:
    """adj(A) / det(A) = A⁻¹"""
    if not isinstance(node, Product):
        return None
    for cofactors, labels, power in node.factors:
        for divisor in node.factors:
            if isinstance(cofactors, Adjugate) and power == 1 and _divides(divisor, cofactors, labels):
                rest = [f for f in node.factors if f not in ((cofactors, labels, power), divisor)]
                return product([*rest, (inverse(cofactors.matrices), labels, 1)], node.shape)
    return None


def _divides(factor: Factor, cofactors: Adjugate, labels: Labels) -> bool:
    """Whether a factor is the reciprocal of the determinants of the matrices that have these cofactors."""
    node, axes, power = factor
    if not isinstance(node, Det) or power != -1 or axes != labels[:-2]:
        return False
    return (node.coefficient, node.node, node.labels) == (cofactors.coefficient, cofactors.node, cofactors.labels)


DERIVED_LAWS: tuple[Law, ...] = (
    inverse_cancels,
    adjugate_over_determinant,
    quotient_cancels,
    powers_of_norm,
    signs_and_sizes,
    triangle_on_diagonal,
)
LAWS: tuple[Law, ...] = (
    *DERIVED_LAWS,
    *STRUCTURED_LAWS,
    absolute_of_nonnegative,
    power_of_squares,
    power_of_size,
    exp_over_its_sum,
    one_minus_sigmoid,
    log_of_exp,
    relative_entropy_to_multiple,
    log_of_one_plus,
    log1p_of_exp,
    logaddexp_of_zero,
    log_of_sigmoid,
    log_of_cosh,
    log_of_sum_of_exp,
    logsumexp_of_shifted,
    log_softmax_of_shifted,
    reciprocal_of_one_plus_exp,
)


def simplify(roots: list[Node], names: Names) -> list[Node]:
    """The roots with every law applied, operands first, until none applies."""
    return _of_one_sign(rewrite(roots, lambda node: _upright(_apply(node), names), names), names)


def _of_one_sign(roots: list[Node], names: Names) -> list[Node]:
    """The roots where of a sum and its negative one is left: the one with the more uses, else the one made first."""
    counts = uses(roots)
    gone: dict[Node, Node] = {}
    for node in counts:
        if not isinstance(node, Add):
            continue
        negative = add([(-c, n, axes) for c, n, axes in node.terms], node.shape)
        other = core(negative)
        if other is not node and other in counts and (counts[node], -node.serial) < (counts[other], -other.serial):
            gone[node] = -negative
    return rewrite(roots, lambda node: _unsigned(gone.get(node, node)), names) if gone else roots


def _unsigned(node: Node) -> Node:
    """f(-x) = f(x) for an even function"""
    if not (isinstance(node, Map) and node.atom.name in EVEN and node.arguments[0][0] < 0):
        return node
    [(c, inner, labels)] = node.arguments
    return apply(node.atom, [(magnitude(c), inner, labels)], node.shape)


def _upright(node: Node, names: Names) -> Node:
    """f(-x) = f(x): in an even function a sum is turned so that a contraction, else its first term, is positive."""
    if isinstance(node, Map) and node.atom.name in EVEN:
        [(c, inner, labels)] = node.arguments
        return apply(node.atom, [(magnitude(c), _turned(inner, names), labels)], node.shape)
    if not isinstance(node, Product):
        return node
    factors = []
    for factor, labels, power in node.factors:
        even = isinstance(power, int) and power % 2 == 0
        if even and isinstance(factor, Map) and factor.atom.name == "absolute":
            factors.append((factor.argument(0), labels, power))  # |x|² = x²
        else:
            factors.append((_turned(factor, names) if even else factor, labels, power))
    return product(factors, node.shape)


def _turned(node: Node, names: Names) -> Node:
    """The node or its negative, whichever stands upright."""
    if not isinstance(node, Add) or _leading(node) > 0:
        return node
    turned = add([(-c, n, axes) for c, n, axes in node.terms], node.shape)
    if node in names:
        settle(names, turned, names[node])
    return turned


def _leading(node: Add) -> Number:
    """The coefficient of the term that is to be positive: a contraction, else what was computed, else what was made
    first."""
    whole = {n for _, n, _ in node.terms if isinstance(n, Product) and n.summed and n.rank == node.rank}
    made = {n for _, n, _ in node.terms if n.operands and n.rank == node.rank}
    return min(node.terms, key=lambda t: (t[1] not in whole, t[1] not in made, t[1].serial))[0]


def _apply(node: Node, laws: Sequence[Law] = LAWS) -> Node:
    for law in laws:
        found = law(node)
        if found is not None:
            return _apply(found, laws)
    return node


def merge_masks(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with complementary masks joined: x m + y (not m) = where(m, x, y), the factors that both have
    outside."""
    if not any(map(is_mask, order(roots))):
        return list(roots)
    return rewrite(roots, lambda node: _merged(node) if isinstance(node, Add) else node, names)


def _merged(node: Add) -> Node:
    for first, (c, inner, labels) in enumerate(node.terms):
        split = _masked(inner, labels, node.rank)
        if split is None:
            continue
        mask, axes, rest = split
        for second, (e, other, places) in enumerate(node.terms):
            partner = _masked(other, places, node.rank)
            if partner is None or partner[0] is not _opposite(mask) or partner[1] != axes:
                continue
            common = [f for f in rest if f in partner[2]]
            x = product([f for f in rest if f not in common], node.shape, c)
            y = product([f for f in partner[2] if f not in common], node.shape, e)
            chosen = call("where", view(1, mask, axes, node.shape), x, y)
            joined = product([*common, (chosen, tuple(range(node.rank)), 1)], node.shape)
            others = [t for k, t in enumerate(node.terms) if k not in (first, second)]
            result = add([*others, (1, joined, tuple(range(node.rank)))], node.shape)
            return _merged(result) if isinstance(result, Add) else result
    return node


def _opposite(mask: Node) -> Node:
    return call("logical_not", mask)


def _masked(node: Node, labels: Labels, rank: int) -> tuple[Node, Labels, list[Factor]] | None:
    """The mask of an entrywise product, its axes, and the other factors, on the labels of the sum."""
    if isinstance(node, Map) and node.atom.name in MASKS:
        return node, labels, []
    if not isinstance(node, Product) or node.summed:
        return None
    moved = [(n, tuple(labels[k] for k in axes), power) for n, axes, power in node.factors]
    for factor in moved:
        if isinstance(factor[0], Map) and factor[0].atom.name in MASKS and factor[2] == 1:
            return factor[0], factor[1], [f for f in moved if f is not factor]
    return None


def tidy(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with the laws that only derivatives need."""
    if not any(map(_concerns, order(roots))):
        return list(roots)
    return rewrite(roots, lambda n: _tidied(n) if isinstance(n, Product) else n, names)


def _tidied(node: Product) -> Node:
    found = _apply(_absorbed(node), DERIVED_LAWS)
    return _spread(_softmax_sums(found))


def _concerns(node: Node) -> bool:
    """Whether a law of `tidy` may apply somewhere above the node."""
    softmax = isinstance(node, Reduce) and node.kind == "logsumexp"
    known = isinstance(node, Symbol) and bool(node.facts)
    divided = isinstance(node, Product) and any(p < 0 for _, _, p in node.factors)
    norm = isinstance(node, Map) and node.atom.name in ("nonzero", "sign")
    return isinstance(node, Delta | Matrices) or softmax or known or divided or norm


def _absorbed(node: Product) -> Node:
    """m (m x) = m x, entry by entry, for a 0/1 argument m"""
    for position, (mask, labels, power) in enumerate(node.factors):
        if isinstance(mask, Symbol) and mask.facts & {"boolean", "one_hot"} and power == 1:
            for other, axes, exponent in node.factors:
                inside = isinstance(other, Product) and not other.summed and exponent > 0
                if inside and (mask, labels, 1) in _inside(other, axes):
                    return product([f for k, f in enumerate(node.factors) if k != position], node.shape)
    return node


def _spread(node: Node) -> Node:
    """(S - I) B = S B - B: an identity in a sum dissolves where the sum is multiplied out

    A mask such as ``1 - I`` stays: multiplied out, the entries that it drops would have to cancel.
    """
    if not isinstance(node, Product):
        return node
    for position, (factor, labels, power) in enumerate(node.factors):
        if power == 1 and isinstance(factor, Add) and _has_identity(factor):
            others = [f for k, f in enumerate(node.factors) if k != position]
            solved = factor.rank == 2 and any(isinstance(n, Inverse) for n, _, _ in others)
            if (not node.summed and not others) or solved:
                continue
            parts = []
            for c, n, axes in factor.terms:
                held = {k for _, where, _ in others for k in where} | {labels[a] for a in axes}
                lost = {
                    k: size for k, size in zip(labels, factor.shape, strict=True) if k >= node.rank and k not in held
                }
                counts = [(count(size), (), 1) for size in lost.values()]
                part = product([*_inside(n, tuple(labels[a] for a in axes)), *others, *counts], node.shape, c)
                parts.append((1, part, tuple(range(node.rank))))
            return add(parts, node.shape)
    return node


def _has_identity(node: Add) -> bool:
    nodes = [n for _, n, _ in node.terms]
    return any(map(_holds_identity, nodes)) and one() not in nodes


def _holds_identity(node: Node) -> bool:
    return isinstance(node, Delta) or (
        isinstance(node, Product) and any(isinstance(n, Delta) for n, _, _ in node.factors)
    )


def _inside(node: Node, labels: Labels) -> list[Factor]:
    """The factors of an entrywise product, or the node itself."""
    if isinstance(node, Product) and not node.summed:
        return [(n, tuple(labels[k] for k in axes), power) for n, axes, power in node.factors]
    return [(node, labels, 1)]


def _softmax_sums(node: Node) -> Node:
    """sum(exp(z - logsumexp(z))) = 1, over what the logsumexp runs over

    An axis of no entries has no softmax: NumPy refuses its maximum, and with it the spec; the 1 then stands for a
    value that there is not.
    """
    if not isinstance(node, Product):
        return node
    for position, (factor, labels, power) in enumerate(node.factors):
        if power != 1:
            continue
        others = [f for k, f in enumerate(node.factors) if k != position]
        taken = {label for _, axes, _ in others for label in axes}
        for axes in normalised(factor):
            gone = {labels[a] for a in axes}
            if all(k >= node.rank and k not in taken and labels.count(k) == 1 for k in gone):
                kept = [(k, size) for k, size in zip(labels, factor.shape, strict=True) if k not in gone]
                lost = {k: size for k, size in kept if k >= node.rank and k not in taken}
                counts = [(count(size), (), 1) for size in lost.values()]
                return product([*others, *counts], node.shape)
    return node


def normalised(node: Node) -> list[Labels]:
    """The sets of axes over which the entries of a softmax sum to 1."""
    if not (isinstance(node, Map) and node.atom.name == "exp"):
        return []
    c, inner, labels = node.arguments[0]
    found = log_softmax(inner) if c == 1 else None
    return [tuple(labels[k] for k in found[1])] if found else []


def log_softmax(node: Node) -> tuple[Operand, Labels] | None:
    """Where the node is z - logsumexp(z): z, and the axes that the logsumexp runs over."""
    if not isinstance(node, Add) or len(node.terms) != 2:
        return None
    for (e, value, where), (a, z, axes) in (node.terms, node.terms[::-1]):
        if not (e == -1 and isinstance(value, Reduce) and value.kind == "logsumexp"):
            continue
        same = (a, z) == (value.coefficient, value.node) and len(axes) == node.rank
        if same and all(axes[value.labels.index(k)] == label for k, label in enumerate(where)):
            return (a, z, axes), tuple(axes[p] for p, k in enumerate(value.labels) if k >= value.rank)
    return None
