"""Tells what real nodes do in the words of `vocabulary`: a storm is run, and every step of its nodes written down.

Nodes have no ears for this: for as long as a network is listened to, the methods in which something happens are
wrapped. So events come out in the order in which they happen, also within one step, and with the values that the code
has at that moment; nothing is computed here that the relation computes.

    with listening(network) as events:
        network.run(60_000)
    wrong = relation.first_wrong(commissioned(network), events)
"""

# ruff: noqa: ANN401 - what is wrapped is of any kind
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import attrs
from tests.model import vocabulary as say
from tests.model.vocabulary import Entry, Event, Kind, Network, Row, Term, Times

from powershare.constraints import compile_site
from powershare.election import Answer, Authority, Cause, Elector, Promise
from powershare.leases import Grant, Granting, Holder
from powershare.leases.ledger import GrantKind, Ledger
from powershare.node import Node
from powershare.node.membership import Membership
from powershare.node.messages import Heartbeat, StatusReport
from powershare.node.unit import Echo, Unit
from powershare.simulation.network import network as simulated

KINDS = {
    GrantKind.RAISE: Kind.RAISE,
    GrantKind.CAP: Kind.CAP,
    GrantKind.FALL_BACK: Kind.FALL_BACK,
    GrantKind.TRIM: Kind.TRIM,
}


def commissioned(network: simulated.Network) -> Network:
    """Return a simulated network's configuration as the relation reads it."""
    config, timing = network.config, network.config.timing
    ledger = Ledger(compile_site(config.site), config.fallbacks_ma, timing)
    on = [ledger.rows_of(place) for place in range(len(config.site.connectors))]
    rows = tuple(
        Row(limit_ma, frozenset(place for place, mine in enumerate(on) if row in mine))
        for row, limit_ma in enumerate(_limits(ledger, "limit_later"))
    )
    times = Times(
        promise_ms=timing.promise_ms,
        raise_ms=timing.raise_lease_ms,
        cap_ms=timing.cap_lease_ms,
        cold_ms=timing.cold_hold_ms,
        echo_ms=timing.echo_ms,
        follow_ms=timing.follow_ms,
        write_ms=timing.write_ms,
        tail_ms=timing.tail_ms,
        wait_ms=timing.wait_ms,
        drift_ppm=timing.drift_ppm,
    )
    return Network(
        fallbacks_ma=config.fallbacks_ma,
        greatest_ma=tuple(connector.max_offer_ma for connector in config.site.connectors),
        weights=config.weights,
        rows=rows,
        times=times,
    )


@contextmanager
def listening(network: simulated.Network) -> Iterator[list[Event]]:
    """Write down what the nodes of a network do, from before it is switched on."""
    ears = Ears(network)
    with ExitStack() as stack:
        for owner, name, hear in HEARD:
            stack.enter_context(patch.object(owner, name, _wrapped(ears, getattr(owner, name), hear)))
        yield ears.events


def _wrapped(ears: "Ears", original: Callable[..., Any], hear: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def heard(*arguments: Any, **named: Any) -> Any:
        return hear(ears, original, *arguments, **named)

    return heard


def _limits(ledger: Ledger, which: str) -> list[int]:
    return list(getattr(ledger._kernel, which))


def _entries(ledger: Ledger) -> tuple[Entry, ...]:
    return tuple(Entry(high_ma, until_ms) for high_ma, until_ms in zip(ledger.high_ma, ledger.until_ms, strict=True))


def _plain(term: Any) -> Term:
    return (term.counter, term.leader, term.boot)


Call = Callable[..., Any]


@attrs.define
class Ears:
    """Who acts at the moment, and what has been told so far. Each method stands around one method of the code."""

    network: simulated.Network
    events: list[Event] = attrs.field(factory=list)
    node: Node | None = None
    now_ms: int = 0
    claims: dict[tuple[Term, int], bool] = attrs.field(factory=dict)
    """By term and time of sending, whether a heartbeat claimed authority."""
    term: Term = say.NO_TERM
    """Of the heartbeat that is being taken in, or under which a leader decides."""
    heartbeat_ms: int = 0
    limits_ma: list[int] = attrs.field(factory=list)
    writes: dict[int, dict[int, int | None]] = attrs.field(factory=dict)
    """By process and number, until when what was written holds, while it is not answered."""
    last_write: dict[int, int] = attrs.field(factory=dict)

    @property
    def acting(self) -> Node:
        """The node that acts."""
        assert self.node is not None, "something happens outside of a step"
        return self.node

    def tell(self, what: Callable[..., Event], /, **values: Any) -> None:
        """Write one event down."""
        member = self.acting.config.member_index[self.acting.member]
        self.events.append(what(at_ms=self.network.engine.now_ms, member=member, clock_ms=self.now_ms, **values))

    # The node

    def started(self, original: Call, node: Node, *arguments: Any, now_ms: int, **named: Any) -> None:
        """A process starts."""
        original(node, *arguments, now_ms=now_ms, **named)
        self.node, self.now_ms = node, now_ms
        holder = None if node.unit is None else node.unit.holder
        values = {} if holder is None else {"ceiling_ma": holder.ceiling_ma, "until_ms": holder.until_ms}
        self.tell(say.Restart, boot=node.boot, **values)

    def step(self, original: Call, node: Node, event: object, now_ms: int) -> Any:
        """Whatever happens until it returns, happens to this node now."""
        self.node, self.now_ms = node, now_ms
        return original(node, event, now_ms)

    def turned(self, original: Call, node: Node, cause: Cause | None, now_ms: int) -> None:
        """With a majority a ledger begins."""
        original(node, cause, now_ms)
        if cause is Cause.MAJORITY and node.leading is not None:
            ledger = node.leading.granting.ledger
            self.limits_ma = _limits(ledger, "limit_later")
            self.tell(say.Gain, term=_plain(node.elector.term), ledger=_entries(ledger))

    def decide(self, original: Call, node: Node, leading: object, now_ms: int) -> None:
        """A leader decides, and hears its own unit as if it had sent it a heartbeat."""
        self.term = _plain(node.elector.term)
        self._asks(self.term, claims=True)
        original(node, leading, now_ms)

    def sent(self, original: Call, membership: Membership, number: int, message: Heartbeat, now_ms: int) -> None:
        """A heartbeat is sent."""
        if message.releases:
            self.claims[_plain(message.term), now_ms] = False
        else:
            self._asks(_plain(message.term), claims=message.claims)
        original(membership, number, message, now_ms)

    def _asks(self, term: Term, *, claims: bool) -> None:
        if self.claims.get((term, self.now_ms)) is not claims:
            self.claims[term, self.now_ms] = claims
            self.tell(say.Ask, term=term, claims=claims)

    # Votes

    def tick(self, original: Call, elector: Elector, now_ms: int) -> Any:
        """Authority may lapse."""
        led, cause = elector.leads, original(elector, now_ms)
        if led and not elector.leads:
            self.tell(say.Lose)
        return cause

    def ask(self, original: Call, elector: Elector, now_ms: int) -> Any:
        """Its own vote is cast as it sends."""
        self.heartbeat_ms = now_ms
        self._asks(_plain(elector.term), claims=elector.leads)
        return original(elector, now_ms)

    def heartbeat(self, original: Call, elector: Elector, term: Any, *, sent_ms: int, **named: Any) -> Any:
        """A heartbeat comes in."""
        self.term, self.heartbeat_ms = _plain(term), sent_ms
        return original(elector, term, sent_ms=sent_ms, **named)

    def answer(self, original: Call, promise: Promise, term: Any, claims: Any, now_ms: int) -> Any:
        """A vote."""
        answer = original(promise, term, claims, now_ms)
        if answer is not Answer.BELOW:
            values: dict[str, Any] = {"heartbeat_ms": self.heartbeat_ms, "until_ms": promise.until_ms}
            self.tell(say.Answer, term=_plain(term), claims=claims, yes=answer is Answer.YES, **values)
        return answer

    def free(self, original: Call, promise: Promise, leader: tuple[int, int], now_ms: int) -> None:
        """A promise is given back."""
        self.tell(say.Free, leader=leader[0], leader_boot=leader[1])
        original(promise, leader, now_ms)

    def count(self, original: Call, authority: Authority, member: int, sent_ms: int) -> None:
        """A promise is counted."""
        original(authority, member, sent_ms)
        until_ms = authority._until_ms[member]
        self.tell(say.Count, voter=member, heartbeat_ms=sent_ms, until_ms=until_ms)

    def step_down(self, original: Call, elector: Elector, cause: Cause, now_ms: int) -> None:
        """Every claim is given up."""
        if elector.leads:
            self.tell(say.Lose)
        if cause is Cause.HANDED_OVER:
            self.tell(say.Release)
        original(elector, cause, now_ms)

    def refused(self, original: Call, elector: Elector, fence: Any) -> Any:
        """The counter is raised; authority, where there is any, goes on."""
        raised = original(elector, fence)
        if raised and elector.leads:
            self.tell(say.Climb, term=_plain(elector.term))
        return raised

    # The unit

    def expire(self, original: Call, holder: Holder, now_ms: int) -> Any:
        """A lease may end."""
        ended = original(holder, now_ms)
        if ended:
            self.tell(say.Expire, ceiling_ma=holder.ceiling_ma)
        return ended

    def accept(self, original: Call, holder: Holder, grant: Grant, now_ms: int) -> Any:
        """A grant may be applied."""
        applied = original(holder, grant, now_ms)
        if applied:
            grants: dict[str, Any] = {"seq": grant.seq, "kind": KINDS[grant.kind], "amps_ma": grant.ceiling_ma}
            after: dict[str, Any] = {"ceiling_ma": holder.ceiling_ma, "until_ms": holder.until_ms}
            self.tell(say.Accept, term=self.term, report_no=grant.report_no, **grants, **after)
        return applied

    def device(self, original: Call, holder: Holder, *, session_ended: bool, closed: bool, **named: Any) -> None:
        """The device says something of its vehicle or contactor."""
        self.tell(say.Contact, closed=closed)
        original(holder, session_ended=session_ended, closed=closed, **named)
        if session_ended:
            values: dict[str, Any] = {"ceiling_ma": holder.ceiling_ma, "until_ms": holder.until_ms}
            self.tell(say.Plug, session=holder.session, **values)

    def answered(self, original: Call, holder: Holder, write: int, offer_ma: int, at_ms: int, *, closed: bool) -> None:
        """The device answers a write."""
        writes = self.writes.setdefault(self.acting.boot, {})
        done = [number for number in writes if number <= write]
        if done:
            self.tell(say.Contact, closed=closed)
            until_ms = writes[done[-1]]
            self.writes[self.acting.boot] = {number: until for number, until in writes.items() if number > write}
            self.tell(say.Confirm, write=write, offer_ma=offer_ma, when_ms=at_ms, until_ms=until_ms)
        original(holder, write, offer_ma, at_ms, closed=closed)

    def pilot(self, original: Call, holder: Holder, now_ms: int) -> Any:
        """The device may be told something."""
        pilot = original(holder, now_ms)
        if pilot is not None:
            # A number that is told again prolongs what may have been answered already.
            if pilot.write > self.last_write.get(self.acting.boot, 0):
                self.last_write[self.acting.boot] = pilot.write
                self.writes.setdefault(self.acting.boot, {})[pilot.write] = pilot.until_ms
            self.tell(say.Write, write=pilot.write, offer_ma=pilot.offer_ma, until_ms=pilot.until_ms)
        return pilot

    def report(self, original: Call, unit: Unit, report_no: int, echo: Echo, *arguments: Any) -> StatusReport:
        """It says what it may be drawing."""
        report: StatusReport = original(unit, report_no, echo, *arguments)
        term = _plain(report.term)
        self.tell(
            say.Report,
            report_no=report.report_no,
            term=term,
            claims=self.claims[term, report.heartbeat_ms],
            heartbeat_ms=report.heartbeat_ms,
            fence=_plain(self.acting.elector.fence),
            seq=report.seq,
            session=report.session,
            ceiling_ma=report.ceiling_ma,
            most_ma=report.most_ma,
            cap_left_ms=report.cap_left_ms,
            measured_ma=report.measured_ma or 0,
        )
        return report

    # The leader

    def learn(self, original: Call, granting: Granting, place: int, report: StatusReport, now_ms: int) -> Any:
        """A report is taken in, if it is usable."""
        usable = original(granting, place, report, now_ms)
        if usable:
            entry = _entries(granting.ledger)[place]
            self.tell(say.Learn, unit=place, boot=report.boot, report_no=report.report_no, entry=entry)
        return usable

    def issue(
        self, original: Call, granting: Granting, account: Any, report: Any, kind: GrantKind, *arguments: int
    ) -> Any:
        """A grant is issued, if it may be."""
        issued = original(granting, account, report, kind, *arguments)
        if issued:
            answers: dict[str, Any] = {"unit": account.place, "boot": report.boot, "report_no": report.report_no}
            grants: dict[str, Any] = {"seq": account.seq, "kind": KINDS[kind], "amps_ma": account.grant.ceiling_ma}
            self.tell(say.Issue, **answers, **grants, ledger=_entries(granting.ledger))
        return issued

    def limits(self, original: Call, ledger: Ledger, *arguments: Any) -> None:
        """Other limits are in force."""
        original(ledger, *arguments)
        limits_ma = _limits(ledger, "limit_now")
        for row, (before_ma, limit_ma) in enumerate(zip(self.limits_ma, limits_ma, strict=True)):
            if limit_ma != before_ma:
                self.tell(say.Limit, row=row, limit_ma=limit_ma)
        self.limits_ma = limits_ma


HEARD: tuple[tuple[type, str, Call], ...] = (
    (Node, "__init__", Ears.started),
    (Node, "step", Ears.step),
    (Node, "_turned", Ears.turned),
    (Node, "_decide", Ears.decide),
    (Membership, "tell", Ears.sent),
    (Elector, "tick", Ears.tick),
    (Elector, "ask", Ears.ask),
    (Elector, "heard", Ears.heartbeat),
    (Elector, "_step_down", Ears.step_down),
    (Elector, "refused", Ears.refused),
    (Promise, "heard", Ears.answer),
    (Promise, "released", Ears.free),
    (Authority, "count", Ears.count),
    (Holder, "expire", Ears.expire),
    (Holder, "accept", Ears.accept),
    (Holder, "device", Ears.device),
    (Holder, "answered", Ears.answered),
    (Holder, "pilot", Ears.pilot),
    (Unit, "report", Ears.report),
    (Granting, "heard", Ears.learn),
    (Granting, "_issue", Ears.issue),
    (Ledger, "set_limits", Ears.limits),
)
"""What is listened to, and who stands around it."""
