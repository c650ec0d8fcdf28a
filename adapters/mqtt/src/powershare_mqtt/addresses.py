"""What an address says: `mqtt:TOPIC,TOPIC?setting=value&...` of a meter, `mqtt:?setting=value&...` of a bridge."""

import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

import attrs

from powershare.errors import FormatError, Problem
from powershare.units import Milliamps, limit_ma_from_amps

Reader: TypeAlias = Callable[[str], Any]
Readers: TypeAlias = Mapping[str, tuple[str, Reader]]
"""By setting: the field that it fills, and what reads it."""

MOST_TOPIC_BYTES = 1_000
"""MQTT would carry 65,535; a topic so long is a mistake."""

_TLS_PORT, _PORT = 8883, 1883
_MOST_SOURCE_BYTES = 40
_NONE = "none"


@attrs.frozen(kw_only=True)
class Broker:
    """Where the broker is, and how it is spoken to.

    Attributes:
        host: Its host.
        tcp_port: Its port; None: 8883 with TLS, 1883 without.
        user: Whom to log in as; None: as nobody.
        password_file: A file with the password; None: there is none.
        tls: Whether the connection is encrypted, and the broker's certificate checked.
        ca: File of the roots that the broker's certificate leads to, PEM; None: those of this host.
        cert: File of our own certificate, PEM; None: we show none.
        key: File of its key; None: it is in `cert`.
        keepalive_s: After so long without a word the connection is tried, and after as long again given up.
    """

    host: str = "127.0.0.1"
    tcp_port: int | None = None
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    keepalive_s: int = 10

    @property
    def port(self) -> int:
        """The port that counts."""
        return self.tcp_port if self.tcp_port is not None else (_TLS_PORT if self.tls else _PORT)

    @property
    def words(self) -> str:
        """It, for people."""
        return f"the broker at {self.host}:{self.port}"


@attrs.frozen(kw_only=True)
class MeterSettings:
    """One meter. The README says what each means.

    Attributes:
        broker: The broker.
        topics: Where it publishes: one topic, or one per line of the supply.
        keys: Paths into a JSON object: none, one, or one per line.
        unit: `A`, `mA`, `W` or `kW`.
        volts: Between line and neutral, by which watts become amps.
        power_factor_percent: By which they do so, too.
        lines: Lines of the supply; None: as many as there are figures.
        time: Path to a time stamp in the JSON object; None: what arrives counts from then.
        clock_ms: By how much such a stamp may be ahead.
        wait_ms: How long opening waits for the first message.
    """

    broker: Broker
    topics: tuple[str, ...]
    keys: tuple[str, ...] = ()
    unit: str = "A"
    volts: int = 230
    power_factor_percent: int = 90
    lines: int | None = None
    time: str | None = None
    clock_ms: int = 2_000
    wait_ms: int = 12_000


@attrs.frozen(kw_only=True)
class Renewal:
    """What silence means for limits of one kind.

    Attributes:
        within_ms: A limit must be given again within so long; None: it stays until it is changed.
        stale_ma: What counts where it was not; None: nothing, the commissioned limits alone.
        says_stale: Whether somebody has said what counts then.
    """

    within_ms: int | None = None
    stale_ma: Milliamps | None = None
    says_stale: bool = False


@attrs.frozen(kw_only=True)
class BridgeSettings:
    """The bridge. The README says what each means.

    Attributes:
        broker: The broker.
        topic: What all its own topics begin with.
        discovery: What Home Assistant's discovery topics begin with; None: nothing is published for it.
        limits: Whether limits are taken.
        connectors: What silence means for limits of connectors.
        circuits: What it means for those of circuits.
        every_ms: Everything is published anew so often, changed or not.
    """

    broker: Broker
    topic: str = "powershare"
    discovery: str | None = "homeassistant"
    limits: bool = True
    connectors: Renewal = Renewal()
    circuits: Renewal = Renewal()
    every_ms: int = 10_000

    @property
    def source(self) -> str:
        """Who sets the limits, for decisions: another name for another broker or topic, in 40 bytes at most."""
        plain = f"mqtt:{self.broker.host}:{self.broker.port}/{self.topic}"
        if len(plain.encode()) <= _MOST_SOURCE_BYTES:
            return plain
        return f"mqtt:{hashlib.blake2s(plain.encode(), digest_size=8).hexdigest()}"


# Readers of one setting each: a text to its value, or ValueError, whose text completes "x ..."


def whole(least: int, greatest: int) -> Reader:
    """A reader of whole numbers in this range, both ends included."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= greatest):
            raise ValueError(f"is {text!r}; write a whole number from {least} to {greatest}")
        return int(text)

    return read


def thousandths(least: int, greatest: int) -> Reader:
    """A reader of amps as milliamps, or seconds as milliseconds, in this range of amps or seconds."""

    def read(text: str) -> int:
        try:
            value = limit_ma_from_amps(text)  # exact decimal arithmetic, for seconds as well
        except ValueError:
            value = -1
        if not least * 1_000 <= value <= greatest * 1_000:
            raise ValueError(f"is {text!r}; write a number from {least} to {greatest}")
        return value

    return read


def percent(text: str) -> int:
    """Read a factor of 0.1 to 1 as hundredths, rounded down."""
    hundredths = int(thousandths(0, 1)(text)) // 10
    if hundredths < 10:
        raise ValueError(f"is {text!r}; write a number from 0.1 to 1")
    return hundredths


def one_of(*words: str) -> Reader:
    """A reader of one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is {text!r}; write {' or '.join(words)}")
        return text

    return read


def yes_no(text: str) -> bool:
    """Read yes or no."""
    return bool(one_of("yes", "no")(text) == "yes")


def some_text(text: str) -> str:
    """Read what may be anything but nothing."""
    if not text or not text.isprintable():
        raise ValueError("is empty, or cannot be printed")
    return text


def topic(text: str) -> str:
    """Read a topic without wildcards (MQTT 3.1.1, 4.7)."""
    if not text or set(text) & set("+#\0") or len(text.encode(errors="replace")) > MOST_TOPIC_BYTES:
        raise ValueError(f"is {text[:60]!r}; write a topic: no + and no #, at most {MOST_TOPIC_BYTES} bytes")
    if not text.isprintable():
        raise ValueError(f"is {text[:60]!r}; write a topic that can be printed")
    return text


def _prefix(text: str) -> str:
    return topic(text.rstrip("/"))


def _discovery(text: str) -> str | None:
    return None if text == "no" else _prefix(text)


def _stale(text: str) -> int | None:
    if text == _NONE:
        return None
    try:
        return int(thousandths(0, 100_000)(text))
    except ValueError:
        raise ValueError(f"is {text!r}; write amps, or {_NONE} for the commissioned limits alone") from None


def _keys(text: str) -> tuple[str, ...]:
    keys = tuple(text.split(","))
    if len(keys) > 3 or not all(key and all(key.split(".")) for key in keys):
        raise ValueError(f"is {text!r}; write a path such as power.total, or one per line with commas between")
    return keys


_BROKER: Readers = {
    "broker": ("host", some_text),
    "port": ("tcp_port", whole(1, 65_535)),
    "user": ("user", some_text),
    "password_file": ("password_file", some_text),
    "tls": ("tls", yes_no),
    "ca": ("ca", some_text),
    "cert": ("cert", some_text),
    "key": ("key", some_text),
    "keepalive_s": ("keepalive_s", whole(5, 300)),
}
_METER: Readers = {
    "json": ("keys", _keys),
    "unit": ("unit", one_of("A", "mA", "W", "kW")),
    "volts": ("volts", whole(90, 400)),
    "power_factor": ("power_factor_percent", percent),
    "lines": ("lines", whole(1, 3)),
    "time": ("time", some_text),
    "clock_s": ("clock_ms", thousandths(0, 60)),
    "wait_s": ("wait_ms", thousandths(1, 14)),
}
_BRIDGE: Readers = {
    "topic": ("topic", _prefix),
    "discovery": ("discovery", _discovery),
    "limits": ("limits", yes_no),
    "renew_s": ("renew_ms", thousandths(1, 86_400)),
    "stale_a": ("stale_ma", _stale),
    "circuit_renew_s": ("circuit_renew_ms", thousandths(1, 86_400)),
    "circuit_stale_a": ("circuit_stale_ma", _stale),
    "every_s": ("every_ms", thousandths(1, 3_600)),
}


def meter_settings_of(rest: str) -> MeterSettings:
    """Read the rest of a meter's address.

    Args:
        rest: `TOPIC?setting=value&...`, what follows `mqtt:`.

    Raises:
        FormatError: It cannot be understood; every problem at once.
    """
    where = f'meter "mqtt:{rest}"'
    front, _, query = rest.partition("?")
    problems: list[Problem] = []
    topics = []
    for part in front.split(","):
        try:
            topics.append(topic(unquote(part)))
        except ValueError as error:
            problems.append(Problem(where, "topic", str(error)))
    values = _values_of(where, query, {**_BROKER, **_METER}, problems)
    keys, lines = values.get("keys", ()), values.get("lines")
    if len(topics) > 3:
        problems.append(Problem(where, "topic", f"stands {len(topics)} times; write one, or one per line"))
    if len(topics) > 1 and len(keys) > 1:
        problems.append(Problem(where, "json", "names several paths beside several topics; one path fits each topic"))
    figures = max(len(topics), len(keys), 1)
    if lines is not None and figures not in {1, lines}:
        problems.append(Problem(where, "lines", f"is {lines}, and there are {figures} figures; write one, or {lines}"))
    broker = _broker_of(where, values, problems)
    if problems:
        raise FormatError(problems)
    return MeterSettings(broker=broker, topics=tuple(topics), **values)


def bridge_settings_of(rest: str) -> BridgeSettings:
    """Read the rest of a bridge's address.

    Args:
        rest: `?setting=value&...`, what follows `mqtt:`.

    Raises:
        FormatError: It cannot be understood; every problem at once.
    """
    where = f'bridge "mqtt:{rest}"'
    front, _, query = rest.partition("?")
    problems: list[Problem] = []
    if front:
        problems.append(Problem(where, "", f"begins with {front!r}; write mqtt:?topic={front}"))
    values = _values_of(where, query, {**_BROKER, **_BRIDGE}, problems)
    values["connectors"] = _renewal_of(where, "", values, problems)
    values["circuits"] = _renewal_of(where, "circuit_", values, problems)
    broker = _broker_of(where, values, problems)
    if problems:
        raise FormatError(problems)
    return BridgeSettings(broker=broker, **values)


def _renewal_of(where: str, prefix: str, values: dict[str, Any], problems: list[Problem]) -> Renewal:
    says_stale = f"{prefix}stale_ma" in values
    within_ms, stale_ma = values.pop(f"{prefix}renew_ms", None), values.pop(f"{prefix}stale_ma", None)
    if within_ms is not None and not says_stale:
        message = f"is missing; say what counts when no limit comes within {prefix}renew_s: amps, or {_NONE}"
        problems.append(Problem(where, f"{prefix}stale_a", message))
    return Renewal(within_ms=within_ms, stale_ma=stale_ma, says_stale=says_stale)


def _broker_of(where: str, values: dict[str, Any], problems: list[Problem]) -> Broker:
    broker = Broker(**{field: values.pop(field) for field, _ in _BROKER.values() if field in values})
    if not broker.tls:
        problems += [
            Problem(where, name, "needs tls=yes: without it nothing is encrypted and no certificate is shown")
            for name in ("ca", "cert", "key")
            if getattr(broker, name) is not None
        ]
    if broker.key is not None and broker.cert is None:
        problems.append(Problem(where, "key", "needs cert, the certificate that it belongs to"))
    if broker.password_file is not None and broker.user is None:
        problems.append(Problem(where, "password_file", "needs user, whose password it is"))
    return broker


def _values_of(where: str, query: str, readers: Readers, problems: list[Problem]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in readers:
            problems.append(Problem(where, name, f"is no setting; {_hint(name, list(readers))}"))
            continue
        field, read = readers[name]
        if field in values:
            problems.append(Problem(where, name, "is given twice"))
            continue
        try:
            values[field] = read(text)
        except ValueError as error:
            problems.append(Problem(where, name, str(error)))
    return values


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
