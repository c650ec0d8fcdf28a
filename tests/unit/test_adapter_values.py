"""Offers, readings and declarations refuse what cannot be, and say what a silent device may be doing."""

from typing import Any

import attrs
import pytest

from powershare.adapter import Applied, Deadman, Declaration, HostClock, Offer, Reading
from powershare.errors import AdapterRejected, ContractError

WATCHDOG = Declaration(
    step_ma=1_000,
    greatest_offer_ma=32_000,
    can_pause=True,
    deadman=Deadman.WATCHDOG,
    watchdog_ms=10_000,
    fallback_ma=8_000,
    settle_ms=500,
    confirms_applied=True,
)
LEASE = attrs.evolve(WATCHDOG, deadman=Deadman.LEASE, watchdog_ms=None, fallback_ma=0)
NONE = attrs.evolve(WATCHDOG, deadman=Deadman.NONE, watchdog_ms=None, fallback_ma=32_000)
OFFER = Offer(offered_ma=20_000, valid_until_ms=5_000, then_ma=6_000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_ma": 0}, "step_ma is 0"),
        ({"least_offer_ma": 33_000}, "are no range"),
        ({"greatest_offer_ma": 32_500}, "greatest_offer_ma 32500 is no multiple"),
        ({"fallback_ma": 3_000}, "neither 0 nor between"),
        ({"watchdog_ms": None}, "belongs to a watchdog"),
        ({"deadman": Deadman.LEASE}, "belongs to a watchdog"),
        ({"watchdog_ms": 1}, "half of it"),
        ({"deadman": Deadman.NONE, "watchdog_ms": None}, "fallback_ma is the greatest offer"),
        ({"longest_write_ms": 0}, "are no times"),
        ({"lowers_ms": 501}, "lowers_ms 501 is not within settle_ms 500"),
        ({"lowers_ms": -1}, "lowers_ms -1 is not within"),
        ({"lowers_ms": 0.5}, "lowers_ms is 0.5, no whole number"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        attrs.evolve(WATCHDOG, **changes)


@pytest.mark.parametrize("field", ["offered_ma", "then_ma", "valid_until_ms"])
@pytest.mark.parametrize("value", [1.5, True, None, "6"])
def test_an_offer_takes_whole_numbers_only(field: str, value: object) -> None:
    with pytest.raises(ContractError, match=field):
        attrs.evolve(OFFER, **dict[str, Any]({field: value}))
    with pytest.raises(ContractError, match="then_ma"):
        attrs.evolve(OFFER, then_ma=-1)


def test_a_reading_has_no_negative_current_and_a_known_state() -> None:
    with pytest.raises(ContractError, match="negative"):
        Reading(at_ms=0, offered_ma=-1, state="A")
    with pytest.raises(ContractError, match="negative"):
        Reading(at_ms=0, offered_ma=0, state="A", drawn_ma=(1, -1))
    with pytest.raises(ContractError, match="one of A, B, C, D, E, F"):
        Reading(at_ms=0, offered_ma=0, state="G")  # type: ignore[arg-type]


def test_amounts_round_down_to_what_can_be_sent_and_never_up() -> None:
    wanted = {0: 0, 5_999: 0, 6_000: 6_000, 6_999: 6_000, 31_999: 31_000, 32_000: 32_000, 90_000: 32_000}
    assert {ma: WATCHDOG.sendable_ma(ma) for ma in wanted} == wanted
    with pytest.raises(AdapterRejected, match="cannot pause"):
        attrs.evolve(WATCHDOG, can_pause=False).sendable_ma(5_999)


def test_a_silent_device_counts_at_the_most_it_may_be_offering() -> None:
    """A watchdog never counts below its failsafe, and a device without one counts at its greatest for ever."""
    assert [LEASE.most_offered_ma(OFFER, at_ms) for at_ms in (4_999, 5_000)] == [20_000, 6_000]
    assert [WATCHDOG.most_offered_ma(OFFER, at_ms) for at_ms in (0, 14_999, 15_000)] == [20_000, 20_000, 8_000]
    assert WATCHDOG.most_offered_ma(attrs.evolve(OFFER, offered_ma=0), 0) == 8_000
    assert NONE.most_offered_ma(attrs.evolve(OFFER, offered_ma=0), 10**9) == 32_000


def test_lowering_takes_as_long_as_settling_unless_it_is_declared_to_be_sooner() -> None:
    assert [one.lowered_ms for one in (WATCHDOG, attrs.evolve(WATCHDOG, lowers_ms=0))] == [500, 0]


def test_refresh_is_half_the_watchdog() -> None:
    assert [declaration.refresh_ms for declaration in (WATCHDOG, LEASE, NONE)] == [5_000, None, None]


def test_the_hosts_clock_goes_on() -> None:
    clock = HostClock()
    first = clock.now_ms()
    assert isinstance(first, int)
    assert clock.now_ms() >= first


@pytest.mark.parametrize("value", [6_000.5, float("nan"), True, "6", [6_000]])
def test_a_report_takes_whole_numbers_only(value: Any) -> None:  # noqa: ANN401 - wrong types are the point
    """NaN is neither negative nor above anything."""
    for build in (
        lambda: Reading(at_ms=0, offered_ma=value, state="C"),
        lambda: Reading(at_ms=0, offered_ma=0, state="C", drawn_ma=(0, value)),
        lambda: Reading(at_ms=value, offered_ma=0, state="C"),
        lambda: Applied(at_ms=0, offered_ma=value),
        lambda: Applied(at_ms=value, offered_ma=None),
    ):
        with pytest.raises(ContractError, match="no whole number"):
            build()


def test_nothing_negative_is_applied() -> None:
    """But an answer may say nothing at all."""
    with pytest.raises(ContractError, match="negative"):
        Applied(at_ms=0, offered_ma=-1)
    assert Applied(at_ms=0, offered_ma=None).offered_ma is None


@pytest.mark.parametrize("field", ["step_ma", "greatest_offer_ma", "fallback_ma", "watchdog_ms", "settle_ms"])
def test_a_declaration_takes_whole_numbers_only(field: str) -> None:
    """A step of 1000.0 would make every offer a float."""
    with pytest.raises(ContractError, match=f"{field} is 1000.0, no whole number"):
        attrs.evolve(WATCHDOG, **dict[str, Any]({field: 1000.0}))
