"""The policy: what the connectors report in, what each must offer from now on out.

Everything that turns need comes with the reports. What is kept here (orders on their way, lower
offers not yet confirmed, unused shares) is learnt anew by a policy that takes over, on the safe side.
"""

import enum
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Literal

import attrs

from powershare.allocation import Allocation
from powershare.allocator import Allocator
from powershare.demand import Demand
from powershare.errors import ContractError
from powershare.policy.deadline import Deadline
from powershare.policy.orders import AllocationOrder, Fair, Plan, Priority, Scene, demands_of
from powershare.policy.reclaim import Reclaim
from powershare.policy.release import Order, Release, ReleaseRule
from powershare.policy.report import Conditions, Report
from powershare.policy.room import Room, RowIndex
from powershare.policy.settings import Settings
from powershare.policy.turns import Candidate, next_change_ms
from powershare.site import Connector, Site
from powershare.site.values import on_line
from powershare.units import Milliamps, down_to_step

OrderName = Literal["fair", "priority", "deadline"]


class Cause(enum.Enum):
    """Why an offer changes."""

    IDLE = "idle"
    """Nobody wants current there, or nobody may have it."""
    TURN = "turn"
    """A vehicle's turn begins, or ends for somebody who waited."""
    UNUSED = "unused share"
    """The vehicle does not draw what it is offered, and others are short."""
    SHARE = "share"
    """Others need their part."""
    LIMIT = "limit"
    """A limit fell, or other load or a silent connector takes more of it."""
    DEADLINE = "deadline"
    """Somebody's energy by departure is being made sure of."""
    OVERDRAWN = "overdrawn"
    """Its vehicle draws more than it is offered."""
    RAISE = "raise"
    """There is room for more."""


@attrs.frozen
class Change:
    """One offer to be changed now.

    Attributes:
        connector: Its id.
        offered_ma: What it must offer from now on.
        cause: Why.
    """

    connector: str
    offered_ma: Milliamps
    cause: Cause


@attrs.frozen(kw_only=True)
class Decision:
    """What is to be done now.

    Attributes:
        changes: In the order in which to carry them out: lowered first, then raised.
        offers_ma: What each reporting connector must offer once they are carried out.
        targets_ma: What each reporting connector is to offer in the end.
        allocation: What the offers are moving to, and which limits decided it.
        short: Whether some vehicle gets less than it has use for, because there is no room for more.
        due_ms: When the policy wants to be asked again though nothing is reported; None: never.
    """

    changes: tuple[Change, ...]
    offers_ma: Mapping[str, Milliamps]
    targets_ma: Mapping[str, Milliamps]
    allocation: Allocation
    short: bool
    due_ms: int | None


class Policy:
    """Decides step by step what each connector of a site must offer.

    Pure: the same reports at the same times give the same decisions.

    Args:
        site: The site.
        order: `fair`, `priority` or `deadline`.
        settings: The figures in force; None: their defaults.
        release: What orders the changes; None: by what devices report. A leader puts its ledger here.

    Attributes:
        site: The site.
        settings: The figures in force.
    """

    def __init__(
        self,
        site: Site,
        order: OrderName = "fair",
        settings: Settings | None = None,
        release: ReleaseRule | None = None,
    ) -> None:
        self.site = site
        self.settings = settings or Settings()
        self._allocator = Allocator(site)
        self._rows = RowIndex(self._allocator.compiled)
        self._order = self._make_order(order)
        self._release = release if release is not None else Release(site, self._rows, self.settings)
        self._reclaim = Reclaim(self.settings)
        self._now_ms: int | None = None
        self._plain_room = Room.of(self._allocator.compiled.in_force())

    @property
    def needs_departure(self) -> bool:
        """Whether reports should carry the energy needed and the departure."""
        return self._order.needs_departure

    def step(self, reports: Iterable[Report], conditions: Conditions, now_ms: int) -> Decision:
        """Decide what changes now.

        Args:
            reports: One of each connector of the site that is not held; in any order.
            conditions: What holds around them.
            now_ms: Now, on a clock that never goes backwards.

        Returns:
            The changes, lowered first, and when to ask again.

        Raises:
            ContractError: The time went backwards, or a connector reports twice, or not at all.
            DemandError: Conditions or reports do not fit the site.
        """
        if self._now_ms is not None and now_ms < self._now_ms:
            raise ContractError(f"the time went backwards, from {self._now_ms} ms to {now_ms} ms")
        known = self._known(reports, conditions)
        room = self._room(conditions)
        self._now_ms = now_ms
        self._release.observe(known.values(), conditions.held_ma, room, now_ms)
        settled = self._decide(known, conditions, room, now_ms)
        targets_ma = dict(settled.targets_ma)
        orders = self._release.release(targets_ma, self._release.reserved_ma, now_ms)
        changes = tuple(Change(order.connector, order.offered_ma, settled.cause(order)) for order in orders)
        return Decision(
            changes=changes,
            offers_ma={connector_id: self._release.ordered_ma(connector_id) for connector_id in known},
            targets_ma=targets_ma,
            allocation=settled.allocation,
            short=settled.short,
            due_ms=self._due_ms(settled, now_ms),
        )

    def _make_order(self, name: OrderName) -> AllocationOrder:
        if name == "fair":
            return Fair(self.settings)
        if name == "priority":
            return Priority(self.settings)
        if name == "deadline":
            return Deadline(self._allocator, self._rows, self.settings)
        raise ContractError(f'the order is "{name}"; the orders are fair, priority and deadline')

    def _known(self, reports: Iterable[Report], conditions: Conditions) -> dict[str, Report]:
        """The reports in site order; silence is never taken for an idle connector."""
        given: dict[str, Report] = {}
        for report in reports:
            if report.connector in given:
                raise ContractError(f'connector "{report.connector}" reports twice in one step')
            given[report.connector] = report
        known: dict[str, Report] = {}
        for connector_id in self._allocator.compiled.connector_index:
            one = given.pop(connector_id, None)
            if connector_id in conditions.held_ma:
                continue
            if one is None:
                raise ContractError(
                    f'connector "{connector_id}" neither reports nor is held; hold what it may be drawing'
                )
            known[connector_id] = one
        if given:
            raise ContractError(f'connector "{next(iter(given))}" reports and is none of this site')
        return known

    def _room(self, conditions: Conditions, overdrawn: Mapping[str, Milliamps] | None = None) -> Room:
        held_ma = {**conditions.held_ma, **overdrawn} if overdrawn else conditions.held_ma
        if not (held_ma or conditions.other_load_ma or conditions.external_limits):
            return self._plain_room
        force = self._allocator.compiled.in_force(conditions.other_load_ma, conditions.external_limits, held_ma)
        return Room.of(force)

    def _decide(self, known: dict[str, Report], conditions: Conditions, room: Room, now_ms: int) -> "_Settled":
        """Where the offers are to go: plan, allocation, and the currents that follow."""
        settled = _Settled(release=self._release, known=known)
        reserved_ma = self._release.reserved_ma
        for connector_id in known:
            if self._release.overdrawn(connector_id):
                settled.overdrawn[connector_id] = reserved_ma[connector_id]
        if settled.overdrawn:
            room = self._room(conditions, settled.overdrawn)
            conditions = attrs.evolve(conditions, held_ma={**conditions.held_ma, **settled.overdrawn})
        candidates, caps = self._candidates(known, conditions, settled, now_ms)
        self._allocate(settled, candidates, conditions, room)
        if settled.short and any(caps[one.connector] < one.ceiling_ma for one in candidates if one.connector in caps):
            capped = [
                attrs.evolve(one, ceiling_ma=min(one.ceiling_ma, caps.get(one.connector, one.ceiling_ma)))
                for one in candidates
            ]
            self._allocate(settled, capped, conditions, room)
            settled.caps_ma = caps
        for connector_id in settled.overdrawn:
            left_ma = room.left_ma(self._rows.of(connector_id, known[connector_id].lines_used))
            settled.targets_ma[connector_id] = self._release.ordered_ma(connector_id) if left_ma >= 0 else 0
        return settled

    def _candidates(
        self, known: dict[str, Report], conditions: Conditions, settled: "_Settled", now_ms: int
    ) -> tuple[list[Candidate], dict[str, Milliamps]]:
        """Who can take an offer, and how much those who use less than they have need."""
        candidates: list[Candidate] = []
        caps: dict[str, Milliamps] = {}
        for place, connector in enumerate(self.site.connectors):
            report = known.get(connector.id)
            if report is None:
                continue
            if not (report.plugged and report.wants) or connector.id in settled.overdrawn:
                self._reclaim.forget(connector.id)
                continue
            ceiling_ma = self._ceiling_ma(connector, report, conditions)
            if ceiling_ma < connector.min_offer_ma:
                settled.refused.append(report)
                continue
            cap_ma = self._reclaim.observe(report, connector, now_ms)
            if cap_ma is not None:
                caps[connector.id] = cap_ma
            candidates.append(
                Candidate(
                    connector=connector.id,
                    place=place,
                    on=report.offered_ma > 0,
                    turn=report.turn,
                    least_ma=connector.min_offer_ma,
                    ceiling_ma=ceiling_ma,
                    rows=self._rows.of(connector.id, report.lines_used),
                    rank=connector.priority if self._order.ranked else 0,
                )
            )
        return candidates, caps

    def _ceiling_ma(self, connector: Connector, report: Report, conditions: Conditions) -> Milliamps:
        """The most that a vehicle can take there; 0 where it may not take any."""
        if connector.vehicles is not None and report.vehicle not in connector.vehicles:
            return 0
        ceiling_ma = (
            connector.max_offer_ma if report.wanted_ma is None else min(report.wanted_ma, connector.max_offer_ma)
        )
        for external in conditions.external_limits:
            if external.connector == connector.id:
                lines = self.site.wiring[connector.id].loaded_lines(report.lines_used)
                ceiling_ma = min(ceiling_ma, *(on_line(external.limit_ma, line) for line in lines))
        return down_to_step(ceiling_ma, connector.step_ma)

    def _allocate(self, settled: "_Settled", candidates: list[Candidate], conditions: Conditions, room: Room) -> None:
        scene = Scene(candidates=candidates, reports=settled.known, conditions=conditions, room=room)
        plan = self._order.plan(scene)
        demands = demands_of(plan, settled.known)
        demands += [
            Demand(
                connector=report.connector,
                wanted_ma=report.wanted_ma,
                lines_used=report.lines_used,
                vehicle=report.vehicle,
            )
            for report in settled.refused
        ]
        allocation = self._allocator.allocate(
            demands,
            held_ma=conditions.held_ma,
            other_load_ma=conditions.other_load_ma,
            external_limits=conditions.external_limits,
        )
        allocated_ma = allocation.allocated_ma
        settled.plan, settled.allocation, settled.candidates = plan, allocation, candidates
        settled.targets_ma = {connector_id: allocated_ma[connector_id] for connector_id in settled.known}
        settled.short = any(allocated_ma[one.connector] < one.ceiling_ma for one in candidates)

    def _due_ms(self, settled: "_Settled", now_ms: int) -> int | None:
        dues = [self._release.due_ms(settled.targets_ma, now_ms)]
        admission = settled.plan.admission
        if admission.shed or admission.holding_back:
            changes = (next_change_ms(one, self.settings) for one in settled.candidates)
            dues += [now_ms + change_ms for change_ms in changes if change_ms is not None]
        if settled.short or settled.caps_ma:
            # Nobody may be short just because of the caps.
            dues += [self._reclaim.due_ms(one.connector, now_ms) for one in settled.candidates]
        if settled.plan.recheck:
            dues.append(now_ms + self.settings.replan_ms)
        return min((due for due in dues if due is not None), default=None)


@attrs.define(kw_only=True, slots=False)
class _Settled:
    """One step's reasoning, kept together until the causes are told."""

    release: ReleaseRule
    known: dict[str, Report]
    plan: Plan = attrs.field(init=False)
    allocation: Allocation = attrs.field(init=False)
    candidates: list[Candidate] = attrs.field(factory=list)
    refused: list[Report] = attrs.field(factory=list)
    overdrawn: dict[str, Milliamps] = attrs.field(factory=dict)
    targets_ma: dict[str, Milliamps] = attrs.field(factory=dict)
    caps_ma: dict[str, Milliamps] = attrs.field(factory=dict)
    short: bool = False

    def cause(self, order: Order) -> Cause:
        """Why this order is given."""
        connector_id, report = order.connector, self.known[order.connector]
        if connector_id in self.overdrawn:
            return Cause.OVERDRAWN
        if order.offered_ma >= order.was_ma:
            if order.was_ma == 0 and report.turn.waiting_ms > 0:
                return Cause.TURN
            return Cause.DEADLINE if connector_id in self.plan.protected else Cause.RAISE
        if order.offered_ma == 0:
            if connector_id not in self._able:
                return Cause.IDLE
            return Cause.TURN if self._somebody_starts else Cause.LIMIT
        if connector_id in self.caps_ma and self.targets_ma[connector_id] >= self.caps_ma[connector_id]:
            return Cause.UNUSED
        if self.plan.protected - {connector_id}:
            return Cause.DEADLINE
        return Cause.SHARE if self._somebody_rises else Cause.LIMIT

    # Looked up once per step: with many connectors as many orders ask.

    @cached_property
    def _able(self) -> frozenset[str]:
        return frozenset(one.connector for one in self.candidates)

    @cached_property
    def _somebody_starts(self) -> bool:
        return any(not one.on and self.targets_ma[one.connector] > 0 for one in self.candidates)

    @cached_property
    def _somebody_rises(self) -> bool:
        return any(self.targets_ma[one.connector] > self.known[one.connector].offered_ma for one in self.candidates)
