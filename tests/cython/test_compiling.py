"""Libraries: made once and kept, whole or not at all, told apart by their stamps; what is missing or fails is said."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradgen import caching, compiling, toolchain, workers
from gradgen.compiling import Library
from gradgen.errors import CompilationError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the compilers of these tests are scripts of the shell"),
]
ROOT = Path(__file__).resolve().parents[2]
COMPILER = os.environ.get("CC") or "cc"
TEXT = '"""Twice."""\n\n\ndef twice(x):\n    """2 x"""\n    return 2 * x\n'
OTHER = TEXT.replace("2", "3")
LIBRARIES = ("*.so", "*.pyd")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, not made yet."""
    monkeypatch.setenv("GRADGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the text, made once."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADGEN_CACHE", str(folder / "cache"))
        assert compiling.place({written(folder): TEXT}) == []
    return folder / f"tiny{toolchain.suffix()}"


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a compiler that writes each call to a file, which is given back, and goes on by lines of the shell."""

    def make(*lines: str) -> Path:
        script, calls = tmp_path / "compiler", tmp_path / "calls"
        script.write_text("\n".join(["#!/bin/sh", f'echo "$@" >> {calls}', *lines, f'exec {COMPILER} "$@"', ""]))
        script.chmod(0o755)
        calls.touch()
        monkeypatch.setenv("CC", str(script))
        return calls

    return make


FAILING = 'case "$*" in *" -c "*) echo "it is too hot today" >&2; exit 1;; esac'
SLOW = 'case "$*" in *" -c "*) touch started; sleep 60;; esac'


def written(folder: Path, text: str = TEXT) -> Path:
    folder.mkdir(exist_ok=True)
    pyx = folder / "tiny.pyx"
    pyx.write_text(text)
    return pyx


def libraries(folder: Path) -> list[str]:
    return sorted(path.name for pattern in LIBRARIES for path in folder.rglob(pattern))


def compilations(calls: Path) -> int:
    return sum(" -c " in line for line in calls.read_text().splitlines())


def test_a_library_is_made_once(tmp_path: Path, cache: Path, compiler: Callable[..., Path]) -> None:
    calls = compiler()
    first, second = written(tmp_path / "first"), written(tmp_path / "second")
    assert compiling.place({first: TEXT}) == []
    assert compilations(calls) == 1
    assert compiling.place({first: TEXT}) == []
    assert compiling.place({second: TEXT}) == []
    assert compiling.load(TEXT, "tiny").twice(4) == 8
    assert compilations(calls) == 1
    assert libraries(cache) == libraries(first.parent) == libraries(second.parent) == [f"tiny{toolchain.suffix()}"]
    shutil.rmtree(cache)
    assert compiling.place({first: TEXT}) == []  # it fits by its own stamp
    assert not cache.exists()


def test_what_is_imported_is_the_text(made: Path, tmp_path: Path) -> None:
    module = compiling.beside(TEXT, made.with_name("tiny.pyx"))
    assert module
    assert (module.__doc__, module.twice.__doc__, module.twice(4)) == ("Twice.", "2 x", 8)
    assert module.__name__ not in sys.modules
    assert "tiny" not in sys.modules
    assert compiling.beside(OTHER, made.with_name("tiny.pyx")) is None


@pytest.mark.parametrize(
    "setting",
    [
        {"GRADGEN_PORTABLE": "1"},
        {"CFLAGS": "-DNOTHING"},
        {"CC": f"{COMPILER} -DNOTHING"},
        {"CC": "nowhere"},
    ],
)
def test_a_library_of_other_settings_does_not_fit(
    setting: dict[str, str], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Library("tiny", TEXT).fits(made)
    assert not Library("tiny", OTHER).fits(made)
    assert not Library("tiny_", TEXT).fits(made)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    portable = "GRADGEN_PORTABLE" in setting and platform.machine() not in ("x86_64", "AMD64")
    assert Library("tiny", TEXT).fits(made) == portable


def test_a_portable_library_is_not_made_for_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADGEN_PORTABLE", "1")
    assert "-march=native" not in toolchain.flags(TEXT)
    assert {"-fopenmp-simd", "-fno-math-errno"} <= set(toolchain.flags(TEXT))


def test_loops_without_a_pragma_of_their_own_make_all_optimised() -> None:
    pragma = '#pragma GCC optimize("O3")'
    assert toolchain.flags(TEXT)[0] == "-Og"
    assert toolchain.flags(TEXT + toolchain.LOOPED)[0] == "-O3"
    gcc = (
        "__clang__"
        not in subprocess.run(
            [COMPILER, "-dM", "-E", "-x", "c", os.devnull], capture_output=True, text=True, check=True
        ).stdout
    )
    assert toolchain.flags(TEXT + toolchain.LOOPED + pragma)[0] == ("-Og" if gcc else "-O3")


def test_without_a_compiler(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "nowhere")
    pyx = written(tmp_path / "out")
    [error] = compiling.place({pyx: TEXT})
    assert str(error) == "there is no C compiler: 'nowhere' is not found\nhint: it is what CC says"
    with pytest.raises(CompilationError, match="there is no C compiler"):
        compiling.load(TEXT, "tiny")
    assert libraries(tmp_path) == []
    monkeypatch.delenv("CC")
    monkeypatch.setattr(toolchain, "_command", lambda: ["nowhere"])
    assert "apt install gcc" in str(toolchain.missing()) or sys.platform != "linux"


def test_without_the_headers_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert "the headers of Python are missing" in str(toolchain.missing())
    assert "python3-dev" in str(toolchain.missing())


def test_a_compiler_that_fails(tmp_path: Path, cache: Path, compiler: Callable[..., Path]) -> None:
    calls = compiler(FAILING)
    [error] = compiling.place({written(tmp_path / "out"): TEXT})
    assert compilations(calls) == 1
    assert str(error).startswith("the compiler fails on tiny.pyx\n")
    assert "it is too hot today" in str(error)
    assert error.hint
    assert libraries(tmp_path) == []


def test_a_compiler_that_knows_no_flags(tmp_path: Path, compiler: Callable[..., Path]) -> None:
    calls = compiler('case "$*" in *-dM*|*-Og*|*simd*) exit 1;; esac')
    assert toolchain.flags(TEXT) == ()
    assert compiling.place({written(tmp_path / "out"): TEXT}) == []
    assert compilations(calls) == 1


@pytest.mark.parametrize("package", ["Cython", "setuptools"])
def test_without_a_package(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "hidden" / package
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(f"raise ModuleNotFoundError('hidden', name={package!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(hidden.parent))
    [error] = compiling.place({written(tmp_path / "out"): TEXT})
    assert str(error) == f"tiny cannot be compiled: {package} is missing\nhint: pip install {package.lower()}"


def test_a_text_that_cython_refuses(tmp_path: Path) -> None:
    texts = {written(tmp_path / "one", text): text for text in [TEXT + "cdef = 1\n"]}
    [error] = compiling.place(texts)
    assert "Cython refuses tiny.pyx" in str(error)
    assert "tiny.pyx:7:" in str(error)
    assert libraries(tmp_path) == []


@pytest.mark.parametrize("where", ["below a file", "full"])
def test_a_cache_that_cannot_be_written(
    where: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if where == "below a file":
        (tmp_path / "file").touch()
        monkeypatch.setenv("GRADGEN_CACHE", str(tmp_path / "file" / "cache"))
    else:
        monkeypatch.setattr(caching, "copy", failing)
    caching._tell.cache_clear()
    for _ in range(2):
        caching.keep(made, "entry")
        assert caching.find("entry", made.name) is None
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("note: compiled modules are not kept for the next build: ")
    assert str(caching.folder()) in told


def failing(source: Path, target: Path) -> None:
    raise OSError(28, "No space left on device", str(target))


def test_without_a_cache_libraries_are_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADGEN_CACHE", str(tmp_path / "file"))
    caching._tell.cache_clear()
    assert compiling.load(TEXT, "tiny").twice(4) == 8
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_entry_is_made_anew(made: Path, cache: Path) -> None:
    library = Library("tiny", TEXT)
    library.keep(made)
    kept = library.cached()
    assert kept
    kept.write_bytes(b"")
    assert library.cached() is None


def test_what_is_not_used_for_long_is_removed(made: Path, cache: Path) -> None:
    caching.keep(made, "old")
    caching.keep(made, "used")
    past = time.time() - 86400 * (caching.DAYS + 1)
    for entry in ("old", "used"):
        os.utime(cache / entry, (past, past))
    assert caching.find("used", made.name)
    caching.keep(made, "new")
    assert sorted(path.name for path in cache.iterdir()) == ["new", "used"]


def test_a_file_is_replaced_whole_or_not_at_all(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / made.name
    target.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", failing)
        with pytest.raises(OSError, match="No space left"):
            caching.copy(made, target)
    assert target.read_text() == "old"
    caching.copy(made, target)
    assert target.read_bytes() == made.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [made.name]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_library(
    how: signal.Signals, tmp_path: Path, cache: Path, compiler: Callable[..., Path]
) -> None:
    compiler(SLOW)
    pyx, temporary = written(tmp_path / "out"), tmp_path / "temporary"
    temporary.mkdir()
    script = (
        f"from pathlib import Path\nfrom gradgen import compiling\ncompiling.place({{Path({str(pyx)!r}): {TEXT!r}}})"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        wait_for(lambda: any(temporary.rglob("started")), process)
        process.send_signal(how)
        process.wait(30)
        process.stderr.close()  # type: ignore[union-attr]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert libraries(pyx.parent) == libraries(cache) == []
    assert [path.name for path in pyx.parent.iterdir()] == ["tiny.pyx"]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_was_done_before_an_interruption_is_kept(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(jobs: list[workers.Job]) -> None:
        folder = jobs[0].folder
        (folder / "built" / "_gradgen").mkdir(parents=True)
        shutil.copy(made, folder / "built" / "_gradgen" / made.name)
        (folder / "ended").write_text("done")
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "run", interrupted)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        compiling.place({written(out): TEXT, out / "other.pyx": OTHER})
    assert Library("tiny", TEXT).cached()
    assert Library("other", OTHER).cached() is None
    assert libraries(out) == []


# ---- stale libraries

THERE = {
    # what stands beside the pyx file of a text, and whether it stays
    "of the text": (f"tiny{toolchain.suffix()}", "made", True),
    "of the text, for another Python": ("tiny.cpython-399-x86_64-linux-gnu.so", "made", True),
    "of another text": (f"tiny{toolchain.suffix()}", "gradgen 0123456789abcdef 0123456789abcdef;", False),
    "of another text, for another Python": (
        "tiny.cp399-win_amd64.pyd",
        "gradgen 0123456789abcdef 0123456789abcdef;",
        False,
    ),
    "somebody else's, older": ("tiny.abi3.so", "old", False),
    "somebody else's, newer": ("tiny.abi3.so", "new", True),
    "of another module": ("tiny2.abi3.so", "old", True),
    "no library": ("tiny.c", "old", True),
}


@pytest.mark.parametrize("case", THERE)
def test_a_library_that_does_not_fit_its_text_is_removed(case: str, made: Path, tmp_path: Path) -> None:
    name, content, stays = THERE[case]
    pyx, path = written(tmp_path / "out"), tmp_path / "out" / name
    if content == "made":
        shutil.copy(made, path)
    else:
        path.write_text(content)
        shift = {"old": -10, "new": 10}.get(content, 10)
        os.utime(path, (time.time() + shift, time.time() + shift))
    compiling.remove_stale(TEXT, pyx)
    assert path.exists() == stays
    assert pyx.exists()


# ---- the guard


def test_another_processor_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if platform.machine() in ("x86_64", "AMD64"):
        monkeypatch.setenv("CFLAGS", "'-D__builtin_cpu_supports(feature)=0'")
        with pytest.raises(ImportError, match=r"^tiny was compiled for a processor with \S+, which this one lacks; "):
            compiling.load(TEXT, "tiny")
    else:
        assert "-march=native" not in toolchain.flags(TEXT)


@pytest.mark.parametrize("name", ["größe", "λ_2", "ж"])
def test_names_beyond_ascii(name: str) -> None:
    assert workers.entry(name).startswith("PyInitU_")
    assert workers.entry("plain") == "PyInit_plain"
    if name == "größe":
        assert compiling.load(TEXT, name).twice(4) == 8
