"""What Home Assistant is told of a connector or a circuit: one device each, by device-based discovery (2024.11).

Keys and values are those of its documentation: "MQTT", "MQTT sensor", "MQTT binary sensor", "MQTT number", "MQTT
switch". A `unique_id` is never changed: automations hang on it.
"""

from typing import Any, TypeAlias

from powershare import __version__
from powershare.adapter import PILOT_STATES
from powershare.units import amps
from powershare_mqtt.limits import Place
from powershare_mqtt.topics import OFFLINE, ONLINE, Topics

Component: TypeAlias = dict[str, Any]


def device_of(place: Place, topics: Topics, *, limits: bool) -> dict[str, Any]:
    """The announcement of one device.

    Args:
        place: The connector or circuit.
        topics: Its topics.
        limits: Whether it can be limited.

    Returns:
        What the message says, before it is written as JSON.
    """
    parts = _Parts(place, topics)
    components = _connector(parts) if place.kind == "connector" else _circuit(parts)
    if limits:
        components |= _limits(parts, place)
    return {
        "device": {
            "identifiers": [topics.device(place)],
            "name": f"{place.kind.capitalize()} {place.id}",
            "manufacturer": "powershare",
            "model": place.kind.capitalize(),
            "sw_version": __version__,
        },
        "origin": {"name": "powershare", "sw_version": __version__},
        "availability": [{"topic": topics.status, "payload_available": ONLINE, "payload_not_available": OFFLINE}],
        "components": components,
    }


class _Parts:
    """Components of one device, each named after the topic that it shows."""

    def __init__(self, place: Place, topics: Topics) -> None:
        self._place, self._topics = place, topics

    def part(self, platform: str, topic: str, name: str, **more: object) -> Component:
        return {
            "platform": platform,
            "unique_id": f"{self._topics.device(self._place)}_{topic}",
            "name": name,
            "state_topic": self._topics.of(self._place, topic),
            **more,
        }

    def current(self, topic: str, name: str, **more: object) -> Component:
        return self.part(
            "sensor",
            topic,
            name,
            device_class="current",
            unit_of_measurement="A",
            state_class="measurement",
            suggested_display_precision=1,
            **more,
        )

    def order(self, topic: str) -> Component:
        # What Home Assistant sets is kept by the broker, so that a restart of powershare does not forget it.
        return {"command_topic": self._topics.order(self._place, topic), "retain": True, "qos": 1}

    def topic(self, name: str) -> str:
        return self._topics.of(self._place, name)


_DIAGNOSTIC = {"entity_category": "diagnostic"}


def _connector(parts: _Parts) -> dict[str, Component]:
    return {
        "state": parts.part("sensor", "state", "Pilot state", device_class="enum", options=list(PILOT_STATES)),
        "offered_a": parts.current("offered_a", "Offered"),
        "told_a": parts.current("told_a", "Told"),
        "drawn_a": parts.current("drawn_a", "Drawn"),
        "bound_by": parts.part("sensor", "bound_by", "Bound by"),
        "reason": parts.part("sensor", "reason", "Reason", **_DIAGNOSTIC),
        "rests_on": parts.part("sensor", "rests_on", "Rests on", **_DIAGNOSTIC),
        "problem": parts.part(
            "binary_sensor",
            "problem",
            "Problem",
            device_class="problem",
            payload_on="ON",
            payload_off="OFF",
            **_DIAGNOSTIC,
        ),
        "fault": parts.part("sensor", "fault", "Fault", **_DIAGNOSTIC),
    }


def _circuit(parts: _Parts) -> dict[str, Component]:
    lines = {"json_attributes_topic": parts.topic("lines")}
    return {
        "usable_a": parts.current("usable_a", "Usable"),
        "offered_a": parts.current("offered_a", "Offered", **lines),
        "other_load_a": parts.current("other_load_a", "Other load"),
        "metered": parts.part(
            "binary_sensor", "metered", "Other load is measured", payload_on="ON", payload_off="OFF", **_DIAGNOSTIC
        ),
    }


def _limits(parts: _Parts, place: Place) -> dict[str, Component]:
    found = {
        "limit_a": parts.part(
            "number",
            "limit_a",
            "Limit",
            device_class="current",
            unit_of_measurement="A",
            min=0,
            max=amps(place.most_ma),
            step=amps(place.step_ma),
            mode="box",
            entity_category="config",
            **parts.order("limit_a"),
        )
    }
    if place.kind == "connector":
        found["enabled"] = parts.part(
            "switch", "enabled", "May charge", payload_on="true", payload_off="false", **parts.order("enabled")
        )
    return found
