"""One device on its line: what its map says is asked and told, in the order that never offers too much."""

from collections.abc import Mapping, Sequence

from powershare.adapter import Clock, PilotState
from powershare.errors import AdapterRejected, AdapterUnavailable
from powershare.units import Milliamps
from powershare_serial.modbus.broadcast import Board
from powershare_serial.modbus.client import Line
from powershare_serial.modbus.frames import Question, read_question, write_question
from powershare_serial.modbus.register_map import Failsafe, Fixed, RegisterMap
from powershare_serial.modbus.registers import Register
from powershare_serial.modbus.settings import Settings

_MOST_AT_ONCE = 100


class Unit:
    """A device, reached through a line that is open.

    Args:
        line: The line.
        settings: What it is like, and its address.
        clock: Where the time comes from.
        fallback_ma: What it is to offer when it is left alone, at the most.
        before: The same device over an earlier connection, from which it is known; None: there was none.

    Attributes:
        fallback_ma: What it is to offer when it is left alone, at the most.
        told_ma: The most of what it was told last, and before that if it did not answer; None: it was told nothing yet.
        heard_ms: When it last answered; None: it has not.
    """

    def __init__(
        self, line: Line, settings: Settings, clock: Clock, fallback_ma: Milliamps, before: "Unit | None" = None
    ) -> None:
        self._line = line
        self._settings = settings
        self._clock = clock
        self.heard_ms: int | None = None if before is None else before.heard_ms
        self._set_up = -1
        self._left = False
        self._granting_until_ms: int | None = None
        self.fallback_ma = fallback_ma
        self.told_ma: Milliamps | None = None if before is None else before.told_ma

    @property
    def map(self) -> RegisterMap:
        """What it is like."""
        return self._settings.map

    @property
    def is_set_up(self) -> bool:
        """Whether its watchdog is known to be as declared; a connection that broke may mean a restart."""
        return self._set_up == self._line.dialled

    def forget(self) -> None:
        """It may have restarted: set it up again before it is told anything."""
        self._set_up, self.told_ma = -1, None

    async def read(self, register: Register) -> tuple[int, ...]:
        """Read a register.

        Raises:
            AdapterError: It did not answer, or refused.
        """
        question = read_question(self._settings.unit, register.moved(self._settings.shift))
        words = await self._ask(question)
        self.heard_ms = self._clock.now_ms()
        return words

    async def write(self, register: Register, words: Sequence[int], *, until_ms: int | None = None) -> None:
        """Write a register.

        Raises:
            AdapterError: It did not answer, refused, or it was too late.
        """
        question = write_question(self._settings.unit, register.moved(self._settings.shift), words)
        await self._ask(question, until_ms)
        self.heard_ms = self._clock.now_ms()

    async def _ask(self, question: Question, until_ms: int | None = None) -> tuple[int, ...]:
        def check() -> None:
            if self._left:
                raise AdapterUnavailable("the adapter was closed meanwhile")
            if until_ms is not None and self._clock.now_ms() >= until_ms:
                raise AdapterRejected("the order was over before it could be sent")

        return await self._line.ask(question, reply_ms=self._settings.reply_ms, check=check)

    async def set_up(self) -> None:
        """Look whether it is what it should be, and write its watchdog where it is not as declared. Raises no offer.

        Raises:
            AdapterRejected: It is not what it should be, or cannot be made so; the text says what to do.
            AdapterError: It did not answer.
        """
        dialled = self._line.dialled
        await self.calm()
        for fixed in self.map.expect:
            await self._expect(fixed)
        for fixed in self.map.init:
            wanted = fixed.register.words_of(fixed.raw or 0)
            if await self.read(fixed.register) != wanted:
                await self.write(fixed.register, wanted)
        if self.map.watchdog is not None:
            await self._set_time()
            await self._lower_fallback()
        self._set_up = dialled

    async def calm(self) -> None:
        """Pause a device that may have tripped, and that any message would bring back to its old order.

        After a silence shorter than its watchdog it has not.
        """
        dog, after_ms = self.map.watchdog, self._settings.watchdog_ms
        lowest_ma = 0 if self.map.can_pause else self.map.offers.least_ma
        if self.map.reported.register is None and self.told_ma is None:
            await self.order(lowest_ma, None)  # it will not say what it offers, so that it has to be told
            return
        if dog is None or after_ms is None or dog.ends != "message":
            return
        if self.heard_ms is None or self._clock.now_ms() - self.heard_ms >= after_ms * 3 // 4:
            await self.order(lowest_ma, None)

    async def order(self, offered_ma: Milliamps, until_ms: int | None) -> None:
        """Tell it what to offer: amps before the release, so that what is released is never an old order.

        Args:
            offered_ma: A current that it can be told, or 0.
            until_ms: The instant from which on it must not be told any more; None: it may be told at any time.

        Raises:
            AdapterError: It did not answer, or refused.
        """
        found = self.map
        self.told_ma = None if self.told_ma is None else max(self.told_ma, offered_ma)
        self._granting_until_ms = until_ms if offered_ma else None
        if found.broadcast is not None:
            await self._order_on_board(offered_ma, until_ms)
        elif offered_ma or found.setpoint.zero_pauses:
            words = found.setpoint.register.words_below(offered_ma)
            if not found.setpoint.wears or await self.read(found.setpoint.register) != words:
                await self.write(found.setpoint.register, words, until_ms=until_ms)
        if found.release is not None:
            raw = found.release.on if offered_ma else found.release.off
            await self.write(found.release.register, found.release.register.words_of(raw), until_ms=until_ms)
        self.told_ma = offered_ma

    async def feed(self, until_ms: int) -> None:
        """Write what feeds its watchdog beside orders, if anything does.

        Raises:
            AdapterError: It did not answer, refused, or the order is over.
        """
        dog = self.map.watchdog
        if dog is None:
            return
        if dog.heartbeat is not None:
            beat = dog.heartbeat
            await self.write(beat.register, beat.register.words_of(beat.raw), until_ms=until_ms)
        elif dog.rewrite_time and dog.time is not None:
            await self.write(dog.time, dog.time.words_below(self._watchdog_ms), until_ms=until_ms)

    async def look(self) -> dict[Register, tuple[int, ...]]:
        """Read everything that a reading is made of.

        Raises:
            AdapterError: It did not answer.
        """
        await self.calm()
        wanted = self._wanted()
        if not self.map.connection.block_reads:
            return {register: await self.read(register) for register in wanted}
        found: dict[Register, tuple[int, ...]] = {}
        for block in _blocks(wanted):
            first, last = block[0], block[-1]
            count = last.address + last.words - first.address
            question = read_question(self._settings.unit, first.moved(self._settings.shift), count)
            words = await self._ask(question)
            for register in block:
                at = register.address - first.address
                found[register] = words[at : at + register.words]
        self.heard_ms = self._clock.now_ms()
        return found

    async def grant(self, raw: int | str | None = None) -> None:
        """Answer a device that asks whether it may go on, while it has an order above 0.

        Args:
            raw: What its state register says; None: it is asked.

        Raises:
            AdapterError: It did not answer, or refused.
        """
        grants, until_ms = self.map.grants, self._granting_until_ms
        if grants is None or until_ms is None or self._clock.now_ms() >= until_ms:
            return
        state = self.map.states[0].register
        raw = state.raw_of(await self.read(state)) if raw is None else raw
        answer = grants.answers.get(raw) if isinstance(raw, int) else None
        if answer is not None:
            await self.write(grants.register, answer, until_ms=until_ms)

    async def set_fallback(self, fallback_ma: Milliamps) -> Milliamps:
        """Have it offer at most this when it is left alone; return what it says that it will.

        Raises:
            AdapterRejected: It cannot be told so.
            AdapterError: It did not answer.
        """
        dog = self.map.watchdog
        if dog is None or dog.failsafe is None:
            raise AdapterRejected(f"{self.map.name} cannot be told what to offer when it is left alone")
        words = dog.failsafe.words_for(fallback_ma)
        sayable_ma = dog.failsafe.current_ma(words)
        held_ma = await self._held_fallback_ma()
        if held_ma != sayable_ma:
            await self.write(dog.failsafe.register, words)
            held_ma = sayable_ma if dog.failsafe_read is None else await self._held_fallback_ma()
        if held_ma is None or (sayable_ma is not None and held_ma > sayable_ma):
            raise AdapterRejected(f"told a fallback of {sayable_ma} mA, the device says {held_ma} mA")
        self.fallback_ma = held_ma
        return held_ma

    def watchdog_lost(self, found: Mapping[Register, tuple[int, ...]]) -> bool:
        """Whether what was read says that the watchdog is not as it was set, as after a restart."""
        dog = self.map.watchdog
        if dog is None:
            return False
        if dog.time_read is not None:
            return not 0 < (dog.time_read.thousandths_of(found[dog.time_read]) or 0) <= self._watchdog_ms
        return dog.left is not None and (dog.left.thousandths_of(found[dog.left]) or 0) > self._watchdog_ms

    @property
    def _watchdog_ms(self) -> int:
        return self._settings.watchdog_ms or 0

    def _wanted(self) -> list[Register]:
        found, dog = self.map, self.map.watchdog
        reported = found.reported.register
        wanted = [*([] if reported is None else [reported]), *(rule.register for rule in found.states)]
        wanted += found.drawn[: self._settings.lines]
        if found.release is not None and found.release.readable:
            wanted.append(found.release.register)
        if found.honoured is not None:
            wanted.append(found.honoured.register)
        if dog is not None:
            wanted += [register for register in (dog.time_read, dog.left) if register is not None]
        return wanted

    async def _order_on_board(self, offered_ma: Milliamps, until_ms: int | None) -> None:
        cast = self.map.broadcast
        if cast is not None and until_ms is not None:
            board = Board.of(self._line, cast, self._clock)
            await board.order(self._settings.unit, cast.first.words_below(offered_ma)[0], until_ms)
            await self.read(self.map.states[0].register)  # nobody answers a broadcast: ask whether somebody is there

    async def leave(self) -> None:
        """Say nothing more to it, and stop what is repeated for it. Never fails."""
        self._left = True
        cast = self.map.broadcast
        if cast is not None:
            await Board.of(self._line, cast, self._clock).drop(self._settings.unit)

    async def _expect(self, fixed: Fixed) -> None:
        raw = fixed.register.raw_of(await self.read(fixed.register))
        if not fixed.holds(raw):
            raise AdapterRejected(f"{fixed.register} is {raw}: {fixed.remedy}")

    async def _set_time(self) -> None:
        dog, wanted_ms = self.map.watchdog, self._watchdog_ms
        if dog is None:
            return
        if dog.time is not None:
            words = dog.time.words_below(wanted_ms)
            told_ms = dog.time.thousandths_of(words)
            held_ms = None if dog.time_read is None else dog.time_read.thousandths_of(await self.read(dog.time_read))
            if held_ms is None or held_ms != told_ms:
                await self.write(dog.time, words)
        register = dog.left if dog.time_read is None else dog.time_read
        if register is None:
            return
        held_ms = register.thousandths_of(await self.read(register)) or 0
        if held_ms > wanted_ms or (held_ms == 0 and register is dog.time_read):
            says = f"says {held_ms / 1000:g} s where its watchdog should act after {wanted_ms / 1000:g} s"
            raise AdapterRejected(f"the device {says}; set it so, or write watchdog_s in the address")

    async def _lower_fallback(self) -> None:
        """Of what it offers when it is left alone, too much is lowered; too little is left for `set_fallback`."""
        dog = self.map.watchdog
        if dog is None or (dog.failsafe is None and dog.failsafe_read is None):
            return
        held_ma = await self._held_fallback_ma()
        if held_ma is not None and held_ma <= self.fallback_ma:
            return
        if dog.failsafe is not None:
            await self.write(dog.failsafe.register, dog.failsafe.words_for(self.fallback_ma))
            if dog.failsafe_read is None:
                return
            held_ma = await self._held_fallback_ma()
        if held_ma is None or held_ma > self.fallback_ma:
            says = "no fallback" if held_ma is None else f"a fallback of {held_ma / 1000:g} A"
            remedy = f"set it to {self.fallback_ma / 1000:g} A, or write failsafe_a in the address"
            raise AdapterRejected(f"the device has {says}; {remedy}")

    async def _held_fallback_ma(self) -> Milliamps | None:
        dog = self.map.watchdog
        failsafe: Failsafe | None = None if dog is None else dog.failsafe_read
        return None if failsafe is None else failsafe.current_ma(await self.read(failsafe.register))


def _blocks(registers: Sequence[Register]) -> list[list[Register]]:
    """Group registers that lie side by side, so that each group is one question."""
    blocks: list[list[Register]] = []
    for register in sorted(set(registers), key=lambda each: (each.table.value, each.address)):
        last = blocks[-1][-1] if blocks else None
        beside = last is not None and last.table is register.table and last.address + last.words == register.address
        if beside and register.address + register.words - blocks[-1][0].address <= _MOST_AT_ONCE:
            blocks[-1].append(register)
        else:
            blocks.append([register])
    return blocks


def state_of(found: RegisterMap, words: Mapping[Register, tuple[int, ...]]) -> tuple[PilotState, bool]:
    """Return the state of the pilot, and whether the device says that it offers something.

    Raises:
        AdapterUnavailable: It says what its map does not know.
    """
    raws = [(rule, rule.register.raw_of(words[rule.register])) for rule in found.states]
    offering = not any(raw in rule.not_offering for rule, raw in raws)
    for rule, raw in raws:
        if raw in rule.values:
            return rule.values[raw], offering
    said = ", ".join(f"{rule.register} is {raw}" for rule, raw in raws)
    raise AdapterUnavailable(f"{said}, which {found.where} does not know")
