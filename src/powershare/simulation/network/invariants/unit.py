"""One unit watched: a holder of its own beside the node's, fed with the bytes that reach the node.

It knows the protocol by itself: from what came in it says what the node's holder may be, and what it may tell its
device and its leader.
"""

from powershare.simulation.network.device import Device
from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants import wire
from powershare.simulation.network.invariants.book import Book
from powershare.simulation.network.invariants.drawable import COLD, NEVER, Drawable
from powershare.simulation.network.invariants.times import MILLION, Times
from powershare.simulation.network.invariants.wire import CAP, FALL_BACK, RAISE, TRIM, Claim, Granted, Heart

REMEMBERED = 64
"""So many reports of a process are remembered: more than a process sends within a cap lease."""

NO_CLAIM: Claim = (0, 0, 0)

MOST_MA = 10_000_000
"""No connector offers more than 10 kA."""


class UnitWatch(Drawable):
    """A unit, across all processes of its host.

    Args:
        host: Its host.
        device: Its device.
        number: Its number in the network.
        times: The protocol's times.
        book: Where results go.

    Attributes:
        number: Its number in the network.
        boot: Its present process.
        fence: The claim that its process has bowed to.
        seq: The last grant applied under it.
        granted: Whether the process was granted anything.
        steps: How often it took a step of its configuration.
    """

    __slots__ = (
        "_i9",
        "_i12",
        "_i13",
        "_i19",
        "_last",
        "_of_grants",
        "_plugged",
        "_session",
        "_stamps",
        "_write",
        "boot",
        "fence",
        "granted",
        "number",
        "seq",
        "steps",
    )

    def __init__(self, host: Host, device: Device, number: int, times: Times, book: Book) -> None:
        super().__init__(host, device, times, book)
        self.number = number
        self.fence: Claim = NO_CLAIM
        self.seq = 0
        self.granted = self._plugged = False
        self.boot = self._session = self._write = 0
        self.steps = 0
        self._stamps: dict[int, int] = {}
        self._last: tuple[Claim, int] = (NO_CLAIM, 0)
        results = book.results
        self._i9, self._i12, self._i13 = results["I9"], results["I12"], results["I13"]
        self._i19 = results["I19"]
        self._of_grants = tuple(results[name] for name in ("I7", "I8", "I9", "I20"))

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
        self._promised_ms = -NEVER
        self.changed_ms = true_ms
        self._arm(exact)
        self._book.results["I8"].checked += 1

    def reconfigured(self, fallback_ma: int, fence: Claim, seq: int, exact: int) -> None:
        """Another configuration, or a step towards it: claims and numbers begin anew under its hash.

        A raise ends. A cap goes on. Where the fallback rises, the unit stays at the former one for as long as something
        granted beside that may still be drawn.
        """
        former_ma, now_ms = self.fallback_ma, exact // MILLION
        self.steps += 1
        self.fence, self.seq, self._last, self.fallback_ma = fence, seq, (NO_CLAIM, 0), fallback_ma
        if self.kind == COLD:
            if fallback_ma > former_ma and self.until_ms is not None:
                self.until_ms = max(self.until_ms, now_ms + self.times.wait_ms)
            return
        ends = [self.until_ms] if self.kind == CAP and self.until_ms is not None else []
        if fallback_ma > former_ma:
            ends.append(now_ms + self.times.wait_ms)
        ceiling_ma = min(self.ceiling_ma, former_ma, fallback_ma)
        self.kind = CAP if ceiling_ma < fallback_ma else FALL_BACK
        self.until_ms = max(ends, default=now_ms) if self.kind == CAP else None
        self._set(ceiling_ma, ceiling_ma)

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
        node, book = self.host.node, self._book
        found = self._grant(heart, seq)
        for counted in self._of_grants:
            counted.checked += 1
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
        """The grant that this step applied, with its claim, and whether it is its own leader's.

        A late heartbeat of a former leader may carry the very number that this leader grants itself in the same step:
        what came in counts first only under the claim that the unit is bound to.
        """
        came = None
        if heart is not None and heart.grant is not None and heart.grant.seq == seq:
            came = heart.claim, heart.grant, False
            if heart.claim == self.fence:
                return came
        node = self.host.node
        if node is None or node.leading is None:
            return came
        own = node.leading.granting.accounts[self.number].grant
        if own is None or own.seq != seq:
            return came
        amps = (own.kind, own.ceiling_ma, own.offer_ma)
        return node.elector.term, Granted(own.seq, *amps, own.boot, own.session, own.report_no, own.stamp_ms), True

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
        # Whoever grants that does not lean any more on the cap before, or on no more of it than on the new one.
        leans_until_ms = grant.stamp_ms + lease_ms if grant.kind == CAP else -NEVER
        self._promised_ms = min(self._promised_ms, leans_until_ms)
        self._set(grant.ceiling_ma, grant.offer_ma)

    def _compare(self, exact: int) -> None:
        """I3, I9 and I20 of the node's holder, against the shadow; then the shadow is what the holder is."""
        node, book = self.host.node, self._book
        unit = None if node is None else node.unit
        if unit is None:
            return
        holder = unit.holder
        ceiling_ma, offer_ma, until_ms = holder.ceiling_ma, holder.offer_ma, holder.until_ms
        self._i3.checked += 1
        self._i13.checked += 1
        if ceiling_ma > self.ceiling_ma:
            book.fail("I3", self.member, f"its ceiling is {ceiling_ma} mA, where it may be: {self.said()}")
        if offer_ma > ceiling_ma:
            book.fail("I3", self.member, f"it offers {offer_ma} mA under a ceiling of {ceiling_ma} mA")
        if self.kind == RAISE and ceiling_ma > self.fallback_ma:
            self._i9.checked += 1
            if until_ms is None or (self.until_ms is not None and until_ms > self.until_ms):
                book.fail("I9", self.member, f"its raise ends at {until_ms}, later than allowed: {self.said()}")
        elif self.kind in {CAP, COLD} and self.until_ms is not None:
            self._i12.checked += 1
            if ceiling_ma < self.fallback_ma and until_ms is not None and until_ms < self.until_ms:
                book.fail("I12", self.member, f"its cap ends at {until_ms}, earlier than granted: {self.said()}")
        if holder.session != self._session:
            book.fail(
                "I20", self.member, f"counts session {holder.session}; vehicles came and went {self._session} times"
            )
            self._session = holder.session
        figures = (ceiling_ma, offer_ma, holder.seq, 0 if until_ms is None else until_ms)
        if {*map(type, figures)} != {int} or not 0 <= ceiling_ma <= MOST_MA:
            book.fail("I13", self.member, f"a figure is no whole number in its range: {figures}")
        if self.kind == FALL_BACK and ceiling_ma < self.fallback_ma and until_ms is not None:
            self.kind = CAP  # it has lowered itself, as anybody may; others may lean on that until its end
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
        holder = unit.holder
        speaks_ms = holder.speaks_from_ms
        if speaks_ms is not None and speaks_ms <= now_ms:
            self._covers(holder.most_ma(now_ms), holder.cap_left_ms(now_ms), exact, true_ms)

    def _covers(self, said_ma: int, cap_left_ms: int, exact: int, true_ms: int) -> None:
        """Who says less than its fallback says so for as long as its cap surely lasts; after that, the fallback."""
        if cap_left_ms <= 0 and said_ma < self.fallback_ma:
            said_ma = self.fallback_ma
        self._i19.checked += 1
        self._i2.checked += 1
        most_ma = self.most_ma(exact, true_ms)
        if said_ma < most_ma:
            self._book.fail(
                "I19",
                self.member,
                f"reports {said_ma} mA where {most_ma} mA may be drawn: {self.said()}, {self._truth()}",
            )
        if said_ma < self.drawn_ma and said_ma < self._current_ma(true_ms):
            self._book.fail("I2", self.member, f"draws {self.drawn_ma} mA and reports {said_ma} mA: {self.said()}")

    def _truth(self) -> str:
        return f"pilot {self.pilot_ma} mA, former {self.formers}, writes under way {self.pending}"

    def reported(self, data: bytes, exact: int, true_ms: int, heart: Heart | None) -> None:
        """A report left the node: its anchor is remembered, and what it says is checked as it stands there.

        Args:
            data: Its bytes.
            exact: The host's clock.
            true_ms: The true time.
            heart: What came in with this step: a claim of authority moves the fence before it is answered (I7).
        """
        told = wire.report(data)
        if told is None:
            return
        self._stamps[told.report_no] = told.stamp_ms
        if len(self._stamps) > REMEMBERED:
            del self._stamps[next(iter(self._stamps))]
        self._covers(told.most_ma, told.cap_left_ms, exact, true_ms)
        if told.cap_left_ms and told.stamp_ms + told.cap_left_ms > self._promised_ms:
            self._promised_ms = told.stamp_ms + told.cap_left_ms
        if heart is not None and heart.claims and heart.claim == told.claim and self.fence < told.claim:
            self._book.fail("I7", self.member, f"reports under claim {told.claim}, its fence being {self.fence}")
        if (told.boot, told.session) != (self.boot, self._session):
            self._book.fail("I20", self.member, f"reports process and session {told.boot}, {told.session}")

    def commanded(self, write: int, offer_ma: int, until_ms: int | None, then_ma: int, true_ms: int) -> None:
        """The node told its device something: I3, I9 and I22 of what the device would do alone."""
        book = self._book
        self._i3.checked += 1
        self._i9.checked += 1
        self._i22.checked += 1
        if write > self._write:
            self._write = write
            self.pending.append(((self.host.processes << 32) + write, offer_ma, true_ms + self.times.write_ms))
        self._thens[until_ms] = then_ma
        if len(self._thens) > REMEMBERED:
            del self._thens[next(iter(self._thens))]
        if offer_ma > self.ceiling_ma or then_ma > self.fallback_ma:
            book.fail("I3", self.member, f"commands {offer_ma} mA, then {then_ma} mA: {self.said()}")
        if self.until_ms is None:
            return
        if self.kind == RAISE and offer_ma > self.fallback_ma and (until_ms is None or until_ms > self.until_ms):
            book.fail("I9", self.member, f"commands {offer_ma} mA until {until_ms}: {self.said()}")
        if self.kind in {CAP, COLD} and until_ms is not None and until_ms < self.until_ms and then_ma > self.ceiling_ma:
            book.fail("I22", self.member, f"has its device rise to {then_ma} mA at {until_ms}: {self.said()}")
