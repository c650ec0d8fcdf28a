"""Small sites and small storms in one line each, as stories begin with them.

    site feeder=36 connectors=a,b,c step=1
    site main=63 west=32 east=32 under=west:main,east:main other=main:20 connectors=a@west,b@west,c@east witness=yes
    storm loss=10 delays=20..200 seed=7 metered=yes

What is no option of `OPTIONS` is a circuit with its limit; per line as 40/40/32. The defaults of a storm: nothing goes
wrong, every message takes 50 ms and every write 20 ms, and no connector has a meter, so that a story is one by itself.
"""

from collections.abc import Iterator

from powershare.node import NetworkConfig
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.links import LinkTraits
from powershare.site import Circuit, Connector, Network, Site, Supply
from powershare.site.values import PerLine, on_line
from powershare.timing import Timing
from powershare.units import Line, Milliamps, limit_ma_from_amps

OPTIONS = {
    "connectors": "a,b@west,...: who, and on which circuit where it is not the first",
    "supply": "single_phase (the default), split_phase or three_phase",
    "under": "west:main,...: which circuit feeds which",
    "other": "main:20,...: the most that other loads may draw there",
    "network": "AMPS for all connectors together",
    "fallback": "AMPS for all, or a:6,b:0",
    "max": "AMPS for all, or a:16,b:32: the greatest offer",
    "step": "AMPS between two offers",
    "lines": "a:L1,b:L2L3: the lines of a connector",
    "leader": "the commissioned leader",
    "witness": "yes: a meter votes",
    "voters": "a+b: only these vote and lead",
    "cold": "SECONDS of the cold hold",
}
"""Every option of a site beside its circuits."""


def amps(current_ma: Milliamps) -> str:
    """Milliamps as a story says them."""
    return f"{current_ma / 1000:g}"


def per_line(figures_ma: tuple[Milliamps, ...]) -> str:
    """Figures of all lines: once where there is but one line."""
    return "/".join(map(amps, figures_ma))


def options(words: list[str], known: dict[str, str] | None = None) -> dict[str, str]:
    """`name=value` words; ValueError where a word is none."""
    found = dict(word.split("=", 1) for word in words if "=" in word)
    wrong = [word for word in words if "=" not in word] + [name for name in found if known and name not in known]
    if wrong:
        raise ValueError(f'"{wrong[0]}" is no option; there are {", ".join(f"{name}=" for name in known or OPTIONS)}')
    return found


def config_of(words: list[str]) -> NetworkConfig:
    """The network of a `site` line."""
    told = options(words)
    circuits = {name: text for name, text in told.items() if name not in OPTIONS}
    parents, other = _each(told.get("under", "")), _each(told.get("other", ""))
    supply = Supply(told.get("supply", "single_phase"))
    first = next(iter(circuits), "")
    site = Site(
        supply=supply,
        circuits=tuple(
            Circuit(
                id=name,
                parent=parents.get(name),
                limit_ma=_limit(text),
                other_load_worst_ma=limit_ma_from_amps(other.get(name, "0")),
            )
            for name, text in circuits.items()
        ),
        connectors=tuple(_connector(word, told, first) for word in told.get("connectors", "").split(",")),
        network_limit_ma=limit_ma_from_amps(told["network"]) if "network" in told else None,
        network=Network(leader=told.get("leader"), witness=told.get("witness") == "yes"),
    )
    return NetworkConfig(
        site=site,
        timing=Timing(cold_hold_ms=round(float(told.get("cold", "31")) * 1000)),
        voters=tuple(told["voters"].split("+")) if "voters" in told else None,
    )


def said(config: NetworkConfig) -> Iterator[str]:
    """What a `site` line comes to: circuits, fall-backs and votes."""
    site = config.site
    for circuit in site.circuits:
        words = f"{circuit.id} {per_line(tuple(circuit.usable_limit_ma(line)[0] for line in site.supply.lines))} A"
        if circuit.parent:
            words += f" under {circuit.parent}"
        worst_ma = tuple(on_line(circuit.other_load_worst_ma, line) for line in site.supply.lines)
        yield words + (f", other load up to {amps(max(worst_ma))} A" if any(worst_ma) else "")
    if site.network_limit_ma is not None:
        yield f"network {amps(site.network_limit_ma)} A"
    fallbacks = [f"{name} {amps(fallback_ma)}" for name, fallback_ma in site.fallbacks.by_connector.items()]
    votes = [f"{name} {weight}" for name, weight in zip(config.members, config.weights, strict=True)]
    yield f"fall-backs: {', '.join(fallbacks)}"
    yield f"votes: {', '.join(votes)}; {sum(config.weights) // 2 + 1} lead"


_STORM = {
    "seed": "1",
    "loss": "0",
    "late": "0",
    "duplicates": "0",
    "delays": "50..50",
    "drift": "0",
    "writes": "20..20",
    "metered": "no",
    "slow": "no",
}


def storm_of(words: list[str]) -> tuple[Storm, int]:
    """The storm of a `storm` line, and its seed."""
    told = {**_STORM, **options(words, _STORM)}
    links = LinkTraits(
        loss_percent=int(told["loss"]),
        delay_ms=_range(told["delays"]),
        late_percent=int(told["late"]),
        duplicate_percent=int(told["duplicates"]),
    )
    storm = Storm(
        names=frozenset(),
        links=links,
        ppm=int(told["drift"]),
        write_ms=_range(told["writes"]),
        metered=told["metered"] == "yes",
        slow=told["slow"] == "yes",
    )
    return storm, int(told["seed"])


def _range(text: str) -> tuple[int, int]:
    least, _, most = text.partition("..")
    return int(least), int(most or least)


def _each(text: str) -> dict[str, str]:
    return dict(pair.split(":", 1) for pair in text.split(",") if ":" in pair)


def _limit(text: str) -> PerLine:
    figures = tuple(map(limit_ma_from_amps, text.split("/")))
    return figures if len(figures) > 1 else figures[0]


def _connector(word: str, told: dict[str, str], first: str) -> Connector:
    name, _, circuit = word.partition("@")
    lines = _each(told.get("lines", "")).get(name)
    return Connector(
        id=name,
        circuit=circuit or first,
        lines=None if lines is None else tuple(Line[f"L{number}"] for number in lines.split("L")[1:]),
        max_offer_ma=_figure(told, "max", name) or 32_000,
        step_ma=_figure(told, "step", name) or 1_000,
        fallback_ma=_figure(told, "fallback", name),
    )


def _figure(told: dict[str, str], option: str, name: str) -> Milliamps | None:
    """An option that is told once for all connectors, or for each."""
    text = told.get(option)
    if text is not None and ":" in text:
        text = _each(text).get(name)
    return None if text is None else limit_ma_from_amps(text)
