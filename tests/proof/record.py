"""Of which sources everything was last proved: a digest of every file that the provers read."""

import hashlib
from pathlib import Path

from tests.proof import prover

RECORD = prover.HERE / "proved.txt"


def sources() -> list[Path]:
    """Return what a proof is made of: the kernel with its contracts, the theorems about it, and how they are asked."""
    directories = (prover.NATIVE / "include", prover.NATIVE / "src", prover.HERE)
    read = (path for directory in directories for path in directory.rglob("*") if path.suffix in {".c", ".h"})
    return sorted([*read, prover.HERE / "prover.py", prover.HERE / "z3-in-turn"])


def digest() -> str:
    """Return the digest of all of them, names included."""
    hashed = hashlib.sha256()
    for path in sources():
        content = path.read_bytes()
        hashed.update(f"{path.name} {len(content)}\n".encode())
        hashed.update(content)
    return hashed.hexdigest()


def is_current() -> bool:
    """Return whether everything was proved of these very sources."""
    return RECORD.exists() and RECORD.read_text(encoding="ascii").split()[:1] == [digest()]


def write(goals: int) -> None:
    """Remember that everything was proved of these sources."""
    RECORD.write_text(f"{digest()} {goals} goals\n", encoding="ascii")
