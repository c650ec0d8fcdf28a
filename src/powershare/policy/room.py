"""What is left on every circuit and line while offers are handed on one after another."""

from collections.abc import Sequence

from powershare.constraints import CompiledSite, LimitsInForce
from powershare.units import Milliamps

Rows = tuple[int, ...]
"""The rows of the compiled site that one connector's current counts on."""


class RowIndex:
    """The rows that each connector loads, looked up once per number of lines in use."""

    def __init__(self, compiled: CompiledSite) -> None:
        self._compiled = compiled
        self._known: dict[tuple[str, int | None], Rows] = {}

    def of(self, connector_id: str, lines_used: int | None) -> Rows:
        """The rows of one connector, whose vehicle uses so many lines (None: all)."""
        key = (connector_id, lines_used)
        rows = self._known.get(key)
        if rows is None:
            place = self._compiled.connector_index[connector_id]
            rows = self._known[key] = tuple(self._compiled.loaded_rows(place, lines_used))
        return rows


class Room:
    """Milliamps left per row; may be negative where a limit is exceeded already."""

    __slots__ = ("rows_ma",)

    def __init__(self, rows_ma: Sequence[Milliamps]) -> None:
        self.rows_ma = list(rows_ma)

    @classmethod
    def of(cls, force: LimitsInForce) -> "Room":
        """The room beside held currents and other loads, with no connector loaded."""
        return cls(force.room_ma([0] * len(force.limit_ma)))

    def copy(self) -> "Room":
        """A second account that starts with the same room."""
        return Room(self.rows_ma)

    def left_ma(self, rows: Rows) -> Milliamps:
        """The most that still fits on all of these rows; negative where one is exceeded."""
        return min(map(self.rows_ma.__getitem__, rows))

    def take(self, rows: Rows, current_ma: Milliamps) -> None:
        """Take a current off these rows; a negative one gives it back."""
        rows_ma = self.rows_ma
        for row in rows:
            rows_ma[row] -= current_ma
