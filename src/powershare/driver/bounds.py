"""What somebody else limits a device to, on its way from the adapter to the connector's node.

# Rule 1: the node is told when it changes, and again in good time before it ends by itself there.
# Rule 2: it is taken back only by an adapter that says that there is none any more. One that fails leaves it as it was.
"""

from collections.abc import Iterator

from powershare.adapter import Adapter
from powershare.demand import ExternalLimit
from powershare.errors import AdapterUnavailable
from powershare.limiting import OutsideLimit, SupportsOutsideLimits
from powershare.node import Limited

HOLDS_MS = 60_000
"""So long the node keeps a limit that it is not told again: longer than a driver is ever held up."""


class Bound:
    """The limit of one connector.

    Args:
        connector: Its id.
        adapter: Its adapter.
    """

    def __init__(self, connector: str, adapter: Adapter) -> None:
        self._connector = connector
        self._adapter = adapter if isinstance(adapter, SupportsOutsideLimits) else None
        self._known: OutsideLimit | None = None
        self._told: Limited | None = None

    def ask(self) -> None:
        """Ask the adapter.

        Raises:
            AdapterUnavailable: It says what cannot be; what it said before counts.
        """
        if self._adapter is None:
            return
        known: object = self._adapter.outside_limit()
        if known is not None and not isinstance(known, OutsideLimit):
            raise AdapterUnavailable(f"its adapter says that it is limited to {known!r}, which is no limit")
        self._known = known

    def news(self, now_ms: int) -> Iterator[Limited]:
        """What the node is to be told now; it counts as told."""
        told, known = self._told, self._known
        limit = None
        if known is not None:
            limit = ExternalLimit(limit_ma=known.most_ma, source=known.source, connector=self._connector)
        if told is not None and (limit is None or limit.source != told.limit.source):
            self._told = None
            yield Limited(told.limit, now_ms)
        if limit is None or (told is not None and told.limit == limit and told.until_ms - now_ms > HOLDS_MS // 2):
            return
        self._told = Limited(limit, now_ms + HOLDS_MS)
        yield self._told

    def due_ms(self) -> int | None:
        """When the adapter is to be asked again, besides every time that its device is."""
        return None if self._known is None else self._known.until_ms
