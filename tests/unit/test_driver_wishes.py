"""What reports say of a vehicle: a pilot that says nothing leaves it wanting, until it was asked and did not answer."""

import pytest

from powershare.adapter import PilotState, Reading
from powershare.driver.wishes import ASKED_AGAIN_MS, DECLINED_MS, Standing, Wishes, closed_by, drawn_most_ma


def says(
    state: PilotState,
    at_ms: int = 0,
    offered_ma: int = 0,
    drawn_ma: tuple[int, ...] | None = None,
    contactor_closed: bool | None = None,
    fault: str | None = None,
) -> Reading:
    return Reading(
        at_ms=at_ms,
        offered_ma=offered_ma,
        state=state,
        drawn_ma=drawn_ma,
        contactor_closed=contactor_closed,
        fault=fault,
    )


@pytest.mark.parametrize(
    ("state", "plugged", "wants"),
    [("A", False, False), ("B", True, True), ("C", True, True), ("D", True, True), ("E", False, False)],
)
def test_each_state_of_the_pilot_says_whether_a_vehicle_is_there_and_wants(
    state: PilotState, plugged: bool, wants: bool
) -> None:
    standing = Wishes().observe(says(state))
    assert (standing.plugged, standing.wants) == (plugged, wants)


@pytest.mark.parametrize("state", ["E", "F"])
def test_out_of_order_a_vehicle_is_still_there_if_it_was_and_wants_nothing(state: PilotState) -> None:
    wishes = Wishes()
    wishes.observe(says("C"))
    assert wishes.observe(says(state)) == Standing(plugged=True, wants=False, closed=True)
    wishes.observe(says("A"))
    assert not wishes.observe(says(state)).plugged


def test_a_fault_wants_nothing_whatever_the_pilot_says() -> None:
    assert not Wishes().observe(says("C", fault="ground fault")).wants


def test_a_vehicle_that_is_offered_nothing_cannot_decline() -> None:
    wishes = Wishes()
    for at_ms in range(0, 10 * DECLINED_MS, 1_000):
        assert wishes.observe(says("B", at_ms)).wants


def test_a_vehicle_that_does_not_take_what_it_is_offered_is_satisfied_and_asked_again_later() -> None:
    wishes = Wishes()
    assert wishes.observe(says("B", 0, 6_000)).wants
    assert wishes.observe(says("B", DECLINED_MS - 1, 6_000)).wants
    assert not wishes.observe(says("B", DECLINED_MS, 6_000)).wants
    assert not wishes.observe(says("B", DECLINED_MS + ASKED_AGAIN_MS - 1)).wants
    assert wishes.observe(says("B", DECLINED_MS + ASKED_AGAIN_MS)).wants


def test_a_pause_in_between_starts_the_time_to_decline_anew() -> None:
    wishes = Wishes()
    wishes.observe(says("B", 0, 6_000))
    wishes.observe(says("B", DECLINED_MS - 1, 0))
    wishes.observe(says("B", DECLINED_MS, 6_000))
    assert wishes.observe(says("B", 2 * DECLINED_MS - 1, 6_000)).wants
    assert not wishes.observe(says("B", 2 * DECLINED_MS, 6_000)).wants


@pytest.mark.parametrize("state", ["A", "C"])
def test_whoever_declined_wants_again_once_it_charges_or_another_vehicle_comes(state: PilotState) -> None:
    wishes = Wishes()
    wishes.observe(says("B", 0, 6_000))
    assert not wishes.observe(says("B", DECLINED_MS, 6_000)).wants
    wishes.observe(says(state, DECLINED_MS + 1, 6_000))
    assert wishes.observe(says("B", DECLINED_MS + 2, 6_000)).wants


@pytest.mark.parametrize(
    ("reading", "closed"),
    [
        (says("A"), False),
        (says("B"), False),
        (says("C"), True),
        (says("D"), True),
        (says("C", drawn_ma=(0, 0, 0)), True),
        (says("B", drawn_ma=(0, 400, 0)), True),
        (says("E"), True),
        (says("F"), True),
        (says("F", drawn_ma=(16_860,)), True),
        (says("F", drawn_ma=(0,)), False),
        (says("A", contactor_closed=True), True),
        (says("C", contactor_closed=False), False),
    ],
)
def test_current_can_flow_unless_the_device_or_its_meter_says_that_it_cannot(reading: Reading, closed: bool) -> None:
    """A device in its error state was seen to draw 16.86 A, so that an error alone says nothing."""
    assert closed_by(reading) is closed


def test_the_largest_line_current_counts() -> None:
    assert drawn_most_ma(says("C", drawn_ma=(6_000, 9_000, 0))) == 9_000
    assert drawn_most_ma(says("C", drawn_ma=())) == 0
    assert drawn_most_ma(says("C")) == 0
