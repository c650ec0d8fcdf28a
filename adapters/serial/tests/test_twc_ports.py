"""Ports move bytes over real pseudo-terminals and sockets and fail in one way; addresses name every problem at once."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from powershare.addressing import HostPort, Readers, amps, hexadecimal, one_of, seconds, some_text, whole, yes_no
from powershare.errors import AdapterUnavailable, FormatError
from powershare_serial.addresses import Address, DevicePath, address_of, as_written
from powershare_serial.ports import PolledPort, Port, PtyPort, Wiring, open_port, open_pty

EVERY_BYTE = bytes(range(256))
READERS: Readers = {
    "id": hexadecimal(4),
    "greatest_a": amps(6_000, 80_000),
    "watchdog_s": seconds(1_000, 60_000),
    "lines": whole(1, 3),
    "echo": yes_no,
    "protocol": one_of("auto", "1", "2"),
    "name": some_text,
}


@contextlib.asynccontextmanager
async def wire() -> AsyncIterator[tuple[PtyPort, Port]]:
    """A pseudo-terminal: its near side, and its far side opened as a device."""
    near = open_pty()
    far = await open_port(DevicePath(near.path), Wiring())
    try:
        yield near, far
    finally:
        await far.close()
        await near.close()


def open_handles() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def taken(port: Port, count: int) -> bytes:
    """Receive so many bytes."""
    data = b""
    async with asyncio.timeout(5):
        while len(data) < count:
            data += await port.receive()
    return data


def test_every_byte_passes_a_pty_as_it_is() -> None:
    async def test() -> None:
        async with wire() as (near, far):
            await near.send(EVERY_BYTE)
            assert await taken(far, 256) == EVERY_BYTE
            await far.send(EVERY_BYTE)
            assert await taken(near, 256) == EVERY_BYTE
            assert far.pending() == near.pending() == b""

    asyncio.run(test())


def test_what_arrived_can_be_taken_without_waiting() -> None:
    async def test() -> None:
        async with wire() as (near, far):
            await near.send(b"late")
            await asyncio.sleep(0.05)
            assert far.pending() == b"late"

    asyncio.run(test())


def test_an_unplugged_device_is_unavailable_to_who_waits_and_to_who_sends() -> None:
    async def test() -> None:
        async with wire() as (near, far):
            waiting = asyncio.ensure_future(far.receive())
            await asyncio.sleep(0.05)
            await near.close()
            with pytest.raises(AdapterUnavailable, match="unplugged"):
                await asyncio.wait_for(waiting, 5)
            with pytest.raises(AdapterUnavailable, match="unplugged"):
                await far.send(b"?")

    asyncio.run(test())


def test_a_closed_port_refuses_and_wakes_who_waits() -> None:
    async def test() -> None:
        async with wire() as (near, far):
            for port in (far, near):
                waiting = asyncio.ensure_future(port.receive())
                await asyncio.sleep(0.05)
                await port.close()
                await port.close()
                with pytest.raises(AdapterUnavailable, match="the port is closed"):
                    await asyncio.wait_for(waiting, 5)
                with pytest.raises(AdapterUnavailable, match="the port is closed"):
                    await port.send(b"?")

    asyncio.run(test())


def test_the_near_side_outlives_those_who_open_the_far_side() -> None:
    async def test() -> None:
        near = open_pty()
        for _ in range(3):
            await near.send(b"x" * 100_000)  # more than a pty keeps, and nobody is there
            far = await open_port(DevicePath(near.path), Wiring())
            await near.send(b"hello")
            assert await taken(far, 5) == b"hello"
            await far.close()
        await near.close()

    asyncio.run(test())


def test_a_wire_has_one_controller() -> None:
    async def test() -> None:
        async with wire() as (near, _):
            with pytest.raises(AdapterUnavailable, match="in use by another program"):
                await open_port(DevicePath(near.path), Wiring())

    asyncio.run(test())


@pytest.mark.parametrize(
    ("path", "message"),
    [("/dev/there-is-none", "no such device; is it plugged in"), ("/dev/null", "no serial device"), ("/dev", "serial")],
)
def test_what_is_no_serial_device_is_unavailable(path: str, message: str) -> None:
    with pytest.raises(AdapterUnavailable, match=f"{path}: .*{message}"):
        asyncio.run(open_port(DevicePath(path), Wiring()))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is denied to root")
def test_a_denied_device_names_the_group(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.touch(mode=0o000)
    with pytest.raises(AdapterUnavailable, match="dialout"):
        asyncio.run(open_port(DevicePath(str(path)), Wiring()))


def test_opening_and_closing_leaves_no_handle() -> None:
    async def test() -> None:
        near = open_pty()
        counts = []
        for _ in range(20):
            port = await open_port(DevicePath(near.path), Wiring())
            await port.close()
            counts.append(open_handles())
        await near.close()
        assert counts[0] == counts[-1]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(test())


def test_a_cancelled_opening_leaves_nothing() -> None:
    async def test() -> None:
        near = open_pty()
        before = open_handles()
        for after_ms in (0, 1, 3, 8, 12):
            opening = asyncio.ensure_future(open_port(DevicePath(near.path), Wiring()))
            await asyncio.sleep(after_ms / 1000)
            if not opening.cancel():
                await (await opening).close()
            await asyncio.wait([opening])
        await asyncio.sleep(0.1)
        assert open_handles() == before
        await near.close()

    asyncio.run(test())


def test_bytes_pass_a_converter_on_the_network() -> None:
    async def test() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(256))
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        place = HostPort("127.0.0.1", server.sockets[0].getsockname()[1])
        port = await open_port(place, Wiring())
        await port.send(EVERY_BYTE)
        assert await taken(port, 256) == EVERY_BYTE
        with pytest.raises(AdapterUnavailable, match="hung up"):
            await asyncio.wait_for(port.receive(), 5)
        await port.close()
        server.close()
        await server.wait_closed()
        with pytest.raises(AdapterUnavailable, match=rf"tcp://127\.0\.0\.1:{place.tcp_port}: no connection"):
            await open_port(place, Wiring())

    asyncio.run(test())


def test_a_host_that_no_name_server_takes_is_unavailable() -> None:
    with pytest.raises(AdapterUnavailable, match=r"tcp://a\.\.b:80: no connection"):
        asyncio.run(open_port(HostPort("a..b", 80), Wiring()))


class Handed:
    """A port as a program would hand it in."""

    def __init__(self) -> None:
        self.arrived = b""
        self.error: Exception | None = None
        self.sent = b""
        self.open = True

    def read(self, size: int, /) -> bytes:
        if self.error is not None:
            raise self.error
        data, self.arrived = self.arrived[:size], self.arrived[size:]
        return data

    def write(self, data: bytes, /) -> int:
        self.sent += data
        return len(data)

    def close(self) -> None:
        self.open = False


def test_a_port_that_is_handed_in_is_used_and_closed() -> None:
    async def test() -> None:
        device = Handed()
        port = PolledPort(device)
        waiting = asyncio.ensure_future(port.receive())
        await asyncio.sleep(0.03)
        device.arrived = b"hello"
        assert await asyncio.wait_for(waiting, 5) == b"hello"
        await port.send(b"there")
        assert device.sent == b"there"
        device.error = OSError("gone")
        with pytest.raises(AdapterUnavailable, match="the port handed in: gone"):
            await port.receive()
        await port.close()
        assert not device.open
        with pytest.raises(AdapterUnavailable, match="closed"):
            await port.send(b"?")

    asyncio.run(test())


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("///dev/ttyUSB0", DevicePath("/dev/ttyUSB0")),
        (
            "///dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0",
            DevicePath("/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0"),
        ),
        ("///dev/a%20b?", DevicePath("/dev/a b")),
        ("COM3", DevicePath("COM3")),
        ("//wire.example:8899", HostPort("wire.example", 8899)),
        ("//wire.example", HostPort("wire.example", 502)),
        ("//[2001:db8::1]:23", HostPort("2001:db8::1", 23)),
        ("//[::1]", HostPort("::1", 502)),
    ],
)
def test_a_place_is_read(rest: str, place: DevicePath | HostPort) -> None:
    assert address_of("twc", rest, READERS, default_tcp_port=502).place == place


def test_places_are_shown_as_they_are_written() -> None:
    assert as_written(HostPort("::1", 23)) == "tcp://[::1]:23"
    assert as_written(HostPort("a", 23)) == "tcp://a:23"
    assert as_written(DevicePath("/dev/ttyS0")) == "/dev/ttyS0"


def test_settings_are_read() -> None:
    address: Address = address_of(
        "twc", "///dev/x?id=7Bc&greatest_a=32.5&watchdog_s=2.5&lines=3&echo=no&protocol=auto&name=a%2Bb+c", READERS
    )
    assert address.values == {
        "id": 0x7BC,
        "greatest_a": 32_500,
        "watchdog_s": 2_500,
        "lines": 3,
        "echo": False,
        "protocol": "auto",
        "name": "a+b+c",
    }
    assert address.where == (
        'adapter "serial+twc:///dev/x?id=7Bc&greatest_a=32.5&watchdog_s=2.5&lines=3&echo=no&protocol=auto&name=a%2Bb+c"'
    )


@pytest.mark.parametrize(
    ("rest", "field", "message"),
    [
        ("", "", "names no device and no host; write serial[+]twc:///dev/ttyUSB0 or serial[+]twc://HOST:PORT"),
        ("dev/ttyUSB0", "", "names no device and no host"),
        ("///", "", "names no device"),
        ("///dev/tty\nUSB", "", "letters that no device has"),
        ("///dev/tty%FF", "", "is no UTF-8; write serial[+]twc:///dev/ttyUSB0"),
        ("//", "", "has no host"),
        ("//host", "", "names the host 'host' without a port"),
        ("//host:", "", "has a port that is ''"),
        ("//host:0", "", "from 1 to 65535"),
        ("//host:" + "9" * 5_000, "", "from 1 to 65535"),
        ("//::1:80", "", "an IPv6 address belongs in brackets"),
        ("//[::1:80", "", "has no host and port"),
        ("//[::1]80", "", "has no host and port"),
        ("//[host]:80", "", "no IPv6 address in the brackets"),
        ("//host:80/path", "", "has a port that"),
        ("//me@host:80", "", "has no host"),
        ("///dev/x?idd=1", "idd", "is no setting; did you mean id[?]"),
        ("///dev/x?zzzzzz=1", "zzzzzz", "there are id, greatest_a"),
        ("///dev/x?id", "id", "has no value"),
        ("///dev/x?id=", "id", "is ''; write up to 4 hexadecimal digits"),
        ("///dev/x?id=12345", "id", "up to 4 hexadecimal digits"),
        ("///dev/x?id=0x7", "id", "up to 4 hexadecimal digits"),
        ("///dev/x?id=%FF", "id", "what is percent-encoded in it is no UTF-8"),
        ("///dev/x?id=1&id=1", "id", "is given twice"),
        ("///dev/x?=1", "", "has a setting without a name"),
        ("///dev/x?greatest_a=5.9", "greatest_a", "write 6 to 80 amps"),
        ("///dev/x?greatest_a=nan", "greatest_a", "is 'nan'; write 6 to 80 amps"),
        ("///dev/x?watchdog_s=soon", "watchdog_s", "is 'soon'; write 1 to 60 seconds"),
        ("///dev/x?lines=" + "1" * 5_000, "lines", "from 1 to 3"),
        ("///dev/x?echo=true", "echo", "write yes or no"),
        ("///dev/x?protocol=3", "protocol", "write auto or 1 or 2"),
        ("///dev/x?name=%00", "name", "something that can be read"),
    ],
)
def test_a_bad_address_is_refused(rest: str, field: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        address_of("twc", rest, READERS)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert caught.value.problems[0].where == f'adapter "serial+twc:{rest}"'


def test_every_problem_of_an_address_is_reported_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        address_of("twc", "//host?lines=9&echo=maybe&nonsense=1", READERS)
    assert [problem.field for problem in caught.value.problems] == ["", "lines", "echo", "nonsense"]
