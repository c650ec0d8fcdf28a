"""Rules of an order: at most what was asked, at once and whole when it is less, and never what a pilot cannot say."""

import contextlib
from random import Random

import pytest

from powershare.adapter import PILOT_STATES, Declaration, Offer
from powershare.errors import AdapterError, AdapterRejected
from powershare.testing.bench import Bench, CanFallSilent
from powershare.testing.watched import Watched, opened, run
from powershare.units import Milliamps, down_to_step

_LOOKS = 5


def on_device(adapter: Watched) -> Milliamps:
    """What the device offers, judged by the bench; it must be something a control pilot can say."""
    declaration, offered_ma = adapter.declaration, adapter.bench.device_offered_ma()
    sayable = offered_ma == 0 or declaration.least_offer_ma <= offered_ma <= declaration.greatest_offer_ma
    assert sayable, f"the device offers {offered_ma} mA, which is neither 0 nor within its range"
    assert offered_ma % declaration.step_ma == 0, f"{offered_ma} mA is no multiple of {declaration.step_ma} mA"
    return offered_ma


async def order_and_settle(adapter: Watched, asked_ma: Milliamps) -> Milliamps:
    """Order, let it settle, and return what the device offers then: never more than was asked."""
    await adapter.order(asked_ma)
    await adapter.settle()
    offered_ma = on_device(adapter)
    assert offered_ma <= asked_ma, f"asked for {asked_ma} mA, the device offers {offered_ma} mA"
    return offered_ma


def lowest_ma(declaration: Declaration) -> Milliamps:
    """The lowest offer that can be ordered."""
    return 0 if declaration.can_pause else declaration.least_offer_ma


class OfferRules:
    """What holds of every order."""

    def test_a_raise_reaches_the_device_and_is_reported(self, bench: Bench) -> None:
        """The device offers exactly what was asked, and says so when it is read."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                for asked_ma in (declaration.least_offer_ma, declaration.greatest_offer_ma):
                    assert await order_and_settle(adapter, asked_ma) == asked_ma
                    assert (await adapter.read()).offered_ma == asked_ma

        run(bench.clock, test)

    def test_lowering_is_whole_and_in_time(self, bench: Bench) -> None:
        """A lower order is applied in one piece, within the longest write and the settle time."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                for low_ma in {declaration.least_offer_ma, lowest_ma(declaration)}:
                    high_ma = await order_and_settle(adapter, declaration.greatest_offer_ma)
                    await adapter.order(low_ma)
                    for _ in range(_LOOKS):
                        offered_ma = on_device(adapter)
                        assert offered_ma in {high_ma, low_ma}, f"on its way to {low_ma} mA it offers {offered_ma} mA"
                        await adapter.wait(max(1, declaration.settle_ms // _LOOKS))
                    await adapter.settle()
                    assert on_device(adapter) == low_ma
                    assert (await adapter.read()).offered_ma == low_ma

        run(bench.clock, test)

    def test_the_settle_time_is_true(self, bench: Bench) -> None:
        """So long after an order has returned, pilot and report have changed, upwards, downwards and to a pause."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                for asked_ma in (declaration.greatest_offer_ma, declaration.least_offer_ma, lowest_ma(declaration)):
                    lower = asked_ma < declaration.greatest_offer_ma
                    within_ms = declaration.lowered_ms if lower else declaration.settle_ms
                    await adapter.order(asked_ma)
                    await adapter.settle(lower=lower)
                    assert on_device(adapter) == asked_ma, f"not at {asked_ma} mA {within_ms} ms later"
                    assert (await adapter.read()).offered_ma == asked_ma, f"the report comes later than {within_ms} ms"

        run(bench.clock, test)

    def test_the_longest_write_is_true(self, bench: Bench) -> None:
        """No order takes longer: the first, an unchanged one, a raise, a pause, and one to a device that is silent."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                low_ma, greatest_ma = lowest_ma(declaration), declaration.greatest_offer_ma
                for asked_ma in (low_ma, low_ma, greatest_ma, greatest_ma, declaration.least_offer_ma):
                    await adapter.order(asked_ma)  # which is watched, and fails where it takes longer
                    await adapter.settle()
                if isinstance(bench, CanFallSilent):
                    bench.silence(True)
                    with pytest.raises(AdapterError):
                        await adapter.order(greatest_ma)
                    bench.silence(False)

        run(bench.clock, test)

    def test_zero_pauses(self, bench: Bench) -> None:
        """0 stops the device, or is refused where the declaration says it cannot pause."""

        async def test() -> None:
            async with opened(bench) as adapter:
                await order_and_settle(adapter, adapter.declaration.least_offer_ma)
                if adapter.declaration.can_pause:
                    assert await order_and_settle(adapter, 0) == 0
                    return
                with pytest.raises(AdapterRejected):
                    await adapter.order(0)

        run(bench.clock, test)

    def test_amounts_round_down(self, bench: Bench) -> None:
        """What lies between two steps becomes the lower one."""

        async def test() -> None:
            async with opened(bench) as adapter:
                step_ma, least_ma = adapter.declaration.step_ma, adapter.declaration.least_offer_ma
                for extra_ma in {step_ma // 2, step_ma - 1, 2 * step_ma - 1}:
                    asked_ma = min(least_ma + extra_ma, adapter.declaration.greatest_offer_ma)
                    assert await order_and_settle(adapter, asked_ma) == down_to_step(asked_ma, step_ma)

        run(bench.clock, test)

    def test_below_the_least_offer_it_pauses(self, bench: Bench) -> None:
        """A control pilot cannot say less than its least: the device pauses, or the order is refused."""

        async def test() -> None:
            async with opened(bench) as adapter:
                least_ma = adapter.declaration.least_offer_ma
                for asked_ma in (1, least_ma - 1):
                    await order_and_settle(adapter, least_ma)
                    if adapter.declaration.can_pause:
                        assert await order_and_settle(adapter, asked_ma) == 0
                        continue
                    with pytest.raises(AdapterRejected):
                        await adapter.order(asked_ma)
                    assert on_device(adapter) <= least_ma

        run(bench.clock, test)

    def test_above_the_greatest_offer_it_clamps_or_refuses(self, bench: Bench) -> None:
        """More than the device may offer never reaches it."""

        async def test() -> None:
            async with opened(bench) as adapter:
                greatest_ma = adapter.declaration.greatest_offer_ma
                for asked_ma in (greatest_ma + 1, greatest_ma + adapter.declaration.step_ma, 1_000_000):
                    with contextlib.suppress(AdapterRejected):
                        await adapter.order(asked_ma)
                    await adapter.settle()
                    assert on_device(adapter) <= greatest_ma

        run(bench.clock, test)

    def test_it_never_offers_more_than_asked(self, bench: Bench) -> None:
        """A walk through many orders, each judged on the device."""

        async def test() -> None:
            dice = Random(6_000)  # noqa: S311 - the same walk every time
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                for _ in range(25):
                    asked_ma = dice.randint(lowest_ma(declaration), declaration.greatest_offer_ma)
                    assert await order_and_settle(adapter, asked_ma) == declaration.sendable_ma(asked_ma)

        run(bench.clock, test)

    def test_the_answer_says_what_was_applied(self, bench: Bench) -> None:
        """Only where the declaration says so; then it is what the device offers. Its instant lies within the call."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                for asked_ma in (declaration.greatest_offer_ma, declaration.least_offer_ma + declaration.step_ma // 2):
                    before_ms = bench.clock.now_ms()
                    applied = await adapter.order(asked_ma)
                    assert before_ms <= applied.at_ms <= bench.clock.now_ms(), "Applied.at_ms is not within the call"
                    await adapter.settle()
                    confirmed_ma = on_device(adapter) if declaration.confirms_applied else None
                    assert applied.offered_ma == confirmed_ma, f"the answer says {applied.offered_ma} mA"

        run(bench.clock, test)

    def test_a_reading_is_fresh_and_true(self, bench: Bench) -> None:
        """It is asked for now, and says what the device offers now."""

        async def test() -> None:
            async with opened(bench) as adapter:
                for asked_ma in (adapter.declaration.greatest_offer_ma, adapter.declaration.least_offer_ma):
                    offered_ma = await order_and_settle(adapter, asked_ma)
                    await adapter.wait(1_000)
                    before_ms = bench.clock.now_ms()
                    reading = await adapter.read()
                    assert before_ms <= reading.at_ms <= bench.clock.now_ms(), "Reading.at_ms is not within the call"
                    assert reading.offered_ma == offered_ma
                    assert reading.state in PILOT_STATES

        run(bench.clock, test)

    def test_an_order_that_is_over_is_not_applied(self, bench: Bench) -> None:
        """An order that arrives after its time is refused, or what was to follow it counts."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                low_ma = lowest_ma(declaration)
                await order_and_settle(adapter, low_ma)
                over = Offer(
                    offered_ma=declaration.greatest_offer_ma, valid_until_ms=bench.clock.now_ms() - 1, then_ma=low_ma
                )
                with contextlib.suppress(AdapterError):
                    await adapter.offer(over)
                await adapter.settle()
                assert on_device(adapter) <= low_ma, "an order that was over was applied"

        run(bench.clock, test)
