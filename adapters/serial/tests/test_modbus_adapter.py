"""What the adapter does when the line or the device misbehaves, or is not what it should be."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from powershare.adapter import Adapter, Deadman, SupportsFallback, SupportsMetering
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable
from powershare_serial.modbus.adapter import ModbusAdapter
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.map_file import load_map
from powershare_serial.modbus.registers import Kind, Register, Table

from .modbus_plant import READS, Plant, TappedWire


@pytest.mark.parametrize("tcp", [True, False])
def test_an_answer_that_comes_too_late_is_not_the_answer_to_the_next_question(tcp: bool) -> None:
    plant = Plant("go-e", tcp=tcp)

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        plant.wires[0]._way_s = 0.3
        with pytest.raises(AdapterTimeout):
            await adapter.read()
        plant.wires[0]._way_s = 0.1  # so that the late one would come first
        plant.units[0].put(Table.HOLDING, 299, [8], plant.clock.now_ms())
        assert (await adapter.read()).offered_ma == 8_000
        assert len(plant.wires) == (2 if tcp else 1)
        await adapter.close()

    plant.run(talk)


def test_a_device_that_hung_up_while_nobody_spoke_is_dialled_again_and_set_up_again() -> None:
    plant = Plant("alfen")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        await plant.wires[0].close()
        plant.sent.clear()
        assert (await adapter.read()).offered_ma == 16_000
        assert len(plant.wires) == 2
        assert plant.writes() == []
        await adapter.close()

    plant.run(talk)


@pytest.mark.parametrize("name", ["evse-din", "smartevse-node"])
def test_an_order_that_is_over_before_its_turn_comes_is_not_sent(name: str) -> None:
    plant = Plant(name, units=2)

    async def talk() -> None:
        north, south = plant.adapter(0), plant.adapter(1)
        await asyncio.gather(north.open(), south.open())
        plant.line.failing[plant.first + 1] = "silence"
        asking = asyncio.create_task(south.read())
        await asyncio.sleep(0.3)
        plant.sent.clear()
        with pytest.raises(AdapterRejected, match="over before"):
            await north.offer(plant.order(16_000, 100))
        assert [entry for entry in plant.sent if entry[2] not in READS] == []
        with pytest.raises(AdapterTimeout):
            await asking
        await asyncio.gather(north.close(), south.close())

    plant.run(talk)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("alfen", lambda unit: setattr(unit, "fallback_ma", 16_000), "fallback of 16 A; set it to 6 A, or write fail"),
        ("evse-din", lambda unit: unit._store(register(2005), [0x80]), "write map=evse-din-10ma"),
        ("evse-din-10ma", lambda unit: unit._store(register(2005), [0]), "write map=evse-din"),
        ("phoenix-ev-eth", lambda unit: unit._store(register(528), [160]), "write map=wallbe"),
        ("wallbe", lambda unit: unit._store(register(528), [16]), "write map=phoenix-ev-eth"),
    ],
)
def test_a_device_that_is_not_what_it_should_be_is_refused_at_the_opening(
    name: str, change: Callable[[EmulatedUnit], None], message: str
) -> None:
    plant = Plant(name)
    change(plant.units[0])

    async def talk() -> None:
        adapter = plant.adapter()
        with pytest.raises(AdapterRejected, match=message):
            await adapter.open()
        with pytest.raises(AdapterUnavailable, match="not open"):
            await adapter.read()

    plant.run(talk)
    assert not any(plant.lines._by_loop.values())


def register(address: int) -> Register:
    return Register(table=Table.HOLDING, address=address, kind=Kind.U16)


def test_a_validity_time_above_the_declared_one_is_refused_as_soon_as_it_shows() -> None:
    plant = Plant("alfen")
    plant.units[0].after_ms = 90_000

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        with pytest.raises(AdapterRejected, match="should act after 60 s"):
            await adapter.read()
        await adapter.close()

    plant.run(talk)


def test_orders_that_are_not_heeded_are_a_fault_where_more_is_offered() -> None:
    plant = Plant("alfen")
    plant.units[0]._store(register(1214), [0])

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        assert (await adapter.read()).fault is None
        plant.units[0].ignores_writes = True
        await adapter.offer(plant.order(8_000))
        reading = await adapter.read()
        assert reading.offered_ma == 16_000
        assert reading.fault is not None
        assert "does not heed Modbus" in reading.fault
        await adapter.close()

    plant.run(talk)


def test_a_line_that_the_meter_does_not_know_is_an_error_until_it_is_left_out() -> None:
    plant = Plant("alfen")
    unknown = load_map("alfen").drawn[1]
    refresh = plant.units[0]._refresh

    def without_the_second_line(now_ms: int) -> None:
        refresh(now_ms)
        plant.units[0]._store(unknown, [0xFFFF, 0xFFFF])

    plant.units[0]._refresh = without_the_second_line  # type: ignore[method-assign]  # the device is what is faked

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        with pytest.raises(AdapterUnavailable, match="write lines=1"):
            await adapter.read()
        await adapter.close()
        adapter = plant.adapter(settings="&lines=1")
        await adapter.open()
        assert len((await adapter.read()).drawn_ma or ()) == 1
        await adapter.close()

    plant.run(talk)


def test_a_fault_is_told_in_the_words_of_the_registers() -> None:
    plant = Plant("evse-din")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        plant.units[0].outlet.fail(True, plant.clock.now_ms())
        reading = await adapter.read()
        assert (reading.state, reading.fault) == ("F", "holding 1002 is 5")
        await adapter.close()

    plant.run(talk)


def test_a_wire_that_never_opens_ends_the_opening() -> None:
    plant = Plant("evse-din")

    async def connect() -> TappedWire:
        await asyncio.sleep(1_000)
        raise AssertionError

    async def talk() -> None:
        rest = "///dev/ttyUSB0?map=evse-din"
        adapter = ModbusAdapter(rest, clock=plant.clock, connect=connect, lines=plant.lines)
        with pytest.raises(AdapterTimeout, match="more than 10000 ms"):
            await adapter.open()

    plant.run(talk)


def test_a_state_that_the_map_does_not_know_is_an_error_and_no_guess() -> None:
    plant = Plant("go-e")
    plant.units[0]._refresh = lambda now_ms: None  # type: ignore[method-assign]  # the device is what is faked
    plant.units[0]._store(Register(table=Table.INPUT, address=100, kind=Kind.U16), [77])

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        with pytest.raises(AdapterUnavailable, match="input 100 is 77"):
            await adapter.read()
        await adapter.close()

    plant.run(talk)


def test_a_converter_on_which_a_question_went_unanswered_is_dialled_again() -> None:
    """What it still holds is the answer to that question."""
    plant = Plant("evse-din")

    async def talk() -> None:
        rest = "//converter:4196?map=evse-din&framing=rtu"
        adapter = ModbusAdapter(rest, clock=plant.clock, connect=plant.connect, lines=plant.lines)
        await adapter.open()
        plant.line.failing[plant.first] = "silence"
        with pytest.raises(AdapterTimeout):
            await adapter.read()
        plant.line.failing[plant.first] = "none"
        assert (await adapter.read()).state == "C"
        assert len(plant.wires) == 2
        await adapter.close()

    plant.run(talk)


def test_units_of_one_line_that_are_wired_differently_are_refused() -> None:
    plant = Plant("evse-din", units=2)

    async def talk() -> None:
        north, south = plant.adapter(0), plant.adapter(1, "&parity=even")
        await north.open()
        with pytest.raises(AdapterRejected, match="wired alike; there are baud=9600 parity=none st"):
            await south.open()
        assert (await north.read()).state == "C"
        await north.close()

    plant.run(talk)


def test_the_silence_that_one_unit_needs_is_kept_for_all_of_a_line() -> None:
    plant = Plant("evse-din")

    async def talk() -> None:
        quick = ModbusAdapter(
            "///dev/ttyUSB0?map=smartevse&unit=7", clock=plant.clock, connect=plant.connect, lines=plant.lines
        )
        slow = plant.adapter()
        await quick.open()
        await slow.open()
        plant.sent.clear()
        for _ in range(2):
            with pytest.raises(AdapterTimeout):
                await quick.read()
            await slow.read()
        answered = [
            (before[0], after[0]) for before, after in itertools.pairwise(plant.sent) if before[1] == plant.first
        ]
        assert min(after_ms - before_ms for before_ms, after_ms in answered) >= 200
        await quick.close()
        await slow.close()

    plant.run(talk)


@pytest.mark.parametrize("tcp", [True, False])
def test_a_refusal_is_named_and_costs_nothing_else(tcp: bool) -> None:
    plant = Plant("go-e", tcp=tcp)

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        plant.line.failing[plant.first] = "exception"
        with pytest.raises(AdapterRejected, match="DEVICE_BUSY"):
            await adapter.offer(plant.order(16_000))
        plant.line.failing[plant.first] = "none"
        await adapter.offer(plant.order(10_000))
        assert (await adapter.read()).offered_ma == 10_000
        assert len(plant.wires) == 1
        await adapter.close()

    plant.run(talk)


@pytest.mark.parametrize(
    ("tcp", "failure", "error"),
    [
        (False, "wrong_check", "only noise; are speed, parity and wires right"),
        (True, "wrong_check", "no answer"),
        (True, "noise", "not Modbus TCP"),
        (False, "slow", "no answer"),
        (True, "silence", "no answer"),
    ],
)
def test_a_spoiled_line_is_an_error_that_says_so_and_comes_back(tcp: bool, failure: str, error: str) -> None:
    plant = Plant("go-e", tcp=tcp)

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        plant.line.failing[plant.first] = failure
        with pytest.raises((AdapterTimeout, AdapterUnavailable), match=error):
            await adapter.read()
        plant.line.failing[plant.first] = "none"
        await asyncio.sleep(2)
        await adapter.offer(plant.order(10_000))
        assert (await adapter.read()).offered_ma == 10_000
        await adapter.close()

    plant.run(talk)


def test_noise_before_every_answer_on_a_serial_line_is_skipped() -> None:
    plant = Plant("heidelberg")
    plant.line.failing[plant.first] = "noise"

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(10_000))
        assert (await adapter.read()).offered_ma == plant.offered_ma() == 10_000
        await adapter.close()

    plant.run(talk)


def test_an_adapter_that_hears_its_own_questions_takes_none_for_an_answer() -> None:
    """Not even the echo of a single write, which looks like its answer."""
    plant = Plant("mennekes-compact")
    plant.echoes = True

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(10_000))
        assert (await adapter.read()).offered_ma == 10_000
        plant.line.failing[plant.first] = "silence"
        with pytest.raises(AdapterTimeout):
            await adapter.offer(plant.order(0))
        await adapter.close()

    plant.run(talk)


def test_writes_that_the_device_ignores_show_in_the_reading() -> None:
    plant = Plant("abb-terra")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        plant.units[0].ignores_writes = True
        await adapter.offer(plant.order(6_000))
        assert (await adapter.read()).offered_ma == 16_000
        await adapter.close()

    plant.run(talk)


def test_abilities_are_those_of_the_map() -> None:
    adapters: list[Adapter] = [Plant(name).adapter() for name in ("keba", "evse-din", "alfen")]
    assert [isinstance(adapter, SupportsMetering) for adapter in adapters] == [True, False, True]
    assert [isinstance(adapter, SupportsFallback) for adapter in adapters] == [True, False, False]
    assert not isinstance(Plant("keba").adapter(settings="&lines=0"), SupportsMetering)
    keba, din, alfen = (adapter.declaration for adapter in adapters)
    assert [each.deadman for each in (keba, din, alfen)] == [Deadman.WATCHDOG, Deadman.NONE, Deadman.WATCHDOG]
    assert [each.fed_by_reads for each in (keba, din, alfen)] == [True, False, False]
    assert din.fallback_ma == din.greatest_offer_ma


def test_a_fallback_that_cannot_be_told_is_told_as_near_as_it_can_and_answered_truly() -> None:
    plant = Plant("webasto-next")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        assert isinstance(adapter, SupportsFallback)
        assert await adapter.set_fallback(0) == plant.units[0].fallback_ma == 6_000
        await adapter.close()

    plant.run(talk)
