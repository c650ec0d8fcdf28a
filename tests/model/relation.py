"""Holds a real run against the models: the first step that they do not allow, or whose values are not theirs.

The models' transition relation once more, in Python and in milliseconds: `holding` is a unit of grant.pml, `leading`
its leader, `voting` is authority.pml. Where the models count ticks and let a clock be off by one, here every member's
own clock is read, and what is assumed of clocks is checked on the way. `vocabulary` says how a run is told.

    wrong = first_wrong(network, events)

This is a check of steps. That the sum of what is drawn stays within the limits follows from them, on the models; a
simulation measures it beside. Outside of it are assumptions that a run may break on purpose (two processes of one
member, clocks worse than assumed), and changes of configuration.
"""

from collections.abc import Callable, Iterable

import attrs
from tests.model import vocabulary as say
from tests.model.holding import Unit
from tests.model.leading import Leading
from tests.model.vocabulary import MILLION, Event, Network, NotAllowedError, require
from tests.model.voting import Voting


@attrs.frozen
class Wrong:
    """The first step that the models do not allow."""

    place: int
    """Which event, counted from 0; -1: the times themselves are at fault."""
    event: Event | None
    why: str


@attrs.define
class Clocks:
    """What is assumed of clocks: none goes back, and none is off by more than the drift."""

    network: Network
    last: dict[int, Event] = attrs.field(factory=dict)
    at_ms: int = 0

    def read(self, event: Event) -> None:
        """Check one reading against the one before."""
        require(event.at_ms >= self.at_ms, "true time goes back")
        self.at_ms = event.at_ms
        before = None if isinstance(event, say.Restart) else self.last.get(event.member)
        self.last[event.member] = event
        if before is None:
            return
        passed_ms, said_ms = event.at_ms - before.at_ms, event.clock_ms - before.clock_ms
        require(said_ms >= 0, "the member's clock goes back")
        off_ms = passed_ms * self.network.times.drift_ppm // MILLION + 2
        require(abs(said_ms - passed_ms) <= off_ms, f"its clock counts {said_ms} ms in {passed_ms} ms")


@attrs.define
class Relation:
    """All members, as their steps have left them; `step` refuses what the models do not allow."""

    network: Network
    clocks: Clocks
    units: list[Unit]
    leading: Leading
    voting: Voting

    @classmethod
    def of(cls, network: Network) -> "Relation":
        """Return the state before anybody has started."""
        units = [Unit(network, number) for number in range(len(network.fallbacks_ma))]
        return cls(network, Clocks(network), units, Leading(network, units), Voting(network))

    def step(self, event: Event) -> None:
        """Take one step.

        Raises:
            NotAllowedError: The models have no such step from here.
        """
        self.clocks.read(event)
        for half in self._halves(event):
            half(event)
        self.voting.seen(event)

    def _halves(self, event: Event) -> list[Callable[..., None]]:
        leading, voting = self.leading, self.voting
        halves: dict[type[Event], list[Callable[..., None]]] = {
            say.Restart: [leading.restart, voting.restart],
            say.Answer: [voting.answer],
            say.Free: [voting.free],
            say.Report: [leading.made, voting.echo],
            say.Ask: [voting.ask],
            say.Count: [voting.count],
            say.Gain: [voting.gain, leading.gain],
            say.Climb: [voting.climb, leading.climb],
            say.Lose: [voting.lose, leading.lose],
            say.Release: [voting.release],
            say.Learn: [voting.decides, leading.learn],
            say.Issue: [voting.decides, leading.issue],
            say.Limit: [leading.limit],
        }
        return [*self._of_unit(event), *halves.get(type(event), [])]

    def _of_unit(self, event: Event) -> list[Callable[..., None]]:
        if event.member >= len(self.units):  # a witness
            return []
        unit = self.units[event.member]
        halves: dict[type[Event], Callable[..., None]] = {
            say.Restart: unit.restart,
            say.Write: unit.write,
            say.Confirm: unit.confirm,
            say.Contact: unit.contact,
            say.Plug: unit.plug,
            say.Answer: unit.answer,
            say.Accept: unit.accept,
            say.Expire: unit.expire,
            say.Report: unit.report,
            say.Gain: unit.gain,
        }
        return [halves[type(event)]] if type(event) in halves else []


def first_wrong(network: Network, events: Iterable[Event]) -> Wrong | None:
    """Return the first step of a run that the models do not allow, or None.

    Args:
        network: What is commissioned.
        events: What happened, in order.
    """
    for fault in network.times.faults():
        return Wrong(-1, None, fault)
    relation = Relation.of(network)
    for place, event in enumerate(events):
        try:
            relation.step(event)
        except NotAllowedError as refused:
            return Wrong(place, event, str(refused))
    return None
