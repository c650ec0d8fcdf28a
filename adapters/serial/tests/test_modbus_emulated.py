"""Emulated devices on real sockets and pseudo-terminals: they behave as their map says, and fail as they are told."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

import pytest
from pymodbus.client import AsyncModbusTcpClient

from powershare.adapter import HostClock, Offer
from powershare.emulation import EmulatorFactory
from powershare.errors import AdapterRejected, AdapterTimeout, AdapterUnavailable, FormatError
from powershare.registry import create_adapter
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare_serial.modbus.adapter import ModbusAdapter
from powershare_serial.modbus.emulated import ModbusEmulator, emulator
from powershare_serial.modbus.emulated_line import FAILURES
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.map_file import load_map
from powershare_serial.modbus.registers import Table

from .modbus_plant import Plant

CLOCK = HostClock()
FACTORY: EmulatorFactory = emulator  # which mypy checks
Told = list[tuple[int, int, str | None]]


def started(options: Mapping[str, str], units: int, talk: Callable[[ModbusEmulator, Told], Awaitable[None]]) -> None:
    """Start emulated devices with a vehicle each, talk, and stop them whatever happens."""

    async def whole() -> None:
        told: Told = []

        def changed(unit: int, outlet: Outlet, _: int, word: str | None) -> None:
            told.append((unit, outlet.offered_ma, word))

        devices = emulator(options, units=units, clock=CLOCK, changed=changed)
        await devices.start()
        for outlet in devices.outlets:
            outlet.plug_in(Traits(max_ma=32_000, reaction_ms=100), 60_000, CLOCK.now_ms())
        try:
            await asyncio.wait_for(talk(devices, told), 20)
        finally:
            await devices.stop()
            await devices.stop()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())


def adapters_of(devices: ModbusEmulator, settings: str = "") -> list[ModbusAdapter]:
    adapters = [create_adapter(f"{address}{settings}", clock=CLOCK) for address in devices.addresses]
    assert all(isinstance(adapter, ModbusAdapter) for adapter in adapters)
    return adapters  # type: ignore[return-value]  # that is what was just asserted


def order(offered_ma: int, for_ms: int = 60_000) -> Offer:
    return Offer(offered_ma=offered_ma, valid_until_ms=CLOCK.now_ms() + for_ms, then_ma=0)


@pytest.mark.parametrize("options", [{"map": "keba"}, {"map": "heidelberg"}, {"map": "go-e", "transport": "rtu"}])
def test_several_devices_on_one_wire_are_reached_by_their_addresses(options: dict[str, str]) -> None:
    async def talk(devices: ModbusEmulator, told: Told) -> None:
        north, south = adapters_of(devices)
        await asyncio.gather(north.open(), south.open())
        await asyncio.gather(north.offer(order(16_000)), south.offer(order(8_000)))
        readings = await asyncio.gather(north.read(), south.read())
        assert [reading.offered_ma for reading in readings] == [16_000, 8_000]
        assert [outlet.offered_ma for outlet in devices.outlets] == [16_000, 8_000]
        assert {(0, 16_000, None), (1, 8_000, None)} <= set(told)
        await asyncio.gather(north.close(), south.close())

    started(options, 2, talk)


def test_what_the_vehicle_draws_is_metered_on_each_line() -> None:
    async def talk(devices: ModbusEmulator, told: Told) -> None:
        (adapter,) = adapters_of(devices)
        await adapter.open()
        await adapter.offer(order(10_000))
        await asyncio.sleep(1.5)
        reading = await adapter.read()
        (outlet,) = devices.outlets
        assert reading.state == "C"
        assert reading.drawn_ma == outlet.drawn_per_line_ma
        assert min(reading.drawn_ma) > 0
        await adapter.close()

    started({"map": "alfen"}, 1, talk)


def test_its_watchdog_acts_by_itself_and_is_told() -> None:
    async def talk(devices: ModbusEmulator, told: Told) -> None:
        (adapter,) = adapters_of(devices, "&watchdog_s=2")
        await adapter.open()
        await adapter.offer(order(16_000, 500))
        await adapter.close()
        await asyncio.sleep(1.7)
        assert devices.outlets[0].offered_ma == 16_000
        await asyncio.sleep(0.6)
        assert told[-1][:2] == (0, 0)
        assert (0, 0, "watchdog") in told

    started({"map": "heidelberg"}, 1, talk)


def test_another_client_library_reads_what_it_says() -> None:
    """pymodbus' own, which shares no line of this adapter."""

    async def talk(devices: ModbusEmulator, told: Told) -> None:
        port = int(devices.addresses[0].partition("?")[0].rpartition(":")[2])
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1, retries=0)
        assert await client.connect()
        unit = next(iter(devices.line.units))
        assert not (await client.write_registers(299, [16], device_id=unit)).isError()
        assert (await client.read_holding_registers(299, count=1, device_id=unit)).registers == [16]
        assert (await client.read_input_registers(100, count=1, device_id=unit)).registers[0] in {2, 3}
        assert (await client.read_holding_registers(9_999, count=1, device_id=unit)).exception_code == 2
        assert (await client.write_registers(299, [63], device_id=unit)).exception_code == 3
        assert devices.line.units[unit].alarms == ["wrote [63] to holding 299"]
        assert any(word is not None and word.startswith("alarm") for _, _, word in told)
        client.close()

    started({"map": "go-e"}, 1, talk)


@pytest.mark.parametrize(
    ("transport", "failure", "error"),
    [
        ("tcp", "silence", AdapterTimeout),
        ("tcp", "slow", AdapterTimeout),
        ("tcp", "wrong_check", AdapterTimeout),
        ("tcp", "exception", AdapterRejected),
        ("tcp", "noise", AdapterUnavailable),
        ("rtu", "silence", AdapterTimeout),
        ("rtu", "slow", AdapterTimeout),
        ("rtu", "wrong_check", AdapterTimeout),
        ("rtu", "exception", AdapterRejected),
    ],
)
def test_a_failure_is_an_error_of_its_kind_and_ends(transport: str, failure: str, error: type[Exception]) -> None:
    async def talk(devices: ModbusEmulator, told: Told) -> None:
        (adapter,) = adapters_of(devices)
        await adapter.open()
        await adapter.offer(order(16_000))
        devices.fail(0, failure)
        with pytest.raises(error):
            await adapter.offer(order(6_000))
        devices.fail(0, "none")
        await asyncio.sleep(1.1 if failure == "slow" else 0)
        await adapter.offer(order(10_000))
        assert (await adapter.read()).offered_ma == devices.outlets[0].offered_ma == 10_000
        await adapter.close()

    started({"map": "go-e", "transport": transport}, 1, talk)


def test_a_restart_drops_connections_and_forgets_the_order() -> None:
    async def talk(devices: ModbusEmulator, told: Told) -> None:
        (adapter,) = adapters_of(devices)
        await adapter.open()
        await adapter.offer(order(16_000))
        devices.fail(0, "reset")
        await asyncio.sleep(0.05)
        assert (await adapter.read()).offered_ma == devices.outlets[0].offered_ma == 6_000
        await adapter.close()

    started({"map": "alfen"}, 1, talk)


def test_a_device_that_ignores_writes_says_what_it_really_offers() -> None:
    async def talk(devices: ModbusEmulator, told: Told) -> None:
        (adapter,) = adapters_of(devices)
        await adapter.open()
        await adapter.offer(order(16_000))
        devices.fail(0, "ignores_writes")
        await adapter.offer(order(6_000))
        assert (await adapter.read()).offered_ma == devices.outlets[0].offered_ma == 16_000
        await adapter.close()

    started({"map": "abb-terra"}, 1, talk)


def test_a_failure_that_there_is_not_is_named_with_those_that_there_are() -> None:
    devices = emulator({"map": "keba"}, units=1, clock=CLOCK, changed=lambda *_: None)
    with pytest.raises(ValueError, match="'sulking'; there are silence, slow"):
        devices.fail(0, "sulking")
    assert devices.failures == FAILURES


def test_a_port_that_is_taken_is_said_so() -> None:
    async def whole() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            devices = emulator({"map": "keba", "port": port}, units=1, clock=CLOCK, changed=lambda *_: None)
            with pytest.raises(AdapterUnavailable, match=f"127.0.0.1:{port}"):
                await devices.start()
            await devices.stop()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("options", "units", "messages"),
    [
        ({}, 1, ["map: is missing"]),
        ({"map": "keba", "speed": "9"}, 1, ["speed: is no setting"]),
        ({"transport": "usb", "port": "x"}, 1, ["transport: is 'usb'", "port: is 'x'", "map: is missing"]),
        ({"map": "heidelburg"}, 1, ["one of abb-terra"]),
        ({"map": "keba", "first_unit": "247"}, 20, ["no room for 20 addresses"]),
    ],
)
def test_options_that_cannot_be_are_refused_all_at_once(
    options: dict[str, str], units: int, messages: list[str]
) -> None:
    with pytest.raises(FormatError) as caught:
        emulator(options, units=units, clock=CLOCK, changed=lambda *_: None)
    assert len(caught.value.problems) == len(messages)
    for problem, message in zip(caught.value.problems, messages, strict=True):
        assert message in str(problem)


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("mennekes-compact", 0x0302, [0, 0]),
        ("alfen", 1210, [0x4180]),
        ("alfen", 1211, [0]),
        ("keba", 5004, [63_000]),
        ("keba", 5018, [0]),
        ("webasto-next", 2000, [0]),
    ],
    ids=["no limit", "half a float", "the other half", "too much", "watchdog off", "too little"],
)
def test_an_emulated_device_raises_an_alarm_at_what_must_not_be_written(
    name: str, address: int, words: list[int]
) -> None:
    plant = Plant(name)
    refusal = plant.units[0].put(Table.HOLDING, address, words, plant.clock.now_ms())
    assert refusal == 3
    assert len(plant.units[0].alarms) == 1
    assert str(words) in plant.units[0].alarms[0] or str(address) in plant.units[0].alarms[0]


def test_a_watchdog_acts_where_the_outlet_has_been_told_a_later_time_already() -> None:
    outlet = Outlet(0, lines=3)
    outlet.plug_in(Traits(max_ma=32_000), 60_000, 0)
    unit = EmulatedUnit(load_map("heidelberg"), 0, outlet, 0)
    for register, word in ((257, 10_000), (262, 0), (261, 160)):  # its watchdog's milliseconds, failsafe and order
        assert unit.put(Table.HOLDING, register, [word], 100) is None
    assert outlet.offered_ma == 16_000
    due_ms = unit.due_ms()
    assert due_ms is not None
    outlet.advance(due_ms + 20)
    unit.catch_up(due_ms + 25)
    assert outlet.offered_ma == 0
