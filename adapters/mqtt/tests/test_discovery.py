"""What Home Assistant is told: golden files, and nothing in them that its documentation does not have.

The golden files are what was published; after a change on purpose: POWERSHARE_REWRITE=1 pytest, and read what changed.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from powershare import __version__
from powershare_mqtt.discovery import device_of
from powershare_mqtt.limits import Place, places_of
from powershare_mqtt.topics import Topics

from .regulation import SITE

GOLDEN = Path(__file__).parent / "golden"
PLACES = {"connector": 0, "connector_odd": 1, "circuit": 2, "circuit_odd": 3}

# Keys of the documentation (home-assistant.io, integrations mqtt, sensor.mqtt, binary_sensor.mqtt, number.mqtt,
# switch.mqtt), as far as a part of ours may use them.
COMMON = {
    "platform",
    "unique_id",
    "name",
    "state_topic",
    "device_class",
    "entity_category",
    "icon",
    "json_attributes_topic",
    "json_attributes_template",
    "value_template",
    "enabled_by_default",
    "qos",
    "encoding",
}
OWN = {
    "sensor": {"unit_of_measurement", "state_class", "suggested_display_precision", "options", "expire_after"},
    "binary_sensor": {"payload_on", "payload_off", "expire_after", "off_delay"},
    "number": {
        "command_topic",
        "command_template",
        "min",
        "max",
        "step",
        "mode",
        "retain",
        "optimistic",
        "unit_of_measurement",
        "payload_reset",
    },
    "switch": {"command_topic", "payload_on", "payload_off", "state_on", "state_off", "retain", "optimistic"},
}
REQUIRED = {
    "sensor": {"state_topic"},
    "binary_sensor": {"state_topic"},
    "number": {"command_topic"},
    "switch": {"command_topic"},
}
DEVICE = {
    "identifiers",
    "connections",
    "configuration_url",
    "hw_version",
    "manufacturer",
    "model",
    "model_id",
    "name",
    "serial_number",
    "suggested_area",
    "sw_version",
    "via_device",
}


def announced(number: int, *, limits: bool = True) -> dict[str, Any]:
    place = places_of(SITE)[number]
    found: dict[str, Any] = json.loads(json.dumps(device_of(place, Topics("powershare"), limits=limits)))
    return found


@pytest.mark.parametrize("name", PLACES)
def test_what_is_announced_is_what_the_golden_file_has(name: str) -> None:
    found = json.dumps(announced(PLACES[name]), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    found = found.replace(f'"{__version__}"', '"VERSION"')
    path = GOLDEN / f"{name}.json"
    if "POWERSHARE_REWRITE" in os.environ:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PLACES)
def test_the_shared_part_has_what_device_discovery_requires(name: str) -> None:
    found = announced(PLACES[name])
    assert set(found) == {"device", "origin", "availability", "components"}
    assert set(found["device"]) <= DEVICE
    assert found["device"]["identifiers"]
    assert set(found["origin"]) <= {"name", "sw_version", "support_url"}
    assert found["origin"]["name"]
    for topic in found["availability"]:
        assert set(topic) <= {"topic", "payload_available", "payload_not_available", "value_template"}


@pytest.mark.parametrize("name", PLACES)
def test_every_component_has_only_keys_of_its_platform_and_those_that_must_be(name: str) -> None:
    components = announced(PLACES[name])["components"]
    assert components
    for key, part in components.items():
        platform = part["platform"]
        assert set(part) <= COMMON | OWN[platform], key
        assert set(part) >= REQUIRED[platform] | {"unique_id", "platform", "name"}, key
        if part.get("device_class") == "enum":
            assert part["options"]
            assert "state_class" not in part
            assert "unit_of_measurement" not in part


def test_numbers_are_within_the_bounds_and_steps_of_what_they_limit() -> None:
    number = announced(0)["components"]["limit_a"]
    assert (number["min"], number["max"], number["step"]) == (0, 32.0, 1.0)
    assert announced(1)["components"]["limit_a"]["step"] == 0.1
    assert announced(2)["components"]["limit_a"]["max"] == 48.0
    assert number["retain"] is True


def test_no_two_entities_share_an_id_and_no_two_devices_a_topic() -> None:
    topics, places = Topics("garage/a"), places_of(SITE)
    odd = [Place(kind="connector", id=name, most_ma=1, step_ma=1, lines=1) for name in ("a/b", "a_b", "a b", "A_b")]
    everything = [*places, *odd]
    ids = [
        part["unique_id"]
        for place in everything
        for part in device_of(place, topics, limits=True)["components"].values()
    ]
    assert len(set(ids)) == len(ids)
    assert len({topics.discovery(place, "homeassistant") for place in everything}) == len(everything)
    for place in everything:
        last = topics.discovery(place, "homeassistant").split("/")
        assert (last[0], last[1], last[3]) == ("homeassistant", "device", "config")
        assert all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in last[2])


def test_ids_with_signs_that_topics_have_not_are_written_otherwise() -> None:
    topics, places = Topics("powershare"), places_of(SITE)
    assert topics.of(places[1], "state") == "powershare/connector/s%C3%BCd%2B1/state"
    assert topics.of(places[3], "limit_a") == "powershare/circuit/left wing%2F1/limit_a"


def test_without_limits_nothing_can_be_set() -> None:
    for number in PLACES.values():
        for part in announced(number, limits=False)["components"].values():
            assert "command_topic" not in part
