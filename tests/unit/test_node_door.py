"""What a host tells its node is refused at the door, as if it had not been told, or counts to the end of the run."""

from collections.abc import Callable

import attrs
import pytest
from tests.unit.test_node import Bus, site

from powershare.demand import Counts, ExternalLimit
from powershare.errors import ContractError
from powershare.node import (
    Applied,
    Configure,
    DeviceState,
    HandOver,
    Limited,
    Measured,
    NetworkConfig,
    OtherLoad,
    Received,
    Stage,
    Woken,
    decode,
    steps,
)
from powershare.node.door import MOST_S, MOST_WH
from powershare.node.messages import StatusReport
from powershare.node.parts import MOST_MS, MOST_READINGS
from powershare.site import Circuit, Site
from powershare.units import MAX_CONNECTOR_MA, MAX_LIMIT_MA

NOW_MS = 70_000
"""A leads and charges by then, and so does b, which follows it; c follows, too."""

LATER_MS = NOW_MS + 5
"""What is refused is told then."""

METERED = attrs.evolve(
    site("abc"),
    circuits=(
        Circuit(id="feeder", limit_ma=36_000, other_load_worst_ma=0),
        *(Circuit(id=f"light{place}", parent="feeder", limit_ma=10_000) for place in range(MOST_READINGS)),
    ),
)


def running(installed: Site = METERED, *, witness: bool = False) -> Bus:
    bus = Bus(NetworkConfig(site=site("abc", witness=True) if witness else installed))
    bus.run(60_000)
    bus.plug("a")
    bus.plug("b")
    bus.run(NOW_MS)
    return bus


def limit(
    limit_ma: object = 10_000, *, until_ms: object = NOW_MS + 60_000, source: object = "utility", **where: object
) -> Limited:
    where = where or {"circuit": "feeder"}
    return Limited(ExternalLimit(limit_ma=limit_ma, source=source, **where), until_ms)  # type: ignore[arg-type]


def device(**fields: object) -> DeviceState:
    return DeviceState(**{"plugged": True, "wants": True, "closed": True, **fields})  # type: ignore[arg-type]


def load(circuit: object = "feeder", load_ma: object = (1_000,), at_ms: object = NOW_MS) -> OtherLoad:
    return OtherLoad(circuit, load_ma, at_ms)  # type: ignore[arg-type]


REFUSED: list[tuple[object, str]] = [
    (None, "the event is None"),
    ("woken", "the event is 'woken'"),
    (Received("text"), "Received.data"),  # type: ignore[arg-type]
    (Received(None), "Received.data"),  # type: ignore[arg-type]
    (Measured(MAX_CONNECTOR_MA + 1, NOW_MS), "Measured.current_ma is 10000001"),
    (Measured(1 << 31, NOW_MS), "Measured.current_ma"),
    (Measured(10**5_000, NOW_MS), "Measured.current_ma is a number beyond all bounds"),
    (Measured(1.5, NOW_MS), "Measured.current_ma is 1.5"),  # type: ignore[arg-type]
    (Measured(True, NOW_MS), "Measured.current_ma is True"),
    (Measured(500, LATER_MS + 1), "Measured.at_ms is 70006, and now it is 70005"),
    (Measured(500, -MOST_MS - 1), "Measured.at_ms"),
    (Measured(500, None), "Measured.at_ms"),  # type: ignore[arg-type]
    (Applied(-1, 0, NOW_MS, closed=True), "Applied.write is -1"),
    (Applied(1, -1, NOW_MS, closed=True), "Applied.offered_ma is -1"),
    (Applied(1, MAX_CONNECTOR_MA + 1, NOW_MS, closed=True), "Applied.offered_ma"),
    (Applied(1, 0, LATER_MS + 1, closed=True), "Applied.at_ms"),
    (Applied(1, 0, NOW_MS, closed=None), "Applied.closed is None"),  # type: ignore[arg-type]
    (device(plugged=1), "DeviceState.plugged is 1"),
    (device(wants=None), "DeviceState.wants"),
    (device(closed="yes"), "DeviceState.closed"),
    (device(offered_ma=-1), "DeviceState.offered_ma"),
    (device(offered_ma=1 << 33), "DeviceState.offered_ma"),
    (device(offered_ma=None), "DeviceState.offered_ma"),
    (device(left_alone_ma=-1), "DeviceState.left_alone_ma"),
    (device(left_alone_ma=MAX_CONNECTOR_MA + 1), "DeviceState.left_alone_ma"),
    (device(left_alone_ma=None), "DeviceState.left_alone_ma"),
    (device(wanted_ma=-1), "DeviceState.wanted_ma is -1"),
    (device(wanted_ma=20_000_000), "DeviceState.wanted_ma is 20000000; give whole milliamps from 0 to 10000000, or No"),
    (device(energy_needed_wh=-1), "DeviceState.energy_needed_wh"),
    (device(energy_needed_wh=MOST_WH + 1), "DeviceState.energy_needed_wh"),
    (device(departs_in_s=MOST_S + 1), "DeviceState.departs_in_s"),
    (device(departs_in_s=-MOST_S - 1), "DeviceState.departs_in_s"),
    (device(vehicle="\ud800"), "DeviceState.vehicle"),
    (device(vehicle=b"id"), "DeviceState.vehicle"),
    (load("nope"), 'OtherLoad.circuit names "nope"'),
    (load(None), "OtherLoad.circuit"),
    (load(load_ma=()), "OtherLoad.load_ma is ()"),
    (load(load_ma=(1_000, 1_000)), "OtherLoad.load_ma"),
    (load(load_ma=1_000), "OtherLoad.load_ma"),
    (load(load_ma=(MAX_LIMIT_MA + 1,)), "OtherLoad.load_ma"),
    (load(load_ma=(1.5,)), "OtherLoad.load_ma has 1.5"),
    (load(at_ms=LATER_MS + 1), "OtherLoad.at_ms"),
    (Limited("10 A", NOW_MS), "Limited.limit is '10 A'"),  # type: ignore[arg-type]
    (limit(circuit="nope"), 'Limited.limit.circuit names "nope"'),
    (limit(connector="feeder"), 'Limited.limit.connector names "feeder"'),
    (limit((1, 2, 3)), "Limited.limit.limit_ma"),
    (limit(()), "Limited.limit.limit_ma"),
    (limit(source="x" * 41), "Limited.limit.source"),
    (limit(source="ä" * 21), "at most 40 bytes"),
    (limit(source="\udfff"), "Limited.limit.source"),
    (limit(source=5), "Limited.limit.source is 5"),
    (limit(until_ms=1 << 60), "Limited.until_ms"),
    (limit(until_ms=LATER_MS + MOST_MS + 1), "Limited.until_ms"),
    (limit(until_ms=None), "Limited.until_ms"),
    (Configure(None), "Configure.commissioning is None"),  # type: ignore[arg-type]
    (Configure(steps(NetworkConfig(site=METERED), NetworkConfig(site=site("xy")))[1]), "has no member"),
    (Configure(steps(NetworkConfig(site=site("x")), NetworkConfig(site=site("xy")))[0]), "has no member"),
]


@pytest.mark.parametrize("who", ["a", "b"], ids=["leader", "follower"])
@pytest.mark.parametrize(
    ("event", "why"), REFUSED, ids=[f"{place}-{why[:40]}" for place, (_, why) in enumerate(REFUSED)]
)
def test_what_cannot_be_is_refused_and_changes_nothing(event: object, why: str, who: str) -> None:
    bus, twin = running(), running()
    node = bus.nodes[who]
    with pytest.raises(ContractError) as refusal:
        node.step(event, LATER_MS)  # type: ignore[arg-type]
    assert why in str(refusal.value)
    assert node.step(Woken(), NOW_MS + 1) == twin.nodes[who].step(Woken(), NOW_MS + 1), "not even the time was taken"
    for one in (bus, twin):
        one.wakes[who] = NOW_MS + 2
        one.run(NOW_MS + 6_000)
    assert bus.outputs == twin.outputs
    assert all(
        one.counters == other.counters for one, other in zip(bus.nodes.values(), twin.nodes.values(), strict=True)
    )


@pytest.mark.parametrize("who", ["a", "b"], ids=["leader", "follower"])
@pytest.mark.parametrize("now_ms", [MOST_MS + 1, -MOST_MS - 1, 70_000.5, None, NOW_MS - 1], ids=str)
def test_a_time_that_cannot_be_is_refused_and_changes_nothing(now_ms: object, who: str) -> None:
    bus, twin = running(), running()
    bus.nodes[who].step(Woken(), NOW_MS)
    twin.nodes[who].step(Woken(), NOW_MS)
    with pytest.raises(ContractError):
        bus.nodes[who].step(Woken(), now_ms)  # type: ignore[arg-type]
    assert bus.nodes[who].step(Woken(), NOW_MS) == twin.nodes[who].step(Woken(), NOW_MS)


@pytest.mark.parametrize(
    "event", [Measured(0, 0), Applied(1, 0, 0, closed=True), device()], ids=lambda event: type(event).__name__
)
def test_a_member_without_a_device_refuses_word_of_one(event: object) -> None:
    bus = running(witness=True)
    with pytest.raises(ContractError, match="no device"):
        bus.nodes["witness"].step(event, NOW_MS)  # type: ignore[arg-type]


TAKEN: list[Callable[[int], object]] = [
    lambda now_ms: Measured(MAX_CONNECTOR_MA, now_ms),
    lambda now_ms: Measured(0, -MOST_MS),
    lambda now_ms: Measured(-1, now_ms),
    lambda now_ms: Measured(-(1 << 40), now_ms),
    lambda _now_ms: device(offered_ma=MAX_CONNECTOR_MA, wanted_ma=MAX_CONNECTOR_MA),
    lambda _now_ms: device(wanted_ma=0, energy_needed_wh=MOST_WH, departs_in_s=MOST_S),
    lambda _now_ms: device(energy_needed_wh=0, departs_in_s=-MOST_S),
    lambda _now_ms: device(energy_needed_wh=0, departs_in_s=0, vehicle=""),
    lambda _now_ms: device(vehicle="ä" * 1_000),
    lambda now_ms: load(load_ma=(MAX_LIMIT_MA,), at_ms=now_ms),
    lambda now_ms: load(load_ma=(-(1 << 50),), at_ms=now_ms),
    lambda now_ms: limit(
        MAX_LIMIT_MA, until_ms=now_ms + MOST_MS, source="ä" * 20, counts=Counts.CONNECTORS, circuit="feeder"
    ),
    lambda _now_ms: limit((0,), connector="c"),
    lambda _now_ms: limit(until_ms=-(1 << 60)),
    lambda _now_ms: HandOver(),
    lambda _now_ms: Received(b""),
]


@pytest.mark.parametrize("who", ["a", "b"], ids=["leader", "follower"])
@pytest.mark.parametrize("event", TAKEN, ids=[str(place) for place in range(len(TAKEN))])
def test_what_can_be_can_be_said(event: Callable[[int], object], who: str) -> None:
    """The widest that is taken in passes the policy and the ledger of a leader, and the codec of a follower."""
    bus = running()
    bus.tell(who, event(bus.now_ms))
    bus.run(bus.now_ms + 6_000)
    heard = {reason for node in bus.nodes.values() for reason in node.counters}
    assert heard <= {"repeated", "report too old", "below the fence", "length"}, heard
    assert all(not node.leading.granting.silent(1, bus.now_ms) for node in bus.nodes.values() if node.leading)


def test_a_negative_current_is_none() -> None:
    """Noise, or a vehicle that feeds back."""
    bus, twin = running(), running()
    bus.tell("b", Measured(-5, NOW_MS))
    twin.tell("b", Measured(0, NOW_MS))
    bus.run(NOW_MS + 3_000)
    twin.run(NOW_MS + 3_000)
    assert bus.outputs == twin.outputs
    said = [
        decode(message.data, bus.nodes["b"].commissioning.hash)
        for name, output in bus.outputs
        for message in output.send
        if name == "b"
    ]
    assert any(isinstance(report, StatusReport) and report.measured_ma == 0 for report in said)


@pytest.mark.parametrize("who", ["a", "b"], ids=["leader", "follower"])
def test_a_member_takes_four_limits_at_a_time(who: str) -> None:
    bus = running()
    for place in range(4):
        bus.tell(who, limit(20_000 + place, source=f"s{place}"))
    for further in (limit(source="s4"), limit(source="s0", connector="c")):
        with pytest.raises(ContractError, match="at most 4 at a time; take one back first"):
            bus.nodes[who].step(further, bus.now_ms)
    bus.tell(who, limit(8_000, source="s0"))
    bus.run(bus.now_ms + 5_000)
    assert sum(bus.offers().values()) == 8_000, "the first is replaced"
    bus.tell(who, limit(source="s4", until_ms=bus.now_ms))  # one is taken back that was never told
    bus.tell(who, limit(source="s0", until_ms=bus.now_ms - 1))
    bus.tell(who, limit(9_000, source="s4"))
    bus.run(bus.now_ms + 5_000)
    assert sum(bus.offers().values()) == 9_000


def test_limits_that_have_ended_make_room() -> None:
    bus = running()
    for place in range(4):
        bus.tell("b", limit(source=f"s{place}", until_ms=NOW_MS + 1_000))
    bus.run(NOW_MS + 999)
    with pytest.raises(ContractError, match="further one"):
        bus.nodes["b"].step(limit(source="s4"), bus.now_ms)
    bus.run(NOW_MS + 1_000)
    bus.tell("b", limit(source="s4"))
    assert bus.nodes["b"].step(Woken(), bus.now_ms).wake_ms is not None


@pytest.mark.parametrize("who", ["a", "b"], ids=["leader", "follower"])
def test_a_member_takes_readings_of_twelve_circuits_at_a_time(who: str) -> None:
    bus = running()
    for place in range(MOST_READINGS):
        bus.tell(who, load(f"light{place}"))
    with pytest.raises(ContractError, match="12 other circuits have fresh readings"):
        bus.nodes[who].step(load("feeder"), bus.now_ms)
    bus.tell(who, load("light3", (2_000,)))
    bus.run(NOW_MS + 11_000)
    bus.tell(who, load("feeder", at_ms=bus.now_ms))
    bus.run(bus.now_ms + 1_000)
    assert bus.nodes["a"].leading is not None
    assert bus.nodes["a"].leading.surroundings.in_force(bus.now_ms)[0] == {"feeder": (1_000,)}


def test_a_step_that_comes_too_early_changes_nothing() -> None:
    former, following = NetworkConfig(site=site("abc")), NetworkConfig(site=site("abc", 30_000))
    first, second = steps(former, following)
    nodes = []
    for asks in (False, True):
        bus = running(site("abc"))
        bus.tell("a", Configure(first))
        if asks:
            with pytest.raises(ContractError, match="not all members hold the step before: b, c; let them"):
                bus.nodes["a"].step(Configure(second), bus.now_ms + 10)
        nodes.append(bus.nodes["a"])
    assert nodes[0].commissioning.stage is nodes[1].commissioning.stage is Stage.TRANSITIONAL
    assert nodes[0].step(Woken(), NOW_MS + 1) == nodes[1].step(Woken(), NOW_MS + 1)
