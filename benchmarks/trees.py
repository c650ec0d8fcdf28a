"""Trees to compare: this one, another commit, or this one with a slowdown planted in it."""

import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", "src", "benchmarks")


def here() -> Path:
    """This tree."""
    return _ROOT


def checkout(commit: str, target: Path) -> Path:
    """The files of a commit.

    Raises:
        subprocess.CalledProcessError: There is no such commit.
    """
    target.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", str(_ROOT), "archive", commit], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(target)], input=archive.stdout, check=True)
    return target


def planted(target: Path, file: str = "", old: str = "", new: str = "") -> Path:
    """A copy of this tree, with one piece of text replaced in one file.

    Raises:
        ValueError: The text to replace is not there exactly once: the plant must move with the code.
    """
    target.mkdir(parents=True)
    for name in _SOURCES:
        source = _ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy2(source, target / name)
    if file:
        text = (target / file).read_text()
        if text.count(old) != 1:
            raise ValueError(f"{file} has {old!r} {text.count(old)} times; the planted slowdown needs it exactly once")
        (target / file).write_text(text.replace(old, new))
    return target


def environment(tree: Path, target: Path) -> Path:
    """A fresh virtual environment with the tree's wheel, native, and pytest-benchmark; its interpreter."""
    python = target / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        native = {"POWERSHARE_REQUIRE_NATIVE": "1", "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        command = [*install, "pytest", "pytest-benchmark", str(tree)]
        made = subprocess.run(command, check=False, env=native, capture_output=True, text=True)
        if made.returncode != 0:
            raise RuntimeError(f"{tree} does not install:\n{made.stderr[-3000:]}")
    return python
