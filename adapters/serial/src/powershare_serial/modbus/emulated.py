"""Emulated devices for `powershare emulate modbus`: any map, over TCP or on a pseudo-terminal."""

import asyncio
import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import quote

import attrs
from pymodbus.server import ModbusTcpServer

from powershare.adapter import Clock
from powershare.addressing import Readers, one_of, options_of, some_text, whole
from powershare.emulation import Changed
from powershare.errors import AdapterUnavailable, FormatError, Problem
from powershare.simulation.outlet import Outlet
from powershare_serial.modbus.emulated_line import FAILURES, Answers, EmulatedLine
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.map_file import load_map
from powershare_serial.modbus.register_map import RegisterMap
from powershare_serial.ports import PtyPort, open_pty

_WHERE = 'emulator "modbus"'
_HOST = "127.0.0.1"
_GREATEST_UNIT = 247

OPTIONS: Readers = {
    "map": some_text,
    "transport": one_of("tcp", "rtu"),
    "port": whole(0, 65_535),
    "lines": whole(1, 3),
    "first_unit": whole(1, _GREATEST_UNIT),
}
"""What it can be told."""


@attrs.frozen(kw_only=True)
class Plan:
    """What is emulated.

    Attributes:
        map: What the devices are like.
        map_name: What their addresses call it.
        tcp: Whether they are reached over TCP, or else by a pseudo-terminal.
        tcp_port: Where; 0: a free one.
        lines: Lines that each is wired to.
        first_unit: Address of the first one; the others follow it.
        units: How many there are.
    """

    map: RegisterMap
    map_name: str
    tcp: bool
    tcp_port: int
    lines: int
    first_unit: int
    units: int


def plan_of(options: Mapping[str, str], units: int) -> Plan:
    """Read the options of an emulator.

    Args:
        options: `map=NAME|FILE`, `transport=tcp|rtu`, `port=0`, `lines=3`, `first_unit=1`.
        units: How many devices there are.

    Raises:
        FormatError: Every problem at once.
    """
    needed = {"map": "write map=NAME of a family of devices, or a .toml file"}
    values = options_of(_WHERE, options, OPTIONS, needed=needed)
    found = load_map(values["map"])
    tcp = values.get("transport", "tcp" if found.connection.tcp else "rtu") == "tcp"
    several = found.broadcast is not None or units > 1
    default_unit = min(found.connection.unit, _GREATEST_UNIT if several or not tcp else 255)
    first_unit = values.get("first_unit", default_unit)
    plan = Plan(
        map=found,
        map_name=values["map"],
        tcp=tcp,
        tcp_port=values.get("port", 0),
        lines=values.get("lines", max(1, len(found.drawn))),
        first_unit=first_unit,
        units=units,
    )
    if plan.first_unit + units - 1 > 255:
        raise FormatError([Problem(_WHERE, "first_unit", f"is {plan.first_unit}; no room for {units} addresses")])
    return plan


class ModbusEmulator:
    """Some emulated devices on one wire.

    Args:
        plan: What is emulated.
        clock: Where the time comes from.
        changed: Told of every change.

    Attributes:
        line: The devices and their wire.
    """

    def __init__(self, plan: Plan, clock: Clock, changed: Changed) -> None:
        self._plan = plan
        self._clock = clock
        self._wake = asyncio.Event()
        self._server: ModbusTcpServer | None = None
        self._pty: PtyPort | None = None
        self._tasks: list[asyncio.Task[None]] = []
        offers, shift = plan.map.offers, plan.map.connection.connector_step
        now_ms = clock.now_ms()
        units = {}
        for at in range(plan.units):
            outlet = Outlet(
                now_ms,
                lines=plan.lines,
                least_ma=offers.least_ma,
                greatest_ma=offers.greatest_ma,
                step_ma=offers.step_ma,
                changed=functools.partial(changed, at),
            )
            units[plan.first_unit + at] = EmulatedUnit(plan.map, shift, outlet, now_ms)
        self.line = EmulatedLine(units, clock, self._wake.set)

    @property
    def outlets(self) -> Sequence[Outlet]:
        """The connectors of the devices, in order."""
        return [unit.outlet for unit in self.line.units.values()]

    @property
    def addresses(self) -> Sequence[str]:
        """What a site file writes to reach each device."""
        place, wiring, name = "", "", quote(self._plan.map_name)
        if self._pty is not None:
            place = f"//{self._pty.path}"
            # A pseudo-terminal has no parity, and refuses it when it is asked for a second time.
            wiring = "" if self._plan.map.connection.parity == "none" else "&parity=none"
        elif self._server is not None:
            sockets = cast("asyncio.Server", self._server.transport).sockets
            place = f"//{_HOST}:{sockets[0].getsockname()[1]}"
        return [f"serial+modbus:{place}?map={name}&unit={unit}{wiring}" for unit in self.line.units]

    @property
    def failures(self) -> Mapping[str, str]:
        """What can fail."""
        return FAILURES

    async def start(self) -> None:
        """Open the wire and begin to answer.

        Raises:
            AdapterUnavailable: The port is in use, or there is no pseudo-terminal.
        """
        if self._tasks:
            return
        if self._plan.tcp:
            await self._listen()
        else:
            self._pty = open_pty()
            self._tasks.append(asyncio.create_task(self._serve(self._pty)))
        self._tasks.append(asyncio.create_task(self._live()))

    async def stop(self) -> None:
        """Fall silent and let go of everything."""
        tasks, self._tasks = self._tasks, []
        server, self._server = self._server, None
        pty, self._pty = self._pty, None
        for task in tasks:
            task.cancel()
        if server is not None:
            server.close()
        if pty is not None:
            await pty.close()
        if tasks:
            await asyncio.wait(tasks)

    def fail(self, unit: int, failure: str, /) -> None:
        """Begin or end a failure of one device.

        Args:
            unit: Its place, from 0.
            failure: One of `failures`, or `none`.

        Raises:
            ValueError: There is no such failure.
        """
        if failure != "none" and failure not in FAILURES:
            raise ValueError(f"there is no failure {failure!r}; there are {', '.join(FAILURES)} and none")
        address = self._plan.first_unit + unit
        device = self.line.units[address]
        if failure == "reset":
            device.restart(self._clock.now_ms())
            self._drop_connections()
        else:
            self.line.failing[address] = failure
            device.ignores_writes = failure == "ignores_writes"
        self._wake.set()

    async def _listen(self) -> None:
        self._server = ModbusTcpServer(
            self.line,
            address=(_HOST, self._plan.tcp_port),
            ignore_missing_devices=True,
            trace_packet=lambda sending, data: self.line.sent(data, 6) if sending else data,
        )
        try:
            await self._server.serve_forever(background=True)
        except RuntimeError as error:
            self._server = None
            raise AdapterUnavailable(f"{_HOST}:{self._plan.tcp_port}: {error}") from error

    def _drop_connections(self) -> None:
        """What a restart does to those who are connected."""
        if self._server is not None:
            for connection in list(self._server.active_connections.values()):
                cast("asyncio.Transport", connection.transport).abort()

    async def _serve(self, pty: PtyPort) -> None:
        answers = Answers(self.line, tcp=False)
        with contextlib.suppress(AdapterUnavailable):  # the end of the pseudo-terminal is the end of this
            while True:
                answer = await answers.to(await pty.receive())
                if answer:
                    await pty.send(answer)

    async def _live(self) -> None:
        """Let happen what is due when nobody asks: watchdogs, and vehicles that react."""
        while True:
            self._wake.clear()
            now_ms = self._clock.now_ms()
            due: list[int] = []
            for unit in self.line.units.values():
                unit.catch_up(now_ms)
                due += [at_ms for at_ms in (unit.due_ms(), unit.outlet.next_ms()) if at_ms is not None]
            wait_ms = max(1, min(due) - now_ms) if due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._wake.wait()


def emulator(options: Mapping[str, str], /, *, units: int, clock: Clock, changed: Changed) -> ModbusEmulator:
    """Build an emulator of devices of one map.

    Args:
        options: `map=NAME|FILE`, `transport=tcp|rtu`, `port=0`, `lines=3`, `first_unit=1`.
        units: How many devices there are.
        clock: Where it gets the time from.
        changed: Told of every change.

    Raises:
        FormatError: An option means nothing; every problem at once.
    """
    return ModbusEmulator(plan_of(options, units), clock, changed)
