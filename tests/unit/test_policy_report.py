"""What travels with a report: waiting, on since, pauses."""

import pytest

from powershare.errors import ContractError, InputError
from powershare.policy import Settings, Turn, advance


def test_waiting_adds_up_and_ends_with_an_offer() -> None:
    turn = advance(advance(Turn(), True, 0, 400), True, 0, 600)
    assert turn == Turn(waiting_ms=1_000)
    assert advance(turn, True, 6_000, 250) == Turn(on_ms=250)


def test_losing_the_offer_while_wanting_counts_as_a_pause_once() -> None:
    on = advance(Turn(), True, 10_000, 5_000)
    off = advance(on, True, 0, 0)
    assert off == Turn(pauses=1)
    assert advance(off, True, 0, 700) == Turn(waiting_ms=700, pauses=1)


def test_losing_the_offer_when_done_is_no_pause() -> None:
    on = advance(Turn(), True, 10_000, 5_000)
    assert advance(on, False, 0, 10) == Turn()


def test_a_turn_slept_through_ends_without_a_pause_and_is_remembered() -> None:
    on = advance(advance(Turn(), True, 6_000, 60_000, drawn_ma=0), True, 6_000, 60_000, drawn_ma=300)
    assert on == Turn(on_ms=120_000, asleep=True)
    assert advance(on, True, 0, 0, drawn_ma=0) == Turn(asleep=True)


def test_who_has_drawn_in_a_turn_is_not_asleep_in_it() -> None:
    on = advance(Turn(), True, 6_000, 60_000, drawn_ma=5_500)
    assert not advance(on, True, 6_000, 60_000, drawn_ma=0).asleep
    assert advance(on, True, 0, 0, drawn_ma=0).pauses == 1


def test_time_does_not_go_backwards() -> None:
    with pytest.raises(ContractError, match="-1 ms"):
        advance(Turn(), True, 0, -1)


def test_settings_name_every_fault() -> None:
    with pytest.raises(InputError) as caught:
        Settings(dwell_growth=0, settle_ms=-1)
    assert [problem.field for problem in caught.value.problems] == ["dwell_growth", "settle_ms"]
    with pytest.raises(InputError, match="first_dwell_ms"):
        Settings(dwell_ms=10, first_dwell_ms=11)
