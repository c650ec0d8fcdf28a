"""The leader's role of a node: from what units report, by policy and allocator, to grants that the ledger allows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import attrs

from powershare.constraints import CompiledSite
from powershare.demand import Counts, ExternalLimit
from powershare.leases import Grant, Granting
from powershare.node.config import NetworkConfig
from powershare.node.messages import Bound, Reading, StatusReport, Vote
from powershare.policy import Conditions, Decision, Policy, Report, Turn
from powershare.site.values import PerLine
from powershare.units import LineMilliamps, Milliamps

_Key: TypeAlias = tuple[str | None, str | None, str]
"""Circuit or connector, and source."""

DEFAULT_STALE_MS = 10_000
"""A reading of a circuit without a meter entry counts for so long."""


@attrs.frozen
class _Known:
    """A reading with the instant, on this clock, from which its age counts."""

    load_ma: LineMilliamps
    at_ms: int


@attrs.frozen
class _Told:
    """All external limits that one process of a member knows, each with its end on this clock, by its newest report."""

    report_no: int
    limits: tuple[tuple[ExternalLimit, int], ...]


class Surroundings:
    """What is known of other loads and external limits: by this node's own meters, or by what members pass on.

    Every reading and limit keeps its own age and end, whoever passed it on: a relay cannot keep one alive. Limits
    count together, whoever was told of them, even those of one name: the strictest counts.
    """

    __slots__ = ("_bounds", "_compiled", "_config", "_loads", "_stale_ms", "_told")

    def __init__(self, config: NetworkConfig, compiled: CompiledSite) -> None:
        self._config, self._compiled = config, compiled
        self._stale_ms = {meter.circuit: meter.stale_after_ms for meter in config.site.meters}
        self._loads: dict[str, _Known] = {}
        self._bounds: dict[_Key, tuple[ExternalLimit, int]] = {}
        self._told: dict[tuple[int, int], _Told] = {}  # by member and boot

    @property
    def loads(self) -> Mapping[str, _Known]:
        """The last reading of each circuit."""
        return self._loads

    def load(self, circuit: str, load_ma: LineMilliamps, at_ms: int) -> None:
        """A reading; an older one than the last is not looked at."""
        known = self._loads.get(circuit)
        if known is None or at_ms > known.at_ms:
            self._loads[circuit] = _Known(tuple(max(0, figure_ma) for figure_ma in load_ma), at_ms)

    def replace(self, limit: ExternalLimit, until_ms: int, now_ms: int) -> None:
        """An external limit of this node's own, in place of the one of the same source and place."""
        self._bounds = {key: known for key, known in self._bounds.items() if known[1] > now_ms}
        if until_ms > now_ms:
            self._bounds[_key(limit)] = (limit, until_ms)
        else:
            self._bounds.pop(_key(limit), None)

    def keep(self, former: "Surroundings", now_ms: int) -> None:
        """Go on, under another configuration, with what this node was told under the former one, where it fits."""
        site = self._config.site
        lines = len(site.supply.lines)
        for circuit, known in former.loads.items():
            if circuit in site.circuit_by_id and len(known.load_ma) == lines:
                self._loads[circuit] = known
        for limit, until_ms in former.limits(now_ms):
            is_there = limit.circuit in site.circuit_by_id or limit.connector in site.connector_by_id
            if is_there and (not isinstance(limit.limit_ma, tuple) or len(limit.limit_ma) == lines):
                self._bounds[_key(limit)] = (limit, until_ms)

    def take_over(self, own: "Surroundings", now_ms: int) -> None:
        """Take in what this node's own meters and interfaces have said."""
        self.read(own.readings(now_ms), now_ms)
        for limit, until_ms in own.limits(now_ms):
            self.replace(limit, until_ms, now_ms)

    def passed_on(self, report: Vote, now_ms: int) -> None:
        """Take in what a member passes on.

        A report carries all limits of its member, and its newest one counts: so a limit that is no longer among them
        was taken back. Another process of the member does not know what its former one was told; that ends by itself.
        """
        self.read(report.readings, report.heartbeat_ms)
        who = (report.member, report.boot)
        before = self._told.get(who)
        if before is None:
            self._forget_former(report.member, now_ms)
        elif report.report_no <= before.report_no:
            return
        # A limit protects: what may have delayed its report must not shorten it.
        said = ((self._limit_of(bound), now_ms + bound.left_ms) for bound in report.bounds)
        limits = tuple((limit, until_ms) for limit, until_ms in said if limit is not None)
        self._told[who] = _Told(report.report_no, limits)

    def read(self, readings: Iterable[Reading], heartbeat_ms: int) -> None:
        """Take in readings; their ages count from the heartbeat that their report echoes, the safe side."""
        site = self._config.site
        for reading in readings:
            if reading.circuit < len(site.circuits) and len(reading.load_ma) == len(site.supply.lines):
                self.load(site.circuits[reading.circuit].id, reading.load_ma, heartbeat_ms - reading.age_ms)

    def limits(self, now_ms: int) -> Iterator[tuple[ExternalLimit, int]]:
        """This node's own external limits that are in force, each with its end."""
        return ((limit, until_ms) for limit, until_ms in self._bounds.values() if until_ms > now_ms)

    def has_room_for_limit(self, limit: ExternalLimit, now_ms: int, most: int) -> bool:
        """Whether this limit of its own, with all others in force, would be no more than so many."""
        return len({_key(limit), *(_key(other) for other, _ in self.limits(now_ms))}) <= most

    def has_room_for_reading(self, circuit: str, now_ms: int, most: int) -> bool:
        """Whether a reading of this circuit, with the fresh ones of all others, would be no more than so many."""
        return len(self._loads) < most or len({circuit, *self._fresh(now_ms)}) <= most

    def readings(self, now_ms: int) -> tuple[Reading, ...]:
        """What is fresh, to pass on."""
        if not self._loads:
            return ()
        places = {circuit.id: place for place, circuit in enumerate(self._config.site.circuits)}
        return tuple(
            Reading(places[circuit], self._loads[circuit].load_ma, max(0, now_ms - self._loads[circuit].at_ms))
            for circuit in self._fresh(now_ms)
        )

    def bounds(self, now_ms: int) -> tuple[Bound, ...]:
        """All of its own that is in force, to pass on."""
        if not self._bounds:
            return ()
        site = self._config.site
        circuits = {circuit.id: place for place, circuit in enumerate(site.circuits)}
        connectors = {connector.id: place for place, connector in enumerate(site.connectors)}
        lines = len(site.supply.lines)
        return tuple(
            Bound(
                None if limit.circuit is None else circuits[limit.circuit],
                None if limit.connector is None else connectors[limit.connector],
                limit.limit_ma if isinstance(limit.limit_ma, tuple) else (limit.limit_ma,) * lines,
                until_ms - now_ms,
                limit.counts is Counts.ALL,
                limit.source,
            )
            for limit, until_ms in self.limits(now_ms)
        )

    def in_force(self, now_ms: int) -> tuple[dict[str, PerLine], tuple[ExternalLimit, ...]]:
        """Readings that are fresh, per circuit, and external limits that have not ended."""
        if not self._loads and not self._bounds and not self._told:
            return {}, ()
        loads: dict[str, PerLine] = {
            circuit: known.load_ma
            for circuit, known in self._loads.items()
            if now_ms - known.at_ms <= self._stale_after_ms(circuit)
        }
        limits = dict.fromkeys(limit for limit, _ in self.limits(now_ms))
        for told in self._told.values():
            limits.update((limit, None) for limit, until_ms in told.limits if until_ms > now_ms)
        return loads, tuple(limits)

    def _fresh(self, now_ms: int) -> list[str]:
        """The circuits whose readings are fresh."""
        loads = self._loads.items()
        return [circuit for circuit, known in loads if now_ms - known.at_ms <= self._stale_after_ms(circuit)]

    def _forget_former(self, member: int, now_ms: int) -> None:
        """Another process of a member speaks: what its former ones were told is dropped where it has ended."""
        self._told = {
            who: told
            for who, told in self._told.items()
            if who[0] != member or any(until_ms > now_ms for _, until_ms in told.limits)
        }

    def _stale_after_ms(self, circuit: str) -> int:
        return self._stale_ms.get(circuit, DEFAULT_STALE_MS)

    def _limit_of(self, bound: Bound) -> ExternalLimit | None:
        """The limit that a member passed on; None where it fits no node of this site."""
        site = self._config.site
        if len(bound.limit_ma) != len(site.supply.lines):
            return None
        counts = Counts.ALL if bound.all_loads else Counts.CONNECTORS
        if bound.circuit is not None and bound.circuit < len(site.circuits):
            circuit = site.circuits[bound.circuit].id
            return ExternalLimit(circuit=circuit, limit_ma=bound.limit_ma, source=bound.source, counts=counts)
        if bound.connector is not None and bound.connector < len(site.connectors):
            connector = site.connectors[bound.connector].id
            return ExternalLimit(connector=connector, limit_ma=bound.limit_ma, source=bound.source, counts=counts)
        return None


class Leading:
    """One authority at work.

    Args:
        config: The network.
        compiled: Its site, compiled.
        fallbacks_ma: What each unit may draw when nobody is heard.
        own: What this node's own meters and interfaces say.
        now_ms: When the authority began.

    Attributes:
        surroundings: What is known of loads and limits, by whomever.
        granting: Its ledger and grants.
        decision: The policy's last decision; None before the first.
    """

    __slots__ = (
        "_config",
        "_due_ms",
        "_seen",
        "_settled_ms",
        "_targets_ma",
        "decision",
        "granting",
        "policy",
        "surroundings",
        "urgent",
    )

    def __init__(
        self,
        config: NetworkConfig,
        compiled: CompiledSite,
        fallbacks_ma: tuple[Milliamps, ...],
        own: Surroundings,
        now_ms: int,
    ) -> None:
        self._config = config
        self.surroundings = Surroundings(config, compiled)
        self.surroundings.take_over(own, now_ms)
        self.granting = Granting(
            compiled, fallbacks_ma, config.timing, now_ms, raise_interval_ms=config.settings.raise_interval_ms
        )
        self.policy = Policy(config.site, config.order, config.settings, release=self.granting)
        self.decision: Decision | None = None
        self.urgent = False
        """Whether what was heard since the last decision is worth one at once."""
        self._seen: tuple[object, ...] | None = None
        self._targets_ma: dict[str, Milliamps] = {}
        self._due_ms: int | None = None
        self._settled_ms = now_ms + config.timing.echo_ms

    def heard(self, report: StatusReport, now_ms: int) -> bool:
        """Take in a report of the present term; answers whether it was usable."""
        account = self.granting.accounts[report.member]
        before = account.report
        if not self.granting.heard(report.member, report, now_ms):
            return False
        if not isinstance(before, StatusReport) or (
            before.wants != report.wants
            or before.session != report.session
            or before.most_ma > report.most_ma
            or before.wanted_ma != report.wanted_ma
        ):
            self.urgent = True
        return True

    def decide(self, now_ms: int) -> None:
        """Ask the policy where what it knows has changed, and grant what may be granted now."""
        self.urgent = False
        loads, limits = self.surroundings.in_force(now_ms)
        self.granting.ledger.set_limits(loads, limits, now_ms)
        if now_ms < self._settled_ms and any(account.report is None for account in self.granting.accounts):
            # Who has not answered yet is on its way, not silent: nobody is lowered for its sake.
            self.granting.release(self._as_offered(), {}, now_ms)
            return
        reports, held_ma = self._reports(now_ms)
        seen = (tuple(_told(report) for report in reports), tuple(sorted(held_ma.items())), loads, limits)
        due = self._due_ms is not None and now_ms >= self._due_ms
        if seen == self._seen and not due:
            self.granting.release(self._targets_ma, {}, now_ms)
            return
        conditions = Conditions(held_ma=held_ma, other_load_ma=loads, external_limits=limits)
        decision = self.policy.step(reports, conditions, now_ms)
        self.decision, self._seen, self._due_ms = decision, seen, decision.due_ms
        self._targets_ma = {
            connector_id: target_ma
            for connector_id, target_ma in decision.targets_ma.items()
            if connector_id not in held_ma
        }

    def to_send(self, place: int, now_ms: int) -> Grant | None:
        """The grant that a heartbeat to this unit carries."""
        return self.granting.to_send(place, now_ms)

    def _as_offered(self) -> dict[str, Milliamps]:
        """What each unit that answered offers: it shall go on."""
        accounts = self.granting.accounts
        return {account.connector.id: account.report.offer_ma for account in accounts if account.report is not None}

    def _reports(self, now_ms: int) -> tuple[list[Report], dict[str, Milliamps]]:
        """What the policy is told: reports of units that speak, and what those may be drawing that do not."""
        reports: list[Report] = []
        held_ma: dict[str, Milliamps] = {}
        for place, connector in enumerate(self._config.site.connectors):
            account = self.granting.accounts[place]
            told = account.report
            if told is None or self.granting.silent(place, now_ms) or self.granting.duplicate(place, now_ms):
                held_ma[connector.id] = self.granting.held_ma(place, now_ms)
            elif isinstance(told, StatusReport):
                # Every report that is taken in is one; the ledger asks for less.
                heard_ms = account.heard_ms if account.heard_ms is not None else now_ms
                reports.append(_report(connector.id, told, now_ms - heard_ms))
        return reports, held_ma


def _key(limit: ExternalLimit) -> _Key:
    """What a later limit of the same node replaces."""
    return limit.circuit, limit.connector, limit.source


def _told(report: Report) -> tuple[object, ...]:
    """What of a report can change a decision, but for the time that passes."""
    return (
        report.connector,
        report.session,
        report.plugged,
        report.wants,
        report.offered_ma,
        report.measured_ma,
        report.wanted_ma,
        report.vehicle,
        report.turn.pauses,
        report.turn.asleep,
    )


def _report(connector_id: str, told: StatusReport, since_ms: int) -> Report:
    """A unit's report as the policy reads it; lines in use are left out, since every wired line counts."""
    waiting_ms = told.waiting_ms + since_ms if told.waiting_ms else 0
    on_ms = told.on_ms + since_ms if told.on_ms else 0
    return Report(
        connector=connector_id,
        session=told.session,
        plugged=told.plugged,
        wants=told.wants,
        offered_ma=told.offered_ma,
        measured_ma=told.measured_ma,
        measured_age_ms=told.measured_age_ms + since_ms,
        wanted_ma=told.wanted_ma,
        vehicle=told.vehicle,
        turn=Turn(waiting_ms, on_ms, told.pauses, told.asleep),
        energy_needed_wh=told.energy_needed_wh,
        departs_in_s=told.departs_in_s,
    )
