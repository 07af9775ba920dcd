"""Spellings that neither overflow nor cancel, put in after everything else: no law of `rules` runs behind them.

``logsumexp(z)`` becomes ``m + log(sum(exp(z - m)))`` with the maximum m, and ``exp(z - logsumexp(z))`` the quotient
of the same exponentials. ``sigmoid`` and ``softplus`` share ``exp(-|z|)``, which is at most 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from gradgen.atoms import call
from gradgen.labels import Labels
from gradgen.nodes import Add, Map, Node, Operand, Product, Symbol, View, add, as_node, operand, product, view
from gradgen.ops.reduce import Reduce, reduce
from gradgen.text import magnitude
from gradgen.walk import Name, Names, core, order, rewrite, settle

SPELLED = frozenset(
    "sigmoid softplus bell log_cosh logit xlogy xlog1py over_unless_zero entr rel_entr mills_slope power_log "
    "size_power signed_power".split()
)


def stable(roots: Sequence[Node], names: Names) -> list[Node]:
    """The roots with every sensitive function in its stable spelling; names move along."""
    if not any(map(_sensitive, order(roots))):
        return list(roots)
    return rewrite(rewrite(roots, bell, names), _Speller(names), names)


def _sensitive(node: Node) -> bool:
    if isinstance(node, Map):
        return node.atom.name in SPELLED
    return isinstance(node, Reduce) and node.kind == "logsumexp"


def bell(node: Node) -> Node:
    """sigmoid(x) sigmoid(-x) = bell(x), the derivative of sigmoid"""
    if not isinstance(node, Product):
        return node
    for position, (factor, labels, power) in enumerate(node.factors):
        if not (isinstance(factor, Map) and factor.atom.name == "sigmoid" and power == 1):
            continue
        other = operand(call("sigmoid", -factor.argument(0)), labels)
        partner = (other[1], other[2], 1)
        if partner in node.factors and partner != node.factors[position]:
            rest = [f for f in node.factors if f not in (partner, node.factors[position])]
            return bell(product([*rest, (call("bell", factor.argument(0)), labels, 1)], node.shape))
    return node


@dataclass(frozen=True)
class _Normaliser:
    """A logsumexp in its stable spelling: of which operand, and what a softmax shares with it."""

    source: Reduce
    shifted: Node
    weights: Node
    total: Node


def _unless_zero(x: Node, y: Node, otherwise: int) -> Node:
    """y, but a number where x is 0"""
    return call("where", call("not_equal", x, 0 * x), y, 0 * y + otherwise)


def _logarithm(x: Node, y: Node, safe: int, name: str) -> Node:
    """x log(y), 0 where x is"""
    return x * call(name, _unless_zero(x, y, safe))


def _mills_slope(x: Node) -> Node:
    """-h (x + h), h the density of ndtr over its value; 1/x² - 1 - 6/x⁴ far to the left, where x + h cancels"""
    h = call("mills", x)
    left = call("less", x, 0 * x - FAR_LEFT)
    away = call("where", left, x, 0 * x - FAR_LEFT)
    return call("where", left, away**-2 - 1 - 6 * away**-4, -h * (x + h))


FAR_LEFT = 300


def _both(node: Map) -> tuple[Node, Node]:
    return node.argument(0), node.argument(1)


def _power_of_size(x: Node, exponent: Node) -> Node:
    """|x|ᵇ"""
    return call("power", call("absolute", x), exponent)


def _relative(x: Node, y: Node) -> Node:
    """x log(x / y), 0 where x is"""
    return x * call("log", _unless_zero(x, x, 1) / _unless_zero(x, y, 1))


def _unsigned(node: Node) -> Node:
    """A product without the factors that are ±1 along its own axes, unless it does not vary along all without them."""
    if not isinstance(node, Product):
        return node
    rest = [f for f in node.factors if not (_is_sign(f[0]) and max(f[1], default=0) < node.rank)]
    wide = {k for _, labels, _ in rest for k in labels} >= set(range(node.rank))
    return product(rest, node.shape) if rest and wide else node


def _is_sign(node: Node) -> bool:
    return isinstance(node, Symbol) and "sign" in node.facts


class _Speller:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.normalisers: dict[Node, _Normaliser] = {}
        self.shares: dict[Node, Node] = {}

    def __call__(self, node: Node) -> Node:
        if isinstance(node, Reduce) and node.kind == "logsumexp":
            return self._logsumexp(node)
        if isinstance(node, Add):
            return self._log_softmax(node)
        if isinstance(node, Map):
            spell: dict[str, Callable[[Map], Node]] = {
                "exp": self._softmax,
                "sigmoid": self._sigmoid,
                "softplus": self._softplus,
                "bell": self._bell,
                "log_cosh": self._log_cosh,
                "logit": lambda same: call("log", same.argument(0) / (1 - same.argument(0))),
                "xlogy": lambda same: _logarithm(same.argument(0), same.argument(1), 1, "log"),
                "xlog1py": lambda same: _logarithm(same.argument(0), same.argument(1), 0, "log1p"),
                "entr": lambda same: -_logarithm(same.argument(0), same.argument(0), 1, "log"),
                "mills_slope": lambda same: _mills_slope(same.argument(0)),
                "power_log": lambda same: _logarithm(call("power", *_both(same)), same.argument(0), 1, "log"),
                "size_power": lambda same: _power_of_size(*_both(same)),
                "signed_power": lambda same: call("sign", same.argument(0)) * _power_of_size(*_both(same)),
                "rel_entr": lambda same: _relative(same.argument(0), same.argument(1)),
                "over_unless_zero": lambda same: same.argument(0) / _unless_zero(same.argument(0), same.argument(1), 1),
            }
            return spell[node.atom.name](node) if node.atom.name in spell else node
        return node

    def _name(self, node: Node, name: str) -> Node:
        settle(self.names, node, Name(name))
        return node

    def _logsumexp(self, node: Reduce) -> Node:
        """log(sum(exp(z))) = m + log(sum(exp(z - m))), m = max(z)"""
        x = view(node.coefficient, node.node)
        peak = self._name(reduce("max", x, node.labels, node.shape), "peak")
        back = tuple(node.labels.index(k) for k in range(node.rank))
        shifted = self._name(x - view(1, peak, back, x.shape), "shifted")
        weights = self._name(call("exp", shifted), "weights")
        total = self._name(product([(weights, node.labels, 1)], node.shape), "total")
        value = self._name(peak + call("log", total), "log_total")
        self.normalisers[value] = _Normaliser(node, shifted, weights, total)
        return value

    def _log_softmax(self, node: Add) -> Node:
        """z - logsumexp(z) = (z - m) - log(sum(exp(z - m))), which does not cancel"""
        for term in node.terms:
            found = self.normalisers.get(term[1])
            axes = self._axes(node, term, found) if found and term[0] == -1 else None
            if found is None or axes is None:
                continue
            source = found.source
            rest = [t for t in node.terms if t is not term and t != (source.coefficient, source.node, axes)]
            log_total = (-1, call("log", found.total), term[2])
            made = add([(1, found.shifted, axes), log_total, *rest], node.shape)
            if not rest:
                share = product([(found.weights, axes, 1), (found.total, term[2], -1)], node.shape)
                turned = made.labels if isinstance(made, View) else tuple(range(made.rank))
                back = tuple(turned.index(axis) for axis in range(made.rank))
                self.shares[core(made)] = view(1, share, back, core(made).shape)
            return made
        return node

    def _axes(self, node: Add, term: Operand, found: _Normaliser) -> Labels | None:
        """The axes of the operand of a logsumexp where it stands in the same sum, aligned with it."""
        for a, z, axes in node.terms:
            if (a, z) == (found.source.coefficient, found.source.node):
                labels = found.source.labels
                if all(axes[labels.index(k)] == label for k, label in enumerate(term[2])):
                    return axes
        return None

    def _softmax(self, node: Map) -> Node:
        """exp(z - logsumexp(z)) = exp(z - m) / sum(exp(z - m))"""
        c, inner, labels = node.arguments[0]
        share = self.shares.get(inner) if c == 1 else None
        return node if share is None else self._name(view(1, share, labels, node.shape), "softmax")

    def _tail(self, node: Map) -> tuple[Node, Node, int]:
        """x without its sign, exp(-|x|), and the sign."""
        c, inner, labels = node.arguments[0]
        base = view(magnitude(c), inner, labels, node.shape)
        return base, self._name(call("exp", -call("absolute", base)), "tail"), 1 if c > 0 else -1

    def _sigmoid(self, node: Map) -> Node:
        """1 / (1 + exp(-x)) = (1 where x > 0, t elsewhere) / (1 + t), t = exp(-|x|)"""
        x, tail, sign = self._tail(node)
        one = 0 * x + 1
        mask = call("greater", x, 0 * x)
        chosen = call("where", mask, one, tail) if sign > 0 else call("where", mask, tail, one)
        return chosen / (1 + tail)

    def _softplus(self, node: Map) -> Node:
        """log(1 + exp(x)) = max(x, 0) + log(1 + t), t = exp(-|x|)"""
        x, tail, sign = self._tail(node)
        return call("relu", sign * x) + call("log1p", tail)

    def _bell(self, node: Map) -> Node:
        """sigmoid(x) sigmoid(-x) = t / (1 + t)², t = exp(-|x|), even in x: signs go"""
        c, inner, labels = node.arguments[0]
        tail = self._name(
            call("exp", -call("absolute", view(magnitude(c), _unsigned(inner), labels, node.shape))), "tail"
        )
        return tail / (1 + tail) ** 2

    def _log_cosh(self, node: Map) -> Node:
        """log(cosh(x)) = |x| + log(1 + exp(-2 |x|)) - log 2"""
        size = call("absolute", node.argument(0))
        return size + call("log1p", call("exp", -2 * size)) - as_node(log(2))
