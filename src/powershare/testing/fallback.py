"""Rules of a fallback that can be set: the answer is the truth, the device keeps it, and nothing is written twice."""

import pytest

from powershare.adapter import Deadman, SupportsFallback
from powershare.errors import AdapterError, AdapterRejected
from powershare.testing.bench import Bench, CanRestart, CountsFallbackWrites
from powershare.testing.deadman import TimedRules, patience
from powershare.testing.offers import lowest_ma, on_device
from powershare.testing.watched import Watched, late_ms, opened, run
from powershare.units import Milliamps

LEVELS = ("lowest", "least", "declared")


def asked_ma_of(adapter: Watched, level: str) -> Milliamps:
    """What to ask for."""
    declaration = adapter.declaration
    return {
        "lowest": lowest_ma(declaration),
        "least": declaration.least_offer_ma,
        "declared": declaration.fallback_ma,
    }[level]


async def set_fallback(adapter: Watched, asked_ma: Milliamps) -> Milliamps:
    """Set it, or skip the test where the device has no such thing."""
    if not isinstance(adapter.adapter, SupportsFallback):
        pytest.skip("no SupportsFallback")
    try:
        return await adapter.set_fallback(asked_ma)
    except AdapterRejected as error:
        pytest.skip(f"it cannot be told {asked_ma} mA: {error}")


class FallbackRules(TimedRules):
    """What holds of `set_fallback()`."""

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_fallback_that_is_set_is_what_it_does(self, bench: Bench, level: str) -> None:
        """Left alone, the device offers at most the answer, and the answer is at most what was asked, or the truth."""

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                asked_ma = asked_ma_of(adapter, level)
                answer_ma = await set_fallback(adapter, asked_ma)
                if declaration.deadman is not Deadman.WATCHDOG:
                    pytest.skip("without a watchdog only a restart brings it to its fallback")
                watchdog_ms = declaration.watchdog_ms or 0
                patience(bench, 1_000 + watchdog_ms, self.longest_wait_ms)
                await adapter.order(declaration.greatest_offer_ma, for_ms=declaration.settle_ms + 1_000)
                await adapter.settle()
                await adapter.close()
                await adapter.wait(1_000 + watchdog_ms + late_ms(bench))
                offered_ma = on_device(adapter)
                allowed_ma = min(answer_ma, declaration.fallback_ma)
                assert offered_ma <= allowed_ma, f"left alone it offers {offered_ma} mA; {answer_ma} mA was the answer"
                assert answer_ma <= asked_ma or offered_ma == answer_ma, (
                    f"asked for {asked_ma} mA it answers {answer_ma} mA, and left alone it offers {offered_ma} mA"
                )

        run(bench.clock, test)

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_fallback_that_is_set_outlives_a_restart(self, bench: Bench, level: str) -> None:
        """The device keeps it."""
        if not isinstance(bench, CanRestart):
            pytest.skip("the bench cannot restart its device: give it restart_device()")

        async def test() -> None:
            async with opened(bench) as adapter:
                declaration = adapter.declaration
                answer_ma = await set_fallback(adapter, asked_ma_of(adapter, level))
                await adapter.order(declaration.greatest_offer_ma)
                await adapter.settle()
                bench.restart_device()
                await adapter.wait(declaration.settle_ms + 2_000)
                allowed_ma = min(answer_ma, declaration.fallback_ma)
                assert on_device(adapter) <= allowed_ma, f"restarted, it does not keep its fallback of {answer_ma} mA"

        run(bench.clock, test)

    def test_setting_a_fallback_again_changes_and_writes_nothing(self, bench: Bench) -> None:
        """The same again is the same answer, from a new connection too, and costs the device's memory nothing."""

        async def test() -> None:
            async with opened(bench) as adapter:
                asked_ma = asked_ma_of(adapter, "lowest")
                answer_ma = await set_fallback(adapter, asked_ma)
                written = bench.fallback_writes() if isinstance(bench, CountsFallbackWrites) else 0
                assert await adapter.set_fallback(asked_ma) == answer_ma, "the second answer is another one"
            async with opened(bench) as adapter:
                assert await adapter.set_fallback(asked_ma) == answer_ma, "a new connection gets another answer"
            if isinstance(bench, CountsFallbackWrites):
                assert bench.fallback_writes() == written, "it was written though it was so already"

        run(bench.clock, test)

    @pytest.mark.parametrize("level", LEVELS)
    def test_setting_a_fallback_does_not_raise_the_offer(self, bench: Bench, level: str) -> None:
        """Before the first order the device may come to offer its fallback, and nothing above it."""

        async def test() -> None:
            before_ma = bench.device_offered_ma()
            async with opened(bench) as adapter:
                answer_ma = await set_fallback(adapter, asked_ma_of(adapter, level))
                await adapter.settle()
                allowed_ma = max(before_ma, min(answer_ma, adapter.declaration.fallback_ma))
                assert on_device(adapter) <= allowed_ma, "set_fallback() raised the device's offer"

        run(bench.clock, test)

    def test_a_closed_adapter_sets_no_fallback(self, bench: Bench) -> None:
        """It is an error, like every other word through a closed adapter."""

        async def test() -> None:
            adapter = Watched(bench, bench.new_adapter())
            if not isinstance(adapter.adapter, SupportsFallback):
                pytest.skip("no SupportsFallback")
            with pytest.raises(AdapterError):
                await adapter.set_fallback(adapter.declaration.fallback_ma)

        run(bench.clock, test)
