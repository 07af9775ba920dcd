"""Installs what the benchmarks need into the environment that runs this; a rival that does not install is left out.

As the lock file says, and torch beside it; where a locked rival has no build, each comes by itself, unlocked.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib

from benchmarks.process import ROOT


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed, extras = project["dependencies"], project["optional-dependencies"]
    rivals = [*extras["torch"]]
    if not installed("--require-hashes", "-r", str(ROOT / "requirements-bench.lock")):
        print("What is locked does not install here: each rival by itself, in the version that pip finds")
        installed(*needed)
        rivals = [*extras["bench"], *rivals]
    for rival in rivals:
        if not installed(*needed, rival):
            print(f"{rival} does not install here: its column stays empty")


def installed(*arguments: str) -> bool:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments]
    return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    main()
