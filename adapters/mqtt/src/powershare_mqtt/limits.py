"""Limits from outside: what a message asks for, what counts now, and what silence means. No I/O, no clock of its own.

Rule 1: a message without an end stays until another one changes it, unless limits have to be renewed (`Renewal`).
Rule 2: one that has an end says what follows it, or the bridge's address does; nothing is guessed.
Rule 3: what the broker kept has no known age. Where a limit has to be renewed it is silence, and beside what was heard
        since the start it may lower and never raise.
Rule 4: nothing here is ever above what is commissioned; a figure that would be is refused, not cut.
"""

from collections.abc import Iterator, Mapping

import attrs

from powershare.demand import Counts, ExternalLimit
from powershare.site import Site
from powershare.site.values import PerLine, on_line
from powershare.units import ALL_LINES, Milliamps
from powershare_mqtt.addresses import Renewal
from powershare_mqtt.payloads import Json, PayloadError, amps, json_of, limit_ma_of, seconds_ms_of, shown

MOST_FOR_S = 7 * 86_400


@attrs.frozen(kw_only=True)
class Place:
    """What a limit can be of: a connector, or a circuit.

    Attributes:
        kind: `connector` or `circuit`.
        id: Its id.
        most_ma: What is commissioned, on the line that may carry most.
        step_ma: Step in which a limit makes a difference.
        lines: Lines of the supply; a limit of a connector is one figure.
    """

    kind: str
    id: str
    most_ma: Milliamps
    step_ma: Milliamps
    lines: int


@attrs.frozen(kw_only=True)
class Order:
    """What one message asks for.

    Attributes:
        limit_ma: The limit; None: none, a former one is taken back.
        for_ms: It holds for so long; None: the message does not say.
        then_ma: What counts afterwards; None: nothing does.
        says_then: Whether the message says so.
        counts: What it counts.
    """

    limit_ma: PerLine | None
    for_ms: int | None = None
    then_ma: PerLine | None = None
    says_then: bool = False
    counts: Counts = Counts.ALL


def places_of(site: Site) -> tuple[Place, ...]:
    """Everything that can be limited: connectors, then circuits, in site order."""
    lines = site.supply.lines
    connectors = (
        Place(kind="connector", id=one.id, most_ma=one.max_offer_ma, step_ma=one.step_ma, lines=len(lines))
        for one in site.connectors
    )
    circuits = (
        Place(
            kind="circuit",
            id=one.id,
            most_ma=max(one.usable_limit_ma(line)[0] for line in lines),
            step_ma=100,
            lines=len(lines),
        )
        for one in site.circuits
    )
    return (*connectors, *circuits)


_KEYS = ("amps", "for_s", "then_a", "counts")


def order_of(payload: bytes, place: Place, renewal: Renewal) -> Order:
    """Read a message that limits.

    Args:
        payload: Amps as a number; or `{"amps": 10, "for_s": 60, "then_a": 6}`; or nothing, which takes the limit back.
        place: What it limits.
        renewal: What silence means for it.

    Raises:
        PayloadError: It cannot be read, or is out of bounds.
    """
    if not payload.strip():
        return Order(limit_ma=None)
    value = json_of(payload)
    if not isinstance(value, dict):
        return Order(limit_ma=None if value is None else _limit_ma(value, "amps", place))
    unknown = sorted(set(value) - set(_KEYS))
    if unknown or "amps" not in value:
        what = f"a key {shown(unknown[0])} that means nothing" if unknown else "no amps"
        raise PayloadError(f"has {what}; send {', '.join(_KEYS)}, of which amps must be there")
    for_ms = seconds_ms_of(value["for_s"], "for_s", MOST_FOR_S) if "for_s" in value else None
    if "then_a" in value and for_ms is None:
        raise PayloadError("has then_a and no for_s, after which it would count; send both, or neither")
    if for_ms is not None and "then_a" not in value and not renewal.says_stale:
        raise PayloadError("has for_s, and nobody says what follows; send then_a: amps, or null for no limit")
    return Order(
        limit_ma=_limit_ma(value["amps"], "amps", place),
        for_ms=for_ms,
        then_ma=None if value.get("then_a") is None else _limit_ma(value["then_a"], "then_a", place),
        says_then="then_a" in value,
        counts=_counts(value["counts"], place) if "counts" in value else Counts.ALL,
    )


def _limit_ma(value: Json, what: str, place: Place) -> PerLine:
    """A limit in milliamps; of a circuit, also one per line."""
    if not isinstance(value, list):
        return limit_ma_of(value, what, place.most_ma)
    if place.kind != "circuit" or len(value) != place.lines:
        least = "one number" if place.kind != "circuit" else f"one number, or a list of {place.lines}"
        raise PayloadError(f"has {what} with {len(value)} figures; send {least}")
    return tuple(limit_ma_of(figure, what, place.most_ma) for figure in value)


def _counts(value: Json, place: Place) -> Counts:
    known = {one.value: one for one in Counts}
    if not isinstance(value, str) or value not in known or place.kind != "circuit":
        raise PayloadError(f"has counts {shown(value)}; send {' or '.join(known)}, and for a circuit only")
    return known[value]


@attrs.frozen(kw_only=True)
class InForce:
    """What counts at one place now.

    Attributes:
        limit: The limit; None: none of ours.
        stale: Whether it counts because nothing was heard in time.
    """

    limit: ExternalLimit | None
    stale: bool = False

    @property
    def least_ma(self) -> Milliamps | None:
        """The limit on the line that it limits most; None: there is none."""
        if self.limit is None:
            return None
        figures = self.limit.limit_ma
        return min(figures) if isinstance(figures, tuple) else figures


@attrs.define
class _Given:
    order: Order
    at_ms: int
    kept: bool


class LimitBook:
    """All that was asked for, and what counts of it at an instant.

    Args:
        places: What can be limited.
        renewals: By kind of place, what silence means.
        source: Who sets these limits, as a decision names it; two who limit one place need two.
    """

    def __init__(self, places: tuple[Place, ...], renewals: Mapping[str, Renewal], source: str) -> None:
        self.places = places
        self._renewals, self._source = dict(renewals), source
        self._given: dict[Place, _Given] = {}
        self._disabled: set[Place] = set()

    def order(self, place: Place, payload: bytes, now_ms: int, *, kept: bool) -> None:
        """Take a message that limits a place.

        Args:
            place: The place.
            payload: The message.
            now_ms: When it came.
            kept: Whether the broker had kept it: then its age is not known.

        Raises:
            PayloadError: It cannot be read, or is out of bounds; what was asked for before goes on.
        """
        renewal = self._renewals[place.kind]
        order = order_of(payload, place, renewal)
        if kept and renewal.within_ms is not None:
            return
        if kept and place in self._given and (order.for_ms is not None or not self._lowers(place, order, now_ms)):
            return
        self._given[place] = _Given(order, now_ms, kept)

    def enable(self, place: Place, enabled: bool, *, kept: bool) -> None:
        """Allow a connector to charge, or not, whatever its limit is.

        Args:
            place: The connector.
            enabled: Whether it may.
            kept: Whether the broker had kept the message: then it allows nothing that was forbidden since the start.
        """
        if not enabled:
            self._disabled.add(place)
        elif not kept:
            self._disabled.discard(place)

    def _lowers(self, place: Place, order: Order, now_ms: int) -> bool:
        """Whether what is asked for is on no line more than what counts now."""
        asked, now = order.limit_ma, self.given(place, now_ms).limit
        if asked is None or now is None:
            return asked is not None
        both = (on_line(asked, line) <= on_line(now.limit_ma, line) for line in ALL_LINES[: place.lines])
        return all(both)

    def enabled(self, place: Place) -> bool:
        """Whether it may charge."""
        return place not in self._disabled

    def given(self, place: Place, now_ms: int) -> InForce:
        """What was asked for and counts now, whether or not the place may charge at all.

        Args:
            place: The place.
            now_ms: Now.
        """
        given, renewal = self._given.get(place), self._renewals[place.kind]
        if given is None:
            # Who has to renew and has not spoken yet is silent from the start.
            return self._stale(place, renewal.stale_ma) if renewal.within_ms is not None else InForce(limit=None)
        order = given.order
        lasts_ms = order.for_ms if order.for_ms is not None else renewal.within_ms
        if lasts_ms is None or (not given.kept and now_ms - given.at_ms < lasts_ms):
            return InForce(limit=self._external(place, order.limit_ma, order.counts))
        if order.for_ms is not None and order.says_then:
            return InForce(limit=self._external(place, order.then_ma, order.counts))
        return self._stale(place, renewal.stale_ma)

    def in_force(self, now_ms: int) -> Iterator[tuple[Place, InForce]]:
        """What counts at every place; a connector that may not charge has a limit of 0.

        Args:
            now_ms: Now.
        """
        for place in self.places:
            now = self.given(place, now_ms)
            if place in self._disabled:
                now = InForce(limit=self._external(place, 0, Counts.ALL), stale=now.stale)
            yield place, now

    def _stale(self, place: Place, stale_ma: Milliamps | None) -> InForce:
        figure_ma = None if stale_ma is None else min(stale_ma, place.most_ma)
        return InForce(limit=self._external(place, figure_ma, Counts.ALL), stale=True)

    def _external(self, place: Place, limit_ma: PerLine | None, counts: Counts) -> ExternalLimit | None:
        if limit_ma is None:
            return None
        if place.kind == "connector":
            return ExternalLimit(limit_ma=limit_ma, source=self._source, connector=place.id)
        return ExternalLimit(limit_ma=limit_ma, source=self._source, circuit=place.id, counts=counts)


def words_of(now: InForce) -> str:
    """What counts, for people."""
    if now.least_ma is None:
        return "no limit counts but what is commissioned"
    figures = now.limit.limit_ma if now.limit is not None else 0
    text = ", ".join(map(amps, figures)) if isinstance(figures, tuple) else amps(figures)
    return f"a limit of {text} A counts"
