"""`powershare` emulate, run, doctor and trace check: real processes on real sockets."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import pytest

READY_S = 30.0

SITE = """schema = "powershare/site/1"
name = "Two chargers and a Wall Connector"
supply = "three_phase"

[[circuit]]
id = "garage"
limit_a = 40
other_load_worst_a = 20

[[meter]]
circuit = "garage"
adapter = "{wall}"
stale_after_s = 20

[[connector]]
id = "north"
circuit = "garage"
lines = ["L1", "L2", "L3"]
step_a = 1
fallback_a = 0
fail_safe = false
adapter = "{north}&settle_s=0.5"

[[connector]]
id = "south"
circuit = "garage"
lines = ["L1", "L2", "L3"]
step_a = 1
fallback_a = 0
fail_safe = false
adapter = "{south}&settle_s=0.5"
"""


class Process:
    """One process of the program, and what it has said."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "powershare", *map(str, words)]
        environment, pipe = {**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}, subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)
        self.out: list[str] = []
        self.words: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pairs = ((self.process.stdout, self.out), (self.process.stderr, self.words))
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in pairs]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe: IO[str], kept: list[str]) -> None:
        with pipe:
            kept.extend(line.rstrip("\n") for line in iter(pipe.readline, ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ends(signal.SIGTERM)

    def reached(self) -> list[str]:
        """The addresses of emulated units, once they listen."""
        ends_s = time.monotonic() + READY_S
        while time.monotonic() < ends_s and self.process.poll() is None:
            if self.out:
                addresses: list[str] = json.loads(self.out[0])["addresses"]
                return addresses
            time.sleep(0.05)
        raise AssertionError(f"never listened: {self.words}")

    def ends(self, number: signal.Signals | None = None) -> int:
        """Its exit code, once it has ended."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(120)
        finally:
            self.process.kill()
            self.process.wait()
            for reader in self._readers:
                reader.join(5)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Process, Process]]:
    """Emulated chargers and a Wall Connector that is an other load, and a site of them."""
    directory = tmp_path_factory.mktemp("plant")
    trace, site = directory / "units.jsonl", directory / "site.toml"
    wall = Process("emulate", "gen3-http", "--set", "greatest_a=12", "--vehicles", "all")
    with wall:
        site.write_text(
            SITE.format(
                wall=wall.reached()[0], north="http+go-e://127.0.0.1:1?x=1", south="http+go-e://127.0.0.1:2?x=1"
            ).replace("?x=1&", "?"),
            encoding="utf-8",
        )
        units = Process(
            *("emulate", "http-go-e", "--site", site, "--connectors", "north,south"),
            *("--trace", trace, "--vehicles", "all"),
        )
        with units:
            north, south = units.reached()
            text = SITE.format(wall=wall.reached()[0], north=f"{north}?x=1", south=f"{south}?x=1")
            site.write_text(text.replace("?x=1&", "?"), encoding="utf-8")
            yield site, trace, units, wall


def test_doctor_shows_what_they_say_of_themselves(plant: tuple[Path, Path, Process, Process]) -> None:
    site, *_ = plant
    with Process("doctor", site) as doctor:
        assert doctor.ends() == 0, doctor.words
    said = "\n".join(doctor.out)
    assert "meter of garage: firmware" in said
    assert "25.34.1" in said
    assert "meter of garage: thermal foldbacks" in said
    assert "connector north: device" in said
    assert "go-e Charger, HTTP API v2" in said
    assert "not fail-safe: south" in said


def test_two_chargers_share_what_a_wall_connector_leaves_and_no_limit_breaks(
    plant: tuple[Path, Path, Process, Process],
) -> None:
    """The Wall Connector draws 12 A of 40; each charger gets half of the rest, not of what its worst would leave."""
    site, trace, units, _ = plant
    with Process("run", site, "--seconds", "20") as run:
        assert run.ends() == 0, run.words[-10:]
    offers = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()[1:]]
    most = {name: max(one["pilot_a"] for one in offers if one.get("connector") == name) for name in ("north", "south")}
    assert most == {"north": 14, "south": 14}
    assert units.ends(signal.SIGTERM) == 0
    # What the units wrote knows nothing of the Wall Connector: it is judged by what that leaves, which is stricter.
    judge = site.with_name("judge.toml")
    text = site.read_text(encoding="utf-8")
    judge.write_text(
        re.sub(r"(?s)\[\[meter\]\].*?\n\n", "", text).replace("limit_a = 40\nother_load_worst_a = 20", "limit_a = 28"),
        encoding="utf-8",
    )
    judged = subprocess.run(
        [sys.executable, "-m", "powershare", "trace", "check", str(judge), str(trace)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_wall_connector_named_as_a_connector_is_refused_with_one_error(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    meterless = SITE.replace('[[meter]]\ncircuit = "garage"\nadapter = "{wall}"\nstale_after_s = 20\n\n', "")
    text = meterless.format(north="http+gen3://192.0.2.30?supply=three_phase", south="http+go-e://192.0.2.20?x=1")
    site.write_text(text.replace("?x=1&", "?").replace("three_phase&settle_s=0.5", "three_phase"), encoding="utf-8")
    with Process("run", site) as run:
        assert run.ends() == 2
    said = "\n".join(run.words)
    assert said.count("takes no limit") == 1
    assert "serial+gen3:" in said
