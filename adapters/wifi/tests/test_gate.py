"""What goes through to a node, and how often; and where members are."""

import itertools

from powershare_wifi.addresses import HEARD_MS, MOST_FOUND, Addresses
from powershare_wifi.gate import OLDER_PER_S, STARTS_KEPT, Gate

ONE, TWO = b"one     ", b"two     "


def test_what_is_new_always_goes_through() -> None:
    gate = Gate()
    assert all(gate.passes("a", ONE, count, 0) for count in range(10_000))


def test_what_may_be_old_goes_through_so_many_times_a_second() -> None:
    gate = Gate()
    gate.passes("a", ONE, 1_000, 0)
    passed = [now_ms for now_ms in range(10_000) for _ in range(10) if gate.passes("a", ONE, now_ms % 1_000, now_ms)]
    assert 10 * OLDER_PER_S <= len(passed) <= 11 * OLDER_PER_S  # a second's worth is saved up


def test_a_flood_of_old_ones_keeps_nothing_new_out() -> None:
    """Not of the same sender, and not of another one."""
    gate = Gate()
    assert gate.passes("a", ONE, 1, 0)
    for count in range(2, 1_000):
        for _ in range(100):
            gate.passes("a", ONE, 1, count)
            gate.passes("a", TWO, 1, count)
        assert gate.is_new("a", ONE, count)
        assert gate.passes("a", ONE, count, count)
    assert gate.passes("b", ONE, 1, 1_000)


def test_a_new_process_of_a_member_is_heard_at_once() -> None:
    gate = Gate()
    assert gate.passes("a", ONE, 50, 0)
    assert gate.passes("a", TWO, 0, 0)
    assert gate.passes("a", TWO, 1, 0)


def test_recorded_processes_without_number_are_forgotten() -> None:
    """So the memory of one sender is bounded, whatever is sent again."""
    gate = Gate()
    for number, now_ms in zip(range(1_000), itertools.count(0, 1_000), strict=False):
        gate.passes("a", number.to_bytes(8, "big"), 1, now_ms)
    assert len(gate._senders["a"].newest) == STARTS_KEPT


def test_the_first_word_of_a_process_may_be_a_recorded_one() -> None:
    """So it proves no address; the next one does."""
    gate = Gate()
    assert not gate.is_new("a", ONE, 5)
    gate.passes("a", ONE, 5, 0)
    assert not gate.is_new("a", ONE, 5)
    assert gate.is_new("a", ONE, 6)


def test_a_member_is_where_it_was_heard_lately_else_where_somebody_wrote() -> None:
    addresses: Addresses[str] = Addresses()
    assert addresses.of("a", 0) is None
    addresses.hear("a", "heard", 0)
    assert addresses.of("a", HEARD_MS) == "heard"
    addresses.find("a", ["found"])
    assert addresses.of("a", HEARD_MS + 1) == "found"
    addresses.write({"a": "written"})
    assert addresses.of("a", HEARD_MS + 1) == "written"
    assert addresses.of("a", HEARD_MS) == "heard"
    addresses.find("b", ["found"])
    addresses.find("b", [])
    assert addresses.of("b", 0) is None


def test_a_host_with_several_addresses_may_be_at_any_of_them() -> None:
    """But not at as many as somebody cares to announce in a member's name."""
    addresses: Addresses[str] = Addresses()
    addresses.find("a", ["of its containers", "of the house"])
    addresses.hear("a", "of the house", 0)
    assert addresses.known("a") == ("of its containers", "of the house")
    addresses.write({"a": "written"})
    assert addresses.known("a") == ("written", "of its containers", "of the house")
    assert addresses.known("b") == ()
    addresses.find("b", [str(number) for number in range(1_000)])
    assert len(addresses.known("b")) == MOST_FOUND
