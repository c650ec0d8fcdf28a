"""Devices with an HTTP interface: `http+go-e:`, other maps and `http+map:` in site files; `http+gen3:` as a meter."""

from powershare.adapter import Adapter, Clock
from powershare.errors import FormatError, Problem
from powershare.metering import MeterAdapter

__all__ = ["GEN3", "OWN_MAP", "http_adapter", "http_meter"]

GEN3 = "gen3"
"""What follows `http+` in the address of a Tesla Gen 3 Wall Connector, which is a meter."""

OWN_MAP = "map"
"""What follows `http+` in the address of a device whose map is a file of one's own."""

_GEN3_IS_NO_ADAPTER = (
    "cannot be regulated: the HTTP interface of a Tesla Gen 3 Wall Connector tells what it draws and takes no limit. "
    "Name it as the adapter of a [[meter]], where it counts as an other load; or have powershare be the meter that it "
    "reads, with serial+gen3: of powershare-serial, whose README says what that can and cannot do"
)


def http_adapter(rest: str, /, *, clock: Clock) -> Adapter:
    """Build the adapter of a device that a map describes.

    Args:
        rest: What follows `http+` in a site file: `go-e://192.0.2.20`; the README lists all.
        clock: Where the adapter gets the time from.

    Raises:
        FormatError: There is no such map, the rest means nothing to it, or it is a Wall Connector.
    """
    from powershare_http.charger.adapter import HttpAdapter
    from powershare_http.charger.map_file import shipped

    scheme, colon, own = rest.partition(":")
    where = f'adapter "http+{rest}"'
    if scheme == GEN3:
        raise FormatError([Problem(where, "", _GEN3_IS_NO_ADAPTER)])
    known = (*shipped(), OWN_MAP)
    if not colon or scheme not in known:
        message = f"does not name a device; write one of: {', '.join(f'http+{name}:' for name in known)}"
        raise FormatError([Problem(where, "", message)])
    return HttpAdapter(scheme, own, clock=clock)


def http_meter(rest: str, /, *, clock: Clock) -> MeterAdapter:
    """Build the meter that an address names.

    Args:
        rest: What follows `http+` in a site file: `gen3://192.0.2.30?supply=three_phase`.
        clock: Where the meter gets the time from.

    Raises:
        FormatError: There is no such meter, or the rest means nothing to it.
    """
    from powershare_http.gen3.meter import Gen3Meter

    scheme, colon, own = rest.partition(":")
    if not colon or scheme != GEN3:
        message = f"does not name a meter; write http+{GEN3}://HOST?supply=three_phase"
        raise FormatError([Problem(f'meter "http+{rest}"', "", message)])
    return Gen3Meter(own, clock=clock)
