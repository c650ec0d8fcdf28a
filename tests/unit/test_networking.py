"""Key files: made, read, changed without a gap, and refused with the remedy."""

import stat
from pathlib import Path

import pytest

from powershare.errors import ContractError, FormatError
from powershare.networking import MOST_KEYS, Key, Keys, load_keys, write_keys


def test_what_was_written_is_read(tmp_path: Path) -> None:
    keys = Keys.new().with_another().sealing_newest()
    write_keys(tmp_path / "net.key", keys)
    assert load_keys(tmp_path / "net.key") == keys
    assert [path.name for path in tmp_path.iterdir()] == ["net.key"]


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.key"
    write_keys(path, Keys.new())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(
        FormatError, match=f"may be read by others .mode 640.; take that from them with: chmod 600 {path}"
    ):
        load_keys(path)


def test_two_networks_are_never_alike() -> None:
    one, two = Keys.new(), Keys.new()
    assert one.network != two.network
    assert one.keys != two.keys
    assert len(one.keys[0].secret) == 32


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither where keys are printed, nor where a file that cannot be read is complained about."""
    keys = Keys.new()
    assert keys.keys[0].secret.hex()[:8] not in repr(keys)
    assert repr(keys.keys[0].secret) not in repr(keys)
    path = tmp_path / "net.key"
    write_keys(path, keys)
    whole = path.read_text()
    for cut in range(0, len(whole), 7):
        path.write_text(whole[:cut] + '"')
        with pytest.raises(FormatError) as refused:
            load_keys(path)
        assert keys.keys[0].secret.hex()[:12] not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('schema = "powershare/network-keys/1"', 'schema = "x"'), "powershare network key new"),
        (('network = "', 'network = "00'), "is not 8 bytes"),
        (("seals = 1", "seals = 2"), "names no key of this file"),
        (("seals = 1", "seals = true"), "names no key of this file"),
        (("id = 1", "id = 0"), "no number from 1 to 65535"),
        (("id = 1", "id = true"), "no number from 1 to 65535"),
        (('secret = "', 'secret = "00'), "is not 32 bytes"),
        (('secret = "', 'secret = "zz'), "is not 32 bytes"),
        (("[[key]]", "[[keys]]"), "1 to 8, each with its own id"),
    ],
)
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "net.key"
    write_keys(path, Keys.new())
    whole = path.read_text()
    assert change[0] in whole
    path.write_text(whole.replace(*change))
    with pytest.raises(FormatError, match=words):
        load_keys(path)


def test_what_cannot_be_read_or_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="No such file"):
        load_keys(tmp_path / "none.key")
    with pytest.raises(FormatError, match="cannot be written: No such file"):
        write_keys(tmp_path / "none" / "net.key", Keys.new())
    (tmp_path / "deep.key").write_text(f"key = {'[' * 10_000}", encoding="utf-8")
    with pytest.raises(FormatError, match="is no key file: RecursionError"):
        load_keys(tmp_path / "deep.key")
    (tmp_path / "bytes.key").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="is no key file"):
        load_keys(tmp_path / "bytes.key")


def test_keys_grow_only_so_far() -> None:
    keys = Keys.new()
    for _ in range(MOST_KEYS - 1):
        keys = keys.with_another()
    with pytest.raises(ContractError, match="forget the others"):
        keys.with_another()
    assert [key.id for key in keys.sealing_newest().without_others().keys] == [MOST_KEYS]


def test_keys_that_contradict_each_other_cannot_be() -> None:
    key = Key(1, bytes(32))
    with pytest.raises(ContractError, match="each id once"):
        Keys(network=bytes(8), keys=(key, key), seals=1)
    with pytest.raises(ContractError, match="2 seals"):
        Keys(network=bytes(8), keys=(key,), seals=2)
