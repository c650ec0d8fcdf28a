"""Whatever is granted and whatever is lost: no unit draws more than its envelope, no row carries more than it may."""

# ruff: noqa: ANN401 - either backend's ledger
from random import Random
from typing import Any

import pytest
from tests.native import ledger_world
from tests.native.test_ledger import BACKENDS

from powershare._native.codes import GrantKind


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("from_seed", [0, 50, 100])
def test_every_envelope_covers_and_every_sum_fits(backend: Any, from_seed: int) -> None:
    found = {seed: ledger_world.found_wrong(backend, seed, ticks=60) for seed in range(from_seed, from_seed + 50)}
    assert not any(found.values()), found


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_world_is_not_idle(backend: Any) -> None:
    """One unit gets all there is, units are capped, restart and lose messages, and leaders change."""
    ceilings, seen = set(), set()
    for seed in range(20):
        world = ledger_world.World.begin(Random(seed), backend)
        for _ in range(200):
            world.tick()
            ceilings |= {unit.ceiling / max(world.limits) for unit in world.units}
            seen |= {kind for _, _, heart in world.to_units if heart.grant for kind in [heart.grant.kind]}
        assert world.leader.reign > 0
        assert any(unit.boot for unit in world.units)
    assert {0, 1} <= ceilings
    assert seen == {GrantKind.RAISE, GrantKind.CAP, GrantKind.FALL_BACK, GrantKind.TRIM}
