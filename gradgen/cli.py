"""The command line. Exit codes: 0 done, 1 a check failed, 2 the spec or the call is wrong."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gradgen import compiled, files
from gradgen.dims import Dim
from gradgen.errors import Errors, SpecError
from gradgen.foreign import refuse_foreign
from gradgen.pipeline import BACKENDS, Generated, costs, formulas, generate, listing
from gradgen.spec import Declaration, load_spec
from gradgen.tally import Cost
from gradgen.tape import Tape
from gradgen.templating import render
from gradgen.timing import timed
from gradgen.version import __version__
from gradgen.watch import watch

LATER = ("explain", "check", "audit")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code."""
    arguments = _parser().parse_args(argv)
    _never_fail_to_print()
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _never_fail_to_print() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "gradgen", description="Losses and functions written as NumPy become modules with derivatives."
    )
    parser.add_argument("--version", action="version", version=f"gradgen {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    build = commands.add_parser("build", help="write the modules and their tests, print each derivative")
    build.add_argument("specs", nargs="+", type=Path, metavar="SPEC")
    build.add_argument("-o", "--output", type=Path, default=Path("generated"), help="the folder (default: generated)")
    build.add_argument(
        "--backend",
        choices=BACKENDS,
        default="numpy",
        help="with cython also the pyx files in cython/ below the folder, and their libraries beside them",
    )
    build.add_argument("--no-compile", action="store_true", help="write the pyx files, but make no libraries")
    build.add_argument("--only", action="append", metavar="NAME", help="this loss or function alone; may be repeated")
    build.add_argument(
        "--check",
        action="store_true",
        help="write nothing; show the diff, and exit 1 where a file is stale or missing, "
        "where all specs of a folder are given and none of them makes a module that is there, "
        "or where a module's numbers differ from the 50-digit values of its tests at their inputs",
    )
    build.add_argument("--watch", action="store_true", help="build again what changed, until Ctrl-C")
    build.set_defaults(run=_build)

    show = commands.add_parser("show", help="print the formulas")
    show.add_argument("spec", metavar="SPEC[:NAME]")
    show.add_argument("--hvp", action="store_true", help="the Hessian-vector product too")
    show.add_argument(
        "--plan", action="store_true", help="the statements that the formulas become, with what each costs"
    )
    show.add_argument("--latex", action="store_true", help="not supported yet")
    show.add_argument("--cost", action="store_true", help="flops and bytes of each function")
    show.set_defaults(run=_show)

    bench = commands.add_parser("bench", help="time the functions, beside the spec as NumPy and jax.jit")
    bench.add_argument("spec", metavar="SPEC[:NAME]")
    bench.set_defaults(run=_bench)

    init = commands.add_parser("init", help="write a commented spec to start from")
    init.add_argument("name", metavar="NAME")
    init.set_defaults(run=_init)

    for name in LATER:
        later = commands.add_parser(name, help="not supported yet")
        later.add_argument("rest", nargs=argparse.REMAINDER)
        later.set_defaults(run=_later, command=name)
    return parser


def _later(arguments: argparse.Namespace) -> int:
    raise SpecError(f"gradgen {arguments.command} is not supported yet")


def _build(arguments: argparse.Namespace) -> int:
    if arguments.watch:
        return _watch(arguments)
    declared = _declared(arguments.specs, arguments.only)
    if not arguments.check:
        refuse_foreign(arguments.output, _traced(declared), arguments.specs)
    built = _generated(declared, arguments.backend)
    if arguments.check:
        whole = not arguments.only and _are_whole_folders(arguments.specs)
        stale = _check(arguments.output, _texts(built), whole)
        return _warned(built) or stale
    return _write_built(arguments.output, built, not arguments.no_compile)


def _write_built(folder: Path, built: Sequence[Generated], libraries: bool) -> int:
    """Write modules and tests, print the formulas, and compile; 1 where a module differs from what its tests hold, or
    cannot be compiled."""
    _write(folder, _texts(built))
    for one in built:
        print(f"{one.name} -> {folder / one.name}.py\n{_indented(one.formulas)}")
        if one.warning:
            print(f"warning: {one.name}: {one.warning}; its tests hold no values", file=sys.stderr)
    return max(_warned(built), _compile(folder, built, libraries))


def _compile(folder: Path, built: Sequence[Generated], libraries: bool) -> int:
    """Have libraries beside the pyx files, and tell what is wrong with them; 1 where anything is."""
    sys.stdout.flush()
    try:
        wrong = compiled.update(folder, built, libraries)
    except OSError as error:
        raise SpecError(f"cannot write to {folder / files.COMPILED}: {error.strerror}") from error
    for text in (*compiled.outdated(folder, built), *wrong):
        print(text, file=sys.stderr)
    return 1 if wrong else 0


def _warned(built: Sequence[Generated]) -> int:
    """Tell which modules differ from the 50-digit values of their own tests, and which could not be tried; 1 where one
    differs."""
    for library in sorted({one.missing for one in built if one.missing}):
        names = ", ".join(one.name for one in built if one.missing == library)
        print(f"note: not tried at the inputs of their tests, as {library} is not installed: {names}", file=sys.stderr)
    found = [one.difference for one in built if one.difference]
    for difference in found:
        print(f"warning: {difference}", file=sys.stderr)
    return 1 if found else 0


def _generated(declared: Iterable[Declaration], backend: str) -> list[Generated]:
    """What is built of them; everything that is wrong is told at once."""
    errors = Errors()
    built: list[Generated] = []
    for tape in _traced(declared):
        with errors.collected():
            built.append(generate(tape, backend))
    errors.report()
    return built


def _traced(declared: Iterable[Declaration]) -> list[Tape]:
    errors = Errors()
    tapes: list[Tape] = []
    for one in declared:
        with errors.collected():
            tapes.append(one.tape)
    errors.report()
    return tapes


def _declared(specs: Sequence[Path], only: Sequence[str] | None) -> list[Declaration]:
    """The losses and functions of all specs in order, or those of them that are asked for."""
    errors = Errors()
    found: list[Declaration] = []
    for spec in specs:
        with errors.collected():
            found += _load(spec).values()
    with errors.collected():
        files.refuse_names(map(_named, found))
    if errors.found and only is None:  # what else is wrong
        with errors.collected():
            _traced(found)
    errors.report()
    return found if only is None else _selected({one.name: one for one in found}, only)


def _named(one: Declaration) -> files.Named:
    return files.Named(one.name, one.word, one.place)


def _load(spec: Path) -> dict[str, Declaration]:
    if spec.is_dir():
        raise SpecError(f"{spec} is a folder", f"name its files: gradgen build {spec / '*.py'}")
    if not spec.is_file():
        raise SpecError(f"there is no spec {spec}", "gradgen init NAME writes one to start from")
    found = load_spec(spec)
    if not found:
        hint = "put @loss(wrt=...) or @function(wrt=...) over a function"
        raise SpecError(f"{spec}: there is no loss or function in this spec", hint)
    return found


def _selected(declared: dict[str, Declaration], names: Sequence[str]) -> list[Declaration]:
    for name in names:
        if name not in declared:
            raise _unknown(name, list(declared))
    return [one for one in declared.values() if one.name in names]


def _unknown(name: str, known: Sequence[str]) -> SpecError:
    near = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return SpecError(f"there is no loss or function {name!r}", f"{meant}there are: {', '.join(known)}")


def _texts(built: Sequence[Generated]) -> dict[str, str]:
    """The files of a build by name."""
    texts = {"__init__.py": ""}
    for one in built:
        texts[f"{one.name}.py"] = one.module
        texts[f"test_{one.name}.py"] = one.tests
    return texts | compiled.texts(built)


def _write(folder: Path, texts: dict[str, str]) -> None:
    try:
        files.write(folder, texts)
    except OSError as error:
        raise SpecError(f"cannot write to {folder}: {error.strerror}", "give another folder with -o") from error


def _watch(arguments: argparse.Namespace) -> int:
    """Build each spec when it changes, until Ctrl-C; what is wrong is told, and others go on."""
    if arguments.check:
        raise SpecError("--check and --watch do not go together", "give one of them")
    _declared([spec for spec in arguments.specs if not spec.is_file()], None)  # what is not there is refused
    names: dict[Path, list[files.Named]] = {}
    wrong: set[Path] = set()

    def build(changed: Sequence[Path]) -> None:
        for spec in dict.fromkeys((*changed, *sorted(wrong))):
            wrong.discard(spec)
            try:
                chosen = _renewed(spec, arguments.output, arguments.only, names)
                _write_built(arguments.output, _generated(chosen, arguments.backend), not arguments.no_compile)
            except SpecError as error:
                wrong.add(spec)
                print(error, file=sys.stderr, flush=True)
        known = [one.name for others in names.values() for one in others]
        for name in () if wrong else arguments.only or ():
            if name not in known:
                print(_unknown(name, known), file=sys.stderr, flush=True)
        print(f"watching {', '.join(map(str, arguments.specs))}; Ctrl-C stops", flush=True)

    watch(arguments.specs, build, lambda: time.sleep(PAUSE))
    return 0


PAUSE = 0.3  # seconds between two looks at the files


def _renewed(
    spec: Path, folder: Path, only: Sequence[str] | None, names: dict[Path, list[files.Named]]
) -> list[Declaration]:
    """What is to be built of a watched spec; ``names`` are those that each watched spec declares."""
    names.pop(spec, None)
    found = _load(spec)
    own = [_named(one) for one in found.values()]
    files.refuse_names([*(one for others in names.values() for one in others), *own])
    names[spec] = own
    chosen = [one for one in found.values() if only is None or one.name in only]
    refuse_foreign(folder, _traced(chosen), names)
    return chosen


def _are_whole_folders(specs: Sequence[Path]) -> bool:
    given = {spec.resolve() for spec in specs}
    return all(path in given for spec in given for path in spec.parent.glob("*.py"))


def _check(folder: Path, texts: dict[str, str], whole: bool) -> int:
    changes = files.differences(folder, texts)
    if whole:
        patterns = ("*.py", f"{files.COMPILED}/*.pyx") if any(name.endswith(".pyx") for name in texts) else ("*.py",)
        changes += "".join(f"orphan: {path}: no spec makes it\n" for path in files.orphans(folder, texts, patterns))
    print(changes, end="")
    return 1 if changes else 0


def _show(arguments: argparse.Namespace) -> int:
    if arguments.latex:
        raise SpecError("--latex is not supported yet")
    path, name = _target(arguments.spec)
    for tape in _traced(_declared([path], name and [name])):
        print(f"{tape.name}\n{_indented(formulas(tape, arguments.hvp))}")
        if arguments.cost:
            print(_indented(_prices(costs(tape), _dims(tape))))
        if arguments.plan:
            print(_indented([listing(tape)]))
    return 0


def _dims(tape: Tape) -> list[Dim]:
    return sorted({dim for argument in tape.arguments for size in argument.shape for dim in size.symbols})


def _prices(found: Mapping[str, Cost], dims: Sequence[Dim]) -> list[str]:
    """A line for each function: flops and bytes as polynomials, and at the typical sizes."""
    at = ", ".join(f"{dim.name}={dim.typical:,}" for dim in dims)
    rows = [("function", "flops", "bytes", f"at {at}" if at else "in all")]
    rows += [
        (name.strip("_"), str(c.flops), str(c.bytes), f"{c.flops.typical:.3g} flops, {c.bytes.typical:.3g} bytes")
        for name, c in found.items()
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _bench(arguments: argparse.Namespace) -> int:
    path, name = _target(arguments.spec)
    declared = _declared([path], name and [name])
    _traced(declared)
    for one in declared:
        sizes, rows = timed(one)
        at = ", ".join(f"{dim}={size:,}" for dim, size in sizes.items())
        print(f"{one.name} at {at}\n{_indented(_times(rows))}")
    return 0


def _times(rows: Sequence[tuple[str, Mapping[str, float]]]) -> list[str]:
    """A line for each function: the time of a call, and that of the others as multiples of the module's."""
    others = list(dict.fromkeys(name for _, found in rows for name in found if name != "gradgen"))
    lines = [("function", "gradgen", *others)]
    for name, found in rows:
        base = found["gradgen"]
        ratios = (f"{found[other] / base:.2f} x" if other in found else "" for other in others)
        lines.append((name, f"{base * 1e6:,.1f} µs", *ratios))
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _target(text: str) -> tuple[Path, str | None]:
    """``SPEC:NAME`` in two; a colon may also stand in the path."""
    path, colon, name = text.rpartition(":")
    if colon and name.isidentifier() and not Path(text).exists():
        return Path(path), name
    return Path(text), None


def _indented(lines: Sequence[str]) -> str:
    return textwrap.indent("\n".join(lines).rstrip() + "\n", "    ")


def _init(arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    files.refuse_name(files.Named(name))
    path = Path("specs") / f"{name}.py"
    if path.exists():
        raise SpecError(f"{path} is there already")
    _write(path.parent, {path.name: render("spec.py.j2", name=name)})
    print(f"{path}: now edit it, then run gradgen build {path}")
    return 0
