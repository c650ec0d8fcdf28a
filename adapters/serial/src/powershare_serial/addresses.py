"""Addresses of connectors on a wire: `scheme:///dev/ttyUSB0?key=value` and `scheme://host:port?key=value`.

What a scheme calls its settings and what they may be it says with readers; where they stand in the address, that each
is given once, and that every problem is told at once, is the same for all of them and written here.
"""

import difflib
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

import attrs

from powershare.errors import FormatError, Problem
from powershare.units import Milliamps, limit_ma_from_amps

Reader: TypeAlias = Callable[[str], Any]
"""Reads the text of one setting; a ValueError completes the sentence "<setting> ..."."""

_LONGEST_NUMBER = 20


@attrs.frozen
class DevicePath:
    """A serial device of this host, or one end of a pseudo-terminal.

    Attributes:
        path: As the system names it: `/dev/ttyUSB0`, `COM3`.
    """

    path: str

    def __str__(self) -> str:
        return self.path


@attrs.frozen
class HostPort:
    """A host that passes bytes on to a wire, or speaks itself.

    Attributes:
        host: Its name or address; an IPv6 address without brackets.
        tcp_port: 1 to 65535.
    """

    host: str
    tcp_port: int

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.tcp_port}" if ":" in self.host else f"tcp://{self.host}:{self.tcp_port}"


Place: TypeAlias = DevicePath | HostPort
"""Where a wire begins."""


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
    scheme: str, rest: str, readers: Mapping[str, Reader], *, default_tcp_port: int | None = None
) -> Address:
    """Read an address.

    Args:
        scheme: What stands before it: `twc` for `serial+twc:`.
        rest: What follows `scheme:`: `///dev/ttyUSB0?key=value`, `//host:port?key=value` or `COM3?key=value`.
        readers: The settings that there are, each with what reads it.
        default_tcp_port: The port of a host that is named without one; None: one must be named.

    Raises:
        FormatError: It cannot be understood; every problem at once.
    """
    where = f'adapter "serial+{scheme}:{rest}"'
    front, mark, query = rest.partition("?")
    problems: list[Problem] = []
    place: Place | None = None
    try:
        place = _place_of(front, default_tcp_port)
    except ValueError as error:
        problems.append(
            Problem(where, "", f"{error}; write serial+{scheme}:///dev/ttyUSB0 or serial+{scheme}://HOST:PORT")
        )
    values = _values_of(where, query, readers, problems) if mark else {}
    if problems or place is None:
        raise FormatError(problems)
    return Address(where=where, place=place, values=values)


def settings_of(
    where: str, texts: Mapping[str, str], readers: Mapping[str, Reader], needed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read settings that are no part of an address, such as an emulator's options.

    Args:
        where: What they belong to, in the words of an error: `emulator "rapi"`.
        texts: The settings as they were written.
        readers: The settings that there are.
        needed: Those that have to be there, each with what to write.

    Raises:
        FormatError: One cannot be, or is missing; every problem at once.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, text in texts.items():
        _read(where, key, text, readers, values, problems)
    for key, remedy in (needed or {}).items():
        if key not in texts:
            problems.append(Problem(where, key, f"is missing; {remedy}"))
    if problems:
        raise FormatError(problems)
    return values


def _place_of(front: str, default_tcp_port: int | None) -> Place:
    if not front.startswith("//"):
        if not front or "/" in front:
            raise ValueError("names no device and no host")
        return DevicePath(_printable(unquote(front)))
    if front.startswith("///"):
        if front.strip("/") == "":
            raise ValueError("names no device")
        return DevicePath(_printable(unquote(front[2:])))
    return _host_port_of(front[2:], default_tcp_port)


def _host_port_of(text: str, default_tcp_port: int | None) -> HostPort:
    if text.startswith("["):
        host, closed, after = text[1:].partition("]")
        if not closed or (after and not after.startswith(":")):
            raise ValueError(f"has no host and port in {text!r}")
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"has no IPv6 address in the brackets of {text!r}") from None
        port_text = after[1:] if after else None
    else:
        host, colon, after = text.partition(":")
        port_text = after if colon else None
        if ":" in after:
            raise ValueError(f"has more than one colon in {text!r}; an IPv6 address belongs in brackets")
    if not host or not host.isprintable() or any(letter in " /@\\" for letter in host):
        raise ValueError(f"has no host in {text!r}")
    if port_text is None:
        if default_tcp_port is None:
            raise ValueError(f"names the host {host!r} without a port")
        return HostPort(host, default_tcp_port)
    try:
        return HostPort(host, whole(1, 65_535)(port_text))
    except ValueError as error:
        raise ValueError(f"has a port that {error}") from None


def _printable(path: str) -> str:
    if not path.isprintable():
        raise ValueError("names a device with letters that no device has")
    return path


def _values_of(where: str, query: str, readers: Mapping[str, Reader], problems: list[Problem]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in query.split("&"):
        key, equals, text = part.partition("=")
        if key in values:
            problems.append(Problem(where, key, "is given twice"))
        elif key in readers and not equals:
            values[key] = None
            problems.append(Problem(where, key, "has no value; write setting=value"))
        else:
            _read(where, key, text, readers, values, problems, quoted=True)
    return values


def _read(
    where: str,
    key: str,
    text: str,
    readers: Mapping[str, Reader],
    values: dict[str, Any],
    problems: list[Problem],
    *,
    quoted: bool = False,
) -> None:
    if key not in readers:
        problems.append(Problem(where, key, _unknown(key, readers)))
        return
    values[key] = None
    try:
        values[key] = readers[key](unquote(text, errors="strict") if quoted else text)
    except ValueError as error:
        problems.append(Problem(where, key, str(error)))


def _unknown(key: str, readers: Mapping[str, Reader]) -> str:
    if not key:
        return "has a setting without a name; write setting=value&setting=value"
    close = difflib.get_close_matches(key, readers, n=1)
    return f"is no setting; {f'did you mean {close[0]}?' if close else 'there are ' + (', '.join(readers) or 'none')}"


def whole(least: int, greatest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `greatest`."""

    def read(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
        if not plain or not least <= int(text) <= greatest:
            raise ValueError(f"is {text!r}; write a whole number from {least} to {greatest}")
        return int(text)

    return read


def amps(least_ma: Milliamps, greatest_ma: Milliamps) -> Callable[[str], Milliamps]:
    """Return a reader of amps that bound something, as milliamps rounded down."""

    def read(text: str) -> Milliamps:
        current_ma = limit_ma_from_amps(text)
        if not least_ma <= current_ma <= greatest_ma:
            raise ValueError(f"is {text!r}; write {least_ma / 1000:g} to {greatest_ma / 1000:g} amps")
        return current_ma

    return read


def seconds(least_ms: int, greatest_ms: int) -> Callable[[str], int]:
    """Return a reader of seconds, as whole milliseconds rounded down."""

    def read(text: str) -> int:
        try:
            duration_ms = limit_ma_from_amps(text)  # the same exact decimal arithmetic
        except ValueError:
            duration_ms = -1
        if not max(least_ms, 0) <= duration_ms <= greatest_ms:
            raise ValueError(f"is {text!r}; write {least_ms / 1000:g} to {greatest_ms / 1000:g} seconds")
        return duration_ms

    return read


def yes_no(text: str) -> bool:
    """Read `yes` or `no`."""
    if text not in {"yes", "no"}:
        raise ValueError(f"is {text!r}; write yes or no")
    return text == "yes"


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is {text!r}; write {' or '.join(words)}")
        return text

    return read


def hexadecimal(digits: int) -> Callable[[str], int]:
    """Return a reader of up to so many hexadecimal digits."""

    def read(text: str) -> int:
        if not 0 < len(text) <= digits or any(letter not in "0123456789abcdefABCDEF" for letter in text):
            raise ValueError(f"is {text!r}; write up to {digits} hexadecimal digits")
        return int(text, 16)

    return read


def some_text(text: str) -> str:
    """Read a text that is not empty."""
    if not text or not text.isprintable():
        raise ValueError(f"is {text!r}; write something that can be read")
    return text
