"""What is published of a driver: one figure per topic, as the README says; what nobody knows is `None`."""

import json

import pytest

from powershare.adapter import Reading
from powershare_mqtt.addresses import Renewal
from powershare_mqtt.limits import LimitBook, places_of
from powershare_mqtt.states import states_of
from powershare_mqtt.topics import Topics

from .regulation import SITE, Regulated, circuit_view, view

NORTH = "powershare/connector/north"


def book() -> LimitBook:
    return LimitBook(places_of(SITE), {"connector": Renewal(), "circuit": Renewal()}, "test")


def shown(regulated: Regulated, limits: LimitBook | None = None) -> dict[str, str]:
    return states_of(regulated.snapshot(), limits or book(), Topics("powershare"), now_ms=0)


def of(states: dict[str, str], prefix: str) -> dict[str, str]:
    return {topic.removeprefix(f"{prefix}/"): text for topic, text in states.items() if topic.startswith(f"{prefix}/")}


def test_a_connector_that_charges() -> None:
    assert of(shown(Regulated()), NORTH) == {
        "state": "C",
        "offered_a": "16",
        "told_a": "16",
        "drawn_a": "15.9",
        "bound_by": "circuit panel: 48 A (breaker)",
        "reason": "None",
        "rests_on": "raise",
        "problem": "OFF",
        "fault": "None",
        "enabled": "true",
        "limit_a": "32",
    }


def test_one_that_is_silent_counts_with_the_most_it_may_offer_and_is_a_problem() -> None:
    silent = view("north", reached=False, reading=None, pilot=None, most_offered_ma=32_000, bound_by=None)
    found = of(shown(Regulated(connectors=[silent])), NORTH)
    assert {name: found[name] for name in ("state", "offered_a", "told_a", "drawn_a", "bound_by", "problem")} == {
        "state": "None",
        "offered_a": "32",
        "told_a": "None",
        "drawn_a": "None",
        "bound_by": "None",
        "problem": "ON",
    }


def test_a_fault_is_a_problem_in_the_devices_own_words() -> None:
    reading = Reading(at_ms=1, offered_ma=0, state="F", fault="ground\nfault")
    found = of(shown(Regulated(connectors=[view("north", reading=reading, reason="x" * 300)])), NORTH)
    assert (found["problem"], found["fault"], found["state"], found["drawn_a"]) == ("ON", "ground fault", "F", "None")
    assert len(found["reason"]) == 250


def test_a_circuit_has_its_worst_line_and_all_of_them_as_json() -> None:
    found = of(shown(Regulated()), "powershare/circuit/left wing%2F1")
    assert {name: found[name] for name in ("usable_a", "offered_a", "other_load_a", "metered", "limit_a")} == {
        "usable_a": "20",
        "offered_a": "0",
        "other_load_a": "None",
        "metered": "OFF",
        "limit_a": "32",
    }
    panel = of(shown(Regulated()), "powershare/circuit/panel")
    assert (panel["offered_a"], panel["other_load_a"], panel["metered"]) == ("32", "10.2", "ON")
    assert json.loads(panel["lines"]) == {
        "usable_a": [48, 48, 48],
        "offered_a": [32, 16, 16],
        "other_load_a": [10.2, 3.1, 0],
    }


def test_limits_in_force_are_shown_and_what_may_not_charge() -> None:
    limits = book()
    north, _, _, left = places_of(SITE)
    limits.order(north, b"10.5", 0, kept=False)
    limits.order(left, b"[5, 6, 7.25]", 0, kept=False)
    limits.enable(north, False, kept=False)
    found = shown(Regulated(), limits)
    assert (found[f"{NORTH}/limit_a"], found[f"{NORTH}/enabled"]) == ("10.5", "false")
    assert found["powershare/circuit/left wing%2F1/limit_a"] == "5"


def test_connectors_of_other_processes_are_left_out() -> None:
    circuits = [circuit_view("panel", (1, 1, 1)), circuit_view("left wing/1", (1, 1, 1))]
    found = shown(Regulated(connectors=[view("north")], circuits=circuits))
    assert not any("/connector/s" in topic for topic in found)
    assert found["powershare/leader"] == "north"


@pytest.mark.parametrize("words", ["", "  "])
def test_words_that_say_nothing_are_none(words: str) -> None:
    assert of(shown(Regulated(connectors=[view("north", reason=words)])), NORTH)["reason"] == "None"
