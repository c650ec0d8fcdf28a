"""`powershare emulate`: a stranger's emulator on a real socket, vehicles by plan, and a trace that outlives a kill."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.program import command, environment, run, write

from powershare.files import read_trace
from powershare.trace import ConnectorEvent

# Units that are told their offer by lines of text: `0 16` is 16 A for unit 0. Every line is answered with a point.
TAP = """
import asyncio
from powershare.errors import FormatError, Problem
from powershare.simulation.outlet import Outlet

class Tap:
    failures = {"deaf": "it does nothing of what it is told", "stuck": "its contactor is welded (outside A2)"}

    def __init__(self, options, *, units, clock, changed):
        if set(options) - {"greatest_a"}:
            raise FormatError([Problem("tap", key, "is no setting; there is greatest_a") for key in options])
        self.clock, self.server, self.addresses, self.deaf = clock, None, (), set()
        def told(number):
            return lambda outlet, at_ms, word: changed(number, outlet, at_ms, word)
        greatest_ma = 1000 * int(options.get("greatest_a", "32"))
        self.outlets = [
            Outlet(clock.now_ms(), greatest_ma=greatest_ma, changed=told(number)) for number in range(units)
        ]

    async def start(self):
        self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.addresses = tuple(f"tap:127.0.0.1:{port}?unit={number}" for number in range(len(self.outlets)))

    async def stop(self):
        if self.server is not None:
            self.server.close()
            self.server = None

    def fail(self, unit, failure):
        self.deaf = self.deaf | {unit} if failure == "deaf" else self.deaf - {unit}

    async def talk(self, reader, writer):
        while line := await reader.readline():
            unit, amps = map(int, line.split())
            if unit not in self.deaf:
                self.outlets[unit].offer(amps * 1000, self.clock.now_ms(), "order")
            writer.write(b".")
"""
SITE = """
schema = "powershare/site/1"
supply = "single_phase"
circuit = [{id = "feeder", limit_a = 40}]
connector = [
  {id = "north", circuit = "feeder"}, {id = "east", circuit = "feeder"}, {id = "south", circuit = "feeder"}
]
"""


@pytest.fixture
def tap(tmp_path: Path) -> dict[str, str]:
    """An environment in which a stranger's distribution brings the emulator `tap` along."""
    root = tmp_path / "site-packages"
    info = root / "their_tap-1.0.dist-info"
    info.mkdir(parents=True)
    write(root, "their_tap.py", TAP)
    write(info, "METADATA", "Metadata-Version: 2.1\nName: their-tap\nVersion: 1.0\n")
    write(info, "entry_points.txt", "[powershare.emulators]\ntap = their_tap:Tap\n")
    return {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}


@contextlib.contextmanager
def emulated(tap: dict[str, str], *arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command while it runs, and the first line of its standard output."""
    with subprocess.Popen(
        command("emulate", "tap", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**tap),
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


@contextlib.contextmanager
def emulated_into(fifo: Path, tap: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command while it runs, whose trace is read until the units listen, and then no longer."""
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with emulated(tap, "--trace", fifo, "--vehicles", "none") as started:
        os.close(reader)
        yield started


def emulate(tap: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run("emulate", *arguments, given=b"", cwd=None, **tap)


def tell(address: str, unit: int, amps: int) -> None:
    """Tell a unit what to offer, and wait until it has heard."""
    host, port = address.removeprefix("tap:").partition("?")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"{unit} {amps}\n".encode())
        assert line.recv(1) == b"."


def events(trace: Path) -> list[ConnectorEvent]:
    """What a trace says of connectors."""
    return [event for event in read_trace(trace) if isinstance(event, ConnectorEvent)]


def wait_until(trace: Path, seen: Callable[[list[ConnectorEvent]], bool]) -> list[ConnectorEvent]:
    """The events, once they are as they should become."""
    deadline = time.monotonic() + 20
    while not seen(found := events(trace)):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def said(process: subprocess.Popen[str]) -> str:
    """What it said on standard error."""
    assert process.stderr is not None
    return process.stderr.read()


def test_it_says_where_the_units_listen_and_writes_what_they_do(tap: dict[str, str], tmp_path: Path) -> None:
    trace, site = tmp_path / "units.ndjson", write(tmp_path, "site.toml", SITE)
    with emulated(tap, "--units", "2", "--site", site, "--trace", trace) as (process, first):
        told: dict[str, Any] = json.loads(first)
        assert (told["schema"], told["kind"]) == ("powershare/emulation/1", "tap")
        assert told["connectors"] == ["north", "east"]
        assert set(told["failures"]) == {"deaf", "stuck"}
        tell(told["addresses"][1], 1, 10)
        found = wait_until(trace, lambda seen: any(event.drawn_ma for event in seen))
        process.send_signal(signal.SIGTERM)
        assert (process.wait(10), "plugged in" in said(process)) == (0, True)
    header = read_trace(trace).header
    assert (header.clock, header.site.connectors[2].id) == ("monotonic", "south")
    assert [event.connector for event in found[:2]] == ["north", "east"]
    offered = next(event for event in found if event.event == "order")
    assert (offered.connector, offered.pilot_ma) == ("east", 10_000)
    drawing = next(event for event in found if event.drawn_ma)
    assert drawing.t_ms > offered.t_ms
    assert run("trace", "check", site, trace).returncode == 0


def test_a_trace_is_readable_after_a_kill(tap: dict[str, str], tmp_path: Path) -> None:
    trace = tmp_path / "units.ndjson"
    with emulated(tap, "--trace", trace) as (process, first):
        tell(json.loads(first)["addresses"][0], 0, 16)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    assert [event.event for event in events(trace)] == ["starts", "plugged in", "order"]


def test_a_trace_that_can_no_longer_be_written_ends_it(tap: dict[str, str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.fifo"
    os.mkfifo(trace)
    with emulated_into(trace, tap) as (process, first):
        tell(json.loads(first)["addresses"][0], 0, 16)
        assert process.wait(10) == 1


def test_an_interrupt_ends_it_with_130(tap: dict[str, str]) -> None:
    with emulated(tap) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "interrupted" in said(process)


def test_a_script_plugs_unplugs_and_fails(tap: dict[str, str], tmp_path: Path) -> None:
    trace, site = tmp_path / "units.ndjson", write(tmp_path, "site.toml", SITE)
    script = write(
        tmp_path,
        "deeds.ndjson",
        '{"t_s": 0.4, "unit": 0, "do": "unplug"}\n'
        '{"t_s": 0.1, "unit": 0, "do": "plug_in", "max_a": 16, "lines_used": 1, "energy_kwh": 5}\n\n'
        '{"t_s": 0.2, "unit": 1, "do": "fail", "failure": "stuck"}\n',
    )
    arguments: list[str | Path] = [
        "--site",
        site,
        "--connectors",
        "south,north",
        "--trace",
        trace,
        "--vehicles",
        script,
    ]
    done = emulate(tap, "tap", *arguments, "--seconds", "0.8", "--fail", "1=none@0.6")
    assert done.returncode == 0, done.stderr
    assert [(event.connector, event.event, event.outside) for event in events(trace)[2:]] == [
        ("south", "plugged in", events(trace)[0].outside),
        ("north", "failure stuck", "A2"),
        ("south", "unplugged", events(trace)[0].outside),
        ("north", "failure none", None),
    ]


def test_a_vehicle_that_does_not_follow_is_marked_as_outside_the_assumptions(
    tap: dict[str, str], tmp_path: Path
) -> None:
    """It may draw what it drew for six seconds after its offer went down, and is marked from then on."""
    trace = tmp_path / "units.ndjson"
    script = write(
        tmp_path, "deeds.ndjson", '{"t_s": 0, "unit": 0, "do": "plug_in", "ignores_pilot": true, "reaction_s": 0.1}\n'
    )
    with emulated(tap, "--trace", trace, "--vehicles", script) as (_, first):
        address = json.loads(first)["addresses"][0]
        tell(address, 0, 32)
        wait_until(trace, lambda seen: seen[-1].drawn_ma >= 10_000)
        tell(address, 0, 8)
        found = wait_until(trace, lambda seen: seen[-1].outside == "A2")
    lowered = next(event for event in found if event.pilot_ma == 8_000)
    assert found[-1].t_ms == lowered.t_ms + 6_000
    assert found[-1].drawn_ma > found[-1].pilot_ma


def test_vehicles_come_and_go_by_the_seed(tap: dict[str, str], tmp_path: Path) -> None:
    def arrivals(seed: int) -> list[str]:
        done = emulate(tap, "tap", "--units", "6", "--vehicles", "evening", "--seconds", "3", "--seed", str(seed))
        assert done.returncode == 0
        return [line for line in done.stderr.splitlines() if "plugged in" in line]

    first = arrivals(4)
    assert first
    assert arrivals(4) == first != arrivals(5)


def test_the_printed_site_is_ready_to_be_used(tap: dict[str, str], tmp_path: Path) -> None:
    done = emulate(tap, "tap", "--units", "3", "--print-site", "--seconds", "0")
    assert done.returncode == 0
    site = write(tmp_path, "printed.toml", done.stdout)
    connectors = tomllib.loads(done.stdout)["connector"]
    assert [connector["adapter"].partition("?")[2] for connector in connectors] == ["unit=0", "unit=1", "unit=2"]
    assert run("site", "check", site).returncode == 0
    own = write(tmp_path, "own.toml", SITE)
    done = emulate(tap, "tap", "--site", own, "--connectors", "east", "--print-site", "--seconds", "0")
    printed = {connector["id"]: connector.get("adapter") for connector in tomllib.loads(done.stdout)["connector"]}
    assert (printed["north"], str(printed["east"])[:14]) == (None, "tap:127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["tip"], 4, 'no emulator "tip" is installed; did you mean "tap"?'),
        (["tap", "--set", "amps=3"], 2, "tap: amps: is no setting; there is greatest_a"),
        (["tap", "--set", "amps"], 2, "'amps' is no setting; write KEY=VALUE."),
        (["tap", "--set", "a=1", "--set", "a=2"], 2, "'a' is given twice."),
        (["tap", "--fail", "0=mute@1"], 2, 'is "mute"; this emulator can fail with deaf, stuck, and none ends it.'),
        (["tap", "--fail", "1=deaf@1"], 2, "there is no unit 1; the first is 0."),
        (["tap", "--fail", "0=deaf@soon"], 2, "'0=deaf@soon' is no failure; write UNIT=FAILURE@SECONDS."),
        (["tap", "--connectors", "a,a"], 2, "a connector is named twice."),
        (["tap", "--connectors", "a,b", "--units", "3"], 2, "3 units, but 2 connectors to be; give as many."),
        (["tap", "--vehicles", "absent.ndjson"], 2, "absent.ndjson: does not exist"),
    ],
)
def test_what_cannot_be_is_refused(tap: dict[str, str], arguments: list[str], code: int, words: str) -> None:
    done = emulate(tap, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_bad_script_is_refused_with_every_problem(tap: dict[str, str], tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "deeds.ndjson",
        '{"t_s": 1, "unit": 7, "do": "unplug"}\n{"t_s": 1, "unit": 0, "do": "dance"}\n{"t_s"\n'
        '{"t_s": 1, "unit": 0, "do": "fail"}\n{"t_s": 1, "unit": 0, "do": "unplug", "max_a": 3}\n'
        '{"t_s": 1, "unit": 0, "do": "plug_in", "lines_used": 3}\n',
    )
    done = emulate(tap, "tap", "--vehicles", script)
    assert (done.returncode, done.stdout) == (2, "")
    places = [line.removeprefix(f"{script}: ").partition(":")[0] for line in done.stderr.splitlines()]
    assert places == ["line 1.unit", "line 2.do", "line 3", "line 4.failure", "line 5.max_a", "line 6.lines_used"]


def test_an_unknown_connector_of_the_site_is_refused(tap: dict[str, str], tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE)
    done = emulate(tap, "tap", "--site", site, "--connectors", "north,attic")
    assert (done.returncode, "the site has no connector attic." in done.stderr) == (2, True)
