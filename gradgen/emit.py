"""The NumPy module of a loss or function: what stands in it is decided here, the template prints it, black formats it.

Kernels (``_loss``, ``_grad``, …) hold the mathematics on checked arrays; public functions pass the door, call a
kernel and own the result; the class behind `bind` keeps the data and what was computed from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import black
from black.mode import Mode, TargetVersion
from black.parsing import InvalidInput

from gradgen import text
from gradgen.binding import Binder, BoundText
from gradgen.dims import Size, is_one
from gradgen.door import restored, size_lines
from gradgen.functions import DOCS, MAPPED, Function, Shape
from gradgen.identifiers import Fresh, Identifiers, listed, packed, words
from gradgen.layout import layouts
from gradgen.nodes import Node, Product, Symbol, view
from gradgen.plan import Kernel, Plan
from gradgen.public import door_function, public_function, quoted, value_shape
from gradgen.samples import Samples
from gradgen.spell import Body, Root, Speller, UnknownLength
from gradgen.sweeps import Sweep
from gradgen.tally import Cost, tally
from gradgen.tape import Argument, Tape
from gradgen.templating import render
from gradgen.text import INDENT, Expr
from gradgen.walk import Names, order, preferred


@dataclass(frozen=True)
class ModuleText:
    """Everything that the template of a module prints."""

    header: str
    doc: str
    imports: tuple[str, ...]
    public: tuple[str, ...]
    kernels: tuple[Function, ...]
    functions: tuple[Function, ...]
    bound: BoundText
    door: Function
    kind: str
    direction: str
    owned: str
    function: str
    cotangent: str
    uses: frozenset[str]
    helpers: tuple[str, ...]


def formatted(source: str) -> str:
    """The source in black's style. Functions and classes that recur from module to module are formatted once; a helper
    that two others bring along stands once."""
    try:
        return "\n\n\n".join(_block(block).rstrip("\n") for block in dict.fromkeys(BLOCKS.split(source))) + "\n"
    except InvalidInput:  # what looks like a function stands inside a string
        return _block(source)


STYLE = Mode(target_versions={TargetVersion.PY311})  # said, since a block alone may not show it
BLOCKS = re.compile(r"\n\n+(?=@|def |class )")


@lru_cache(512)
def _block(source: str) -> str:
    """A top-level function or class, or what stands before the first: the one place that calls black."""
    return black.format_str(source, mode=STYLE)


def module(tape: Tape, planned: Plan, header: str, formulas: Sequence[str]) -> str:
    """The text of the module of a loss or a function."""
    return formatted(render("module.py.j2", module=Writer(tape, planned).module(header, formulas)))


def statements(tape: Tape, planned: Plan) -> str:
    """The private functions that hold the mathematics, as they stand in the module."""
    return formatted("\n\n".join(f.text for f in Writer(tape, planned).private()))


def listing(tape: Tape, planned: Plan) -> str:
    """The private functions with what each statement costs, and along which axis each could run block by block."""
    writer = Writer(tape, planned)
    axes = {writer.ids.kernels[k.name]: k.samples for k in planned.kernels}
    axes |= {writer.ids.replaced[k.name]: k.samples for k in planned.bound}
    return formatted("\n\n".join(_priced(f, writer.costs(f), axes.get(f.name)) for f in writer.private()))


def _priced(function: Function, costs: Sequence[Cost], along: Samples | None) -> str:
    """A function with the cost of each statement above it."""
    lines = [*function.lines, f"return {function.result}"]
    priced = zip(lines, costs, strict=True)
    said = [f"{_remark(line, cost)}{INDENT}{line}\n" for line, cost in priced]
    blocks = f"    # {along}\n" if along else ""
    return f"def {function.name}({function.parameters}):\n{blocks}{''.join(said)}"


def _remark(line: str, cost: Cost) -> str:
    """The cost of a statement, a comment above it; that of one in a loop is for all of its rounds."""
    inside = line[: len(line) - len(line.lstrip())]
    return f"{INDENT}{inside}# {cost}\n" if cost.bytes.terms else ""


def costs(tape: Tape, planned: Plan) -> dict[str, Cost]:
    """What each private function costs by its name."""
    writer = Writer(tape, planned)
    return {f.name: sum(writer.costs(f), Cost()) for f in writer.private()}


class Writer:
    """Holds the names of one module; every method gives a part of its text."""

    def __init__(self, tape: Tape, planned: Plan, reserved: Sequence[str] = ()) -> None:
        self.tape, self.plan = tape, planned
        self.ids = Identifiers(tape, (k.name for k in planned.kernels), reserved)
        fresh = Fresh(self.ids.taken)
        names = planned.names
        self.hoisted = {node: fresh(_said_of(node, names)) for node in planned.hoisted}
        self.stored = layouts(order(planned.hoisted), [], {}, preferred(names))
        self.helpers: set[str] = set()

    def module(self, header: str, formulas: Sequence[str]) -> ModuleText:
        kernels, replaced, hoist = self._kernels(), self._replaced(), self._hoist() if self.hoisted else None
        remark = GRAMS[self.plan.gram]
        binder = Binder(self.ids, self.tape, kernels | replaced, hoist, list(self.hoisted.values()), remark)
        door, bound = door_function(self.ids, self.tape), binder.text()
        public = tuple(public_function(self.ids, self.tape, name, kernel) for name, kernel in kernels.items())
        lines = [*door.lines, *bound.init, *(line for f in (*public, *bound.methods) for line in (*f.lines, f.result))]
        kind = "function" if self.tape.function else "loss"
        return ModuleText(
            header=header,
            doc=_docstring(self.tape.doc or f"The {kind} {self.tape.name}.", formulas),
            imports=("import numpy as np", *(f"import {name}" for name in sorted(self.helpers) if "." in name)),
            public=(*kernels, "bind"),
            kernels=(*kernels.values(), *([hoist] if hoist else []), *replaced.values()),
            functions=public,
            bound=bound,
            door=door,
            kind=kind,
            direction=self.ids.direction,
            owned=self.ids.owned,
            function=self.ids.function,
            cotangent=self.ids.shaped,
            uses=self._uses(lines),
            helpers=tuple(sorted(name for name in self.helpers if "." not in name)),
        )

    def _uses(self, lines: Sequence[str]) -> frozenset[str]:
        """The helpers that statements call, and that those call."""
        found = set(re.findall(r"\b\w+(?=\()", "\n".join(lines)))
        checked = {self.ids.direction, self.ids.shaped} & found
        return frozenset(found | ({"_mismatch"} if checked else set()))

    def costs(self, function: Function) -> list[Cost]:
        """What each statement of a private function costs, and what its result does."""
        sizes = {name: Size.of(dim) for dim, name in self.ids.dims.items()}
        return tally([*function.lines, f"return {function.result}"], dict(function.shapes), sizes)

    def private(self) -> list[Function]:
        return [*self._kernels().values(), *([self._hoist()] if self.hoisted else []), *self._replaced().values()]

    def _kernels(self) -> dict[str, Function]:
        return {k.name: self._kernel(k, self.ids.kernels[k.name]) for k in self.plan.kernels}

    def _replaced(self) -> dict[str, Function]:
        return {k.name: self._kernel(k, self.ids.replaced[k.name]) for k in self.plan.bound}

    def _spelled(
        self,
        roots: Sequence[Root],
        given: dict[Node, str],
        taken: Iterable[str],
        arguments: Sequence[Argument],
        sweep: Sweep | None = None,
    ) -> Body:
        """The statements that compute the roots; names in ``taken`` are not used for new values."""
        ids = self.ids

        def size(value: Size) -> Expr:
            plain = value.symbol or value.constant is not None
            return Expr(value.spell(ids.size), text.ATOM if plain else text.SUM, fresh=False)

        local = [Root(r.node, self._like(r), r.name) for r in roots]
        fresh, dtype = Fresh((*ids.taken, *taken)), self._typed(given, arguments)
        try:
            body = Speller(given, self.plan.names, fresh, size, dtype, self.stored, ids.called).write(local, sweep)
        except UnknownLength:
            return self._spelled(roots, given, taken, arguments)
        self.helpers.update(body.helpers)
        return body

    def _typed(self, given: Mapping[Node, str], arguments: Sequence[Argument]) -> str:
        """An array of the working dtype."""
        indices = self.ids.of(self.ids.indices)
        arrays = [n for node, n in given.items() if isinstance(node, Symbol) and node.rank and n not in indices]
        return arrays[0] if arrays else self.ids.typed(arguments)

    def _like(self, root: Root) -> str:
        """The argument of the shape of a result; also for the one entry of the Hessian by a vector of one entry."""
        names = [w.name for w in self.ids.wrt if w.shape]
        if root.name == "hessian" and not root.node.rank and names:
            return self.ids.local[names[0]]
        return self.ids.local[root.like] if root.like in names else ""

    def _given(self, symbols: Iterable[Symbol]) -> dict[Node, str]:
        return {s: self.ids.local[self._said(s)] for s in symbols}

    def _said(self, symbol: Symbol) -> str:
        """The name of a symbol as the user knows it."""
        if symbol is self.plan.cotangent:
            return self.ids.cotangent
        return self.ids.directions[symbol.name[1:]] if symbol.direction else symbol.name

    def _function(
        self, name: str, doc: str, body: Body, given: dict[Node, str], result: str, arguments: Sequence[Argument]
    ) -> Function:
        """A private function: its parameters are the arguments that it uses, in their order, then what was hoisted."""
        used = {name for node, name in given.items() if isinstance(node, Symbol)} | set(body.needs)
        sizes, sources = size_lines(self.ids, body.sizes, (*body.lines, result), used, arguments)
        used |= sources | {self.ids.called(*function) for function in body.functions}
        parameters = [n for n in self.ids.ranked() if n in used]
        parameters += [name for node, name in given.items() if not isinstance(node, Symbol)]
        shapes = {self.ids.local[a.name]: tuple(s for s in a.shape if not is_one(s)) for a in self.ids.arguments}
        shapes |= {said: self._shape(node) for node, said in given.items()}
        taken = tuple((said, shape) for said, shape in shapes.items() if said in parameters)
        return Function(name, ", ".join(parameters), doc, (*sizes, *body.lines), result, shapes=taken)

    def _shape(self, node: Node) -> Shape:
        """The shape of a value that a private function is given, as it stands in memory, in the spec's dimensions."""
        shape = [node.shape[axis] for axis in self.stored.get(node, range(node.rank))]
        declared = {dim.name: dim for dim in self.ids.dims}
        return tuple(s.substitute({dim: declared[dim.name] for dim in s.symbols}) for s in shape)

    def _hoist(self) -> Function:
        """What depends on the data alone; the values have the names under which the kernels take them."""
        given = self._given(s for s in order(self.plan.hoisted) if isinstance(s, Symbol))
        roots = [Root(self._as_stored(node), "", name) for node, name in self.hoisted.items()]
        body = self._spelled(roots, given, (), self.ids.data)
        result = ", ".join(r.text for r in body.results)
        return self._function(self.ids.hoist, "What depends on the data alone.", body, given, result, self.ids.data)

    def _as_stored(self, node: Node) -> Node:
        """The node with its axes in the order in which it is handed over."""
        order_ = self.stored[node]
        return view(1, node, tuple(order_.index(k) for k in range(node.rank)), tuple(node.shape[k] for k in order_))

    def _kernel(self, kernel: Kernel, private: str) -> Function:
        given = self._given(kernel.symbols) | {node: self.hoisted[node] for node in kernel.hoisted}
        body = self._spelled(kernel.roots, given, self.hoisted.values(), self.ids.arguments, kernel.sweep)
        doc = DOCS[kernel.name].format(wrt=words(self.tape.wrt))
        if kernel.name in MAPPED:
            body, result = self._mapped(
                value_shape(self.ids, self.tape, kernel.name), body, self._typed(given, self.ids.arguments)
            )
        else:
            result = self._result(kernel.name, body)
        return self._function(private, doc, body, given, result, self.ids.arguments)

    def _mapped(self, shape: Sequence[Size], body: Body, typed: str) -> tuple[Body, str]:
        """The returned expression of a map; where its shape is all of 1, it may be a plain number."""
        [found] = body.results
        if not shape or not all(map(is_one, shape)):
            return body, _restored(found, shape)
        sizes = listed([str(size) for size in shape])
        return replace(body, needs=(*body.needs, typed)), f"np.full(({sizes}), {found.text}, dtype={typed}.dtype)"

    def _result(self, name: str, body: Body) -> str:
        """The returned expression; axes of literal 1 are put back."""
        if name == "loss":
            return body.results[0].text
        if name == "hessian":
            [w] = self.ids.wrt
            one_entry = w.shape and is_one(w.shape[0])
            return f"np.asarray({body.results[0].text})[None, None]" if one_entry else body.results[0].text
        arrays = [_restored(r, w.shape) for r, w in zip(body.results[-len(self.ids.wrt) :], self.ids.wrt, strict=True)]
        joined = packed(arrays, self.tape.several)
        return f"{body.results[0].text}, {joined}" if name == "value_and_grad" else joined


GRAMS = {
    "": (),
    "formed": (
        "Residuals are replaced by Gram matrices of the data (gram=True): fast where there are many rows, less",
        "accurate where a residual is small.",
    ),
    "kept": ("Residuals are computed as they stand; @loss(..., gram=True) would use Gram matrices of the data.",),
}


def _said_of(node: Node, names: Names) -> str:
    """A name for a value of the data."""
    if node in names:
        return names[node].text
    if not isinstance(node, Product):
        return "fixed"
    symbols = [n.name for n, _, _ in node.factors if isinstance(n, Symbol)]
    if len(symbols) == len(node.factors) == 1 and node.factors[0][2] == 1:
        return f"{symbols[0]}_sum"
    if len(symbols) == len(node.factors) == 2 and len(set(symbols)) == 2 and node.summed:
        return f"{symbols[1]}_{symbols[0]}"
    return "gram" if node.symmetric else "fixed"


def _restored(expr: Expr, shape: Sequence[Size]) -> str:
    """A result with its axes of literal 1 back in place."""
    brackets = restored(shape)
    if not brackets:
        return expr.text
    inside = f"np.asarray({expr.text})" if all(map(is_one, shape)) else expr.at(text.ATOM)
    return f"{inside}{brackets}"


def _docstring(doc: str, formulas: Sequence[str]) -> str:
    return quoted("\n".join([*doc.splitlines(), *([""] if formulas else []), *formulas]))
