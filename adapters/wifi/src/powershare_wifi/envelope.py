"""A message in its sealed envelope: bytes to values and back, without I/O.

Layout, big-endian: `PW`, version, 0, network (8), key id (2), sender (4), receiver (4), nonce (12: 8 random ones of the
process, 4 counted), then the message sealed with ChaCha20-Poly1305 (RFC 8439), whose tag covers all of it.

# Rule 1: until the tag is checked nothing is believed, and the work done is the same for every datagram.
# Rule 2: a nonce is used once: a process counts, and takes new random bytes when the count is used up.
# Rule 3: a message that was sealed for one member and from one member is no message for or from another.
# Rule 4: what was recorded and comes again opens again; the nodes tell old from new by their own stamps.
"""

import hashlib
from collections.abc import Callable, Iterable
from struct import Struct

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from powershare.errors import FormatError, Problem
from powershare.networking import Keys
from powershare.node.codec import MOST_BYTES as MOST_MESSAGE_BYTES

VERSION = 1
TAG_BYTES = 16
START_BYTES = 8

_MAGIC = b"PW"
_HEADER = Struct(f">2sBB8sHII{START_BYTES}sI")
_NAME_BYTES = 4
_MOST_COUNT = (1 << 32) - 1

OVERHEAD_BYTES = _HEADER.size + TAG_BYTES
MOST_BYTES = MOST_MESSAGE_BYTES + OVERHEAD_BYTES
"""The longest datagram: with IPv4 and UDP around it, it still fits the 1,280 bytes that every link carries."""

TOO_LONG, TRUNCATED, FOREIGN, VERSION_OTHER = "too long", "truncated", "foreign", "version"
NETWORK_OTHER, NOT_FOR_US, SENDER_UNKNOWN, KEY_UNKNOWN = "other network", "not for us", "unknown sender", "unknown key"
BAD_TAG = "bad tag"
REASONS = (
    TOO_LONG,
    TRUNCATED,
    FOREIGN,
    VERSION_OTHER,
    NETWORK_OTHER,
    NOT_FOR_US,
    SENDER_UNKNOWN,
    KEY_UNKNOWN,
    BAD_TAG,
)
"""Why a datagram is dropped, in the order in which that is looked at."""


@attrs.frozen
class Opened:
    """A datagram whose tag is right.

    Attributes:
        sender: The member that sealed it.
        receiver: The member of this process that it was sealed for.
        data: The message.
        start: The random bytes of the sender's process.
        count: How many it had sealed before.
    """

    sender: str
    receiver: str
    data: bytes
    start: bytes
    count: int


def name_tag(network: bytes, member: str) -> int:
    """The number that stands for a member's name in envelopes, whatever the site looks like otherwise.

    Args:
        network: The network's eight bytes.
        member: The name.
    """
    return int.from_bytes(hashlib.blake2s(member.encode(), key=network, digest_size=_NAME_BYTES).digest(), "big")


class Envelope:
    """Seals for members elsewhere, and opens what they sealed for members here.

    Args:
        keys: The network's keys.
        members: Every member's name.
        here: The members of this process.
        random_bytes: Gives so many random bytes, new ones at each call.

    Raises:
        FormatError: Two names have one tag, which chance gives once in a million networks of a hundred.
    """

    def __init__(
        self, keys: Keys, members: Iterable[str], here: Iterable[str], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._network, self._seals = keys.network, keys.seals
        self._ciphers = {key.id: ChaCha20Poly1305(key.secret) for key in keys.keys}
        self._tags = {member: name_tag(keys.network, member) for member in members}
        self._senders = {tag: member for member, tag in self._tags.items()}
        self._here = {self._tags[member]: member for member in here}
        self._random_bytes = random_bytes
        self._start, self._count = random_bytes(START_BYTES), 0
        if len(self._senders) < len(self._tags):
            twins = [name for name, tag in self._tags.items() if self._senders[tag] != name]
            message = f"{', '.join(map(repr, twins))} cannot be told from another one in envelopes; rename it"
            raise FormatError([Problem("network", "connector", message)])

    def seal(self, sender: str, receiver: str, data: bytes) -> bytes:
        """The datagram that says this, from one member to another.

        Args:
            sender: A member of this process.
            receiver: A member.
            data: The message.
        """
        if self._count > _MOST_COUNT:
            self._start, self._count = self._random_bytes(START_BYTES), 0
        header = _HEADER.pack(
            _MAGIC,
            VERSION,
            0,
            self._network,
            self._seals,
            self._tags[sender],
            self._tags[receiver],
            self._start,
            self._count,
        )
        self._count += 1
        return header + self._ciphers[self._seals].encrypt(header[-12:], data, header)

    def open(self, datagram: bytes) -> Opened | str:
        """Open a datagram.

        Args:
            datagram: As it came in.

        Returns:
            What it holds, or one of `REASONS` to drop it.
        """
        if len(datagram) > MOST_BYTES:
            return TOO_LONG
        if len(datagram) < OVERHEAD_BYTES:
            return TRUNCATED
        magic, version, flags, network, key_id, sender_tag, receiver_tag, start, count = _HEADER.unpack_from(datagram)
        if magic != _MAGIC:
            return FOREIGN
        if version != VERSION or flags:
            return VERSION_OTHER
        if network != self._network:
            return NETWORK_OTHER
        receiver, sender, cipher = (
            self._here.get(receiver_tag),
            self._senders.get(sender_tag),
            self._ciphers.get(key_id),
        )
        if receiver is None:
            return NOT_FOR_US
        if sender is None or sender == receiver:
            return SENDER_UNKNOWN
        if cipher is None:
            return KEY_UNKNOWN
        header = datagram[: _HEADER.size]
        try:
            data = cipher.decrypt(header[-12:], datagram[_HEADER.size :], header)
        except InvalidTag:
            return BAD_TAG
        return Opened(sender, receiver, data, start, count)
