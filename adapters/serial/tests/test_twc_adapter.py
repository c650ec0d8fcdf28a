"""What a Wall Connector says becomes a reading; an address or a unit that does not fit is refused with the remedy."""

import asyncio

import pytest

from powershare.adapter import HostClock, PilotState
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable, FormatError
from powershare.simulation.vehicle import Traits
from powershare_serial.twc.adapter import TwcAdapter
from powershare_serial.twc.messages import Query, Question, State, UnitBeat
from powershare_serial.twc.settings import settings_of
from powershare_serial.twc.states import fault_of, pilot_of

from .twc_bench import PATH, TESLA, TwcBench

FULL = Traits(max_ma=32_000, identity=TESLA)


def beat(state: int, *, allowed_ma: int = 0, actual_ma: int = 0) -> UnitBeat:
    return UnitBeat(sender=1, receiver=2, state=state, allowed_ma=allowed_ma, actual_ma=actual_ma, protocol=2)


@pytest.mark.parametrize(
    ("heard", "known", "pilot"),
    [
        (beat(State.READY), False, "A"),
        (beat(State.READY), True, "B"),
        (beat(State.READY, actual_ma=5_280), False, "C"),
        (beat(State.READY, actual_ma=250), False, "A"),
        (beat(State.CHARGING, allowed_ma=6_000), True, "C"),
        (beat(State.ERROR), True, "F"),
        (beat(State.ERROR, actual_ma=16_860), True, "F"),
        (beat(State.PLUGGED_IDLE, allowed_ma=16_000), True, "B"),
        (beat(State.ASKS_FOR_AMPS), True, "B"),
        (beat(State.ASKS_FOR_AMPS, allowed_ma=6_000), True, "C"),
        (beat(State.STARTING), True, "C"),
        (beat(State.LIMITED), True, "C"),
        (beat(State.ADJUSTED), True, "C"),
        (beat(State.BUSY), True, "E"),
        (beat(0x0F), True, "E"),
    ],
)
def test_states_of_the_unit_are_states_of_the_pilot(heard: UnitBeat, known: bool, pilot: PilotState) -> None:
    """What says nothing, or is not known, leaves the state as it was; here that was E."""
    assert pilot_of(heard, "E", known=known) == pilot


def test_an_error_state_is_a_fault_and_its_current_counts() -> None:
    assert fault_of(beat(State.CHARGING, actual_ma=16_000)) is None
    assert fault_of(beat(State.ERROR)) == "error state 02"
    assert fault_of(beat(State.ERROR, actual_ma=16_860)) == "error state 02, while the vehicle draws 16.86 A"


def test_a_unit_in_its_error_state_is_read_with_what_it_draws() -> None:
    bench = TwcBench({}, settings="&lines=3", plugged=False)
    bench.plug(0, Traits(max_ma=16_860))

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(32_000))
        await asyncio.sleep(40)
        bench.emulator.fail(0, "error")
        await adapter.offer(bench.order(0))
        await asyncio.sleep(20)
        reading = await adapter.read()
        assert (reading.state, reading.drawn_ma) == ("F", (16_860,) * 3)
        assert reading.fault == "error state 02, while the vehicle draws 16.86 A"
        await adapter.close()

    bench.run(test)


def test_what_a_unit_accepts_and_ignores_shows_in_what_it_draws() -> None:
    for failure, left_ma in (("ignores", 16_000), ("ignores-zero", 6_000)):
        bench = TwcBench({})

        async def test(bench: TwcBench = bench, failure: str = failure, left_ma: int = left_ma) -> None:
            adapter = bench.adapter()
            await adapter.open()
            await adapter.offer(bench.order(16_000))
            await asyncio.sleep(40)
            bench.emulator.fail(0, failure)
            await adapter.offer(bench.order(0))
            await asyncio.sleep(30)
            reading = await adapter.read()
            assert (reading.offered_ma, reading.drawn_ma) == (0, (left_ma,))
            await adapter.close()

        bench.run(test)


def test_the_meter_counts_where_it_shows_more() -> None:
    bench = TwcBench({"lines": "3"}, settings="&lines=3&meter=yes", plugged=False)
    bench.plug(0, Traits(max_ma=9_600, lines_used=2))

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        await asyncio.sleep(40)
        reading = await adapter.read()
        assert reading.drawn_ma == (10_000,) * 3, "9.6 A in halves of an amp, rounded up"
        await adapter.close()

    bench.run(test)


def test_a_vehicle_that_comes_and_goes_is_identified() -> None:
    bench = TwcBench({}, plugged=False)

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(0, for_ms=600_000))
        reading = await adapter.read()
        assert (reading.state, reading.vehicle) == ("A", None)
        bench.plug(0, FULL)
        await asyncio.sleep(5)
        reading = await adapter.read()
        assert (reading.state, reading.vehicle) == ("B", TESLA)
        bench.plug(0, Traits(max_ma=32_000, identity="5YJ3E1EA7KF000002"))
        await asyncio.sleep(5)
        assert (await adapter.read()).vehicle == "5YJ3E1EA7KF000002"
        bench.emulator.outlets[0].unplug(bench.clock.now_ms())
        await asyncio.sleep(130)
        reading = await adapter.read()
        assert (reading.state, reading.vehicle) == ("A", None)
        await adapter.close()

    bench.run(test)


def test_a_vehicle_that_came_while_nobody_watched_is_not_taken_for_the_last_one() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(0, for_ms=10_000))
        await asyncio.sleep(5)
        assert (await adapter.read()).vehicle == TESLA
        await asyncio.sleep(10)
        bench.plug(0, Traits(max_ma=32_000, identity="5YJ3E1EA7KF000002"))
        await asyncio.sleep(10)
        assert (await adapter.read()).vehicle == "5YJ3E1EA7KF000002"
        await adapter.close()

    bench.run(test)


def test_a_vehicle_that_sleeps_is_still_there() -> None:
    bench = TwcBench({}, plugged=False)
    bench.plug(0, Traits(max_ma=32_000, identity=TESLA, sleeps_ms=300_000))

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(0, for_ms=600_000))
        await asyncio.sleep(5)
        await adapter.offer(bench.order(16_000, for_ms=600_000))
        await asyncio.sleep(130)
        reading = await adapter.read()
        assert (reading.state, reading.vehicle) == ("B", TESLA)
        await adapter.close()

    bench.run(test)


def test_a_vehicle_without_a_vin_is_not_asked_for_ever() -> None:
    bench = TwcBench({}, plugged=False)
    bench.plug(0, Traits(max_ma=16_000))

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000, for_ms=700_000))
        await asyncio.sleep(600)
        assert (await adapter.read()).vehicle is None
        asked = [said for _, said in bench.sent if isinstance(said, Query)]
        assert 10 <= len(asked) <= 25
        assert {said.question for said in asked} == {Question.VIN_1}
        await adapter.close()

    bench.run(test)


def test_the_contactor_obeys_only_who_calls_it_by_name() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await adapter.cut_off()
        await adapter.open()
        await adapter.offer(bench.order(16_000, for_ms=600_000))
        await asyncio.sleep(40)
        await adapter.cut_off()
        assert bench.drawn_ma() == 0
        await asyncio.sleep(10)
        assert bench.drawn_ma() == 0
        await adapter.allow_again()
        await asyncio.sleep(40)
        assert bench.drawn_ma() == 16_000
        await adapter.close()

    bench.run(test)
    assert [said for _, said in bench.sent if getattr(said, "body", b"")[:2] in {b"\xfc\xb1", b"\xfc\xb2"}]


def test_without_an_id_the_only_unit_is_meant_and_several_are_named() -> None:
    alone, several = TwcBench({}), TwcBench({}, units=3)

    async def opens() -> None:
        adapter = TwcAdapter(f"//{PATH}", clock=alone.clock, connect=alone.connect)
        await adapter.open()
        await adapter.offer(alone.order(16_000))
        assert alone.offered_ma() == 16_000
        await adapter.close()

    async def refuses() -> None:
        adapter = TwcAdapter(f"//{PATH}", clock=several.clock, connect=several.connect)
        names = ", ".join(sorted(f"{unit.unit_id:04X}" for unit in several.wire.units))
        with pytest.raises(AdapterRejected, match=f"there are several units, {names}; write [?]id="):
            await adapter.open()
        stranger = TwcAdapter(f"//{PATH}?id=0001", clock=several.clock, connect=several.connect)
        with pytest.raises(AdapterTimeout, match=f"unit 0001 does not answer; there are: {names}"):
            await stranger.open()

    alone.run(opens)
    several.run(refuses)


def test_where_nobody_answers_the_error_says_what_to_look_at() -> None:
    bench = TwcBench({})
    bench.silence(True)

    async def test() -> None:
        adapter = TwcAdapter(f"//{PATH}", clock=bench.clock, connect=bench.connect)
        with pytest.raises(AdapterTimeout, match="no Wall Connector answers; is it on, is its rotary switch at F"):
            await adapter.open()

    bench.run(test)


def test_a_unit_that_had_a_controller_a_moment_ago_is_found_though_it_does_not_announce_itself() -> None:
    for protocol in ("1", "2"):
        bench = TwcBench({"protocol": protocol})

        async def test(bench: TwcBench = bench, protocol: str = protocol) -> None:
            bench.wire.units[0]._replying = True
            bench.wire.units[0]._announces_ms = bench.clock.now_ms() + 10**9
            adapter = bench.adapter()
            await adapter.open()
            await adapter.offer(bench.order(16_000))
            assert bench.offered_ma() == 16_000
            assert bench.beats()[-1][1].protocol == int(protocol)
            await adapter.close()

        bench.run(test)


def test_a_unit_that_is_built_for_less_is_refused_with_what_to_write() -> None:
    bench = TwcBench({"nameplate_a": "24"})

    async def test() -> None:
        for _ in range(2):
            with pytest.raises(AdapterRejected, match=r"is built for 24 A, less than the 32 A .*; write greatest_a=24"):
                await bench.adapter().open()
        adapter = bench.adapter(settings="&greatest_a=24")
        await adapter.open()
        await adapter.offer(bench.order(32_000))
        assert bench.offered_ma() == 24_000
        await adapter.close()

    bench.run(test)


def test_a_unit_whose_answers_are_spoiled_is_a_timeout() -> None:
    bench = TwcBench({})

    async def test() -> None:
        adapter = bench.adapter()
        await adapter.open()
        bench.emulator.fail(0, "wrong-checksums")
        with pytest.raises(AdapterTimeout, match="did not answer 3 times"):
            await adapter.offer(bench.order(16_000))
        with pytest.raises(AdapterTimeout):
            await adapter.read()
        bench.emulator.fail(0, "none")
        assert (await adapter.read()).offered_ma == 16_000, "it had heard, and it was not over"
        await adapter.close()

    bench.run(test)


@pytest.mark.parametrize(
    ("rest", "field", "message"),
    [
        ("///dev/ttyUSB0?id=zz", "id", "write up to 4 hexadecimal digits"),
        ("///dev/ttyUSB0?greatest_a=5", "greatest_a", "write 6 to 80 amps"),
        ("///dev/ttyUSB0?greatest_a=81", "greatest_a", "write 6 to 80 amps"),
        ("///dev/ttyUSB0?greatest_a=16.5", "greatest_a", "is 16.5, no multiple of step_a 1"),
        ("///dev/ttyUSB0?step_a=0.7&greatest_a=7", "step_a", "a step of whole hundredths that divides 6"),
        ("///dev/ttyUSB0?step_a=0.005", "step_a", "write 0.01 to 2 amps"),
        ("///dev/ttyUSB0?spike_a=48", "spike_a", "is above greatest_a 32"),
        ("///dev/ttyUSB0?watchdog_s=5", "watchdog_s", "write 10 to 600 seconds"),
        ("///dev/ttyUSB0?protocol=3", "protocol", "write auto or 1 or 2"),
        ("///dev/ttyUSB0?lines=4", "lines", "from 1 to 3"),
        ("///dev/ttyUSB0?id=7777", "controller_id", "is the unit's own id; write another"),
        ("///dev/ttyUSB0?meter=on", "meter", "write yes or no"),
        ("///dev/ttyUSB0?greatest=16", "greatest", "did you mean greatest_a"),
    ],
)
def test_a_bad_address_is_refused(rest: str, field: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        settings_of(rest)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_an_address_is_read_and_declared() -> None:
    settings = settings_of(
        "//wire.example:8899?id=2b&greatest_a=16.5&step_a=0.5&watchdog_s=45&protocol=1&lines=3&controller_id=1234"
        "&spike_a=16&meter=no"
    )
    assert (settings.unit_id, settings.controller_id, settings.protocol) == (0x2B, 0x1234, 1)
    declaration = settings.declaration()
    assert declaration.greatest_offer_ma == 16_500
    assert declaration.watchdog_ms == 45_000
    assert declaration.settle_ms == 11_500
    assert (declaration.fallback_ma, declaration.can_pause, declaration.fed_by_reads) == (0, True, True)
    adapter = TwcAdapter("///dev/ttyUSB0?lines=3&greatest_a=80", clock=HostClock())
    assert adapter.metered_lines == 3
    assert adapter.declaration.greatest_offer_ma == 80_000


def test_a_device_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(AdapterUnavailable, match="/dev/there-is-none: there is no such device; is it plugged in"):
        asyncio.run(TwcAdapter("///dev/there-is-none", clock=HostClock()).open())
