"""The trace of emulated units: nothing twice, time never goes back, and marked where a unit leaves the assumptions."""

from collections.abc import Callable

from powershare.cli.emulate_plan import Deed, all_at_once, evening
from powershare.cli.emulate_trace import FOLLOWS_WITHIN_MS, Recorder
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.site import Circuit, Connector, Site, Supply
from powershare.testing import VirtualClock
from powershare.trace import UNCHANGED, ConnectorEvent

NAMES = ("north", "south")
STARTED_MS = VirtualClock().now_ms()
PROMPT = Traits(max_ma=32_000, reaction_ms=100, ramp_up_ma_per_s=320_000, ramp_down_ma_per_s=320_000)
SLOW = Traits(max_ma=32_000, reaction_ms=9_000, ramp_up_ma_per_s=320_000, ramp_down_ma_per_s=320_000)


class Units:
    """Two emulated units and what is written of them."""

    def __init__(self, lines: int = 1, supply: Supply = Supply.SINGLE_PHASE) -> None:
        site = Site(
            supply=supply,
            circuits=(Circuit(id="feeder", limit_ma=64_000),),
            connectors=tuple(Connector(id=name, circuit="feeder") for name in NAMES),
        )
        self.events: list[ConnectorEvent] = []
        self.recorder = Recorder(VirtualClock(), site, NAMES, self.events.append)
        self.outlets = [Outlet(STARTED_MS, lines=lines, changed=self.recorder_of(number)) for number in (0, 1)]

    def recorder_of(self, number: int) -> Callable[[Outlet, int, str | None], None]:
        """What the outlet of one unit tells its changes to."""
        return lambda outlet, at_ms, word: self.recorder.changed(number, outlet, at_ms, word)

    def pass_to(self, t_ms: int) -> None:
        """Let the time pass in small steps."""
        now_ms = STARTED_MS + self.events[-1].t_ms
        while now_ms < STARTED_MS + t_ms:
            now_ms += 50
            for outlet in self.outlets:
                outlet.advance(now_ms)
            self.recorder.look(self.outlets, now_ms)


def charging(traits: Traits, *, lines: int = 1, supply: Supply = Supply.SINGLE_PHASE) -> Units:
    """Two units, at the first of which a vehicle takes 32 A."""
    units = Units(lines, supply)
    units.outlets[0].plug_in(traits, 50_000, STARTED_MS)
    units.outlets[0].offer(32_000, STARTED_MS)
    units.pass_to(15_000)
    assert units.events[-1].drawn_ma == 32_000
    return units


def test_a_vehicle_that_follows_in_time_is_never_marked() -> None:
    units = charging(PROMPT)
    units.outlets[0].offer(8_000, STARTED_MS + 15_000)
    units.pass_to(40_000)
    assert units.events[-1].drawn_ma == 8_000
    assert {event.outside for event in units.events} == {UNCHANGED}


def test_a_slow_vehicle_is_marked_from_six_seconds_on_until_it_has_followed() -> None:
    units = charging(SLOW)
    units.outlets[0].offer(8_000, STARTED_MS + 15_000)
    units.pass_to(40_000)
    marks = [(event.t_ms, event.drawn_ma, event.outside) for event in units.events if event.outside is not UNCHANGED]
    assert marks[0] == (15_000 + FOLLOWS_WITHIN_MS, 32_000, "A2")
    assert marks[-1][1:] == (8_000, None)
    assert len(marks) == 2


def test_a_pause_and_the_same_offer_again_excuse_nothing_older() -> None:
    """What was offered more than six seconds ago does not count, whatever came after."""
    units = charging(SLOW)
    outlet = units.outlets[0]
    for offset_ms, offered_ma in ((0, 10_000), (2_000, 9_000), (4_000, 10_000)):
        outlet.offer(offered_ma, STARTED_MS + 15_000 + offset_ms)
    units.pass_to(40_000)
    marked = next(event for event in units.events if event.outside == "A2")
    assert marked.t_ms == 15_000 + FOLLOWS_WITHIN_MS


def test_a_unit_that_is_out_of_order_and_draws_is_marked_at_once() -> None:
    class Welded(Outlet):
        out_of_order = False

        @property
        def state(self) -> str:
            return "F" if self.out_of_order else super().state

    units = Units()
    welded = units.outlets[0] = Welded(STARTED_MS, changed=units.recorder_of(0))
    welded.plug_in(PROMPT, 50_000, STARTED_MS)
    welded.offer(32_000, STARTED_MS)
    units.pass_to(15_000)
    welded.out_of_order = True
    welded.advance(STARTED_MS + 16_000)
    assert (units.events[-1].t_ms, units.events[-1].outside) == (16_000, "A2")


def test_a_failure_that_names_an_assumption_marks_until_it_ends() -> None:
    units = Units()
    failures = {"welded": "its contactor is welded (outside A2)", "silent": "it says nothing"}
    for t_ms, failure in ((1_000, "silent"), (2_000, "welded"), (3_000, "none")):
        units.recorder.failed(1, units.outlets[1], STARTED_MS + t_ms, failure, failures)
    assert [(event.connector, event.event, event.outside) for event in units.events] == [
        ("south", "failure silent", UNCHANGED),
        ("south", "failure welded", "A2"),
        ("south", "failure none", None),
    ]


def test_lines_are_said_where_the_vehicle_loads_fewer_than_the_connector_has() -> None:
    fewer = charging(PROMPT, lines=1, supply=Supply.THREE_PHASE)
    alike = charging(PROMPT, lines=3, supply=Supply.THREE_PHASE)
    assert (fewer.events[-1].lines_used, alike.events[-1].lines_used) == (1, None)


def test_time_never_goes_back_when_units_tell_of_their_past_in_turn() -> None:
    units = Units()
    units.recorder.changed(0, units.outlets[0], STARTED_MS + 500, "late")
    units.recorder.changed(1, units.outlets[1], STARTED_MS + 400, "early")
    assert [event.t_ms for event in units.events] == [500, 500]


def test_what_has_not_changed_is_not_written_again() -> None:
    units = Units()
    units.outlets[0].advance(STARTED_MS + 100)
    units.recorder.changed(0, units.outlets[0], STARTED_MS + 200)
    assert len(units.events) == 1


def test_the_same_seed_plans_the_same_vehicles_and_another_seed_others() -> None:
    def first(seed: int) -> list[Deed]:
        plan = evening(4, seed)
        return [next(plan) for _ in range(200)]

    assert first(3) == first(3) != first(4)
    assert list(all_at_once(3, 3)) == list(all_at_once(3, 3)) != list(all_at_once(3, 4))
    assert [deed.t_ms for deed in first(3)] == sorted(deed.t_ms for deed in first(3))


def test_planned_vehicles_follow_within_six_seconds_from_their_greatest_to_nothing() -> None:
    plan = evening(4, 7)
    for deed in (next(plan) for _ in range(400)):
        if deed.plug_in is not None:
            traits = deed.plug_in
            assert traits.reaction_ms + traits.max_ma * 1000 // traits.ramp_down_ma_per_s < FOLLOWS_WITHIN_MS
