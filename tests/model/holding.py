"""The unit's half of grant.pml in milliseconds: which of its steps are allowed, and what they leave behind."""

import attrs
from tests.model.vocabulary import (
    NO_TERM,
    Accept,
    Answer,
    Confirm,
    Contact,
    Event,
    Expire,
    Gain,
    Kind,
    Network,
    Plug,
    Report,
    Restart,
    Term,
    Write,
    found,
    remember,
    require,
)


@attrs.define
class Former:
    """A former ceiling that the car may still draw. What is not known exactly has an earliest and a latest end."""

    amps_ma: int
    write: int
    """The write whose answer starts its end; 0: the pilot was low already."""
    ends_ms: int | None
    alone_ms: int | None
    """When the device left alone has brought the car down: earliest end where no answer came before."""

    def surely_at(self, now_ms: int) -> bool:
        """Whether a right account must still count it."""
        ends = [end_ms for end_ms in (self.ends_ms, self.alone_ms) if end_ms is not None]
        return not ends or now_ms < min(ends)

    def maybe_at(self, now_ms: int) -> bool:
        """Whether a right account may still count it."""
        return self.ends_ms is None or now_ms < self.ends_ms


@attrs.define
class Unit:
    """One unit, as its steps have left it."""

    network: Network
    number: int
    boot: int | None = None
    boots: set[int] = attrs.field(factory=set)
    session: int = 0
    ceiling_ma: int = 0
    until_ms: int | None = None
    fence: Term = NO_TERM
    seq: int = 0
    closed: bool = True
    told: int = 0
    answered: int = 0
    unanswered: dict[int, Write] = attrs.field(factory=dict)
    confirmed_ma: int | None = None
    confirmed_until_ms: int | None = None
    formers: list[Former] = attrs.field(factory=list)
    speaks_from_ms: int | None = None
    reports: dict[int, Report] = attrs.field(factory=dict)
    report_no: int = 0

    @property
    def fallback_ma(self) -> int:
        """What it may draw alone."""
        return self.network.fallbacks_ma[self.number]

    def alive(self, event: Event) -> None:
        """A lease ends in time: nothing else happens at or after its end. A device may leave a cap before."""
        require(self.boot is not None, "the unit has not started")
        over = self.until_ms is not None and event.clock_ms >= self.until_ms
        require(not over, f"its lease ended at {self.until_ms} on its clock and is still held")
        kept_ms = self.confirmed_until_ms
        if kept_ms is not None and event.clock_ms >= kept_ms and self.ceiling_ma < self.fallback_ma:
            # What was to renew the cap came too late, for all that is known.
            self._left()
            self.formers.append(Former(self.fallback_ma, self.told, None, None))

    def most_ma(self, now_ms: int) -> tuple[int, int]:
        """Return the least and the greatest that a right account of e may say."""
        surely = [former.amps_ma for former in self.formers if former.surely_at(now_ms)]
        maybe = [former.amps_ma for former in self.formers if former.maybe_at(now_ms)]
        return max([self.ceiling_ma, *surely]), max([self.ceiling_ma, *maybe])

    def restart(self, event: Restart) -> None:
        """It remembers nothing: 0 until every cap that it may have held is over."""
        require(event.boot not in self.boots, "two processes have one boot number")
        self.boots.add(event.boot)
        self.boot, self.ceiling_ma, self.until_ms = event.boot, 0, event.clock_ms + self.network.times.cold_ms
        require(event.ceiling_ma == 0, "a restarted unit is at 0, whatever its fall-back")
        self._until(event.until_ms)
        self.session = self.seq = self.told = self.answered = self.report_no = 0
        self.fence, self.closed, self.confirmed_ma, self.speaks_from_ms = NO_TERM, True, None, None
        self.confirmed_until_ms = None
        self.formers, self.unanswered, self.reports = [], {}, {}

    def write(self, event: Write) -> None:
        """The device never has more than the ceiling, nor for longer; and a cap for no shorter."""
        self.alive(event)
        require(event.write >= self.told, "the numbers of writes grow")
        require(event.offer_ma <= self.ceiling_ma, f"the offer is above the ceiling of {self.ceiling_ma} mA")
        until = float("inf") if event.until_ms is None else event.until_ms
        lease = float("inf") if self.until_ms is None else self.until_ms
        if self.ceiling_ma > self.fallback_ma:
            require(until <= lease, "the device would hold a raise for longer than the unit")
        else:
            require(until >= lease, "the device would hold a cap for shorter than the unit")
        self.told = event.write
        if event.write > self.answered:
            self.unanswered[event.write] = event

    def confirm(self, event: Confirm) -> None:
        """The car follows from when the pilot has changed, never from when it was decided."""
        require(event.when_ms <= event.clock_ms, "confirmed before it happened")
        require(self.answered <= event.write <= self.told, "confirms what was not told, or is void")
        self.answered = event.write
        self.unanswered = {number: write for number, write in self.unanswered.items() if number > event.write}
        self.confirmed_ma, self.confirmed_until_ms = event.offer_ma, event.until_ms
        tail_ms = self.network.times.tail_ms
        for former in self.formers:
            if former.ends_ms is None and former.write <= event.write:
                former.ends_ms = event.when_ms + tail_ms
        self._nothing_drawn(event.clock_ms)
        if self.speaks_from_ms is None and event.offer_ma == 0:
            self.speaks_from_ms = event.when_ms + (tail_ms if self.closed else 0)

    def contact(self, event: Contact) -> None:
        """With an open contactor nothing is drawn, and what will be follows the pilot as it is then."""
        self.closed = event.closed
        self._nothing_drawn(event.clock_ms)

    def plug(self, event: Plug) -> None:
        """What was granted to the car before is void; what holds the unit low is not."""
        self.alive(event)
        require(event.session > self.session, "the session grows with every car")
        self.session = event.session
        if self.ceiling_ma > self.fallback_ma:
            self._set(self.fallback_ma, None, event.clock_ms)
        if event.ceiling_ma < self.ceiling_ma == self.fallback_ma:
            # Nobody needs leave to go lower; the leader learns of it as of any cap.
            self._set(event.ceiling_ma, event.clock_ms + self.network.times.cap_ms, event.clock_ms)
        self._ceiling(event.ceiling_ma)
        self._until(event.until_ms)

    def gain(self, event: Gain) -> None:
        """Its own fence moves as it begins to lead."""
        self._bow(event.term)

    def answer(self, event: Answer) -> None:
        """The fence moves with a yes and with a claim, before anything is reported."""
        self.alive(event)
        require(event.term >= self.fence, "answers a term below its fence")
        if event.yes or event.claims:
            self._bow(event.term)

    def accept(self, event: Accept) -> None:
        """A grant counts from the report that it answers, and is applied once, in order, under the fence."""
        self.alive(event)
        report = found(self.reports.get(event.report_no), "the grant answers no report of this process")
        require(event.term >= self.fence, "the grant is of a term below the fence")
        self._bow(event.term)
        require(event.seq > self.seq, "the grant is not newer than the last one applied")
        times = self.network.times
        require(report.session == self.session, "the grant was for another car")
        require(event.clock_ms - report.clock_ms < times.raise_ms, "the report that the grant answers is too old")
        require_kind(event.kind, event.amps_ma, self.fallback_ma)
        require(event.amps_ma <= self.network.greatest_ma[self.number], "the unit cannot offer so much")
        self.seq = event.seq
        if event.kind is Kind.TRIM:
            self._set(min(self.ceiling_ma, event.amps_ma), self.until_ms, event.clock_ms)
        else:
            lease_ms = {Kind.RAISE: times.raise_ms, Kind.CAP: times.cap_ms}.get(event.kind)
            self._set(event.amps_ma, None if lease_ms is None else report.clock_ms + lease_ms, event.clock_ms)
        self._ceiling(event.ceiling_ma)
        self._until(event.until_ms)

    def expire(self, event: Expire) -> None:
        """A lease, or the cold hold, is over, and not a moment before."""
        until_ms = found(self.until_ms, "no lease is running")
        require(event.clock_ms >= until_ms, f"its lease runs until {until_ms} on its clock")
        self._left()
        self._set(self.fallback_ma, None, event.clock_ms)
        self._ceiling(event.ceiling_ma)

    def report(self, event: Report) -> None:
        """It says what it may be drawing, not what it wishes to."""
        self.alive(event)
        spoken = self.speaks_from_ms is not None and event.clock_ms >= self.speaks_from_ms
        require(spoken, "it reports while the car may still draw what a former process allowed")
        require(event.report_no > self.report_no, "the numbers of reports grow")
        require(event.term >= self.fence, "it reports to a term below its fence")
        if event.claims:
            self._bow(event.term)
        require(event.fence == self.fence, f"its fence is {self.fence}: a claim moves it before the report is made")
        require(event.seq == self.seq, f"the last grant that it applied is {self.seq}")
        require(event.session == self.session, f"its session is {self.session}")
        self._ceiling(event.ceiling_ma)
        least_ma, greatest_ma = self.most_ma(event.clock_ms)
        greatest_ma = max(greatest_ma, event.measured_ma)
        require(event.most_ma >= least_ma, f"the car may still draw {least_ma} mA")
        require(event.most_ma <= greatest_ma, f"the car can draw no more than {greatest_ma} mA")
        if event.most_ma < self.fallback_ma:
            self._cap_left(event)
        self.report_no = event.report_no
        remember(self.reports, event.report_no, event)

    def _nothing_drawn(self, now_ms: int) -> None:
        """An open contactor ends what the pilot surely allows no more."""
        if not self.closed:
            for former in self.formers:
                if former.ends_ms is not None:
                    former.alone_ms = now_ms

    def _left(self) -> None:
        """The device went to its fall-back by itself: what it says is not known before it answers again."""
        self.confirmed_until_ms = None
        if self.confirmed_ma is not None:
            self.confirmed_ma = max(self.confirmed_ma, self.fallback_ma)

    def _cap_left(self, event: Report) -> None:
        """A cap lasts as long as the device does so by itself, whichever write is the last that it takes in."""
        ends = [self.until_ms]
        if self.network.caps_confirmed:
            lasts = [
                write.until_ms if write.offer_ma < self.fallback_ma else None for write in self.unanswered.values()
            ]
            ends += [self.confirmed_until_ms, *lasts]
        left_ms = min(event.clock_ms if end_ms is None else end_ms for end_ms in ends) - event.clock_ms
        left_ms = max(0, left_ms)
        require(event.cap_left_ms <= left_ms, f"the cap that the device has lasts for {left_ms} ms")
        require(event.cap_left_ms >= left_ms - self.network.slack_ms, f"the cap lasts for {left_ms} ms")

    def _bow(self, term: Term) -> None:
        if term > self.fence:
            self.fence, self.seq = term, 0

    def _set(self, ceiling_ma: int, until_ms: int | None, now_ms: int) -> None:
        former_ma, former_until_ms = self.ceiling_ma, self.until_ms
        self.ceiling_ma, self.until_ms = ceiling_ma, until_ms
        if ceiling_ma >= former_ma:
            return
        tail_ms = self.network.times.tail_ms
        offers = [write.offer_ma for write in self.unanswered.values()]
        # Until its device has answered once, the pilot may say anything.
        low = self.confirmed_ma is not None and max([self.confirmed_ma, *offers]) <= ceiling_ma
        alone_ms = None
        if former_until_ms is not None and former_ma > self.fallback_ma <= ceiling_ma:
            alone_ms = former_until_ms + tail_ms
        if low and not self.closed:
            alone_ms = now_ms
        self.formers = [former for former in self.formers if former.maybe_at(now_ms)]
        # What is under way may bring the pilot there already: then nothing that follows takes it up again.
        is_under_way = bool(offers) and offers[-1] <= ceiling_ma
        write = 0 if low else self.told + (not is_under_way)
        self.formers.append(Former(former_ma, write, now_ms + tail_ms if low else None, alone_ms))

    def _ceiling(self, observed_ma: int) -> None:
        require(observed_ma == self.ceiling_ma, f"its ceiling is {self.ceiling_ma} mA")

    def _until(self, observed_ms: int | None) -> None:
        require(observed_ms == self.until_ms, f"its lease ends at {self.until_ms} on its clock")


def require_kind(kind: Kind, amps_ma: int, fallback_ma: int) -> None:
    """Refuse a grant whose amps are not what its kind says."""
    right = {
        Kind.RAISE: amps_ma > fallback_ma,
        Kind.CAP: amps_ma < fallback_ma,
        Kind.FALL_BACK: amps_ma == fallback_ma,
        Kind.TRIM: amps_ma >= fallback_ma,
    }
    require(right[kind], f"{amps_ma} mA is no {kind.value} of a unit whose fall-back is {fallback_ma} mA")
