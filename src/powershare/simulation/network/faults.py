"""What can go wrong in one run, and how hard: drawn from the seed, so that each run is another storm."""

from collections.abc import Collection

import attrs

from powershare.errors import InputError, Problem
from powershare.simulation.chance import Chance
from powershare.simulation.network.links import LinkTraits
from powershare.timing import Timing

INSIDE = (
    "loss",
    "delay",
    "duplicate",
    "partition",
    "one_way",
    "crash",
    "pause",
    "stall",
    "drift",
    "ramp",
    "phases",
    "handover",
    "configuration",
)
"""Faults that the assumptions allow: no limit may break, whatever they do together."""

OUTSIDE = ("external", "load", "silent_meter", "ignore", "clock", "duplicate_member")
"""Faults outside the assumptions: what they do is reported, and bounded where the protocol says so."""

ABOUT = {
    "loss": "messages get lost",
    "delay": "messages are late by up to a minute, and overtake each other",
    "duplicate": "messages arrive twice",
    "partition": "the network falls apart into groups, for seconds to minutes",
    "one_way": "some hear others that do not hear them",
    "crash": "processes die and come back without memory",
    "pause": "processes stand still for up to a minute",
    "stall": "writes to devices take as long as they may",
    "drift": "clocks are off as far as they may",
    "ramp": "vehicles react late and lower their current by 1 A a second",
    "phases": "vehicles on one line, two and three follow each other",
    "handover": "leaders hand over on purpose",
    "configuration": "the network changes to another configuration while it runs",
    "external": "somebody outside limits a circuit for a while",
    "load": "other loads come and go",
    "silent_meter": "the meters of other loads fall silent",
    "ignore": "vehicles ignore their pilot",
    "clock": "a clock is off beyond the bound",
    "duplicate_member": "a second process speaks for a member",
}


@attrs.frozen(kw_only=True)
class Storm:
    """The faults of one run, and how hard each is.

    Attributes:
        names: Which are on.
        links: How messages fare.
        toggle_s: How long a vehicle stays, and a place stays empty, in the mean.
        crash_s: How often a process dies, in the mean, per member; None: never.
        down_s: The longest that it stays dead.
        pause_s: How often a process stands still, in the mean, per member; None: never.
        still_s: The longest that it stands still.
        partition_s: How often the network falls apart, in the mean; None: never.
        apart_s: The longest that it stays so.
        ppm: The greatest rate error of a clock.
        write_ms: Shortest and longest write to a device.
        metered: Whether connectors have meters.
        slow: Whether vehicles ramp down slowly.
        handover_s: How often the leader hands over, in the mean; None: never.
        foreign_s: How often other loads or external limits change, in the mean; None: never.
    """

    names: frozenset[str]
    links: LinkTraits = attrs.field(factory=LinkTraits)
    toggle_s: int = 600
    crash_s: int | None = None
    down_s: int = 60
    pause_s: int | None = None
    still_s: int = 30
    partition_s: int | None = None
    apart_s: int = 120
    ppm: int = 0
    write_ms: tuple[int, int] = (5, 50)
    metered: bool = True
    slow: bool = False
    handover_s: int | None = None
    foreign_s: int | None = None

    def on(self, name: str) -> bool:
        """Whether a fault is on."""
        return name in self.names


def names_of(words: str) -> frozenset[str] | None:
    """The faults that a person asks for.

    Args:
        words: Names with commas between, `none`, `inside`, `outside`, `all`; empty: let each seed draw.

    Returns:
        Them; None: let each seed draw.

    Raises:
        InputError: A name is none.
    """
    if not words:
        return None
    groups = {"none": (), "inside": INSIDE, "outside": OUTSIDE, "all": INSIDE + OUTSIDE}
    found: set[str] = set()
    problems = []
    for word in words.split(","):
        name = word.strip().replace("-", "_")
        if name in groups:
            found.update(groups[name])
        elif name in ABOUT:
            found.add(name)
        else:
            known = ", ".join([*ABOUT, *groups])
            problems.append(Problem("faults", name, f"is none; there are {known}"))
    if problems:
        raise InputError(problems)
    return frozenset(found)


def draw(chance: Chance, names: Collection[str] | None, timing: Timing, loss_percent: int | None = None) -> Storm:
    """Draw a storm.

    Args:
        chance: Where it comes from.
        names: Which faults are on; None: each of those inside the assumptions with even chances.
        timing: The network's times.
        loss_percent: How many messages of a hundred get lost; None: drawn where `loss` is on.
    """
    drawn = {name for name in INSIDE if chance.happens(50)}
    on = frozenset(drawn if names is None else names)
    loss = chance.between(1, 40) if chance.happens(70) else 10
    return Storm(
        names=on,
        links=LinkTraits(
            loss_percent=(loss if "loss" in on else 0) if loss_percent is None else loss_percent,
            late_percent=chance.between(1, 10) if "delay" in on else 0,
            duplicate_percent=chance.between(5, 50) if "duplicate" in on else 0,
        ),
        toggle_s=(120, 300, 600, 1_800)[chance.between(0, 3)],
        crash_s=chance.between(120, 1_800) if "crash" in on else None,
        down_s=chance.between(2, 90),
        pause_s=chance.between(120, 1_800) if "pause" in on else None,
        still_s=chance.between(1, 60),
        partition_s=chance.between(60, 900) if on & {"partition", "one_way"} else None,
        apart_s=chance.between(5, 240),
        ppm=timing.drift_ppm if "drift" in on else 0,
        write_ms=(timing.write_ms // 2, timing.write_ms - 5) if "stall" in on else (5, 50),
        metered="ramp" in on or chance.happens(50),
        slow="ramp" in on,
        handover_s=chance.between(120, 900) if "handover" in on else None,
        foreign_s=chance.between(60, 600) if on & {"external", "load", "silent_meter"} else None,
    )
