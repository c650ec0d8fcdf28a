"""What an address says: `mqtt:TOPIC,TOPIC?setting=value&...` of a meter, `mqtt:?setting=value&...` of a bridge."""

import hashlib
from typing import Any

import attrs

from powershare.addressing import (
    Readers,
    amps,
    decoded,
    one_of,
    query_of,
    seconds,
    some_text,
    thousandths,
    whole,
    yes_no,
)
from powershare.errors import FormatError, Problem
from powershare.units import Milliamps

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


def topic(text: str) -> str:
    """Read a topic without wildcards (MQTT 3.1.1, 4.7)."""
    if not text or set(text) & set("+#\0") or len(text.encode(errors="replace")) > MOST_TOPIC_BYTES:
        raise ValueError(f"is {text[:60]!r}; write a topic: no + and no #, at most {MOST_TOPIC_BYTES} bytes")
    if not text.isprintable():
        raise ValueError(f"is {text[:60]!r}; write a topic that can be printed")
    return text


def _percent(text: str) -> int:
    return thousandths(100, 1_000, "as a factor")(text) // 10


def _prefix(text: str) -> str:
    return topic(text.rstrip("/"))


def _discovery(text: str) -> str | None:
    return None if text == "no" else _prefix(text)


def _stale(text: str) -> Milliamps | None:
    if text == _NONE:
        return None
    try:
        return amps(0, 100_000_000)(text)
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
    "user": some_text,
    "password_file": some_text,
    "tls": yes_no,
    "ca": some_text,
    "cert": some_text,
    "key": some_text,
    "keepalive_s": whole(5, 300),
}
_METER: Readers = {
    "json": ("keys", _keys),
    "unit": one_of("A", "mA", "W", "kW"),
    "volts": whole(90, 400),
    "power_factor": ("power_factor_percent", _percent),
    "lines": whole(1, 3),
    "time": some_text,
    "clock_s": ("clock_ms", seconds(0, 60_000)),
    "wait_s": ("wait_ms", seconds(1_000, 14_000)),
}
_BRIDGE: Readers = {
    "topic": _prefix,
    "discovery": _discovery,
    "limits": yes_no,
    "renew_s": ("renew_ms", seconds(1_000, 86_400_000)),
    "stale_a": ("stale_ma", _stale),
    "circuit_renew_s": ("circuit_renew_ms", seconds(1_000, 86_400_000)),
    "circuit_stale_a": ("circuit_stale_ma", _stale),
    "every_s": ("every_ms", seconds(1_000, 3_600_000)),
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
            topics.append(topic(decoded(part)))
        except ValueError as error:
            problems.append(Problem(where, "topic", str(error)))
    values = query_of(where, query, {**_BROKER, **_METER}, problems)
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
    values = query_of(where, query, {**_BROKER, **_BRIDGE}, problems)
    values["connectors"] = _renewal_of(where, "", values, problems)
    values["circuits"] = _renewal_of(where, "circuit_", values, problems)
    broker = _broker_of(where, values, problems)
    if problems:
        raise FormatError(problems)
    return BridgeSettings(broker=broker, **values)


def _renewal_of(where: str, prefix: str, values: dict[str, Any], problems: list[Problem]) -> Renewal:
    says_stale = f"{prefix}stale_ma" in values
    within_ms, stale_ma = values.pop(f"{prefix}renew_ms", None), values.pop(f"{prefix}stale_ma", None)
    is_wrong = any(problem.field == f"{prefix}stale_a" for problem in problems)
    if within_ms is not None and not says_stale and not is_wrong:
        message = f"is missing; say what counts when no limit comes within {prefix}renew_s: amps, or {_NONE}"
        problems.append(Problem(where, f"{prefix}stale_a", message))
    return Renewal(within_ms=within_ms, stale_ma=stale_ma, says_stale=says_stale)


def _broker_of(where: str, values: dict[str, Any], problems: list[Problem]) -> Broker:
    broker = Broker(**{name: values.pop(name) for name in attrs.fields_dict(Broker) if name in values})
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
