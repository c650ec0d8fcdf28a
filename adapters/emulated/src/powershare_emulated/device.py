"""The device: an outlet of the library's own, with the dead man's switch, the delays and the failures of its settings.

Nothing runs in the background. Whoever looks at the device first lets everything happen that was due since the last
look, at the instants at which it was due, in order.
"""

from collections.abc import Callable
from typing import TypeAlias

from powershare.adapter import Clock, Deadman, Offer
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.units import Milliamps
from powershare_emulated.settings import Settings, silent_at

Listener: TypeAlias = Callable[["EmulatedDevice", int, str | None], None]
"""Told of a change at a device: the device, the instant on its clock, and a word where one fits."""

_listeners: list[Listener] = []


def listen(listener: Listener, /) -> Callable[[], None]:
    """Be told of every change at every device of this process from now on, for a trace that the devices write.

    A device is told of as "built" when there is one. Changes are told when somebody looks at the device, with the
    instants at which they happened; `EmulatedDevice.catch_up` is such a look.

    Args:
        listener: Called on the thread that looks.

    Returns:
        What ends it; may be called again.
    """
    _listeners.append(listener)

    def stop() -> None:
        if listener in _listeners:
            _listeners.remove(listener)

    return stop


class EmulatedDevice:
    """One connector with its vehicle.

    Attributes:
        settings: What it is like.
        line_cut: Whether somebody has cut the line by hand, on top of what the settings say.
        fallback_writes: How often its fallback has been written since it was built.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.line_cut = False
        self.fallback_writes = 0
        self._clock = clock
        self._started_ms = self._now_ms = clock.now_ms()
        self._declaration = settings.declaration()
        self._fallback_ma = self._declaration.fallback_ma
        self._outlet = Outlet(
            self._started_ms,
            lines=settings.lines,
            least_ma=settings.least_ma,
            greatest_ma=settings.greatest_ma,
            step_ma=settings.step_ma,
            changed=self._tell,
        )
        self._last_ordered_ma = self._outlet.ordered_ma = self._fallback_ma
        self._dead_ms: int | None = None
        self._dead_ma = 0
        self._pending: list[tuple[int, Offer]] = []
        self._catching_up = False
        self._restarts_ms = self._next_restart(self._started_ms)
        self._tell(self._outlet, self._started_ms, "built")
        if settings.plugged:
            self.plug_in(settings.vehicle)

    @property
    def silent(self) -> bool:
        """Whether the line to it is cut now."""
        settings = self.settings
        if self.line_cut:
            return True
        return silent_at(self._clock.now_ms() - self._started_ms, settings.silent_after_ms, settings.silent_for_ms)

    @property
    def outlet(self) -> Outlet:
        """Its connector and vehicle, as they are now; to be looked at, and not to be told anything."""
        self.catch_up()
        return self._outlet

    @property
    def offered_ma(self) -> Milliamps:
        """What its control pilot really says now."""
        return self.outlet.offered_ma

    @property
    def reported_ma(self) -> Milliamps:
        """What it says that it offers."""
        offered_ma = self.offered_ma
        if self.settings.ignores_orders:
            offered_ma = self._last_ordered_ma
        return max(0, offered_ma - self.settings.reports_wrong_ma)

    @property
    def fallback_ma(self) -> Milliamps:
        """What it offers when it is left alone, an order with its own end aside."""
        return self._fallback_ma

    def order(self, offer: Offer, *, after_ms: int = 0) -> None:
        """Take an order, which reaches the pilot a little later."""
        self.catch_up()
        self._pending.append((self._now_ms + after_ms, offer))
        self._pending.sort(key=lambda pending: pending[0])
        self.catch_up()

    def set_fallback(self, fallback_ma: Milliamps) -> None:
        """Write down what to offer when left alone; a restart does not lose it."""
        self.catch_up()
        self._fallback_ma = fallback_ma
        self.fallback_writes += 1
        if self._declaration.deadman is Deadman.WATCHDOG and self._dead_ms is not None:
            self._dead_ma = fallback_ma

    def plug_in(self, identity: str) -> None:
        """Plug in a vehicle, in the place of the one that is there."""
        self.catch_up()
        settings = self.settings
        traits = Traits(
            max_ma=settings.vehicle_max_ma,
            lines_used=settings.vehicle_lines,
            identity=identity,
            reaction_ms=settings.reaction_ms,
            ignores_pilot=settings.ignores_pilot,
        )
        self._outlet.plug_in(traits, settings.energy_wh, self._now_ms)

    def unplug(self) -> None:
        """Unplug the vehicle, if there is one."""
        self.catch_up()
        self._outlet.unplug(self._now_ms)

    def hold_open(self, held: bool, /) -> None:
        """Open the contactor now and keep it open, or let it close again."""
        self.catch_up()
        self._outlet.hold_open(held, self._now_ms)

    def restart(self) -> None:
        """Lose power for a moment: the contactor falls open, and every order is forgotten."""
        self.catch_up()
        self._restart()

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        if self._catching_up:  # a listener that looks sees the device at the instant that it is told of
            return
        self._catching_up = True
        try:
            self._catch_up(self._clock.now_ms())
        finally:
            self._catching_up = False

    def _catch_up(self, now_ms: int) -> None:
        while (due := self._next_due()) is not None and due[0] <= now_ms:
            due_ms, act = due
            self._now_ms = max(self._now_ms, due_ms)
            self._outlet.advance(self._now_ms)
            act()
        self._now_ms = now_ms
        self._outlet.advance(now_ms)

    def _next_due(self) -> tuple[int, Callable[[], None]] | None:
        """What happens next by itself. Of one instant: the dead man first, so that an order never outlives its time."""
        due: list[tuple[int, Callable[[], None]]] = []
        if self._dead_ms is not None:
            due.append((self._dead_ms, self._die))
        if self._restarts_ms is not None:
            due.append((self._restarts_ms, self._restart))
        if self._pending:
            due.append((self._pending[0][0], self._take))
        return min(due, key=lambda entry: entry[0], default=None)

    def _take(self) -> None:
        """An order reaches the pilot."""
        _, offer = self._pending.pop(0)
        kind = self._declaration.deadman
        # A device with leases knows when an order came too late; one with a watchdog does not.
        over = kind is Deadman.LEASE and self._now_ms >= offer.valid_until_ms
        self._last_ordered_ma = offer.then_ma if over else self._declaration.sendable_ma(offer.offered_ma)
        if kind is Deadman.LEASE:
            self._dead_ms, self._dead_ma = offer.valid_until_ms, offer.then_ma
        elif kind is Deadman.WATCHDOG:
            self._dead_ms, self._dead_ma = self._now_ms + self.settings.watchdog_ms, self._fallback_ma
        if not self.settings.ignores_orders:
            self._outlet.offer(self._last_ordered_ma, self._now_ms)

    def _die(self) -> None:
        """Nobody has renewed the order."""
        self._dead_ms = None
        self._last_ordered_ma = self._dead_ma
        self._outlet.offer(self._dead_ma, self._now_ms, "left alone")

    def _restart(self) -> None:
        self._restarts_ms = self._next_restart(self._now_ms)
        self._dead_ms = None
        self._pending.clear()
        self._last_ordered_ma = self._fallback_ma
        outlet, now_ms = self._outlet, self._now_ms
        outlet.fail(True, now_ms)
        outlet.hold_open(False, now_ms)
        outlet.offer(self._fallback_ma, now_ms)
        outlet.fail(False, now_ms)

    def _next_restart(self, now_ms: int) -> int | None:
        every_ms = self.settings.restarts_every_ms
        return None if every_ms is None else now_ms + every_ms

    def _tell(self, _outlet: Outlet, at_ms: int, word: str | None) -> None:
        for listener in tuple(_listeners):
            listener(self, at_ms, word)
