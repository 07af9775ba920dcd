"""Installs what the benchmarks need into the environment that runs this; a rival that does not install is left out."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from benchmarks.process import ROOT


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed, rivals = project["dependencies"], project["optional-dependencies"]["bench"]
    if not installed(*needed, *rivals):
        installed(*needed)
        for rival in rivals:
            if not installed(*needed, rival):
                print(f"{rival} does not install here: its column stays empty")


def installed(*requirements: str) -> bool:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *requirements]
    return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    main()
