"""What is published to a Gen 3 Wall Connector, figure by figure."""

import itertools

from powershare_serial.gen3.law import DEAD_BAND_MA, GENTLE_MA, PUSH_MA, SHRINK_MA_PER_S, Law


def test_the_reading_follows_its_own_ramps_one_to_one_and_is_never_below_its_draw() -> None:
    law = Law(21_000, 1_000)
    law.share(16_000)
    readings = [law.reading_ma(own_ma, own_ma // 10) for own_ma in range(0, 15_000, 100)]
    assert all(after - before == 100 for before, after in itertools.pairwise(readings))
    law.share(32_000)
    assert law.reading_ma(30_000, 500_000) >= 30_000


def test_a_lowered_share_keeps_the_reading_just_above_the_limit_and_then_cuts() -> None:
    law = Law(21_000, 1_000)
    law.share(20_000)
    law.reading_ma(19_000, 0)
    law.share(8_000)
    assert law.reading_ma(19_000, 200) == 21_000 + GENTLE_MA
    assert GENTLE_MA > DEAD_BAND_MA
    assert law.reading_ma(19_000, 200 + 21_200) >= 21_000 + PUSH_MA, "10 s and 11 A at 1 A a second are over"
    assert law.reading_ma(7_500, 22_000) <= 21_000 + GENTLE_MA


def test_a_raised_share_shrinks_the_house_slowly_and_not_while_the_car_is_on_its_way_up() -> None:
    law = Law(21_000, 1_000)
    law.share(8_000)
    assert law.reading_ma(0, 0) == 14_000
    law.share(16_000)
    assert law.reading_ma(0, 10_000) == 14_000 - 10 * SHRINK_MA_PER_S
    before_ma = law.reading_ma(0, 20_000)
    ramp_ma = [law.reading_ma(650 * second, 20_000 + 1_000 * second) - before_ma for second in range(3, 10)]
    assert all(after - before == 650 for before, after in itertools.pairwise(ramp_ma))
    assert law.reading_ma(5_850, 50_000) < before_ma + 5_850, "it goes on once the car stands still"


def test_after_a_silence_it_begins_gently_again() -> None:
    law = Law(21_000, 1_000)
    law.share(8_000)
    law.forget()
    assert law.reading_ma(20_000, 0) == 21_000 + GENTLE_MA
