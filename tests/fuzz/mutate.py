"""What is done to messages: cut, flipped, spliced, and, knowing where fields are, every field set to what it fears."""

import re
from collections.abc import Callable, Sequence
from random import Random
from struct import Struct, calcsize, pack_into, unpack_from

import attrs

from powershare.node import codec, parts

HEADER = codec._HEADER.size
HASH_AT = HEADER - codec.HASH_BYTES
KIND_AT, VERSION_AT = 3, 2


@attrs.frozen
class Field:
    """One figure of a message.

    Attributes:
        at: Where it begins.
        code: How it is packed.
    """

    at: int
    code: str

    @property
    def size(self) -> int:
        """Its bytes."""
        return calcsize(">" + self.code)

    @property
    def signed(self) -> bool:
        """Whether it may be negative."""
        return self.code.islower()

    def read(self, data: bytes) -> int:
        """Its value."""
        value: int = unpack_from(">" + self.code, data, self.at)[0]
        return value

    def write(self, data: bytearray, value: int) -> None:
        """Another value, taken to its range by dropping what is above."""
        bits = 8 * self.size
        value &= (1 << bits) - 1
        if self.signed and value >> (bits - 1):
            value -= 1 << bits
        pack_into(">" + self.code, data, self.at, value)


def fields_of(structs: Sequence[Struct], at: int) -> tuple[Field, ...]:
    """The figures of structs that follow each other."""
    found = []
    for struct in structs:
        for count, code in re.findall(r"(\d*)([a-zA-Z])", struct.format):
            for _ in range(int(count or 1)):
                found.append(Field(at, code))
                at += calcsize(">" + code)
    return tuple(found)


FIELDS: dict[int, tuple[Field, ...]] = {
    codec._HEARTBEAT_KIND: fields_of((codec._HEARTBEAT, codec._GRANT), HEADER),
    codec._VOTE_KIND: fields_of((codec._VOTE, parts._COUNTS), HEADER),
    codec._STATUS_KIND: fields_of((codec._VOTE, codec._UNIT), HEADER),
    codec._REFUSAL_KIND: fields_of((codec._REFUSAL,), HEADER),
    codec._CONFIRMATION_KIND: fields_of((codec._CONFIRMATION,), HEADER),
}
"""The figures of each kind of message, as far as they stand at fixed places."""

EDGES = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 12, 13, 40, 41, 127, 128, 255, 6_000, 16_000, 32_000, 65_535),
    *(10_000_000, 10_000_001, 1 << 30, (1 << 30) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 40) + 1),
    *((1 << 52) - 1, 1 << 52, (1 << 52) + 1, (1 << 53), (1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
)
"""Ends of ranges, of the messages' and of machine words, and figures that are common."""

NEAR = (1, 2, 20, 500, 999, 1_000, 2_000, 2_001, 5_000, 9_999, 10_000, 30_000, 600_000)
"""By how much a figure is off that is nearly right."""


def whole_fields(data: bytes) -> tuple[Field, ...]:
    """The figures of this message that are in it whole."""
    known = FIELDS.get(data[KIND_AT], ()) if len(data) > KIND_AT else ()
    return tuple(field for field in known if field.at + field.size <= len(data))


# What is done; each takes a message, all messages, and chance


def cut(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """The beginning of it."""
    return data[: random.randrange(len(data) + 1)]


def longer(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """Something behind it, also beyond what any message has."""
    return data + random.randbytes(random.choice((1, 2, 4, 8, 40, 300, 1_200)))


def flipped(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """One to eight bits of it turned over."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 8) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def random_byte(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """One byte of it another, behind the header more often than in it."""
    changed = bytearray(data)
    if changed:
        first = HEADER if len(changed) > HEADER and random.random() < 0.9 else 0
        changed[random.randrange(first, len(changed))] = random.randrange(256)
    return bytes(changed)


def taken_out(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """A stretch of it left out, or twice in it."""
    begin, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    return data[:begin] + data[end:] if random.random() < 0.5 else data[:end] + data[begin:]


def spliced(data: bytes, every: Sequence[bytes], random: Random) -> bytes:
    """The beginning of it and the end of another one."""
    other = random.choice(every)
    at = random.randrange(min(len(data), len(other)) + 1)
    return data[:at] + other[at:]


def edge(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """A figure at the end of a range."""
    fields = whole_fields(data)
    if not fields:
        return data
    changed = bytearray(data)
    value = random.choice(EDGES)
    random.choice(fields).write(changed, -value if random.random() < 0.3 else value)
    return bytes(changed)


def near(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """A figure that is nearly what it was."""
    fields = whole_fields(data)
    if not fields:
        return data
    changed = bytearray(data)
    field = random.choice(fields)
    field.write(changed, field.read(data) + random.choice(NEAR) * random.choice((-1, 1)))
    return bytes(changed)


def exchanged(data: bytes, every: Sequence[bytes], random: Random) -> bytes:
    """A figure as another message of its kind has it."""
    fields = whole_fields(data)
    alike = [other for other in random.sample(every, min(len(every), 12)) if other[KIND_AT : KIND_AT + 1] == data[3:4]]
    if not fields or not alike:
        return data
    changed, other, field = bytearray(data), random.choice(alike), random.choice(fields)
    if field.at + field.size <= len(other):
        field.write(changed, field.read(other))
    return bytes(changed)


def of_another_kind(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """Another kind, version or configuration in its header."""
    changed = bytearray(data)
    if len(changed) >= HEADER:
        at = random.choice((KIND_AT, KIND_AT, VERSION_AT, HASH_AT + random.randrange(codec.HASH_BYTES), 0, 1))
        changed[at] = random.randrange(8) if at == KIND_AT else random.randrange(256)
    return bytes(changed)


def more(data: bytes, _all: Sequence[bytes], random: Random) -> bytes:
    """Readings and limits behind a report, right or nearly right."""
    if len(data) <= HEADER or data[KIND_AT] not in {codec._VOTE_KIND, codec._STATUS_KIND}:
        return data
    flags_at = HEADER + codec._VOTE.size - 1
    changed = bytearray(data[: FIELDS[data[KIND_AT]][-1].at] if random.random() < 0.1 else data)
    if len(changed) <= flags_at:
        return data
    changed[flags_at] |= codec._MORE
    readings, bounds = random.randrange(3), random.randrange(3)
    if random.random() < 0.1:
        readings, bounds = random.randrange(256), random.randrange(256)
    tail = bytearray(parts._COUNTS.pack(readings, bounds))
    for _ in range(min(readings, 14)):
        lines = random.choice((1, 3, 3, 3, 2, 0, 4))
        tail += parts._READING.pack(random.choice((0, 1, 2, 65_535)), random.choice(EDGES) % (1 << 63), lines)
        tail += b"".join(parts._LINE.pack(random.choice(EDGES) % (1 << 63)) for _ in range(lines))
    for _ in range(min(bounds, 5)):
        lines = random.choice((3, 3, 3, 1, 0))
        source = random.choice((b"utility", b"u", b"\xff\xfe", b"\0\n\x1b[2J", "\u202e\u0301".encode(), b""))
        circuit, connector = random.choice(((0, -1), (-1, 1), (9, -1), (-1, 300), (0, 0), (-1, -1), (-7, 1)))
        left_ms = random.choice(EDGES) % (1 << 63)
        tail += parts._BOUND.pack(circuit, connector, left_ms, random.randrange(3), lines, len(source)) + source
        tail += b"".join(parts._LINE.pack(random.choice(EDGES) % (1 << 63)) for _ in range(lines))
    return bytes(changed + tail)


Done = Callable[[bytes, Sequence[bytes], Random], bytes]

MUTATIONS: tuple[Done, ...] = (
    *(cut, longer, flipped, random_byte, taken_out, spliced),
    *(edge, edge, edge, near, near, exchanged, exchanged),
    *(of_another_kind, more),
)
"""What is done; those that leave a message whole are more often among them, since others do not get far."""


def mutated(data: bytes, every: Sequence[bytes], random: Random, times: int) -> bytes:
    """A message to which so many things have been done."""
    for _ in range(times):
        data = random.choice(MUTATIONS)(data, every, random)
    return data


def with_hash(data: bytes, config_hash: bytes) -> bytes:
    """The message as somebody of another configuration would send it."""
    return data if len(data) < HEADER else data[:HASH_AT] + config_hash + data[HEADER:]
