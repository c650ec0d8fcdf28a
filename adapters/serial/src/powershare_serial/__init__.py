"""Connectors on a wire: `serial+twc:`, `serial+modbus:`, `serial+rapi:` and `serial+gen3:` in site files."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from powershare.adapter import Adapter, AdapterFactory, Clock
from powershare.errors import FormatError, Problem

__all__ = ["SCHEMES", "serial_adapter"]

SCHEMES: Mapping[str, str] = MappingProxyType(
    {
        "twc": "powershare_serial.twc.adapter:TwcAdapter",
        "modbus": "powershare_serial.modbus.adapter:ModbusAdapter",
        "rapi": "powershare_serial.rapi.adapter:RapiAdapter",
        "gen3": "powershare_serial.gen3.adapter:Gen3MeterAdapter",
    }
)
"""What follows `serial+` in an address, and the class that speaks it; imported when it is first named."""


def serial_adapter(rest: str, /, *, clock: Clock) -> Adapter:
    """Build the adapter that the first part of an address names.

    Args:
        rest: What follows `serial+` in a site file: `twc:///dev/ttyUSB0?id=7777`; the README lists all.
        clock: Where the adapter gets the time from.

    Raises:
        FormatError: There is no such protocol, or the rest means nothing to it.
    """
    scheme, colon, own = rest.partition(":")
    if not colon or scheme not in SCHEMES:
        message = f"does not name a protocol; write one of: {', '.join(f'serial+{name}:' for name in SCHEMES)}"
        raise FormatError([Problem(f'adapter "serial+{rest}"', "", message)])
    module, _, name = SCHEMES[scheme].partition(":")
    factory = cast("AdapterFactory", getattr(importlib.import_module(module), name))
    return factory(own, clock=clock)
