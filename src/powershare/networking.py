"""The contract between nodes of different hosts: bytes to a member and from one, and the keys that seal them.

Rule 1: what a network hands in was sealed with a key of this network, for the member that it is handed to.
Rule 2: nothing else is promised. Bytes may be lost, late, twice or out of order; the nodes are made for that (A5).
Rule 3: `send` neither waits nor raises. A member that cannot be reached is a message that is lost.
Rule 4: a constructor stores; `open()` binds.
"""

import os
import secrets
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import attrs

from powershare.adapter import Clock
from powershare.errors import ContractError, FormatError, Problem
from powershare.registry import Group

KEYS_SCHEMA = "powershare/network-keys/1"
SECRET_BYTES = 32
NETWORK_BYTES = 8
MOST_KEYS = 8
"""A file with more keys has been rotated without ever forgetting one."""

_MOST_KEY_ID = 0xFFFF
_MOST_FILE_BYTES = 16_384

Address: TypeAlias = tuple[str, int]
"""A host, by name or number, and a UDP or TCP port."""

Handed: TypeAlias = Callable[[str, str, bytes], None]
"""Takes a message: who sent it, to whom it is, its bytes."""


@attrs.frozen
class Key:
    """One secret of a network.

    Attributes:
        id: Its number, 1 to 65535, which is not secret.
        secret: 256 bits.
    """

    id: int
    secret: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Keys:
    """What the hosts of one network share, and nobody else has.

    Attributes:
        network: Eight bytes that tell this network from others; not secret, and kept when keys change.
        keys: All of them open what was sealed with them.
        seals: The id of the one that seals.

    Raises:
        ContractError: There is no such key, or one twice.
    """

    network: bytes
    keys: tuple[Key, ...]
    seals: int

    def __attrs_post_init__(self) -> None:
        ids = [key.id for key in self.keys]
        if self.seals not in ids or len(set(ids)) != len(ids) or len(self.network) != NETWORK_BYTES:
            raise ContractError(f"Keys: {self.seals} seals, of {ids}; each id once, the one that seals among them")

    @classmethod
    def new(cls) -> "Keys":
        """A network of its own, with one key."""
        return cls(
            network=secrets.token_bytes(NETWORK_BYTES), keys=(Key(1, secrets.token_bytes(SECRET_BYTES)),), seals=1
        )

    def with_another(self) -> "Keys":
        """The same, with a further key that opens and does not seal yet: every host must have it before one may.

        Raises:
            ContractError: There are so many already that the oldest should be forgotten first.
        """
        newest = max(key.id for key in self.keys)
        if len(self.keys) == MOST_KEYS or newest == _MOST_KEY_ID:
            raise ContractError(f"there are {len(self.keys)} keys already; let the newest seal, and forget the others")
        return attrs.evolve(self, keys=(*self.keys, Key(newest + 1, secrets.token_bytes(SECRET_BYTES))))

    def sealing_newest(self) -> "Keys":
        """The same, sealing with the newest key; the others still open."""
        return attrs.evolve(self, seals=max(key.id for key in self.keys))

    def without_others(self) -> "Keys":
        """The same, with the key that seals alone: what was sealed with another one is foreign from now on."""
        return attrs.evolve(self, keys=tuple(key for key in self.keys if key.id == self.seals))


@attrs.frozen(kw_only=True)
class Joining:
    """What a network needs to know of the nodes that it is for.

    Attributes:
        members: Every member's name, those of other hosts too.
        here: The members of this process.
        keys: The network's keys.
        listen: Where to listen; None: a free port on all interfaces.
        peers: Where members of other processes are known to listen.
        discovers: Whether members announce themselves on the local network, and are looked for there.
    """

    members: tuple[str, ...]
    here: tuple[str, ...]
    keys: Keys
    listen: Address | None = None
    peers: Mapping[str, Address] = MappingProxyType({})
    discovers: bool = False


class Network(Protocol):
    """A way to the members on other hosts."""

    @property
    def counters(self) -> Mapping[str, int]:
        """How often something was dropped, by reason, and how much was handed in and sent."""
        ...

    async def open(self, handed: Handed) -> str:
        """Begin to listen, and hand in what members of other processes say to members of this one.

        Args:
            handed: Called on the event loop, with what was sealed by a member for one of this process.

        Returns:
            Where it listens, in words.

        Raises:
            AdapterError: It cannot listen there, or a peer's address cannot be.
        """
        ...

    def send(self, sender: str, receiver: str, data: bytes) -> None:
        """Send bytes to a member of another process, once, as soon as can be.

        Args:
            sender: A member of this process.
            receiver: A member of another one.
            data: At most `powershare.node.codec.MOST_BYTES` bytes.
        """
        ...

    async def close(self) -> None:
        """Stop listening. May be called again, and opened again."""
        ...


class NetworkFactory(Protocol):
    """What an entry point of the group `powershare.networks` names."""

    def __call__(self, joining: Joining, *, clock: Clock, said: Callable[[str, str], None]) -> Network:
        """Build the network, without touching the world.

        Args:
            joining: Whom it is for.
            clock: Where it gets the time from.
            said: Takes words for people: what it is about, a sentence.

        Raises:
            FormatError: It cannot be; every problem at once.
        """
        ...


class Networks(Group[NetworkFactory]):
    """The networks of one environment."""

    group = "powershare.networks"
    noun = "network"
    published_in = MappingProxyType({"wifi": "powershare-wifi"})


# Key files


def write_keys(path: str | Path, keys: Keys) -> None:
    """Write a key file that its owner alone can read; one that is there is replaced at once or not at all.

    Args:
        path: The file.
        keys: The keys.

    Raises:
        FormatError: It cannot be written.
    """
    path = Path(path)
    lines = [f'schema = "{KEYS_SCHEMA}"', f'network = "{keys.network.hex()}"', f"seals = {keys.seals}"]
    for key in keys.keys:
        lines += ["", "[[key]]", f"id = {key.id}", f'secret = "{key.secret.hex()}"']
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, ("\n".join(lines) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FormatError([Problem(str(path), "", f"cannot be written: {error.strerror}")]) from None


def load_keys(path: str | Path) -> Keys:
    """Read a key file.

    Args:
        path: The file; nobody but its owner may read it.

    Raises:
        FormatError: It cannot be read, others may read it, or it is no key file; every problem at once.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST_FILE_BYTES).decode()
        data = tomllib.loads(text)
    except OSError as error:
        raise FormatError([Problem(str(path), "", f"cannot be read: {error.strerror}")]) from None
    except (ValueError, RecursionError) as error:  # a decoder's error may quote what stands in the file: a secret
        raise FormatError([Problem(str(path), "", f"is no key file: {type(error).__name__}")]) from None
    problems: list[Problem] = []
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"may be read by others (mode {stat.S_IMODE(mode):o}); take that from them with: chmod 600 {path}"
        problems.append(Problem(str(path), "", message))
    keys = _keys_of(data, str(path), problems)
    if keys is None or problems:
        raise FormatError(problems)
    return keys


def _keys_of(data: dict[str, Any], where: str, problems: list[Problem]) -> Keys | None:
    if data.get("schema") != KEYS_SCHEMA:
        problems.append(Problem(where, "schema", f'is not "{KEYS_SCHEMA}"; make one with: powershare network key new'))
        return None
    network = _bytes_of(data.get("network"), NETWORK_BYTES)
    if network is None:
        problems.append(Problem(where, "network", f"is not {NETWORK_BYTES} bytes, in hexadecimal digits"))
    entries = data.get("key")
    found = tuple(_each_key(entries if isinstance(entries, list) else [], where, problems))
    ids = [key.id for key in found]
    if not 1 <= len(found) <= MOST_KEYS or len(set(ids)) != len(ids):
        problems.append(Problem(where, "key", f"is there {len(found)} times; 1 to {MOST_KEYS}, each with its own id"))
    seals = data.get("seals")
    if type(seals) is not int or seals not in ids:
        problems.append(Problem(where, "seals", "names no key of this file; write the id of one"))
        return None
    return None if network is None or problems else Keys(network=network, keys=found, seals=seals)


def _each_key(entries: list[Any], where: str, problems: list[Problem]) -> Iterator[Key]:
    for number, entry in enumerate(entries, 1):
        place = f"{where}: key {number}"
        fields = entry if isinstance(entry, dict) else {}
        key_id, secret = fields.get("id"), _bytes_of(fields.get("secret"), SECRET_BYTES)
        if type(key_id) is not int or not 1 <= key_id <= _MOST_KEY_ID:
            problems.append(Problem(place, "id", f"is no number from 1 to {_MOST_KEY_ID}"))
        elif secret is None:
            problems.append(Problem(place, "secret", f"is not {SECRET_BYTES} bytes, in hexadecimal digits"))
        else:
            yield Key(key_id, secret)


def _bytes_of(value: object, length: int) -> bytes | None:
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and len(found) == length else None
