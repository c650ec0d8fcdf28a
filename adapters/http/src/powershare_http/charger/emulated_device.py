"""An emulated device: it answers as a map says, over a connector with its vehicle. No I/O.

It is told the time with everything it is asked, and does nothing by itself; a watchdog that was due meanwhile acts
before that. What no device would take, or no careful controller would send, raises an alarm.

Not faithful: it answers at once, applies orders at once, and knows no question that its map does not name.
"""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from powershare.simulation.outlet import Outlet
from powershare.units import Milliamps
from powershare_http.charger.http_map import PLACEHOLDER, HttpMap, Place, StateRule, Step
from powershare_http.exchange import Answer, Request

_NUMBER = r"(\d{1,6}(?:\.\d{1,3})?)"
_UNKNOWN = {"more": ["than", "its map", "knows"], "nothing": None}
"""Members that no map names: firmware comes and goes, and its answers with it."""


class EmulatedDevice:
    """One device.

    Args:
        found: What it is like.
        outlet: Its connector.
        now_ms: The present.

    Attributes:
        alarms: What it was told that must not be.
        ignores: It accepts orders, and does nothing.
        tripped: Whether its watchdog has acted.
        told: Every order's question that came, in order.
    """

    def __init__(self, found: HttpMap, outlet: Outlet, now_ms: int) -> None:
        self.map, self.outlet = found, outlet
        self.alarms: list[str] = []
        self.told: list[str] = []
        self.ignores = self.tripped = False
        self._order_ma: Milliamps = found.offers.least_ma
        self._paused = False
        self._fed_ms = now_ms
        self._release_apart = any(not list(step.placeholders()) for step in found.offer)
        self._pause_apart = any(not list(step.placeholders()) for step in found.pause)
        self._apply(now_ms, None)

    def restart(self, now_ms: int) -> None:
        """Lose power for a moment: its order is forgotten, and its saved maximum counts, or its failsafe current."""
        dog = self.map.watchdog
        self._order_ma = self.map.offers.greatest_ma
        self._paused, self.tripped, self._fed_ms = False, dog is not None, now_ms
        self.outlet.advance(now_ms)
        self._apply(now_ms, "restarted")

    def catch_up(self, now_ms: int) -> None:
        """Let its watchdog act if that was due."""
        due_ms = self.due_ms()
        if due_ms is not None and due_ms <= now_ms:
            self.tripped = True
            self._apply(now_ms, "watchdog")
        self.outlet.advance(now_ms)

    def due_ms(self) -> int | None:
        """When its watchdog acts; None: it has none, or has acted."""
        dog = self.map.watchdog
        return None if dog is None or self.tripped else self._fed_ms + dog.after_ms

    def answer(self, request: Request, now_ms: int) -> Answer:
        """Answer a question."""
        self.catch_up(now_ms)
        dog = self.map.watchdog
        for name, known in self.map.reads.items():
            if (known.method, known.path, dict(known.query)) == (request.method, request.path, dict(request.query)):
                if dog is not None and dog.fed_by_reads and not self.tripped:
                    self._fed_ms = now_ms
                return Answer(status=200, body=json.dumps(self._said(name)).encode())
        # What is fixed comes first: a pause may look like an order of nothing.
        steps = sorted((*self.map.pause, *self.map.offer), key=lambda step: bool(list(step.placeholders())))
        for step in steps:
            figures = _figures_of(step, request)
            if figures is not None:
                return self._take(step, request, figures, now_ms)
        return Answer(status=404, body=b"not found")

    def _take(self, step: Step, request: Request, figures: tuple[str, ...], now_ms: int) -> Answer:
        self.told.append(f"{request} {request.body}".strip())
        order_ma = None if not figures else self.map.amount.current_ma_of(figures[0])
        offers = self.map.offers
        if len(set(figures)) > 1 or (
            order_ma is not None
            and (not offers.least_ma <= order_ma <= offers.greatest_ma or order_ma % offers.step_ma)
        ):
            self.alarms.append(self.told[-1])
            self.outlet.offer(self.outlet.ordered_ma, now_ms, f"alarm: {self.told[-1]}")
            return Answer(status=400, body=b"no such current")
        if not self.ignores:
            self._obey(step, order_ma)
            self.tripped, self._fed_ms = False, now_ms
            self._apply(now_ms, None)
        return Answer(status=200, body=f'{step.answers}{{"accepted": true}}'.encode())

    def _obey(self, step: Step, order_ma: Milliamps | None) -> None:
        pauses = step in self.map.pause
        if order_ma is None:
            self._paused = pauses
            return
        self._order_ma = order_ma
        if step in self.map.offer or _alike_one_of(step, self.map.offer):
            self._paused = self._paused and self._release_apart
        elif pauses:
            self._paused = self._paused or not self._pause_apart

    def _apply(self, now_ms: int, word: str | None) -> None:
        dog = self.map.watchdog
        pilot_ma = 0 if self._paused else self._order_ma
        if self.tripped and dog is not None:
            pilot_ma = dog.fallback_ma
        self.outlet.offer(pilot_ma, now_ms, word)

    def _said(self, name: str) -> object:
        """The body of an answer."""
        found, body = self.map, _Body(name)
        offering = self.outlet.ordered_ma > 0
        says_so = found.switch is not None or any(_pause_words(rule) for rule in found.states)
        shown_ma = self.outlet.ordered_ma if offering or not says_so else self._order_ma
        body.put(found.offered.place, _number(shown_ma, found.offered.unit_ma))
        if found.switch is not None:
            body.put(found.switch.place, _plain(found.switch.offering if offering else found.switch.paused[0]))
        for rule in found.states:
            body.put(rule.place, _plain(_word_for(rule, self.outlet.state, offering=offering)))
        if found.drawn is not None:
            for place, drawn_ma in zip(found.drawn.places, self.outlet.drawn_per_line_ma, strict=False):
                body.put(place, _number(drawn_ma, found.drawn.unit_ma))
        if found.trouble is not None:
            body.put(found.trouble.place, _plain(found.trouble.fine[0] if self.outlet.state not in "EF" else "6"))
        for expected in found.expect:
            if expected.value is not None:
                body.put(expected.place, _plain(expected.value))
        for evidence in found.evidence:
            body.put(evidence.place, f"emulated {evidence.name}")
        dog = found.watchdog
        if dog is not None and dog.time is not None:
            body.put(dog.time, dog.after_ms / 1000)
        if dog is not None and dog.failsafe is not None:
            body.put(dog.failsafe, dog.fallback_ma / 1000)
        return body.root


class _Body:
    """The body of the answer to one question, member by member."""

    def __init__(self, read: str) -> None:
        self._read = read
        self.root: object = dict(_UNKNOWN)

    def put(self, place: Place, value: object) -> None:
        """Write a value where it lies, if it lies in this answer."""
        if place.read == self._read:
            self.root = _put(self.root, place.path, value)


def _put(into: object, path: tuple[str, ...], value: object) -> object:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if step.isdecimal():
        array = list(into) if isinstance(into, list) else []
        array += [0] * (int(step) + 1 - len(array))
        array[int(step)] = _put(array[int(step)], rest, value)
        return array
    members = dict(into) if isinstance(into, dict) else {}
    members[step] = _put(members.get(step), rest, value)
    return members


def _figures_of(step: Step, request: Request) -> tuple[str, ...] | None:
    """The figures with which a question is this one; None: it is another one."""
    if (step.method, list(step.query)) != (request.method, list(request.query)):
        return None
    figures: list[str] = []
    parts = [(step.path, request.path), (step.body, request.body)]
    for template, text in (*parts, *((step.query[key], request.query[key]) for key in step.query)):
        pattern = _NUMBER.join(map(re.escape, PLACEHOLDER.split(template)[::2]))
        match = re.fullmatch(pattern, text, re.ASCII)
        if match is None:
            return None
        figures += match.groups()
    return tuple(figures)


def _alike_one_of(step: Step, others: tuple[Step, ...]) -> bool:
    """Whether a question differs from another one in nothing but its figures."""

    def shape(one: Step) -> tuple[object, ...]:
        query: Mapping[str, str] = {key: PLACEHOLDER.sub("{}", value) for key, value in one.query.items()}
        return one.method, PLACEHOLDER.sub("{}", one.path), query, PLACEHOLDER.sub("{}", one.body)

    return any(shape(step) == shape(other) for other in others)


def _pause_words(rule: StateRule) -> list[str]:
    """Words that say that nothing is offered, and leave the state to another rule."""
    return [word for word in rule.not_offering if word not in rule.values]


def _word_for(rule: StateRule, state: str, *, offering: bool) -> str:
    """What a rule's field says in a state."""
    if not offering and _pause_words(rule):
        return _pause_words(rule)[0]
    words = [word for word, letter in rule.values.items() if letter == state]
    if not words and state in "CD":  # where only another field says that it charges, there is a vehicle all the same
        words = [word for word, letter in rule.values.items() if letter == "B"]
    if words:
        return words[0]
    return next(word for word in ("false", "true", "99") if word not in rule.values)


def _plain(word: str) -> object:
    """A word as JSON has it."""
    known = {"true": True, "false": False, "null": None}
    if word in known:
        return known[word]
    return int(word) if re.fullmatch(r"-?\d+", word, re.ASCII) else word


def _number(current_ma: Milliamps, unit_ma: Decimal) -> float:
    """A figure that never says too little."""
    thousandths = math.ceil(Fraction(current_ma) / Fraction(unit_ma) * 1_000)
    return thousandths // 1_000 if thousandths % 1_000 == 0 else thousandths / 1_000
