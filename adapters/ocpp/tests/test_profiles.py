"""Orders as profiles: never above the order and never longer, whatever the station's arithmetic and clock."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powershare_ocpp.dialects.messages16 import profile_message
from powershare_ocpp.emulated.profiles import Kept, ProfileStore
from powershare_ocpp.profiles import (
    Lease,
    Profile,
    Rung,
    Scale,
    Window,
    fallback_profile,
    instant_ms,
    lease_profile,
    time_text,
    window,
)

NOW_MS = 1_790_000_000_123
AMPS = Scale("A", 230, 3)
offers_ma = st.integers(0, 100_000)


def profile_of(told: Profile) -> dict[str, Any]:
    profile = profile_message(1, told)["csChargingProfiles"]
    assert isinstance(profile, dict)
    return profile


@given(
    offers_ma, st.sampled_from("AW"), st.integers(100, 400), st.integers(1, 3), st.integers(0, 100), st.integers(0, 2)
)
def test_a_station_offers_no_more_than_ordered(
    offered_ma: int, unit: str, volts: int, lines: int, more_volts: int, more_lines: int
) -> None:
    store = ProfileStore(volts + more_volts, min(3, lines + more_lines), 200_000)
    told = fallback_profile(1, offered_ma, Scale(unit, volts, lines), 0)
    store.put(1, profile_of(told))
    assert store.offered_ma(1, NOW_MS, NOW_MS) <= offered_ma


@given(offers_ma, st.sampled_from("AW"), st.integers(100, 400), st.integers(1, 3))
def test_no_more_is_lost_than_a_tenth_of_the_unit(offered_ma: int, unit: str, volts: int, lines: int) -> None:
    store = ProfileStore(volts, lines, 200_000)
    store.put(1, profile_of(fallback_profile(1, offered_ma, Scale(unit, volts, lines), 0)))
    assert offered_ma - store.offered_ma(1, NOW_MS, NOW_MS) < 100


@given(
    st.integers(0, 1_000).map(lambda tenths: tenths * 100),
    st.sampled_from("AW"),
    st.integers(100, 400),
    st.integers(1, 3),
)
def test_what_was_told_reads_back_as_what_was_ordered(offered_ma: int, unit: str, volts: int, lines: int) -> None:
    scale = Scale(unit, volts, lines)
    assert scale.offered_ma(scale.amount(offered_ma), unit, lines) == offered_ma


@given(offers_ma, st.sampled_from("AW"), st.integers(100, 400), st.integers(1, 3))
def test_amounts_have_one_decimal(offered_ma: int, unit: str, volts: int, lines: int) -> None:
    digits = repr(Scale(unit, volts, lines).amount(offered_ma)).partition(".")[2]
    assert len(digits) == 1


def test_watts_on_fewer_lines_read_as_more_amps() -> None:
    assert AMPS.offered_ma(11_040.0, "W", 3) == 16_000
    assert AMPS.offered_ma(11_040.0, "W", 1) == 48_000
    assert AMPS.offered_ma(11_040.0, "W", None) == 16_000
    assert Scale("W", 230, 1).offered_ma(3_680.0, "W", 3) == 16_000  # it is wired to one, whatever it says


def test_what_a_station_says_rounds_up() -> None:
    assert AMPS.offered_ma(6.0001, "A", None) == 6_001
    assert AMPS.offered_ma(4_140.1, "W", 3) == 6_001


@given(
    remaining_ms=st.integers(1, 600_000),
    behind_ms=st.integers(-20_000, 20_000),
    ahead_of_that_ms=st.integers(0, 20_000),
    later_ms=st.integers(0, 3_600_000),
)
def test_a_lease_is_over_when_the_order_is(
    remaining_ms: int, behind_ms: int, ahead_of_that_ms: int, later_ms: int
) -> None:
    """The station's clock is at least where its messages say; the lease never outlives the order by it."""
    span = window(NOW_MS, NOW_MS + remaining_ms, behind_ms)
    if span is None:
        assert remaining_ms <= -behind_ms, "it could have been told"
        return
    station_ms = ahead_of_that_ms - behind_ms
    kept = Kept(1, profile_of(lease_profile(lease_of(span), Rung.TRANSACTION, AMPS, 1)))
    assert kept.period(NOW_MS + remaining_ms + later_ms + station_ms, NOW_MS) is None
    assert kept.period(NOW_MS - behind_ms, NOW_MS) is not None, "it has not begun"


@given(remaining_ms=st.integers(1, 600_000), behind_ms=st.integers(-20_000, 20_000))
def test_a_clock_that_is_set_right_lengthens_no_lease(remaining_ms: int, behind_ms: int) -> None:
    span = window(NOW_MS, NOW_MS + remaining_ms, behind_ms)
    assert span is None or span.end_ms <= NOW_MS + remaining_ms


@given(remaining_ms=st.integers(1, 600_000))
def test_with_a_right_clock_a_lease_is_as_long_as_the_order(remaining_ms: int) -> None:
    span = window(NOW_MS, NOW_MS + remaining_ms, 0)
    assert span is not None
    assert span.end_ms == NOW_MS + remaining_ms
    assert NOW_MS - 1_000 < span.start_ms <= NOW_MS


def lease_of(span: Window) -> Lease:
    return Lease(connector=1, offered_ma=16_000, then_ma=6_000, window=span, transaction=7)


@pytest.mark.parametrize("rung", list(Rung))
def test_every_way_ends_at_what_is_to_follow(rung: Rung) -> None:
    store = ProfileStore(230, 3, 32_000)
    if rung is not Rung.TWO_PERIODS:
        store.put(1, profile_of(fallback_profile(1, 6_000, AMPS, 0)))
    span = Window(start_ms=NOW_MS, duration_s=30)
    store.put(1, profile_of(lease_profile(lease_of(span), rung, AMPS, 0 if rung is Rung.TWO_PERIODS else 1)))
    offered = [store.offered_ma(1, NOW_MS + after_ms, NOW_MS) for after_ms in (0, 29_999, 30_000, 86_400_000)]
    assert offered == [16_000, 16_000, 6_000, 6_000]


def test_profiles_of_connectors_do_not_collide() -> None:
    span = Window(start_ms=NOW_MS, duration_s=30)
    ids = [
        profile_of(told)["chargingProfileId"]
        for connector in range(1, 65)
        for told in (
            fallback_profile(connector, 0, AMPS, 0),
            lease_profile(Lease(connector=connector, offered_ma=0, then_ma=0, window=span), Rung.TRANSACTION, AMPS, 0),
        )
    ]
    assert len(set(ids)) == len(ids)


@given(st.integers(0, 4_000_000_000_000))
def test_instants_are_read_as_they_were_written(at_ms: int) -> None:
    assert instant_ms(time_text(at_ms)) == at_ms


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:01+01:00", 1_000),
        ("1970-01-01T00:00:01", 1_000),
        ("1970-01-01T00:00:01.2349Z", 1_234),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
        (12, None),
        ("1" * 100, None),
    ],
)
def test_what_stations_write_as_time(text: object, expected_ms: int | None) -> None:
    assert instant_ms(text) == expected_ms
