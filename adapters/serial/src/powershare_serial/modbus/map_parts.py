"""The parts of a register map that stand in more than one place of its file."""

from powershare_serial.modbus import tables
from powershare_serial.modbus.register_map import Broadcast, Failsafe, Fixed, Grants, Heartbeat, Watchdog
from powershare_serial.modbus.registers import MOST_WORDS, Kind, Register, Table, words_of_kind
from powershare_serial.modbus.tables import TomlTable

_GREATEST_MS = 86_400_000


def register_of(
    entry: TomlTable,
    *,
    unit_key: str | None = None,
    writable: bool = False,
    address: int | None = None,
) -> Register | None:
    """Read the keys of a register: table, address, type and how it lies in words.

    Args:
        entry: Where they stand.
        unit_key: What its unit is called, `unit_a` or `unit_s`; None: it has none.
        writable: Whether it must be in a table that can be written.
        address: Its address, where that stands elsewhere.
    """
    table = Table(entry.need("table", tables.one_of([table.value for table in Table]), "holding"))
    default = "bit" if table.of_bits else "u16"
    kind = Kind(entry.get("type", tables.one_of([kind.value for kind in Kind]), default))
    words = words_of_kind(kind)
    if words is None:
        words = entry.need("words", tables.whole(1, 32), 1)
    fits = (kind is Kind.BIT) == table.of_bits
    if not fits:
        entry.problem("type", f"is {kind.value}, in a table of {'bits' if table.of_bits else 'words'}")
    if writable and not table.writable:
        entry.problem("table", f"is {table.value}, which nobody can write; write coil or holding")
    scale = None if unit_key is None else entry.need(unit_key, tables.unit, None)
    if unit_key is not None and kind in {Kind.BIT, Kind.TEXT}:
        entry.problem("type", f"is {kind.value}, no figure")
    if address is None:
        address = entry.need("address", tables.whole(0, 0xFFFF), 0)
    register = Register(
        table=table,
        address=address,
        kind=kind,
        words=words,
        unit_thousandths=scale,
        low_word_first=entry.get("low_word_first", tables.flag, False),
        write_single=entry.get("write", tables.one_of(("single", "multiple")), "multiple") == "single",
        shift=entry.get("shift", tables.whole(0, 31), 0),
        mask=entry.get("mask", tables.whole(1, 0xFFFF_FFFF), None),
    )
    return register if fits else None


def _part(
    entry: TomlTable, key: str, unit_key: str | None, *, writable: bool = False
) -> tuple[TomlTable, Register] | None:
    part = entry.table(key)
    if part is None:
        return None
    register = register_of(part, unit_key=unit_key, writable=writable)
    return None if register is None else (part, register)


def _plain(entry: TomlTable, key: str, unit_key: str, *, writable: bool = False) -> Register | None:
    found = _part(entry, key, unit_key, writable=writable)
    if found is None:
        return None
    found[0].end()
    return found[1]


def _failsafe(entry: TomlTable, key: str, *, writable: bool) -> Failsafe | None:
    found = _part(entry, key, "unit_a", writable=writable)
    if found is None:
        return None
    part, register = found
    failsafe = Failsafe(
        register=register,
        least_ma=part.get("least_a", tables.thousandths(0, 1_000_000), 0),
        zero_raw=part.get("zero", tables.whole(0, 0xFFFF), 0),
        off_raw=part.get("off", tables.whole(0, 0xFFFF), None),
    )
    part.end()
    return failsafe


def watchdog_of(entry: TomlTable | None) -> Watchdog | None:
    """Read the table `watchdog`."""
    if entry is None:
        return None
    span = tables.thousandths(2, _GREATEST_MS)
    after_ms = entry.need("after_s", span, 60_000)
    watchdog = Watchdog(
        after_ms=after_ms,
        least_ms=entry.get("least_s", span, after_ms),
        greatest_ms=entry.get("greatest_s", span, after_ms),
        fallback_ma=entry.get("fallback_a", tables.thousandths(0, 1_000_000), 0),
        fed_by_reads=entry.need("fed_by_reads", tables.flag, True),
        ends=entry.need("ends", tables.one_of(("order", "message")), "message"),
        time=_plain(entry, "time", "unit_s", writable=True),
        time_read=_plain(entry, "time_read", "unit_s"),
        rewrite_time=entry.get("rewrite_time", tables.flag, False),
        failsafe=_failsafe(entry, "failsafe", writable=True),
        failsafe_read=_failsafe(entry, "failsafe_read", writable=False),
        left=_plain(entry, "left", "unit_s"),
        heartbeat=_heartbeat_of(entry),
    )
    if not watchdog.least_ms <= after_ms <= watchdog.greatest_ms:
        entry.problem("after_s", f"is {after_ms / 1000:g}, not from least_s to greatest_s")
    if watchdog.rewrite_time and watchdog.time is None:
        entry.problem("rewrite_time", "is true, but there is no table [watchdog.time]")
    entry.end()
    return watchdog


def _heartbeat_of(entry: TomlTable) -> Heartbeat | None:
    found = _part(entry, "heartbeat", None, writable=True)
    if found is None:
        return None
    part, register = found
    heartbeat = Heartbeat(
        register=register,
        raw=part.need("value", tables.whole(0, 0xFFFF), 0),
        every_ms=part.need("every_s", tables.thousandths(100, 600_000), 1_000),
    )
    part.end()
    return heartbeat


def fixed_of(entry: TomlTable, *, write: bool) -> Fixed:
    """Read a register that must hold a value.

    Args:
        entry: Where it stands.
        write: Whether it is written, or else looked at.
    """
    number = tables.whole(0, 0xFFFF_FFFF)
    raw = entry.need("value", number, 0) if write else entry.get("value", number, None)
    least = None if write else entry.get("at_least", number, None)
    greatest = None if write else entry.get("at_most", number, None)
    if not write and raw is None and least is None and greatest is None:
        entry.problem("value", "is missing; write value, at_least or at_most")
    remedy = "" if write else entry.need("remedy", tables.text, "")
    register = register_of(entry, writable=write) or Register(table=Table.HOLDING, address=0, kind=Kind.U16)
    entry.end()
    return Fixed(register=register, raw=raw, least_raw=least, greatest_raw=greatest, remedy=remedy)


def broadcast_of(entry: TomlTable | None) -> Broadcast | None:
    """Read the table `broadcast`."""
    if entry is None:
        return None
    first = register_of(entry, unit_key="unit_a", writable=True)
    unit = entry.need("unit", tables.whole(0, 255), 0)
    slots = entry.need("slots", tables.whole(1, MOST_WORDS), 1)
    first_unit = entry.need("first_unit", tables.whole(0, 255), 1)
    every_ms = entry.need("every_s", tables.thousandths(100, 600_000), 1_000)
    entry.end()
    if first is None:
        return None
    return Broadcast(unit=unit, first=first, slots=slots, first_unit=first_unit, every_ms=every_ms)


def grants_of(entry: TomlTable | None) -> Grants | None:
    """Read the table `grant`."""
    if entry is None:
        return None
    register = register_of(entry, writable=True)
    nothing: dict[int, tuple[int, ...]] = {}
    answers = entry.need("answers", _answers, nothing)
    entry.end()
    return None if register is None else Grants(register=register, answers=answers)


def _answers(data: object) -> dict[int, tuple[int, ...]]:
    if not isinstance(data, dict) or not data:
        raise ValueError(f"is {data!r}; write {{ 4 = [5, 0] }}")
    words = tables.wholes(0, 0xFFFF)
    if not all(key.isascii() and key.isdecimal() and len(key) < 6 for key in data):
        raise ValueError("has a key that is no whole number")
    return {int(key): words(value) for key, value in data.items()}
