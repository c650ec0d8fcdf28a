"""The conformance kit that authors of adapters run; the only part of the library that needs pytest.

    class TestMyAdapter(AdapterConformance):
        @pytest.fixture
        def bench(self) -> MyBench: ...

docs/writing-an-adapter.md shows a whole one.
"""

import pytest

for _module in ("abilities", "bench", "deadman", "fallback", "lifecycle", "offers", "watched"):
    pytest.register_assert_rewrite(f"powershare.testing.{_module}")

from powershare.testing.abilities import AbilityRules  # noqa: E402 - assertions explain themselves only if asked first
from powershare.testing.bench import (  # noqa: E402
    Bench,
    CanFallSilent,
    CanPlugIn,
    CanRestart,
    CountsFallbackWrites,
    HasParser,
)
from powershare.testing.deadman import DeadmanRules  # noqa: E402
from powershare.testing.fallback import FallbackRules  # noqa: E402
from powershare.testing.lifecycle import LifecycleRules  # noqa: E402
from powershare.testing.offers import OfferRules  # noqa: E402
from powershare.testing.quality_scale import quality_scale_problems  # noqa: E402
from powershare.testing.virtual_time import VirtualClock  # noqa: E402


class AdapterConformance(LifecycleRules, OfferRules, DeadmanRules, FallbackRules, AbilityRules):
    """The suite. Inherit it in a test class and give that one fixture, `bench`, which returns a `Bench`.

    What the bench or the adapter cannot do is skipped with a reason, and said so in the summary (`pytest -rs`).
    """


__all__ = [
    "AdapterConformance",
    "Bench",
    "CanFallSilent",
    "CanPlugIn",
    "CanRestart",
    "CountsFallbackWrites",
    "HasParser",
    "VirtualClock",
    "quality_scale_problems",
]
