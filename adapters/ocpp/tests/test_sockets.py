"""The same over real WebSockets on this host: the suite, who is let in and how, and many stations at once."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterError, AdapterRejected, AdapterUnavailable
from powershare.simulation.outlet import Outlet
from powershare.simulation.vehicle import Traits
from powershare.testing.lifecycle import LifecycleRules
from powershare_ocpp import OcppAdapter
from powershare_ocpp.emulated.emulator import dial
from powershare_ocpp.emulated.station import EmulatedStation, StationTraits
from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.wire.links import Link

from .sockets import HOST, served, until_it_listens

SUBPROTOCOL = Subprotocol("ocpp1.6")


def plugged_station(clock: HostClock, name: str = "GARAGE", lines: int = 1) -> EmulatedStation:
    outlet = Outlet(clock.now_ms(), lines=lines)
    outlet.plug_in(Traits(max_ma=32_000), 60_000, clock.now_ms())
    return EmulatedStation(name, [outlet], clock, StationTraits(redial_ms=20), Voice16, greatest_ma=32_000)


class SocketBench:
    """A station that dials in over the loopback interface, while an adapter listens."""

    def __init__(self, tcp_port: int) -> None:
        self.clock = HostClock()
        self.tcp_port = tcp_port
        self.station = plugged_station(self.clock)

    def new_adapter(self) -> "BesideStation":
        return BesideStation(self)

    def device_offered_ma(self) -> int:
        self.station.advance()
        return self.station.outlets[0].offered_ma

    def silence(self, silent: bool) -> None:
        self.station.line.silent = silent

    def restart_device(self) -> None:
        self.station.restart()


class BesideStation(OcppAdapter):
    """An adapter with which a station comes and goes, so that nothing is left when it is closed."""

    def __init__(self, bench: SocketBench) -> None:
        rest = f"GARAGE/1?listen={HOST}:{bench.tcp_port}&longest_write_s=1&settle_s=0.05&wait_s=1"
        super().__init__(rest, clock=bench.clock)
        self._bench = bench
        self._dialling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        async def dialled(name: str) -> Link:
            return await dial(HOST, self._bench.tcp_port, name)

        if self._dialling is None:
            self._dialling = asyncio.create_task(self._bench.station.run(dialled))
        try:
            await super().open()
        except BaseException:
            await self._go()
            raise

    async def close(self) -> None:
        await super().close()
        await self._go()

    async def _go(self) -> None:
        dialling, self._dialling = self._dialling, None
        if dialling is not None:
            dialling.cancel()
            await asyncio.wait([dialling])


class TestOpeningAndClosingOverSockets(LifecycleRules):
    """What depends on sockets is in these rules; the others hold in virtual time, in test_conformance.py."""

    reopenings = 20

    @pytest.fixture
    def bench(self, tcp_port: int) -> SocketBench:
        return SocketBench(tcp_port)


async def with_station(work: Awaitable[None], dialled: Callable[[str], Awaitable[Link]], name: str = "GARAGE") -> None:
    station = plugged_station(HostClock(), name)
    task = asyncio.create_task(station.run(dialled))
    try:
        await work
    finally:
        task.cancel()
        await asyncio.wait([task])


async def order_and_read(adapter: OcppAdapter) -> None:
    clock = HostClock()
    await adapter.open()
    try:
        await adapter.offer(Offer(offered_ma=13_000, valid_until_ms=clock.now_ms() + 5_000, then_ma=0))
        assert (await adapter.read()).offered_ma == 13_000
    finally:
        await adapter.close()


def test_a_stranger_is_refused_and_one_without_the_protocol_too(tcp_port: int) -> None:
    async def test() -> None:
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}&wait_s=1", clock=HostClock())
        opening = asyncio.create_task(adapter.open())
        await asyncio.sleep(0.2)
        with pytest.raises(AdapterUnavailable, match="404"):
            await dial(HOST, tcp_port, "STRANGER")
        with pytest.raises(InvalidStatus, match="400"):
            await connect(f"ws://{HOST}:{tcp_port}/GARAGE", proxy=None)
        with pytest.raises(AdapterUnavailable, match=r"'STRANGER' \(no address names this station\)"):
            await opening

    served(test)


def test_who_speaks_no_websocket_is_hung_up_on_without_a_word(tcp_port: int, capfd: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}&wait_s=1", clock=HostClock())
        opening = asyncio.create_task(adapter.open())
        await until_it_listens(HOST, tcp_port)
        for noise in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(500), b"GET /GARAGE HTTP/9\r\n\r\n"):
            reader, writer = await asyncio.open_connection(HOST, tcp_port)
            writer.write(noise)
            writer.write_eof()
            assert b"101" not in await reader.read()
            writer.close()
        with pytest.raises(AdapterUnavailable, match="has not dialled in"):
            await opening

    served(test)


def test_a_port_in_use_is_an_error_that_names_it(tcp_port: int) -> None:
    async def test() -> None:
        taken = await asyncio.start_server(lambda *_: None, HOST, tcp_port)
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}", clock=HostClock())
        with pytest.raises(AdapterUnavailable, match=f"cannot listen on {HOST}:{tcp_port}"):
            await adapter.open()
        taken.close()

    served(test)


def test_an_opening_that_is_cancelled_anywhere_leaves_the_port_free(tcp_port: int) -> None:
    async def test() -> None:
        for turns in range(25):
            adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}", clock=HostClock())
            opening = asyncio.create_task(adapter.open())
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            await asyncio.sleep(0.01)
            free = await asyncio.start_server(lambda *_: None, HOST, tcp_port)
            free.close()
            await free.wait_closed()

    served(test)


def test_profile_1_lets_in_who_knows_the_password(tcp_port: int, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n", encoding="utf-8")

    async def test() -> None:
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}&password_file={file}", clock=HostClock())

        async def dialled(name: str) -> Link:
            await until_it_listens(HOST, tcp_port)
            with pytest.raises(AdapterUnavailable, match="401"):
                await dial(HOST, tcp_port, name)
            with pytest.raises(AdapterUnavailable, match="401"):
                await dial(HOST, tcp_port, name, password="wrong")
            return await dial(HOST, tcp_port, name, password="correct%20horse")

        await with_station(order_and_read(adapter), dialled)

    served(test)


@pytest.mark.parametrize("text", [None, ""])
def test_a_password_that_cannot_be_read_opens_to_nobody(tcp_port: int, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "password"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    async def test() -> None:
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}&password_file={file}", clock=HostClock())
        with pytest.raises(AdapterUnavailable, match=r"password_file .* (cannot be read|is empty)"):
            await adapter.open()

    served(test)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root, and certificates of a central system and two stations, in files named after them."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")

    def made(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True, timeout=30)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    made("req", "-x509", *key, "-subj", "/CN=root", "-days", "2", "-keyout", "root.key", "-out", "root.pem")
    for name in ("localhost", "GARAGE", "OTHER"):
        made("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / "names").write_text(f"subjectAltName=DNS:{name}\n", encoding="utf-8")
        made(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", "names", "-out", f"{name}.pem"),
        )
    return folder


def station_tls(certificates: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates / "root.pem"))
    if name is not None:
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


def tls_settings(certificates: Path) -> str:
    return f"&tls_cert={certificates}/localhost.pem&tls_key={certificates}/localhost.key"


def test_profile_2_speaks_tls_and_nothing_else(tcp_port: int, certificates: Path) -> None:
    async def test() -> None:
        rest = f"GARAGE/1?listen=localhost:{tcp_port}{tls_settings(certificates)}"

        async def dialled(name: str) -> Link:
            await until_it_listens("localhost", tcp_port)
            with pytest.raises(AdapterUnavailable, match=r"valid HTTP response|closed|reset"):
                await dial("localhost", tcp_port, name)
            return await dial("localhost", tcp_port, name, tls=station_tls(certificates, None))

        await with_station(order_and_read(OcppAdapter(rest, clock=HostClock())), dialled)

    served(test)


def test_profile_3_lets_in_the_station_with_its_own_certificate(tcp_port: int, certificates: Path) -> None:
    async def test() -> None:
        security = f"{tls_settings(certificates)}&client_ca={certificates}/root.pem"
        rest = f"GARAGE/1?listen=localhost:{tcp_port}{security}"

        async def dialled(name: str) -> Link:
            await until_it_listens("localhost", tcp_port)
            with pytest.raises(AdapterUnavailable, match="403"):
                await dial("localhost", tcp_port, name, tls=station_tls(certificates, "OTHER"))
            with pytest.raises(AdapterUnavailable):
                await dial("localhost", tcp_port, name, tls=station_tls(certificates, None))
            return await dial("localhost", tcp_port, name, tls=station_tls(certificates, "GARAGE"))

        await with_station(order_and_read(OcppAdapter(rest, clock=HostClock())), dialled)

    served(test)


@pytest.mark.parametrize("setting", ["tls_cert", "client_ca"])
def test_a_file_that_is_no_certificate_is_named(
    tcp_port: int, certificates: Path, tmp_path: Path, setting: str
) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate", encoding="utf-8")
    security = f"&tls_cert={wrong}" if setting == "tls_cert" else f"{tls_settings(certificates)}&client_ca={wrong}"

    async def test() -> None:
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}{security}", clock=HostClock())
        with pytest.raises(AdapterUnavailable, match=f"{setting} .*wrong.pem.* cannot be used"):
            await adapter.open()

    served(test)


def test_addresses_that_contradict_each_other_are_refused(tcp_port: int, certificates: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret", encoding="utf-8")

    async def test() -> None:
        first = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}&wait_s=2", clock=HostClock())
        opening = asyncio.create_task(first.open())
        await asyncio.sleep(0.1)
        contradictions = {
            tls_settings(certificates): "tls_cert",
            f"&password_file={file}": "password_file",
            "&version=1.6": "version",
        }
        for more, words in contradictions.items():
            other = OcppAdapter(f"GARAGE/2?listen={HOST}:{tcp_port}{more}", clock=HostClock())
            with pytest.raises(AdapterRejected, match=f"{words}.* differ"):
                await other.open()
        await first.close()
        with pytest.raises(AdapterError):
            await opening

    served(test)


def test_a_station_that_dials_again_takes_the_place_of_its_former_line(tcp_port: int) -> None:
    async def test() -> None:
        clock = HostClock()
        adapter = OcppAdapter(f"GARAGE/1?listen={HOST}:{tcp_port}", clock=clock)

        async def dialled(name: str) -> Link:
            return await dial(HOST, tcp_port, name)

        async def work() -> None:
            await adapter.open()
            taken = await connect(f"ws://{HOST}:{tcp_port}/GARAGE", subprotocols=[SUBPROTOCOL], proxy=None)
            await taken.close()
            for _ in range(100):
                try:
                    assert (await adapter.read()).state == "C"
                    break
                except AdapterUnavailable:
                    await asyncio.sleep(0.05)
            assert (await adapter.read()).offered_ma == 32_000
            await adapter.close()

        await with_station(work(), dialled)

    served(test)
