"""What a family of devices with an HTTP interface is like, as a value: how it is told amps, and where it says them."""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

import attrs

from powershare.adapter import PilotState
from powershare.units import Milliamps
from powershare_http.client import Login
from powershare_http.exchange import Request

PLACEHOLDER = re.compile(r"\{(\w*)\}", re.ASCII)
"""What is filled in: `{order}`, and `{least}` for the least offer."""

PLACEHOLDERS = ("order", "least")


@attrs.frozen(kw_only=True)
class Range:
    """What can be ordered.

    Attributes:
        least_ma: The least offer above 0.
        greatest_ma: The greatest offer.
        step_ma: The step of offers.
        settle_ms: The longest from an answer to pilot and report.
    """

    least_ma: Milliamps
    greatest_ma: Milliamps
    step_ma: Milliamps
    settle_ms: int


@attrs.frozen(kw_only=True)
class Amount:
    """How amps are written.

    Attributes:
        unit_ma: How many milliamps one unit is.
        digits: Digits behind the point; 0: whole numbers.
    """

    unit_ma: Decimal
    digits: int

    def text_of(self, current_ma: Milliamps) -> str:
        """The greatest number that does not mean more."""
        scaled = math.floor(Fraction(current_ma) / Fraction(self.unit_ma) * 10**self.digits)
        if not self.digits:
            return str(scaled)
        whole, rest = divmod(scaled, 10**self.digits)
        return f"{whole}.{rest:0{self.digits}d}"

    def current_ma_of(self, text: str) -> Milliamps:
        """What such a number means, exactly or rounded down."""
        return math.floor(Fraction(text) * Fraction(self.unit_ma))


@attrs.frozen(kw_only=True)
class Step:
    """One question that tells a device something.

    Attributes:
        method: `GET`, `POST`, `PUT` or `PATCH`.
        path: From its first slash on, with placeholders.
        query: Parameters, with placeholders.
        body: What is sent along, with placeholders.
        content_type: What the body is.
        answers: How the body of an answer begins that is no refusal; empty: any.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: str
    content_type: str
    answers: str

    def request(self, figures: Mapping[str, str]) -> Request:
        """The question with its figures filled in."""

        def fill(text: str) -> str:
            return PLACEHOLDER.sub(lambda match: figures.get(match[1], match[0]), text)

        query = {key: fill(text) for key, text in self.query.items()}
        body = fill(self.body)
        return Request(method=self.method, path=fill(self.path), query=query, body=body, content_type=self.content_type)

    def placeholders(self) -> Iterator[str]:
        """The names in its placeholders."""
        for text in (self.path, self.body, *self.query.values()):
            yield from (match[1] for match in PLACEHOLDER.finditer(text))


@attrs.frozen(kw_only=True)
class Place:
    """Where something lies in an answer.

    Attributes:
        read: Name of the question.
        path: Names of members and places in arrays.
    """

    read: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


@attrs.frozen(kw_only=True)
class Reported:
    """Where the device says what it offers.

    Attributes:
        place: The figure.
        unit_ma: How many milliamps one of its units is.
        applied: Whether it says what the pilot says; if not, it repeats the order.
    """

    place: Place
    unit_ma: Decimal
    applied: bool


@attrs.frozen(kw_only=True)
class Switch:
    """A word that says whether anything is offered, beside the amps.

    Attributes:
        place: Where it lies.
        paused: Words at which nothing is offered.
        offering: The word of a device that offers, for emulation.
    """

    place: Place
    paused: tuple[str, ...]
    offering: str


@attrs.frozen(kw_only=True)
class StateRule:
    """What a word says of the state of the pilot. The first rule that knows its word decides.

    Attributes:
        place: Where it lies.
        values: Words, and which state each is.
        not_offering: Words at which nothing is offered, whatever else is said.
    """

    place: Place
    values: Mapping[str, PilotState]
    not_offering: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Drawn:
    """Where measured currents lie.

    Attributes:
        places: One for each line.
        unit_ma: How many milliamps one of their units is.
    """

    places: tuple[Place, ...]
    unit_ma: Decimal


@attrs.frozen(kw_only=True)
class Trouble:
    """Where the device says what is wrong with it.

    Attributes:
        place: Where it lies.
        fine: Words that mean nothing is.
    """

    place: Place
    fine: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Expected:
    """What must be so at the opening.

    Attributes:
        place: Where it lies.
        value: The word that must stand there; None: nothing may.
        remedy: What to do if it is not so.
    """

    place: Place
    value: str | None
    remedy: str


@attrs.frozen(kw_only=True)
class Evidence:
    """What else a person who looks for a fault wants to know.

    Attributes:
        name: What it is called.
        place: Where it lies.
    """

    name: str
    place: Place


@attrs.frozen(kw_only=True)
class Watchdog:
    """The device's timer.

    Attributes:
        after_ms: How long after the last message it acts.
        fallback_ma: What it offers then, at the most.
        fed_by_reads: Whether asking feeds it, too.
        time: Where the device says its time in seconds, which may not be longer; None: it does not.
        failsafe: Where it says its failsafe current in amps, which may not be greater; None: it does not.
    """

    after_ms: int
    fallback_ma: Milliamps
    fed_by_reads: bool
    time: Place | None
    failsafe: Place | None


@attrs.frozen(kw_only=True)
class HttpMap:
    """A family of devices.

    Attributes:
        where: The file, in the words of an error.
        name: What it is called.
        sources: Where its interface is documented, as public addresses.
        notes: What a user should know.
        login: How it wants to be shown a login, if it does.
        reply_ms: The longest that an answer takes.
        offers: What can be ordered.
        amount: How amps are written.
        offer: What tells it to offer amps, in order.
        pause: What pauses it, in order.
        reads: The questions whose answers say how it is, by name.
        offered: Where it says what it offers.
        switch: A word beside that; None: there is none.
        states: What says the state of the pilot.
        drawn: Where measured currents lie; None: it does not measure.
        trouble: Where it says what is wrong; None: only its state does.
        expect: What is looked at at the opening.
        evidence: What else it can say.
        watchdog: Its timer; None: it has none that is known.
    """

    where: str
    name: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    login: Login
    reply_ms: int
    offers: Range
    amount: Amount
    offer: tuple[Step, ...]
    pause: tuple[Step, ...]
    reads: Mapping[str, Request]
    offered: Reported
    switch: Switch | None
    states: tuple[StateRule, ...]
    drawn: Drawn | None
    trouble: Trouble | None
    expect: tuple[Expected, ...]
    evidence: tuple[Evidence, ...]
    watchdog: Watchdog | None

    def requests_for(self, offered_ma: Milliamps) -> list[tuple[Step, Request]]:
        """What to send for an order: amps that the device can say, or 0 to pause."""
        figures = {"order": self.amount.text_of(offered_ma), "least": self.amount.text_of(self.offers.least_ma)}
        return [(step, step.request(figures)) for step in (self.offer if offered_ma else self.pause)]

    def asked_always(self, lines: int) -> list[str]:
        """The questions of every reading.

        Args:
            lines: How many of its meter's figures are wanted.
        """
        places = [self.offered.place, *(rule.place for rule in self.states)]
        places += [part.place for part in (self.switch, self.trouble) if part is not None]
        places += [] if self.drawn is None else self.drawn.places[:lines]
        if self.watchdog is not None:
            places += [place for place in (self.watchdog.time, self.watchdog.failsafe) if place is not None]
        return list(dict.fromkeys(place.read for place in places))
