"""What the conformance kit needs to know of a device: a bench with the device on it, and what the bench can do to it.

The kit judges by `device_offered_ma`, which looks at the device itself and not through the adapter.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from powershare.adapter import Adapter, Clock
from powershare.units import Milliamps


@runtime_checkable
class Bench(Protocol):
    """A device on the bench, real or emulated, that starts as it comes out of its box: fresh for every test."""

    @property
    def clock(self) -> Clock:
        """The one clock of adapter and kit. A `VirtualClock` makes the kit jump instead of wait."""
        ...

    def new_adapter(self) -> Adapter:
        """Build an adapter to this same device. Called with and without a running event loop; must do no I/O."""
        ...

    def device_offered_ma(self) -> Milliamps:
        """What the device's control pilot says now; 0 when it pauses. Looked up in the device, not in the adapter."""
        ...


@runtime_checkable
class CanFallSilent(Protocol):
    """The bench can cut the line to the device, and join it again."""

    def silence(self, silent: bool, /) -> None:
        """From now on the device hears and says nothing (True), or does again (False). It keeps running."""
        ...


@runtime_checkable
class CanRestart(Protocol):
    """The bench can take the device's power away for a moment."""

    def restart_device(self) -> None:
        """Restart the device, so that it forgets what it has been told."""
        ...


@runtime_checkable
class CountsFallbackWrites(Protocol):
    """The bench can look into the memory in which the device keeps its fallback."""

    def fallback_writes(self) -> int:
        """How often the device's fallback has been written since the bench was built."""
        ...


@runtime_checkable
class CanPlugIn(Protocol):
    """The bench has a vehicle."""

    def plug_in(self, vehicle: str, /) -> None:
        """Plug in a vehicle of this identity that wants all it can get."""
        ...


@runtime_checkable
class HasParser(Protocol):
    """The adapter reads bytes that somebody else wrote."""

    @property
    def frames(self) -> Sequence[bytes]:
        """Genuine messages from the device, at least one, from which the kit makes hostile ones."""
        ...

    def parse(self, chunks: Sequence[bytes], /) -> Sequence[object]:
        """Give a fresh parser these bytes in these portions; return the messages it made of them, comparable by `==`.

        Raises:
            AdapterError: The parser refuses them. It may as well skip them in silence.
        """
        ...
