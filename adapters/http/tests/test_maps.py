"""Maps: what devices' own documents show is read as they mean it, and every mistake in a file is named at once."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from powershare.adapter import Deadman, Reading
from powershare.errors import FormatError
from powershare.registry import create_adapter
from powershare_http.charger.http_map import Amount
from powershare_http.charger.map_file import load_map, map_of, shipped
from powershare_http.exchange import Answer

from .benches import WATCHDOG_MAP, VirtualBench, shipped_bench

GO_E = {
    # The keys of apikeys-en.md; nrg: U (L1, L2, L3, N), I (L1, L2, L3), P (L1, L2, L3, N, Total), pf.
    "amp": 16,
    "frc": 0,
    "car": 2,
    "err": 0,
    "nrg": [230, 231, 229, 1, 15.7, 15.8, 15.9, 3.6, 3.6, 3.6, 0, 10.8, 99, 99, 99, 0],
}
OPENEVSE = {"state": 3, "vehicle": 1, "pilot": 16, "amp": 15700, "max_current": 16, "manual_override": 1, "mode": "STA"}
EVSE_WIFI = {
    "type": "parameters",
    "list": [
        {
            "vehicleState": 3,
            "evseState": True,
            "maxCurrent": 32,
            "actualCurrent": 16,
            "alwaysActive": True,
            "useMeter": True,
            "currentP1": 15.7,
            "currentP2": 15.8,
            "currentP3": 15.9,
        }
    ],
}
WARP = {
    # As docs.warp-charger.com shows it.
    "iec61851_state": 2,
    "charger_state": 3,
    "contactor_state": 3,
    "contactor_error": 0,
    "allowed_charging_current": 16000,
    "error_state": 0,
    "lock_state": 0,
}
OPENWB = {
    "plug_state": True,
    "charge_state": True,
    "offered_current": 16,
    "currents": [15.7, 15.8, 15.9],
    "v2g_ready": 0,
}
NRGKICK = {
    "powerflow": {"l1": {"current": 15.7}, "l2": {"current": 15.8}, "l3": {"current": 15.9}, "charging_current": 16.0},
    "general": {"status": 3, "error_code": 0, "charge_permitted": 1, "relay_state": 3, "warning_code": 0},
}


def reading_of(name: str, *bodies: object) -> Reading:
    """What the adapter makes of these answers, in the order in which it asks."""
    bench = shipped_bench(name)
    answers = [Answer(status=200, body=json.dumps(body).encode()) for body in bodies]
    found: list[Reading] = []

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        told = iter(answers)
        bench.spoil = lambda _: next(told)
        found.append(await adapter.read())
        await adapter.close()

    bench.run(talk)
    return found[0]


THREE = (15_700, 15_800, 15_900)


@pytest.mark.parametrize(
    ("name", "bodies", "offered_ma", "state", "drawn_ma", "fault"),
    [
        ("go-e", [GO_E], 16_000, "C", THREE, None),
        ("go-e", [GO_E | {"frc": 1, "car": 3}], 0, "B", THREE, None),
        ("go-e", [GO_E | {"frc": 2, "car": 4}], 16_000, "B", THREE, None),
        ("go-e", [GO_E | {"car": None, "err": 9}], 16_000, "F", THREE, "err is 9"),
        ("openevse", [OPENEVSE], 16_000, "C", (15_700,), None),
        ("openevse", [OPENEVSE | {"state": 254, "amp": 0}], 0, "B", (0,), None),
        ("openevse", [OPENEVSE | {"state": 255, "vehicle": 0, "amp": 0}], 0, "A", (0,), None),
        ("openevse", [OPENEVSE | {"state": 8}], 0, "F", (15_700,), "state is 8, vehicle is 1"),
        ("evse-wifi", [EVSE_WIFI], 16_000, "C", THREE, None),
        ("warp", [WARP, [230, 230, 230, 15.7, 15.8, 15.9, 3.6]], 16_000, "C", THREE, None),
        ("warp", [WARP | {"iec61851_state": 1, "allowed_charging_current": 0}, [0] * 7], 0, "B", (0, 0, 0), None),
        ("warp", [WARP | {"iec61851_state": 4, "error_state": 3}, [0] * 7], 0, "F", (0, 0, 0), "error_state is 3"),
        ("openwb-pro", [OPENWB], 16_000, "C", THREE, None),
        ("openwb-pro", [OPENWB | {"charge_state": False, "offered_current": 0}], 0, "B", THREE, None),
        ("openwb-pro", [OPENWB | {"charge_state": False, "plug_state": False}], 16_000, "A", THREE, None),
        ("nrgkick", [{"current_set": 16.0, "charge_pause": 0, "phase_count": 3}, NRGKICK], 16_000, "C", THREE, None),
        ("nrgkick", [{"current_set": 16.0, "charge_pause": 1}, NRGKICK], 0, "C", THREE, None),
    ],
)
def test_what_documents_show_is_read_as_they_mean_it(
    name: str, bodies: list[object], offered_ma: int, state: str, drawn_ma: tuple[int, ...], fault: str | None
) -> None:
    reading = reading_of(name, *bodies)
    assert (reading.offered_ma, reading.state, reading.drawn_ma) == (offered_ma, state, drawn_ma)
    assert reading.fault == fault


@pytest.mark.parametrize(
    ("name", "offer", "pause"),
    [
        ("go-e", ["GET /api/set?amp=10", "GET /api/set?frc=0"], ["GET /api/set?frc=1", "GET /api/set?amp=6"]),
        (
            "openevse",
            ['POST /override {"state":"active","charge_current":10,"max_current":10,"auto_release":false}'],
            ['POST /override {"state":"disabled","charge_current":6,"max_current":6,"auto_release":false}'],
        ),
        ("evse-wifi", ["GET /setCurrent?current=10"], ["GET /setCurrent?current=0"]),
        ("evse-wifi-10ma", ["GET /setCurrent?current=1070"], ["GET /setCurrent?current=0"]),
        (
            "warp",
            ['PUT /evse/external_current_update {"current":10700}'],
            ['PUT /evse/external_current_update {"current":0}'],
        ),
        (
            "nrgkick",
            ["GET /control?current_set=10.7", "GET /control?charge_pause=0"],
            ["GET /control?charge_pause=1", "GET /control?current_set=6.0"],
        ),
        ("openwb-pro", ["POST /connect.php ampere=10.7"], ["POST /connect.php ampere=0"]),
    ],
)
def test_10_799_milliamps_and_nothing_are_told_in_each_ones_own_words(
    name: str, offer: list[str], pause: list[str]
) -> None:
    bench = shipped_bench(name)

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        await adapter.offer(bench.order(10_799))
        assert bench.device.told == offer
        await adapter.offer(bench.order(5_999))
        assert bench.device.told[len(offer) :] == pause
        await adapter.close()

    bench.run(talk)


def test_every_shipped_map_says_where_it_is_from_and_stops_at_nothing_unknown() -> None:
    assert {"go-e", "openevse", "evse-wifi", "warp"} <= set(shipped())
    for name in shipped():
        found = load_map(name)
        assert found.sources
        assert all(source.startswith("https://") for source in found.sources)
        assert found.notes
        declaration = create_adapter(f"http+{name}://192.0.2.20").declaration
        assert declaration.deadman is Deadman.NONE
        assert declaration.fallback_ma == declaration.greatest_offer_ma
        assert declaration.can_pause


@pytest.mark.parametrize(
    ("unit", "digits", "current_ma", "text"),
    [
        (1000, 0, 10_999, "10"),
        (1000, 1, 10_999, "10.9"),
        (1000, 3, 10_999, "10.999"),
        (1, 0, 10_999, "10999"),
        (10, 0, 10_999, "1099"),
        (100, 0, 6_000, "60"),
    ],
)
def test_amounts_are_written_rounded_down(unit: int, digits: int, current_ma: int, text: str) -> None:
    amount = Amount(unit_ma=Decimal(unit), digits=digits)
    assert amount.text_of(current_ma) == text
    assert amount.current_ma_of(text) <= current_ma


def wrong(*replacements: tuple[str, str], more: str = "") -> list[str]:
    """What is wrong with the map of the bench once this is written in it."""
    text = WATCHDOG_MAP
    for before, after in replacements:
        assert before in text, before
        text = text.replace(before, after)
    with pytest.raises(FormatError) as caught:
        map_of('map "mine"', text + more)
    assert all(problem.where == 'map "mine"' for problem in caught.value.problems)
    return [str(problem).removeprefix('map "mine": ') for problem in caught.value.problems]


def test_every_mistake_of_a_file_is_named_at_once() -> None:
    said = wrong(
        ("greatest_a = 16", 'greatest_a = "many"'),
        ("unit_a = 0.1\n\n[[offer]]", "unit_a = 0\n\n[[offer]]"),
        (
            'method = "PUT"\npath = "/limit"\nbody = \'{"tenths":{order}}\'',
            'method = "SEND"\npath = "limit"\nbody = "{amps}"',
        ),
        ('says = "applied"', 'sais = "applied"'),
        ('C = "C"', 'C = "charging"'),
        ('name = "A box with a watchdog"\n', ""),
    )
    assert said == [
        'offers.greatest_a: is "many", not a number; write amps, such as 32 or 10.2',
        "amount.unit_a: is 0; write how many amps one of its units is, 0.0001 to 1000",
        'offer[0].method: is "SEND"; write one of GET, POST, PUT, PATCH',
        'offer[0].path: is "limit"; write a path such as "/api/status", and what follows a ? as query',
        "offer[0].body: has {amps}; what is filled in is {order} and {least}",
        'offered.sais: is no key of a report; did you mean "says"?',
        'state[0].values: has C = "charging"; a state is one of A, B, C, D, E, F',
        "name: is missing; every map needs it",
    ]


@pytest.mark.parametrize(
    ("replacements", "more", "words"),
    [
        ([("step_a = 1", "step_a = 5")], "", "offers.least_a: is 6, no multiple of step_a 5"),
        ([("step_a = 1", "step_a = 0.05")], "", "amount.unit_a: and digits cannot say the step of 0.05 A"),
        ([('"tenths":{order}', '"tenths":60')], "", "offer: says nothing of the amps"),
        ([('"tenths":0', '"tenths":{order}')], "", "pause: has {order}, and there is none"),
        (
            [('field = "cp"', 'from = "other"\nfield = "cp"')],
            "",
            'state[0].from: is "other"; write the name of a [[read]]',
        ),
        ([('field = "pilot"', 'field = "a..b"')], "", 'offered.field: is "a..b"; write where it lies'),
        ([("fallback_a = 6", "fallback_a = 3")], "", "watchdog.fallback_a: is 3; write 0, or something between"),
        ([("after_s = 20", "after_s = 0.1")], "", "watchdog.after_s: is 0.1; write 1 to 86400"),
        (
            [('method = "PUT"\npath = "/limit"\nbody = \'{"tenths":0}\'', 'path = "/limit"\nbody = "off"')],
            "",
            "pause[0].body: cannot be sent with GET",
        ),
        (
            [],
            '\n[[read]]\nname = "more"\npath = "/more"\n',
            "state[0].from: is missing; write the name of a [[read]]: state, more",
        ),
        ([], '\n[switch]\nfield = "x"\npaused = [1]\noffering = 1\n', 'switch.paused: has to hold a word, and not "1"'),
        ([], '\n[[expect]]\nfield = "x"\nremedy = "mend it"\n', "expect[0]: needs either a value or absent = true"),
        ([], '\n[[expect]]\nfield = "x"\nvalue = 1\nabsent = true\nremedy = "mend it"\n', "expect[0]: needs either"),
        ([], "\n[drawn]\nfields = []\nunit_a = 1\n", "drawn.fields: is a list; write a list with a place for each"),
        ([], "\n[connection]\nreply_s = 60\n", "connection.reply_s: is 60; write 0.05 to 10"),
        (
            [('A = "A", B = "B", C = "C", E = "E"', "")],
            "",
            "state[0].values: is an object; write a table",
        ),
    ],
)
def test_what_cannot_be_is_named_with_what_to_write(replacements: list[tuple[str, str]], more: str, words: str) -> None:
    said = wrong(*replacements, more=more)
    assert any(one.startswith(words) for one in said), said


def test_figures_may_stand_in_a_path() -> None:
    in_paths = WATCHDOG_MAP.replace(
        'path = "/limit"\nbody = \'{"tenths":{order}}\'', 'path = "/limit/{order}"'
    ).replace('path = "/limit"\nbody = \'{"tenths":0}\'', 'path = "/limit/0"')
    bench = VirtualBench(map_of("a map", in_paths), "map")
    (_, request) = bench.map.requests_for(12_000)[0]
    assert str(request) == "PUT /limit/120"
    bench.device.answer(request, bench.clock.now_ms())
    assert bench.device_offered_ma() == 12_000
    bench.device.answer(bench.map.requests_for(0)[0][1], bench.clock.now_ms())
    assert bench.device_offered_ma() == 0


@pytest.mark.parametrize("text", ["", "no toml = = =", "a = 1e9999999999", "[offers]\n" * 2, "a = " + "[" * 5_000])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        map_of("a map", text)


def test_a_file_that_is_not_there_or_is_endless_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        load_map(str(tmp_path / "nothing.toml"))
    with pytest.raises(FormatError, match="cannot be read"):
        load_map("/" + "\0.toml")
    large = tmp_path / "large.toml"
    large.write_text("# " + "x" * 70_000, encoding="utf-8")
    with pytest.raises(FormatError, match="more than 65536 bytes"):
        load_map(str(large))
    with pytest.raises(FormatError, match=r"is not there; write the path of a \.toml file, or one of evse-wifi"):
        load_map("../go-e")


def test_a_map_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    path.write_text(WATCHDOG_MAP, encoding="utf-8")
    declaration = create_adapter(f"http+map://192.0.2.20?map={path}&watchdog_s=12&failsafe_a=0").declaration
    assert (declaration.deadman, declaration.watchdog_ms, declaration.fallback_ma) == (Deadman.WATCHDOG, 12_000, 0)
    bench = VirtualBench(load_map(str(path)), "map", f"?map={path}")
    assert bench.new_adapter().declaration.watchdog_ms == 20_000
