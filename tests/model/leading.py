"""The leader's half of grant.pml in milliseconds: what a report may teach it, and what it may issue."""

import attrs
from tests.model.holding import Unit, require_kind
from tests.model.vocabulary import (
    Climb,
    Entry,
    Gain,
    Issue,
    Kind,
    Learn,
    Limit,
    Lose,
    Network,
    Report,
    Restart,
    Term,
    found,
    remember,
    require,
)


@attrs.define
class Known:
    """What the leader knows of one unit."""

    entry: Entry
    boot: int | None = None
    former_boots: set[int] = attrs.field(factory=set)
    report: Report | None = None
    unused: bool = False
    seq: int = 0
    """Of the last grant issued to this process in this term; 0: none."""
    session: int = 0
    """For which it was issued: with the next car it is void."""


@attrs.define
class Leader:
    """The one that has authority, as its steps have left it."""

    member: int
    term: Term
    known: list[Known]


@attrs.define
class Leading:
    """The ledger of whoever has authority; the last to gain it is the leader, as `voting` makes sure."""

    network: Network
    units: list[Unit]
    leader: Leader | None = None
    reports: dict[tuple[int, int, int], Report] = attrs.field(factory=dict)
    """Those made, by unit, boot and number."""
    limits_ma: dict[int, int] = attrs.field(factory=dict)
    """By row, what this authority has been told; otherwise the commissioned limit."""

    def restart(self, event: Restart) -> None:
        """A leader that restarts has no ledger."""
        if self.leader is not None and self.leader.member == event.member:
            self.leader = None

    def lose(self, event: Lose) -> None:
        """No ledger survives a gap in authority."""
        if self.leader is not None and self.leader.member == event.member:
            self.leader = None

    def gain(self, event: Gain) -> None:
        """Everybody counts the most until every lease of an earlier authority is over."""
        require(len(event.ledger) == len(self.units), "the ledger has a line for every unit")
        over_ms = event.clock_ms + self.network.times.wait_ms
        for number, entry in enumerate(event.ledger):
            rows = [row.limit_ma for row in self.network.rows if number in row.members]
            most_ma = min([self.network.greatest_ma[number], *rows])
            require(entry.high_ma >= most_ma, f"a new ledger counts unit {number} with {most_ma} mA")
            waits = over_ms <= entry.until_ms <= over_ms + self.network.slack_ms
            require(waits, f"a new ledger waits until {over_ms} for unit {number}")
        self.limits_ma = {}
        self.leader = Leader(event.member, event.term, [Known(entry) for entry in event.ledger])

    def climb(self, event: Climb) -> None:
        """Under a higher term numbers start again, and what echoes the former one teaches nothing more."""
        leader = self._leader(event.member)
        require(event.term > leader.term, "the new term is not above the former one")
        leader.term = event.term
        for known in leader.known:
            known.seq, known.unused = 0, False

    def limit(self, event: Limit) -> None:
        """Another limit is in force, for as long as an authority lives."""
        self._leader(event.member)
        self.limits_ma[event.row] = event.limit_ma

    def learn(self, event: Learn) -> None:
        """A report bounds what the unit may draw from now on, if no grant is outstanding."""
        leader = self._leader(event.member)
        known, times = leader.known[event.unit], self.network.times
        report = found(self.reports.get((event.unit, event.boot, event.report_no)), "no such report was made")
        echoes = report.claims and report.term == leader.term
        require(echoes, "the report does not echo this authority")
        age_ms = event.clock_ms - report.heartbeat_ms
        require(0 <= age_ms <= times.echo_ms, f"the report echoes a heartbeat of {age_ms} ms ago")
        if known.boot == event.boot:
            newer = known.report is None or event.report_no > known.report.report_no
            require(newer, "a report as new as this one was taken in before")
        else:
            require(event.boot not in known.former_boots, "the report is of a process before the present one")
            if known.boot is not None:
                known.former_boots.add(known.boot)
            known.boot, known.seq = event.boot, 0
        now_ms = event.clock_ms
        bounds = [known.entry]  # a grant is outstanding: nothing is learnt
        if report.seq == known.seq or (known.seq and report.session != known.session):
            bounds = self._bounds(event.unit, known.entry, report, now_ms)
        measured = [self._measured(event.unit, bound, report.measured_ma, now_ms) for bound in bounds]
        # What is measured during a cap counts until the cap's end, which may be rounded to its own safe side.
        early_ms = self.network.slack_ms if measured != bounds else 0
        different = [self._differs(event.unit, event.entry, bound, now_ms, early_ms) for bound in measured]
        require(not all(different), different[0])
        known.entry, known.report, known.unused = event.entry, report, True

    def issue(self, event: Issue) -> None:
        """A grant is booked before it is sent, and fits at every future instant; or it cannot raise anything."""
        leader = self._leader(event.member)
        known, now_ms = leader.known[event.unit], event.clock_ms
        fallback_ma = self.network.fallbacks_ma[event.unit]
        report = found(known.report, "the grant answers no report")
        newest = (event.boot, event.report_no) == (known.boot, report.report_no)
        require(newest and known.unused, "the grant does not answer the newest report, or that has had one")
        require(event.seq > known.seq, "the numbers of grants grow")
        require_kind(event.kind, event.amps_ma, fallback_ma)
        require(event.amps_ma <= self.network.greatest_ma[event.unit], "the unit cannot offer so much")
        before = known.entry
        known.entry = self._booked(event, before, report.heartbeat_ms)
        for number, entry in enumerate(event.ledger):
            different = self._differs(number, entry, leader.known[number].entry, now_ms)
            require(not different, different)
            leader.known[number].entry = entry
        harmless = event.kind is Kind.TRIM or event.amps_ma <= min(report.ceiling_ma, fallback_ma)
        if not harmless:
            self._fits(event, leader)
        known.seq, known.session, known.unused = event.seq, report.session, False

    def made(self, event: Report) -> None:
        """A report was made: also one that a restarted unit has forgotten can still arrive."""
        boot = found(self.units[event.member].boot, "the unit has not started")
        remember(self.reports, (event.member, boot, event.report_no), event)

    def _leader(self, member: int) -> Leader:
        leader = found(self.leader, "nobody has authority")
        require(leader.member == member, "it has no authority")
        return leader

    def _bounds(self, unit: int, entry: Entry, report: Report, now_ms: int) -> list[Entry]:
        """Return what may stand in the ledger now; two where rounding decides which of two bounds is the better."""
        fallback_ma, times, slack_ms = self.network.fallbacks_ma[unit], self.network.times, self.network.slack_ms
        runs = entry.until_ms > now_ms
        if report.most_ma >= fallback_ma:
            return [Entry(report.most_ma, entry.until_ms if runs else now_ms + times.wait_ms)]
        reported = Entry(report.most_ma, report.heartbeat_ms + times.surely_ms(report.cap_left_ms))
        if not runs or entry.high_ma >= fallback_ma or entry.until_ms < reported.until_ms - slack_ms:
            return [reported]
        if entry.until_ms <= reported.until_ms:
            return [reported, entry]
        return [entry]

    def _measured(self, unit: int, entry: Entry, measured_ma: int, now_ms: int) -> Entry:
        fallback_ma = self.network.fallbacks_ma[unit]
        if measured_ma <= self._envelope(unit, entry, now_ms):
            return entry
        least_ms = now_ms + self.network.times.wait_ms if measured_ma > fallback_ma else now_ms
        return Entry(measured_ma, max(entry.until_ms, least_ms))

    def _booked(self, event: Issue, entry: Entry, heartbeat_ms: int) -> Entry:
        fallback_ma, times, now_ms = self.network.fallbacks_ma[event.unit], self.network.times, event.clock_ms
        if event.kind is Kind.TRIM:
            return entry
        high_ma = max(self._envelope(event.unit, entry, now_ms), event.amps_ma)
        if event.amps_ma > fallback_ma:
            return Entry(high_ma, now_ms + times.wait_ms)
        if high_ma < fallback_ma:
            # A new cap may run out before the one that it replaces.
            return Entry(high_ma, min(entry.until_ms, heartbeat_ms + times.surely_ms(times.cap_ms)))
        return Entry(high_ma, entry.until_ms)

    def _fits(self, event: Issue, leader: Leader) -> None:
        now_ms = event.clock_ms
        over_ms = now_ms + self.network.times.wait_ms
        instants = sorted({now_ms, *(known.entry.until_ms for known in leader.known if known.entry.until_ms > now_ms)})
        for place, row in enumerate(self.network.rows):
            if event.unit not in row.members:
                continue
            for instant_ms in instants:
                limit_ma = row.limit_ma
                if instant_ms < over_ms:
                    limit_ma = self.limits_ma.get(place, limit_ma)
                sum_ma = sum(self._envelope(unit, leader.known[unit].entry, instant_ms) for unit in row.members)
                in_ms = instant_ms - now_ms
                require(sum_ma <= limit_ma, f"row {place} would carry {sum_ma} of {limit_ma} mA in {in_ms} ms")

    def _envelope(self, unit: int, entry: Entry, at_ms: int) -> int:
        return entry.high_ma if at_ms < entry.until_ms else self.network.fallbacks_ma[unit]

    def _differs(self, unit: int, observed: Entry, expected: Entry, now_ms: int, early_ms: int = 0) -> str:
        """Return in what an entry differs from now on, or nothing; a time may be rounded to the safe side."""
        fallback_ma, slack_ms = self.network.fallbacks_ma[unit], self.network.slack_ms
        high_ma = self._envelope(unit, expected, now_ms)
        said_ma = self._envelope(unit, observed, now_ms)
        if high_ma < fallback_ma == said_ma and expected.until_ms <= now_ms + slack_ms:
            return ""  # a cap about to end
        if said_ma != high_ma:
            return f"the ledger must count unit {unit} with {high_ma} mA"
        late_ms = observed.until_ms - expected.until_ms
        if high_ma == fallback_ma or -early_ms <= (late_ms if high_ma > fallback_ma else -late_ms) <= slack_ms:
            return ""
        return f"the ledger must count unit {unit} with {high_ma} mA until {expected.until_ms}"
