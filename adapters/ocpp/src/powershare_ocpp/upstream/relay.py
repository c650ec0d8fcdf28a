"""Between a station and the central system behind: whose answer a message gets, and how it is told on; no I/O.

# Rule 1: what keeps a station led is never left to somebody else: whether it is accepted, and what time it is.
# Rule 2: what says that a transaction began, went on or ended is answered once the central system behind has it, or
#         once it is on this host's disk.
# Rule 3: no charging profile of somebody else reaches the station, by whichever message it comes.
# Rule 4: ids of messages are made here, for either direction; an id that came in goes back only to who made it.
"""

import enum
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from powershare_ocpp.wire.frames import Call, Message, Payload, Refusal, Result

_MOST_KNOWN = 512
_MOST_NEWS = 128
_MOST_NUMBER = 2**31 - 1


class Way(enum.Enum):
    """What becomes of what a station says."""

    HERE = "here"
    """It is answered here, and nobody else hears of it."""
    BOOT = "boot"
    """It is answered here, and said again to the central system behind, which may refuse it for itself."""
    TOLD = "told"
    """Its answer says nothing, so that it is given here at once; the latest is passed on."""
    KEPT = "kept"
    """The central system behind answers; until it can, the message waits on the disk."""
    ASKED = "asked"
    """The central system behind answers; while it is away the question is refused."""


_WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "BootNotification": Way.BOOT,
        "Heartbeat": Way.HERE,
        "StatusNotification": Way.TOLD,
        "FirmwareStatusNotification": Way.TOLD,
        "SignedFirmwareStatusNotification": Way.TOLD,
        "DiagnosticsStatusNotification": Way.TOLD,
        "LogStatusNotification": Way.TOLD,
        "StartTransaction": Way.KEPT,
        "StopTransaction": Way.KEPT,
        "TransactionEvent": Way.KEPT,
        "SecurityEventNotification": Way.KEPT,  # whitepaper, A05: its delivery is guaranteed
    }
)

_REFUSED_HERE: Mapping[str, Mapping[str, Any]] = MappingProxyType({"SetNetworkProfile": {"status": "Rejected"}})
"""What would take the station away from here."""

_KEYS_OF_THIS_LINE = frozenset({"AuthorizationKey", "SecurityProfile"})
"""Settings of the line between the station and this host (OCPP 1.6 security whitepaper, 2 and 4.1)."""


def way_of(call: Call) -> Way:
    """What becomes of something that a station says."""
    if call.action == "MeterValues":
        return Way.KEPT if call.payload.get("transactionId") is not None else Way.TOLD
    return _WAYS.get(call.action, Way.ASKED)


def refused_here(call: Call) -> Payload | None:
    """The answer to what the central system behind may not do to the station; None: it may."""
    if call.action == "ChangeConfiguration" and call.payload.get("key") in _KEYS_OF_THIS_LINE:
        return {"status": "Rejected"}
    return _REFUSED_HERE.get(call.action)


def without_profile(call: Call) -> tuple[Call, object, object]:
    """A wish to begin a transaction without the charging profile that came with it (Rule 3), the profile, and where."""
    if call.action not in ("RemoteStartTransaction", "RequestStartTransaction"):
        return call, None, None
    payload = {key: value for key, value in call.payload.items() if key != "chargingProfile"}
    where = payload.get("connectorId", payload.get("evseId"))
    return Call(call.id, call.action, payload), call.payload.get("chargingProfile"), where


class Tags:
    """Who may charge while the central system behind is away (OCPP 1.6, 3.5.1: an authorization cache).

    Args:
        rule: `known`: whom it accepted before; `all`; `nobody`.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._known: OrderedDict[str, None] = OrderedDict()

    def answered(self, call: Call, answer: Message) -> None:
        """It has said of somebody whether they may."""
        tag = _tag_of(call.payload)
        if tag is None or not isinstance(answer, Result):
            return
        status = _status_of(answer.payload)
        if status == "Accepted":
            self._accept(tag)
        elif status is not None:
            self._known.pop(tag, None)

    def wished(self, call: Call) -> None:
        """It has asked the station itself to begin a transaction for somebody."""
        if (tag := _tag_of(call.payload)) is not None:
            self._accept(tag)

    def _accept(self, tag: str) -> None:
        self._known[tag] = None
        self._known.move_to_end(tag)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def judged(self, call: Call, own: Message) -> Message:
        """The answer of this host, with what the rule says of who is named in the question."""
        tag = _tag_of(call.payload)
        if not isinstance(own, Result) or self._rule == "all" or (self._rule == "known" and tag in self._known):
            return own
        payload = dict(own.payload)
        for field in ("idTagInfo", "idTokenInfo"):
            if field in payload and tag is not None and call.action != "StopTransaction":
                payload[field] = {"status": "Invalid"}
        return Result(own.id, payload)


def _tag_of(payload: Payload) -> str | None:
    tag = payload.get("idTag")
    if tag is None and isinstance(token := payload.get("idToken"), Mapping):
        tag = token.get("idToken")
    return tag if isinstance(tag, str) and tag else None


def _status_of(payload: Payload) -> object:
    for field in ("idTagInfo", "idTokenInfo"):
        if isinstance(info := payload.get(field), Mapping):
            return info.get("status")
    return None


class Numbers:
    """Numbers of transactions: the station's, and those that the central system behind has given (OCPP 1.6 only).

    A station is told the number that was given, unless that could not be waited for, or is taken here already.
    """

    def __init__(self) -> None:
        self._behind: dict[int, int | None] = {}

    @classmethod
    def of(cls, kept: object) -> "Numbers":
        """Those that were kept; what is none is left out."""
        numbers = cls()
        for pair in kept if isinstance(kept, list) else ():
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int):
                numbers._behind[pair[0]] = pair[1] if isinstance(pair[1], int) else None
        return numbers

    def kept(self) -> list[list[int | None]]:
        """What is to be kept."""
        return [[station, behind] for station, behind in self._behind.items()]

    def is_known(self, station: int) -> bool:
        """Whether a station was told this number by us before: it repeats itself, and its message is kept already."""
        return station in self._behind

    def waits(self, station: int) -> None:
        """A station was told this number by us; which one it has behind is not known yet."""
        self._behind[station] = None

    def given(self, behind: int, own: int) -> int:
        """The number that a station is told for one that was given, ours where that one is taken here."""
        if behind not in self._behind and -_MOST_NUMBER <= behind <= _MOST_NUMBER:
            return behind
        self._behind[own] = behind
        return own

    def found(self, station: int, behind: int) -> None:
        """The number behind of what a station was told by us is known now."""
        self._behind[station] = behind

    def ended(self, station: int) -> None:
        """A transaction has ended there, too."""
        self._behind.pop(station, None)

    def behind(self, station: int) -> int:
        """The number behind; the same, where nothing else is known."""
        behind = self._behind.get(station)
        return station if behind is None else behind

    def station(self, behind: int) -> int:
        """The station's number."""
        return next((ours for ours, theirs in self._behind.items() if theirs == behind), behind)

    def outward(self, payload: Payload) -> Payload:
        """What a station says, with the number behind."""
        number = payload.get("transactionId")
        return payload if not _is_number(number) else {**payload, "transactionId": self.behind(number)}

    def inward(self, payload: Payload) -> Payload:
        """What is said to a station, with its own number."""
        number = payload.get("transactionId")
        return payload if not _is_number(number) else {**payload, "transactionId": self.station(number)}


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


class News:
    """What the central system behind has not been told yet, the latest of each kind, and what it was told last."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, ...], Call] = {}
        self._told: dict[tuple[str, ...], Payload] = {}

    def add(self, call: Call, *, ours: bool) -> None:
        """The station has said something; what this host has asked it for counts only where it is news."""
        key = _news_key(call)
        state = {name: value for name, value in call.payload.items() if name != "timestamp"}
        if ours and (call.action == "MeterValues" or self._told.get(key) == state):
            return
        if key in self._waiting or len(self._told.keys() | {key}) <= _MOST_NEWS:
            self._waiting.pop(key, None)
            self._waiting[key], self._told[key] = call, state

    def first(self) -> Call | None:
        """What has waited for the longest time."""
        return next(iter(self._waiting.values()), None)

    def told(self, call: Call) -> None:
        """It has been told that, unless there is a later one of that kind."""
        key = _news_key(call)
        if self._waiting.get(key) is call:
            del self._waiting[key]


def is_triggered(call: Call) -> bool:
    """Whether meter values may be the answer to a question for them; others say what else they are."""
    values = call.payload.get("meterValue")
    for value in values if isinstance(values, list) else ():
        samples = value.get("sampledValue") if isinstance(value, Mapping) else None
        for sample in samples if isinstance(samples, list) else ():
            if isinstance(sample, Mapping) and sample.get("context", "Trigger") != "Trigger":
                return False
    return call.action in ("MeterValues", "TransactionEvent")


def _news_key(call: Call) -> tuple[str, ...]:
    """What the latest of a kind takes the place of."""
    payload = call.payload
    return (call.action, *(repr(payload.get(key)) for key in ("connectorId", "evseId")))


def away(call: Call) -> Refusal:
    """What a station is told that asks for what nobody here can answer."""
    return Refusal(call.id, "InternalError", "the central system behind is away")
