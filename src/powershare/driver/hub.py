"""The nodes of one host: all messages between them stay in this process, and time is told to them.

They are the same nodes as on a network of hosts; only one of them votes, so that it leads as long as the process lives.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from powershare.leases import Pilot
from powershare.node import DeviceState, Event, NetworkConfig, Node, Note, Output, Received, Woken


class Hub:
    """One node per connector.

    Args:
        config: Their network.
        boot: Gives 64 random bits, new at each start of the process.
        now_ms: Now.
        told: What each device is to do from now on: its connector, the pilot.
        noted: What people may want to know.

    Attributes:
        nodes: By connector.
        timing: The times that they go by.
        terms: The counter of the claim whose grant each device carries out; None: nobody's.
    """

    def __init__(
        self,
        config: NetworkConfig,
        boot: Callable[[], int],
        now_ms: int,
        told: Callable[[str, Pilot], None],
        noted: Callable[[Note], None],
    ) -> None:
        self._told, self._noted, self.timing = told, noted, config.timing
        self._wakes_ms: dict[str, int] = {}
        self._states: dict[str, DeviceState] = {}
        self.terms: dict[str, int | None] = {}
        self.nodes: Mapping[str, Node] = {
            connector.id: Node(config, connector.id, boot=boot(), now_ms=now_ms) for connector in config.site.connectors
        }
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
            waiting.extend((message.to, Received(message.data)) for message in output.send)

    def wake(self, now_ms: int) -> None:
        """Tell the time to whom it is due."""
        due = [name for name, wake_ms in self._wakes_ms.items() if wake_ms <= now_ms]
        self.happened(((name, Woken()) for name in due), now_ms)

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
            self.terms[name] = None if output.granted is None else output.granted.counter
            self._told(name, pilot)
