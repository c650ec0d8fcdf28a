"""The leader's ledger of one site: what each unit may be drawing at every future instant, and what may be granted.

The arithmetic is the kernel's; here are its rows and limits. A unit counts on every line it is wired to,
whatever its vehicle uses now: cars change. Limits hold as they are until the wait is over; for later, when
no authority may be there to hold them, the commissioned limits beside the commissioned worst loads count.
"""

from collections.abc import Mapping, Sequence

from powershare._native import KernelLedger
from powershare._native.codes import GrantKind
from powershare.constraints import CompiledSite
from powershare.demand import ExternalLimit
from powershare.site.values import PerLine
from powershare.timing import Timing
from powershare.units import Milliamps

__all__ = ["GrantKind", "Ledger"]


class Ledger:
    """Envelopes of all units of a site, and the limits they must fit.

    Args:
        compiled: The site.
        fallbacks_ma: What each unit may draw when its leases are over, in site order.
        timing: The network's times.
    """

    __slots__ = ("_compiled", "_empty", "_falling", "_kernel", "_rows", "_timing")

    def __init__(self, compiled: CompiledSite, fallbacks_ma: Sequence[Milliamps], timing: Timing) -> None:
        self._compiled, self._timing = compiled, timing
        connectors = compiled.site.connectors
        rows = [tuple(compiled.loaded_rows(place, None)) for place in range(len(connectors))]
        used = sorted({row for one in rows for row in one})
        number = {row: place for place, row in enumerate(used)}
        self._rows = used
        self._kernel = KernelLedger(
            [[number[row] for row in one] for one in rows],
            len(used),
            list(fallbacks_ma),
            [connector.max_offer_ma for connector in connectors],
        )
        self._empty = [0] * (3 * len(compiled.circuits))
        self._falling = [-(1 << 62)] * len(used)
        later = compiled.in_force().room_ma(self._empty)
        for place, row in enumerate(used):
            self._kernel.limit_now[place] = self._kernel.limit_later[place] = later[row]

    @property
    def high_ma(self) -> Sequence[Milliamps]:
        """Per unit, what counts before its time."""
        return self._kernel.high

    @property
    def until_ms(self) -> Sequence[int]:
        """Per unit, from when on its fallback counts."""
        return self._kernel.until

    def open(self, now_ms: int) -> None:
        """Begin as a new authority: everybody may be drawing the most until every earlier lease is over."""
        self._kernel.open(now_ms, self._timing.wait_ms)

    def suspect(self, unit: int, now_ms: int) -> None:
        """Count a unit with the most, for a wait from now: somebody else may be speaking for it."""
        self._kernel.suspect(unit, now_ms, self._timing.wait_ms)

    def set_limits(
        self, other_load_ma: Mapping[str, PerLine], external_limits: Sequence[ExternalLimit], now_ms: int
    ) -> None:
        """Let these readings and external limits hold from now on; what has no reading counts its worst case."""
        room_ma = self._compiled.in_force(other_load_ma, external_limits).room_ma(self._empty)
        for place, row in enumerate(self._rows):
            limit_ma = room_ma[row]
            if limit_ma < self._kernel.limit_now[place]:
                self._falling[place] = now_ms + self._timing.wait_ms
            self._kernel.limit_now[place] = limit_ma

    def fell(self, rows: Sequence[int], now_ms: int) -> bool:
        """Whether a limit on any of these rows fell less than a wait ago."""
        return any(now_ms < self._falling[row] for row in rows)

    def rows_of(self, unit: int) -> tuple[int, ...]:
        """The ledger's rows that a unit counts on."""
        number = {row: place for place, row in enumerate(self._rows)}
        return tuple(number[row] for row in self._compiled.loaded_rows(unit, None))

    def envelope_ma(self, unit: int, at_ms: int) -> Milliamps:
        """The most that a unit may be drawing at an instant, if nothing more is granted to it."""
        return self._kernel.envelope(unit, at_ms)

    def learn(
        self,
        unit: int,
        now_ms: int,
        *,
        settled: bool,
        most_ma: Milliamps,
        heartbeat_ms: int,
        cap_left_ms: int,
        measured_ma: Milliamps | None,
    ) -> None:
        """Take in a usable report.

        Args:
            unit: Whose.
            now_ms: When it was received.
            settled: Whether it shows the last grant applied, or a new process.
            most_ma: What the unit may be drawing, by its own account.
            heartbeat_ms: When the heartbeat was sent that the report echoes.
            cap_left_ms: How long it stays below its fallback, on its own clock.
            measured_ma: What was measured; None where it is not known.
        """
        cap_until_ms = heartbeat_ms + self._timing.surely_ms(cap_left_ms)
        measured = -1 if measured_ma is None else measured_ma
        self._kernel.learn(unit, now_ms, self._timing.wait_ms, settled, most_ma, cap_until_ms, measured)

    def room_ma(self, unit: int, now_ms: int) -> Milliamps:
        """The most that a raise issued now could give a unit, beside what all others may be drawing."""
        over_ms = now_ms + self._timing.wait_ms
        return self._kernel.room(unit, now_ms, over_ms, over_ms)

    def issue(
        self, unit: int, kind: GrantKind, amps_ma: Milliamps, ceiling_ma: Milliamps, heartbeat_ms: int, now_ms: int
    ) -> bool:
        """Book a grant, if it may be issued.

        Args:
            unit: To whom.
            kind: What kind.
            amps_ma: The ceiling granted.
            ceiling_ma: The ceiling that the unit reported.
            heartbeat_ms: When the heartbeat was sent that the report echoes.
            now_ms: Now.

        Returns:
            Whether it may be sent; where not, nothing has changed.
        """
        wait_ms = self._timing.wait_ms
        cap_until_ms = heartbeat_ms + self._timing.surely_ms(self._timing.cap_lease_ms)
        return self._kernel.issue(unit, kind, amps_ma, ceiling_ma, now_ms, wait_ms, now_ms + wait_ms, cap_until_ms)
