"""Runs one search with Spin: from a model and its defines to figures, or to the shortest way into an error."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

HERE = Path(__file__).parent
HOW_TO_INSTALL = "spin and gcc are needed: apt-get install -y spin gcc libc6-dev"

_FIGURES = {
    "errors": re.compile(r"errors: (\d+)"),
    "states": re.compile(r"^\s*(\S+) states, stored", re.MULTILINE),
    "transitions": re.compile(r"^\s*(\S+) transitions \(", re.MULTILINE),
    "depth": re.compile(r"depth reached (\d+)"),
    "memory_mb": re.compile(r"^\s*(\S+)\s+total actual memory usage", re.MULTILINE),
}
_CUT_SHORT = {
    "memory": re.compile(r"out of memory|memory limit|-DMEMLIM"),
    "time": re.compile(r"Time limit|timed out"),
    "depth": re.compile(r"max search depth too small"),
    "other": re.compile(r"aborted|Search not completed"),
}
"""What a search says that has not seen every state, by what it ran out of."""
_FACTOR = re.compile(r"hash factor: (\S+)")
_STORAGE = {"states": (), "bits": ("-DBITSTATE",)}
# The states of these models are small: as they are they take less room and half the time of Spin's compressed ones.
# Its hash compaction (HC4) is not used: on `both-2.right` it took 13,045 of 2,915,883 states for others.


class SpinError(Exception):
    """Spin, the compiler or the search did not do what they were asked for."""


@attrs.frozen
class Search:
    """What to search, and how much it may take."""

    model: str
    defines: tuple[str, ...]
    depth: int = 1_000_000
    """Longest path that is followed; a search that meets it is not complete."""
    hash_bits: int = 22
    memory_mb: int = 2000
    store: str = "states"
    """What is remembered of a state: "states", the whole of it; or "bits", three per state, which go farthest and are
    never complete."""
    breadth_first: bool = False
    """Finds the shortest way into an error, mostly sooner; takes more memory where there is none."""
    minutes: int = 20
    optimised: bool = True
    """Optimised by the compiler: pays from half a million states on."""


@attrs.frozen
class Outcome:
    """What a search came to."""

    errors: int
    states: int
    transitions: int
    depth: int
    memory_mb: float
    seconds: float
    complete: bool
    """Every reachable state was seen. A search that ends at an error is not."""
    short_of: tuple[str, ...] = ()
    """What an incomplete search without an error ran out of: memory, time, depth."""
    hash_factor: float | None = None
    """Of a search that remembers bits: how many bits there were for each state. Above 100 nearly every state was told
    from every other, below 10 many were taken for seen that were not."""

    @property
    def extent(self) -> str:
        """How far it went, in words."""
        if self.complete:
            return "complete"
        if self.errors:
            return "error found"
        short_of = " and ".join(self.short_of)
        factor = "" if self.hash_factor is None else f"bits, {self.hash_factor:g} a state"
        return f"partial ({', '.join(filter(None, (factor, short_of and f'out of {short_of}')))})"


def missing() -> list[str]:
    """Return which of the two programs are not there."""
    return [program for program in ("spin", "gcc") if shutil.which(program) is None]


def run(search: Search) -> Outcome:
    """Return what an exhaustive (or bitstate) search finds."""
    with tempfile.TemporaryDirectory(prefix="model-") as directory:
        where = Path(directory)
        _compile(where, search, *_STORAGE[search.store], *(["-DBFS"] if search.breadth_first else []))
        options = [f"-m{search.depth}", f"-w{search.hash_bits}", f"-Q{search.minutes}"]
        before = time.monotonic()
        text = _call(where, ["./pan", *options, *(["-k3"] if search.store == "bits" else [])], may_fail=True)
        return _figures(text, time.monotonic() - before, search)


def shortest_trail(search: Search) -> Iterator[str]:
    """Yield the steps of the shortest way into an error, found breadth first."""
    with tempfile.TemporaryDirectory(prefix="model-") as directory:
        where = Path(directory)
        _compile(where, search, "-DBFS")
        text = _call(where, ["./pan", f"-w{search.hash_bits}"], may_fail=True)
        if not (where / f"{search.model}.pml.trail").exists():
            yield f"no error: {_figures(text, 0, search).states} states"
            return
        steps = _call(where, ["spin", "-t", "-DTRACE", *_flags(search), f"{search.model}.pml"], may_fail=True)
        for line in steps.splitlines():
            if line.startswith("spin: trail ends"):
                return
            shown = line.removeprefix("      ")
            yield shown.removeprefix("spin: ") if "text of failed assertion" in shown else shown


def _flags(search: Search) -> list[str]:
    return [f"-D{define}" for define in search.defines]


def _compile(where: Path, search: Search, *how: str) -> None:
    for path in HERE.glob("*.pml"):
        shutil.copy(path, where)
    said = _call(where, ["spin", "-a", *_flags(search), f"{search.model}.pml"])
    if "Error" in said or not (where / "pan.c").exists():
        raise SpinError(said)
    # One process without channels: a partial order reduction finds nothing to reduce, and its bookkeeping costs memory.
    flags = [
        "-O2" if search.optimised else "-O0",
        "-w",
        "-DSAFETY",
        "-DNOREDUCE",
        "-DVECTORSZ=1024",
        f"-DMEMLIM={search.memory_mb}",
        *how,
    ]
    _call(where, ["gcc", *flags, "-o", "pan", "pan.c"])


def _call(where: Path, command: list[str], *, may_fail: bool = False) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode != 0 and not may_fail:
        raise SpinError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _figures(text: str, seconds: float, search: Search) -> Outcome:
    found = {name: pattern.search(text) for name, pattern in _FIGURES.items()}
    numbers = {name: float(match[1]) for name, match in found.items() if match is not None}
    if not {"errors", "states"} <= numbers.keys():
        raise SpinError(text[-2000:])
    errors = int(numbers["errors"])
    short_of = () if errors else tuple(what for what, said in _CUT_SHORT.items() if said.search(text))
    factor = _FACTOR.search(text) if search.store == "bits" else None
    return Outcome(
        errors=errors,
        states=int(numbers["states"]),
        transitions=int(numbers.get("transitions", 0)),
        depth=int(numbers.get("depth", 0)),
        memory_mb=numbers.get("memory_mb", 0.0),
        seconds=seconds,
        complete=errors == 0 and search.store != "bits" and not short_of,
        short_of=short_of if short_of == ("other",) else tuple(what for what in short_of if what != "other"),
        hash_factor=None if factor is None else float(factor[1]),
    )
