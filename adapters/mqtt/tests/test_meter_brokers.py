"""Brokers that ask who one is, show who they are, or do not let one in: what a meter makes of each."""

import asyncio
import gc
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from powershare.adapter import HostClock
from powershare.errors import AdapterTimeout, AdapterUnavailable
from powershare_mqtt import MqttMeter

from .broker import Mosquitto, needs_mosquitto, unwilling

CLOCK = HostClock()


def meter(broker: Mosquitto, rest: str) -> MqttMeter:
    return MqttMeter(f"{rest}&port={broker.port}", clock=CLOCK)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story()
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())


@needs_mosquitto
def test_a_broker_that_asks_for_a_password_gets_it(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "meter", "s3cret"], check=True, capture_output=True)
    broker = Mosquitto(tmp_path, ["allow_anonymous false", f"password_file {passwords}"])
    broker.start()
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("s3cret\n", encoding="utf-8")
    bad.write_text("wrong", encoding="utf-8")

    async def story() -> None:
        one = meter(broker, f"home/panel?user=meter&password_file={good}&wait_s=1")
        with pytest.raises(AdapterTimeout, match="nothing was published"):
            await one.open()
        for rest in (f"user=meter&password_file={bad}", "keepalive_s=5"):
            with pytest.raises(AdapterUnavailable, match="does not let us in") as caught:
                await meter(broker, f"home/panel?{rest}").open()
            assert "wrong" not in str(caught.value)

    try:
        run(story)
    finally:
        broker.stop()


def test_a_topic_that_may_not_be_read_is_an_error_and_not_silence() -> None:
    async def story() -> None:
        async with unwilling() as port:
            with pytest.raises(AdapterUnavailable, match="does not let us read home/panel"):
                await MqttMeter(f"home/panel?port={port}", clock=CLOCK).open()

    run(story)


def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powershare_mqtt.connection.TIMEOUT_S", 0.5)

    async def story() -> None:
        async with unwilling(mute=True) as port:
            with pytest.raises(AdapterTimeout, match=r"did not answer within 0.5 s"):
                await MqttMeter(f"home/panel?port={port}", clock=CLOCK).open()

    asyncio.run(story())


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "nowhere.invalid"])
def test_a_host_that_cannot_be_is_an_error_of_the_meter(host: str) -> None:
    async def story() -> None:
        with pytest.raises(AdapterUnavailable, match="cannot be reached"):
            await MqttMeter(f"home/panel?broker={host}", clock=CLOCK).open()

    run(story)


def test_a_password_file_that_is_not_there_is_an_error_of_the_meter() -> None:
    async def story() -> None:
        with pytest.raises(AdapterUnavailable, match="cannot be dialled"):
            await MqttMeter("home/panel?user=u&password_file=nowhere/at-all", clock=CLOCK).open()

    run(story)


@needs_mosquitto
# The library below leaves it to the garbage collector to close a socket whose handshake failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_broker_with_a_certificate_is_spoken_to_in_private(tmp_path: Path) -> None:
    """And one whose certificate leads nowhere is not spoken to at all."""
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [*openssl, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    broker = Mosquitto(tmp_path, [f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem"])
    broker.start()

    async def story() -> None:
        one = meter(broker, f"home/panel?tls=yes&ca={tmp_path}/cert.pem&wait_s=1")
        with pytest.raises(AdapterTimeout, match="nothing was published"):
            await one.open()
        with pytest.raises(AdapterUnavailable, match=r"cannot be reached.*certificate"):
            await meter(broker, "home/panel?tls=yes&wait_s=1").open()
        with pytest.raises(AdapterUnavailable, match="cannot be dialled"):
            await meter(broker, f"home/panel?tls=yes&ca={tmp_path}/mosquitto-{broker.port}.conf").open()

    try:
        run(story)
    finally:
        broker.stop()
    gc.collect()
