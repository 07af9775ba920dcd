"""The command line: exit codes, places and hints, all files or none, and the same bytes on every run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradgen import files
from gradgen.cli import main

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
    assert "good, other" in capsys.readouterr().err


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


def test_a_loss_and_a_function_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(MAP), spec(GOOD.replace("def good", "def linear"), "b.py")]) == 2
    assert "there is a function called 'linear' already, at a.py:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["test_x", "conftest", "__x__", "cython", "numpy", "scipy", "pytest", "random", "json"]
)
def test_reserved_names(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", spec(GOOD.replace("def good", f"def {name}"))]) == 2
    assert "hint: call it " in capsys.readouterr().err
    assert main(["build", spec(MAP.replace("def linear", f"def {name}"))]) == 2
    error = capsys.readouterr().err
    assert f"a function may not be called '{name}'" in error
    assert "_function\n" in error
    assert written() == []


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


@pytest.mark.parametrize(
    "call",
    [
        ["build", "a.py", "--backend", "cython"],
        ["build", "a.py", "--watch"],
        ["show", "a.py", "--latex"],
        ["show", "a.py", "--cost"],
        ["explain", "a.py:good"],
        ["check", "a.py"],
        ["audit", "a.py:good", "module:function"],
        ["bench", "a.py"],
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
