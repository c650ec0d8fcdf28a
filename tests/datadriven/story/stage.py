"""One story: a network in virtual time, what is done to it line by line, and what there is to see.

Deeds are those of the simulation, done at the present. Beside them: `run`, what lets look (`show`, `offers`, `limits`,
`ledger`, `notes`, `check`), and what no storm does but a counter-example needs (`hold`, `drop`, `replay`, `stall`...).
"""

from collections.abc import Iterator

import attrs
from tests.datadriven.story import site as sites
from tests.datadriven.story.conditions import Conditions
from tests.datadriven.story.looks import Looks
from tests.datadriven.story.notes import Notes
from tests.datadriven.story.wires import KINDS, Wires, pairs

from powershare.node import Event, NetworkConfig, Output
from powershare.simulation.chance import Chance
from powershare.simulation.network import WORDS, Network, Theatre, parse
from powershare.simulation.network.faults import Storm
from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants import Checker
from powershare.trace import TraceEvent

COMMANDS = {
    "site": "see OPTIONS of a site: once, first",
    "storm": "how messages, clocks and writes fare: before anything happens",
    "run": "SECONDS [while CONDITIONS], or until CONDITIONS within SECONDS: lets time pass",
    "show": "[MEMBER,...]: one line per member",
    "offers": "what pilots offer",
    "limits": "the greatest sums on every line since the last look, other load with them",
    "ledger": "the most that each unit may draw, by whoever leads",
    "notes": "[MEMBER,...]: what nodes noted and devices did by themselves since the last look",
    "check": "every limit and every invariant since the beginning",
    "restart": "MEMBER: a process that is dead comes back",
    "stall": "MEMBER SECONDS: what is written to its device is carried out no sooner than that",
    "hold": "[next] [KIND] WAYS [N]: messages wait; ways are a>b,*>b, kinds grants, heartbeats, reports, answers",
    "drop": "[next] [KIND] WAYS [N]: they get lost",
    "double": "[next] [KIND] WAYS SECONDS: they arrive once more, so much later",
    "delay": "[next] [KIND] WAYS SECONDS: they arrive so late",
    "release": "WAYS [N]: what is held arrives, and nothing is done to that way any more; with N: only so many arrive",
    "replay": "[KIND] WAYS [N]: the last so many arrive once more, now",
}
"""What a line can be beside the deeds of the simulation."""

LASTING = frozenset({"pause", "partition", "block", "limit", "silence", "clock", "duplicate"})
"""Deeds that must say for how long: a story would otherwise end them at once, unseen."""

LOOK_MS = 10
"""How often a condition is looked at."""


class Story:
    """Carries out the lines of one story; every line may raise ValueError where it makes no sense."""

    def __init__(self) -> None:
        self._config: NetworkConfig | None = None
        self._storm, self._seed = sites.storm_of([])
        self._stage: _Stage | None = None

    def say(self, line: str) -> list[str]:
        """Do one line, and answer what there is to see."""
        word, *words = line.split()
        if word == "site":
            return self._site(words)
        if word == "storm":
            self._expect(self._stage is None, "the network runs already; a storm comes before")
            self._storm, self._seed = sites.storm_of(words)
            return []
        if self._stage is None:
            self._expect(self._config is not None, "there is no site yet; begin with one")
            assert self._config is not None
            self._stage = _Stage(self._config, self._storm, self._seed)
        return list(self._stage.do(line, word, words))

    def _site(self, words: list[str]) -> list[str]:
        self._expect(self._config is None, "there is a site already")
        self._config = sites.config_of(words)
        return list(sites.said(self._config))

    @staticmethod
    def _expect(holds: bool, message: str) -> None:
        if not holds:
            raise ValueError(message)


class _Stage:
    """A network that runs."""

    def __init__(self, config: NetworkConfig, storm: Storm, seed: int) -> None:
        self._notes = Notes()
        self._looks: Looks | None = None
        network = self._network = Network(
            config, storm, Chance(seed), on_event=self._happened, observers=(self._stepped,)
        )
        self._wires = Wires(network, seed)
        checker = Checker(network)
        network.watch(checker)
        self._looks = Looks(network, checker)
        self._conditions = Conditions(network)
        self._theatre = Theatre(network)
        network.start()
        network.run(0)

    def _happened(self, event: TraceEvent) -> None:
        if self._looks is not None:
            self._looks.happened(event)
        self._notes.happened(event)

    def _stepped(self, network: Network, host: Host, _event: Event, output: Output) -> None:
        self._notes.stepped(network.engine.now_ms, host.member, output.notes)

    def do(self, line: str, word: str, words: list[str]) -> Iterator[str]:
        """Do one line."""
        looks = self._looks
        assert looks is not None
        if word == "run":
            yield from self._run(words)
        elif word in WORDS:
            self._deed(line, word, words)
        elif word == "notes":
            yield from self._notes.look(words)
        elif word in {"show", "offers", "limits", "ledger", "check"}:
            yield from getattr(looks, word)(words)
        elif word in {"hold", "release", "drop", "double", "delay", "replay"}:
            self._meddle(word, words)
        elif word == "stall":
            self._stall(*words)
        elif word == "restart":
            self._network.restart(words[0])
        else:
            raise ValueError(f'"{word}" is no command; there are {", ".join([*COMMANDS, *WORDS])}')

    def _deed(self, line: str, word: str, words: list[str]) -> None:
        if word in LASTING and "for" not in words:
            raise ValueError(f'"{word}" must say for how long')
        for deed in parse([line], with_time=False):
            self._theatre.do(attrs.evolve(deed, t_ms=self._network.engine.now_ms))
        self._network.run(self._network.engine.now_ms)

    # Time

    def _run(self, words: list[str]) -> Iterator[str]:
        """`run 10`, `run until CONDITIONS within 10`, or `run 10 while CONDITIONS`."""
        engine = self._network.engine
        start_ms = engine.now_ms
        if words[0] == "until":
            asked, within = words[1 : words.index("within")], words[words.index("within") + 1]
            conditions = self._conditions.parse(asked)
            end_ms = start_ms + _milliseconds(within)
            while (instead := self._conditions.instead(conditions)) is not None:
                if engine.now_ms >= end_ms:
                    raise ValueError(f"after {within} s still: {instead}")
                self._network.run(engine.now_ms + LOOK_MS)
            yield f"after {(engine.now_ms - start_ms) / 1000:.1f} s"
            return
        end_ms = start_ms + _milliseconds(words[0])
        if words[1:2] != ["while"]:
            if words[1:]:
                raise ValueError(f'"{words[1]}" says nothing here; write run {words[0]} while ...')
            self._network.run(end_ms)
            return
        conditions = self._conditions.parse(words[2:])
        while engine.now_ms < end_ms:
            self._network.run(engine.now_ms + LOOK_MS)
            instead = self._conditions.instead(conditions)
            if instead is not None:
                raise ValueError(f"after {(engine.now_ms - start_ms) / 1000:.1f} s: {instead}")

    # Fine control

    def _meddle(self, word: str, words: list[str]) -> None:
        """hold|drop [next] [KIND] WAYS [N], delay|double [next] [KIND] WAYS SECONDS, release|replay [KIND] WAYS [N]."""
        left = None
        if words and words[0] == "next":
            words = words[1:]
            left = 1
        kind = next((one for one in words if one in KINDS), None)
        ways = next((one for one in words if ">" in one), "")
        figures = [one for one in words if one not in {kind, ways}]
        if len(figures) > 1 or (word in {"delay", "double"} and not figures):
            raise ValueError(f'"{" ".join(words)}" is not understood')
        for pair in pairs(ways, self._network.config.members):
            if word == "release":
                self._wires.release(pair, int(figures[0]) if figures else None)
            elif word == "replay":
                self._wires.replay(pair, kind, int(figures[0]) if figures else 1)
            elif word in {"delay", "double"}:
                self._wires.put(pair, word, kind, left, _milliseconds(figures[0]))
            else:
                self._wires.put(pair, word, kind, int(figures[0]) if figures else left)
        self._network.run(self._network.engine.now_ms)

    def _stall(self, member: str, seconds: str) -> None:
        """What is written to a device from now on is carried out no sooner than so long from now."""
        device, stall_ms = self._network.hosts[member].device, _milliseconds(seconds)
        if device is None or device.write_ms != self._network.storm.write_ms:
            raise ValueError(f"{member} has no device whose writes could stall")
        device.write_ms = (stall_ms, stall_ms)

        def flow() -> None:
            device.write_ms = self._network.storm.write_ms

        self._network.engine.at(self._network.engine.now_ms + stall_ms, flow)


def _milliseconds(text: str) -> int:
    """Seconds of a line in milliseconds."""
    return round(float(text) * 1000)


ERRORS = (ValueError, KeyError, IndexError, TypeError)
"""What a line that makes no sense may raise; an InputError is a ValueError."""
