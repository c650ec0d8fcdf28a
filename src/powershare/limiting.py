"""The contract of a device that somebody else limits, by a way of their own: a station's other central system.

Such a limit only lowers. Its adapter knows it and says so when it is asked; the driver passes it on to the connector's
node, as an external limit with its source, where the leader counts it beside all others.
"""

from typing import Protocol, runtime_checkable

import attrs

from powershare.errors import ContractError
from powershare.units import MAX_CONNECTOR_MA, Milliamps


@attrs.frozen(kw_only=True)
class OutsideLimit:
    """The most that somebody else allows a device to offer now.

    Attributes:
        most_ma: Per line; 0 stops it. What is below the least offer of the connector stops it, too.
        until_ms: The instant of the adapter's clock at which it may change by itself, so that the device is asked
            again then; None: nobody knows of any.
        source: Who set it, at most 40 bytes in UTF-8: a person reads it beside what is bound by it.

    Raises:
        ContractError: A figure is no whole number, or beyond 10 kA, or nobody is named.
    """

    most_ma: Milliamps
    until_ms: int | None = None
    source: str

    def __attrs_post_init__(self) -> None:
        figures = (self.most_ma, 0 if self.until_ms is None else self.until_ms)
        if any(isinstance(figure, bool) or not isinstance(figure, int) for figure in figures):
            raise ContractError(f"{self}: give whole milliamps and whole milliseconds")
        if not 0 <= self.most_ma <= MAX_CONNECTOR_MA:
            raise ContractError(f"OutsideLimit.most_ma is {self.most_ma}; it must be 0 to {MAX_CONNECTOR_MA} mA")
        if not 0 < len(self.source.encode()) <= MOST_SOURCE_BYTES:
            raise ContractError(f"OutsideLimit.source is {self.source!r}; give 1 to {MOST_SOURCE_BYTES} bytes in UTF-8")


MOST_SOURCE_BYTES = 40
"""So long a source may be: reports between nodes carry no longer one."""


@runtime_checkable
class SupportsOutsideLimits(Protocol):
    """Somebody else may limit the device, and the adapter knows."""

    def outside_limit(self) -> OutsideLimit | None:
        """The limit that holds now; None: nobody limits it.

        Asked at least once a second, whether the device is reached or not, and at its `until_ms`; it answers at once,
        from what is known. An order that the adapter carries out stays within it in any case.
        """
        ...
