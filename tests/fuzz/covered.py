"""Which lines of the package a corpus reaches: each file with the lines it has and those that ran."""

import dis
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz import targets
from tests.fuzz.cases import Case

import powershare

PACKAGE = Path(powershare.__file__).parent
LOOKED_AT = (
    "node/codec.py",
    "node/parts.py",
    "node/node.py",
    "node/leading.py",
    "node/unit.py",
    "node/membership.py",
    "node/changing.py",
    "election/elector.py",
    "election/promise.py",
    "election/authority.py",
    "leases/granting.py",
    "leases/holder.py",
    "leases/ledger.py",
    "leases/tail.py",
)
"""What a message can reach."""


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def lines_of(path: Path) -> set[int]:
    """The lines inside functions that can run."""
    module = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    found: set[int] = set()
    for code in _codes(module):
        if code.co_flags & 2:  # CO_NEWLOCALS: a function or a comprehension; what runs at import says nothing
            found.update(line for _, line in dis.findlinestarts(code) if line and line != code.co_firstlineno)
    return found


def covered(corpus: Iterable[bytes]) -> dict[str, tuple[int, int]]:
    """Run every case of a corpus; each file with how many of its lines ran, and how many there are."""
    names = {str(PACKAGE / name): name for name in LOOKED_AT}
    seen: dict[str, set[int]] = defaultdict(set)

    def local(frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401 - what `settrace` asks for
        if event == "line":
            seen[names[frame.f_code.co_filename]].add(frame.f_lineno)
        return local

    def tracing(frame: FrameType, _event: str, _argument: Any) -> Any:  # noqa: ANN401 - the same
        return local if frame.f_code.co_filename in names else None

    cases = [Case.unpacked(data) for data in corpus]
    before = sys.gettrace()
    sys.settrace(tracing)
    try:
        for case in cases:
            targets.run(case)
    finally:
        sys.settrace(before)
    return {name: (len(seen[name] & lines_of(PACKAGE / name)), len(lines_of(PACKAGE / name))) for name in LOOKED_AT}
