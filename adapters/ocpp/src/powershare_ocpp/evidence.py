"""What a station says of itself, in words for a person who looks for a fault."""

from collections.abc import Mapping

from powershare_ocpp.learnt import Learnt
from powershare_ocpp.profiles import Rung
from powershare_ocpp.session import Session

_WAYS: Mapping[Rung, str] = {
    Rung.TRANSACTION: "TxProfile with a duration above a TxDefaultProfile",
    Rung.STACKED: "TxDefaultProfile with a duration above another one",
    Rung.TWO_PERIODS: "TxDefaultProfile of two periods",
}


def evidence_of(session: Session, strangers: str) -> dict[str, str]:
    """Names, and words for each.

    Args:
        session: The station, asked what it can.
        strangers: Who else has dialled in where it does.
    """
    kind, learnt = session.memory.kind(session.station), session.memory.of(session.station)
    version = session.dialect.subprotocol.removeprefix("ocpp")
    maker = "it has not started since it dials in here" if kind is None else f"{kind.vendor} {kind.model}"
    firmware = f", firmware {kind.firmware}" if kind is not None and kind.firmware else ""
    return {
        "station": f"{maker}{firmware}; OCPP {version}",
        "charging profiles": _profiles(session, learnt),
        "clock": _clock(session.behind_ms()),
        "waiting to be admitted": strangers or "nobody",
    }


def _profiles(session: Session, learnt: Learnt) -> str:
    abilities = session.abilities
    if abilities is None:
        return "it has not said what it takes"
    units = " and ".join(sorted(abilities.units)) or "it does not say which unit"
    level = f"stack levels to {abilities.most_level}"
    if learnt.level is not None:
        level += f" (found out: to {learnt.level})"
    return f"{units}, {level}, {abilities.most_periods} periods; orders are told as {_WAYS[learnt.rung]}"


def _clock(behind_ms: int | None) -> str:
    if behind_ms is None:
        return "it has told no time lately"
    return f"{abs(behind_ms) / 1_000:.10g} s {'behind' if behind_ms > 0 else 'ahead'} at the most"
