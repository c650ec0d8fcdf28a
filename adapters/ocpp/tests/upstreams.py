"""A central system behind, on a real socket: it notes what it hears, and answers as a test wants it to."""

import asyncio
import base64
import itertools
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from powershare.adapter import HostClock, Offer
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare_ocpp import OcppAdapter
from powershare_ocpp.central import Hub
from powershare_ocpp.emulated.emulator import dial
from powershare_ocpp.emulated.station import EmulatedStation, NewVoice, StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.wire.links import Link

HOST = "127.0.0.1"
Answer = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def accepting(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What a central system answers that accepts everything."""
    match action:
        case "BootNotification":
            return {"status": "Accepted", "currentTime": "2020-01-01T00:00:00Z", "interval": 300}
        case "Heartbeat":
            return {"currentTime": "2020-01-01T00:00:00Z"}
        case "StartTransaction":
            return {"transactionId": 77, "idTagInfo": {"status": "Accepted"}}
        case "StopTransaction" | "Authorize":
            return {"idTagInfo": {"status": "Accepted"}}
        case "TransactionEvent":
            return {"idTokenInfo": {"status": "Accepted"}} if "idToken" in payload else {}
    return {}


class Csms:
    """A central system that accepts everybody.

    Attributes:
        heard: What stations said to it: action and payload.
        answer: Its answers; None: it says nothing.
        new_id: Makes the ids of its questions.
        paths: The paths at which it was dialled, and with which password.
    """

    def __init__(self, tcp_port: int) -> None:
        self.tcp_port = tcp_port
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[list[Any]] = []
        self.answer: Answer = accepting
        ids = itertools.count(1)
        self.new_id: Callable[[], str] = lambda: f"csms-{next(ids)}"
        self.paths: list[tuple[str, str | None, str | None]] = []
        self.line: ServerConnection | None = None
        self.tls: ssl.SSLContext | None = None
        self._asked: dict[str, asyncio.Future[list[Any]]] = {}
        self._server: Server | None = None

    async def open(self) -> None:
        self._server = await serve(
            self._serve,
            HOST,
            self.tcp_port,
            ssl=self.tls,
            subprotocols=[Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")],
        )

    async def close(self) -> None:
        server, self._server, self.line = self._server, None, None
        if server is not None:
            for connection in list(server.connections):
                connection.transport.abort()
            server.close()
            await server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        secret = connection.request.headers.get("Authorization", "").partition(" ")[2]
        told = base64.b64decode(secret).decode() or None
        self.paths.append((connection.request.path, told, connection.subprotocol))
        self.line = connection
        try:
            async for text in connection:
                await self._take(connection, json.loads(text))
        except ConnectionClosed:
            return

    async def _take(self, connection: ServerConnection, parts: list[Any]) -> None:
        if parts[0] == 2:
            self.heard.append((parts[2], parts[3]))
            answer = self.answer(parts[2], parts[3])
            if answer is not None:
                await connection.send(json.dumps([3, parts[1], answer]))
            return
        self.answers.append(parts)
        future = self._asked.pop(parts[1], None)
        if future is not None and not future.done():
            future.set_result(parts)

    async def ask(self, action: str, payload: dict[str, Any], within_s: float = 10) -> list[Any]:
        """Ask the station, and wait for the whole answer."""
        assert self.line is not None
        message_id = self.new_id()
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked[message_id] = future
        await self.line.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(within_s):
            return await future

    async def limits(self, amps: float, connector: int = 1, **more: Any) -> Any:  # noqa: ANN401 - whatever it answers
        """Set a default profile; answers its status."""
        profile = profile_of(amps, **more)
        answer = await self.ask("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": profile})
        return answer[2].get("status") if answer[0] == 3 else answer[2]

    def of(self, action: str) -> list[dict[str, Any]]:
        """What it has heard of one kind."""
        return [payload for heard, payload in self.heard if heard == action]


def profile_of(amps: float, purpose: str = "TxDefaultProfile", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A profile of OCPP 1.6 that holds from now on."""
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}]}
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    }
    return profile | more


class Between:
    """A station, this host, and a central system behind it.

    Args:
        tmp_path: Where the store is.
        ports: Two free TCP ports.
        connectors: How many the station has.
        plugged: Whether a vehicle is at each from the start.
        more: More settings of each address.
    """

    def __init__(
        self,
        tmp_path: Path,
        ports: tuple[int, int],
        *,
        connectors: int = 1,
        plugged: bool = True,
        more: str = "",
        voice: NewVoice = Voice16,
    ) -> None:
        self.clock, self.here, self.csms = HostClock(), ports[0], Csms(ports[1])
        outlets = [Outlet(self.clock.now_ms(), lines=1) for _ in range(connectors)]
        traits = StationTraits(redial_ms=20)
        self.station = EmulatedStation("GARAGE", outlets, self.clock, traits, voice, greatest_ma=32_000)
        self.rest = (
            f"?listen={HOST}:{self.here}&upstream=ws://{HOST}:{ports[1]}/csms&upstream_store={tmp_path}/store{more}"
        )
        self.connectors, self.plugged = connectors, plugged
        self.adapters: list[OcppAdapter] = []
        self._dialling: asyncio.Task[None] | None = None

    def plug_in(self, connector: int = 1) -> None:
        self.station.outlets[connector - 1].plug_in(Traits(max_ma=32_000), 60_000, self.clock.now_ms())

    def new_adapters(self) -> list[OcppAdapter]:
        """As a new process has them."""
        hub = Hub()
        return [
            OcppAdapter(f"GARAGE/{number}{self.rest}", clock=self.clock, hub=hub)
            for number in range(1, self.connectors + 1)
        ]

    async def open(self) -> OcppAdapter:
        """Open everything that is not open yet."""

        async def dialled(name: str) -> Link:
            return await dial(HOST, self.here, name, subprotocol=self.station.voice.subprotocol)

        if self.plugged:
            for number in range(1, self.connectors + 1):
                self.plug_in(number)
            self.plugged = False
        self.adapters = self.new_adapters()
        opening = asyncio.gather(*(adapter.open() for adapter in self.adapters))
        if self._dialling is None:
            self._dialling = asyncio.create_task(self.station.run(dialled))
        await opening
        return self.adapters[0]

    async def close(self) -> None:
        for adapter in self.adapters:
            await adapter.close()
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.wait([self._dialling])
        await self.csms.close()

    async def order(self, offered_ma: int, then_ma: int = 0, connector: int = 1) -> int:
        """Order, and look what the station really offers."""
        until_ms = self.clock.now_ms() + 10_000
        offer = Offer(offered_ma=offered_ma, valid_until_ms=until_ms, then_ma=then_ma)
        await self.adapters[connector - 1].offer(offer)
        self.station.advance()
        return self.station.outlets[connector - 1].offered_ma

    def play(
        self,
        story: Callable[["Between"], Awaitable[None]],
        *,
        csms: bool = True,
        dialled: bool = True,
        within_s: float = 40,
    ) -> None:
        """Open, tell the story, and look that nothing is left.

        Args:
            story: What happens.
            csms: Whether somebody is behind from the start.
            dialled: Whether the story begins once they have been dialled.
            within_s: How long it may take.
        """

        async def whole() -> None:
            async with asyncio.timeout(within_s), AsyncExitStack() as stack:
                stack.push_async_callback(self.close)
                if csms:
                    await self.csms.open()
                await self.open()
                if csms and dialled:
                    await until(lambda: bool(self.csms.paths))
                await story(self)
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left running: {left}"

        asyncio.run(whole())


async def until(holds: Callable[[], bool], within_s: float = 15) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - many things are looked at
            await asyncio.sleep(0.01)


def limit_ma(adapter: OcppAdapter) -> int | None:
    """What is allowed from behind now."""
    limit = adapter.outside_limit()
    return None if limit is None else limit.most_ma
