"""What there is to see of a network: members, offers, sums on lines, a ledger, and whether anything broke."""

from collections.abc import Iterator

from tests.datadriven.story.conditions import leading
from tests.datadriven.story.site import amps, per_line

from powershare.simulation.network.host import Host
from powershare.simulation.network.invariants import Checker
from powershare.simulation.network.network import Network
from powershare.trace import Audit, Breach, TraceEvent

_HEAD = ("role", "term", "ceiling", "offer", "draws", "state")


class Looks:
    """Looks at one network; sums on lines are the greatest since the last look at them."""

    def __init__(self, network: Network, checker: Checker) -> None:
        self._network, self._checker = network, checker
        self._sums = Audit(network.site)

    def happened(self, event: TraceEvent) -> None:
        """Something changed at a device or a circuit."""
        self._sums.feed(event)

    # Commands

    def show(self, words: list[str]) -> Iterator[str]:
        """One line per member."""
        asked = [name for word in words for name in word.split(",")] or list(self._network.hosts)
        rows = [_HEAD, *(self._member(self._network.hosts[name]) for name in asked)]
        names = [f"{self._network.engine.now_ms / 1000:.1f} s", *asked]
        widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
        first = max(map(len, names))
        for name, row in zip(names, rows, strict=True):
            cells = [f"{name:<{first}}", f"{row[0]:<{widths[0]}}"]
            cells += [f"{row[place]:>{widths[place]}}" for place in range(1, len(_HEAD) - 1)]
            yield "  ".join([*cells, row[-1]]).rstrip()

    def offers(self, _words: list[str]) -> Iterator[str]:
        """What pilots offer; no vehicle: -."""
        yield "offers " + ", ".join(
            f"{name} {'-' if one.vehicle is None else amps(one.offered_ma)}"
            for name, one in self._network.connectors.items()
        )

    def limits(self, _words: list[str]) -> Iterator[str]:
        """The greatest sums since the last look, other load with them."""
        peaks = self._sums.result().peaks
        lines = len(self._network.site.supply.lines)
        for first in range(0, len(peaks), lines):
            mine = peaks[first : first + lines]
            name = mine[0].circuit
            limits_ma = tuple(peak.limit_ma for peak in mine) if name is None else self._network.foreign.limit_ma(name)
            offered, drawn = (
                per_line(tuple(peak.offered_ma for peak in mine)),
                per_line(tuple(p.drawn_ma for p in mine)),
            )
            yield f"{name or 'network'}: offered {offered}, drawn {drawn} of {per_line(limits_ma)} A"
        for loads in (self._sums._offered, self._sums._drawn):
            loads.peak = [own + other for own, other in zip(loads.sum, self._sums._other_ma, strict=True)]

    def ledger(self, _words: list[str]) -> Iterator[str]:
        """The ledger of whoever has authority: the most a unit may draw, for how long, and afterwards."""
        for name in leading(self._network) or [""]:
            host = self._network.hosts.get(name)
            if host is None or host.node is None or host.node.leading is None:
                yield "nobody has a ledger"
                continue
            ledger, now_ms = host.node.leading.granting.ledger, host.now_ms()
            told = []
            for place, connector in enumerate(self._network.site.connectors):
                until_ms = ledger.until_ms[place]
                now, later = (amps(ledger.envelope_ma(place, at_ms)) for at_ms in (now_ms, max(now_ms, until_ms)))
                told.append(f"{connector.id} {now}" + (f" for {_round_s(until_ms - now_ms)} s" if now != later else ""))
            yield f"ledger of {name}: {', '.join(told)}"

    def check(self, _words: list[str]) -> Iterator[str]:
        """Every limit and every invariant so far."""
        self._checker.finish(self._network)
        result = self._network.audit.result()
        told = [_breach(breach) for breach in result.inside]
        for name, counted in self._checker.results.items():
            if counted.failed:
                failure = next(one for one in self._checker.failures if one.invariant == name)
                first = f"first at {failure.t_ms / 1000:.1f} s at {failure.member}: {failure.text}"
                told.append(f"{name} broke {counted.failed} times, {first}")
        outside = [_breach(breach) for breach in result.outside]
        yield from told or ["nothing broke"]
        yield from (f"outside the assumptions: {text}" for text in outside)
        excused = [name for name, counted in self._checker.results.items() if counted.outside]
        if excused:
            yield f"outside the assumptions: {', '.join(excused)}"

    # Parts

    def _member(self, host: Host) -> tuple[str, ...]:
        node, device, connector = host.node, host.device, self._network.connectors.get(host.member)
        draws = "-"
        if connector is not None and connector.vehicle is not None:
            connector.advance(self._network.engine.now_ms)
            draws = amps(connector.drawn_ma)
        offer = "" if device is None else amps(device.offer_ma)
        if node is None:
            return ("dead", "", "", offer, draws, "")
        elector = node.elector
        term = elector.term if elector.asks else elector.fence
        role = "stands still" if host.paused else node.role.value
        if device is None or node.unit is None:
            return (role, str(term.counter), "", "", "", "")
        holder = node.unit.holder
        left = "" if holder.until_ms is None else _left(holder.until_ms - host.now_ms())
        state = holder.state.value + left
        if holder.faulted:
            state += ", out of order"
        elif holder.tripped:
            state += ", contactor open"
        return (role, str(term.counter), amps(holder.ceiling_ma), offer, draws, state)


def _left(left_ms: int) -> str:
    return f" {_round_s(left_ms)} s" if left_ms > 0 else ", and its time is over"


def _round_s(time_ms: int) -> int:
    return (time_ms + 500) // 1000


def _breach(breach: Breach) -> str:
    until = "for good" if breach.until_ms is None else f"for {(breach.until_ms - breach.t_ms) / 1000:.1f} s"
    where = f"{breach.circuit or 'network'} {breach.line}"
    return (
        f"{breach.t_ms / 1000:.1f} s: {where} {amps(breach.load_ma)} A {breach.kind.value} "
        f"of {amps(breach.limit_ma)} A, {until}"
    )
