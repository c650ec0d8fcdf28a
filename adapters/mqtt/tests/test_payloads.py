"""Messages of meters: figures in their unit, exactly and rounded up; whatever the bytes are, one kind of error."""

import json
import random

import pytest

from powershare_mqtt.addresses import meter_settings_of
from powershare_mqtt.payloads import PayloadError, amps, json_of, sample_of, yes_or_no_of


@pytest.mark.parametrize(
    ("rest", "payload", "figures_ma"),
    [
        ("t", b"10.2", (10_200,)),
        ("t", b" 10 ", (10_000,)),
        ("t", b"-3.5", (-3_500,)),
        ("t", b'"10.2"', (10_200,)),
        ("t", b"[10.2, 3.1, 0]", (10_200, 3_100, 0)),
        ("t", b"10.0001", (10_001,)),
        ("t", b"1e1", (10_000,)),
        ("t?unit=mA", b"10200", (10_200,)),
        ("t?unit=mA", b"10200.1", (10_201,)),
        ("t?unit=W&power_factor=1", b"2300", (10_000,)),
        ("t?unit=W&power_factor=1", b"2300.1", (10_001,)),
        ("t?unit=kW&power_factor=1", b"2.3", (10_000,)),
        ("t?unit=W", b"2300", (11_112,)),
        ("t?unit=W&volts=120&power_factor=1", b"-120", (-1_000,)),
        ("t?json=currents", b'{"currents": [1, 2, 3]}', (1_000, 2_000, 3_000)),
        ("t?json=l1,l2", b'{"l1": 1, "l2": "2"}', (1_000, 2_000)),
        ("t?json=ENERGY.Current", b'{"Time": "x", "ENERGY": {"Current": 4.321}}', (4_321,)),
        ("t?json=phases.1.current", b'{"phases": [{"current": 1}, {"current": 2}]}', (2_000,)),
    ],
)
def test_a_message_is_read_in_its_unit_and_rounded_up(rest: str, payload: bytes, figures_ma: tuple[int, ...]) -> None:
    assert sample_of(payload, meter_settings_of(rest)).figures_ma == figures_ma


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1764163200", 1_764_163_200.0),
        ("1764163200.5", 1_764_163_200.5),
        ("1764163200500", 1_764_163_200.5),
        ('"2025-11-26T13:20:00Z"', 1_764_163_200.0),
        ('"2025-11-26T14:20:00+01:00"', 1_764_163_200.0),
    ],
)
def test_a_time_stamp_is_read(stamp: str, seconds: float) -> None:
    payload = f'{{"a": 1, "at": {stamp}}}'.encode()
    assert sample_of(payload, meter_settings_of("t?json=a&time=at")).stamp_s == seconds


@pytest.mark.parametrize("stamp", ['"2025-11-26T14:20:00"', '"noon"', "true", "null", "1e400", "[1]"])
def test_a_time_stamp_that_is_none_makes_the_message_none(stamp: str) -> None:
    payload = f'{{"a": 1, "at": {stamp}}}'.encode()
    with pytest.raises(PayloadError, match="has the time"):
        sample_of(payload, meter_settings_of("t?json=a&time=at"))


@pytest.mark.parametrize(
    ("rest", "payload", "message"),
    [
        ("t", b"", "says ''; send a number, or JSON"),
        ("t", b"unavailable", "says 'unavailable'; send a number, or JSON"),
        ("t", b"NaN", "says 'NaN'"),
        ("t", b"Infinity", "says 'Infinity'"),
        ("t", b"true", "has 'True'; send a number of A"),
        ("t", b"null", "has 'None'; send a number of A"),
        ("t", b"{}", "has '{}'; send a number of A"),
        ("t", b'"NaN"', "has 'NaN'; send a number of A"),
        ("t", b'"ten"', "has 'ten'; send a number of A"),
        ("t", b"[]", "has 0 figures"),
        ("t", b"[1,2,3,4]", "has 4 figures"),
        ("t", b"[[1],2]", "send a number of A"),
        ("t", b"1e30", "send a number of A"),
        ("t?unit=kW", b"1e9", "beyond any circuit"),
        ("t?json=a", b"10", "has no a"),
        ("t?json=a.b", b'{"a": [1]}', "has no a.b"),
        ("t?json=a.5", b'{"a": [1]}', "has no a.5"),
        ("t", b"\xff\xfe", "send a number, or JSON"),
        ("t", b"[" * 60_000, "send a number, or JSON"),
        ("t", b"9" * 70_000, "has 70000 bytes; send at most 65536"),
        ("t", b"9" * 9_000, "send a number of A"),
    ],
)
def test_what_cannot_be_read_says_what_to_send(rest: str, payload: bytes, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        sample_of(payload, meter_settings_of(rest))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_hostile_bytes_give_figures_or_the_one_error() -> None:
    """Random bytes, and JSON with random parts changed: 10,000 messages."""
    chance = random.Random(7)
    settings = meter_settings_of("t?json=a.b,c&time=at&unit=W")
    plain = json.dumps({"a": {"b": 1.5}, "c": "2", "at": "2025-11-26T13:20:00Z", "d": [1, None, {"e": 1e5}]}).encode()
    read = 0
    for number in range(10_000):
        if number % 3 == 0:
            payload = chance.randbytes(chance.randrange(40))
        else:
            changed = bytearray(plain)
            for _ in range(chance.randrange(1, 5)):
                changed[chance.randrange(len(changed))] = chance.choice(b'{}[]":,0123456789.eE+-\\\x00\xff ')
            payload = bytes(changed)
        try:
            sample = sample_of(payload, settings)
        except PayloadError:
            continue
        else:
            read += 1
            assert all(type(figure_ma) is int for figure_ma in sample.figures_ma)
            assert sample.stamp_s is not None
    assert read > 200


def test_json_numbers_are_exact() -> None:
    assert str(json_of(b"0.1")) == "0.1"


@pytest.mark.parametrize(("current_ma", "text"), [(0, "0"), (16_000, "16"), (7_500, "7.5"), (10_001, "10.001")])
def test_amps_are_written_with_as_many_decimals_as_they_need(current_ma: int, text: str) -> None:
    assert amps(current_ma) == text


@pytest.mark.parametrize(
    ("payload", "meaning"),
    [(b"true", True), (b"ON", True), (b"1", True), (b" False\n", False), (b"off", False), (b"0", False)],
)
def test_true_and_false_are_read_as_others_write_them(payload: bytes, meaning: bool) -> None:
    assert yes_or_no_of(payload) is meaning


@pytest.mark.parametrize("payload", [b"", b"yes", b"2", b"\xff", b"true" * 20])
def test_anything_else_is_neither(payload: bytes) -> None:
    with pytest.raises(PayloadError, match="send true or false"):
        yes_or_no_of(payload)
