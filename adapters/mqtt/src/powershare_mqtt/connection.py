"""A connection to a broker, as long as a context lasts. I/O without meaning; only `AdapterError` kinds come out."""

import asyncio
import logging
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt

from powershare.errors import AdapterError, AdapterTimeout, AdapterUnavailable
from powershare_mqtt.addresses import Broker

TIMEOUT_S = 5.0
"""How long the broker may take to answer anything."""

MOST_WAITING = 1_000
"""So many messages wait to be looked at; what comes beyond them is lost, as on any network."""

_CONNECTS_WITHIN_S = 6.0
_CANCELLED_AGAIN_S = 0.2
_REFUSED = 0x80
"""The return code of a subscription that the broker refuses (MQTT 3.1.1, 3.9.3)."""

# What the library below has to say, such as a full queue, is none of a person's business at a terminal.
_quiet = logging.getLogger("powershare_mqtt.below")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


@asynccontextmanager
async def connected(broker: Broker, will: aiomqtt.Will | None = None) -> AsyncIterator[aiomqtt.Client]:
    """Be connected, with a session that the broker forgets at the end.

    Args:
        broker: The broker.
        will: What it is to publish when this process is gone without a word.

    Raises:
        AdapterUnavailable: It cannot be reached, does not let us in, or was lost.
        AdapterTimeout: It did not answer in time.
    """
    client = _client(broker, will)
    try:
        await _enter(client)
    except (aiomqtt.MqttError, OSError, ValueError) as error:  # a host's name that can be none is a ValueError
        # Only a broker that is there answers with a code (MQTT 3.1.1, 3.2.2.3).
        refused = isinstance(error, aiomqtt.MqttCodeError)
        raise _error(broker, "does not let us in" if refused else "cannot be reached", error) from None
    try:
        try:
            yield client
        finally:
            await _leave(client)
    except aiomqtt.MqttError as error:
        raise _error(broker, "was lost", error) from None


async def may_read(client: aiomqtt.Client, topic: str, qos: int) -> bool:
    """Listen to a topic; whether the broker lets us."""
    answers = await client.subscribe(topic, qos=qos)
    return not any(answer if isinstance(answer, int) and answer >= _REFUSED else _fails(answer) for answer in answers)


def _fails(answer: object) -> bool:
    return bool(getattr(answer, "is_failure", False))


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks, and wait until they have ended.

    More than once where it must be: before Python 3.12, `asyncio.wait_for`, which the library below waits with, keeps a
    cancellation to itself that comes together with what it waited for. Cancelled itself, it ends them first.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running, timeout=_CANCELLED_AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # whoever wanted to know it has asked before
    if cancelled is not None:
        raise cancelled


def _client(broker: Broker, will: aiomqtt.Will | None) -> aiomqtt.Client:
    try:
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.user,
            password=_password(broker),
            identifier=f"powershare-{secrets.token_hex(6)}",
            will=will,
            clean_session=True,
            timeout=TIMEOUT_S,
            keepalive=broker.keepalive_s,
            max_queued_incoming_messages=MOST_WAITING,
            tls_context=_tls(broker),
            logger=_quiet,
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise AdapterUnavailable(f"{broker.words} cannot be dialled: {error}") from None


def _password(broker: Broker) -> str | None:
    if broker.password_file is None:
        return None
    text = Path(broker.password_file).read_text(encoding="utf-8")
    return text.split("\n", 1)[0].rstrip("\r")


def _tls(broker: Broker) -> ssl.SSLContext | None:
    if not broker.tls:
        return None
    context = ssl.create_default_context(cafile=broker.ca)
    if broker.cert is not None:
        context.load_cert_chain(broker.cert, broker.key)
    return context


async def _enter(client: aiomqtt.Client) -> None:
    """Dial. The library dials in a thread, which cannot be cancelled: it is waited for, and let go of."""
    dialling = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(dialling)
    except asyncio.CancelledError:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _CONNECTS_WITHIN_S
        while not dialling.done() and loop.time() < until_s:
            with suppress(asyncio.CancelledError):  # asked again, it takes as long as before
                await asyncio.wait([dialling], timeout=until_s - loop.time())
        if not dialling.done():
            dialling.cancel()
        elif not dialling.cancelled() and dialling.exception() is None:
            await _leave(client)
        raise


async def _leave(client: aiomqtt.Client) -> None:
    """Say goodbye where somebody listens; nobody has to."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await client.__aexit__(None, None, None)
    except (aiomqtt.MqttError, TimeoutError):
        return


def _error(broker: Broker, what: str, error: Exception) -> AdapterError:
    words = str(error).strip() or type(error).__name__
    if "timed out" in words:
        return AdapterTimeout(f"{broker.words} did not answer within {TIMEOUT_S:g} s")
    return AdapterUnavailable(f"{broker.words} {what}: {words}")
