"""Rules of a device left alone: the dead man's switch is what the declaration says, in its class and in its times."""

import pytest

from powershare.adapter import Deadman, Offer
from powershare.errors import AdapterError, AdapterTimeout, AdapterUnavailable
from powershare.testing.bench import Bench, CanFallSilent, CanRestart
from powershare.testing.offers import lowest_ma, on_device, order_and_settle
from powershare.testing.virtual_time import VirtualClock
from powershare.testing.watched import Watched, late_ms, opened, run

LEASE_MS = 3_000
_LOOKS = 12


def patience(bench: Bench, needed_ms: int, longest_wait_ms: int) -> None:
    """Skip a test that would keep a person waiting for too long, and say so."""
    if not isinstance(bench.clock, VirtualClock) and needed_ms > longest_wait_ms:
        pytest.skip(
            f"takes {needed_ms / 1000:g} s of real time; raise longest_wait_ms or shorten the device's watchdog"
        )


def silenceable(bench: Bench) -> CanFallSilent:
    """The bench, if it can cut the line."""
    if not isinstance(bench, CanFallSilent):
        pytest.skip("the bench cannot cut the line to its device: give it silence()")
    return bench


async def look_until(adapter: Watched, until_ms: int, *orders: Offer) -> None:
    """Watch the device at many instants: it never offers more than it may, whichever of these orders reached it."""
    declaration, clock = adapter.declaration, adapter.clock
    late = late_ms(adapter.bench)
    highest_ma = max(declaration.fallback_ma, *(max(order.offered_ma, order.then_ma) for order in orders))
    every_ms = max(1, (until_ms - clock.now_ms()) // _LOOKS)
    while clock.now_ms() < until_ms:
        await adapter.wait(min(every_ms, until_ms - clock.now_ms()))
        offered_ma, now_ms = on_device(adapter), clock.now_ms()
        allowed_ma = min(highest_ma, max(declaration.most_offered_ma(order, now_ms - late) for order in orders))
        after_ms = now_ms - orders[-1].valid_until_ms
        assert offered_ma <= allowed_ma, f"{after_ms} ms after its order it offers {offered_ma} mA, not {allowed_ma} mA"


async def brief_order(adapter: Watched) -> Offer:
    """Order the greatest offer for just as long as it takes to send it."""
    declaration, clock = adapter.declaration, adapter.clock
    before_ms = clock.now_ms()
    await adapter.order(declaration.greatest_offer_ma)
    took_ms = clock.now_ms() - before_ms
    await adapter.settle()
    last = Offer(
        offered_ma=declaration.greatest_offer_ma,
        valid_until_ms=clock.now_ms() + 2 * took_ms + 50 + late_ms(adapter.bench),
        then_ma=declaration.fallback_ma,
    )
    await adapter.offer(last)
    return last


class TimedRules:
    """Rules that have to wait."""

    longest_wait_ms = 60_000
    """The most real time that one test may take; longer ones are skipped with a reason. Virtual time has no bound."""


class DeadmanRules(TimedRules):
    """What holds when nobody speaks to the device, or it to us."""

    @pytest.mark.parametrize("then", ["nothing", "least"])
    def test_an_order_that_is_not_renewed_ends(self, bench: Bench, then: str) -> None:
        """Left alone with the adapter open, the device falls to what the declaration says, in time, and stays there."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                patience(bench, LEASE_MS + 2 * (declaration.watchdog_ms or 0), self.longest_wait_ms)
                # Short, so that a watchdog is seen to run from the order and not from its end.
                last = Offer(
                    offered_ma=declaration.greatest_offer_ma,
                    valid_until_ms=bench.clock.now_ms() + declaration.settle_ms + 1_000,
                    then_ma=0 if then == "nothing" else declaration.least_offer_ma,
                )
                await adapter.offer(last)
                await adapter.settle()
                assert on_device(adapter) == declaration.greatest_offer_ma
                over_ms = last.valid_until_ms + (declaration.watchdog_ms or 0) + late_ms(bench)
                await look_until(adapter, over_ms + 1_000, last)
                assert (await adapter.read()).offered_ma == on_device(adapter)

        run(bench.clock, test)

    def test_the_dead_man_is_not_later_than_declared(self, bench: Bench) -> None:
        """A lease ends at its instant; a watchdog acts at its time after the last message that it can have heard."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                if declaration.deadman is Deadman.NONE:
                    pytest.skip("no dead man's switch")
                patience(bench, declaration.watchdog_ms or 0, self.longest_wait_ms)
                last = await brief_order(adapter)
                over_ms = last.valid_until_ms + (declaration.watchdog_ms or 0) + late_ms(bench)
                await look_until(adapter, over_ms, last)

        run(bench.clock, test)

    def test_reading_keeps_no_order_alive_that_is_over(self, bench: Bench) -> None:
        """Unless `fed_by_reads` says that asking feeds the watchdog, and then it does: whoever reads must know."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                if declaration.deadman is Deadman.NONE:
                    pytest.skip("no dead man's switch")
                watchdog_ms = declaration.watchdog_ms or 0
                patience(bench, 2 * watchdog_ms, self.longest_wait_ms)
                last = await brief_order(adapter)
                if declaration.fed_by_reads:
                    greatest_ma = declaration.greatest_offer_ma
                    await adapter.order(greatest_ma, for_ms=3 * watchdog_ms)
                    await _read_until(adapter, bench.clock.now_ms() + watchdog_ms * 3 // 2)
                    assert on_device(adapter) == greatest_ma, "fed_by_reads, but reading does not feed the watchdog"
                    return
                over_ms = last.valid_until_ms + watchdog_ms + late_ms(bench)
                await _read_until(adapter, over_ms)
                allowed_ma = declaration.fallback_ma
                assert on_device(adapter) <= allowed_ma, "reading feeds the watchdog; declare it as fed_by_reads"

        run(bench.clock, test)

    @pytest.mark.parametrize("level", ["lowest", "greatest"])
    def test_a_repeated_order_is_really_sent(self, bench: Bench, level: str) -> None:
        """Unchanged or 0, it goes to the device each time: with the line cut it is an error and no success."""
        line = silenceable(bench)

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                kept_ma = lowest_ma(declaration) if level == "lowest" else declaration.greatest_offer_ma
                for _ in range(2):
                    await adapter.order(kept_ma)
                    await adapter.settle()
                line.silence(True)
                with pytest.raises((AdapterUnavailable, AdapterTimeout)):
                    await adapter.order(kept_ma)
                line.silence(False)

        run(bench.clock, test)

    def test_the_end_of_an_order_never_raises(self, bench: Bench) -> None:
        """A low order that ends gives nobody more than the device's own fallback or what the order said."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                patience(bench, LEASE_MS + (declaration.watchdog_ms or 0), self.longest_wait_ms)
                low_ma = lowest_ma(declaration)
                last = Offer(offered_ma=low_ma, valid_until_ms=bench.clock.now_ms() + LEASE_MS, then_ma=low_ma)
                await adapter.offer(last)
                await adapter.settle()
                await look_until(adapter, last.valid_until_ms + 2 * (declaration.watchdog_ms or 0) + 2_000, last)
                if declaration.deadman is Deadman.NONE:
                    assert on_device(adapter) == low_ma, "without a dead man's switch the last order stays"

        run(bench.clock, test)

    @pytest.mark.parametrize("level", ["lowest", "greatest"])
    def test_renewing_an_unchanged_order_keeps_it(self, bench: Bench, level: str) -> None:
        """Repeated as often as the declaration asks, an unchanged order stays, 0 too: it is not filtered out."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                every_ms = declaration.refresh_ms or LEASE_MS // 2
                patience(bench, 6 * every_ms, self.longest_wait_ms)
                kept_ma = lowest_ma(declaration) if level == "lowest" else declaration.greatest_offer_ma
                await adapter.order(kept_ma, for_ms=2 * every_ms)
                await adapter.settle()
                for _ in range(6):
                    await adapter.wait(max(0, every_ms - declaration.settle_ms - late_ms(bench)))
                    await adapter.order(kept_ma, for_ms=2 * every_ms)
                    await adapter.settle()
                    assert on_device(adapter) == kept_ma, "an order that was renewed in time did not stay"

        run(bench.clock, test)

    def test_a_silent_device_is_an_error_in_time(self, bench: Bench) -> None:
        """No answer is AdapterUnavailable or AdapterTimeout within the longest write, never a value of old."""
        line = silenceable(bench)

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                low_ma = lowest_ma(declaration)
                until_ms = bench.clock.now_ms() + declaration.settle_ms + late_ms(bench) + LEASE_MS
                first = Offer(offered_ma=declaration.least_offer_ma, valid_until_ms=until_ms, then_ma=low_ma)
                last = Offer(offered_ma=declaration.greatest_offer_ma, valid_until_ms=until_ms, then_ma=low_ma)
                await adapter.offer(first)
                await adapter.settle()
                line.silence(True)
                with pytest.raises((AdapterUnavailable, AdapterTimeout)):
                    await adapter.offer(last)
                with pytest.raises((AdapterUnavailable, AdapterTimeout)):
                    await adapter.read()
                over_ms = (declaration.watchdog_ms or 0) + LEASE_MS
                patience(bench, over_ms, self.longest_wait_ms)
                await look_until(adapter, bench.clock.now_ms() + over_ms, first, last)
                line.silence(False)

        run(bench.clock, test)

    def test_opening_to_a_silent_device_fails_and_can_be_repeated(self, bench: Bench) -> None:
        """Either `open()` or the first reading says that nobody is there; once somebody is, the same adapter works."""
        line = silenceable(bench)

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            line.silence(True)
            with pytest.raises((AdapterUnavailable, AdapterTimeout)):
                await _open_and_read(adapter)
            await adapter.close()
            line.silence(False)
            await adapter.open()
            await adapter.read()
            await adapter.close()

        run(bench.clock, test)

    def test_a_device_that_comes_back_is_reached_again_without_a_raise(self, bench: Bench) -> None:
        """After a silence, and a reconnection if the adapter needs one, nothing is raised before the first order."""
        line = silenceable(bench)

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                await adapter.order(declaration.greatest_offer_ma, for_ms=LEASE_MS, then_ma=0)
                await adapter.settle()
                line.silence(True)
                with pytest.raises((AdapterUnavailable, AdapterTimeout)):
                    await adapter.read()
                patience(bench, LEASE_MS + (declaration.watchdog_ms or 0), self.longest_wait_ms)
                await adapter.wait(LEASE_MS + (declaration.watchdog_ms or 0) + late_ms(bench))
                before_ma = on_device(adapter)
                line.silence(False)
                await _reconnect(adapter)
                await adapter.close()
                await adapter.open()
                await adapter.settle()
                assert on_device(adapter) <= before_ma, "the reconnection raised the offer"
                assert (await adapter.read()).offered_ma == on_device(adapter)
                low_ma = declaration.least_offer_ma
                assert await order_and_settle(adapter, low_ma) == low_ma

        run(bench.clock, test)

    def test_closing_beside_a_silent_device_ends(self, bench: Bench) -> None:
        """Nobody there is no reason not to close."""
        line = silenceable(bench)

        async def test() -> None:
            async with opened(bench) as adapter:
                line.silence(True)
                before_ms = bench.clock.now_ms()
                await adapter.close()
                took_ms = bench.clock.now_ms() - before_ms
                assert took_ms <= 2 * adapter.declaration.longest_write_ms + late_ms(bench), f"close took {took_ms} ms"
                line.silence(False)

        run(bench.clock, test)

    def test_a_device_that_restarted_offers_no_more_than_its_fallback(self, bench: Bench) -> None:
        """It has forgotten its order; the adapter reports what it really offers now, and repeats nothing."""
        if not isinstance(bench, CanRestart):
            pytest.skip("the bench cannot restart its device: give it restart_device()")

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                await order_and_settle(adapter, declaration.greatest_offer_ma)
                bench.restart_device()
                await adapter.wait(declaration.settle_ms + 2_000)
                assert on_device(adapter) <= declaration.fallback_ma, "restarted, it offers more than its fallback"
                await _reconnect(adapter)
                assert (await adapter.read()).offered_ma == on_device(adapter)
                low_ma = declaration.least_offer_ma
                assert await order_and_settle(adapter, low_ma) == low_ma

        run(bench.clock, test)


async def _read_until(adapter: Watched, until_ms: int) -> None:
    """Ask the device again and again, more often than its order is renewed."""
    every_ms = max(1, (adapter.declaration.refresh_ms or 2 * LEASE_MS) // 4)
    while (left_ms := until_ms - adapter.clock.now_ms()) > 0:
        await adapter.wait(min(every_ms, left_ms))
        if adapter.clock.now_ms() < until_ms:
            await adapter.read()


async def _open_and_read(adapter: Watched) -> None:
    await adapter.open()
    await adapter.read()


async def _reconnect(adapter: Watched) -> None:
    """Do what the contract asks of a caller whose device was gone: if it still is, close and open."""
    try:
        await adapter.read()
    except AdapterError:
        await adapter.close()
        await adapter.open()
