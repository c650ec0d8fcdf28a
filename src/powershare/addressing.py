"""What an address says after its scheme: where something is, and settings `?name=value&name=value`.

For adapters, meters, bridges and emulators. Which settings there are, and what each may be, they say with readers; that
each is given once, that percent-encoding is undone, and that everything that is wrong is told at once is the same for
all of them and written here.

Percent-encoding is that of RFC 3986, section 2.1: a plus sign is a plus sign.
"""

import difflib
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

import attrs

from powershare.errors import FormatError, Problem
from powershare.units import Milliamps, limit_ma_from_amps

Reader: TypeAlias = Callable[[str], Any]
"""Reads the text of one setting; a ValueError completes the sentence "<setting> ..."."""

Readers: TypeAlias = Mapping[str, Reader | tuple[str, Reader]]
"""The settings that there are: what reads each; with a name before it, the name under which its value is answered."""

_LONGEST_NUMBER = 20
_IN_NO_HOST = frozenset(' /@\\%#"<>^`{|}')


@attrs.frozen
class HostPort:
    """A place in a network.

    Attributes:
        host: Its name or address; an IPv6 address without brackets.
        tcp_port: 1 to 65535.
    """

    host: str
    tcp_port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.tcp_port}" if ":" in self.host else f"{self.host}:{self.tcp_port}"


# Settings


def query_of(
    where: str, query: str, readers: Readers, problems: list[Problem], *, needed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read the settings of an address, what follows its question mark.

    Args:
        where: The address in the words of an error: `adapter "http+go-e://192.0.2.20"`.
        query: `name=value&name=value`, percent-encoded; empty: nothing is set.
        readers: The settings that there are.
        problems: Takes up what is wrong; the caller raises them with its own.
        needed: Settings that have to be there, each with what to write.

    Returns:
        The values of those that are given and can be read.
    """
    texts: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, text = part.partition("=")
        if name in texts:
            problems.append(Problem(where, name, "is given twice"))
        elif name in readers and not equals:
            problems.append(Problem(where, name, "has no value; write setting=value"))
            texts[name] = ""
        else:
            texts[name] = text
    return _values_of(where, texts, readers, needed or {}, problems, decode=decoded)


def options_of(
    where: str, texts: Mapping[str, str], readers: Readers, *, needed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read settings that are no part of an address, such as an emulator's options.

    Args:
        where: What they belong to, in the words of an error: `emulator "rapi"`.
        texts: The settings as they were written.
        readers: The settings that there are.
        needed: Settings that have to be there, each with what to write.

    Returns:
        The values of those that are given.

    Raises:
        FormatError: One cannot be read, or is missing; every problem at once.
    """
    problems: list[Problem] = []
    values = _values_of(where, texts, readers, needed or {}, problems, decode=str)
    if problems:
        raise FormatError(problems)
    return values


def _values_of(
    where: str,
    texts: Mapping[str, str],
    readers: Readers,
    needed: Mapping[str, str],
    problems: list[Problem],
    *,
    decode: Callable[[str], str],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    wrong = {problem.field for problem in problems}
    for name, text in texts.items():
        if name not in readers:
            problems.append(Problem(where, name, _unknown(name, readers)))
        elif name not in wrong:
            entry = readers[name]
            field, read = entry if isinstance(entry, tuple) else (name, entry)
            try:
                values[field] = read(decode(text))
            except ValueError as error:
                problems.append(Problem(where, name, str(error)))
    problems += [Problem(where, name, f"is missing; {remedy}") for name, remedy in needed.items() if name not in texts]
    return values


def _unknown(name: str, known: Iterable[str]) -> str:
    if not name:
        return "has a setting without a name; write setting=value&setting=value"
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"is no setting; {f'did you mean {close[0]}?' if close else 'there are ' + (', '.join(names) or 'none')}"


def decoded(text: str) -> str:
    """Undo the percent-encoding of a part of an address.

    Raises:
        ValueError: What is encoded is no UTF-8; the text completes "x ...".
    """
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise ValueError(f"is {text!r}; what is percent-encoded in it is no UTF-8") from None


def host_port_of(text: str, default_tcp_port: int | None = None) -> HostPort:
    """Read `HOST:PORT`; an IPv6 address stands in brackets.

    Args:
        text: It.
        default_tcp_port: The port of a host that is named without one; None: one must be named.

    Raises:
        ValueError: It is none; the text completes "x ...".
    """
    if text.startswith("["):
        host, closed, after = text[1:].partition("]")
        if not closed or (after and not after.startswith(":")):
            raise ValueError(f"has no host and port in {text!r}")
        if not _is_ipv6(host):
            raise ValueError(f"has no IPv6 address in the brackets of {text!r}")
        port_text = after[1:] if after else None
    else:
        host, colon, after = text.partition(":")
        port_text = after if colon else None
        if ":" in after:
            raise ValueError(f"has more than one colon in {text!r}; an IPv6 address belongs in brackets")
        if not host or not _is_plain(host):
            raise ValueError(f"has no host in {text!r}")
    if port_text is None:
        if default_tcp_port is None:
            raise ValueError(f"names the host {host!r} without a port")
        return HostPort(host, default_tcp_port)
    try:
        return HostPort(host, whole(1, 65_535)(port_text))
    except ValueError as error:
        raise ValueError(f"has a port that {error}") from None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return _is_plain(text.partition("%")[2])  # a zone (RFC 4007, section 11), which ipaddress lets be anything


def _is_plain(name: str) -> bool:
    return name.isprintable() and _IN_NO_HOST.isdisjoint(name)


# Readers


def whole(least: int, greatest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `greatest`."""

    def read(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
        if not plain or not least <= int(text) <= greatest:
            raise ValueError(f"is {text!r}; write a whole number from {least} to {greatest}")
        return int(text)

    return read


def thousandths(least: int, greatest: int, unit: str) -> Callable[[str], int]:
    """Return a reader of decimal numbers of a unit, as whole thousandths of it, rounded down.

    Args:
        least: The least, in thousandths.
        greatest: The greatest, in thousandths.
        unit: The unit, for messages: `amps`.
    """

    def read(text: str) -> int:
        try:
            value = limit_ma_from_amps(text)  # exact decimal arithmetic, for every unit
        except ValueError:
            value = least - 1
        if not least <= value <= greatest:
            raise ValueError(f"is {text!r}; write {_plain(least)} to {_plain(greatest)} {unit}")
        return value

    return read


def amps(least_ma: Milliamps, greatest_ma: Milliamps) -> Callable[[str], Milliamps]:
    """Return a reader of amps that bound something, as milliamps rounded down."""
    return thousandths(least_ma, greatest_ma, "amps")


def seconds(least_ms: int, greatest_ms: int) -> Callable[[str], int]:
    """Return a reader of seconds, as whole milliseconds rounded down."""
    return thousandths(least_ms, greatest_ms, "seconds")


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is {text!r}; write {' or '.join(words)}")
        return text

    return read


def yes_no(text: str) -> bool:
    """Read `yes` or `no`."""
    return one_of("yes", "no")(text) == "yes"


def hexadecimal(digits: int) -> Callable[[str], int]:
    """Return a reader of up to so many hexadecimal digits."""

    def read(text: str) -> int:
        if not 0 < len(text) <= digits or any(letter not in "0123456789abcdefABCDEF" for letter in text):
            raise ValueError(f"is {text!r}; write up to {digits} hexadecimal digits")
        return int(text, 16)

    return read


def some_text(text: str) -> str:
    """Read a text that is not empty and can be printed."""
    if not text or not text.isprintable():
        raise ValueError(f"is {text!r}; write something that can be read")
    return text


def _plain(value: int) -> str:
    whole_units, rest = divmod(value, 1_000)
    return f"{whole_units}.{rest:03}".rstrip("0") if rest else str(whole_units)
