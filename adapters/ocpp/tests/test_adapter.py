"""Orders to stations of every kind, in virtual time: what they are told, in which order, and for how long."""

import asyncio
import os
from collections.abc import Sequence
from random import Random

import pytest

from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare.simulation.vehicle import Traits
from powershare_ocpp.emulated.station import StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.wire.frames import Call

from .stations import Yard, told_profile, told_schedule

WALKS = int(os.environ.get("OCPP_WALKS", "2"))
"""Random walks of each kind; more of them: OCPP_WALKS=50 pytest -k random_walk."""

pytestmark = pytest.mark.usefixtures("spoken")


def profiles(calls: Sequence[Call]) -> list[tuple[str, float]]:
    found = []
    for call in calls:
        period = told_schedule(call)["chargingSchedulePeriod"][0]
        found.append((told_profile(call)["chargingProfilePurpose"], period["limit"]))
    return found


def test_an_order_is_a_profile_that_ends_above_one_that_stays() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        assert profiles(yard.asked("SetChargingProfile")) == [("TxDefaultProfile", 6.0), ("TxProfile", 16.0)]
        assert yard.offered_ma() == 16_000
        await asyncio.sleep(10)
        assert yard.offered_ma() == 6_000
        assert (await adapter.read()).offered_ma == 6_000
        await adapter.close()

    yard.run(test)


def test_what_stays_is_written_once_and_nothing_is_ever_cleared() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        for step in range(40):
            await adapter.offer(yard.offer(6_000 + 100 * step, then_ma=6_000))
            await asyncio.sleep(3)
        assert yard.station.writes == 1
        assert len(yard.station.store) == 2
        assert not yard.asked("ClearChargingProfile")
        await adapter.close()

    yard.run(test)


def test_between_two_orders_a_station_is_within_both() -> None:
    """What stays is lowered before the lease, and raised after it."""
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(10_000, then_ma=6_000))
        await adapter.offer(yard.offer(20_000, then_ma=8_000))
        await adapter.offer(yard.offer(9_000, then_ma=0))
        assert profiles(yard.asked("SetChargingProfile"))[2:] == [
            ("TxProfile", 20.0),
            ("TxDefaultProfile", 8.0),
            ("TxDefaultProfile", 0.0),
            ("TxProfile", 9.0),
        ]
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize(
    ("traits", "purposes"),
    [
        (StationTraits(), ["TxDefaultProfile", "TxProfile"]),
        (StationTraits(takes_tx=False), ["TxDefaultProfile", "TxProfile", "TxDefaultProfile"]),
        (StationTraits(takes_tx=False, most_level=0), ["TxDefaultProfile", "TxProfile", "TxDefaultProfile"]),
    ],
)
def test_what_a_station_refuses_each_time_is_not_tried_again(traits: StationTraits, purposes: list[str]) -> None:
    yard = Yard(traits)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        assert [purpose for purpose, _ in profiles(yard.asked("SetChargingProfile"))] == purposes
        for _ in range(3):
            await adapter.offer(yard.offer(12_000))
        told = len(yard.asked("SetChargingProfile"))
        await adapter.offer(yard.offer(14_000))
        assert profiles(yard.asked("SetChargingProfile")[told:]) == [(purposes[-1], 14.0)]
        assert yard.offered_ma() == 14_000
        await adapter.close()

    yard.run(test)


def test_a_profile_refused_once_is_tried_again() -> None:
    """A transaction that has just ended has no profile; the next one has."""
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        number, yard.station.served[1].number = yard.station.served[1].number, -1
        await adapter.offer(yard.offer(15_000))
        yard.station.served[1].number = number
        await adapter.offer(yard.offer(14_000))
        assert [purpose for purpose, _ in profiles(yard.asked("SetChargingProfile"))[2:]] == [
            "TxProfile",
            "TxDefaultProfile",
            "TxProfile",
        ]
        await adapter.close()

    yard.run(test)


def test_a_station_that_takes_no_order_that_ends_is_refused_in_its_own_words() -> None:
    yard = Yard(StationTraits(takes_tx=False, most_level=0, most_periods=1))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        with pytest.raises(AdapterRejected, match=r"takes no order that ends.*answered 'Rejected'.*only stack level 0"):
            await adapter.offer(yard.offer(16_000))
        await adapter.close()

    yard.run(test)


def test_a_station_that_takes_only_watts_gets_watts_of_all_lines() -> None:
    yard = Yard(StationTraits(units="Power"), lines=3)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        assert profiles(yard.asked("SetChargingProfile"))[-1] == ("TxProfile", 11_040.0)
        assert yard.offered_ma() == 16_000
        await adapter.close()

    yard.run(test)


def test_an_address_with_the_wrong_unit_is_refused_with_the_right_one() -> None:
    yard = Yard(StationTraits(units="Power"))

    async def test() -> None:
        with pytest.raises(AdapterRejected, match="takes W only; write unit=W"):
            await yard.adapter(more="&unit=A").open()

    yard.run(test)


@pytest.mark.parametrize(("ahead_ms", "wrong"), [(12_000, "11.* s ahead"), (-12_000, "12.* s behind")])
def test_a_clock_beyond_the_bound_is_refused_with_how_much_and_what_to_do(ahead_ms: int, wrong: str) -> None:
    yard = Yard(StationTraits(ahead_ms=ahead_ms))

    async def test() -> None:
        with pytest.raises(AdapterRejected, match=f"clock of station GARAGE-1 is {wrong} of .* set the clocks"):
            await yard.adapter().open()

    yard.run(test)


@pytest.mark.parametrize("ahead_ms", [-3_000, -500, 0, 500, 3_000])
def test_a_clock_within_the_bound_lengthens_no_order(ahead_ms: int) -> None:
    yard = Yard(StationTraits(ahead_ms=ahead_ms))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        order = yard.offer(16_000, for_ms=8_000)
        await adapter.offer(order)
        assert yard.offered_ma() == 16_000
        seen_until_ms = 0
        while yard.clock.now_ms() < order.valid_until_ms + 5_000:
            if yard.offered_ma() == 16_000:
                seen_until_ms = yard.clock.now_ms()
            await asyncio.sleep(0.01)
        assert seen_until_ms < order.valid_until_ms
        assert seen_until_ms > order.valid_until_ms - 100 - max(0, ahead_ms)
        await adapter.close()

    yard.run(test)


def test_an_order_that_would_be_over_by_the_stations_clock_is_refused() -> None:
    yard = Yard(StationTraits(ahead_ms=5_000))

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        with pytest.raises(AdapterRejected, match="over before the station could have it"):
            await adapter.offer(yard.offer(16_000, for_ms=4_000))
        await adapter.close()

    yard.run(test)


def test_connectors_of_one_station_share_its_line_and_not_their_orders() -> None:
    yard = Yard(connectors=2)

    async def test() -> None:
        left, right = yard.adapter(connector=1), yard.adapter(connector=2)
        await asyncio.gather(left.open(), right.open())
        await asyncio.gather(left.offer(yard.offer(10_000)), right.offer(yard.offer(20_000)))
        assert (yard.offered_ma(1), yard.offered_ma(2)) == (10_000, 20_000)
        await left.close()
        assert (await right.read()).offered_ma == 20_000
        assert len([*yard.asked("GetConfiguration"), *yard.asked("GetVariables")]) == 1
        with pytest.raises(AdapterUnavailable, match="not open"):
            await left.read()
        await right.close()

    yard.run(test)


def test_a_broken_connection_is_joined_again_without_an_order_of_its_own() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000, then_ma=6_000, for_ms=20_000))
        told = len(yard.asked("SetChargingProfile"))
        yard.station.hang_up()
        with pytest.raises(AdapterUnavailable, match=r"hung up|not on the line"):
            await adapter.read()
        await asyncio.sleep(1)
        assert (await adapter.read()).offered_ma == 16_000  # its lease goes on
        assert len(yard.asked("SetChargingProfile")) == told
        await adapter.offer(yard.offer(12_000, then_ma=6_000))
        assert yard.offered_ma() == 12_000
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize("spoken", [Voice16], indirect=True)
def test_a_transaction_keeps_its_number_when_a_lost_answer_makes_it_begin_again() -> None:
    yard = Yard()

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(16_000))
        first = told_profile(yard.asked("SetChargingProfile")[-1])["transactionId"]
        yard.station.voice.tell_start(1, yard.station.served[1])
        await asyncio.sleep(1)
        await adapter.offer(yard.offer(16_000))
        again = told_profile(yard.asked("SetChargingProfile")[-1])["transactionId"]
        yard.station.restart()
        await asyncio.sleep(1)
        await adapter.offer(yard.offer(16_000))
        other = told_profile(yard.asked("SetChargingProfile")[-1])["transactionId"]
        assert first == again != other
        await adapter.close()

    yard.run(test)


@pytest.mark.parametrize(
    "traits",
    [
        StationTraits(),
        StationTraits(units="Power"),
        StationTraits(takes_tx=False),
        StationTraits(takes_tx=False, most_level=0),
        StationTraits(ahead_ms=-2_000),
        StationTraits(ahead_ms=2_000),
        StationTraits(takes_level=0),
        StationTraits(renews_tx=False),
    ],
    ids=["plain", "watts", "no-tx", "level-0", "behind", "ahead", "less-levels", "no-renewal"],
)
@pytest.mark.parametrize("seed", range(WALKS))
def test_on_a_random_walk_no_order_is_exceeded(traits: StationTraits, seed: int) -> None:
    """Orders, silences, broken lines, vehicles that come and go: at each instant it is within what it may be told."""
    yard, dice = Yard(traits), Random(seed)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await adapter.offer(yard.offer(0, 0))
        possible = [yard.offer(0, 0)]
        for _ in range(60):
            what = dice.choice(["order"] * 5 + ["silence", "hang up", "unplug", "plug in", "plug in", "wait"])
            if what == "order":
                then_ma = dice.choice([0, 6_000, 8_000])
                order = yard.offer(dice.randrange(then_ma, 33_000), then_ma, dice.randrange(200, 9_000))
                possible.append(order)
                try:
                    await adapter.offer(order)
                except (AdapterRejected, AdapterTimeout, AdapterUnavailable):
                    await adapter.close()
                    yard.station.line.silent = False
                    await adapter.open()
                else:
                    possible = [order]
            elif what == "silence":
                yard.station.line.silent = not yard.station.line.silent
            elif what == "hang up":
                yard.station.hang_up()
            elif what == "unplug":
                yard.station.outlets[0].unplug(yard.clock.now_ms())
            elif what == "plug in":
                yard.station.outlets[0].plug_in(Traits(max_ma=32_000), 60_000, yard.clock.now_ms())
            until_ms = yard.clock.now_ms() + dice.randrange(0, 4_000)
            while yard.clock.now_ms() <= until_ms:
                now_ms = yard.clock.now_ms()
                allowed_ma = max(adapter.declaration.most_offered_ma(one, now_ms) for one in possible)
                assert yard.offered_ma() <= allowed_ma
                await asyncio.sleep(0.1)
        await adapter.close()

    yard.run(test)


def test_a_station_that_tells_no_time_is_refused_an_order_that_ends_and_not_what_stays() -> None:
    yard = Yard(StationTraits(composite=False, triggers=False, metered=False), plugged=False)

    async def test() -> None:
        adapter = yard.adapter()
        await adapter.open()
        await asyncio.sleep(120)  # what it said when it dialled in is of no use any more
        await adapter.offer(yard.offer(16_000, then_ma=6_000))
        yard.station.outlets[0].plug_in(Traits(max_ma=32_000), 60_000, yard.clock.now_ms())
        await asyncio.sleep(120)
        with pytest.raises(AdapterRejected, match=r"tells no time.*(MeterValueSample|TxUpdated)Interval"):
            await adapter.offer(yard.offer(16_000, then_ma=6_000))
        assert yard.offered_ma() == 6_000
        await adapter.close()

    yard.run(test)
