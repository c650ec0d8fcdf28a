"""Faults of the host under `powershare run`: it stands still, its disk is full, its devices vanish and return."""

import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest

from powershare.files import TraceHeader, TraceWriter, load_site
from powershare.trace import CircuitEvent

from .running import Played, Stage, after, comes, command, goes, judged

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals and no such signals"),
]
of_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")

LIMIT_A, HOUSE_A = 40, 24
GEN2 = ("a", "b", "c")
STOPPED_S = 10
QUICK = (f"stopped_after_s={STOPPED_S}", "lost_after_s=4", "noise=yes", "echo=yes")
FEEDER_MA = (LIMIT_A * 1000,)
METERED = find_spec("powershare_emulated") is not None
"""The meter is another distribution's. Without it the house counts with its worst all the time."""


class House:
    """Other loads of the feeder: a file that the meter reads, and a trace of their own, as the units write theirs."""

    def __init__(self, stage: Stage) -> None:
        self.file, self.trace = stage.place / "house.amps", stage.place / "house.ndjson"
        self.file.write_text("0\n")
        self.keys = f"other_load_worst_a = {HOUSE_A}\n"
        if METERED:
            self.keys += f'\n[[meter]]\ncircuit = "feeder"\nadapter = "emulated:?file={self.file}"\n'
        self._site = stage.place / "site.toml"

    def begin(self) -> None:
        self._started_s = time.monotonic()
        self._writer = TraceWriter(self.trace, TraceHeader(load_site(self._site), datetime.now(UTC), "monotonic"))
        self.draw(0)

    def draw(self, amps: int) -> None:
        self.file.write_text(f"{amps}\n")
        t_ms = round((time.monotonic() - self._started_s) * 1000)
        event = CircuitEvent(
            t_ms=t_ms, circuit="feeder", limit_ma=FEEDER_MA, other_load_ma=(amps * 1000,), source="house"
        )
        self._writer.write(event)

    def end(self) -> Path:
        self._writer.close()
        return self.trace


def play_stopped(stage: Stage) -> Played:
    """A controller stands still for 30 s: a vehicle leaves, one comes, and then the house needs what they had."""
    house = House(stage)
    stage.lay_out(LIMIT_A, 1, dict.fromkeys(GEN2, "step_a = 1\nfallback_a = 0"), house.keys)
    stage.emulate("twc-gen2", "a,b,c", (comes(1, 0), comes(1, 1), goes(37, 0), comes(40, 2)), *QUICK)
    house.begin()
    stage.connect("&watchdog_s=12")
    controller = stage.regulate()
    stage.until(29, "stopped")
    controller.send(signal.SIGSTOP)
    stage.wait(STOPPED_S + 12)  # the units have stopped, and their vehicles have followed
    house.draw(HOUSE_A)
    stage.until(59, "resumed")
    controller.send(signal.SIGCONT)
    stage.wait(34, "done")
    return stage.finish(controller, house.end())


def play_overloaded(stage: Stage) -> Played:
    """The host is so busy that the controller stands still again and again, while vehicles come and go."""
    stage.lay_out(LIMIT_A, 1, dict.fromkeys(GEN2, "step_a = 1\nfallback_a = 0"))
    stage.emulate("twc-gen2", "a,b,c", "evening", *QUICK, f"seed={stage.seed}")
    stage.connect("&watchdog_s=12")
    controller, dice = stage.regulate(), Random(stage.seed)
    ends_s = time.monotonic() + 60 * stage.minutes
    while time.monotonic() < ends_s:
        stage.wait(dice.uniform(2, 15))
        controller.send(signal.SIGSTOP)
        stage.wait(dice.uniform(0.2, 1.5 * STOPPED_S))
        controller.send(signal.SIGCONT)
    return stage.finish(controller)


def play_full_disk(stage: Stage) -> Played:
    """The controller's own trace cannot grow for a while; meanwhile a vehicle comes."""
    import resource  # not where processes have no limits

    stage.lay_out(32, 3, dict.fromkeys(("h1", "h2"), "fallback_a = 0"))
    stage.emulate("modbus", "h1,h2", (comes(1, 0), comes(30, 1), goes(58, 0)), "map=heidelberg")
    stage.connect()
    own = stage.place / "own.ndjson"
    controller = stage.regulate("--trace", own)
    stage.until(25, "full")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(controller.pid, resource.RLIMIT_FSIZE, (own.stat().st_size + 30, resource.RLIM_INFINITY))
    stage.until(52, "free")
    resource.prlimit(controller.pid, resource.RLIMIT_FSIZE, unlimited)
    stage.until(68, "done")
    one = stage.finish(controller)
    code, said = judged(one.site, own)
    stage.figures["its own trace"] = code, next(line for line in said.splitlines() if "broke" in line)
    return one


def play_socket(stage: Stage) -> Played:
    """Stations behind a TCP port vanish with it, and come back at the same port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stage.lay_out(40, 3, dict.fromkeys(("k1", "k2"), "fallback_a = 0"))
    settings = ("map=keba", "first_unit=1", f"port={port}")
    units = stage.emulate("modbus", "k1,k2", (comes(1, 0), comes(1, 1)), *settings)
    stage.connect("&watchdog_s=10")
    controller = stage.regulate()
    stage.wait(18, "gone")
    units.ends(signal.SIGTERM)
    stage.wait(15)
    assert stage.emulate("modbus", "k1,k2", (comes(1, 0), comes(1, 1)), *settings).reached
    stage.mark("back")
    stage.wait(30, "done")
    return stage.finish(controller)


def play_bus(stage: Stage) -> Played:
    """A serial adapter is pulled out, and comes back under the same link as another device."""
    link = stage.place / "bus"
    stage.lay_out(LIMIT_A, 1, dict.fromkeys(GEN2, "step_a = 1\nfallback_a = 0"))
    cars = (comes(1, 0), comes(1, 1), comes(1, 2))
    units = stage.emulate("twc-gen2", "a,b,c", cars, *QUICK)
    _point(link, units.reached["a"])
    stage.connect("&watchdog_s=12")
    site = stage.site.read_text()
    stage.site.write_text(site.replace(_device(units.reached["a"]), str(link)))
    controller = stage.regulate()
    stage.wait(22, "gone")
    units.ends(signal.SIGTERM)
    stage.wait(15)
    _point(link, stage.emulate("twc-gen2", "a,b,c", cars, *QUICK).reached["a"])
    stage.mark("back")
    stage.wait(40, "done")
    return stage.finish(controller)


def _device(address: str) -> str:
    return address.partition("://")[2].partition("?")[0]


def _point(link: Path, address: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(_device(address))


@after(play_stopped)
def test_a_controller_that_stood_still_for_30_s_sends_no_order_of_before(play: Played) -> None:
    play.assert_nothing_broke()
    shared_a = LIMIT_A if METERED else LIMIT_A - HOUSE_A
    assert sum(play.offered_ma(name, "stopped") for name in GEN2) == shared_a * 1000, play.told("a")
    for name in GEN2:
        assert play.reaches_s(name, (0).__eq__, "stopped") <= STOPPED_S + 1.5
        assert play.offered_ma(name, "resumed") == 0
    play.figures["raised after"] = round(play.reaches_s("c", (0).__lt__, "resumed"), 1)
    shares_ma = {one.event.pilot_ma for name in GEN2 for one in play.of(name, "resumed")}
    assert max(shares_ma) <= (LIMIT_A - HOUSE_A) * 1000, "what it had granted before is the house's now"
    assert play.charged("b", "resumed")
    assert play.charged("c", "resumed")


@after(play_overloaded)
def test_a_controller_that_stands_still_again_and_again_breaks_no_limit(play: Played) -> None:
    play.assert_nothing_broke()
    assert any(play.charged(name) for name in GEN2)
    assert play.figures["run ended with"] == 130


@of_linux
@after(play_full_disk)
def test_a_full_disk_is_told_and_regulation_goes_on(play: Played) -> None:
    play.assert_nothing_broke()
    words = play.controllers[0]
    assert words.said_s(r"own\.ndjson: cannot be written: .*the trace has a gap from here on, regulation goes on")
    assert play.reaches_s("h2", (0).__lt__, "full") < 27, "raised while the disk is full"
    assert play.offered_ma("h1", "free") <= 16_000


@of_linux
@after(play_full_disk)
def test_the_trace_is_written_again_once_the_disk_has_room_and_is_a_trace_throughout(play: Played) -> None:
    words = play.controllers[0]
    assert words.said_s(r"own\.ndjson: is written again; \d+ lines of this trace are missing", play.marks["free"])
    assert play.figures["its own trace"] == (0, "no limit broke")


@after(play_socket)
def test_stations_whose_port_vanishes_are_named_and_charge_again_without_a_restart(play: Played) -> None:
    play.assert_nothing_broke()
    assert [play.offered_ma(name, "gone") for name in ("k1", "k2")] == [20_000, 20_000]
    _assert_told_and_back(play, ("k1", "k2"))


@after(play_bus)
def test_a_line_that_vanishes_and_returns_is_named_and_used_again_without_a_restart(play: Played) -> None:
    play.assert_nothing_broke()
    assert sum(play.offered_ma(name, "gone") for name in GEN2) == LIMIT_A * 1000, play.told("a")
    _assert_told_and_back(play, GEN2)


def _assert_told_and_back(play: Played, names: tuple[str, ...]) -> None:
    words = play.controllers[0]
    for name in names:
        assert words.said_s(f" {name}: ", play.marks["gone"]) is not None, words.words
        assert words.said_s(f" {name}: answers again", play.marks["gone"]) is not None, words.words
    back_s = [play.reaches_s(name, (0).__lt__, "back") for name in names]
    play.figures["offered again after"] = [round(one_s, 1) for one_s in back_s]
    assert play.figures["run ended with"] == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_trace_that_cannot_even_be_begun_is_refused_before_anything_is_regulated(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    head = 'schema = "powershare/site/1"\nsupply = "single_phase"\n[[circuit]]\nid = "feeder"\nlimit_a = 40\n'
    keys = 'circuit = "feeder"\nfallback_a = 0\nadapter = "serial+twc:///dev/no-such-line?id=1234"\n'
    site.write_text(f'{head}[[connector]]\nid = "a"\n{keys}')
    words = command("run", site, "--trace", "/dev/full")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "/dev/full: cannot be written: No space left on device" in done.stderr
    assert "regulates" not in done.stderr
