"""Limits from outside: what a message asks for, what counts now, and what silence means."""

import random
from collections.abc import Mapping

import pytest

from powershare.demand import Counts, ExternalLimit
from powershare_mqtt.addresses import Renewal
from powershare_mqtt.limits import LimitBook, order_of, places_of
from powershare_mqtt.payloads import PayloadError

from .regulation import SITE

NORTH, SOUTH, PANEL, LEFT = places_of(SITE)
STAYS = Renewal()
RENEWED = Renewal(within_ms=60_000, stale_ma=6_000, says_stale=True)


def book(connectors: Renewal = STAYS, circuits: Renewal = STAYS) -> LimitBook:
    renewals: Mapping[str, Renewal] = {"connector": connectors, "circuit": circuits}
    return LimitBook(places_of(SITE), renewals, "test")


def counted_ma(of: LimitBook, place: object, now_ms: int) -> object:
    """What counts at a place now; None: nothing."""
    (now,) = (now for one, now in of.in_force(now_ms) if one == place)
    return None if now.limit is None else now.limit.limit_ma


def test_the_bounds_are_what_is_commissioned() -> None:
    assert (NORTH.kind, NORTH.id, NORTH.most_ma, NORTH.step_ma) == ("connector", "north", 32_000, 1_000)
    assert (SOUTH.most_ma, SOUTH.step_ma) == (16_000, 100)
    assert (PANEL.kind, PANEL.most_ma) == ("circuit", 48_000)  # 80 % of the breaker
    assert LEFT.most_ma == 32_000


def test_a_plain_number_stays_until_another_changes_it() -> None:
    limits = book()
    assert counted_ma(limits, NORTH, 0) is None
    limits.order(NORTH, b"10.5", 0, kept=False)
    assert counted_ma(limits, NORTH, 10**10) == 10_500
    limits.order(NORTH, b"0", 10**10, kept=False)
    assert counted_ma(limits, NORTH, 2 * 10**10) == 0
    assert counted_ma(limits, SOUTH, 2 * 10**10) is None


@pytest.mark.parametrize("payload", [b"", b"  ", b"null"])
def test_nothing_takes_a_limit_back(payload: bytes) -> None:
    limits = book()
    limits.order(NORTH, b"10", 0, kept=False)
    limits.order(NORTH, payload, 1, kept=False)
    assert counted_ma(limits, NORTH, 2) is None


def test_what_the_broker_kept_counts_where_limits_need_not_be_renewed() -> None:
    """So a restart of powershare does not forget what Home Assistant has set."""
    limits = book()
    limits.order(NORTH, b"10", 0, kept=True)
    assert counted_ma(limits, NORTH, 10**9) == 10_000


def test_one_that_ends_is_followed_by_what_it_says() -> None:
    limits = book()
    limits.order(NORTH, b'{"amps": 16, "for_s": 60, "then_a": 6}', 1_000, kept=False)
    assert counted_ma(limits, NORTH, 60_999) == 16_000
    assert counted_ma(limits, NORTH, 61_000) == 6_000
    limits.order(NORTH, b'{"amps": 0, "for_s": 900, "then_a": null}', 70_000, kept=False)
    assert counted_ma(limits, NORTH, 969_999) == 0
    assert counted_ma(limits, NORTH, 970_000) is None


def test_one_that_ends_and_was_kept_by_the_broker_has_ended() -> None:
    """Nobody knows when it was sent."""
    limits = book()
    limits.order(NORTH, b'{"amps": 16, "for_s": 60, "then_a": 6}', 1_000, kept=True)
    assert counted_ma(limits, NORTH, 1_000) == 6_000


def test_where_limits_have_to_be_renewed_silence_is_what_was_configured_from_the_start() -> None:
    limits = book(RENEWED)
    assert counted_ma(limits, NORTH, 0) == 6_000
    limits.order(NORTH, b"16", 1_000, kept=False)
    assert counted_ma(limits, NORTH, 60_999) == 16_000
    assert counted_ma(limits, NORTH, 61_000) == 6_000
    limits.order(NORTH, b"16", 70_000, kept=True)
    assert counted_ma(limits, NORTH, 70_000) == 6_000
    limits.order(NORTH, b"", 80_000, kept=False)
    assert counted_ma(limits, NORTH, 139_999) is None
    assert counted_ma(limits, NORTH, 140_000) == 6_000
    assert counted_ma(limits, PANEL, 140_000) is None


def test_repeating_the_same_figure_renews_it() -> None:
    limits = book(RENEWED)
    for at_ms in range(0, 600_000, 30_000):
        limits.order(NORTH, b"16", at_ms, kept=False)
        assert counted_ma(limits, NORTH, at_ms + 29_999) == 16_000


def test_what_silence_means_can_be_no_limit_and_is_never_above_what_is_commissioned() -> None:
    limits = book(Renewal(within_ms=60_000, stale_ma=None, says_stale=True))
    assert counted_ma(limits, NORTH, 10**6) is None
    limits = book(Renewal(within_ms=60_000, stale_ma=99_000, says_stale=True))
    assert (counted_ma(limits, NORTH, 10**6), counted_ma(limits, SOUTH, 10**6)) == (32_000, 16_000)


def test_a_message_with_an_end_that_does_not_say_what_follows_falls_back_to_what_was_configured() -> None:
    limits = book(Renewal(stale_ma=8_000, says_stale=True))
    limits.order(NORTH, b'{"amps": 16, "for_s": 10}', 0, kept=False)
    assert (counted_ma(limits, NORTH, 9_999), counted_ma(limits, NORTH, 10_000)) == (16_000, 8_000)
    with pytest.raises(PayloadError, match="has for_s, and nobody says what follows; send then_a"):
        book().order(NORTH, b'{"amps": 16, "for_s": 10}', 0, kept=False)


def test_what_the_broker_kept_may_lower_what_was_heard_since_the_start_and_never_raise_it() -> None:
    """At every new connection it is handed out again, however old it is."""
    limits = book()
    limits.order(NORTH, b"10", 0, kept=False)
    for kept, counted in (
        (b"16", 10_000),
        (b"", 10_000),
        (b'{"amps": 1, "for_s": 9, "then_a": 32}', 10_000),
        (b"8", 8_000),
    ):
        limits.order(NORTH, kept, 1, kept=True)
        assert counted_ma(limits, NORTH, 2) == counted
    limits.order(LEFT, b"[10, 20, 5]", 0, kept=False)
    limits.order(LEFT, b"9", 1, kept=True)
    assert counted_ma(limits, LEFT, 2) == (10_000, 20_000, 5_000)
    limits.order(LEFT, b"[9, 20, 5]", 1, kept=True)
    assert counted_ma(limits, LEFT, 2) == (9_000, 20_000, 5_000)
    limits.enable(NORTH, False, kept=False)
    limits.enable(NORTH, True, kept=True)
    assert not limits.enabled(NORTH)
    limits.enable(SOUTH, False, kept=True)
    assert not limits.enabled(SOUTH)


def test_what_the_broker_kept_is_no_word_beside_a_limit_that_is_renewed() -> None:
    limits = book(RENEWED)
    limits.order(NORTH, b"0", 0, kept=False)
    limits.order(NORTH, b"16", 1, kept=True)
    assert counted_ma(limits, NORTH, 2) == 0
    limits.order(NORTH, b"16", 3, kept=False)
    limits.order(NORTH, b"8", 4, kept=True)
    assert counted_ma(limits, NORTH, 5) == 16_000


def test_staleness_is_known() -> None:
    limits = book(RENEWED)
    assert limits.given(NORTH, 0).stale
    limits.order(NORTH, b"16", 0, kept=False)
    assert not limits.given(NORTH, 1).stale
    assert limits.given(NORTH, 60_000).stale


def test_a_connector_that_may_not_charge_gets_nothing_and_its_limit_waits() -> None:
    limits = book()
    limits.order(NORTH, b"10", 0, kept=False)
    limits.enable(NORTH, False, kept=False)
    assert counted_ma(limits, NORTH, 1) == 0
    assert limits.given(NORTH, 1).least_ma == 10_000
    limits.enable(NORTH, True, kept=False)
    assert counted_ma(limits, NORTH, 2) == 10_000


def test_a_circuit_takes_a_figure_per_line_and_may_leave_other_loads_out() -> None:
    limits = book()
    limits.order(LEFT, b'{"amps": [10, 20, 0.5], "counts": "connectors"}', 0, kept=False)
    (now,) = (now for place, now in limits.in_force(0) if place == LEFT)
    assert now.limit == ExternalLimit(
        limit_ma=(10_000, 20_000, 500), source="test", circuit="left wing/1", counts=Counts.CONNECTORS
    )
    assert now.least_ma == 500


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"33", "has amps '33'; send amps from 0 to 32"),
        (b"-1", "has amps '-1'; send amps from 0 to 32"),
        (b"32.001", "has amps '32.001'"),
        (b"ten", "says 'ten'; send a number, or JSON"),
        (b"true", "has amps 'True'"),
        (b"NaN", "says 'NaN'"),
        (b"1e99", "has amps"),
        (b"[10, 10, 10]", "has amps with 3 figures; send one number"),
        (b"{}", "has no amps; send amps, for_s, then_a, counts"),
        (b'{"amps": 10, "fors": 1}', "has a key 'fors' that means nothing"),
        (b'{"amps": 10, "then_a": 6}', "has then_a and no for_s"),
        (b'{"amps": 10, "for_s": 0, "then_a": 6}', "has for_s '0'; send seconds above 0, at most 604800"),
        (b'{"amps": 10, "for_s": "x", "then_a": 6}', "has for_s 'x'"),
        (b'{"amps": 10, "for_s": 1e9, "then_a": 6}', "has for_s"),
        (b'{"amps": 10, "for_s": 1, "then_a": 40}', "has then_a '40'; send amps from 0 to 32"),
        (b'{"amps": null}', "has amps 'None'"),
        (b'{"amps": 10, "counts": "connectors"}', "has counts 'connectors'"),
    ],
)
def test_a_message_out_of_bounds_changes_nothing_and_says_why(payload: bytes, message: str) -> None:
    limits = book()
    limits.order(NORTH, b"12", 0, kept=False)
    with pytest.raises(PayloadError) as caught:
        limits.order(NORTH, payload, 1, kept=False)
    assert message in str(caught.value)
    assert counted_ma(limits, NORTH, 2) == 12_000


@pytest.mark.parametrize("payload", [b"[10, 10]", b"[10, 10, 33]", b'{"amps": 1, "counts": "all of it"}'])
def test_a_circuits_figures_are_held_against_it_too(payload: bytes) -> None:
    with pytest.raises(PayloadError):
        order_of(payload, LEFT, STAYS)


def test_whatever_comes_nothing_is_ever_above_what_is_commissioned() -> None:
    """Random messages at random places and times: what counts is none, or from 0 to the bound."""
    chance = random.Random(11)
    limits, now_ms, taken, refused = book(RENEWED, Renewal(stale_ma=20_000, says_stale=True)), 0, 0, 0

    def figure() -> str:
        return chance.choice(["0", "6", "15.999", "16", "31", "32.0005", "48", "60", "-1", '"8"', "null", "[1,2,3]"])

    for _ in range(5_000):
        now_ms += chance.randrange(30_000)
        place = chance.choice(limits.places)
        payload = chance.choice(
            [
                figure(),
                f'{{"amps": {figure()}}}',
                f'{{"amps": {figure()}, "for_s": {figure()}}}',
                f'{{"amps": {figure()}, "for_s": {chance.randrange(1, 90)}, "then_a": {figure()}}}',
            ]
        )
        try:
            limits.order(place, payload.encode(), now_ms, kept=chance.random() < 0.2)
            taken += 1
        except PayloadError:
            refused += 1
        for one, now in limits.in_force(now_ms + chance.randrange(200_000)):
            figures = 0 if now.limit is None else now.limit.limit_ma
            each = figures if isinstance(figures, tuple) else (figures,)
            assert all(0 <= figure_ma <= one.most_ma for figure_ma in each)
    assert taken > 1_000
    assert refused > 1_000
