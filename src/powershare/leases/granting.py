"""From what each connector shall offer to the grants that may be issued now, one per report.

This takes the place of `policy.release` where connectors are nodes: the ledger decides what is free. A lowering is
granted at once, a raise as far as all future sums surely fit. Whose vehicle is measured is lowered softly: first the
offer alone, then the ceiling after what is measured, so that a vehicle which ramps down slowly keeps its contactor.
"""

from collections.abc import Iterable, Mapping, Sequence

from powershare._native.codes import GrantKind
from powershare.constraints import CompiledSite
from powershare.leases.account import Account, UnitReport
from powershare.leases.grant import Grant
from powershare.leases.ledger import Ledger
from powershare.policy import Order, Report
from powershare.policy.room import Room
from powershare.site import Connector
from powershare.timing import Timing
from powershare.units import Milliamps, down_to_step

REPEATED_CYCLES = 4
"""A grant on its way is repeated for so long, and then replaced."""

SILENT_CYCLES = 5
"""Without a usable report for so long a unit counts as silent."""

TOLERANCE_MA: Milliamps = 500
"""What a meter may read below the truth: a ceiling that follows a measurement stays this much above it."""

SLOWEST_MA_PER_S = 1_000
"""A vehicle lowers its current by 1 A a second at least (measured on one by zany92/tesla-loadpilot)."""

RISES_MA_PER_S = 650
"""A vehicle raises its current by no more than that (measured on one by zany92/tesla-loadpilot)."""

SOFT_SLACK_MS = 5_000
"""What a soft lowering may take beside the ramp and the time to follow; then the ceiling goes down hard."""

FOLLOWS_SOON_MS = 4_000
"""A vehicle that was seen at its lower offer within this follows well within its time, late meters included."""

DEAD_BAND_MA: Milliamps = 1_000
"""A raise that is not yet whole is not worth a change of the pilot below this."""


class Granting:
    """The grants of one authority.

    Args:
        compiled: The site.
        fallbacks_ma: What each unit may draw when its leases are over, in site order.
        timing: The network's times.
        now_ms: When the authority began.
        raise_interval_ms: The least time between two raises of one unit that do not reach its target.
    """

    def __init__(
        self,
        compiled: CompiledSite,
        fallbacks_ma: Sequence[Milliamps],
        timing: Timing,
        now_ms: int,
        raise_interval_ms: int = 5_000,
    ) -> None:
        self._timing, self._raise_interval_ms = timing, raise_interval_ms
        self.ledger = Ledger(compiled, fallbacks_ma, timing)
        self.ledger.open(now_ms)
        self.accounts = tuple(
            Account(place, connector, fallbacks_ma[place], self.ledger.rows_of(place))
            for place, connector in enumerate(compiled.site.connectors)
        )
        self._by_id = {account.connector.id: account for account in self.accounts}

    # What units tell

    def new_term(self) -> None:
        """The same authority goes on under a higher counter: numbers start again, and earlier reports count no more."""
        for account in self.accounts:
            account.seq, account.grant, account.unused = 0, None, False
            account.granted_session = 0 if account.report is None else account.report.session

    def heard(self, place: int, report: UnitReport, now_ms: int) -> bool:
        """Take in a report that echoes a heartbeat of this authority's present term.

        Args:
            place: The unit's place in the site.
            report: It.
            now_ms: When it was received.

        Returns:
            Whether it was usable: not too old, and newer than the last.
        """
        account = self.accounts[place]
        if not 0 <= now_ms - report.heartbeat_ms <= self._timing.echo_ms:
            return False
        last = account.report
        if last is not None and report.boot == last.boot:
            if report.report_no <= last.report_no:
                return False
        elif last is not None and not self._new_boot(account, report, now_ms):
            return False
        elif last is None:
            account.boot_since_ms = now_ms
        # A grant that crossed an unplugging on its way can never be applied any more.
        settled = report.seq == account.seq or report.session != account.granted_session
        self._watch(account, report, now_ms)
        account.report, account.heard_ms, account.unused = report, now_ms, True
        if settled:
            account.grant = None
        if self.duplicate(place, now_ms):
            return True  # it says what it does itself; what the other one does nobody says
        self.ledger.learn(
            place,
            now_ms,
            settled=settled,
            most_ma=report.most_ma,
            heartbeat_ms=report.heartbeat_ms,
            cap_left_ms=report.cap_left_ms,
            measured_ma=report.measured_ma,
        )
        return True

    def _watch(self, account: Account, report: UnitReport, now_ms: int) -> None:
        """See how soon a vehicle follows a lowered offer: those that do need no soft lowering the next time."""
        last = account.report
        if last is not None and (last.session != report.session or last.boot != report.boot):
            account.follows_soon = account.soft_since_ms = None
        since_ms, measured_ma = account.soft_since_ms, report.measured_ma
        if since_ms is None or measured_ma is None or account.seen_to_follow:
            return
        followed, soon = measured_ma <= report.offer_ma + TOLERANCE_MA, now_ms - since_ms <= FOLLOWS_SOON_MS
        if followed or not soon:
            account.follows_soon, account.seen_to_follow = followed and soon, True

    def duplicate(self, place: int, now_ms: int) -> bool:
        """Whether two processes have lately spoken for this unit."""
        suspect_ms = self.accounts[place].suspect_until_ms
        return suspect_ms is not None and now_ms < suspect_ms

    def silent(self, place: int, now_ms: int) -> bool:
        """Whether a unit has not been heard for so long that its demand is no longer known."""
        heard_ms = self.accounts[place].heard_ms
        return heard_ms is None or now_ms - heard_ms > SILENT_CYCLES * self._timing.cycle_ms

    def held_ma(self, place: int, now_ms: int) -> Milliamps:
        """What to set aside for a silent unit: the most it may be drawing before a raise issued now would be over.

        Of one that this authority has never heard nothing is known but that it fits beside the others; it will be at
        its fallback.
        """
        account = self.accounts[place]
        if account.report is None:
            return account.fallback_ma
        over_ms = now_ms + self._timing.wait_ms
        return max(self.ledger.envelope_ma(place, now_ms), self.ledger.envelope_ma(place, over_ms))

    def _new_boot(self, account: Account, report: UnitReport, now_ms: int) -> bool:
        """Whether a report of another process than the last one's may be used."""
        if report.heartbeat_ms <= account.boot_since_ms:
            return False  # it may have been on its way since before the present process started
        alone = account.heard_ms is None or now_ms - account.heard_ms >= self._timing.wait_ms
        if report.boot in account.former_boots and not alone:
            # It has answered something sent after its successor spoke: both are alive (assumption A8).
            account.suspect_until_ms = now_ms + self._timing.wait_ms
            self.ledger.suspect(account.place, now_ms)
            return False
        last = account.report
        if last is not None:
            account.former_boots = [*(boot for boot in account.former_boots if boot != report.boot), last.boot][-8:]
        account.seq, account.grant, account.boot_since_ms = 0, None, now_ms
        return True

    # The release rule of a policy

    def observe(self, reports: Iterable[Report], held: Mapping[str, Milliamps], room: Room, now_ms: int) -> None:
        """Nothing: what units report has been taken in as it came."""

    @property
    def reserved_ma(self) -> dict[str, Milliamps]:
        """Per connector, what it may be drawing before its time in the ledger."""
        return {account.connector.id: self.ledger.high_ma[account.place] for account in self.accounts}

    def ordered_ma(self, connector_id: str) -> Milliamps:
        """What a connector was last told to offer."""
        account = self._by_id[connector_id]
        if account.grant is not None:
            return account.grant.offer_ma
        return account.report.offer_ma if account.report is not None else account.fallback_ma

    def overdrawn(self, connector_id: str) -> bool:  # noqa: ARG002 - the release rule's signature
        """Never: a unit opens the contactor of such a vehicle itself, and the ledger counts what is measured."""
        return False

    def due_ms(self, targets_ma: Mapping[str, Milliamps], now_ms: int) -> int | None:  # noqa: ARG002
        """None: a leader looks again with every report and every cycle."""
        return None

    def release(
        self,
        targets_ma: Mapping[str, Milliamps],
        reserved_ma: Mapping[str, Milliamps],  # noqa: ARG002 - the release rule's signature
        now_ms: int,
    ) -> tuple[Order, ...]:
        """Grant what may be granted now: lowered first, then prolonged, then raised, the smallest offers first.

        Args:
            targets_ma: What each connector is to offer in the end.
            reserved_ma: Not looked at: the ledger knows better.
            now_ms: Now.

        Returns:
            The offers that change, in that order; the grants themselves stand in the accounts.
        """
        asked = []
        for connector_id, target_ma in targets_ma.items():
            account = self._by_id[connector_id]
            report = account.report
            if report is None or not account.unused or self.duplicate(account.place, now_ms):
                continue
            raised = target_ma > report.offer_ma
            asked.append(((raised, raised and report.offer_ma > 0, report.offer_ma), account, target_ma))
        asked.sort(key=lambda entry: entry[0])
        orders = []
        for _, account, target_ma in asked:
            was_ma = self.ordered_ma(account.connector.id)
            if self._grant(account, target_ma, now_ms):
                offer_ma = self.ordered_ma(account.connector.id)
                if offer_ma != was_ma:
                    orders.append(Order(account.connector.id, offer_ma, was_ma))
        return tuple(orders)

    def to_send(self, place: int, now_ms: int) -> Grant | None:
        """The grant that a heartbeat to this unit carries: the one on its way, while it is young enough."""
        account = self.accounts[place]
        grant = account.grant
        if grant is not None and now_ms - account.issued_ms >= REPEATED_CYCLES * self._timing.cycle_ms:
            account.grant = grant = None
        return grant

    def _grant(self, account: Account, target_ma: Milliamps, now_ms: int) -> bool:
        """Issue one grant towards a target, if anything may be issued."""
        report, pending = account.report, account.grant
        if report is None:
            return False
        ceiling_ma = self._wanted_ceiling(account, report, target_ma, now_ms)
        if pending is not None and now_ms - account.issued_ms < REPEATED_CYCLES * self._timing.cycle_ms:
            lowers = target_ma < pending.offer_ma or ceiling_ma < pending.ceiling_ma
            if not lowers:
                return False
        fallback_ma = account.fallback_ma
        if ceiling_ma < fallback_ma:
            return self._cap(account, report, ceiling_ma, target_ma, now_ms)
        if ceiling_ma == fallback_ma and target_ma >= fallback_ma:
            return self._fall_back(account, report, now_ms)
        return self._raise(account, report, ceiling_ma, target_ma, now_ms)

    def _wanted_ceiling(self, account: Account, report: UnitReport, target_ma: Milliamps, now_ms: int) -> Milliamps:
        """The ceiling to go for: the target, or for a while what a measured vehicle still draws on its way there."""
        if target_ma >= report.ceiling_ma:
            account.soft_since_ms, account.seen_to_follow = None, False
            return target_ma
        measured_ma = report.measured_ma
        if report.ceiling_ma <= account.fallback_ma or measured_ma is None or not report.closed:
            return target_ma
        if account.follows_soon or self.ledger.fell(account.rows, now_ms):
            return target_ma
        if account.soft_since_ms is None:
            account.soft_since_ms, account.soft_from_ma = now_ms, report.ceiling_ma
            # Of a vehicle that had little to lower, or was still on its way up, nothing can be learnt.
            least_ma = SLOWEST_MA_PER_S * FOLLOWS_SOON_MS // 1_000 + TOLERANCE_MA
            account.seen_to_follow = measured_ma - target_ma <= least_ma
        ramp_ms = max(0, account.soft_from_ma - target_ma) * 1_000 // SLOWEST_MA_PER_S
        if now_ms - account.soft_since_ms > ramp_ms + self._timing.follow_ms + SOFT_SLACK_MS:
            return target_ma
        step_ma = account.connector.step_ma
        # Until it has seen its lower offer it may be on its way up yet.
        rises_ms = max(0, FOLLOWS_SOON_MS - (now_ms - account.soft_since_ms))
        if not rises_ms and measured_ma <= target_ma + TOLERANCE_MA:
            return target_ma  # it is there, and its pilot keeps it there
        most_ma = measured_ma + TOLERANCE_MA + rises_ms * RISES_MA_PER_S // 1_000
        follow_ma = -(-most_ma // step_ma) * step_ma
        return max(target_ma, min(report.ceiling_ma, follow_ma))

    def _raise(
        self, account: Account, report: UnitReport, ceiling_ma: Milliamps, target_ma: Milliamps, now_ms: int
    ) -> bool:
        """Raise, prolong or lower above the fallback."""
        fallback_ma, place = account.fallback_ma, account.place
        if ceiling_ma > report.ceiling_ma:
            room_ma = self.ledger.room_ma(place, now_ms)
            ceiling_ma = down_to_step(min(ceiling_ma, max(room_ma, 0)), account.connector.step_ma)
            if ceiling_ma < target_ma and not self._worth_a_change(account, report, ceiling_ma, now_ms):
                ceiling_ma = report.ceiling_ma
            if ceiling_ma <= fallback_ma:
                return self._at_most_fallback(account, report, ceiling_ma, now_ms)
        if ceiling_ma > fallback_ma:
            offer_ma = _sayable(min(target_ma, ceiling_ma), account.connector)
            if self._issue(account, report, GrantKind.RAISE, ceiling_ma, offer_ma, now_ms):
                return True
        if ceiling_ma < report.ceiling_ma or target_ma < report.offer_ma:
            ceiling_ma = max(min(ceiling_ma, report.ceiling_ma), fallback_ma)
            offer_ma = _sayable(min(target_ma, ceiling_ma), account.connector)
            return self._issue(account, report, GrantKind.TRIM, ceiling_ma, offer_ma, now_ms)
        return False

    def _at_most_fallback(self, account: Account, report: UnitReport, room_ma: Milliamps, now_ms: int) -> bool:
        """There is no room above the fallback: go there, or as far below it as there is room."""
        fallback_ma = account.fallback_ma
        if report.ceiling_ma > fallback_ma:
            return False  # its raise lapses by itself; the fallback is surely free
        if report.ceiling_ma == fallback_ma or self._fall_back(account, report, now_ms):
            return True
        return self._cap(account, report, min(room_ma, fallback_ma), fallback_ma, now_ms)

    def _fall_back(self, account: Account, report: UnitReport, now_ms: int) -> bool:
        """Go to the fallback and stay there; who is there needs no grant for it."""
        fallback_ma = account.fallback_ma
        if report.ceiling_ma == report.offer_ma == fallback_ma:
            return False
        return self._issue(account, report, GrantKind.FALL_BACK, fallback_ma, fallback_ma, now_ms)

    def _cap(
        self, account: Account, report: UnitReport, ceiling_ma: Milliamps, target_ma: Milliamps, now_ms: int
    ) -> bool:
        """Cap below the fallback; a cap that would rise beyond what is free is prolonged as it is."""
        connector = account.connector
        if ceiling_ma > report.ceiling_ma:
            room_ma = self.ledger.room_ma(account.place, now_ms)
            ceiling_ma = max(report.ceiling_ma, down_to_step(min(ceiling_ma, max(room_ma, 0)), connector.step_ma))
        if ceiling_ma >= account.fallback_ma:
            return False
        offer_ma = _sayable(min(target_ma, ceiling_ma), connector)
        if self._issue(account, report, GrantKind.CAP, ceiling_ma, offer_ma, now_ms):
            return True
        ceiling_ma = min(report.ceiling_ma, ceiling_ma)
        offer_ma = _sayable(min(target_ma, ceiling_ma), connector)
        return self._issue(account, report, GrantKind.CAP, ceiling_ma, offer_ma, now_ms)

    def _worth_a_change(self, account: Account, report: UnitReport, ceiling_ma: Milliamps, now_ms: int) -> bool:
        """Whether a raise that does not reach its target is worth changing the pilot now."""
        if report.offer_ma == 0:
            return True
        lately = account.raised_ms is not None and now_ms - account.raised_ms < self._raise_interval_ms
        return not lately and ceiling_ma - report.offer_ma >= DEAD_BAND_MA

    def _issue(
        self,
        account: Account,
        report: UnitReport,
        kind: GrantKind,
        ceiling_ma: Milliamps,
        offer_ma: Milliamps,
        now_ms: int,
    ) -> bool:
        if not self.ledger.issue(account.place, kind, ceiling_ma, report.ceiling_ma, report.heartbeat_ms, now_ms):
            return False
        if offer_ma > report.offer_ma:
            account.raised_ms = now_ms
        account.seq += 1
        account.grant = Grant(
            account.seq, kind, ceiling_ma, offer_ma, report.boot, report.session, report.report_no, report.stamp_ms
        )
        account.issued_ms, account.unused, account.granted_session = now_ms, False, report.session
        return True


def _sayable(offer_ma: Milliamps, connector: Connector) -> Milliamps:
    """The offer down to what a pilot can say: 0, or whole steps from the least offer on."""
    offer_ma = down_to_step(offer_ma, connector.step_ma)
    return offer_ma if offer_ma >= connector.min_offer_ma else 0
