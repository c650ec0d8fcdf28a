"""Orders, readings and openings in virtual time: nothing is sent too late, nothing is believed, nobody is pressed."""

import asyncio
import json

import attrs
import pytest

from powershare.adapter import Offer
from powershare.errors import AdapterError, AdapterRejected, AdapterTimeout, AdapterUnavailable, FormatError
from powershare.metering import SupportsEvidence
from powershare.registry import create_adapter
from powershare_http.bodies import BodyError
from powershare_http.charger.http_map import Expected, Place
from powershare_http.exchange import Answer

from .benches import VirtualBench, shipped_bench


def test_what_a_device_accepts_and_does_not_do_is_not_reported() -> None:
    bench = shipped_bench("openevse")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        await adapter.offer(bench.order(16_000))
        bench.device.ignores = True
        applied = await adapter.offer(bench.order(0))
        assert applied.offered_ma is None
        assert (await adapter.read()).offered_ma == 16_000 == bench.device_offered_ma()
        await adapter.close()

    bench.run(talk)


def test_an_order_is_given_up_at_the_instant_at_which_it_is_over() -> None:
    """A device that hangs for a second does not get an order that ended half a second ago."""
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        await adapter.offer(bench.order(6_000))
        bench.way_ms = 1_000
        ends_ms = bench.clock.now_ms() + 500
        with pytest.raises(AdapterTimeout):
            await adapter.offer(Offer(offered_ma=32_000, valid_until_ms=ends_ms, then_ma=0))
        assert bench.clock.now_ms() == ends_ms
        await asyncio.sleep(3)
        assert bench.device_offered_ma() == 6_000
        await adapter.close()

    bench.run(talk)


def test_the_second_question_of_an_order_is_not_sent_when_it_is_over() -> None:
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        await adapter.offer(bench.order(0))
        before = len(bench.device.told)
        bench.way_ms = 20
        with pytest.raises((AdapterRejected, AdapterTimeout)):
            await adapter.offer(bench.order(32_000, for_ms=40))
        assert bench.device.told[before:] == ["GET /api/set?amp=32"]
        assert bench.device_offered_ma() == 0
        await adapter.close()

    bench.run(talk)


def test_a_pause_leaves_no_more_than_the_least_behind() -> None:
    """Whoever releases a go-e by hand, or by pulling its plug, gets 6 A and not what it had before."""
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        await adapter.offer(bench.order(32_000))
        await adapter.offer(bench.order(0))
        assert bench.device_offered_ma() == 0
        now_ms = bench.clock.now_ms()
        (_, release) = bench.map.requests_for(32_000)[1]
        bench.device.answer(release, now_ms)
        assert bench.device_offered_ma() == 6_000
        await adapter.close()

    bench.run(talk)


def test_an_answer_that_is_a_refusal_in_its_own_words_is_one() -> None:
    bench = shipped_bench("evse-wifi")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        bench.spoil = lambda answer: attrs.evolve(answer, body=b"E3_could not set current")
        with pytest.raises(AdapterRejected, match="E3_could not set current"):
            await adapter.offer(bench.order(16_000))
        await adapter.close()

    bench.run(talk)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"{}",
        b"[]",
        b'{"amp": 16}',
        b'{"amp": -1, "frc": 0, "car": 2, "err": 0, "nrg": [0,0,0,0,0,0,0]}',
        b'{"amp": 16, "frc": 0, "car": 77, "err": 0, "nrg": [0,0,0,0,0,0,0]}',
        b'{"amp": 16, "frc": 0, "car": 2, "err": 0, "nrg": [0,0,0,0,"x",0,0]}',
        b'{"amp": null, "frc": 0, "car": 2, "err": 0, "nrg": [0,0,0,0,0,0,0]}',
        b'{"amp": 16, "frc": {}, "car": 2, "err": 0, "nrg": [0,0,0,0,0,0,0]}',
    ],
)
def test_an_answer_that_is_not_understood_is_no_reading(body: bytes) -> None:
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        bench.spoil = lambda answer: attrs.evolve(answer, body=body)
        with pytest.raises(BodyError):
            await adapter.read()
        await adapter.close()

    bench.run(talk)


def test_a_body_that_was_cut_is_no_reading_though_it_might_be_read() -> None:
    bench = shipped_bench("openevse")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        bench.spoil = lambda answer: attrs.evolve(answer, cut=True)
        with pytest.raises(AdapterUnavailable, match="cut short"):
            await adapter.read()
        await adapter.close()

    bench.run(talk)


def test_a_device_that_is_gone_is_asked_less_and_told_all_the_same() -> None:
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()
        bench.spoil = lambda _: Answer(status=500, body=b"")
        before = len(bench.asked)
        for _ in range(60):
            with pytest.raises(AdapterUnavailable):
                await adapter.read()
            await asyncio.sleep(0.5)
        assert 8 <= len(bench.asked) - before <= 14
        before = len(bench.device.told)
        with pytest.raises(AdapterUnavailable, match="failed with 500"):
            await adapter.offer(bench.order(6_000))
        assert len(bench.device.told) == before + 1
        bench.spoil = lambda answer: answer
        await adapter.offer(bench.order(6_000))
        assert (await adapter.read()).offered_ma == 6_000
        await adapter.close()

    bench.run(talk)


def test_two_adapters_of_one_host_never_ask_at_once() -> None:
    bench = shipped_bench("warp")

    async def talk() -> None:
        adapters = [bench.new_adapter() for _ in range(4)]
        await asyncio.gather(*(adapter.open() for adapter in adapters))
        await asyncio.gather(*(adapter.read() for adapter in adapters))
        assert bench.most_at_once == 1
        await asyncio.gather(*(adapter.close() for adapter in adapters))

    bench.run(talk)


def test_every_connection_is_let_go_of_when_opening_fails() -> None:
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        bench.spoil = lambda _: Answer(status=404, body=b"")
        with pytest.raises(AdapterRejected, match="HTTP interface switched on"):
            await adapter.open()
        assert [wire.closed for wire in bench.wires] == [True]

    bench.run(talk)


def test_whoever_dials_again_and_again_is_held_back_too() -> None:
    """The driver closes and opens after every failure: that must not start the count anew."""
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        bench.spoil = lambda _: Answer(status=500, body=b"")
        for _ in range(120):
            with pytest.raises(AdapterUnavailable):
                await adapter.open()
            await adapter.close()
            await asyncio.sleep(0.25)
        assert 8 <= len(bench.asked) <= 14
        bench.spoil = lambda answer: answer
        await asyncio.sleep(4)
        await adapter.open()
        await adapter.close()

    bench.run(talk)


@pytest.mark.parametrize(
    ("name", "read", "path", "value", "words"),
    [
        ("evse-wifi", "parameters", "list.0.alwaysActive", "false", "set its mode to remote"),
        ("warp", "external", "enabled", "false", "switch external control on"),
    ],
)
def test_what_a_device_must_be_is_looked_at_when_it_is_opened(
    name: str, read: str, path: str, value: str, words: str
) -> None:
    bench = shipped_bench(name)
    expected = Expected(place=Place(read=read, path=tuple(path.split("."))), value=value, remedy="")
    bench.device.map = attrs.evolve(bench.map, expect=(expected,))

    async def talk() -> None:
        with pytest.raises(AdapterRejected, match=words):
            await bench.new_adapter().open()

    bench.run(talk)


def test_an_evse_wifi_that_counts_in_hundredths_is_not_taken_for_one_that_counts_in_amps() -> None:
    """16 A told to one that counts in hundredths would be 0.16 A; 1600 A told to the other is not what it can do."""
    bench = shipped_bench("evse-wifi")

    def hires(answer: Answer) -> Answer:
        body = json.loads(answer.body)
        body["list"][0]["actualCurrentMA"] = 1_600
        return Answer(status=200, body=json.dumps(body).encode())

    async def talk() -> None:
        bench.spoil = hires
        with pytest.raises(AdapterRejected, match=r"write http\+evse-wifi-10ma"):
            await bench.new_adapter().open()

    bench.run(talk)


@pytest.mark.parametrize(("seconds", "amps", "words"), [(30, 6, "30 s where"), (0, 6, "0 s where"), (20, 16, "16 A")])
def test_a_watchdog_that_is_another_one_than_declared_is_refused(
    watchdog_bench: VirtualBench, seconds: int, amps: int, words: str
) -> None:
    bench = watchdog_bench

    def other(answer: Answer) -> Answer:
        body = json.loads(answer.body) | {"guard": {"seconds": seconds, "amps": amps}}
        return Answer(status=200, body=json.dumps(body).encode())

    async def talk() -> None:
        bench.spoil = other
        with pytest.raises(AdapterRejected, match=words):
            await bench.new_adapter().open()
        bench.spoil = lambda answer: answer
        adapter = bench.new_adapter()
        await adapter.open()
        await adapter.read()
        bench.spoil = other  # and one that becomes another one, too
        with pytest.raises(AdapterRejected, match=words):
            await adapter.read()
        await adapter.close()

    bench.run(talk)


def test_it_says_what_a_person_who_looks_for_a_fault_wants_to_know() -> None:
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        assert isinstance(adapter, SupportsEvidence)
        with pytest.raises(AdapterUnavailable):
            await adapter.evidence()
        await adapter.open()
        told = len(bench.device.told)
        said = await adapter.evidence()
        assert said["device"] == "go-e Charger, HTTP API v2"
        assert said["firmware"] == "emulated firmware"
        bench.spoil = lambda answer: attrs.evolve(answer, body=b'{"fwv": "057.1", "rssi": [1]}')
        said = await adapter.evidence()
        assert said["firmware"] == "057.1"
        assert "Wi-Fi signal in dBm" not in said
        bench.spoil = lambda _: Answer(status=500, body=b"")
        said = await adapter.evidence()
        assert any("failed with 500" in words for words in said.values())
        assert len(bench.device.told) == told, "evidence changes nothing"
        await adapter.close()

    bench.run(talk)


def test_a_meter_of_one_line_counts_for_each() -> None:
    bench = shipped_bench("openevse", "?lines=2")

    async def talk() -> None:
        adapter = bench.new_adapter()
        assert adapter.metered_lines == 2
        await adapter.open()
        drawn_ma = (await adapter.read()).drawn_ma
        assert drawn_ma is not None
        assert len(drawn_ma) == 2
        assert len(set(drawn_ma)) == 1
        await adapter.close()

    bench.run(talk)


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("go-e", ["does not name a device"]),
        ("keba://192.0.2.20", ["does not name a device; write one of: http+evse-wifi:"]),
        ("go-e:", ["names no host"]),
        ("go-e:///etc", ["names no host"]),
        ("go-e://", ["has no host in"]),
        ("go-e://192.0.2.20/api", ["has a path in"]),
        ("go-e://user:secret@192.0.2.20", ["write auth_file="]),
        ("go-e://user@192.0.2.20", ["write auth_file="]),
        ("go-e://192.0.2.20:0", ["has a port that is '0'"]),
        ("go-e://[::1", ["has no host and port in"]),
        ("go-e://[::1]x", ["has no host and port"]),
        ("go-e://[fe80::1%eth0]", ["has no host in"]),
        ("go-e://192.0.2.20?greatest_a=40&lines=4&reply_s=0", ["greatest_a: ", "lines: is '4'", "reply_s: is '0'"][1:]),
        ("go-e://192.0.2.20?greatest_a=40", ["greatest_a: is 40; go-e Charger, HTTP API v2 goes up to 32 A"]),
        ("go-e://192.0.2.20?watchdog_s=10&failsafe_a=6", ["watchdog_s: cannot be", "failsafe_a: cannot be"]),
        ("go-e://192.0.2.20?map=x.toml", ["map: is no setting"]),
        (
            "go-e://192.0.2.20?greatest=16&lines=1&lines=1&settle_s",
            ["did you mean greatest_a?", "lines: is given twice", "settle_s: has no value"],
        ),
        ("openwb-pro://192.0.2.20?greatest_a=10.55", ["greatest_a: is 10.55, no multiple of its step of 0.1 A"]),
        ("map://192.0.2.20", ["map: is missing; write map="]),
        ("map://192.0.2.20?map=go-e", ["write the path of a .toml file"]),
    ],
)
def test_a_bad_address_is_refused_with_every_problem_at_once(rest: str, parts: list[str]) -> None:
    with pytest.raises(FormatError) as caught:
        create_adapter(f"http+{rest}")
    words = str(caught.value)
    assert all(part in words for part in parts), words
    assert len(caught.value.problems) == len(parts), words


def test_a_good_address_says_what_it_should() -> None:
    declaration = create_adapter("http+go-e://[2001:db8::1]:8080?greatest_a=16&settle_s=1.5&reply_s=1").declaration
    assert (declaration.greatest_offer_ma, declaration.fallback_ma) == (16_000, 16_000)
    assert (declaration.settle_ms, declaration.longest_write_ms) == (1_500, 2_200)
    assert (declaration.step_ma, declaration.least_offer_ma, declaration.can_pause) == (1_000, 6_000, True)


def test_a_question_mark_with_nothing_after_it_sets_nothing() -> None:
    assert create_adapter("http+go-e://box?").declaration == create_adapter("http+go-e://box").declaration


def test_an_error_of_an_adapter_is_all_that_comes_out_of_a_wire_that_fails_oddly() -> None:
    bench = shipped_bench("go-e")

    async def talk() -> None:
        adapter = bench.new_adapter()
        await adapter.open()

        def fails(_: Answer) -> Answer:
            raise AdapterUnavailable("it broke off")

        bench.spoil = fails
        for call in (adapter.read(), adapter.offer(bench.order(6_000)), adapter.offer(bench.order(0))):
            with pytest.raises(AdapterError, match="it broke off"):
                await call
        await adapter.close()

    bench.run(talk)
