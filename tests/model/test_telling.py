"""What real nodes do in storms is what the models allow; a forbidden step planted in it, or in the code, is refused."""

# ruff: noqa: ANN401 - changes of events and of methods, which take what they are given
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any
from unittest.mock import patch

import attrs
import pytest
from tests.model import relation, telling
from tests.model import vocabulary as say
from tests.model.vocabulary import Entry, Event, Kind
from tests.mutations.worlds import SITES

from powershare.election import Answer, Elector, Promise
from powershare.leases import Holder
from powershare.leases.ledger import Ledger
from powershare.leases.tail import Tail
from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network import INSIDE, draw, plan
from powershare.simulation.network.network import Network
from powershare.simulation.network.stage import Theatre

MINUTE_MS = 60_000
STORM = frozenset(INSIDE) - {"configuration"}
"""What the relation knows: everything inside the assumptions but changes of configuration."""
FOREIGN = STORM | {"external", "load", "silent_meter", "ignore"}
"""Outside of the assumptions, and yet steps like any other."""


def weather(site: str, seed: int, minutes: int, names: frozenset[str] = STORM) -> tuple[say.Network, tuple[Event, ...]]:
    """Return a network as commissioned, and what its nodes do in a storm."""
    config, chance, until_ms = NetworkConfig(site=SITES[site]), Chance(seed), minutes * MINUTE_MS
    drawn = draw(chance.fork(1), names, config.timing)
    network = Network(config, drawn, chance.fork(3))
    Theatre(network).schedule(plan(config, drawn, chance.fork(2), until_ms))
    with telling.listening(network) as events:
        network.start()
        network.run(until_ms)
    return telling.commissioned(network), tuple(events)


storm = cache(weather)
RUNS = (
    *((site, seed, 4, STORM) for site in ("six", "nested") for seed in (1, 2, 3)),
    *((site, 4, 4, STORM) for site in ("pair", "even", "none", "mixed")),
    ("nested", 5, 4, FOREIGN),
)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run[0]}-{run[1]}")
def test_what_nodes_do_in_a_storm_is_what_the_models_allow(run: tuple[str, int, int, frozenset[str]]) -> None:
    """One breaker and nested ones; messages, processes, clocks and devices all fail at once."""
    network, events = storm(*run)
    assert {type(event) for event in events} >= {say.Gain, say.Issue, say.Accept, say.Confirm, say.Write}
    assert relation.first_wrong(network, events) is None


def test_in_these_storms_everything_happens_that_can_be_told() -> None:
    """Otherwise nothing would have been held against that step."""
    seen = {type(event) for run in RUNS for event in storm(*run)[1]}
    assert seen == {kind for kind in vars(say).values() if isinstance(kind, type) and issubclass(kind, Event)} - {Event}
    assert {event.kind for run in RUNS for event in storm(*run)[1] if isinstance(event, say.Accept)} == set(Kind)


# Planted in what was told

REAL = ("mixed", 14, 8)


@attrs.frozen
class Plant:
    """A change of one event of a real run."""

    what: type[Event]
    change: Callable[[Any, "Told"], list[Event] | None]
    """The events in its place; None: it cannot be planted here."""
    why: str
    """What the relation says, there or where it shows."""


@attrs.frozen
class Told:
    """A run, and where in it one is."""

    network: say.Network
    events: tuple[Event, ...]
    place: int

    def fallback_ma(self, unit: int) -> int:
        """Return what a unit may draw alone."""
        return self.network.fallbacks_ma[unit]

    def last(self, what: type[Event], member: int | None = None) -> Any:
        """Return the last event of a kind before, of a member or of anybody."""
        before = reversed(self.events[: self.place])
        return next((one for one in before if type(one) is what and member in (None, one.member)), None)


def above_the_fit(event: say.Issue, told: Told) -> list[Event] | None:
    """Booked as it should be, and more than is free."""
    if event.kind is not Kind.RAISE:
        return None
    amps_ma = told.network.greatest_ma[event.unit]
    entry = Entry(amps_ma, event.ledger[event.unit].until_ms)
    ledger = (*event.ledger[: event.unit], entry, *event.ledger[event.unit + 1 :])
    return None if amps_ma == event.amps_ma else [attrs.evolve(event, amps_ma=amps_ma, ledger=ledger)]


def of_an_old_term(event: say.Accept, told: Told) -> list[Event] | None:
    """The first authority's, after the second has been bowed to."""
    first = next(one for one in told.events if isinstance(one, say.Gain))
    return [attrs.evolve(event, term=first.term)] if first.term < event.term else None


def counts_until_later(event: say.Gain, told: Told) -> list[Event]:
    """A new ledger that waits a second too short."""
    ledger = tuple(Entry(entry.high_ma, entry.until_ms - 1_000) for entry in event.ledger)
    return [attrs.evolve(event, ledger=ledger)]


def promised_to_somebody_else(event: say.Answer, told: Told) -> list[Event] | None:
    """A voter that is not free says yes."""
    return None if event.yes else [attrs.evolve(event, yes=True, until_ms=event.clock_ms + 5_000)]


def from_receipt(event: say.Accept, told: Told) -> list[Event] | None:
    """A lease counted from when the grant was received."""
    if event.kind is not Kind.RAISE or event.until_ms == event.clock_ms + 10_000:
        return None
    return [attrs.evolve(event, until_ms=event.clock_ms + 10_000)]


def tail_forgotten(event: say.Report, told: Told) -> list[Event] | None:
    """A report says the new ceiling while the car may still draw the former one."""
    return [attrs.evolve(event, most_ma=event.ceiling_ma)] if event.most_ma > event.ceiling_ma else None


def cap_longer(event: say.Report, told: Told) -> list[Event] | None:
    """A cap told for longer than the device keeps it."""
    return [attrs.evolve(event, cap_left_ms=event.cap_left_ms + 1_000)] if event.cap_left_ms else None


def learnt_too_early(event: say.Learn, told: Told) -> list[Event] | None:
    """The leader believes a decrease while the car may still draw more."""
    fallback_ma = told.fallback_ma(event.unit)
    return [attrs.evolve(event, entry=Entry(fallback_ma, 0))] if event.entry.high_ma > fallback_ma else None


def once_more(event: say.Accept, told: Told) -> list[Event]:
    """A grant applied twice."""
    return [event, event]


def after_a_restart(event: say.Accept, told: Told) -> list[Event]:
    """A grant to the process before."""
    moment = {"at_ms": event.at_ms, "member": event.member, "clock_ms": event.clock_ms}
    return [say.Restart(**moment, boot=77, until_ms=event.clock_ms + told.network.times.cold_ms), event]


def for_another_car(event: say.Accept, told: Told) -> list[Event] | None:
    """A raise for the car before."""
    report = told.last(say.Report, event.member)
    if report is None or not report.ceiling_ma == told.fallback_ma(event.member) > 0:
        return None
    moment = {"at_ms": event.at_ms, "member": event.member, "clock_ms": event.clock_ms}
    plug = say.Plug(**moment, session=report.session + 9, ceiling_ma=report.ceiling_ma, until_ms=None)
    return [plug, event]


def above_the_ceiling(event: say.Write, told: Told) -> list[Event]:
    """A device told to offer more than was granted."""
    return [attrs.evolve(event, offer_ma=event.offer_ma + 40_000)]


def term_used_before(event: say.Gain, told: Told) -> list[Event] | None:
    """A second authority of one process under its first one's term."""
    before = told.last(say.Gain, event.member)
    return [attrs.evolve(event, term=before.term)] if before and before.term[2] == event.term[2] else None


def decisive(event: say.Count, told: Told) -> list[Event] | None:
    """The promise that made the majority was not counted."""
    following = next((one for one in told.events[told.place + 1 :] if one.member == event.member), None)
    return [] if isinstance(following, say.Gain) else None


def gone(event: Event, told: Told) -> list[Event]:
    """It does not happen."""
    return []


PLANTS = {
    "a raise above what fits": Plant(say.Issue, above_the_fit, "would carry"),
    "a raise that is not booked": Plant(
        say.Issue,
        lambda event, told: [attrs.evolve(event, amps_ma=event.amps_ma + 1_000)] if event.kind is Kind.RAISE else None,
        "must count unit",
    ),
    "a second grant to one report": Plant(
        say.Issue, lambda event, told: [event, attrs.evolve(event, seq=event.seq + 1)], "has had one"
    ),
    "a grant of an old term": Plant(say.Accept, of_an_old_term, "below the fence"),
    "a grant applied twice": Plant(say.Accept, once_more, "not newer than the last"),
    "a grant to the process before": Plant(say.Accept, after_a_restart, "answers no report of this process"),
    "a grant to the car before": Plant(say.Accept, for_another_car, "for another car"),
    "a lease counted from receipt": Plant(say.Accept, from_receipt, "its lease ends at"),
    "a promise that was not made": Plant(
        say.Answer, lambda event, told: [] if event.yes else None, "there is no such promise"
    ),
    "a promise to two": Plant(say.Answer, promised_to_somebody_else, "not to this leader"),
    "a promise counted too long": Plant(
        say.Count, lambda event, told: [attrs.evolve(event, until_ms=event.until_ms + 100)], "the promise counts until"
    ),
    "a majority that was not counted": Plant(say.Count, decisive, "not count more than half of the weight"),
    "authority that does not end": Plant(say.Lose, gone, "it still has authority|a leader claims its authority"),
    "a ledger without authority": Plant(say.Gain, gone, "it has no authority"),
    "a ledger that does not wait": Plant(say.Gain, counts_until_later, "a new ledger waits until"),
    "a term used before": Plant(say.Gain, term_used_before, "never used before"),
    "a report that forgets the tail": Plant(say.Report, tail_forgotten, "the car may still draw"),
    "a cap told for too long": Plant(say.Report, cap_longer, "the cap that the device has lasts for"),
    "a decrease believed too early": Plant(say.Learn, learnt_too_early, "the ledger must count unit"),
    "an old report taken in": Plant(say.Learn, lambda event, told: [event, event], "was taken in before"),
    "a lease held on": Plant(say.Expire, gone, "is still held"),
    "a restart to the fall-back": Plant(
        say.Restart, lambda event, told: [attrs.evolve(event, ceiling_ma=6_000)], "a restarted unit is at 0"
    ),
    "an offer above the ceiling": Plant(say.Write, above_the_ceiling, "the offer is above the ceiling"),
    "a cold hold too short": Plant(
        say.Restart, lambda event, told: [attrs.evolve(event, until_ms=event.until_ms - 2_000)], "its lease ends at"
    ),
}
EACH = 5
"""Each is planted in so many places of the run, spread over all where it can be."""


def planted(plant: Plant) -> Iterator[list[Event]]:
    """Yield the run with the plant in it, in one place after the other."""
    network, events = storm(*REAL)
    places = []
    for place, event in enumerate(events):
        if type(event) is plant.what:
            instead = plant.change(event, Told(network, events, place))
            if instead is not None:
                places.append((place, instead))
    for place, instead in places[:: max(1, len(places) // EACH)]:
        yield [*events[:place], *instead, *events[place + 1 :]]


@pytest.mark.parametrize("name", PLANTS)
def test_a_forbidden_step_in_a_real_run_is_refused(name: str) -> None:
    """For the reason that it is wrong, wherever it is planted."""
    network, _ = storm(*REAL)
    wrongs = [relation.first_wrong(network, run) for run in planted(PLANTS[name])]
    assert len(wrongs) >= 3
    for wrong in wrongs:
        assert wrong is not None
        assert re.search(PLANTS[name].why, wrong.why)


# Planted in the code


def unlimited(original: Callable[..., Any]) -> Callable[..., Any]:
    """Nothing limits anything while this is asked."""

    def asked(ledger: Ledger, *arguments: int) -> Any:
        kernel = ledger._kernel
        kept = list(kernel.limit_now), list(kernel.limit_later)
        for row in range(len(kept[0])):
            kernel.limit_now[row] = kernel.limit_later[row] = 1_000_000
        answer = original(ledger, *arguments)
        for row, (now_ma, later_ma) in enumerate(zip(*kept, strict=True)):
            kernel.limit_now[row], kernel.limit_later[row] = now_ma, later_ma
        return answer

    return asked


def promises_anybody(promise: Promise, term: Any, claims: bool, now_ms: int) -> Answer:
    """A promise given before does not count."""
    promise.until_ms = min(promise.until_ms, now_ms)
    return HEARD(promise, term, claims, now_ms)


def votes_at_once(promise: Promise, promise_ms: int, now_ms: int) -> None:
    """A restarted voter is free."""
    PROMISE(promise, promise_ms, now_ms)
    promise.until_ms = now_ms


HEARD, PROMISE, TICK, ACCEPT, ANSWERED, LEARN = (
    Promise.heard,
    Promise.__init__,
    Elector.tick,
    Holder.accept,
    Elector.answered,
    Ledger.learn,
)
MISTAKEN = ("mixed", 6, 8)
CODE: dict[str, tuple[list[tuple[type, str, Callable[..., Any]]], str]] = {
    "no fit test": (
        [(Ledger, name, unlimited(getattr(Ledger, name))) for name in ("issue", "room_ma")],
        "would carry",
    ),
    "the tail is forgotten": ([(Tail, "most_ma", lambda *_: 0)], "the car may still draw"),
    "a cap is told before the device has it": (
        [(Holder, "cap_left_ms", lambda holder, now_ms: max(0, (holder.until_ms or now_ms) - now_ms))],
        "the cap that the device has lasts for",
    ),
    "a voter promises itself to anybody": ([(Promise, "heard", promises_anybody)], "not to this leader"),
    "a restarted voter votes at once": ([(Promise, "__init__", votes_at_once)], "not to this leader"),
    "authority does not lapse": (
        [(Elector, "tick", lambda elector, now_ms: None if elector.leads else TICK(elector, now_ms))],
        "its authority ended",
    ),
    "a promise is counted from receipt": (
        [
            (
                Elector,
                "answered",
                lambda one, member, *, promised, sent_ms, now_ms: ANSWERED(
                    one, member, promised=promised, sent_ms=max(sent_ms, now_ms), now_ms=now_ms
                ),
            )
        ],
        "there is no such promise",
    ),
    "a lease is counted from receipt": (
        [(Holder, "accept", lambda one, grant, now_ms: ACCEPT(one, attrs.evolve(grant, stamp_ms=now_ms), now_ms))],
        "its lease ends at",
    ),
    "a new authority waits half as long": (
        [(Ledger, "open", lambda one, now_ms: one._kernel.open(now_ms, one._timing.wait_ms // 2))],
        "a new ledger waits until",
    ),
    "what is outstanding is taken for applied": (
        [(Ledger, "learn", lambda *one, **told: LEARN(*one, **{**told, "settled": True}))],
        "the ledger must count unit",
    ),
}


@pytest.mark.parametrize("name", CODE)
def test_a_mistake_in_the_code_is_refused(name: str) -> None:
    """The nodes run with the mistake; what they do is no longer what the models allow."""
    changes, why = CODE[name]
    with ExitStack() as stack:
        for owner, method, changed in changes:
            stack.enter_context(patch.object(owner, method, changed))
        network, events = weather(*MISTAKEN)
    wrong = relation.first_wrong(network, events)
    assert wrong is not None
    assert why in wrong.why
