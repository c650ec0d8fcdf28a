"""From a seed that fails to a story that a person can read: the fewest deeds, the shortest time, that still fail."""

from collections.abc import Callable, Sequence

from powershare.node import NetworkConfig
from powershare.simulation.network.campaign import HOUR_MS, Campaign, Outcome
from powershare.simulation.network.deeds import Deed
from powershare.simulation.network.faults import Storm

AFTERWARDS_MS = 1_000

MOST_RUNS = 200
"""So often it is tried with fewer deeds; each try is as long as the seed took to fail."""


def shrink(
    config: NetworkConfig,
    storm: Storm,
    seed: int,
    failed: Outcome,
    deeds: Sequence[Deed],
    *,
    most_runs: int = MOST_RUNS,
    on_run: Callable[[int, int], None] | None = None,
) -> tuple[tuple[Deed, ...], int]:
    """Drop deeds, in ever smaller bunches, as long as something still breaks (delta debugging).

    Chances of links go on as the seed has them, so fewer deeds are another run, not the same one with less in it:
    what counts is that it fails.

    Args:
        config: The network.
        storm: How it was; its links and clocks stay.
        seed: The seed.
        failed: What it gave.
        deeds: What was done.
        most_runs: So often it is tried.
        on_run: Told after each try: how many tries, and how many deeds are left.

    Returns:
        The deeds that are left, and when something breaks, in milliseconds.
    """
    broken_ms = failed.first_broken_ms
    if broken_ms is None:
        return tuple(deeds), 0
    kept = [deed for deed in deeds if deed.t_ms <= broken_ms]
    runs, bunch = 0, max(1, len(kept) // 2)
    while runs < most_runs:
        smaller = False
        start = 0
        while start < len(kept) and runs < most_runs:
            tried = kept[:start] + kept[start + bunch :]
            runs += 1
            found_ms = _breaks(config, storm, seed, tried, broken_ms)
            if found_ms is None:
                start += bunch
            else:
                broken_ms, smaller = found_ms, True
                kept = [deed for deed in tried if deed.t_ms <= broken_ms]
            if on_run is not None:
                on_run(runs, len(kept))
        if bunch == 1 and not smaller:
            break
        bunch = max(1, bunch // 2)
    return tuple(kept), broken_ms


def _breaks(config: NetworkConfig, storm: Storm, seed: int, deeds: Sequence[Deed], until_ms: int) -> int | None:
    """When something breaks first under these deeds; None: nothing does by then."""
    hours = (until_ms + AFTERWARDS_MS) / HOUR_MS
    return Campaign(config, seed, hours, storm=storm, deeds=deeds).run().first_broken_ms
