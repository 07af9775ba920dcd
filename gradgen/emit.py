"""The NumPy module of a loss: what stands in it is decided here, the template prints it, black formats it.

Kernels (``_loss``, ``_grad``, …) hold the mathematics on checked arrays; public functions pass the door, call a
kernel and own the result; the class behind `bind` keeps the data and what was computed from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import black
from black.mode import Mode, TargetVersion
from black.parsing import InvalidInput

from gradgen import text
from gradgen.binding import Binder, BoundText
from gradgen.dims import Let, Size, is_one
from gradgen.door import checks, restored, squeezed, unpacked
from gradgen.functions import DOCS, Function, described, direction_line, shape_text
from gradgen.identifiers import Fresh, Identifiers, free, packed, renamed, squeezed_axis, words
from gradgen.layout import layouts
from gradgen.nodes import Node, Symbol, view
from gradgen.plan import Kernel, Plan
from gradgen.spell import Body, Root, Speller
from gradgen.tape import Argument, Tape
from gradgen.templating import render
from gradgen.text import Expr
from gradgen.walk import order, preferred


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
    direction: str
    owned: str
    solves: bool
    searches: bool
    bounds: bool


def formatted(source: str) -> str:
    """The source in black's style. Functions and classes that recur from module to module are formatted once."""
    try:
        return "\n\n\n".join(_block(block).rstrip("\n") for block in BLOCKS.split(source)) + "\n"
    except InvalidInput:  # what looks like a function stands inside a string
        return _block(source)


STYLE = Mode(target_versions={TargetVersion.PY311})  # said, since a block alone may not show it
BLOCKS = re.compile(r"\n\n+(?=@|def |class )")


@lru_cache(512)
def _block(source: str) -> str:
    """A top-level function or class, or what stands before the first: the one place that calls black."""
    return black.format_str(source, mode=STYLE)


def module(tape: Tape, planned: Plan, header: str, formulas: Sequence[str]) -> str:
    """The text of the module of a loss."""
    return formatted(render("module.py.j2", module=_Writer(tape, planned).module(header, formulas)))


def statements(tape: Tape, planned: Plan) -> str:
    """The private functions that hold the mathematics, as they stand in the module."""
    return formatted("\n\n".join(f.text for f in _Writer(tape, planned).private()))


class _Writer:
    """Holds the names of one module; every method gives a part of its text."""

    def __init__(self, tape: Tape, planned: Plan) -> None:
        self.tape, self.plan = tape, planned
        self.ids = Identifiers(tape, (k.name for k in planned.kernels))
        fresh = Fresh(self.ids.taken)
        names = planned.names
        self.hoisted = {node: fresh(names[node].text if node in names else "fixed") for node in planned.hoisted}
        self.stored = layouts(order(planned.hoisted), [], {}, preferred(names))

    def module(self, header: str, formulas: Sequence[str]) -> ModuleText:
        kernels, hoist = self._kernels(), self._hoist() if self.hoisted else None
        door = self._door()
        binder = Binder(self.ids, self.tape.several, self.tape.constraints, kernels, hoist, list(self.hoisted.values()))
        bound = binder.text()
        lines = [*door.lines, *bound.init, *(line for m in bound.methods for line in m.lines)]
        return ModuleText(
            header=header,
            doc=_docstring(self.tape.doc or f"The loss {self.tape.name}.", formulas),
            imports=("import numpy as np",),
            public=(*kernels, "bind"),
            kernels=(*([hoist] if hoist else []), *kernels.values()),
            functions=tuple(self._public(k, kernels[k.name], hoist) for k in self.plan.kernels),
            bound=bound,
            door=door,
            direction=self.ids.direction,
            owned=self.ids.owned,
            solves=any("_solved(" in line for line in lines),
            searches=any("_searched(" in line for line in lines),
            bounds=any("_at_most(" in line for line in lines),
        )

    def private(self) -> list[Function]:
        return [*([self._hoist()] if self.hoisted else []), *self._kernels().values()]

    def _kernels(self) -> dict[str, Function]:
        return {k.name: self._kernel(k) for k in self.plan.kernels}

    def _spelled(
        self, roots: Sequence[Root], given: dict[Node, str], taken: Iterable[str], arguments: Sequence[Argument]
    ) -> Body:
        """The statements that compute the roots; names in ``taken`` are not used for new values."""
        ids = self.ids

        def size(value: Size) -> Expr:
            plain = value.symbol or value.constant is not None
            return Expr(value.spell(ids.size), text.ATOM if plain else text.SUM, fresh=False)

        arrays = [name for node, name in given.items() if isinstance(node, Symbol) and node.rank]
        dtype = arrays[0] if arrays else ids.local[next((a for a in arguments if a.shape), arguments[0]).name]
        local = [Root(r.node, self._like(r), r.name) for r in roots]
        return Speller(given, self.plan.names, Fresh((*ids.taken, *taken)), size, dtype, self.stored).write(local)

    def _like(self, root: Root) -> str:
        """The argument of the shape of a result; also for the one entry of the Hessian by a vector of one entry."""
        names = [w.name for w in self.ids.wrt if w.shape]
        if root.name == "hessian" and not root.node.rank and names:
            return self.ids.local[names[0]]
        return self.ids.local[root.like] if root.like in names else ""

    def _given(self, symbols: Iterable[Symbol]) -> dict[Node, str]:
        ids = self.ids
        return {s: ids.local[ids.directions[s.name[1:]] if s.direction else s.name] for s in symbols}

    def _function(
        self, name: str, doc: str, body: Body, given: dict[Node, str], result: str, arguments: Sequence[Argument]
    ) -> Function:
        """A private function: its parameters are the arguments that it uses, in their order, then what was hoisted."""
        used = {name for node, name in given.items() if isinstance(node, Symbol)} | set(body.needs)
        sizes, sources = self._size_lines(body.sizes, (*body.lines, result), used, arguments)
        ranked = [self.ids.local[n] for n in (*(a.name for a in self.ids.arguments), *self.ids.directions.values())]
        parameters = [n for n in ranked if n in used | sources]
        parameters += [name for node, name in given.items() if not isinstance(node, Symbol)]
        return Function(name, ", ".join(parameters), doc, (*sizes, *body.lines), result)

    def _size_lines(
        self, sizes: Sequence[Size], body: Sequence[str], used: set[str], arguments: Sequence[Argument]
    ) -> tuple[list[str], set[str]]:
        """The statements that read the dimensions off the shapes of arguments, and those arguments."""
        ids = self.ids
        spelled = set(re.findall(r"\w+", " ".join(body)))
        named = {dim.name for size in sizes for dim in size.symbols}
        pending = sorted((dim for dim in named if ids.sizes[dim] in spelled), reverse=True)
        lines: dict[str, str] = {}
        sources: set[str] = set()
        while pending:
            dim = pending.pop()
            argument, axis, step = ids.origin(arguments, dim, used)
            place = f"{ids.local[argument.name]}.shape[{squeezed_axis(argument, axis)}]"
            sources.add(ids.local[argument.name])
            if argument.shape[axis].symbol is not None:
                lines[dim] = place
                continue
            first = sorted(d.name for d in step.rest.symbols if d.name not in lines)
            if first:
                pending += [dim, *first]
            else:
                lines[dim] = _solved(place, step, ids)
        ranked = sorted(lines, key=list(ids.sizes).index)
        ranks = {ids.local[a.name]: sum(not is_one(size) for size in a.shape) for a in ids.arguments}
        return unpacked([f"{ids.sizes[dim]} = {lines[dim]}" for dim in ranked], ranks), sources

    def _hoist(self) -> Function:
        """What depends on the data alone; the values have the names under which the kernels take them."""
        given = self._given(s for s in order(self.plan.hoisted) if isinstance(s, Symbol))
        body = self._spelled(
            [Root(self._as_stored(node), "", name) for node, name in self.hoisted.items()], given, (), self.ids.data
        )
        result = ", ".join(r.text for r in body.results)
        return self._function(self.ids.hoist, "What depends on the data alone.", body, given, result, self.ids.data)

    def _as_stored(self, node: Node) -> Node:
        """The node with its axes in the order in which it is handed over."""
        order_ = self.stored[node]
        return view(1, node, tuple(order_.index(k) for k in range(node.rank)), tuple(node.shape[k] for k in order_))

    def _kernel(self, kernel: Kernel) -> Function:
        given = self._given(kernel.symbols) | {node: self.hoisted[node] for node in kernel.hoisted}
        body = self._spelled(kernel.roots, given, self.hoisted.values(), self.ids.arguments)
        doc = DOCS[kernel.name].format(wrt=words(self.tape.wrt))
        result = self._result(kernel.name, body)
        return self._function(self.ids.kernels[kernel.name], doc, body, given, result, self.ids.arguments)

    def _result(self, name: str, body: Body) -> str:
        """The returned expression; axes of literal 1 are put back."""
        if name == "loss":
            return body.results[0].text
        if name == "hessian":
            [w] = self.ids.wrt
            one_entry = w.shape and is_one(w.shape[0])
            return f"np.asarray({body.results[0].text})[None, None]" if one_entry else body.results[0].text
        arrays = [_restored(r, w) for r, w in zip(body.results[-len(self.ids.wrt) :], self.ids.wrt, strict=True)]
        joined = packed(arrays, self.tape.several)
        return f"{body.results[0].text}, {joined}" if name == "value_and_grad" else joined

    def _public(self, kernel: Kernel, function: Function, hoist: Function | None) -> Function:
        """Door, kernel, ownership."""
        ids = self.ids
        names = [a.name for a in ids.arguments]
        lines = [f"{', '.join(ids.of(ids.arguments))} = {ids.door}({', '.join(names)})"]
        directions: list[str] = []
        if kernel.name == "hvp":
            lines += [direction_line(ids, w) for w in ids.wrt]
            directions = list(ids.directions.values())
        if kernel.hoisted and hoist is not None:
            lines.append(f"{', '.join(self.hoisted.values())} = {hoist.call}")
        said = [f"{name} : {shape_text(w)}" for name, w in zip(directions, ids.wrt, strict=False)]
        return Function(
            kernel.name,
            ", ".join([*names, *directions]),
            DOCS[kernel.name].format(wrt=words(self.tape.wrt)),
            tuple(lines),
            f"{ids.owned}({function.call})",
            (*described(ids.arguments), *said),
            self._returns(kernel.name),
        )

    def _returns(self, name: str) -> tuple[str, ...]:
        wrt = self.ids.wrt
        arrays = [f"grad_{w.name} : {shape_text(w)}" for w in wrt] if self.tape.several else [shape_text(wrt[0])]
        if name == "loss":
            return ("float",)
        if name == "hessian":
            size = wrt[0].shape[:1]
            return (f"({size[0]}, {size[0]}) array",) if size else ("float",)
        if name == "value_and_grad":
            tail = f"tuple of {', '.join(arrays)}" if self.tape.several else arrays[0]
            return ("loss : float", f"gradient : {tail}")
        return tuple(a.replace("grad_", "hvp_", 1) for a in arrays) if name == "hvp" else tuple(arrays)

    def _door(self) -> Function:
        ids = self.ids
        names = ids.of(ids.arguments)
        dtype = free("dtype", ids.taken)
        lines = [f'{n} = _array("{a.name}", {n}, {len(a.shape)})' for a, n in zip(ids.arguments, names, strict=True)]
        lines += checks(ids.arguments, self.tape.constraints, ids.size, ids.local)
        lines.append(f"{dtype} = _dtype({', '.join(names)})")
        found = [renamed(a, ids.local) for a in ids.arguments]
        results = [f"{squeezed(a)}.astype({dtype}, copy=False)" + ("" if a.shape else "[()]") for a in found]
        doc = "The arguments as arrays of the working dtype, their shapes checked."
        return Function(ids.door, ", ".join(names), doc, tuple(lines), packed(results, len(results) > 1))


def _restored(expr: Expr, argument: Argument) -> str:
    """A result with its axes of literal 1 back in place."""
    brackets = restored(argument.shape)
    if not brackets:
        return expr.text
    inside = f"np.asarray({expr.text})" if all(map(is_one, argument.shape)) else expr.at(text.ATOM)
    return f"{inside}{brackets}"


def _solved(place: str, step: Let, ids: Identifiers) -> str:
    """The text of the dimension that a sum or multiple determines."""
    rest = step.rest.spell(ids.size)
    inside = f"{place} - ({rest})" if len(step.rest.terms) > 1 else f"{place} - {rest}" if rest != "0" else place
    return inside if step.factor == 1 else f"({inside}) // {step.factor}"


def _docstring(doc: str, formulas: Sequence[str]) -> str:
    lines = [*doc.splitlines(), *([""] if formulas else []), *formulas]
    return "\n".join(lines).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
