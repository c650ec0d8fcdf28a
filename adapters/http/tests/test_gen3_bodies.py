"""Bodies of a Wall Connector: nan, lost ends and other members survived, nothing invented, hostile bytes refused."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powershare_http.bodies import BodyError
from powershare_http.gen3.bodies import Vitals, lifetime_words, object_of, version_words, vitals_of, wifi_words

NORTH_AMERICA = {
    # As in evcc-io/evcc issue 7599: the conductors' figures are no currents of lines.
    "contactor_closed": True,
    "vehicle_connected": True,
    "session_s": 74868,
    "grid_v": 238.5,
    "grid_hz": 59.918,
    "vehicle_current_a": 30.8,
    "currentA_a": 11.4,
    "currentB_a": 13.1,
    "currentC_a": 12.7,
    "currentN_a": 11.8,
    "voltageA_v": 242.6,
    "voltageB_v": 242.7,
    "voltageC_v": 119.2,
    "relay_coil_v": 6.1,
    "uptime_s": 1292309,
    "evse_state": 11,
    "current_alerts": [],
}
WHOLE = json.dumps(NORTH_AMERICA).encode()
READERS = (vitals_of, version_words, wifi_words, lifetime_words, object_of)


def with_member(name: str, text: str) -> bytes:
    """The body with a member that says something else, which need not be JSON."""
    marked = json.dumps(NORTH_AMERICA | {name: "@"}).replace('"@"', text)
    return marked.encode()


def test_a_whole_body_is_read_to_the_milliampere() -> None:
    vitals = vitals_of(WHOLE)
    assert vitals == Vitals(
        evse_state=11,
        vehicle_connected=True,
        contactor_closed=True,
        vehicle_ma=30_800,
        line_ma=(11_400, 13_100, 12_700),
        uptime_s=1_292_309,
        alerts=(),
    )


@pytest.mark.parametrize("text", ["nan", "-nan", "NaN", "nan(0x1)", "inf", "-inf", "Infinity", "null", '"x"', "[]"])
def test_what_is_no_number_is_not_known_and_never_nothing(text: str) -> None:
    vitals = vitals_of(with_member("currentB_a", text))
    assert vitals.line_ma == (11_400, None, 12_700)
    assert vitals.vehicle_ma == 30_800


def test_nan_in_a_text_is_text() -> None:
    body = b'{"wifi_ssid": "at nan, and inf", "wifi_rssi": nan, "wifi_connected": true}'
    assert wifi_words(body) == {
        "Wi-Fi": "connected",
        "Wi-Fi signal": "not said",
        "internet": "not said",
        "Wi-Fi network": "at nan, and inf",
    }


def test_the_last_brace_may_be_missing() -> None:
    assert vitals_of(WHOLE[:-1]) == vitals_of(WHOLE)
    assert vitals_of(b"\xef\xbb\xbf" + WHOLE + b"\r\n\0") == vitals_of(WHOLE)


@pytest.mark.parametrize("keep", range(len(WHOLE)))
def test_a_body_that_is_cut_anywhere_says_what_the_whole_one_says_or_nothing(keep: int) -> None:
    """16.3 A cut to 1 would be 15 A that nobody counts."""
    whole = vitals_of(WHOLE)
    try:
        cut = vitals_of(WHOLE[:keep])
    except BodyError:
        return
    assert cut.evse_state == whole.evse_state
    for cut_ma, whole_ma in zip((cut.vehicle_ma, *cut.line_ma), (whole.vehicle_ma, *whole.line_ma), strict=True):
        assert cut_ma in {None, whole_ma}
    assert cut.uptime_s in {None, whole.uptime_s}


def test_a_figure_at_the_very_end_may_have_lost_digits_and_is_left_out() -> None:
    assert object_of(b'{"thermal_foldbacks": 3, "uptime_s": 18302') == {"thermal_foldbacks": 3}


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"<html>It works!</html>", b'{"wifi_connected":true}', b'{"evse_state":nan}', b"{"],
)
def test_what_has_no_evse_state_is_no_wall_connector(body: bytes) -> None:
    with pytest.raises(BodyError):
        vitals_of(body)


@pytest.mark.parametrize("text", ["1000.1", "-1.1", "1e300", "1" * 5000, "9" * 29 + "e9"])
def test_a_current_that_cannot_be_is_an_error_and_no_figure(text: str) -> None:
    with pytest.raises(BodyError):
        vitals_of(with_member("currentA_a", text))


def test_trembling_around_nothing_is_nothing_and_rounds_up() -> None:
    assert vitals_of(with_member("currentA_a", "-0.4")).line_ma[0] == 0
    assert vitals_of(with_member("currentA_a", "0.0001")).line_ma[0] == 1


def test_members_come_and_go_with_firmware() -> None:
    newer = {name: value for name, value in NORTH_AMERICA.items() if name != "relay_coil_v"}
    newer |= {"relay_k1_v": 5.9, "relay_k2_v": 5.9, "evse_not_ready_reasons": [1], "vehicle_connected": None}
    vitals = vitals_of(json.dumps(newer).encode())
    assert vitals.vehicle_ma == 30_800
    assert vitals.vehicle_connected is None


def test_what_is_said_of_itself_is_put_into_words() -> None:
    version = b'{"firmware_version":"25.34.1+ge4","part_number":"1457768-01-G","serial_number":"PGT1","more":[]}'
    assert version_words(version) == {
        "firmware": "25.34.1+ge4",
        "part number": "1457768-01-G",
        "serial number": "PGT1",
    }
    wifi = b'{"wifi_ssid":"VGVzdE5ldHdvcms=","wifi_signal_strength":44,"wifi_rssi":-68,"wifi_snr":18,"internet":false}'
    assert wifi_words(wifi) == {
        "Wi-Fi": "not said",
        "Wi-Fi signal": "-68 dBm, signal to noise 18 dB, strength 44 %",
        "internet": "not reached",
        "Wi-Fi network": "TestNetwork",
    }
    life = b'{"contactor_cycles":175,"thermal_foldbacks":2,"energy_wh":386204,"uptime_s":1945056}'
    assert lifetime_words(life) == {
        "contactor cycles": "175",
        "thermal foldbacks": "2",
        "energy in its life in Wh": "386204",
        "running for": "22 days 12 h",
    }


def test_words_hold_nothing_that_a_terminal_would_obey() -> None:
    (words,) = version_words(b'{"firmware_version": "\\u001b[2J25"}').values()
    assert words == "?[2J25"


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_hostile_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    for read in READERS:
        try:
            read(data)
        except BodyError:
            continue


@settings(deadline=None)
@given(at=st.integers(0, len(WHOLE)), drop=st.integers(0, 8), put=st.binary(max_size=8))
def test_spoiled_bodies_are_read_or_refused(at: int, drop: int, put: bytes) -> None:
    spoiled = WHOLE[:at] + put + WHOLE[at + drop :]
    for read in READERS:
        try:
            read(spoiled)
        except BodyError:
            continue


@pytest.mark.parametrize(
    "body", [b'{"a":' * 30_000, b"[" * 60_000, b'{"a":"' + b"\\" * 60_000, b"{" + b"nan," * 15_000]
)
def test_deep_and_long_ones_cost_no_stack_and_no_time(body: bytes) -> None:
    for read in READERS:
        with pytest.raises(BodyError):
            read(body)


def test_a_body_without_end_is_not_read() -> None:
    with pytest.raises(BodyError, match="more than 65536 bytes"):
        object_of(b'{"a":1}' + b" " * 65_536)


@pytest.mark.skipif("POWERSHARE_DATA" not in os.environ, reason="needs the recorded bodies")
def test_recorded_bodies_are_read() -> None:
    recorded = Path(os.environ.get("POWERSHARE_DATA", "")) / "protocols" / "gen3_http"
    vitals = vitals_of((recorded / "vitals_fw21.29_connected.json").read_bytes())
    assert vitals.line_ma == (400, 350, 300)
    assert vitals.vehicle_ma == 500
    assert vitals.alerts == ("alert1", "alert2")
    assert lifetime_words((recorded / "lifetime_a.json").read_bytes())["contactor cycles"] == "175"
    assert version_words((recorded / "version_25.34.1.json").read_bytes())["part number"] == "1457768-01-G"
    assert wifi_words((recorded / "wifi_status_base64_ssid.json").read_bytes())["Wi-Fi network"] == "TestNetwork"
