"""The worlds in which mutants are run: a small site and a weather over it, named `site/weather`.

Sites are tight: the fallbacks fill the breaker, or are 0, so that nothing is left over that could hide a mistake.
Weathers are storms within the assumptions, each hard in one way, with clocks at both ends of their bound; `outside`
adds loads, meters and limits from outside. In every weather but `calm` old messages are delivered again, minutes later.
"""

from collections.abc import Callable, Iterator, Sequence

import attrs

from powershare.node import NetworkConfig
from powershare.simulation.chance import Chance
from powershare.simulation.network import INSIDE, Deed, Storm, draw, plan
from powershare.simulation.network.links import LinkTraits
from powershare.site import Circuit, Connector, Site, Supply
from powershare.site.site import Network as Commissioned
from powershare.timing import Timing
from powershare.units import Line

REPLAYED_MS = (1_000, 600_000)
"""How much later a message is delivered again."""


@attrs.frozen(kw_only=True)
class Weather:
    """A storm, and what a storm cannot say.

    Attributes:
        storm: What goes wrong, and how hard.
        replay_percent: How many messages of a hundred are delivered again, seconds to minutes later.
        configured_s: How often the network begins to change its fallbacks; None: as the storm says.
    """

    storm: Storm
    replay_percent: int = 2
    configured_s: int | None = None


# Sites


def _site(limit_ma: int, fallbacks_ma: Sequence[int | None], *, witness: bool = False, most_ma: int = 32_000) -> Site:
    """Connectors on one circuit of one line."""
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="main", limit_ma=limit_ma),),
        connectors=tuple(
            Connector(id=f"c{place}", circuit="main", step_ma=1_000, fallback_ma=fallback_ma, max_offer_ma=most_ma)
            for place, fallback_ma in enumerate(fallbacks_ma)
        ),
        network=Commissioned(witness=witness),
    )


def _nested() -> Site:
    """Two branches under a panel on three lines, the lines rotated, other load, and a network limit."""
    turned = ((Line.L1, Line.L2, Line.L3), (Line.L2, Line.L3, Line.L1), (Line.L3, Line.L1, Line.L2), None)
    return Site(
        supply=Supply.THREE_PHASE,
        circuits=(
            Circuit(id="panel", limit_ma=36_000, other_load_worst_ma=(8_000, 4_000, 4_000)),
            Circuit(id="left", parent="panel", limit_ma=(20_000, 20_000, 16_000)),
            Circuit(id="right", parent="panel", limit_ma=26_000, other_load_worst_ma=2_000),
        ),
        connectors=tuple(
            Connector(id=f"c{place}", circuit=circuit, lines=lines, step_ma=1_000)
            for place, (circuit, lines) in enumerate(zip(("left", "left", "right", "right"), turned, strict=True))
        ),
        network_limit_ma=26_000,
    )


def _apart() -> Site:
    """Three connectors, each on a circuit of its own with room for it; only the network limit binds them."""
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=tuple(Circuit(id=f"m{place}", limit_ma=32_000) for place in range(3)),
        connectors=tuple(Connector(id=f"c{place}", circuit=f"m{place}", step_ma=1_000) for place in range(3)),
        network_limit_ma=18_000,
    )


SITES: dict[str, Site] = {
    "pair": _site(12_000, (6_000, 6_000), witness=True),
    "even": _site(24_000, (6_000, 6_000, 6_000, 6_000)),
    "six": _site(36_000, (None,) * 6),
    "none": _site(20_000, (0, 0, 0, 0, 0), most_ma=16_000),
    "mixed": _site(26_000, (0, 6_000, 12_000, 8_000)),
    "nested": _nested(),
    "apart": _apart(),
}
"""Two and a witness, four of which one has two votes, six; none may draw alone; each another fallback; nested; bound
by the network limit alone."""


# Weathers


def _storm(chance: Chance, names: str = "", **more: object) -> Storm:
    """A storm with busy vehicles, lossy links and clocks that are off, and whatever is said."""
    figures: dict[str, object] = {
        "names": frozenset(names.split()),
        "links": LinkTraits(loss_percent=5, late_percent=2, duplicate_percent=10),
        "toggle_s": (45, 90, 240)[chance.between(0, 2)],
        "ppm": 10_000,
        "metered": chance.happens(50),
        **more,
    }
    return Storm(**figures)  # type: ignore[arg-type]


def _calm(chance: Chance) -> Weather:
    return Weather(storm=_storm(chance, links=LinkTraits()), replay_percent=0)


def _drawn(chance: Chance) -> Weather:
    return Weather(storm=draw(chance.fork(1), None, Timing()))


def _late(chance: Chance) -> Weather:
    links = LinkTraits(
        loss_percent=chance.between(0, 30),
        delay_ms=(20, (400, 1_500)[chance.between(0, 1)]),
        late_percent=chance.between(5, 30),
        late_ms=(5_000, 15_000, 60_000)[chance.between(0, 2)],
        duplicate_percent=30,
    )
    return Weather(storm=_storm(chance, links=links), replay_percent=10)


def _deaths(chance: Chance) -> Weather:
    down_s = (3, 12, 60)[chance.between(0, 2)]
    return Weather(storm=_storm(chance, crash_s=chance.between(60, 240), down_s=down_s))


def _stalls(chance: Chance) -> Weather:
    still_s = (4, 15, 40)[chance.between(0, 2)]
    return Weather(storm=_storm(chance, pause_s=chance.between(40, 200), still_s=still_s, write_ms=(250, 495)))


def _split(chance: Chance) -> Weather:
    names = ("partition", "one_way", "partition one_way")[chance.between(0, 2)]
    apart_s = (8, 25, 90)[chance.between(0, 2)]
    handover_s = chance.between(40, 200)
    storm = _storm(chance, names, partition_s=chance.between(20, 90), apart_s=apart_s, handover_s=handover_s)
    return Weather(storm=storm)


def _ramps(chance: Chance) -> Weather:
    storm = _storm(chance, "ramp phases", metered=True, slow=True, crash_s=300, partition_s=200, write_ms=(5, 495))
    return Weather(storm=storm)


def _steps(chance: Chance) -> Weather:
    storm = _storm(chance, "partition", crash_s=300, down_s=20, partition_s=120, apart_s=20)
    return Weather(storm=storm, configured_s=chance.between(60, 150))


def _outside(chance: Chance) -> Weather:
    storm = _storm(chance, "external load silent_meter phases", foreign_s=chance.between(40, 160), crash_s=600)
    return Weather(storm=storm)


def _frozen(chance: Chance) -> Weather:
    """Hosts stand still for about as long as a lease lasts, and vehicles follow slowly."""
    pause_s, still_s = chance.between(20, 60), chance.between(13, 18)
    return Weather(storm=_storm(chance, "ramp", metered=True, slow=True, pause_s=pause_s, still_s=still_s))


def _all(chance: Chance) -> Weather:
    """Everything within the assumptions at once, and hard."""
    storm = _storm(
        chance,
        " ".join(INSIDE),
        links=LinkTraits(loss_percent=chance.between(0, 25), late_percent=10, duplicate_percent=30),
        crash_s=chance.between(120, 500),
        down_s=chance.between(2, 40),
        pause_s=chance.between(90, 500),
        still_s=chance.between(2, 30),
        partition_s=chance.between(60, 300),
        apart_s=chance.between(5, 60),
        write_ms=(5, 495),
        slow=chance.happens(30),
        handover_s=200,
    )
    storm = attrs.evolve(storm, metered=storm.metered or storm.slow)
    return Weather(storm=storm, replay_percent=5, configured_s=300)


WEATHERS: dict[str, Callable[[Chance], Weather]] = {
    "calm": _calm,
    "drawn": _drawn,
    "late": _late,
    "deaths": _deaths,
    "stalls": _stalls,
    "split": _split,
    "ramps": _ramps,
    "steps": _steps,
    "outside": _outside,
    "frozen": _frozen,
    "all": _all,
}
"""Nothing but clocks; as each seed draws; messages; deaths; pauses and writes; partitions; slow vehicles; changes of
configuration; what is not the protocol's; pauses and slow vehicles; all of it."""


@attrs.frozen
class World:
    """One network in one weather, for one seed.

    Attributes:
        config: The network.
        weather: What goes wrong.
        deeds: What is done.
    """

    config: NetworkConfig
    weather: Weather
    deeds: tuple[Deed, ...]


def world(name: str, seed: int, until_ms: int) -> World:
    """The world of a name.

    Args:
        name: `site/weather`.
        seed: Everything accidental comes from it.
        until_ms: The end.
    """
    site, _, sky = name.partition("/")
    config, chance = NetworkConfig(site=SITES[site]), Chance(seed)
    weather = WEATHERS[sky](chance.fork(1))
    deeds = [*plan(config, weather.storm, chance.fork(2), until_ms), *_more(config, weather, chance.fork(3), until_ms)]
    return World(config, weather, tuple(sorted(deeds, key=lambda deed: deed.t_ms)))


def _more(config: NetworkConfig, weather: Weather, chance: Chance, until_ms: int) -> Iterator[Deed]:
    """Clocks at both ends of their bound, from the start, and changes of configuration one after the other."""
    if weather.storm.ppm:
        for member in config.members:
            yield Deed(0, "drift", (member, str(weather.storm.ppm * (1 if chance.happens(50) else -1))))
    if weather.configured_s is None:
        return
    t_ms = 40_000
    while t_ms < until_ms:
        fallbacks_ma = config.site.fallbacks.by_connector
        said = (f"{name}={0 if chance.happens(40) else most_ma / 1000:g}" for name, most_ma in fallbacks_ma.items())
        yield Deed(t_ms, "configure", (",".join(said),))
        t_ms += chance.between(weather.configured_s * 500, weather.configured_s * 1_500)
