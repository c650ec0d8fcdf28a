"""`powershare run` and `powershare emulate ocpp16`, each a process of its own, judged by what the stations write."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

from powershare.files import merge_traces, read_trace
from powershare.trace import ConnectorEvent

READY_S = 60.0
"""The longest that a process may take to say that it is ready, on a busy host."""


def command(*words: object) -> list[str]:
    """The words that start the program."""
    return [sys.executable, "-m", "powershare", *map(str, words)]


class Process:
    """One process of the program, whose words are kept."""

    def __init__(self, *words: object) -> None:
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.out: list[str] = []
        self.words: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, kept), daemon=True)
            for pipe, kept in ((self.process.stdout, self.out), (self.process.stderr, self.words))
            if pipe is not None
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe: IO[str], kept: list[str]) -> None:
        with pipe:
            for line in pipe:
                kept.append(line.rstrip("\n"))  # noqa: PERF401 - others look while it grows

    def waits_for(self, kept: list[str], word: str) -> str:
        """The first line that it says with this word in it."""
        ends_s = time.monotonic() + READY_S
        while time.monotonic() < ends_s and self.process.poll() is None:
            if found := [line for line in kept if word in line]:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"never said {word!r}: {self.process.args!r}: {self.words[-5:]}")

    def ends(self, number: signal.Signals, within_s: float = 30) -> int:
        """Its exit code, once it has ended by this signal, or by force."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(within_s)
        finally:
            self.process.kill()
            self.process.wait()
            for reader in self._readers:
                reader.join(5)

    def used_s(self) -> float:
        """The processor time that it has used, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stations(Process):
    """Emulated stations of one kind."""

    def __init__(self, site: Path, names: Sequence[str], place: Path, settings: Mapping[str, str], *more: str) -> None:
        self.names, self.trace = names, place / f"{names[0]}.ndjson"
        told = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        words = ("--site", site, "--connectors", ",".join(names), "--trace", self.trace, *told, *more)
        super().__init__("emulate", "ocpp16", *words)

    def addresses(self) -> Mapping[str, str]:
        """How a site file reaches each connector."""
        answer = json.loads(self.waits_for(self.out, '"addresses"'))
        return dict(zip(answer["connectors"], answer["addresses"], strict=True))

    def events(self) -> list[tuple[float, ConnectorEvent]]:
        """What has happened, by their own account, with the wall time of each."""
        started, found = merge_traces([read_trace(self.trace)])
        return [(started.timestamp() + one.t_ms / 1_000, one) for one in found if isinstance(one, ConnectorEvent)]

    def offers(self, name: str) -> list[tuple[float, int]]:
        """From when on it has offered how much: wall time and milliamps."""
        found = [(at_s, one.pilot_ma) for at_s, one in self.events() if one.connector == name]
        return [next(group) for _, group in itertools.groupby(found, key=lambda pair: pair[1])]

    def drawn_ma(self, name: str) -> int:
        """What its vehicle draws, as far as it has been written."""
        return next((one.drawn_ma for _, one in reversed(self.events()) if one.connector == name), 0)

    def happened_s(self, word: str) -> float | None:
        """When something happened at any of them; None: it has not."""
        return next((at_s for at_s, one in self.events() if one.event == word), None)


class Yard:
    """Stations of several kinds on one feeder, and whoever regulates them.

    Args:
        place: Where its files are.
        limit_a: The feeder's limit.
        fallback_a: The fallback of each connector.
        names: Its connectors.
        tcp_port: Where the stations dial in.
    """

    def __init__(self, place: Path, names: Sequence[str], *, limit_a: int, fallback_a: int, tcp_port: int) -> None:
        self.place, self.bare, self.site = place, place / "site.toml", place / "live.toml"
        self.listen, self.fallback_a = f"127.0.0.1:{tcp_port}", fallback_a
        self.stations: list[Stations] = []
        self._stack = ExitStack()
        text = 'schema = "powershare/site/1"\nname = "Yard"\nsupply = "single_phase"\n'
        text += f'\n[[circuit]]\nid = "feeder"\nlimit_a = {limit_a}\n'
        for name in names:
            text += f'\n[[connector]]\nid = "{name}"\ncircuit = "feeder"\nstep_a = 0.1\nfallback_a = {fallback_a}\n'
        self.bare.write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def emulate(self, names: Sequence[str], settings: Mapping[str, str], *more: str) -> Stations:
        """Start stations, left at the fallback by a former powershare."""
        settings = {"listen": self.listen, "name": names[0], "stays_a": str(self.fallback_a), **settings}
        stations = Stations(self.bare, names, self.place, settings, *more)
        self._stack.callback(stations.ends, signal.SIGKILL)
        self.stations.append(stations)
        return stations

    def regulate(self, more: Mapping[str, str], *words: str) -> Process:
        """Start who regulates, and wait until it does.

        Args:
            more: Further settings of a connector's address.
            words: Further words of the command.
        """
        text = self.bare.read_text(encoding="utf-8")
        for stations in self.stations:
            for name, address in stations.addresses().items():
                line = f'id = "{name}"\n'
                text = text.replace(line, f'{line}adapter = "{address}{more.get(name, "")}"\n')
        self.site.write_text(text, encoding="utf-8")
        controller = Process("run", self.site, *words)
        self._stack.callback(controller.ends, signal.SIGKILL)
        controller.waits_for(controller.words, "regulates")
        return controller

    def judged(self) -> tuple[int, str]:
        """What `powershare trace check` ends with, and says, of all that the stations have written."""
        traces = [stations.trace for stations in self.stations]
        words = command("trace", "check", self.bare, *traces)
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr


def at(offers: Sequence[tuple[float, int]], when_s: float) -> int:
    """What was offered at an instant."""
    return next((offered_ma for since_s, offered_ma in reversed(offers) if since_s <= when_s), 0)


def reaches_s(offers: Sequence[tuple[float, int]], wanted: Callable[[int], bool], since_s: float) -> float:
    """How long after an instant the offer is such as wanted for the first time."""
    if wanted(at(offers, since_s)):
        return 0.0
    found = [at_s for at_s, offered_ma in offers if at_s >= since_s and wanted(offered_ma)]
    assert found, f"it never came to that: {offers}"
    return found[0] - since_s
