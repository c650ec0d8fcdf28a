"""Scratch copies of the package with a mutant in them, and runs of such a copy in processes of their own."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutations.table import PACKAGE, Mutant

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("child.py")
COMPILER = shutil.which("gcc") or shutil.which("clang")
EXTENSION = "_ffi.abi3.so"


def extension() -> Path | None:
    """The compiled kernel of this environment; None: it has none."""
    try:
        found = importlib.util.find_spec("powershare._native._ffi")
    except ImportError:
        return None
    return None if found is None or found.origin is None else Path(found.origin)


def can_compile() -> bool:
    """Whether a changed kernel can be built here: with a compiler, with Python's headers, and where one was built."""
    return COMPILER is not None and (Path(sysconfig.get_paths()["include"]) / "Python.h").exists() and bool(extension())


def copy(mutant: Mutant | None, directory: Path, package: Path = PACKAGE) -> Path:
    """Copy the package, change it, and build its kernel where that was changed.

    Args:
        mutant: The change; None: none, for the control.
        directory: Where to, which is empty.
        package: What is copied.

    Returns:
        The directory to import from.
    """
    target = directory / "powershare"
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    for edit in () if mutant is None else mutant.edits:
        path = target / edit.file
        path.write_text(edit.apply(path.read_text(encoding="utf-8")), encoding="utf-8")
    native, built = target / "_native", extension()
    if mutant is not None and mutant.kernel == "native":
        _compile(native)
    elif built is not None and (mutant is None or mutant.kernel != "twin"):
        shutil.copy(built, native / EXTENSION)
    return directory


def _compile(native: Path) -> None:
    """Build the extension beside its sources, as the project's own build does, without its tools."""
    source = native / "_ffi.c"
    generate = [sys.executable, "-m", "cffi.gen_src", "read-sources", "powershare._native._ffi"]
    subprocess.run(
        [*generate, str(native / "_ffi.cdef.txt"), str(native / "_ffi.csrc.c"), str(source)],
        check=True,
        capture_output=True,
    )
    kernel = sorted(str(path) for path in (native / "src").glob("*.c"))
    flags = ["-std=gnu11", "-O2", "-shared", "-fPIC", "-I", str(native / "include"), "-I", str(native / "src")]
    flags += ["-I", sysconfig.get_paths()["include"]]
    subprocess.run(
        [str(COMPILER), *flags, "-o", str(native / EXTENSION), str(source), *kernel], check=True, capture_output=True
    )


def run(directory: Path, kernel: str, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Ask a copy, in a process of its own.

    Args:
        directory: Where the copy is.
        kernel: `native`, `twin` or `any`.
        request: What `child.py` is to do.
        timeout_s: By when it must be done.

    Returns:
        Its answer; `{"hangs": True}` where there is none in time.
    """
    try:
        done = _child(directory, kernel, request, timeout_s)
    except subprocess.TimeoutExpired:
        return {"hangs": True}
    if done.returncode:
        raise RuntimeError(f"a copy could not be run:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def pytest(directory: Path, kernel: str, tests: Sequence[str], timeout_s: float) -> tuple[bool, str]:
    """Run tests against a copy: whether they all pass, and what failed."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
    try:
        done = _child(directory, kernel, {"pytest": [*options, *tests]}, timeout_s)
    except subprocess.TimeoutExpired:
        return False, "takes too long"
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"tests could not be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0, failed[0] if failed else ""


def _child(
    directory: Path, kernel: str, request: dict[str, Any], timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", str(CHILD), str(directory), str(ROOT), json.dumps(request)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=_environment(kernel),
        cwd=ROOT,
        check=False,
    )


def _environment(kernel: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "POWERSHARE_NATIVE"}}
    wish = {"native": "1", "twin": "0"}.get(kernel)
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **({} if wish is None else {"POWERSHARE_NATIVE": wish})}
