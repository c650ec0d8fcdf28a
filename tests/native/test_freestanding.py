"""The kernel compiles for firmware: the compiler's own headers, no library, 32 bits; strict warnings are errors."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "src" / "powershare" / "_native"
SOURCES = sorted((NATIVE / "src").glob("*.c"))
STRICT = (
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wvla",
    "-Wundef",
    "-Wstrict-prototypes",
)
COMPILER = shutil.which("gcc") or shutil.which("clang")
# What a freestanding compiler may call: block copies, and 64-bit division where the machine has none.
RUNTIME = {"memcpy", "memset", "memmove", "__divdi3", "__moddi3", "__udivdi3", "__umoddi3", "__divmoddi4"}

pytestmark = pytest.mark.skipif(COMPILER is None or not SOURCES, reason="needs a C compiler and the sources")


def compiled(directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Links all sources into one relocatable object, so that what is still undefined comes from outside."""
    command = [
        *(str(COMPILER), "-std=c11", "-ffreestanding", "-nostdlib", "-fno-stack-protector", *STRICT, *flags),
        *("-I", str(NATIVE / "include"), "-r", "-o", str(directory / "kernel.o"), *map(str, SOURCES)),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def undefined(directory: Path) -> set[str]:
    """The names that the object needs from elsewhere."""
    listed = subprocess.run(
        ["nm", "--undefined-only", str(directory / "kernel.o")], capture_output=True, text=True, check=True
    )
    return {line.split()[-1] for line in listed.stdout.splitlines()} - {"_GLOBAL_OFFSET_TABLE_"}


@pytest.mark.parametrize("optimised", ["-O0", "-O2", "-O3", "-Os"])
def test_it_needs_nothing_from_outside(tmp_path: Path, optimised: str) -> None:
    done = compiled(tmp_path, optimised)
    assert done.returncode == 0, done.stderr
    assert undefined(tmp_path) <= {"memcpy", "memset", "memmove"}


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="-m32 is of x86")
@pytest.mark.parametrize("optimised", ["-O2", "-Os"])
def test_it_compiles_for_32_bits(tmp_path: Path, optimised: str) -> None:
    done = compiled(tmp_path, "-m32", "-fno-pic", optimised)
    assert done.returncode == 0, done.stderr
    assert undefined(tmp_path) <= RUNTIME


def test_it_has_no_writable_globals(tmp_path: Path) -> None:
    assert compiled(tmp_path, "-O2").returncode == 0
    sections = subprocess.run(["size", "-A", str(tmp_path / "kernel.o")], capture_output=True, text=True, check=True)
    sizes = {line.split()[0]: int(line.split()[1]) for line in sections.stdout.splitlines() if line.startswith(".")}
    assert sizes.get(".data", 0) == sizes.get(".bss", 0) == 0
