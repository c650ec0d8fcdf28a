"""One seed and many: the same seed is the same run, figures add up, and a failing seed is shrunk to what it takes."""

import operator
import re
from functools import reduce
from pathlib import Path

import pytest
from tests.support.networks import SIX

from powershare.cli import main
from powershare.files import dump_site
from powershare.leases import GrantKind
from powershare.leases.ledger import Ledger
from powershare.node import NetworkConfig
from powershare.simulation.network import (
    ABOUT,
    Campaign,
    Outcome,
    Tally,
    parse,
    percentile_ms,
    shrink,
    tally,
)
from powershare.trace import TraceEvent

CONFIG = NetworkConfig(site=SIX)
EVERYTHING = frozenset(ABOUT)


def run(seed: int, hours: float = 0.05, names: frozenset[str] | None = EVERYTHING) -> tuple[Outcome, list[TraceEvent]]:
    events: list[TraceEvent] = []
    return Campaign(CONFIG, seed, hours, names=names, on_event=events.append).run(), events


def test_the_same_seed_is_the_same_run() -> None:
    once, again = run(3), run(3)
    assert once == again
    assert len(once[1]) > 100
    assert run(4) != once


def test_figures_of_seeds_add_up_in_any_grouping() -> None:
    one, two, three = (tally(Campaign(CONFIG, seed, 0.02, names=EVERYTHING))[0] for seed in (1, 2, 3))
    whole = reduce(operator.add, (one, two, three), Tally())
    assert whole == one + (two + three)
    assert whole.seeds == (1, 2, 3)
    assert whole.connector_hours == pytest.approx(3 * 6 * 0.02)
    assert whole.events == one.events + two.events + three.events
    assert whole.back_under_ms == max(one.back_under_ms, two.back_under_ms, three.back_under_ms)
    assert all(
        whole.invariants[name].checked == sum(each.invariants[name].checked for each in (one, two, three))
        for name in whole.invariants
    )


def test_percentiles_are_times_that_were_measured() -> None:
    assert percentile_ms([], 50) is None
    assert percentile_ms([7], 95) == 7
    assert percentile_ms(range(1, 101), 50) == 51
    assert percentile_ms(range(1, 101), 95) == 96


def test_what_is_served_is_measured_beside_ideal_control() -> None:
    deeds = list(parse(["0 plug c0 32", "0 plug c1 16", "0 plug c2 16"]))
    done = Campaign(CONFIG, 1, 0.2, names=frozenset(), deeds=deeds).run()
    assert done.ideal_ah == pytest.approx(36 * 0.2, rel=0.01)
    assert 0.9 * done.ideal_ah < done.drawn_ah < done.ideal_ah


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that lets every grant through, as if all others drew nothing."""
    issue = Ledger.issue

    def always(
        self: Ledger, unit: int, kind: GrantKind, amps_ma: int, ceiling_ma: int, heartbeat_ms: int, now_ms: int
    ) -> bool:
        issue(self, unit, kind, amps_ma, ceiling_ma, heartbeat_ms, now_ms)
        return True

    monkeypatch.setattr(Ledger, "issue", always)
    monkeypatch.setattr(Ledger, "room_ma", lambda *_: 32_000)


@pytest.mark.usefixtures("blind")
def test_a_seed_that_fails_is_shrunk_to_the_few_deeds_that_it_takes() -> None:
    campaign = Campaign(CONFIG, 5, 0.3, names=frozenset({"handover", "drift", "phases", "pause"}))
    failed = campaign.run()
    assert failed.broken
    assert failed.first_broken_ms is not None
    tries: list[tuple[int, int]] = []
    kept, broken_ms = shrink(
        CONFIG, failed.storm, 5, failed, campaign.deeds, on_run=lambda runs, left: tries.append((runs, left))
    )
    assert [runs for runs, _ in tries] == list(range(1, len(tries) + 1))
    assert len(kept) < 5 < len(campaign.deeds)
    story = list(parse(map(str, kept)))
    hours = (broken_ms + 1_000) / 3_600_000
    assert Campaign(CONFIG, 5, hours, storm=failed.storm, deeds=story).run().first_broken_ms == broken_ms
    for place in range(len(story)):
        shorter = story[:place] + story[place + 1 :]
        assert not Campaign(CONFIG, 5, hours, storm=failed.storm, deeds=shorter).run().broken


@pytest.mark.usefixtures("blind")
def test_the_program_tells_the_story_of_a_seed_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.toml"
    site.write_text(dump_site(SIX), encoding="utf-8")
    code = main(["faults", str(site), "--seed", "5", "--hours", "0.05", "--faults", "handover,drift"])
    out, err = capsys.readouterr()
    assert code == 3
    assert "of which 1 fail" in out
    assert re.search(r"looking for the fewest of \d+ deeds that still break something: 200 runs at most", err)
    assert re.search(r"shrunk from \d+ deeds to \d+; something breaks at [\d.]+ s:\n", err)
    assert any(list(parse([line])) for line in err.splitlines() if line.startswith("  ")), "the deeds that are left"


def test_a_seed_that_holds_is_not_shrunk() -> None:
    campaign = Campaign(CONFIG, 1, 0.01, names=frozenset())
    assert shrink(CONFIG, campaign.storm, 1, campaign.run(), campaign.deeds) == (campaign.deeds, 0)


def test_a_cold_hold_that_a_change_of_configuration_prolonged_is_no_failure() -> None:
    """A fallback that fell and rose while a unit was cold waits at its end, also where it is the same as before."""
    others = "c0=6,c2=6,c3=6,c4=6,c5=6"
    story = ["100 crash c1 cut for 39", f"114 configure c1=0,{others}", f"166 configure c1=6,{others}"]
    done = Campaign(CONFIG, 1, 0.1, names=frozenset(), deeds=list(parse(story))).run()
    assert not done.broken, done.invariants
    assert done.invariants["I11"].checked
