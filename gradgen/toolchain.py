"""The C compiler: which one it is, the flags that it takes, and what decides the bytes of what it makes."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gradgen.errors import CompilationError

LOOPS = ("-fopenmp-simd", "-fno-math-errno")
LOOPED = "cdef extern from *"  # how loops in C stand in a pyx text
SETTINGS = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "ARCHFLAGS", "INCLUDE", "LIB")
"""Variables of the environment that setuptools or the compiler reads."""

INSTALL = {
    "linux": "install one: apt install gcc, dnf install gcc, or apk add gcc musl-dev",
    "darwin": "install one: xcode-select --install",
    "win32": "install the Build Tools for Visual Studio, with the workload for C++",
}
HEADERS = "install them: apt install python3-dev, or dnf install python3-devel"


FEATURES = {
    "__SSE4_2__": "sse4.2",
    "__AVX__": "avx",
    "__AVX2__": "avx2",
    "__BMI2__": "bmi2",
    "__FMA__": "fma",
    "__AVX512F__": "avx512f",
    "__AVX512BW__": "avx512bw",
    "__AVX512DQ__": "avx512dq",
    "__AVX512VL__": "avx512vl",
}
"""What a compiler may use on x86-64: the macro that says so, and the name by which the processor is asked."""


def flags(text: str) -> tuple[str, ...]:
    """The flags for a pyx text. Its Python parts are calls of Python's C API, which -O3 makes a twentieth faster than
    -Og does, in four times the time; loops want all, and tell gcc themselves where they stand."""
    known = _takes(_native())
    if not known:
        return ()
    plain = LOOPED not in text or ("__clang__" not in known and "#pragma GCC optimize" in text)
    return ("-Og" if plain else "-O3", *_native(), "-g0", "-w")


def libraries(text: str) -> list[str]:
    """What loops are linked with: the functions of mathematics, and threads."""
    return ["-lm", "-lpthread"] if LOOPED in text and os.name != "nt" else []


def missing() -> CompilationError | None:
    """Whether there is no compiler, or no headers of Python's."""
    if os.name == "nt":
        return None  # setuptools looks for the compiler, and tells
    if not shutil.which(_command()[0]):
        hint = "it is what CC says" if os.environ.get("CC") else INSTALL.get(sys.platform, "")
        return CompilationError(f"there is no C compiler: {_command()[0]!r} is not found", hint)
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        return CompilationError(f"the headers of Python are missing: there is no {header}", HEADERS)
    return None


def identity() -> list[str]:
    """What decides the bytes of a library, but for its text and flags: Cython, Python, NumPy, the compiler and what
    it knows about the machine, and the settings."""
    settings = [f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ]
    numpy_abi = _version("numpy").split(".")[0]
    return [_version("cython"), numpy_abi, suffix(), platform.machine(), _said_version(), _takes(_native()), *settings]


def cores() -> int:
    """How many compilers may run at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def suffix() -> str:
    """How the name of a library ends that this Python can import."""
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _command() -> list[str]:
    """The compiler, as setuptools calls it."""
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc") or ["cc"]


def _native() -> tuple[str, ...]:
    """The flags for loops: all that the processor here can do, where a library can tell whether another one can."""
    portable = os.environ.get("GRADGEN_PORTABLE", "") not in ("", "0") or platform.machine() not in ("x86_64", "AMD64")
    native = (*LOOPS, "-march=native")
    return LOOPS if portable or not _takes(native) else native


def _takes(given: Sequence[str]) -> str:
    """What the compiler predefines under some flags, "" where it does not take them."""
    return _output(*_command(), *given, "-dM", "-E", "-x", "c", os.devnull)


def _said_version() -> str:
    return _output(*_command(), "--version").partition("\n")[0]


@cache
def _output(*command: str) -> str:
    """What a command prints, "" where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout
