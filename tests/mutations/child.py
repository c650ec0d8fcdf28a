"""Runs inside a process of its own, with the package from a scratch copy: `child.py COPY ROOT REQUEST`.

An editable install puts a finder before every path; so finders other than Python's own are taken away first, and it is
looked at afterwards where each module came from.
"""

# ruff: noqa: T201 - its answer is its output
import json
import sys
import time
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from typing import Any


def main() -> int:
    """Do what is asked and print the answer as the last line."""
    copy, root, said = sys.argv[1:]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]
    sys.path[:0] = [copy, root]
    request = json.loads(said)
    if "pytest" in request:
        import pytest

        return int(pytest.main(request["pytest"]))
    answer = loaded(request["files"]) if "files" in request else trials(**request)
    strangers = [
        name
        for name, module in sys.modules.items()
        if name.partition(".")[0] == "powershare" and not str(getattr(module, "__file__", copy)).startswith(copy)
    ]
    if strangers:
        print(f"not from the copy: {strangers}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


def loaded(names: list[str]) -> dict[str, Any]:
    """Where modules come from, and which kernel serves."""
    import importlib

    from powershare import _native

    files = {name: str(importlib.import_module(name).__file__) for name in names}
    return {"files": files, "backend": _native.backend}


def trials(
    pairs: list[tuple[str, int]],
    minutes: float,
    budget_s: float = float("inf"),
    first_only: bool = False,
    every: bool = False,
) -> dict[str, Any]:
    """Worlds with their seeds, until one breaks; `every`: all of them, whatever breaks."""
    import attrs
    from tests.mutations.trial import trial

    started, done, simulated_min = time.monotonic(), 0, 0.0
    found: list[dict[str, Any]] = []
    for world, seed in pairs:
        if (found and not every) or time.monotonic() - started > budget_s:
            break
        broken = trial(world, seed, minutes, first_only=first_only)
        done += 1
        simulated_min += minutes if broken is None else broken.at_ms / 60_000
        if broken is not None:
            found.append(attrs.asdict(broken))
    return {"broken": found, "trials": done, "minutes": simulated_min}


if __name__ == "__main__":
    sys.exit(main())
