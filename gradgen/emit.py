"""The NumPy module of a loss: what stands in it is decided here, the template prints it, black formats it.

Kernels (``_loss``, ``_grad``, …) hold the mathematics on checked arrays; public functions pass the door, call a kernel and own the
result; `Bound` keeps the data and what was computed from it. Names that would hide an argument give way with a trailing underscore.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import black

from gradgen import text
from gradgen.dims import Dim, Let, Size, is_one, solve
from gradgen.door import checks, restored, squeezed
from gradgen.nodes import Node, Symbol
from gradgen.plan import Kernel, Plan
from gradgen.spell import Body, Root, Speller
from gradgen.tape import Argument, Tape
from gradgen.templating import render
from gradgen.text import Expr
from gradgen.walk import order

PRIVATE = ("np", "_array", "_dtype", "_match", "_solved", "_searched", "_at_most")
FACTS = {
    "positive": "positive numbers",
    "nonnegative": "nonnegative numbers",
    "unit_interval": "numbers in [0, 1]",
    "sign": "-1 and 1",
    "boolean": "0 and 1",
    "integer": "integers",
    "one_hot": "one-hot rows",
    "simplex": "rows that sum to 1",
}
DOCS = {
    "loss": "The loss.",
    "grad": "The gradient by {wrt}.",
    "value_and_grad": "The loss and its gradient by {wrt}, in one pass.",
    "hvp": "The Hessian times a direction.",
    "hessian": "The Hessian by {wrt}.",
}


@dataclass(frozen=True)
class Function:
    """A function as the template prints it."""

    name: str
    parameters: str
    doc: str
    lines: tuple[str, ...]
    result: str
    described: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoundText:
    """`bind` and the class that it returns."""

    name: str
    parameters: str
    described: tuple[str, ...]
    wrt_words: str
    passed: str
    init_parameters: str
    init: tuple[str, ...]
    methods: tuple[Function, ...]


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
    """The source in black's style: the one place that calls it."""
    return black.format_str(source, mode=black.Mode())


def module(tape: Tape, planned: Plan, header: str, formulas: Sequence[str]) -> str:
    """The text of the module of a loss."""
    return formatted(render("module.py.j2", module=_Writer(tape, planned).module(header, formulas)))


class _Writer:
    """Holds the names of one module; every method gives a part of its text."""

    def __init__(self, tape: Tape, planned: Plan) -> None:
        self.tape = tape
        self.plan = planned
        self.arguments = tape.arguments
        self.data = [a for a in tape.arguments if a.name not in tape.wrt]
        self.wrt = [tape.argument(name) for name in tape.wrt]
        names = {a.name for a in tape.arguments}
        self.directions = {w.name: _free("d" + w.name, names) for w in self.wrt}
        self.used = names | set(self.directions.values())
        self.local = {name: _local(name, self.used) for name in sorted(self.used)}
        self.sizes = self._size_names()
        self.door, self.owned, self.direction = (_free(n, self.used) for n in ("_door", "_owned", "_direction"))
        self.hoist, self.bound, self.me = (_free(n, self.used) for n in ("_from_data", "Bound", "self"))
        self.kernel_names = {k.name: _free("_" + k.name, self.used) for k in planned.kernels}
        self.hoisted = self._hoisted_names()

    def _size_names(self) -> dict[Dim, str]:
        taken = set(self.used)
        found: dict[Dim, str] = {}
        for dim in sorted({d for a in self.arguments for s in a.shape for d in s.symbols}):
            found[dim] = _free(dim.name, taken)
            taken.add(found[dim])
        return found

    def size_name(self, dim: Dim) -> str:
        return next(name for known, name in self.sizes.items() if known.name == dim.name)

    def module(self, header: str, formulas: Sequence[str]) -> ModuleText:
        made = {k.name: self._kernel(k) for k in self.plan.kernels}
        kernels = [*([self._hoist_function()] if self.plan.hoisted else []), *made.values()]
        door = self._door()
        bound = self._bound(made)
        lines = [*door.lines, *bound.init, *(line for m in bound.methods for line in m.lines)]
        return ModuleText(
            header=header,
            doc=_docstring(self.tape.doc or f"The loss {self.tape.name}.", formulas),
            imports=("import numpy as np",),
            public=tuple(k.name for k in self.plan.kernels) + ("bind",),
            kernels=tuple(kernels),
            functions=tuple(self._public(k, made[k.name]) for k in self.plan.kernels),
            bound=bound,
            door=door,
            direction=self.direction,
            owned=self.owned,
            solves=any("_solved(" in line for line in lines),
            searches=any("_searched(" in line for line in lines),
            bounds=any("_at_most(" in line for line in lines),
        )

    # Kernels

    def _hoisted_names(self) -> dict[Node, str]:
        taken = set(self.local.values()) | set(self.sizes.values()) | set(PRIVATE)
        found: dict[Node, str] = {}
        for node in self.plan.hoisted:
            name = self.plan.names.get(node)
            found[node] = _numbered(name.text if name else "fixed", taken)
            taken.add(found[node])
        return found

    def _spelled(self, roots: Sequence[Root], given: dict[Node, str], taken: Iterable[str]) -> Body:
        """The statements that compute the roots; names in ``taken`` are not used for new values."""
        names = {*self.local.values(), *self.sizes.values(), *PRIVATE, *taken}

        def fresh(hint: str) -> str:
            name = _numbered(hint, names)
            names.add(name)
            return name

        def size(value: Size) -> Expr:
            plain = value.symbol or value.constant is not None
            return Expr(value.spell(self.size_name), text.ATOM if plain else text.SUM, fresh=False)

        arrays = [name for node, name in given.items() if isinstance(node, Symbol) and node.rank]
        dtype = arrays[0] if arrays else self.local[next((a for a in self.arguments if a.shape), self.wrt[0]).name]
        local = [Root(r.node, self.local.get(r.like, ""), r.name) for r in roots]
        return Speller(given, self.plan.names, fresh, size, dtype).write(local)

    def _given(self, symbols: Iterable[Symbol]) -> dict[Node, str]:
        return {s: self.local[self.directions[s.name[1:]] if s.direction else s.name] for s in symbols}

    def _function(self, name: str, doc: str, body: Body, given: dict[Node, str], result: str) -> Function:
        """A private function: its parameters are the arguments that it uses, in their order, then what was hoisted."""
        used = {name for node, name in given.items() if isinstance(node, Symbol)} | set(body.needs)
        sizes, sources = self._size_lines(body.sizes, used)
        order = [self.local[n] for n in (*(a.name for a in self.arguments), *self.directions.values())]
        parameters = [n for n in order if n in used | sources]
        parameters += [name for node, name in given.items() if not isinstance(node, Symbol)]
        return Function(name, ", ".join(parameters), doc, (*sizes, *body.lines), result)

    def _size_lines(self, sizes: Sequence[Size], used: set[str]) -> tuple[list[str], set[str]]:
        """The statements that read the dimensions off the shapes of arguments, and those arguments."""
        wanted = {dim.name for size in sizes for dim in size.symbols}
        steps = {s.dim.name: s for s in solve([(a.name, a.shape) for a in self.arguments])[0] if isinstance(s, Let)}
        pending, lines, sources = sorted(wanted), dict[str, str](), set[str]()
        while pending:
            dim = pending.pop()
            name, axis = self._source(dim, steps[dim], used)
            step = steps[dim]
            argument = self.tape.argument(name)
            place = f"{self.local[name]}.shape[{_squeezed_axis(argument, axis)}]"
            plain = argument.shape[axis].symbol is not None
            lines[dim] = place if plain else _solved(place, step, self.size_name)
            sources.add(self.local[name])
            if not plain:
                pending += [d.name for d in step.rest.symbols if d.name not in lines]
        ordered = sorted(lines, key=lambda d: (list(steps).index(d)))
        return [f"{self._size(d)} = {lines[d]}" for d in ordered], sources

    def _size(self, name: str) -> str:
        return next(local for dim, local in self.sizes.items() if dim.name == name)

    def _source(self, dim: str, step: Let, used: set[str]) -> tuple[str, int]:
        """An argument that has the dimension as an axis, one that the function takes anyway where there is one."""
        found = [
            (a.name, axis)
            for a in self.arguments
            for axis, size in enumerate(a.shape)
            if size.symbol is not None and size.symbol.name == dim
        ]
        found.sort(key=lambda entry: self.local[entry[0]] not in used)
        return found[0] if found else (step.argument, step.axis)

    def _hoist_function(self) -> Function:
        given = self._given(s for s in order(self.plan.hoisted) if isinstance(s, Symbol))
        roots = [Root(node, "", self.hoisted[node]) for node in self.plan.hoisted]
        body = self._spelled(roots, given, ())
        result = ", ".join(r.text for r in body.results)
        return self._function(self.hoist, "What depends on the data alone.", body, given, result)

    def _kernel(self, kernel: Kernel) -> Function:
        given = self._given(kernel.symbols) | {node: self.hoisted[node] for node in kernel.hoisted}
        body = self._spelled(kernel.roots, given, self.hoisted.values())
        doc = DOCS[kernel.name].format(wrt=_words(self.tape.wrt))
        return self._function(self.kernel_names[kernel.name], doc, body, given, self._result(kernel.name, body))

    def _result(self, name: str, body: Body) -> str:
        """The returned expression; axes of literal 1 are put back."""
        results = [r.text for r in body.results]
        if name == "loss":
            return results[0]
        if name == "hessian":
            return results[0]
        arrays = [self._restored(r, w) for r, w in zip(body.results[-len(self.wrt) :], self.wrt, strict=True)]
        joined = arrays[0] if not self.tape.several else "(" + ", ".join(arrays) + ("," if len(arrays) == 1 else "") + ")"
        return f"{results[0]}, {joined}" if name == "value_and_grad" else joined

    def _restored(self, expr: Expr, argument: Argument) -> str:
        brackets = restored(argument.shape)
        if not brackets:
            return expr.text
        return f"np.asarray({expr.text}){brackets}" if all(map(is_one, argument.shape)) else f"{expr.at(text.ATOM)}{brackets}"

    # Public functions

    def _call(self, kernel: Function) -> str:
        return f"{self.owned}({kernel.name}({kernel.parameters}))"

    def _public(self, kernel: Kernel, function: Function) -> Function:
        """Door, kernel, ownership."""
        hvp = kernel.name == "hvp"
        names = [a.name for a in self.arguments]
        lines = [f"{', '.join(self._outer(n) for n in names)} = {self.door}({', '.join(names)})"]
        if hvp:
            lines += [self._direction_line(w) for w in self.wrt]
        if kernel.hoisted:
            hoist = self._hoist_function()
            lines.append(f"{', '.join(self.hoisted.values())} = {hoist.name}({hoist.parameters})")
        extra = list(self.directions.values()) if hvp else []
        return Function(
            kernel.name,
            ", ".join([*names, *extra]),
            DOCS[kernel.name].format(wrt=_words(self.tape.wrt)),
            tuple(lines),
            self._call(function),
            tuple(self._described([*self.arguments])) + tuple(self._described_directions() if hvp else ()),
            self._returns(kernel.name),
        )

    def _outer(self, name: str) -> str:
        """A checked argument in a public function has the kernel's name for it."""
        return self.local[name]

    def _direction_line(self, w: Argument) -> str:
        name = self.directions[w.name]
        like = f"{self.local[w.name]}{restored(w.shape)}"
        back = squeezed(w).removeprefix(w.name)
        return f'{self.local[name]} = {self.direction}("{name}", {name}, {like}){back}'

    def _described(self, arguments: Sequence[Argument]) -> list[str]:
        return [f"{a.name} : {_shape(a)}{_facts(a)}" for a in arguments]

    def _described_directions(self) -> list[str]:
        return [f"{self.directions[w.name]} : {_shape(w)}" for w in self.wrt]

    def _returns(self, name: str) -> tuple[str, ...]:
        arrays = [f"grad_{w.name} : {_shape(w)}" for w in self.wrt] if self.tape.several else [_shape(self.wrt[0])]
        if name == "loss":
            return ("float",)
        if name == "hessian":
            [w] = self.wrt
            return ("float",) if not w.shape else (f"({w.shape[0]}, {w.shape[0]}) array",)
        if name == "value_and_grad":
            tail = f"gradient : {arrays[0]}" if not self.tape.several else f"gradient : tuple of {', '.join(arrays)}"
            return ("loss : float", tail)
        return tuple(a.replace("grad_", "hvp_", 1) for a in arrays) if name == "hvp" else tuple(arrays)

    # The door

    def _door(self) -> Function:
        names = [self.local[a.name] for a in self.arguments]
        renamed = [_renamed(a, self.local[a.name]) for a in self.arguments]
        lines = [f'{n} = _array("{a.name}", {n}, {len(a.shape)})' for a, n in zip(self.arguments, names, strict=True)]
        lines += checks(self.arguments, self.tape.constraints, self.size_name, self.local)
        lines.append(f"dtype_ = _dtype({', '.join(names)})" if "dtype" in names else f"dtype = _dtype({', '.join(names)})")
        dtype = "dtype_" if "dtype" in names else "dtype"
        results = [f"{squeezed(a)}.astype({dtype}, copy=False)" + ("" if a.shape else "[()]") for a in renamed]
        return Function(
            self.door,
            ", ".join(names),
            "The arguments as arrays of the working dtype, their shapes checked.",
            tuple(lines),
            "(" + ", ".join(results) + ")" if len(results) > 1 else results[0],
        )

    # bind

    def _open(self) -> list[Dim]:
        """The dimensions of the wrt variables that the data do not determine."""
        steps, _ = solve([(a.name, a.shape) for a in self.data])
        known = {s.dim for s in steps if isinstance(s, Let)}
        return sorted({d for w in self.wrt for size in w.shape for d in size.symbols} - known)

    def _known(self) -> list[Dim]:
        """The dimensions of the wrt variables that the data determine."""
        return sorted({d for w in self.wrt for size in w.shape for d in size.symbols} - set(self._open()))

    def _bound(self, made: dict[str, Function]) -> BoundText:
        data = [a.name for a in self.data]
        opened = [self._size(d.name) for d in self._open()]
        keywords = ["*", *(f"{d}=None" for d in opened)] if opened else []
        described = self._described(self.data) + [f"{d} : int, needed by the flat forms where it is open" for d in opened]
        return BoundText(
            name=self.bound,
            parameters=", ".join(data + keywords),
            described=tuple(described),
            wrt_words=_words(self.tape.wrt),
            passed=", ".join(data + opened),
            init_parameters=", ".join([self.me, *data, *opened]),
            init=tuple(self._init()),
            methods=(*self._inner_methods(), *(self._method(k, made[k.name]) for k in self.plan.kernels), *self._flat()),
        )

    def _init(self) -> list[str]:
        """Data are checked and copied; the dimensions that the flat forms need are kept."""
        me, names = self.me, [self.local[a.name] for a in self.data]
        lines = [
            f'{self.local[a.name]} = np.array(_array("{a.name}", {a.name}, {len(a.shape)}))' for a in self.data
        ]
        lines += checks(self.data, self.tape.constraints, self.size_name, self.local)
        found = " ".join(line.split(" = ")[0] for line in lines).split()
        missing = [d.name for d in self._known() if self._size(d.name) not in found]
        for d in missing:
            name, axis = self._source(d, _step(self.data, d), {self.local[a.name] for a in self.data})
            lines.append(f"{self._size(d)} = {self.local[name]}.shape[{axis}]")
        if self.data:
            lines.append(f"{me}._data = ({', '.join(names)}{',' if len(names) == 1 else ''})")
            lines.append(f"{me}._in = {{}}")
        lines += [f"{me}._{self._size(d.name)} = {self._size(d.name)}" for d in (*self._known(), *self._open())]
        return lines or ["pass"]

    def _inner_methods(self) -> list[Function]:
        me, wrt = self.me, [self.local[w.name] for w in self.wrt]
        checked = [f'{n} = _array("{w.name}", {n}, {len(w.shape)})' for n, w in zip(wrt, self.wrt, strict=True)]
        everything = ", ".join(self.local[a.name] for a in self.arguments)
        if not self.data:
            doc = "The arguments in the working dtype, checked."
            return [Function("_arguments", ", ".join([me, *wrt]), doc, (), f"{self.door}({everything})")]
        names = [self.local[a.name] for a in self.data]
        kept = [*names, *self.hoisted.values()]
        dtype = _free("dtype", set(kept) | set(wrt))
        unpacked = ", ".join(kept) + ("," if len(kept) == 1 else "")
        result = f"(*{self.door}({everything}), {', '.join(self.hoisted.values())})" if self.hoisted else f"{self.door}({everything})"
        if self.hoisted and len(self.arguments) == 1:
            result = f"({self.door}({everything}), {', '.join(self.hoisted.values())})"
        lines = (
            *checked,
            f"{dtype} = _dtype(*{me}._data, {', '.join(wrt)})",
            f"if {dtype} not in {me}._in:",
            f"    {me}._in[{dtype}] = {me}._converted({dtype})",
            f"{unpacked} = {me}._in[{dtype}]",
        )
        doc = "All arguments in the working dtype, checked" + (", and what was computed from the data." if self.hoisted else ".")
        return [
            Function("_converted", f"{me}, {dtype}", "The data in a dtype" + (", and what depends on them alone." if self.hoisted else "."), *self._converted(dtype)),
            Function("_arguments", ", ".join([me, *wrt]), doc, lines, result),
        ]

    def _converted(self, dtype: str) -> tuple[tuple[str, ...], str]:
        me = self.me
        cast = f"tuple(value.astype({dtype}, copy=False) for value in {me}._data)"
        if not self.hoisted:
            return (), cast
        hoist = self._hoist_function()
        names = [self.local[a.name] for a in self.data]
        squeezes = [
            f"{_renamed(a, self.local[a.name]).name}_ = {squeezed(_renamed(a, self.local[a.name]))}" for a in self.data
        ]
        parameters = [n.strip() for n in hoist.parameters.split(",")]
        lines = (f"data = {cast}", f"{', '.join(names)}{',' if len(names) == 1 else ''} = data")
        passed = [squeezed(_renamed(a, self.local[a.name])) for a in self.data if self.local[a.name] in parameters]
        assert squeezes is not None
        result = f"{hoist.name}({', '.join(passed)})"
        return lines, f"(*data, {'*' if len(self.hoisted) > 1 else ''}{result})"

    def _method(self, kernel: Kernel, function: Function) -> Function:
        """A function of the wrt variables alone."""
        names = [self.local[w.name] for w in self.wrt]
        extra = [self.local[d] for d in self.directions.values()] if kernel.name == "hvp" else []
        everything = [*(self.local[a.name] for a in self.arguments), *self.hoisted.values()]
        lines = [f"{', '.join(everything)} = {self.me}._arguments({', '.join(names)})"]
        if kernel.name == "hvp":
            lines += [self._direction_line(w).replace(f", {self.directions[w.name]}, ", f", {self.local[self.directions[w.name]]}, ", 1) for w in self.wrt]
        doc = DOCS[kernel.name].format(wrt=_words(self.tape.wrt))
        return Function(kernel.name, ", ".join([self.me, *names, *extra]), doc, tuple(lines), self._call(function))

    def _flat(self) -> list[Function]:
        """The same on one flat float64 vector, as scipy.optimize wants it."""
        me, several = self.me, self.tape.several
        star = "*" if several else ""
        names = [self.local[w.name] for w in self.wrt]

        def flat(name: str, parameters: str, doc: str, lines: Sequence[str], result: str) -> Function:
            return Function(name, f"{me}, {parameters}", doc, tuple(lines), result)

        ravel = [f'np.ravel(_array("{w.name}", {n}, {len(w.shape)}))' for n, w in zip(names, self.wrt, strict=True)]
        packed = f"np.concatenate(({', '.join(ravel)}))" if len(ravel) > 1 else ravel[0]
        found = [
            flat("pack", ", ".join(names), f"One flat float64 vector of {_words(self.tape.wrt)}.", (), f"np.array({packed}, dtype=np.float64)"),
            flat("unpack", "x", f"{_words(self.tape.wrt)} from a flat vector.", *self._unpacked()),
            flat("fun", "x", "`loss` of a flat vector.", (), f"{me}.loss({star}{me}.unpack(x))"),
            flat("jac", "x", "`grad` of a flat vector.", (), f"{me}.pack({star}{me}.grad({star}{me}.unpack(x)))"),
            flat(
                "fun_and_jac",
                "x",
                "`value_and_grad` of a flat vector.",
                (f"value, gradient = {me}.value_and_grad({star}{me}.unpack(x))",),
                f"(value, {me}.pack({star}gradient))",
            ),
            flat("hessp", "x, p", "`hvp` of flat vectors.", (), f"{me}.pack({star}{me}.hvp({star}{me}.unpack(x), {star}{me}.unpack(p)))"),
        ]
        if any(k.name == "hessian" for k in self.plan.kernels):
            hessian = f"{me}.hessian({star}{me}.unpack(x))"
            result = hessian if self.wrt[0].shape else f"np.full((1, 1), {hessian})"
            found.append(flat("hess", "x", "`hessian` of a flat vector.", (), result))
        return found

    def _unpacked(self) -> tuple[list[str], str]:
        me = self.me
        lines = ['x = _array("x", x, 1)']
        lines += [f"{self._size(d.name)} = {me}._{self._size(d.name)}" for d in (*self._known(), *self._open())]
        lengths = [_entries(w) for w in self.wrt]
        total = Size.of(0)
        for length in lengths:
            total = total + length
        declared = total.spell(self.size_name)
        opened = self._open()
        for d in opened:
            name = self._size(d.name)
            lines.append(f"if {name} is None:")
            if len(opened) > 1:
                lines.append(f'    raise ValueError("bind needs {name}= for the flat forms")')
                continue
            linear = [(m, c) for m, c in total.terms if d in m]
            if all(m.count(d) == 1 for m, _ in linear):
                factor = Size(tuple(sorted((tuple(k for k in m if k != d), c) for m, c in linear)))
                rest = Size(tuple((m, c) for m, c in total.terms if d not in m))
                solved = f'_solved("x", 0, x.size, {rest.spell(self.size_name)}, {factor.spell(self.size_name)}, "{declared}")'
            else:
                solved = f'_searched(x.size, lambda {name}: {declared}, "{declared}")'
            lines.append(f"    {name} = {solved}")
        lines.append(f'_match("x", x.shape, 0, {declared}, "{declared}")')
        parts, start = [], Size.of(0)
        for w, length in zip(self.wrt, lengths, strict=True):
            stop = start + length
            first = "" if start == Size.of(0) else start.spell(self.size_name)
            last = "" if stop == total else stop.spell(self.size_name)
            piece = f"x[{first}:{last}]" if first or last else "x"
            shape = ", ".join(s.spell(self.size_name) for s in w.shape)
            tail = "" if len(w.shape) == 1 else f".reshape({shape or '()'})"
            parts.append(f"np.array({piece}, dtype=np.float64){tail}" + ("" if w.shape else "[()]"))
            start = stop
        return lines, parts[0] if not self.tape.several else "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"


def _step(arguments: Sequence[Argument], name: str) -> Let:
    steps, _ = solve([(a.name, a.shape) for a in arguments])
    return next(s for s in steps if isinstance(s, Let) and s.dim.name == name)


def _solved(place: str, step: Let, name: Callable[[Dim], str]) -> str:
    """The text of the dimension that a sum or multiple determines."""
    inside = f"{place} - ({step.rest.spell(name)})" if step.rest.terms else place
    if step.factor == 1:
        return inside
    return f"({inside}) // {step.factor}"


def _entries(argument: Argument) -> Size:
    total = Size.of(1)
    for size in argument.shape:
        total = total * size
    return total


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, with as many trailing underscores as it needs."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name


def _numbered(hint: str, taken: Iterable[str]) -> str:
    """The name, numbered where it is taken; t1, t2, … count on."""
    taken = set(taken)
    stem, name, number = hint.rstrip("0123456789"), hint, 1
    while name in taken:
        number += 1
        name = f"{stem}{number}"
    return name


def _local(name: str, taken: Iterable[str]) -> str:
    """The name of an argument inside private functions, where it may not hide what their statements use."""
    hides = name in PRIVATE or name in ("dtype", "data", "value", "x", "p", "gradient") or hasattr(builtins, name)
    return _free(name + "_", taken) if hides else name


def _renamed(argument: Argument, name: str) -> Argument:
    return Argument(name, argument.kind, argument.shape, argument.facts, argument.place)


def _squeezed_axis(argument: Argument, axis: int) -> int:
    return sum(not is_one(size) for size in argument.shape[:axis])


def _words(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _shape(argument: Argument) -> str:
    if not argument.shape:
        return "float"
    sizes = ", ".join(map(str, argument.shape)) + ("," if len(argument.shape) == 1 else "")
    return f"({sizes}) array"


def _facts(argument: Argument) -> str:
    facts = [FACTS[f] for f in sorted(argument.facts)]
    return (" of " if argument.shape else ", one of " if "sign" in argument.facts else ", ") + ", ".join(facts) if facts else ""


def _docstring(doc: str, formulas: Sequence[str]) -> str:
    lines = [*doc.splitlines(), *([""] if formulas else []), *formulas]
    return "\n".join(lines).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
