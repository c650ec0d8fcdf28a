"""Pictures show what happened: no peak is lost, no instant is invented, and a breach is seen."""

from pathlib import Path
from random import Random

import pytest

from powershare.cli.chart import area, sparkline
from powershare.cli.currents import Currents, Envelope
from powershare.cli.ending import printable
from powershare.cli.output import counted, per_line_text, whole_path
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import Audit, CircuitEvent, ConnectorEvent, TraceEvent
from powershare.units import Line, amps_text

BLOCKS = " ▁▂▃▄▅▆▇█"

SITE = Site(
    supply=Supply.THREE_PHASE,
    network_limit_ma=60_000,
    circuits=(
        Circuit(id="panel", breaker_ma=63_000, other_load_worst_ma=(5_000, 0, 1_000)),
        Circuit(id="left", parent="panel", limit_ma=(32_000, 32_000, 20_000)),
        Circuit(id="right", parent="panel", breaker_ma=40_000),
    ),
    connectors=(
        Connector(id="north", circuit="left", lines=(Line.L2, Line.L3, Line.L1)),
        Connector(id="south", circuit="left"),
        Connector(id="east", circuit="right", lines=(Line.L1,)),
    ),
)


def random_events(rng: Random, count: int) -> list[TraceEvent]:
    """Events at instants that often coincide, on every node."""
    events: list[TraceEvent] = []
    t_ms = 0
    for _ in range(count):
        t_ms += rng.choice((0, 0, 7, 1_000, 90_000))
        if rng.random() < 0.2:
            other_ma = tuple(rng.randrange(0, 9_000) for _ in range(3))
            limit_ma = (32_000,) * 3
            circuit = rng.choice(("panel", "left", "right"))
            events.append(
                CircuitEvent(t_ms=t_ms, circuit=circuit, limit_ma=limit_ma, other_load_ma=other_ma, source="meter")
            )
            continue
        pilot_ma = rng.choice((0, 6_000, 16_000, 32_000))
        events.append(
            ConnectorEvent(
                t_ms=t_ms,
                connector=rng.choice(("north", "south", "east")),
                pilot_ma=pilot_ma,
                drawn_ma=rng.randrange(0, pilot_ma + 1),
                lines_used=rng.choice((None, 1, 2, 3)),
            )
        )
    return events


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("stretches", [1, 7, 400])
def test_the_picture_has_the_peaks_that_the_audit_finds(seed: int, stretches: int) -> None:
    """Two ways of adding up, which share no code, agree on every circuit and line."""
    events = random_events(Random(seed), 200)
    currents, audit = Currents(SITE, 0, events[-1].t_ms, stretches), Audit(SITE)
    for event in events:
        currents.feed(event)
        audit.feed(event)
    currents.finish(events[-1].t_ms)
    peaks = audit.result().peaks
    shown = [
        (max(panel.offered[line].greatest_ma), max(panel.drawn[line].greatest_ma))
        for panel in currents.panels
        for line in range(3)
    ]
    assert shown == [(peak.offered_ma, peak.drawn_ma) for peak in peaks]


def test_an_envelope_keeps_the_greatest_of_each_stretch_and_carries_on_between() -> None:
    envelope = Envelope(0, 10, 6)
    envelope.change(12, 5_000)
    envelope.change(15, 32_000)
    envelope.change(18, 8_000)
    envelope.change(41, 0)
    envelope.reach(60)
    assert envelope.greatest_ma == [0, 32_000, 8_000, 8_000, 8_000, 0]


def test_an_area_ends_at_the_limit_and_shows_what_is_above() -> None:
    lines = area([0, 4_000, 8_000, 8_001], 8_000, 2, BLOCKS)
    assert lines == [
        "    8 A ┤───! limit",
        "    4 A ┤  ██",
        "        │ ███",
        "    0 A ┤────",
    ]


def test_a_small_current_is_not_shown_as_none() -> None:
    assert sparkline([0, 1, 16_000, 32_000, 40_000], 32_000, BLOCKS) == " ▁▄██"


def test_words_for_currents() -> None:
    assert amps_text(7_500) == "7.5 A"
    assert amps_text(1_234_567) == "1234.567 A"
    assert per_line_text((48_000, 48_000, 48_000)) == "48 A"
    assert per_line_text((32_000, 20_000)) == "L1 32 A, L2 20 A"
    assert (counted(1, "row"), counted(2_235, "row")) == ("1 row", "2,235 rows")


def test_printable_spells_out_what_a_terminal_would_obey() -> None:
    assert printable("Straße 1") == "Straße 1"
    assert printable("a\x1b[2Jb\tc") == "a\\x1b[2Jb\\tc"


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    wanted = tmp_path / "out.txt"

    def fail() -> None:
        with whole_path(wanted) as part:
            part.write_text("half", encoding="utf-8")
            assert not wanted.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with whole_path(wanted) as part:
        part.write_text("whole", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    link = tmp_path / "link.txt"
    link.symlink_to(wanted)
    with whole_path(link) as part:
        part.write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert wanted.read_text(encoding="utf-8") == "new"


def test_a_device_is_written_to_as_it_is() -> None:
    with whole_path(Path("/dev/null")) as part:
        part.write_text("x", encoding="utf-8")
    assert Path("/dev/null").is_char_device()
