"""A connector's device as its host commands it: writes take time, and left alone it falls back by itself.

It knows nothing of nodes: it is told (offer, until, then), and answers what its pilot says. What it offers and its
vehicle draws is what the trace tells.
"""

from collections.abc import Callable
from functools import partial

import attrs

from powershare.leases import Pilot
from powershare.simulation.chance import Chance
from powershare.simulation.connector import SimulatedConnector
from powershare.simulation.engine import Engine
from powershare.simulation.network.clock import DriftingClock
from powershare.units import Milliamps

OPENS_AFTER_MS = 5_000
"""By when a vehicle follows a lower pilot (IEC 61851-1, annex A); past it, the device itself opens the contactor."""

ALONE_MS = 500
"""How long after its host fell silent a device notices."""

CLOSES_AFTER_MS = 10_000
"""How long it leaves the contactor open."""


@attrs.frozen
class Command:
    """A pilot command with who is behind it.

    Attributes:
        process: How many processes of the host came before the one that gives it.
        pilot: What to do.
        term: The counter of the claim whose grant it carries out.
        by: Whose claim.
    """

    process: int
    pilot: Pilot
    term: int | None
    by: str | None


class Device:
    """One connector with its dead man.

    Args:
        connector: The connector, its vehicle and its meter.
        engine: Virtual time.
        clock: The clock that its timer runs by.
        chance: Where the times of writes come from.
        answer: Told when a write is carried out: by which process it was given, its number, what the pilot says,
            whether the contactor is closed.
        changed: Told of every change of what it offers or draws: a word for people, and the command behind it.

    Attributes:
        write_ms: Shortest and longest time of a write.
    """

    __slots__ = (
        "_alone_ms",
        "_answer",
        "_armed_ms",
        "_chance",
        "_changed",
        "_clock",
        "_command",
        "_cut",
        "_engine",
        "_fell_back",
        "_given",
        "_landed",
        "_lives",
        "_lowered_ms",
        "_opened",
        "connector",
        "offer_ma",
        "write_ms",
    )

    def __init__(
        self,
        connector: SimulatedConnector,
        engine: Engine,
        clock: DriftingClock,
        chance: Chance,
        answer: Callable[[int, int, Milliamps, bool], None],
        changed: Callable[[str | None, Command | None], None],
    ) -> None:
        self.connector, self._engine, self._clock, self._chance = connector, engine, clock, chance
        self._answer, self._changed = answer, changed
        self.write_ms = (5, 50)
        self.offer_ma = 0  # what the host wants offered; a pilot without a vehicle says nothing
        self._command: Command | None = None
        self._armed_ms: int | None = None
        self._opened = False  # as the host wants it
        self._fell_back = False
        self._lives = 0
        self._given = self._landed = 0  # writes; of two the later one holds, in whatever order they end
        self._alone_ms: int | None = None  # since when nobody commands it
        self._lowered_ms = engine.now_ms
        self._cut = False  # because a vehicle did not follow while nobody told the device anything

    @property
    def closed(self) -> bool:
        """Whether current can flow: in control pilot state B the contactor is open, whatever is offered."""
        vehicle = self.connector.vehicle
        return vehicle is not None and vehicle.connected and (vehicle.wants or vehicle.reading_ma > 0)

    @property
    def until_ms(self) -> int | None:
        """When it falls back by itself, on the host's clock; None: no timer runs."""
        return None if self._command is None else self._command.pilot.until_ms

    def write(self, command: Command) -> None:
        """The host writes; a write that only prolongs reaches the timer at once."""
        before = self._command
        same = before is not None and (before.process, before.pilot.write) == (command.process, command.pilot.write)
        if same and not self._fell_back:
            self._command = command
            self.rearm()
            return
        self._given += 1
        landing = partial(self._land, command, self._given, self._lives)
        self._engine.at(self._engine.now_ms + self._chance.between(*self.write_ms), landing)

    def forget_writes(self) -> None:
        """What is being written is lost, with the process that writes it."""
        self._lives += 1

    def rearm(self) -> None:
        """Set the dead man's timer by the clock as it runs now."""
        until_ms = self.until_ms
        if until_ms is None:
            self._armed_ms = None
            return
        due_ms = max(self._clock.true_ms(until_ms), self._engine.now_ms)
        if due_ms != self._armed_ms:
            self._armed_ms = due_ms
            self._engine.at(due_ms, partial(self._fall_back, due_ms))

    def vehicle_changed(self, word: str) -> None:
        """A vehicle was plugged in or unplugged: the pilot says to it what the host wants."""
        self._offer()
        self._changed(word, None)

    def _land(self, command: Command, given: int, life: int) -> None:
        """A write takes effect."""
        if life != self._lives or given < self._landed:
            return  # lost, or overtaken by a later one
        pilot, now_ms = command.pilot, self._engine.now_ms
        self._command, self._landed, self._fell_back = command, given, False
        late = pilot.until_ms is not None and self._clock.read_ms(now_ms) >= pilot.until_ms
        self._opened = pilot.open
        offer_ma = pilot.then_ma if late else pilot.offer_ma
        if offer_ma < self.offer_ma:
            self._lower(offer_ma)
        self.offer_ma = offer_ma
        self._offer()
        self._changed(pilot.why, command)
        self.rearm()
        self._answer(command.process, pilot.write, self.offer_ma, self.closed)

    def _fall_back(self, armed_ms: int) -> None:
        """The timer ran out, and nobody set it anew."""
        if self._armed_ms != armed_ms or self._command is None:
            return
        self._armed_ms = None
        until_ms = self._command.pilot.until_ms
        if until_ms is None or self._clock.read_ms(self._engine.now_ms) < until_ms:
            return
        then_ma = self._command.pilot.then_ma
        self._fell_back = True
        if then_ma == self.offer_ma:
            return
        if then_ma < self.offer_ma:
            self._lower(then_ma)
        self.offer_ma = then_ma
        self._offer()
        self._changed("fell back", None)

    def left_alone(self) -> None:
        """Its host is gone, or stands still: from now on it watches its vehicle by itself."""
        self._alone_ms = self._engine.now_ms
        due_ms = max(self._engine.now_ms + ALONE_MS, self._lowered_ms + OPENS_AFTER_MS)
        self._engine.at(due_ms, partial(self._watch, 0))

    def commanded(self) -> None:
        """Its host is there again."""
        self._alone_ms = None

    def _lower(self, to_ma: Milliamps) -> None:
        self._lowered_ms = self._engine.now_ms
        self._engine.at(self._lowered_ms + OPENS_AFTER_MS, partial(self._watch, to_ma))

    def _watch(self, lowered_to_ma: Milliamps) -> None:
        """Left alone, it cuts off a vehicle that has not followed a lower offer in time."""
        connector, now_ms = self.connector, self._engine.now_ms
        connector.advance(now_ms)
        alone = self._fell_back or self._alone_ms is not None
        if alone and connector.drawn_ma > max(lowered_to_ma, self.offer_ma):
            self._cut = True
            self._offer()
            self._changed("opened by itself", None)
            self._engine.at(now_ms + CLOSES_AFTER_MS, self._close)

    def _close(self) -> None:
        if self._cut:
            self._cut = False
            self._offer()
            self._changed("closed by itself", None)

    def _offer(self) -> None:
        """Put on the pilot what is to be offered."""
        connector, now_ms = self.connector, self._engine.now_ms
        connector.advance(now_ms)
        opened = self._opened or self._cut
        connector.offer(0 if opened else self.offer_ma, now_ms)
        if opened and connector.vehicle is not None and connector.vehicle.connected:
            connector.open(now_ms)
