"""The emitted tests pass beside a right module, and fail beside every wrong one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import black
import numpy as np
import pytest
from handmade_modules import module_text
from handmade_tapes import (
    dims,
    entrywise,
    factorization,
    huber,
    logistic,
    network,
    reduced,
    ridge,
    softmax_regression,
    tape,
    term,
)

from gradgen.emit_tests import HEADER, render

LOSSES = {"ridge": ridge, "logistic": logistic, "huber": huber, "factorization": factorization}
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
    "data that bind shares": ("ridge", "name: np.array(x)", "name: np.asarray(x)"),
    "an argument that unpack shares": ("ridge", "part.reshape(shape).copy()", "part.reshape(shape)"),
    "a result that is kept": (
        "ridge",
        "results = tuple(np.ascontiguousarray(a) if np.ndim(a) else float(a) for a in arrays)",
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
    "another value": ("ridge", "return loss(*values), grad(*values)", "return loss(*values) * 1.0001, grad(*values)"),
    "another gradient when bound": ("ridge", "return grad(*self._all(wrt))", "return 2 * grad(*self._all(wrt))"),
    "another product when bound": ("ridge", "*wrt[len(WRT) :])", "*(2 * x for x in wrt[len(WRT) :]))"),
    "another flat loss": ("ridge", "return self.loss(*self._parts(x))", "return 2 * self.loss(*self._parts(x))"),
    "another flat value": ("ridge", "return self.fun(x), self.jac(x)", "return 2 * self.fun(x), self.jac(x)"),
    "another flat gradient": ("ridge", "return self.fun(x), self.jac(x)", "return self.fun(x), 2 * self.jac(x)"),
    "another flat product": ("ridge", "result = self.hvp(*self._parts(x), *self._parts(p))", "result = self.jac(p)"),
    "another flat Hessian": ("ridge", "np.atleast_2d(self.hessian", "2 * np.atleast_2d(self.hessian"),
    "a float64 result of float32": ("ridge", "np.float32 if single else np.float64", "np.float64"),
    "float32 throughout": ("ridge", "np.float32 if single else np.float64", "np.float32"),
    "a loss that is no float": ("ridge", "float(_loss(*_door(values, NAMES)))", "_loss(*_door(values, NAMES))"),
    "complex numbers let in": ("ridge", '"fiub"', '"fiubc"'),
    "objects let in": ("ridge", '"fiub"', '"fiubO"'),
    "None without a name": ("ridge", 'raise TypeError(f"{name} is None")', "raise TypeError"),
    "a rank let in": ("ridge", "if array.ndim != rank:", "if False:"),
    "a size let in": ("huber", "if sizes.setdefault(dim, size) != size:", "if sizes.setdefault(dim, size) < 0:"),
    "a direction let in": ("ridge", '_array("d" + name, step, len(SHAPES[name]))', "np.asarray(step, dtype=float)"),
    "lists refused": ("ridge", "    array = np.asarray(x)\n", "    x.dtype\n    array = np.asarray(x)\n"),
    "an error of another kind": ("ridge", 'raise TypeError(f"{name} has dtype', 'raise KeyError(f"{name} has dtype'),
}  # fmt: skip


def write(folder, text, recorded):
    folder.mkdir(parents=True)
    (folder / f"{recorded.name}.py").write_text(text)
    (folder / f"test_{recorded.name}.py").write_text(render(recorded))
    return folder


def mutated(loss, old, new):
    text = module_text(LOSSES[loss]())
    assert old in text, f"nothing to mutate: {old}"
    return "_KEPT = {}\n" + text.replace(old, new)


def run(folder, **environment):
    """The failing test functions in each subfolder, and how many tests ran."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "--import-mode=importlib"]
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
}


@pytest.mark.parametrize("name", SEEN_BY)
def test_each_guard_sees_its_own_fault_alone(failures, name):
    assert failures[f"wrong{list(MUTATIONS).index(name)}"] == {SEEN_BY[name]}


def test_wrong_derivatives_are_seen_by_values_and_by_differences(failures):
    for name in ("a sign", "a factor 1 + 1e-6", "a factor 1 + 1e-6 in a product", "a dropped term"):
        seen = failures[f"wrong{list(MUTATIONS).index(name)}"]
        assert {"test_values_to_50_digits", "test_finite_differences", "test_random_inputs"} <= seen


def test_a_right_module_passes(tmp_path):
    for name, loss in LOSSES.items():
        write(tmp_path / name, module_text(loss()), loss())
    failed, count = run(tmp_path)
    assert failed == {}
    assert count >= 100


def test_the_compiled_module_is_taken_where_asked(tmp_path):
    """With GRADGEN_BACKEND=cython the module of the subfolder counts, and a missing one is an error."""
    folder = write(tmp_path / "here", mutated("ridge", "r @ r", "2 * r @ r"), ridge())
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


@pytest.mark.parametrize("name", LOSSES)
def test_check_raises_no_false_alarm(name, tmp_path):
    recorded = LOSSES[name]()
    emitted = load(tmp_path / name, recorded, module_text(recorded))
    for seed in range(200):
        emitted.check(seed)


@pytest.mark.parametrize("name", ["a sign", "a factor 1 + 1e-6", "a dropped mixed term", "the wrong side of a kink"])
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


def test_first_line_and_size():
    for loss in LOSSES.values():
        recorded = loss()
        text = black.format_str(render(recorded), mode=black.Mode(line_length=120))
        assert text.startswith(HEADER.split("{")[0])
        assert f"from {recorded.name}; do not edit." in text.splitlines()[0]
        assert len(text.splitlines()) < 400


def test_every_emitted_file_is_python():
    for loss in (*LOSSES.values(), network, softmax_regression):
        compile(render(loss()), "test", "exec")


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


def test_where_no_input_is_good_the_module_is_still_loaded(tmp_path):
    d = dims("d")[0]
    recorded = tape("nowhere", [("x", (d,))], "x", lambda x: reduced("sum", entrywise("sqrt", -1 - x * x)))
    write(tmp_path / "here", "loss = grad = hvp = len\n", recorded)
    assert run(tmp_path) == ({}, 1)
    assert "sqrt" in (tmp_path / "here" / "test_nowhere.py").read_text()


def test_open_dimensions_are_given_to_bind():
    a, b, c = dims("a b c")

    def loss(x, U, V):
        return reduced("sum", (x @ U @ V) ** 2)

    recorded = tape("two", [("x", (a,)), ("U", (a, b)), ("V", (b, c))], ("U", "V"), loss)
    assert 'b=values["U"].shape[1], c=values["V"].shape[1]' in render(recorded)
    assert "shape[1]" not in render(factorization()).split("def bind")[1].split("def moved")[0]
