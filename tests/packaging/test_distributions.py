"""What is shipped: a source distribution that builds, a wheel with the extension, and an honest pure one without."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "src" / "powershare" / "_native"
BUILD = "import sys, scikit_build_core.build as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def build(hook: str, source: Path, into: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a build hook in a process of its own, without network, as an installer would."""
    into.mkdir()
    keep = {
        name: value for name, value in os.environ.items() if not name.startswith(("POWERSHARE_", "SKBUILD_", "LD_"))
    }
    return subprocess.run(
        [sys.executable, "-c", BUILD, hook, str(into)],
        cwd=source,
        # A build directory of its own: CMake remembers a compiler it has found.
        env=keep | {"SKBUILD_BUILD_DIR": str(into.with_name("build"))} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("sdist") / "dist"
    done = build("build_sdist", ROOT, into)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(into.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked: wheels are built from this and not from the tree."""
    into = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(into, filter="data")
    return next(into.iterdir())


def wheel_names(directory: Path) -> tuple[str, list[str]]:
    wheel = next(directory.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        return wheel.name, archive.namelist()


def test_sdist_holds_what_a_build_and_a_test_run_need(unpacked: Path) -> None:
    expected = ["CMakeLists.txt", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "src/powershare/py.typed"]
    expected += ["tests/conftest.py", "tests/rules/public_names.txt"]
    expected += [path.relative_to(ROOT).as_posix() for path in (*NATIVE.glob("_ffi.*.*"), *NATIVE.rglob("*.[ch]"))]
    assert [name for name in expected if not (unpacked / name).is_file()] == []


def test_sdist_is_tight(unpacked: Path) -> None:
    """Only what is listed goes in: a stray directory beside the sources stays outside."""
    allowed = {
        "CHANGELOG.md",
        "CMakeLists.txt",
        "CONTRIBUTING.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }
    allowed |= {"benchmarks", "docs", "examples", "src", "tests"}
    assert {path.name for path in unpacked.iterdir()} <= allowed
    assert list(unpacked.rglob("*.so")) == []
    assert list(unpacked.rglob("__pycache__")) == []


def test_wheel_holds_the_extension_and_no_sources(unpacked: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None or (shutil.which("cc") is None and "CC" not in os.environ):
        pytest.skip("no cmake or no compiler here")
    done = build("build_wheel", unpacked, tmp_path / "dist", POWERSHARE_REQUIRE_NATIVE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    wheel, names = wheel_names(tmp_path / "dist")
    assert "-cp311-abi3-" in wheel
    assert [name for name in names if name.startswith("powershare/_native/_ffi.") and name.endswith((".so", ".pyd"))]
    assert "powershare/py.typed" in names
    assert [name for name in names if name.endswith((".c", ".h", ".cdef.txt"))] == []


def test_wheel_without_a_compiler_is_pure_and_says_so(unpacked: Path, tmp_path: Path) -> None:
    done = build("build_wheel", unpacked, tmp_path / "dist", CC="false", CMAKE_GENERATOR="Ninja")
    assert done.returncode == 0, done.stdout + done.stderr
    wheel, names = wheel_names(tmp_path / "dist")
    assert wheel.endswith("-py3-none-any.whl")
    assert [name for name in names if name.endswith((".so", ".pyd", ".c", ".h"))] == []


def test_requiring_native_forbids_the_pure_wheel(unpacked: Path, tmp_path: Path) -> None:
    done = build("build_wheel", unpacked, tmp_path / "dist", CC="false", POWERSHARE_REQUIRE_NATIVE="1")
    assert done.returncode != 0
    assert list((tmp_path / "dist").glob("*.whl")) == []
