"""The names in a generated module. The user's stay; what we add gives way with a trailing underscore."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from keyword import iskeyword

from gradgen.dims import Dim, Let, is_one, solve
from gradgen.tape import Argument, Tape

# What the statements of private functions call: an argument of such a name is renamed inside them.
PRIVATE = (
    "np scipy _array _converted _indices _below _dtype _working _FLOAT32 _FLOAT64 _mismatch _solved _searched "
    "_told _one_open _length _at_most _given _lower_half _symmetric _lower_triangular _doubled _adjugate _LU _Cholesky "
    "_adjugate_along _polar _polar_along _others _others_along tuple float type isinstance slice range max ValueError"
).split()

# What Cython reads as its own words and types, wherever it stands.
CYTHON = (
    "cdef cpdef ctypedef cimport include DEF IF ELIF ELSE NULL sizeof const volatile void char int float double bint "
    "short long signed unsigned Py_UNICODE Py_UCS4 Py_hash_t Py_ssize_t ssize_t size_t ptrdiff_t Py_tss_t"
).split()


class Identifiers:
    """The names of one module: of arguments and directions inside private functions, of dimensions and private
    functions. Words of the language that are ``reserved`` are no names inside them.

    ``given`` are all arguments, of the shapes that callers pass: ``arguments`` the arrays, ``functions`` the others;
    of the arrays, ``numbers`` are in the working dtype and ``indices`` are integers. ``orders`` names f, f' and f''.
    """

    def __init__(self, tape: Tape, kernels: Iterable[str], reserved: Iterable[str] = ()) -> None:
        private = {*PRIVATE, *reserved}
        self.given = tuple(replace(a, shape=a.given) for a in tape.arguments)
        self.arguments = tuple(a for a in self.given if not a.callable)
        self.functions = tuple(a for a in self.given if a.callable)
        self.numbers = tuple(a for a in self.arguments if a.kind != "Indices")
        self.indices = tuple(a for a in self.arguments if a.kind == "Indices")
        self.data = tuple(a for a in self.arguments if a.name not in tape.wrt)
        self.wrt = tuple(a for name in tape.wrt for a in self.arguments if a.name == name)
        used = {a.name for a in tape.arguments}
        self.orders = {
            f.name: (f.name, _taking("d" + f.name, used), _taking("d2" + f.name, used)) for f in self.functions
        }
        self.directions = {w.name: _taking("d" + w.name, used) for w in self.wrt}
        self.cotangent = _taking("cotangent", used) if tape.function else ""
        self.local = {name: free(name + "_", used) if name in private else name for name in sorted(used)}
        self.taken = used | set(self.local.values()) | private
        self.kernels = {name: free("_" + name, used) for name in kernels}
        self.replaced = {name: free("_bound_" + name, used) for name in self.kernels}
        self.door, self.owned, self.direction, self.bound, self.me, self.function, self.shaped = (
            free(name, used) for name in ("_door", "_owned", "_direction", "Bound", "self", "_Function", "_cotangent")
        )
        self.hoist = free("_from_data", used)
        self.sizes = self._sizes()
        self.taken |= set(self.sizes.values())
        self.flat = free("x", self.sizes.values())

    def _sizes(self) -> dict[str, str]:
        """The names of dimensions; they stand in functions that call the ones above."""
        dims = sorted({dim for a in self.arguments for size in a.shape for dim in size.symbols})
        private = {self.door, self.owned, self.direction, self.hoist, self.me, self.function, self.shaped}
        return {
            dim.name: free(dim.name, {*self.taken, *self.kernels.values(), *self.replaced.values(), *private})
            for dim in dims
        }

    @property
    def dims(self) -> dict[Dim, str]:
        """The names of the dimensions."""
        found = {dim for a in self.arguments for size in a.shape for dim in size.symbols}
        return {dim: self.sizes[dim.name] for dim in sorted(found)}

    def size(self, dim: Dim) -> str:
        return self.sizes[dim.name]

    def of(self, arguments: Iterable[Argument]) -> list[str]:
        """The names of arguments inside private functions."""
        return [self.local[a.name] for a in arguments]

    def typed(self, arguments: Iterable[Argument]) -> str:
        """The name of one of the arguments that has the working dtype, of an array where there is one."""
        numbers = [a for a in arguments if a in self.numbers]
        return self.local[next((a for a in numbers if a.shape), numbers[0]).name]

    def called(self, function: str, order: int) -> str:
        """The name of a derivative of a given function inside private functions."""
        return self.local[self.orders[function][order]]

    def signature(self, arguments: Iterable[Argument], order: int) -> list[str]:
        """The names of arguments as the user knows them, each function followed by its derivatives up to an order."""
        return [name for a in arguments for name in self.orders.get(a.name, (a.name,))[: order + 1]]

    def ranked(self) -> list[str]:
        """Everything that a private function may be given, in the order in which it takes it."""
        extra = (*self.directions.values(), *([self.cotangent] if self.cotangent else []))
        return [self.local[name] for name in (*self.signature(self.given, 2), *extra)]

    def origin(self, arguments: Sequence[Argument], dim: str, preferred: Iterable[str]) -> tuple[Argument, int, Let]:
        """The argument and axis that a dimension is read from, a preferred one where there is one, and how it is
        solved."""
        steps = {s.dim.name: s for s in solve([(a.name, a.shape) for a in arguments])[0] if isinstance(s, Let)}
        step, preferred = steps[dim], set(preferred)
        plain = [
            (a, axis)
            for a in arguments
            for axis, size in enumerate(a.shape)
            if size.symbol is not None and size.symbol.name == dim
        ]
        plain.sort(key=lambda found: self.local[found[0].name] not in preferred)
        if plain:
            return (*plain[0], step)
        return next(a for a in arguments if a.name == step.argument), step.axis, step


class Fresh:
    """Gives names that are not taken: t1, t2, … count on, others are numbered from their second use."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self.last: dict[str, int] = {}

    def __call__(self, hint: str) -> str:
        stem, name = hint.rstrip("0123456789"), hint
        number = self.last.get(stem, 1)
        while name in self.taken:
            number += 1
            name = f"{stem}{number}"
        self.last[stem] = number
        self.taken.add(name)
        return name


def free(name: str, taken: Iterable[str]) -> str:
    """The name, with as many trailing underscores as it needs."""
    taken = set(taken)
    while name in taken or iskeyword(name) or name == "__debug__":
        name += "_"
    return name


def _taking(name: str, taken: set[str]) -> str:
    """The name with as many trailing underscores as it needs; it is taken from now on."""
    name = free(name, taken)
    taken.add(name)
    return name


def words(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``"""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def listed(parts: Sequence[str]) -> str:
    """The inside of a tuple: one part keeps its comma."""
    return ", ".join(parts) + ("," if len(parts) == 1 else "")


def packed(parts: Sequence[str], several: bool) -> str:
    """One result as it is, several as a tuple."""
    return f"({listed(parts)})" if several else parts[0]


def squeezed_axis(argument: Argument, axis: int) -> int:
    """Where an axis stands once the axes of literal 1 are gone."""
    return sum(not is_one(size) for size in argument.shape[:axis])


def renamed(argument: Argument, names: Mapping[str, str]) -> Argument:
    return replace(argument, name=names[argument.name])
