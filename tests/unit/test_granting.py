"""What a leader may grant, and why not more: reports in, grants out."""

import attrs
import pytest

from powershare.constraints import compile_site
from powershare.leases import Grant, Granting
from powershare.site import Circuit, Connector, Site, Supply
from powershare.timing import Timing

TIMING = Timing()
W, C = TIMING.wait_ms, TIMING.cycle_ms
F = 6_000


@attrs.frozen(kw_only=True)
class Told:
    """A unit's report, as far as the ledger reads it."""

    boot: int = 1
    report_no: int = 1
    stamp_ms: int = 0
    heartbeat_ms: int = 0
    session: int = 1
    seq: int = 0
    ceiling_ma: int = F
    offer_ma: int = F
    most_ma: int = F
    cap_left_ms: int = 0
    measured_ma: int | None = None
    closed: bool = True


def site(count: int = 2, limit_ma: int = 12_000) -> Site:
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=limit_ma),),
        connectors=tuple(
            Connector(id="abcdef"[place], circuit="feeder", step_ma=1_000, fallback_ma=F) for place in range(count)
        ),
    )


def opened(count: int = 2, limit_ma: int = 12_000, *, told: Told | None = None, now_ms: int = 0) -> Granting:
    """A new authority; with a report, one that every unit has told at that instant."""
    granting = Granting(compile_site(site(count, limit_ma)), (F,) * count, TIMING, now_ms)
    if told is not None:
        for place in range(count):
            assert granting.heard(place, told, now_ms)
    return granting


def granted(granting: Granting, targets_ma: dict[str, int], now_ms: int) -> dict[str, tuple[str, int, int]]:
    """What is on its way after one decision: kind, ceiling, offer."""
    granting.release(targets_ma, {}, now_ms)
    on_their_way: dict[str, Grant | None] = {
        account.connector.id: granting.to_send(account.place, now_ms) for account in granting.accounts
    }
    return {
        name: (grant.kind.name, grant.ceiling_ma, grant.offer_ma)
        for name, grant in on_their_way.items()
        if grant is not None
    }


def test_a_new_authority_grants_nothing_that_raises_before_it_has_heard_everybody_or_waited() -> None:
    granting = opened()
    assert granting.heard(0, Told(), 0)
    assert granted(granting, {"a": 12_000, "b": 0}, 0) == {}
    assert granting.heard(0, Told(report_no=2, heartbeat_ms=W), W)
    assert granted(granting, {"a": 12_000, "b": 0}, W) == {}, "the silent one may be at its fallback for ever"
    assert granting.held_ma(1, W) == F


def test_what_one_gives_up_another_gets_only_once_it_is_reported() -> None:
    granting = opened(told=Told())
    assert granted(granting, {"a": 12_000, "b": 0}, 0) == {"b": ("CAP", 0, 0)}
    lag = Told(report_no=2, seq=1, ceiling_ma=0, offer_ma=0, most_ma=F, heartbeat_ms=500)
    granting.heard(0, Told(report_no=2, heartbeat_ms=500), 500)
    granting.heard(1, lag, 500)
    assert "a" not in granted(granting, {"a": 12_000, "b": 0}, 500), "its vehicle may still be drawing"
    granting.heard(0, Told(report_no=3, heartbeat_ms=7_000), 7_000)
    done = Told(report_no=3, seq=2, ceiling_ma=0, offer_ma=0, most_ma=0, cap_left_ms=29_000, heartbeat_ms=7_000)
    granting.heard(1, done, 7_000)
    assert granted(granting, {"a": 12_000, "b": 0}, 7_000)["a"] == ("RAISE", 12_000, 12_000)


def test_one_grant_per_report_and_a_young_one_is_repeated_not_replaced() -> None:
    granting = opened(1, 40_000, told=Told())
    first = granted(granting, {"a": 10_000}, 0)
    assert granted(granting, {"a": 20_000}, 10) == first, "the report is used"
    granting.heard(0, Told(report_no=2, heartbeat_ms=500), 500)
    assert granted(granting, {"a": 20_000}, 500) == first, "it is still on its way"
    granting.heard(0, Told(report_no=3, heartbeat_ms=600), 600)
    assert granted(granting, {"a": 0}, 600) == {"a": ("CAP", 0, 0)}, "but to lower it is replaced at once"


def test_a_grant_that_has_been_on_its_way_for_four_cycles_is_replaced() -> None:
    granting = opened(1, 40_000, told=Told())
    granted(granting, {"a": 10_000}, 0)
    granting.heard(0, Told(report_no=2, heartbeat_ms=4 * C), 4 * C)
    assert granted(granting, {"a": 20_000}, 4 * C) == {"a": ("RAISE", 20_000, 20_000)}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (Told(report_no=1, heartbeat_ms=900), "not newer"),
        (Told(report_no=2, heartbeat_ms=-2_000), "older than an echo may be"),
        (Told(report_no=2, heartbeat_ms=1_001), "from the future"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_report_that_is_too_old_or_not_newer_is_not_used(told: Told, why: str) -> None:
    granting = opened(1, told=Told())
    assert not granting.heard(0, told, 1_000)


def test_a_unit_is_silent_after_five_cycles_and_counts_with_the_most_it_may_be_drawing() -> None:
    granting = opened(1, 40_000, told=Told(ceiling_ma=20_000, offer_ma=20_000, most_ma=20_000))
    assert not granting.silent(0, 5 * C)
    assert granting.silent(0, 5 * C + 1)
    assert granting.held_ma(0, 5 * C + 1) == 20_000
    assert granting.held_ma(0, W) == F


def test_who_is_capped_and_silent_counts_its_fallback_before_the_cap_can_end() -> None:
    capped = Told(ceiling_ma=0, offer_ma=0, most_ma=0, cap_left_ms=30_000)
    granting = opened(1, told=capped)
    assert granting.held_ma(0, 1_000) == 0
    assert granting.held_ma(0, 30_000 - W + 1_000) == F


def test_a_second_process_that_is_alive_beside_the_first_raises_an_alarm_and_counts_the_most() -> None:
    granting = opened(1, 40_000, told=Told())
    assert granting.heard(0, Told(boot=2, heartbeat_ms=500), 500)
    assert not granting.heard(0, Told(report_no=2, heartbeat_ms=400), 600), "late, of before"
    assert not granting.duplicate(0, 600)
    assert not granting.heard(0, Told(report_no=3, heartbeat_ms=700), 800), "it answered after its successor spoke"
    assert granting.duplicate(0, 800)
    assert granting.ledger.envelope_ma(0, 800) == 32_000
    assert not granting.duplicate(0, 800 + W)


def test_a_new_process_is_believed_and_numbers_begin_again() -> None:
    granting = opened(1, 40_000, told=Told())
    granted(granting, {"a": 10_000}, 0)
    fresh = Told(boot=2, heartbeat_ms=900, ceiling_ma=0, offer_ma=0, most_ma=0, cap_left_ms=31_000)
    assert granting.heard(0, fresh, 1_000)
    assert granted(granting, {"a": 10_000}, 1_000) == {"a": ("RAISE", 10_000, 10_000)}
    assert granting.accounts[0].seq == 1


def test_a_grant_that_crossed_an_unplugging_is_void_and_the_report_is_believed() -> None:
    granting = opened(1, 40_000, told=Told())
    granted(granting, {"a": 20_000}, 0)
    assert granting.ledger.envelope_ma(0, 0) == 20_000
    granting.heard(0, Told(report_no=2, session=2, heartbeat_ms=500), 500)
    assert granting.ledger.envelope_ma(0, 500) == F
    assert granted(granting, {"a": 0}, 500) == {"a": ("CAP", 0, 0)}


def test_a_new_term_of_the_same_authority_keeps_the_ledger_and_uses_no_report_of_before() -> None:
    granting = opened(1, 40_000, told=Told(ceiling_ma=20_000, offer_ma=20_000, most_ma=20_000))
    granting.new_term()
    assert granting.ledger.envelope_ma(0, 0) == 20_000
    assert granted(granting, {"a": 10_000}, 0) == {}


def test_a_measured_vehicle_that_has_not_been_seen_to_follow_is_lowered_softly() -> None:
    high = Told(ceiling_ma=30_000, offer_ma=30_000, most_ma=30_000, measured_ma=29_600)
    granting = opened(1, 40_000, told=high)
    assert granted(granting, {"a": 10_000}, 0) == {"a": ("RAISE", 30_000, 10_000)}
    later = attrs.evolve(high, report_no=2, seq=1, offer_ma=10_000, measured_ma=20_200, heartbeat_ms=8_000)
    granting.heard(0, later, 8_000)
    assert granted(granting, {"a": 10_000}, 8_000) == {"a": ("RAISE", 21_000, 10_000)}


def test_a_vehicle_on_its_way_up_keeps_its_ceiling_until_it_has_seen_its_lower_offer() -> None:
    """It may rise by 0.65 A a second for 4 s more; only then what it draws says where it is going."""
    high = Told(ceiling_ma=30_000, offer_ma=30_000, most_ma=30_000, measured_ma=9_900)
    granting = opened(1, 40_000, told=high)
    assert granted(granting, {"a": 10_000}, 0) == {"a": ("RAISE", 13_000, 10_000)}
    later = attrs.evolve(high, report_no=2, seq=1, ceiling_ma=13_000, offer_ma=10_000, measured_ma=10_400)
    granting.heard(0, attrs.evolve(later, heartbeat_ms=3_999), 3_999)
    assert granted(granting, {"a": 10_000}, 3_999) == {"a": ("RAISE", 11_000, 10_000)}


def test_a_vehicle_that_is_at_its_lower_offer_is_counted_with_no_more_once_it_has_seen_it() -> None:
    high = Told(ceiling_ma=12_000, offer_ma=12_000, most_ma=12_000, measured_ma=12_000)
    granting = opened(1, 40_000, told=high)
    granted(granting, {"a": 10_000}, 0)
    later = attrs.evolve(high, report_no=2, seq=1, offer_ma=10_000, measured_ma=10_500, heartbeat_ms=4_000)
    granting.heard(0, later, 4_000)
    assert granted(granting, {"a": 10_000}, 4_000) == {"a": ("RAISE", 10_000, 10_000)}


@pytest.mark.parametrize(("measured_ma", "learnt"), [(14_500, False), (14_501, True)])
def test_a_vehicle_that_had_little_to_lower_is_not_taken_for_one_that_follows_soon(
    measured_ma: int, learnt: bool
) -> None:
    """By 4 A it comes down in 4 s as slowly as any."""
    high = Told(ceiling_ma=30_000, offer_ma=30_000, most_ma=30_000, measured_ma=measured_ma)
    granting = opened(1, 40_000, told=high)
    granted(granting, {"a": 10_000}, 0)
    later = attrs.evolve(high, report_no=2, seq=1, offer_ma=10_000, measured_ma=9_800, heartbeat_ms=3_000)
    granting.heard(0, later, 3_000)
    assert granting.accounts[0].follows_soon is (True if learnt else None)


def test_who_followed_soon_is_lowered_at_once_the_next_time() -> None:
    high = Told(ceiling_ma=30_000, offer_ma=30_000, most_ma=30_000, measured_ma=29_600)
    granting = opened(1, 40_000, told=high)
    granted(granting, {"a": 10_000}, 0)
    granting.heard(
        0, attrs.evolve(high, report_no=2, seq=1, offer_ma=10_000, measured_ma=9_800, heartbeat_ms=3_000), 3_000
    )
    granted(granting, {"a": 10_000}, 3_000)
    granting.heard(0, attrs.evolve(high, report_no=3, seq=2, heartbeat_ms=10_000), 10_000)
    granted(granting, {"a": 30_000}, 10_000)
    granting.heard(0, attrs.evolve(high, report_no=4, seq=3, heartbeat_ms=20_000), 20_000)
    assert granted(granting, {"a": 10_000}, 20_000) == {"a": ("RAISE", 10_000, 10_000)}


def test_when_a_limit_falls_nobody_is_lowered_softly() -> None:
    high = Told(ceiling_ma=30_000, offer_ma=30_000, most_ma=30_000, measured_ma=29_600)
    granting = opened(1, 40_000, told=high)
    granting.ledger.set_limits({"feeder": 20_000}, (), 0)
    assert granted(granting, {"a": 20_000}, 0) == {"a": ("TRIM", 20_000, 20_000)}, "a raise would not fit any more"


def test_a_soft_lowering_does_not_last_for_ever() -> None:
    high = Told(ceiling_ma=30_000, offer_ma=30_000, most_ma=30_000, measured_ma=29_600)
    granting = opened(1, 40_000, told=high)
    granted(granting, {"a": 10_000}, 0)
    late_ms = 20_000 + TIMING.follow_ms + 5_001
    granting.heard(0, attrs.evolve(high, report_no=2, seq=1, offer_ma=10_000, heartbeat_ms=late_ms), late_ms)
    assert granted(granting, {"a": 10_000}, late_ms) == {"a": ("RAISE", 10_000, 10_000)}


def test_every_wired_line_counts_whatever_the_vehicle_uses() -> None:
    three = Site(
        supply=Supply.THREE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=(32_000, 32_000, 10_000)),),
        connectors=(Connector(id="a", circuit="feeder", fallback_ma=0),),
    )
    granting = Granting(compile_site(three), (0,), TIMING, 0)
    granting.heard(0, Told(ceiling_ma=0, offer_ma=0, most_ma=0), 0)
    assert granted(granting, {"a": 32_000}, 0) == {"a": ("RAISE", 10_000, 10_000)}


def test_a_late_report_of_a_process_that_this_authority_never_heard_is_not_taken_for_a_new_one() -> None:
    """It says that the unit is capped at 0; its successor, which was heard first, has been raised since."""
    granting = opened(2, 38_000)
    granting.heard(1, Told(boot=8, heartbeat_ms=1_000, most_ma=0, ceiling_ma=0, offer_ma=0), 1_100)
    reserved_ma = granting.reserved_ma["b"]
    late = Told(boot=7, heartbeat_ms=200, most_ma=0, ceiling_ma=0, offer_ma=0, cap_left_ms=27_000)
    assert not granting.heard(1, late, 1_300)
    assert granting.reserved_ma["b"] == reserved_ma
    assert not granting.duplicate(1, 1_300)
    following = Told(boot=8, report_no=2, heartbeat_ms=2_000, most_ma=0, ceiling_ma=0, offer_ma=0)
    assert granting.heard(1, following, 2_100)


def test_a_former_process_that_alone_goes_on_speaking_is_heard_again() -> None:
    granting = opened()
    granting.heard(1, Told(boot=7, heartbeat_ms=0), 100)
    granting.heard(1, Told(boot=8, heartbeat_ms=1_000), 1_100)
    assert not granting.heard(1, Told(boot=7, report_no=2, heartbeat_ms=2_000), 2_100)
    assert granting.duplicate(1, 2_100)
    later_ms = 1_100 + W
    assert granting.heard(1, Told(boot=7, report_no=9, heartbeat_ms=later_ms), later_ms)
    assert not granting.duplicate(1, later_ms + W)
