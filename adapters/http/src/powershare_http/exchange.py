"""One question and its answer over HTTP, as values; and what moves them, which tests replace. No I/O."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, urlencode

import attrs

from powershare.errors import AdapterRejected, AdapterUnavailable

MAX_BODY_BYTES = 65_536
"""The longest answer that is read: the longest known, everything that a go-e says of itself, has some 20 kB."""

_SHOWN_LETTERS = 80


@attrs.frozen(kw_only=True)
class Request:
    """A question.

    Attributes:
        method: `GET`, `POST`, `PUT` or `PATCH`.
        path: From its first slash on, without a query.
        query: Its parameters, in order.
        body: What is sent along; empty: nothing.
        content_type: What the body is.
    """

    method: str = "GET"
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: str = ""
    content_type: str = "application/json"

    @property
    def target(self) -> str:
        """Path and query as they stand on the wire. Commas stay commas: not every small server undoes them."""
        query = urlencode(self.query, safe=",", quote_via=quote)
        return f"{self.path}?{query}" if query else self.path

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@attrs.frozen(kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: 100 to 599.
        body: Its bytes, as they came.
        cut: Whether the connection ended before the body did.
    """

    status: int
    body: bytes
    cut: bool = False


class Fetch(Protocol):
    """What moves questions and answers. It waits for as long as it is let; whoever asks has a clock."""

    async def fetch(self, request: Request) -> Answer:
        """Ask.

        Raises:
            AdapterError: There is nobody, or no answer that is one.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection. Never fails; may be repeated."""
        ...


def check_status(request: Request, answer: Answer) -> None:
    """Refuse an answer that is none to be read.

    Raises:
        AdapterRejected: The device refuses, wants a login, has no such path, or sends us elsewhere.
        AdapterUnavailable: It failed at it.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    if status in {401, 403}:
        raise AdapterRejected(f"{request}: it wants a login ({status}); write auth_file=/path/to/a/file with it")
    if status in {404, 405} and not answer.body.lstrip().startswith(b"{"):
        raise AdapterRejected(
            f"{request}: it has no such page ({status}); is it the device that the address says, is its firmware new "
            "enough, and is its HTTP interface switched on?"
        )
    if 300 <= status < 400:
        raise AdapterRejected(f"{request}: it sends us to another page ({status}), and nobody is followed")
    said = shown(answer.body)
    if status >= 500:
        raise AdapterUnavailable(f"{request}: it failed with {status}: {said}")
    raise AdapterRejected(f"{request}: it refused with {status}: {said}")


def shown(body: bytes) -> str:
    """The beginning of a body for a message, with nothing in it that a terminal would obey."""
    text = body[: 4 * _SHOWN_LETTERS].decode("utf-8", "replace")
    plain = "".join(letter if letter.isprintable() else " " for letter in text)[:_SHOWN_LETTERS]
    return repr(plain) if plain.strip() else "nothing"
