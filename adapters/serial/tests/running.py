"""`powershare run` against `powershare emulate`: real processes on pseudo-terminals and sockets, and what units say.

    python adapters/serial/tests/running.py --scenario all|NAME --minutes 10 --seed 1

A scenario plays once, in a thread of its own, beside all others that are wanted; the tests that belong to it then look
at the trace that the units have written. As a command it plays every scenario again and again, with other seeds, for so
many minutes, and ends with status 1 where one did not hold.
"""

import argparse
import functools
import importlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self, TypeAlias

import attrs
import pytest

from powershare.files import merge_traces, read_trace
from powershare.trace import ConnectorEvent

READY_S = 30.0
"""The longest that a process may take to say that it is ready, on a busy host."""

_STARTING = threading.Semaphore(5)
"""So many scenarios start at the same time: dozens of processes at once would be late for what they regulate."""

Deed: TypeAlias = Mapping[str, object]


def comes(t_s: float, unit: int, max_a: int = 32, **traits: object) -> Deed:
    """A vehicle is plugged in."""
    return {"t_s": t_s, "unit": unit, "do": "plug_in", "max_a": max_a, "energy_kwh": 20, **traits}


def goes(t_s: float, unit: int) -> Deed:
    """It is unplugged."""
    return {"t_s": t_s, "unit": unit, "do": "unplug"}


def fails(t_s: float, unit: int, failure: str) -> Deed:
    """A failure begins, or ends with `none`."""
    return {"t_s": t_s, "unit": unit, "do": "fail", "failure": failure}


def command(*words: object) -> list[str]:
    """The words that start the program."""
    return [sys.executable, "-m", "powershare", *map(str, words)]


def judged(site: Path, *traces: Path) -> tuple[int, str]:
    """What `powershare trace check` ends with, and what it says."""
    words = command("trace", "check", site, *traces)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


class Process:
    """One process of the program, whose words are kept with the instant at which they came."""

    def __init__(self, *words: object) -> None:
        environment, pipe = {**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}, subprocess.PIPE
        self._process = subprocess.Popen(command(*words), stdout=pipe, stderr=pipe, text=True, env=environment)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.pid = self._process.pid
        self.out: list[tuple[float, str]] = []
        self.words: list[tuple[float, str]] = []
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self._process.stdout, self.out), (self._process.stderr, self.words))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[str], kept: list[tuple[float, str]]) -> None:
        with pipe:
            for line in pipe:
                kept.append((time.time(), line.rstrip("\n")))  # noqa: PERF401 - others look while it grows

    def said_s(self, pattern: str, since_s: float = 0) -> float | None:
        """When it first said this on standard error."""
        return next((at_s for at_s, words in self.words if at_s >= since_s and re.search(pattern, words)), None)

    def waits_for(self, kept: list[tuple[float, str]], pattern: str) -> str:
        """The first line that it says of this kind."""
        ends_s = time.monotonic() + READY_S
        while time.monotonic() < ends_s:
            if found := [words for _, words in kept if re.search(pattern, words)]:
                return found[0]
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"never said {pattern!r}: {self._process.args!r}: {self.words[-5:]}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ends(self, number: signal.Signals | None = None, within_s: float = 60) -> int:
        """Its exit code, once it has ended."""
        if number is not None and self._process.poll() is None:
            self.send(number)
        try:
            return self._process.wait(within_s)
        finally:
            self._process.kill()
            self._process.wait()
            for reader in self._readers:
                reader.join(5)


class Units(Process):
    """Emulated units: where they are, once they listen, and the trace that they write."""

    def __init__(self, trace: Path, kind: str, *words: object) -> None:
        super().__init__("emulate", kind, "--trace", trace, *words)
        self.trace = trace

    @functools.cached_property
    def reached(self) -> Mapping[str, str]:
        """The address of each connector."""
        answer = json.loads(self.waits_for(self.out, "^{"))
        return dict(zip(answer["connectors"], answer["addresses"], strict=True))

    @functools.cached_property
    def started_s(self) -> float:
        """The instant from which its vehicles and failures count."""
        return read_trace(self.trace).header.started.timestamp() if self.reached else 0.0


@attrs.frozen
class Change:
    """What a unit offers and its vehicle draws from an instant on, by its own account; the instant as wall time."""

    at_s: float
    event: ConnectorEvent


@attrs.define
class Played:
    """What a scenario has left behind.

    Attributes:
        site: The site file by whose limits it is judged.
        traces: What the units have written.
        marks: Instants that the scenario has noted.
        controllers: Everybody who regulated, in order.
        code: What `powershare trace check` ended with.
        verdict: What it said.
        figures: What a person may want to know.
    """

    site: Path
    traces: Sequence[Path]
    marks: dict[str, float]
    controllers: Sequence[Process]
    code: int
    verdict: str
    figures: dict[str, object] = attrs.field(factory=dict)

    @functools.cached_property
    def changes(self) -> Sequence[Change]:
        """Every change at every unit, in order."""
        started, events = merge_traces([read_trace(path) for path in self.traces])
        found = (one for one in events if isinstance(one, ConnectorEvent))
        return [Change(started.timestamp() + one.t_ms / 1000, one) for one in found]

    def of(self, name: str, since: str | None = None, until: str | None = None) -> Iterator[Change]:
        """The changes at one unit between two marks."""
        since_s = 0.0 if since is None else self.marks[since]
        until_s = float("inf") if until is None else self.marks[until]
        return (one for one in self.changes if one.event.connector == name and since_s <= one.at_s < until_s)

    def when(self, name: str, word: str) -> str:
        """The instant at which something first happened at a unit, by its own account, as a mark."""
        self.marks[mark := f"{name}: {word}"] = next(one.at_s for one in self.of(name) if one.event.event == word)
        return mark

    def offered_ma(self, name: str, at: str) -> int:
        """What a unit offers at a mark."""
        return next((one.event.pilot_ma for one in reversed(list(self.of(name, until=at)))), 0)

    def reaches_s(self, name: str, wanted: Callable[[int], bool], since: str) -> float:
        """How long after a mark a unit's offer is first such as wanted."""
        if wanted(self.offered_ma(name, since)):
            return 0.0
        found = [one.at_s for one in self.of(name, since) if wanted(one.event.pilot_ma)]
        assert found, f"{name} never came to what was wanted after {since}; {self.told(name)}"
        return found[0] - self.marks[since]

    def charged(self, name: str, since: str | None = None, until: str | None = None) -> bool:
        """Whether current flowed there, between two marks."""
        return any(one.event.drawn_ma for one in self.of(name, since, until))

    def told(self, name: str) -> str:
        """A unit's offers, for a person who looks for what went wrong."""
        pilots = itertools.groupby(self.of(name), key=lambda one: one.event.pilot_ma)
        firsts = [(next(group).at_s - self.changes[0].at_s, pilot_ma) for pilot_ma, group in pilots]
        return ", ".join(f"{after_s:.1f} s: {pilot_ma / 1000:g} A" for after_s, pilot_ma in firsts)

    def assert_nothing_broke(self) -> None:
        """The units' own trace shows no limit broken, nothing outside the assumptions, and nobody was alarmed."""
        assert self.code == 0, self.verdict
        assert "no limit broke" in self.verdict, self.verdict
        assert not [one for one in self.changes if "alarm" in (one.event.event or "")]


class Stage:
    """Where one scenario plays: its files, its processes, its time."""

    def __init__(self, place: Path, minutes: float, seed: int) -> None:
        self.place, self.minutes, self.seed = place, minutes, seed
        self.marks: dict[str, float] = {}
        self.units: list[Units] = []
        self.controllers: list[Process] = []
        self.figures: dict[str, object] = {}
        self._bare, self.site = place / "site.toml", place / "live.toml"
        self._processes, self._started = ExitStack(), ExitStack()

    def __enter__(self) -> Self:
        self._started.enter_context(_STARTING)
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()
        self._processes.close()

    def lay_out(self, limit_a: int, lines: int, connectors: Mapping[str, str], feeder: str = "") -> None:
        """Write the site: connectors on one feeder, each with keys of its own; perhaps more keys of the feeder."""
        supply = {1: "single_phase", 3: "three_phase"}[lines]
        text = f'schema = "powershare/site/1"\nname = "Yard"\nsupply = "{supply}"\n'
        text += f'\n[[circuit]]\nid = "feeder"\nlimit_a = {limit_a}\n{feeder}'
        for name, keys in connectors.items():
            text += f'\n[[connector]]\nid = "{name}"\ncircuit = "feeder"\n{keys}\n'
        self._bare.write_text(text)

    def emulate(self, kind: str, names: str, deeds: Sequence[Deed] | str, *settings: str) -> Units:
        """Start units for these connectors, and the vehicles of a script, or by a name."""
        number = len(self.units)
        vehicles = deeds if isinstance(deeds, str) else str(self.place / f"deeds{number}.ndjson")
        if not isinstance(deeds, str):
            Path(vehicles).write_text("".join(json.dumps(one) + "\n" for one in deeds))
        told = [word for setting in settings for word in ("--set", setting)]
        words = ("--site", self._bare, "--connectors", names, "--vehicles", vehicles, "--seed", self.seed, *told)
        units = Units(self.place / f"units{number}.ndjson", kind, *words)
        self._processes.callback(units.ends, signal.SIGKILL)
        self.units.append(units)
        return units

    def connect(self, suffix: str = "", **suffixes: str) -> None:
        """Write the site file that is run: each connector at its unit's address, with settings for all or its own."""
        text = self._bare.read_text()
        for units in self.units:
            for name, address in units.reached.items():
                line = f'id = "{name}"\n'
                text = text.replace(line, f'{line}adapter = "{address}{suffixes.get(name, suffix)}"\n')
        self.site.write_text(text)

    def regulate(self, *words: object, mark: str = "regulates") -> Process:
        """Start a controller, and wait until it regulates."""
        controller = Process("run", self.site, *words)
        self._processes.callback(controller.ends, signal.SIGKILL)
        self.controllers.append(controller)
        controller.waits_for(controller.words, "site: regulates")
        self._started.close()
        self.mark(mark)
        return controller

    def mark(self, name: str) -> None:
        """Note the present instant."""
        self.marks[name] = time.time()

    def wait(self, seconds: float, mark: str | None = None) -> None:
        """Let it play."""
        time.sleep(seconds)
        if mark is not None:
            self.mark(mark)

    def until(self, t_s: float, mark: str) -> None:
        """Let it play until so long after the first units began to listen."""
        self.wait(max(0.0, self.units[0].started_s + t_s - time.time()), mark)

    def finish(self, controller: Process | None = None, *others: Path) -> Played:
        """Interrupt the controller, then stop the units, and judge what they, and others, have written."""
        if controller is not None:
            time.sleep(0.5)  # a trace counts from a moment after the instant in its header
            self.figures["run ended with"] = controller.ends(signal.SIGINT)
            self.mark("left")
        for units in self.units:
            units.ends(signal.SIGTERM)
        for number, one in enumerate(self.controllers):
            self.place.joinpath(f"words{number}.txt").write_text("\n".join(words for _, words in one.words))
        traces = [units.trace for units in self.units]
        code, verdict = judged(self._bare, *traces, *others)
        return Played(self._bare, traces, self.marks, self.controllers, code, verdict, self.figures)


Scenario: TypeAlias = Callable[[Stage], Played]
Check: TypeAlias = Callable[[Played], None]

CHECKS: dict[Scenario, list[Check]] = {}
"""What has to hold after each scenario."""

_WANTED: dict[Callable[..., Any], Scenario] = {}
_PLAYS = pytest.StashKey[Mapping[Scenario, "Future[Played]"]]()


def after(scenario: Scenario) -> Callable[[Check], Callable[[pytest.FixtureRequest], None]]:
    """Make a test of a check: all scenarios that tests of this run want play at the same time."""

    def decorate(check: Check) -> Callable[[pytest.FixtureRequest], None]:
        def test(request: pytest.FixtureRequest) -> None:
            check(_plays(request)[scenario].result())

        test.__name__, test.__qualname__, test.__module__ = check.__name__, check.__qualname__, check.__module__
        _WANTED[test] = scenario
        CHECKS.setdefault(scenario, []).append(check)
        return test

    return decorate


def _plays(request: pytest.FixtureRequest) -> Mapping[Scenario, "Future[Played]"]:
    stash = request.config.stash
    if _PLAYS not in stash:
        functions = (getattr(item, "function", None) for item in request.session.items)
        wanted = dict.fromkeys(_WANTED[function] for function in functions if function in _WANTED)
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        place = factory.mktemp("running")
        pool = ThreadPoolExecutor(max(1, len(wanted)))
        request.config.add_cleanup(pool.shutdown)
        stash[_PLAYS] = {one: pool.submit(played, one, place / name_of(one), 1.0, 1) for one in wanted}
    return stash[_PLAYS]


def played(scenario: Scenario, place: Path, minutes: float, seed: int) -> Played:
    """Play a scenario in a directory of its own."""
    place.mkdir()
    with Stage(place, minutes, seed) as stage:
        return scenario(stage)


def name_of(scenario: Scenario) -> str:
    """What a scenario is called here."""
    return scenario.__name__.removeprefix("play_")


def _repeat(scenario: Scenario, place: Path, minutes: float, seed: int) -> bool:
    """Play until the time is over, say what came of it, and whether everything held."""
    ends_s, held, round_ = time.monotonic() + 60 * minutes, True, 0
    while not round_ or time.monotonic() < ends_s:
        where = f"{name_of(scenario)}, seed {seed + round_}"
        try:
            one = played(scenario, place / f"{name_of(scenario)}-{round_}", minutes, seed + round_)
            for check in CHECKS[scenario]:
                check(one)
            peaks = " ".join(one.verdict.splitlines()[3].split())
            print(f"held: {where}: {peaks}: {one.figures}", flush=True)  # noqa: T201
        except AssertionError as error:
            held = False
            line = traceback.extract_tb(error.__traceback__)[-1].line
            print(f"FAILED: {where}: {line}: {error}", flush=True)  # noqa: T201
        round_ += 1
    return held


def main() -> int:
    """Play scenarios as a command."""
    names = {name_of(scenario): scenario for scenario in CHECKS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="all", choices=("all", *names))
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    wanted = list(names) if told.scenario == "all" else [told.scenario]
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(len(wanted)) as pool:
        plays = [pool.submit(_repeat, names[name], Path(place), told.minutes, told.seed) for name in wanted]
        return 0 if all(play.result() for play in plays) else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    for name in ("gen2", "devices", "host"):
        importlib.import_module(f"tests.test_run_{name}")
    sys.exit(importlib.import_module("tests.running").main())
