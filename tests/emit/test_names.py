"""Any Python name may be an argument's, a dimension's or an assignment's: what a module calls itself gives way."""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import re
from pathlib import Path

import numpy as np
import pytest
from made import close, declare, declared, module, parts, slope

import gradgen
from gradgen.identifiers import PRIVATE

ROOT = Path(__file__).resolve().parents[2]
OWN = "loss grad value_and_grad hvp hessian bind pack unpack fun jac fun_and_jac hessp hess Bound self x p".split()
PYTHON = (
    "match case type _ __ print len range min max sum abs list dict set str int bool isinstance map slice object "
    "ValueError TypeError Exception getattr hasattr enumerate zip sorted globals exec eval open quit copyright "
    "__import__ __name__ __file__ __class__ __all__ __doc__ __builtins__ __init__ __call__ __loss"
).split()
PARTS = "dtype dtype_ data value array result n d n_ dn out f df dw dw_ shape size axis error entries t1 t2 r".split()
DIRECTED = "ef el w dw".split()  # d<name> is a keyword, or a name that is taken
UNICODE = ["\N{GREEK SMALL LETTER LAMDA}", "\N{GREEK SMALL LETTER SIGMA}_2", "größe", "\N{CYRILLIC SMALL LETTER ZHE}"]
NAMES = [*dict.fromkeys((*OWN, *PRIVATE, *PYTHON, *PARTS, *DIRECTED, *UNICODE))]


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", NAMES)
def test_an_argument_may_have_any_name(name: str) -> None:
    text = f"""
from numpy import prod, sum as total

@loss(wrt=("{name}", "v_"))
def made({name}: Vector[d], X_: Matrix[n, d], v_: Vector[n], S_: Symmetric[n]):
    return total((X_ @ {name} - v_)**3) + v_ @ S_ @ v_ * (X_ @ {name})[-1] + prod({name})
"""
    one = declared(text)["made"]
    rng = np.random.default_rng(0)
    w, X, v, S = rng.standard_normal(4), rng.standard_normal((3, 4)), rng.standard_normal(3), np.eye(3)
    dw, dv = rng.standard_normal(4), rng.standard_normal(3)
    used = module(one)
    assert close(used.loss(w, X, v, S), one(w, X, v, S))
    along = slope(lambda t: one(w + t * dw, X, v + t * dv, S))
    assert close(sum(g @ d for g, d in zip(used.grad(w, X, v, S), (dw, dv), strict=True)), along, 1e-8)
    product = used.hvp(w, X, v, S, dw, dv)
    for k, part in enumerate(parts(product)):
        assert close(part, slope(lambda t, k=k: used.grad(w + t * dw, X, v + t * dv, S)[k]), 1e-7)
    bound = used.bind(X, S)
    flat = bound.pack(w, v)
    assert close(bound.jac(flat), np.concatenate(used.grad(w, X, v, S)))
    assert close(bound.hessp(flat, bound.pack(dw, dv)), np.concatenate(product))
    names = [*inspect.signature(used.hvp).parameters]
    assert names[0] == name
    assert len(set(names)) == 6
    assert not any(map(keyword.iskeyword, names))


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", [*OWN, *PRIVATE, *PARTS, "print", "type", "__debug__", "__n", *UNICODE])
def test_a_dimension_may_have_any_name(name: str) -> None:
    text = f"""
size_, = [dims({name!r})]

@loss(wrt="S")
def made(X: Matrix[k, size_], S: Symmetric[size_], y: Vector[2 * size_]):
    return np.sum((X @ S)**3) / size_ + np.sum(y[:size_] * S[0]) + X.shape[1]
"""
    one = declared(text)["made"]
    X, S, y = np.arange(6.0).reshape(2, 3) / 8, np.eye(3), np.arange(6.0)
    used = module(one)
    assert close(used.loss(X, S, y), one(X, S, y))
    assert close(np.sum(used.grad(X, S, y) * S), slope(lambda t: one(X, (1 + t) * S, y)), 1e-8)
    bound = used.bind(X, y)
    assert close(bound.unpack(bound.pack(S)), S)
    assert bound.jac(bound.pack(S)).shape == (6,)


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", [*OWN, *PRIVATE, *PYTHON, *PARTS, *UNICODE])
def test_an_assignment_may_have_any_name(name: str) -> None:
    text = f"""
from numpy import exp, sum as total
from numpy.linalg import det

@loss(wrt="w_")
def made(X_: Matrix[n, d], w_: Vector[d], B_: Matrix[n, n]):
    {name} = exp(X_ @ w_)
    r_ = {name} - total({name})
    return r_ @ r_ + total({name} * {name}) * det(B_)
"""
    one = declared(text)["made"]
    X, w, B = np.arange(12.0).reshape(3, 4) / 24, np.ones(4), np.eye(3)
    used = module(one)
    assert close(used.loss(X, w, B), one(X, w, B))
    assert close(used.grad(X, w, B) @ w, slope(lambda t: one(X, w + t * w, B)), 1e-8)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("\N{LATIN SMALL LIGATURE FI}t", "fit"),
        ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"),
        ("\N{DOUBLE-STRUCK CAPITAL R}", "R"),
    ],
)
def test_names_are_what_python_reads(written: str, read: str) -> None:
    one = declare(f"loss(wrt='{read}')", f"{written}: Vector[n], y: Vector[n]", f"{written} @ y * ({read} @ y)")
    used = module(one)
    assert [*inspect.signature(used.hvp).parameters] == [read, "y", f"d{read}"]
    assert close(used.grad(np.ones(2), np.ones(2)), 4 * np.ones(2))


def test_a_name_that_is_none_reaches_no_text() -> None:
    text = """
def renamed(f):
    f.__name__ = "made\\\\nraise SystemExit(3)"
    return f

@loss(wrt="w")
@renamed
def made(w: Vector[n]):
    return w @ w
"""
    [one] = declared(text.replace("\\\\", "\\")).values()
    for use in (one.source, one.compile, one.formula):
        with pytest.raises(gradgen.SpecError, match="is no Python name"):
            use()


# ---- the names that give way are all there are


def free_names(function: ast.FunctionDef) -> set[str]:
    loaded = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return loaded - stored - {a.arg for n in ast.walk(function) if isinstance(n, ast.arguments) for a in n.args}


HELPERS = {
    name
    for path in ROOT.glob("templates/*.py.j2")
    if not path.name.startswith(("test_", "spec"))
    for name in re.findall(r"^def (\w+)", path.read_text(encoding="utf-8"), re.M)
} - {"bind"}
RENAMED = {"_direction", "_cotangent", "_Function", "_owned", "_door"}  # these give way to the user's names themselves
INNER = {"_regular", "_squares", "_singular", "_thin", "_without", "_without_two"}  # only helpers call these


@pytest.mark.parametrize("path", sorted(ROOT.glob("generated/**/[!_t]*.py")), ids=lambda path: path.stem)
def test_what_statements_call_gives_way(path: Path) -> None:
    """What stands beside the user's names is known to give way."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tops = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name not in HELPERS | RENAMED]
    methods = [m for c in tree.body if isinstance(c, ast.ClassDef) and c.name == "Bound" for m in c.body]
    called = {name for f in (*tops, *methods) if isinstance(f, ast.FunctionDef) for name in free_names(f)}
    assert {n for n in called if n in HELPERS or hasattr(builtins, n)} <= {*PRIVATE, *RENAMED}


def test_helpers_give_way() -> None:
    assert HELPERS - {*PRIVATE, *INNER} == set()


@pytest.mark.parametrize("name", ["scipy", "special", "erf", "np", "_others", "_without"])
def test_what_comes_from_scipy_gives_way(name: str) -> None:
    text = f"""
from numpy import prod
from scipy import special as special_

@loss(wrt="{name}")
def made({name}: Vector[n], B_: Matrix[n, n]):
    return (special_.erf({name}) @ B_ @ special_.gammaln({name})) * prod({name}) + prod(B_ @ {name}, axis=0)
"""
    pytest.importorskip("scipy")
    one = declared(text)["made"]
    used, x, B = module(one), np.array([0.5, 0.75, 1.25]), np.arange(9.0).reshape(3, 3) / 8
    assert close(used.loss(x, B), one(x, B))
    assert close(used.grad(x, B) @ x, slope(lambda t: one(x + t * x, B)), 1e-7)
    assert close(used.hvp(x, B, x), slope(lambda t: used.grad(x + t * x, B)), 1e-6)


def test_helpers_stand_once() -> None:
    one = declare("loss(wrt='X')", "X: Matrix[n, n]", "np.linalg.det(X) + np.sum(np.prod(X, axis=0))")
    defined = re.findall(r"^def (\w+)", one.source(), re.M)
    assert len(defined) == len(set(defined))
