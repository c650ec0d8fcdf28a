"""Nodes in the middle of their work, to be copied and told anything; and the real messages of their networks.

A scene is one node at one instant of a simulated network, with the messages that came to it before and after.
"""

import io
import pickle
from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import attrs

from powershare import _native
from powershare.allocator import Allocator
from powershare.constraints import CompiledSite
from powershare.demand import ExternalLimit
from powershare.election import Role
from powershare.node import Commissioning, NetworkConfig, Node, Stage
from powershare.policy import Decision
from powershare.simulation.chance import Chance
from powershare.simulation.network import Network, Storm
from powershare.simulation.network.deeds import parse
from powershare.simulation.network.links import LinkTraits
from powershare.simulation.network.stage import Theatre
from powershare.site import Circuit, Connector, Site, Supply
from powershare.site.site import Network as Commissioned
from powershare.timing import Timing
from powershare.units import Line

NESTED = Site(
    supply=Supply.THREE_PHASE,
    circuits=(
        Circuit(id="panel", limit_ma=40_000, other_load_worst_ma=(8_000, 4_000, 4_000)),
        Circuit(id="left", parent="panel", limit_ma=(20_000, 20_000, 16_000), other_load_worst_ma=1_000),
    ),
    connectors=(
        Connector(id="a", circuit="left", lines=(Line.L2, Line.L3, Line.L1), step_ma=1_000),
        Connector(id="b", circuit="left", lines=(Line.L1, Line.L2, Line.L3), vehicles=("5YJ3E1EA7KF317000",)),
        Connector(id="c", circuit="panel", max_offer_ma=16_000, fallback_ma=0),
    ),
    network_limit_ma=30_000,
    network=Commissioned(witness=True),
)

STORY = """
5 plug a 32 lines 1
8 plug b 16 lines 3
9 meter panel at c
9 meter left at a
20 plug c 16 lines 1
52 limit panel 24 for 40 told b
64 block a>b,b>a for 9
75 crash a for 20
80 unplug c
104 plug c 32
112 handover
125 partition a,b c,witness for 12
150 limit left 6 for 30 told a
160 configure a=0,b=6
176 plug b 32
190 duplicate b for 14
"""

EXACT = NetworkConfig(
    site=Site(
        supply=Supply.SPLIT_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=40_000),),
        connectors=tuple(Connector(id=name, circuit="feeder", max_offer_ma=32_000) for name in "abcd"),
    ),
    timing=Timing(drift_ppm=0),
    order="deadline",
    voters=("a", "b", "c"),
)
"""One whose clocks are taken to be exact, and whose order plans with departures."""

SHORT_STORY = """
4 plug a 32
6 plug d 16
50 plug b 32
58 crash a for 30
66 limit feeder 30 for 20 told d
95 unplug d
98 pause b for 8
"""

RUNS = (
    (NetworkConfig(site=NESTED), STORY, 5_000, 215_000),
    (EXACT, SHORT_STORY, 0, 120_000),
)
"""Networks with what is done to them, how far their clocks are off, and for how long they run."""

LOOKS_MS = 690
EVERY = 7
"""Nodes that are in the middle of something are taken at each look, the others at every seventh."""

AFTER = 6
"""So many messages to a node after its scene are kept with it."""


SHARED: tuple[type, ...] = (
    *(NetworkConfig, Commissioning, Site, Timing, CompiledSite, ExternalLimit, Decision),
    Allocator,
)
"""Values that nobody changes, and an allocator, which remembers nothing: copies of a node may have them in common."""


def _ledger(
    rows: Sequence[Sequence[int]], n_rows: int, fallback: bytes, greatest: bytes, columns: dict[str, bytes]
) -> Any:  # noqa: ANN401 - of either backend
    """A ledger as it was; C's cannot be copied byte by byte, since its pins point at the first."""
    ledger = _native.KernelLedger(rows, n_rows, array("q", fallback), array("q", greatest))
    for name, said in columns.items():
        getattr(ledger, name)[:] = array("q", said)
    return ledger


class _Saving(pickle.Pickler):
    """Saves a node; what copies have in common is kept aside."""

    def __init__(self, stream: io.BytesIO, shared: list[object]) -> None:
        super().__init__(stream, protocol=5)
        self._shared = shared

    def persistent_id(self, value: object) -> int | None:
        """The place of a shared value; None: it is saved."""
        if not isinstance(value, SHARED):
            return None
        for place, other in enumerate(self._shared):
            if other is value:
                return place
        self._shared.append(value)
        return len(self._shared) - 1

    def reducer_override(self, value: object) -> Any:  # noqa: ANN401 - what pickle asks for
        """How a ledger is saved: by what stands in it."""
        if isinstance(value, _native.KernelLedger):
            columns = {name: getattr(value, name).tobytes() for name in ("high", "until", "limit_now", "limit_later")}
            fixed = (value.fallback.tobytes(), value.greatest.tobytes())
            return _ledger, (value.rows_of_unit, value.n_rows, *fixed, columns)
        return NotImplemented


class _Loading(pickle.Unpickler):
    """Loads it again."""

    def __init__(self, saved: bytes, shared: list[object]) -> None:
        super().__init__(io.BytesIO(saved))
        self._shared = shared

    def persistent_load(self, place: int) -> object:
        """A shared value."""
        return self._shared[place]


@attrs.frozen
class Scene:
    """One node at one instant.

    Attributes:
        saved: It.
        shared: What its copies have in common.
        now_ms: What its clock reads.
        hash: Of the configuration it holds.
        before: The last messages that came to it.
        after: The next that would.
    """

    saved: bytes
    shared: list[object]
    now_ms: int
    hash: bytes
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]

    @classmethod
    def of(cls, node: Node, now_ms: int, before: Iterable[bytes], after: Iterable[bytes] = ()) -> "Scene":
        """A node as it is now."""
        stream, shared = io.BytesIO(), list[object]()
        _Saving(stream, shared).dump(node)
        return cls(stream.getvalue(), shared, now_ms, node.commissioning.hash, tuple(before), tuple(after))

    def fresh(self) -> Node:
        """A node just like it, which shares nothing that changes."""
        node: Node = _Loading(self.saved, self.shared).load()
        return node


def _busy(node: Node) -> bool:
    """Whether it asks for a majority, or is on its way to another configuration."""
    return node.role is Role.CANDIDATE or node.commissioning.stage is not Stage.STEADY


@cache
def scenes() -> tuple[Scene, ...]:
    """Every node of busy networks every few seconds, in all its roles."""
    return tuple(scene for run in RUNS for scene in _scenes(*run))


def _scenes(config: NetworkConfig, story: str, ppm: int, until_ms: int) -> Iterator[Scene]:
    storm = Storm(names=frozenset(), links=LinkTraits(loss_percent=5), ppm=ppm)
    network = Network(config, storm, Chance(3))
    before: dict[str, deque[bytes]] = defaultdict(partial(deque, maxlen=AFTER))
    waiting: list[tuple[str, Scene, list[bytes]]] = []
    deliver = network.links._deliver

    def delivered(to: str, data: bytes) -> None:
        before[to].append(data)
        for member, _, after in waiting:
            if member == to and len(after) < AFTER:
                after.append(data)
        deliver(to, data)

    def look() -> None:
        now_ms = network.engine.now_ms
        for member, host in network.hosts.items():
            if host.node is not None and (now_ms // LOOKS_MS % EVERY == 0 or _busy(host.node)):
                waiting.append((member, Scene.of(host.node, host.now_ms(), before[member]), []))
        network.engine.at(now_ms + LOOKS_MS, look)

    network.links._deliver = delivered
    Theatre(network).schedule(parse(story.splitlines()))
    network.engine.at(LOOKS_MS, look)
    network.start()
    network.run(until_ms)
    for _, scene, after in waiting:
        yield attrs.evolve(scene, after=tuple(after))


@cache
def messages() -> tuple[bytes, ...]:
    """Real messages of every kind, each once, in the order in which they were heard."""
    heard = (data for scene in scenes() for data in (*scene.before, *scene.after))
    return tuple(dict.fromkeys(heard))
