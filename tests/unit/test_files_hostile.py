"""Files made to hurt: numbers and objects that take for ever, halves of characters, rows that stop a whole file."""

import json
import time
from collections.abc import Callable

import pytest

from powershare.errors import FormatError
from powershare.files import demands_from_data, loads_demands, loads_sessions, loads_site
from powershare.files.norway import imports_norway
from powershare.files.text import parse_json
from powershare.files.trace_fast import quick_event

SITE = """schema = "powershare/site/1"
supply = "three_phase"
[[circuit]]
id = "feeder"
limit_a = 32
[[connector]]
id = "north"
circuit = "feeder"
"""
SESSION = "north,2026-01-31T18:00:00Z,2026-01-31T19:00:00Z,7,{},,\n"
HEADER = "connector,plugged_in,unplugged,energy_kwh,max_a,lines_used,vehicle\n"
HEXADECIMAL = "0x" + "f" * 6_000  # over the 4,300 digits that Python spells


def refused(read: Callable[[], object]) -> str:
    """The text of the error, which must come soon: what hurts here took minutes."""
    before_s = time.process_time()
    with pytest.raises(FormatError) as caught:
        read()
    assert time.process_time() - before_s < 5
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SITE + f"max_offer_a = {HEXADECIMAL}", "connector[0].max_offer_a: is a number with too many digits, beyond"),
        (SITE.replace('"feeder"', HEXADECIMAL, 1), "circuit[0].id: is a number with too many digits; write"),
        (SITE.replace('"powershare/site/1"', HEXADECIMAL), "schema: is a number with too many digits; a site file"),
        (SITE.replace('[[circuit]]\nid = "feeder"\nlimit_a = 32', f"circuit = {HEXADECIMAL}"), "circuit: is a number"),
    ],
    ids=["amps", "text", "schema", "rows"],
)
def test_a_number_of_any_length_is_one_clear_error(text: str, message: str) -> None:
    assert refused(lambda: loads_site(text)).startswith(message)


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    """Making a decimal of it took two minutes."""
    text = SITE + "max_offer_a = 0x" + "f" * 1_000_000
    assert "too many digits" in refused(lambda: loads_site(text))


def test_an_object_with_many_keys_and_one_of_them_twice_is_read_in_linear_time() -> None:
    keys = ", ".join(f'"key{number}": 1' for number in range(40_000))
    before_s = time.process_time()
    found = parse_json(f'{{{keys}, "key0": 2}}')
    assert time.process_time() - before_s < 5
    assert getattr(found, "repeated", None) == ("key0",)


@pytest.mark.parametrize("field", ["connector", "vehicle"])
def test_half_a_character_is_refused_where_it_stands(field: str) -> None:
    """JSON can spell half a surrogate pair; no output could write it."""
    text = json.dumps({"schema": "powershare/demands/1", "demands": [{"connector": "north", field: "n\ud800"}]})
    message = refused(lambda: loads_demands(text))
    assert message.startswith(f'demands[0].{field}: is "n\\ud800", which holds half a character')


def test_half_a_character_in_a_list_or_a_key_is_refused_in_words_that_can_be_written() -> None:
    data = {"schema": "powershare/demands/1", "\ud800": 1}
    refused(lambda: demands_from_data(data)).encode()
    site = {"schema": "powershare/site/1", "supply": "three_phase", "circuit": [{"id": "feeder", "limit_a": 32}]}
    site["connector"] = [{"id": "north", "circuit": "feeder", "vehicles": ["\udfff"]}]
    assert "connector[0].vehicles: is" in refused(lambda: loads_site(json.dumps(site)))


def test_a_whole_character_beyond_the_first_plane_is_a_name() -> None:
    text = '{"schema": "powershare/demands/1", "demands": [{"connector": "\\ud83d\\udd0c"}]}'
    assert loads_demands(text).demands[0].connector == "\U0001f50c"


@pytest.mark.parametrize("max_a", ["-1e13", "1e13", "-1e999999", "0", "10001"])
def test_a_row_whose_current_is_beyond_any_circuit_is_skipped_and_not_the_file(max_a: str) -> None:
    sessions = loads_sessions(HEADER + SESSION.format(max_a) + SESSION.format(16).replace("31T", "30T"))
    assert [str(problem) for problem in sessions.skipped] == [
        f"line 2: max_a: is {max_a} A; it must be above zero, and at most 10000 A"
    ]
    assert len(sessions.sessions) == 1


def test_a_session_that_ends_in_its_first_millisecond_is_skipped() -> None:
    """On the replay's clock it would end when it starts."""
    short = "north,2026-01-31T18:00:00.000100Z,2026-01-31T18:00:00.000900Z,7,,,\n"
    sessions = loads_sessions(HEADER + short + SESSION.format("").replace("31T", "30T"))
    assert [(problem.where, problem.field) for problem in sessions.skipped] == [("line 2", "unplugged")]


def test_a_cell_of_any_length_makes_a_short_message() -> None:
    row = SESSION.format("").replace(",7,", f",{'9' * 100_000},")
    assert len(refused(lambda: loads_sessions(HEADER + row))) < 300


def test_a_header_of_many_columns_is_read_in_linear_time() -> None:
    header = "Garage_ID;User_ID;Start_plugin;End_plugout;El_kWh;" + ";".join(map(str, range(40_000)))
    assert "no row" in refused(lambda: imports_norway(header + "\n"))


def test_a_list_of_pairs_is_no_event() -> None:
    """A dict can be made of it, and the tables would refuse it."""
    event: dict[str, object] = {"t_s": 1, "connector": "north", "pilot_a": 6, "drawn_a": 0, "state": "C"}
    assert quick_event(json.dumps(event), {"north"}) is not None
    assert quick_event(json.dumps(list(event.items())), {"north"}) is None
    assert quick_event(json.dumps({**event, "event": "\ud800"}), {"north"}) is None
