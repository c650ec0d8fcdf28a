"""Carries out deeds on a network, and tells the ideal beside it what concerns vehicles and dead processes."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import attrs

from powershare.demand import ExternalLimit
from powershare.errors import FormatError, Problem
from powershare.node import NetworkConfig, Stage, steps
from powershare.simulation.network.deeds import WORDS, Deed, milliseconds
from powershare.simulation.network.host import Host
from powershare.simulation.network.ideal import Ideal
from powershare.simulation.network.network import Network, leading
from powershare.simulation.network.visit import Visit
from powershare.simulation.vehicle import Traits
from powershare.units import limit_ma_from_amps, load_ma_from_amps

TOLD_AGAIN_MS = 10_000
"""How often a member is told of a limit that goes on."""

LINGERS_MS = 60_000
"""For so long after its cause something outside the assumptions may show: leases, caps and ramps are over by then."""


class Theatre:
    """A network on which deeds are done.

    Args:
        network: It.
        ideal: What is beside it; None: nothing.

    Attributes:
        charge2: What vehicles got that have left, over all their lines, in half milliamp-milliseconds.
        takeovers_ms: From each death of a leader to the next authority.
    """

    def __init__(self, network: Network, ideal: Ideal | None = None) -> None:
        self.network, self._ideal = network, ideal
        self.charge2 = 0
        self._following: NetworkConfig | None = None
        self._silent_until_ms = 0
        self._plugged: set[str] = set()

    def schedule(self, deeds: Iterable[Deed]) -> None:
        """Have deeds done, each in its time."""
        for deed in deeds:
            self.network.engine.at(deed.t_ms, partial(self.do, deed))

    def do(self, deed: Deed) -> None:
        """Do one deed, now.

        Raises:
            FormatError: Its arguments make no sense here.
        """
        try:
            getattr(self, f"_do_{deed.word}")(deed)
        except KeyError as error:
            raise FormatError([Problem(f'deed "{deed}"', "", f"names {error}, which is not there")]) from error
        except (ValueError, IndexError) as error:
            raise FormatError(
                [Problem(f'deed "{deed}"', "", f"cannot be done: {error}; write: {deed.word} {WORDS[deed.word]}")]
            ) from error

    def _after(self, delay_ms: int, action: Callable[[], object]) -> None:
        self.network.engine.at(self.network.engine.now_ms + delay_ms, action)

    def _beside(self, action: Callable[[], object]) -> None:
        """Have something happen in the ideal, at this instant."""
        if self._ideal is not None:
            self._ideal.engine.at(self.network.engine.now_ms, action)

    def _known(self, member: str) -> str:
        return self.network.hosts[member].member

    # Vehicles

    def _do_plug(self, deed: Deed) -> None:
        member, amps = deed.arguments[:2]
        ramp_ma_per_s = limit_ma_from_amps(deed.option("ramps") or "32")
        lines = deed.option("lines")
        traits = Traits(
            max_ma=limit_ma_from_amps(amps),
            lines_used=None if lines is None else int(lines),
            reaction_ms=milliseconds(deed.option("reacts") or "3"),
            ramp_down_ma_per_s=ramp_ma_per_s,
            # Measured on one vehicle: it raises its current at two thirds of the rate at which it lowers it.
            ramp_up_ma_per_s=ramp_ma_per_s if ramp_ma_per_s >= 32_000 else ramp_ma_per_s * 65 // 100,
            ignores_pilot="ignores" in deed.arguments,
        )
        if member in self._plugged:
            return
        self._plugged.add(member)
        visit = Visit(member, self.network.engine.now_ms, traits)
        self.network.plug(visit)
        if self._ideal is not None:
            self._beside(partial(self._ideal.plug, visit))

    def _do_unplug(self, deed: Deed) -> None:
        member = deed.arguments[0]
        if member not in self._plugged:
            return
        self._plugged.discard(member)
        self.charge2 += self.network.unplug(member)
        if self._ideal is not None:
            self._beside(partial(self._ideal.unplug, member))

    # Faults inside the assumptions

    def _do_crash(self, deed: Deed) -> None:
        for member in deed.arguments[0].split(","):
            if member == "leader":
                leader = leading(self.network)
                if leader is None:
                    continue
                member = leader.member  # noqa: PLW2901 - whoever it is now
            host = self.network.hosts[member]
            dies = partial(self._die, member, deed.lasts_ms(), unwritten="unwritten" in deed.arguments)
            if host.node is not None and "cut" in deed.arguments:
                host.cut(dies)
            elif host.node is not None:
                dies()

    def _die(self, member: str, down_ms: int, *, unwritten: bool) -> None:
        self.network.crash(member, unwritten=unwritten)
        self._ideal_down(member, down=True)
        if down_ms:
            self._after(down_ms, partial(self._restart, member))

    def _restart(self, member: str) -> None:
        self.network.restart(member)
        self._ideal_down(member, down=False)

    def _ideal_down(self, member: str, *, down: bool) -> None:
        if self._ideal is not None and member in self.network.connectors:
            self._beside(partial(self._ideal.down, member, down=down))

    def _do_pause(self, deed: Deed) -> None:
        host = self.network.hosts[deed.arguments[0]]
        if host.node is not None and not host.paused:
            host.pause()
            self.network.remark(host.member, "paused")
            self._after(deed.lasts_ms(), partial(self._resume, host))

    def _resume(self, host: Host) -> None:
        self.network.remark(host.member, "resumed")
        host.resume()

    def _do_drift(self, deed: Deed) -> None:
        host = self.network.hosts[deed.arguments[0]]
        host.clock.set_rate(int(deed.arguments[1]), self.network.engine.now_ms)
        host.rearm()

    def _do_partition(self, deed: Deed) -> None:
        groups = [[self._known(name) for name in group.split(",")] for group in _before_options(deed.arguments)]
        self._apart(deed, partial(self.network.links.partition, groups), partial(self.network.links.partition, ()))

    def _do_block(self, deed: Deed) -> None:
        pairs = [pair.split(">") for pair in deed.arguments[0].split(",") if ">" in pair]
        blocked = [(self._known(one), self._known(other)) for one, other in pairs]
        self._apart(deed, partial(self.network.links.block, blocked), partial(self.network.links.block, ()))

    def _apart(self, deed: Deed, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """The network falls apart for a while."""
        self.network.partitions += 1
        begin()
        self._remark_all(" ".join(_before_options(deed.said)))
        self._after(deed.lasts_ms(), partial(self._together, end))

    def _together(self, end: Callable[[], None]) -> None:
        end()
        self._remark_all("joined")

    def _remark_all(self, word: str) -> None:
        for member in self.network.hosts:
            self.network.remark(member, word)

    def _do_loss(self, deed: Deed) -> None:
        links = self.network.links
        links.traits = attrs.evolve(links.traits, loss_percent=int(deed.arguments[0]))

    def _do_handover(self, _deed: Deed) -> None:
        self.network.hand_over()

    def _do_configure(self, deed: Deed) -> None:
        """The network changes to other fallbacks, one member after the other, as messages and restarts allow."""
        if self._following is not None:
            return
        site = self.network.config.site
        said = dict(pair.split("=") for pair in deed.arguments[0].split(","))
        connectors = tuple(
            attrs.evolve(one, fallback_ma=limit_ma_from_amps(said[one.id])) if one.id in said else one
            for one in site.connectors
        )
        if connectors != site.connectors:
            changed = attrs.evolve(self.network.config, site=attrs.evolve(site, connectors=connectors))
            self._following = following = steps(self.network.config, changed)[1].config
            self._take_steps(following, Stage.TRANSITIONAL)

    def _take_steps(self, following: NetworkConfig, stage: Stage) -> None:
        """Everybody who can takes the step; who is dead takes it later; then the next one."""
        hosts = self.network.hosts.values()
        for host in hosts:
            ready = host.node is not None and not host.paused and host.node.may_go_on
            if ready and host.stored.stage is not stage:
                self.network.configure(host.member, 0 if stage is Stage.TRANSITIONAL else 1, following)
        if all(host.stored.stage is stage for host in hosts):
            if stage is Stage.FINAL:
                self._after(1_000, partial(self._settled, following))
                return
            stage = Stage.FINAL
        self._after(2_000, partial(self._take_steps, following, stage))

    def _settled(self, following: NetworkConfig) -> None:
        """Once every process acts by it, it is what is stored."""
        hosts = self.network.hosts.values()
        if any(host.node is None or host.node.commissioning.stage is not Stage.STEADY for host in hosts):
            self._after(1_000, partial(self._settled, following))
            return
        self.network.settled(following)
        self._following = None

    # Outside the assumptions

    def _do_limit(self, deed: Deed) -> None:
        circuit, amps = deed.arguments[:2]
        limit = ExternalLimit(circuit=circuit, limit_ma=limit_ma_from_amps(amps), source="utility")
        told = deed.option("told") or self.network.config.members[0]
        self.network.foreign.limit(limit)
        self._tell_limit(limit, told, self.network.engine.now_ms + deed.lasts_ms())
        self._after(deed.lasts_ms(), partial(self.network.foreign.lift, limit))

    def _tell_limit(self, limit: ExternalLimit, told: str, until_ms: int) -> None:
        """Whoever limits says so again and again: a member that starts anew knows nothing of it."""
        left_ms = until_ms - self.network.engine.now_ms
        if left_ms > 0 and self.network.foreign.limits.get(limit.circuit or "") is limit:
            self.network.tell_limit(limit, told, left_ms)
            self._after(TOLD_AGAIN_MS, partial(self._tell_limit, limit, told, until_ms))

    def _do_load(self, deed: Deed) -> None:
        circuit, amps = deed.arguments[:2]
        self.network.foreign.change_load(circuit, _per_line(amps, len(self.network.site.supply.lines)))

    def _do_meter(self, deed: Deed) -> None:
        self._read_meter(deed.arguments[0], deed.option("at") or self.network.config.members[0])

    def _read_meter(self, circuit: str, told: str) -> None:
        if self.network.engine.now_ms >= self._silent_until_ms:
            self.network.measure(circuit, told)
        self._after(1_000, partial(self._read_meter, circuit, told))

    def _do_silence(self, deed: Deed) -> None:
        self._silent_until_ms = self.network.engine.now_ms + deed.lasts_ms()

    def _do_clock(self, deed: Deed) -> None:
        member = deed.arguments[0]
        host = self.network.hosts[member]
        host.clock.set_rate(int(deed.arguments[1]), self.network.engine.now_ms)
        self.network.mark(member, "A1")
        host.rearm()
        self._after(deed.lasts_ms(), partial(self._sane_clock, member))

    def _sane_clock(self, member: str) -> None:
        host = self.network.hosts[member]
        host.clock.set_rate(0, self.network.engine.now_ms)
        host.rearm()
        self._after(LINGERS_MS, partial(self.network.unmark, member, "A1"))

    def _do_duplicate(self, deed: Deed) -> None:
        member = deed.arguments[0]
        if member in self.network.duplicates:
            return
        self.network.mark(member, "A8")
        self.network.duplicate(member)
        self._after(deed.lasts_ms(), partial(self._single, member))

    def _single(self, member: str) -> None:
        self.network.end_duplicate(member)
        self._after(LINGERS_MS, partial(self.network.unmark, member, "A8"))


def _before_options(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("for")] if "for" in arguments else arguments


def _per_line(amps: str, lines: int) -> tuple[int, ...]:
    figures = tuple(load_ma_from_amps(figure) for figure in amps.split(","))
    return figures * lines if len(figures) == 1 else figures
