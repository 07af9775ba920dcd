"""What must hold of the module that a random program becomes."""

from __future__ import annotations

import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from random_jax import JaxHasNoAnswer, Oracle
from random_programs import EVEN, Given, Program
from random_values import Unknown, direction, draw
from random_words import NO_NUMBERS

from gradgen import derive, emit, plan
from gradgen.calling import derivatives
from gradgen.dims import Let, solve
from gradgen.eager import measure
from gradgen.errors import SpecError
from gradgen.fields import FLOAT
from gradgen.pipeline import generate_module
from gradgen.replay import Replay
from gradgen.spec import load_spec

Array = Any
Results = dict[str, list[Array]]
KINDS = {False: ("loss", "grad", "hvp"), True: ("value", "jvp", "vjp")}
LIKE_WRT = ("grad", "hvp", "vjp")
BOUNDS = {"loss": 1e-11, "value": 1e-11, "grad": 1e-10, "jvp": 1e-10, "vjp": 1e-10, "hvp": 1e-8}
SAME = dict.fromkeys(BOUNDS, 1e-10)  # two ways through one module
NEGLIGIBLE = 1e-3  # of the largest number around: an array below it vanishes by cancellation
ROUGH = 0.1  # the same in float32, which holds so many digits fewer
ROUNDED = 1e-13  # of an input: whatever that moves a result by is not known better


class Wrong(AssertionError):
    """A property that does not hold; the first line says which."""


# ---- from a program to modules


def loaded(text: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "example_spec.py"
        path.write_text(text, encoding="utf-8")
        (made,) = load_spec(path).values()
        made.tape  # noqa: B018  (traced while the file is there)
        return made


def module_of(made: Any) -> dict[str, Any]:
    """The generated module; black takes most of the time, and changes nothing."""
    namespace: dict[str, Any] = {"__name__": "example"}
    with warnings.catch_warnings(), patch.object(emit, "formatted", lambda text: text):
        warnings.simplefilter("error")
        source, _ = generate_module(made.tape)
        exec(compile(source, "<generated>", "exec"), namespace)
    return namespace


@contextmanager
def unsimplified() -> Iterator[None]:
    """Whatever is generated meanwhile passes no law: what the tape was lowered to is differentiated as it stands,
    and that is spelled. (Nodes merge equal terms and powers when they are made, and numbers have stable spellings.)"""
    passes = {
        derive: {"_simplified": lambda lowered, names: [lowered.value], "normal": lambda roots, names: list(roots)},
        plan: {name: lambda roots, *_, **__: list(roots) for name in ("distributed", "opened")},
    }
    with ExitStack() as stack:
        for module, replaced in passes.items():
            for name, identity in replaced.items():
                stack.enter_context(patch.object(module, name, identity))
        yield


def same_twice(program: Program) -> bool:
    """Whether two generations give the same text."""
    first, second = (generate_module(loaded(program.text()).tape) for _ in range(2))
    return first == second


# ---- one point


@dataclass(frozen=True)
class Point:
    """What a module is called with: arguments, a direction for each variable, and of a function a cotangent."""

    made: Any
    given: tuple[Given, ...]
    oracle: Oracle
    inputs: Mapping[str, Array]
    directions: tuple[Array, ...]
    cotangent: tuple[Array, ...]

    def by_jax(self) -> Results:
        return self.oracle(self.inputs, self.directions, self.cotangent)

    @property
    def variables(self) -> list[Array]:
        return [self.inputs[name] for name in self.made.wrt]

    @property
    def kinds(self) -> tuple[str, ...]:
        return KINDS[self.made.tape.function]

    def arguments(self, kind: str) -> list[Array]:
        """The arguments as a function of the module takes them: functions before their derivatives."""
        highest = {"loss": 0, "value": 0, "hvp": 2, "hessian": 2}.get(kind, 1)
        pairs = ((v.orders[: highest + 1] if isinstance(v, Unknown) else (v,)) for v in self.inputs.values())
        return [v for found in pairs for v in found]

    def more(self, kind: str) -> tuple[Array, ...]:
        """What stands behind the arguments."""
        return {"jvp": self.directions, "hvp": self.directions, "vjp": self.cotangent}.get(kind, ())

    def of(self, convert: Any) -> Point:
        """The point with every array converted, but for indices and functions."""
        kept = {g.name for g in self.given if g.kind in NO_NUMBERS}
        inputs = {name: v if name in kept else convert(v) for name, v in self.inputs.items()}
        return replace(
            self,
            inputs=inputs,
            directions=tuple(map(convert, self.directions)),
            cotangent=tuple(map(convert, self.cotangent)),
        )


def point(made: Any, program: Program, oracle: Oracle, world: int) -> Point:
    """Read-only arrays in a world of the program."""
    rng = np.random.default_rng(program.seed)
    inputs = {n: _frozen(v) for n, v in draw(program.given, program.sizes[world], program.seed + world).items()}
    directions = [
        _frozen(direction(g, inputs[g.name], rng)) for name in made.wrt for g in program.given if g.name == name
    ]
    cotangent: tuple[Array, ...] = ()
    if program.function:
        cotangent = (_frozen(rng.normal(size=np.shape(made(*inputs.values())))),)
    return Point(made, program.given, oracle, inputs, tuple(directions), cotangent)


def _frozen(value: Array) -> Array:
    if isinstance(value, Unknown):
        return value
    if not np.ndim(value):
        return float(value)
    array = np.array(value)
    array.flags.writeable = False
    return array


def called(at: Point, functions: Any, bound: bool = False, kinds: Sequence[str] = ()) -> Results:
    """The results of a module's functions, or of the methods of what it bound."""
    get = (lambda kind: getattr(functions, kind)) if bound else functions.__getitem__
    first = (lambda kind: at.variables) if bound else at.arguments
    return {kind: listed(at.made, kind, get(kind)(*first(kind), *at.more(kind))) for kind in kinds or at.kinds}


def listed(made: Any, kind: str, value: Array) -> list[Array]:
    if kind not in LIKE_WRT or not made.several:
        return [value]
    if not isinstance(value, tuple):
        raise Wrong(f"{kind} is no tuple")
    return list(value)


# ---- comparisons


def largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def compare(
    actual: Results,
    expected: Results,
    bounds: Mapping[str, float],
    what: str,
    unsure: Results | None = None,
    negligible: float = NEGLIGIBLE,
) -> None:
    """Hold max|a - b| / max|b| to its bound; of an array that vanishes by cancellation the error is measured against a
    small part of the largest number around it. ``unsure`` is how far rounded inputs move each result: where that is
    more, a program is conditioned so badly that no code could do better."""
    around = max(1.0, *(largest(a) for arrays in expected.values() for a in arrays))
    for kind in actual:
        for k, (ours, theirs) in enumerate(zip(actual[kind], expected[kind], strict=True)):
            if np.shape(ours) != np.shape(theirs):
                raise Wrong(f"{kind} {what}: shape\nactual {np.shape(ours)}, expected {np.shape(theirs)}")
            error = largest(np.subtract(ours, theirs)) if np.all(np.isfinite(ours)) else np.inf
            measure = max(largest(theirs), negligible * around)
            if not error <= bounds[kind] * measure + (largest(unsure[kind][k]) if unsure else 0.0):
                detail = f"relative error {error / measure:.2g}\nactual   {_said(ours)}\nexpected {_said(theirs)}"
                raise Wrong(f"{kind} {what}\n[{k}] {detail}")


def _said(value: Array) -> str:
    return np.array2string(np.asarray(value), precision=12, separator=", ").replace("\n", "")


def check_against_jax(at: Point, actual: Results) -> Results:
    """The results are JAX's; these are returned."""
    expected = at.by_jax()
    try:
        compare(actual, expected, BOUNDS, "against JAX")
    except Wrong:
        compare(actual, expected, BOUNDS, "against JAX", moved_by_rounding(at, expected, ROUNDED))
    return expected


def moved_by_rounding(at: Point, expected: Results, step: float) -> Results:
    """How far JAX's results move where every entry of the inputs moves by a relative step, up or down."""
    rng = np.random.default_rng(1)

    def rounded(value: Array) -> Array:
        signs = rng.choice([-1.0, 1.0], size=np.shape(value))
        signs = (signs + signs.T) / 2 if np.ndim(value) == 2 and np.array_equal(value, np.transpose(value)) else signs
        return value * (1 + step * signs)

    moved = at.of(rounded).by_jax()
    return {k: [np.subtract(a, b) for a, b in zip(moved[k], expected[k], strict=True)] for k in expected}


# ---- what holds at a point


def check(program: Program) -> None:
    """Everything that must hold of a program's module; raises `Wrong`, or whatever else goes wrong. The first sizes
    tell shapes apart, and are not run."""
    made = loaded(program.text())
    module = module_of(made)
    with unsimplified():
        plain = module_of(made)
    oracle = Oracle(made, program.given)
    for world in range(1, len(program.sizes)):
        if not _presupposed(made, program, world):
            continue
        at = point(made, program, oracle, world)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            actual = called(at, module)
            expected = check_against_jax(at, actual)
            check_replayed(at, expected)
            check_ownership(at, module)
            check_agreement(at, module, actual)
            check_layouts(at, module, actual)
            check_float32(at, module, actual, expected)
        check_unsimplified(at, plain, actual, expected)


def _presupposed(made: Any, program: Program, world: int) -> bool:
    """Whether what slices and rolls presuppose of the dimensions holds in a world."""
    sizes = program.sizes[world]
    return all(c.left.value(sizes) <= c.right.value(sizes) for c in made.tape.constraints)


def check_unsimplified(at: Point, plain: Mapping[str, Any], actual: Results, expected: Results) -> None:
    """No law changes a value."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = called(at, plain)
    try:
        compare(actual, found, BOUNDS, "against unsimplified")
    except Wrong:
        compare(actual, found, BOUNDS, "against unsimplified", moved_by_rounding(at, expected, ROUNDED))


def check_replayed(at: Point, expected: Results) -> None:
    """The spec run as NumPy, and its tape replayed, give what JAX gives."""
    first = at.kinds[0]
    replayed = Replay(at.made.tape, at.inputs, FLOAT).result({})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a user's spelling may be unstable
        run = at.made(*at.inputs.values())
    for value, what in ((run, "of the spec as NumPy"), (np.asarray(replayed, dtype=float), "of the tape")):
        compare({first: [value]}, expected, {first: 1e-9}, what)


def check_ownership(at: Point, module: Mapping[str, Any]) -> None:
    """Results are floats, or new, writable, C-contiguous arrays of their own."""
    kinds = [k for k in ("value_and_grad", "hessian", "jacobian", *at.kinds) if k in module]
    results = [module[kind](*at.arguments(kind), *at.more(kind)) for kind in kinds]
    if not at.made.tape.function and (
        type(results[0][0]) is not float or type(module["loss"](*at.arguments("loss"))) is not float
    ):
        raise Wrong("the loss is no float")
    _check_owned(list(_leaves(results)), [*at.inputs.values(), *at.directions, *at.cotangent])


def _leaves(results: Any) -> Iterator[Array]:
    for result in results:
        if isinstance(result, tuple):
            yield from _leaves(result)
        else:
            yield result


def _check_owned(results: Sequence[Array], others: Sequence[Array]) -> None:
    for index, result in enumerate(results):
        if not np.ndim(result):
            if type(result) is not float:
                raise Wrong(f"a scalar result is a {type(result).__name__}")
            continue
        if not result.flags.c_contiguous or not result.flags.writeable:
            raise Wrong("a result is not contiguous or not writable")
        for other in [*others, *results[:index]]:
            if np.ndim(other) and np.shares_memory(result, other):
                raise Wrong("a result shares memory")


def check_agreement(at: Point, module: Mapping[str, Any], actual: Results) -> None:
    """The functions agree with one another, and with those of ``bind``."""
    bound = module["bind"](**data(at))
    compare(called(at, bound, True), actual, SAME, "by bind")
    if at.made.tape.function:
        _check_matrix(at, module, "jacobian", actual["jvp"])
        return
    for value, grad in (module["value_and_grad"](*at.arguments("grad")), bound.value_and_grad(*at.variables)):
        compare({"loss": [value], "grad": listed(at.made, "grad", grad)}, actual, SAME, "in one pass")
        _check_owned([g for g in listed(at.made, "grad", grad) if np.ndim(g)], list(at.inputs.values()))
    _check_flat(at, bound, actual)
    _check_matrix(at, module, "hessian", actual["hvp"])


def _check_flat(at: Point, bound: Any, actual: Results) -> None:
    x, p = bound.pack(*at.variables), bound.pack(*at.directions)
    value, slope = bound.fun_and_jac(x)
    packed = {"loss": [value], "grad": [slope], "hvp": [bound.hessp(x, p)]}
    wanted = {"loss": actual["loss"], "grad": [packed_(at, actual["grad"])], "hvp": [packed_(at, actual["hvp"])]}
    compare(packed, wanted, SAME, "of flat vectors")


def packed_(at: Point, gradients: Sequence[Array]) -> Array:
    """Gradients as derivatives by the independent entries, one after the other."""
    kinds = {g.name: g.kind for g in at.given}
    entries = bool(at.made.tape.options["symmetric"])
    parts = [_independent(kinds[name], entries, g) for name, g in zip(at.made.wrt, gradients, strict=True)]
    return np.concatenate(parts)


def _independent(kind: str, entries: bool, gradient: Array) -> Array:
    if kind in EVEN:
        both = gradient if entries else 2 * gradient - np.diag(np.diag(gradient))
        return both[np.tril_indices(len(both))]
    return gradient[np.tril_indices(len(gradient))] if kind == "LowerTriangular" else np.ravel(gradient)


def _check_matrix(at: Point, module: Mapping[str, Any], name: str, products: Sequence[Array]) -> None:
    """The Hessian, or Jacobian, times the direction."""
    if name not in module:
        return
    matrix = np.asarray(module[name](*at.arguments(name)))
    flat = np.ravel(at.directions[0])
    found = np.reshape(matrix @ flat if matrix.ndim else matrix * flat, np.shape(products[0]))
    compare({"hvp": [found]}, {"hvp": list(products)}, {"hvp": 1e-9}, f"by {name}")


def data(at: Point) -> dict[str, Any]:
    """What ``bind`` is given: the data, and the dimensions that they leave open where these are several."""
    found = {name: v for name, v in at.inputs.items() if name not in at.made.wrt}
    shapes = [(a.name, a.given) for a in at.made.arguments]
    sizes = measure(shapes, {name: np.shape(v) for name, v in at.inputs.items()})
    for step in solve([(name, shape) for name, shape in shapes if name in found])[0]:
        if isinstance(step, Let):
            sizes.pop(step.dim.name, None)
    given = {key: at.inputs[name].orders[order] for key, name, order in derivatives(at.made.tape)}
    return {**found, **given, **(sizes if len(sizes) > 1 else {})}


def check_layouts(at: Point, module: Mapping[str, Any], actual: Results) -> None:
    """Fortran order, strides and integers change no value."""
    compare(called(at.of(_strided), module), actual, SAME, "of strided inputs")
    whole = at.of(lambda v: np.asarray(v).astype(int) if np.all(np.mod(v, 1) == 0) else v)
    compare(called(replace(at, inputs=whole.inputs), module), actual, SAME, "of integer inputs")


def _strided(value: Array) -> Array:
    if not np.ndim(value):
        return value
    wide = np.zeros([2 * s for s in np.shape(value)], order="F")
    view = wide[tuple(slice(None, None, 2) for _ in np.shape(value))]
    view[...] = value
    return view


def check_float32(at: Point, module: Mapping[str, Any], actual: Results, expected: Results) -> None:
    """float32 in, float32 out, and about the same numbers."""
    arrays = [g for g in at.given if g.kind not in NO_NUMBERS and np.ndim(at.inputs[g.name])]
    if not arrays:
        return
    small = at.of(np.float32)
    results = {**called(small, module)}
    bound = called(small, module["bind"](**data(small)), True)
    fixed = any(np.ndim(v) for v in small.variables)  # else what is bound need not tell
    for kind, found in [*results.items(), *(bound.items() if fixed else [])]:
        for array in found:
            if np.ndim(array) and array.dtype != np.float32:
                raise Wrong(f"{kind} of float32 is {array.dtype}")
    rough = dict.fromkeys(BOUNDS, 3e-2)
    try:
        compare(results, actual, rough, "in float32", None, ROUGH)
    except Wrong:
        compare(results, actual, rough, "in float32", moved_by_rounding(at, expected, 1e-5), ROUGH)


# ---- failures


def failure(program: Program) -> str | None:
    """What is wrong with a program, or None: its first line is the kind of failure."""
    try:
        check(program)
    except JaxHasNoAnswer as error:
        return f"unsound: {error}"
    except SpecError as error:
        return f"refused: {error}"
    except Wrong as error:
        return str(error)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "gradgen/" in f.filename or "<gen" in f.filename]
        where = (
            f"{Path(ours[-1].filename).name} {ours[-1].name}" if ours else f"{frames[-1].filename} {frames[-1].name}"
        )
        return f"{type(error).__name__} in {where}\n{error}"
    return None


def refused(program: Program) -> bool:
    """Whether the trace refuses a program, as it does the trace of an (n, 1)."""
    try:
        loaded(program.text())
    except SpecError:
        return True
    return False


def kind(found: str | None) -> str:
    return (found or "").split("\n")[0]
