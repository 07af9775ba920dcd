"""Makes a library of one pyx file. A script of its own, so that what Cython and compilers print, and what setuptools
changes in a process, stay in that process.

It reads a job as JSON: the folder that holds NAME.pyx, the name, the flags, and a stamp that the library shall hold.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

MISSING, REFUSED, FAILED = 3, 4, 5
"""Exit codes: a package that is needed is missing, Cython refuses the text, the compiler fails."""
PACKAGE = "_gradgen"  # in sys.modules a compiled module is known below it: no name of a user's module is taken

STAMP = """
#if defined(_WIN32)
__declspec(dllexport)
#elif defined(__GNUC__)
__attribute__((visibility("default"), used))
#endif
const char gradgen_stamp[] = "{stamp}";
"""


def main() -> int:
    """Build what standard input asks for, in the folder named there."""
    job = json.load(sys.stdin)
    os.chdir(job["folder"])
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
        _compiled(extension)
    except Exception as error:  # each compiler's class in setuptools has errors of its own
        print(error)
        return FAILED
    return 0


def _translated(job: dict[str, Any]) -> Any:
    """The C code of the pyx file, with the stamp behind it."""
    from Cython.Build import cythonize
    from setuptools import Extension

    name, text = job["name"], Path(job["name"] + ".pyx").read_text(encoding="utf-8")
    arrays = "cimport numpy" in text or "from numpy cimport" in text
    extension = Extension(
        f"{PACKAGE}.{name}",
        [f"{name}.pyx"],
        include_dirs=_numpy_headers() if arrays else [],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")] if arrays else [],
        extra_compile_args=job["compile"],
        extra_link_args=job["link"],
    )
    translate: Any = cythonize
    [translated] = translate([extension], quiet=True, force=True, show_all_warnings=False)
    with open(f"{name}.c", "a", encoding="utf-8") as file:
        file.write(STAMP.format(stamp=job["stamp"]))
    return translated


def _numpy_headers() -> list[str]:
    import numpy as np

    return [np.get_include()]


def _compiled(extension: Any) -> None:
    """The library, in the subfolder ``built``."""
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    command = build_ext(Distribution({"name": "gradgen", "ext_modules": [extension]}))
    command.build_lib, command.build_temp = "built", "objects"
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    sys.exit(main())
