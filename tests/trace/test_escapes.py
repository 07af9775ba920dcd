"""What would leave the trace, and what the vocabulary lacks: an error with its place and the fix, never a TypeError."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradgen import SpecError
from gradgen.spec import load_spec

HEAD = """import math
import numpy as np
import scipy.special
from gradgen import *
n, d = dims("n d")
A = np.ones((3, 3))
@loss(wrt="x")
def f(x: Vector[n], v: Vector[3], X: Matrix[n, d], s: Scalar):
"""
LINE = HEAD.count("\n") + 1

# what stands on the line, what the message says, what the hint says
ESCAPES = [
    ("return np.sum(np.array(x))", "cannot become a real", "the array itself"),
    ("return sum(row @ row for row in X)", "loop over an axis of length n", "Matrix[12, d], the loop is unrolled"),
    ("return sum(x[i] for i in range(n))", "length n, which is not known", "Matrix[12, d], the loop is unrolled"),
    ("a = np.empty((n, 2))", "n is not known", "collect the rows in a list and np.stack them"),
    ("a = np.zeros((n, 2)); a[0] = v[:2]", "changed in place", "collect the rows in a list and np.stack them"),
    ("return np.sum(np.r_[x, x])", "cannot become a real", "np.concatenate or np.block"),
    ("return np.sum(np.array([x, X]))", "np.stack of arrays of different ranks: (n,), (n, d)", "x[:, None]"),
    ("return np.max([v, x], axis=0)", "of shape (n,) do not conform: 3 against n", "agree in every axis"),
    ("import scipy.linalg; return np.sum(scipy.linalg.inv(X.T @ X))", "cannot become a real", "np.linalg.inv in place"),
    ("return np.sum(np.vectorize(abs)(x))", "calls Python for each number", "f(x)"),
    ("return np.sum(A.dot(v))", "cannot become a real", "A @ t"),
    ("return np.float64(s)", "cannot become a real", "without conversion"),
    ("return math.exp(s)", "cannot become a Python number", "np.exp"),
    ("return math.sqrt(n) * s", "n is not known", "np.sqrt"),
    ("return float(s)", "cannot become a Python number", "without conversion"),
    ("return int(s)", "cannot become a Python number", "without conversion"),
    ("return complex(s)", "cannot become a Python number", "without conversion"),
    ("return s.item()", "cannot become a Python number", "without conversion"),
    ("return sum(x.tolist())", "cannot become a Python number", "without conversion"),
    ("return round(s)", "rounding", "gradient is 0"),
    ("return s if s > 0 else -s", "cannot branch", "np.where"),
    ("return s * (s and 2)", "cannot branch", "np.where"),
    ("return s * (not s)", "cannot branch", "np.where"),
    ("return s if s in [1, 2] else 0", "cannot branch", "np.where"),
    ("return s if any(x > 0) else 0", "loop over an axis of length n", "np.sum"),
    ("return max(s, x[0]) if max(X) else s", "takes a vector", "np.max"),
    ("return max(x, 2 * x)[0]", "does not compare arrays", "np.maximum"),
    (
        "x[0] = 1",
        "changed in place",
        "collect the rows in a list and np.stack them; np.where(mask, new, old)",
    ),
    ("A = X @ X.T; A[range(n), range(n)] = 0", "changed in place", "A * (1 - eye(n)) has zeros on the diagonal"),
    ("del x[0]", "changed in place", "slice"),
    ("A[0] += v", "in place", "a = a + b"),
    ("A[0, 0] = s", "cannot become a Python number", "without conversion"),
    ("a = np.ones(3); a += s", "in place", "a = a + b"),
    ("return sum(c for c in x)", "loop over an axis of length n", "axis=0"),
    ("a, b = x", "loop over an axis of length n", "axis=0"),
    ("return list(s)", "scalar cannot be iterated", ""),
    ("return len(s)", "scalar has no length", ""),
    ("return np.sum(x[x > 0])", "cannot be an index", "np.where"),
    ("return x[s]", "cannot be an index", ""),
    ("return x[1.5]", "an index is", "np.where"),
    ("return x[True]", "an index is", ""),
    ("return x['a']", "an index is", ""),
    ("return np.sum(x + None)", "NoneType is no real array", ""),
    ("return np.sum(x + 1j)", "complex is no real array", ""),
    ("return np.sum(x + 'a')", "str is no real array", ""),
    ("return np.sum(v + np.array([1, None, 2]))", "ndarray is no real array", ""),
    ("return np.sum(x + np.ones(1001))", "1001 entries", "arguments"),
    ("return np.sum(x & x)", "& takes masks only", "(a > 0) & (b > 0)"),
    ("return np.sum(~x)", "~ takes masks only", "~(a > 0)"),
    ("return np.sum((x > 0) - (x > 1))", "does not subtract masks", "1.0 * mask"),
    ("return np.sum(-(x > 0))", "does not negate masks", "~mask"),
    ("return (x > 0) @ (x > 0)", "product of two masks", "1.0 * mask"),
    ("return np.sum(np.floor(x))", "np.floor is not in the vocabulary", "README"),
    ("return np.sum(x // 2)", "floor_divide is not in the vocabulary", "a / b"),
    ("return np.sum(np.sort(x))", "np.sort is not in the vocabulary", "max and min"),
    ("return np.sum(np.fft.fft(x))", "np.fft.fft is not in the vocabulary", ""),
    ("return np.sum(np.sinc(x))", "np.sinc is not in the vocabulary", "np.sin"),
    ("return np.maximum.accumulate(x).sum()", "np.maximum.accumulate is not in the vocabulary", "operators"),
    ("return np.sum(scipy.special.j0(x))", "scipy.special.j0 is not in the vocabulary", ""),
    ("return np.sum(x, where=x > 0)", "takes no where", "axis and keepdims"),
    ("return np.sum(x, out=np.ones(()))", "takes no out", ""),
    ("return np.sum(np.exp(x, where=x > 0))", "takes no where", ""),
    ("return np.sum(np.transpose(X, foo=1))", "foo", ""),
    ("return x.foo()", "no attribute 'foo'", ""),
    ("return x.argsort()[0]", "ndarray.argsort is not in the vocabulary", ""),
    ("return np.where(x > 0)", "condition and two choices", "np.where(condition, a, b)"),
    ("return X.astype(int).sum()", "cannot become int64", "working dtype"),
    ("return X.astype(np.float32).sum()", "cannot become float32", "the working dtype follows the arguments"),
    ("return np.sum(X, dtype=np.float32)", "cannot become float32", "the working dtype follows the arguments"),
    ("return np.asarray(X, dtype='float32').sum()", "cannot become float32", "the working dtype follows the arguments"),
    ("return np.zeros((n, d), dtype=np.float16) @ v", "cannot become float16", "working dtype"),
    ("return np.eye(n, d) @ v", "np.eye of a dimension is square", "np.eye(n)[:, :k]"),
    ("return np.ones(n) @ x", "n is not known", "write ones(n), after from gradgen import ones"),
    ("return {}['a']", "KeyError: 'a'", ""),
    ("return undefined", "NameError", ""),
    ("return 1 / 0", "ZeroDivisionError", ""),
    ("return sorted(x)", "loop over an axis", ""),
    ("return ones(2.5)[0]", "no shape", ""),
    ("return ones(n - n - 1)[0]", "no shape", ""),
]


def error_of(folder: Path, line: str) -> SpecError:
    path = folder / "wrong.py"
    path.write_text(HEAD + f"    {line}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        _ = load_spec(path)["f"].tape
    return caught.value


@pytest.mark.parametrize(("line", "message", "hint"), ESCAPES, ids=[e[0] for e in ESCAPES])
def test_escapes_name_the_fix(tmp_path: Path, line: str, message: str, hint: str) -> None:
    error = error_of(tmp_path, line)
    assert message in error.message
    assert hint in error.hint
    assert error.place is not None
    assert Path(error.place.file).name == "wrong.py" and error.place.line == LINE
    assert "^" in error.place.excerpt()


def test_the_text_of_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(error_of(tmp_path, "return np.sum(X @ x)")) == (
        f"wrong.py:{LINE}:19: X @ x: (n, d) @ (n,) do not match: d against n "
        "(X is declared at 8:35, x is declared at 8:7)\n"
        "        return np.sum(X @ x)\n"
        "                      ^^^^^\n"
        "hint: X.T @ x has shape (d,)"
    )


def test_columns_count_characters(tmp_path: Path) -> None:
    error = error_of(tmp_path, "π = 3; return np.sum(π * X @ x)")
    assert error.place is not None and error.place.column == 26


def test_an_error_in_a_helper_stands_there(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def product(a, b):\n    return a @ b\n", encoding="utf-8")
    error = error_of(tmp_path, "import helper; return helper.product(X, x)")
    assert error.place is not None
    assert (Path(error.place.file).name, error.place.line) == ("helper.py", 2)


def test_wrong_results(tmp_path: Path) -> None:
    for line, word in (
        ("return X", "shape (n, d)"),
        ("return x[:1]", "shape (1,)"),
        ("return None", "None"),
        ("x + 1", "None"),
        ("return 3.0", "3.0"),
        ("return n", "returns n"),
        ("return s > 0", "comparison"),
        ("return (s, s)", "returns a tuple of 2"),
        ("return [s, s]", "returns a list of 2"),
    ):
        error = error_of(tmp_path, line)
        assert word in error.message and error.place is not None and error.place.line == LINE
