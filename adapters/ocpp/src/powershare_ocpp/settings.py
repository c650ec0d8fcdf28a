"""What an address says of a station: `ocpp:STATION/CONNECTOR?listen=HOST:PORT&setting=value`."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.addressing import (
    HostPort,
    Readers,
    amps,
    host_port_of,
    one_of,
    query_of,
    seconds,
    some_text,
    whole,
    yes_no,
)
from powershare.errors import ContractError, FormatError, Problem
from powershare.units import Milliamps

_STATION = re.compile(r"[A-Za-z0-9*_=:+|@.\-]{1,48}")
"""What an identifier of OCPP may be made of, and no longer than a station's serial number."""

_LONGEST_FRONT = 20

_MOST_CONNECTORS = 64

VERSIONS: Mapping[str, str] = MappingProxyType({"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"})
"""Versions of OCPP, and the names by which a connection says which it is."""


@attrs.frozen(kw_only=True)
class Security:
    """How stations prove who they are, one for all that dial in at one place (OCPP 1.6 security whitepaper, 2).

    Attributes:
        tls_cert: File of our own certificate, and those that lead to its root, in PEM; None: no TLS.
        tls_key: File of its key; None: it is in `tls_cert`.
        client_ca: File of the roots of the stations' certificates; None: stations need none.
    """

    tls_cert: str | None = None
    tls_key: str | None = None
    client_ca: str | None = None


@attrs.frozen(kw_only=True)
class Upstream:
    """A central system behind this one.

    Attributes:
        url: Where stations dial it, `ws://` or `wss://`, without the station's identifier.
        store: File of what must outlast a power cut, one for all stations at one place.
        password_file: File of the station's password there; None: it needs none.
        ca: File of the roots of its certificate, in PEM; None: those of the system.
        away: Who may charge while it is away: whom it accepted before (`known`), `all`, or `nobody`.
    """

    url: str
    store: str
    password_file: str | None = None
    ca: str | None = None
    away: str = "known"


@attrs.frozen(kw_only=True)
class Settings:
    """One connector of a station. The README says what each means, in the units of an address.

    Attributes:
        station: Identifier of the station, the last part of the path that it dials.
        connector: Its connector, from 1; with OCPP 2.0.1 its EVSE.
        host: Where we listen.
        tcp_port: Where we listen, 1 to 65535.
        security: How stations prove who they are.
        upstream: The central system behind; None: there is none.
        password_file: File of the station's password; None: it needs none.
        client_cn: Common name of the station's certificate.
        version: The version of OCPP that is spoken with it; None: what it offers.
        lines: Lines the connector is wired to, 1 to 3.
        step_ma: Step of its offers.
        least_ma: Its least offer above 0.
        greatest_ma: Its greatest offer.
        fallback_ma: The most it offers when left alone; what follows an order may be set lower.
        can_pause: Whether it takes 0.
        unit: `A`, `W`, or None for what the station says.
        volts: Voltage between line and neutral by which amps are told as watts; never above the station's own.
        meter: Whether the station measures what the vehicle draws.
        offered: Who says what it offers: its `composite` schedule, its `meter`, or `nobody`.
        settle_ms: How long after an order pilot and reports have changed.
        longest_write_ms: How long an order may take.
        clock_ms: By how much its clock may be wrong.
        wait_ms: How long opening waits for it to dial in.
    """

    station: str
    connector: int
    host: str
    tcp_port: int
    security: Security = Security()
    upstream: Upstream | None = None
    password_file: str | None = None
    client_cn: str
    version: str | None = None
    lines: int = 1
    step_ma: Milliamps = 100
    least_ma: Milliamps = 6_000
    greatest_ma: Milliamps = 32_000
    fallback_ma: Milliamps = 0
    can_pause: bool = True
    unit: str | None = None
    volts: int = 230
    meter: bool = True
    offered: str = "composite"
    settle_ms: int = 2_000
    longest_write_ms: int = 5_000
    clock_ms: int = 10_000
    wait_ms: int = 12_000

    def declaration(self) -> Declaration:
        """What a connector of these settings promises: a charging profile ends by itself, and a lower one stays.

        Raises:
            ContractError: The settings contradict each other.
        """
        return Declaration(
            step_ma=self.step_ma,
            least_offer_ma=self.least_ma,
            greatest_offer_ma=self.greatest_ma,
            can_pause=self.can_pause,
            deadman=Deadman.LEASE,
            fallback_ma=self.fallback_ma,
            settle_ms=self.settle_ms,
            longest_write_ms=self.longest_write_ms,
            confirms_applied=False,
        )


def settings_of(rest: str) -> Settings:
    """Read the rest of an address, what follows `ocpp:`.

    Args:
        rest: `STATION/CONNECTOR?listen=HOST:PORT&setting=value`.

    Raises:
        FormatError: It cannot be understood; every problem at once.
    """
    where = f'adapter "ocpp:{rest}"'
    front, _, query = rest.partition("?")
    problems: list[Problem] = []
    station, _, connector = front.rpartition("/")
    station = unquote(station)
    if not _STATION.fullmatch(station):
        problems.append(Problem(where, "", "names no station; write ocpp:STATION/CONNECTOR?listen=HOST:PORT"))
    values: dict[str, Any] = {"station": station, "client_cn": station}
    try:
        values["connector"] = whole(1, _MOST_CONNECTORS)(connector)
    except ValueError as error:
        problems.append(Problem(where, "connector", str(error)))
    needed = {"listen": "write listen=HOST:PORT, where stations dial in"}
    given = query_of(where, query, _READERS, problems, needed=needed)
    if "listen" in given:
        place: HostPort = given.pop("listen")
        values |= {"host": place.host, "tcp_port": place.tcp_port}
    security = Security(**{key: given.pop(key) for key in ("tls_cert", "tls_key", "client_ca") if key in given})
    upstream = _upstream_of(where, given, problems)
    if problems:
        raise FormatError(problems)
    settings = Settings(**(values | given), security=security, upstream=upstream)
    problems = [Problem(where, setting, message) for setting, message in _contradictions(settings, given)]
    if problems:
        raise FormatError(problems)
    return settings


def _upstream_of(where: str, given: dict[str, Any], problems: list[Problem]) -> Upstream | None:
    """Take the settings of the central system behind out of those that are given."""
    parts = {key.removeprefix("upstream_"): given.pop(key) for key in list(given) if key.startswith("upstream")}
    wrong = {problem.field for problem in problems}
    if "upstream" not in parts:
        if "upstream" in wrong:
            return None
        problems += [Problem(where, f"upstream_{key}", "needs upstream=wss://HOST/PATH") for key in parts]
        return None
    url = parts.pop("upstream")
    if "store" not in parts:
        if "upstream_store" not in wrong:
            message = "is missing; write upstream_store=FILE, where what upstream must not lose waits while it is away"
            problems.append(Problem(where, "upstream_store", message))
        return None
    if "ca" in parts and not url.startswith("wss:"):
        problems.append(Problem(where, "upstream_ca", "needs wss: without TLS no certificate is shown"))
    return Upstream(url=url, **parts)


def _contradictions(settings: Settings, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    security = settings.security
    if security.tls_cert is None:
        found += [
            (key, "needs tls_cert: without TLS nothing is encrypted and no certificate is shown")
            for key, value in (("tls_key", security.tls_key), ("client_ca", security.client_ca))
            if value is not None
        ]
    if security.client_ca is None and "client_cn" in given:
        found.append(("client_cn", "needs client_ca, without which no station shows a certificate"))
    if settings.offered == "meter" and not settings.meter:
        found.append(("offered", "is meter, and meter is no"))
    if settings.step_ma % 100:
        found.append(("step_a", "is no multiple of 0.1; a charging profile has one decimal"))
    try:
        settings.declaration()
    except ContractError as error:
        found.append(("", str(error)))
    return found


def station_name(text: str) -> str:
    """Read what a station's identifier begins with."""
    if not _STATION.fullmatch(text) or len(text) > _LONGEST_FRONT:
        raise ValueError(f"is {text!r:.60}; write letters, digits or *_=:+|@.-, {_LONGEST_FRONT} at the most")
    return text


def listening_place(text: str) -> HostPort:
    """Read `HOST:PORT`, where stations dial in."""
    try:
        return host_port_of(text)
    except ValueError as error:
        raise ValueError(f"{error}; write HOST:PORT, and 0.0.0.0 for every network of this host") from None


def websocket_url(text: str) -> str:
    """Read `ws://HOST/PATH` or `wss://HOST/PATH`, without a user, a password or a query."""
    wrong = f"is {text!r}; write wss://HOST/PATH, and the password into upstream_password_file"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname or port == 0 or not text.isprintable():
        raise ValueError(wrong)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(wrong)
    return text


_READERS: Readers = MappingProxyType(
    {
        "listen": listening_place,
        "password_file": some_text,
        "tls_cert": some_text,
        "tls_key": some_text,
        "client_ca": some_text,
        "client_cn": some_text,
        "upstream": websocket_url,
        "upstream_store": some_text,
        "upstream_password_file": some_text,
        "upstream_ca": some_text,
        "upstream_away": one_of("known", "all", "nobody"),
        "version": one_of(*VERSIONS),
        "lines": whole(1, 3),
        "step_a": ("step_ma", amps(0, 32_000)),
        "least_a": ("least_ma", amps(1_000, 80_000)),
        "greatest_a": ("greatest_ma", amps(6_000, 1_000_000)),
        "fallback_a": ("fallback_ma", amps(0, 1_000_000)),
        "can_pause": yes_no,
        "unit": one_of("A", "W"),
        "volts": whole(90, 400),
        "meter": yes_no,
        "offered": one_of("composite", "meter", "nobody"),
        "settle_s": ("settle_ms", seconds(0, 120_000)),
        "longest_write_s": ("longest_write_ms", seconds(1_000, 60_000)),
        "clock_s": ("clock_ms", seconds(1_000, 60_000)),
        "wait_s": ("wait_ms", seconds(0, 600_000)),
    }
)
