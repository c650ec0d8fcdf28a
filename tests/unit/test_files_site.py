"""Site files: both spellings mean one site, numbers round to the safe side, a bad path is one clear error."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import powershare
from powershare.errors import FormatError, TopologyError
from powershare.files import dump_site, load_site, loads_site, site_from_data, site_to_data
from powershare.files.text import read_text
from powershare.site import Circuit, Connection, Connector, Meter, Network, Site, Supply
from powershare.units import Line

EXAMPLES = Path(__file__).parents[2] / "examples"
SITES = sorted(EXAMPLES.glob("*.toml"))

letters = st.characters(exclude_categories=["Cs"])
names = st.text(letters, min_size=1, max_size=6).filter(lambda name: bool(name.strip()))
currents = st.integers(1, 1_099_511_627_000)  # whole amps below the greatest limit


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Sites that exercise every key; fallbacks stay open, so that any limits fit."""
    supply = draw(st.sampled_from(Supply))
    per_line = st.one_of(currents, st.tuples(*[currents] * len(supply.lines)))
    circuits: list[Circuit] = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        circuits.append(
            Circuit(
                id=name,
                parent=draw(st.sampled_from([None, *(circuit.id for circuit in circuits)])),
                breaker_ma=draw(st.none() | currents),
                continuous_percent=draw(st.integers(1, 100)),
                limit_ma=draw(per_line),
                other_load_worst_ma=draw(per_line),
            )
        )
    connectors = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        step_ma = draw(st.integers(1, 1000))
        least, greatest = sorted(draw(st.tuples(st.integers(1, 5000), st.integers(1, 5000))))
        connectors.append(
            Connector(
                id=name,
                circuit=draw(st.sampled_from(circuits)).id,
                lines=draw(st.none() | st.permutations(supply.lines).map(tuple)),
                connection=draw(st.sampled_from([None, Connection.LINE_TO_NEUTRAL])),
                min_offer_ma=least * step_ma,
                max_offer_ma=greatest * step_ma,
                step_ma=step_ma,
                weight=draw(st.integers(1, 1000)),
                priority=draw(st.integers(-1_000_000, 1_000_000)),
                generation=draw(st.none() | st.integers(1, 100)),
                firmware=draw(st.none() | names),
                vehicles=draw(st.none() | st.lists(names, max_size=3).map(tuple)),
                adapter=draw(st.none() | names),
            )
        )
    return Site(
        supply=supply,
        circuits=tuple(circuits),
        connectors=tuple(connectors),
        name=draw(st.text(letters, max_size=6)),
        network_limit_ma=draw(st.none() | currents),
        nominal_voltage_v=draw(st.none() | st.integers(50, 1000)),
        meters=draw(st.sampled_from([(), (Meter(circuit=circuits[0].id, adapter="mqtt:x", stale_after_ms=1500),)])),
        network=Network(draw(st.sampled_from([None, connectors[0].id])), draw(st.booleans())),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sites())
def test_a_site_written_and_read_again_is_the_same_in_both_spellings(site: Site) -> None:
    assert loads_site(dump_site(site)) == site
    assert loads_site(dump_site(site, "json"), "json") == site
    assert site_from_data(site_to_data(site)) == site


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_every_example_is_a_site(path: Path) -> None:
    site = load_site(path)
    assert site.name
    assert loads_site(dump_site(site)) == site


def test_there_are_the_four_examples() -> None:
    assert {path.stem for path in SITES} >= {"garage", "feeder", "three-level", "split-phase"}


def test_the_garage_example_says_what_the_file_says() -> None:
    site = load_site(EXAMPLES / "garage.toml")
    assert site.supply is Supply.THREE_PHASE
    assert site.network_limit_ma == 48_000
    assert site.circuit_by_id["panel"].usable_limit_ma(Line.L1) == (48_000, "breaker")
    assert site.circuit_by_id["left"].limit_ma == (32_000, 32_000, 20_000)
    assert site.connector_by_id["north"].lines == (Line.L2, Line.L3, Line.L1)
    assert site.meters == (Meter(circuit="panel", adapter="mqtt:home/panel", stale_after_ms=10_000),)
    assert site.fallbacks.by_connector["north"] == 8_000


def test_the_three_level_example_has_three_levels_and_rotates_its_lines() -> None:
    site = load_site(EXAMPLES / "three-level.toml")
    assert {len(site.circuits_above(connector.circuit)) for connector in site.connectors} == {3}
    assert {site.wiring[connector.id].lines[0] for connector in site.connectors} == set(site.supply.lines)


def minimal(circuit: str = "limit_a = 40", connector: str = "") -> str:
    head = 'schema = "powershare/site/1"\nsupply = "single_phase"\n'
    return f'{head}[[circuit]]\nid = "a"\n{circuit}\n[[connector]]\nid = "b"\ncircuit = "a"\n{connector}\n'


def test_limits_round_down_and_other_load_rounds_up() -> None:
    site = loads_site(minimal("limit_a = 40.0009\nother_load_worst_a = 1.0001"))
    assert (site.circuits[0].limit_ma, site.circuits[0].other_load_worst_ma) == (40_000, 1_001)


def test_a_decimal_is_read_as_written_and_not_as_the_nearest_binary_fraction() -> None:
    assert loads_site(minimal(connector="max_offer_a = 16.1\nmin_offer_a = 6.9")).connectors[0].max_offer_ma == 16_100


def test_the_spelling_of_a_file_without_a_known_ending_is_seen_from_its_text(tmp_path: Path) -> None:
    site = loads_site(minimal())
    for spelling in ("toml", "json"):
        path = tmp_path / f"{spelling}.conf"
        path.write_text(dump_site(site, spelling), encoding="utf-8")
        assert load_site(path) == site


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf" + minimal().encode())
    assert load_site(path) == loads_site(minimal())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b'schema = "x"\nname = "\xff"\n', "line 2: of .* is no UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "site.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        load_site(path)
    assert len(caught.value.problems) == 1


def test_a_directory_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is a directory; name a file in it"):
        load_site(tmp_path)


def test_a_name_with_a_zero_in_it_is_one_clear_error() -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        load_site("a\0b")


def test_a_file_above_the_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"#" * 101)
    with pytest.raises(FormatError, match="larger than 100 bytes"):
        read_text(path, max_bytes=100)


def test_faults_of_spelling_and_of_the_site_are_reported_together() -> None:
    text = minimal('limit_a = "40"', "max_offer_a = 3\n[[connector]]\nid = 'c'\ncircuit = 'nowhere'")
    with pytest.raises(FormatError) as caught:
        loads_site(text)
    fields = [(problem.where, problem.field) for problem in caught.value.problems]
    assert fields == [("circuit[0].limit_a", ""), ('connector "b"', "min_offer"), ('connector "c"', "circuit")]


def test_a_site_that_can_be_read_and_cannot_be_is_a_topology_error() -> None:
    with pytest.raises(TopologyError, match="above max_offer"):
        loads_site(minimal(connector="max_offer_a = 3"))


def test_a_place_inside_another_file_is_named_from_its_top() -> None:
    circuit, connector = [{"id": "a", "limit_a": True}], [{"id": "b", "circuit": "a"}]
    with pytest.raises(FormatError, match=r"^site\.circuit\[0\]\.limit_a: is true"):
        site_from_data(
            {"supply": "single_phase", "circuit": circuit, "connector": connector}, "site", schema_required=False
        )


def test_the_package_offers_the_reader_itself() -> None:
    assert powershare.load_site is load_site
