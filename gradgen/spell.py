"""The planned graph as NumPy statements: one pass, operands first, each node written into its user or on a line of
its own.

A node gets a line if the user named it, if it is used more than once, or if its text has grown long or deep. Every
node is stored with its axes in some order (`layouts`); operands are aligned to the order that their user wants by
``.T`` and ``[:, None]``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import pi, sqrt

from gradgen import text
from gradgen.atoms import Unknown, is_mask
from gradgen.cost import entries
from gradgen.dims import Dim, Size, is_one
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
    Shape,
    Symbol,
    Triangle,
    View,
    as_number,
    one,
    operand,
)
from gradgen.ops.factor import decomposed
from gradgen.ops.gather import Scatter
from gradgen.ops.operation import Operation
from gradgen.ops.select import Embed, Select, Tile, Tiles, apart, index, tiles
from gradgen.ops.shared import Factorised, factorised, shared
from gradgen.reuse import reused
from gradgen.sweeps import Sweep
from gradgen.text import INDENT, Expr
from gradgen.walk import Names, core, needed, preferred, weak

LONG = 55
LARGE = 2**15  # entries: 256 KiB
LINE = 75  # of the results of a function
MOST_TERMS = 32
DEEP = 8
CLASSES = {"lu": "_LU", "cholesky": "_Cholesky"}
LEAVES = (Symbol, Constant, Count, Delta, Triangle, Arange)
SCIPY = {
    **{name: f"scipy.special.{name}({{}})" for name in "erf erfc ndtr log_ndtr gammaln digamma".split()},
    "trigamma": "scipy.special.polygamma(1, {})",
    "tetragamma": "scipy.special.polygamma(2, {})",
    "mills": f"{sqrt(2 / pi)!r} / scipy.special.erfcx({-sqrt(0.5)!r} * {{}})",
}
MAP_HINTS = {
    "exp": "exponential",
    "tanh": "activation",
    "where": "chosen",
    "sign": "sign",
    "absolute": "size",
    "log": "logarithm",
    "root": "norm",
    "nonzero": "norm",
    "lowered": "exponent",
    "power_of": "power",
}
INFIX = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
    "logical_and": "&",
    "logical_or": "|",
}


@dataclass(frozen=True)
class Root:
    """A result: the node, and the argument whose shape it has ("" for a loss)."""

    node: Node
    like: str = ""
    name: str = "value"


@dataclass(frozen=True)
class Body:
    """A function's statements, its results, the sizes that they use, and the arguments that they use beside the
    symbols.

    ``functions`` are the derivatives of `Elementwise` arguments that they call, ``helpers`` the templates.
    """

    lines: tuple[str, ...]
    results: tuple[Expr, ...]
    sizes: tuple[Size, ...]
    needs: tuple[str, ...]
    functions: tuple[tuple[str, int], ...] = ()
    helpers: tuple[str, ...] = ()


class UnknownLength(Exception):
    """A block would have to say how many rows it has."""


class Speller:
    """Writes one function. ``given`` are values that already have a name: symbols, and what was computed outside."""

    def __init__(
        self,
        given: Mapping[Node, str],
        names: Names,
        fresh: Callable[[str], str],
        size_name: Callable[[Size], Expr],
        dtype: str,
        stored: Mapping[Node, Labels] | None = None,
        called: Callable[[str, int], str] | None = None,
    ) -> None:
        """``dtype`` names an array of the working dtype; ``stored`` is the order of the axes of given values;
        ``called`` names the derivatives of an `Elementwise` argument."""
        self.stored = stored or {}
        self.called = called
        self.given = given
        self.names = names
        self.fresh = fresh
        self.size_name = size_name
        self._dtype = dtype
        self.needs: dict[str, None] = {}
        self.functions: dict[tuple[str, int], None] = {}
        self.helpers: dict[str, None] = {}
        self.owned: dict[str, bool] = {}
        self.lined: dict[str, Node] = {}
        self.lines: list[str] = []
        self.done: dict[Node, Expr] = {node: text.name(name) for node, name in given.items()}
        self.sizes: dict[Size, None] = {}
        self.swept: Dim | None = None

    def write(self, roots: Sequence[Root], sweep: Sweep | None = None) -> Body:
        """The statements for the results; a ``sweep`` is computed in a loop over blocks of rows.

        UnknownLength: a statement in the loop needs the number of rows of the block.
        """
        nodes = [n for n in needed([r.node for r in roots], self.given) if n not in self.given]
        stored = {node: self.stored.get(node, tuple(range(node.rank))) for node in self.given}
        self.layouts = layouts(nodes, [r.node for r in roots], stored, preferred(self.names))
        self.uses = self._uses(nodes, roots)
        self.weak = weak(nodes)  # Python floats, lest NumPy scalars widen float32
        self.decomposed = decomposed(nodes)
        self.shared = shared(nodes)
        self.factorised: dict[Factorised, tuple[str, bool]] = {}
        self.roots = {core(root.node): root.name for root in roots}
        self.whole = {core(root.node) for root in roots if _is_core(root.node)}
        self.alone = {core(root.node) for root in roots} if len(roots) == 1 else set()
        if sweep is None:
            self._nodes(nodes)
        else:
            self._sweep(nodes, sweep)
        results = [self._own(self._root(root)) if root.node.rank else self._root(root) for root in roots]
        self._shorten(results, roots)
        if sweep is None:
            self.lines = reused(self.lines, [result.text for result in results], self._large())
        return Body(
            tuple(self.lines),
            tuple(results),
            tuple(self.sizes),
            tuple(self.needs),
            tuple(self.functions),
            tuple(self.helpers),
        )

    def _nodes(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not isinstance(node, View) and node is not one():
                self._node(node)

    def _sweep(self, nodes: Sequence[Node], sweep: Sweep) -> None:
        """What the loop over blocks of rows needs, the loop, and what is made of its sums."""
        first = set(needed(sweep.before, self.given))
        self._nodes(node for node in nodes if node in first)
        for node in sweep.before:
            self._held_before(core(node))
        sums = {node: self._started(node) for node in sweep.sums}
        rows = self._loop(sweep)
        outside, self.lines, self.swept = self.lines, [], sweep.dim
        whole = {node: self.done[node] for node in sweep.local if node in self.done}
        for node in whole:
            self.done[node] = self._rows(node, self.done[node], rows, Size.of(sweep.dim))
        for node in nodes:
            if node in sums:
                self.lines.append(f"{sums[node]} += {self._text(node).text}")
                self.done[node] = text.name(sums[node])
            elif node in sweep.local:
                self._nodes([node])
        self.lines, self.swept = [*outside, *(f"{INDENT}{line}" for line in self.lines)], None
        self.done |= whole
        self._nodes(node for node in nodes if node not in first and node not in sweep.local)

    def _held_before(self, node: Node) -> None:
        """A value that each block uses is computed once."""
        expr = self.done.get(node)
        if expr is not None and not isinstance(node, LEAVES) and node.operands and not expr.text.isidentifier():
            self.done[node] = self._named(node, expr)

    def _started(self, node: Node) -> str:
        """The variable in which a sum over the rows is added up."""
        chosen = self._chosen(node)
        start = (
            f"np.zeros({self._shape(self._shape_of(node))}, dtype={self.dtype})"
            if node.rank
            else f"{self.dtype}.type(0)"
        )
        self.lines.append(f"{chosen} = {start}")
        self.owned[chosen] = False
        return chosen

    def _loop(self, sweep: Sweep) -> str:
        """The head of the loop; the name of the rows of a block."""
        step, start, rows = map(self.fresh, ("block_rows", "start", "rows"))
        exponent = sweep.most.bit_length() - 1
        self.lines.append(f"{step} = 1 + 2**{exponent} // max(1, {self.size(sweep.row).text})")
        self.lines.append(f"for {start} in range(0, {self.size(Size.of(sweep.dim)).text}, {step}):")
        self.lines.append(f"{INDENT}{rows} = slice({start}, {start} + {step})")
        return rows

    def _rows(self, node: Node, expr: Expr, rows: str, size: Size) -> Expr:
        """The rows of an array that belong to the block, on a line of their own where they are used twice."""
        before = [":"] * self._shape_of(node).index(size)
        block = text.method(expr, f"[{', '.join([*before, rows])}]", fresh=False)
        if self.uses[node] < 2:
            return block
        chosen = self.fresh(f"{expr.text}_rows")
        self.lines.append(f"{chosen} = {block.text}")
        return Expr(chosen, fresh=False)

    def _large(self) -> dict[str, Shape]:
        """The shapes of large temporaries of which nothing else holds a part."""
        large = [n for n, node in self.lined.items() if entries(node.shape) >= LARGE and not is_mask(node)]
        held = {word for line in self.lines for word in self._held(line)} if large else set()
        return {name: self._shape_of(self.lined[name]) for name in large if name in self.owned and name not in held}

    def _held(self, line: str) -> list[str]:
        """The variables of which a line keeps a part, or may keep one."""
        name, assigned, value = line.partition(" = ")
        return [] if assigned and name in self.owned else re.findall(r"\w+", value or line)

    def _shape_of(self, node: Node) -> Shape:
        return tuple(node.shape[axis] for axis in self.layouts[node])

    def _shorten(self, results: list[Expr], roots: Sequence[Root]) -> None:
        """Give the longest of several results a line while they do not fit on one."""
        while len(results) > 1 and sum(len(r.text) + 2 for r in results) > LINE:
            longest = max(range(len(results)), key=lambda k: len(results[k].text))
            if results[longest].text.isidentifier():
                return
            chosen = self.fresh(roots[longest].name)
            self.lines.append(f"{chosen} = {results[longest].text}")
            results[longest] = text.name(chosen)

    @property
    def dtype(self) -> str:
        self.needs[self._dtype] = None
        return f"{self._dtype}.dtype"

    def _like(self, root: Root) -> str:
        self.needs[root.like] = None
        return root.like

    def help(self, template: str) -> None:
        """Note that a function of a template is called."""
        self.helpers[template] = None

    def factors(self, node: Node, uses: str, expr: Expr, swapped: bool) -> tuple[str, bool] | None:
        """The factors of a matrix that operations share, on a line of their own before the first."""
        found = factorised(node)
        if found not in self.shared or self.swept is not None:
            return None
        assert found is not None
        kind = "cholesky" if found.is_definite else "lu"
        for part in ("scipy.linalg.lapack", kind, *(f"{kind}:{use}" for use in uses.split())):
            self.help(part)
        if found not in self.factorised:
            name = self.names.get(found.node)
            stem = found.node.name if isinstance(found.node, Symbol) else name.text if name else ""
            chosen = self.fresh(f"{stem}_{kind}".lstrip("_"))
            self.lines.append(f"{chosen} = {CLASSES[kind]}({expr.text})")
            self.factorised[found] = chosen, swapped
        chosen, first = self.factorised[found]
        return chosen, first

    def size(self, size: Size) -> Expr:
        if self.swept in size.symbols:
            raise UnknownLength
        self.sizes[size] = None
        return self.size_name(size)

    def _uses(self, nodes: Iterable[Node], roots: Sequence[Root]) -> Counter[Node]:
        counts: Counter[Node] = Counter()
        for node in nodes:
            if not isinstance(node, View):
                counts.update(core(child) for child in node.operands)
            if isinstance(node, Product) and len(node.factors) == 1 and _squares(node):
                counts[node.factors[0][0]] += 1
            if isinstance(node, Map) and node.atom.name in ("nonzero", "regular") and node.rank:
                counts[node.arguments[0][1]] += 1
        for root in roots:
            counts[core(root.node)] += 1
        return counts

    def _node(self, node: Node) -> None:
        found = tiles(node) if isinstance(node, Add) else None
        if found is not None:
            self.done[node] = self._line(node, self._tiled(node, found))
        elif isinstance(node, Add) and any(self._scatters(term, node) for term in node.terms):
            base = [term for term in node.terms if not self._scatters(term, node)]
            self.done[node] = self._scatter(node, base, [term for term in node.terms if term not in base])
        elif isinstance(node, Embed | Scatter):
            if self.uses[node] > 1 or node in self.names:
                self.done[node] = self._scatter(node, [], [(1, node, tuple(range(node.rank)))])
        elif node in self.decomposed:
            self._decompose(*self.decomposed[node])
        else:
            self.done[node] = self._line(node, self._text(node))

    def _decompose(self, *both: Node) -> None:
        """Eigenvalues and eigenvectors, which one call gives, on one line."""
        if both[0] in self.done:
            return
        called = self._text(both[1]).text.removesuffix("[1]")
        chosen = []
        for node, hint in zip(both, ("eigenvalues", "eigenvectors"), strict=True):
            name = self.names.get(node)
            chosen.append(self.fresh(name.text if name else hint))
            self.owned[chosen[-1]] = False
            self.done[node] = text.name(chosen[-1])
        self.lines.append(f"{', '.join(chosen)} = {called}")

    def _tiled(self, node: Node, found: Tiles) -> Expr:
        """Arrays put together: side by side, or as blocks of a matrix."""
        target = self.layouts[node]
        alone = self._stacked(found.rows[0], found.axes[-1], target) if len(found.rows) == 1 else None
        if alone is not None:
            return alone
        rows = [[self._number(self._tile(tile, target)) for tile in row] for row in found.rows]
        if len(found.axes) == 2 and len(target) == 2:
            if target[0] == found.axes[1]:
                rows = [list(column) for column in zip(*rows, strict=True)]
            blocks = ", ".join(f"[{', '.join(part.text for part in row)}]" for row in rows)
            return Expr(f"np.block([{blocks}])", depth=text.deeper(*(part for row in rows for part in row)))
        joined = [self._joined(row, target.index(found.axes[-1])) for row in rows]
        return joined[0] if len(joined) == 1 else self._joined(joined, target.index(found.axes[0]))

    def _stacked(self, tiles: Sequence[Tile], axis: int, target: Labels) -> Expr | None:
        """Numbers as a vector, or arrays along a new axis, where that is what is put together."""
        rest = tuple(k for k in target if k != axis)
        if not all(is_one(tile.shape[axis]) and set(tile.array[2]) == set(rest) for tile in tiles):
            return None
        parts = [self._number(self.operand(tile.array, rest)) for tile in tiles]
        listed, depth = ", ".join(part.text for part in parts), text.deeper(*parts)
        if not rest:
            return Expr(f"np.array([{listed}], dtype={self.dtype})", depth=depth)
        after = f", axis={target.index(axis)}" if target.index(axis) else ""
        return Expr(f"np.stack(({listed}){after})", depth=depth)

    def _joined(self, parts: Sequence[Expr], axis: int) -> Expr:
        listed = ", ".join(part.text for part in parts)
        after = f", axis={axis}" if axis else ""
        return Expr(f"np.concatenate(({listed}){after})", depth=text.deeper(*parts))

    def _tile(self, tile: Tile, target: Labels) -> Expr:
        """One of the arrays that are put together, with all axes of the whole."""
        labels = tile.array[2]
        expr = self.operand(tile.array, target)
        if set(labels) < tile.varying or not (labels or isinstance(tile.array[1], Symbol)):
            sizes = [self.size(tile.shape[k]).text for k in target]
            shape = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
            if labels:
                return Expr(f"np.broadcast_to({expr.text}, {shape})", depth=text.deeper(expr))
            number = as_number(tile.array[1])
            if number == 1 and tile.array[0] in (0, 1):
                return Expr(f"np.{'ones' if tile.array[0] else 'zeros'}({shape}, dtype={self.dtype})")
            return Expr(f"np.full({shape}, {expr.text}, dtype={self.dtype})", depth=text.deeper(expr))
        leading = target.index(next(k for k in target if k in labels)) if labels else len(target)
        return text.method(expr, f"[{', '.join(['None'] * leading)}]") if leading else expr

    def _scatters(self, term: Operand, node: Add) -> bool:
        """Whether a term is put into its place in the sum, rather than computed and added."""
        return self._pending(term[1]) and len(set(term[2])) == len(term[2]) == node.rank

    def _pending(self, node: Node) -> bool:
        return isinstance(node, Embed | Scatter) and node not in self.done

    def _line(self, node: Node, expr: Expr) -> Expr:
        """The expression itself, or the name of the line it is given."""
        name = self.names.get(node)
        wanted = name is not None and name.hard
        long = LONG + 25 if node in self.alone else LONG
        if isinstance(node, LEAVES) or not (
            wanted or self.uses[node] > 1 or len(expr.text) > long or expr.depth > DEEP
        ):
            return expr
        return self._named(node, expr)

    def _named(self, node: Node, expr: Expr) -> Expr:
        """The expression on a line; its name."""
        chosen = self._chosen(node)
        self.lines.append(f"{chosen} = {expr.text}")
        self.lined[chosen] = node
        if expr.fresh:
            self.owned[chosen] = False
        return Expr(chosen, mask=expr.mask, fresh=False)

    def _chosen(self, node: Node) -> str:
        """A name for a value: the user's, that of a result, or one from the mathematics."""
        name = self.names.get(node)
        return self.fresh(name.text if name else self.roots[node] if node in self.whole else self._hint(node))

    def _hint(self, node: Node) -> str:
        """A name from the mathematics."""
        if is_mask(node):
            return "mask"
        if isinstance(node, Map):
            return self._map_hint(node)
        if isinstance(node, Product) and node.summed:
            return self._sum_hint(node)
        if isinstance(node, Add) and len(node.terms) == 2 and sorted(c > 0 for c, _, _ in node.terms) == [False, True]:
            if any(isinstance(n, Delta) for _, n, _ in node.terms) and any(n is one() for _, n, _ in node.terms):
                return "off_diagonal"
            slope = any(n is one() for _, n, _ in node.terms) and any(
                _is_square(n) for c, n, _ in node.terms if c == -1
            )
            return "slope" if slope else "difference"
        if isinstance(node, Product) and any(power < 0 for _, _, power in node.factors):
            return "ratio"
        return "t1"

    def _map_hint(self, node: Map) -> str:
        inner = self._identifier(node.arguments[0][1])
        if node.atom.name == "exp" and inner.startswith("log_"):
            return inner.removeprefix("log_")
        if node.atom.name == "power_of" and inner:
            return {2: f"{inner}_squared", Fraction(1, 2): f"{inner}_root"}.get(node.atom.exponent, "power")
        return MAP_HINTS.get(node.atom.name, "t1")

    def _sum_hint(self, node: Product) -> str:
        if node.symmetric:
            return "gram"
        inner = self._identifier(node.factors[0][0]) if len(node.factors) == 1 else ""
        return f"{inner}_sum" if inner and node.rank else "total" if not node.rank else "t1"

    def _identifier(self, node: Node) -> str:
        """The variable that holds a value, "" where it has none that says something."""
        held = self.done[node].text if node in self.done else ""
        return held if held.isidentifier() and not held[1:].isdigit() else ""

    # Operands

    def operand(self, term: Operand, target: Labels) -> Expr:
        """An operand aligned to the target labels, as NumPy broadcasts."""
        c, node, labels = term
        if node is one():
            return text.number(c)
        expr = self._aligned(node, labels, target)
        return expr if c == 1 else text.scaled(c, self._number(expr))

    def _stored(self, node: Node, labels: Labels, target: Labels = ()) -> tuple[Expr, Labels]:
        """The text of a node and the labels of its axes as they are stored; a repeated label is a diagonal.

        A symmetric node stands as the target wants it.
        """
        if self._pending(node):
            self.done[node] = self._scatter(node, [], [(1, node, tuple(range(node.rank)))])
        expr = self.done[node] if node is not one() else Expr("1")
        axes = tuple(labels[a] for a in self.layouts[node]) if node.rank else ()
        while len(set(axes)) < len(axes):
            twice = next(k for k in axes if axes.count(k) > 1)
            i = axes.index(twice)
            j = axes.index(twice, i + 1)
            tail = ".diagonal()" if len(axes) == 2 else f".diagonal(axis1={i}, axis2={j})"
            expr = text.method(expr, tail, fresh=False)
            axes = (*(k for position, k in enumerate(axes) if position not in (i, j)), twice)
        if node.symmetric and len(axes) == 2 and set(axes) <= set(target):
            axes = tuple(k for k in target if k in axes)
        return expr, axes

    def _aligned(self, node: Node, labels: Labels, target: Labels) -> Expr:
        expr, axes = self._stored(node, labels, target)
        return _spread(*_turned(expr, axes, target), target)

    # Nodes

    def _text(self, node: Node) -> Expr:
        if isinstance(node, Count):
            return self.size(node.size)
        if isinstance(node, Delta):
            return text.call("np.eye", self.size(node.shape[0]), after=f"dtype={self.dtype}")
        if isinstance(node, Constant):
            return self._constant(node)
        if isinstance(node, Arange):
            return text.call("np.arange", self.size(node.shape[0]), after=f"dtype={self.dtype}")
        if isinstance(node, Triangle):
            sizes = [*map(self.size, node.shape), text.number(node.offset)]
            return text.call("np.tri", *sizes, after=f"dtype={self.dtype}")
        target = self.layouts[node]
        if isinstance(node, Add):
            return self._sum(node.terms, target)
        if isinstance(node, Map):
            return self._map(node, target)
        if isinstance(node, Product):
            return self._product(node, target)
        assert isinstance(node, Operation)
        parts = [self._stored(n, labels) for _, n, labels in node.arguments]
        if not isinstance(node, Select):
            parts = [(self._number(expr), axes) for expr, axes in parts]
        made, found = node.numpy(parts, self)
        return _turned(made, found, target)[0]

    def _constant(self, node: Constant) -> Expr:
        if not node.rank:
            value = node.values[0]
            return Expr("np.nan" if value != value else "np.inf" if value > 0 else "-np.inf")
        shape = [size.constant or 0 for size in node.shape]
        listing = _nested([repr(int(v)) if v == int(v) else repr(v) for v in node.values], shape)
        return Expr(f"np.array({listing}, dtype={self.dtype})")

    def _sum(self, terms: Sequence[Operand], target: Labels) -> Expr:
        """A sum: a common coefficient comes out, positive terms first, constants and fresh contractions before the
        rest."""
        common = _common([c for c, _, _ in terms])
        inside = [(Fraction(c) / common, n, labels) for c, n, labels in terms]
        inside.sort(key=lambda t: (t[0] < 0, *_rank_of_term(t[1])))
        parts = []
        for c, node, labels in inside:
            part = self.operand((plain(abs(c)), node, labels), target)
            parts.append((c > 0, self._number(part) if part.mask else part))
        return text.scaled(plain(common), self._added(parts))

    def _added(self, parts: list[tuple[bool, Expr]]) -> Expr:
        """The sum as one expression, or a line for every `MOST_TERMS` terms."""
        if len(parts) <= MOST_TERMS:
            return text.total(parts)
        name = self.fresh("total")
        self.lines.append(f"{name} = {text.total(parts[:MOST_TERMS]).text}")
        for start in range(MOST_TERMS, len(parts), MOST_TERMS):
            more = text.total([(True, text.name(name)), *parts[start : start + MOST_TERMS]])
            self.lines.append(f"{name} = {more.text}")
        self.owned[name] = False
        return text.name(name)

    def _number(self, mask: Expr) -> Expr:
        """A mask as numbers of the working dtype, lest booleans add as booleans."""
        return text.method(mask, f".astype({self.dtype})") if mask.mask else mask

    def _map(self, node: Map, target: Labels) -> Expr:
        parts = [self.operand(argument, target) for argument in node.arguments]
        name = node.atom.name
        if name in INFIX:
            compared = self._infix(INFIX[name], parts)
            return text.call("float", compared) if node in self.weak else compared
        if name == "logical_not" and node in self.weak:
            return Expr(f"float(not {parts[0].at(text.COMPARE)})", depth=text.deeper(*parts))
        if name == "logical_not":
            return Expr(f"~{parts[0].at(text.SIGN)}", text.SIGN, mask=True, depth=text.deeper(*parts))
        if name == "where":
            chosen = text.call("np.where", *parts)
            plain = all(n is one() or n in self.weak or is_mask(n) for _, n, _ in node.arguments[1:])
            return text.method(chosen, f".astype({self.dtype})") if plain else chosen
        parts = [self._number(part) for part in parts]
        called = self._called(node, parts)
        return text.call("float", called) if node in self.weak and _called_by_a_library(called) else called

    def _called(self, node: Map, parts: Sequence[Expr]) -> Expr:
        name = node.atom.name
        if name == "power_of":
            if node in self.weak and node.atom.exponent < 0:
                return _inverse(parts[0], -node.atom.exponent)
            return text.power(parts[0], node.atom.exponent)
        if isinstance(node.atom, Unknown):
            return self._unknown(node.atom, parts)
        if name == "relu":
            return text.call("np.maximum", *parts, after="0")
        if name == "root":
            return text.call("np.sqrt", *parts)
        if name in SCIPY:
            self.helpers["scipy.special"] = None
            said = SCIPY[name].format(parts[0].at(text.POWER) if name == "mills" else parts[0].text)
            if "polygamma" in said:
                said += f".astype({self.dtype})"
            return Expr(said, text.TERM if name == "mills" else text.ATOM, depth=text.deeper(*parts))
        if name == "nonzero":
            return self._nonzero(node, parts[0])
        if name == "regular":
            return text.call("np.where", Expr(f"{parts[0].at(text.SUM)} != 0", text.COMPARE), parts[0], after="np.nan")
        if name == "lowered":
            return Expr(f"{parts[0].at(text.SUM)} - ({parts[0].at(text.SUM)} != 0)", text.SUM)
        if name == "heaviside":
            return text.call("np.heaviside", *parts, after="0.5")
        if name == "absolute":
            return text.call("np.abs", *parts)
        if name == "power":
            return Expr(f"{parts[0].at(text.ATOM)}**{parts[1].at(text.POWER)}", text.POWER, depth=text.deeper(*parts))
        return text.call(f"np.{name}", *parts)

    def _unknown(self, atom: Unknown, parts: Sequence[Expr]) -> Expr:
        """A call of a function that is given at run time."""
        self.functions[atom.function, atom.degree] = None
        said = self.called(atom.function, atom.degree) if self.called else atom.function + "'" * atom.degree
        return text.call(said, *parts)

    def _nonzero(self, node: Map, part: Expr) -> Expr:
        """The number, or infinity in place of 0."""
        if not node.rank:
            return Expr(f"({part.text} or np.inf)", depth=text.deeper(part))
        above = Expr(f"{part.at(text.SUM)} != 0", text.COMPARE)
        return text.call("np.where", above, part, after="np.inf")

    def _infix(self, sign: str, parts: Sequence[Expr]) -> Expr:
        level = {"&": text.AND, "|": text.OR}.get(sign, text.COMPARE)
        left, right = (part.at(level + 1 if level == text.COMPARE else text.SUM) for part in parts)
        if level != text.COMPARE and not all(part.mask for part in parts):
            return Expr(f"np.logical_{'and' if sign == '&' else 'or'}({parts[0].text}, {parts[1].text})", mask=True)
        return Expr(f"{left} {sign} {right}", level, mask=True, depth=text.deeper(*parts))

    def _product(self, node: Product, target: Labels) -> Expr:
        if len(node.factors) == 1:
            return self._single(node, target)
        first, second = node.factors
        if node.summed:
            return self._contraction(node, first, second, target)
        return self._entrywise(first, second, target)

    def _single(self, node: Product, target: Labels) -> Expr:
        factor, labels, power = node.factors[0]
        expr, axes = self._stored(factor, labels)
        if not node.summed:
            base = self._number(_turned(expr, axes, target)[0])
            raised = _inverse(base, -power) if power < 0 and node in self.weak else text.power(base, power)
            return text.call("float", raised) if node in self.weak and _called_by_a_library(raised) else raised
        if _squares(node):
            if not node.rank:
                return text.dot(expr, expr) if len(axes) == 1 else text.call("np.vdot", expr, expr)
            return self._einsum([(expr, axes), (expr, axes)], target)
        if len(set(labels)) < len(labels) and node.rank == 0 and power == 1 and len(labels) == 2:
            return text.call("np.trace", self._number(self._stored(factor, (0, 1))[0]))
        gone = [str(position) for position, k in enumerate(axes) if k >= node.rank]
        kept = tuple(k for k in axes if k < node.rank)
        axis = "" if not kept else f"axis={gone[0]}" if len(gone) == 1 else f"axis=({', '.join(gone)})"
        if expr.mask:
            axis = ", ".join(part for part in (axis, f"dtype={self.dtype}") if part)
        inside = text.power(expr, power)
        if inside.level == text.ATOM:
            return _turned(text.method(inside, f".sum({axis})"), kept, target)[0]
        return _turned(text.call("np.sum", inside, after=axis), kept, target)[0]

    def _entrywise(self, first: Factor, second: Factor, target: Labels) -> Expr:
        stored = [(*f, *self._stored(f[0], f[1], target)) for f in (first, second)]
        # Masks come last: a literal coefficient times a mask would be an array of wide integers.
        stored.sort(key=lambda f: (f[2] < 0, f[3].mask or is_mask(f[0]), *_rank_of_factor(f[:3])))
        (a, _, p, left, la), (b, _, q, right, lb) = stored
        if isinstance(b, Delta) and p == 1 and len(la) == 1 and la[0] in lb:
            return text.call("np.diag", self._number(left))
        if isinstance(b, Triangle) and p == q == 1 and set(lb) == set(target[-2:]) and set(la) == set(target):
            return self._triangle(b, _turned(self._number(left), la, target)[0], lb == target[-2:])
        if p == q == 1 and len(la) == len(lb) == 1 and la != lb:
            pair = [left, right] if (la + lb) == target else [right, left]
            return text.call("np.outer", *(self._number(part) for part in pair))
        left, right = (_spread(*_turned(e, axes, target), target) for e, axes in ((left, la), (right, lb)))
        if a in self.weak or b in self.weak:  # a number times a mask is no floating array
            left, right = self._number(left), self._number(right)
        if left.mask and right.mask:
            return self._infix("&", [left, right])
        if q < 0 and a in self.weak and b in self.weak:
            quotient = text.times(text.power(left, p), _inverse(right, -q))
            return text.call("float", quotient) if _called_by_a_library(quotient) else quotient
        if p < 0:
            inverse = _inverse(left, -p) if a in self.weak else text.power(left, p)
            return text.over(inverse, text.power(right, -q))
        if q < 0:
            return text.over(text.power(self._number(left), p), text.power(self._number(right), -q))
        narrow = len(lb) < len(target)  # (X * y) / z takes a pass more than X * (y / z)
        return text.times(text.power(left, p), text.power(right, q), apart=narrow and len(la) > len(lb))

    def _triangle(self, mask: Triangle, expr: Expr, lower: bool) -> Expr:
        """The lower or upper triangle of matrices."""
        offset = mask.offset if lower else -mask.offset
        return text.call("np.tril" if lower else "np.triu", expr, after=str(offset) if offset else "")

    def _contraction(self, node: Product, first: Factor, second: Factor, target: Labels) -> Expr:
        """The table of cases: an inner product, a matrix product, else an einsum of two operands."""
        (a, i, _), (b, j, _) = first, second
        (left, la), (right, lb) = self._stored(a, i), self._stored(b, j)
        inner = [k for k in la if k >= node.rank]
        left, right = self._number(left), self._number(right)
        if len(inner) == 1 and target and target[0] in lb:
            la, lb = either(a, la, inner[0], 0), either(b, lb, inner[0], 1)
        elif len(inner) == 1:
            la, lb = either(a, la, inner[0], 1), either(b, lb, inner[0], 0)
        if set(la) == set(lb) and (a.symmetric or b.symmetric):
            la, lb = (la, la) if b.symmetric else (lb, lb)
        if not target and len(set(la)) == len(la):
            if len(la) == 1:
                return text.dot(left, right)
            return text.call("np.vdot", left, _turned(right, lb, la)[0])
        batch = [k for k in la if k in lb and k < node.rank]
        if len(inner) == 1 and not batch:
            if target and target[0] in lb:
                (left, la), (right, lb) = (right, lb), (left, la)
            if len(lb) == 1 and len(la) == 2 and la == (inner[0], *target):
                return text.dot(right, left)
            left, la = _turned(left, la, (*(k for k in target if k in la), inner[0]))
            right, lb = _turned(right, lb, (inner[0], *(k for k in target if k in lb)))
            if len(lb) <= 2 and (*la[:-1], *lb[1:]) == target:
                return text.dot(left, right)
            (left, la), (right, lb) = self._stored(a, i), self._stored(b, j)
        return self._einsum([(left, la), (right, lb)], target)

    def _einsum(self, parts: Sequence[tuple[Expr, Labels]], target: Labels) -> Expr:
        letters: dict[int, str] = {}
        for _, axes in parts:
            for label in axes:
                letters.setdefault(label, "ijklmnpqrst"[len(letters)])
        spelled = ["".join(letters[k] for k in axes) for axes in (*(axes for _, axes in parts), target)]
        pattern = f'"{",".join(spelled[:-1])}->{spelled[-1]}"'
        return text.call("np.einsum", Expr(pattern), *(self._number(expr) for expr, _ in parts))

    # Results

    def _own(self, expr: Expr) -> Expr:
        """The result, copied where it is an argument, a view, or a value that was returned before."""
        if expr.fresh or (expr.text in self.owned and not self.owned.pop(expr.text)):
            return expr
        return text.method(expr, ".copy()")

    def _root(self, root: Root) -> Expr:
        c, node, labels = operand(root.node, tuple(range(root.node.rank)))
        target = tuple(range(root.node.rank))
        value = as_number(root.node)
        if value is not None:
            return self._filled(value, root)
        if self._pending(node) and labels == target == self.layouts[node]:
            return self._scatter(node, [], [(c, node, tuple(range(node.rank)))])
        expr, axes = self._stored(node, labels, target)
        turned, axes = _turned(expr, axes, target)
        turned = self._number(turned)
        if len(axes) == len(target):
            return text.scaled(c, turned)
        expr = text.scaled(c, _spread(turned, axes, target))
        if node in self.weak and root.like:
            return Expr(f"np.full_like({self._like(root)}, {expr.text})")
        if node in self.weak:
            return Expr(f"np.full({self._shape(root.node.shape)}, {expr.text}, dtype={self.dtype})")
        return self._broadcast(expr, root)

    def _filled(self, value: Number, root: Root) -> Expr:
        if root.like and value in (0, 1):
            return Expr(f"np.{'ones' if value else 'zeros'}_like({self._like(root)})")
        if root.like:
            return Expr(f"np.full_like({self._like(root)}, {text.number(value).text})")
        if not root.node.rank:
            return text.number(value)
        shape = self._shape(root.node.shape)
        if value in (0, 1):
            return Expr(f"np.{'ones' if value else 'zeros'}({shape}, dtype={self.dtype})")
        return Expr(f"np.full({shape}, {text.number(value).text}, dtype={self.dtype})")

    def _broadcast(self, expr: Expr, root: Root) -> Expr:
        shape = f"{self._like(root)}.shape" if root.like else self._shape(root.node.shape)
        return Expr(f"np.broadcast_to({expr.text}, {shape})", fresh=False)

    def _shape(self, shape: Shape) -> str:
        sizes = [self.size(size).text for size in shape]
        return sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"

    def _scatter(self, node: Node, base: Sequence[Operand], terms: Sequence[Operand]) -> Expr:
        """Zeros, or what is not put in place, and then each part at its place."""
        target = self.layouts[node]
        shape = tuple(node.shape[a] for a in target)
        name = self.names.get(node)
        chosen = self.fresh(name.text if name else self.roots.get(node, "total"))
        if any(len(set(labels)) == len(target) for _, _, labels in base):
            start = self._number(self._sum(base, target) if len(base) > 1 else self.operand(base[0], target))
            self.lines.append(f"{chosen} = {start.text}" if start.fresh else f"{chosen} = {start.at(text.ATOM)}.copy()")
        else:
            self.lines.append(f"{chosen} = np.zeros({self._shape(shape)}, dtype={self.dtype})")
            for term in base:
                self._accumulate(
                    chosen, "", term[0] > 0, self.operand((text.magnitude(term[0]), term[1], term[2]), target)
                )
        for position, (c, piece, labels) in enumerate(terms):
            place = {label: axis for axis, label in enumerate(labels)}
            stands = tuple(place[k] for k in target)
            alone = not base and all(_apart(term, (c, piece, labels)) for term in terms[:position])
            (self._put if isinstance(piece, Embed) else self._add_up)(chosen, (c, piece), stands, alone)
        self.owned[chosen] = False
        return text.name(chosen)

    def _put(self, chosen: str, piece: tuple[Number, Node], stands: Labels, alone: bool) -> None:
        """An array at its place among zeros, or added to what is there; ``stands`` is the order of the axes."""
        c, node = piece
        assert isinstance(node, Embed)
        where = index(node.picks, node.shape, stands, self)
        inner = tuple(k for k, pick in enumerate(node.picks) if not isinstance(pick, Size))
        added, expr = self._body(c, operand(node.node, inner), tuple(k for k in stands if k in inner))
        if alone:
            self.lines.append(f"{chosen}{where} = {(expr if added else text.minus(expr)).text}")
        else:
            self._accumulate(chosen, where, added, expr)

    def _add_up(self, chosen: str, piece: tuple[Number, Node], stands: Labels, alone: bool) -> None:
        """Entries added at indices, which may repeat."""
        c, node = piece
        assert isinstance(node, Scatter)
        places, axes = node.brackets(stands, [(self.done[symbol], ()) for symbol in node.symbols], self)
        where = f"[{', '.join(places)}]"
        added, expr = self._body(c, operand(node.node, tuple(range(node.node.rank))), axes)
        if node.distinct and alone:
            self.lines.append(f"{chosen}{where} = {(expr if added else text.minus(expr)).text}")
        elif node.distinct:
            self._accumulate(chosen, where, added, expr)
        else:
            said = ", ".join("slice(None)" if entry == ":" else entry for entry in places)
            place = f"({said})" if len(places) > 1 else said
            self.lines.append(f"np.{'add' if added else 'subtract'}.at({chosen}, {place}, {expr.text})")

    def _body(self, c: Number, body: Operand, axes: Labels) -> tuple[bool, Expr]:
        """What is put somewhere: whether it is added, and its magnitude with the axes in an order."""
        e, node, labels = body
        return c * e > 0, self._number(self.operand((text.magnitude(c * e), node, labels), axes))

    def _accumulate(self, name: str, where: str, added: bool, expr: Expr) -> None:
        self.lines.append(f"{name}{where} {'+' if added else '-'}= {expr.text}")


def _apart(one: Operand, other: Operand) -> bool:
    """Whether two arrays are put into places that have nothing in common."""
    (_, a, i), (_, b, j) = one, other
    if not (isinstance(a, Embed) and isinstance(b, Embed)):
        return False
    first, second = dict(zip(i, a.picks, strict=True)), dict(zip(j, b.picks, strict=True))
    return any(apart(first[k], second[k]) for k in first)


def _is_core(node: Node) -> bool:
    """Whether a result is the value of a node, whose axes may be in another order, and no multiple of it."""
    return not isinstance(node, View) or (node.coefficient == 1 and node.rank == node.node.rank)


def _called_by_a_library(expr: Expr) -> bool:
    """Whether a number comes as a NumPy scalar, which would widen float32."""
    return bool(re.search(r"\b(np|scipy)\.[\w.]+\(", expr.text))


def _inverse(expr: Expr, power: Number) -> Expr:
    """1 / expr for Python numbers, which raise at 0: where the length of an axis is 0, what it divides is summed over
    nothing; a number such as n (n - 1) divides what may well be there, and NumPy has NaN for 0 / 0."""
    several = expr.level <= text.SUM and re.search(r"[^\W\d]\w* \*+ [^\W\d]|\*\*", expr.text)
    instead = "np.nan" if several else "1"
    return text.power(Expr(f"({expr.text} or {instead})", depth=text.deeper(expr)), -power)


def _is_square(node: Node) -> bool:
    return isinstance(node, Map) and node.atom.name == "power_of" and node.atom.exponent == 2


def _squares(node: Product) -> bool:
    """Whether a product of one factor is a sum of squares, which names the factor twice."""
    _, labels, power = node.factors[0]
    return power == 2 and bool(node.summed) and len(set(labels)) == len(labels)


def either(node: Node, axes: Labels, inner: int, position: int) -> Labels:
    """The axes of a matrix in a product, the summed one at its place where the matrix is symmetric."""
    return axes[::-1] if node.symmetric and len(axes) == 2 and axes[1 - position] == inner else axes


def _turned(expr: Expr, axes: Labels, target: Labels) -> tuple[Expr, Labels]:
    """The array with its axes in the order of the target."""
    wanted = tuple(k for k in target if k in axes)
    if wanted == axes or set(wanted) != set(axes):
        return expr, axes
    return replace(text.permuted(expr, axes, wanted), fresh=expr.fresh), wanted


def _spread(expr: Expr, axes: Labels, target: Labels) -> Expr:
    """New axes where the target has labels between or behind those of the array."""
    if not axes:
        return expr
    entries = [":" if k in axes else "None" for k in target[target.index(axes[0]) :]]
    return expr if "None" not in entries else text.method(expr, f"[{', '.join(entries)}]", fresh=False)


def _common(coefficients: Sequence[Number]) -> Fraction:
    """The coefficient that comes out of a sum: where all have one magnitude, or one divides the others into
    integers."""
    sizes = [abs(Fraction(c)) for c in coefficients]
    least = min(sizes)
    common = (
        least
        if least != 1 and all((s / least).denominator == 1 for s in sizes) and len(set(sizes)) == 1
        else Fraction(1)
    )
    return -common if common != 1 and all(c < 0 for c in coefficients) else common


def plain(value: Number) -> Number:
    """An integral fraction as an integer."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def _rank_of_term(node: Node) -> tuple[bool, bool, int]:
    """Constants, then fresh contractions, then in the order of creation."""
    return node is not one(), not (isinstance(node, Product) and bool(node.summed)), node.serial


def _rank_of_factor(factor: Factor) -> tuple[bool, bool, int]:
    """Scalars first, identities last."""
    node = factor[0]
    return bool(node.rank), isinstance(node, Delta | Triangle), node.serial


def _nested(entries: Sequence[str], shape: Sequence[int]) -> str:
    if len(shape) <= 1:
        return "[" + ", ".join(entries) + "]"
    step = len(entries) // shape[0] if shape[0] else 0
    rows = [_nested(entries[k * step : (k + 1) * step], shape[1:]) for k in range(shape[0])]
    return "[" + ", ".join(rows) + "]"
