"""Files of register maps and addresses: what is wrong is said at once, with its place and what to write instead."""

from pathlib import Path

import pytest

from powershare.adapter import HostClock
from powershare.errors import FormatError
from powershare_serial import serial_adapter
from powershare_serial.modbus.map_file import load_map, map_of, shipped
from powershare_serial.modbus.registers import Table
from powershare_serial.modbus.settings import settings_of

SMALLEST = """
name = "A box of mine"
sources = ["its manual, page 7"]

[connection]
unit = 3

[offers]
greatest_a = 16
step_a = 1

[set]
table = "holding"
address = 10
unit_a = 1
zero = "pauses"

[offered]
table = "holding"
address = 11
unit_a = 1
says = "applied"

[[state]]
table = "input"
address = 1
values = { 0 = "A", 1 = "B", 2 = "C" }
"""


def problems_of(source: str) -> list[tuple[str, str]]:
    with pytest.raises(FormatError) as caught:
        map_of('map "mine.toml"', source)
    assert all(problem.where == 'map "mine.toml"' for problem in caught.value.problems)
    return [(problem.field, problem.message) for problem in caught.value.problems]


def test_the_smallest_map_is_enough_and_needs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMALLEST, encoding="utf-8")
    adapter = serial_adapter(f"modbus:///dev/ttyUSB0?map={path}", clock=HostClock())
    assert adapter.declaration.greatest_offer_ma == 16_000
    assert adapter.declaration.fallback_ma == 16_000


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ('name = "A box of mine"', "", "name", "is missing"),
        ("[connection]", "[conection]", "connection", "write a table [connection]"),
        ("unit = 3", "unit = 300", "connection.unit", "is 300; write a whole number from 0 to 255"),
        ("unit = 3", "unit = 3\nspeed = 9600", "connection.speed", "is not known here; there are baud"),
        ("unit = 3", "unit = 3\nbuad = 9600", "connection.buad", "did you mean baud?"),
        ("unit = 3", 'unit = 3\nparity = "mark"', "connection.parity", "is 'mark'; write one of none, even, odd"),
        ("greatest_a = 16", "greatest_a = 16.5", "offers.greatest_a", "no multiple of step_a 1"),
        ("greatest_a = 16", "greatest_a = 5", "offers.least_a", "is 6, above greatest_a 5"),
        ("greatest_a = 16", "greatest_a = 0.0001", "offers.greatest_a", "in steps of 0.001"),
        ("greatest_a = 16", "greatest_a = nan", "offers.greatest_a", "no number that can be used"),
        ("greatest_a = 16", "greatest_a = true", "offers.greatest_a", "is True, no number"),
        ('zero = "pauses"', 'zero = "maybe"', "set.zero", "write one of pauses, never"),
        ('zero = "pauses"', "", "set.zero", "is missing"),
        ("address = 10\n", "", "set.address", "is missing"),
        ("address = 10\nunit_a = 1", "address = 10", "set.unit_a", "is missing"),
        ("address = 10\nunit_a = 1", "address = 10\nunit_a = 0", "set.unit_a", "above 0"),
        ('[set]\ntable = "holding"', '[set]\ntable = "input"', "set.table", "which nobody can write"),
        ('[set]\ntable = "holding"', '[set]\ntable = "coil"', "set.type", "is bit, no figure"),
        ("address = 11", 'address = 11\ntype = "u64"', "offered.type", "is 'u64'; write one of bit, u16"),
        ("address = 11", 'address = 11\ntype = "bit"', "offered.type", "in a table of words"),
        ('2 = "C"', '2 = "Z"', "state[1].values", "write one of A, B, C, D, E, F"),
        ('2 = "C"', 'two = "C"', "state[1].values", "a whole number"),
        ("[[state]]", "[[stat]]", "state", "write [[state]]"),
        ('sources = ["its manual, page 7"]', "sources = [7]", "sources", "write a text"),
        ("[offers]", "[watchdog]\nafter_s = 5\n[offers]", "watchdog.fed_by_reads", "is missing"),
        (
            "[offers]",
            '[watchdog]\nafter_s = 5\nleast_s = 10\nfed_by_reads = true\nends = "order"\n[offers]',
            "watchdog.after_s",
            "not from least_s to greatest_s",
        ),
        ("[offers]", '[drawn]\ntable = "input"\naddresses = []\nunit_a = 1\n[offers]', "drawn.addresses", "an array"),
        ("[offers]", '[[init]]\ntable = "holding"\naddress = 4\n[offers]', "init[1].value", "is missing"),
        (
            "[offers]",
            '[[expect]]\ntable = "holding"\naddress = 4\nremedy = "do"\n[offers]',
            "expect[1].value",
            "at_least",
        ),
        ("[offers]", "[release]\non = 1\noff = 1\naddress = 9\n[offers]", "release.on", "off is the same"),
        ("[[state]]", "[state]", "state", "no array of tables"),
        ("[connection]\nunit = 3", "", "connection", "is missing"),
        ("unit = 3", "unit = 3\ntcp = 1", "connection.tcp", "write true or false"),
        ('["its manual, page 7"]', '"its manual"', "sources", "write an array of texts"),
        ('{ 0 = "A", 1 = "B", 2 = "C" }', '"A"', "state[1].values", "write { 1 = "),
        ('2 = "C" }', '2 = "C" }\nnot_offering = 4', "state[1].not_offering", "write an array"),
        (
            "[offers]",
            '[drawn]\ntable = "input"\naddresses = [1, 2, 3, 4]\nunit_a = 1\n[offers]',
            "drawn.addresses",
            "1 to 3 lines",
        ),
        (
            "[offers]",
            '[watchdog]\nafter_s = 5\nfed_by_reads = true\nends = "order"\nrewrite_time = true\n[offers]',
            "watchdog.rewrite_time",
            "no table [watchdog.time]",
        ),
        (
            "[offers]",
            '[grant]\ntable = "holding"\naddress = 0\nanswers = { four = [5] }\n[offers]',
            "grant.answers",
            "no whole number",
        ),
        ("[offers]", '[grant]\ntable = "holding"\naddress = 0\nanswers = 4\n[offers]', "grant.answers", "[5, 0]"),
        ("[offers]", "release = 4\n[offers]", "connection.release", "is not known here"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_remedy(old: str, new: str, field: str, message: str) -> None:
    assert old in SMALLEST
    found = problems_of(SMALLEST.replace(old, new, 1))
    assert any(field == place and message in said for place, said in found), found


def test_every_mistake_is_named_at_once() -> None:
    source = SMALLEST.replace("unit = 3", "unit = 300").replace("step_a = 1", "step_a = 0").replace('"C"', '"X"')
    assert [field for field, _ in problems_of(source)] == ["connection.unit", "offers.step_a", "state[1].values"]


def test_what_is_no_toml_is_said_so() -> None:
    assert problems_of("name = ")[0][1].startswith("is no TOML: ")
    assert "is no TOML" in problems_of("a = 1e99999999999999999999")[0][1]
    assert "is no TOML" in problems_of(f"a = {'9' * 5_000}")[0][1], "more digits than Python reads"
    assert "is no TOML" in problems_of(f"a = {'[' * 20_000}")[0][1], "nested deeper than Python can"


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f'map "{tmp_path}/none.toml": cannot be read'):
        load_map(f"{tmp_path}/none.toml")
    with pytest.raises(FormatError, match="one of abb-terra, alfen"):
        load_map("heidelburg")
    with pytest.raises(FormatError, match="is not there"):
        load_map("../maps/keba")


def test_a_file_that_is_too_large_or_no_text_is_no_map(tmp_path: Path) -> None:
    large, no_text = tmp_path / "large.toml", tmp_path / "no_text.toml"
    large.write_text("# much\n" * 10_000, encoding="utf-8")
    no_text.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="has more than 65536 bytes"):
        load_map(str(large))
    with pytest.raises(FormatError, match="cannot be read"):
        load_map(str(no_text))


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_map_says_where_it_is_from(name: str) -> None:
    found = load_map(name)
    assert any(source.startswith("https://") for source in found.sources)
    assert found.setpoint.register.table is Table.HOLDING
    assert found.can_pause


def test_a_go_e_is_told_through_the_register_that_does_not_wear_out() -> None:
    """300 beside it is an EEPROM: https://github.com/goecharger/go-eCharger-API-v2/blob/main/modbus-en.md"""
    assert load_map("go-e").setpoint.register.address == 299


@pytest.mark.parametrize(
    ("rest", "field", "message"),
    [
        ("///dev/ttyUSB0", "map", "is missing; write map=NAME"),
        ("///dev/ttyUSB0?map=heidelberg&unit=0", "unit", "1 to 247"),
        ("///dev/ttyUSB0?map=keba", "unit", "is 255"),
        ("///dev/ttyUSB0?map=heidelberg&framing=tcp", "framing", "leave it out"),
        ("///dev/ttyUSB0?map=heidelberg&unti=1", "unti", "did you mean unit"),
        ("//host?map=heidelberg&baud=9600", "baud", "means nothing over TCP"),
        ("//host?map=smartevse-node", "framing", "write framing=rtu"),
        ("//host?map=smartevse-node&framing=rtu&unit=9", "unit", "is 9; SmartEVSE 2 and 3"),
        ("//host?map=alfen&greatest_a=63", "greatest_a", "goes up to 32 A"),
        ("//host?map=alfen&greatest_a=16.05", "", "no multiple of step_ma 100"),
        ("//host?map=alfen&failsafe_a=3", "", "fallback_ma 3000 is neither 0 nor"),
        ("//host?map=alfen&watchdog_s=5", "watchdog_s", "takes 10 to 3600 seconds"),
        ("//host?map=webasto-next&failsafe_a=0", "failsafe_a", "takes 6 A at least"),
        ("//host?map=go-e&watchdog_s=5", "watchdog_s", "has no watchdog"),
        ("//host?map=go-e&failsafe_a=6", "failsafe_a", "has no watchdog"),
        ("//host?map=abb-terra&failsafe_a=6", "failsafe_a", "then offers 0 A"),
        ("//host?map=go-e&connector=2", "connector", "means nothing to go-e"),
        ("//host?map=go-e&lines=4", "lines", "from 0 to 3"),
        ("///dev/ttyUSB0?map=evse-din&lines=1", "lines", "measures 0"),
    ],
)
def test_an_address_that_cannot_be_is_refused(rest: str, field: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        settings_of(rest)
    assert [(problem.field, message in problem.message) for problem in caught.value.problems] == [(field, True)]
    assert caught.value.problems[0].where == f'adapter "serial+modbus:{rest}"'


def test_every_problem_of_an_address_is_named_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        settings_of("//host?map=go-e&greatest_a=63&watchdog_s=5&baud=9600")
    assert [problem.field for problem in caught.value.problems] == ["greatest_a", "watchdog_s", "baud"]


def test_settings_stand_in_for_what_the_map_says() -> None:
    rest = "///dev/ttyUSB0?map=heidelberg&unit=4&baud=9600&parity=none&stop_bits=2&greatest_a=10&watchdog_s=30"
    settings = settings_of(f"{rest}&failsafe_a=6&lines=1&settle_s=3&reply_s=1")
    declaration = settings.declaration()
    assert (settings.unit, settings.tcp, settings.lines) == (4, False, 1)
    assert (settings.wiring.baud, settings.wiring.parity, settings.wiring.stop_bits) == (9_600, "none", 2)
    assert (declaration.greatest_offer_ma, declaration.fallback_ma, declaration.watchdog_ms) == (10_000, 6_000, 30_000)
    assert (declaration.settle_ms, declaration.longest_write_ms) == (3_000, 2_510)


@pytest.mark.parametrize(("baud", "silence_ms"), [(1_200, 33), (9_600, 5), (115_200, 1)])
def test_frames_on_a_serial_line_are_three_and_a_half_letters_apart(baud: int, silence_ms: int) -> None:
    assert settings_of(f"///dev/ttyUSB0?map=smartevse&baud={baud}").gap_ms == silence_ms
    assert settings_of("//host?map=keba").gap_ms == 0
    assert settings_of("//host?map=evse-din&framing=rtu").gap_ms == 200


def test_the_connectors_of_one_station_have_their_own_registers() -> None:
    assert settings_of("//host?map=phoenix-charx&connector=3").shift == 3_000
    assert settings_of("//host?map=keba").shift == 0
