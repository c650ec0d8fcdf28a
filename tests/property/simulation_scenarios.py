"""Random sites and crowds for the simulation, each from one seed."""

import attrs

from powershare.policy import OrderName, Policy
from powershare.simulation import Chance, Engine, Garage, MeterTraits, Traits, Vehicle, household_load
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import TraceEvent
from powershare.units import Line

HOUR_MS = 3_600_000
ROTATIONS = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def random_site(chance: Chance) -> Site:
    """A tree of up to three levels, any supply, one to eight connectors."""
    supply = (Supply.SINGLE_PHASE, Supply.SPLIT_PHASE, Supply.THREE_PHASE)[chance.between(0, 2)]
    worst_ma = chance.between(0, 1) * 6_000
    circuits = [Circuit(id="c0", limit_ma=chance.between(16, 80) * 1_000, other_load_worst_ma=worst_ma)]
    for number in range(1, chance.between(1, 4)):
        parent = f"c{chance.between(0, number - 1)}"
        circuits.append(Circuit(id=f"c{number}", parent=parent, limit_ma=chance.between(8, 50) * 1_000))
    connectors = []
    for number in range(chance.between(1, 8)):
        lines = None
        if supply is Supply.THREE_PHASE and chance.happens(80):
            lines = tuple(Line(line) for line in ROTATIONS[chance.between(0, 2)][: (1, 3, 3)[chance.between(0, 2)]])
        connectors.append(
            Connector(
                id=f"n{number}",
                circuit=circuits[chance.between(0, len(circuits) - 1)].id,
                lines=lines,
                step_ma=(100, 500, 1_000)[chance.between(0, 2)],
                max_offer_ma=(16_000, 32_000)[chance.between(0, 1)],
                priority=chance.between(0, 2),
                fallback_ma=0,
            )
        )
    limit_ma = chance.between(20, 60) * 1_000 if chance.happens(30) else None
    return Site(supply=supply, circuits=tuple(circuits), connectors=tuple(connectors), network_limit_ma=limit_ma)


def random_traits(chance: Chance, lines: int, *, ignores_pilot: bool = False) -> Traits:
    return Traits(
        max_ma=chance.between(4, 32) * 1_000,
        lines_used=chance.between(1, lines) if chance.happens(70) else None,
        reaction_ms=chance.between(500, 5_000),
        shortfall_ma=chance.between(0, 800),
        sleeps_ms=chance.between(0, 1_800_000) if chance.happens(20) else 0,
        taper_percent=chance.between(0, 40),
        gives_up_after=3 if chance.happens(20) else None,
        ignores_pilot=ignores_pilot,
    )


@attrs.define
class Scenario:
    """One site with a crowd, from a seed; `run` lets six hours pass."""

    seed: int
    order: OrderName = "fair"
    meter: MeterTraits = attrs.field(factory=MeterTraits)
    reading_step_ma: int = 1_000
    ignoring: bool = False
    household: bool = False
    rush: bool = False
    events: list[TraceEvent] = attrs.field(factory=list)
    vehicles: list[tuple[str, Vehicle]] = attrs.field(factory=list)
    garage: Garage = attrs.field(init=False)

    def run(self, hours: int = 6) -> "Scenario":
        chance = Chance(self.seed)
        site = random_site(chance)
        engine = Engine()
        policy = Policy(site, self.order)
        self.garage = Garage(
            site,
            engine,
            policy,
            meter=self.meter,
            tells_departure=policy.needs_departure,
            on_event=self.events.append,
        )
        worst_ma = site.circuits[0].other_load_worst_ma
        if self.household and isinstance(worst_ma, int) and worst_ma:
            lines = len(site.supply.lines)
            profile = household_load(
                chance.fork(99), lines=lines, worst_ma=worst_ma, from_ms=0, until_ms=hours * HOUR_MS
            )
            self.garage.load("c0", profile)
        for place, connector in enumerate(site.connectors):
            self._guests(engine, connector, len(site.wiring[connector.id].lines), chance.fork(place), hours)
        engine.run(hours * HOUR_MS)
        self.garage.finish()
        return self

    def _guests(self, engine: Engine, connector: Connector, lines: int, chance: Chance, hours: int) -> None:
        now_ms = chance.between(0, 60_000 if self.rush else HOUR_MS)
        while now_ms < hours * HOUR_MS:
            # In a rush vehicles come and go while the ramps of the last change are still on their way.
            leaves_ms = now_ms + (chance.between(15_000, 240_000) if self.rush else chance.between(60_000, 3 * HOUR_MS))
            ignores = self.ignoring and chance.happens(40)
            traits = random_traits(chance, lines, ignores_pilot=ignores)
            energy_wh = chance.between(100, 15_000)

            def arrive(
                now_ms: int = now_ms, traits: Traits = traits, energy_wh: int = energy_wh, leaves_ms: int = leaves_ms
            ) -> None:
                device = self.garage.connector(connector.id)
                vehicle = Vehicle(traits, device.charge2_of(energy_wh, traits.lines_used), now_ms, self.reading_step_ma)
                self.vehicles.append((connector.id, vehicle))
                self.garage.plug(connector.id, vehicle, energy_wh=energy_wh, departs_ms=leaves_ms)

            engine.at(now_ms, arrive)
            engine.at(leaves_ms, lambda: self.garage.unplug(connector.id))
            now_ms = leaves_ms + chance.between(0, 30_000 if self.rush else HOUR_MS)
