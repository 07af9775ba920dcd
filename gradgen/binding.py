"""`bind`: a class that keeps the data and what was computed from it, and offers the loss as functions of the rest,
flat ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradgen.dims import Dim, Let, Size, solve
from gradgen.door import checks, squeezed
from gradgen.functions import DOCS, Function, described, direction_line
from gradgen.identifiers import Identifiers, free, listed, packed, renamed, words
from gradgen.tape import Constraint


@dataclass(frozen=True)
class BoundText:
    """`bind` and its class, as the template prints them."""

    name: str
    parameters: str
    described: tuple[str, ...]
    wrt_words: str
    passed: str
    init_parameters: str
    init: tuple[str, ...]
    methods: tuple[Function, ...]


class Binder:
    """Writes the class for given kernels; ``hoist`` computes what depends on the data alone, where there is such a
    thing."""

    def __init__(
        self,
        ids: Identifiers,
        several: bool,
        constraints: Sequence[Constraint],
        kernels: Mapping[str, Function],
        hoist: Function | None,
        hoisted: Sequence[str],
    ) -> None:
        self.ids, self.several, self.constraints = ids, several, constraints
        self.kernels, self.hoist, self.hoisted = kernels, hoist, list(hoisted)
        self.wrt = [w.name for w in ids.wrt]
        steps, _ = solve([(a.name, a.shape) for a in ids.data])
        known = {step.dim for step in steps if isinstance(step, Let)}
        dims = {dim for w in ids.wrt for size in w.shape for dim in size.symbols}
        self.known, self.open = sorted(dims & known), sorted(dims - known)

    def text(self) -> BoundText:
        ids = self.ids
        data = [a.name for a in ids.data]
        opened = [ids.size(d) for d in self.open]
        asked = [f"{d} : int, for the flat forms, where the data leave it open" for d in opened]
        return BoundText(
            name=ids.bound,
            parameters=", ".join([*data, *(["*"] if opened else []), *(f"{d}=None" for d in opened)]),
            described=(*described(ids.data), *asked),
            wrt_words=words(self.wrt),
            passed=", ".join(data + opened),
            init_parameters=", ".join([ids.me, *ids.of(ids.data), *opened]),
            init=tuple(self._init()),
            methods=(*self._inner(), *(self._method(name, k) for name, k in self.kernels.items()), *self._flat()),
        )

    def _init(self) -> list[str]:
        """Data are checked and copied; the dimensions that the flat forms need are kept."""
        ids = self.ids
        lines = [
            f'{n} = np.array(_array("{a.name}", {n}, {len(a.shape)}))'
            for a, n in zip(ids.data, ids.of(ids.data), strict=True)
        ]
        lines += checks(ids.data, self.constraints, ids.size, ids.local, keep=self.known)
        if ids.data:
            lines += [f"{ids.me}._data = ({listed(ids.of(ids.data))})", f"{ids.me}._in = {{}}"]
        lines += [f"{ids.me}._{ids.size(d)} = {ids.size(d)}" for d in (*self.known, *self.open)]
        return lines or ["pass"]

    def _inner(self) -> list[Function]:
        """`_arguments`, which every function passes, and the data in the dtype that it finds."""
        ids, me = self.ids, self.ids.me
        wrt = ids.of(ids.wrt)
        parameters = ", ".join([me, *wrt])
        door = f"{ids.door}({', '.join(ids.of(ids.arguments))})"
        lines = [f'{n} = _array("{w.name}", {n}, {len(w.shape)})' for n, w in zip(wrt, ids.wrt, strict=True)]
        if not ids.data:
            return [
                Function("_arguments", parameters, "The arguments in the working dtype, checked.", tuple(lines), door)
            ]
        dtype = free("dtype", ids.taken | set(self.hoisted))
        lines += [
            f"{dtype} = _dtype(*{me}._data, {', '.join(wrt)})",
            f"if {dtype} not in {me}._in:",
            f"    {me}._in[{dtype}] = {me}._converted({dtype})",
            f"{listed([*ids.of(ids.data), *self.hoisted])} = {me}._in[{dtype}]",
        ]
        more = f"(*{door}, {', '.join(self.hoisted)})" if self.hoisted else door
        beside = ", and what depends on them alone" if self.hoisted else ""
        return [
            Function("_converted", f"{me}, {dtype}", f"The data in a dtype{beside}.", *self._converted(dtype)),
            Function(
                "_arguments", parameters, f"The arguments in the working dtype, checked{beside}.", tuple(lines), more
            ),
        ]

    def _converted(self, dtype: str) -> tuple[tuple[str, ...], str]:
        ids = self.ids
        cast = f"tuple(value.astype({dtype}, copy=False) for value in {ids.me}._data)"
        if self.hoist is None:
            return (), cast
        data = free("data", ids.taken)
        taken = self.hoist.parameters.split(", ")
        passed = [squeezed(renamed(a, ids.local)) for a in ids.data if ids.local[a.name] in taken]
        star = "*" if len(self.hoisted) > 1 else ""
        lines = (f"{data} = {cast}", f"{listed(ids.of(ids.data))} = {data}")
        return lines, f"(*{data}, {star}{self.hoist.name}({', '.join(passed)}))"

    def _method(self, name: str, kernel: Function) -> Function:
        """A function of the wrt variables alone."""
        ids = self.ids
        wrt = ids.of(ids.wrt)
        extra = [ids.local[d] for d in ids.directions.values()] if name == "hvp" else []
        everything = [*ids.of(ids.arguments), *self.hoisted]
        lines = [f"{', '.join(everything)} = {ids.me}._arguments({', '.join(wrt)})"]
        if name == "hvp":
            lines += [direction_line(ids, w, inside=True) for w in ids.wrt]
        doc = DOCS[name].format(wrt=words(self.wrt))
        return Function(name, ", ".join([ids.me, *wrt, *extra]), doc, tuple(lines), f"{ids.owned}({kernel.call})")

    def _flat(self) -> list[Function]:
        """The same on one flat float64 vector, as scipy.optimize wants it."""
        me, star = self.ids.me, "*" if self.several else ""
        x, p = f"{star}{me}.unpack(x)", f"{star}{me}.unpack(p)"
        names = self.ids.of(self.ids.wrt)
        ravel = [f'np.ravel(_array("{w.name}", {n}, {len(w.shape)}))' for w, n in zip(self.ids.wrt, names, strict=True)]
        flat = f"np.concatenate(({', '.join(ravel)}))" if len(ravel) > 1 else ravel[0]
        both = (f"value, gradient = {me}.value_and_grad({x})",)
        variables = words(self.wrt)
        found = [
            self._of(
                ", ".join(names),
                "pack",
                f"One flat float64 vector of {variables}.",
                (),
                f"np.array({flat}, dtype=np.float64)",
            ),
            self._of(self.ids.flat, "unpack", f"{variables} from a flat vector.", *self._unpacked()),
            self._of("x", "fun", "`loss` of a flat vector.", (), f"{me}.loss({x})"),
            self._of("x", "jac", "`grad` of a flat vector.", (), f"{me}.pack({star}{me}.grad({x}))"),
            self._of(
                "x", "fun_and_jac", "`value_and_grad` of a flat vector.", both, f"value, {me}.pack({star}gradient)"
            ),
            self._of("x, p", "hessp", "`hvp` of flat vectors.", (), f"{me}.pack({star}{me}.hvp({x}, {p}))"),
        ]
        if "hessian" in self.kernels:
            full = f"{me}.hessian({x})"
            result = full if self.ids.wrt[0].shape else f"np.full((1, 1), {full})"
            found.append(self._of("x", "hess", "`hessian` of a flat vector.", (), result))
        return found

    def _of(self, parameters: str, name: str, doc: str, lines: Sequence[str], result: str) -> Function:
        return Function(name, f"{self.ids.me}, {parameters}", doc, tuple(lines), result)

    def _unpacked(self) -> tuple[list[str], str]:
        """The statements of `unpack`: open dimensions are solved from the length, then the vector is cut."""
        ids = self.ids
        x = ids.flat
        lines = [f'{x} = _array("x", {x}, 1)']
        lines += [f"{ids.size(d)} = {ids.me}._{ids.size(d)}" for d in (*self.known, *self.open)]
        lengths = [_entries(w.shape) for w in ids.wrt]
        total = sum(lengths, Size.of(0))
        declared = total.spell(ids.size)
        for dim in self.open:
            lines += [f"if {ids.size(dim)} is None:", f"    {self._solving(dim, total)}"]
        lines.append(f'_match("x", {x}.shape, 0, {declared}, "{declared}")')
        parts, start = [], Size.of(0)
        for w, length in zip(ids.wrt, lengths, strict=True):
            stop = start + length
            first = start.spell(ids.size) if start.terms else ""
            last = "" if stop == total else stop.spell(ids.size)
            piece = f"{x}[{first}:{last}]" if first or last else x
            shape = ", ".join(size.spell(ids.size) for size in w.shape)
            tail = "" if len(w.shape) == 1 else f".reshape({shape or '()'})"
            parts.append(f"np.array({piece}, dtype=np.float64){tail}" + ("" if w.shape else "[()]"))
            start = stop
        return lines, packed(parts, self.several)

    def _solving(self, dim: Dim, total: Size) -> str:
        """The statement that finds an open dimension, or says that it must be given."""
        name, declared = self.ids.size(dim), total.spell(self.ids.size)
        if len(self.open) > 1:
            return f'raise ValueError("bind needs {name}= for the flat forms")'
        linear = [(m, c) for m, c in total.terms if dim in m]
        if any(m.count(dim) > 1 for m, _ in linear):
            return f'{name} = _searched({self.ids.flat}.size, lambda {name}: {declared}, "{declared}")'
        factor = Size(tuple(sorted((tuple(k for k in m if k != dim), c) for m, c in linear)))
        rest = Size(tuple((m, c) for m, c in total.terms if dim not in m))
        known = f"{rest.spell(self.ids.size)}, {factor.spell(self.ids.size)}"
        return f'{name} = _solved("x", 0, {self.ids.flat}.size, {known}, "{declared}")'


def _entries(shape: Sequence[Size]) -> Size:
    total = Size.of(1)
    for size in shape:
        total = total * size
    return total
