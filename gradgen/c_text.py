"""Loops as C: one function for each function of a module, on contiguous arrays of doubles.

A loop over the innermost axis carries ``omp simd``: the compiler may compute several rounds at once, functions such as
exp among them, and adds sums up in several parts. Nothing else is relaxed: infinities, NaN and signed zeros are kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gradgen.dims import Dim, Size
from gradgen.identifiers import Fresh
from gradgen.labels import Labels
from gradgen.loops import Member, Multiplication, Nest, Program, Result, Step, operands, reduces
from gradgen.nodes import Add, Count, Delta, Factor, Map, Node, Number, Operand, Product, Symbol, Triangle, one
from gradgen.ops.gather import Gather, Scatter
from gradgen.ops.reduce import Reduce
from gradgen.ops.select import Embed, Pick, Select, kept
from gradgen.sweeps import row_of
from gradgen.text import INDENT, magnitude
from gradgen.walk import Names, core, weak

FUNCTIONS: dict[str, str] = {
    **{name: f"{name}({{0}})" for name in "exp expm1 exp2 log log1p log2 log10 sin cos tan sinh cosh tanh".split()},
    **{f"arc{name}": f"a{name}({{0}})" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "absolute": "fabs({0})",
    "root": "sqrt({0})",
    "sign": "sign({0})",
    "relu": "larger({0}, 0.0)",
    "heaviside": "step({0})",
    "nonzero": "({0} != 0.0 ? {0} : INFINITY)",
    "regular": "({0} != 0.0 ? {0} : NAN)",
    "where": "",
    "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "power": "pow({0}, {1})",
    "power_of": "",
    "logical_not": "(double)({0} == 0.0)",
    "logical_and": "(double)({0} != 0.0 && {1} != 0.0)",
    "logical_or": "(double)({0} != 0.0 || {1} != 0.0)",
    **{
        name: f"(double)({{0}} {sign} {{1}})"
        for name, sign in (
            ("greater", ">"),
            ("greater_equal", ">="),
            ("less", "<"),
            ("less_equal", "<="),
            ("equal", "=="),
            ("not_equal", "!="),
        )
    },
}
LONG = 60
ATOM, SIGN, TERM, SUM = 4, 3, 2, 1
Local = dict[Node, tuple[str, int]]
POWERS: dict[Number, str] = {2: "squared", 3: "cubed", 4: "fourth"}
RESERVED = set(
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "ptrdiff_t I size_t NULL INFINITY NAN malloc free memset work sums task tasks thread count rows first last "
    "largest smallest larger smaller sign step fill add_up share run_tasks threads_for block_rows multiply "
    "squared cubed fourth failed exp expm1 exp2 log log1p log2 log10 sin cos tan sinh cosh tanh asin acos atan "
    "asinh acosh atanh sqrt fabs pow gamma y0 y1 yn j0 j1 jn erf index abs div time main remainder round floor "
    "ceil near far blas_dgemm blas_is_wide blas_multiply multiply_rows multiply_columns number_of_threads object "
    "np ndarray nogil gil cdef cpdef ctypedef cimport include by public readonly api except and as assert async "
    "await class def del elif finally from global import in is lambda nonlocal not or pass raise try with yield "
    "None True False print".split()
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of the function: an array, a number or a dimension; a result is written to."""

    name: str
    kind: str  # "size", "number", "array", "result", "indices", "position"
    node: Node | None = None
    size: Size | None = None


@dataclass(frozen=True)
class _Shared:
    """What threads share: the statements that share it out, and the function of one."""

    lines: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Written:
    """A C function: its text, its parameters in their order, and the products of sizes of its largest products."""

    text: str
    name: str
    parameters: tuple[Parameter, ...]
    products: tuple[str, ...]


def written(
    name: str, program: Program, given: Mapping[Node, str], names: Names, sizes: Mapping[Dim, str], doc: str
) -> Written:
    """The function of a program; ``given`` are the names of what is at hand, ``sizes`` those of the dimensions."""
    return _Printer(name, program, given, names, sizes).function(doc)


class _Printer:
    def __init__(
        self, name: str, program: Program, given: Mapping[Node, str], names: Names, sizes: Mapping[Dim, str]
    ) -> None:
        self.name, self.program, self.names = name, program, names
        self.fresh = Fresh(RESERVED)
        self.dims: dict[str, str] = {dim.name: self.fresh(_plain(said)) for dim, said in sizes.items()}
        self.declared = list(sizes)
        self.called: dict[Node, str] = {node: self.fresh(_plain(said)) for node, said in given.items()}
        self.given = dict(given)
        self.indices = [self.fresh(name) for name in "ijpqrs"]
        self.results = [r for steps in (program.rows, program.after) for r in _results(steps)]
        self.results.sort(key=lambda r: r.position)
        self.out = {
            r.position: self.fresh(f"result{r.position + 1}" if len(self.results) > 1 else "result")
            for r in self.results
        }
        self.rows = False
        self.weak = weak(self._all())
        self.lines: list[str] = []
        self.numbers: Local = {}
        self.uses = Counter(c for node in self._all() for _, c, _ in operands(node))
        self.uses.update(r.operand[1] for r in self.results)
        self.looped = {c for node in self._all() if node.rank or reduces(node) for c in map(core, node.operands)}
        self.looped.update(r.operand[1] for r in self.results if r.shape)
        self.depth = 1
        self.products: dict[str, None] = {}
        self.inner: dict[str, None] = {}

    def _all(self) -> list[Node]:
        found: dict[Node, None] = {}
        for steps in (self.program.before, self.program.rows, self.program.after):
            for step in steps:
                for node in [step.node] if isinstance(step, Multiplication) else [m.node for m in step.members]:
                    if isinstance(node, Node):
                        found.update(dict.fromkeys(map(core, node.operands)))
                        found[node] = None
        return list(found)

    # The function

    def function(self, doc: str) -> Written:
        """The C function, and before it that of the rows, which threads share."""
        program = self.program
        for node in program.kept:
            self.called[node] = self._name(node)
        for node in program.sums:
            self.called.setdefault(node, self._name(node))
        self._steps(program.before)
        before = self._taken()
        shared = self._shared() if program.rows else _Shared((), "")
        self._steps(program.after)
        body = [*before, *shared.lines, *self._taken()]
        self._memory(self._whole())
        head = self._taken()
        end = [f"{INDENT}free(work);"] if self._whole() else []
        end += [f"{INDENT}free(sums);"] if any(n.rank for n in program.sums) else []
        parameters = self._parameters("\n".join((*head, *body)))
        said = _wrapped(f"static int {self.name}_in_c(", [_declared(p) for p in parameters], ")")
        function = (f"/* {doc} */", said, "{", *head, *body, *end, f"{INDENT}return 0;", "}")
        text = f"{shared.text}\n\n" if shared.text else ""
        return Written(text + "\n".join(function), f"{self.name}_in_c", tuple(parameters), tuple(self.products))

    def _taken(self) -> list[str]:
        """The lines so far."""
        lines, self.lines = self.lines, []
        return lines

    def _parameters(self, body: str) -> list[Parameter]:
        found = [Parameter(said, "size", size=Size.of(dim)) for dim, said in self._dims(body)]
        for node in self.given:
            if _mentions(body, self.called[node]):
                found.append(Parameter(self.called[node], _kind(node), node))
        return found + [Parameter(self.out[r.position], "result") for r in self.results]

    def _dims(self, body: str) -> list[tuple[Dim, str]]:
        return [(dim, self.dims[dim.name]) for dim in self.declared if _mentions(body, self.dims[dim.name])]

    def _memory(self, buffers: Sequence[Node]) -> None:
        """Memory for what is kept: one piece, freed at the end."""
        if not buffers:
            return
        total = " + ".join(self._volume(node) for node in buffers)
        self._line(f"double *const work = malloc(sizeof(double) * (1 + {total}));")
        self._failing("work == NULL", [])
        before = "work"
        for node in buffers:
            self._line(f"double *restrict {self.called[node]} = {before};")
            before = f"{self.called[node]} + {self._volume(node)}"

    # The rows

    def _shared(self) -> _Shared:
        """The function of the rows from one to another, and the statements that let threads run it."""
        program, dim = self.program, self.program.dim
        assert dim is not None
        buffers = [n for n in program.kept if n.rank and self._is_block(n)]
        for node in program.sums:
            self._start(node)
        self._blocks()
        loop = self._taken()
        most = f"block_rows({self._row()}, {self._widest()})"
        self._line(f"const ptrdiff_t rows = largest(1, smallest(task->end - task->begin, {most}));")
        self._memory(buffers)
        head = self._taken()
        numbers = [self.called[n] for n in program.sums if not n.rank]
        arrays = [n for n in program.sums if n.rank]
        fields = self._fields("\n".join((*head, *loop)), buffers)
        task = f"{self.name}_task"
        end = [f"{INDENT}task->{said} = {said};" for said in numbers]
        end += [f"{INDENT}free(work);"] if buffers else []
        declared = [f"{kind}{said}" for kind, said in fields]
        declared += [f"double *{self.called[n]}" for n in arrays] + [f"double {said}" for said in numbers]
        unpacked = [f"{INDENT}{_restricted(kind)}{said} = task->{said};" for kind, said in fields]
        unpacked += [f"{INDENT}double *restrict {self.called[n]} = task->{self.called[n]};" for n in arrays]
        text = (
            f"struct {task} {{",
            f"{INDENT}ptrdiff_t begin, end;",
            *(f"{INDENT}{line};" for line in declared),
            "};",
            "",
            f"static int {self.name}_rows(struct {task} *task)",
            "{",
            *unpacked,
            *head,
            *loop,
            *end,
            f"{INDENT}return 0;",
            "}",
            "",
            f"static void *{self.name}_thread(void *task)",
            "{",
            f"{INDENT}return {self.name}_rows(task) ? task : NULL;",
            "}",
        )
        return _Shared(tuple(self._run(task, [said for _, said in fields], arrays, numbers)), "\n".join(text))

    def _fields(self, body: str, buffers: Sequence[Node]) -> list[tuple[str, str]]:
        """What the rows need to know, with its type."""
        own = {self.called[n] for n in (*buffers, *self.program.sums)}
        found = [("ptrdiff_t ", said) for _, said in self._dims(body)]
        for node, said in self.called.items():
            if said not in own and _mentions(body, said):
                found.append((TYPES[_kind(node)], said))
        return found + [("double *", said) for said in self.out.values() if _mentions(body, said)]

    def _run(self, task: str, fields: Sequence[str], arrays: Sequence[Node], numbers: Sequence[str]) -> list[str]:
        """The statements that share the rows out, and add up the sums in order."""
        assert self.program.dim is not None
        n = self._size(Size.of(self.program.dim))
        volumes = [self._product(node.shape, False) for node in arrays]
        self._line(f"struct {task} tasks[MOST_THREADS];")
        self._line(f"const int count = threads_for({n}, {self._row()}, {self._widest()});")
        if arrays:
            self._line(f"double *const sums = malloc(sizeof(double) * count * (1 + {' + '.join(volumes)}));")
            self._failing("sums == NULL", ["work"] if self._whole() else [])
        self._line("for (int thread = 0; thread < count; thread++) {")
        self.depth += 1
        self._line(f"tasks[thread].begin = share({n}, thread, count);")
        self._line(f"tasks[thread].end = share({n}, thread + 1, count);")
        for said in fields:
            self._line(f"tasks[thread].{said} = {said};")
        before = f"sums + thread * ({' + '.join(volumes)})" if volumes else ""
        for node, volume in zip(arrays, volumes, strict=True):
            self._line(f"tasks[thread].{self.called[node]} = {before};")
            before = f"tasks[thread].{self.called[node]} + {volume}"
        self.depth -= 1
        self._line("}")
        self._line(f"const int failed = run_tasks({self.name}_thread, tasks, sizeof(tasks[0]), count);")
        self._failing("failed", [*(["work"] if self._whole() else []), *(["sums"] if arrays else [])])
        return self._added(arrays, numbers, volumes)

    def _failing(self, condition: str, held: Sequence[str]) -> None:
        """Give memory back and return, where something failed."""
        self._line(f"if ({condition}) {{")
        for said in held:
            self._line(f"{INDENT}free({said});")
        self._line(f"{INDENT}return -1;")
        self._line("}")

    def _whole(self) -> list[Node]:
        """What is kept through the whole function."""
        return [n for n in self.program.kept if n.rank and not self._is_block(n) and n not in self.program.sums]

    def _widest(self) -> str:
        """The largest product of matrices that one row takes part in, in multiply-adds; 0 without any."""
        found = ""
        for product in self.inner:
            found = f"largest({found}, {product})" if found else product
        return found or "0"

    def _added(self, arrays: Sequence[Node], numbers: Sequence[str], volumes: Sequence[str]) -> list[str]:
        for said in numbers:
            self._line(f"double {said} = tasks[0].{said};")
        for node in arrays:
            self._line(f"double *restrict {self.called[node]} = tasks[0].{self.called[node]};")
        self._line("for (int thread = 1; thread < count; thread++) {")
        self.depth += 1
        for said in numbers:
            self._line(f"{said} += tasks[thread].{said};")
        for node, volume in zip(arrays, volumes, strict=True):
            self._line(f"add_up({self.called[node]}, tasks[thread].{self.called[node]}, {volume});")
        self.depth -= 1
        self._line("}")
        return self._taken()

    def _row(self) -> str:
        """The entries of one row of all that is kept or at hand."""
        size = Size.of(self.program.dim) if self.program.dim else Size.of(1)
        rows = [n for n in (*self.given, *self.program.kept) if size in n.shape and n in self.program.local]
        sizes = Size.of(0)
        for node in rows:
            sizes = sizes + row_of(node, size)
        return self._size(sizes)

    def _blocks(self) -> None:
        """The loop over blocks of rows, or all rows at once."""
        dim = self.program.dim
        assert dim is not None
        self._line("for (ptrdiff_t first = task->begin; first < task->end; first += rows) {")
        self.depth += 1
        self._line("const ptrdiff_t last = smallest(task->end - first, rows);")
        whole = dict(self.called), dict(self.out)
        size = Size.of(dim)
        start = len(self.lines)
        self.rows = True
        offsets: list[str] = []
        for node in self.given:
            if size in node.shape:
                offsets.append(self._offset(node, size))
        for result in self.results:
            if size in result.shape:
                offsets.append(self._offset_result(result, size))
        self._steps(self.program.rows)
        said = "\n".join(self.lines[start:])
        used = [line for line in offsets if _mentions(said, line.split(" = ")[0].split("restrict ")[1])]
        self.lines[start:start] = [INDENT * self.depth + line for line in used]
        self.rows = False
        self.called = {**self.called, **{n: whole[0][n] for n in self.given}}
        self.out = whole[1]
        self.depth -= 1
        self._line("}")

    def _offset(self, node: Node, size: Size) -> str:
        axis = self.program.stored[node].index(node.shape.index(size))
        stride = self._strides(node)[axis]
        whole = self.called[node]
        self.called[node] = self.fresh(f"{whole}_rows")
        kind = _restricted(TYPES[_kind(node)])
        return f"{kind}{self.called[node]} = {whole} + first{'' if stride == '1' else f' * {stride}'};"

    def _offset_result(self, result: Result, size: Size) -> str:
        axis = result.shape.index(size)
        stride = self._product(result.shape[axis + 1 :], False)
        whole = self.out[result.position]
        self.out[result.position] = self.fresh(f"{whole}_rows")
        return (
            f"double *restrict {self.out[result.position]} = {whole} + first{'' if stride == '1' else f' * {stride}'};"
        )

    def _start(self, node: Node) -> None:
        """The start of a sum over blocks."""
        if node.rank:
            self._line(f"memset({self.called[node]}, 0, sizeof(double) * ({self._volume(node)}));")
        else:
            self._line(f"double {self.called[node]} = 0.0;")

    # Sizes and places

    def _size(self, size: Size) -> str:
        return size.spell(lambda dim: self.dims[dim.name])

    def _extent(self, size: Size, block: bool) -> str:
        """The length of an axis in memory: of the rows of a block where the array is of one."""
        if block and self.program.dim is not None and size == Size.of(self.program.dim):
            return "rows"
        return self.bracketed(size)

    def bracketed(self, size: Size) -> str:
        """A size as a factor."""
        text = self._size(size)
        return text if text.isidentifier() or text.isdigit() else f"({text})"

    def _product(self, sizes: Sequence[Size], block: bool) -> str:
        return " * ".join(self._extent(size, block) for size in sizes) or "1"

    def _is_block(self, node: Node) -> bool:
        return node in self.program.local and node not in self.given and node not in self.program.sums

    def _volume(self, node: Node) -> str:
        return self._product(node.shape, self._is_block(node))

    def _strides(self, node: Node) -> list[str]:
        """The strides of the axes of a node as they stand in memory."""
        shape = [node.shape[axis] for axis in self.program.stored[node]]
        return [self._product(shape[k + 1 :], self._is_block(node)) for k in range(len(shape))]

    def _at(self, node: Node, labels: Labels, index: Mapping[int, str]) -> str:
        """An entry of an array in memory; ``index`` tells the index of each label."""
        parts = []
        for axis, stride in zip(self.program.stored[node], self._strides(node), strict=True):
            parts.append(_times(index[labels[axis]], stride))
        return f"{self.called[node]}[{' + '.join(parts)}]"

    # Statements

    def _line(self, line: str) -> None:
        self.lines.append(INDENT * self.depth + line)

    def _steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Multiplication):
                self._multiplication(step.node)
            elif step.frame:
                self._nest(step)
            else:
                self._scalars(step)

    def _scalars(self, nest: Nest) -> None:
        for member in nest.members:
            if isinstance(member.node, Result):
                value = self._operand(member.node.operand, {}, self.numbers)[0]
                self._line(f"{self.out[member.node.position]}[0] = {value};")
                continue
            if isinstance(member.node, Embed | Scatter):
                inside = _Body(0)
                self._placed(member.node, {}, self.numbers, inside)
                for line in (*inside.first, *inside.inner):
                    self._line(line)
                continue
            text, level = self._value(member.node, {}, self.numbers)
            if member.node not in self.looped and self._is_short(member.node, text, self.uses[member.node]):
                self.numbers[member.node] = text, level
            else:
                self.called[member.node] = self._name(member.node)
                self._line(f"const double {self.called[member.node]} = {text};")

    def _nest(self, nest: Nest) -> None:
        index = self.indices[: len(nest.frame)]
        inside, sums, plain = _Body(len(nest.frame)), [], True
        local: Local = {}
        uses = _uses(nest)
        for member in nest.members:
            at = dict(zip(member.labels, index, strict=True))
            if isinstance(member.node, Result):
                self._stored_result(member.node, at, local, inside)
            elif isinstance(member.node, Embed | Scatter):
                plain = self._placed(member.node, at, local, inside) and plain
            elif reduces(member.node):
                accumulated, vector = self._reduction(member, at, local, inside, nest)
                sums += accumulated
                plain = plain and vector
            else:
                self._computed(member.node, at, local, inside, uses[member.node])
        self._print(nest, index, inside, sums, plain)

    def _computed(self, node: Node, at: Mapping[int, str], local: Local, inside: _Body, uses: int) -> None:
        """A value of one round: written into its only user where it is short, else on a line of its own."""
        text, level = self._value(node, at, local)
        place = self._at(node, tuple(range(node.rank)), at) if node in self.program.kept else ""
        if place and not uses:
            inside.inner.append(f"{place} = {text};")
        elif not place and self._is_short(node, text, uses):
            local[node] = text, level
        else:
            local[node] = self._name(node), ATOM
            inside.inner.append(f"const double {local[node][0]} = {text};")
            if place:
                inside.inner.append(f"{place} = {local[node][0]};")

    def _is_short(self, node: Node, text: str, uses: int) -> bool:
        name = self.names.get(node)
        return uses == 1 and len(text) <= LONG and not (name is not None and name.hard)

    def _print(self, nest: Nest, index: Sequence[str], inside: _Body, sums: Sequence[str], plain: bool) -> None:
        for line in inside.first:
            self._line(line)
        for level, (size, k) in enumerate(zip(nest.frame, index, strict=True)):
            for line in inside.before[level]:
                self._line(line)
            if level == len(index) - 1 and plain:
                self._line("#pragma omp simd" + (f" reduction(+ : {', '.join(sums)})" if sums else ""))
            self._line(f"for (ptrdiff_t {k} = 0; {k} < {self._length(size)}; {k}++) {{")
            self.depth += 1
        for line in inside.inner:
            self._line(line)
        for level in reversed(range(len(index))):
            self.depth -= 1
            self._line("}")
            for line in inside.after[level]:
                self._line(line)

    def _stored_result(self, result: Result, at: Mapping[int, str], local: Local, inside: _Body) -> None:
        strides = [self._product(result.shape[k + 1 :], False) for k in range(len(result.shape))]
        place = " + ".join(_times(at[k], stride) for k, stride in enumerate(strides))
        value = self._operand(result.operand, at, local)[0]
        inside.inner.append(f"{self.out[result.position]}[{place}] = {value};")

    def _reduction(
        self, member: Member, at: Mapping[int, str], local: Local, inside: _Body, nest: Nest
    ) -> tuple[list[str], bool]:
        """A sum or maximum: in a variable while the loops that it runs over are the inner ones, else in memory."""
        node = member.node
        assert isinstance(node, Product | Reduce)
        start, combined = _combining(node)
        value = self._reduced_value(node, at, local)
        kept = [k for k, label in enumerate(member.labels) if label < node.rank]
        level = kept[-1] + 1 if kept else 0
        place = self._at(node, tuple(range(node.rank)), at) if node.rank else self.called.get(node, "")
        more = node in self.program.sums
        whole = kept == list(range(level))
        if not more and not whole:
            self._filled(node, start, inside)
        if level == len(nest.frame):
            inside.inner.append(combined.format(place, value))
            return [], True
        total = self._name(node) if node.rank else self.called.get(node) or self._name(node)
        if node.rank == 0 and not more:
            self.called[node] = total
            inside.first.append(f"double {total} = {start};")
        elif node.rank:
            inside.before[level].append(f"double {total} = {start};")
            joined = combined.format(place, total) if more or not whole else f"{place} = {total};"
            inside.after[level].append(joined)
        inside.inner.append(combined.format(total, value))
        summed = isinstance(node, Product)
        return ([total] if summed else []), summed

    def _placed(self, node: Embed | Scatter, at: Mapping[int, str], local: Local, inside: _Body) -> bool:
        """Entries put, or added, in their places among zeros; whether no two rounds meet in one place."""
        if node not in self.program.sums:
            self._filled(node, "0.0", inside)
        value = self._operand(operands(node)[0], at, local)[0]
        if isinstance(node, Scatter):
            index = {axis: self._index(node, axis, at, node.places) for axis in range(node.rank)}
        else:
            index = self._picks(node.picks, at)
        place = self._at(node, tuple(range(node.rank)), index)
        inside.inner.append(f"{place} += {value};")
        return isinstance(node, Embed)

    def _index(self, node: Gather | Scatter, axis: int, at: Mapping[int, str], places: Labels) -> str:
        """Which entry is taken along an axis of what is indexed; ``places`` tells the label of the loop for a label."""
        index, label = node.indices[axis], node.labels[axis]
        run = at[places[label]] if label >= 0 else ""
        if isinstance(index, Symbol):
            return f"{self.called[index]}[{run}]" if index.rank else self.called[index]
        return run

    def _left(self, node: Select, at: Mapping[int, str]) -> dict[int, str]:
        """The index along each axis that is left. A slice as long as the rows is of an array of another length, which
        is there as a whole."""
        found = {}
        for label, axis in enumerate(kept(node.picks)):
            moved = self._is_along_rows(node.shape[label]) and node.picks[axis] is not None
            found[axis] = f"(first + {at[label]})" if moved else at[label]
        return found

    def _picks(self, picks: Sequence[Pick], at: Mapping[int, str]) -> dict[int, str]:
        """Which entry is taken along each axis of what is picked from; ``at`` tells where a round stands on an axis."""
        return {axis: _picked(pick, at.get(axis, ""), self) for axis, pick in enumerate(picks)}

    def _filled(self, node: Node, start: str, inside: _Body) -> None:
        where, volume = self.called[node], self._volume(node)
        if start == "0.0":
            inside.first.append(f"memset({where}, 0, sizeof(double) * ({volume}));")
        else:
            inside.first.append(f"fill({where}, {volume}, {start});")

    def _vector(self, node: Product) -> None:
        """``node[i] = matrix[i, k] vector[k]`` as it stands in memory: along its rows, or down its columns."""
        (a, i, _), (b, _, _) = sorted(node.factors, key=lambda factor: -factor[0].rank)
        m, n = (self._length(a.shape[axis]) for axis in self.program.stored[a])
        along = tuple(i[axis] for axis in self.program.stored[a])[1] in node.summed
        more = int(node in self.program.sums)
        self._line(
            f"multiply_{'rows' if along else 'columns'}({m}, {n}, {self.called[a]}, {self._strides(a)[0]}, "
            f"{self.called[b]}, {more}, {self.called[node]});"
        )

    def _multiplication(self, node: Product) -> None:
        """``node[i, j] = left[i, k] right[k, j]`` as it stands in memory."""
        if node.rank == 1:
            self._vector(node)
            return
        (a, i, _), (b, j, _) = node.factors
        rows, columns = self.program.stored[node]
        if rows not in i:
            (a, i), (b, j) = (b, j), (a, i)
        [inner] = node.summed
        turned = [
            "1" if tuple(labels[axis] for axis in self.program.stored[n])[place] == inner else "0"
            for n, labels, place in ((a, i, 0), (b, j, 1))
        ]
        sizes = {k: s for n, labels in ((a, i), (b, j)) for k, s in zip(labels, n.shape, strict=True)}
        m, n, k = (self._length(sizes[label]) for label in (rows, columns, inner))
        leading = [self._strides(x)[0] for x in (a, b, node)]
        more = "1.0" if node in self.program.sums else "0.0"
        if self.rows and self.program.dim is not None:
            rest = [s for s in sizes.values() if s != Size.of(self.program.dim)]
            self.inner[self._product(rest, False)] = None
        self.products[" * ".join(self._extent(sizes[label], False) for label in (rows, columns, inner))] = None
        self._line(
            f"multiply({turned[0]}, {turned[1]}, {m}, {n}, {k}, {self.called[a]}, {leading[0]}, "
            f"{self.called[b]}, {leading[1]}, {more}, {self.called[node]}, {leading[2]});"
        )

    def _is_along_rows(self, size: Size) -> bool:
        """Whether an axis runs over the rows of a block."""
        return self.rows and self.program.dim is not None and size == Size.of(self.program.dim)

    def _length(self, size: Size) -> str:
        return "last" if self._is_along_rows(size) else self._size(size)

    # Values

    def _value(self, node: Node, at: Mapping[int, str], local: Local) -> tuple[str, int]:
        if isinstance(node, Add):
            return self._sum(node.terms, at, local)
        if isinstance(node, Map):
            return self._map(node, at, local)
        if isinstance(node, Select):
            return self._at(node.node, node.labels, self._picks(node.picks, self._left(node, at))), ATOM
        if isinstance(node, Gather):
            own = tuple(range(node.rank))
            axes = tuple(range(node.node.rank))
            return self._at(node.node, axes, {axis: self._index(node, axis, at, own) for axis in axes}), ATOM
        assert isinstance(node, Product)
        return self._powers(node, at, local)

    def _reduced_value(self, node: Product | Reduce, at: Mapping[int, str], local: Local) -> str:
        if isinstance(node, Reduce):
            return self._operand((node.coefficient, node.node, node.labels), at, local)[0]
        return self._powers(node, at, local)[0]

    def _map(self, node: Map, at: Mapping[int, str], local: Local) -> tuple[str, int]:
        parts = [self._operand(argument, at, local) for argument in node.arguments]
        if node.atom.name == "power_of":
            return _power(_bracketed(*parts[0], ATOM), node.atom.exponent), ATOM
        if node.atom.name == "where":
            mask, then, other = (_bracketed(text, level, ATOM) for text, level in parts)
            asked = mask.removeprefix("(double)") if mask.startswith("(double)(") else f"{mask} != 0.0"
            return f"({asked} ? {then} : {other})", ATOM
        pattern = FUNCTIONS[node.atom.name]
        called = pattern.startswith(pattern.partition("(")[0] + "({0}") and pattern[0] != "("
        return pattern.format(*(text if called else _bracketed(text, level, ATOM) for text, level in parts)), ATOM

    def _sum(self, terms: Sequence[Operand], at: Mapping[int, str], local: Local) -> tuple[str, int]:
        ranked: list[Operand] = sorted(terms, key=lambda term: term[0] < 0)
        text = ""
        for c, node, labels in ranked:
            part, level = self._operand((magnitude(c), node, labels), at, local)
            part = _bracketed(part, level, TERM)
            text += (f" + {part}" if c > 0 else f" - {part}") if text else (part if c > 0 else f"-{part}")
        return text, SUM

    def _powers(self, node: Product, at: Mapping[int, str], local: Local) -> tuple[str, int]:
        """The product of powers; 0 where a mask is, whatever the rest is there."""
        masks = [self._mask(n, labels, at) for n, labels, power in node.factors if _is_mask(n) and power > 0]
        rest = [factor for factor in node.factors if not (_is_mask(factor[0]) and factor[2] > 0)]
        if not masks:
            return self._quotient(node, rest, at, local)
        if not rest:
            return f"(double)({' && '.join(masks)})", ATOM
        return f"({' && '.join(masks)} ? {self._quotient(node, rest, at, local)[0]} : 0.0)", ATOM

    def _quotient(
        self, node: Product, factors: Sequence[Factor], at: Mapping[int, str], local: Local
    ) -> tuple[str, int]:
        above: list[str] = []
        below: list[str] = []
        for factor, labels, power in factors:
            text, level = self._operand((1, factor, labels), at, local)
            guarded = f"({text} != 0.0 ? {text} : {_instead(factor)})" if power < 0 and self._guards(node) else text
            base = _bracketed(guarded, ATOM if guarded != text else level, ATOM)
            (above if power > 0 else below).append(_power(base, magnitude(power)))
        text = " * ".join(above) or "1.0"
        if not below:
            return text, TERM if len(above) > 1 else ATOM
        return (f"{text} / {below[0]}" if len(below) == 1 else f"{text} / ({' * '.join(below)})"), TERM

    def _guards(self, node: Product) -> bool:
        """Whether a quotient is of sizes alone: where one is 0, what it divides is summed over nothing."""
        return all(factor in self.weak for factor, _, _ in node.factors)

    def _operand(self, term: Operand, at: Mapping[int, str], local: Local) -> tuple[str, int]:
        c, node, labels = term
        level = ATOM
        if node is one():
            return _number(c), ATOM if c >= 0 else SIGN
        if isinstance(node, Count):
            text = f"(double){self.bracketed(node.size)}"
        elif _is_mask(node):
            text = f"(double)({self._mask(node, labels, at)})"
        elif node in local:
            text, level = local[node]
        elif node.rank:
            text = self._at(node, labels, at)
        else:
            text = self.called[node]
        if c == 1:
            return text, level
        if c == -1:
            return f"-{_bracketed(text, level, ATOM)}", SIGN
        return f"{_number(c)} * {_bracketed(text, level, TERM)}", TERM

    def _mask(self, node: Node, labels: Labels, at: Mapping[int, str]) -> str:
        """Where a matrix of zeros and ones is 1."""
        row, column = (at[label] for label in labels)
        return f"{column} - {row} <= {node.offset}" if isinstance(node, Triangle) else f"{row} == {column}"

    # Names

    def _name(self, node: Node) -> str:
        name = self.names.get(node)
        return self.fresh(_plain(name.text) if name else _hint(node))


class _Body:
    """What stands in a nest of loops: ahead of all, before and after each loop, and innermost."""

    def __init__(self, depth: int) -> None:
        self.first: list[str] = []
        self.before: list[list[str]] = [[] for _ in range(depth)]
        self.after: list[list[str]] = [[] for _ in range(depth)]
        self.inner: list[str] = []


def _picked(pick: Pick, index: str, printer: _Printer) -> str:
    """Where a round stands on an axis of which something is picked."""
    if pick is None:
        return index
    if isinstance(pick, Size):
        return printer.bracketed(pick)
    start = pick.start if pick.step > 0 else pick.stop - 1
    moved = index if abs(pick.step) == 1 else f"{abs(pick.step)} * {index}"
    if start.constant == 0 and pick.step > 0:
        return f"({moved})" if " " in moved else moved
    return f"({printer.bracketed(start)} {'+' if pick.step > 0 else '-'} {moved})"


def _is_mask(node: Node) -> bool:
    return isinstance(node, Delta | Triangle)


def _combining(node: Product | Reduce) -> tuple[str, str]:
    """What a sum or maximum starts with, and the statement that takes another value in."""
    if isinstance(node, Product):
        return "0.0", "{0} += {1};"
    combine, start = {"max": ("larger", "-INFINITY"), "min": ("smaller", "INFINITY")}[node.kind]
    return start, f"{{0}} = {combine}({{0}}, {{1}});"


def _uses(nest: Nest) -> Counter[Node]:
    """How often each value is used within a loop."""
    found: Counter[Node] = Counter()
    for member in nest.members:
        found.update(child for _, child, _ in member.operands)
    return found


def _results(steps: Sequence[Step]) -> list[Result]:
    return [m.node for step in steps if isinstance(step, Nest) for m in step.members if isinstance(m.node, Result)]


def _instead(size: Node) -> str:
    """What divides in place of a number of dimensions that is 0: where it is no length of an axis, such as n (n - 1),
    it divides what may well be there."""
    several = isinstance(size, Count) and len(size.size.terms) > 1 and any(len(m) > 1 for m, _ in size.size.terms)
    return "NAN" if several else "1.0"


def _hint(node: Node) -> str:
    if isinstance(node, Map):
        return {"exp": "exponential", "log": "logarithm"}.get(node.atom.name, "t1")
    if isinstance(node, Reduce):
        return "peak"
    return "total" if reduces(node) and not node.rank else "t1"


def _plain(name: str) -> str:
    """An identifier of C."""
    return name if name.isascii() else "_".join(["v", *(f"{ord(c):x}" for c in name)])


def _number(value: Number) -> str:
    return repr(float(value))


def _bracketed(text: str, level: int, wanted: int) -> str:
    return text if level >= wanted else f"({text})"


def _power(base: str, power: Number) -> str:
    if power == 1:
        return base
    if power == Fraction(1, 2):
        return f"sqrt({base})"
    if power in (2, 3, 4):
        return f"({' * '.join([base] * int(power))})" if base.isidentifier() else f"{POWERS[power]}({base})"
    if power < 0:
        return f"(1.0 / {_power(base, -power)})"
    return f"pow({base}, {_number(power)})"


def _times(index: str, stride: str) -> str:
    return index if stride == "1" else f"{index} * {stride}"


def _mentions(text: str, name: str) -> bool:
    words: list[str] = re.findall(r"\w+", text)
    return name in words


TYPES = {
    "size": "ptrdiff_t ",
    "position": "ptrdiff_t ",
    "number": "double ",
    "array": "const double *",
    "indices": "const int64_t *",
    "result": "double *",
}


def _kind(node: Node) -> str:
    """What a value at hand is to C."""
    if isinstance(node, Symbol) and "index" in node.facts:
        return "indices" if node.rank else "position"
    return "array" if node.rank else "number"


def _declared(parameter: Parameter) -> str:
    return f"{_restricted(TYPES[parameter.kind])}{parameter.name}"


def _restricted(kind: str) -> str:
    """The type of a variable: of an array, that nothing else points to it."""
    return f"{kind}restrict " if "*" in kind else f"const {kind}"


def _wrapped(head: str, parts: Sequence[str], tail: str) -> str:
    """A list of parameters, on one line where it fits."""
    line = f"{head}{', '.join(parts)}{tail}"
    if len(line) <= 100:
        return line
    return head + "\n" + ",\n".join(f"{INDENT * 2}{part}" for part in parts) + tail
