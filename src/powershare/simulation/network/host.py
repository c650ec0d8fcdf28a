"""A host: a clock, a process that may pause, die and come back without memory, and the device it commands."""

from collections import deque
from collections.abc import Callable
from functools import partial

import attrs

from powershare.node import (
    Applied,
    Commissioning,
    DeviceState,
    Event,
    Measured,
    Node,
    Output,
    Received,
    Woken,
)
from powershare.simulation.chance import Chance
from powershare.simulation.engine import Engine
from powershare.simulation.network.clock import DriftingClock
from powershare.simulation.network.device import Command, Device
from powershare.simulation.network.links import Links


class Host:
    """One member's host; a witness has no device.

    Args:
        member: Its name.
        engine: Virtual time.
        clock: Its clock, which goes on whatever its process does.
        links: How it sends.
        chance: Where boot numbers come from.
        stored: What it has stored durably.
        after: Told after each step of its node: the host, the event and the output.

    Attributes:
        node: The process; None while it is dead.
        paused: Whether the process stands still, with everything that comes in waiting.
        device: What it commands; None for a witness.
    """

    def __init__(
        self,
        member: str,
        engine: Engine,
        clock: DriftingClock,
        links: Links,
        chance: Chance,
        stored: Commissioning,
        after: Callable[["Host", Event, Output], None],
    ) -> None:
        self.member, self.engine, self.clock, self.stored = member, engine, clock, stored
        self._links, self._chance, self._after = links, chance, after
        self.node: Node | None = None
        self.device: Device | None = None
        self.paused = False
        self.processes = 0
        self.resumed_ms = -1
        self.meter_silent = False
        self._waiting: deque[Event] = deque()
        self._cut: Callable[[], None] | None = None
        self._armed_ms: int | None = None
        self._measured: tuple[int, int] | None = None

    def now_ms(self) -> int:
        """What its clock reads."""
        return self.clock.read_ms(self.engine.now_ms)

    def start(self) -> None:
        """A new process, which knows what is stored and nothing else."""
        self.processes += 1
        self.paused, self._measured = False, None
        self._waiting.clear()
        if self.device is not None:
            self.device.commanded()
        self.node = Node(self.stored, self.member, boot=self._chance.next_bits(), now_ms=self.now_ms())
        self._step(Woken())
        if self.device is not None:
            self._step(self._device_state())

    def kill(self, *, unwritten: bool = False) -> None:
        """The process is gone; its device is left alone, and maybe what was being written to it is lost."""
        self.node, self._armed_ms, self.paused, self._cut = None, None, False, None
        self._waiting.clear()
        if self.device is not None:
            if unwritten:
                self.device.forget_writes()
            self.device.left_alone()

    def cut(self, dies: Callable[[], None]) -> None:
        """Have the process die in the middle of its next output: after it has sent, before anything is raised."""
        self._cut = dies

    def pause(self) -> None:
        """The process stands still (SIGSTOP); its device is left alone for so long."""
        self.paused = self.node is not None
        if self.paused and self.device is not None:
            self.device.left_alone()

    def resume(self) -> None:
        """It goes on, late, with everything that came in meanwhile."""
        if not self.paused:
            return
        self.paused = False
        self.resumed_ms = self.engine.now_ms
        if self.device is not None:
            self.device.commanded()
        while self._waiting and self.node is not None:
            self._step(self._waiting.popleft())
        self.tell(Woken())

    def receive(self, data: bytes) -> None:
        """A message arrives."""
        self.tell(Received(data))

    def tell(self, event: Event) -> None:
        """Something happens to its node."""
        if self.node is None:
            return
        if self.paused:
            self._waiting.append(event)
            return
        self._step(event)

    def applied(self, write: int, offered_ma: int, closed: bool) -> None:
        """The device answers a write of its; the answer carries the time of the change, however late it is read."""
        self.tell(Applied(write, offered_ma, self.now_ms(), closed))

    def device_changed(self) -> None:
        """The device or its vehicle changed."""
        self.tell(self._device_state())

    def rearm(self) -> None:
        """Its clock runs at another rate now: timers are set anew."""
        self._armed_ms = None
        self.tell(Woken())
        if self.device is not None:
            self.device.rearm()

    def _device_state(self) -> DeviceState:
        device = self.device
        if device is None:
            return DeviceState(plugged=False, wants=False, closed=False)
        connector = device.connector
        vehicle = connector.vehicle
        return DeviceState(
            plugged=vehicle is not None,
            wants=connector.wants,
            closed=device.closed,
            offered_ma=device.offer_ma,
            wanted_ma=None if vehicle is None else vehicle.traits.max_ma,
            vehicle=None if vehicle is None else vehicle.traits.identity,
        )

    def _step(self, event: Event) -> None:
        node = self.node
        if node is None:
            return
        now_ms = self.now_ms()
        measured = self._new_measurement(now_ms)
        if measured is not None:
            self._carry_out(measured, node.step(measured, now_ms))
        self._carry_out(event, node.step(event, now_ms))

    def _new_measurement(self, now_ms: int) -> Measured | None:
        """What the connector's meter knows now, where that is news."""
        if self.device is None or self.meter_silent:
            return None
        reading = self.device.connector.meter.read(self.engine.now_ms)
        if reading is None:
            return None
        current_ma, age_ms = reading
        # A steady current is told with every step that finds it a second older: freshness is news, too.
        news = (current_ma, (now_ms - age_ms) // 1_000)
        if news == self._measured:
            return None
        self._measured = news
        return Measured(current_ma, now_ms - age_ms)

    def _carry_out(self, event: Event, output: Output) -> None:
        node, device = self.node, self.device
        if node is None:
            return
        granted = output.granted
        term = None if granted is None else granted.counter
        by = None if granted is None else node.config.members[granted.leader]
        if output.lower is not None and device is not None:
            device.write(Command(self.processes, output.lower, term, by))
        for message in output.send:
            self._links.send(self.member, message.to, message.data)
        if self._cut is not None and output.send:
            self._after(self, event, attrs.evolve(output, raise_=None))
            self._cut()
            return
        if output.raise_ is not None and device is not None:
            device.write(Command(self.processes, output.raise_, term, by))
        self._arm(output.wake_ms)
        self._after(self, event, output)

    def _arm(self, wake_ms: int | None) -> None:
        """Wake the node when it asks to be."""
        if wake_ms is None:
            self._armed_ms = None
            return
        due_ms = max(self.clock.true_ms(wake_ms), self.engine.now_ms + 1)
        if due_ms != self._armed_ms:
            self._armed_ms = due_ms
            self.engine.at(due_ms, partial(self._wake, due_ms))

    def _wake(self, armed_ms: int) -> None:
        if self._armed_ms == armed_ms:
            self._armed_ms = None
            self.tell(Woken())
