"""What is published of a driver: a snapshot as texts by topic. No I/O.

A figure that nobody knows is `None`, which Home Assistant reads as unknown.
"""

import json
from collections.abc import Iterator

from powershare.driver import CircuitView, ConnectorView, Snapshot
from powershare.units import amps as number
from powershare_mqtt.limits import LimitBook, Place
from powershare_mqtt.payloads import amps
from powershare_mqtt.topics import Topics

UNKNOWN = "None"
_MOST_TEXT = 250
"""Home Assistant keeps 255 characters of a state."""


def states_of(snapshot: Snapshot, book: LimitBook, topics: Topics, now_ms: int) -> dict[str, str]:
    """Everything that is to be seen now, by topic.

    Args:
        snapshot: What the driver knows.
        book: The limits from outside.
        topics: The topics.
        now_ms: Now.
    """
    connectors = {view.connector: view for view in snapshot.connectors}
    circuits = {view.circuit: view for view in snapshot.circuits}
    found = {f"{topics.prefix}/leader": _text(snapshot.leader)}
    for place in book.places:
        figures: list[tuple[str, str]] = []
        if place.kind == "connector":
            if place.id not in connectors:
                continue  # it lives in another process
            figures += _of_connector(connectors[place.id])
            figures.append(("enabled", "true" if book.enabled(place) else "false"))
        else:
            figures += _of_circuit(circuits.get(place.id))
        figures.append(("limit_a", _limit(book, place, now_ms)))
        found |= {topics.of(place, name): text for name, text in figures}
    return found


def _limit(book: LimitBook, place: Place, now_ms: int) -> str:
    """The limit that counts; where there is none, what is commissioned."""
    least_ma = book.given(place, now_ms).least_ma
    return amps(place.most_ma if least_ma is None else least_ma)


def _of_connector(view: ConnectorView) -> Iterator[tuple[str, str]]:
    reading = view.reading
    yield "state", UNKNOWN if reading is None else reading.state
    yield "offered_a", amps(view.most_offered_ma)
    yield "told_a", UNKNOWN if view.pilot is None else amps(view.pilot.offer_ma)
    yield "drawn_a", UNKNOWN if reading is None or reading.drawn_ma is None else amps(max(reading.drawn_ma))
    yield "bound_by", _bound(view)
    yield "reason", _text(view.reason)
    yield "rests_on", UNKNOWN if view.pilot is None else _text(view.pilot.why)
    fault = None if reading is None else reading.fault
    yield "problem", "OFF" if view.reached and fault is None else "ON"
    yield "fault", _text(fault)


def _bound(view: ConnectorView) -> str:
    bound = view.bound_by
    if bound is None:
        return UNKNOWN
    return _text(f"{bound.kind.value} {bound.id or ''}".strip() + f": {amps(bound.limit_ma)} A ({bound.source})")


def _of_circuit(view: CircuitView | None) -> Iterator[tuple[str, str]]:
    """A circuit; None: some of its connectors live elsewhere, and who leads, and knows what they offer, is not here."""
    if view is None:
        yield from ((name, UNKNOWN) for name in ("usable_a", "offered_a", "other_load_a", "metered"))
        yield "lines", "{}"
        return
    other_ma = view.other_load_ma
    yield "usable_a", amps(min(view.limit_ma))
    yield "offered_a", amps(max(view.offered_ma))
    yield "other_load_a", UNKNOWN if other_ma is None else amps(max(other_ma))
    yield "metered", "ON" if view.metered else "OFF"
    yield (
        "lines",
        json.dumps(
            {
                "usable_a": [number(figure_ma) for figure_ma in view.limit_ma],
                "offered_a": [number(figure_ma) for figure_ma in view.offered_ma],
                "other_load_a": None if other_ma is None else [number(figure_ma) for figure_ma in other_ma],
            }
        ),
    )


def _text(words: str | None) -> str:
    if words is None or not words.strip():
        return UNKNOWN
    return " ".join(words.split())[:_MOST_TEXT]
