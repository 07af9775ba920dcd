"""The cost of each statement, against a counter that watches the emitted code run.

The counter is an array that notes what NumPy is asked to do with it: it shares nothing with the polynomials, which are
read off the text of the statements and the shapes alone.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special

from gradgen import emit
from gradgen.derive import derive
from gradgen.dims import Dim, Size
from gradgen.lower import lower
from gradgen.nodes import arena
from gradgen.plan import plan
from gradgen.spec import Declaration, load_spec
from gradgen.tally import tally

SPECS = sorted(Path("specs").glob("**/*.py"))
LAPACK = {"solve": 2 / 3, "inv": 2, "det": 2 / 3, "slogdet": 2 / 3, "cholesky": 1 / 3, "eigvalsh": 4 / 3, "eigh": 9}
LAPACK |= {"pinv": 14}
# What these compute depends on the data.
UNCOUNTED = ("_adjugate", "_others", "_adjugate_along", "_others_along")
flops = [0.0]


class Watched(np.ndarray):
    """An array that counts the flops of what is done with it."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, Watched) else x for x in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(x) for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        if method in ("reduce", "accumulate"):
            flops[0] += np.size(plain[0])
        elif method == "at":
            flops[0] += np.size(plain[2])
        elif ufunc is np.matmul:
            flops[0] += 2 * np.size(result) * np.shape(plain[0])[-1]
        else:
            flops[0] += np.size(result)
        return watched(result)

    def __array_function__(self, function: Any, kinds: Any, inputs: Any, options: Any) -> Any:
        result = function(*map(bare, inputs), **{name: bare(value) for name, value in options.items()})
        flops[0] += counted(function.__name__, [bare(x) for x in inputs], result)
        return watched(result)

    def dot(self, other: Any) -> Any:
        result = bare(self).dot(bare(other))
        flops[0] += 2 * np.size(result) * self.shape[-1]
        return watched(result)

    def __getitem__(self, index: Any) -> Any:
        return watched(super().__getitem__(index))


class NumPy:
    """NumPy as the module sees it: the arrays that it makes are watched."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.library, name)
        if name in ("eye", "zeros", "full", "ones", "array", "arange", "tri"):
            return lambda *inputs, **options: watched(found(*map(bare, inputs), **options))
        return found


def polygamma(order: int, value: Any) -> Any:
    """SciPy's function, which counts as one."""
    flops[0] += np.size(bare(value))
    return watched(scipy.special.polygamma(order, bare(value)))


def solve_triangular(matrix: Any, right: Any, **options: Any) -> Any:
    """SciPy's function: a multiply-add for each entry of half of the matrix and each right-hand side."""
    result = scipy.linalg.solve_triangular(bare(matrix), bare(right), **options)
    flops[0] += np.size(result) * len(matrix)
    return watched(result)


def factorised(kind: str, plain: Any) -> type:
    """A class of factors that counts what is made of them."""
    once, inverse = {"_LU": (2 / 3, 4 / 3), "_Cholesky": (1 / 3, 2 / 3)}[kind]

    class Factors:
        def __init__(self, matrix: Any) -> None:
            self.n, self.found = len(matrix), plain(bare(matrix))
            flops[0] += once * self.n**3

        def made(self, name: str, count: float, *inputs: Any, **options: Any) -> Any:
            """What a method makes, so many flops whatever it calls."""
            total = flops[0] + count
            result = watched(getattr(self.found, name)(*map(bare, inputs), **options))
            flops[0] = total
            return result

        def solve(self, right: Any, **options: Any) -> Any:
            return self.made("solve", 2 * right.size * self.n, right, **options)

        def inverse(self) -> Any:
            return self.made("inverse", inverse * self.n**3)

        def det(self) -> Any:
            return self.made("det", self.n)

        def logdet(self) -> Any:
            return self.made("logdet", 3 * self.n)

    return Factors


def watching(source: str) -> dict[str, Any]:
    """A module of which every array is watched."""
    module = types.ModuleType("module")
    exec(source, module.__dict__)
    special = types.SimpleNamespace(**{**vars(scipy.special), "polygamma": polygamma})
    linalg = types.SimpleNamespace(**{**vars(scipy.linalg), "solve_triangular": solve_triangular})
    replaced = {"np": NumPy(np), "scipy": types.SimpleNamespace(special=special, linalg=linalg)}
    replaced |= {kind: factorised(kind, module.__dict__[kind]) for kind in ("_LU", "_Cholesky") if kind in vars(module)}
    module.__dict__.update({name: found for name, found in replaced.items() if name in module.__dict__})
    return module.__dict__


def bare(value: Any) -> Any:
    if isinstance(value, Watched):
        return np.asarray(value)
    return type(value)(map(bare, value)) if isinstance(value, tuple | list) and type(value) in (tuple, list) else value


def watched(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(watched, value))
    return np.asarray(value).view(Watched) if isinstance(value, np.ndarray | np.generic) else value


def counted(name: str, inputs: list[Any], result: Any) -> float:
    """The flops of a function of NumPy's that is no ufunc."""
    if name in LAPACK:
        *batch, n, _ = np.shape(inputs[0])
        extra = 2 * np.size(result) * n if name == "solve" else 0
        return LAPACK[name] * math.prod(batch) * n**3 + extra
    if name == "einsum":
        inside, out = inputs[0].split("->")
        sizes = {
            k: s
            for p, x in zip(inside.split(","), inputs[1:], strict=True)
            for k, s in zip(p, np.shape(x), strict=True)
        }
        terms, summed = inside.count(",") + 1, set(sizes) != set(out)
        return math.prod(sizes.values()) * (terms if summed else terms - 1)
    if name == "vdot":
        return 2 * np.size(inputs[0])
    if name in ("sum", "max", "min", "prod", "cumsum"):
        return np.size(inputs[0])
    if name == "trace":
        return min(np.shape(inputs[0]))
    if name in ("outer", "where"):
        return np.size(result)
    moved = "tril triu diag concatenate stack block broadcast_to zeros_like ones_like full_like full diagonal".split()
    moved += ["count_nonzero"]
    assert name in moved, f"no count for {name}"
    return 0


def declared() -> list[Any]:
    found = [one for path in SPECS for one in load_spec(path).values()]
    return [pytest.param(one, id=one.name) for one in found]


def arrays(shapes: Mapping[str, Any], sizes: Mapping[Any, int], indices: set[str]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    made: dict[str, Any] = {}
    for name, shape in shapes.items():
        actual = tuple(size.value({d.name: k for d, k in sizes.items()}) for size in shape)
        if name in indices:
            made[name] = np.zeros(actual, dtype=int)
            continue
        value = rng.normal(size=actual)
        made[name] = (value @ value.T + np.eye(len(value)) if len(set(actual)) < len(actual) == 2 else value).view(
            Watched
        )
    return made


@pytest.mark.sweep(4)
@pytest.mark.usefixtures("unformatted")
@pytest.mark.parametrize("one", declared())
def test_costs_are_what_the_code_does(one: Declaration) -> None:
    tape = one.tape
    if any(argument.callable for argument in tape.arguments):
        names: Iterator[str] = (a.name for a in tape.arguments if a.callable)
        functions = {order + name: np.tanh for name in names for order in ("", "d", "d2")}
    else:
        functions = {}
    with arena():
        planned = plan(derive(lower(tape), tape.wrt))
        writer = emit.Writer(tape, planned)
        priced = [(f, writer.costs(f)) for f in writer.private()]
        module = watching(emit.module(tape, planned, "", ()))
    named = [size for f, _ in priced for _, shape in f.shapes for size in shape]
    named += [a.below for a in tape.arguments if a.below is not None]
    dims = sorted({d for size in named for d in size.symbols})
    indices = {a.name for a in tape.arguments if a.kind == "Indices"}
    for sizes in ({d: 7 + 2 * k for k, d in enumerate(dims)}, {d: 12 - k for k, d in enumerate(dims)}):
        for function, costs in priced:
            if any(f"{name}(" in line for line in (*function.lines, function.result) for name in UNCOUNTED):
                continue
            given = arrays(dict(function.shapes), sizes, indices) | functions
            flops[0] = 0
            with np.errstate(all="ignore"):
                module[function.name](**{name: given[name] for name in function.takes if name})
            assert flops[0] == pytest.approx(float(sum(c.flops.value(sizes) for c in costs)))


def test_costs_of_a_nuclear_norm() -> None:
    """Singular values alone are cheaper than the polar factor, and that than its derivative; n d² each."""
    n, d = Dim(0, "n"), Dim(1, "d")
    lines = ['a = np.linalg.norm(X, "nuc")', "P = _polar(X)", "D = _polar_along(X, P)"]
    costs = tally(lines, {"X": (Size.of(n), Size.of(d))}, {})
    values, polar, along = (cost.flops.value({n: 20, d: 10}) for cost in costs)
    assert 4 * 2000 == values < polar < along <= 40 * 2000
