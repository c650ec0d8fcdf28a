"""Addresses and options: what is given, what is wrong with all of it at once, and what to write."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare.addressing import (
    HostPort,
    Readers,
    amps,
    decoded,
    hexadecimal,
    host_port_of,
    one_of,
    options_of,
    query_of,
    seconds,
    some_text,
    thousandths,
    whole,
    yes_no,
)
from powershare.errors import FormatError, Problem

WHERE = 'adapter "box:rest"'
READERS: Readers = {
    "unit": whole(1, 247),
    "max_a": ("greatest_ma", amps(6_000, 80_000)),
    "every_s": ("every_ms", seconds(500, 60_000)),
    "name": some_text,
    "meter": yes_no,
}


def read(query: str, needed: dict[str, str] | None = None) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    problems: list[Problem] = []
    values = query_of(WHERE, query, READERS, problems, needed=needed)
    assert all(problem.where == WHERE for problem in problems)
    return values, [(problem.field, problem.message) for problem in problems]


def test_what_is_given_is_read_under_the_name_that_it_fills() -> None:
    values, problems = read("unit=7&max_a=16.5&every_s=0.5&name=north&meter=no")
    assert values == {"unit": 7, "greatest_ma": 16_500, "every_ms": 500, "name": "north", "meter": False}
    assert problems == []


def test_nothing_given_is_nothing_set() -> None:
    assert read("") == ({}, [])


def test_everything_that_is_wrong_is_told_at_once_and_the_rest_is_read() -> None:
    values, problems = read("unit=0&unitt=7&max_a=81&name&meter=no&meter=yes&=3", {"every_s": "write every_s=1"})
    assert values == {}, "what is given twice is not guessed"
    assert problems == [
        ("name", "has no value; write setting=value"),
        ("meter", "is given twice"),
        ("unit", "is '0'; write a whole number from 1 to 247"),
        ("unitt", "is no setting; did you mean unit?"),
        ("max_a", "is '81'; write 6 to 80 amps"),
        ("", "has a setting without a name; write setting=value&setting=value"),
        ("every_s", "is missing; write every_s=1"),
    ]


def test_a_setting_that_is_like_none_is_told_all_there_are() -> None:
    assert read("zzz=1") == ({}, [("zzz", "is no setting; there are unit, max_a, every_s, name, meter")])
    with pytest.raises(FormatError, match="there are none"):
        options_of(WHERE, {"zzz": "1"}, {})


def test_what_is_there_and_wrong_is_not_missing_as_well() -> None:
    assert read("unit=x", {"unit": "write unit=1"})[1] == [("unit", "is 'x'; write a whole number from 1 to 247")]


@given(st.text(min_size=1).filter(str.isprintable))
def test_percent_encoding_is_undone_and_a_plus_sign_is_one(name: str) -> None:
    assert read(f"name={quote(name, safe='+')}") == ({"name": name}, [])


def test_what_is_encoded_and_no_text_is_refused() -> None:
    assert read("name=%ff") == ({}, [("name", "is '%ff'; what is percent-encoded in it is no UTF-8")])
    with pytest.raises(ValueError, match="is no UTF-8"):
        decoded("%C3")


@given(st.text())
def test_whatever_is_written_nothing_else_is_raised(query: str) -> None:
    values, problems = read(query)
    assert values.keys() <= {"unit", "greatest_ma", "every_ms", "name", "meter"}
    assert bool(query) <= bool(values or problems)


def test_options_are_not_percent_encoded() -> None:
    assert options_of('emulator "box"', {"name": "50%25", "unit": "3"}, READERS) == {"name": "50%25", "unit": 3}
    with pytest.raises(FormatError) as caught:
        options_of('emulator "box"', {"unit": "x", "other": "y"}, READERS, needed={"name": "give it one"})
    assert [problem.field for problem in caught.value.problems] == ["unit", "other", "name"]
    assert 'emulator "box"' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.20:8080", HostPort("192.0.2.20", 8080)),
        ("box.local:1", HostPort("box.local", 1)),
        ("[2001:db8::7]:65535", HostPort("2001:db8::7", 65_535)),
        ("[fe80::7%eth0]:502", HostPort("fe80::7%eth0", 502)),
    ],
)
def test_a_host_and_its_port(text: str, place: HostPort) -> None:
    assert host_port_of(text) == place
    assert str(place) == text


def test_a_port_that_is_left_out_is_the_usual_one_or_missing() -> None:
    assert host_port_of("box", 80) == HostPort("box", 80)
    assert host_port_of("[::1]", 502) == HostPort("::1", 502)
    with pytest.raises(ValueError, match="names the host 'box' without a port"):
        host_port_of("box")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no host"),
        (":80", "has no host"),
        ("a b:80", "has no host"),
        ("user@box:80", "has no host"),
        ("box/path:80", "has no host"),
        ("box:0", "has a port that is '0'; write a whole number from 1 to 65535"),
        ("box:65536", "has a port that"),
        ("box:٣", "has a port that"),
        ("2001:db8::7", "an IPv6 address belongs in brackets"),
        ("[box]:80", "has no IPv6 address in the brackets"),
        ("[fe80::7%]:80", "has no IPv6 address in the brackets"),
        ("[fe80::7%eth0\n]:80", "has no IPv6 address in the brackets"),
        ("[fe80::7%eth0@box]:80", "has no IPv6 address in the brackets"),
        ("[::1:80", "has no host and port"),
        ("[::1]80", "has no host and port"),
    ],
)
def test_what_is_no_host_and_port_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="has") as caught:
        host_port_of(text, 80)
    assert words in str(caught.value)


@given(st.text())
def test_a_host_is_read_or_refused(text: str) -> None:
    try:
        place = host_port_of(text, 80)
    except ValueError:
        return
    assert host_port_of(str(place)) == place


@pytest.mark.parametrize("text", ["", "1.", "+1", "-1", "٣", "1_0", " 1", "248", "0", "9" * 30, "0x1"])
def test_what_is_no_whole_number_in_the_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a whole number from 1 to 247"):
        whole(1, 247)(text)


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-0.001", "80.001", "1e9"])
def test_what_is_no_current_in_the_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write 0 to 80 amps"):
        amps(0, 80_000)(text)


def test_what_bounds_something_is_rounded_down() -> None:
    assert amps(0, 80_000)("15.9999") == 15_999
    assert seconds(0, 1_000)("0.0009") == 0


def test_the_ends_of_a_range_are_written_out() -> None:
    with pytest.raises(ValueError, match=r"write 0\.05 to 1000000 kilowatt-hours"):
        thousandths(50, 1_000_000_000, "kilowatt-hours")("0")


def test_words_and_digits() -> None:
    assert one_of("A", "W")("W") == "W"
    with pytest.raises(ValueError, match="is 'w'; write A or W"):
        one_of("A", "W")("w")
    assert yes_no("yes") is True
    with pytest.raises(ValueError, match="write yes or no"):
        yes_no("on")
    assert hexadecimal(4)("7aFf") == 0x7AFF
    for text in ("", "12345", "0x1", "g"):
        with pytest.raises(ValueError, match="write up to 4 hexadecimal digits"):
            hexadecimal(4)(text)
    for text in ("", "\n", "\u200b"):
        with pytest.raises(ValueError, match="write something that can be read"):
            some_text(text)
