"""Makes libraries of pyx files. A script of its own, so that what Cython and compilers print, and what setuptools
changes in a process, stay in that process; it makes several, since Cython takes a second to start.

It reads a list of jobs, as JSON. Each names a folder, which holds NAME.pyx; after the job that holds what was printed,
the library under ``built``, and last of all how it went.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, cast

PACKAGE = "_gradgen"  # in sys.modules a compiled module is known below it: no name of a user's module is taken
DONE, MISSING, REFUSED, FAILED = "done", "missing", "refused", "failed"
"""How a job went: a package that is needed is missing, Cython refuses the text, or the compiler fails."""


def main() -> None:
    """Do the jobs that standard input lists."""
    for job in json.load(sys.stdin):
        os.chdir(job["folder"])
        with open("printed", "wb", buffering=0) as printed:
            for stream in (1, 2):
                os.dup2(printed.fileno(), stream)
        code = _done(job)
        sys.stdout.flush()
        Path("ending").write_text(code, encoding="utf-8")
        os.replace("ending", "ended")


def _done(job: dict[str, Any]) -> str:
    """Do one job, in its folder."""
    try:
        import setuptools  # noqa: F401  (before distutils, which it brings along)
        from Cython.Compiler.Errors import CompileError
    except ImportError as error:
        print(error.name)
        return MISSING
    try:
        extension = _translated(job)
    except CompileError as error:
        print(error)
        return REFUSED
    try:
        _compile(extension)
    except Exception as error:  # each class of compilers in setuptools has errors of its own
        print(error)
        return FAILED
    return DONE


def _translated(job: dict[str, Any]) -> Any:
    """The C code of the pyx file; what the job says stands behind it."""
    from Cython.Build import cythonize
    from setuptools import Extension

    name, translate = job["name"], cast(Any, cythonize)  # which has no types
    extension = Extension(
        f"{PACKAGE}.{name}",
        [f"{name}.pyx"],
        include_dirs=_headers(Path(f"{name}.pyx").read_text(encoding="utf-8")),
        define_macros=[tuple(macro) for macro in job["macros"]],
        extra_compile_args=job["flags"],
        extra_link_args=job["libraries"],
    )
    [translated] = translate([extension], quiet=True, force=True)
    with open(f"{name}.c", "a", encoding="utf-8") as file:
        file.write(job["behind"])
    return translated


def _headers(text: str) -> list[str]:
    """NumPy's headers for a text that wants them."""
    if not any(wanted in text for wanted in ("cimport numpy", "from numpy cimport", '"numpy/')):
        return []
    import numpy as np

    return [np.get_include()]


def _compile(extension: Any) -> None:
    """The library, in the subfolder ``built``."""
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    command = build_ext(Distribution({"name": "gradgen", "ext_modules": [extension]}))
    command.build_lib, command.build_temp = "built", "objects"
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    main()
