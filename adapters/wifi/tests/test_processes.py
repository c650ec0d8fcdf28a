"""`powershare node`: six real processes on loopback agree, die, stand still and start again, and their units tell.

The units live in a process of their own, with leases: what they say that they did is the witness, and no process that
regulated them. The story is played once and looked at by several tests.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from powershare.cli.app import run as program
from powershare.files import load_site, merge_traces, read_trace
from powershare.networking import Keys, write_keys
from powershare.trace import AuditResult, ConnectorEvent, audit

from .lease_units import plant
from .node_plant import LIMIT_A, ROOT, Plant, command, run

pytestmark = pytest.mark.slow

SITE = """
schema = "powershare/site/1"
supply = "single_phase"

[[circuit]]
id = "feeder"
limit_a = 36

[[connector]]
id = "north"
circuit = "feeder"
step_a = 1
adapter = "lease:127.0.0.1:9/north" # nobody listens there: a node without its device votes all the same

[[connector]]
id = "south"
circuit = "feeder"
step_a = 1
adapter = "lease:127.0.0.1:9/south"
"""
FLOOD_S = 2.0


@attrs.define(kw_only=True)
class Told:
    """What was seen while the story was played.

    Attributes:
        leaders: Who led: at first, after the leader was killed, after the next one stood still, after all began again.
        shared_s: How long it took until three cars shared: at first, without the dead, after all began again.
        flooded: Offers before and after the flood.
        second: How a second process of a member ended.
        codes: Exit codes at the end.
        result: What the units' trace adds up to.
        merged: What the nodes' traces of the first minute add up to; they end with the kill.
        events: The units' trace.
        words: What was said, by host.
    """

    leaders: list[str | None] = attrs.field(factory=list)
    shared_s: list[float] = attrs.field(factory=list)
    flooded: list[dict[str, int]] = attrs.field(factory=list)
    second: "subprocess.CompletedProcess[str] | None" = None
    codes: list[int] = attrs.field(factory=list)
    result: AuditResult | None = None
    merged: AuditResult | None = None
    events: list[ConnectorEvent] = attrs.field(factory=list)
    words: dict[str, list[str]] = attrs.field(factory=dict)


def files(directory: Path) -> tuple[Path, Path, dict[str, Any]]:
    """A site of two, a key, and the environment in which their adapter is found."""
    site, key = directory / "site.toml", directory / "net.key"
    site.write_text(SITE)
    write_keys(key, Keys.new())
    plant(directory)
    return site, key, {"PYTHONPATH": os.pathsep.join([str(directory), str(ROOT)])}


def shares(offers: dict[str, int]) -> bool:
    """Three cars, 12 A each."""
    return offers["c"] == offers["d"] == offers["e"] == LIMIT_A // 3


def flood(plant: Plant) -> None:
    """Ten thousand datagrams a second at somebody who charges, and at who leads: noise, cut, and of another network."""
    sealed = b"PW\1\0" + os.urandom(200)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        began_s, sent = time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < FLOOD_S:
            for _ in range(max(0, round(passed_s * 10_000) - sent)):
                stranger.sendto(sealed[: 1 + sent % len(sealed)], plant.places["a" if sent % 2 else "c"])
                sent += 1
            time.sleep(0.002)


def audited(plant: Plant) -> AuditResult:
    """What the nodes have written so far, merged."""
    traces = [read_trace(path) for path in sorted(plant.directory.glob("node-*.jsonl"))]
    assert len(traces) == 6
    return audit(load_site(plant.site), merge_traces(traces)[1])


def wait(seen: Callable[[], object], within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Elect and share; a flood; kill who leads; stop who leads then; all of them at once; the end."""
    story = Told()
    with Plant(tmp_path_factory.mktemp("plant"), traced=True) as plant:
        plant.plug_in("c", "d", "e")
        plant.start()
        story.shared_s.append(plant.until(shares, 40))
        story.leaders.append(plant.leader())
        story.flooded.append(plant.offers_a())
        flood(plant)
        wait(lambda: all("truncated" in "".join(plant.words(name)) for name in "ac"), 5)
        story.flooded.append(plant.offers_a())
        story.second = run("node", plant.site, "c", "--key", plant.key, "--mdns", **dict(plant.environment))
        story.merged = audited(plant)
        plant.kill("a")
        plant.until(lambda offers: sum(offers.values()) < 30, 30)
        story.shared_s.append(plant.until(lambda offers: offers["c"] + offers["d"] + offers["e"] >= 30, 60))
        leader = plant.leader()
        story.leaders.append(leader)
        assert leader is not None
        plant.stop(leader)
        wait(lambda: plant.leader() != leader, 30)
        story.leaders.append(plant.leader())
        plant.go_on(leader)
        time.sleep(1)  # it goes on with what it was about to do, two leases later
        plant.kill()
        plant.start()
        wait(lambda: min(sum("regulates" in line for line in plant.words(name)) for name in "bcdef") == 2, 30)
        story.shared_s.append(plant.until(shares, 60))
        story.codes = plant.end()
        story.result, story.events = plant.result(), plant.events()
        story.words = {name: plant.words(name) for name in plant.hosts}
    return story


def test_no_limit_breaks_at_any_instant(told: Told) -> None:
    """By the account of the units, which outlived all of it."""
    assert told.result is not None
    assert told.result.breaches == ()
    assert told.result.events > 50
    (peak,) = told.result.peaks
    assert peak.offered_ma <= LIMIT_A * 1_000
    assert peak.offered_ma >= 30_000, "and most of it was used"


def test_what_nodes_write_adds_up_to_the_same(told: Told) -> None:
    """Their traces of a minute without deaths, merged by when each began."""
    assert told.merged is not None
    assert told.merged.breaches == ()
    assert 30_000 <= told.merged.peaks[0].offered_ma <= LIMIT_A * 1_000


def test_the_commissioned_leader_leads_and_others_take_over(told: Told) -> None:
    first, second, third = told.leaders
    assert first == "a"
    assert second not in {None, "a"}
    assert third not in {None, second}


def test_the_idle_leave_their_share_to_who_charges(told: Told) -> None:
    assert {event.pilot_ma for event in told.events if event.connector in "bf"} == {0}


def test_a_flood_of_strangers_changes_no_offer(told: Told) -> None:
    before, after = told.flooded
    assert before == after
    for name in "ac":
        assert any("foreign" in line or "truncated" in line for line in told.words[name]), told.words[name]


def test_a_second_process_of_a_member_is_refused_on_this_host(told: Told) -> None:
    assert told.second is not None
    assert told.second.returncode == 2
    assert 'member "c": has a process on this host already (process ' in told.second.stderr


def test_ended_in_order_it_ends_with_0(told: Told) -> None:
    assert told.codes == [0] * 6
    assert any("is follower (handed over)" in line for lines in told.words.values() for line in lines)


def test_a_service_manager_hears_that_it_is_ready_lives_and_ends(tmp_path: Path) -> None:
    """And hears no more of a process that stands still: then it may start another one."""
    site, key, environment = files(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)
        words = command("node", site, "south", "--key", key, "--listen", "127.0.0.1:0")
        asked = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000"}
        service = {**os.environ, **environment, **asked}
        with subprocess.Popen(words, env=service, stderr=subprocess.DEVNULL) as process:
            try:
                assert manager.recv(100) == b"READY=1"
                assert [manager.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
                process.send_signal(signal.SIGSTOP)
                manager.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    manager.recv(100)  # what was said before it stood still
                manager.settimeout(2.5)
                with pytest.raises(TimeoutError):
                    manager.recv(100)
                process.send_signal(signal.SIGCONT)
                manager.settimeout(15)
                assert manager.recv(100) == b"WATCHDOG=1"
                process.send_signal(signal.SIGTERM)
                said = manager.recv(100)
                assert said == b"STOPPING=1" or manager.recv(100) == b"STOPPING=1"
                assert process.wait(20) == 0
            finally:
                process.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nort"], 'ID: names "nort"'),
        (["north", "north"], "is written twice"),
        (["witness"], 'names "witness"'),
        (["north", "--meter", "feeder"], "--meter: names"),
        (["north", "--peer", "west=127.0.0.1:1"], 'names "west"; there are north, south'),
        (["north"], "nobody knows where the other members are"),
        (["north", "--peer", "south"], "write ID=HOST:PORT"),
        (["north", "--listen", "4710"], "write HOST:PORT"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    site, key, _ = files(tmp_path)
    assert program(["node", str(site), *arguments, "--key", str(key), "--seconds", "1"]) == 2
    assert words in capsys.readouterr().err


def test_members_on_one_network_find_each_other_by_themselves(tmp_path: Path) -> None:
    """Neither knows where the other is; each hears the other, and the commissioned one leads."""
    pytest.importorskip("zeroconf")
    site, key, environment = files(tmp_path)
    words = ("--key", key, "--mdns", "--listen", "127.0.0.1:0", "--metrics", "0", "--seconds", "9")
    both = [
        subprocess.Popen(
            command("node", site, name, *words), stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        for name in ("north", "south")
    ]
    said = [process.communicate(timeout=60)[1] for process in both]
    if any("cannot announce" in one for one in said):
        pytest.skip("no multicast here")
    assert [process.returncode for process in both] == [0, 0], said
    assert "north: is leader" in said[0]
    for one in said:
        assert "metrics: served at http://127.0.0.1:" in one
        found = re.search(r"(\d+) handed in", one)
        assert found is not None, one
        assert int(found[1]) >= 3


def test_without_a_distribution_that_carries_messages_it_says_what_to_install(tmp_path: Path) -> None:
    site, key, environment = files(tmp_path)
    done = run("node", site, "north", "--key", key, "--mdns", "--network", "wire", **environment)
    assert done.returncode == 4
    assert 'no network "wire" is installed' in done.stderr


def test_keys_are_made_and_changed(tmp_path: Path) -> None:
    key = tmp_path / "net.key"
    assert run("network", "key", "new", key).returncode == 0
    again = run("network", "key", "new", key)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    for step, seals, opens in (("add", 1, "1, 2"), ("use", 2, "1, 2"), ("forget", 2, "2")):
        done = run("network", "key", step, key)
        assert f"seals with key {seals}, opens {opens};" in done.stdout
    key.chmod(0o644)
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    refused = run("node", site, "north", "--key", key, "--mdns")
    assert refused.returncode == 2
    assert "chmod 600" in refused.stderr
