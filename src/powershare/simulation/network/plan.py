"""From a storm to the deeds of one run: what happens when, all of it known before it begins."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network.deeds import Deed, seconds
from powershare.simulation.network.faults import Storm
from powershare.site.values import on_line

MEAN_DRIFT_S = 300
MEAN_CONFIGURATION_S = 900
MEAN_OUTSIDE_S = 900


def plan(config: NetworkConfig, storm: Storm, chance: Chance, until_ms: int) -> tuple[Deed, ...]:
    """Everything that is done to a network, in order of time.

    Args:
        config: The network.
        storm: What goes wrong, and how hard.
        chance: Where it comes from.
        until_ms: The end.
    """
    planned = _Plan(config, storm, chance, until_ms)
    deeds = [*planned.visits(), *planned.inside(), *planned.outside()]
    return tuple(sorted(deeds, key=lambda deed: deed.t_ms))


def exponential_ms(chance: Chance, mean_s: int) -> int:
    """A time with this mean and no memory, in whole seconds and at least one; integers only, so the same everywhere."""
    waited_s = 1
    while chance.next_bits() % mean_s:
        waited_s += 1
    return waited_s * 1_000


class _Plan:
    """One plan in the making; each kind of deed has its own chances, so that none shifts another's."""

    def __init__(self, config: NetworkConfig, storm: Storm, chance: Chance, until_ms: int) -> None:
        self._config, self._site, self._storm = config, config.site, storm
        self._chance, self._until_ms = chance, until_ms

    def visits(self) -> Iterator[Deed]:
        """Vehicles come and go."""
        toggle_s = self._storm.toggle_s
        for place, connector in enumerate(self._site.connectors):
            chance = self._chance.fork(1_000 + place)
            lines = len(self._site.wiring[connector.id].lines)
            now_ms = exponential_ms(chance, toggle_s) if chance.happens(50) else 0
            while now_ms < self._until_ms:
                yield Deed(now_ms, "plug", (connector.id, *self._vehicle(chance, connector.max_offer_ma, lines)))
                now_ms += exponential_ms(chance, toggle_s)
                yield Deed(now_ms, "unplug", (connector.id,))
                now_ms += exponential_ms(chance, toggle_s)

    def _vehicle(self, chance: Chance, most_ma: int, lines: int) -> tuple[str, ...]:
        """A vehicle of 16 A, or twice as often of 32 A, within what the connector may offer."""
        max_ma = min(most_ma, (16_000, 32_000, 32_000)[chance.between(0, 2)])
        words = [f"{max_ma / 1000:g}"]
        if self._storm.on("phases"):
            words += ["lines", str(chance.between(1, lines))]
        # Without a meter nobody opens a contactor in time: such a vehicle is at its offer before its 6 s are over.
        reaction_ms = chance.between(500, 5_000) if self._storm.slow else chance.between(200, 4_500)
        words += ["reacts", seconds(reaction_ms), "ramps", "1" if self._storm.slow else "32"]
        return (*words, "ignores") if self._storm.on("ignore") and chance.happens(20) else tuple(words)

    def inside(self) -> Iterator[Deed]:
        """Faults that the assumptions allow."""
        storm = self._storm
        for number, member in enumerate(self._config.members):
            own = self._chance.fork(2_000 + number)
            if storm.crash_s is not None:
                yield from self._again(own.fork(1), storm.crash_s, partial(self._crash, member))
            if storm.pause_s is not None:
                yield from self._again(own.fork(2), storm.pause_s, partial(self._pause, member))
            if storm.ppm:
                yield from self._again(own.fork(3), MEAN_DRIFT_S, partial(self._drift, member))
        if storm.partition_s is not None:
            yield from self._again(self._chance.fork(1), storm.partition_s, self._partition)
        if storm.handover_s is not None:
            yield from self._again(self._chance.fork(2), storm.handover_s, lambda _: ("handover",))
        if storm.on("configuration"):
            yield from self._again(self._chance.fork(3), MEAN_CONFIGURATION_S, self._fallbacks)

    def outside(self) -> Iterator[Deed]:
        """What the assumptions do not allow."""
        storm, foreign_s = self._storm, self._storm.foreign_s or MEAN_OUTSIDE_S
        if storm.on("external"):
            yield from self._again(self._chance.fork(4), foreign_s, self._limit)
        if storm.on("load") or storm.on("silent_meter"):
            for place, circuit in enumerate(self._site.circuits):
                if circuit.other_load_worst_ma:
                    yield Deed(0, "meter", (circuit.id, "at", self._site.connectors[-1].id))
                    own = self._chance.fork(3_000 + place)
                    yield from self._again(own, foreign_s, partial(self._load, circuit.id))
        if storm.on("silent_meter"):
            yield from self._again(
                self._chance.fork(5), foreign_s, lambda one: ("silence", "for", seconds(one.between(5_000, 300_000)))
            )
        if storm.on("clock"):
            yield from self._again(self._chance.fork(6), MEAN_OUTSIDE_S, self._mad_clock)
        if storm.on("duplicate_member"):
            yield from self._again(
                self._chance.fork(7),
                MEAN_OUTSIDE_S,
                lambda one: ("duplicate", self._connector(one), "for", seconds(one.between(10_000, 180_000))),
            )

    def _again(self, chance: Chance, mean_s: int, say: Callable[[Chance], Iterable[str]]) -> Iterator[Deed]:
        """The same kind of deed again and again, without memory, until the end."""
        t_ms = exponential_ms(chance, mean_s)
        while t_ms < self._until_ms:
            word, *arguments = say(chance)
            yield Deed(t_ms, word, tuple(arguments))
            t_ms += exponential_ms(chance, mean_s)

    def _crash(self, member: str, chance: Chance) -> tuple[str, ...]:
        """A process dies, or now and then all of them at once: a power cut."""
        everybody = chance.happens(5)
        most_ms = 5_000 if everybody else max(1_000, self._storm.down_s * 1_000)
        who = ",".join(self._config.members) if everybody else member
        how = [word for word in ("cut", "unwritten") if chance.happens(40)]
        return ("crash", who, *how, "for", seconds(chance.between(1_000, most_ms)))

    def _partition(self, chance: Chance) -> tuple[str, ...]:
        """The network falls apart: into two or three groups, or some hear others that do not hear them."""
        members, storm = self._config.members, self._storm
        lasts = ("for", seconds(chance.between(1_000, storm.apart_s * 1_000)))
        if storm.on("one_way") and (not storm.on("partition") or chance.happens(50)):
            pairs = [f"{one}>{other}" for one in members for other in members if one != other and chance.happens(30)]
            return ("block", ",".join(pairs) or "-", *lasts)
        groups: list[list[str]] = [[] for _ in range(chance.between(2, 3))]
        for member in members:
            groups[chance.between(0, len(groups) - 1)].append(member)
        return ("partition", *(",".join(group) for group in groups if group), *lasts)

    def _pause(self, member: str, chance: Chance) -> tuple[str, ...]:
        return ("pause", member, "for", seconds(chance.between(100, max(100, self._storm.still_s * 1_000))))

    def _drift(self, member: str, chance: Chance) -> tuple[str, ...]:
        return ("drift", member, str(chance.between(-self._storm.ppm, self._storm.ppm)))

    def _fallbacks(self, chance: Chance) -> tuple[str, ...]:
        """Other fallbacks: some are 0, the others as they were commissioned."""
        fallbacks_ma = self._site.fallbacks.by_connector
        said = (
            f"{name}={0 if chance.happens(30) else fallback_ma / 1000:g}" for name, fallback_ma in fallbacks_ma.items()
        )
        return ("configure", ",".join(said))

    def _connector(self, chance: Chance) -> str:
        connectors = self._site.connectors
        return connectors[chance.between(0, len(connectors) - 1)].id

    def _limit(self, chance: Chance) -> tuple[str, ...]:
        circuit = self._site.circuits[chance.between(0, len(self._site.circuits) - 1)]
        most_ma = max(circuit.usable_limit_ma(line)[0] for line in self._site.supply.lines)
        limit_a = f"{chance.between(0, most_ma) / 1000:g}"
        lasts = seconds(chance.between(10_000, 300_000))
        return ("limit", circuit.id, limit_a, "for", lasts, "told", self._connector(chance))

    def _load(self, circuit_id: str, chance: Chance) -> tuple[str, ...]:
        worst_ma = self._site.circuit_by_id[circuit_id].other_load_worst_ma
        lines = self._site.supply.lines
        said = ",".join(f"{chance.between(0, on_line(worst_ma, line)) / 1000:g}" for line in lines)
        return ("load", circuit_id, said)

    def _mad_clock(self, chance: Chance) -> tuple[str, ...]:
        """A clock runs off two to twenty times as far as it may."""
        members, bound = self._config.members, self._config.timing.drift_ppm
        ppm = chance.between(2 * bound, 20 * bound) * (1 if chance.happens(50) else -1)
        who = members[chance.between(0, len(members) - 1)]
        return ("clock", who, str(ppm), "for", seconds(chance.between(10_000, 120_000)))
