"""The functions of a bound loss or function on one flat vector: the independent entries of its variables, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from gradgen.dims import Dim, Size
from gradgen.door import unlike
from gradgen.functions import Function
from gradgen.identifiers import Identifiers, packed, words
from gradgen.tape import Argument

NONE = Size.of(0)
SYMMETRIC = ("Symmetric", "SPD")
HALVES = {"Symmetric": "_symmetric", "SPD": "_symmetric", "LowerTriangular": "_lower_triangular"}


@dataclass(frozen=True)
class Entries:
    """How many numbers an array holds: a polynomial, and ``n (n + 1) / 2`` for each n of ``halves``."""

    whole: Size = NONE
    halves: tuple[Size, ...] = ()

    @staticmethod
    def of(argument: Argument) -> Entries:
        """Those of an argument: the lower half of a symmetric or triangular one."""
        if argument.kind not in HALVES:
            total = Size.of(1)
            for size in argument.shape:
                total = total * size
            return Entries(total)
        side = argument.shape[0]
        if side.constant is not None:
            return Entries(Size.of(side.constant * (side.constant + 1) // 2))
        return Entries(halves=(side,))

    def __add__(self, other: Entries) -> Entries:
        return Entries(self.whole + other.whole, self.halves + other.halves)

    def spell(self, name: Callable[[Dim], str]) -> str:
        """The number as a Python expression, "" for none."""
        whole = [self.whole.spell(name)] if self.whole.terms else []
        return " + ".join([*whole, *(f"{_at(side, name)} * {_at(side + 1, name)} // 2" for side in self.halves)])


def _at(size: Size, name: Callable[[Dim], str]) -> str:
    return size.spell(name) if size.symbol else f"({size.spell(name)})"


class Flat:
    """Writes the flat functions. ``kept`` tells where the bound object keeps the value of a dimension, None for those
    of ``opened`` that nobody gave; ``checked`` are the statements that check the variables; ``halved`` says that a
    gradient holds each entry off the diagonal of a symmetric matrix twice, by half each."""

    def __init__(
        self,
        ids: Identifiers,
        several: bool,
        halved: bool,
        kept: Mapping[Dim, str],
        opened: Collection[Dim],
        checked: Sequence[str],
    ) -> None:
        self.ids, self.several, self.halved, self.kept, self.opened = ids, several, halved, kept, opened
        self.checked = checked
        self.wrt = list(zip(ids.wrt, ids.of(ids.wrt), strict=True))

    def methods(self, kernels: Collection[str]) -> list[Function]:
        """`pack` and `unpack`, and what scipy.optimize wants of the given kernels."""
        me, star = self.ids.me, "*" if self.several else ""
        x = f"{star}{me}.unpack(x)"
        if "jacobian" in kernels:
            return [
                *self._packing(),
                self._of("x", "fun", "`value` of a flat vector.", (), f"{me}.value({x})"),
                self._of("x", "jac", "`jacobian` of a flat vector.", (), f"{me}.jacobian({x})"),
            ]
        return [*self._packing(), *(self._of_loss(x, star, "hessian" in kernels) if "loss" in kernels else ())]

    def _of_loss(self, x: str, star: str, curved: bool) -> list[Function]:
        me, p = self.ids.me, f"{star}{self.ids.me}.unpack(p)"
        both = (f"value, gradient = {me}.value_and_grad({x})",)
        flat = f"{me}._flat" if self.halved else f"{me}.pack"
        found = [
            self._of("x", "fun", "`loss` of a flat vector.", (), f"{me}.loss({x})"),
            self._of("x", "jac", "`grad` of a flat vector.", (), f"{flat}({star}{me}.grad({x}))"),
            self._of("x", "fun_and_jac", "`value_and_grad` of a flat vector.", both, f"value, {flat}({star}gradient)"),
            self._of("x, p", "hessp", "`hvp` of flat vectors.", (), f"{flat}({star}{me}.hvp({x}, {p}))"),
        ]
        if curved:
            full = f"{me}.hessian({x})"
            result = full if self.ids.wrt[0].shape else f"np.full((1, 1), {full})"
            found.append(self._of("x", "hess", "`hessian` of a flat vector.", (), result))
        return [*([self._doubled()] if self.halved else []), *found]

    def _packing(self) -> list[Function]:
        """Between the variables and one flat vector."""
        parts = [_packed(w, name) for w, name in self.wrt]
        flat = f"np.concatenate(({', '.join(parts)}))" if len(parts) > 1 else parts[0]
        said = [f"the lower half of {w.name}" if w.kind in HALVES else w.name for w in self.ids.wrt]
        names = [w.name for w in self.ids.wrt]
        doc = f"One flat float64 vector of {words(said)}{', row by row' if said != names else ''}."
        lines, result = self._unpacked()
        return [
            self._of(self._variables(), "pack", doc, self.checked, f"np.array({flat}, dtype=np.float64)"),
            self._of(self.ids.flat, "unpack", f"{words(names)} from a flat vector.", lines, result),
        ]

    def _doubled(self) -> Function:
        doc = "A gradient by the entries of the flat vector: one off a diagonal stands twice in its matrix."
        parts = [f"_doubled({name})" if w.kind in SYMMETRIC else name for w, name in self.wrt]
        return self._of(self._variables(), "_flat", doc, (), f"{self.ids.me}.pack({', '.join(parts)})")

    def _variables(self) -> str:
        return ", ".join(name for _, name in self.wrt)

    def _of(self, parameters: str, name: str, doc: str, lines: Sequence[str], result: str) -> Function:
        return Function(name, f"{self.ids.me}, {parameters}", doc, tuple(lines), result)

    def _unpacked(self) -> tuple[list[str], str]:
        """The statements of `unpack`: open dimensions are solved from the length, then the vector is cut."""
        ids = self.ids
        x = ids.flat
        lines = [f'{x} = _array("x", {x}, 1)']
        lines += [f"{ids.size(dim)} = {place}" for dim, place in self.kept.items()]
        lengths = [Entries.of(w) for w in ids.wrt]
        total = sum(lengths, Entries())
        declared = total.spell(ids.size) or "0"
        if len(self.opened) > 1:
            lines.append(f'_one_open("{declared}", {", ".join(f"{n}={n}" for n in map(ids.size, self.opened))})')
        for dim in self.opened:
            lines += [f"if {ids.size(dim)} is None:", f"    {self._solving(dim, total)}"]
        lines += unlike("x", x, 0, f"({declared})" if " " in declared else declared, declared)
        parts, start = [], Entries()
        for w, length in zip(ids.wrt, lengths, strict=True):
            stop = start + length
            first, last = start.spell(ids.size), "" if stop == total else stop.spell(ids.size)
            parts.append(self._part(w, f"{x}[{first}:{last}]" if first or last else x))
            start = stop
        return lines, packed(parts, self.several)

    def _part(self, w: Argument, piece: str) -> str:
        """The variable that a piece of the flat vector holds."""
        if w.kind in HALVES:
            return f"{HALVES[w.kind]}({piece}, {w.shape[0].spell(self.ids.size)})"
        shape = ", ".join(size.spell(self.ids.size) for size in w.shape)
        tail = "" if len(w.shape) == 1 else f".reshape({shape or '()'})"
        return f"np.array({piece}, dtype=np.float64){tail}" + ("" if w.shape else "[()]")

    def _solving(self, dim: Dim, total: Entries) -> str:
        """The statement that finds an open dimension, the others being known."""
        name, declared = self.ids.size(dim), total.spell(self.ids.size)
        size = f"{self.ids.flat}.size"
        linear = [(m, c) for m, c in total.whole.terms if dim in m]
        if any(m.count(dim) > 1 for m, _ in linear) or any(dim in side.symbols for side in total.halves):
            return f'{name} = _searched("{name}", {size}, lambda {name}: {declared}, "{declared}")'
        factor = Size(tuple(sorted((tuple(k for k in m if k != dim), c) for m, c in linear)))
        rest = Entries(Size(tuple((m, c) for m, c in total.whole.terms if dim not in m)), total.halves)
        known = f"{rest.spell(self.ids.size) or '0'}, {factor.spell(self.ids.size)}"
        return f'{name} = _told("{name}", {size}, {known}, "{declared}")'


def _packed(w: Argument, name: str) -> str:
    """The entries of a variable that the flat vector holds."""
    if w.kind in HALVES:
        return f"_lower_half({name})"
    return f"np.ravel({name})"
