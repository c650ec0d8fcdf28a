"""Adapters are tested as they ship: wheels of core and adapter in a fresh environment, away from the source tree."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = sorted(path.parent for path in ROOT.glob("adapters/*/pyproject.toml"))
BUILD = "import importlib, sys; print(getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(sys.argv[3]))"

# Distributions of connectors, of what carries messages between nodes, and of what shows a driver elsewhere.
_GROUPS = {
    "powershare.adapters": ("powershare.registry", "Registry"),
    "powershare.networks": ("powershare.networking", "Networks"),
    "powershare.bridges": ("powershare.bridging", "Bridges"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ADAPTERS, reason="a source distribution of the core has no adapters in it"),
]


def call(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a process that sees nothing of this source tree or of this run's environment."""
    keep = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "POWERSHARE_"))
    }
    environment = keep | {"CC": "false", "CMAKE_GENERATOR": "Ninja"}  # a pure wheel of the core is built in no time
    return subprocess.run(arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600)


def build(backend: str, hook: str, source: Path, into: Path) -> Path:
    """Build a distribution and return its file."""
    into.mkdir(parents=True, exist_ok=True)
    done = call([sys.executable, "-c", BUILD, backend, hook, str(into)], source)
    assert done.returncode == 0, done.stdout + done.stderr
    return into / done.stdout.splitlines()[-1]


def install(python: Path, *what: str) -> None:
    """Install into an environment; without a package index there is nothing to test against, but CI must have one."""
    done = call([sys.executable, "-m", "pip", "--python", str(python), "install", "-q", *what], ROOT.parent)
    if (
        done.returncode
        and "CI" not in os.environ
        and re.search(r"Could not find a version|Connection|Network", done.stderr)
    ):
        pytest.skip(f"no package index here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the core's wheel and pytest, and nothing else."""
    work = tmp_path_factory.mktemp("core")
    with tarfile.open(build("scikit_build_core.build", "build_sdist", ROOT, work / "sdist")) as archive:
        archive.extractall(work / "unpacked", filter="data")
    wheel = build("scikit_build_core.build", "build_wheel", next((work / "unpacked").iterdir()), work / "wheel")
    done = call([sys.executable, "-m", "venv", "--without-pip", str(work / "env")], work)
    assert done.returncode == 0, done.stderr
    python = work / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install(python, str(wheel), "pytest>=8.3")
    return python


@pytest.mark.skipif(os.environ.get("POWERSHARE_ADAPTERS") == "elsewhere", reason="run in a section of their own")
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda path: path.name)
def test_the_built_adapter_passes_its_own_suite(adapter: Path, python: Path, tmp_path: Path) -> None:
    """Installed beside the core's wheel, found by its name, and conforming."""
    project = tomllib.loads((adapter / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wheel = build("hatchling.build", "build_wheel", adapter, tmp_path / "dist")
    install(python, f"{wheel}[test]")

    group = next(group for group in _GROUPS if group in project["entry-points"])
    module, kind = _GROUPS[group]
    (name,) = project["entry-points"][group]
    look = f"from {module} import {kind} as K; k = K(); k.resolve({name!r}); print(k.installed()[{name!r}])"
    found = call([str(python), "-I", "-c", look], tmp_path)
    assert found.returncode == 0, found.stderr
    assert f"distribution='{project['name']}'" in found.stdout

    away = tmp_path / "away"
    shutil.copytree(adapter / "tests", away / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(adapter / "quality_scale.toml", away)
    # What runs in real time is left to the continuous check, which also has the native wheel of the core.
    pytest_ = [str(python), "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "-m", "not slow"]
    done = call([*pytest_, "tests"], away)
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 50, done.stdout[-400:]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda path: path.name)
def test_the_adapters_wheel_is_whole(adapter: Path, tmp_path: Path) -> None:
    """Typed, without its tests, and with its source distribution able to run them."""
    wheel = build("hatchling.build", "build_wheel", adapter, tmp_path / "dist")
    package = f"powershare_{adapter.name.strip('_')}"
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    assert f"{package}/py.typed" in names
    assert "tests/" not in names
    with tarfile.open(build("hatchling.build", "build_sdist", adapter, tmp_path / "dist")) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"quality_scale.toml", f"src/{package}/py.typed"} <= files
    assert any(re.fullmatch(r"tests/test_(\w+_)?(conformance|network)\.py", name) for name in files), files
