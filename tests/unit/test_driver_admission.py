"""Before anything is regulated: what does not fit is refused, with the remedy; what is narrowed or accepted is said."""

import attrs
import pytest
from tests.support.devices import declared

from powershare.adapter import Deadman, Declaration
from powershare.driver.admission import WRITE_SPARE_MS, Admission, Device, admit, narrowed
from powershare.driver.held import acted_ms
from powershare.errors import TopologyError
from powershare.site import Circuit, Connector, Site, Supply
from powershare.timing import CORRECTED_WITHIN_MS, Timing


def site(**changes: object) -> Site:
    """One connector on a circuit."""
    plain = Connector(id="north", circuit="feeder", fallback_ma=6_000)
    connector = attrs.evolve(plain, **changes)  # type: ignore[arg-type] # of any of its fields
    return Site(supply=Supply.SINGLE_PHASE, circuits=(Circuit(id="feeder", limit_ma=64_000),), connectors=(connector,))


def admitted(
    where: Site, declaration: Declaration, *, left_alone_ma: int | None = None, unset: bool = False
) -> Admission:
    alone_ma = declaration.fallback_ma if left_alone_ma is None else left_alone_ma
    device = Device(declaration=declaration, left_alone_ma=alone_ma, unset=unset)
    return admit(where, {"north": device})


def refusal(where: Site, declaration: Declaration) -> str:
    with pytest.raises(TopologyError) as caught:
        admitted(narrowed(where, {"north": declaration}), declaration)
    return "\n".join(map(str, caught.value.problems))


def test_a_connector_is_narrowed_to_what_its_device_can_say() -> None:
    declaration = declared(Deadman.LEASE, step_ma=2_000, least_offer_ma=8_000, greatest_offer_ma=30_000)
    (connector,) = narrowed(site(step_ma=3_000, max_offer_ma=27_000, fallback_ma=0), {"north": declaration}).connectors
    assert (connector.step_ma, connector.min_offer_ma, connector.max_offer_ma) == (6_000, 12_000, 24_000)


def test_a_site_that_allows_none_of_a_devices_offers_is_refused_and_told_what_to_change() -> None:
    text = refusal(site(max_offer_ma=7_000), declared(Deadman.LEASE, least_offer_ma=8_000))
    assert 'connector "north"' in text
    assert "8 A to 32 A" in text
    assert "min_offer_a" in text


def test_a_device_that_cannot_pause_is_refused() -> None:
    assert "cannot be told 0" in refusal(site(), declared(Deadman.LEASE, can_pause=False))


def test_a_fallback_between_two_steps_of_the_device_is_refused() -> None:
    text = refusal(site(fallback_ma=7_000), declared(Deadman.LEASE, step_ma=2_000))
    assert "fallback_a" in text
    assert "steps of 2 A" in text


@pytest.mark.parametrize("fallback_ma", [6_000, 20_000])
def test_a_fallback_that_the_device_cannot_offer_is_refused_as_the_file_names_it(fallback_ma: int) -> None:
    device = declared(Deadman.LEASE, least_offer_ma=8_000, greatest_offer_ma=16_000)
    text = refusal(site(fallback_ma=fallback_ma), device)
    assert "fallback_a" in text
    assert "its device offers 8 A to 16 A here; write 0, or one of these" in text


def test_every_problem_is_told_at_once() -> None:
    two = Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=64_000),),
        connectors=tuple(Connector(id=name, circuit="feeder", fallback_ma=6_000) for name in ("north", "south")),
    )
    stuck = declared(Deadman.LEASE, can_pause=False)
    with pytest.raises(TopologyError) as caught:
        narrowed(two, {"north": stuck, "south": stuck})
    assert [problem.where for problem in caught.value.problems] == ['connector "north"', 'connector "south"']


@pytest.mark.parametrize("kind", Deadman)
def test_a_device_that_does_more_than_its_fallback_when_left_alone_is_refused_with_every_remedy(kind: Deadman) -> None:
    text = refusal(site(), declared(kind, left_alone_ma=16_000))
    alone = "32 A" if kind is Deadman.NONE else "16 A"
    assert f"left alone, its device offers up to {alone}, above its fallback of 6 A" in text
    assert f"fallback_a = {alone.removesuffix(' A')}" in text
    assert "fail_safe = false" in text


@pytest.mark.parametrize("kind", Deadman)
def test_it_is_taken_where_somebody_answers_for_it_and_that_is_said(kind: Deadman) -> None:
    admission = admitted(site(fail_safe=False), declared(kind, left_alone_ma=16_000))
    assert any("not fail-safe" in note for note in admission.notes)


def test_a_device_that_is_not_reached_yet_counts_with_what_it_may_do_and_that_is_said() -> None:
    admission = admitted(site(), declared(Deadman.WATCHDOG, left_alone_ma=16_000), unset=True)
    assert any("not reached" in note and "16 A" in note for note in admission.notes)


def test_what_was_set_and_read_back_counts_and_not_what_was_declared() -> None:
    declaration = declared(Deadman.WATCHDOG, left_alone_ma=16_000)
    assert admitted(site(), declaration, left_alone_ma=6_000).site.fallbacks.by_connector == {"north": 6_000}


def test_devices_with_leases_are_led_by_the_times_as_commissioned() -> None:
    assert admitted(site(), declared(Deadman.LEASE, settle_ms=0, longest_write_ms=100)).timing == Timing()


@pytest.mark.parametrize("watchdog_ms", [2_000, 10_000, 30_000, 60_000, 600_000])
def test_leases_outlast_a_watchdog_that_is_slow_by_two_percent_and_caps_outlast_leases(watchdog_ms: int) -> None:
    declaration = declared(Deadman.WATCHDOG, watchdog_ms=watchdog_ms)
    timing = admitted(site(), declaration).timing
    assert timing.raise_lease_ms >= acted_ms(watchdog_ms) + 3 * timing.cycle_ms
    assert timing.surely_ms(timing.cap_lease_ms) >= timing.wait_ms + timing.echo_ms + 8 * timing.cycle_ms
    assert timing.cold_hold_ms > timing.cap_lease_ms
    assert not tuple(timing.problems())


def test_a_write_may_take_as_long_as_the_slowest_device_takes_to_show_it() -> None:
    slow = declared(Deadman.LEASE, settle_ms=9_000, longest_write_ms=2_000)
    assert admitted(site(), slow).timing.write_ms == 9_000 + 2 * 2_000 + WRITE_SPARE_MS


@pytest.mark.parametrize(("watchdog_ms", "flagged"), [(10_000, False), (60_000, True)])
def test_a_correction_beyond_the_standard_is_said(watchdog_ms: int, flagged: bool) -> None:
    admission = admitted(site(), declared(Deadman.WATCHDOG, watchdog_ms=watchdog_ms))
    assert any("UL 1741" in note for note in admission.notes) is flagged
    assert (admission.timing.corrected_ms > CORRECTED_WITHIN_MS) is flagged


def test_a_floor_under_a_watchdog_and_a_missing_dead_man_are_said() -> None:
    floor = admitted(site(), declared(Deadman.WATCHDOG, left_alone_ma=6_000))
    assert any("always counts with 6 A" in note for note in floor.notes)
    none = admitted(site(fail_safe=False), declared(Deadman.NONE))
    assert any("no dead man's switch" in note and "32 A" in note for note in none.notes)
