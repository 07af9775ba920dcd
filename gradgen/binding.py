"""`bind`: a class that keeps the data and what was computed from it, and offers the same functions of the rest, flat
ones too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradgen.dims import Let, solve
from gradgen.door import checks, cut, entered, sources
from gradgen.flat import SYMMETRIC, Flat
from gradgen.functions import (
    DIRECTED,
    DOCS,
    ORDERS,
    ROLES,
    Function,
    checked,
    described,
    direction_line,
)
from gradgen.identifiers import Identifiers, free, listed, renamed, words
from gradgen.public import cotangent_lines, inside, returned
from gradgen.tape import Argument, Constraint, Tape

FLAT = "and of one flat vector for scipy.optimize"
PACKED = "and pack and unpack, to and from one flat vector"


@dataclass(frozen=True)
class BoundText:
    """`bind` and its class, as the template prints them."""

    name: str
    parameters: str
    described: tuple[str, ...]
    wrt_words: str
    flat: str
    passed: str
    init_parameters: str
    init: tuple[str, ...]
    methods: tuple[Function, ...]
    remark: tuple[str, ...]


def _copied(argument: Argument, name: str) -> str:
    """The statement that makes a copy of data that are given."""
    made = entered(argument, name).removeprefix(f"{name} = ")
    return f"{name} = np.array({cut(argument, made)})"


class Binder:
    """Writes the class for given kernels; ``hoist`` computes what depends on the data alone, where there is such a
    thing; ``remark`` is what `bind` says of itself beside."""

    def __init__(
        self,
        ids: Identifiers,
        tape: Tape,
        kernels: Mapping[str, Function],
        hoist: Function | None,
        hoisted: Sequence[str],
        remark: Sequence[str],
    ) -> None:
        self.ids, self.tape, self.kernels, self.remark = ids, tape, kernels, tuple(remark)
        self.hoist, self.hoisted = hoist, list(hoisted)
        self.wrt = [w.name for w in ids.wrt]
        self.numbers = ids.of(a for a in ids.data if a in ids.numbers)
        self.indices = ids.of(ids.indices)
        steps, _ = solve([(a.name, a.shape) for a in ids.data])
        known = {step.dim for step in steps if isinstance(step, Let)}
        dims = {dim for w in ids.wrt for size in w.shape for dim in size.symbols}
        self.told = sources(ids.data)
        spoken = {d for c in tape.constraints for d in c.left.symbols | c.right.symbols}
        self.known, self.open = sorted((dims | spoken) & known), sorted(dims - known)
        self.dtype = free("dtype", ids.taken | set(self.hoisted))
        highest = max(ORDERS[name] for name in kernels)
        self.derivatives = {ids.called(f.name, k): (f, k) for f in ids.functions for k in range(1, highest + 1)}
        self.attributes = self._attributes()

    def _attributes(self) -> dict[str, str]:
        """Where the bound object keeps functions and dimensions, by their private names."""
        taken = {"_data", "_in", "_indices", "_arguments", "_converted", "_flat"}
        found: dict[str, str] = {}
        for name in (*self._functions(), *self.derivatives, *map(self.ids.size, (*self.known, *self.open))):
            attribute = free(f"_{name}", taken)
            taken.add(attribute)
            found[name] = f"{self.ids.me}.{attribute}"
        return found

    def _functions(self) -> list[str]:
        return self.ids.of(self.ids.functions)

    def text(self) -> BoundText:
        ids = self.ids
        bound = [a for a in ids.given if a.name not in self.wrt]
        opened = [ids.size(d) for d in self.open]
        optional = [*(ids.orders[f.name][k] for f, k in self.derivatives.values()), *opened]
        names = [a.name for a in bound]
        asked = [f"{d} : int, for the flat forms, where the data leave it open" for d in opened]
        return BoundText(
            name=ids.bound,
            parameters=", ".join([*names, *(["*"] if optional else []), *(f"{d}=None" for d in optional)]),
            described=(*described(ids, bound), *self._described(), *asked),
            wrt_words=words(self.wrt),
            flat=FLAT if "loss" in self.kernels or "jacobian" in self.kernels else PACKED,
            passed=", ".join([*names, *optional]),
            init_parameters=", ".join([ids.me, *ids.of(bound), *self.derivatives, *opened]),
            init=tuple(self._init()),
            methods=(
                *self._inner(),
                *(self._method(name, k) for name, k in self.kernels.items()),
                *self._flat().methods(self.kernels),
            ),
            remark=self.remark,
        )

    def _described(self) -> list[str]:
        """What numpydoc says of the derivatives of functions."""
        found: list[str] = []
        for local, (f, k) in self.derivatives.items():
            users = [name for name, kernel in self.kernels.items() if local in kernel.takes]
            needed = f", which {words(users)} need{'s' * (len(users) == 1)}" if users else ""
            found.append(f"{self.ids.orders[f.name][k]} : {ROLES[k].format(name=f.name)}{needed}")
        return found

    def _flat(self) -> Flat:
        kept = {dim: self.attributes[self.ids.size(dim)] for dim in (*self.known, *self.open)}
        halved = any(w.kind in SYMMETRIC for w in self.ids.wrt) and self.tape.options.get("symmetric") != "entries"
        checked = [*self._entered(), *self._checked()]
        return Flat(self.ids, self.tape.several, halved, kept, self.open, checked)

    def _entered(self) -> list[str]:
        """The statements that make arrays of the variables."""
        return [entered(w, n) for n, w in zip(self.ids.of(self.ids.wrt), self.ids.wrt, strict=True)]

    def _init(self) -> list[str]:
        """Data are checked and copied; the dimensions that the flat forms need are kept."""
        ids = self.ids
        lines = [_copied(a, n) for a, n in zip(ids.data, ids.of(ids.data), strict=True)]
        lines += checks(ids.data, self.tape.constraints, ids.size, ids.local, keep=self.known)
        if self.numbers:
            lines += [f"{ids.me}._data = ({listed(self.numbers)})", f"{ids.me}._in = {{}}"]
        if self.indices:
            taken = [inside(renamed(a, ids.local)) for a in ids.indices]
            lines.append(f"{ids.me}._indices = ({listed(taken)})")
        for f, name in zip(ids.functions, self._functions(), strict=True):
            lines.append(f"{self.attributes[name]} = {checked(ids, f, 0, name)}")
        for name, (f, k) in self.derivatives.items():
            lines.append(f"{self.attributes[name]} = {name} if {name} is None else {checked(ids, f, k, name)}")
        lines += [f"{self.attributes[ids.size(d)]} = {ids.size(d)}" for d in self.known]
        lines += [f'{self.attributes[ids.size(d)]} = _length("{ids.size(d)}", {ids.size(d)})' for d in self.open]
        return lines or ["pass"]

    def _called(self, user: str, kernel: Function) -> list[str]:
        """The statements that fetch the functions that a kernel takes, for one of ours."""
        lines = [f"{name} = {self.attributes[name]}" for name in self._functions() if name in kernel.takes]
        for name, (f, k) in self.derivatives.items():
            if name in kernel.takes:
                lines.append(f'{name} = _given("{user}", "{self.ids.orders[f.name][k]}", {self.attributes[name]})')
        return lines

    def _inner(self) -> list[Function]:
        """`_arguments`, which every function passes, and the data in the dtype that it finds."""
        ids, me = self.ids, self.ids.me
        wrt = ids.of(ids.wrt)
        kept = [n for n in (*ids.of(ids.data), *self.hoisted) if n not in self.indices]
        lines = self._entered()
        lines += self._fetched()
        lines += self._checked(self.tape.constraints, [a for a in ids.data if a.below is not None])
        results = [inside(renamed(a, ids.local)) if a in ids.wrt else ids.local[a.name] for a in ids.arguments]
        result = ", ".join([*results, *self.hoisted])
        beside = ", and what depends on the data alone" if self.hoisted else ""
        doc = f"The arguments in the working dtype, checked{beside}."
        if not self.numbers:
            lines.append(f"{listed(wrt)} = _working({', '.join(wrt)})")
            return [Function("_arguments", ", ".join([me, *wrt]), doc, tuple(lines), result)]
        dtype = self.dtype
        lines += [
            f"{dtype} = _dtype(*{me}._data, {', '.join(wrt)})",
            f"if {dtype} not in {me}._in:",
            f"    {me}._in[{dtype}] = {me}._converted({dtype})",
            f"{listed(kept)} = {me}._in[{dtype}]",
            *(f"{name} = {name}.astype({dtype}, copy=False)" for name in wrt),
        ]
        return [self._conversion(), Function("_arguments", ", ".join([me, *wrt]), doc, tuple(lines), result)]

    def _checked(self, constraints: Sequence[Constraint] = (), counted: Sequence[Argument] = ()) -> list[str]:
        """The checks of the variables, the dimensions that the data tell being known."""
        ids = self.ids
        found = checks(ids.wrt, constraints, ids.size, ids.local, given=self.told, counted=counted)
        words_ = set(re.findall(r"\w+", " ".join(found)))
        known = [f"{ids.size(d)} = {self.attributes[ids.size(d)]}" for d in self.known if ids.size(d) in words_]
        return [*known, *found]

    def _conversion(self) -> Function:
        """The data in a dtype, as private functions take them."""
        ids, me, dtype = self.ids, self.ids.me, self.dtype
        lines = [f"{listed(self.numbers)} = (value.astype({dtype}, copy=False) for value in {me}._data)"]
        made = {ids.local[a.name]: inside(renamed(a, ids.local)) for a in ids.data if a in ids.numbers}
        beside = ""
        if self.hoist is not None:
            lines += [f"{name} = {value}" for name, value in made.items() if value != name]
            made = {name: name for name in made}
            lines += self._fetched() if set(self.indices) & set(self.hoist.takes) else []
            lines += [*self._called("bind", self.hoist), f"{', '.join(self.hoisted)} = {self.hoist.call}"]
            beside = ", and what depends on them alone"
        values = [*made.values(), *self.hoisted]
        result = f"({listed(values)})" if len(values) == 1 else ", ".join(values)
        return Function("_converted", f"{me}, {dtype}", f"The data in a dtype{beside}.", tuple(lines), result)

    def _fetched(self) -> list[str]:
        """The statement that takes the indices among the data, which have no working dtype."""
        return [f"{listed(self.indices)} = {self.ids.me}._indices"] if self.indices else []

    def _method(self, name: str, kernel: Function) -> Function:
        """A function of the wrt variables alone."""
        ids = self.ids
        wrt = ids.of(ids.wrt)
        extra: list[str] = []
        everything = [*ids.of(ids.arguments), *self.hoisted]
        lines = [f"{', '.join(everything)} = {ids.me}._arguments({', '.join(wrt)})", *self._called(name, kernel)]
        if name in DIRECTED:
            extra = [ids.local[d] for d in ids.directions.values()]
            lines += [direction_line(ids, w, inside=True) for w in ids.wrt]
        if name == "vjp":
            extra = [ids.cotangent]
            lines += cotangent_lines(ids, self.tape.result.shape)
        doc = DOCS[name].format(wrt=words(self.wrt))
        taken, result = returned(ids, self.tape, name, kernel.call)
        return Function(name, ", ".join([ids.me, *wrt, *extra]), doc, (*lines, *taken), result)
