"""What nodes note and devices do by themselves, as a story tells it since the last look."""

from collections.abc import Iterable, Iterator

import attrs

from powershare.node import Note
from powershare.trace import ConnectorEvent, TraceEvent

TOLD = {
    "fell back": "fell back by itself",
    "opened": "opens the contactor",
    "opened by itself": "opened the contactor by itself",
    "closed by itself": "closed the contactor by itself",
}
"""Words of devices that are worth a line."""

GOES_ON_MS = 3_000
"""A note that is said again within this goes on."""


@attrs.define
class _Line:
    t_ms: int
    who: str
    text: str
    last_ms: int
    times: int = 1

    def __str__(self) -> str:
        again = f" ({self.times} times, until {self.last_ms / 1000:.1f})" if self.times > 1 else ""
        return f"{self.t_ms / 1000:.1f} {self.who}: {self.text}{again}"


class Notes:
    """Lines since the last look."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    def stepped(self, t_ms: int, member: str, notes: Iterable[Note]) -> None:
        """A node noted something."""
        for note in notes:
            about = "" if note.about == member else f" of {note.about}"
            self._add(t_ms, member + about, f"{note.word}, {note.text}")

    def happened(self, event: TraceEvent) -> None:
        """Something changed at a device."""
        if isinstance(event, ConnectorEvent) and event.event in TOLD:
            self._add(event.t_ms, f"{event.connector}'s device", TOLD[event.event])

    def _add(self, t_ms: int, who: str, text: str) -> None:
        for line in reversed(self._lines):
            if line.last_ms < t_ms - GOES_ON_MS:
                break
            if (line.who, line.text) == (who, text):
                line.last_ms, line.times = t_ms, line.times + 1
                return
        self._lines.append(_Line(t_ms, who, text, t_ms))

    def look(self, members: list[str]) -> Iterator[str]:
        """Everything since the last look, or what these members noted, with their devices."""
        asked = {name for word in members for name in word.split(",")}
        lines, self._lines = self._lines, []
        told = [line for line in lines if not asked or line.who.split("'")[0].split()[0] in asked]
        yield from map(str, told)
        if not told:
            yield "nobody noted anything"
