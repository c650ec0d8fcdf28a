"""What stations say is read as far as it can be, and nothing that they say gets further."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.errors import AdapterRejected
from powershare_ocpp.dialects.messages16 import PILOTS, abilities_of, amount_ma, composite, configuration_of, status_of
from powershare_ocpp.messages import Abilities, Composite, latest_ms, metered_of
from powershare_ocpp.profiles import Scale
from powershare_ocpp.wire.frames import LONGEST_TEXT, Call, Refusal, Result, message_of, text_of

AMPS = Scale("A", 230, 3)

# Published in section 4.2 of "Open Charge Point Protocol JSON 1.6", openchargealliance.org.
CALL = '[2,"19223201","BootNotification",{"chargePointVendor":"VendorX","chargePointModel":"SingleSocketCharger"}]'
RESULT = '[3,"19223201",{"status":"Accepted","currentTime":"2013-02-01T20:53:32.486Z","heartbeatInterval":300}]'

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_the_published_messages_are_read() -> None:
    call = message_of(CALL)
    assert isinstance(call, Call)
    assert (call.id, call.action, call.payload["chargePointVendor"]) == ("19223201", "BootNotification", "VendorX")
    result = message_of(RESULT.encode())
    assert isinstance(result, Result)
    assert result.payload["status"] == "Accepted"


@pytest.mark.parametrize(
    "message", [Call("a", "Heartbeat", {}), Result("b", {"x": [1.5]}), Refusal("c", "NotSupported", "no")]
)
def test_what_is_written_is_read(message: Call | Result | Refusal) -> None:
    assert message_of(text_of(message)) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[2]",
        '[2,"a","Heartbeat"]',
        '[2,"a","Heartbeat",[]]',
        '[2,"a",7,{}]',
        '[2,"a","",{}]',
        '[2,"","Heartbeat",{}]',
        '[2,7,"Heartbeat",{}]',
        f'[2,"{"a" * 37}","Heartbeat",{{}}]',
        '[true,"a","Heartbeat",{}]',
        '[3,"a",{},{}]',
        '[5,"a",{}]',
        '[3,"a",{"x":NaN}]',
        '[3,"a",{"x":' + "9" * 5_000 + "}]",
        "[" * 50_000,
        '[3,"a",{"x":"' + "y" * LONGEST_TEXT + '"}]',
        b"\xff\xfe",
        b"[3,\x00",
    ],
)
def test_what_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(AdapterRejected):
        message_of(text)


@given(st.binary(max_size=200) | st.text(max_size=200) | json_values.map(json.dumps))
def test_anything_is_a_message_or_refused(text: str | bytes) -> None:
    try:
        message = message_of(text)
    except AdapterRejected:
        return
    assert isinstance(message, Call | Result | Refusal)


@given(st.sampled_from([CALL, RESULT]), st.integers(0, 200), st.binary(max_size=3))
def test_spoiled_messages_are_read_or_refused(text: str, at: int, noise: bytes) -> None:
    spoiled = text.encode()[:at] + noise + text.encode()[at + len(noise) :]
    try:
        message = message_of(spoiled)
    except AdapterRejected:
        return
    assert isinstance(message, Call | Result | Refusal)


@given(st.dictionaries(st.sampled_from(["status", "errorCode", "info", "connectorId"]), json_values))
def test_any_status_is_one_or_refused(payload: dict[str, object]) -> None:
    try:
        status = status_of(payload)
    except AdapterRejected:
        return
    assert status.name in PILOTS


meter_payloads = st.fixed_dictionaries(
    {},
    optional={
        "meterValue": json_values
        | st.lists(
            json_values
            | st.fixed_dictionaries(
                {},
                optional={
                    "timestamp": json_values,
                    "sampledValue": json_values
                    | st.lists(
                        json_values
                        | st.fixed_dictionaries(
                            {"value": json_values | st.decimals().map(str)},
                            optional={
                                "measurand": st.sampled_from(["Current.Import", "Current.Offered"]) | json_values,
                                "phase": st.sampled_from(["L1", "L2", "L3", "N", "L1-N"]) | json_values,
                                "unit": st.sampled_from(["A", "W"]) | json_values,
                                "format": json_values,
                                "location": json_values,
                            },
                        )
                    ),
                },
            )
        )
    },
)


@given(meter_payloads, st.integers(1, 3))
def test_any_meter_values_give_one_figure_per_line_or_none(payload: dict[str, object], lines: int) -> None:
    drawn_ma = metered_of(payload, lines, amount_ma).drawn_ma
    assert drawn_ma is None or (len(drawn_ma) == lines and min(drawn_ma) >= 0)
    assert latest_ms(payload) is None or isinstance(latest_ms(payload), int)


@given(
    st.fixed_dictionaries(
        {"status": st.just("Accepted")},
        optional={
            "scheduleStart": json_values,
            "chargingSchedule": json_values
            | st.fixed_dictionaries(
                {"chargingRateUnit": st.sampled_from(["A", "W"]) | json_values},
                optional={
                    "chargingSchedulePeriod": json_values
                    | st.lists(
                        json_values
                        | st.fixed_dictionaries(
                            {"startPeriod": st.just(0) | json_values, "limit": st.floats() | json_values},
                            optional={"numberPhases": json_values},
                        )
                    )
                },
            ),
        },
    )
)
def test_any_composite_schedule_is_an_offer_or_says_nothing(payload: dict[str, object]) -> None:
    said = composite(payload, AMPS)
    assert said.now_ma is None or said.now_ma >= 0
    assert said.lasting_ma is None or said.lasting_ma >= 0


def sample(value: str, phase: str | None = None, **more: str) -> dict[str, str]:
    entry = {"value": value, "measurand": "Current.Import", "unit": "A"} | more
    return entry if phase is None else entry | {"phase": phase}


@pytest.mark.parametrize(
    ("samples", "lines", "drawn_ma"),
    [
        ([sample("6.0001")], 1, (6_001,)),
        ([sample("6", "L2")], 1, (6_000,)),
        ([sample("6")], 3, (6_000, 6_000, 6_000)),
        ([sample("1", "L1"), sample("2", "L2"), sample("3", "L3")], 3, (1_000, 2_000, 3_000)),
        ([sample("1", "L1-N"), sample("0", "L2-N"), sample("0", "L3-N")], 3, (1_000, 0, 0)),
        ([sample("7", "L1")], 3, (7_000, 7_000, 7_000)),
        ([sample("7", "L1"), sample("9", "N")], 2, (7_000, 7_000)),
        ([sample("-0.3", "L1")], 1, (0,)),
        ([sample("9", location="Inlet")], 1, None),
        ([sample("9", unit="W")], 1, None),
        ([sample("9", format="SignedData")], 1, None),
        ([sample("many")], 1, None),
        ([{"value": "123456"}], 1, None),
        ([], 1, None),
    ],
)
def test_current_is_read_per_line_and_rounds_up(
    samples: list[dict[str, str]], lines: int, drawn_ma: tuple[int, ...] | None
) -> None:
    assert metered_of({"meterValue": [{"sampledValue": samples}]}, lines, amount_ma).drawn_ma == drawn_ma


@pytest.mark.parametrize(
    ("schedule", "offered_ma"),
    [
        ({"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]}, 16_100),
        ({"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 4140.0}]}, 6_000),
        ({"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": -1}]}, None),
        ({"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 5, "limit": 6}]}, None),
        ({"chargingRateUnit": "A", "chargingSchedulePeriod": []}, None),
        ({"chargingRateUnit": "kW", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}]}, None),
        (None, None),
    ],
)
def test_a_composite_schedule_that_says_no_limit_says_nothing(schedule: object, offered_ma: int | None) -> None:
    assert composite({"status": "Accepted", "chargingSchedule": schedule}, AMPS).now_ma == offered_ma


def test_a_refused_composite_schedule_says_nothing() -> None:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
    assert composite({"status": "Rejected", "chargingSchedule": schedule}, AMPS) == Composite()


@pytest.mark.parametrize(
    ("units", "read"),
    [
        ("Current", {"A"}),
        ("Power", {"W"}),
        ("Current,Power", {"A", "W"}),
        ("Current, Power", {"A", "W"}),
        ("A", {"A"}),
        ("W", {"W"}),
        ("", set()),
        ("Amps", set()),
    ],
)
def test_units_are_read_in_the_words_that_stations_use(units: str, read: set[str]) -> None:
    assert abilities_of({"ChargingScheduleAllowedChargingRateUnit": units}).units == read


def test_of_what_a_station_does_not_say_the_least_counts() -> None:
    assert abilities_of({}) == Abilities(units=frozenset(), most_level=0, most_periods=1)
    hostile = {"ChargeProfileMaxStackLevel": "9" * 30, "ChargingScheduleMaxPeriods": "-3"}
    assert abilities_of(hostile) == Abilities(units=frozenset(), most_level=0, most_periods=1)


@given(json_values)
def test_any_configuration_is_read(entries: object) -> None:
    assert isinstance(configuration_of({"configurationKey": entries}), dict)
