"""One connector at a time for the policy's unit tests: reports that say what the test wants them to say."""

import attrs

from powershare.policy import Conditions, Decision, Policy, Report, Turn, advance
from powershare.site import Circuit, Connector, Site, Supply


def feeder(limit_ma: int, count: int = 1, step_ma: int = 100) -> Site:
    """So many connectors `c0`, `c1`... on one single-phase feeder."""
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=limit_ma),),
        connectors=tuple(Connector(id=f"c{n}", circuit="feeder", step_ma=step_ma) for n in range(count)),
    )


class Bench:
    """Devices that carry out each change at once, with vehicles that draw what `draws` says."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.now_ms = policy, 0
        self.reports = {connector.id: Report(connector=connector.id) for connector in policy.site.connectors}
        self.draws: dict[str, int | None] = {}
        self.age_ms = 0

    def plug(self, connector_id: str, *, energy_needed_wh: int | None = None, departs_in_s: int | None = None) -> None:
        """A vehicle comes that wants energy."""
        self.reports[connector_id] = Report(
            connector=connector_id,
            session=self.reports[connector_id].session + 1,
            plugged=True,
            wants=True,
            offered_ma=self.offered_ma(connector_id),
            energy_needed_wh=energy_needed_wh,
            departs_in_s=departs_in_s,
        )

    def unplug(self, connector_id: str) -> None:
        """It leaves."""
        session = self.reports[connector_id].session + 1
        self.reports[connector_id] = Report(
            connector=connector_id, session=session, offered_ma=self.offered_ma(connector_id)
        )

    def offered_ma(self, connector_id: str) -> int:
        """What the device offers."""
        return self.reports[connector_id].offered_ma

    def step(self, elapsed_ms: int = 0, conditions: Conditions | None = None, apply: bool = True) -> Decision:
        """Let time pass, ask the policy, and carry out what it says."""
        self.now_ms += elapsed_ms
        for name, report in self.reports.items():
            drawn_ma = self.draws.get(name, report.offered_ma)
            measured_ma = None if drawn_ma is None else min(drawn_ma, report.offered_ma)
            turn = (
                advance(report.turn, report.wants, report.offered_ma, elapsed_ms, drawn_ma=measured_ma)
                if report.plugged
                else Turn()
            )
            self.reports[name] = attrs.evolve(report, measured_ma=measured_ma, measured_age_ms=self.age_ms, turn=turn)
        decision = self.policy.step(self.reports.values(), conditions or Conditions(), self.now_ms)
        if apply:
            for change in decision.changes:
                self.reports[change.connector] = attrs.evolve(
                    self.reports[change.connector], offered_ma=change.offered_ma
                )
        return decision

    def run(self, for_ms: int, every_ms: int = 1_000, conditions: Conditions | None = None) -> list[Decision]:
        """Step again and again."""
        return [self.step(every_ms, conditions) for _ in range(for_ms // every_ms)]
