"""The door of a node: what its host tells it is checked before anything changes.

What comes in here is kept, and said later: to the policy of a leader, and in messages that their readers decode. A
figure that one of those refuses is refused here, at the step that brought it, and not at a later one that did not.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from powershare.demand import ExternalLimit
from powershare.errors import ContractError
from powershare.node.config import Commissioning, Stage
from powershare.node.events import (
    Applied,
    Configure,
    DeviceState,
    Event,
    HandOver,
    Limited,
    Measured,
    OtherLoad,
    Received,
    Woken,
)
from powershare.node.leading import Surroundings
from powershare.node.membership import Membership
from powershare.node.parts import MOST_BOUNDS, MOST_MS, MOST_READINGS, MOST_TEXT_BYTES
from powershare.site.checks import unknown_name
from powershare.units import MAX_CONNECTOR_MA, MAX_LIMIT_MA

MOST_WH = 1 << 40
"""The most energy that a vehicle may need."""

MOST_S = 1 << 30
"""The longest time to or since a departure."""

_LONGEST_SHOWN = 60


class Inside(NamedTuple):
    """What an event is checked against.

    Attributes:
        since_ms: When the last event was.
        membership: What the member holds.
        own: What it was told of its surroundings before.
        has_device: Whether it has a connector.
    """

    since_ms: int
    membership: Membership
    own: Surroundings
    has_device: bool


def admitted(event: Event, now_ms: int, inside: Inside) -> Event:
    """The event as it counts: a negative current, which is noise or a vehicle that feeds back, is 0.

    Args:
        event: What the host tells.
        now_ms: Now.
        inside: What it is checked against; nothing of it changes.

    Raises:
        ContractError: The time is none or went backwards, or the event does not fit the site, the time, or a message.
    """
    if type(now_ms) is not int or not -MOST_MS <= now_ms <= MOST_MS:
        raise ContractError(f"now_ms is {_shown(now_ms)}; give the clock in whole milliseconds, at most {MOST_MS}")
    if now_ms < inside.since_ms:
        raise ContractError(f"the time went backwards, from {inside.since_ms} ms to {now_ms} ms")
    check = _CHECKS.get(type(event))
    if check is None:
        kinds = ", ".join(kind.__name__ for kind in _CHECKS)
        raise ContractError(f"the event is {_shown(event)}; give one of: {kinds}")
    check(event, now_ms, inside)
    if type(event) is Measured and event.current_ma < 0:
        return Measured(0, event.at_ms)
    return event


def _nothing(_event: Woken | HandOver, _now_ms: int, _inside: Inside) -> None:
    """It says nothing that could be wrong."""


def _received(event: Received, _now_ms: int, _inside: Inside) -> None:
    if not isinstance(event.data, bytes):
        raise ContractError(f"Received.data is {_shown(event.data)}; give the message as bytes")


def _measured(event: Measured, now_ms: int, inside: Inside) -> None:
    _device(inside)
    current_ma = event.current_ma
    if type(current_ma) is not int or current_ma > MAX_CONNECTOR_MA:
        raise ContractError(
            f"Measured.current_ma is {_shown(current_ma)}; give whole milliamps, at most {MAX_CONNECTOR_MA}"
        )
    _past("Measured.at_ms", event.at_ms, now_ms)


def _applied(event: Applied, now_ms: int, inside: Inside) -> None:
    _device(inside)
    _within("Applied.write", event.write, 0, MOST_MS, "numbers, as a pilot's")
    _within("Applied.offered_ma", event.offered_ma, 0, MAX_CONNECTOR_MA, "milliamps")
    _past("Applied.at_ms", event.at_ms, now_ms)
    _flag("Applied.closed", event.closed)


def _device_state(event: DeviceState, _now_ms: int, inside: Inside) -> None:
    _device(inside)
    _flag("DeviceState.plugged", event.plugged)
    _flag("DeviceState.wants", event.wants)
    _flag("DeviceState.closed", event.closed)
    _within("DeviceState.offered_ma", event.offered_ma, 0, MAX_CONNECTOR_MA, "milliamps")
    _within("DeviceState.left_alone_ma", event.left_alone_ma, 0, MAX_CONNECTOR_MA, "milliamps")
    _within("DeviceState.wanted_ma", event.wanted_ma, 0, MAX_CONNECTOR_MA, "milliamps", or_none=True)
    _within("DeviceState.energy_needed_wh", event.energy_needed_wh, 0, MOST_WH, "watt-hours", or_none=True)
    _within("DeviceState.departs_in_s", event.departs_in_s, -MOST_S, MOST_S, "seconds", or_none=True)
    if event.vehicle is not None:
        _bytes_of("DeviceState.vehicle", event.vehicle)  # one that is too long is cut in messages


def _other_load(event: OtherLoad, now_ms: int, inside: Inside) -> None:
    site = inside.membership.config.site
    _known("OtherLoad.circuit", event.circuit, site.circuit_by_id, "circuit")
    _lines("OtherLoad.load_ma", event.load_ma, inside)
    for figure_ma in event.load_ma:
        if type(figure_ma) is not int or figure_ma > MAX_LIMIT_MA:
            raise ContractError(
                f"OtherLoad.load_ma has {_shown(figure_ma)}; give whole milliamps, at most {MAX_LIMIT_MA}"
            )
    _past("OtherLoad.at_ms", event.at_ms, now_ms)
    if not inside.own.has_room_for_reading(event.circuit, now_ms, MOST_READINGS):
        raise ContractError(
            f'OtherLoad.circuit is "{event.circuit}", and {MOST_READINGS} other circuits have fresh readings here '
            "already, as many as a report carries; tell this one to another member"
        )


def _limited(event: Limited, now_ms: int, inside: Inside) -> None:
    site, limit = inside.membership.config.site, event.limit
    if not isinstance(limit, ExternalLimit):
        raise ContractError(f"Limited.limit is {_shown(limit)}; give an ExternalLimit")
    if limit.connector is None:
        _known("Limited.limit.circuit", limit.circuit, site.circuit_by_id, "circuit")
    else:
        _known("Limited.limit.connector", limit.connector, site.connector_by_id, "connector")
    if isinstance(limit.limit_ma, tuple):
        _lines("Limited.limit.limit_ma", limit.limit_ma, inside)
    if _bytes_of("Limited.limit.source", limit.source) > MOST_TEXT_BYTES:
        # Two that begin alike would be taken for one.
        raise ContractError(
            f"Limited.limit.source is {_shown(limit.source)}; give a name of at most {MOST_TEXT_BYTES} bytes in UTF-8"
        )
    if type(event.until_ms) is not int or event.until_ms - now_ms > MOST_MS:
        raise ContractError(
            f"Limited.until_ms is {_shown(event.until_ms)}; give whole milliseconds of the node's clock, at most "
            f"{MOST_MS} from now on"
        )
    if event.until_ms > now_ms and not inside.own.has_room_for_limit(limit, now_ms, MOST_BOUNDS):
        raise ContractError(
            f"Limited.limit is a further one, of {_shown(limit.source)}, and a member takes at most {MOST_BOUNDS} at a "
            "time; take one back first, or tell this one to another member"
        )


def _configure(event: Configure, _now_ms: int, inside: Inside) -> None:
    commissioning, membership = event.commissioning, inside.membership
    if not isinstance(commissioning, Commissioning):
        raise ContractError(f"Configure.commissioning is {_shown(commissioning)}; give a Commissioning")
    changing, member = membership.changing, membership.member
    if changing is not None and not changing.may_go_on:
        missing = ", ".join(sorted(changing.missing))
        raise ContractError(f"not all members hold the step before: {missing}; let them confirm it first")
    names = set(commissioning.config.members)
    if commissioning.stage is Stage.TRANSITIONAL and commissioning.other is not None:
        names.update(commissioning.other.members)
    if member not in names:
        raise ContractError(f'Configure.commissioning has no member "{member}"; give it to: {", ".join(sorted(names))}')


_CHECKS: dict[type, Callable[[Any, int, Inside], None]] = {
    Woken: _nothing,
    Received: _received,
    Applied: _applied,
    DeviceState: _device_state,
    Measured: _measured,
    OtherLoad: _other_load,
    Limited: _limited,
    HandOver: _nothing,
    Configure: _configure,
}


def _device(inside: Inside) -> None:
    if not inside.has_device:
        raise ContractError("this member has no device; tell it to the node of a connector")


def _within(field: str, value: object, least: int, greatest: int, unit: str, *, or_none: bool = False) -> None:
    if type(value) is int and least <= value <= greatest:
        return
    if value is None and or_none:
        return
    instead = ", or None" if or_none else ""
    raise ContractError(f"{field} is {_shown(value)}; give whole {unit} from {least} to {greatest}{instead}")


def _past(field: str, at_ms: object, now_ms: int) -> None:
    if type(at_ms) is not int or not -MOST_MS <= at_ms <= now_ms:
        raise ContractError(
            f"{field} is {_shown(at_ms)}, and now it is {now_ms}; give whole milliseconds of the node's clock, not "
            "later than now"
        )


def _flag(field: str, value: object) -> None:
    if value is not True and value is not False:
        raise ContractError(f"{field} is {_shown(value)}; give True or False")


def _bytes_of(field: str, text: object) -> int:
    """The length of a text in UTF-8."""
    if isinstance(text, str):
        try:
            return len(text.encode())
        except UnicodeEncodeError:
            pass
    raise ContractError(f"{field} is {_shown(text)}; give a text that can be written in UTF-8")


def _known(field: str, name: object, names: Collection[str], kind: str) -> None:
    if not isinstance(name, str) or name not in names:
        raise ContractError(f"{field} {unknown_name(name, names, kind)}")


def _lines(field: str, figures: object, inside: Inside) -> None:
    lines = len(inside.membership.config.site.supply.lines)
    if not isinstance(figures, tuple) or len(figures) != lines:
        raise ContractError(f"{field} is {_shown(figures)}; give a tuple of one figure per line of the supply: {lines}")


def _shown(value: object) -> str:
    """The value as an error names it: short, however long it is."""
    try:
        text = repr(value)
    except ValueError:  # a number with more digits than Python writes
        return "a number beyond all bounds"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
