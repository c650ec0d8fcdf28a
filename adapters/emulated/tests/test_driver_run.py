"""`powershare run` as a process: what it refuses, how it ends, what a terminal and a collector see, what is left."""

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from powershare.files import read_trace
from powershare.trace import ConnectorEvent

SITE = """schema = "powershare/site/1"
supply = "single_phase"

[[circuit]]
id = "feeder"
limit_a = 32

[[connector]]
id = "north"
circuit = "feeder"
fallback_a = 6
adapter = "{north}"

[[connector]]
id = "south"
circuit = "feeder"
fallback_a = 6
adapter = "emulated:"
"""
pytestmark = pytest.mark.slow

ESCAPE = "\x1b["
READY_S = 30.0


def site(directory: Path, north: str = "emulated:") -> Path:
    path = directory / "site.toml"
    path.write_text(SITE.format(north=north), encoding="utf-8")
    return path


def slow_to_leave(directory: Path) -> Path:
    """A site of which one device would stay where it is: it is told its fallback when all vehicles have followed."""
    path = site(directory, "emulated:?deadman=none&plugged=no")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('id = "north"\n', 'id = "north"\nfail_safe = false\n'), encoding="utf-8")
    return path


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "powershare", "run", *map(str, words)]


def environment() -> dict[str, str]:
    dropped = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PYTHONUTF8": "1", "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "40"}


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*words), capture_output=True, text=True, check=False, timeout=90, env=environment(), errors="replace"
    )


@contextlib.contextmanager
def running(*words: object, until: str = "regulates") -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """It runs, and has said this; ends it if it has not ended."""
    process = subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment()
    )
    said: list[str] = []
    try:
        assert process.stderr is not None
        while not said or until not in said[-1]:
            line = process.stderr.readline()
            assert line, said
            said.append(line)
        yield process, said
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]", said: list[str]) -> int:
    """Wait for its end, and keep what else it says; answers its exit code."""
    _, words = process.communicate(timeout=60)
    said.extend(words.splitlines())
    return process.returncode


# What it refuses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SITE.replace('adapter = "{north}"\n', ""), ['connector "north"', "adapter", "--emulate"]),
        (SITE.format(north="emulated:?step=1&least_a=x"), ['connector "north"', "step", "least_a"]),
        (SITE.format(north="emulated:?can_pause=no"), ['connector "north"', "cannot be told 0"]),
        (SITE.format(north="emulated:?deadman=none"), ['connector "north"', "fail_safe = false"]),
        (SITE.format(north="emulated:?fallback_a=16&sets_fallback=no"), ["offers up to 16 A", "fallback_a = 16"]),
        ("schema = 3", ["schema"]),
    ],
    ids=["none", "settings", "cannot pause", "no dead man", "left alone", "file"],
)
def test_what_cannot_be_regulated_is_refused_with_its_place(tmp_path: Path, text: str, words: Sequence[str]) -> None:
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    done = run(path, "--seconds", 1)
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr
    assert str(path) in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_an_adapter_that_is_not_installed_is_named_with_its_connector(tmp_path: Path) -> None:
    done = run(site(tmp_path, "nothing:/dev/x"), "--seconds", 1)
    assert done.returncode == 4
    assert 'connector "north": no adapter "nothing" is installed' in done.stderr


def test_a_trace_that_cannot_be_written_is_refused_before_anything_is_regulated(tmp_path: Path) -> None:
    done = run(site(tmp_path), "--trace", tmp_path / "missing" / "trace.ndjson")
    assert done.returncode == 2
    assert "regulates" not in done.stderr


def test_a_port_that_is_taken_ends_it_as_a_network_that_failed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(site(tmp_path), "--metrics", taken.getsockname()[1], "--seconds", 1)
    assert done.returncode == 4
    assert "metrics cannot be served" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["", "http", "127.0.0.1", "70000", "-1", "127.0.0.1:"])
def test_what_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    assert run(site(tmp_path), f"--metrics={port}", "--seconds", 1).returncode == 2


# How it ends


def test_after_its_time_it_ends_well_with_every_device_at_its_fallback(tmp_path: Path) -> None:
    trace = tmp_path / "trace.ndjson"
    done = run(site(tmp_path), "--seconds", 10, "--trace", trace)
    assert done.returncode == 0, done.stderr
    assert "regulates 2 connectors" in done.stderr
    assert not done.stdout
    assert ESCAPE not in done.stderr
    last = {event.connector: event.pilot_ma for event in read_trace(trace) if isinstance(event, ConnectorEvent)}
    assert last == {"north": 6_000, "south": 6_000}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_signal_stops_it_in_order(tmp_path: Path, number: int, code: int) -> None:
    with running(site(tmp_path)) as (process, said):
        process.send_signal(number)
        assert ended(process, said) == code
    assert any("brings the devices to their fallbacks" in line for line in said)
    assert "Traceback" not in "".join(said)


def test_a_second_interruption_lets_go_at_once(tmp_path: Path) -> None:
    with running(slow_to_leave(tmp_path)) as (process, said):
        time.sleep(16)  # until it is known that the one without a dead man is low
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        started_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert ended(process, said) == 130
        assert time.monotonic() - started_s < 5
    assert any("let go of the devices as they were" in line for line in said)
    assert "Traceback" not in "".join(said)


def test_interrupted_when_its_time_is_over_it_still_ends_in_order(tmp_path: Path) -> None:
    """The end takes some seconds, and one interruption in them is the first."""
    with running(slow_to_leave(tmp_path), "--seconds", 16) as (process, said):
        time.sleep(17.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert ended(process, said) == 130
    assert not any("let go of the devices as they were" in line for line in said)


def test_interrupted_while_it_dials_it_ends_without_a_traceback(tmp_path: Path) -> None:
    pytest.importorskip("powershare_serial")
    # A port that takes connections and never answers: dialling waits.
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        process = subprocess.Popen(
            command(site(tmp_path, f"serial+modbus://127.0.0.1:{port}?map=alfen&unit=1"), "--seconds", 60),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    assert "Traceback" not in words
    assert process.returncode == 130, words


def test_a_kill_leaves_a_trace_that_can_be_read(tmp_path: Path) -> None:
    trace = tmp_path / "trace.ndjson"
    with running(site(tmp_path), "--trace", trace) as (process, said):
        time.sleep(4)
        process.kill()
        assert ended(process, said) == -signal.SIGKILL
    names = {event.connector for event in read_trace(trace) if isinstance(event, ConnectorEvent)}
    assert names == {"north", "south"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_words_that_nobody_can_take_down_do_not_end_it(tmp_path: Path) -> None:
    """A log on a full disk, or a reader that went away."""
    flapping = site(tmp_path, "emulated:?silent_after_s=1&silent_for_s=1")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            command(flapping, "--seconds", 6), stdout=full, stderr=full, check=False, timeout=60, env=environment()
        )
    assert done.returncode == 0
    process = subprocess.Popen(
        command(flapping, "--seconds", 6), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stderr is not None
    process.stderr.close()
    assert process.wait(60) == 0


# What others see of it


def test_a_dry_run_says_what_it_would_tell_and_leaves_devices_alone(tmp_path: Path) -> None:
    done = run(site(tmp_path, "emulated:?fallback_a=16"), "--dry-run", "--seconds", 3)
    assert done.returncode == 0, done.stderr
    assert "north: would be told 0 A" in done.stderr


def test_connectors_without_an_adapter_can_be_emulated(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(re.sub("adapter = .*\n", "", SITE), encoding="utf-8")
    done = run(path, "--emulate", "--seconds", 2)
    assert (done.returncode, "regulates 2 connectors" in done.stderr) == (0, True)


def test_a_person_at_a_terminal_sees_a_table(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            command(site(tmp_path), "--seconds", 3), stdin=its, stdout=its, stderr=its, env=environment()
        )
        os.close(its)
        shown = b""
        deadline_s = time.monotonic() + 60
        with contextlib.suppress(OSError):  # the other end is closed
            while time.monotonic() < deadline_s:
                if select.select([ours], [], [], 1)[0]:
                    shown += os.read(ours, 65_536)
                elif process.poll() is not None:
                    break
        assert process.wait(30) == 0
    finally:
        os.close(ours)
    text = shown.decode()
    assert ESCAPE in text
    for word in ("connector", "bound by", "north", "south", "feeder: ", "of 32 A"):
        assert word in text


def test_a_collector_is_answered_while_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    with running(site(tmp_path), "--metrics", "0") as (process, said):
        url = next(line for line in said if "served at" in line).split("served at ")[1].strip()
        text = ""
        deadline_s = time.monotonic() + READY_S
        while 'powershare_connector_told_amperes{connector="north"}' not in text:
            assert time.monotonic() < deadline_s
            text = urllib.request.urlopen(url, timeout=10).read().decode()
        assert 'powershare_circuit_limit_amperes{circuit="feeder",line="L1"} 32.0' in text
        assert 'powershare_connector_reached{connector="south"} 1.0' in text
        process.send_signal(signal.SIGTERM)
        assert ended(process, said) == 0
