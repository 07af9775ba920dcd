"""gradgen finds its templates when installed from a wheel, from an sdist and in place, from any directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODES = ("wheel", "sdist", "editable")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What to tell pip to install, for each mode."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], cwd=folder)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return {"wheel": [str(wheel)], "sdist": [str(sdist)], "editable": ["-e", str(ROOT)]}


@pytest.mark.parametrize("mode", MODES)
def test_builds_from_another_directory(mode: str, distributions: dict[str, list[str]], tmp_path: Path) -> None:
    scripts = fresh_environment(tmp_path / "venv", distributions[mode])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    where = run([str(scripts / "python"), "-c", "import gradgen; print(gradgen.__file__)"], cwd=elsewhere)
    assert Path(where.strip()).is_relative_to(ROOT if mode == "editable" else tmp_path / "venv")

    shutil.copy(ROOT / "specs" / "ridge.py", elsewhere / "my_ridge.py")
    printed = run([str(scripts / "gradgen"), "build", "my_ridge.py", "-o", "out"], cwd=elsewhere)
    assert "ridge" in printed
    assert sorted(path.name for path in (elsewhere / "out").glob("*.py")) == [
        "__init__.py",
        "ridge.py",
        "test_ridge.py",
    ]
    assert (elsewhere / "out" / "ridge.py").read_bytes() == (ROOT / "generated" / "ridge.py").read_bytes()

    run([str(scripts / "gradgen"), "init", "mine"], cwd=elsewhere)
    run([str(scripts / "gradgen"), "build", "specs/mine.py"], cwd=elsewhere)
    assert (elsewhere / "generated" / "mine.py").exists()


def fresh_environment(folder: Path, install: list[str]) -> Path:
    """A new environment with gradgen installed and what it needs borrowed from here; the folder of its scripts."""
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], cwd=folder.parent)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    python = folder / "bin" / "python"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--ignore-installed", "--quiet"]
    run([sys.executable, "-m", "pip", "--python", str(python), "install", *options, *install], cwd=folder.parent)
    return folder / "bin"


def run(command: list[str], cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
