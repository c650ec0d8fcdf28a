"""The nodes of one process: messages between them stay in it, others go elsewhere, and time is told to them.

Where they are all there are, only one of them votes, so that it leads as long as the process lives.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from powershare.driver.part import Part
from powershare.leases import Pilot
from powershare.node import DeviceState, Event, NetworkConfig, Node, Note, Output, Received, Woken


class Hub:
    """One node per connector, or per member that lives here.

    Args:
        config: Their network.
        boot: Gives 64 random bits, new at each start of the process.
        now_ms: Now.
        told: What each device is to do from now on: its connector, the pilot.
        noted: What people may want to know.
        part: Which members live here; None: all connectors.

    Attributes:
        nodes: By member.
        timing: The times that they go by.
        terms: The counter of the claim whose grant each device carries out; None: nobody's.
        leaders: Who made that claim; None: nobody.
    """

    def __init__(
        self,
        config: NetworkConfig,
        boot: Callable[[], int],
        now_ms: int,
        told: Callable[[str, Pilot], None],
        noted: Callable[[Note], None],
        part: Part | None = None,
    ) -> None:
        self._told, self._noted, self._part, self.timing = told, noted, part, config.timing
        self._wakes_ms: dict[str, int] = {}
        self._states: dict[str, DeviceState] = {}
        self.terms: dict[str, int | None] = {}
        self.leaders: dict[str, str | None] = {}
        names = config.members if part is None else part.members
        self.nodes: Mapping[str, Node] = {name: Node(config, name, boot=boot(), now_ms=now_ms) for name in names}
        self.happened(((name, Woken()) for name in self.nodes), now_ms)

    @property
    def leader(self) -> Node | None:
        """The node that has authority; None: nobody has."""
        return next((node for node in self.nodes.values() if node.leads), None)

    def happened(self, events: Iterable[tuple[str, Event]], now_ms: int) -> None:
        """Tell nodes what happened, and one another what they say to it, until all is said."""
        waiting = deque(events)
        while waiting:
            name, event = waiting.popleft()
            if isinstance(event, DeviceState):
                if self._states.get(name) == event:
                    continue  # no news
                self._states[name] = event
            output = self.nodes[name].step(event, now_ms)
            self._carry_out(name, output)
            for message in output.send:
                if message.to in self.nodes:
                    waiting.append((message.to, Received(message.data)))
                elif self._part is not None:
                    self._part.elsewhere(name, message.to, message.data)

    def wake(self, now_ms: int) -> None:
        """Tell the time to whom it is due."""
        due = [name for name, wake_ms in self._wakes_ms.items() if wake_ms <= now_ms]
        self.happened(((name, Woken()) for name in due), now_ms)

    def wake_all(self, now_ms: int) -> None:
        """Tell the time to everybody."""
        self.happened(((name, Woken()) for name in self.nodes), now_ms)

    def next_ms(self) -> int | None:
        """When the next of them is to be woken; None: never."""
        return min(self._wakes_ms.values(), default=None)

    def _carry_out(self, name: str, output: Output) -> None:
        if output.wake_ms is None:
            self._wakes_ms.pop(name, None)
        else:
            self._wakes_ms[name] = output.wake_ms
        for note in output.notes:
            self._noted(note)
        pilot = output.lower or output.raise_
        if pilot is not None:
            granted = output.granted
            self.terms[name] = None if granted is None else granted.counter
            self.leaders[name] = None if granted is None else self.nodes[name].config.members[granted.leader]
            self._told(name, pilot)
