"""What was recorded and comes again: a node tells old from new by its own stamps, whatever the order."""

import asyncio
import random
from collections.abc import Iterator, Sequence

import attrs

from powershare.node import Node, Received

from .hosts import NAMES, Town, Weather

Recorded = Sequence[tuple[str, str, bytes]]


@attrs.frozen
class Standing:
    """What of a node must not move in the unsafe direction.

    Attributes:
        offer_ma: What its device may offer.
        ceiling_ma: Its ceiling.
        ends_ms: When that ends, where it is above its fallback.
        capped_until_ms: Until when it surely stays below its fallback, where it does.
        envelopes: What its ledger counts of each unit now, later and after all leases; empty where it does not lead.
        leads: Whether it has authority.
        fence: The newest claim it has bowed to.
    """

    offer_ma: int
    ceiling_ma: int
    ends_ms: int
    capped_until_ms: int
    envelopes: tuple[int, ...]
    leads: bool
    fence: object

    @classmethod
    def of(cls, node: Node, now_ms: int) -> "Standing":
        assert node.unit is not None
        holder = node.unit.holder
        envelopes: tuple[int, ...] = ()
        if node.leading is not None:
            ledger = node.leading.granting.ledger
            instants_ms = [now_ms, *sorted(ledger.until_ms), now_ms + 1_000_000]
            envelopes = tuple(ledger.envelope_ma(unit, at_ms) for unit in range(len(NAMES)) for at_ms in instants_ms)
        above = holder.ceiling_ma > holder.fallback_ma and holder.until_ms is not None
        return cls(
            offer_ma=holder.offer_ma,
            ceiling_ma=holder.ceiling_ma,
            ends_ms=holder.until_ms or 0 if above else 0,
            capped_until_ms=holder.cap_left_ms(now_ms),
            envelopes=envelopes,
            leads=node.leads,
            fence=node.elector.fence,
        )


def _unsafe(before: Standing, after: Standing) -> list[str]:
    """What moved as it must not."""
    found = [
        f"{name} rose from {getattr(before, name)} to {getattr(after, name)}"
        for name in ("offer_ma", "ceiling_ma", "ends_ms")
        if getattr(after, name) > getattr(before, name)
    ]
    if after.capped_until_ms < before.capped_until_ms:
        found.append("a cap ends earlier")
    if after.leads and not before.leads:
        found.append("it has got authority")
    if before.leads and after.leads and any(map(int.__gt__, before.envelopes, after.envelopes)):
        found.append("its ledger counts less")
    if after.fence != before.fence:
        found.append(f"its fence moved from {before.fence} to {after.fence}")
    return found


def _orders(recorded: Recorded) -> Iterator[tuple[str, Recorded]]:
    yield "as they came", recorded
    yield "backwards", recorded[::-1]
    yield "each twice", [message for message in recorded for _ in range(2)]
    for seed in range(3):
        shuffled = list(recorded)
        random.Random(seed).shuffle(shuffled)
        yield f"shuffled by {seed}", shuffled


def _replay(town: Town, recorded: Recorded) -> list[str]:
    """Tell every node again all that was ever told to it, and look at it after each word."""
    broken, now_ms = [], town.clock.now_ms()
    nodes = {name: town.hub_of(name).nodes[name] for name in NAMES if town.host_of(name).driver is not None}
    for order, messages in _orders(recorded):
        standing = {name: Standing.of(node, now_ms) for name, node in nodes.items()}
        for _, receiver, data in messages:
            node = nodes.get(receiver)
            if node is None:
                continue
            output = node.step(Received(data), now_ms)
            after = Standing.of(node, now_ms)
            broken += [f"{receiver}, {order}: {words}" for words in _unsafe(standing[receiver], after)]
            pilot = output.raise_ or output.lower
            if pilot is not None and pilot.offer_ma > standing[receiver].offer_ma:
                broken.append(f"{receiver}, {order}: its device is told more")
            standing[receiver] = after
    return broken


def test_everything_recorded_moves_nothing_when_it_comes_again() -> None:
    """Minutes of leaders that die, cars that come, hosts that start again; then at four instants all of it again."""

    async def story(town: Town) -> None:
        town.weather = Weather(twice=0.05, delay_s=(0.002, 0.3))
        looked = 0
        for name, event in zip("abcabd", ("plug", "plug", "die", "plug", "start", "die"), strict=True):
            if event == "plug":
                town.devices[name].plug_in()
            await asyncio.sleep(45)
            for host in town.hosts:
                if event == "die" and name in host.members:
                    await town.kill(host)
                if event == "start" and host.driver is None:
                    await town.start(host)
            await asyncio.sleep(11)
            town.weather, calm = Weather(cut=lambda *_: True), town.weather
            await asyncio.sleep(0.5)  # nothing is under way: all that is recorded has been told
            broken = _replay(town, list(town.delivered))
            assert not broken, broken[:5]
            looked += len(town.delivered)
            town.weather = calm
        assert looked > 5_000
        assert len(town.leaders()) == 1

    Town(seed=3).play(story)


def test_a_replay_that_is_late_by_less_than_a_cycle_moves_nothing_either() -> None:
    """Each message again, in the instant after it came, and a little later: as an attacker on the same wire would."""

    async def story(town: Town) -> None:
        for name in "ac":
            town.devices[name].plug_in()
        for late_s in (0.0, 0.3, 1.0, 2.5):
            await asyncio.sleep(15)
            recent = list(town.delivered[-40:])
            town.weather, calm = Weather(cut=lambda *_: True), town.weather
            await asyncio.sleep(0.05 + late_s)
            broken = _replay(town, recent)
            assert not broken, (late_s, broken[:5])
            town.weather = calm
        assert town.devices["a"].offered_ma > 6_000

    Town().play(story)


def test_the_replays_would_be_seen_if_they_moved_something() -> None:
    """A grant that was never told does move a node: the look is sharp enough."""

    async def story(town: Town) -> None:
        town.devices["c"].plug_in()
        await asyncio.sleep(20)
        lost: list[tuple[str, str, bytes]] = []
        town.weather = Weather(cut=lambda _sender, receiver: receiver == "c")
        part = town.hub_of("a")._part
        assert part is not None

        def tapped(sender: str, receiver: str, data: bytes) -> None:
            lost.append((sender, receiver, data))
            town.send(town.host_of("a"), sender, receiver, data)

        town.hub_of("a")._part = attrs.evolve(part, elsewhere=tapped)
        await asyncio.sleep(2.5)
        assert _replay(town, [message for message in lost if message[1] == "c"])

    Town().play(story)
