"""What seeds gave, added up."""

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from powershare.simulation.network.campaign import Campaign, Outcome
from powershare.simulation.network.deeds import Deed
from powershare.simulation.network.invariants import NAMES, Counted


@attrs.frozen(kw_only=True)
class Tally:
    """The figures of one seed, or of several together.

    Attributes:
        seeds: Which.
        failing: Those in which anything broke that must hold.
        connector_hours: Simulated.
        events: That nodes took in.
        leader_changes: How often a member got authority.
        messages: Sent.
        lost: Of those.
        crashes: Processes that died.
        partitions: How often the network fell apart.
        limits_broken: Stretches above a limit, inside the assumptions.
        outside: How often what was done that the assumptions do not allow, by its word.
        outside_limits_broken: Stretches above a limit, outside the assumptions.
        back_under_ms: The longest of those.
        invariants: Each with how often it was looked at, and how often it failed.
        drawn_ah: What vehicles drew, in ampere-hours over all lines.
        ideal_ah: What they would have drawn under ideal control.
        takeovers_ms: From each death of a leader to the next authority.
        recoveries_ms: From each death of a leader until all offers are what the allocator answers.
    """

    seeds: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    connector_hours: float = 0
    events: int = 0
    leader_changes: int = 0
    messages: int = 0
    lost: int = 0
    crashes: int = 0
    partitions: int = 0
    limits_broken: int = 0
    outside: Counter[str] = attrs.field(factory=Counter)
    outside_limits_broken: int = 0
    back_under_ms: int = 0
    invariants: dict[str, Counted] = attrs.field(factory=lambda: {name: Counted() for name in NAMES})
    drawn_ah: float = 0
    ideal_ah: float = 0
    takeovers_ms: tuple[int, ...] = ()
    recoveries_ms: tuple[int, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, deeds: Sequence[Deed]) -> "Tally":
        """The figures of one seed."""
        return cls(
            seeds=(outcome.seed,),
            failing=(outcome.seed,) if outcome.broken else (),
            connector_hours=outcome.connector_hours,
            events=outcome.events,
            leader_changes=outcome.leader_changes,
            messages=outcome.messages,
            lost=outcome.lost,
            crashes=outcome.crashes,
            partitions=outcome.partitions,
            limits_broken=len(outcome.audit.inside),
            outside=Counter(deed.outside for deed in deeds if deed.outside is not None),
            outside_limits_broken=len(outcome.audit.outside),
            back_under_ms=outcome.back_under_ms,
            invariants=outcome.invariants,
            drawn_ah=outcome.drawn_ah,
            ideal_ah=outcome.ideal_ah,
            takeovers_ms=outcome.takeovers_ms,
            recoveries_ms=outcome.recoveries_ms,
        )

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        added = {
            name: Counted(
                checked=counted.checked + other.invariants[name].checked,
                failed=counted.failed + other.invariants[name].failed,
                outside=counted.outside + other.invariants[name].outside,
            )
            for name, counted in self.invariants.items()
        }
        together = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in attrs.fields(Tally)
            if field.name not in {"invariants", "back_under_ms"}
        }
        return Tally(**together, invariants=added, back_under_ms=max(self.back_under_ms, other.back_under_ms))

    @property
    def broken(self) -> bool:
        """Whether anything broke that must hold."""
        return bool(self.failing)

    @property
    def served_percent(self) -> float:
        """What vehicles drew of what they would have drawn under ideal control."""
        return 100 * self.drawn_ah / self.ideal_ah if self.ideal_ah else 100.0


def tally(campaign: Campaign) -> tuple[Tally, Outcome]:
    """Let one seed happen, and count."""
    outcome = campaign.run()
    return Tally.of(outcome, campaign.deeds), outcome


def percentile_ms(times_ms: Iterable[int], percent: int) -> int | None:
    """The time that so many of a hundred do not exceed; None without any."""
    ordered = sorted(times_ms)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else None
