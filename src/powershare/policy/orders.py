"""In what order current is handed on: fairly, class by class, or with departures in view.

An order says who stands where in the line for admission, and shapes the demands that the
allocator then answers. It knows no time but what the reports carry.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from powershare.demand import Demand
from powershare.policy.report import Conditions, Report
from powershare.policy.room import Room
from powershare.policy.settings import Settings
from powershare.policy.turns import Admission, Candidate, admit, order_key, standing
from powershare.site.values import MAX_PRIORITY
from powershare.units import Milliamps


@attrs.frozen(kw_only=True)
class Scene:
    """What an order decides about.

    Attributes:
        candidates: Everybody who wants an offer and can take one, in site order.
        reports: The reports under their connectors' ids.
        conditions: What holds around them.
        room: What every row has left with no connector loaded.
    """

    candidates: Sequence[Candidate]
    reports: Mapping[str, Report]
    conditions: Conditions
    room: Room


@attrs.frozen(kw_only=True)
class Plan:
    """What an order wants the allocator to be asked.

    Attributes:
        admission: Who may be on.
        ceilings_ma: The most each admitted connector is to get.
        priorities: The class of each admitted connector in the fair share; absent: 0.
        protected: Those whose energy by departure is set aside.
        recheck: Whether time alone may change the plan.
    """

    admission: Admission
    ceilings_ma: Mapping[str, Milliamps]
    priorities: Mapping[str, int] = attrs.field(factory=dict)
    protected: frozenset[str] = frozenset()
    recheck: bool = False


class AllocationOrder(Protocol):
    """One way to hand on current.

    Attributes:
        needs_departure: Whether reports should carry energy and departure.
        ranked: Whether candidates keep the classes that the site gives them.
    """

    needs_departure: bool
    ranked: bool

    def plan(self, scene: Scene) -> Plan:
        """Decide who may be on and what the allocator is asked."""


class Fair:
    """Turns by waiting time, then the same for everybody by max-min; classes do not count."""

    needs_departure = False
    ranked = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def plan(self, scene: Scene) -> Plan:
        """Decide who may be on; all share alike."""
        keyed = [(order_key(one, standing(one, self._settings)), one) for one in scene.candidates]
        keyed.sort(key=lambda entry: entry[0])
        admission = admit([one for _, one in keyed], scene.room, self._settings)
        ceilings_ma = {one.connector: one.ceiling_ma for one in scene.candidates}
        ranks = {one.connector: one.rank for one in scene.candidates} if self.ranked else {}
        return Plan(admission=admission, ceilings_ma=ceilings_ma, priorities=ranks)


class Priority(Fair):
    """Class by class, as the site says: a higher one is admitted first and filled first.

    A vehicle that is on still keeps its first dwell and, its pauses used up, its turn, with the
    least offer that comes with it: pauses wear vehicles whatever their class.
    """

    ranked = True


def demands_of(plan: Plan, reports: Mapping[str, Report]) -> list[Demand]:
    """The demands whose answer is the plan.

    Those admitted come first in the allocator's own line, and all fit; those shed are asked too, so
    that the answer says which limit sheds them.
    """
    demands = []
    admitted, shed = plan.admission.admitted, plan.admission.shed
    for place, connector_id in enumerate(admitted):
        report = reports[connector_id]
        demands.append(
            Demand(
                connector=connector_id,
                wanted_ma=plan.ceilings_ma[connector_id],
                lines_used=report.lines_used,
                waiting_s=len(admitted) - place,
                priority=plan.priorities.get(connector_id, 0),
                vehicle=report.vehicle,
            )
        )
    for connector_id in shed:
        report = reports[connector_id]
        demands.append(
            Demand(
                connector=connector_id,
                wanted_ma=plan.ceilings_ma[connector_id],
                lines_used=report.lines_used,
                priority=-MAX_PRIORITY,
                vehicle=report.vehicle,
            )
        )
    return demands
