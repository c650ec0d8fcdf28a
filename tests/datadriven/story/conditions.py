"""What a story waits for, and what it sees instead: `leads b and offers a=32,c<=6`."""

from collections.abc import Iterator

import attrs
from tests.datadriven.story.site import amps

from powershare.node import Stage
from powershare.simulation.network.network import Network
from powershare.units import limit_ma_from_amps

WORDS = {
    "leads": "MEMBER, or nobody: has authority",
    "offers": "a=32,b<=6,...: what pilots offer to vehicles",
    "draws": "a=32,...: what vehicles draw",
    "ceilings": "a=32,...: what units are counted with",
    "states": "a=raised,...: cold, fall-back, raised or capped",
    "configured": "everybody acts by one configuration, with no step to go",
}


@attrs.frozen
class Condition:
    """One thing to wait for."""

    word: str
    asked: tuple[tuple[str, str, str], ...] = ()  # member, comparison, figure


class Conditions:
    """Conditions on one network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def parse(self, words: list[str]) -> list[Condition]:
        """Conditions with `and` between them; ValueError where they say nothing."""
        found = []
        for part in " ".join(words).split(" and "):
            word, *told = part.split()
            if word not in WORDS or (not told) != (word == "configured") or len(told) > 1:
                raise ValueError(f'"{part}" is no condition; there are {", ".join(WORDS)}')
            found.append(Condition(word, tuple(self._asked(word, told[0])) if told else ()))
        return found

    def _asked(self, word: str, told: str) -> Iterator[tuple[str, str, str]]:
        if word == "leads":
            yield told, "=", ""
            return
        for one in told.split(","):
            sign = next((sign for sign in ("<=", ">=", "=") if sign in one), None)
            member, _, figure = one.partition(sign or "=")
            if sign is None or member not in self._network.connectors:
                raise ValueError(f'"{one}" is no condition on a connector; write a=32, a<=32 or a>=32')
            yield member, sign, figure

    def instead(self, conditions: list[Condition]) -> str | None:
        """What holds in place of the first that does not; None: all hold."""
        return next((text for one in conditions if (text := self._instead(one)) is not None), None)

    def _instead(self, condition: Condition) -> str | None:
        if condition.word == "leads":
            leaders = leading(self._network) or ["nobody"]
            return None if leaders == [condition.asked[0][0]] else f"leads {', '.join(leaders)}"
        if condition.word == "configured":
            stages = {host.member: host.stored.stage for host in self._network.hosts.values()}
            waiting = [f"{member} is {stage.value}" for member, stage in stages.items() if stage is not Stage.STEADY]
            return ", ".join(waiting) or None
        now = {member: self._figure(condition.word, member) for member, _, _ in condition.asked}
        if all(_holds(now[member], sign, figure) for member, sign, figure in condition.asked):
            return None
        told = (f"{member} {is_now if isinstance(is_now, str) else amps(is_now)}" for member, is_now in now.items())
        return f"{condition.word} {', '.join(told)}"

    def _figure(self, word: str, member: str) -> int | str:
        connector, node = self._network.connectors[member], self._network.hosts[member].node
        if word == "offers":
            return connector.offered_ma
        if word == "draws":
            connector.advance(self._network.engine.now_ms)
            return connector.drawn_ma
        if node is None or node.unit is None:
            return "dead"
        holder = node.unit.holder
        return holder.ceiling_ma if word == "ceilings" else holder.state.value.split()[0]


def _holds(now: int | str, sign: str, figure: str) -> bool:
    if isinstance(now, str):
        return now == figure
    asked_ma = limit_ma_from_amps(figure)
    return now <= asked_ma if sign == "<=" else now >= asked_ma if sign == ">=" else now == asked_ma


def leading(network: Network) -> list[str]:
    """Who has authority now: one at most, if all is well."""
    return [
        member
        for member, host in network.hosts.items()
        if host.node is not None and host.node.leads and host.now_ms() < host.node.elector.authority.until_ms
    ]
