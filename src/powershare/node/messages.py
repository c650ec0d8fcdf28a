"""What nodes say to each other: one heartbeat and one report a cycle, and two rare words. Values only.

Members are numbers on the wire: connectors by their place in the site, then the witness. Times are whole
milliseconds on the clock of whoever is named; currents are milliamps.
"""

import attrs

from powershare.election import Term
from powershare.leases import Grant
from powershare.units import LineMilliamps, Milliamps


@attrs.frozen
class Heartbeat:
    """A leader's, or a candidate's, to one member; also its ask for a promise.

    Attributes:
        term: Its claim.
        sent_ms: When it was sent, on the leader's clock.
        claims: Whether its sender has authority.
        releases: Whether its sender gives back the promise made to it.
        grant: What it grants the unit; None: nothing.
    """

    term: Term
    sent_ms: int
    claims: bool
    releases: bool = False
    grant: Grant | None = None


@attrs.frozen
class Reading:
    """A fresh reading of a circuit's other load, as a member passes it on.

    Attributes:
        circuit: The circuit's place in the site.
        load_ma: Per line.
        age_ms: How old it was when the report was made.
    """

    circuit: int
    load_ma: LineMilliamps
    age_ms: int


@attrs.frozen
class Bound:
    """An external limit, as a member passes it on.

    Attributes:
        circuit: The circuit's place in the site; None: it is a connector's.
        connector: The connector's place in the site; None: it is a circuit's.
        limit_ma: Per line.
        left_ms: For how long it still held when the report was made.
        all_loads: Whether other load counts against it.
        source: Who set it.
    """

    circuit: int | None
    connector: int | None
    limit_ma: LineMilliamps
    left_ms: int
    all_loads: bool
    source: str


@attrs.frozen(kw_only=True)
class Vote:
    """A member's answer to a heartbeat, or its word when something changed; all that a witness says.

    Attributes:
        member: Who reports.
        boot: Its process.
        report_no: Grows with each report of a process.
        stamp_ms: When it was made, on the member's clock: the anchor of any grant that answers it.
        term: The claim of the newest heartbeat that it has seen.
        heartbeat_ms: When that was sent, on the leader's clock.
        promised: Whether the member is promised to that leader.
        readings: What it knows of other loads.
        bounds: What it knows of external limits.
    """

    member: int
    boot: int
    report_no: int
    stamp_ms: int
    term: Term
    heartbeat_ms: int
    promised: bool
    readings: tuple[Reading, ...] = ()
    bounds: tuple[Bound, ...] = ()


@attrs.frozen(kw_only=True)
class StatusReport(Vote):
    """The report of a member with a unit that may speak.

    Attributes:
        seq: The last grant applied in the term of the fence.
        ceiling_ma: Its ceiling.
        offer_ma: What it is told to offer.
        most_ma: The most that it may be drawing (e).
        cap_left_ms: How long it surely stays below its fallback.
        session: Grows at every plugging in and unplugging.
        plugged: Whether a vehicle is connected.
        wants: Whether the vehicle wants energy.
        closed: Whether the contactor is closed.
        offered_ma: What the device says it offers.
        measured_ma: The largest line current; None: not measured, or too old.
        measured_age_ms: How old that is.
        wanted_ma: The most that the vehicle takes; None: all.
        vehicle: Its identity, where it is known.
        waiting_ms: For how long it has wanted an offer and had none.
        on_ms: For how long it has had an offer.
        pauses: How often its offer fell to 0 while it wanted energy.
        asleep: Whether it has drawn nothing since its offer began.
        energy_needed_wh: Energy until departure, where it is known.
        departs_in_s: Time until departure, where it is known.
    """

    seq: int
    ceiling_ma: Milliamps
    offer_ma: Milliamps
    most_ma: Milliamps
    cap_left_ms: int
    session: int
    plugged: bool
    wants: bool
    closed: bool
    offered_ma: Milliamps
    measured_ma: Milliamps | None
    measured_age_ms: int
    wanted_ma: Milliamps | None
    vehicle: str | None
    waiting_ms: int
    on_ms: int
    pauses: int
    asleep: bool
    energy_needed_wh: int | None
    departs_in_s: int | None


@attrs.frozen
class Refusal:
    """To a heartbeat below the fence: nothing is promised or learnt but the fence itself.

    Attributes:
        member: Who refuses.
        term: The claim refused.
        fence: The newest claim that the member has bowed to.
    """

    member: int
    term: Term
    fence: Term


@attrs.frozen
class Confirmation:
    """A member holds this configuration, durably.

    Attributes:
        member: Who: its number among all that must hold it, in the order of their names.
        boot: Its process.
        asks: Whether it still waits for somebody's word, and so for an answer.
    """

    member: int
    boot: int
    asks: bool


Message = Heartbeat | Vote | Refusal | Confirmation
