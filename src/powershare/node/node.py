"""One member of a network: `step(event, now_ms) -> Output`. It votes, may lead, and has at most one connector.

# Rule 1: time first. What has run out by `now_ms` is over before the event is looked at; but a measurement is of
#         before, and is known when it is judged whether a vehicle has followed.
# Rule 2: an output is carried out in its order: lower, send, raise.
# Rule 3: a leader grants only with authority at the instant of the decision.
# Rule 4: leader and follower are roles; the unit of a leader gets its grants by the same rules as every other.
#
# Size: the order of what one step does is the promise; it is read in one piece.
"""

from collections import Counter

from powershare.election import NO_TERM, Answer, Cause, Elector, Role, Term
from powershare.errors import ContractError, MessageError
from powershare.node.codec import decode
from powershare.node.config import Commissioning, NetworkConfig, Stage
from powershare.node.door import Inside, admitted
from powershare.node.events import (
    Applied,
    Configure,
    DeviceState,
    Event,
    HandOver,
    Limited,
    Measured,
    Note,
    OtherLoad,
    Output,
    Received,
)
from powershare.node.leading import Leading, Surroundings
from powershare.node.membership import Membership
from powershare.node.messages import Confirmation, Heartbeat, Refusal, StatusReport, Vote
from powershare.node.unit import Echo, Unit

EARLY_MS = 20
"""The least time between two early words to one member: what cannot wait for the cycle does not become a flood."""


class Node:
    """One connector's brain, or a witness.

    Pure: the same configuration and the same events at the same times give the same outputs, byte for byte.

    Args:
        config: What its host has stored: a configuration, or a step on the way to the next.
        member: Its name: a connector of the site, or `witness`.
        boot: 64 random bits, new at each start of the process.
        now_ms: Now, on the node's clock: monotonic, and counting while the host sleeps (CLOCK_BOOTTIME).

    Attributes:
        elector: Its part in the election.
        unit: Its connector; None: it has none.
        leading: Its authority at work; None: it has no authority.
        counters: How often something was ignored, by reason.

    Raises:
        ContractError: The configuration has no such member, or `boot` is no 64-bit number.
    """

    elector: Elector

    def __init__(self, config: NetworkConfig | Commissioning, member: str, *, boot: int, now_ms: int = 0) -> None:
        if not 0 <= boot < 1 << 64:
            raise ContractError(f"boot is {boot!r}; give 64 random bits, new at each start")
        self.member, self.boot = member, boot
        self.counters: Counter[str] = Counter()
        self.unit: Unit | None = None
        self.leading: Leading | None = None
        self._now_ms = now_ms
        self._granted: Term | None = None
        self._offered_ma = self._report_no = 0
        self._notes: list[Note] = []
        self._fence: Term | None = None
        self._hold(config if isinstance(config, Commissioning) else Commissioning(config=config), now_ms)

    # What can be looked at

    @property
    def config(self) -> NetworkConfig:
        """The configuration it acts by."""
        return self._membership.config

    @property
    def commissioning(self) -> Commissioning:
        """What it holds."""
        return self._membership.commissioning

    @property
    def role(self) -> Role:
        """Follower, candidate or leader."""
        return self.elector.role

    @property
    def leads(self) -> bool:
        """Whether it has authority, as of the last event."""
        return self.leading is not None

    @property
    def following(self) -> str | None:
        """The member whose claim it has last bowed to; None: nobody's yet, or only its own as a candidate."""
        fence = self.elector.fence
        own = fence.leader == self._membership.number and not self.leads
        return None if fence == NO_TERM or own else self.config.members[fence.leader]

    @property
    def may_go_on(self) -> bool:
        """Whether it may take the next step towards another configuration: everybody holds the present one."""
        changing = self._membership.changing
        return changing is None or changing.may_go_on

    # What happens to it

    def step(self, event: Event, now_ms: int) -> Output:
        """Take in one event.

        Args:
            event: What happened.
            now_ms: Now: read after a receive returned, and before anything is sent.

        Returns:
            What to do, in the order of the output's fields.

        Raises:
            ContractError: The time went backwards, or the event does not fit the site, the time, or what a message
                can carry: as if it had not been told, nothing has changed. No other error is raised.
        """
        event = admitted(event, now_ms, Inside(self._now_ms, self._membership, self._own, self.unit is not None))
        self._now_ms = now_ms
        self._notes = []
        if isinstance(event, Measured):
            self._device(event, now_ms)
        self._turned(self.elector.tick(now_ms), now_ms)
        if self.unit is not None and self.unit.expire(now_ms):
            self._granted = None
            self._note("fall-back", "a lease, or the cold hold, is over")
        self._take(event, now_ms)
        self._change_on(now_ms)
        self._speak(now_ms)
        pilot = None if self.unit is None else self.unit.pilot(now_ms)
        lowers = pilot is not None and (pilot.offer_ma < self._offered_ma or pilot.open or pilot.keeps_low)
        if pilot is not None:
            self._offered_ma = pilot.offer_ma
        outbox, self._membership.outbox = self._membership.outbox, []
        return Output(
            lower=pilot if lowers else None,
            send=tuple(outbox),
            raise_=None if lowers else pilot,
            granted=None if pilot is None else self._granted,
            wake_ms=self._wake_ms(),
            notes=tuple(self._notes),
        )

    def _take(self, event: Event, now_ms: int) -> None:
        if isinstance(event, Received):
            self._receive(event.data, now_ms)
        elif isinstance(event, Applied | DeviceState):
            self._device(event, now_ms)
        elif isinstance(event, OtherLoad | Limited):
            self._surround(event)
        elif isinstance(event, HandOver):
            self._hand_over(now_ms)
        elif isinstance(event, Configure):
            self._configure(event.commissioning, now_ms)

    # Configuration

    def _hold(self, commissioning: Commissioning, now_ms: int) -> None:
        """Begin to act by a configuration, or by a step towards one."""
        membership = self._membership = Membership(commissioning, self.member, self.boot, now_ms)
        self._own = Surroundings(membership.config, membership.compiled)
        self._elect(membership.elector(now_ms, self._counter))
        if membership.has_unit:
            connector = membership.config.site.connectors[membership.number]
            timing, fallback_ma = membership.config.timing, membership.fallback_ma
            if self.unit is None:
                self.unit = Unit(connector, membership.number, fallback_ma, timing, self.boot, now_ms)
            else:
                self.unit.member = membership.number
                self.unit.holder.commission(fallback_ma, connector, timing, now_ms)
        self._echo: Echo | None = None
        self._led_ms: int | None = None
        self._round_ms = now_ms
        self._reported_ms = self._decided_ms = now_ms - EARLY_MS

    @property
    def _counter(self) -> int:
        """Of its last claim, under whatever configuration."""
        return 0 if self._fence is None else self.elector.term.counter

    def _elect(self, elector: Elector) -> None:
        self.elector, self._fence = elector, elector.fence

    def _configure(self, commissioning: Commissioning, now_ms: int) -> None:
        """Take a step; a promise given before is kept, since members and weights are the same until the last step."""
        self._hand_over(now_ms)
        elector = self.elector
        self._go_on(commissioning, now_ms)
        if commissioning.stage is Stage.TRANSITIONAL:
            self._elect(elector)
        self._note("configuration", f"holds a configuration, {commissioning.stage.value}")

    def _go_on(self, commissioning: Commissioning, now_ms: int) -> None:
        """Act by another one; what it was told of its surroundings, and what it was about to say, stays."""
        outbox, own = self._membership.outbox, self._own
        self._hold(commissioning, now_ms)
        self._membership.outbox = outbox
        self._own.keep(own, now_ms)

    def _change_on(self, now_ms: int) -> None:
        """Announce what it holds, and act by the next configuration once everybody holds it."""
        changing = self._membership.changing
        if changing is None:
            return
        if not self._keeps_to_the_step(now_ms):
            return
        for name in changing.due(now_ms):
            self._membership.confirm(name, Confirmation(changing.number, self.boot, asks=bool(changing.missing)))
        if changing.finished:
            self._settle(now_ms)

    def _keeps_to_the_step(self, now_ms: int) -> bool:
        """Whether its device, left alone, does no more than the step allows; of the last one: its vehicle, too.

        Then nothing is left of the former configuration, whatever its leases and times were, when others act by the
        next one.
        """
        unit = self.unit
        if unit is None:
            return True
        stage, holder = self.commissioning.stage, unit.holder
        followed = stage is not Stage.FINAL or (unit.may_speak(now_ms) and holder.most_ma(now_ms) <= holder.fallback_ma)
        return holder.settled and followed

    def _settle(self, now_ms: int) -> None:
        changing = self._membership.changing
        self._go_on(Commissioning(config=self.config), now_ms)
        self._membership.settled = changing
        self._note("configuration", "all members hold the new configuration")

    # Messages

    def _receive(self, data: bytes, now_ms: int) -> None:
        try:
            message = decode(data, self._membership.hash)
        except MessageError as error:
            self.counters[error.problems[0].field] += 1
            return
        if isinstance(message, Heartbeat):
            self._heartbeat(message, now_ms)
        elif isinstance(message, Vote):
            self._answered(message, now_ms)
        elif isinstance(message, Refusal):
            self._refused(message)
        else:
            self._confirmed(message)

    def _heartbeat(self, message: Heartbeat, now_ms: int) -> None:
        term = message.term
        if self._membership.number < 0 or not self._is_other(term.leader):
            return
        if self.commissioning.stage is Stage.FINAL and message.claims:
            self._settle(now_ms)  # whoever has authority was voted for by those who saw that all hold it
        leader = self.config.members[term.leader]
        led = self.leads
        answer = self.elector.heard(
            term, claims=message.claims, releases=message.releases, sent_ms=message.sent_ms, now_ms=now_ms
        )
        if answer is None:
            self.counters["repeated"] += 1
            return
        if led and self.role is Role.FOLLOWER:
            self._turned(Cause.OUTRANKED, now_ms)
        if self.leads:
            self._rise_above(self.elector.fence)  # its own vote may be another's
        self._bow()
        if answer is Answer.BELOW:
            self.counters["below the fence"] += 1
            self._membership.send(leader, Refusal(self._membership.number, term, self.elector.fence))
            return
        self._echo = Echo(term, message.sent_ms, promised=answer is Answer.YES and self._membership.votes)
        if message.claims:
            self._led_ms = now_ms
        if message.grant is not None and self.unit is not None:
            if self.unit.accept(message.grant, now_ms):
                self._granted = term
            else:
                self.counters["grant not applied"] += 1
        self._report(self._echo, now_ms, whole=message.claims)

    def _answered(self, message: Vote, now_ms: int) -> None:
        term, sent_ms = message.term, message.heartbeat_ms
        if not self._is_other(message.member) or (term.leader, term.boot) != (self._membership.number, self.boot):
            return
        if sent_ms > now_ms:
            self.counters["from the future"] += 1
            return
        promised = message.promised
        self._turned(self.elector.answered(message.member, promised=promised, sent_ms=sent_ms, now_ms=now_ms), now_ms)
        leading = self.leading
        if leading is None or term != self.elector.term:
            return
        leading.surroundings.passed_on(message, now_ms)
        if isinstance(message, StatusReport) and message.member < len(self.config.site.connectors):
            if not leading.heard(message, now_ms):
                self.counters["report too old"] += 1
            if leading.granting.duplicate(message.member, now_ms):
                self._note("duplicate", "two processes speak for it", self.config.members[message.member])

    def _refused(self, message: Refusal) -> None:
        if not self._is_other(message.member) or message.term != self.elector.term:
            return
        self._rise_above(message.fence)

    def _rise_above(self, fence: Term) -> None:
        """Ask with a term that nobody has to refuse."""
        if self.elector.refused(fence):
            self._round_ms = self._now_ms
            if self.leading is not None:
                self.leading.granting.new_term()

    def _confirmed(self, message: Confirmation) -> None:
        self.elector.heard_of()
        changing = self._membership.changing
        if changing is not None:
            changing.confirmed(message.member)
            return
        settled = self._membership.settled
        waiting = None if settled is None else settled.name_of(message.member)
        if settled is not None and message.asks and waiting is not None and waiting != self.member:
            # Somebody still waits to see that this member holds the configuration.
            self._membership.send(waiting, Confirmation(settled.number, self.boot, asks=False))

    def _is_other(self, number: int) -> bool:
        """Whether this is another member; a second process of this one is a mistake of the installation (A8)."""
        if number == self._membership.number:
            self.counters["own number"] += 1
            self._note("duplicate", "another process speaks for this member")
            return False
        return 0 <= number < len(self.config.members)

    # The unit and its surroundings

    def _device(self, event: Measured | Applied | DeviceState, now_ms: int) -> None:
        if self.unit is None:
            raise ContractError("this member has no device; tell it to the node of a connector")
        if isinstance(event, Measured):
            self.unit.measured(event, now_ms)
        elif isinstance(event, Applied):
            self.unit.applied(event, now_ms)
        else:
            self.unit.device(event, now_ms, led=self._led(now_ms))

    def _led(self, now_ms: int) -> bool:
        """Whether a leader with authority has been heard lately, or it is one itself."""
        return self.leads or (self._led_ms is not None and now_ms - self._led_ms < 3 * self.config.timing.cycle_ms)

    def _surround(self, event: OtherLoad | Limited) -> None:
        """Its own meter or interface says something: kept, passed on with reports, and used at once by who leads."""
        for surroundings in (self._own, None if self.leading is None else self.leading.surroundings):
            if surroundings is not None and isinstance(event, OtherLoad):
                surroundings.load(event.circuit, event.load_ma, event.at_ms)
            elif surroundings is not None and isinstance(event, Limited):
                surroundings.replace(event.limit, event.until_ms, self._now_ms)
        if self.leading is not None:
            self.leading.urgent = True
        elif self.unit is not None:
            self.unit.changed = True

    # Leading

    def _hand_over(self, now_ms: int) -> None:
        if not self.leads:
            return
        term = self.elector.term
        self.elector.hand_over(now_ms)
        self._turned(Cause.HANDED_OVER, now_ms)
        for number in self._membership.others():
            self._membership.tell(number, Heartbeat(term, now_ms, claims=False, releases=True), now_ms)

    def _turned(self, cause: Cause | None, now_ms: int) -> None:
        """After the role changed: begin or end to lead, and speak at once where it asks."""
        if cause is None:
            return
        self._bow()
        self._note(self.role.value, cause.value)
        if cause is Cause.MAJORITY:
            counted_ma = self.commissioning.counted_fallbacks_ma()
            self.leading = Leading(self.config, self._membership.compiled, counted_ma, self._own, now_ms)
        elif not self.elector.leads:
            self.leading = None
        if self.elector.asks:
            self._round_ms = now_ms

    def _bow(self) -> None:
        if self.elector.fence != self._fence:
            self._fence = self.elector.fence
            if self._echo is not None and self._echo.term < self._fence:
                self._echo = None  # nothing is reported under a claim below the fence
            if self.unit is not None:
                self.unit.holder.bow()

    # Speaking

    def _speak(self, now_ms: int) -> None:
        """Send what is due: rounds of heartbeats, early grants, early reports."""
        leading = self.leading
        if self.elector.asks and now_ms >= self._round_ms:
            self._round(now_ms)
        elif leading is not None and self._urgent() and now_ms - self._decided_ms >= EARLY_MS:
            self._decide(leading, now_ms)
            for number, account in enumerate(leading.granting.accounts):
                if number != self._membership.number and account.grant is not None and account.issued_ms == now_ms:
                    self._beat(number, now_ms)
            self._membership.repeat()
        if self._echo is not None and self._has_news(now_ms) and now_ms - self._reported_ms >= EARLY_MS:
            self._report(self._echo, now_ms, whole=True)
            self._membership.repeat()

    def _urgent(self) -> bool:
        """Whether a leader has something to decide that cannot wait for the cycle."""
        leading, unit = self.leading, self.unit
        news = unit is not None and unit.changed and unit.may_speak(self._now_ms)
        return leading is not None and (leading.urgent or news)

    def _has_news(self, now_ms: int) -> bool:
        """Whether a follower has something to say that its leader should not have to ask for."""
        unit = self.unit
        if unit is None or not unit.changed or self._echo is None or self.elector.asks:
            return False
        return unit.may_speak(now_ms)

    def _round(self, now_ms: int) -> None:
        """One heartbeat to everybody, with what is granted; who only asks does so twice as often."""
        self._turned(self.elector.ask(now_ms), now_ms)
        self._bow()
        if self.leading is not None:
            self._decide(self.leading, now_ms)
        for number in self._membership.others():
            self._beat(number, now_ms)
        cycle_ms = self.config.timing.cycle_ms
        self._round_ms = now_ms + (cycle_ms if self.leads else cycle_ms // 2)

    def _beat(self, number: int, now_ms: int) -> None:
        """One heartbeat to one member."""
        leading, grant = self.leading, None
        if leading is not None and number < len(self.config.site.connectors):
            grant = leading.to_send(number, now_ms)
        self._membership.tell(number, Heartbeat(self.elector.term, now_ms, self.leads, grant=grant), now_ms)

    def _decide(self, leading: Leading, now_ms: int) -> None:
        """Decide on grants; this node's own unit is heard first, and told at once."""
        self._decided_ms = now_ms
        unit, number = self.unit, self._membership.number
        if unit is None or not self._membership.has_unit or not unit.may_speak(now_ms):
            leading.decide(now_ms)
            return
        self._report_no += 1
        echo = Echo(self.elector.term, now_ms, promised=True)
        leading.heard(unit.report(self._report_no, echo, (), (), now_ms), now_ms)
        leading.decide(now_ms)
        grant = leading.to_send(number, now_ms)
        if grant is not None and unit.accept(grant, now_ms):
            self._granted = self.elector.term

    def _report(self, echo: Echo, now_ms: int, *, whole: bool) -> None:
        """Answer a heartbeat, or say what changed since."""
        self._report_no += 1
        readings, bounds = self._own.readings(now_ms), self._own.bounds(now_ms)
        leader = self.config.members[echo.term.leader]
        if whole and self.unit is not None and self.unit.may_speak(now_ms):
            self._reported_ms = now_ms
            self._membership.send(leader, self.unit.report(self._report_no, echo, readings, bounds, now_ms))
            return
        vote = Vote(
            member=self._membership.number,
            boot=self.boot,
            report_no=self._report_no,
            stamp_ms=now_ms,
            term=echo.term,
            heartbeat_ms=echo.sent_ms,
            promised=echo.promised,
            readings=readings,
            bounds=bounds,
        )
        self._membership.send(leader, vote)

    # Time

    def _wake_ms(self) -> int | None:
        """When something is due by time alone."""
        dues = [self.elector.next_ms()]
        if self.unit is not None:
            dues.append(self.unit.next_ms(self._now_ms))
        if self.elector.asks:
            dues.append(self._round_ms)
        if self._urgent():
            dues.append(self._decided_ms + EARLY_MS)
        elif self._has_news(self._now_ms):
            dues.append(self._reported_ms + EARLY_MS)
        if self._membership.changing is not None and self._keeps_to_the_step(self._now_ms):
            dues.append(self._membership.changing.next_ms)
        return min((due_ms for due_ms in dues if due_ms is not None), default=None)

    def _note(self, word: str, text: str, about: str | None = None) -> None:
        self._notes.append(Note(word, about if about is not None else self.member, text))
