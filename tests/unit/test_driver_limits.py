"""External limits of one process: each at a node that has room, and for as long as it is in force at the same one."""

import pytest

from powershare.demand import ExternalLimit
from powershare.driver.limits import LimitPlaces
from powershare.node import Limited
from powershare.node.parts import MOST_BOUNDS


def limited(connector: str, until_ms: int = 1_000, source: str = "utility") -> Limited:
    return Limited(ExternalLimit(limit_ma=6_000, source=source, connector=connector), until_ms)


def tell(places: LimitPlaces, event: Limited, now_ms: int = 0) -> str:
    member = places.node_for(event, now_ms)
    places.told(event, member)
    return member


def test_the_first_has_the_first_and_the_next_what_has_no_room_there() -> None:
    places = LimitPlaces(["a", "b"])
    told = [tell(places, limited(str(number))) for number in range(2 * MOST_BOUNDS)]
    assert told == ["a"] * MOST_BOUNDS + ["b"] * MOST_BOUNDS


def test_where_nobody_has_room_the_first_is_told_and_refuses() -> None:
    places = LimitPlaces(["a", "b"])
    for number in range(2 * MOST_BOUNDS):
        tell(places, limited(str(number)))
    assert places.node_for(limited("one more"), 0) == "a"


def test_a_later_limit_of_a_source_goes_where_the_earlier_one_is() -> None:
    """Elsewhere it would not replace it, and the lower of the two would count for ever."""
    places = LimitPlaces(["a", "b"])
    for number in range(MOST_BOUNDS + 1):
        tell(places, limited(str(number)))
    tell(places, limited("0", until_ms=-1))  # room at the first again
    assert tell(places, limited(str(MOST_BOUNDS), until_ms=9_000)) == "b"
    assert tell(places, limited("0", source="another"), 1) == "a"


@pytest.mark.parametrize("until_ms", [10, -5])
def test_what_has_ended_or_was_taken_back_leaves_its_room(until_ms: int) -> None:
    places = LimitPlaces(["a", "b"])
    for number in range(MOST_BOUNDS):
        tell(places, limited(str(number)))
    tell(places, limited("3", until_ms=until_ms))
    assert tell(places, limited("new"), 20) == "a"
