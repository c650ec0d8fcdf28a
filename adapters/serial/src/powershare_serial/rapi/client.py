"""One question at a time over an open port, each matched with its own answer."""

import asyncio
from collections.abc import Callable

from powershare.errors import AdapterTimeout
from powershare_serial.ports import Port
from powershare_serial.rapi.frames import Answer, Command, Lines, encode

_TRY_MS = 300
_TRIES = 3
_SECOND_ANSWER_MS = 100
_FIRST_SEQUENCE = 1
_LAST_SEQUENCE = 0xFF


class Client:
    """The conversation with one unit.

    A firmware since 3.0.0 repeats the sequence id of a command, so that a lost command is repeated at once and a late
    answer is told from a timely one. To an older firmware a question is put once.

    Args:
        port: The open port.

    Attributes:
        port: The open port.
        sequenced: Whether the firmware repeats sequence ids; None: not known yet.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.sequenced: bool | None = None
        self._lines = Lines()
        self._sequence = 0

    async def greet(self) -> str:
        """Find out how the firmware answers; returns its version as it says it.

        Raises:
            AdapterTimeout: Nobody answers.
            AdapterUnavailable: The wire is gone.
        """
        self.sequenced = None
        answer = await self.ask("GV")
        self.sequenced = answer.sequence is not None
        if not self.sequenced:
            await asyncio.sleep(_SECOND_ANSWER_MS / 1000)  # of a greeting that had to be repeated
        return " ".join(answer.words)

    async def ask(self, name: str, *words: str, go_on: Callable[[], None] = lambda: None) -> Answer:
        """Put a question, repeat it where that is safe, and return its answer.

        Args:
            name: The two letters of the command.
            words: What follows.
            go_on: Called right before each sending; it raises when the time for it is over.

        Raises:
            AdapterTimeout: No answer.
            AdapterUnavailable: The wire is gone.
        """
        tries = 1 if self.sequenced is False else _TRIES
        for _ in range(tries):
            go_on()
            sequence = self._next_sequence()
            self._lines.feed(self.port.pending())  # what has come before the question answers something else
            await self.port.send(encode(Command(name, words, sequence)))
            try:
                async with asyncio.timeout(_TRY_MS / 1000):
                    answer = await self._answer_to(name, sequence)
            except TimeoutError:
                continue
            if answer is not None:
                return answer
        raise AdapterTimeout(f"the EVSE did not answer ${name} within {_TRY_MS} ms, {tries} times")

    def _next_sequence(self) -> int | None:
        if self.sequenced is False:
            return None
        self._sequence = _FIRST_SEQUENCE if self._sequence >= _LAST_SEQUENCE else self._sequence + 1
        return self._sequence

    async def _answer_to(self, name: str, sequence: int | None) -> Answer | None:
        """The answer to this question; None: the command arrived spoiled."""
        while True:
            for message in self._lines.feed(await self.port.receive()):
                if not isinstance(message, Answer):
                    continue  # a notice, which comes whenever it likes, or an echo
                if message.sequence == sequence:
                    return message
                if message.sequence is None and self._is_mine(name, message):
                    return message
                if message.sequence is None and not message.accepted:
                    return None  # of a command whose checksum was wrong the firmware does not know the id either

    def _is_mine(self, name: str, answer: Answer) -> bool:
        """Whether an answer without an id, while ids are not known of yet, is one to the greeting: a version."""
        first = answer.words[0] if answer.words else ""
        return self.sequenced is None and name == "GV" and answer.accepted and "." in first
