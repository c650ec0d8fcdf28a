"""One unit watched: a holder of its own beside the node's, and what its vehicle may truly be drawing.

The shadow holder is fed with the bytes that reach the node and with what the node's device is told, and knows the
protocol by itself. What may be drawn (e) is computed from the device as it really is, not from what the node knows of
it: the greatest of ceiling and pilot now, and of what either was within the time that a vehicle has to follow.
"""

from powershare.simulation.network.device import Device
from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants import wire
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.wire import CAP, FALL_BACK, RAISE, TRIM, Claim, Granted, Heart

COLD = 0
"""Beside the kinds of grants: what a ceiling rests on after a start."""

WORDS = {COLD: "cold hold", RAISE: "raise", CAP: "cap", FALL_BACK: "fall-back", TRIM: "trim"}

REMEMBERED = 64
"""So many reports of a process are remembered: more than a process sends within a cap lease."""

NO_CLAIM: Claim = (0, 0, 0)

NEVER = 1 << 80
"""After every instant of every clock."""


class UnitWatch:
    """A unit, across all processes of its host.

    Args:
        host: Its host.
        device: Its device.
        number: Its number in the network.
        times: The protocol's times.
        book: Where results go.

    Attributes:
        kind: What the shadow's ceiling rests on.
        ceiling_ma: The shadow's ceiling, as of the last look.
        until_ms: When its lease ends, on the host's clock; None: no timer.
        fallback_ma: What the unit may offer alone.
        changed_ms: When the ceiling changed last, in true time.
        granted: Whether the process was granted anything.
        formers: Ceilings and pilots that may still be drawn, each with its end on the host's clock.
        pending: Writes that may not have landed, each with what it offers and by when in true time it has.
        drawn_ma: What the vehicle draws.
    """

    __slots__ = (
        "_armed_exact",
        "_armed_ms",
        "_book",
        "_closed",
        "_counted",
        "_device",
        "_last",
        "_plugged",
        "_session",
        "_stamps",
        "_write",
        "boot",
        "ceiling_ma",
        "changed_ms",
        "drawn_ma",
        "fallback_ma",
        "fence",
        "formers",
        "granted",
        "host",
        "kind",
        "member",
        "number",
        "offer_ma",
        "pending",
        "pilot_ma",
        "seq",
        "started_ms",
        "times",
        "until_ms",
    )

    def __init__(self, host: Host, device: Device, number: int, times: Times, book: Book) -> None:
        self.host, self.member, self.number, self.times, self._book = host, host.member, number, times, book
        self._device = device
        self.kind, self.ceiling_ma, self.offer_ma = COLD, 0, 0
        self.until_ms: int | None = None
        self.fallback_ma = 0
        self.fence: Claim = NO_CLAIM
        self.seq = 0
        self.granted = False
        self.pilot_ma = self.drawn_ma = 0
        self.formers: list[tuple[int, int]] = []
        self.pending: list[tuple[int, int, int]] = []
        self.started_ms = self.changed_ms = 0
        self.boot = 0
        self._plugged = self._closed = False
        self._session = self._write = 0
        self._stamps: dict[int, int] = {}
        self._last: tuple[Claim, int] = (NO_CLAIM, 0)
        self._armed_ms: int | None = None
        self._armed_exact = NEVER
        self._counted = (0, 0)

    # What may be drawn

    def most_ma(self, exact: int, true_ms: int) -> int:
        """The most that the vehicle may be drawing now (e), by what the device really is."""
        most = max(self.pilot_ma, self.ceiling_ma)
        if self.formers:
            self.formers = [former for former in self.formers if former[1] > exact]
            for former_ma, _ in self.formers:
                most = max(most, former_ma)
        if self.pending:
            self.pending = [one for one in self.pending if one[2] >= true_ms]
            for _, offer_ma, _ in self.pending:
                most = max(most, offer_ma)
        return most

    def pass_time(self, exact: int) -> None:
        """Let the lease end where its time is over, whatever its process does: so the device behaves, too."""
        until_ms = self.until_ms
        if until_ms is None or exact < until_ms * MILLION:
            return
        if self.kind == RAISE and self.ceiling_ma > self.fallback_ma and self._closed:
            self.formers.append((self.ceiling_ma, until_ms * MILLION + self.times.tail_exact))
        self.kind, self.until_ms = FALL_BACK, None
        self.ceiling_ma = self.offer_ma = self.fallback_ma
        self.changed_ms = self.host.engine.now_ms

    def grown(self) -> bool:
        """Whether ceiling or pilot are above what they were when sums were last counted."""
        return self.ceiling_ma > self._counted[0] or self.pilot_ma > self._counted[1]

    def counted(self) -> None:
        """Ceiling and pilot are what they are, and every sum that they raised has been counted."""
        self._counted = (self.ceiling_ma, self.pilot_ma)

    def look(self, exact: int) -> None:
        """Take in what the device is now."""
        self.pass_time(exact)
        pilot_ma, was_ma = self._device.offer_ma, self.pilot_ma
        closed = self._closed = self._device.closed
        if not closed:
            self.formers.clear()
        elif pilot_ma < was_ma:
            self.formers.append((was_ma, exact + self.times.tail_exact))
            self._arm(exact)
        self.pilot_ma = pilot_ma

    def _arm(self, exact: int) -> None:
        """Look again when what may be drawn falls by time alone."""
        dues = [end for _, end in self.formers]
        if self.until_ms is not None:
            dues.append(self.until_ms * MILLION)
        due = min((due for due in dues if due > exact), default=None)
        if due is None:
            return
        # A millisecond later: what falls at that very instant has fallen then.
        due_ms = self.host.clock.true_ms(-(-due // MILLION)) + 1
        if self._armed_ms is None or due_ms < self._armed_ms:
            self._armed_ms, self._armed_exact = due_ms, due
            self.host.engine.at(due_ms, self._due)

    def _due(self) -> None:
        now_ms = self.host.engine.now_ms
        if self._armed_ms is None or now_ms < self._armed_ms:
            return  # an earlier one looked already
        self._armed_ms, self._armed_exact = None, NEVER
        exact = self.host.clock.exact(now_ms)
        self.look(exact)
        self.check_drawn(exact, now_ms)
        self.check_pilot(now_ms)
        self._arm(exact)

    def _look_again(self) -> None:
        now_ms = self.host.engine.now_ms
        self.look(self.host.clock.exact(now_ms))
        self.check_pilot(now_ms)

    # Checks of the device

    def device(self, true_ms: int, drawn_ma: int) -> None:
        """Something changed at the device, or its vehicle draws something else."""
        exact = self.host.clock.exact(true_ms)
        self.look(exact)
        self.drawn_ma = drawn_ma
        self.check_drawn(exact, true_ms)
        self.check_pilot(true_ms)

    def check_drawn(self, exact: int, true_ms: int) -> None:
        """I2: nobody draws more than may be drawn."""
        counted = self._book.results["I2"]
        counted.checked += 1
        most_ma = self.most_ma(exact, true_ms)
        if self.drawn_ma > most_ma:
            self._book.fail(
                "I2", self.member, f"draws {self.drawn_ma} mA where at most {most_ma} mA may be drawn: {self.said()}"
            )

    def check_pilot(self, true_ms: int) -> None:
        """I3 and I22: where no write is under way the pilot says at most the ceiling, whoever is alive."""
        results = self._book.results
        self.pending = [one for one in self.pending if one[2] >= true_ms]
        if self.pending:
            return
        results["I3"].checked += 1
        if self.pilot_ma <= self.ceiling_ma:
            return
        if self.changed_ms == true_ms:
            # The device's timer may ring later within this very millisecond.
            self.host.engine.at(true_ms + 1, self._look_again)
            return
        capped = self.until_ms is not None and self.kind in {CAP, COLD}
        name = "I22" if capped and (self.host.node is None or self.host.paused) else "I3"
        self._book.fail(name, self.member, f"its pilot says {self.pilot_ma} mA with no write under way: {self.said()}")

    def said(self) -> str:
        """The shadow's state, for people."""
        until = "" if self.until_ms is None else f" until {self.until_ms} on its clock"
        process = "dead" if self.host.node is None else "paused" if self.host.paused else "running"
        return f"{WORDS[self.kind]} of {self.ceiling_ma} mA{until}, fall-back {self.fallback_ma} mA, process {process}"

    # Steps of the node

    def started(self, boot: int, fallback_ma: int, exact: int, true_ms: int) -> None:
        """A new process: cold hold, no memory; what the one before allowed may still be drawn."""
        self.look(exact)
        if self._closed and self.ceiling_ma:
            self.formers.append((self.ceiling_ma, exact + self.times.tail_exact))
        now_ms = exact // MILLION
        self.boot, self.fallback_ma = boot, fallback_ma
        self.kind, self.ceiling_ma, self.offer_ma = COLD, 0, 0
        self.until_ms = now_ms + self.times.cold_ms
        self.fence, self.seq, self._last = NO_CLAIM, 0, (NO_CLAIM, 0)
        self._plugged, self._session, self._write, self.granted = False, 0, 0, False
        self._stamps.clear()
        self.started_ms = self.changed_ms = true_ms
        self._arm(exact)
        self._book.results["I8"].checked += 1

    def reconfigured(self, fallback_ma: int, fence: Claim, seq: int, exact: int) -> None:
        """Another configuration, or a step towards it: claims and numbers begin anew under its hash.

        A raise ends. A cap goes on. Where the fallback rises, the unit stays at the former one for as long as something
        granted beside that may still be drawn.
        """
        former_ma, now_ms = self.fallback_ma, exact // MILLION
        self.fence, self.seq, self._last, self.fallback_ma = fence, seq, (NO_CLAIM, 0), fallback_ma
        if self.kind == COLD:
            return
        ends = [self.until_ms] if self.kind == CAP and self.until_ms is not None else []
        if fallback_ma > former_ma:
            ends.append(now_ms + self.times.wait_ms)
        ceiling_ma = min(self.ceiling_ma, former_ma, fallback_ma)
        self.kind = CAP if ceiling_ma < fallback_ma else FALL_BACK
        self.until_ms = max(ends, default=now_ms) if self.kind == CAP else None
        self._set(ceiling_ma, ceiling_ma)

    def _set(self, ceiling_ma: int, offer_ma: int) -> None:
        """The shadow's ceiling from now on."""
        exact = self.host.clock.exact(self.host.engine.now_ms)
        if ceiling_ma < self.ceiling_ma and self._closed:
            self.formers.append((self.ceiling_ma, exact + self.times.tail_exact))
            self._arm(exact)
        if ceiling_ma != self.ceiling_ma:
            self.changed_ms = self.host.engine.now_ms
        self.ceiling_ma, self.offer_ma = ceiling_ma, offer_ma

    def step(self, heart: Heart | None, plugged: bool | None, write: int | None, exact: int) -> bool:
        """The node took in an event; answers whether anything about its lease changed.

        Args:
            heart: A heartbeat that came in.
            plugged: What its device said of a vehicle.
            write: A write that its device answered.
            exact: The host's clock.
        """
        node = self.host.node
        unit = None if node is None else node.unit
        if node is None or unit is None:
            return False
        holder, fence = unit.holder, node.elector.promise.fence
        if write is not None and self.pending:
            order = (self.host.processes << 32) + write
            self.pending = [one for one in self.pending if one[0] > order]
        seq = holder.seq
        if plugged is not None and plugged != self._plugged:
            self._plugged = plugged
            self._session += 1
            if self.kind == RAISE:
                self.kind, self.until_ms = FALL_BACK, None
                self._set(self.fallback_ma, self.fallback_ma)
        elif (
            seq == self.seq
            and holder.ceiling_ma == self.ceiling_ma
            and holder.offer_ma == self.offer_ma
            and holder.until_ms == self.until_ms
            and fence == self.fence
            and holder.session == self._session
        ):
            return False
        if fence != self.fence:
            self.fence, self.seq = fence, 0
        if seq != self.seq:
            self._applied(heart, seq, exact)
            self.seq = seq
        self._compare(exact)
        return True

    def _applied(self, heart: Heart | None, seq: int, exact: int) -> None:
        """A grant was applied: I7, I8, I9 and I20, and what it does to the shadow."""
        node, book, results = self.host.node, self._book, self._book.results
        found = self._grant(heart, seq)
        for name in ("I7", "I8", "I9", "I20"):
            results[name].checked += 1
        if node is None or found is None:
            book.fail("I8", self.member, f"has applied grant {seq}, which did not come in with this event")
            return
        claim, grant, own = found
        if claim != self.fence:
            book.fail("I7", self.member, f"has applied a grant under claim {claim}, its fence being {self.fence}")
        if grant.boot != node.boot:
            book.fail("I8", self.member, f"has applied a grant to its process {grant.boot}, being {node.boot}")
        if (claim, seq) <= self._last:
            book.fail("I8", self.member, f"has applied grant {seq} of {claim} after {self._last}")
        if grant.session != self._session:
            book.fail("I20", self.member, f"has applied a grant for session {grant.session} in {self._session}")
        now_ms = exact // MILLION
        if not 0 <= now_ms - grant.stamp_ms < self.times.raise_ms:
            book.fail("I9", self.member, f"has applied a grant whose anchor is {now_ms - grant.stamp_ms} ms old")
        if not own and self._stamps.get(grant.report_no) != grant.stamp_ms:
            sent = self._stamps.get(grant.report_no)
            book.fail(
                "I9",
                self.member,
                f"a grant answers report {grant.report_no} of {grant.stamp_ms}; that one was made at {sent}",
            )
        self._last, self.granted = (claim, seq), True
        self._apply(grant)

    def _grant(self, heart: Heart | None, seq: int) -> tuple[Claim, Granted, bool] | None:
        """The grant that this step applied, with its claim, and whether it is its own leader's."""
        if heart is not None and heart.grant is not None and heart.grant.seq == seq:
            return heart.claim, heart.grant, False
        node = self.host.node
        if node is None or node.leading is None:
            return None
        own = node.leading.granting.accounts[self.number].grant
        if own is None or own.seq != seq:
            return None
        return (
            node.elector.term,
            Granted(
                own.seq,
                own.kind,
                own.ceiling_ma,
                own.offer_ma,
                own.boot,
                own.session,
                own.report_no,
                own.stamp_ms,
            ),
            True,
        )

    def _apply(self, grant: Granted) -> None:
        """What the protocol says that a grant does."""
        if grant.kind == TRIM:
            if self.kind == RAISE:
                ceiling_ma = min(self.ceiling_ma, grant.ceiling_ma)
                self._set(ceiling_ma, min(grant.offer_ma, ceiling_ma))
            return
        self.kind = grant.kind
        lease_ms = self.times.raise_ms if grant.kind == RAISE else self.times.cap_ms
        self.until_ms = None if grant.kind == FALL_BACK else grant.stamp_ms + lease_ms
        self._set(grant.ceiling_ma, grant.offer_ma)

    def _compare(self, exact: int) -> None:
        """I3, I9 and I20 of the node's holder, against the shadow; then the shadow is what the holder is."""
        node, book, results = self.host.node, self._book, self._book.results
        unit = None if node is None else node.unit
        if unit is None:
            return
        holder = unit.holder
        ceiling_ma, offer_ma, until_ms = holder.ceiling_ma, holder.offer_ma, holder.until_ms
        results["I3"].checked += 1
        results["I13"].checked += 1
        if ceiling_ma > self.ceiling_ma:
            book.fail("I3", self.member, f"its ceiling is {ceiling_ma} mA, where it may be: {self.said()}")
        if offer_ma > ceiling_ma:
            book.fail("I3", self.member, f"it offers {offer_ma} mA under a ceiling of {ceiling_ma} mA")
        if self.kind == RAISE and ceiling_ma > self.fallback_ma:
            results["I9"].checked += 1
            if until_ms is None or (self.until_ms is not None and until_ms > self.until_ms):
                book.fail("I9", self.member, f"its raise ends at {until_ms}, later than allowed: {self.said()}")
        elif self.kind in {CAP, COLD} and self.until_ms is not None:
            results["I12"].checked += 1
            if ceiling_ma < self.fallback_ma and until_ms is not None and until_ms < self.until_ms:
                book.fail("I12", self.member, f"its cap ends at {until_ms}, earlier than granted: {self.said()}")
        if holder.session != self._session:
            book.fail(
                "I20", self.member, f"counts session {holder.session}; vehicles came and went {self._session} times"
            )
            self._session = holder.session
        figures = (ceiling_ma, offer_ma, holder.seq, 0 if until_ms is None else until_ms)
        if not all(type(figure) is int for figure in figures) or not 0 <= ceiling_ma <= MOST_MA:
            book.fail("I13", self.member, f"a figure is no whole number in its range: {figures}")
        self.until_ms = until_ms
        self._set(ceiling_ma, offer_ma)
        if until_ms is not None and until_ms * MILLION < self._armed_exact:
            self._arm(exact)

    # What the node says and commands

    def said_now(self, now_ms: int, exact: int, true_ms: int) -> None:
        """I2 and I19: what the unit would report (e) covers the current, and the device as it really is."""
        node = self.host.node
        unit = None if node is None else node.unit
        if unit is None:
            return
        speaks_ms = unit.holder.speaks_from_ms
        if speaks_ms is not None and speaks_ms <= now_ms:
            self._covers(unit.holder.most_ma(now_ms), exact, true_ms)

    def _covers(self, said_ma: int, exact: int, true_ms: int) -> None:
        results = self._book.results
        results["I19"].checked += 1
        results["I2"].checked += 1
        most_ma = self.most_ma(exact, true_ms)
        if said_ma < most_ma:
            self._book.fail(
                "I19",
                self.member,
                f"reports {said_ma} mA where {most_ma} mA may be drawn: {self.said()}, {self._truth()}",
            )
        if said_ma < self.drawn_ma and said_ma < self._device.connector.drawn_ma:
            self._book.fail("I2", self.member, f"draws {self.drawn_ma} mA and reports {said_ma} mA: {self.said()}")

    def _truth(self) -> str:
        return f"pilot {self.pilot_ma} mA, former {self.formers}, writes under way {self.pending}"

    def reported(self, data: bytes, exact: int, true_ms: int, *, claimed: bool) -> None:
        """A report left the node: its anchor is remembered, and what it says is checked as it stands there.

        Args:
            data: Its bytes.
            exact: The host's clock.
            true_ms: The true time.
            claimed: Whether it answers a claim of authority, so that the fence must have moved before (I7).
        """
        told = wire.report(data)
        if told is None:
            return
        self._stamps[told.report_no] = told.stamp_ms
        if len(self._stamps) > REMEMBERED:
            del self._stamps[next(iter(self._stamps))]
        self._covers(told.most_ma, exact, true_ms)
        if claimed and self.fence < told.claim:
            self._book.fail("I7", self.member, f"reports under claim {told.claim}, its fence being {self.fence}")
        if (told.boot, told.session) != (self.boot, self._session):
            self._book.fail("I20", self.member, f"reports process and session {told.boot}, {told.session}")

    def commanded(self, write: int, offer_ma: int, until_ms: int | None, then_ma: int, true_ms: int) -> None:
        """The node told its device something: I3, I9 and I22 of what the device would do alone."""
        book, results = self._book, self._book.results
        for name in ("I3", "I9", "I22"):
            results[name].checked += 1
        if write > self._write:
            self._write = write
            self.pending.append(((self.host.processes << 32) + write, offer_ma, true_ms + self.times.write_ms))
        if offer_ma > self.ceiling_ma or then_ma > self.fallback_ma:
            book.fail("I3", self.member, f"commands {offer_ma} mA, then {then_ma} mA: {self.said()}")
        if self.until_ms is None:
            return
        if self.kind == RAISE and offer_ma > self.fallback_ma and (until_ms is None or until_ms > self.until_ms):
            book.fail("I9", self.member, f"commands {offer_ma} mA until {until_ms}: {self.said()}")
        if self.kind in {CAP, COLD} and until_ms is not None and until_ms < self.until_ms and then_ma > self.ceiling_ma:
            book.fail("I22", self.member, f"has its device rise to {then_ma} mA at {until_ms}: {self.said()}")


MOST_MA = 10_000_000
"""No connector offers more than 10 kA."""
