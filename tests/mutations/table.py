"""Reads the ledger: each mutant with its exact change of the code, and the runs that are meant to catch it."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

LEDGER = Path(__file__).with_name("ledger.toml")
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "powershare"


class TableError(Exception):
    """The table does not fit the code, or itself."""


@attrs.frozen
class Edit:
    """One change of one file.

    Attributes:
        file: Where, from the package on.
        old: What stands there, exactly once.
        new: What takes its place.
    """

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The changed text.

        Raises:
            TableError: What is to be changed does not stand there exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            raise TableError(f"{self.file} has {found} times, not once:\n{self.old}")
        return text.replace(self.old, self.new)


@attrs.frozen(kw_only=True)
class Mutant:
    """One mistake.

    Attributes:
        name: Its name.
        about: It, in a sentence.
        source: Where it comes from: `authority 1`, `grant 9`, `6.3.5`, `own`.
        safety: Whether a limit may be exceeded by it, so that it must not survive.
        edits: The changes of the code.
        worlds: In which worlds it is run, in this order for each seed.
        tests: Tests that are meant to catch it, where no world is.
        kernel: Which kernel serves: `native`, `twin` or `any`.
        seen: The world and the seed that are tried first, since they saw it; None: none is known.
        ci: Whether it is in the sample of the continuous check, with what is tried first.
        harmless: Why it may survive; empty: it must not.
    """

    name: str
    about: str
    source: str
    safety: bool
    edits: tuple[Edit, ...]
    worlds: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    kernel: str = "any"
    seen: tuple[str, int] | None = None
    ci: bool = False
    harmless: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it changes."""
        return tuple(dict.fromkeys(edit.file for edit in self.edits))


def read(path: Path = LEDGER) -> tuple[Mapping[str, Any], tuple[Mutant, ...]]:
    """The budget and all mutants.

    Raises:
        TableError: An entry makes no sense, or two have one name.
    """
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    mutants = tuple(_mutant(entry) for entry in said["mutant"])
    names = [mutant.name for mutant in mutants]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TableError(f"more than one mutant is named {', '.join(sorted(twice))}")
    return said["budget"], mutants


def _mutant(entry: Mapping[str, Any]) -> Mutant:
    edits = tuple(Edit(edit["file"], edit["old"], edit["new"]) for edit in entry["edit"])
    said = {key: value for key, value in entry.items() if key != "edit"}
    for key in ("worlds", "tests"):
        said[key] = tuple(said.get(key, ()))
    if "seen" in said:
        world, seed = said["seen"]
        said["seen"] = (str(world), int(seed))
    try:
        mutant = Mutant(edits=edits, **said)
    except TypeError as error:
        raise TableError(f"mutant {entry.get('name')}: {error}") from None
    compiled = {edit.file.endswith(".c") for edit in edits}
    if not edits or (True in compiled) != (mutant.kernel == "native"):
        raise TableError(f"mutant {mutant.name}: changes nothing, or says another kernel than it changes")
    if mutant.ci and not mutant.seen:
        raise TableError(f"mutant {mutant.name}: is in the sample, and nothing is known to see it")
    if mutant.safety and mutant.harmless:
        raise TableError(f"mutant {mutant.name}: is either harmless or a matter of safety")
    return mutant


def misfits(mutants: Iterable[Mutant], package: Path = PACKAGE) -> list[str]:
    """Every change that can no longer be made, in words."""
    found = []
    for mutant in mutants:
        texts: dict[str, str] = {}
        for edit in mutant.edits:
            try:
                text = texts.get(edit.file) or (package / edit.file).read_text(encoding="utf-8")
                texts[edit.file] = edit.apply(text)
            except (OSError, TableError) as error:
                found.append(f"{mutant.name}: {error}")
    return found
