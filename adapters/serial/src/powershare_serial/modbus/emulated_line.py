"""The wire of emulated devices: what pymodbus' server asks of them, and how their answers go wrong on purpose."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.exceptions import ModbusException, NoSuchIdException
from pymodbus.framer import FRAMER_NAME_TO_CLASS, FramerType
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from powershare.adapter import Clock
from powershare.errors import AdapterUnavailable
from powershare_serial.modbus.emulated_unit import EmulatedUnit
from powershare_serial.modbus.registers import Table

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "silence": "it hears and says nothing, and goes on",
        "slow": "its answers come after a second",
        "wrong_check": "its answers have a wrong checksum, or over TCP the number of another question",
        "exception": "it refuses everything as busy (6)",
        "ignores_writes": "it accepts what is written, and does nothing (outside A4)",
        "noise": "bytes of noise stand before its answers; over TCP the connection breaks on them",
        "reset": "it restarts, once, and forgets its order and its watchdog",
    }
)
"""What can fail, each with a sentence."""

_SLOW_S = 1.0
_TABLES = MappingProxyType({1: Table.COIL, 5: Table.COIL, 15: Table.COIL, 2: Table.DISCRETE, 4: Table.INPUT})


class EmulatedLine(ModbusServerContext):
    """Devices on one wire, as pymodbus' server sees them.

    Args:
        units: The devices, each with its address.
        clock: Where the time comes from.
        touched: Called after everything that may have changed when something happens next.

    Attributes:
        units: The devices.
        failing: What fails, for each address at which something does.
    """

    def __init__(self, units: Mapping[int, EmulatedUnit], clock: Clock, touched: Callable[[], None]) -> None:
        # The base class would build stores of its own; what the server asks is answered below.
        self.simdevices = []
        self.old_simulator = True
        self.units = units
        self.failing: dict[int, str] = {}
        self._clock = clock
        self._touched = touched
        self._dice = Random(6_000)  # noqa: S311 - the same noise every time

    async def async_getValues(  # noqa: N802 - the server's own name for it
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Answer a question that reads."""
        unit = await self._addressed(device_id)
        if self.failing.get(device_id) == "exception":
            return ExcCodes.DEVICE_BUSY
        table = _TABLES.get(func_code, Table.HOLDING)
        values = unit.get(table, address, count, self._clock.now_ms())
        self._touched()
        if isinstance(values, ExcCodes) or not table.of_bits:
            return values
        return list(map(bool, values))

    async def async_setValues(  # type: ignore[override]  # noqa: N802 - the server's own name; its base says other types
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Answer a question that writes."""
        if self._broadcast(device_id, func_code, address, list(map(int, values))):
            raise NoSuchIdException("nobody answers a broadcast")
        unit = await self._addressed(device_id)
        if self.failing.get(device_id) == "exception":
            return ExcCodes.DEVICE_BUSY
        table = _TABLES.get(func_code, Table.HOLDING)
        refusal = unit.put(table, address, list(map(int, values)), self._clock.now_ms())
        self._touched()
        return refusal

    def sent(self, answer: bytes, unit_at: int) -> bytes:
        """What becomes of an answer on its way.

        Args:
            answer: The frame.
            unit_at: Where in it the address of the device stands.
        """
        failure = self.failing.get(answer[unit_at]) if len(answer) > unit_at else None
        if failure == "wrong_check":
            # The last byte of a checksum; over TCP the last one of the number.
            at = len(answer) - 1 if unit_at == 0 else 1
            return answer[:at] + bytes([answer[at] ^ 0x55]) + answer[at + 1 :]
        if failure == "noise":
            return self._dice.randbytes(3) + answer
        return answer

    async def _addressed(self, device_id: int) -> EmulatedUnit:
        unit = self.units.get(device_id)
        failure = self.failing.get(device_id)
        if unit is None or failure == "silence":
            raise NoSuchIdException(f"nobody at {device_id}")
        if failure == "slow":
            await asyncio.sleep(_SLOW_S)
        return unit

    def _broadcast(self, device_id: int, func_code: int, address: int, words: list[int]) -> bool:
        cast = next((unit.map.broadcast for unit in self.units.values() if unit.map.broadcast is not None), None)
        if cast is None or device_id != cast.unit:
            return False
        if func_code == 16 and address == cast.first.address:
            for number, unit in self.units.items():
                slot = number - cast.first_unit
                if 0 <= slot < len(words) and self.failing.get(number) not in {"silence", "exception"}:
                    unit.hear_order(words[slot], self._clock.now_ms())
        self._touched()
        return True


class Answers:
    """Bytes of questions to bytes of answers, with the parts of pymodbus' server but without a connection.

    Args:
        line: The devices.
        tcp: Whether frames are framed for TCP.
    """

    def __init__(self, line: EmulatedLine, *, tcp: bool) -> None:
        self._line = line
        self._unit_at = 6 if tcp else 0
        self._framer = FRAMER_NAME_TO_CLASS[FramerType.SOCKET if tcp else FramerType.RTU](DecodePDU(is_server=True))
        self._rest = b""

    async def to(self, data: bytes) -> bytes:
        """Take some bytes; return the answers to the questions that are complete now."""
        self._rest = (self._rest + data)[-1_024:]
        answers = b""
        while self._rest:
            try:
                used, question = self._framer.handleFrame(self._rest, 0, 0)
            except ModbusException:  # a function that nobody knows
                used, question = len(self._rest), None
            self._rest = self._rest[used:]
            if question is None:
                break
            answers += await self._answer(question)
        return answers

    async def _answer(self, question: ModbusPDU) -> bytes:
        try:
            answer = await question.datastore_update(self._line, question.dev_id)
        except NoSuchIdException:
            return b""
        if isinstance(answer, ExceptionResponse) and not answer.exception_code:
            return b""
        answer.dev_id, answer.transaction_id = question.dev_id, question.transaction_id
        return self._line.sent(self._framer.buildFrame(answer), self._unit_at)


class EmulatedWire:
    """A `Port` to emulated devices in this process: for virtual time, where no real wire can be.

    Args:
        line: The devices.
        tcp: Whether frames are framed for TCP.
        answer_ms: How long it takes from a question to its answer, in each direction half of it.
    """

    def __init__(self, line: EmulatedLine, *, tcp: bool, answer_ms: int = 4) -> None:
        self._answers = Answers(line, tcp=tcp)
        self._way_s = answer_ms / 2_000
        self._inbox = bytearray()
        self._arrived = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(self, data: bytes) -> None:
        """Give the devices a question."""
        self._must_be_open()
        task = asyncio.create_task(self._carry(data))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def receive(self) -> bytes:
        """Wait for an answer; from a silent device none comes."""
        while not self._inbox:
            self._must_be_open()
            self._arrived.clear()
            await self._arrived.wait()
        return self.pending()

    def pending(self) -> bytes:
        """Take what has arrived already."""
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    async def close(self) -> None:
        """Let go; what is under way is lost."""
        self._closed = True
        self._arrived.set()
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _carry(self, data: bytes) -> None:
        await asyncio.sleep(self._way_s)
        answer = await self._answers.to(data)
        await asyncio.sleep(self._way_s)
        self._inbox += answer
        self._arrived.set()

    def _must_be_open(self) -> None:
        if self._closed:
            raise AdapterUnavailable("the emulated wire is closed")
