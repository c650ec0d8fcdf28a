"""What stations of OCPP 2.0.1 say is read as far as it can be, and nothing that they say gets further."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare_ocpp.dialects.messages201 import (
    PERIODS,
    RATE_UNIT,
    STACK_LEVEL,
    abilities_of,
    amount_ma,
    change_question,
    composite,
    is_changed,
    kind_of,
    profile_message,
    variables_of,
    variables_question,
)
from powershare_ocpp.messages import Abilities, Composite, latest_ms, metered_of
from powershare_ocpp.profiles import Lease, Rung, Scale, Window, fallback_profile, instant_ms, lease_profile

AMPS = Scale("A", 230, 3)
NOW_MS = 1_790_000_000_123

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def sample(value: object, phase: str | None = None, **unit: object) -> dict[str, object]:
    entry: dict[str, object] = {"value": value, "measurand": "Current.Import"}
    entry |= {"unitOfMeasure": unit} if unit else {}
    return entry if phase is None else entry | {"phase": phase}


@pytest.mark.parametrize(
    ("samples", "lines", "drawn_ma"),
    [
        ([sample(6.0001)], 1, (6_001,)),
        ([sample(6, unit="A")], 3, (6_000, 6_000, 6_000)),
        ([sample(6_000, unit="A", multiplier=-3)], 1, (6_000,)),
        ([sample(1, unit="A", multiplier=1)], 1, (10_000,)),
        ([sample(1, "L1"), sample(2, "L2-N"), sample(3, "L3")], 3, (1_000, 2_000, 3_000)),
        ([sample(-1, "L1")], 1, (0,)),
        ([sample(9, unit="W")], 1, None),
        ([sample(9, unit="A", multiplier=40)], 1, None),
        ([sample(9, unit="A", multiplier=True)], 1, None),
        ([sample(True)], 1, None),
        ([sample([9])], 1, None),
        ([sample(9e30)], 1, None),
        ([sample(9) | {"location": "EV"}], 1, None),
        ([sample(9) | {"unitOfMeasure": "A"}], 1, None),
    ],
)
def test_current_is_read_per_line_and_rounds_up(
    samples: list[dict[str, object]], lines: int, drawn_ma: tuple[int, ...] | None
) -> None:
    assert metered_of({"meterValue": [{"sampledValue": samples}]}, lines, amount_ma).drawn_ma == drawn_ma


@given(
    st.fixed_dictionaries(
        {"measurand": st.sampled_from(["Current.Import", "Current.Offered"])},
        optional={
            "value": json_values | st.floats(),
            "phase": st.sampled_from(["L1", "L2", "N"]) | json_values,
            "unitOfMeasure": json_values
            | st.fixed_dictionaries({}, optional={"unit": st.just("A") | json_values, "multiplier": json_values}),
            "location": json_values,
        },
    ),
    st.integers(1, 3),
)
def test_any_sampled_value_is_a_figure_or_nothing(value: dict[str, object], lines: int) -> None:
    metered = metered_of({"meterValue": [{"sampledValue": [value]}]}, lines, amount_ma)
    assert metered.drawn_ma is None or (len(metered.drawn_ma) == lines and min(metered.drawn_ma) >= 0)
    assert metered.offered_ma is None or 0 <= metered.offered_ma <= 10_000_000


@given(
    st.fixed_dictionaries(
        {"status": st.just("Accepted")},
        optional={
            "schedule": json_values
            | st.fixed_dictionaries(
                {"chargingRateUnit": st.sampled_from(["A", "W"])},
                optional={
                    "scheduleStart": json_values,
                    "chargingSchedulePeriod": st.lists(
                        json_values
                        | st.fixed_dictionaries(
                            {"startPeriod": st.just(0) | json_values, "limit": st.floats() | json_values},
                            optional={"numberPhases": json_values},
                        )
                    ),
                },
            )
        },
    )
)
def test_any_composite_schedule_says_something_or_nothing(payload: dict[str, object]) -> None:
    said = composite(payload, AMPS)
    assert said.now_ma is None or said.now_ma >= 0
    assert said.lasting_ma is None or said.lasting_ma >= 0
    assert latest_ms(payload) is None or isinstance(latest_ms(payload), int)


def test_a_composite_schedule_tells_what_is_and_what_comes() -> None:
    periods = [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 9, "limit": 6}]
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods, "scheduleStart": "1970-01-01T00:00:01Z"}
    payload = {"status": "Accepted", "schedule": schedule}
    assert composite(payload, AMPS) == Composite(now_ma=16_000, lasting_ma=6_000)
    assert latest_ms(payload) == 1_000
    assert composite(payload | {"status": "Rejected"}, AMPS) == Composite()


@given(json_values, json_values)
def test_any_variables_are_read(results: object, changed: object) -> None:
    assert isinstance(variables_of({"getVariableResult": results}), dict)
    assert isinstance(is_changed({"setVariableResult": changed}), bool)
    assert kind_of({"chargingStation": results}).vendor is not None


def test_variables_that_a_station_has_not_are_told_from_those_that_it_left_out() -> None:
    asked = variables_question([STACK_LEVEL, RATE_UNIT, PERIODS])["getVariableData"]
    known = [
        asked[0] | {"attributeStatus": "Accepted", "attributeValue": "3"},
        asked[1] | {"attributeStatus": "UnknownVariable"},
    ]
    variables = variables_of({"getVariableResult": known})
    assert variables == {STACK_LEVEL: "3", RATE_UNIT: None}
    assert abilities_of(variables) == Abilities(units=frozenset(), most_level=3, most_periods=1)


@pytest.mark.parametrize(
    ("units", "read"), [("A,W", {"A", "W"}), ("W", {"W"}), ("A, W", {"A", "W"}), ("", set()), ("kW", set())]
)
def test_units_are_read_in_the_words_that_stations_use(units: str, read: set[str]) -> None:
    assert abilities_of({RATE_UNIT: units}).units == read


@pytest.mark.parametrize("status", ["Rejected", "RebootRequired", "UnknownVariable", None])
def test_a_change_that_is_not_accepted_is_none(status: object) -> None:
    data = change_question(STACK_LEVEL, "1")["setVariableData"][0]
    assert is_changed({"setVariableResult": [data | {"attributeStatus": "Accepted"}]})
    assert not is_changed({"setVariableResult": [data | {"attributeStatus": status}]})


@pytest.mark.parametrize("rung", list(Rung))
@pytest.mark.parametrize("scale", [AMPS, Scale("W", 230, 3)])
def test_profiles_say_what_they_said_in_1_6_in_the_words_of_2_0_1(rung: Rung, scale: Scale) -> None:
    span = Window(start_ms=NOW_MS, duration_s=30)
    lease = Lease(connector=2, offered_ma=16_050, then_ma=6_000, window=span, transaction="TX")
    told = profile_message(2, lease_profile(lease, rung, scale, 9))
    profile: dict[str, Any] = told["chargingProfile"]
    (schedule,) = profile["chargingSchedule"]
    assert (told["evseId"], profile["stackLevel"], profile["chargingProfileKind"]) == (2, 9, "Absolute")
    assert profile.get("transactionId") == ("TX" if rung is Rung.TRANSACTION else None)
    assert instant_ms(schedule["startSchedule"]) == NOW_MS
    ends = rung is not Rung.TWO_PERIODS
    assert schedule.get("duration") == (30 if ends else None)
    assert instant_ms(profile.get("validTo")) == (NOW_MS + 30_000 if ends else None)
    limits = [16.0, 6.0] if scale.unit == "A" else [11_074.5, 4_140.0]
    assert [period["limit"] for period in schedule["chargingSchedulePeriod"]] == limits[: 1 if ends else 2]
    assert {period.get("numberPhases") for period in schedule["chargingSchedulePeriod"]} == {scale.told_lines}


def test_what_stays_begins_with_a_transaction_and_has_no_start_of_its_own() -> None:
    profile = profile_message(1, fallback_profile(1, 6_000, AMPS, 0))["chargingProfile"]
    assert profile["chargingProfileKind"] == "Relative"
    assert profile["chargingSchedule"][0].keys() == {"id", "chargingRateUnit", "chargingSchedulePeriod"}
