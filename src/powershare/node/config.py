"""What all members of a network hold alike, and how they get from one such configuration to the next."""

import enum
import hashlib
import json
from collections.abc import Iterator
from functools import cached_property

import attrs

from powershare.errors import Problem, TopologyError
from powershare.policy import OrderName, Settings
from powershare.site import Site
from powershare.timing import Timing
from powershare.units import Milliamps

WITNESS = "witness"
"""The name of the member that only votes: a meter, or any device of the site."""

MOST_MEMBERS = 4_096
"""More connectors than this are more than one network."""

_HASH_BYTES = 8


@attrs.frozen(kw_only=True, slots=False)
class NetworkConfig:
    """A commissioned network: its site, its times, and who votes.

    Attributes:
        site: What is installed.
        timing: The times of the protocol.
        order: In what order current is handed on.
        settings: The policy's figures.
        voters: The connectors that vote and may lead; None: all. The others are regulated only.
        serial: How many configurations came before: going back to a former one is another change, and messages that
            are late from its first time are not taken for its own. Counted by `steps`.

    Raises:
        TopologyError: Too many connectors, or a voter that is none of them.
    """

    site: Site
    timing: Timing = attrs.field(factory=Timing)
    order: OrderName = "fair"
    settings: Settings = attrs.field(factory=Settings)
    voters: tuple[str, ...] | None = None
    serial: int = 0

    def __attrs_post_init__(self) -> None:
        problems = tuple(self.problems())
        if problems:
            raise TopologyError(problems)

    def problems(self) -> Iterator[Problem]:
        """Everything that keeps this from being a network."""
        if len(self.site.connectors) > MOST_MEMBERS:
            yield Problem("network", "connector", f"has {len(self.site.connectors)} members; {MOST_MEMBERS} at most")
        if self.site.network.witness and WITNESS in self.site.connector_by_id:
            yield Problem(f'connector "{WITNESS}"', "id", "is the witness's name; give the connector another one")
        voters = self.voters
        if voters is None:
            return
        for name in voters:
            if name not in self.site.connector_by_id:
                yield Problem("network", "voters", f'names "{name}", which is no connector of this site')
        if not voters or len(set(voters)) != len(voters):
            yield Problem("network", "voters", "names nobody, or somebody twice; name each voter once")
        elif self.site.leader not in voters:
            yield Problem("network", "voters", f'leaves out "{self.site.leader}", the commissioned leader')

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Every member by its number: the connectors in site order, then the witness."""
        connectors = tuple(connector.id for connector in self.site.connectors)
        return (*connectors, WITNESS) if self.site.network.witness else connectors

    @cached_property
    def member_index(self) -> dict[str, int]:
        """Each member's number."""
        return {name: number for number, name in enumerate(self.members)}

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """Each member's vote: one, but two for the commissioned leader where the voters are even in number.

        So the sum is odd and half of it is nobody's; of two halves of a network the one with the commissioned
        leader goes on. It is commissioned, equal in all members, and never learnt.
        """
        voters = set(self.members if self.voters is None else (*self.voters, WITNESS))
        weights = [int(name in voters) for name in self.members]
        if sum(weights) % 2 == 0:
            weights[self.member_index[self.site.leader]] = 2
        return tuple(weights)

    def rank(self, member: int) -> int | None:
        """How many ask before this member when nobody leads; None: it never asks.

        Args:
            member: Its number.
        """
        if member >= len(self.site.connectors) or not self.weights[member]:
            return None
        leader = self.member_index[self.site.leader]
        before = sum(1 for other in range(member) if self.weights[other] and other != leader)
        return 0 if member == leader else before + 1

    @cached_property
    def fallbacks_ma(self) -> tuple[Milliamps, ...]:
        """What each connector may offer alone, in site order."""
        by_connector = self.site.fallbacks.by_connector
        return tuple(by_connector[connector.id] for connector in self.site.connectors)

    @cached_property
    def hash(self) -> bytes:
        """Eight bytes that stand for all of it in every message; members with another one are ignored (A6)."""
        said = json.dumps(
            [
                attrs.asdict(self.site),
                attrs.asdict(self.timing),
                self.order,
                attrs.asdict(self.settings),
                self.voters,
                self.serial,
            ],
            default=str,
            sort_keys=True,
        )
        return hashlib.sha256(said.encode()).digest()[:_HASH_BYTES]


class Stage(enum.Enum):
    """How far a member has come on the way to its configuration."""

    STEADY = "steady"
    """It acts by its configuration."""
    TRANSITIONAL = "transitional"
    """It acts by the former configuration, with the smaller of both fallbacks."""
    FINAL = "final"
    """It holds the next configuration, votes for nobody, and stays at the smaller fallback until all hold it."""


@attrs.frozen(kw_only=True, slots=False)
class Commissioning:
    """What one member holds: a configuration, or a step on the way from one to the next.

    A change takes two steps, each stored durably by every member before the next begins. In between every unit
    stays at the smaller of its two fallbacks, which fits both configurations, so members may be at either.

    Attributes:
        stage: Which step.
        config: The configuration it acts by.
        other: On the way: the next one while TRANSITIONAL, the former one while FINAL.
    """

    config: NetworkConfig
    stage: Stage = Stage.STEADY
    other: NetworkConfig | None = None

    @cached_property
    def hash(self) -> bytes:
        """Whom it can talk to. A member that is FINAL talks to those who are steady already."""
        if self.stage is not Stage.TRANSITIONAL or self.other is None:
            return self.config.hash
        return hashlib.sha256(self.config.hash + self.other.hash).digest()[:_HASH_BYTES]

    @cached_property
    def earlier_hash(self) -> bytes | None:
        """By which those can be told who have taken only the step before; None: there was none."""
        if self.stage is not Stage.FINAL or self.other is None:
            return None
        return Commissioning(config=self.other, stage=Stage.TRANSITIONAL, other=self.config).hash

    def fallback_ma(self, member: str) -> Milliamps:
        """What a unit of this name may offer alone at this step; 0 where it is not in both configurations."""
        fallbacks = [
            config.site.fallbacks.by_connector.get(member, 0)
            for config in (self.config, self.other)
            if config is not None
        ]
        return min(fallbacks)

    def counted_fallbacks_ma(self) -> tuple[Milliamps, ...]:
        """What a leader counts of units that it does not hear: those may not have taken this step yet."""
        return self.config.fallbacks_ma

    @property
    def everybody(self) -> frozenset[str]:
        """The members of both configurations."""
        return frozenset(self.config.members) | frozenset(() if self.other is None else self.other.members)

    @property
    def confirmers(self) -> frozenset[str]:
        """Who must hold this step before the next: a member that is left out does not take the last one."""
        return frozenset(self.config.members) if self.stage is Stage.FINAL else self.everybody


def steps(former: NetworkConfig, following: NetworkConfig) -> tuple[Commissioning, Commissioning]:
    """The two steps from one configuration to the next, in order.

    A member that the next one leaves out takes the first step alone, and stays there: at 0, and without a vote.
    The next configuration's serial is above the former one's; it is raised where it is not.
    """
    if following.serial <= former.serial:
        following = attrs.evolve(following, serial=former.serial + 1)
    return (
        Commissioning(config=former, stage=Stage.TRANSITIONAL, other=following),
        Commissioning(config=following, stage=Stage.FINAL, other=former),
    )
