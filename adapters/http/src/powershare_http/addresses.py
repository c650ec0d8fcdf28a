"""Addresses of devices with an HTTP interface: `//host[:port]?key=value&key=value`.

What settings there are and what they may be a scheme says with readers. Every problem is told at once.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from powershare.addressing import HostPort, Readers, host_port_of, query_of
from powershare.errors import FormatError, Problem

_TCP_PORT = 80


@attrs.frozen(kw_only=True)
class Address:
    """An address, read.

    Attributes:
        where: The address in the words of an error: `adapter "http+go-e://192.0.2.20"`.
        place: Where the device listens.
        values: The settings that were given, as their readers made them.
    """

    where: str
    place: HostPort
    values: Mapping[str, Any]

    def problem(self, setting: str, message: str) -> Problem:
        """Return a problem with one setting of this address, for a FormatError."""
        return Problem(self.where, setting, message)


def address_of(
    scheme: str,
    rest: str,
    readers: Readers,
    *,
    noun: str = "adapter",
    needed: Mapping[str, str] | None = None,
) -> Address:
    """Read an address.

    Args:
        scheme: What stands before it: `go-e` for `http+go-e:`.
        rest: What follows `scheme:`.
        readers: The settings that there are, each with what reads it.
        noun: What it is the address of, for messages.
        needed: Settings that have to be there, each with what to write.

    Raises:
        FormatError: It cannot be understood; every problem at once.
    """
    where = f'{noun} "http+{scheme}:{rest}"'
    front, _, query = rest.partition("?")
    problems: list[Problem] = []
    place: HostPort | None = None
    try:
        place = _place_of(front)
    except ValueError as error:
        problems.append(Problem(where, "", f"{error}; write http+{scheme}://HOST or http+{scheme}://HOST:PORT"))
    values = query_of(where, query, readers, problems, needed=needed)
    if problems or place is None:
        raise FormatError(problems)
    return Address(where=where, place=place, values=values)


def _place_of(front: str) -> HostPort:
    if not front.startswith("//") or front.startswith("///"):
        raise ValueError("names no host")
    text = front[2:]
    if "@" in text:
        raise ValueError("has a login in it; write auth_file=/path/to/a/file")
    if "/" in text:
        raise ValueError(f"has a path in {text!r}; what is asked for is known, so name the host alone")
    if "%" in text:  # the zone of an IPv6 address, which has no place in a URL
        raise ValueError(f"has no host in {text!r}")
    return host_port_of(text, _TCP_PORT)
