"""Addresses of devices with an HTTP interface: `//host[:port]?key=value&key=value`.

What settings there are and what they may be a scheme says with readers. Every problem is told at once.
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
class HostPort:
    """Where a device listens.

    Attributes:
        host: Its name or address; an IPv6 address without brackets.
        tcp_port: 1 to 65535.
    """

    host: str
    tcp_port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.tcp_port}" if ":" in self.host else f"{self.host}:{self.tcp_port}"


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
    readers: Mapping[str, Reader],
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
    front, mark, query = rest.partition("?")
    problems: list[Problem] = []
    place: HostPort | None = None
    try:
        place = _place_of(front)
    except ValueError as error:
        problems.append(Problem(where, "", f"{error}; write http+{scheme}://HOST or http+{scheme}://HOST:PORT"))
    texts: dict[str, str] = {}
    for part in query.split("&") if mark else ():
        key, equals, text = part.partition("=")
        if key in texts:
            problems.append(Problem(where, key, "is given twice"))
        elif key in readers and not equals:
            problems.append(Problem(where, key, "has no value; write setting=value"))
            texts[key] = ""
        else:
            texts[key] = text
    values = _values_of(where, texts, readers, needed or {}, problems, quoted=True)
    if problems or place is None:
        raise FormatError(problems)
    return Address(where=where, place=place, values=values)


def options_of(where: str, texts: Mapping[str, str], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Read settings that are no part of an address, such as an emulator's options.

    Raises:
        FormatError: One cannot be; every problem at once.
    """
    problems: list[Problem] = []
    values = _values_of(where, texts, readers, {}, problems, quoted=False)
    if problems:
        raise FormatError(problems)
    return values


def _values_of(
    where: str,
    texts: Mapping[str, str],
    readers: Mapping[str, Reader],
    needed: Mapping[str, str],
    problems: list[Problem],
    *,
    quoted: bool,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    told = {problem.field for problem in problems}
    for key, text in texts.items():
        if key not in readers:
            problems.append(Problem(where, key, _unknown(key, readers)))
        elif key not in told:
            try:
                values[key] = readers[key](unquote(text, errors="strict") if quoted else text)
            except ValueError as error:
                problems.append(Problem(where, key, str(error)))
    problems += [Problem(where, key, f"is missing; {remedy}") for key, remedy in needed.items() if key not in texts]
    return values


def _unknown(key: str, readers: Mapping[str, Reader]) -> str:
    if not key:
        return "has a setting without a name; write setting=value&setting=value"
    close = difflib.get_close_matches(key, readers, n=1)
    return f"is no setting; {f'did you mean {close[0]}?' if close else 'there are ' + ', '.join(readers)}"


def _place_of(front: str) -> HostPort:
    if not front.startswith("//") or front.startswith("///"):
        raise ValueError("names no host")
    text = front[2:]
    if text.startswith("["):
        host, closed, after = text[1:].partition("]")
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"has no IPv6 address in the brackets of {text!r}") from None
        if not closed or (after and not after.startswith(":")):
            raise ValueError(f"has no host and port in {text!r}")
        port_text = after[1:] if after else None
    else:
        host, colon, after = text.partition(":")
        port_text = after if colon else None
        if ":" in after:
            raise ValueError(f"has more than one colon in {text!r}; an IPv6 address belongs in brackets")
    if "/" in text:
        raise ValueError(f"has a path in {text!r}; what is asked for is known, so name the host alone")
    if "@" in text:
        raise ValueError("has a login in it; write auth_file=/path/to/a/file")
    if not host or not host.isprintable() or any(letter in ' \\%#"<>^`{|}' for letter in host):
        raise ValueError(f"has no host in {text!r}")
    try:
        return HostPort(host, 80 if port_text is None else whole(1, 65_535)(port_text))
    except ValueError as error:
        raise ValueError(f"has a port that {error}") from None


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


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is {text!r}; write {' or '.join(words)}")
        return text

    return read


def some_text(text: str) -> str:
    """Read a text that is not empty."""
    if not text or not text.isprintable():
        raise ValueError(f"is {text!r}; write something that can be read")
    return text
