"""Rules of what only some adapters can: metering, identities, lines, contactors, limits, parsers. The others skip."""

from random import Random

import pytest

from powershare.adapter import SupportsContactor, SupportsMetering, SupportsPhaseSwitch, SupportsVehicleIdentity
from powershare.errors import AdapterError, AdapterRejected
from powershare.limiting import OutsideLimit, SupportsOutsideLimits
from powershare.testing.bench import Bench, CanPlugIn, HasParser
from powershare.testing.watched import Breach, opened, run


class AbilityRules:
    """What holds of an ability that an adapter declares by having it."""

    hostile_inputs = 2_000
    """How many spoiled messages the parser gets."""

    def test_metering_is_per_line(self, bench: Bench) -> None:
        """Whoever measures says so for each line, always; whoever does not, never."""

        async def test() -> None:
            async with opened(bench) as adapter:
                await adapter.order(adapter.declaration.least_offer_ma)
                if not isinstance(adapter.adapter, SupportsMetering):
                    assert (await adapter.read()).drawn_ma is None, "drawn_ma without SupportsMetering"
                    pytest.skip("no SupportsMetering")
                for wait_ms in (0, 10_000):  # a vehicle takes its time
                    await adapter.wait(wait_ms)
                    drawn_ma = (await adapter.read()).drawn_ma
                    assert drawn_ma is not None, "SupportsMetering, but drawn_ma is None"
                    assert len(drawn_ma) == adapter.adapter.metered_lines

        run(bench.clock, test)

    def test_a_vehicle_is_identified(self, bench: Bench) -> None:
        """The identity is the one that is plugged in."""

        async def test() -> None:
            async with opened(bench) as adapter:
                if not isinstance(adapter.adapter, SupportsVehicleIdentity):
                    assert (await adapter.read()).vehicle is None, "a vehicle without SupportsVehicleIdentity"
                    pytest.skip("no SupportsVehicleIdentity")
                assert adapter.adapter.identity_kind
                if not isinstance(bench, CanPlugIn):
                    pytest.skip("the bench has no vehicle: give it plug_in()")
                bench.plug_in("5YJ3E1EA7KF317000")
                await adapter.settle()
                assert (await adapter.read()).vehicle == "5YJ3E1EA7KF317000"

        run(bench.clock, test)

    def test_lines_are_switched(self, bench: Bench) -> None:
        """Every number of lines that is declared can be chosen, and no other."""

        async def test() -> None:
            async with opened(bench) as adapter:
                switch = adapter.adapter
                if not isinstance(switch, SupportsPhaseSwitch):
                    pytest.skip("no SupportsPhaseSwitch")
                assert switch.line_counts, "SupportsPhaseSwitch without anything to choose from"
                for count in sorted(switch.line_counts):
                    await adapter.call("use_lines()", switch.use_lines(count))
                with pytest.raises(AdapterRejected):
                    await adapter.call("use_lines()", switch.use_lines(max(switch.line_counts) + 1))

        run(bench.clock, test)

    def test_the_contactor_cuts_off_and_stays_off(self, bench: Bench) -> None:
        """It opens whatever the pilot says, an order does not close it, and a release allows it to close."""

        async def test() -> None:
            async with opened(bench) as adapter:
                contactor = adapter.adapter
                closed = (await adapter.read()).contactor_closed
                if not isinstance(contactor, SupportsContactor):
                    pytest.skip("no SupportsContactor")
                assert closed is not None, "SupportsContactor, but contactor_closed is None"
                await adapter.order(adapter.declaration.least_offer_ma)
                await adapter.call("open_contactor()", contactor.open_contactor())
                await adapter.settle()
                assert (await adapter.read()).contactor_closed is False
                await adapter.order(adapter.declaration.greatest_offer_ma)
                await adapter.settle()
                assert (await adapter.read()).contactor_closed is False, "an order closed an opened contactor"
                await adapter.call("release_contactor()", contactor.release_contactor())

        run(bench.clock, test)

    def test_an_outside_limit_is_said_whether_open_or_not(self, bench: Bench) -> None:
        """The driver asks every second, whether the device is reached or not; what it is told can be passed on."""

        async def test() -> None:
            device = bench.new_adapter()
            if not isinstance(device, SupportsOutsideLimits):
                pytest.skip("no SupportsOutsideLimits")
            async with opened(bench) as adapter:
                for asked in (device, adapter.adapter):
                    assert isinstance(asked, SupportsOutsideLimits)
                    limit: object = asked.outside_limit()
                    assert limit is None or isinstance(limit, OutsideLimit), f"outside_limit() returned {limit!r}"

        run(bench.clock, test)

    def test_genuine_messages_are_read_in_any_portions(self, bench: Bench) -> None:
        """Whole, byte by byte and in one run: the parser makes the same messages of them."""
        parser = parser_of(bench)
        for frame in parser.frames:
            whole = parser.parse([frame])
            assert whole, f"nothing was made of the genuine message {frame.hex(' ')}"
            assert parser.parse([frame[at : at + 1] for at in range(len(frame))]) == whole
        together = b"".join(parser.frames)
        assert parser.parse([together]) == parser.parse([together[at : at + 1] for at in range(len(together))])

    def test_hostile_bytes_are_refused_and_not_more(self, bench: Bench) -> None:
        """Cut, flipped, repeated and random bytes raise an AdapterError or are skipped; nothing else comes out."""
        parser = parser_of(bench)
        dice = Random(0xBAD)  # noqa: S311 - the same noise every time
        for number in range(self.hostile_inputs):
            frame = bytearray(dice.choice(parser.frames))
            kind = number % 4
            if kind == 0:
                del frame[dice.randrange(len(frame) + 1) :]
            elif kind == 1:
                frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
            elif kind == 2:
                frame += frame[: dice.randrange(len(frame) + 1)]
            else:
                frame[:] = dice.randbytes(dice.randrange(80))
            try:
                parser.parse([bytes(frame)])
            except AdapterError:
                continue
            except Exception as error:
                raise Breach(f"the bytes {frame.hex(' ')} let {error!r} escape the parser") from error

    def test_the_parser_survives_noise_before_a_message(self, bench: Bench) -> None:
        """After one spoiled message the next genuine ones are read again: noise costs messages, not the connection."""
        parser = parser_of(bench)
        for frame in parser.frames:
            try:
                after_noise = parser.parse([frame[: len(frame) // 2], *[frame] * 3])
            except AdapterError:
                continue
            assert parser.parse([frame])[-1] in after_noise, f"{frame.hex(' ')} is not read after half of itself"


def parser_of(bench: Bench) -> HasParser:
    """The bench, if its adapter has a parser."""
    if not isinstance(bench, HasParser):
        pytest.skip("no parser: the bench has no frames and parse()")
    assert bench.frames, "the bench has no genuine messages"
    return bench
