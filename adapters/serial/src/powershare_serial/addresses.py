"""Addresses of connectors on a wire: `scheme:///dev/ttyUSB0?key=value` and `scheme://host:port?key=value`.

What a scheme calls its settings and what they may be it says with readers; where a wire begins is the same for all of
them and written here.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from powershare.addressing import HostPort, Readers, decoded, host_port_of, query_of
from powershare.errors import FormatError, Problem


@attrs.frozen
class DevicePath:
    """A serial device of this host, or one end of a pseudo-terminal.

    Attributes:
        path: As the system names it: `/dev/ttyUSB0`, `COM3`.
    """

    path: str

    def __str__(self) -> str:
        return self.path


Place: TypeAlias = DevicePath | HostPort
"""Where a wire begins: a device, or a host that passes bytes on to a wire or speaks itself."""


def as_written(place: Place) -> str:
    """Return a place, for people."""
    return f"tcp://{place}" if isinstance(place, HostPort) else str(place)


@attrs.frozen(kw_only=True)
class Address:
    """An address, read.

    Attributes:
        where: The address in the words of an error: `adapter "serial+twc:///dev/ttyUSB0"`.
        place: Where the wire begins.
        values: The settings that were given, as their readers made them.
    """

    where: str
    place: Place
    values: Mapping[str, Any]

    def problem(self, setting: str, message: str) -> Problem:
        """Return a problem with one setting of this address, for a FormatError."""
        return Problem(self.where, setting, message)


def address_of(
    scheme: str,
    rest: str,
    readers: Readers,
    *,
    default_tcp_port: int | None = None,
    needed: Mapping[str, str] | None = None,
) -> Address:
    """Read an address.

    Args:
        scheme: What stands before it: `twc` for `serial+twc:`.
        rest: What follows `scheme:`: `///dev/ttyUSB0?key=value`, `//host:port?key=value` or `COM3?key=value`.
        readers: The settings that there are, each with what reads it.
        default_tcp_port: The port of a host that is named without one; None: one must be named.
        needed: Settings that have to be there, each with what to write.

    Raises:
        FormatError: It cannot be understood; every problem at once.
    """
    where = f'adapter "serial+{scheme}:{rest}"'
    front, _, query = rest.partition("?")
    problems: list[Problem] = []
    place: Place | None = None
    try:
        place = _place_of(front, default_tcp_port)
    except ValueError as error:
        problems.append(
            Problem(where, "", f"{error}; write serial+{scheme}:///dev/ttyUSB0 or serial+{scheme}://HOST:PORT")
        )
    values = query_of(where, query, readers, problems, needed=needed)
    if problems or place is None:
        raise FormatError(problems)
    return Address(where=where, place=place, values=values)


def _place_of(front: str, default_tcp_port: int | None) -> Place:
    if not front.startswith("//"):
        if not front or "/" in front:
            raise ValueError("names no device and no host")
        return DevicePath(_printable(decoded(front)))
    if front.startswith("///"):
        if front.strip("/") == "":
            raise ValueError("names no device")
        return DevicePath(_printable(decoded(front[2:])))
    return host_port_of(front[2:], default_tcp_port)


def _printable(path: str) -> str:
    if not path.isprintable():
        raise ValueError("names a device with letters that no device has")
    return path
