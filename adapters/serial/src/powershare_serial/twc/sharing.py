"""Which bus a wire has in this event loop: one, for as long as an adapter holds it and it works."""

import asyncio
import weakref
from collections.abc import MutableMapping

from powershare.adapter import Clock
from powershare.errors import AdapterRejected
from powershare_serial.ports import Connect
from powershare_serial.twc.bus import Bus
from powershare_serial.twc.messages import shown

_buses: MutableMapping[asyncio.AbstractEventLoop, dict[str, Bus]] = weakref.WeakKeyDictionary()


def shared_bus(name: str, connect: Connect, clock: Clock, controller_id: int) -> Bus:
    """Return the bus of a wire in this event loop, held once more; a new one where there is none that works.

    Args:
        name: The wire.
        connect: How to open its port.
        clock: Where the time comes from.
        controller_id: The id to go by.

    Raises:
        AdapterRejected: The wire is in use with another id.
    """
    buses = _buses.setdefault(asyncio.get_running_loop(), {})
    bus = buses.get(name)
    if bus is None or bus.lost:
        bus = buses[name] = Bus(name, connect, clock, controller_id, before=bus)
    if bus.controller_id != controller_id:
        message = f"speaks with controller_id={shown(bus.controller_id)} already; write that for all its units"
        raise AdapterRejected(f"{name}: {message}")
    bus.users += 1
    return bus
