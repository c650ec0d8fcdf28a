"""What a Wall Connector says of itself: bytes to values, without I/O, through everything that has been seen of it.

Rule 1: a body may say `nan` for a number, may have lost its end, and has other members from one firmware to the next.
Rule 2: what is lost or `nan` is None, and never 0. A member that may have lost digits is lost.
Rule 3: a body is vitals if it has `evse_state`. Anything that is not understood is a `BodyError`.

The members: einarhauks/tesla-wall-connector, Brandon-Haney/Tesla-Wall-Connector-Dashboard docs/WALL_CONNECTOR_API.md,
evcc-io/evcc issue 7599. Tesla documents none of them.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from powershare.units import Milliamps
from powershare_http.bodies import BodyError, decimal_of
from powershare_http.exchange import MAX_BODY_BYTES, shown

GREATEST_MA: Milliamps = 1_000_000
"""No Wall Connector draws 1,000 A."""

_LEAST_MA = -1_000
"""Idle meters tremble around nothing; below this it is no trembling."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b(?:\([^()"]*\))?', re.IGNORECASE | re.DOTALL)
_SAFE_ENDS = ("]", '"', "}")
"""A body that lost its last brace behind one of these has lost nothing else."""


@attrs.frozen(kw_only=True)
class Vitals:
    """`/api/1/vitals`. What it did not say, or said `nan` for, is None.

    Attributes:
        evse_state: Its state; what the numbers mean is not documented, and those who found out disagree.
        vehicle_connected: Whether a vehicle is plugged in.
        contactor_closed: Whether it is connected to the lines.
        vehicle_ma: Current into the vehicle, rounded up.
        line_ma: Currents of its conductors A, B and C, rounded up.
        uptime_s: Since its start.
        alerts: Names or numbers of what it complains about.
    """

    evse_state: int
    vehicle_connected: bool | None
    contactor_closed: bool | None
    vehicle_ma: Milliamps | None
    line_ma: tuple[Milliamps | None, Milliamps | None, Milliamps | None]
    uptime_s: int | None
    alerts: tuple[str, ...]


def object_of(body: bytes) -> dict[str, Any]:
    """Read a body as the members that it surely has.

    Raises:
        BodyError: It has none.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyError(f"its answer has more than {MAX_BODY_BYTES} bytes")
    text = body.decode("utf-8", "replace").strip().strip("\0\ufeff")
    if not text.startswith("{"):
        raise BodyError(f"its answer is no object: {shown(body)}")
    plain = _TOKEN.sub(lambda match: match[0] if match[0].startswith('"') else "null", text)
    for attempt in (plain, *_mended(plain)):
        try:
            data = json.loads(attempt, parse_float=decimal_of, parse_int=decimal_of, parse_constant=_nothing)
        except BodyError:
            raise
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict) and data:
            return data
    raise BodyError(f"its answer is no object: {shown(body)}")


def vitals_of(body: bytes) -> Vitals:
    """Read vitals.

    Raises:
        BodyError: They are none.
    """
    members = object_of(body)
    state = _number(members, "evse_state")
    if state is None or not 0 <= state <= 1_000:
        raise BodyError("its answer has no evse_state, so that it is no Wall Connector's")
    alerts = members.get("current_alerts")
    return Vitals(
        evse_state=int(state),
        vehicle_connected=_flag(members, "vehicle_connected"),
        contactor_closed=_flag(members, "contactor_closed"),
        vehicle_ma=_current_ma(members, "vehicle_current_a"),
        line_ma=(
            _current_ma(members, "currentA_a"),
            _current_ma(members, "currentB_a"),
            _current_ma(members, "currentC_a"),
        ),
        uptime_s=_whole(members, "uptime_s"),
        alerts=tuple(map(_words, alerts)) if isinstance(alerts, list) else (),
    )


def version_words(body: bytes) -> Mapping[str, str]:
    """What `/api/1/version` says, for people.

    Raises:
        BodyError: It is no object.
    """
    names = {"firmware": "firmware_version", "part number": "part_number", "serial number": "serial_number"}
    return _chosen(object_of(body), names)


def wifi_words(body: bytes) -> Mapping[str, str]:
    """What `/api/1/wifi_status` says, for people.

    Raises:
        BodyError: It is no object.
    """
    members = object_of(body)
    signal = [
        f"{words} {_words(members[name])}{unit}"
        for name, words, unit in (
            ("wifi_rssi", "", " dBm"),
            ("wifi_snr", "signal to noise", " dB"),
            ("wifi_signal_strength", "strength", " %"),
        )
        if members.get(name) is not None
    ]
    connected, internet = _flag(members, "wifi_connected"), _flag(members, "internet")
    said = {
        "Wi-Fi": {True: "connected", False: "not connected", None: "not said"}[connected],
        "Wi-Fi signal": ", ".join(words.strip() for words in signal) or "not said",
        "internet": {True: "reached", False: "not reached", None: "not said"}[internet],
    }
    name = members.get("wifi_ssid")
    return said | ({"Wi-Fi network": _network_name(name)} if isinstance(name, str) and name else {})


def lifetime_words(body: bytes) -> Mapping[str, str]:
    """What `/api/1/lifetime` says, for people.

    Raises:
        BodyError: It is no object.
    """
    members = object_of(body)
    names = {
        "contactor cycles": "contactor_cycles",
        "contactor cycles under load": "contactor_cycles_loaded",
        "plugged in": "connector_cycles",
        "charges begun": "charge_starts",
        "thermal foldbacks": "thermal_foldbacks",
        "alerts in its life": "alert_count",
        "energy in its life in Wh": "energy_wh",
    }
    said = dict(_chosen(members, names))
    uptime_s = _whole(members, "uptime_s")
    if uptime_s is not None:
        said["running for"] = duration_words(uptime_s)
    return said


def duration_words(duration_s: int) -> str:
    """A long time, in days and hours or in minutes."""
    days, rest_s = divmod(duration_s, 86_400)
    return f"{days} days {rest_s // 3_600} h" if days else f"{rest_s // 3_600} h {rest_s % 3_600 // 60} min"


def _mended(text: str) -> list[str]:
    """The text as it may have been before its end was lost, likelier ones first."""
    mended = [text + "}"] if text.endswith(_SAFE_ENDS) else []
    comma = _last_comma(text)
    return mended + ([text[:comma] + "}"] if comma is not None else [])


def _last_comma(text: str) -> int | None:
    """Where the last comma between two members of the outermost object stands: what is before it is whole."""
    depth, quoted, escaped, last = 0, False, False, None
    for at, letter in enumerate(text):
        if quoted:
            quoted, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
        elif letter == "," and depth == 1:
            last = at
    return last


def _nothing(_: str) -> None:
    return None


def _number(members: Mapping[str, Any], name: str) -> Decimal | None:
    value = members.get(name)
    return value if isinstance(value, Decimal) else None


def _whole(members: Mapping[str, Any], name: str) -> int | None:
    value = _number(members, name)
    return None if value is None or value < 0 else int(value)


def _flag(members: Mapping[str, Any], name: str) -> bool | None:
    value = members.get(name)
    return value if isinstance(value, bool) else None


def _current_ma(members: Mapping[str, Any], name: str) -> Milliamps | None:
    value = _number(members, name)
    if value is None:
        return None
    current_ma = math.ceil(value * 1_000)
    if not _LEAST_MA <= current_ma <= GREATEST_MA:
        raise BodyError(f"{name} is {value} A, which no Wall Connector draws")
    return max(0, current_ma)


def _chosen(members: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    return {words: _words(members[name]) for words, name in names.items() if members.get(name) is not None}


def _words(value: object) -> str:
    """A value for people, short and printable."""
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:80]


def _network_name(name: str) -> str:
    """The name of a network, which newer firmware writes in base64; a name that only looks like that cannot be told."""
    try:
        decoded = base64.b64decode(name, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return _words(name)
    return _words(decoded) if decoded.isprintable() and decoded else _words(name)
