"""The command line: exit codes, places and hints, all files or none, and the same bytes on every run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradgen import cli, files, pipeline, timing
from gradgen.cli import main
from gradgen.errors import NotSupportedError
from gradgen.watch import sources, watch

ROOT = Path(__file__).resolve().parents[1]
HEAD = "import numpy as np\nfrom gradgen import Matrix, Scalar, Vector, dims, loss\n\nn, d = dims('n d')\n\n"
GOOD = HEAD + "@loss(wrt='w')\ndef good(w: Vector[d], lam: Scalar):\n    return lam * (w @ w)\n"
MAP = (
    HEAD
    + "from gradgen import function\n@function(wrt='x')\ndef linear(A: Matrix[n, d], x: Vector[d]):\n    return A @ x\n"
)
OTHER = HEAD + "@loss(wrt='w')\ndef other(w: Vector[d]):\n    return np.sum(np.exp(w))\n"

BAD = {
    "shape mismatch": ("@loss(wrt='w')\ndef bad(X: Matrix[n, d], w: Vector[n]):\n    return np.sum(X @ w)\n", 8, "n"),
    "broadcast mismatch": ("@loss(wrt='w')\ndef bad(y: Vector[n], w: Vector[d]):\n    return np.sum(y - w)\n", 8, "d"),
    "unknown wrt": ("@loss(wrt='v')\ndef bad(w: Vector[d]):\n    return w @ w\n", None, "'v'"),
    "missing annotation": ("@loss(wrt='w')\ndef bad(w: Vector[d], lam):\n    return lam * (w @ w)\n", None, "lam"),
    "non-scalar": ("@loss(wrt='w')\ndef bad(w: Vector[d]):\n    return 2 * w\n", None, "scalar"),
    "unsupported function": ("@loss(wrt='w')\ndef bad(w: Vector[d]):\n    return np.sum(np.sort(w))\n", 8, "sort"),
    "escape to math": (
        "import math\n@loss(wrt='w')\ndef bad(w: Vector[d]):\n    return math.exp(w @ w)\n",
        9,
        "np.exp",
    ),
    "branch": ("@loss(wrt='w')\ndef bad(w: Vector[d]):\n    return w @ w if w[0] > 0 else 0 * w[0]\n", 8, "where"),
    "syntax error": ("@loss(wrt='w')\ndef bad(w: Vector[d]:\n    return w @ w\n", 7, "syntax"),
    "import error": ("import no_such_module\n", 6, "no_such_module"),
    "exception": ("@loss(wrt='w')\ndef bad(w: Vector[d]):\n    return {}['key']\n", 8, "KeyError"),
    "nothing returned": ("@loss(wrt='w')\ndef bad(w: Vector[d]):\n    w @ w\n", None, "None"),
    "no loss": ("x = 1\n", None, "no loss or function"),
    "a function of nothing": (
        "from gradgen import function\n@function(wrt='x')\ndef bad(x: Vector[d]):\n    x * 2\n",
        None,
        "None",
    ),
    "a derivative by a function": (
        "from gradgen import Elementwise\n@loss(wrt='f')\ndef bad(s: Scalar, f: Elementwise):\n    return f(s)\n",
        None,
        "f",
    ),
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec(text: str, name: str = "a.py") -> str:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name


def written() -> list[str]:
    return sorted(str(path) for path in Path("generated").rglob("*"))


def test_build_writes_modules_and_prints_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD), spec(OTHER, "b.py")]) == 0
    assert [Path(name).name for name in written()] == [
        "__init__.py",
        "good.py",
        "other.py",
        "test_good.py",
        "test_other.py",
    ]
    assert Path("generated/__init__.py").read_text() == ""
    printed = capsys.readouterr().out
    assert "good" in printed
    assert "grad" in printed


def test_functions_are_built_beside_losses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD + MAP.removeprefix(HEAD))]) == 0
    assert [Path(name).name for name in written()] == [
        "__init__.py",
        "good.py",
        "linear.py",
        "test_good.py",
        "test_linear.py",
    ]
    printed = capsys.readouterr().out.splitlines()
    assert "linear -> generated/linear.py" in printed
    assert [line.split(" = ")[0].strip() for line in printed[-5:-1]] == ["value", "jvp", "vjp", "jacobian"]
    assert main(["build", "a.py", "--check"]) == 0


def test_a_loss_without_a_domain_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "build",
                spec(HEAD + "@loss(wrt='w')\ndef nowhere(w: Vector[d]):\n    return np.sum(np.log(-np.exp(w)))\n"),
            ]
        )
        == 0
    )
    warning = capsys.readouterr().err
    assert warning.startswith("warning: nowhere: ")
    assert "log" in warning


FLAT = "np.sqrt((np.cosh(x) - 1) * (1 - np.cos(x)))"  # x**2 / 2 and more: smooth at 0, and 0 / 0 by its own rule
UNDEFINED = {
    "loss": f"@loss(wrt='x')\ndef flat(x: Vector[n]):\n    return np.prod(x) + np.sum({FLAT})\n",
    "function": "from gradgen import Elementwise, function\n@function(wrt='x')\n"
    f"def flat(x: Vector[n], f: Elementwise):\n    return np.prod(x) + {FLAT} * f(x)\n",
}


@pytest.mark.sweep(2)
@pytest.mark.parametrize("kind", UNDEFINED)
def test_a_module_whose_own_tests_fail_is_told(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(HEAD + UNDEFINED[kind]), spec(GOOD, "b.py")]) == 1
    warning = capsys.readouterr().err
    line = 2 + (HEAD + UNDEFINED[kind]).splitlines().index(f"@{kind}(wrt='x')")
    derivative = {"loss": "grad by x[0]", "function": "jvp[0]"}[kind]
    assert warning.startswith(f"warning: a.py:{line}:1: the module of flat is not what the spec is in 50 digits: ")
    assert f"{derivative} is nan, not " in warning
    assert "at x = [0.0, " in warning
    assert warning.count("warning") == 1
    assert {"generated/flat.py", "generated/good.py"} <= set(written())

    assert main(["build", "a.py", "b.py", "--check"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", warning)
    assert main(["build", "b.py", "--check"]) == 0
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "generated/test_flat.py::test_values_to_50_digits",
    ]
    assert "FAILED" in subprocess.run(tests, capture_output=True, text=True, check=False).stdout


def test_a_module_that_cannot_be_tried_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    solved = "@loss(wrt='b')\ndef {0}(L: LowerTriangular[n], b: Vector[n]):\n    return b @ np.linalg.solve(L, b)\n"
    text = HEAD + "from gradgen import LowerTriangular\n" + "".join(solved.format(name) for name in ("one", "two"))
    for name in ("scipy", "scipy.linalg", "scipy.special"):
        monkeypatch.setitem(sys.modules, name, None)
    note = "note: not tried at the inputs of their tests, as scipy is not installed: one, two\n"
    assert main(["build", spec(text), spec(GOOD, "b.py")]) == 0
    assert capsys.readouterr().err == note
    assert main(["build", "a.py", "b.py", "--check"]) == 0
    assert capsys.readouterr() == ("", note)


def test_the_help_tells_why_a_check_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["build", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for reason in ("stale or missing", "none of them makes", "differ from the 50-digit values of its tests"):
        assert reason in said


def test_a_second_build_leaves_the_files_alone() -> None:
    main(["build", spec(GOOD)])
    times = {name: Path(name).stat().st_mtime_ns for name in written()}
    assert main(["build", "a.py"]) == 0
    assert {name: Path(name).stat().st_mtime_ns for name in written()} == times


def test_init_file_of_the_user_stays() -> None:
    Path("out").mkdir()
    Path("out/__init__.py").write_text("mine = 1\n")
    assert main(["build", spec(GOOD), "-o", "out"]) == 0
    assert Path("out/__init__.py").read_text() == "mine = 1\n"


def test_output_folder_is_made() -> None:
    assert main(["build", spec(GOOD), "-o", "deep/er"]) == 0
    assert Path("deep/er/good.py").exists()


def test_only(capsys: pytest.CaptureFixture[str]) -> None:
    both = spec(GOOD + OTHER.removeprefix(HEAD))
    assert main(["build", both, "--only", "other"]) == 0
    assert not Path("generated/good.py").exists()
    assert main(["build", both, "--only", "oter"]) == 2
    assert "did you mean other? there are: good, other" in capsys.readouterr().err


@pytest.mark.parametrize("case", BAD)
def test_a_bad_spec_exits_with_2_and_writes_nothing(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, line, word = BAD[case]
    assert main(["build", spec(GOOD), spec(HEAD + text, "bad.py")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert word.lower() in printed.err.lower()
    assert "bad.py" in printed.err
    if line is not None:
        assert f"bad.py:{line}:" in printed.err
        assert "^" in printed.err
    assert written() == []


def test_missing_spec(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "nowhere.py"]) == 2
    assert "nowhere.py" in capsys.readouterr().err
    assert main(["build", "."]) == 2
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("texts", [(GOOD, GOOD), (GOOD, GOOD.replace("def good", "def Good"))])
def test_one_name_twice(texts: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(texts[0]), spec(texts[1], "b.py")]) == 2
    error = capsys.readouterr().err
    assert "a.py:" in error
    assert "b.py:" in error
    assert written() == []


CHANGED = GOOD.replace("lam * (w @ w)", "lam * np.sum(w**4)")


def test_a_module_of_another_spec_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD)]) == 0
    before = Path("generated/good.py").read_bytes()
    assert main(["build", spec(CHANGED, "b.py")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("b.py:7:") and "generated/good.py was built from the loss of that name at a.py:7:" in error
    assert "call one of the two good_2, or give another folder with -o" in error
    assert Path("generated/good.py").read_bytes() == before
    assert main(["build", "b.py", "-o", "elsewhere"]) == 0


def test_a_module_of_an_earlier_version_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD)]) == 0
    assert main(["build", spec(CHANGED)]) == 0
    spec("import nothing_of_that_name\n\ndef good(): pass\n", "wrong.py")
    spec("def good(w):\n    return w\n", "helper.py")
    assert main(["build", spec(GOOD)]) == 0
    Path("a.py").rename("renamed.py")
    assert main(["build", "renamed.py"]) == 0
    assert capsys.readouterr().err == ""


def test_a_loss_and_a_function_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(MAP), spec(GOOD.replace("def good", "def linear"), "b.py")]) == 2
    assert "there is a function called 'linear' already, at a.py:" in capsys.readouterr().err


RESERVED = {
    "test_x": "x",
    "Test_x": "x",
    "conftest": "conftest",
    "Conftest": "Conftest",
    "__x__": "x",
    "__init__": "init",
    "__": "my",
    "cython": "cython",
    "numpy": "numpy",
    "scipy": "scipy",
    "pytest": "pytest",
    "gradgen": "gradgen",
    "random": "random",
    "json": "json",
    "con": "con",
    "NUL": "NUL",
}


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD.replace("def good", f"def {name}"))]) == 2
    assert f"hint: call it {RESERVED[name]}_loss\n" in capsys.readouterr().err
    assert main(["build", spec(MAP.replace("def linear", f"def {name}"))]) == 2
    error = capsys.readouterr().err
    assert f"a function may not be called '{name}'" in error
    assert f"hint: call it {RESERVED[name]}_function\n" in error
    assert written() == []


RENAMED = {
    "../evil": ("it is no Python name", "evil_loss"),
    "/tmp/evil": ("it is no Python name", "tmp_evil_loss"),
    "a/b": ("it is no Python name", "a_b_loss"),
    "..": ("it is no Python name", "my_loss"),
    "": ("it is no Python name", "my_loss"),
    "x.py": ("it is no Python name", "x_py_loss"),
    "x\nimport os\nos.remove": ("it is no Python name", "x_import_os_os_remove_loss"),
    'x"""; import os': ("it is no Python name", "x_import_os_loss"),
    "3d": ("it is no Python name", "my_3d_loss"),
    "lambda": ("it is a keyword", "lambda_loss"),
    "None": ("it is a keyword", "None_loss"),
    "\N{LATIN SMALL LIGATURE FI}t": ("Python reads it as 'fit'", "\N{LATIN SMALL LIGATURE FI}t_loss"),
    "x" * 300: ("it is too long for the name of a file", "x" * 40 + "_loss"),
}


@pytest.mark.parametrize("name", RENAMED, ids=[repr(name)[:20] for name in RENAMED])
def test_names_given_by_hand(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A decorator of the spec's own may give a function any name."""
    rename = f"def renamed(f):\n    f.__name__ = {name!r}\n    return f\n\n"
    assert main(["build", spec(HEAD + rename + GOOD.removeprefix(HEAD).replace("\ndef", "\n@renamed\ndef"))]) == 2
    reason, near = RENAMED[name]
    error = capsys.readouterr().err
    assert reason in error
    assert "Traceback" not in error
    if "FI" not in near:
        assert f"hint: call it {near}\n" in error
    assert sorted(path.name for path in Path().rglob("*")) == ["a.py"]


def test_a_name_in_another_spelling() -> None:
    """Python reads names by their compatibility form, and so do we."""
    assert main(["build", spec(GOOD.replace("def good", "def \N{LATIN SMALL LIGATURE FI}t"))]) == 0
    assert [Path(name).name for name in written()] == ["__init__.py", "fit.py", "test_fit.py"]


def test_what_docstrings_hold_is_never_executed() -> None:
    end = '\\"' * 3
    doc = f"A \\x00 \\ud800 \\r \\u2028 quote\\'{end}; raise SystemExit(3)\\n{end}\\nraise SystemExit(4)\\\\"
    assert main(["build", spec(GOOD.replace("    return", f'    "{doc}"\n    return'))]) == 0
    assert main(["build", "a.py", "--check"]) == 0
    text = Path("generated/good.py").read_text(encoding="utf-8")
    module: dict[str, object] = {}
    exec(compile(text, "good", "exec"), module)
    assert str(module["__doc__"]).startswith("A \0 \ud800 \n \n quote'")


def test_files_stay_in_their_folder(tmp_path: Path) -> None:
    for name in ("../x.py", "/x.py", "a/b.py", "..", ""):
        with pytest.raises(ValueError, match="is no name of a file"):
            files.write(tmp_path / "out", {"good.py": "", name: ""})
    assert list(tmp_path.iterdir()) == []


# ---- several errors


def test_all_wrong_losses_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "".join(
        f"@loss(wrt='w')\ndef bad{k}(w: Vector[d], v: Vector[n]):\n    return {body}\n\n"
        for k, body in enumerate(("w @ v", "np.sum(w)", "2 * w", "np.sum(np.sort(w))"))
    )
    assert main(["build", spec(HEAD + wrong), spec(GOOD, "b.py"), spec(HEAD + "1 / 0", "c.py")]) == 2
    printed = capsys.readouterr()
    assert [line for line in printed.err.splitlines() if line.startswith(("a.py:", "b.py:", "c.py:"))] == [
        line for block in printed.err.split("\n\n") for line in block.splitlines()[:1]
    ]
    for said in ("c.py:6:1: ZeroDivisionError", "a.py:8:", "a.py:16:", "a.py:20:", "sort"):
        assert said in printed.err
    assert "a.py:12:" not in printed.err
    assert printed.out == ""
    assert main(["show", "a.py"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("hint: ") == printed.err.count("a.py:") == 3
    assert printed.out == ""
    assert written() == []


def test_all_wrong_names_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    named = [GOOD.replace("def good", f"def {name}") for name in ("json", "test_x")]
    assert main(["build", spec(named[0]), spec(named[1], "b.py"), spec(GOOD, "c.py"), spec(GOOD, "d.py")]) == 2
    error = capsys.readouterr().err
    for said in ("'json'", "'test_x'", "there is a loss called 'good' already"):
        assert said in error
    assert written() == []


def test_what_the_calculus_refuses_has_a_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(tape: object) -> None:
        raise NotSupportedError("this is not supported yet", "write it otherwise")

    monkeypatch.setattr(pipeline, "lower", refuse)
    for command in ("build", "show"):
        assert main([command, spec(GOOD)]) == 2
        assert capsys.readouterr().err.startswith("a.py:7:1: this is not supported yet\n    def good(")
    assert written() == []


def test_an_error_of_a_shared_helper_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    spec("import numpy as np\n\ndef total(w):\n    return np.sum(np.sort(w))\n", "helper.py")
    use = HEAD + "from helper import total\n\n@loss(wrt='w')\ndef one(w: Vector[d]):\n    return total(w)\n"
    assert main(["build", spec(use), spec(use.replace("def one", "def two"), "b.py")]) == 2
    assert capsys.readouterr().err.count("helper.py:4") == 1


# ---- watching


class Clock:
    """The pauses of a watch: each takes a step, the last one is Ctrl-C."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = iter(steps)

    def __call__(self, seconds: float = 0) -> None:
        step = next(self.steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()


def later(name: str, text: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(text, encoding="utf-8")


def watched(specs: list[str], *steps: Callable[[], object]) -> list[list[str]]:
    builds: list[list[str]] = []
    watch([Path(s) for s in specs], lambda found: builds.append([str(path) for path in found]), Clock(*steps))
    return builds


def test_what_changed_is_built_again() -> None:
    both = [spec("a = 1\n"), spec("b = 1\n", "b.py")]
    assert watched(both) == [["a.py", "b.py"]]
    assert watched(both, later("b.py", "b = 22\n"), lambda: None) == [["a.py", "b.py"], ["b.py"]]
    assert watched(both, lambda: os.utime("a.py", ns=(1, 1)))[1:] == [["a.py"]]
    assert watched(both, Path("a.py").unlink, lambda: None, later("a.py", "a = 3\n"))[1:] == [["a.py"], ["a.py"]]


def test_what_imports_what_changed_is_built_again() -> None:
    Path("inner").mkdir()
    both = [spec("from one import x\n"), spec("import inner.deep as deep\n", "b.py")]
    spec("import two\n", "one.py")
    assert watched(both, later("two.py", "x = 1\n"))[1:] == [["a.py"]]
    assert watched(both, later("two.py", "x = 11\n"), later("one.py", "syntax error\n"))[1:] == [["a.py"], ["a.py"]]
    assert watched(both, later("inner/deep.py", "y = 1\n"))[1:] == [["b.py"]]
    assert watched(both, later("unused.py", "z = 1\n"))[1:] == []
    assert Path("one.py") in sources(Path("a.py"))


def test_watching_goes_on_after_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    output: list[str] = []

    def note() -> None:
        printed = capsys.readouterr()
        output.append(f"{printed.out}{printed.err}")

    def module() -> str:
        return Path("generated/good.py").read_text()

    def edited() -> None:
        note()
        later("a.py", GOOD.replace("lam * (w", "lam * 3 * (w"))()

    def broken() -> None:
        note()
        assert "3 * lam" in module()
        later("a.py", GOOD.replace("lam * (w", "lam * (v"))()

    def mended() -> None:
        note()
        assert "3 * lam" in module()
        later("a.py", GOOD)()

    monkeypatch.setattr(cli.time, "sleep", Clock(edited, broken, mended, note))
    assert main(["build", spec(GOOD), spec(OTHER, "b.py"), "--watch"]) == 0
    assert "other -> generated" in output[0]
    assert "watching a.py, b.py; Ctrl-C stops" in output[0]
    assert "good -> generated" in output[1]
    assert "other" not in output[1]
    assert "a.py:8:19: NameError" in output[2]
    assert "Traceback" not in output[2]
    assert "good -> generated" in output[3]
    assert "3 * lam" not in module()


def test_watching_knows_the_names_of_other_specs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec(GOOD)
    monkeypatch.setattr(cli.time, "sleep", Clock(later("a.py", GOOD.replace("def good", "def better"))))
    assert main(["build", "a.py", spec(GOOD, "b.py"), "--watch"]) == 0
    assert "there is a loss called 'good' already, at a.py:" in capsys.readouterr().err
    assert Path("generated/better.py").exists()
    assert "good" in Path("generated/good.py").read_text().splitlines()[0]
    monkeypatch.setattr(cli.time, "sleep", Clock())
    assert main(["build", "a.py", "b.py", "--watch", "--only", "goood"]) == 0
    assert "there is no loss or function 'goood'\nhint: did you mean good?" in capsys.readouterr().err


def test_a_wrong_watch_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD), "nowhere.py", "--watch"]) == 2
    assert "there is no spec nowhere.py" in capsys.readouterr().err
    assert main(["build", "a.py", "--watch", "--check"]) == 2
    assert "do not go together" in capsys.readouterr().err


def test_watching_stops_on_an_interrupt(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gradgen", "build", spec(GOOD), "--watch"]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    assert process.stdout is not None
    while b"watching" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 0


def test_unwritable_output(capsys: pytest.CaptureFixture[str]) -> None:
    Path("occupied").write_text("a file")
    assert main(["build", spec(GOOD), "-o", "occupied"]) == 2
    assert "cannot write to occupied" in capsys.readouterr().err
    assert main(["build", "a.py", "-o", "occupied/below"]) == 2
    assert Path("occupied").read_text() == "a file"


def test_a_failing_write_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, staged = files._stage, []

    def failing(folder: Path, text: str) -> str:
        staged.append(text)
        if len(staged) > 2:
            raise OSError(28, "No space left on device")
        return stage(folder, text)

    monkeypatch.setattr(files, "_stage", failing)
    assert main(["build", spec(GOOD), "-o", "new/out"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not Path("new").exists()


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    spec(GOOD)
    assert main(["build", "a.py", "--check"]) == 1
    assert "missing" in capsys.readouterr().out
    assert written() == []
    assert main(["build", "a.py"]) == 0
    capsys.readouterr()
    assert main(["build", "a.py", "--check"]) == 0
    assert capsys.readouterr().out == ""

    module = Path("generated/good.py")
    stale = module.read_text() + "# changed by hand\n"
    module.write_text(stale)
    assert main(["build", "a.py", "--check"]) == 1
    assert "-# changed by hand" in capsys.readouterr().out
    assert module.read_text() == stale


def test_check_finds_orphans_where_all_specs_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    main(["build", spec(GOOD, "s/a.py"), spec(OTHER, "s/b.py")])
    Path("generated/helper.py").write_text("x = 1\n")
    assert main(["build", "s/a.py", "--check"]) == 0
    assert main(["build", "s/a.py", "s/b.py", "--check"]) == 0
    Path("s/b.py").unlink()
    capsys.readouterr()
    assert main(["build", "s/a.py", "--check"]) == 1
    printed = capsys.readouterr().out
    assert [line.split(":")[1].strip() for line in printed.splitlines()] == [
        "generated/other.py",
        "generated/test_other.py",
    ]


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    both = spec(GOOD + OTHER.removeprefix(HEAD))
    assert main(["show", both]) == 0
    printed = capsys.readouterr().out
    assert "good" in printed
    assert "other" in printed
    assert main(["show", f"{both}:other"]) == 0
    printed = capsys.readouterr().out
    assert "good" not in printed
    assert "exp" in printed
    assert main(["show", f"{both}:another"]) == 2
    assert written() == []


def test_show_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", spec(OTHER), "--hvp", "--plan"]) == 0
    printed = capsys.readouterr().out
    assert "hvp" in printed
    assert "np.exp(w)" in printed


def test_show_functions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", f"{spec(MAP)}:linear", "--hvp", "--plan"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("linear\n    value")
    assert "def _vjp(A, cotangent):" in printed
    assert main(["show", "a.py:another"]) == 2
    assert "there is no loss or function 'another'" in capsys.readouterr().err


def test_init(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "mine"]) == 0
    assert main(["build", "specs/mine.py"]) == 0
    assert Path("generated/mine.py").exists()
    assert main(["init", "mine"]) == 2
    assert "already" in capsys.readouterr().err
    assert main(["init", "json"]) == 2
    assert main(["init", "../up"]) == 2
    assert sorted(path.name for path in Path("specs").iterdir() if path.suffix == ".py") == ["mine.py"]


def test_show_prices_each_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", spec(GOOD), "--cost"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    [loss] = [row for row in rows if row[:1] == ["loss"] and "flops," in row]
    assert " ".join(loss) == "loss 2 d + 1 16 d 301 flops, 2.4e+03 bytes"


def test_show_prices_each_statement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", spec(OTHER), "--plan"]) == 0
    assert "# 2 d flops, 24 d bytes\n        return np.exp(w).sum()" in capsys.readouterr().out


def test_bench_times_each_function(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 2)
    monkeypatch.setattr(timing, "BATCH", 1e-4)
    assert main(["bench", f"{spec(GOOD)}:good"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "good at d=150"
    assert [line.split()[0] for line in lines[1:] if line.strip()] == "function loss grad value_and_grad hvp".split()
    assert lines[1].split()[:4] == ["function", "gradgen", "bound", "spec"]


@pytest.mark.parametrize(
    "call",
    [
        ["show", "a.py", "--latex"],
        ["explain", "a.py:good"],
        ["check", "a.py"],
        ["audit", "a.py:good", "module:function"],
    ],
)
def test_what_is_not_supported_yet(call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    spec(GOOD)
    assert main(call) == 2
    assert "not supported yet" in capsys.readouterr().err


@pytest.mark.parametrize("call", [[], ["frobnicate"], ["build"], ["build", "a.py", "--backend", "fortran"]])
def test_a_wrong_call_exits_with_2(call: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(call)
    assert stop.value.code == 2


def build_in_a_process(folder: Path, seed: str, specs: list[str]) -> dict[str, bytes]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gradgen", "build", *specs, "-o", str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in folder.glob("*.py")}


@pytest.mark.slow
def test_the_same_bytes_under_every_hash_seed(tmp_path: Path) -> None:
    specs = [str(ROOT / "specs" / f"{name}.py") for name in ("ridge", "softmax_regression", "gaussian_mixture")]
    first = build_in_a_process(tmp_path / "first", "1", specs)
    assert len(first) == 7
    assert build_in_a_process(tmp_path / "second", "4242", specs) == first


def test_together_and_alone_give_the_same_bytes(tmp_path: Path) -> None:
    main(["build", spec(GOOD), spec(OTHER, "b.py")])
    main(["build", "b.py", "-o", "alone"])
    assert Path("alone/other.py").read_bytes() == Path("generated/other.py").read_bytes()
    assert Path("alone/test_other.py").read_bytes() == Path("generated/test_other.py").read_bytes()
