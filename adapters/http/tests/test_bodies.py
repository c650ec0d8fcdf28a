"""Bodies of chargers: strict JSON, fields by their paths, figures that round up, hostile bytes refused."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powershare_http.bodies import BodyError, current_ma, field_of, json_of, word_of
from powershare_http.exchange import Answer, Request, check_status, shown


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1',
        b'{"a":1}{"a":2}',
        b'{"a":NaN}',
        b'{"a":nan}',
        b'{"a":-Infinity}',
        b"<html>It works!</html>",
        b"\xff\xfe{}",
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":1e999999999}',
        b'{"a":1e-999999999}',
        b"[" * 60_000,
        b" " * 65_537,
    ],
)
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(BodyError):
        json_of(body)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_hostile_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    try:
        found = json_of(data)
    except BodyError:
        return
    for path in (("a",), ("0",), ("list", "0", "b"), ("1", "1")):
        try:
            word_of(field_of(found, path))
            current_ma(field_of(found, path), Decimal(1_000), "it")
        except BodyError:
            continue


GENUINE = b'{"list":[{"vehicleState":3,"evseState":true,"actualCurrent":16,"currentP1":15.96,"RFIDUID":null}]}'


@settings(deadline=None)
@given(at=st.integers(0, len(GENUINE)), drop=st.integers(0, 6), put=st.binary(max_size=6))
def test_spoiled_bodies_are_read_or_refused(at: int, drop: int, put: bytes) -> None:
    try:
        found = json_of(GENUINE[:at] + put + GENUINE[at + drop :])
        current_ma(field_of(found, ("list", "0", "currentP1")), Decimal(1_000), "it")
    except BodyError:
        return


def test_fields_lie_at_names_and_places() -> None:
    found = json_of(GENUINE)
    assert word_of(field_of(found, ("list", "0", "vehicleState"))) == "3"
    assert word_of(field_of(found, ("list", "0", "evseState"))) == "true"
    assert word_of(field_of(found, ("list", "0", "RFIDUID"))) == "null"
    for path in (
        ("list", "1"),
        ("list", "-1"),
        ("list", "x"),
        ("nothing",),
        ("list", "0", "vehicleState", "0"),
        ("list", "9" * 99),
    ):
        with pytest.raises(BodyError, match="has no "):
            field_of(found, path)
    with pytest.raises(BodyError, match="an object in place"):
        word_of(field_of(found, ("list", "0")))


@pytest.mark.parametrize(
    ("text", "unit", "expected_ma"),
    [
        ("15.96", 1_000, 15_960),
        ('"15.96"', 1_000, 15_960),
        ("10.2004", 1_000, 10_201),
        ("160", 100, 16_000),
        ("1234.1", 1, 1_235),
    ],
)
def test_a_current_rounds_up(text: str, unit: int, expected_ma: int) -> None:
    assert current_ma(json_of(text.encode()), Decimal(unit), "it") == expected_ma


@pytest.mark.parametrize("text", ["-1", "-0.1", "10001", "true", "null", '"sixteen"', "[16]", '""'])
def test_what_is_no_current_is_an_error_and_never_nothing(text: str) -> None:
    with pytest.raises(BodyError, match="it is"):
        current_ma(json_of(text.encode()), Decimal(1_000), "it")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (302, b"", "sends us to another page"),
        (401, b"", "auth_file="),
        (403, b"", "auth_file="),
        (404, b"not found", "no such page"),
        (405, b'{"Response": "Charging pause is blocked by solar-charging"}', "blocked by solar-charging"),
        (400, b"no\x1b[2J", "refused with 400: 'no [2J'"),
        (500, b"", "failed with 500: nothing"),
    ],
)
def test_an_answer_that_is_none_says_why(status: int, body: bytes, words: str) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        check_status(Request(path="/x"), Answer(status=status, body=body))
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_what_is_shown_is_short() -> None:
    assert len(shown(b"x" * 1_000)) < 90


def test_a_query_keeps_its_commas_and_quotes_what_could_end_it() -> None:
    assert Request(path="/a", query={"filter": "amp,frc", "x": "1&y=2"}).target == "/a?filter=amp,frc&x=1%26y%3D2"
