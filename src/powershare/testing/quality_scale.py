"""The quality scale: a list of promises beside each adapter, in which nothing may be left out in silence.

An adapter's `quality_scale.toml` gives every rule of `RULES` a status: `"done"`, `"todo"` or `"exempt"`, the last two
with the reason as a comment: `{ status = "exempt", comment = "why" }`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

RULES: Mapping[str, str] = MappingProxyType(
    {
        "conformance-suite": "the conformance suite passes against the built wheel in a fresh environment",
        "bench-falls-silent": "its bench cuts the line",
        "bench-restarts": "its bench restarts the device",
        "own-distribution": "it is a distribution of its own, with an entry point and exact dependencies",
        "address-documented": "the README says what an address looks like, setting by setting",
        "address-errors": "a bad address is refused with every problem at once",
        "limitations-documented": "the README says where it is not faithful, or what does not work",
        "devices-tested": "the README lists the devices and firmware it was tried with",
        "deadman-documented": "the README says what the device does when left alone, and where that is written",
        "parser-without-io": "what reads bytes does no I/O, and is fed hostile bytes",
        "strict-typing": "mypy --strict passes and py.typed ships",
    }
)
_STATUSES = ("done", "todo", "exempt")


def quality_scale_problems(path: Path) -> tuple[str, ...]:
    """Return what is wrong with an adapter's `quality_scale.toml`; nothing when it is complete.

    Args:
        path: The file.
    """
    try:
        scale = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return (f"{path.name}: cannot be read: {error}",)
    rules = scale.get("rules")
    if not isinstance(rules, dict):
        return (f"{path.name}: has no table [rules]",)
    return tuple(f"{path.name}: {problem}" for problem in _problems(rules))


def _problems(rules: Mapping[str, object]) -> Iterator[str]:
    yield from (f"rules.{name}: is missing; it says: {RULES[name]}" for name in RULES if name not in rules)
    for name, entry in rules.items():
        if name not in RULES:
            yield f"rules.{name}: is no rule of the scale"
            continue
        status = entry.get("status") if isinstance(entry, dict) else entry
        comment = entry.get("comment") if isinstance(entry, dict) else None
        if status not in _STATUSES:
            yield f"rules.{name}: is {status!r}; write one of {', '.join(_STATUSES)}"
        elif status != "done" and not (isinstance(comment, str) and len(comment.split()) >= 3):
            yield f"rules.{name}: is {status} without a reason; write it as a comment of a few words"
