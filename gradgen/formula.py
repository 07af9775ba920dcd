"""The graph as formulas in matrix notation: ``2 (Xᵀ (X w - y) + lam w)``.

∘ is the entrywise product, ⟨A, B⟩ the inner product, ‖x‖² a sum of squares, 1 a vector of ones, [c] is 1 where c
holds. A value that is used more than once and long gets a line of its own. What matrix notation cannot say (rank 3)
is written with NumPy's brackets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from gradgen import text
from gradgen.associate import associate
from gradgen.atoms import Unknown
from gradgen.derive import Derived
from gradgen.dims import Size
from gradgen.labels import Labels
from gradgen.layout import layouts
from gradgen.nodes import (
    Add,
    Arange,
    Constant,
    Count,
    Delta,
    Factor,
    Map,
    Node,
    Number,
    Operand,
    Product,
    Symbol,
    Triangle,
    View,
    one,
    operand,
)
from gradgen.notation import ATOM, ENTRY, POSTFIX, POWER, PRODUCT, SUM, Math
from gradgen.ops.gather import Scatter
from gradgen.ops.operation import Operation
from gradgen.ops.select import Embed, Tile, kept, tiles
from gradgen.rules import log_softmax
from gradgen.spell import either, plain
from gradgen.text import Expr
from gradgen.walk import Names, core, order, preferred, uses

LONG = 24
LONGEST = 70
READABLE = 1500  # a formula of more operations helps nobody
INFIX = {
    "greater": ">",
    "greater_equal": "≥",
    "less": "<",
    "less_equal": "≤",
    "equal": "=",
    "not_equal": "≠",
    "logical_and": "and",
    "logical_or": "or",
}
SHORT = 3  # the terms of a sum that is transposed term by term
COTANGENT = "cotangent"
PRIMES = "'"
CALLED = {"sigmoid": "σ", "maximum": "max", "minimum": "min", "log_cosh": "log cosh"}


def formulas(derived: Derived, several: bool, hvp: bool = False) -> tuple[str, ...]:
    """A line for the loss, one for each gradient (and hvp), and one for each value that they share."""
    names = dict(derived.names)
    roots = _titled(derived, several, hvp)
    size = len(order([node for _, node in roots]))
    if size > READABLE:
        return tuple(f"{name} = … ({size} operations in all, too long to print)" for name, _ in roots)
    ready = associate([node for _, node in roots], names, reading=True)
    return _Writer(names, ready).write([name for name, _ in roots], ready)


LOSS = {"value": "loss", "gradient": "grad", "product": "hvp"}
FUNCTION = {"value": "value", "tangent": "jvp", "pullback": "vjp", "jacobian": "jacobian"}


def _titled(derived: Derived, several: bool, hvp: bool) -> list[tuple[str, Node]]:
    """What is printed, with what it is called; a result for each of several variables bears their names."""
    found = []
    for result, title in (LOSS if derived.cotangent is None else FUNCTION).items():
        nodes = derived.results.get(result, ()) if hvp or result != "product" else ()
        alone = result in ("value", "tangent", "jacobian") or not several
        for w, node in zip(derived.wrt, nodes, strict=False):
            found.append((title if alone else f"{title}_{w.name}", node))
    return found


class _Writer:
    def __init__(self, names: Names, roots: Sequence[Node]) -> None:
        nodes = order(roots)
        self.names = names
        self.counts = uses(roots)
        self.roots = set(map(core, roots))
        self.layouts = layouts(nodes, roots, {}, preferred(names), reading=True)
        self.done: dict[Node, Math] = {}
        self.where: list[str] = []
        self.taken = {n.name for n in nodes if isinstance(n, Symbol)}
        for node in nodes:
            if not isinstance(node, View) and node is not one():
                math = self._math(node)
                self.done[node] = self._kept(node, replace(math, flipped=math.text) if node.symmetric else math)

    def write(self, names: Sequence[str], roots: Sequence[Node]) -> tuple[str, ...]:
        width = max(5, *map(len, names))
        lines = [f"{name:{width}} = {self._root(root).text}" for name, root in zip(names, roots, strict=True)]
        return (*lines, *(f"{'where' if k == 0 else '':{width}} {line}" for k, line in enumerate(self.where)))

    def _kept(self, node: Node, math: Math) -> Math:
        """The formula itself, or a name for it where it is long and used again, or very long."""
        length = len(math.text)
        alone = self.counts[node] == 1 and (length <= LONGEST or node in self.roots)
        if length <= LONG or alone or not node.operands:
            return math
        known = self.names.get(node)
        stem = known.text if known else "u"
        name, number = stem if known else "u1", 1
        while name in self.taken:
            number += 1
            name = f"{stem}{number}"
        self.taken.add(name)
        self.where.append(f"{name} = {math.text}")
        return Math(name)

    def _root(self, root: Node) -> Math:
        c, node, labels = operand(root, tuple(range(root.rank)))
        target = tuple(range(root.rank))
        return self._term((c, node, labels), target, whole=True)

    # Operands

    def _stored(self, node: Node, labels: Labels, target: Labels = ()) -> tuple[Math, Labels]:
        axes = tuple(labels[a] for a in self.layouts[node]) if node.rank else ()
        math = self.done[node]
        if len(axes) == 2 and axes[0] == axes[1]:
            return Math(f"diag({math.text})"), axes[:1]
        if node.symmetric and set(axes) <= set(target):
            axes = tuple(k for k in target if k in axes)
        return math, axes

    def _term(self, term: Operand, target: Labels, whole: bool = False) -> Math:
        """An operand of a sum or an entrywise function, broadcast to the target."""
        c, node, labels = term
        if node is one():
            ones = {0: "", 1: " 1", 2: " 1 1ᵀ"}.get(len(target), " ones") if whole and c else ""
            number = _number(c).text
            return Math(ones.strip() if ones and c == 1 else number + ones, PRODUCT if ones else ATOM)
        math, axes = _turned(*self._stored(node, labels, target), target)
        return _scaled(c, _broadcast(math, axes, target))

    # Nodes

    def _math(self, node: Node) -> Math:
        target = self.layouts[node]
        if isinstance(node, Symbol):
            return Math(node.name or COTANGENT)
        if isinstance(node, Count):
            return Math(str(node.size), ATOM if node.size.symbol else SUM)
        if isinstance(node, Delta):
            return Math("I")
        if isinstance(node, Triangle):
            return Math(f"tri({node.offset})" if node.offset else "tri")
        if isinstance(node, Arange):
            return Math(f"arange({node.shape[0]})")
        if isinstance(node, Constant):
            shape = [size.constant or 0 for size in node.shape]
            return Math(str(np.reshape(node.values, shape).tolist()))
        if isinstance(node, Add):
            return self._sum(node, target)
        if isinstance(node, Map):
            return self._map(node, target)
        if isinstance(node, Product):
            return self._single(node, target) if len(node.factors) == 1 else self._pair(node, target)
        assert isinstance(node, Operation)
        return self._operation(node)

    def _sum(self, node: Add, target: Labels) -> Math:
        found = self._softmax(node, target, "log softmax") or self._blocks(node, target)
        if found:
            return found
        common, terms = _common(node.terms)
        terms.sort(key=lambda t: (t[0] < 0, t[1] is not one(), not _contracts(t[1]), t[1].serial))
        said = self._added(terms, target)
        flipped = self._added(terms, target[::-1]) if len(target) == 2 and len(terms) <= SHORT and common == 1 else ""
        return _scaled(common, Math(said, SUM, flipped if flipped.count("ᵀ") <= said.count("ᵀ") else ""))

    def _blocks(self, node: Add, target: Labels) -> Math | None:
        """Arrays put together: [A, B; C, D], a row of them after a semicolon."""
        found = tiles(node) if len(target) <= 2 else None
        if found is None:
            return None
        rows = [[self._tile(tile, target) for tile in row] for row in found.rows]
        if len(found.axes) == 1 and target[0] == found.axes[0]:
            rows = [[text] for text in rows[0]]
        elif len(found.axes) == 2 and target[0] == found.axes[1]:
            rows = [list(column) for column in zip(*rows, strict=True)]
        return Math(f"[{'; '.join(', '.join(row) for row in rows)}]")

    def _tile(self, tile: Tile, target: Labels) -> str:
        """One of the arrays that are put together; a vector as a column, or as a row where those are stacked."""
        c, node, labels = tile.array
        if set(labels) < tile.varying:
            return self._term(tile.array, tuple(k for k in target if k in tile.varying), whole=True).text
        if node is one():
            return _number(c).text
        math, axes = _turned(*self._stored(node, labels, target), target)
        if len(target) == 2 and len(axes) == 1 and axes[0] == target[1]:
            math = Math(_row(math), POSTFIX)
        return _scaled(c, math).text

    def _added(self, terms: Sequence[Operand], target: Labels) -> str:
        said = ""
        for c, inner, labels in terms:
            math = self._term((text.magnitude(c), inner, labels), target)
            inside = math.at(SUM if c > 0 else ENTRY)
            said += (" + " if said else "") + inside if c > 0 else (" - " if said else "-") + inside
        return said

    def _map(self, node: Map, target: Labels) -> Math:
        name = node.atom.name
        if name == "exp" and node.arguments[0][0] == 1:
            _, inner, labels = node.arguments[0]
            found = self._softmax(inner, tuple(labels.index(k) for k in target), "softmax")
            if found:
                return found
        parts = [self._term(argument, target) for argument in node.arguments]
        if name in INFIX:
            return Math(f"[{parts[0].text} {INFIX[name]} {parts[1].text}]")
        if name == "logical_not":
            return Math(f"[not {parts[0].text}]")
        if name == "absolute":
            return Math(f"|{parts[0].text}|")
        if name == "power_of":
            return _power(parts[0], node.atom.exponent, node.rank)
        if name in ("size_power", "signed_power"):
            size = Math(f"|{parts[0].text}|^{parts[1].at(ATOM)}", POWER)
            return size if name == "size_power" else Math(f"sign({parts[0].text}) ∘ {size.text}", PRODUCT)
        if name == "power":
            return Math(f"{parts[0].at(ATOM)}^{parts[1].at(ATOM)}", POWER)
        if isinstance(node.atom, Unknown):
            return Math(f"{node.atom.function}{PRIMES * node.atom.degree}({parts[0].text})")
        if name == "relu":
            return Math(f"max({parts[0].text}, 0)")
        if name in ("nonzero", "regular"):
            return parts[0]
        if name == "lowered":
            return Math(f"{parts[0].text} - 1", SUM)
        if name == "root":
            square = parts[0].text.removesuffix("²")
            return Math(square if square.startswith("‖") and square.endswith("‖") else f"sqrt({parts[0].text})")
        return Math(f"{CALLED.get(name, name)}({', '.join(part.text for part in parts)})")

    def _softmax(self, node: Node, target: Labels, name: str) -> Math | None:
        """softmax(Z), or its log, where the node is z - logsumexp(z) over the last axis of the target, or over all."""
        found = log_softmax(node)
        if found is None:
            return None
        if len(found[1]) == len(target) or found[1] == target[-1:]:
            return Math(f"{name}({self._term(found[0], target).text})")
        if len(target) == 2:
            return Math(f"{name}({self._term(found[0], target[::-1]).text})ᵀ", POSTFIX)
        return None

    def _operation(self, node: Operation) -> Math:
        if isinstance(node, Embed | Scatter):
            target = self.layouts[node]
            left = tuple(kept(node.picks)) if isinstance(node, Embed) else node.places
            inside = self._term(operand(node.node, left), tuple(k for k in target if k in left), whole=True)
            return node.math([(inside, target), *map(self._part, node.arguments[1:])], _Plain())
        parts = [self._part(argument) for argument in node.arguments]
        return _turned(node.math(parts, _Plain()), node.stands([axes for _, axes in parts]), self.layouts[node])[0]

    def _part(self, argument: Operand) -> tuple[Math, Labels]:
        """An operand of an operation, in the order of its axes."""
        c, node, labels = argument
        if node is one():
            return _number(c), ()
        math, axes = self._stored(node, labels)
        return _scaled(c, math), axes

    def _single(self, node: Product, target: Labels) -> Math:
        factor, labels, power = node.factors[0]
        math, axes = self._stored(factor, labels)
        if not node.summed:
            return _power(_turned(math, axes, target)[0], power, node.rank)
        if power == 2 and not node.rank and len(set(labels)) == len(labels):
            return Math(f"‖{math.text}‖²", POSTFIX)
        if len(labels) == 2 and labels[0] == labels[1] and not node.rank:
            return Math(f"tr({_power(self.done[factor], power, 2).text})")
        if not node.rank and power == 1 and isinstance(factor, Add) and {k for _, _, k in factor.terms} == {(0, 0)}:
            whole = sorted(((c, n, (0, 1)) for c, n, _ in factor.terms), key=lambda term: term[0] < 0)
            return Math(f"tr({self._added(whole, (0, 1))})")
        inside = _power(math, power, factor.rank)
        if not node.rank:
            return Math(f"sum({inside.text})")
        if len(axes) == 2 and axes[0] < node.rank:
            return Math(f"{inside.at(PRODUCT)} 1", PRODUCT)
        if len(axes) == 2:
            return Math(f"{inside.at(ATOM)}ᵀ 1", PRODUCT, f"1ᵀ {inside.at(PRODUCT)}")
        gone = [str(position) for position, k in enumerate(axes) if k >= node.rank]
        return Math(f"sum({inside.text}, axis={','.join(gone)})")

    def _pair(self, node: Product, target: Labels) -> Math:
        first, second = sorted(
            node.factors, key=lambda f: (f[2] < 0, bool(f[0].rank), isinstance(f[0], Delta | Triangle), f[0].serial)
        )
        if node.summed:
            return self._contraction(node, first, second, target)
        return self._entrywise(first, second, target)

    def _entrywise(self, first: Factor, second: Factor, target: Labels) -> Math:
        (a, i, p), (b, j, q) = first, second
        (left, la), (right, lb) = self._stored(a, i, target), self._stored(b, j, target)
        if isinstance(b, Delta) and p == 1 and len(la) == 1 and la[0] in lb:
            if len(i) == 2:
                return Math(f"I ∘ {self.done[a].at(PRODUCT)}", ENTRY)
            return Math(f"diag({left.text})")
        if isinstance(b, Triangle) and p == q == 1 and len(target) == 2 and set(la) == set(lb) == set(target):
            name, offset = ("tril", b.offset) if lb == target else ("triu", -b.offset)
            after = f", {offset}" if offset else ""
            return Math(f"{name}({_turned(left, la, target)[0].text}{after})")
        if p == q == 1 and len(la) == len(lb) == 1 and la != lb:
            left, right = (left, right) if (*la, *lb) == target else (right, left)
            outer = f"{right.at(PRODUCT)} {_row(left)}"
            return Math(f"{left.at(PRODUCT)} {_row(right)}", PRODUCT, outer)
        (left, la), (right, lb) = _turned(left, la, target), _turned(right, lb, target)
        if not la and p == 1 and q == 1:
            return Math(f"{left.at(PRODUCT)} {right.at(PRODUCT)}", PRODUCT)
        if len(target) == 2 and {len(la), len(lb)} == {1, 2}:
            vector, matrix, k, power = (left, right, la, p) if len(la) == 1 else (right, left, lb, q)
            if (q if len(la) == 1 else p) == 1:
                scale = f"diag({vector.text})" + ("⁻¹" if power < 0 else "")
                rows = k[0] == target[0]
                return Math(f"{scale} {matrix.at(PRODUCT)}" if rows else f"{matrix.at(PRODUCT)} {scale}", PRODUCT)
        left, right = _broadcast(left, la, target), _broadcast(right, lb, target)
        if p < 0:
            return Math(f"1 / ({left.at(ENTRY)} ∘ {right.at(ENTRY)})", ENTRY)
        if q < 0:
            return Math(f"{left.at(ENTRY)} / {right.at(POSTFIX)}", ENTRY)
        tail = right.text if right.level == ENTRY and (" / " not in right.text or not la) else right.at(PRODUCT)
        return Math(
            f"{left.at(ENTRY)}{' ∘ ' if la and lb else ' '}{tail}", ENTRY if la and lb else min(PRODUCT, right.level)
        )

    def _contraction(self, node: Product, first: Factor, second: Factor, target: Labels) -> Math:
        (a, i, _), (b, j, _) = first, second
        (left, la), (right, lb) = self._stored(a, i), self._stored(b, j)
        inner = [k for k in la if k >= node.rank]
        if not target:
            if len(la) == 1:
                return Math(f"{_row(left)} {right.at(PRODUCT)}", PRODUCT)
            lb = la if a.symmetric or b.symmetric else lb
            return Math(f"⟨{left.text}, {_turned(right, lb, la)[0].text}⟩")
        if len(inner) == 1 and len(la) <= 2 and len(lb) <= 2 and not set(la) & set(lb) & set(target):
            if target[0] in lb:
                (a, left, la), (b, right, lb) = (b, right, lb), (a, left, la)
            la, lb = either(a, la, inner[0], 1), either(b, lb, inner[0], 0)
            left = _turned(left, la, (*(k for k in target if k in la), inner[0]))[0]
            right = _turned(right, lb, (inner[0], *(k for k in target if k in lb)))[0]
            last = _turned(left, (0, 1), (1, 0))[0]
            lead = _turned(right, (0, 1), (1, 0))[0].at(PRODUCT) if len(lb) == 2 else _row(right)
            flipped = f"{lead} {last.at(PRODUCT)}" if len(la) == 2 else ""
            return Math(f"{left.at(PRODUCT)} {right.at(PRODUCT)}", PRODUCT, flipped)
        if len(la) == len(lb) == 2 and set(la) == set(lb) and len(target) == 1:
            right = _turned(right, lb, la)[0]
            entry = Math(f"{left.at(ENTRY)} ∘ {right.at(PRODUCT)}", ENTRY)
            return Math(f"{entry.at(ATOM)} 1" if la[0] == target[0] else f"{entry.at(ATOM)}ᵀ 1", PRODUCT)
        letters: dict[int, str] = {}
        for label in (*la, *lb):
            letters.setdefault(label, "ijklmnpqrst"[len(letters)])
        spelled = ["".join(letters[k] for k in axes) for axes in (la, lb, target)]
        return Math(f"einsum({spelled[0]},{spelled[1]}→{spelled[2]}; {left.text}, {right.text})")


class _Plain:
    """Spells sizes by their names."""

    dtype = ""

    def help(self, template: str) -> None:
        pass

    def factors(self, node: Node, uses: str, expr: Expr, swapped: bool) -> None:
        return None

    def size(self, size: Size) -> Expr:
        return Expr(str(size))


def _row(math: Math) -> str:
    """A vector as a row."""
    return math.flipped or f"{math.at(POSTFIX)}ᵀ"


def _turned(math: Math, axes: Labels, target: Labels) -> tuple[Math, Labels]:
    wanted = tuple(k for k in target if k in axes)
    if wanted == axes or set(wanted) != set(axes):
        return math, axes
    if len(axes) == 2 and math.flipped:
        return Math(math.flipped, math.level, math.text), wanted
    if len(axes) == 2 and math.level == POSTFIX and math.text.endswith("ᵀ"):
        return Math(math.text[:-1]), wanted
    if len(axes) == 2:
        return Math(f"{math.at(ATOM)}ᵀ", POSTFIX), wanted
    return Math(f"{math.at(ATOM)}.transpose({', '.join(str(axes.index(k)) for k in wanted)})"), wanted


def _broadcast(math: Math, axes: Labels, target: Labels) -> Math:
    """A vector as u 1ᵀ or 1 vᵀ in a matrix; NumPy's brackets beyond."""
    if not axes or len(axes) == len(target):
        return math
    if len(target) == 2:
        rows = axes[0] == target[0]
        return Math(f"{math.at(PRODUCT)} 1ᵀ" if rows else f"1 {_row(math)}", PRODUCT)
    entries = [":" if k in axes else "None" for k in target[target.index(axes[0]) :]]
    return Math(f"{math.at(ATOM)}[{', '.join(entries)}]") if "None" in entries else math


def _power(math: Math, power: Number, rank: int) -> Math:
    if power == 1:
        return math
    if power == Fraction(1, 2):
        return Math(f"sqrt({math.text})")
    if power < 0:
        return Math(f"1 / {_power(math, -power, rank).at(POSTFIX)}", ENTRY)
    entry = "^∘" if rank > 1 else "^"
    exponent = f"{entry}{_number(power).text}"
    return Math(f"{math.at(ATOM)}{'²' if power == 2 and rank < 2 else exponent}", POWER)


def _number(value: Number) -> Math:
    number = text.number(value)
    return Math(number.text, ATOM if number.level == text.ATOM else ENTRY)


def _scaled(c: Number, math: Math) -> Math:
    if c == 1:
        return math
    if c == -1:
        return Math(f"-{math.at(ENTRY)}", SUM)
    sign = "-" if c < 0 else ""
    factor = _number(text.magnitude(c))
    inside = math.text if math.level == ENTRY else math.at(PRODUCT)
    return Math(f"{sign}{factor.at(PRODUCT)} {inside}", SUM if sign else ENTRY)


def _common(terms: Sequence[Operand]) -> tuple[Number, list[Operand]]:
    """The magnitude that all coefficients have, and the terms without it."""
    sizes = {abs(Fraction(c)) for c, _, _ in terms}
    common = plain(sizes.pop()) if len(sizes) == 1 else 1
    if all(c < 0 for c, _, _ in terms) and common != 1:
        common = -common
    return common, [(plain(Fraction(c) / common), n, labels) for c, n, labels in terms]


def _contracts(node: Node) -> bool:
    return isinstance(node, Product) and bool(node.summed)
