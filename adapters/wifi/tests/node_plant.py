"""Processes of `powershare node` on one host, one per connector, with units that outlive them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

from powershare.files import load_site, read_trace
from powershare.trace import AuditResult, ConnectorEvent, audit

from .lease_units import plant
from .namespaces import DEVICES_HOST, Switch
from .relay import HOST, Address, Relay

NAMES = "abcdef"
ROOT = Path(__file__).resolve().parents[3]
LIMIT_A = 36
_ROLE = re.compile(r" (\w+): is (leader|follower)")


def command(*words: str | Path) -> list[str]:
    """The words that start the program."""
    return [sys.executable, "-m", "powershare", *map(str, words)]


def run(*words: str | Path, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run the program to its end."""
    environment = {**os.environ, "PYTHONUTF8": "1", **changes}
    return subprocess.run(command(*words), env=environment, capture_output=True, check=False, timeout=120, text=True)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Plant:
    """Six connectors on 36 A, each with a process of its own; a context manager that ends what it started.

    Args:
        directory: For files.
        relay: Builds what stands between them, from where each listens; None: nothing does.
        members: Of each process; None: one each.
        traced: Whether nodes write traces of their own, too.
        switch: Builds a host for each process, from the processes' names, with a switch between them, and members find
            each other by multicast; None: all are on this host.

    Attributes:
        places: Where each member's process listens.
        weather: What stands between them.
        site: The site file.
        trace: What the units say that they did.
        processes: By the first member of each.
    """

    def __init__(
        self,
        directory: Path,
        relay: Callable[[Mapping[str, Address]], Relay] | None = None,
        members: Sequence[Sequence[str]] | None = None,
        *,
        traced: bool = False,
        switch: Callable[[Sequence[str]], Switch] | None = None,
    ) -> None:
        self.directory, self.traced = directory, traced
        self.site, self.trace, self.key = directory / "site.toml", directory / "units.jsonl", directory / "net.key"
        self.hosts = {host[0]: tuple(host) for host in (members or NAMES)}
        self._switch = None if switch is None else switch(tuple(self.hosts))
        places = {
            host: (HOST, free_port()) if self._switch is None else self._switch.place(host) for host in self.hosts
        }
        self.places = {name: places[host] for host, names in self.hosts.items() for name in names}
        self.weather = self._switch if relay is None else relay(self.places)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}
        self._starts = 0
        self._stack = ExitStack()
        self.environment = {
            "PYTHONPATH": os.pathsep.join([str(directory), str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }

    def _write_site(self, address: str) -> None:
        lines = ['schema = "powershare/site/1"', 'name = "Six"', 'supply = "single_phase"', ""]
        lines += ["[[circuit]]", 'id = "feeder"', f"limit_a = {LIMIT_A}"]
        for name in NAMES:
            lines += ["", "[[connector]]", f'id = "{name}"', 'circuit = "feeder"', "step_a = 1"]
            lines += ["fallback_a = 6", f'adapter = "{address}/{name}"']
        self.site.write_text("\n".join(lines) + "\n")

    def _start_units(self, host: str) -> int:
        words = ["adapters.wifi.tests.lease_units", ",".join(NAMES), str(self.trace), str(self.site), host]
        command = [sys.executable, "-m", *words]
        units = subprocess.Popen(command, env={**os.environ, **self.environment}, stdout=subprocess.PIPE, cwd=ROOT)
        self._stack.callback(units.wait)
        self._stack.callback(units.kill)
        assert units.stdout is not None
        self._stack.enter_context(units.stdout)
        return int(units.stdout.readline())

    def _run(self, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "powershare", *words],
            env={**os.environ, **self.environment},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self.weather is not None:
                stack.enter_context(self.weather)
            self._stack = stack
            plant(self.directory)
            self._run("network", "key", "new", str(self.key))
            self._write_site("lease:0")
            host = HOST if self._switch is None else DEVICES_HOST
            self.port = self._start_units(host)
            self._write_site(f"lease:{host}:{self.port}")
            self._line = stack.enter_context(socket.create_connection((host, self.port)))
            self._answers = stack.enter_context(self._line.makefile("rb"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        for log in self._logs.values():
            log.close()
        self._stack.close()

    # Processes

    def start(self, *names: str) -> None:
        """Start the processes of these hosts; without names, all."""
        for name in names or self.hosts:
            words = ["node", str(self.site), *self.hosts[name], "--key", str(self.key), *self._finds(name)]
            self._starts += 1
            if self.traced:
                words += ["--trace", str(self.directory / f"node-{name}-{self._starts}.jsonl")]
            if name not in self._logs:
                self._logs[name] = (self.directory / f"{name}.err").open("ab")
            self.processes[name] = subprocess.Popen(
                [*([] if self._switch is None else self._switch.on(name)), sys.executable, "-m", "powershare", *words],
                env={**os.environ, **self.environment},
                stdout=subprocess.DEVNULL,
                stderr=self._logs[name],
                stdin=subprocess.DEVNULL,
            )

    def _finds(self, name: str) -> list[str]:
        """How the process of a host finds the others."""
        if self._switch is not None:
            return ["--listen", f"0.0.0.0:{self.places[name][1]}", "--mdns"]
        fronts = self.places if self.weather is None else self.weather.fronts(self.places)
        peers = [f"{other}={host}:{port}" for other, (host, port) in fronts.items() if other not in self.hosts[name]]
        return ["--listen", "{}:{}".format(*self.places[name]), *(word for peer in peers for word in ("--peer", peer))]

    def kill(self, *names: str) -> None:
        """End the processes of these hosts as a power cut would."""
        for name in names or tuple(self.processes):
            self.processes[name].kill()
            self.processes[name].wait()

    def stop(self, name: str) -> None:
        """Let a process stand still."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Let it go on."""
        self.processes[name].send_signal(signal.SIGCONT)

    def end(self, *names: str) -> list[int]:
        """End the processes of these hosts in order; answers their exit codes."""
        chosen = names or tuple(self.processes)
        for name in chosen:
            self.processes[name].send_signal(signal.SIGTERM)
        return [self.processes[name].wait(30) for name in chosen]

    # What is so

    def words(self, name: str) -> list[str]:
        """What the processes of a host have said."""
        return (self.directory / f"{name}.err").read_text().splitlines()

    def leader(self) -> str | None:
        """The member that said last that it leads, and did not say since that it does not."""
        said = sorted(line for name in self.hosts for line in self.words(name) if _ROLE.search(line))
        last = {found[1]: found[2] for line in said if (found := _ROLE.search(line)) is not None}
        leading = [name for name, role in last.items() if role == "leader"]
        newest = [found[1] for line in said if (found := _ROLE.search(line)) is not None and found[1] in leading]
        return newest[-1] if newest else None

    def ask(self, name: str, do: str, **more: object) -> dict[str, int]:
        """Ask a unit something: `look`, `plug_in` with `max_ma`, `unplug`."""
        self._line.sendall(json.dumps({"unit": name, "do": do, **more}).encode() + b"\n")
        answer: dict[str, int] = json.loads(self._answers.readline())
        return answer

    def plug_in(self, *names: str, max_ma: int = 32_000) -> None:
        """Plug cars in."""
        for name in names:
            self.ask(name, "plug_in", max_ma=max_ma)

    def offers_a(self) -> dict[str, int]:
        """What each unit really offers, in amps."""
        return {name: self.ask(name, "look")["offered_ma"] // 1_000 for name in NAMES}

    def until(self, seen: Callable[[dict[str, int]], object], within_s: float) -> float:
        """Wait until the offers are as they should become; answers after how many seconds."""
        began_s = time.monotonic()
        while not seen(offers := self.offers_a()):
            passed_s = time.monotonic() - began_s
            assert passed_s < within_s, f"{offers} after {passed_s:.1f} s; {[self.words(n)[-2:] for n in self.hosts]}"
            time.sleep(0.1)
        return time.monotonic() - began_s

    def result(self) -> AuditResult:
        """What the units' own trace adds up to."""
        return audit(load_site(self.site), read_trace(self.trace))

    def events(self) -> list[ConnectorEvent]:
        """What it says."""
        return [event for event in read_trace(self.trace) if isinstance(event, ConnectorEvent)]
