"""What the checker reads of a node's output: the shapes alone, so that it needs nothing that a node is made of."""

from collections.abc import Sequence
from typing import Protocol


class Commanded(Protocol):
    """What a device is told."""

    @property
    def write(self) -> int:
        """Number of the write; the same number again only prolongs."""

    @property
    def offer_ma(self) -> int:
        """What the pilot is to say."""

    @property
    def until_ms(self) -> int | None:
        """When it ends by itself."""

    @property
    def then_ma(self) -> int:
        """What the pilot says after that."""


class Sent(Protocol):
    """One message."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


class Answer(Protocol):
    """A node's output."""

    @property
    def lower(self) -> Commanded | None:
        """What the device does at once."""

    @property
    def raise_(self) -> Commanded | None:
        """What it does last."""

    @property
    def send(self) -> Sequence[Sent]:
        """What is sent in between."""
