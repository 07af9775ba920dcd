"""What ``@loss`` accepts and records, and how spec files are loaded."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradgen import (
    Elementwise,
    Matrix,
    Scalar,
    SpecError,
    Symmetric,
    Vector,
    boolean,
    dims,
    integer,
    loss,
    nonnegative,
    one_hot,
    positive,
    sign,
    simplex,
)
from gradgen.spec import Function, Loss, load_spec

n, d, k = dims("n d k")
HEAD = "import numpy as np\nfrom gradgen import *\nn, d = dims('n d')\n"
GOOD = "@loss(wrt='x')\ndef {name}(x: Vector[n]):\n    return x @ x\n"


def write(folder: Path, text: str, name: str = "a.py") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> SpecError:
    path = write(folder, HEAD + text)
    with pytest.raises(SpecError) as caught:
        _ = [made.tape for made in load_spec(path).values()]
    return caught.value


# ---- what a loss records


def test_a_tape_says_what_was_declared() -> None:
    @loss(wrt=("w", "lam"), gram=True, symmetric="entries")
    def ridge(X: Matrix[n, 2 * d], w: Vector[2 * d, positive], Y: Matrix[n, k, one_hot], lam: Scalar[positive]):
        """Ridge.

        More.
        """
        return np.sum(X @ w) + lam + np.sum(Y)

    tape = ridge.tape
    assert tape is ridge.tape
    assert (tape.name, tape.doc, tape.wrt, tape.several) == ("ridge", "Ridge.\n\nMore.", ("w", "lam"), True)
    assert dict(tape.options) == {"gram": True, "symmetric": "entries"}
    assert [(a.name, a.kind, str(a.shape[-1]) if a.shape else "", set(a.facts)) for a in tape.arguments] == [
        ("X", "Matrix", "2 * d", set()),
        ("w", "Vector", "2 * d", {"positive"}),
        ("Y", "Matrix", "k", {"one_hot"}),
        ("lam", "Scalar", "", {"positive"}),
    ]
    assert ridge.__name__ == "ridge" and inspect.getdoc(ridge) == tape.doc


def test_one_variable_is_not_several() -> None:
    @loss(wrt="x")
    def f(x: Vector[n], lam: Scalar):
        return x @ x

    assert (f.tape.wrt, f.tape.several, dict(f.tape.options)) == (("x",), False, {"gram": False, "symmetric": None})


def test_a_loss_may_leave_its_variables_out() -> None:
    @loss(wrt="x")
    def f(x: Vector[n], lam: Scalar):
        return 2 * lam

    assert f.tape.result.op == "multiply"


@pytest.mark.parametrize("wrt", ["w b", "w, b", ("w", "b"), ["w", "b"]])
def test_several_variables_are_named_in_one_text_or_in_a_tuple(wrt: Any) -> None:
    @loss(wrt=wrt)
    def f(w: Vector[n], b: Scalar):
        return w @ w + b

    assert (f.tape.wrt, f.tape.several) == (("w", "b"), True)


def test_a_symmetric_argument_is_square() -> None:
    @loss(wrt="S", symmetric="entries")
    def f(S: Symmetric[2 * n, nonnegative], x: Vector[n], g: Elementwise):
        return np.sum(g(S)) + x @ x

    assert [(a.name, a.kind, [str(s) for s in a.shape], set(a.facts), a.callable) for a in f.tape.arguments] == [
        ("S", "Symmetric", ["2 * n", "2 * n"], {"nonnegative"}, False),
        ("x", "Vector", ["n"], set(), False),
        ("g", "Elementwise", [], set(), True),
    ]
    assert (f.tape.options["symmetric"], f.tape.function) == ("entries", False)


def test_a_loss_within_a_loss() -> None:
    @loss(wrt="x")
    def inner(x: Vector[n], s: Scalar):
        return s * (x @ x) / len(x)

    @loss(wrt="x")
    def outer(x: Vector[n]):
        return inner(x, 2.0) + inner(np.sin(x), x[0])

    assert [c.op for c in outer.tape.calls()].count("size") == 2
    assert outer(np.array([1.0, 2.0])) == pytest.approx(5 + (np.sin([1.0, 2.0]) ** 2).sum() / 2)

    @loss(wrt="X")
    def wrong(X: Matrix[n, d]):
        return inner(X[0], 1.0)

    with pytest.raises(SpecError, match=r"inner declares x of shape \(n,\), but gets \(d,\)"):
        _ = wrong.tape


def test_text_annotations_are_evaluated(tmp_path: Path) -> None:
    text = "from __future__ import annotations\n" + HEAD + GOOD.format(name="f")
    assert str(load_spec(write(tmp_path, text))["f"].arguments[0].shape[0]) == "n"

    def local() -> Any:
        m = dims("m")

        @loss(wrt="x")
        def g(x: Vector[m, positive]):
            return x @ x

        return g

    assert str(local().arguments[0].shape[0]) == "m"


# ---- what is refused

WRONG = [
    ("@loss(wrt='v')\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "'v', which is no argument", "arguments are w"),
    ("@loss(wrt='alhpa')\ndef f(alpha: Vector[n]):\n    return 1\n", 4, "'alhpa'", "did you mean alpha?"),
    (
        "@loss(wrt='w; b')\ndef f(w: Vector[n], b: Scalar):\n    return w @ w\n",
        4,
        "'w;', which is no argument",
        'wrt=("w", "b")',
    ),
    ("@loss(wrt=())\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "wrt names", 'wrt="w"'),
    ("@loss(wrt=('w', 'w'))\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "each once", 'wrt="w"'),
    ("@loss(wrt=3)\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "wrt names", 'wrt="w"'),
    ("@loss()\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "@loss wants wrt", 'wrt="w"'),
    ("@loss\ndef f(w: Vector[n]):\n    return w @ w\n", 5, "@loss wants wrt", 'wrt="w"'),
    ("@loss('w')\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "@loss wants wrt", 'wrt="w"'),
    ("@loss(wrt='w', symmetric='x')\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "symmetric is 'x'", "entries"),
    ("@loss(wrt='w', foo=1)\ndef f(w: Vector[n]):\n    return w @ w\n", 4, "foo", ""),
    ("@loss(wrt='w')\ndef f(w: Vector[n], lam):\n    return w @ w\n", 5, "lam has no type", "lam: Scalar"),
    ("@loss(wrt='w')\ndef f(w: Vector[n],\n    *rest: Scalar):\n    return w @ w\n", 6, "*rest", "positional"),
    ("@loss(wrt='w')\ndef f(w: Vector[n], **rest: Scalar):\n    return w @ w\n", 5, "**rest", "positional"),
    ("@loss(wrt='w')\ndef f(w: Vector[n], *, s: Scalar):\n    return w @ w\n", 5, "s: ", "positional"),
    ("@loss(wrt='w')\ndef f(w: Vector[n], s: Scalar = 1):\n    return w @ w\n", 5, "s has a default", "leave it out"),
    ("@loss(wrt='w')\ndef f(w: float):\n    return w\n", 5, "w is declared as float", "Scalar"),
    ("@loss(wrt='w')\ndef f(w: np.ndarray):\n    return w\n", 5, "declared as ndarray", "Vector[n]"),
    ("@loss(wrt='w')\ndef f(w: Vector):\n    return w\n", 5, "Vector has 1 dimension, not 0", "Vector[n]"),
    ("@loss(wrt='w')\ndef f(w: Matrix[n]):\n    return w\n", 5, "Matrix has 2 dimensions, not 1", "Matrix[n, d]"),
    ("@loss(wrt='w')\ndef f(w: Scalar[n]):\n    return w\n", 5, "Scalar has no dimension, not 1", "write Scalar"),
    ("@loss(wrt='w')\ndef f(w: Symmetric):\n    return w\n", 5, "Symmetric has 1 dimension, not 0", "Symmetric[n]"),
    ("@loss(wrt='w')\ndef f(w: Symmetric[n, d]):\n    return w\n", 5, "has 1 dimension, not 2", "Symmetric[n]"),
    (
        "@loss(wrt='w')\ndef f(w: Symmetric[n, integer]):\n    return w[0, 0]\n",
        5,
        "cannot be declared integer",
        "gradient",
    ),
    (
        "@loss(wrt='w')\ndef f(w: Vector[n], f: Elementwise[n]):\n    return w\n",
        5,
        "no dimension, not 1",
        "Elementwise",
    ),
    (
        "@loss(wrt='w')\ndef f(w: Vector[n], f: Elementwise[positive]):\n    return w\n",
        5,
        "cannot be positive",
        "arrays",
    ),
    ("@loss(wrt=('w', 'g'))\ndef f(w: Vector[n], g: Elementwise):\n    return w @ w\n", 5, "g is in wrt", "arrays"),
    ("@function\ndef f(w: Vector[n]):\n    return w\n", 5, "@function wants wrt", '@function(wrt="w")'),
    ("@function()\ndef f(w: Vector[n]):\n    return w\n", 4, "@function wants wrt", 'wrt="w"'),
    ("@function(wrt='w', gram=True)\ndef f(w: Vector[n]):\n    return w\n", 4, "gram", ""),
    ("@function(wrt='w')\ndef f(w: Vector[n]):\n    return w > 0\n", 6, "f returns a comparison", "1.0 * mask"),
    ("@function(wrt='w')\ndef f(w: Vector[n]):\n    return w, w\n", 6, "f returns a tuple of 2", "np.concatenate"),
    ("@function(wrt='w')\ndef f(w: Vector[n]):\n    w + 1\n", 6, "f returns None", "return"),
    ("@function(wrt='w')\ndef f(w: Vector[n]):\n    return np.ones(2)\n", 6, "no argument takes part", "arguments"),
    ("@function(wrt='w')\ndef f(w: Vector[n], g: Elementwise):\n    return g\n", 6, "returns <the function g>", "g(Z)"),
    ("function(wrt='w')(lambda w: w)\n", 4, "a function is a Python function with a name", "def"),
    ("function(wrt='w')(np.exp)\n", 4, "@function stands over a function", ""),
    (
        GOOD.format(name="f") + "@function(wrt='x')\ndef f(x: Vector[n]):\n    return x\n",
        8,
        "two functions called 'f'",
        "f_2",
    ),
    ("@loss(wrt='w')\ndef f(w: Vector[positive, n]):\n    return w\n", 5, "before a dimension", "after the dimensions"),
    ("@loss(wrt='w')\ndef f(w: Vector['n']):\n    return w\n", 5, "'n' is no dimension", "Vector[n]"),
    ("@loss(wrt='w')\ndef f(w: Vector[0]):\n    return w\n", 5, "0 cannot stand in a type", "positive integer"),
    ("@loss(wrt='w')\ndef f(w: Vector[-2]):\n    return w\n", 5, "-2 cannot stand in a type", "positive integer"),
    ("@loss(wrt='w')\ndef f(w: Vector[True]):\n    return w\n", 5, "True is no dimension", "Vector[n]"),
    ("@loss(wrt='w')\ndef f(w: Vector[n - 1]):\n    return w\n", 5, "n - 1 cannot stand in a type", "sum or integer"),
    ("@loss(wrt='w')\ndef f(w: Vector[n * d]):\n    return w\n", 5, "n * d cannot stand in a type", "sum or integer"),
    ("@loss(wrt='w')\ndef f(w: Vector[n / 2]):\n    return w\n", 5, "only inside a loss", ""),
    ("@loss(wrt='w')\ndef f(w: Vector[q]):\n    return w\n", 5, "name 'q' is not defined", ""),
    ("@loss(wrt='w')\ndef f(w: 'Vector[q]'):\n    return w\n", 5, "type of w cannot be read", "dims"),
    (
        "@loss(wrt='w')\ndef f(w: Vector[n + d]):\n    return w @ w\n",
        5,
        "do not determine n, d",
        "let d be an axis of its own",
    ),
    ("@loss(wrt='w')\ndef f(w: Scalar, s: Scalar[simplex]):\n    return w\n", 5, "no rows to be simplex", ""),
    ("loss(wrt='w')(lambda w: w)\n", 4, "function with a name", "def"),
    ("loss(wrt='w')(np.exp)\n", 4, "over a function", ""),
    (GOOD.format(name="f") + GOOD.format(name="f"), 8, "two losses called 'f'", "f_2"),
    ("1 / 0\n", 4, "ZeroDivisionError: division by zero", ""),
    ("import no_such_module\n", 4, "No module named 'no_such_module'", "own folder"),
    ("from gradgen import no_such\n", 4, "gradgen has no no_such", "own folder"),
    ("raise SystemExit(3)\n", 4, "SystemExit", ""),
    ("def f(:\n", 4, "invalid syntax", ""),
    ("x = (\n", 4, "invalid syntax", ""),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong_specs_say_where_and_what(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    error = refused(tmp_path, text)
    assert message in error.message
    assert hint in error.hint
    assert error.place is not None and (Path(error.place.file).name, error.place.line) == ("a.py", line)


def test_the_place_of_an_argument_is_its_own(tmp_path: Path) -> None:
    error = refused(tmp_path, "@loss(wrt='w')\ndef f(w: Vector[n], lam):\n    return w @ w\n")
    assert error.place is not None and (error.place.column, error.place.end_column) == (21, 24)


@pytest.mark.parametrize("fact", [sign, boolean, integer, one_hot, simplex])
def test_facts_that_would_change_a_gradient(fact: Any) -> None:
    with pytest.raises(SpecError, match=f"x is in wrt and cannot be declared {fact}"):

        @loss(wrt="x")
        def f(x: Vector[n, fact]):
            return x @ x


# ---- loading


def test_losses_come_by_name_in_order(tmp_path: Path) -> None:
    losses = load_spec(write(tmp_path, HEAD + GOOD.format(name="b") + GOOD.format(name="a")))
    assert list(losses) == ["b", "a"]
    assert all(isinstance(made, Loss) for made in losses.values())
    assert losses["a"].place.line == 8


def test_functions_stand_among_losses(tmp_path: Path) -> None:
    text = HEAD + "@function(wrt='x')\ndef b(x: Vector[n]):\n    return 2 * x\n" + GOOD.format(name="a")
    found = load_spec(write(tmp_path, text))

    assert isinstance(found["b"], Function) and isinstance(found["a"], Loss)
    assert found["b"].tape.function and not found["a"].tape.function
    assert repr(found["b"]) == "<function b(x)>"


def test_a_spec_without_a_loss_is_empty(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, "x = 1\n")) == {}


def test_unreadable_specs(tmp_path: Path) -> None:
    for path, word in (
        (tmp_path / "none.py", "cannot read"),
        (tmp_path, "cannot read"),
        (write(tmp_path, "", "a.txt"), "no spec"),
    ):
        with pytest.raises(SpecError, match=word):
            load_spec(path)
    (tmp_path / "zero.py").write_bytes(b"x = '\0'\n")
    (tmp_path / "latin.py").write_bytes(b"x = '\xff'\n")
    for name in ("zero.py", "latin.py"):
        with pytest.raises(SpecError):
            load_spec(tmp_path / name)


def test_neighbours_of_one_name_do_not_clash(tmp_path: Path) -> None:
    text = HEAD + "import neighbour\n@loss(wrt='x')\ndef f(x: Vector[n]):\n    return neighbour.factor * (x @ x)\n"
    made = []
    for i in (1, 2):
        write(tmp_path / str(i), f"factor = {i}.0\n", "neighbour.py")
        made.append(load_spec(write(tmp_path / str(i), text))["f"])
    assert [f(np.ones(1)) for f in made] == [1.0, 2.0]


def test_neighbours_may_be_imported_late(tmp_path: Path) -> None:
    write(tmp_path, "def twice(x):\n    return len(x) * x\n", "late.py")
    text = HEAD + "@loss(wrt='x')\ndef f(x: Vector[n]):\n    from late import twice\n    return twice(x) @ x\n"
    made = load_spec(write(tmp_path, text))["f"]
    assert "size" in [c.op for c in made.tape.calls()]
    assert made(np.ones(3)) == 9.0


def test_the_losses_of_a_neighbour_are_not_the_specs(tmp_path: Path) -> None:
    write(tmp_path, HEAD + GOOD.format(name="g"), "other.py")
    losses = load_spec(write(tmp_path, "from other import *\nfrom other import g\n" + HEAD + GOOD.format(name="f")))
    assert list(losses) == ["f"]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    write(tmp_path, "x = 1\n", "neighbour.py")
    before = sys.path[:], set(sys.modules), sys.dont_write_bytecode
    load_spec(write(tmp_path, "import neighbour\n" + HEAD + GOOD.format(name="f")))
    with pytest.raises(SpecError):
        load_spec(write(tmp_path, "import neighbour\n1 / 0\n"))
    assert (sys.path, set(sys.modules), sys.dont_write_bytecode) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.py", "neighbour.py"]


def test_a_loaded_module_of_a_neighbours_name_stays(tmp_path: Path) -> None:
    other = type(sys)("neighbour")
    sys.modules["neighbour"] = other
    try:
        write(tmp_path, "factor = 1\n", "neighbour.py")
        text = "import neighbour\nassert neighbour.factor == 1\n"
        load_spec(write(tmp_path, text))
        assert sys.modules["neighbour"] is other
    finally:
        del sys.modules["neighbour"]


def test_an_error_in_a_neighbour_stands_there(tmp_path: Path) -> None:
    for text in ("\n\n1 / 0\n", "\n\ndef f(:\n"):
        write(tmp_path, text, "neighbour.py")
        error = refused(tmp_path, "import neighbour\n")
        assert error.place is not None
        assert (Path(error.place.file).name, error.place.line) == ("neighbour.py", 3)


def test_a_changed_spec_is_read_anew(tmp_path: Path) -> None:
    error = refused(tmp_path, "first = 1 / 0\n")
    assert "first" in str(error)
    error = refused(tmp_path, "other = 1 / 0\n")
    assert "other" in str(error)


def test_places_are_as_a_person_types_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    error = refused(tmp_path, "1 / 0\n")
    assert str(error).startswith("a.py:4:1: ZeroDivisionError")


def test_equal_functions_of_two_files_keep_their_places(tmp_path: Path) -> None:
    text = HEAD + "@loss(wrt='x')\ndef f(x: Vector[n]):\n    return x.foo\n"
    for folder in ("one", "two"):
        with pytest.raises(SpecError) as caught:
            _ = load_spec(write(tmp_path / folder, text))["f"].tape
        assert caught.value.place is not None
        assert Path(caught.value.place.file).parent.name == folder
