"""The Cython module of a loss: the NumPy module, its private functions of loops in C where loops can compute them.

A private function keeps its name, its arguments and its results. It hands arrays of doubles to a C function; what is
float32 is computed in float64 and rounded at the end.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradgen import c_text, loops
from gradgen.dims import is_one
from gradgen.emit import Writer, formatted
from gradgen.errors import SpecError
from gradgen.functions import DOCS, MAPPED, Function
from gradgen.identifiers import CYTHON, Fresh, Identifiers, free, words
from gradgen.nodes import Node
from gradgen.plan import Kernel, Plan
from gradgen.spell import Body, Root
from gradgen.tape import Tape
from gradgen.templating import render
from gradgen.text import Expr


@dataclass(frozen=True)
class Call:
    """The Cython function that hands arrays to a C function: its name, its parameters, what stands before and after the
    call, and what is handed over."""

    name: str
    parameters: tuple[str, ...]
    lines: tuple[str, ...]
    function: str
    arguments: tuple[str, ...]
    ending: tuple[str, ...]
    kind: str


def module(tape: Tape, planned: Plan, header: str, formulas: Sequence[str]) -> str:
    """The text of the module of a loss or a function, for Cython."""
    writer = NativeWriter(tape, planned)
    _refuse_words(writer.ids)
    made = writer.module(header, formulas)
    if writer.written:
        made = replace(made, public=(*made.public, "set_num_threads"))
    return _in_c(formatted(render("module.pyx.j2", module=made)), writer.loops())


def _refuse_words(ids: Identifiers) -> None:
    """Refuse arguments that callers could not name."""
    for name in (*ids.signature(ids.given, 2), *ids.directions.values()):
        if name in CYTHON:
            hint = "give it another name, or build for NumPy alone"
            raise SpecError(f"for Cython no argument can be called {name!r}, which is a word of its own", hint)


def _in_c(text: str, loops: Sequence[str]) -> str:
    """Private functions are functions of C, which Cython calls without packing arguments. Above them stand loops, which
    black cannot read."""
    lines = text.split("\n")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    for node in functions:
        given = node.args
        special = given.vararg or given.kwarg or given.defaults or given.posonlyargs or given.kwonlyargs
        if node.name.startswith("_") and not special:
            lines[node.lineno - 1] = f"c{lines[node.lineno - 1]}"
    start = functions[0].lineno - 1
    return "\n".join([*lines[:start], *(f"{loop}\n\n" for loop in loops), *lines[start:]])


class NativeWriter(Writer):
    """Writes private functions that call C; what loops cannot compute stays NumPy."""

    def __init__(self, tape: Tape, planned: Plan, prefix: str = "") -> None:
        """``prefix`` goes before the names of what is compiled, where several modules share one library, which they
        call."""
        super().__init__(tape, planned, CYTHON)
        self.prefix = prefix
        self.written: list[c_text.Written] = []
        self.calls: list[Call] = []

    def _kernel(self, kernel: Kernel, private: str) -> Function:
        if kernel.name in MAPPED or any(is_one(s) for w in self.ids.wrt for s in w.shape):
            return super()._kernel(kernel, private)
        given = self._given(kernel.symbols) | {node: self.hoisted[node] for node in kernel.hoisted}
        stored = {n: self.stored.get(n, tuple(range(n.rank))) for n in given}
        nodes = [root.node for root in kernel.roots]
        try:
            program = loops.program(nodes, stored, self.plan.names, kernel.samples, c_text.FUNCTIONS)
        except loops.NoLoopsError:
            return super()._kernel(kernel, private)
        name = free(f"{self.prefix}{private}_loops", self.ids.taken)
        said = name.removesuffix("_").removesuffix("_loops").lstrip("_")
        doc = DOCS[kernel.name].format(wrt=words(self.tape.wrt))
        written = c_text.written(said, program, given, self.plan.names, self.ids.dims, doc)
        return self._calling(kernel, private, name, given, written, doc)

    def _calling(
        self, kernel: Kernel, private: str, name: str, given: dict[Node, str], written: c_text.Written, doc: str
    ) -> Function:
        """The private function, and the Cython function between it and C."""
        fresh = Fresh((*self.ids.taken, *given.values()))
        results = {root: fresh(root.name) for root in kernel.roots}
        typed = self._typed(given, self.ids.arguments)
        sizes = tuple(p.size for p in written.parameters if p.size is not None)
        names = [p.size.spell(self.ids.size) for p in written.parameters if p.size is not None]
        arrays = [root for root in kernel.roots if root.node.rank]
        numbers = [results[root] for root in kernel.roots if not root.node.rank]
        lines = [f"{results[root]} = np.empty({self._tuple(root)}, dtype={typed}.dtype)" for root in arrays]
        handed = [given[p.node] for p in written.parameters if p.node is not None]
        call = f"{name}({', '.join([*names, *handed, *(results[root] for root in arrays)])})"
        lines.append(f"{', '.join(numbers)} = {call}" if numbers else call)
        shapes = tuple(s for root in arrays for s in root.node.shape)
        made = [Expr(results[root]) for root in kernel.roots]
        body = Body(tuple(lines), tuple(made), (*sizes, *shapes), (typed,) if arrays else ())
        used = {n: said for n, said in given.items() if said in handed or said == typed}
        self.written.append(written)
        shaped = [root.node.rank > 0 for root in kernel.roots]
        self.calls.append(_call(name, written, shaped, "def" if self.prefix else "cdef object"))
        return self._function(private, doc, body, used, self._result(kernel.name, body), self.ids.arguments)

    def _tuple(self, root: Root) -> str:
        sizes = [size.spell(self.ids.size) for size in root.node.shape]
        return sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"

    def loops(self) -> list[str]:
        """The C functions with what they need, and the functions that call them."""
        return loops_text(self.written, self.calls)


def loops_text(written: Sequence[c_text.Written], calls: Sequence[Call]) -> list[str]:
    """The C functions with what they need, and the functions that call them; nothing where there are none."""
    if not written:
        return []
    c = "\n\n".join((render("loops.h.j2").rstrip("\n"), *(one.text for one in written), POP))
    helpers = render("loops_helpers.pyx.j2", c=c, declared=[_prototype(one) for one in written])
    return [helpers.rstrip("\n"), *(render("loops.pyx.j2", call=call).rstrip("\n") for call in calls)]


POP = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif"""


def _prototype(written: c_text.Written) -> str:
    """The C function as Cython knows it."""
    return f"int {written.name}({', '.join(c_text.TYPES[p.kind].rstrip() for p in written.parameters)}) nogil"


def _call(name: str, written: c_text.Written, arrays: Sequence[bool], kind: str) -> Call:
    """``arrays`` says of each result whether it is an array; numbers are returned."""
    results = [p for p in written.parameters if p.kind == "result"]
    numbers = [p.name for p, is_array in zip(results, arrays, strict=True) if not is_array]
    rooms = [p.name for p in results if p.name not in numbers]
    fresh = Fresh(p.name for p in written.parameters)
    held = {p.name: fresh(f"{p.name}_") for p in written.parameters if p.kind in TAKEN or p.name in rooms}
    lines = [f"cdef ndarray {held[p.name]} = {TAKEN[p.kind]}({p.name})" for p in written.parameters if p.kind in TAKEN]
    lines += [f"cdef ndarray {held[said]} = _room({said})" for said in rooms]
    lines += [f"cdef double {', '.join(numbers)}"] if numbers else []
    lines += [f"_load_blas({product})" for product in written.products]
    parameters: list[str] = []
    arguments: list[str] = []
    for p in written.parameters:
        kind_of = c_text.TYPES[p.kind]
        if p.name in numbers:
            arguments.append(f"&{p.name}")
        elif p.name in held:
            parameters.append(p.name)
            arguments.append(f"<{kind_of}>PyArray_DATA({held[p.name]})")
        else:
            parameters.append(f"{kind_of}{p.name}")
            arguments.append(p.name)
    ending = [line for said in rooms for line in (f"if {held[said]} is not {said}:", f"    {said}[...] = {held[said]}")]
    ending += [f"return {', '.join(numbers)}"] if numbers else []
    return Call(name, tuple(parameters), tuple(lines), written.name, tuple(arguments), tuple(ending), kind)


TAKEN = {"array": "_doubles", "indices": "_integers"}
"""What makes contiguous arrays of arguments."""
