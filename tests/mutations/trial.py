"""One world of one seed: run until something breaks that must hold, and a while longer, to see what else does."""

import time
from collections.abc import Callable
from functools import partial

import attrs
from tests.mutations.worlds import REPLAYED_MS, world

from powershare.simulation.chance import Chance
from powershare.simulation.network import Network, Theatre
from powershare.simulation.network.invariants import Checker

LOOKS_MS = 5_000
"""How often it is looked whether anything has broken."""

AFTERWARDS_MS = 120_000
"""How much longer a network runs in which something has broken: it may take a while to show in amps."""


@attrs.frozen(kw_only=True)
class Broken:
    """What broke in one trial.

    Attributes:
        world: Where.
        seed: With which seed.
        by: What showed it first: an invariant, `limit` where only the audit of the trace saw it, or an exception.
        at_ms: When, in simulated time.
        text: In words.
        also: What else broke by the end.
        drawn: Whether devices offered, or vehicles drew, more than a limit.
        wall_s: How long the trial took.
    """

    world: str
    seed: int
    by: str
    at_ms: int
    text: str
    also: tuple[str, ...]
    drawn: bool
    wall_s: float


class Replays:
    """Delivers now and then an old message again."""

    def __init__(self, network: Network, chance: Chance, percent: int) -> None:
        self._network, self._chance, self._percent = network, chance, percent
        self._deliver = network._deliver
        self._send: Callable[[str, str, bytes], None] = network.links.send

    def send(self, sender: str, to: str, data: bytes) -> None:
        """Send as ever, and perhaps again; what is replayed passes no partition, as if it had been on its way."""
        self._send(sender, to, data)
        if self._chance.happens(self._percent):
            engine = self._network.engine
            engine.at(engine.now_ms + self._chance.between(*REPLAYED_MS), partial(self._deliver, to, data))


def trial(name: str, seed: int, minutes: float, *, first_only: bool = False) -> Broken | None:
    """Run one world.

    Args:
        name: `site/weather`.
        seed: Everything accidental comes from it.
        minutes: For how long, in simulated time.
        first_only: Whether to end with the first thing that breaks.

    Returns:
        What broke; None: nothing did.
    """
    started, until_ms = time.monotonic(), round(minutes * 60_000)
    made, chance = world(name, seed, until_ms), Chance(seed).fork(9)
    network = Network(made.config, made.weather.storm, chance.fork(1))
    if made.weather.replay_percent:
        replays = Replays(network, chance.fork(2), made.weather.replay_percent)
        network.links.send = replays.send  # type: ignore[method-assign]
    checker = Checker(network)
    network.watch(checker)
    raised: Exception | None = None
    try:
        Theatre(network).schedule(made.deeds)
        network.start()
        while network.engine.now_ms < until_ms:
            network.run(min(until_ms, network.engine.now_ms + LOOKS_MS))
            if checker.failures:
                if not first_only:
                    until_ms = min(until_ms, checker.failures[0].t_ms + AFTERWARDS_MS)
                else:
                    break
        checker.finish(network)
    except Exception as error:  # noqa: BLE001 - whatever a mistake makes of the code is what is looked for
        raised = error
    return _judge(network, checker, raised, name, seed, time.monotonic() - started)


def _judge(
    network: Network, checker: Checker, raised: Exception | None, name: str, seed: int, wall_s: float
) -> Broken | None:
    """What broke first; None: nothing."""
    failed = [name for name, counted in checker.results.items() if counted.failed]
    breaches = network.audit.result().inside
    told = partial(Broken, world=name, seed=seed, drawn=bool(breaches), wall_s=wall_s)
    if checker.failures:
        first = checker.failures[0]
        also = [one for one in failed if one != first.invariant] + ([type(raised).__name__] if raised else [])
        text = f"{first.member}: {first.text}"
        return told(by=first.invariant, at_ms=first.t_ms, text=text, also=tuple(also))
    if raised is not None:
        text = f"{raised} ({_place(raised)})"
        return told(by=type(raised).__name__, at_ms=network.engine.now_ms, text=text, also=())
    if breaches:
        worst = breaches[0]
        text = f"{worst.circuit} {worst.line}: {worst.load_ma} mA {worst.kind.value}, {worst.limit_ma} mA may be"
        return told(by="limit", at_ms=worst.t_ms, text=text, also=())
    return None


def _place(error: Exception) -> str:
    """Where an exception came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "nowhere"
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('powershare/')[2]}:{trace.tb_lineno}"
