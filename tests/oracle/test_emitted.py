"""The emitted tests pass beside a right module, and fail beside every wrong one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import cache

import black
import handmade_tapes
import numpy as np
import pytest
import sympy
from handmade_modules import CORES, module_text
from handmade_tapes import (
    applied,
    dims,
    entrywise,
    inverse,
    network,
    reduced,
    ridge,
    softmax_regression,
    tape,
    term,
)

from gradgen.emit_tests import HEADER, render
from gradgen.scalar import ScalarFormula

LOSSES = {name: getattr(handmade_tapes, name) for name in CORES}
GRAD_OF_RIDGE = "return (2 * (X.T @ (X @ w - y)) + 2 * lam * w,)"

MUTATIONS = {
    # name: (loss, what is replaced, by what)
    "a wrong loss": ("ridge", "return r @ r + lam * (w @ w)", "return r @ r + lam * (w @ w) / 2"),
    "a sign": ("ridge", GRAD_OF_RIDGE, "return (2 * (X.T @ (X @ w - y)) - 2 * lam * w,)"),
    "all signs": ("ridge", GRAD_OF_RIDGE, "return (-2 * (X.T @ (X @ w - y)) - 2 * lam * w,)"),
    "a factor 1 + 1e-6": ("ridge", GRAD_OF_RIDGE, f"return ((1 + 1e-6) * {GRAD_OF_RIDGE[8:-2]},)"),
    "a factor 1 + 1e-6 in a product": ("ridge", "X @ dw)) +", "X @ dw)) * (1 + 1e-6) +"),
    "a small factor beside a kink": ("huber", "(X.T @ np.clip", "((1 + 1e-6) * X.T @ np.clip"),
    "a dropped term": ("ridge", "X @ dw)) + 2 * lam * dw,)", "X @ dw)),)"),
    "a dropped mixed term": ("factorization", "+ 2 * (R @ dV)", ""),
    "a dropped term of the second": ("factorization", " + 2 * (R.T @ dU)", ""),
    "a transpose": ("factorization", "return 2 * (R @ V)", "return 2 * (R.T[:, :1] @ V[:1]).sum() * np.ones_like(U)"),
    "a wrong coordinate": ("logistic", "-(X.T @ (y * s)) / y.size", "-(X.T @ (y * s))[::-1] / y.size"),
    "a missing divisor": ("logistic", "(X @ dw)) / y.size,)", "(X @ dw)),)"),
    "the wrong side of a kink": ("huber", "inside * (X @ dw)", "~inside * (X @ dw)"),
    "a kink in the wrong place": ("huber", "-delta, delta)", "-2 * delta, 2 * delta)"),
    "a swapped result": ("factorization", "return results if SEVERAL", "return results[::-1] if SEVERAL"),
    "a list for a tuple": ("factorization", "return results if SEVERAL", "return list(results) if SEVERAL"),
    "a tuple for an array": ("ridge", "results if SEVERAL else results[0]", "results"),
    "a column": ("ridge", GRAD_OF_RIDGE, f"return ({GRAD_OF_RIDGE[8:-2]}[:, None],)"),
    "an input overwritten": ("ridge", "r = X @ w - y", "y -= X @ w\n    r = -y"),
    "an input overwritten and restored": ("ridge", "r = X @ w - y", "y *= 2\n    y /= 2\n    r = X @ w - y"),
    "a direction overwritten": ("ridge", "return (2 * (X.T @ (X @ dw))", "dw *= 1\n    return (2 * (X.T @ (X @ dw))"),
    "data that bind shares": ("ridge", "else np.array(x)", "else np.asarray(x)"),
    "an argument that unpack shares": ("ridge", "x[:size].reshape(shape).copy()", "x[:size].reshape(shape)"),
    "a result that is kept": (
        "ridge",
        "results = tuple(_owned(a) for a in arrays)",
        "results = _KEPT.setdefault(str(arrays), tuple(arrays))",
    ),
    "a direction returned": ("factorization", "2 * (S @ V) + 2 * (R @ dV) + 2 * lam * dU", "dU"),
    "a read-only result": (
        "ridge",
        "return results if",
        "[a.setflags(write=False) for a in results]\n    return results if",
    ),
    "a Fortran-ordered result": ("ridge", "np.ascontiguousarray(2 * (X.T @ X)", "np.asfortranarray(2 * (X.T @ X)"),
    "a wrong Hessian": ("ridge", "2 * lam * np.eye", "lam * np.eye"),
    "a scaled Hessian": ("logistic", "(s * (1 - s))[:, None] * X) / y.size", "(s * (1 - s))[:, None] * X)"),
    "another value": ("ridge", "for name in NAMES)), grad(*values)", "for name in NAMES)) * 1.0001, grad(*values)"),
    "another gradient when bound": ("ridge", "return grad(*self._all", "return 2 * grad(*self._all"),
    "another product when bound": ("ridge", "*wrt[len(WRT) :])", "*(2 * x for x in wrt[len(WRT) :]))"),
    "another flat loss": ("ridge", "return self.loss(*self._parts(x))", "return 2 * self.loss(*self._parts(x))"),
    "another flat value": ("ridge", "return self.fun(x), self.jac(x)", "return 2 * self.fun(x), self.jac(x)"),
    "another flat gradient": ("ridge", "return self.fun(x), self.jac(x)", "return self.fun(x), 2 * self.jac(x)"),
    "another flat product": ("ridge", "self._flat(self.hvp(*self._parts(x), *self._parts(p)))", "self.jac(p)"),
    "another flat Hessian": ("ridge", "np.atleast_2d(self.hessian", "2 * np.atleast_2d(self.hessian"),
    "a float64 result of float32": ("ridge", "np.float32 if single else np.float64", "np.float64"),
    "float32 throughout": ("ridge", "np.float32 if single else np.float64", "np.float32"),
    "a loss that is no float": ("ridge", "float(_loss(*_door(values, 0)))", "_loss(*_door(values, 0))"),
    "complex numbers let in": ("ridge", '"fiub"', '"fiubc"'),
    "objects let in": ("ridge", '"fiub"', '"fiubO"'),
    "None without a name": ("ridge", 'raise TypeError(f"{name} is None")', "raise TypeError"),
    "a rank let in": ("ridge", "if array.ndim != rank:", "if False:"),
    "a size let in": ("huber", "if sizes.setdefault(dim, size) != size:", "if sizes.setdefault(dim, size) < 0:"),
    "a direction let in": ("ridge", '_array("d" + name, step, len(SHAPES[name]))', "np.asarray(step, dtype=float)"),
    "lists refused": ("ridge", "    array = np.asarray(x)\n", "    x.dtype\n    array = np.asarray(x)\n"),
    "an error of another kind": ("ridge", 'raise TypeError(f"{name} has dtype', 'raise KeyError(f"{name} has dtype'),
    "an inverse not transposed": ("gaussian", "return (B.T - np.outer(v, u),)", "return (B - np.outer(v, u),)"),
    "a determinant without its sign": ("gaussian", "np.linalg.slogdet(A)[1]", "np.log(np.linalg.det(A))"),
    "factors swapped in a product": ("gaussian", "dB = -B @ dA @ B", "dB = -B @ B @ dA"),
    "cofactors by the inverse": ("volume", "return (_cofactors(X),)", "return (_loss(X) * np.linalg.inv(X).T,)"),
    "no second cofactors": ("volume", "signs) * found)", "signs) * found * (abs(_loss(X)) > 1e-9))"),
    "a norm squared": ("normed", "np.linalg.norm(X @ w - y)", "np.sum((X @ w - y) ** 2)"),
    "a small factor beside a norm": ("normed", "(X.T @ r /", "(1.000001 * X.T @ r /"),
    "a gradient that is not symmetric": ("symmetric", "(G + G.T) / 2", "G"),
    "the other convention": ("symmetric", "(G + G.T) / 2", "G + G.T - np.diag(np.diag(G))"),
    "the other convention by entries": ("symmetric_by_entries", "G + G.T - np.diag(np.diag(G))", "(G + G.T) / 2"),
    "a flat gradient that is not doubled": ("symmetric", "), 2\n", "), 1\n"),
    "a flat gradient that is doubled": ("symmetric_by_entries", "), 1\n", "), 2\n"),
    "the upper half": ("symmetric", "x[np.tril_indices(len(x))]", "x[np.triu_indices(len(x))]"),
    "the whole matrix": ("symmetric", "SYMMETRIC, TWICE = ('S',)", "SYMMETRIC, TWICE = ()"),
    "one half filled": ("symmetric", "if name in SYMMETRIC:", "if False:"),
    "indices cast to floats": ("recommender", "np.intp if name in INDICES else dtype", "dtype"),
    "indices that decide the dtype": ("recommender", "if a.ndim and name not in INDICES]", "if a.ndim]"),
    "negative indices let in": ("recommender", "if np.any(x < 0):", "if False:"),
    "indices beyond the end without a name": ("recommender", "if np.any(x >= bound):", "if False:"),
    "fractions let in as indices": ("recommender", """if x.dtype.kind not in "iu":""", "if False:"),
    "indices that bind shares": ("recommender", "else np.array(x)", "else np.asarray(x)"),
    "the last of equal indices": ("recommender", "np.add.at(g, rows, e)", "g[rows] = e"),
    "the upper half of a gradient": ("triangular", "return np.tril(B.T", "return (B.T"),
    "the upper half of a product": ("triangular", "np.tril(dB.T", "(dB.T"),
    "an upper half read": ("triangular", "return np.tril(x) if name in TRIANGULAR else x", "return x"),
    "an upper half of a direction read": ("triangular", "append(_cut(name, ", "append(_cut('', "),
    "a triangle mirrored": ("triangular", "if name in SYMMETRIC:\n", "if True:\n"),
    "a whole triangle in the flat vector": ("triangular", "INDICES = ('L', 'T')", "INDICES = ()"),
    "a triangle doubled": ("triangular", "if n in SYMMETRIC else x", "if np.ndim(x) == 2 else x"),
    "a diagonal as a matrix": ("triangular", "2 * D * u**2", "np.diag(2 * D * u**2)"),
    "another function": ("two_functions", "np.sum(g(V) ** 2)", "np.sum(f(V) ** 2)"),
    "tanh whatever is given": ("two_functions", "np.sum(f(X @ V))", "np.sum(np.tanh(X @ V))"),
    "a derivative for another": ("two_functions", "X.T @ df(X @ V)", "X.T @ dg(X @ V)"),
    "the slope of tanh whatever is given": ("two_functions", "df(X @ V)", "(1 - f(X @ V) ** 2)"),
    "a second derivative dropped": ("two_functions", "(dg(V) ** 2 + g(V) * d2g(V))", "dg(V) ** 2"),
    "no function let in": ("two_functions", "if not callable(function):", "if False:"),
    "a shape of a function let in": ("two_functions", "if result.shape != np.shape(x):", "if False:"),
    "a complex function let in": ("two_functions", '"fiu":', '"fiuc":'),
    "a missing derivative without its name": ("two_functions", '{user} needs {name}', "{user} needs more"),
    "a derivative that the loss needs": (
        "two_functions",
        'return loss(*self._all(wrt, 0, "loss"))',
        'self._all(wrt, 1, "loss")\n        return loss(*self._all(wrt, 0, "loss"))',
    ),
    "a wrong map": ("layer", "return A @ f(x)\n", "return A @ x\n"),
    "a wrong derivative": ("layer", "A @ (df(x) * dx)", "A @ dx"),
    "a wrong transpose": ("layer", "df(x) * (A.T @ cotangent)", "df(x) * (A[::-1].T @ cotangent)"),
    "a factor 1 + 1e-6 in a transpose": ("layer", "df(x) * (A.T @", "(1 + 1e-6) * df(x) * (A.T @"),
    "a transposed Jacobian": ("layer", "return A * df(x)", "return (A * df(x)).T"),
    "a wrong Jacobian": ("layer", "return A * df(x)", "return A"),
    "another Jacobian when bound": ("layer", "return jacobian(*self._all", "return 2 * jacobian(*self._all"),
    "another flat Jacobian": ("layer", "return self.jacobian(*", "return -self.jacobian(*"),
    "another flat map": ("layer", "return self.value(*self._parts(x))", "return 2 * self.value(*self._parts(x))"),
    "another map when bound": ("layer", "return value(*self._all", "return 2 * value(*self._all"),
    "another transpose when bound": ("layer", "return vjp(*self._all", "return 2 * vjp(*self._all"),
    "a cotangent overwritten": ("layer", "return (df(x) *", "cotangent *= 1\n    return (df(x) *"),
    "a cotangent let in": ("layer", "if cotangent.shape != result.shape:", "if False:"),
    "a cotangent without a name": ("layer", '_array("cotangent"', '_array("weights"'),
    "a map of float32 in float64": ("layer", "return A @ f(x)\n", "return A.astype(float) @ f(x)\n"),
    "a map that is its argument": ("resolvent", "return np.linalg.inv(S) @ B", "return B"),
    "a term of a map dropped": ("resolvent", "(dB - dS @ inverse @ B)", "dB"),
    "a transpose that is not symmetric": ("resolvent", "(G + G.T) / 2", "G"),
    "a transpose by entries": ("resolvent", "(G + G.T) / 2", "G + G.T - np.diag(np.diag(G))"),
    "a list of transposes": ("resolvent", "return results if SEVERAL", "return list(results) if SEVERAL"),
}  # fmt: skip


@cache
def emitted_text(loss):
    """The emitted tests of a loss that is known by its name."""
    return render(LOSSES[loss]())


def write(folder, text, recorded):
    folder.mkdir(parents=True)
    (folder / f"{recorded.name}.py").write_text(text)
    known = recorded.name in LOSSES
    (folder / f"test_{recorded.name}.py").write_text(emitted_text(recorded.name) if known else render(recorded))
    return folder


def mutated(loss, old, new):
    text = module_text(LOSSES[loss]())
    assert old in text, f"nothing to mutate: {old}"
    return "_KEPT = {}\n" + text.replace(old, new)


def run(folder, **environment):
    """The failing test functions in each subfolder, and how many tests ran."""
    plain = ["--tb=no", "--assert=plain", "--import-mode=importlib", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plain]
    subprocess.run(
        [*command, "--rootdir", folder, "-c", "/dev/null", "--junitxml", folder / "out.xml", folder],
        capture_output=True, check=False, cwd=folder, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )  # fmt: skip
    cases = list(ElementTree.parse(folder / "out.xml").iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    found = {}
    for case in failed:
        found.setdefault(case.get("classname").split(".")[0], set()).add(case.get("name").split("[")[0])
    return found, len(cases)


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """What fails beside each wrong module, all run at once: modules of one name do not clash."""
    folder = tmp_path_factory.mktemp("wrong")
    for k, (loss, old, new) in enumerate(MUTATIONS.values()):
        write(folder / f"wrong{k}", mutated(loss, old, new), LOSSES[loss]())
    return run(folder)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_module_fails(failures, name):
    assert failures.get(f"wrong{list(MUTATIONS).index(name)}")


SEEN_BY = {
    "a small factor beside a kink": "test_values_to_50_digits",
    "an input overwritten and restored": "test_inputs_are_only_read",
    "a direction overwritten": "test_inputs_are_only_read",
    "data that bind shares": "test_bind_copies_its_data",
    "an argument that unpack shares": "test_results_are_new_writable_and_contiguous",
    "a result that is kept": "test_results_are_new_writable_and_contiguous",
    "a float64 result of float32": "test_float32_stays_float32",
    "a size let in": "test_a_wrong_size_is_named",
    "a direction let in": "test_a_wrong_direction_is_named",
    "no function let in": "test_a_wrong_function_is_named",
    "a shape of a function let in": "test_a_wrong_function_is_named",
    "a complex function let in": "test_a_wrong_function_is_named",
    "a missing derivative without its name": "test_a_missing_derivative_is_named",
    "a derivative that the loss needs": "test_a_missing_derivative_is_named",
    "negative indices let in": "test_wrong_indices_are_named",
    "fractions let in as indices": "test_wrong_indices_are_named",
    "indices beyond the end without a name": "test_wrong_indices_are_named",
    "indices that bind shares": "test_bind_copies_its_data",
    "indices that decide the dtype": "test_float32_stays_float32",
    "an upper half read": "test_only_the_lower_half_is_read",
    "an upper half of a direction read": "test_only_the_lower_half_is_read",
    "a cotangent overwritten": "test_inputs_are_only_read",
    "a cotangent let in": "test_a_wrong_cotangent_is_named",
    "a cotangent without a name": "test_a_wrong_cotangent_is_named",
    "a map of float32 in float64": "test_float32_stays_float32",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEN_BY)
def test_each_guard_sees_its_own_fault_alone(failures, name):
    assert failures[f"wrong{list(MUTATIONS).index(name)}"] == {SEEN_BY[name]}


@pytest.mark.slow
def test_wrong_derivatives_are_seen_by_values_and_by_differences(failures):
    names = "a sign", "a factor 1 + 1e-6", "a factor 1 + 1e-6 in a product", "a dropped term"
    more = (
        "a small factor beside a norm",
        "the other convention",
        "a wrong derivative",
        "a factor 1 + 1e-6 in a transpose",
    )
    for name in (*names, *more):
        seen = failures[f"wrong{list(MUTATIONS).index(name)}"]
        assert {"test_values_to_50_digits", "test_finite_differences", "test_random_inputs"} <= seen


def test_a_right_module_passes(tmp_path):
    for name, loss in LOSSES.items():
        write(tmp_path / name, module_text(loss()), loss())
    failed, count = run(tmp_path)
    assert failed == {}
    assert count >= 300


@pytest.mark.slow
def test_only_the_singular_case_sees_cofactors_by_the_inverse(failures):
    """What holds at regular matrices alone is caught at the singular one; random inputs are regular."""
    for name in ("cofactors by the inverse", "no second cofactors"):
        seen = failures[f"wrong{list(MUTATIONS).index(name)}"]
        assert "test_values_to_50_digits" in seen
        assert "test_random_inputs" not in seen


def test_the_compiled_module_is_taken_where_asked(tmp_path):
    """With GRADGEN_BACKEND=cython the module of the subfolder counts, and a missing one is an error."""
    folder = write(tmp_path / "here", mutated(*MUTATIONS["another flat loss"]), ridge())
    assert run(tmp_path, GRADGEN_BACKEND="cython")[0]
    (folder / "cython").mkdir()
    (folder / "cython" / "ridge.py").write_text(module_text(ridge()))
    assert run(tmp_path, GRADGEN_BACKEND="cython")[0] == {}
    assert run(tmp_path)[0]


def load(folder, recorded, text):
    """The emitted test module, loaded by its path."""
    path = write(folder, text, recorded) / f"test_{recorded.name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.sweep(7)
@pytest.mark.parametrize("name", LOSSES)
def test_check_raises_no_false_alarm(name, tmp_path):
    recorded = LOSSES[name]()
    emitted = load(tmp_path / name, recorded, module_text(recorded))
    for seed in range(200):
        emitted.check(seed)


SEEN_BY_CHECK = [
    "a sign",
    "a factor 1 + 1e-6",
    "a dropped mixed term",
    "the wrong side of a kink",
    "an inverse not transposed",
    "a small factor beside a norm",
    "the other convention",
    "a second derivative dropped",
    "a factor 1 + 1e-6 in a transpose",
]


@pytest.mark.parametrize("name", SEEN_BY_CHECK)
def test_check_sees_a_wrong_derivative_at_most_seeds(name, tmp_path):
    loss, old, new = MUTATIONS[name]
    emitted = load(tmp_path / loss, LOSSES[loss](), mutated(loss, old, new))
    seen = 0
    for seed in range(20):
        try:
            emitted.check(seed)
        except AssertionError:
            seen += 1
    assert seen >= 18


@pytest.mark.slow
def test_first_line_and_size():
    for loss in LOSSES:
        text = black.format_str(emitted_text(loss), mode=black.Mode(line_length=120))
        assert text.startswith(HEADER.split("{")[0])
        assert f"from {loss}; do not edit." in text.splitlines()[0]
        assert len(text.splitlines()) < 500


def test_what_a_loss_does_not_need_is_not_emitted():
    """No word of functions, symmetry, inverses or kinks in the tests of a smooth loss of arrays."""
    text = emitted_text("ridge")
    words = ("tanh", "SYMMETRIC", "TRIANGULAR", "INDICES", "intp", "invertible", "kink", "cotangent", "math")
    assert not any(word in text for word in words)
    assert "kink_distance" in emitted_text("normed")
    assert "invertible(A)" in emitted_text("gaussian")


def test_every_emitted_file_is_python():
    for text in (*map(emitted_text, LOSSES), *(render(loss()) for loss in (network, softmax_regression))):
        compile(text, "test", "exec")


def test_names_of_arguments_and_dimensions_do_not_collide():
    """Arguments called np, values, nearest, loss, rng, n, lambda_: the distance to the kinks is still measured."""
    n, d = dims("np values")

    def loss(X, y, w, delta, rng):
        r = X @ w - y * n
        return reduced("sum", term("where", (r > delta, r * r, rng * r), r.call.shape))

    arguments = [("np", (n, d)), ("values", (n,)), ("nearest", (d,)), ("loss", ()), ("n", ())]
    recorded = tape("collisions", arguments, "nearest", loss)
    names = {}
    text = render(recorded).split("module = load()")
    exec(text[0].split("def load")[0] + text[1], names)
    sizes, values, *_ = names["draw"](np.random.default_rng(0))
    X, y, w, delta, _ = values.values()
    wanted = np.min(np.abs(X @ w - y * sizes[0] - delta))
    np.testing.assert_allclose(names["kink_distance"](sizes, values), wanted)


def test_kinks_of_a_formula_and_of_functions(tmp_path):
    """What stands inside a formula, or inside a function that is given, is measured where it is."""
    d = dims("d")[0]
    s, t = sympy.symbols("lambda t", real=True)
    hinge = ScalarFormula("hinge", (s, t), sympy.Max(s, t, 0.5) * 2 + sympy.Abs(t))

    def loss(f, x, y):
        return reduced("sum", applied(hinge, f(x), x * y)) + reduced("norm", y)

    recorded = tape("hinged", [("f", handmade_tapes.ELEMENTWISE), ("x", (d,)), ("y", (d,))], ("x", "y"), loss)
    emitted = load(tmp_path / "here", recorded, "")
    sizes, values, *_ = emitted.draw(np.random.default_rng(3))
    assert callable(values["f"])
    a, b = values["f"](values["x"]), values["x"] * values["y"]
    wanted = np.abs([a - b, a - 0.5, b - 0.5, b, np.full_like(a, np.linalg.norm(values["y"]))]).min()
    np.testing.assert_allclose(emitted.kink_distance(sizes, values), wanted)


def test_what_is_nearly_singular_is_left_out(tmp_path):
    """A matrix is looked at before it is inverted."""
    n, d = dims("n d")

    def loss(X):
        G = inverse(X.T @ X)
        return reduced("sum", inverse(G + G))

    emitted = load(tmp_path / "here", tape("gram", [("X", (n, d))], "X", loss), "")
    X = np.random.default_rng(0).standard_normal((5, 2))
    assert emitted.well_conditioned([5, 2], {"X": X})
    for x in (X.T, np.zeros((2, 2)), np.full((2, 2), np.nan)):
        assert not emitted.well_conditioned(list(x.shape), {"X": x})


@pytest.mark.parametrize(("promised", "a_map"), [("loss = grad = hvp", False), ("value = jvp = vjp", True)])
def test_where_no_input_is_good_the_module_is_still_loaded(tmp_path, promised, a_map):
    d = dims("d")[0]
    recorded = tape("nowhere", [("x", (d,))], "x", lambda x: reduced("sum", entrywise("sqrt", -1 - x * x)), a_map=a_map)
    write(tmp_path / "here", f"{promised} = len\n", recorded)
    assert run(tmp_path) == ({}, 1)
    assert "sqrt" in (tmp_path / "here" / "test_nowhere.py").read_text()


def test_open_dimensions_are_given_to_bind():
    a, b, c = dims("a b c")

    def loss(x, U, V):
        return reduced("sum", (x @ U @ V) ** 2)

    recorded = tape("two", [("x", (a,)), ("U", (a, b)), ("V", (b, c))], ("U", "V"), loss)
    assert 'b=values["U"].shape[1], c=values["V"].shape[1]' in render(recorded)

    several = [("U", (a, c)), ("V", (a + 2 * b, c))]
    recorded = tape("several", several, ("U", "V"), lambda U, V: reduced("sum", U) * reduced("sum", V))
    found = render(recorded)
    assert 'a=values["U"].shape[0], c=values["U"].shape[1]' in found
    assert 'b=(values["V"].shape[0] - (values["U"].shape[0])) // 2' in found
    assert "shape[1]" not in emitted_text("factorization").split("def bind")[1].split("def moved")[0]
    joined = [("A", (a + b, a + b)), ("U", (a, c)), ("V", (b, c))]

    def stacked(A, U, V):
        return reduced("sum", A @ term("concatenate", (U, V), (a + b, c), axis=0))

    assert 'a=values["U"].shape[0], c=values["U"].shape[1], b=values["V"].shape[0]' in (
        render(tape("stacked", joined, ("U", "V"), stacked))
    )
