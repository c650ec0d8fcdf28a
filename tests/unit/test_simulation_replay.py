"""A replay tells a policy only what it may know, and reports what happened."""

import os
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from powershare.errors import FormatError, Problem
from powershare.files import import_norway, load_site
from powershare.policy import Conditions, Decision, OrderName, Policy, Report
from powershare.simulation import (
    EXACT_FLEET,
    Evening,
    Fleet,
    Replay,
    Session,
    Sessions,
    replay,
    uncontrolled_peak_ma,
)
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import ConnectorEvent, TraceEvent, audit

HOUR_MS = 3_600_000
ROOT = Path(__file__).parents[2]
SITE = Site(
    supply=Supply.SINGLE_PHASE,
    circuits=(Circuit(id="feeder", limit_ma=32_000),),
    connectors=tuple(Connector(id=name, circuit="feeder", step_ma=1_000) for name in ("north", "south", "west")),
)


def session(name: str, start_h: float, end_h: float, energy_wh: int, max_ma: int | None = None) -> Session:
    return Session(
        connector=name,
        plugged_in_ms=int(start_h * HOUR_MS),
        unplugged_ms=int(end_h * HOUR_MS),
        energy_wh=energy_wh,
        max_ma=max_ma,
    )


def sessions(*items: Session) -> Sessions:
    return Sessions(started=datetime(2026, 1, 1, tzinfo=UTC), sessions=items)


def test_one_car_gets_what_it_asks_for() -> None:
    report = replay(SITE, sessions(session("north", 0, 3, 10_000)))
    assert (report.sessions, report.sessions_met) == (1, 1)
    assert (report.energy_asked_kwh, report.energy_delivered_kwh) == (10.0, 10.0)
    assert report.simulated_s == 3 * 3600
    assert (report.limits_broken, report.unsendable_offers, report.pauses_most) == (0, 0, 0)
    # One policy cycle and one actuation at most until its first offer, and less than a second here.
    assert report.longest_wait_s <= 1.1
    assert report.binding_percent == 0


def test_a_car_for_more_lines_than_there_are_loads_those_there_are() -> None:
    three = attrs.evolve(session("north", 0, 3, 10_000), lines_used=3)
    assert replay(SITE, sessions(three)) == attrs.evolve(
        replay(SITE, sessions(session("north", 0, 3, 10_000))),
        outcomes=replay(SITE, sessions(three)).outcomes,
    )


def test_a_car_that_asks_for_more_than_its_time_allows_is_not_met() -> None:
    report = replay(SITE, sessions(session("north", 0, 1, 10_000)), fleet=EXACT_FLEET)
    assert report.sessions_met == 0
    # 32 A at 230 V for an hour, less reaction and ramp.
    assert 7.2 < report.energy_delivered_kwh < 32 * 230 / 1000


def test_energy_is_the_integral_of_what_the_trace_tells() -> None:
    events: list[TraceEvent] = []
    fleet = attrs.evolve(EXACT_FLEET, reading_step_ma=100)
    report = replay(SITE, sessions(session("north", 0, 2, 9_000)), fleet=fleet, on_event=events.append)
    told, since_ms, drawn_ma = 0, 0, 0
    for event in events:
        assert isinstance(event, ConnectorEvent)
        told += drawn_ma * (event.t_ms - since_ms)
        since_ms, drawn_ma = event.t_ms, event.drawn_ma
    told_wh = told * 230 / 3.6e9
    assert report.energy_delivered_kwh * 1000 == pytest.approx(told_wh, abs=2)


def test_three_cars_on_one_feeder_share_it_and_its_limit_binds() -> None:
    crowd = sessions(*(session(name, 0, 6, 12_000) for name in ("north", "south", "west")))
    report = replay(SITE, crowd, fleet=EXACT_FLEET)
    assert report.sessions_met == 3
    assert report.binding_percent > 50
    assert report.limits_broken == 0
    assert 30_000 < report.peaks[0].peak_ma <= 32_000


def test_without_control_the_feeder_is_overloaded() -> None:
    crowd = sessions(*(session(name, 0, 6, 12_000) for name in ("north", "south", "west")))
    report = replay(SITE, crowd, order="uncontrolled")
    assert uncontrolled_peak_ma(report, "feeder") == 96_000
    assert report.limits_broken > 0
    with pytest.raises(KeyError):
        uncontrolled_peak_ma(report, "shed")


def test_a_session_gets_nothing_after_it_was_unplugged_and_the_next_may_start_at_that_instant() -> None:
    events: list[TraceEvent] = []
    crowd = sessions(session("north", 0, 1, 50_000), session("north", 1, 2, 50_000))
    report = replay(SITE, crowd, on_event=events.append)
    assert report.sessions == 2
    words = [event.event for event in events if isinstance(event, ConnectorEvent) and event.event]
    assert words == ["plugged_in", "unplugged", "plugged_in", "unplugged"]


class Listener:
    """The real policy, and a note of what it was told."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.told: list[tuple[int | None, int | None]] = []

    def step(self, reports: list[Report], conditions: Conditions, now_ms: int) -> Decision:
        self.told += [(report.energy_needed_wh, report.departs_in_s) for report in reports if report.plugged]
        return self.policy.step(reports, conditions, now_ms)


ORDERS: tuple[tuple[OrderName, bool], ...] = (("fair", False), ("priority", False), ("deadline", True))


def test_only_an_order_that_needs_departures_is_told_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = sessions(session("north", 0, 1, 5_000))
    for order, knows in ORDERS:
        run = Replay(SITE, crowd, order=order)
        assert run.garage.policy is not None
        listener = Listener(run.garage.policy)
        monkeypatch.setattr(run.garage, "policy", listener)
        run.run()
        assert listener.told
        assert all((energy is not None and departs is not None) is knows for energy, departs in listener.told)


def test_departures_told_wrong_change_what_is_told_and_not_when_it_ends() -> None:
    crowd = sessions(*(session(name, 0, 5, 14_000) for name in ("north", "south", "west")))
    report = replay(SITE, crowd, order="deadline", departure_error_s=1_800)
    assert report.simulated_s == 5 * 3600
    assert report.limits_broken == 0


def test_the_same_seed_gives_the_same_report_and_another_differs() -> None:
    crowd = sessions(*(session(name, 0, 6, 12_000) for name in ("north", "south", "west")))
    first, second, other = (replay(SITE, crowd, seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_progress_is_told_after_each_session() -> None:
    seen: list[tuple[int, int]] = []
    crowd = sessions(*(session(name, 0, 1 + place, 5_000) for place, name in enumerate(("north", "south", "west"))))
    replay(SITE, crowd, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_no_sessions_are_a_report_of_zeros() -> None:
    report = replay(SITE, attrs.evolve(sessions(), skipped=(Problem("line 2", "", "is empty"),)))
    assert (report.sessions, report.simulated_s, report.binding_percent, report.skipped_rows) == (0, 0, 0, 1)


def test_sessions_that_cannot_be_are_refused_with_every_problem() -> None:
    crowd = sessions(
        session("nord", 0, 1, 1), session("south", 2, 2, 1), session("west", 0, 3, 1), session("west", 2, 4, 1)
    )
    with pytest.raises(FormatError) as caught:
        replay(SITE, crowd)
    assert [problem.field for problem in caught.value.problems] == ["connector", "unplugged", "plugged_in"]
    assert 'did you mean "north"' in str(caught.value)


def test_an_evening_shares_its_feeder_and_looks_the_same_again() -> None:
    events: list[TraceEvent] = []
    evening = Evening(seed=3, on_event=events.append)
    frames = list(evening.frames(every_ms=60_000))
    report = evening.report()
    assert frames == list(Evening(seed=3).frames(every_ms=60_000))
    assert len(frames) == 241
    assert all(frame.offered_ma <= frame.limit_ma == 48_000 for frame in frames)
    assert any(
        view.bound_by is not None and view.bound_by.id == "feeder" for frame in frames for view in frame.connectors
    )
    assert (report.sessions, report.limits_broken, report.unsendable_offers) == (6, 0, 0)
    assert report.binding_percent > 20
    assert audit(evening.site, events).breaches == ()
    assert all(
        series.t_ms == sorted(series.t_ms) and len(series.t_ms) == len(series.drawn_ma)
        for series in evening.series.values()
    )


def real_sessions() -> Sessions:
    path = Path(os.environ.get("POWERSHARE_DATA", ROOT / ".." / "shared" / "data"))
    data = path / "sessions" / "norway-apartments-sorensen.csv"
    if not data.exists():
        pytest.skip("the Norwegian apartment data is not here; name its directory in POWERSHARE_DATA")
    return import_norway(data, "Bl2")


@pytest.mark.slow
def test_thirteen_months_of_a_real_garage_break_no_limit_though_they_bind() -> None:
    crowd = real_sessions()
    site = load_site(ROOT / "examples" / "three-level.toml")
    report = replay(site, crowd)
    assert report.sessions + report.skipped_rows == 2_243
    assert report.binding_percent >= 5
    assert (report.limits_broken, report.outside, report.unsendable_offers) == (0, 0, 0)
    assert report.pauses_most <= 3
    assert report.energy_delivered_kwh > 0.97 * report.energy_asked_kwh


@pytest.mark.slow
def test_telling_ramps_in_one_step_hides_nothing_from_the_audit() -> None:
    """Two months, with ramps told amp by amp and at once: both hold, and deliver the same within 0.2 %."""
    crowd = real_sessions()
    start_ms = 300 * 24 * HOUR_MS
    crowd = attrs.evolve(
        crowd,
        sessions=tuple(one for one in crowd.sessions if start_ms <= one.plugged_in_ms < start_ms + 40 * 24 * HOUR_MS),
    )
    site = load_site(ROOT / "examples" / "three-level.toml")
    coarse, fine = (replay(site, crowd, fleet=Fleet(reading_step_ma=step_ma)) for step_ma in (0, 1_000))
    assert (coarse.limits_broken, fine.limits_broken) == (0, 0)
    assert coarse.energy_delivered_kwh == pytest.approx(fine.energy_delivered_kwh, rel=0.002)
