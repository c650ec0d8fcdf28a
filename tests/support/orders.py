"""Orders to compare with: how peers sort (ACN-Sim's sorted algorithms), through this policy's own release."""

from collections.abc import Callable

from powershare.policy import Policy, Settings
from powershare.policy.deadline import HandOut, Task
from powershare.policy.orders import Plan, Scene
from powershare.policy.turns import Admission
from powershare.site import Site


class Sorted:
    """Walk the vehicles in an order and give each all that is left for it; the rest waits."""

    needs_departure = True
    ranked = False

    def __init__(self, site: Site, task: Callable[..., Task | None], key: Callable[[Task], int]) -> None:
        self._site, self._task, self._key = site, task, key

    def plan(self, scene: Scene) -> Plan:
        """Everything to the first in line, what is left to the next."""
        tasks = [self._task(one, scene.reports[one.connector]) for one in scene.candidates]
        hand_out = HandOut(scene.room, self._site)
        for task in sorted((task for task in tasks if task), key=lambda one: (self._key(one), one.candidate.place)):
            hand_out.raise_to(task.candidate, task.candidate.ceiling_ma)
        wanted_ma = hand_out.wanted_ma
        waiting = tuple(one.connector for one in scene.candidates if one.connector not in wanted_ma)
        short = any(wanted_ma.get(one.connector, 0) < one.ceiling_ma for one in scene.candidates)
        ceilings_ma = {one.connector: one.ceiling_ma for one in scene.candidates}
        return Plan(
            admission=Admission(tuple(wanted_ma), (), waiting), ceilings_ma={**ceilings_ma, **wanted_ma}, recheck=short
        )


def earliest_deadline_first(site: Site) -> Policy:
    """Who leaves first gets all it can take first."""
    return _sorted(site, lambda task: task.until_ms)


def least_laxity_first(site: Site) -> Policy:
    """Who can wait least gets all it can take first."""
    return _sorted(site, lambda task: task.slack_ms)


def _sorted(site: Site, key: Callable[[Task], int]) -> Policy:
    policy = Policy(site, "deadline", Settings())
    policy._order = Sorted(site, policy._order._task, key)  # type: ignore[attr-defined]
    return policy
