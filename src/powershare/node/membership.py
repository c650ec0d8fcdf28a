"""What one member holds, and what follows from it: its number, whom it can talk to, its part in a change."""

from powershare.constraints import CompiledSite, compile_site
from powershare.election import Elector
from powershare.errors import ContractError
from powershare.node.changing import Changing
from powershare.node.codec import encode
from powershare.node.config import Commissioning, NetworkConfig, Stage
from powershare.node.events import Send
from powershare.node.messages import Confirmation, Heartbeat, Message


class Membership:
    """One member under one configuration, or under one step towards it.

    Args:
        commissioning: What it holds.
        member: Its name.
        boot: Its process.
        now_ms: Since when.

    Attributes:
        config: The configuration it acts by.
        number: Its number there; -1: it is not in it yet.
        compiled: The site, compiled.
        changing: Its account of the step; None: it is steady.
        settled: Its account of the step that brought it here, for those who still wait.
        fallback_ma: What its unit may offer alone.

    Raises:
        ContractError: It is no member.
    """

    __slots__ = (
        "_boot",
        "_told_ms",
        "changing",
        "commissioning",
        "compiled",
        "config",
        "fallback_ma",
        "member",
        "number",
        "outbox",
        "settled",
    )

    def __init__(self, commissioning: Commissioning, member: str, boot: int, now_ms: int) -> None:
        self.commissioning, self.member, self._boot = commissioning, member, boot
        self.config: NetworkConfig = commissioning.config
        number = self.config.member_index.get(member)
        if number is None and commissioning.stage is not Stage.TRANSITIONAL:
            raise ContractError(f'"{member}" is no member of this network: {", ".join(self.config.members)}')
        self.number = -1 if number is None else number
        self.compiled: CompiledSite = compile_site(self.config.site)
        steady = commissioning.stage is Stage.STEADY
        self.changing = None if steady else Changing(commissioning, member, now_ms)
        self.fallback_ma = commissioning.fallback_ma(member)
        self.outbox: list[Send] = []
        self.settled: Changing | None = None
        self._told_ms = [now_ms - 1] * len(self.config.members)

    @property
    def hash(self) -> bytes:
        """Whom it can talk to."""
        return self.commissioning.hash

    @property
    def votes(self) -> bool:
        """Whether it promises itself to anybody: not while it waits for all to hold what it holds."""
        return self.commissioning.stage is not Stage.FINAL

    @property
    def has_unit(self) -> bool:
        """Whether it regulates a connector of this configuration."""
        return 0 <= self.number < len(self.config.site.connectors)

    def elector(self, now_ms: int, counter: int) -> Elector:
        """A new election; whatever it promised before, it abstains for as long as a promise lasts.

        Args:
            now_ms: Now.
            counter: Of this process's last claim, under whatever configuration.
        """
        rank = self.config.rank(self.number) if self.votes and self.number >= 0 else None
        return Elector(self.number, self._boot, self.config.weights, rank, self.config.timing, now_ms, counter)

    def others(self) -> list[int]:
        """The numbers of all other members."""
        return [number for number in range(len(self.config.members)) if number != self.number]

    def send(self, to: str, message: Message) -> None:
        """Put a message into the outbox."""
        self.outbox.append(Send(to, encode(message, self.hash)))

    def repeat(self) -> None:
        """Send everything in the outbox twice: what could not wait for the cycle shall not wait for a lost message."""
        self.outbox += self.outbox

    def confirm(self, to: str, message: Confirmation) -> None:
        """Say what this member holds, also to those who have taken only the step before and wait for word of that."""
        self.send(to, message)
        if self.commissioning.earlier_hash is not None:
            self.outbox.append(Send(to, encode(message, self.commissioning.earlier_hash)))

    def tell(self, number: int, message: Heartbeat, now_ms: int) -> None:
        """Put a heartbeat to a member into the outbox; a second one of one instant would be taken for a repetition."""
        if now_ms > self._told_ms[number]:
            self._told_ms[number] = now_ms
            self.send(self.config.members[number], message)
