"""What the adapter says to devices, in which order, and for how long."""

import asyncio
import itertools
from importlib import resources
from pathlib import Path

import pytest

from powershare.adapter import SupportsFallback
from powershare.errors import AdapterTimeout, AdapterUnavailable

from .modbus_plant import READS, Plant


def test_a_pause_of_a_mennekes_never_writes_0_amps_which_mean_no_limit() -> None:
    plant = Plant("mennekes-compact")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        plant.sent.clear()
        await adapter.offer(plant.order(16_000, 2_000))
        assert plant.writes() == [(0x0302, "41800000"), (0x0D05, "0001"), (0x0D00, "55aa")]
        await adapter.offer(plant.order(0, 2_000))
        assert plant.writes() == [(0x0D05, "0000"), (0x0D00, "55aa")]
        assert plant.offered_ma() == 0
        await adapter.close()

    plant.run(talk)
    assert plant.units[0].alarms == []


def test_a_keba_is_told_current_enable_and_failsafe_with_every_order() -> None:
    plant = Plant("keba")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        assert plant.writes() == [(5018, "001e"), (5016, "0000")]
        for _ in range(2):
            await adapter.offer(plant.order(16_000))
            assert plant.writes() == [(5004, "3e80"), (5014, "0001"), (5018, "001e")]
        await adapter.offer(plant.order(0))
        assert plant.writes() == [(5014, "0000"), (5018, "001e")]
        plant.sent.clear()
        await adapter.read()
        assert {data[2:4].hex() for _, _, function, data in plant.sent if function in READS} == {"0002"}
        await adapter.close()

    plant.run(talk)


def test_after_a_trip_a_keba_charges_again_with_the_next_order() -> None:
    plant = Plant("keba")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        await asyncio.sleep(31)
        assert plant.offered_ma() == 0
        assert plant.units[0].tripped
        await adapter.offer(plant.order(10_000))
        assert plant.offered_ma() == 10_000
        assert (await adapter.read()).offered_ma == 10_000
        await adapter.close()

    plant.run(talk)


def test_a_heidelberg_is_paused_before_it_is_asked_anything_after_a_silence() -> None:
    """It may have tripped, any message may end that, and its register still has the old order."""
    plant = Plant("heidelberg")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        writes = plant.writes()
        assert writes == [(261, "0000"), (258, "0004"), (257, "3a98"), (262, "0000")]
        await adapter.offer(plant.order(16_000))
        plant.sent.clear()
        await asyncio.sleep(7)
        await adapter.read()
        assert plant.writes() == []
        await asyncio.sleep(16)
        assert plant.offered_ma() == 0
        assert (await adapter.read()).offered_ma == 0
        assert plant.writes() == [(261, "0000")]
        assert plant.offered_ma() == 0
        await adapter.close()

    plant.run(talk)


def test_a_short_break_of_the_connection_interrupts_nobody() -> None:
    """The watchdog cannot have acted since the last answer."""
    plant = Plant("heidelberg")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        await adapter.close()
        await asyncio.sleep(5)
        plant.sent.clear()
        await adapter.open()
        assert plant.writes() == []
        assert (await adapter.read()).offered_ma == plant.offered_ma() == 16_000
        await adapter.close()

    plant.run(talk)


def test_a_device_that_does_not_say_what_it_offers_is_told_before_it_is_reported() -> None:
    plant = Plant("webasto-next")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        assert plant.writes()[0] == (5004, "0000")
        assert (await adapter.read()).offered_ma == 0
        await adapter.offer(plant.order(16_000))
        await adapter.close()
        await adapter.open()
        assert (await adapter.read()).offered_ma == plant.offered_ma() == 16_000
        plant.line.failing[plant.first] = "silence"
        with pytest.raises(AdapterTimeout):
            await adapter.offer(plant.order(8_000))
        plant.line.failing[plant.first] = "none"
        assert (await adapter.read()).offered_ma == 16_000, "it may have heard or not"
        await adapter.offer(plant.order(8_000))
        assert (await adapter.read()).offered_ma == plant.offered_ma() == 8_000
        assert 5004 not in {int.from_bytes(data[:2], "big") for _, _, function, data in plant.sent if function in READS}
        await adapter.close()

    plant.run(talk)


def test_a_watchdog_that_a_restart_has_switched_off_is_set_again_by_the_next_reading() -> None:
    plant = Plant("webasto-next")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        assert plant.units[0].after_ms == 20_000
        plant.units[0].restart(plant.clock.now_ms())
        assert plant.units[0].after_ms == 0
        await adapter.read()
        assert plant.units[0].after_ms == 20_000
        await adapter.close()

    plant.run(talk)


def test_an_order_to_a_device_that_restarted_meanwhile_sets_its_watchdog_too() -> None:
    plant = Plant("webasto-next")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(8_000))
        plant.units[0].restart(plant.clock.now_ms())
        await plant.wires[0].close()
        await adapter.offer(plant.order(16_000))
        assert (plant.units[0].after_ms, plant.offered_ma()) == (20_000, 16_000)
        await adapter.close()

    plant.run(talk)


def test_opening_lowers_a_failsafe_current_and_raises_none() -> None:
    plant = Plant("heidelberg")
    plant.units[0].fallback_ma = 6_000

    async def talk() -> None:
        adapter = plant.adapter(settings="&failsafe_a=10")
        await adapter.open()
        assert plant.units[0].fallback_ma == 6_000
        assert isinstance(adapter, SupportsFallback)
        assert await adapter.set_fallback(8_040) == 8_000
        assert plant.units[0].fallback_ma == 8_000
        assert await adapter.set_fallback(16_000) == 10_000
        await adapter.close()

    plant.run(talk)


def test_units_of_one_line_share_its_port_and_ask_one_after_another() -> None:
    plant = Plant("evse-din", units=2)

    async def talk() -> None:
        north, south = plant.adapter(0), plant.adapter(1)
        await asyncio.gather(north.open(), south.open())
        assert len(plant.wires) == 1
        await asyncio.gather(north.offer(plant.order(16_000)), south.offer(plant.order(8_000)))
        await asyncio.gather(*(adapter.read() for adapter in (north, south) * 3))
        assert [plant.offered_ma(0), plant.offered_ma(1)] == [16_000, 8_000]
        instants = [at_ms for at_ms, *_ in plant.sent]
        assert min(after - before for before, after in itertools.pairwise(instants)) >= 200
        await north.close()
        assert (await south.read()).offered_ma == 8_000
        await south.close()
        with pytest.raises(AdapterUnavailable):
            await plant.wires[0].send(b"")

    plant.run(talk)


def test_an_adapter_that_closes_first_leaves_the_line_to_the_others_whoever_is_asking() -> None:
    plant = Plant("evse-din", units=2)

    async def talk() -> None:
        north, south = plant.adapter(0), plant.adapter(1)
        await asyncio.gather(north.open(), south.open())
        reading = asyncio.create_task(south.read())
        await asyncio.sleep(0.201)
        await north.close()
        assert (await reading).state == "C"
        await south.close()

    plant.run(talk)


def test_an_order_comes_before_the_questions_that_wait_already() -> None:
    plant = Plant("evse-din", units=8)

    async def talk() -> None:
        adapters = [plant.adapter(at) for at in range(8)]
        await asyncio.gather(*(adapter.open() for adapter in adapters))
        reading = [asyncio.create_task(adapter.read()) for adapter in adapters[1:]]
        await asyncio.sleep(0.01)
        plant.sent.clear()
        await adapters[0].offer(plant.order(16_000))
        assert [function in READS for _, _, function, _ in plant.sent] == [True, False], "one question had its turn"
        assert len(await asyncio.gather(*reading)) == 7
        await asyncio.gather(*(adapter.close() for adapter in adapters))

    plant.run(talk)


def test_one_frame_orders_all_nodes_and_is_repeated_until_their_orders_are_over() -> None:
    plant = Plant("smartevse-node", units=2)

    async def talk() -> None:
        north, south = plant.adapter(0), plant.adapter(1)
        await asyncio.gather(north.open(), south.open())
        await north.offer(plant.order(16_000, 5_000))
        await south.offer(plant.order(8_000, 9_000))
        start_ms = plant.clock.now_ms()
        plant.sent.clear()
        await asyncio.sleep(20)
        frames = [(at_ms - start_ms, data[5:11].hex()) for at_ms, unit, _, data in plant.sent if unit == 9]
        assert all(words == "000000a00050" for at_ms, words in frames if at_ms < 4_900)
        assert all(words == "000000000050" for at_ms, words in frames if 5_000 < at_ms < 9_000)
        assert len(frames) == 4
        assert max(at_ms for at_ms, _ in frames) < 9_000
        assert [plant.offered_ma(0), plant.offered_ma(1)] == [0, 0]
        await asyncio.gather(north.close(), south.close())

    plant.run(talk)


@pytest.mark.parametrize("name", ["smartevse-node", "epc2-plus"])
def test_an_order_whose_adapter_closes_before_its_turn_is_not_sent(name: str) -> None:
    plant = Plant(name, units=2)

    async def talk() -> None:
        north, south = plant.adapter(0), plant.adapter(1)
        await asyncio.gather(north.open(), south.open())
        plant.line.failing[plant.first + 1] = "silence"
        asking = asyncio.create_task(south.read())
        await asyncio.sleep(0.01)
        plant.sent.clear()
        ordering = asyncio.create_task(north.offer(plant.order(16_000)))
        await asyncio.sleep(0.01)
        await north.close()
        with pytest.raises(AdapterUnavailable, match="closed"):
            await ordering
        with pytest.raises(AdapterTimeout):
            await asking
        assert plant.writes() == []
        await south.close()

    plant.run(talk)


def test_of_an_order_that_could_not_be_sent_and_the_one_before_the_lower_is_repeated() -> None:
    plant = Plant("smartevse-node")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000))
        await plant.wires[0].close()
        plant.unreachable = True
        with pytest.raises(AdapterUnavailable, match="pulled"):
            await adapter.offer(plant.order(8_000))
        plant.unreachable = False
        plant.sent.clear()
        await asyncio.sleep(4.5)
        frames = {data for address, data in plant.writes() if address == 0x0020}
        assert frames == {f"{0:04x}{80:04x}{0:024x}"}
        await adapter.close()

    plant.run(talk)


def test_a_node_that_asks_is_answered_only_while_it_has_an_order() -> None:
    plant = Plant("smartevse-node")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(0))
        await adapter.read()
        assert [write for write in plant.writes() if write[0] == 0] == []
        await adapter.offer(plant.order(10_000))
        assert [write for write in plant.writes() if write[0] == 0] == [(0, "00070000")]
        assert (await adapter.read()).offered_ma == plant.offered_ma() == 10_000
        await adapter.close()

    plant.run(talk)


def test_a_register_that_wears_out_is_written_only_to_change_it(tmp_path: Path) -> None:
    source = resources.files("powershare_serial.modbus").joinpath("maps", "evse-din.toml").read_text(encoding="utf-8")
    path = tmp_path / "wears.toml"
    path.write_text(source.replace('zero = "pauses"', 'zero = "pauses"\nwears = true'), encoding="utf-8")
    plant = Plant(str(path))

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        for offered_ma, written in ((16_000, 1), (16_000, 0), (16_900, 0), (0, 1), (0, 0)):
            plant.sent.clear()
            await adapter.offer(plant.order(offered_ma))
            assert len(plant.writes()) == written
            assert plant.offered_ma() == offered_ma // 1_000 * 1_000
        plant.line.failing[plant.first] = "silence"
        with pytest.raises(AdapterTimeout):
            await adapter.offer(plant.order(0))
        await adapter.close()

    plant.run(talk)


def test_heartbeats_end_with_the_order() -> None:
    plant = Plant("mennekes-compact")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000, 20_000))
        until_ms = plant.clock.now_ms() + 20_000
        plant.sent.clear()
        await asyncio.sleep(60)
        beats = [at_ms for at_ms, _, function, data in plant.sent if function == 6 and data[:2].hex() == "0d00"]
        assert len(beats) == 6
        assert max(beats) < until_ms
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert plant.offered_ma() == 0
        await adapter.close()

    plant.run(talk)


def test_a_process_that_slept_through_the_end_of_an_order_sends_no_heartbeat() -> None:
    """It stood still in the middle of waiting for its next one."""
    plant = Plant("mennekes-compact")

    async def talk() -> None:
        adapter = plant.adapter()
        await adapter.open()
        await adapter.offer(plant.order(16_000, 20_000))
        await asyncio.sleep(1)
        plant.sent.clear()
        plant.clock.now_s += 30
        await asyncio.sleep(5)
        assert plant.sent == []
        await adapter.close()

    plant.run(talk)
