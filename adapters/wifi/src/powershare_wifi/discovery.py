"""Members announce themselves on the local network and are found there (multicast DNS); needs the extra `mdns`.

What is announced is a network's number, a number for the member's name, and a port; who believes a false one sends
sealed datagrams to a place that cannot open them.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from powershare.errors import AdapterUnavailable
from powershare.networking import Address

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

SERVICE = "_powershare._udp.local."
_ANSWER_MS = 3_000


class Discovery:
    """Announces members of this process, and finds those of others.

    Args:
        network: The network's eight bytes.
        here: The tags of the members of this process.
        elsewhere: The tags of the others, each with its member.
        found: Takes a member and where it may be listening: a host announces all its addresses.
        interfaces: The addresses of the interfaces to use; None: all.
    """

    def __init__(
        self,
        network: bytes,
        here: Sequence[int],
        elsewhere: Mapping[int, str],
        found: Callable[[str, Sequence[Address]], None],
        interfaces: Sequence[str] | None = None,
    ) -> None:
        self._network, self._here, self._found = network.hex(), tuple(here), found
        self._elsewhere = {self._name(tag): member for tag, member in elsewhere.items()}
        self._interfaces = None if interfaces is None else list(interfaces)
        self._asking: set[asyncio.Task[None]] = set()
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None

    def _name(self, tag: int) -> str:
        return f"{self._network}-{tag:08x}.{SERVICE}"

    async def open(self, port: int) -> None:
        """Announce, and begin to look.

        Args:
            port: Where the members of this process listen.

        Raises:
            AdapterUnavailable: The extra is not installed, or the system has no multicast.
        """
        if find_spec("zeroconf") is None:
            raise AdapterUnavailable("--mdns needs zeroconf; install it with: pip install 'powershare-wifi[mdns]'")
        from zeroconf import Error, InterfaceChoice
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

        addresses = self._interfaces or _own_addresses()
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._interfaces or InterfaceChoice.All)
            for tag in self._here:
                info = AsyncServiceInfo(
                    SERVICE,
                    self._name(tag),
                    port=port,
                    addresses=[socket.inet_aton(address) for address in addresses],
                )
                await self._zeroconf.async_register_service(info, cooperating_responders=True)
            self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._changed])
        except (OSError, Error) as error:
            await self.close()
            raise AdapterUnavailable(f"cannot announce on the local network: {error}") from None

    async def close(self) -> None:
        """Take the announcement back, and stop looking."""
        zeroconf, self._zeroconf = self._zeroconf, None
        browser, self._browser = self._browser, None
        asking = tuple(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        if browser is not None:
            await browser.async_cancel()
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()

    def _changed(
        self,
        zeroconf: "Zeroconf",
        service_type: str,  # noqa: ARG002 - zeroconf calls by name
        name: str,
        state_change: "ServiceStateChange",
    ) -> None:
        from zeroconf import ServiceStateChange

        member = self._elsewhere.get(name)
        if member is None or state_change is ServiceStateChange.Removed:
            return  # what a member said last is a better guess than nothing
        task = asyncio.ensure_future(self._ask(zeroconf, name, member))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, zeroconf: "Zeroconf", name: str, member: str) -> None:
        """Where one that announces itself may be listening."""
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(SERVICE, name)
        if not await info.async_request(zeroconf, _ANSWER_MS) or info.port is None:
            return
        port = info.port
        if addresses := info.parsed_addresses():
            self._found(member, [(address, port) for address in addresses])


def _own_addresses() -> list[str]:
    """The addresses of this host at which others may reach it."""
    import ifaddr  # comes with zeroconf

    found = [address.ip for adapter in ifaddr.get_adapters() for address in adapter.ips]
    return [address for address in found if isinstance(address, str) and not address.startswith("127.")]
