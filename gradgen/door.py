"""The door of a generated module: statements that find the dimensions from the arguments' shapes, check the rest
and drop axes of 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from gradgen.dims import Dim, Let, Match, Size, is_one, solve
from gradgen.identifiers import Identifiers, squeezed_axis
from gradgen.tape import Argument, Constraint, Tape

SizeName = Callable[[Dim], str]


def checks(
    arguments: Sequence[Argument],
    constraints: Sequence[Constraint],
    name: SizeName,
    local: Mapping[str, str],
    keep: Collection[Dim] = (),
    given: Mapping[Dim, str] = MappingProxyType({}),
    counted: Sequence[Argument] = (),
) -> list[str]:
    """The statements that check the shapes of arrays, ``local`` their names.

    Each dimension that a check speaks of, or that is to be kept, gets a variable. Those ``given`` are known by an
    argument that was checked before, and so is what speaks of them alone; of ``counted`` indices only the bounds are
    left to be checked.
    """
    steps, _ = solve([(a.name, a.shape) for a in arguments], given)
    source: dict[Dim, str] = dict(given)
    known = {step.dim for step in steps if isinstance(step, Let)} | set(given)
    indices = [(a, a.below) for a in (*arguments, *counted) if a.below is not None]
    bounds = [(a, below) for a, below in indices if _new(below.symbols, known, given)]
    constraints = [c for c in constraints if _new(c.left.symbols | c.right.symbols, known, given)]
    used = _used(steps, constraints) | {dim for _, below in bounds for dim in below.symbols} | set(keep)
    lines: list[str] = []
    for step in steps:
        if isinstance(step, Match):
            lines += _match(step, name, source, local)
        else:
            source[step.dim] = step.argument
            if step.dim in used or step.factor != 1 or step.rest.terms:
                lines.append(_let(step, name, local))
    for constraint in constraints:
        left, right = constraint.left.spell(name), constraint.right.spell(name)
        said = _quoted(f"{constraint.left} <= {constraint.right}")
        lines.append(f"_at_most({left}, {right}, {said})")
    for argument, below in bounds:
        said = "" if below.constant is not None else f", {_quoted(str(below))}"
        lines.append(f'_below("{argument.name}", {local[argument.name]}, {below.spell(name)}{said})')
    return unpacked(lines, {local[a.name]: len(a.shape) for a in arguments})


def _new(dims: frozenset[Dim], known: Collection[Dim], given: Mapping[Dim, str]) -> bool:
    """Whether a check can be made now, and could not be made before."""
    return dims <= set(known) and not (given and dims <= set(given))


def swift(ids: Identifiers, tape: Tape) -> list[str]:
    """The statements that let float64 arrays and floats of the right shapes through at once; none where more than
    shapes is to be checked, or where an array is not taken as it is."""
    arrays = [a for a in ids.arguments if a.shape]
    steps, _ = solve([(a.name, a.shape) for a in arrays])
    let = [step for step in steps if isinstance(step, Let)]
    solved = any(step.factor != 1 or step.rest.terms for step in let)
    if not arrays or solved or tape.constraints or not all(a in ids.numbers and _as_it_is(a) for a in ids.arguments):
        return []
    names, numbers = ids.of(arrays), [ids.local[a.name] for a in ids.arguments if not a.shape]
    leading = [a for a in arrays if any(step.argument == a.name for step in let)]
    tests = [
        f"{' is '.join(f'type({n})' for n in names)} is np.ndarray",
        f"{' is '.join(f'{n}.dtype' for n in names)} is _FLOAT64",
        *(f"{ids.local[a.name]}.ndim == {len(a.shape)}" for a in leading),
        *(f"isinstance({n}, float)" for n in numbers),
    ]
    result = ", ".join(f"np.float64({n})" if n in numbers else n for n in ids.of(ids.arguments))
    lets = unpacked(
        [_let(step, ids.size, ids.local) for step in let], {ids.local[a.name]: len(a.shape) for a in arrays}
    )
    matches = [_matching(a, steps, ids) for a in arrays if a not in leading or any(_matches(a, s) for s in steps)]
    inside = [f"if {' and '.join(matches)}:", f"    return {result}"] if matches else [f"return {result}"]
    return [f"if {' and '.join(tests)}:", *(f"    {line}" for line in (*(lets if matches else []), *inside))]


def _as_it_is(argument: Argument) -> bool:
    return argument.kind != "LowerTriangular" and not any(map(is_one, argument.shape))


def _matches(argument: Argument, step: Let | Match) -> bool:
    return isinstance(step, Match) and step.argument == argument.name


def _matching(argument: Argument, steps: Sequence[Let | Match], ids: Identifiers) -> str:
    """The comparison of an array's shape with known dimensions: of all of it where nothing is read off it."""
    name = ids.local[argument.name]
    matched = [s for s in steps if isinstance(s, Match) and s.argument == argument.name]
    sizes = [size.spell(ids.size) for size in argument.shape]
    if len(matched) == len(sizes):
        return f"{name}.shape == ({', '.join(sizes)}{',' * (len(sizes) == 1)})"
    return " and ".join(f"{name}.shape[{s.axis}] == {s.size.spell(ids.size)}" for s in matched)


def sources(arguments: Sequence[Argument]) -> dict[Dim, str]:
    """The argument that tells each dimension."""
    steps, _ = solve([(a.name, a.shape) for a in arguments])
    return {step.dim: step.argument for step in steps if isinstance(step, Let)}


def entered(argument: Argument, name: str) -> str:
    """The statement that makes an array of what is given for an argument."""
    if argument.kind == "Indices":
        return f'{name} = _indices("{argument.name}", {name})'
    return f'{name} = _array("{argument.name}", {name}, {len(argument.shape)})'


def cut(argument: Argument, name: str) -> str:
    """An array, of which the lower half is taken where no more is to be read."""
    return f"np.tril({name})" if argument.kind == "LowerTriangular" else name


def unpacked(lines: Sequence[str], ranks: Mapping[str, int]) -> list[str]:
    """The statements with ``n = X.shape[0]`` and ``d = X.shape[1]`` joined to ``n, d = X.shape``."""
    joined: list[str] = []
    for line in lines:
        joined.append(line)
        for name, rank in ranks.items():
            tails = [f" = {name}.shape[{axis}]" for axis in range(rank)]
            last = joined[-rank:]
            if rank > 1 and len(last) == rank and all(map(str.endswith, last, tails)):
                names = [text.removesuffix(tail) for text, tail in zip(last, tails, strict=True)]
                joined[-rank:] = [f"{', '.join(names)} = {name}.shape"]
    return joined


def _used(steps: Sequence[Let | Match], constraints: Sequence[Constraint]) -> set[Dim]:
    """The dimensions that a later check speaks of."""
    found: set[Dim] = set()
    for step in steps:
        found |= step.size.symbols if isinstance(step, Match) else step.rest.symbols
    for constraint in constraints:
        found |= constraint.left.symbols | constraint.right.symbols
    return found


def _let(step: Let, name: SizeName, local: Mapping[str, str]) -> str:
    value = f"{local[step.argument]}.shape[{step.axis}]"
    if step.factor == 1 and not step.rest.terms:
        return f"{name(step.dim)} = {value}"
    said = _quoted(str(step.rest + Size.of(step.dim) * step.factor))
    known = f"{value}, {step.rest.spell(name)}, {step.factor}"
    return f'{name(step.dim)} = _solved("{step.argument}", {step.axis}, {known}, {said})'


def _match(step: Match, name: SizeName, source: dict[Dim, str], local: Mapping[str, str]) -> list[str]:
    origin = sorted({source[dim] for dim in step.size.symbols if dim in source})
    where = f", as in {origin[0]}" if len(origin) == 1 and origin[0] != step.argument else ""
    return unlike(step.argument, local[step.argument], step.axis, step.size.spell(name), f"{step.size}{where}")


def unlike(argument: str, array: str, axis: int, size: str, said: str) -> list[str]:
    """The statements that refuse an axis of another size."""
    shape = f"{array}.shape"
    return [
        f"if {shape}[{axis}] != {size}:",
        f'    raise _mismatch("{argument}", {shape}, {axis}, {size}, {_quoted(said)})',
    ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def squeezed(argument: Argument) -> str:
    """The argument without its axes of literal 1."""
    return f"{argument.name}{dropped(argument.shape)}"


def dropped(shape: Sequence[Size]) -> str:
    """The brackets that drop axes of literal 1, or "" where there are none."""
    if not any(is_one(size) for size in shape):
        return ""
    return f"[{', '.join('0' if is_one(size) else ':' for size in shape)}]"


def restored(shape: Sequence[Size]) -> str:
    """The brackets that put axes of literal 1 back, or "" where there are none."""
    if not any(is_one(size) for size in shape):
        return ""
    return f"[{', '.join('None' if is_one(size) else ':' for size in shape)}]"


def size_lines(
    ids: Identifiers, sizes: Sequence[Size], body: Sequence[str], used: set[str], arguments: Sequence[Argument]
) -> tuple[list[str], set[str]]:
    """The statements that read the dimensions off the shapes of arguments, and those arguments."""
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
            lines[dim] = _found(place, step, ids)
    plain = [dim for dim in ids.sizes if dim in lines and lines[dim].endswith("]")]
    ranked = [*plain, *(dim for dim in lines if dim not in plain)]
    ranks = {ids.local[a.name]: sum(not is_one(size) for size in a.shape) for a in ids.arguments}
    return unpacked([f"{ids.sizes[dim]} = {lines[dim]}" for dim in ranked], ranks), sources


def _found(place: str, step: Let, ids: Identifiers) -> str:
    """The text of the dimension that a sum or multiple determines."""
    rest = step.rest.spell(ids.size)
    inside = f"{place} - ({rest})" if len(step.rest.terms) > 1 else f"{place} - {rest}" if rest != "0" else place
    return inside if step.factor == 1 else f"({inside}) // {step.factor}"
