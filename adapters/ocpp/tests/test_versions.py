"""Both versions of OCPP at one port: each station speaks its own, as far as its address allows."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterError, AdapterUnavailable
from powershare.simulation.vehicle import Traits
from powershare_ocpp import OcppAdapter
from powershare_ocpp.emulated import emulator, emulator201

from .sockets import HOST, served, until_it_listens


def test_thirty_stations_of_both_versions_at_one_place_each_have_their_order(tcp_port: int) -> None:
    async def test() -> None:
        clock = HostClock()
        devices = [
            build({"listen": f"{HOST}:{tcp_port}", "name": name}, units=15, clock=clock, changed=lambda *_: None)
            for build, name in ((emulator, "OLD"), (emulator201, "NEW"))
        ]
        outlets = [outlet for device in devices for outlet in device.outlets]
        for outlet in outlets:
            outlet.plug_in(Traits(max_ma=32_000), 60_000, clock.now_ms())
        for device in devices:
            await device.start()
        addresses = [address for device in devices for address in device.addresses]
        adapters = [OcppAdapter(address.removeprefix("ocpp:"), clock=clock) for address in addresses]
        await asyncio.gather(*(adapter.open() for adapter in adapters))
        orders = [6_000 + 100 * number for number in range(30)]
        until_ms = clock.now_ms() + 10_000
        await asyncio.gather(
            *(
                adapter.offer(Offer(offered_ma=order_ma, valid_until_ms=until_ms, then_ma=0))
                for adapter, order_ma in zip(adapters, orders, strict=True)
            )
        )
        assert [outlet.offered_ma for outlet in outlets] == orders
        await asyncio.gather(*(adapter.close() for adapter in adapters))
        for device in devices:
            await device.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    served(test)


@pytest.mark.parametrize(
    ("offers", "version", "spoken"),
    [
        (["ocpp1.6"], "", "ocpp1.6"),
        (["ocpp2.0.1"], "", "ocpp2.0.1"),
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], "", "ocpp2.0.1"),
        (["ocpp1.6", "ocpp2.0.1"], "", "ocpp1.6"),
        (["ocpp2.0.1", "ocpp1.6"], "&version=1.6", "ocpp1.6"),
        (["ocpp1.6", "ocpp2.0.1"], "&version=2.0.1", "ocpp2.0.1"),
        (["ocpp2.0.1"], "&version=1.6", None),
        (["ocpp2.1"], "", None),
    ],
)
def test_the_version_is_the_first_that_the_station_offers_and_the_address_allows(
    tcp_port: int, offers: list[str], version: str, spoken: str | None
) -> None:
    async def test() -> None:
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}&wait_s=0.5{version}", clock=HostClock())
        opening = asyncio.create_task(adapter.open())
        await until_it_listens(HOST, tcp_port)
        subprotocols = [Subprotocol(name) for name in offers]
        if spoken is None:
            with pytest.raises(InvalidStatus, match="400"):
                await connect(f"ws://{HOST}:{tcp_port}/GARAGE", subprotocols=subprotocols, proxy=None)
            with pytest.raises(AdapterUnavailable, match=f"'GARAGE' .it offers {offers[0]}, and here one speaks ocpp"):
                await opening
            return
        connection = await connect(f"ws://{HOST}:{tcp_port}/GARAGE", subprotocols=subprotocols, proxy=None)
        assert connection.subprotocol == spoken
        await adapter.close()
        await connection.close()
        with pytest.raises(AdapterError):
            await opening

    served(test)
