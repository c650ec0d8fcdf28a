"""Vehicles that behave as vehicles do are not cut off, whatever comes and goes beside them."""

import asyncio
import secrets

import pytest

import powershare as ps
from powershare.driver import Driver
from powershare.leases import Pilot
from powershare.site import Circuit, Connector, Site
from powershare.testing import VirtualClock
from powershare_emulated import EmulatedAdapter

SITE = Site(
    supply=ps.Supply.SINGLE_PHASE,
    circuits=(Circuit(id="feeder", limit_ma=32_000),),
    connectors=tuple(Connector(id=name, circuit="feeder", step_ma=1_000) for name in ("a", "b")),
)


def openings(gone_s: int, back_s: int) -> list[str]:
    """Whose contactor the guard opened while a neighbour came and went four times."""
    clock, opened = VirtualClock(), []
    adapters = {name: EmulatedAdapter("?reaction_s=3", clock=clock) for name in ("a", "b")}

    async def play() -> None:
        driver = Driver(SITE, adapters, clock=clock, boot=lambda: secrets.randbits(64))
        await driver.prepare()
        for name, handler in driver.handlers.items():

            def tell(pilot: Pilot, name: str = name, tell: object = handler.tell) -> None:
                if pilot.why == "opened":
                    opened.append(name)
                assert callable(tell)
                tell(pilot)

            handler.tell = tell  # type: ignore[method-assign] # an ear between node and device
        stopping = asyncio.Event()
        running = asyncio.ensure_future(driver.run(stopping))
        await asyncio.sleep(30)
        for _ in range(4):
            adapters["b"].device.unplug()
            await asyncio.sleep(gone_s)
            adapters["b"].device.plug_in("5YJ3E1EA7KF317000")
            await asyncio.sleep(back_s)
        stopping.set()
        await running

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(play())
    return opened


@pytest.mark.parametrize(("gone_s", "back_s"), [(10, 15), (12, 25)])
def test_a_vehicle_on_its_way_up_is_not_cut_off_when_its_neighbour_comes_back(gone_s: int, back_s: int) -> None:
    assert openings(gone_s, back_s) == []
